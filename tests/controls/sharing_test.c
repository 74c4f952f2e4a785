/*
 * A control's socket in several processes: over fork and exec, passed, and from a handler that
 * forks.
 */
#include "tests/controls/fake_client.h"
#include "tests/support/memcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/kern_control.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program; /* this one */

static void
parent_and_child_share_a_socket(void **state)
{
	int fd = fake_client(5);

	(void)state;
	assert_true(echoes(fd, "before"));
	uint32_t adopted = fake->adopt_count, closed = fake->closed_count;
	pid_t child = fork();
	if (child == 0) {
		bool is_fine = echoes(fd, "child") && fake_unit(fd) == 5;
		close(fd);
		_exit(is_fine ? 0 : 1);
	}
	assert_int_equal(child_end(child), 0);
	assert_int_equal(fake->adopt_count, adopted + 1);
	assert_true(fake->closed_count > closed);
	assert_true(echoes(fd, "parent"));
	/* a child that has not used it closes it without a word */
	closed = fake->closed_count;
	child = fork();
	if (child == 0) {
		close(fd);
		_exit(0);
	}
	assert_int_equal(child_end(child), 0);
	assert_int_equal(fake->closing_count, closed);
	close(fd);
}

static void
a_child_may_connect_for_its_parent(void **state)
{
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);
	char byte;

	(void)state;
	assert_errno(recv(fd, &byte, 1, MSG_DONTWAIT), ENOTCONN);
	pid_t child = fork();
	if (child == 0)
		_exit(fake_connect(fd, 5) == 0 && echoes(fd, "child") ? 0 : 1);
	assert_int_equal(child_end(child), 0);
	assert_int_equal(fake_unit(fd), 5);
	assert_true(echoes(fd, "parent"));
	close(fd);
}

static void
a_program_that_is_executed_knows_its_sockets(void **state)
{
	int fd = fake_client(5);
	char number[16];

	(void)state;
	snprintf(number, sizeof(number), "%d", fd);
	pid_t child = fork();
	if (child == 0) {
		execl(program, program, "inherited", number, (char *)NULL);
		_exit(9);
	}
	assert_int_equal(child_end(child), 0);
	assert_true(echoes(fd, "parent"));
	close(fd);
}

/* What the executed program does. */
static int
inherited(int fd)
{
	struct sockaddr_ctl address = { 0 };
	socklen_t size = sizeof(address);

	if (!echoes(fd, "executed"))
		return 1;
	if (getpeername(fd, (struct sockaddr *)&address, &size) != 0 || address.sc_unit != 5)
		return 2;
	return setsockopt(fd, SYSPROTO_CONTROL, 1, "option", 6) == 0 ? 0 : 3;
}

static void
a_socket_can_be_passed(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid_t child = fork();
	if (child == 0) {
		int fd;

		if (recvmsg(pair[0], &message, 0) != 1)
			_exit(1);
		memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
		_exit(echoes(fd, "passed") && fake_unit(fd) == 5 ? 0 : 2);
	}
	int fd = fake_client(5);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	assert_int_equal(sendmsg(pair[1], &message, 0), 1);
	close(fd);
	assert_int_equal(child_end(child), 0);
	close(pair[0]);
	close(pair[1]);
}

static _Atomic int forked;

static void
on_signal_fork(int number)
{
	(void)number;
	forked = fork();
}

static void
a_handler_may_fork_in_the_middle_of_a_call(void **state)
{
	struct sigaction action = { .sa_handler = on_signal_fork, .sa_flags = SA_RESTART }, before;
	uint32_t blocked = fake->blocked_count;

	(void)state;
	if (is_under_memcheck())
		skip(); /* does not let a handler fork */
	sigaction(SIGUSR1, &action, &before);
	int fd = fake_client(5);
	fake->release = 0;
	forked = -1;
	pid_t self = getpid();
	pid_t waker = fork();
	if (waker == 0) {
		fake_await(&fake->blocked_count, blocked + 1);
		kill(self, SIGUSR1);
		_exit(0);
	}
	errno = 0;
	ssize_t sent = send(fd, "block", 5, 0);
	if (forked == 0) {
		/* in the child the call was interrupted, and the next one is its own */
		bool is_fine = sent == -1 && errno == EINTR;
		fake->release = 1;
		_exit(is_fine && echoes(fd, "child") ? 0 : 1);
	}
	assert_int_equal(sent, 5);
	assert_true(forked > 0);
	assert_int_equal(child_end(forked), 0);
	assert_int_equal(child_end(waker), 0);
	sigaction(SIGUSR1, &before, NULL);
	assert_true(echoes(fd, "parent"));
	close(fd);
}

static void
many_processes_come_and_go(void **state)
{
	int fd = fake_client(5);
	uint32_t lanes = fake->lane_count;

	(void)state;
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(send(fd, "x", 1, 0) == 1 ? 0 : 1);
		assert_int_equal(child_end(child), 0);
	}
	/* their lanes went with them */
	for (int i = 0; i < 60000 && fake->lane_count > lanes; i++)
		usleep(1000);
	assert_int_equal(fake->lane_count, lanes);
	close(fd);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(parent_and_child_share_a_socket, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(a_child_may_connect_for_its_parent, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(a_program_that_is_executed_knows_its_sockets,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(a_socket_can_be_passed, fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(a_handler_may_fork_in_the_middle_of_a_call,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(many_processes_come_and_go, fake_begin,
						fake_finish),
	};

	program = argv[0];
	if (argc == 3)
		return inherited(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
