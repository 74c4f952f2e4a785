/*
 * Each call of Linux that gives the library memory fails once: memfd_create, ftruncate,
 * fallocate, mmap, and the write into what they gave.
 *
 * usage: berth run -- library
 *
 * The program is linked with the static library, whose calls come here first (--wrap).  What fails
 * says so with a documented code; a descriptor or a right that is left is a failure of the test;
 * and the same works once more afterwards.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mach/mach.h>
#include <mach/mach_vm.h>

#define LARGE_BYTES 300000u /* out of line: goes in a memfd */
#define INLINE_BYTES 40000u /* more than a slot has room for */
#define HANG_MS 20000u

/* ---- Linux -------------------------------------------------------------------------------- */

static unsigned asked, fail_at; /* 0: none fails */

static bool
fails(int error)
{
	if (fail_at == 0 || ++asked != fail_at)
		return false;
	errno = error;
	return true;
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __real_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size);
int __real_fallocate64(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t size);
void *__real_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset);

int
__wrap_memfd_create(const char *name, unsigned flags)
{
	return fails(EMFILE) ? -1 : __real_memfd_create(name, flags);
}

int
__wrap_ftruncate64(int fd, off_t size)
{
	return fails(EFBIG) ? -1 : __real_ftruncate64(fd, size);
}

int
__wrap_fallocate64(int fd, int mode, off_t offset, off_t size)
{
	return fails(ENOSPC) ? -1 : __real_fallocate64(fd, mode, offset, size);
}

void *
__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	return fails(ENOMEM) ? MAP_FAILED : __real_mmap64(at, size, prot, flags, fd, offset);
}

ssize_t
__wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
	return fails(ENOSPC) ? -1 : __real_pwrite64(fd, bytes, size, offset);
}

/* ---- what is done -------------------------------------------------------------------------- */

struct letter {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	mach_msg_ool_descriptor_t memory;
	uint8_t bytes[INLINE_BYTES];
	mach_msg_max_trailer_t trailer;
};

static struct letter letter;
static mach_port_t port, given;

typedef kern_return_t action(void);

/* Out of line memory and a right, with @size bytes, to ourselves. */
static kern_return_t
to_ourselves(mach_msg_size_t size, bool moves)
{
	void *memory = NULL;
	kern_return_t code =
	    vm_allocate(mach_task_self(), (vm_address_t *)&memory, LARGE_BYTES, VM_FLAGS_ANYWHERE);

	if (code != KERN_SUCCESS)
		return code;
	memset(memory, 7, LARGE_BYTES);
	letter.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
		.msgh_size = size,
		.msgh_remote_port = port,
	};
	letter.body.msgh_descriptor_count = 2;
	letter.right = (mach_msg_port_descriptor_t){ .name = given,
						     .disposition = MACH_MSG_TYPE_MAKE_SEND,
						     .type = MACH_MSG_PORT_DESCRIPTOR };
	letter.memory = (mach_msg_ool_descriptor_t){ .address = memory,
						     .size = LARGE_BYTES,
						     .deallocate = moves,
						     /* the receiver's is to be destroyed */
						     .copy = MACH_MSG_VIRTUAL_COPY,
						     .type = MACH_MSG_OOL_DESCRIPTOR };
	code = mach_msg(&letter.header, MACH_SEND_MSG, size, 0, 0, 0, 0);
	if (code != KERN_SUCCESS || !moves)
		vm_deallocate(mach_task_self(), (vm_address_t)memory, LARGE_BYTES);
	if (code != KERN_SUCCESS)
		return code;
	code = mach_msg(&letter.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(letter), port,
			HANG_MS, 0);
	if (code == KERN_SUCCESS &&
	    (letter.memory.size != LARGE_BYTES || ((uint8_t *)letter.memory.address)[99] != 7))
		code = KERN_MEMORY_ERROR;
	/* where the memory could not be had the rest has come all the same */
	if (code != MACH_RCV_TIMED_OUT && (code & ~MACH_MSG_MASK) != MACH_RCV_HEADER_ERROR)
		mach_msg_destroy(&letter.header);
	return code;
}

static kern_return_t
small_message(void)
{
	return to_ourselves(offsetof(struct letter, bytes) + 64, false);
}

static kern_return_t
large_message(void)
{
	return to_ourselves(offsetof(struct letter, trailer), false);
}

static kern_return_t
moved_memory(void)
{
	return to_ourselves(offsetof(struct letter, bytes) + 64, true);
}

static kern_return_t
names(void)
{
	mach_port_name_array_t list;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;
	kern_return_t code = mach_port_names(mach_task_self(), &list, &count, &types, &type_count);

	if (code == KERN_SUCCESS) {
		vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof(*list));
		vm_deallocate(mach_task_self(), (vm_address_t)types, count * sizeof(*types));
	}
	return code;
}

static const struct {
	const char *name;
	action *act;
} actions[] = {
	{ "a small message", small_message },
	{ "a large message", large_message },
	{ "memory that moves", moved_memory },
	{ "mach_port_names", names },
};

/* ---- the test ------------------------------------------------------------------------------- */

static bool
is_documented(kern_return_t code)
{
	switch (code) {
	case KERN_SUCCESS: /* there was another way */
	case KERN_NO_SPACE:
	case KERN_RESOURCE_SHORTAGE:
	case MACH_SEND_NO_BUFFER:
	case MACH_SEND_INVALID_MEMORY:
		return true;
	}
	return (code & ~MACH_MSG_MASK) == MACH_RCV_BODY_ERROR ||
	       (code & ~MACH_MSG_MASK) == MACH_RCV_HEADER_ERROR;
}

static unsigned
descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (folder != NULL && readdir(folder) != NULL)
		count++;
	if (folder != NULL)
		closedir(folder);
	return count;
}

/* How many names there are, and how many messages wait. */
static unsigned
held(void)
{
	mach_port_name_array_t list;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count, status_count = MACH_PORT_RECEIVE_STATUS_COUNT;
	mach_port_status_t status;

	if (mach_port_names(mach_task_self(), &list, &count, &types, &type_count) != KERN_SUCCESS ||
	    mach_port_get_attributes(mach_task_self(), port, MACH_PORT_RECEIVE_STATUS,
				     (mach_port_info_t)&status, &status_count) != KERN_SUCCESS)
		return 0;
	vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof(*list));
	vm_deallocate(mach_task_self(), (vm_address_t)types, count * sizeof(*types));
	return count + 1000 * status.mps_msgcount;
}

static int
wrong(const char *name, unsigned at, const char *what, unsigned value)
{
	fprintf(stderr, "%s, call %u fails: %s 0x%x\n", name, at, what, value);
	return 1;
}

/* Every call in @act fails once. */
static int
fail_each(const char *name, action *act)
{
	const unsigned fd_count = descriptors(), name_count = held();
	unsigned hits = 0;

	for (unsigned at = 1;; at++) {
		kern_return_t code;
		bool hit;

		asked = 0;
		fail_at = at;
		code = act();
		hit = asked >= at;
		fail_at = 0;
		if (!is_documented(code) || (code != KERN_SUCCESS && !hit))
			return wrong(name, at, "it says", (unsigned)code);
		if (descriptors() != fd_count)
			return wrong(name, at, "descriptors are left:", descriptors());
		if (held() != name_count)
			return wrong(name, at, "rights or messages are left:", held());
		code = act();
		if (code != KERN_SUCCESS)
			return wrong(name, at, "then it says", (unsigned)code);
		if (!hit)
			break;
		hits++;
	}
	printf("%s: %u failures\n", name, hits);
	return hits == 0;
}

int
main(void)
{
	int failed = 0;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &given) != KERN_SUCCESS)
		return 1;
	/* a thread that sleeps for the first time gets a descriptor for it */
	if (mach_msg(&letter.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(letter), port, 100,
		     0) != MACH_RCV_TIMED_OUT)
		return 1;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (actions[i].act() != KERN_SUCCESS)
			return 1; /* and now what a first call makes for all is there */
		failed |= fail_each(actions[i].name, actions[i].act);
	}
	return failed;
}
