/*
 * System sockets that need no kext: making them, what they refuse, and who inherits them.
 */
#include "tests/support/linux_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program; /* this one */

static void
types_and_protocols_belong_together(void **state)
{
	static const struct {
		int type, protocol, error, told_type, told_protocol;
	} rows[] = {
		{ SOCK_DGRAM, SYSPROTO_CONTROL, 0, SOCK_DGRAM, SYSPROTO_CONTROL },
		{ SOCK_STREAM, SYSPROTO_CONTROL, 0, SOCK_STREAM, SYSPROTO_CONTROL },
		{ SOCK_DGRAM, 0, 0, SOCK_DGRAM, SYSPROTO_CONTROL },
		{ SOCK_STREAM, 0, 0, SOCK_STREAM, SYSPROTO_CONTROL },
		{ SOCK_RAW, 0, 0, SOCK_RAW, SYSPROTO_EVENT },
		{ SOCK_RAW, SYSPROTO_EVENT, 0, SOCK_RAW, SYSPROTO_EVENT },
		{ SOCK_RAW, SYSPROTO_CONTROL, EPROTOTYPE, 0, 0 },
		{ SOCK_DGRAM, SYSPROTO_EVENT, EPROTOTYPE, 0, 0 },
		{ SOCK_STREAM, SYSPROTO_EVENT, EPROTOTYPE, 0, 0 },
		{ SOCK_SEQPACKET, SYSPROTO_CONTROL, EPROTOTYPE, 0, 0 },
		{ SOCK_DGRAM, 3, EPROTONOSUPPORT, 0, 0 },
		{ SOCK_RAW, -1, EPROTONOSUPPORT, 0, 0 },
		{ SOCK_SEQPACKET, 0, EPROTONOSUPPORT, 0, 0 },
	};
	int number, pair[2];
	socklen_t size = sizeof(number);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].error != 0) {
			assert_errno(socket(PF_SYSTEM, rows[i].type, rows[i].protocol),
				     rows[i].error);
			continue;
		}
		int fd = socket(PF_SYSTEM, rows[i].type | SOCK_CLOEXEC | SOCK_NONBLOCK,
				rows[i].protocol);
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &size), 0);
		assert_int_equal(number, rows[i].told_type);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &number, &size), 0);
		assert_int_equal(number, rows[i].told_protocol);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &number, &size), 0);
		assert_int_equal(number, PF_SYSTEM);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size), 0);
		assert_int_equal(number, 0);
		close(fd);
	}
	assert_errno(socketpair(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL, pair), EOPNOTSUPP);
}

static void
a_fresh_control_socket_refuses_what_needs_a_kext(void **state)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	struct sockaddr_ctl address = { .sc_len = 32, .sc_family = AF_SYSTEM, .sc_id = 0x4242 };
	struct sockaddr *name = (struct sockaddr *)&address;
	char bytes[64] = "";
	int number = 3;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = socket(PF_SYSTEM, types[i], SYSPROTO_CONTROL);
		socklen_t size = sizeof(bytes);
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		assert_errno(recv(fd, bytes, 1, 0), ENOTCONN);
		assert_errno(read(fd, bytes, 1), ENOTCONN);
		assert_errno(send(fd, bytes, 1, 0), ENOTCONN);
		assert_errno(write(fd, bytes, 1), ENOTCONN);
		assert_errno(getpeername(fd, (struct sockaddr *)bytes, &size), ENOTCONN);
		assert_errno(getsockname(fd, (struct sockaddr *)bytes, &size), EOPNOTSUPP);
		assert_errno(listen(fd, 1), EOPNOTSUPP);
		assert_errno(accept(fd, NULL, NULL), EINVAL);
		assert_errno(accept4(fd, NULL, NULL, 0), EINVAL);
		assert_errno(shutdown(fd, SHUT_RD), ENOTCONN);
		assert_errno(shutdown(fd, 7), EINVAL);
		assert_errno(connect(fd, name, sizeof(address)), ENOENT);
		assert_errno(connect(fd, name, 16), EINVAL);
		assert_errno(bind(fd, name, sizeof(address)), ENOENT);
		assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 1, bytes, &size), EINVAL);
		assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, bytes, 4), EINVAL);
		assert_errno(setsockopt(fd, 99, 1, bytes, 4), EINVAL);
		/* a receive buffer may be asked for, though connect() sets it anew */
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, sizeof(number)), 0);
		/* select says yes: reading would not wait */
		assert_int_equal(poll(&ready, 1, 0), 1);
		close(fd);
	}
}

static void
controls_are_looked_for_by_name(void **state)
{
	struct ctl_info info = { 0 };
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL), number = -1;

	(void)state;
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), EINVAL);
	memset(info.ctl_name, 'x', sizeof(info.ctl_name));
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), EINVAL);
	info.ctl_name[95] = '\0';
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), ENOENT);
	/* many programs keep the request in an int */
	assert_errno(ioctl(fd, (unsigned long)(int)CTLIOCGINFO, &info), ENOENT);
	assert_errno(ioctl(fd, CTLIOCGINFO, NULL), EFAULT);
	assert_int_equal(ioctl(fd, CTLIOCGCOUNT, &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(ioctl(fd, FIONREAD, &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(ioctl(fd, SIOCATMARK, &number), 0);
	number = 1;
	assert_int_equal(ioctl(fd, FIONBIO, &number), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	number = getpid();
	assert_int_equal(ioctl(fd, FIOSETOWN, &number), 0);
	number = 0;
	assert_int_equal(ioctl(fd, SIOCGPGRP, &number), 0);
	assert_int_equal(number, getpid());
	assert_errno(ioctl(fd, SIOCGKEVID, &number), ENOTSUP);
	assert_errno(ioctl(fd, 0x40047777UL, &number), ENOTSUP);
	close(fd);
}

/* A descriptor that is a control socket says so, one that is not does not. */
static int
is_control_socket(int fd)
{
	int number = -1;

	if (ioctl(fd, CTLIOCGCOUNT, &number) == 0)
		return 1;
	return 0;
}

static void
who_inherits_a_socket_knows_it(void **state)
{
	static const int places[] = { 0, 2, 3, 100, 300 };
	int fd = socket(PF_SYSTEM, SOCK_STREAM, SYSPROTO_CONTROL);
	char number[16];

	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(is_control_socket(fd) ? 0 : 1);
	assert_int_equal(child_end(child), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		child = fork();
		if (child == 0) {
			if (places[i] != fd)
				dup2(fd, places[i]);
			/* nothing else, so that it is looked for in the number asked for */
			if (places[i] != fd)
				close(fd);
			snprintf(number, sizeof(number), "%d", places[i]);
			execl(program, program, "inherited", number, (char *)NULL);
			_exit(9);
		}
		assert_int_equal(child_end(child), 0);
	}
	close(fd);
}

static void
a_passed_socket_is_known_and_others_are_not(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fds[3] = { socket(AF_UNIX, SOCK_SEQPACKET, 0),
		       socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL), open("/dev/null", O_RDWR) };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	assert_int_equal(sendmsg(pair[0], &message, 0), 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	assert_int_equal(recvmsg(pair[1], &message, 0), 1);
	memcpy(fds, CMSG_DATA(&control.align), sizeof(fds));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(is_control_socket(fds[i]), i == 1);
		close(fds[i]);
	}
	close(pair[0]);
	close(pair[1]);
}

static void
a_foreign_connection_is_left_to_linux(void **state)
{
	int fd = socket(PF_SYSTEM, SOCK_STREAM, SYSPROTO_CONTROL);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr name = { .sa_family = AF_UNIX };
	socklen_t size = sizeof(struct sockaddr_storage);
	struct sockaddr_storage address;
	char byte;

	(void)state;
	/* nobody but a bare system call can do that */
	assert_int_equal(bind(listener, &name, sizeof(name.sa_family)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(syscall(SYS_connect, fd, &address, size), 0);
	int peer = accept(listener, NULL, NULL);
	assert_int_equal(send(fd, "a", 1, 0), 1);
	assert_int_equal(recv(peer, &byte, 1, 0), 1);
	assert_int_equal(send(peer, "b", 1, 0), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, &byte, 1), EINVAL);
	close(peer);
	close(listener);
	close(fd);
}

static void
a_bad_descriptor_is_one(void **state)
{
	struct sockaddr_ctl address = { 0 };
	char byte;

	(void)state;
	assert_errno(connect(-1, (struct sockaddr *)&address, 32), EBADF);
	assert_errno(connect(2000000, (struct sockaddr *)&address, 32), EBADF);
	assert_errno(send(-1, "x", 1, 0), EBADF);
	assert_errno(recv(-1, &byte, 1, 0), EBADF);
	assert_errno(close(-1), EBADF);
	assert_errno(dup2(-1, -1), EBADF);
	int fd = open("/dev/null", O_RDWR);
	assert_errno(connect(fd, (struct sockaddr *)&address, 32), ENOTSOCK);
	close(fd);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_protocols_belong_together),
		cmocka_unit_test(a_fresh_control_socket_refuses_what_needs_a_kext),
		cmocka_unit_test(controls_are_looked_for_by_name),
		cmocka_unit_test(who_inherits_a_socket_knows_it),
		cmocka_unit_test(a_passed_socket_is_known_and_others_are_not),
		cmocka_unit_test(a_foreign_connection_is_left_to_linux),
		cmocka_unit_test(a_bad_descriptor_is_one),
	};

	program = argv[0];
	if (argc == 3) {
		int fd = atoi(argv[2]);
		return is_control_socket(fd) && !is_control_socket(fd == 0 ? 1 : 0) ? 0 : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
