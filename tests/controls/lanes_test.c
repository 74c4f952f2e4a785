/*
 * Control sockets of a kexthost that does as it is told: calls, their data, their ends, and who
 * shares a socket.
 */
#include "tests/controls/fake_client.h"
#include "tests/support/memcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/kern_control.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

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
	int fd = fake_client(5);
	char bytes[16];

	(void)state;
	assert_int_equal(fake_unit(fd), 5);
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
	assert_errno(fake_connect(fd, 6), EISCONN);
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
	int fd = fake_client(5);
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
	assert_int_equal(fake_connect(stream, 6), 0);
	assert_errno(send(stream, "x", 1, MSG_EOR), EINVAL);
	assert_int_equal(send(stream, "", 0, 0), 0);
	int deaf = fake_client(FAKE_UNIT_DEAF);
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
	int fd = fake_client(5), on = 1;

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
	int fd = fake_client(5);

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
	int fd = fake_client(5), number = 100;
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
	int fd = fake_client(FAKE_UNIT_RCVD);
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
	struct sockaddr_ctl address = fake_address(5);
	char far[300] = { 0 };
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	(void)state;
	assert_errno(fake_connect(fd, FAKE_UNIT_REFUSES), EPERM);
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
	assert_errno(fake_connect(fd, FAKE_UNIT_DIES), EACCES);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_errno(getpeername(fd, (struct sockaddr *)&address, &size), EINVAL);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, &number, sizeof(number)), EINVAL);
	assert_int_equal(fake_connect(fd, 5), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(fd);
}

static void
a_bind_that_fails_attaches(void **state)
{
	struct sockaddr_ctl address = fake_address(9);
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL), number = 1;
	char byte;

	(void)state;
	assert_errno(bind(fd, (struct sockaddr *)&address, sizeof(address)), EINVAL);
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, 1, &number, sizeof(number)), 0);
	assert_errno(recv(fd, &byte, 1, 0), ENOTCONN);
	assert_errno(send(fd, &byte, 1, 0), ENOTCONN);
	assert_errno(getpeername(fd, NULL, NULL), ENOTCONN);
	address = fake_address(77);
	address.sc_id = 0x5555;
	assert_int_equal(connect(fd, (struct sockaddr *)&address, 16), 0);
	assert_int_equal(fake_unit(fd), 9);
	assert_true(echoes(fd, "hello"));
	close(fd);
}

static void
a_shut_socket_reads_its_end(void **state)
{
	int fd = fake_client(5);
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
	int fd = fake_client(5);
	int copy = dup(fd);
	uint32_t closed = fake->closed_count;

	(void)state;
	close(fd);
	assert_int_equal(fake->closing_count, closed);
	close(copy);
	assert_int_equal(fake->closed_count, closed + 1);
	fd = fake_client(5);
	assert_int_equal(dup2(0, fd), fd);
	assert_int_equal(fake->closed_count, closed + 2);
	close(fd);
	fd = fake_client(5);
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
	shared_fd = fake_client(5);
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
	shared_fd = fake_client(5);
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
	shared_fd = fake_client(5);
	assert_int_equal(pthread_create(&thread, NULL, read_for_ever, NULL), 0);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_true(echoes(shared_fd, "still here"));
	close(shared_fd);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void
when_the_kext_dies_calls_end(void **state)
{
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);
	int fd = fake_client(5), other = fake_client(6), number = 1;
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
	assert_errno(fake_connect(fd, 5), ENOENT);
	close(fd);
	assert_int_equal(child_end(fake_pid), 1000 + SIGKILL);
	munmap(fake, sizeof(*fake));
	/* and the next one is another */
	fake = fake_start(&fake_pid);
	fd = fake_client(5);
	assert_true(echoes(fd, "hello"));
	close(fd);
}

static void
nothing_is_left_open(void **state)
{
	int before, after;

	(void)state;
	int fd = fake_client(5);
	close(fd);
	for (int round = 0; round < 2; round++) {
		int count = 0;

		for (int i = 0; i < 2048; i++)
			count += syscall(SYS_fcntl, i, F_GETFD) >= 0;
		*(round == 0 ? &before : &after) = count;
		for (int i = 0; round == 0 && i < 20; i++) {
			fd = fake_client(5);
			assert_true(echoes(fd, "hello"));
			close(fd);
		}
	}
	assert_int_equal(after, before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_talks_to_its_kext, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_not, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(a_kext_that_says_epipe_kills_who_does_not_mind,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(options_carry_data_of_any_size, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(options_are_checked, fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(a_kext_hears_of_reads, fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(who_is_refused_may_try_again, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(whom_the_kext_turns_away_stays_shut, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(a_bind_that_fails_attaches, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(a_shut_socket_reads_its_end, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(the_last_close_waits_for_the_kext, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(more_calls_than_a_lane_has_slots_take_more_lanes,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(a_signal_interrupts_what_the_kext_lets, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(a_handler_with_sa_restart_interrupts_nothing,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(a_thread_can_be_cancelled_while_it_reads,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(when_the_kext_dies_calls_end, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(nothing_is_left_open, fake_begin, fake_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
