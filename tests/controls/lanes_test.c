/*
 * Control sockets of a kexthost that does as it is told: calls, their data, their ends, and who
 * shares a socket.
 */
#include "tests/controls/fake_host.h"
#include "tests/support/memcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_errno(call, wanted)                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(errno, wanted);                                                   \
	} while (0)

static const char *program; /* this one */
static struct fake *fake;
static pid_t fake_pid;

static int
start(void **state)
{
	(void)state;
	fake = fake_start(&fake_pid);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	fake_end(fake, fake_pid);
	return 0;
}

static struct sockaddr_ctl
address_of(uint32_t unit)
{
	return (struct sockaddr_ctl){ .sc_len = 32,
				      .sc_family = AF_SYSTEM,
				      .ss_sysaddr = AF_SYS_CONTROL,
				      .sc_id = fake->control_id,
				      .sc_unit = unit };
}

static int
connect_to(int fd, uint32_t unit)
{
	struct sockaddr_ctl address = address_of(unit);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int
client_new(uint32_t unit)
{
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	assert_true(fd >= 0);
	assert_int_equal(connect_to(fd, unit), 0);
	return fd;
}

static uint32_t
unit_of(int fd)
{
	struct sockaddr_ctl address = { 0 };
	socklen_t size = sizeof(address);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(size, 32);
	assert_int_equal(address.sc_len, 32);
	assert_int_equal(address.sc_family, AF_SYSTEM);
	assert_int_equal(address.ss_sysaddr, AF_SYS_CONTROL);
	assert_int_equal(address.sc_id, fake->control_id);
	return address.sc_unit;
}

/* Does the socket carry data both ways? */
static bool
echoes(int fd, const char *text)
{
	char bytes[64] = "";

	return send(fd, text, strlen(text), 0) == (ssize_t)strlen(text) &&
	       recv(fd, bytes, sizeof(bytes), 0) == (ssize_t)strlen(text) &&
	       memcmp(bytes, text, strlen(text)) == 0;
}

static int
wait_for(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- calls ------------------------------------------------------------------------------- */

static void
a_client_talks_to_its_kext(void **state)
{
	struct sockaddr_ctl other = { 0 };
	char text[] = "abcde";
	struct iovec parts[] = { { text, 2 }, { NULL, 0 }, { text + 2, 3 } };
	struct msghdr message = {
		.msg_name = &other, .msg_namelen = sizeof(other), .msg_iov = parts, .msg_iovlen = 3
	};
	struct mmsghdr many[2] = { { .msg_hdr = message }, { .msg_hdr = message } };
	int fd = client_new(5);
	char bytes[16];

	(void)state;
	assert_int_equal(unit_of(fd), 5);
	assert_true(echoes(fd, "hello"));
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 1);
	assert_int_equal(writev(fd, parts, 3), 5);
	assert_int_equal(sendto(fd, "to", 2, 0, (struct sockaddr *)&other, sizeof(other)), 2);
	assert_int_equal(sendmsg(fd, &message, 0), 5);
	assert_int_equal(sendmmsg(fd, many, 2, 0), 2);
	assert_int_equal(many[1].msg_len, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), i == 1 ? 2 : 5);
		assert_memory_equal(bytes, i == 1 ? "to" : "abcde", i == 1 ? 2 : 5);
	}
	assert_errno(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), EAGAIN);
	assert_errno(connect_to(fd, 6), EISCONN);
	close(fd);
}

static void
what_cannot_be_sent_is_not(void **state)
{
	static char much[FAKE_SENDSIZE + 1];
	char text[] = "ab";
	struct iovec parts[2] = { { text, 1 }, { text + 1, 1 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 0 };
	uint32_t sent = fake->send_count;
	int fd = client_new(5);
	int stream = socket(PF_SYSTEM, SOCK_STREAM, SYSPROTO_CONTROL);
	volatile int no_count = -1; /* the compiler is not to see it */

	(void)state;
	assert_errno(sendmsg(fd, &message, 0), EMSGSIZE);
	message.msg_iovlen = 5000;
	assert_errno(sendmsg(fd, &message, 0), EMSGSIZE);
	assert_errno(writev(fd, parts, no_count), EINVAL);
	assert_errno(send(fd, "x", 1, MSG_OOB), EOPNOTSUPP);
	assert_errno(send(fd, much, sizeof(much), 0), EMSGSIZE);
	assert_errno(send(fd, (void *)1, 10, 0), EFAULT);
	assert_errno(send(fd, (void *)1, 100000, 0), EFAULT);
	assert_int_equal(connect_to(stream, 6), 0);
	assert_errno(send(stream, "x", 1, MSG_EOR), EINVAL);
	assert_int_equal(send(stream, "", 0, 0), 0);
	int deaf = client_new(FAKE_UNIT_DEAF);
	assert_errno(send(deaf, "x", 1, 0), ENOTSUP);
	assert_int_equal(fake->send_count, sent);
	close(fd);
	close(stream);
	close(deaf);
}

static _Atomic int pipes;

static void
on_pipe(int number)
{
	(void)number;
	pipes++;
}

static void
a_kext_that_says_epipe_kills_who_does_not_mind(void **state)
{
	struct sigaction action = { .sa_handler = on_pipe }, before;
	int fd = client_new(5), on = 1;

	(void)state;
	sigaction(SIGPIPE, &action, &before);
	pipes = 0;
	assert_errno(send(fd, "pipe", 4, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(pipes, 0);
	assert_errno(send(fd, "pipe", 4, 0), EPIPE);
	assert_int_equal(pipes, 1);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)), 0);
	assert_errno(send(fd, "pipe", 4, 0), EPIPE);
	assert_int_equal(pipes, 1);
	assert_true(echoes(fd, "and goes on"));
	sigaction(SIGPIPE, &before, NULL);
	close(fd);
}

static void
options_carry_data_of_any_size(void **state)
{
	static uint8_t bytes[300000], back[300000];
	socklen_t size;
	int fd = client_new(5);

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	for (socklen_t wanted = 1; wanted <= sizeof(bytes); wanted = wanted * 5 + 3) {
		assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, 1, bytes, wanted), 0);
		size = 0;
		assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, 1, NULL, &size), 0);
		assert_int_equal(size, wanted);
		memset(back, 0, sizeof(back));
		size = sizeof(back);
		assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, 1, back, &size), 0);
		assert_int_equal(size, wanted);
		assert_memory_equal(back, bytes, wanted);
		assert_int_equal(back[wanted], 0);
	}
	/* a kext that says it gave more than was asked for writes no further */
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, 1, bytes, 100), 0);
	memset(back, 0, sizeof(back));
	size = 10;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, 3, back, &size), 0);
	assert_int_equal(size, 10);
	assert_int_equal(back[10], 0);
	close(fd);
}

static void
options_are_checked(void **state)
{
	char bytes[8], *nowhere = (char *)(uintptr_t)64;
	socklen_t size = sizeof(bytes);
	int fd = client_new(5), number = 100;
	int fresh = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	(void)state;
	assert_errno(getsockopt(fresh, SYSPROTO_CONTROL, 1, bytes, &size), EINVAL);
	assert_errno(setsockopt(fresh, SYSPROTO_CONTROL, 1, bytes, size), EINVAL);
	assert_errno(getsockopt(fd, 77, 1, bytes, &size), EINVAL);
	assert_errno(setsockopt(fd, 77, 1, bytes, size), EINVAL);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, NULL, 4), EFAULT);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, nowhere, 4), EFAULT);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, bytes, (64 << 20) + 1), EINVAL);
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 1, nowhere, &size), EFAULT);
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 1, bytes, NULL), EFAULT);
	size = (64 << 20) + 1;
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 1, bytes, &size), EINVAL);
	size = sizeof(bytes);
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 2, bytes, &size), ERANGE);
	assert_int_equal(size, sizeof(bytes));
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 2, bytes, 1), ERANGE);
	/* what the library knows itself */
	size = sizeof(number);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NUMRCVPKT, &number, &size), 0);
	assert_int_equal(number, 7);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, &size), 0);
	assert_int_equal(number, 8192);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &number, &size), 0);
	assert_int_equal(number, FAKE_SENDSIZE);
	number = 9 << 20;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, sizeof(number)), 0);
	assert_int_equal(fake->sizes[0], 8 << 20);
	assert_errno(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, sizeof(number)), ENOBUFS);
	number = 5000;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &number, sizeof(number)), 0);
	assert_int_equal(fake->sizes[1], 5000);
	number = 10;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &number, sizeof(number)), 0);
	assert_int_equal(fake->sizes[2], 10);
	number = 0;
	assert_errno(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, sizeof(number)), EINVAL);
	assert_errno(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &number, sizeof(number)), ENOPROTOOPT);
	close(fd);
	close(fresh);
}

static void
a_kext_hears_of_reads(void **state)
{
	int fd = client_new(FAKE_UNIT_RCVD);
	uint32_t count = fake->rcvd_count;
	char bytes[4];

	(void)state;
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(recv(fd, bytes, 1, MSG_PEEK), 1);
	assert_int_equal(fake->rcvd_count, count);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), 4);
	assert_int_equal(fake->rcvd_count, count + 1);
	assert_int_equal(fake->rcvd_flags, MSG_DONTWAIT | MSG_TRUNC | MSG_EOR);
	assert_errno(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), EAGAIN);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_errno(recv(fd, bytes, sizeof(bytes), 0), EAGAIN);
	assert_int_equal(fake->rcvd_count, count + 1);
	fcntl(fd, F_SETFL, 0);
	/* before it waits */
	struct timeval limit = { .tv_usec = 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_errno(recv(fd, bytes, sizeof(bytes), 0), EAGAIN);
	assert_int_equal(fake->rcvd_count, count + 2);
	close(fd);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void
who_is_refused_may_try_again(void **state)
{
	struct sockaddr_ctl address = address_of(5);
	char far[300] = { 0 };
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	(void)state;
	assert_errno(connect_to(fd, FAKE_UNIT_REFUSES), EPERM);
	assert_errno(connect(fd, (struct sockaddr *)&address, 1), EINVAL);
	assert_errno(connect(fd, (struct sockaddr *)&address, 31), EINVAL);
	assert_errno(connect(fd, (struct sockaddr *)far, sizeof(far)), ENAMETOOLONG);
	assert_errno(connect(fd, (struct sockaddr *)1, 32), EFAULT);
	assert_errno(connect(fd, NULL, 32), EFAULT);
	assert_errno(bind(fd, NULL, 32), EDESTADDRREQ);
	address.sc_id = 0x7654321;
	assert_errno(connect(fd, (struct sockaddr *)&address, sizeof(address)), ENOENT);
	assert_errno(bind(fd, (struct sockaddr *)&address, sizeof(address)), ENOENT);
	assert_errno(send(fd, "x", 1, 0), ENOTCONN);
	assert_errno(recv(fd, far, 1, 0), ENOTCONN);
	assert_errno(shutdown(fd, SHUT_RD), ENOTCONN);
	/* what is in the address beside id and unit means nothing */
	address = (struct sockaddr_ctl){ .sc_id = fake->control_id, .sc_unit = 5 };
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(echoes(fd, "hello"));
	close(fd);
}

static void
whom_the_kext_turns_away_stays_shut(void **state)
{
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL), number = 1;
	char byte;

	(void)state;
	assert_errno(connect_to(fd, FAKE_UNIT_DIES), EACCES);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_errno(getpeername(fd, (struct sockaddr *)&address, &size), EINVAL);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, &number, sizeof(number)), EINVAL);
	assert_int_equal(connect_to(fd, 5), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(fd);
}

static void
a_bind_that_fails_attaches(void **state)
{
	struct sockaddr_ctl address = address_of(9);
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL), number = 1;
	char byte;

	(void)state;
	assert_errno(bind(fd, (struct sockaddr *)&address, sizeof(address)), EINVAL);
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, 1, &number, sizeof(number)), 0);
	assert_errno(recv(fd, &byte, 1, 0), ENOTCONN);
	assert_errno(send(fd, &byte, 1, 0), ENOTCONN);
	assert_errno(getpeername(fd, NULL, NULL), ENOTCONN);
	address = address_of(77);
	address.sc_id = 0x5555;
	assert_int_equal(connect(fd, (struct sockaddr *)&address, 16), 0);
	assert_int_equal(unit_of(fd), 9);
	assert_true(echoes(fd, "hello"));
	close(fd);
}

static void
a_shut_socket_reads_its_end(void **state)
{
	int fd = client_new(5);
	uint32_t shut = fake->shut_count;
	char byte;

	(void)state;
	assert_errno(shutdown(fd, 3), EINVAL);
	assert_errno(shutdown(fd, SHUT_WR), EOPNOTSUPP);
	assert_true(echoes(fd, "still here"));
	assert_int_equal(send(fd, "queued", 6, 0), 6);
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "queued", 6, 0), 6);
	assert_errno(shutdown(fd, SHUT_RDWR), EOPNOTSUPP);
	assert_int_equal(fake->shut_count, shut + 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(send(fd, "heard", 5, 0), 5);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(shutdown(fd, SHUT_RD), 0);
	close(fd);
}

static void
the_last_close_waits_for_the_kext(void **state)
{
	int fd = client_new(5);
	int copy = dup(fd);
	uint32_t closed = fake->closed_count;

	(void)state;
	close(fd);
	assert_int_equal(fake->closing_count, closed);
	close(copy);
	assert_int_equal(fake->closed_count, closed + 1);
	fd = client_new(5);
	assert_int_equal(dup2(0, fd), fd);
	assert_int_equal(fake->closed_count, closed + 2);
	close(fd);
	fd = client_new(5);
	assert_int_equal(close_range((unsigned)fd, (unsigned)fd, 0), 0);
	assert_int_equal(fake->closed_count, closed + 3);
}

/* ---- many at once, and signals ----------------------------------------------------------- */

static int shared_fd;

static void *
block(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)(send(shared_fd, "block", 5, 0) == 5 ? 0 : errno);
}

#define CALLERS 150

static void
more_calls_than_a_lane_has_slots_take_more_lanes(void **state)
{
	pthread_t threads[CALLERS];
	pthread_attr_t small;
	void *error;

	(void)state;
	shared_fd = client_new(5);
	fake->release = 0;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	for (int i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_create(&threads[i], &small, block, NULL), 0);
	fake_await(&fake->blocked_count, CALLERS);
	assert_true(fake->lane_count >= 3);
	assert_true(echoes(shared_fd, "in between"));
	fake->release = 1;
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(threads[i], &error);
		assert_null(error);
	}
	pthread_attr_destroy(&small);
	/* what is idle is used again */
	uint32_t lanes = fake->lane_count;
	for (int i = 0; i < 100; i++)
		assert_true(echoes(shared_fd, "again"));
	assert_int_equal(fake->lane_count, lanes);
	close(shared_fd);
}

static _Atomic int handled;

/* A handler may send, too. */
static void
on_signal(int number)
{
	(void)number;
	if (send(shared_fd, "from the handler", 16, 0) == 16)
		handled++;
}

static void
interrupt_block(int flags, int wanted_error)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags }, before;
	uint32_t cancelled = fake->cancel_count, blocked = fake->blocked_count;
	char bytes[64];
	pthread_t thread;
	void *error;

	sigaction(SIGUSR1, &action, &before);
	shared_fd = client_new(5);
	fake->release = 0;
	handled = 0;
	assert_int_equal(pthread_create(&thread, NULL, block, NULL), 0);
	fake_await(&fake->blocked_count, blocked + 1);
	for (int i = 1; i <= 3; i++) {
		pthread_kill(thread, SIGUSR1);
		while (handled < i)
			usleep(1000);
		if (wanted_error != 0)
			break;
	}
	if (wanted_error == 0) {
		assert_int_equal(fake->cancel_count, cancelled);
		fake->release = 1;
	}
	pthread_join(thread, &error);
	assert_int_equal((intptr_t)error, wanted_error);
	assert_int_equal(fake->cancel_count, cancelled + (wanted_error != 0));
	assert_int_equal(recv(shared_fd, bytes, sizeof(bytes), 0), 16);
	assert_true(echoes(shared_fd, wanted_error ? "later" : "from the handler") ||
		    wanted_error == 0);
	close(shared_fd);
	sigaction(SIGUSR1, &before, NULL);
}

static void
a_signal_interrupts_what_the_kext_lets(void **state)
{
	(void)state;
	interrupt_block(0, EINTR);
}

static void
a_handler_with_sa_restart_interrupts_nothing(void **state)
{
	(void)state;
	if (is_under_memcheck())
		skip(); /* knows no futex_waitv, and interrupts */
	interrupt_block(SA_RESTART, 0);
}

static void *
read_for_ever(void *unused)
{
	char byte;

	(void)unused;
	return (void *)(intptr_t)recv(shared_fd, &byte, 1, 0);
}

static void
a_thread_can_be_cancelled_while_it_reads(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	shared_fd = client_new(5);
	assert_int_equal(pthread_create(&thread, NULL, read_for_ever, NULL), 0);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_true(echoes(shared_fd, "still here"));
	close(shared_fd);
}

/* ---- sharing ----------------------------------------------------------------------------- */

static void
parent_and_child_share_a_socket(void **state)
{
	int fd = client_new(5);

	(void)state;
	assert_true(echoes(fd, "before"));
	uint32_t adopted = fake->adopt_count, closed = fake->closed_count;
	pid_t child = fork();
	if (child == 0) {
		bool is_fine = echoes(fd, "child") && unit_of(fd) == 5;
		close(fd);
		_exit(is_fine ? 0 : 1);
	}
	assert_int_equal(wait_for(child), 0);
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
	assert_int_equal(wait_for(child), 0);
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
		_exit(connect_to(fd, 5) == 0 && echoes(fd, "child") ? 0 : 1);
	assert_int_equal(wait_for(child), 0);
	assert_int_equal(unit_of(fd), 5);
	assert_true(echoes(fd, "parent"));
	close(fd);
}

static void
a_program_that_is_executed_knows_its_sockets(void **state)
{
	int fd = client_new(5);
	char number[16];

	(void)state;
	snprintf(number, sizeof(number), "%d", fd);
	pid_t child = fork();
	if (child == 0) {
		execl(program, program, "inherited", number, (char *)NULL);
		_exit(9);
	}
	assert_int_equal(wait_for(child), 0);
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
		_exit(echoes(fd, "passed") && unit_of(fd) == 5 ? 0 : 2);
	}
	int fd = client_new(5);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	assert_int_equal(sendmsg(pair[1], &message, 0), 1);
	close(fd);
	assert_int_equal(wait_for(child), 0);
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
	int fd = client_new(5);
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
	assert_int_equal(wait_for(forked), 0);
	assert_int_equal(wait_for(waker), 0);
	sigaction(SIGUSR1, &before, NULL);
	assert_true(echoes(fd, "parent"));
	close(fd);
}

static void
many_processes_come_and_go(void **state)
{
	int fd = client_new(5);
	uint32_t lanes = fake->lane_count;

	(void)state;
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(send(fd, "x", 1, 0) == 1 ? 0 : 1);
		assert_int_equal(wait_for(child), 0);
	}
	/* their lanes went with them */
	for (int i = 0; i < 60000 && fake->lane_count > lanes; i++)
		usleep(1000);
	assert_int_equal(fake->lane_count, lanes);
	close(fd);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void
when_the_kext_dies_calls_end(void **state)
{
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);
	int fd = client_new(5), other = client_new(6), number = 1;
	char byte;

	(void)state;
	assert_int_equal(send(other, "queued", 6, 0), 6);
	assert_errno(send(fd, "die", 3, MSG_NOSIGNAL), EPIPE);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(getpeername(fd, (struct sockaddr *)&address, &size), EINVAL);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, &number, sizeof(number)), EINVAL);
	size = sizeof(number);
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 1, &number, &size), EINVAL);
	assert_errno(shutdown(fd, SHUT_RD), ENOTCONN);
	/* what came before it died is read */
	assert_int_equal(recv(other, &byte, 1, 0), 1);
	assert_int_equal(recv(other, &byte, 1, 0), 0);
	assert_errno(send(other, "x", 1, MSG_NOSIGNAL), EPIPE);
	struct pollfd ready = { .fd = other, .events = POLLIN };
	assert_int_equal(poll(&ready, 1, 0), 1);
	assert_int_equal(ready.revents, POLLIN | POLLHUP);
	close(fd);
	close(other);
	/* a socket that knew it finds it gone */
	fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);
	assert_errno(connect_to(fd, 5), ENOENT);
	close(fd);
	assert_int_equal(wait_for(fake_pid), 1000 + SIGKILL);
	munmap(fake, sizeof(*fake));
	/* and the next one is another */
	fake = fake_start(&fake_pid);
	fd = client_new(5);
	assert_true(echoes(fd, "hello"));
	close(fd);
}

static void
nothing_is_left_open(void **state)
{
	int before, after;

	(void)state;
	int fd = client_new(5);
	close(fd);
	for (int round = 0; round < 2; round++) {
		int count = 0;

		for (int i = 0; i < 2048; i++)
			count += syscall(SYS_fcntl, i, F_GETFD) >= 0;
		*(round == 0 ? &before : &after) = count;
		for (int i = 0; round == 0 && i < 20; i++) {
			fd = client_new(5);
			assert_true(echoes(fd, "hello"));
			close(fd);
		}
	}
	assert_int_equal(after, before);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_talks_to_its_kext, start, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_not, start, end),
		cmocka_unit_test_setup_teardown(a_kext_that_says_epipe_kills_who_does_not_mind,
						start, end),
		cmocka_unit_test_setup_teardown(options_carry_data_of_any_size, start, end),
		cmocka_unit_test_setup_teardown(options_are_checked, start, end),
		cmocka_unit_test_setup_teardown(a_kext_hears_of_reads, start, end),
		cmocka_unit_test_setup_teardown(who_is_refused_may_try_again, start, end),
		cmocka_unit_test_setup_teardown(whom_the_kext_turns_away_stays_shut, start, end),
		cmocka_unit_test_setup_teardown(a_bind_that_fails_attaches, start, end),
		cmocka_unit_test_setup_teardown(a_shut_socket_reads_its_end, start, end),
		cmocka_unit_test_setup_teardown(the_last_close_waits_for_the_kext, start, end),
		cmocka_unit_test_setup_teardown(more_calls_than_a_lane_has_slots_take_more_lanes,
						start, end),
		cmocka_unit_test_setup_teardown(a_signal_interrupts_what_the_kext_lets, start, end),
		cmocka_unit_test_setup_teardown(a_handler_with_sa_restart_interrupts_nothing, start,
						end),
		cmocka_unit_test_setup_teardown(a_thread_can_be_cancelled_while_it_reads, start,
						end),
		cmocka_unit_test_setup_teardown(parent_and_child_share_a_socket, start, end),
		cmocka_unit_test_setup_teardown(a_child_may_connect_for_its_parent, start, end),
		cmocka_unit_test_setup_teardown(a_program_that_is_executed_knows_its_sockets, start,
						end),
		cmocka_unit_test_setup_teardown(a_socket_can_be_passed, start, end),
		cmocka_unit_test_setup_teardown(a_handler_may_fork_in_the_middle_of_a_call, start,
						end),
		cmocka_unit_test_setup_teardown(many_processes_come_and_go, start, end),
		cmocka_unit_test_setup_teardown(when_the_kext_dies_calls_end, start, end),
		cmocka_unit_test_setup_teardown(nothing_is_left_open, start, end),
	};

	program = argv[0];
	if (argc == 3)
		return inherited(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
