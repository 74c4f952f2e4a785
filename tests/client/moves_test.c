/*
 * Large memory in messages: what travels without a copy, and that nobody can tell.
 */
#include "tests/client/kernel_test.h"

#include <mach/mach_vm.h>
#include <mach/vm_region.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE ((size_t)4 << 20)

struct memory_message {
	mach_msg_base_t base;
	mach_msg_ool_descriptor_t memory[2];
	mach_msg_max_trailer_t trailer;
};

#define MESSAGE_SIZE(count) ((mach_msg_size_t)(sizeof(mach_msg_base_t) + (count)*16u))

/* ---- support --------------------------------------------------------------------------- */

/* A value for each page, never 0. */
static uint8_t
value_of(size_t page, unsigned seed)
{
	return (uint8_t)(1 + (page * 7 + seed) % 251);
}

static void
fill(uint8_t *memory, size_t size, unsigned seed)
{
	for (size_t at = 0; at < size; at += vm_page_size)
		memset(memory + at, value_of(at / vm_page_size, seed),
		       size - at < vm_page_size ? size - at : vm_page_size);
}

static bool
is_filled(const uint8_t *memory, size_t size, unsigned seed)
{
	for (size_t at = 0; at < size; at++)
		if (memory[at] != value_of(at / vm_page_size, seed))
			return false;
	return true;
}

static uint8_t *
allocate(size_t size)
{
	mach_vm_address_t address = 0;

	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE),
			 KERN_SUCCESS);
	return (uint8_t *)(uintptr_t)address;
}

static void
deallocate(const void *memory, size_t size)
{
	assert_int_equal(mach_vm_deallocate(mach_task_self(), (uintptr_t)memory, size),
			 KERN_SUCCESS);
}

static bool
is_there(const void *memory)
{
	unsigned char pages;

	return mincore((void *)(uintptr_t)memory, 1, &pages) == 0;
}

/* The file that the memory is of; 0: none. */
static unsigned long
file_of(const void *memory)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, inode = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end, &inode) != 3)
			continue;
		if ((uintptr_t)memory >= start && (uintptr_t)memory < end)
			break;
		inode = 0;
	}
	fclose(maps);
	return inode;
}

static unsigned
descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* What the memory's memfd is open as. */
static int
descriptor_of(const void *memory)
{
	unsigned long file = file_of(memory);
	struct stat status;

	for (int fd = 3; fd < 1000; fd++)
		if (fstat(fd, &status) == 0 && status.st_ino == file)
			return fd;
	fail_msg("none");
	return -1;
}

static struct memory_message
message_to(mach_port_t port, void *memory, size_t size, bool moves)
{
	struct memory_message message = { 0 };

	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = port;
	message.base.body.msgh_descriptor_count = 1;
	message.memory[0] = (mach_msg_ool_descriptor_t){ .address = memory,
							 .size = (mach_msg_size_t)size,
							 .deallocate = moves,
							 .copy = MACH_MSG_VIRTUAL_COPY,
							 .type = MACH_MSG_OOL_DESCRIPTOR };
	return message;
}

static mach_msg_return_t
send_memory(mach_port_t port, void *memory, size_t size, bool moves)
{
	struct memory_message message = message_to(port, memory, size, moves);

	return mach_msg(&message.base.header, MACH_SEND_MSG, MESSAGE_SIZE(1), 0, 0, 0, 0);
}

static uint8_t *
receive_memory(mach_port_t port, size_t size)
{
	struct memory_message message;

	assert_int_equal(
	    mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0),
	    MACH_MSG_SUCCESS);
	assert_int_equal(message.memory[0].size, size);
	return message.memory[0].address;
}

/* ---- moving ---------------------------------------------------------------------------- */

static void
memory_that_moves_is_not_copied(void **state)
{
	mach_port_t port = port_new();
	unsigned before = descriptors();
	uint8_t *source = allocate(LARGE);
	unsigned long file = file_of(source);

	(void)state;
	fill(source, LARGE, 1);
	assert_int_not_equal(file, 0);
	assert_int_equal(send_memory(port, source, LARGE, true), MACH_MSG_SUCCESS);
	assert_false(is_there(source));
	uint8_t *got = receive_memory(port, LARGE);
	assert_int_equal(file_of(got), file);
	assert_true(is_filled(got, LARGE, 1));
	fill(got, LARGE, 2); /* it is the receiver's own */
	assert_true(is_filled(got, LARGE, 2));
	deallocate(got, LARGE);
	assert_int_equal(descriptors(), before);
	port_end(port);
}

static void
memory_is_relayed_without_a_copy_until_it_is_written(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);

	(void)state;
	fill(memory, LARGE, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
		memory = receive_memory(port, LARGE);
		assert_int_equal(file_of(memory), file);
		assert_true(is_filled(memory, LARGE, 1));
	}
	memory[LARGE - 1] ^= 1;
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	memory = receive_memory(port, LARGE);
	assert_int_not_equal(file_of(memory), file);
	memory[LARGE - 1] ^= 1;
	assert_true(is_filled(memory, LARGE, 1));
	deallocate(memory, LARGE);
	port_end(port);
}

static void
a_send_that_fails_leaves_the_memory(void **state)
{
	mach_port_t port = port_new(), dead = port_new();
	uint8_t *memory = allocate(LARGE);

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_RECEIVE, -1),
			 KERN_SUCCESS);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(send_memory(dead, memory, LARGE, true), MACH_SEND_INVALID_DEST);
		assert_true(is_filled(memory, LARGE, i));
		fill(memory, LARGE, i + 1);
	}
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 4));
	deallocate(got, LARGE);
	mach_port_deallocate(mach_task_self(), dead);
	port_end(port);
}

static void
a_message_given_back_brings_its_memory(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);

	(void)state;
	fill(memory, LARGE, 1);
	for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(send_number(port, i), MACH_MSG_SUCCESS);
	struct memory_message message = message_to(port, memory, LARGE, true);
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT,
				  MESSAGE_SIZE(1), 0, 0, 10, 0),
			 MACH_SEND_TIMED_OUT);
	uint8_t *got = message.memory[0].address;
	assert_int_equal(file_of(got), file);
	assert_true(is_filled(got, LARGE, 1));
	deallocate(got, LARGE);
	port_end(port);
}

static void
a_copy_is_a_snapshot_for_both(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE), *got[3];

	(void)state;
	fill(memory, LARGE, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send_memory(port, memory, LARGE, false), MACH_MSG_SUCCESS);
		fill(memory, LARGE, i + 1);
	}
	for (unsigned i = 0; i < 3; i++) {
		got[i] = receive_memory(port, LARGE);
		assert_true(is_filled(got[i], LARGE, i));
		fill(got[i], LARGE, 77);
	}
	assert_true(is_filled(memory, LARGE, 3));
	for (unsigned i = 0; i < 3; i++)
		deallocate(got[i], LARGE);
	deallocate(memory, LARGE);
	port_end(port);
}

/* ---- parts ----------------------------------------------------------------------------- */

static void
nobody_gets_what_lies_beside_the_memory_sent(void **state)
{
	mach_port_t port = port_new();

	(void)state;
	for (int moves = 0; moves < 2; moves++) {
		uint8_t *memory = allocate(LARGE);
		unsigned long file = file_of(memory);
		size_t part = LARGE / 2, odd = LARGE / 4 - 100;

		/* memory at the front and behind, then the rest of a page */
		fill(memory, LARGE, 1);
		assert_int_equal(send_memory(port, memory + part, part, moves), MACH_MSG_SUCCESS);
		assert_int_equal(is_there(memory + part), !moves);
		uint8_t *got = receive_memory(port, part);
		assert_int_not_equal(file_of(got), file);
		fill(memory + part - vm_page_size, vm_page_size, 9);
		for (size_t at = 0; at < part; at++)
			if (got[at] != value_of((part + at) / vm_page_size, 1))
				fail_msg("byte %zu is wrong", at);
		assert_true(is_filled(memory, part - vm_page_size, 1));
		deallocate(got, part);

		assert_int_equal(send_memory(port, memory, odd, moves), MACH_MSG_SUCCESS);
		got = receive_memory(port, odd);
		assert_int_not_equal(file_of(got), file);
		assert_true(is_filled(got, odd, 1));
		for (size_t at = odd; at % vm_page_size != 0; at++)
			assert_int_equal(got[at], 0);
		deallocate(got, odd);
		deallocate(memory, LARGE);

		/* and where the rest of the page is all that there is beside it */
		memory = allocate(LARGE);
		fill(memory, LARGE, 1);
		assert_int_equal(send_memory(port, memory, LARGE - 100, moves), MACH_MSG_SUCCESS);
		if (!moves)
			deallocate(memory, LARGE);
		got = receive_memory(port, LARGE - 100);
		assert_true(is_filled(got, LARGE - 100, 1));
		for (size_t at = LARGE - 100; at < LARGE; at++)
			assert_int_equal(got[at], 0);
		deallocate(got, LARGE);
	}
	port_end(port);
}

static void
a_part_moves_if_the_rest_is_empty(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);
	size_t part = LARGE / 2 + 100;

	(void)state;
	fill(memory, part, 1);
	assert_int_equal(send_memory(port, memory, part, true), MACH_MSG_SUCCESS);
	assert_false(is_there(memory));
	uint8_t *rest = memory + mach_vm_round_page(part);
	assert_true(is_there(rest));
	assert_int_equal(rest[0], 0);
	fill(rest, vm_page_size, 3);
	uint8_t *got = receive_memory(port, part);
	assert_int_equal(file_of(got), file);
	assert_true(is_filled(got, part, 1));
	deallocate(got, part);
	assert_true(is_filled(rest, vm_page_size, 3));
	deallocate(rest, LARGE - mach_vm_round_page(part));
	port_end(port);
}

static void
what_is_left_of_memory_still_moves(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);
	size_t quarter = LARGE / 4;

	(void)state;
	fill(memory, LARGE, 1);
	deallocate(memory, quarter);
	deallocate(memory + 3 * quarter, quarter);
	assert_int_equal(send_memory(port, memory + quarter, 2 * quarter, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, 2 * quarter);
	assert_int_equal(file_of(got), file);
	for (size_t at = 0; at < 2 * quarter; at++)
		if (got[at] != value_of((quarter + at) / vm_page_size, 1))
			fail_msg("byte %zu is wrong", at);
	deallocate(got, 2 * quarter);

	/* with a hole: both ends stay, and go */
	memory = allocate(LARGE);
	fill(memory, LARGE, 1);
	deallocate(memory + quarter, quarter);
	assert_false(is_there(memory + quarter));
	assert_true(is_filled(memory, quarter, 1));
	assert_int_equal(send_memory(port, memory, 2 * quarter, true), MACH_SEND_INVALID_MEMORY);
	assert_int_equal(send_memory(port, memory, quarter, true), MACH_MSG_SUCCESS);
	got = receive_memory(port, quarter);
	assert_true(is_filled(got, quarter, 1));
	deallocate(got, quarter);
	assert_int_equal(memory[3 * quarter], value_of(3 * quarter / vm_page_size, 1));
	deallocate(memory + 2 * quarter, 2 * quarter);
	port_end(port);
}

static void
one_piece_moves_and_the_others_go_along(void **state)
{
	mach_port_t port = port_new();
	static struct {
		mach_msg_base_t base;
		mach_msg_ool_descriptor_t memory[2];
		uint8_t tail[40000];
		mach_msg_max_trailer_t trailer;
	} message;
	const mach_msg_size_t sizes[] = { MESSAGE_SIZE(2), offsetof(typeof(message), trailer) };
	const size_t others[] = { 100, 100000, LARGE / 2 };

	(void)state;
	for (int i = 0; i < 6; i++) {
		uint8_t *memory = allocate(LARGE), *other = allocate(others[i % 3]);
		unsigned long file = file_of(memory);
		struct memory_message front = message_to(port, other, others[i % 3], true);
		struct memory_message back = message_to(port, memory, LARGE, true);

		fill(memory, LARGE, 1);
		fill(other, others[i % 3], 2);
		memcpy(&message, &front, MESSAGE_SIZE(1));
		message.memory[1] = back.memory[0];
		message.base.body.msgh_descriptor_count = 2;
		memset(message.tail, 5, sizeof(message.tail));
		assert_int_equal(
		    mach_msg(&message.base.header, MACH_SEND_MSG, sizes[i / 3], 0, 0, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_false(is_there(memory) || is_there(other));
		memset(&message, 0, sizeof(message));
		assert_int_equal(
		    mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(message.base.header.msgh_size, sizes[i / 3]);
		assert_int_equal(file_of(message.memory[1].address), file);
		assert_true(is_filled(message.memory[1].address, LARGE, 1));
		assert_true(is_filled(message.memory[0].address, others[i % 3], 2));
		if (i / 3 == 1)
			assert_int_equal(message.tail[39999], 5);
		mach_msg_destroy(&message.base.header);
	}
	port_end(port);
}

/* ---- as any memory --------------------------------------------------------------------- */

static void
a_child_has_a_copy(void **state)
{
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);
	int ready[2], go[2], status;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(ready) | pipe(go), 0);
	fill(memory, LARGE, 1);
	pid_t child = fork();
	if (child == 0) {
		/* what the parent writes now is not seen here, and the other way round */
		if (read(go[0], &byte, 1) != 1 || !is_filled(memory, LARGE, 1))
			_exit(1);
		fill(memory, LARGE / 2, 3);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(2);
		mach_port_t port = port_new();
		if (send_memory(port, memory, LARGE, true) != MACH_MSG_SUCCESS || is_there(memory))
			_exit(3);
		memory = receive_memory(port, LARGE);
		_exit(is_filled(memory, LARGE / 2, 3) ? 0 : 4);
	}
	close(ready[1]); /* its end is seen */
	fill(memory + LARGE / 2, LARGE / 2, 2);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(is_filled(memory, LARGE / 2, 1));
	assert_true(is_filled(memory + LARGE / 2, LARGE / 2, 2));
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE / 2, 1));
	deallocate(memory, LARGE);

	/* untouched since, it moves in both */
	memory = allocate(LARGE);
	file = file_of(memory);
	fill(memory, LARGE, 1);
	child = fork();
	mach_port_t port = port_new();
	bool went = send_memory(port, memory, LARGE, true) == MACH_MSG_SUCCESS;
	memory = receive_memory(port, LARGE);
	went = went && file_of(memory) == file && is_filled(memory, LARGE, 1);
	if (child == 0)
		_exit(!went);
	assert_true(went);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	deallocate(memory, LARGE);
	port_end(port);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}

static void
a_child_made_past_the_library_does_not_share(void **state)
{
	uint8_t *memory = allocate(LARGE);
	int status;

	(void)state;
	fill(memory, LARGE, 1);
	fflush(stdout);
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		_exit(is_there(memory));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE, 1));
	deallocate(memory, LARGE);
}

static void
inheritance_is_as_it_was_asked_for(void **state)
{
	uint8_t *memory = allocate(LARGE);
	mach_vm_address_t none = 0;
	int status;

	(void)state;
	assert_int_equal(
	    mach_vm_inherit(mach_task_self(), (uintptr_t)memory, LARGE / 2, VM_INHERIT_NONE),
	    KERN_SUCCESS);
	assert_int_equal(mach_vm_map(mach_task_self(), &none, LARGE, 0, VM_FLAGS_ANYWHERE,
				     MACH_PORT_NULL, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
				     VM_INHERIT_NONE),
			 KERN_SUCCESS);
	pid_t child = fork();
	if (child == 0)
		_exit((is_there(memory) ? 1 : 0) | (is_there(memory + LARGE / 2) ? 0 : 2) |
		      (is_there((void *)(uintptr_t)none) ? 4 : 0));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	deallocate(memory, LARGE);
	deallocate((void *)(uintptr_t)none, LARGE);
}

static void
it_looks_like_private_memory(void **state)
{
	uint8_t *memory = allocate(LARGE);
	mach_vm_address_t at = (uintptr_t)memory;
	mach_vm_size_t size = 0;
	vm_region_basic_info_data_64_t info;
	mach_msg_type_number_t count = VM_REGION_BASIC_INFO_COUNT_64;
	mach_port_t object;

	(void)state;
	assert_int_equal(mach_vm_region(mach_task_self(), &at, &size, VM_REGION_BASIC_INFO_64,
					(vm_region_info_t)&info, &count, &object),
			 KERN_SUCCESS);
	assert_int_equal(at, (uintptr_t)memory);
	assert_int_equal(size, LARGE);
	assert_false(info.shared);
	assert_int_equal(info.inheritance, VM_INHERIT_COPY);
	assert_int_equal(info.protection, VM_PROT_DEFAULT);
	assert_int_equal(info.offset, 0);

	/* what its owner gives back is gone */
	fill(memory, LARGE, 1);
	assert_int_equal(
	    mach_vm_behavior_set(mach_task_self(), (uintptr_t)memory, LARGE, VM_BEHAVIOR_FREE),
	    KERN_SUCCESS);
	assert_int_equal(memory[0], 0);
	deallocate(memory, LARGE);
}

static void
protection_goes_on_holding(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(
	    mach_vm_protect(mach_task_self(), (uintptr_t)memory, LARGE / 2, FALSE, VM_PROT_READ),
	    KERN_SUCCESS);
	/* freezing keeps it */
	struct memory_message message = message_to(port, memory, LARGE, true);
	message.base.header.msgh_remote_port = MACH_PORT_DEAD;
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, MESSAGE_SIZE(1), 0, 0, 0, 0),
			 MACH_SEND_INVALID_DEST);
	int zeroes = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(zeroes, memory, 1), -1);
	assert_int_equal(read(zeroes, memory + LARGE / 2, 1), 1);
	fill(memory + LARGE / 2, vm_page_size, 1 + 7 * (unsigned)(LARGE / 2 / vm_page_size));
	close(zeroes);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 1));
	fill(got, LARGE, 2);
	deallocate(got, LARGE);

	/* what cannot be read cannot be sent */
	memory = allocate(LARGE);
	assert_int_equal(mach_vm_protect(mach_task_self(), (uintptr_t)memory + LARGE / 2,
					 vm_page_size, FALSE, VM_PROT_NONE),
			 KERN_SUCCESS);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_SEND_INVALID_MEMORY);
	assert_true(is_there(memory));
	deallocate(memory, LARGE);
	port_end(port);
}

static void
it_is_shared_by_an_entry_and_copied_by_a_remap(void **state)
{
	uint8_t *memory = allocate(LARGE);
	memory_object_size_t size = LARGE;
	mach_vm_address_t twin = 0, copy = 0;
	vm_prot_t current, maximum;
	mach_port_t entry;

	(void)state;
	memory[0] = 1;
	memory[LARGE - 1] = 2;
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, (uintptr_t)memory,
						   VM_PROT_DEFAULT, &entry, MACH_PORT_NULL),
			 KERN_SUCCESS);
	assert_int_equal(size, LARGE);
	assert_int_equal(mach_vm_map(mach_task_self(), &twin, LARGE, 0, VM_FLAGS_ANYWHERE, entry, 0,
				     FALSE, VM_PROT_DEFAULT, VM_PROT_DEFAULT, VM_INHERIT_COPY),
			 KERN_SUCCESS);
	uint8_t *shared = (uint8_t *)(uintptr_t)twin;
	assert_int_equal(shared[0], 1);
	assert_int_equal(shared[LARGE - 1], 2);
	/* what was never touched takes no memory */
	struct stat status;
	assert_int_equal(fstat(descriptor_of(shared), &status), 0);
	assert_true((size_t)status.st_blocks * 512 <= 8 * vm_page_size);
	assert_int_equal(shared[LARGE / 2], 0);
	assert_int_equal(mach_vm_remap(mach_task_self(), &copy, LARGE, 0, VM_FLAGS_ANYWHERE,
				       mach_task_self(), (uintptr_t)memory, TRUE, &current,
				       &maximum, VM_INHERIT_COPY),
			 KERN_SUCCESS);
	uint8_t *apart = (uint8_t *)(uintptr_t)copy;
	memory[5] = 9;
	assert_int_equal(shared[5], 9);
	assert_int_equal(apart[5], 0);
	assert_int_equal(apart[LARGE - 1], 2);
	deallocate(shared, LARGE);
	deallocate(apart, LARGE);
	deallocate(memory, LARGE);
	mach_port_deallocate(mach_task_self(), entry);
}

static void
it_may_become_code(void **state)
{
	uint8_t *memory = allocate(LARGE);

	(void)state;
	memory[0] = 0xc3;
	assert_int_equal(mach_vm_protect(mach_task_self(), (uintptr_t)memory, LARGE, FALSE,
					 VM_PROT_READ | VM_PROT_EXECUTE),
			 KERN_SUCCESS);
	deallocate(memory, LARGE);
}

static void
a_limit_on_files_is_none_on_memory(void **state)
{
	int status;

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		const struct rlimit limit = { LARGE / 2, LARGE / 2 };
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(1);
		uint8_t *memory = allocate(LARGE);
		fill(memory, LARGE, 1);
		mach_port_t own = port_new();
		/* no memfd may be as large: that is said, and does not kill */
		if (send_memory(own, memory, LARGE, true) != MACH_SEND_NO_BUFFER)
			_exit(2);
		_exit(!is_filled(memory, LARGE, 1));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- programs that go their own ways ----------------------------------------------------- */

static void
a_child_has_a_copy_though_no_descriptor_is_left(void **state)
{
	uint8_t *memory = allocate(LARGE);
	int taken[1024], count = 0, status;
	struct rlimit limit, low;

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 200;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while ((taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	pid_t child = fork();
	if (child == 0) {
		bool is_same = is_filled(memory, LARGE, 1);
		fill(memory, LARGE, 2);
		_exit(!is_same);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE, 1));
	while (count > 0)
		close(taken[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	deallocate(memory, LARGE);
}

static void
memory_unmapped_by_munmap_is_given_back(void **state)
{
	unsigned before = descriptors();

	(void)state;
	uint8_t *memory[30];
	for (int i = 0; i < 30; i++)
		memory[i] = allocate(LARGE);
	assert_int_equal(descriptors(), before + 30);
	for (int i = 0; i < 30; i++)
		munmap(memory[i], LARGE);
	deallocate(allocate((size_t)100 << 20), (size_t)100 << 20);
	assert_int_equal(descriptors(), before);
}

static void
any_number_of_allocations_works(void **state)
{
	enum { COUNT = 600 };
	static uint8_t *all[COUNT];
	mach_port_t port = port_new();
	unsigned before = descriptors();
	size_t size = (size_t)300 << 10;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		all[i] = allocate(size);
		all[i][size - 1] = (uint8_t)i;
	}
	assert_true(descriptors() - before <= 256);
	assert_int_equal(send_memory(port, all[0], size, true), MACH_MSG_SUCCESS);
	assert_int_equal(send_memory(port, all[COUNT - 1], size, true), MACH_MSG_SUCCESS);
	all[0] = receive_memory(port, size);
	all[COUNT - 1] = receive_memory(port, size);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(all[i][size - 1], (uint8_t)i);
		deallocate(all[i], size);
	}
	assert_int_equal(descriptors(), before);
	port_end(port);
}

static void
a_closed_descriptor_loses_nothing(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	int status;

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(close(descriptor_of(memory)), 0);
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC); /* with the number that was ours */
	pid_t child = fork();
	if (child == 0) {
		bool is_same = is_filled(memory, LARGE, 1);
		fill(memory, LARGE, 2);
		_exit(!is_same);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE, 1));
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 1));
	deallocate(got, LARGE);
	assert_int_equal(fcntl(other, F_GETFD), FD_CLOEXEC);
	close(other);
	port_end(port);
}

static void
memory_that_somebody_else_maps_is_copied(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);

	(void)state;
	fill(memory, LARGE, 1);
	uint8_t *twin =
	    mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_of(memory), 0);
	assert_ptr_not_equal(twin, MAP_FAILED);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	fill(twin, LARGE, 2);
	uint8_t *got = receive_memory(port, LARGE);
	assert_int_not_equal(file_of(got), file);
	assert_true(is_filled(got, LARGE, 1));
	deallocate(got, LARGE);
	munmap(twin, LARGE);

	/* and what is not there any more is not sent in its place */
	memory = allocate(LARGE);
	fill(memory, LARGE, 1);
	assert_ptr_equal(mmap(memory, LARGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 memory);
	fill(memory, LARGE, 3);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 3));
	deallocate(got, LARGE);
	port_end(port);
}

static void *
write_on(void *context)
{
	uint8_t *memory = context;

	for (unsigned i = 1; i < 2000; i++)
		for (size_t at = 0; at < LARGE / 2; at += 32 * vm_page_size)
			if (memory[at] != (uint8_t)(i - 1))
				return memory;
			else
				memory[at] = (uint8_t)i;
	return NULL;
}

static void
a_thread_that_writes_loses_nothing(void **state)
{
	mach_port_t dead = port_new();
	uint8_t *memory = allocate(LARGE);
	pthread_t thread;
	void *result;
	int status;

	(void)state;
	assert_int_equal(mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_RECEIVE, -1),
			 KERN_SUCCESS);
	pthread_create(&thread, NULL, write_on, memory);
	for (int i = 0; i < 20; i++)
		assert_int_equal(send_memory(dead, memory, LARGE, true), MACH_SEND_INVALID_DEST);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	pthread_join(thread, &result);
	assert_null(result);
	deallocate(memory, LARGE);
	mach_port_deallocate(mach_task_self(), dead);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_moves_is_not_copied),
		cmocka_unit_test(memory_is_relayed_without_a_copy_until_it_is_written),
		cmocka_unit_test(a_send_that_fails_leaves_the_memory),
		cmocka_unit_test(a_message_given_back_brings_its_memory),
		cmocka_unit_test(a_copy_is_a_snapshot_for_both),
		cmocka_unit_test(nobody_gets_what_lies_beside_the_memory_sent),
		cmocka_unit_test(a_part_moves_if_the_rest_is_empty),
		cmocka_unit_test(what_is_left_of_memory_still_moves),
		cmocka_unit_test(one_piece_moves_and_the_others_go_along),
		cmocka_unit_test(a_child_has_a_copy),
		cmocka_unit_test(a_child_made_past_the_library_does_not_share),
		cmocka_unit_test(inheritance_is_as_it_was_asked_for),
		cmocka_unit_test(it_looks_like_private_memory),
		cmocka_unit_test(protection_goes_on_holding),
		cmocka_unit_test(it_is_shared_by_an_entry_and_copied_by_a_remap),
		cmocka_unit_test(it_may_become_code),
		cmocka_unit_test(a_limit_on_files_is_none_on_memory),
		cmocka_unit_test(a_child_has_a_copy_though_no_descriptor_is_left),
		cmocka_unit_test(memory_unmapped_by_munmap_is_given_back),
		cmocka_unit_test(any_number_of_allocations_works),
		cmocka_unit_test(a_closed_descriptor_loses_nothing),
		cmocka_unit_test(memory_that_somebody_else_maps_is_copied),
		cmocka_unit_test(a_thread_that_writes_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
