/*
 * Files that tasks hand over when descriptors are scarce: to have, and to send.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_file.h"

/* How many descriptors the kernel may have, and send: Linux counts what all programs of a user
 * have under way, and measures it by the limit of who sends. */
#define FEW 1000

/* @few descriptors for berthd, which can have as many as before again. */
static struct rlimit
descriptors_limit(const struct raw_kernel *kernel, rlim_t few)
{
	struct rlimit before, limit;

	assert_int_equal(prlimit(kernel->pid, RLIMIT_NOFILE, NULL, &before), 0);
	limit = (struct rlimit){ few, before.rlim_max };
	assert_int_equal(prlimit(kernel->pid, RLIMIT_NOFILE, &limit, NULL), 0);
	return before;
}

static void
a_kernel_without_descriptors_says_so_and_loses_nothing(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	mach_port_name_t taken[FEW];
	unsigned count = 0;
	struct rlimit before;
	int ends[2], other[2], fd;

	raw_pipe_new(ends);
	raw_pipe_new(other);
	mach_port_name_t port = raw_file_make(&task, ends[1]);

	before = descriptors_limit(&kernel, FEW);
	while (count < FEW && raw_file_make_with(&task, TRAP_HAS_FILE, &other[1], 1,
						 &taken[count]) == KERN_SUCCESS)
		count++;
	assert_in_range(count, 1, FEW - 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE, &other[1], 1, NULL),
				 KERN_RESOURCE_SHORTAGE);
	fd = raw_file_open(&task, port); /* needs none */
	close(fd);
	while (count > 0)
		raw_file_drop(&task, taken[--count]);
	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, &before, NULL), 0);
	raw_file_drop(&task, raw_file_make(&task, other[1]));
	assert_true(raw_file_hangs_up(other[0]));
	raw_file_drop(&task, port);
	assert_true(raw_file_hangs_up(ends[0]));
	close(ends[0]);
	close(other[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* Has @count descriptors under way, in a message that nobody reads, until both ends are closed. */
static void
send_to_nobody(int ends[2], unsigned count)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int) * 250)];
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int fds[250];

	assert_in_range(count, 1, 250);
	for (unsigned i = 0; i < count; i++)
		fds[i] = STDERR_FILENO;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(sendmsg(ends[0], &message, 0), 1);
}

#define NOBODY 65534
#define NOT_FOR_NOBODY 77

/* As an ordinary user: who may send any number has no limit to meet. */
static void
open_while_too_many_are_under_way(void)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int ends[2], under_way[2], fds[8];

	raw_pipe_new(ends);
	mach_port_name_t port = raw_file_make(&task, ends[1]);
	uint64_t name = port;
	/* room to keep the file until it can be sent */
	struct rlimit before = descriptors_limit(&kernel, 64);

	send_to_nobody(under_way, 80);
	raw_ask(raw_slot(&task, 0), BERTH_TRAP_FILEPORT_OPEN, &name, 1);
	raw_ring(&task, 0);
	assert_false(raw_await(raw_slot(&task, 0), 300));
	close(under_way[0]);
	close(under_way[1]);
	assert_true(raw_await(raw_slot(&task, 0), RAW_ANSWER_MS));
	assert_int_equal(raw_slot(&task, 0)->reply.code, KERN_SUCCESS);
	assert_int_equal(raw_descriptors(&task, fds), 1);
	close(fds[0]);
	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, &before, NULL), 0);
	raw_file_drop(&task, port);
	assert_true(raw_file_hangs_up(ends[0]));
	close(ends[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_file_that_cannot_be_sent_yet_is_sent_later(void **state)
{
	pid_t pid = fork(); /* another user for ever */
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
			_exit(1);
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		if (access(getenv("BERTHD"), X_OK) != 0)
			_exit(NOT_FOR_NOBODY);
		open_while_too_many_are_under_way();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_FOR_NOBODY)
		skip(); /* the build is in a folder of root's alone */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
files_leave_descriptors_for_others(void **state)
{
	const struct rlimit few = { 96, 96 };
	unsigned made = 0;
	int ends[2];
	pid_t pid = fork(); /* a lower limit is for ever */

	assert_true(pid >= 0);
	if (pid > 0) {
		int status;

		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		return;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel), other;
	mach_port_name_t ports[96];

	raw_pipe_new(ends);
	while (made < 96 &&
	       raw_file_make_with(&task, TRAP_HAS_FILE, &ends[1], 1, &ports[made]) == KERN_SUCCESS)
		made++;
	assert_int_equal(made, 48);
	assert_int_equal(raw_slot(&task, 0)->reply.code, KERN_RESOURCE_SHORTAGE);
	other = raw_task_new(&kernel);
	raw_port(&other, 0);
	assert_int_equal(raw_file_make_with(&other, TRAP_HAS_FILE, &ends[1], 1, NULL),
			 KERN_RESOURCE_SHORTAGE);
	raw_file_drop(&task, ports[0]);
	assert_int_equal(raw_file_make_with(&other, TRAP_HAS_FILE, &ends[1], 1, NULL),
			 KERN_SUCCESS);
	raw_task_free(&other);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
	_exit(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_without_descriptors_says_so_and_loses_nothing),
		cmocka_unit_test(a_file_that_cannot_be_sent_yet_is_sent_later),
		cmocka_unit_test(files_leave_descriptors_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
