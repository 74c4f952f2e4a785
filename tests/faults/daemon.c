/*
 * Each call of Linux that berthd makes for a task fails once, in two ways; then its limits are
 * low.  berthd is the real one, linked with failing_linux.c.
 *
 * What a task asks for meanwhile ends with a documented code; berthd lives, holds nothing more
 * than before, and does the same when it is asked once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <berth/port_fd.h>
#include <mach/mach.h>
#include <sys/fileport.h>
#include <sys/kern_event.h>
#include <sys/sys_domain.h>

#include "tests/attack/observe.h"
#include "tests/faults/linux_faults.h"

#define LARGE_BYTES 300000u /* out of line: goes in a memfd */
#define INLINE_BYTES 40000u /* more than a slot has room for */
#define HANG_MS 20000u
#define CHILD_S 60
#define MANY_NAMES 20000u
#define MANY_RIGHTS 8000u
#define ROW 4u          /* calls that fail one after the other */
#define LIMITED_MS 500u /* what a limit leaves no room for waits; then there is room */

static struct linux_faults *faults;

/* ---- what a task does ---------------------------------------------------------------------- */

/* How it went. */
enum outcome {
	WORKED,
	REFUSED,  /* with a code that is documented */
	DETACHED, /* the process has got no kernel, and was told so */
	WRONG
};

typedef enum outcome action(void);

static enum outcome
outcome_of(kern_return_t code)
{
	switch (code) {
	case KERN_SUCCESS:
		return WORKED;
	case KERN_NO_SPACE:
	case KERN_RESOURCE_SHORTAGE:
	case MACH_SEND_NO_BUFFER:
	case MACH_MSG_VM_KERNEL: /* no memory for what is out of line */
		return REFUSED;
	case MACH_SEND_INVALID_DEST:
	case MACH_RCV_PORT_CHANGED:
	case MACH_RCV_INVALID_NAME:
		return DETACHED;
	}
	if ((code & ~MACH_MSG_MASK) == MACH_RCV_BODY_ERROR ||
	    (code & ~MACH_MSG_MASK) == MACH_RCV_HEADER_ERROR)
		return REFUSED;
	fprintf(stderr, "   code 0x%x is none that the contract has for this\n", (unsigned)code);
	return WRONG;
}

static enum outcome
outcome_of_errno(int result)
{
	if (result >= 0)
		return WORKED;
	switch (errno) {
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
		return REFUSED;
	case ENOTCONN:
		return DETACHED;
	}
	fprintf(stderr, "   errno %s is none that the contract has for this\n", strerror(errno));
	return WRONG;
}

/* A port that comes and goes: the first call of a process attaches it. */
static enum outcome
a_port(void)
{
	mach_port_t port;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code == KERN_SUCCESS)
		code = mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome_of(code);
}

struct letter {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_ool_descriptor_t memory[2];
	uint8_t bytes[INLINE_BYTES];
	mach_msg_max_trailer_t trailer;
};

/* A receive that sleeps until its time is over; a thread that sleeps asks for a waker. */
static void *
sleeping_thread(void *context)
{
	enum outcome *outcome = context;
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} message;
	mach_port_t port;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code == KERN_SUCCESS) {
		code = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				sizeof(message), port, 20, MACH_PORT_NULL);
		if (code == MACH_RCV_TIMED_OUT)
			code = KERN_SUCCESS;
		mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	}
	*outcome = outcome_of(code);
	return NULL;
}

static enum outcome
a_thread(void)
{
	enum outcome outcome = WRONG;
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleeping_thread, &outcome) != 0 ||
	    pthread_join(thread, NULL) != 0)
		return WRONG;
	return outcome;
}

static enum outcome
a_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		alarm(CHILD_S);
		_exit(a_port());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return WRONG;
	return (enum outcome)WEXITSTATUS(status);
}

/* @size bytes and @count regions of memory, to ourselves. */
static enum outcome
letter_to_ourselves(mach_msg_size_t size, uint32_t count)
{
	static uint8_t bytes[2][LARGE_BYTES];
	static struct letter letter;
	mach_port_t port;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	letter.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
		.msgh_size = size,
		.msgh_remote_port = port,
	};
	letter.body.msgh_descriptor_count = count;
	for (uint32_t i = 0; i < count; i++) {
		memset(bytes[i], 7 + (int)i, LARGE_BYTES);
		letter.memory[i] = (mach_msg_ool_descriptor_t){ .address = bytes[i],
								.size = LARGE_BYTES,
								.type = MACH_MSG_OOL_DESCRIPTOR };
	}
	letter.bytes[size - offsetof(struct letter, bytes) - 1] = 9;
	code = mach_msg(&letter.header, MACH_SEND_MSG, size, 0, 0, 0, 0);
	if (code == KERN_SUCCESS) {
		memset(&letter, 0, sizeof(letter));
		code = mach_msg(&letter.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(letter),
				port, HANG_MS, 0);
	}
	enum outcome outcome = outcome_of(code);

	if (code == KERN_SUCCESS) {
		for (uint32_t i = 0; i < count; i++)
			if (letter.memory[i].size != LARGE_BYTES ||
			    ((uint8_t *)letter.memory[i].address)[LARGE_BYTES - 1] != 7 + i)
				outcome = WRONG;
		if (letter.bytes[size - offsetof(struct letter, bytes) - 1] != 9)
			outcome = WRONG;
		mach_msg_destroy(&letter.header);
	}
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome;
}

static enum outcome
a_large_letter(void)
{
	return letter_to_ourselves(offsetof(struct letter, trailer), 1);
}

static enum outcome
two_regions(void)
{
	return letter_to_ourselves(offsetof(struct letter, bytes) + 64, 2);
}

/* So many rights in one letter that neither it nor its answer fits into a slot. */
static enum outcome
many_rights(void)
{
	static mach_port_t rights[MANY_RIGHTS];
	struct {
		mach_msg_header_t header;
		mach_msg_body_t body;
		mach_msg_ool_ports_descriptor_t rights;
		mach_msg_max_trailer_t trailer;
	} carrier = { .body = { 1 } };
	mach_port_t port;
	enum outcome outcome;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	for (size_t i = 0; i < MANY_RIGHTS; i++)
		rights[i] = port;
	carrier.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
		.msgh_size = offsetof(__typeof__(carrier), trailer),
		.msgh_remote_port = port,
	};
	carrier.rights = (mach_msg_ool_ports_descriptor_t){ .address = rights,
							    .count = MANY_RIGHTS,
							    .disposition = MACH_MSG_TYPE_MAKE_SEND,
							    .type = MACH_MSG_OOL_PORTS_DESCRIPTOR };
	code = mach_msg(&carrier.header, MACH_SEND_MSG, carrier.header.msgh_size, 0, 0, 0, 0);
	if (code == KERN_SUCCESS)
		code = mach_msg(&carrier.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				sizeof(carrier), port, HANG_MS, 0);
	outcome = outcome_of(code);
	if (code == KERN_SUCCESS) {
		if (carrier.rights.count != MANY_RIGHTS ||
		    ((mach_port_t *)carrier.rights.address)[MANY_RIGHTS - 1] != port)
			outcome = WRONG;
		mach_msg_destroy(&carrier.header);
	}
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome;
}

static enum outcome
a_fileport(void)
{
	int ends[2], fd = -1;
	fileport_t port;
	enum outcome outcome = WRONG;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return WRONG;
	outcome = outcome_of_errno(fileport_makeport(ends[0], &port));
	if (outcome == WORKED) {
		fd = fileport_makefd(port);
		outcome = outcome_of_errno(fd);
		mach_port_deallocate(mach_task_self(), port);
	}
	if (fd >= 0)
		close(fd);
	close(ends[0]);
	close(ends[1]);
	return outcome;
}

static enum outcome
a_memory_entry(void)
{
	memory_object_size_t size = 1u << 16;
	vm_address_t memory = 0;
	mach_port_t entry;
	kern_return_t code = mach_make_memory_entry_64(
	    mach_task_self(), &size, 0, MAP_MEM_NAMED_CREATE | VM_PROT_READ | VM_PROT_WRITE, &entry,
	    MACH_PORT_NULL);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	code = vm_map(mach_task_self(), &memory, (vm_size_t)size, 0, VM_FLAGS_ANYWHERE, entry, 0, 0,
		      VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE);
	if (code == KERN_SUCCESS) {
		*(uint8_t *)memory = 1;
		vm_deallocate(mach_task_self(), memory, (vm_size_t)size);
	}
	mach_port_deallocate(mach_task_self(), entry);
	return outcome_of(code);
}

/* The descriptor of a port tells of a message. */
static enum outcome
a_port_descriptor(void)
{
	mach_port_t port;
	mach_msg_header_t note = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
				   .msgh_size = sizeof(note) };
	struct pollfd readable = { .events = POLLIN };
	enum outcome outcome;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	readable.fd = berth_port_fd(port);
	outcome = outcome_of_errno(readable.fd);
	if (outcome == WORKED) {
		note.msgh_remote_port = port;
		outcome = outcome_of(
		    mach_msg(&note, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof(note), 0, 0, 0, 0));
		if (outcome == WORKED && poll(&readable, 1, HANG_MS) != 1)
			outcome = WRONG;
		close(readable.fd);
	}
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome;
}

static enum outcome
an_event_socket(void)
{
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);
	enum outcome outcome = outcome_of_errno(fd);

	if (fd >= 0)
		close(fd);
	return outcome;
}

/* The names of the task, of which there are too many for a slot. */
static enum outcome
its_names(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;
	kern_return_t code = mach_port_names(mach_task_self(), &names, &count, &types, &type_count);

	if (code == KERN_SUCCESS) {
		vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof(*names));
		vm_deallocate(mach_task_self(), (vm_address_t)types, count * sizeof(*types));
	}
	return outcome_of(code);
}

/* Attaches, and makes so many names. */
static enum outcome
have_many_names(void)
{
	mach_port_t port;

	for (unsigned i = 0; i < MANY_NAMES; i++)
		if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_DEAD_NAME, &port) !=
		    KERN_SUCCESS)
			return WRONG;
	return WORKED;
}

static const struct {
	const char *name;
	action *act;
	action *prepare; /* NULL: the process has no kernel before */
} actions[] = {
	{ "to attach", a_port, NULL },
	{ "a thread", a_thread, a_port },
	{ "a fork", a_child, a_port },
	{ "a large letter", a_large_letter, a_port },
	{ "many rights", many_rights, a_port },
	{ "many names", its_names, have_many_names },
	{ "two regions of memory", two_regions, a_port },
	{ "a fileport", a_fileport, a_port },
	{ "a memory entry", a_memory_entry, a_port },
	{ "a port's descriptor", a_port_descriptor, a_port },
	{ "an event socket", an_event_socket, a_port },
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* ---- one run --------------------------------------------------------------------------------- */

/* In a process of its own: does @act while call @fail_at fails, and then once more. */
static _Noreturn void
child_main(const struct raw_kernel *kernel, size_t index, unsigned fail_at)
{
	enum outcome outcome, again;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CHILD_S);
	setenv("BERTH_KERNEL", kernel->path, 1);
	if (actions[index].prepare != NULL && actions[index].prepare() != WORKED)
		_exit(10);
	atomic_store(&faults->asked, 0);
	atomic_store(&faults->failed, 0);
	atomic_store(&faults->fail_at, fail_at);
	atomic_store(&faults->armed, 1);
	outcome = actions[index].act();
	atomic_store(&faults->armed, 0);
	if (outcome == WRONG)
		_exit(11);
	if (outcome == WORKED)
		_exit(0);
	if (atomic_load(&faults->failed) == 0)
		_exit(12); /* for nothing */
	/* it had a kernel, and has none any more: only if not even its answer could be kept */
	if (outcome == DETACHED && actions[index].prepare != NULL &&
	    actions[index].act != a_child && atomic_load(&faults->row) == 1)
		_exit(13);
	if (outcome == DETACHED)
		_exit(1); /* whoever comes next attaches */
	again = actions[index].act();
	_exit(again == WORKED ? 1 : 14 + (int)again);
}

/* The number it ends with: 0 it worked, 1 it was refused, else what was wrong. */
static int
run_child(const struct raw_kernel *kernel, size_t index, unsigned fail_at)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_main(kernel, index, fail_at);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	atomic_store(&faults->armed, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static bool
is_same(const struct observation *now, const struct observation *before)
{
	return now->tasks == before->tasks && now->threads == before->threads &&
	       now->ports == before->ports && now->port_sets == before->port_sets &&
	       now->messages == before->messages && now->segments == before->segments &&
	       now->notifications == before->notifications && now->watches == before->watches &&
	       now->fileports == before->fileports &&
	       now->memory_entries == before->memory_entries &&
	       now->descriptors == before->descriptors;
}

/* Nothing is left, a moment later.  What a hang-up tells of may not be worked off yet. */
static bool
settles(const struct raw_kernel *kernel, const struct observation *before)
{
	uint64_t limit_ns = wait_now_ns() + HANG_MS * 1000000ull;
	struct observation now = observe(kernel);

	while (!is_same(&now, before)) {
		if (wait_now_ns() >= limit_ns) {
			fprintf(stderr,
				"   %u descriptors after %u; %u ports after %u; %u messages after "
				"%u; %u tasks after %u\n",
				now.descriptors, before->descriptors, now.ports, before->ports,
				now.messages, before->messages, now.tasks, before->tasks);
			return false;
		}
		poll(NULL, 0, 5);
		now = observe(kernel);
	}
	return true;
}

/* ---- the kernel under test ------------------------------------------------------------------- */

/* One run that must go well, so that what stays for ever is there; then what there is. */
static struct observation
kernel_warm(const struct raw_kernel *kernel)
{
	for (size_t i = 0; i < ACTIONS; i++) {
		int end = run_child(kernel, i, 0);

		if (end != 0)
			fail_msg("%s does not work: %d", actions[i].name, end);
	}
	poll(NULL, 0, 50);
	return observe(kernel);
}

#define CALL_TEXT(name) #name,
static const char *const call_names[] = { LINUX_CALLS(CALL_TEXT) };

/* Every call in one action fails, alone or with the next ones, in one way. */
static void
fail_each(const struct raw_kernel *kernel, const struct observation *before, size_t index)
{
	unsigned refused = 0, at;

	for (at = 1;; at++) {
		int end = run_child(kernel, index, at);
		uint32_t failed = atomic_load(&faults->failed);
		const char *name = failed != 0 ? call_names[failed - 1] : "nothing";

		if (end > 1)
			fail_msg("%s, call %u (%s) fails: %d", actions[index].name, at, name, end);
		if (!settles(kernel, before))
			fail_msg("%s, call %u (%s) fails: something is left", actions[index].name,
				 at, name);
		if (failed == 0)
			break;
		refused += (unsigned)end;
	}
	printf("   %s: %u failures, %u told\n", actions[index].name, at - 1, refused);
	assert_int_not_equal(at, 1);
}

static void
fail_all(unsigned row, unsigned step, unsigned way)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct observation before;

	atomic_store(&faults->row, row);
	atomic_store(&faults->step, step);
	atomic_store(&faults->way, way);
	before = kernel_warm(&kernel);
	for (size_t i = 0; i < ACTIONS; i++)
		fail_each(&kernel, &before, i);
	raw_kernel_end(&kernel);
}

static void
each_call_of_berthd_may_fail(void **state)
{
	fail_all(1, 1, 0);
}

static void
each_call_of_berthd_may_fail_in_another_way(void **state)
{
	fail_all(1, 1, 1);
}

static void
calls_of_berthd_may_fail_in_a_row(void **state)
{
	fail_all(ROW, 1, 0);
}

static void
every_second_call_of_berthd_may_fail(void **state)
{
	fail_all(ROW, 2, 0);
	for (size_t i = 0; i < LINUX_CALL_COUNT; i++) {
		unsigned hits = atomic_load(&faults->hits[i]);

		printf("   %s: %u times in all\n", call_names[i], hits);
		if (hits == 0)
			fail_msg("no call of %s has failed", call_names[i]);
	}
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void
limit_set(const struct raw_kernel *kernel, int resource, rlim_t value)
{
	struct rlimit limit;

	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, NULL, &limit), 0);
	limit.rlim_cur = value;
	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, &limit, NULL), 0);
}

static void
limit_restore(const struct raw_kernel *kernel, int resource, const struct rlimit *before)
{
	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, before, NULL), 0);
}

/* In a process of its own, with a kernel if the action needs one: acts under the limit, and then
 * without. */
static _Noreturn void
limited_main(const struct raw_kernel *kernel, size_t index, int resource, rlim_t value,
	     const struct rlimit *old)
{
	enum outcome outcome;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CHILD_S);
	setenv("BERTH_KERNEL", kernel->path, 1);
	if (actions[index].prepare != NULL && actions[index].prepare() != WORKED)
		_exit(10);
	limit_set(kernel, resource, value);
	outcome = actions[index].act();
	limit_restore(kernel, resource, old);
	if (outcome == WRONG)
		_exit(11);
	if (outcome == DETACHED && actions[index].prepare != NULL && actions[index].act != a_child)
		_exit(13);
	if (outcome == REFUSED && actions[index].act() != WORKED)
		_exit(14);
	_exit(outcome == WORKED ? 0 : 1);
}

/* Does everything under the limit: it works or is refused.  Then it works. */
static void
live_under(struct raw_kernel *kernel, int resource, rlim_t value)
{
	struct observation before = kernel_warm(kernel);
	unsigned refused = 0;
	struct rlimit old;

	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, NULL, &old), 0);

	for (size_t i = 0; i < ACTIONS; i++) {
		pid_t pid, ended = 0;
		int status;

		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			limited_main(kernel, i, resource, value, &old);
		/* a letter that was taken out of its queue is not lost: it waits for room */
		for (unsigned ms = 0;
		     ms < LIMITED_MS && (ended = waitpid(pid, &status, WNOHANG)) == 0; ms += 5)
			poll(NULL, 0, 5);
		if (ended == 0) {
			limit_restore(kernel, resource, &old);
			ended = waitpid(pid, &status, 0);
		}
		assert_int_equal(ended, pid);
		printf("   %s: %s\n", actions[i].name,
		       !WIFEXITED(status)         ? "hangs"
		       : WEXITSTATUS(status) == 0 ? "works"
		       : WEXITSTATUS(status) == 1 ? "is refused"
						  : "goes wrong");
		assert_true(WIFEXITED(status));
		assert_in_range(WEXITSTATUS(status), 0, 1);
		refused += (unsigned)WEXITSTATUS(status);
		assert_true(settles(kernel, &before));
	}
	assert_int_not_equal(refused, 0);
	for (size_t i = 0; i < ACTIONS; i++)
		assert_int_equal(run_child(kernel, i, 0), 0);
	assert_true(settles(kernel, &before));
}

static void
a_limit_of_file_sizes_is_survived(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);

	live_under(&kernel, RLIMIT_FSIZE, 4096);
	raw_kernel_end(&kernel);
}

static void
a_limit_of_descriptors_is_survived(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);

	/* what it has already is open; nothing can be added */
	live_under(&kernel, RLIMIT_NOFILE, raw_kernel_descriptors(&kernel) / 2);
	raw_kernel_end(&kernel);
}

#ifndef ATTACK_ASAN /* which needs address space by the terabyte, and ends where it gets none */
static void
a_limit_of_memory_is_survived(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);

	live_under(&kernel, RLIMIT_AS, 1u << 20); /* less than it has: it gets none */
	raw_kernel_end(&kernel);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_of_berthd_may_fail),
		cmocka_unit_test(each_call_of_berthd_may_fail_in_another_way),
		cmocka_unit_test(calls_of_berthd_may_fail_in_a_row),
		cmocka_unit_test(every_second_call_of_berthd_may_fail),
		cmocka_unit_test(a_limit_of_file_sizes_is_survived),
		cmocka_unit_test(a_limit_of_descriptors_is_survived),
#ifndef ATTACK_ASAN
		cmocka_unit_test(a_limit_of_memory_is_survived),
#endif
	};
	char path[] = "/tmp/berth-faults-XXXXXX";
	int fd = mkstemp(path), failed;

	if (fd < 0 || ftruncate(fd, sizeof(*faults)) != 0)
		return 1;
	faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (faults == MAP_FAILED || setenv(LINUX_FAULTS_VARIABLE, path, 1) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
