/*
 * Event sockets as berthd serves them: kernel-event.md §3, and its self-checks (§7) by number.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_kext.h"
#include "wire/lane.h"

#define UNREAD_MAX 32768u
#define RECORDS_MAX 1024u

/* A kernel with a task and a kexthost that has a vendor code. */
struct scene {
	struct raw_kernel kernel;
	struct raw_task task;
	int host;
	uint32_t vendor;
};

static struct scene
scene_new(void)
{
	struct scene s;

	s.kernel = raw_kernel_start(NULL);
	s.task = raw_task_new(&s.kernel);
	s.host = raw_kext_host_new(&s.kernel, NULL);
	s.vendor = raw_vendor(s.host, "com.example.events");
	return s;
}

static void
scene_free(struct scene *s)
{
	close(s->host);
	raw_task_free(&s->task);
	raw_kernel_end(&s->kernel);
}

static void
post(struct scene *s, const void *data, size_t size)
{
	assert_int_equal(raw_post(s->host, s->vendor, 1, 1, data, size), 0);
}

/* The number in a row of the last inspection of event sockets; -1: it is not there. */
static long long
told(const struct raw_kernel *kernel, const char *key)
{
	char wanted[64];
	const char *text, *at;

	assert_int_equal(raw_inspect(kernel, WIRE_INSPECT_EVENTS, 0, &text).status, 0);
	snprintf(wanted, sizeof(wanted), "\"%s\": ", key);
	at = strstr(text, wanted);
	long long value = -1;

	if (at != NULL)
		sscanf(at + strlen(wanted), "%lld", &value);
	return value;
}

static int
open_with(struct scene *s, const int *fds, unsigned fd_count)
{
	return raw_system(&s->task, &(struct wire_system){ .operation = WIRE_SYSTEM_EVENT_OPEN },
			  fds, fd_count, NULL)
	    .error;
}

/* ---- receiving ---------------------------------------------------------------------- */

/* 1 */
static void
a_socket_hears_what_its_filter_lets_through(void **state)
{
	struct scene s = scene_new();
	int fd = raw_event_open(&s.task);
	struct raw_event event;

	post(&s, "lost", 4);
	assert_int_equal(raw_event_drain(fd), 0);
	assert_int_equal(raw_event_filter(&s.task, fd, s.vendor, 1, 0), 0);
	assert_int_equal(raw_post(s.host, s.vendor, 2, 1, "no", 2), 0);
	post(&s, "heard", 5);
	assert_true(raw_event_next(fd, &event));
	assert_int_equal(event.total_size, 29);
	assert_int_equal(event.vendor_code, s.vendor);
	assert_int_equal(event.kev_class, 1);
	assert_int_equal(event.event_code, 77);
	assert_int_equal(event.id, 3);
	assert_memory_equal(event.data, "heard", 5);
	assert_int_equal(raw_event_drain(fd), 0);
	assert_int_equal(raw_trap(&s.task, 0, BERTH_TRAP_KEV_ID, 0), 0);
	assert_int_equal(raw_slot(&s.task, 0)->reply.values[0], 3);
	close(fd);
	scene_free(&s);
}

static void
filter_and_size_are_told_to_who_shows_the_socket(void **state)
{
	struct scene s = scene_new();
	int fd = raw_event_open(&s.task), copy = dup(fd);
	struct wire_system get = { .operation = WIRE_SYSTEM_EVENT_GET };
	struct wire_system_answer answer = raw_system(&s.task, &get, &fd, 1, NULL);

	assert_int_equal(answer.error, 0);
	assert_int_equal(answer.filter[0], 0xffffffff);
	assert_int_equal(answer.filter[1], 0);
	assert_int_equal(answer.number, UNREAD_MAX);
	assert_int_equal(raw_event_filter(&s.task, copy, 5, 6, 7), 0);
	answer = raw_system(&s.task, &get, &fd, 1, NULL);
	assert_int_equal(answer.filter[0], 5);
	assert_int_equal(answer.filter[1], 6);
	assert_int_equal(answer.filter[2], 7);
	/* another process that has it may, too */
	pid_t child = fork();

	if (child == 0) {
		struct raw_task own = raw_task_new(&s.kernel);

		_exit(raw_event_filter(&own, fd, 8, 9, 10));
	}
	int status;

	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(raw_system(&s.task, &get, &fd, 1, NULL).filter[2], 10);
	close(fd);
	close(copy);
	scene_free(&s);
}

static void
a_record_is_an_event(void **state)
{
	struct scene s = scene_new();
	int fd = raw_event_all(&s.task);
	struct raw_event event;
	uint8_t small[24];

	post(&s, "01234567", 8);
	post(&s, NULL, 0);
	/* 9 */
	struct iovec vector = { small, sizeof(small) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	assert_int_equal(recvmsg(fd, &message, 0), 24);
	assert_true(message.msg_flags & MSG_TRUNC);
	assert_true(raw_event_next(fd, &event));
	assert_int_equal(event.id, 2);
	assert_int_equal(event.total_size, 24);
	close(fd);
	scene_free(&s);
}

/* ---- overrun ------------------------------------------------------------------------ */

/* 8 */
static void
an_unread_socket_keeps_the_first_and_others_miss_nothing(void **state)
{
	enum { EVENTS = 5000 };
	struct scene s = scene_new();
	int lazy = raw_event_all(&s.task), eager = raw_event_all(&s.task);
	struct raw_event event;

	for (uint32_t i = 1; i <= EVENTS; i++) {
		post(&s, &i, sizeof(i));
		assert_true(raw_event_next(eager, &event));
		assert_int_equal(event.id, i);
	}
	assert_int_equal(told(&s.kernel, "kes_fullsock"), EVENTS - RECORDS_MAX);
	assert_int_equal(told(&s.kernel, "kes_posted"), EVENTS + RECORDS_MAX);
	assert_int_equal(told(&s.kernel, "dropped"), EVENTS - RECORDS_MAX);
	assert_int_equal(told(&s.kernel, "unread_bytes"), RECORDS_MAX * 28);
	for (uint32_t i = 1; i <= RECORDS_MAX; i++) {
		assert_true(raw_event_next(lazy, &event));
		assert_int_equal(event.id, i);
	}
	assert_int_equal(raw_event_drain(lazy), 0);
	/* the gap in the ids is the only sign */
	post(&s, NULL, 0);
	assert_true(raw_event_next(lazy, &event));
	assert_int_equal(event.id, EVENTS + 1);
	close(lazy);
	close(eager);
	scene_free(&s);
}

static void
bytes_are_counted_as_they_are_read(void **state)
{
	static uint8_t data[WIRE_KEV_MAX];
	const unsigned record = 24 + WIRE_KEV_MAX, fit = UNREAD_MAX / record;
	struct scene s = scene_new();
	int fd = raw_event_all(&s.task);
	struct raw_event event;

	for (unsigned i = 0; i < fit + 3; i++)
		post(&s, data, sizeof(data));
	assert_int_equal(told(&s.kernel, "dropped"), 3);
	/* a smaller one still has room: 32768 − 113 × 288 = 224 */
	post(&s, data, 200);
	assert_int_equal(told(&s.kernel, "dropped"), 3);
	post(&s, NULL, 0);
	assert_int_equal(told(&s.kernel, "dropped"), 4);
	/* one is read, one has room */
	assert_true(raw_event_next(fd, &event));
	post(&s, data, sizeof(data));
	post(&s, data, sizeof(data));
	assert_int_equal(told(&s.kernel, "dropped"), 5);
	assert_int_equal(told(&s.kernel, "unread_bytes"), UNREAD_MAX);
	assert_int_equal(raw_event_drain(fd), fit + 1);
	assert_int_equal(told(&s.kernel, "unread_bytes"), 0);
	close(fd);
	scene_free(&s);
}

static void
a_larger_socket_keeps_more(void **state)
{
	enum { EVENTS = 6000 };
	struct scene s = scene_new();
	int fd = raw_event_all(&s.task);
	struct wire_system size = { .operation = WIRE_SYSTEM_EVENT_SIZE, .number = 0 };
	struct raw_event event;

	assert_int_equal(raw_system(&s.task, &size, &fd, 1, NULL).error, EINVAL);
	size.number = 262144;
	assert_int_equal(raw_system(&s.task, &size, &fd, 1, NULL).number, 262144);
	for (uint32_t i = 1; i <= EVENTS; i++)
		post(&s, &i, sizeof(i));
	assert_int_equal(told(&s.kernel, "dropped"), 0);
	for (uint32_t i = 1; i <= EVENTS; i++) {
		assert_true(raw_event_next(fd, &event));
		assert_int_equal(event.id, i);
	}
	size.number = UINT32_MAX;
	assert_int_equal(raw_system(&s.task, &size, &fd, 1, NULL).number, 8 << 20);
	/* all of one user's together have a limit */
	int pairs[40][2], error = 0;
	unsigned count = 0;

	for (; count < 40 && error == 0; count++) {
		raw_event_pair(pairs[count]);
		error = open_with(&s, pairs[count], 2);
		if (error == 0)
			error = raw_system(&s.task, &size, &pairs[count][1], 1, NULL).error;
	}
	assert_int_equal(error, ENOBUFS);
	assert_int_equal(count, 32); /* of 8 MiB each, with the first one */
	for (; count > 0; count--) {
		close(pairs[count - 1][0]);
		close(pairs[count - 1][1]);
	}
	close(fd);
	scene_free(&s);
}

/* ---- life --------------------------------------------------------------------------- */

static void
a_socket_that_nobody_has_any_more_is_forgotten(void **state)
{
	struct scene s = scene_new();
	unsigned before = raw_kernel_descriptors(&s.kernel);
	int fd = raw_event_all(&s.task), copy = dup(fd);

	assert_int_equal(told(&s.kernel, "kes_pcbcount"), 1);
	assert_int_equal(told(&s.kernel, "pid"), getpid());
	close(fd);
	post(&s, NULL, 0);
	assert_int_equal(raw_event_drain(copy), 1);
	close(copy);
	raw_until(told(&s.kernel, "kes_pcbcount") == 0);
	assert_int_equal(told(&s.kernel, "pid"), -1);
	raw_until(raw_kernel_descriptors(&s.kernel) == before);
	scene_free(&s);
}

static void
a_socket_closed_with_events_unread_is_forgotten_too(void **state)
{
	struct scene s = scene_new();
	int fd = raw_event_all(&s.task);

	for (int i = 0; i < 2000; i++)
		post(&s, NULL, 0);
	close(fd);
	post(&s, NULL, 0); /* may find it closed before berthd looks */
	raw_until(told(&s.kernel, "kes_pcbcount") == 0);
	scene_free(&s);
}

static void
a_socket_outlives_the_process_that_made_it(void **state)
{
	struct scene s = scene_new();
	int carrier[2], fds[8];
	unsigned fd_count;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, carrier), 0);
	pid_t child = fork();

	if (child == 0) {
		struct raw_task own = raw_task_new(&s.kernel);
		int fd = raw_event_all(&own);

		raw_send(carrier[1], "x", 1, &fd, 1);
		_exit(0);
	}
	assert_int_equal(raw_receive(carrier[0], &byte, 1, fds, &fd_count), 1);
	assert_int_equal(fd_count, 1);
	waitpid(child, NULL, 0);
	post(&s, NULL, 0);
	assert_int_equal(raw_event_drain(fds[0]), 1);
	assert_int_equal(raw_event_filter(&s.task, fds[0], s.vendor + 1, 0, 0), 0);
	post(&s, NULL, 0);
	assert_int_equal(raw_event_drain(fds[0]), 0);
	close(fds[0]);
	close(carrier[0]);
	close(carrier[1]);
	scene_free(&s);
}

static void
the_end_of_the_kernel_is_the_end_of_the_stream(void **state)
{
	struct scene s = scene_new();
	int fd = raw_event_all(&s.task);
	struct raw_event event;

	post(&s, "last", 4);
	scene_free(&s);
	assert_true(raw_event_next(fd, &event));
	assert_false(raw_event_next(fd, &event));
	close(fd);
}

/* ---- what is no event socket ---------------------------------------------------------- */

static void
only_pairs_with_the_name_of_an_event_socket_are_taken(void **state)
{
	struct scene s = scene_new();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int good[2], other[2], plain[2], stream[2], control[2], pipes[2], service[2];
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned before = raw_kernel_descriptors(&s.kernel);
	socklen_t size;

	raw_event_pair(good);
	raw_event_pair(other);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, plain), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	assert_int_equal(pipe(pipes), 0);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(address.sun_path + 1, 90, "%s%d", SYSTEM_SOCKET_DGRAM,
					    (int)getpid()));
	assert_int_equal(bind(control[1], (struct sockaddr *)&address, size), 0);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(address.sun_path + 1, 90, "%s%d.stream",
					    SYSTEM_SOCKET_EVENT, (int)getpid()));
	assert_int_equal(bind(stream[1], (struct sockaddr *)&address, size), 0);
	/* a connection to some service, which must not be talked to in berthd's name */
	service[0] = raw_connect(&s.kernel);
	service[1] = good[1];

	assert_int_equal(open_with(&s, NULL, 0), EINVAL);
	assert_int_equal(open_with(&s, good, 1), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ good[0], good[1], file }, 3), EINVAL);
	assert_int_equal(open_with(&s, plain, 2), EINVAL);
	assert_int_equal(open_with(&s, stream, 2), EINVAL);
	assert_int_equal(open_with(&s, control, 2), EINVAL);
	assert_int_equal(open_with(&s, pipes, 2), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ file, file }, 2), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ good[0], other[1] }, 2), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ good[1], good[0] }, 2), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ good[0], good[0] }, 2), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ good[1], good[1] }, 2), EINVAL);
	assert_int_equal(open_with(&s, service, 2), EINVAL);
	assert_int_equal(open_with(&s, (int[]){ s.task.socket_fd, good[1] }, 2), EINVAL);
	assert_int_equal(told(&s.kernel, "kes_pcbcount"), 0);
	assert_int_equal(open_with(&s, good, 2), 0);
	assert_int_equal(open_with(&s, good, 2), EINVAL); /* it is one already */
	assert_int_equal(told(&s.kernel, "kes_pcbcount"), 1);
	close(service[0]);
	raw_until(raw_kernel_descriptors(&s.kernel) <= before + 1);

	const int wrong[] = { other[1], good[0], plain[0], stream[1], pipes[0], file };
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct wire_system get = { .operation = WIRE_SYSTEM_EVENT_GET };

		assert_int_equal(raw_event_filter(&s.task, wrong[i], 0, 0, 0), EBADF);
		assert_int_equal(raw_system(&s.task, &get, &wrong[i], 1, NULL).error, EBADF);
	}
	struct wire_system none = { .operation = WIRE_SYSTEM_EVENT_GET },
			   unknown = { .operation = 99 };

	assert_int_equal(raw_system(&s.task, &none, NULL, 0, NULL).error, EBADF);
	assert_int_equal(raw_system(&s.task, &none, good, 2, NULL).error, EBADF);
	assert_int_equal(raw_system(&s.task, &unknown, good, 1, NULL).error, EINVAL);
	raw_until(raw_kernel_descriptors(&s.kernel) <= before + 1);
	close(good[0]);
	close(good[1]);
	for (int i = 0; i < 2; i++) {
		close(other[i]);
		close(plain[i]);
		close(stream[i]);
		close(control[i]);
		close(pipes[i]);
	}
	close(file);
	scene_free(&s);
}

static void
a_program_can_only_spoil_its_own_socket(void **state)
{
	struct scene s = scene_new();
	int victim = raw_event_all(&s.task), shut = raw_event_all(&s.task), pair[2], count = 0;

	/* it writes to the kernel until that is full, through either end */
	raw_event_pair(pair);
	assert_int_equal(open_with(&s, pair, 2), 0);
	assert_int_equal(raw_event_filter(&s.task, pair[1], 0, 0, 0), 0);
	while (send(pair[1], "spam", 4, MSG_DONTWAIT) == 4)
		count++;
	while (send(pair[0], "spam", 4, MSG_DONTWAIT) == 4)
		count++;
	assert_true(count > 2);
	assert_int_equal(shutdown(shut, SHUT_RD), 0);
	for (int i = 0; i < 100; i++)
		post(&s, NULL, 0);
	assert_int_equal(raw_event_drain(victim), 100);
	raw_until(told(&s.kernel, "kes_pcbcount") == 2); /* who shut it has it no more */
	assert_int_equal(shutdown(pair[1], SHUT_RDWR), 0);
	raw_until(told(&s.kernel, "kes_pcbcount") == 1);
	close(pair[0]);
	close(pair[1]);
	close(shut);
	close(victim);
	scene_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_hears_what_its_filter_lets_through),
		cmocka_unit_test(filter_and_size_are_told_to_who_shows_the_socket),
		cmocka_unit_test(a_record_is_an_event),
		cmocka_unit_test(an_unread_socket_keeps_the_first_and_others_miss_nothing),
		cmocka_unit_test(bytes_are_counted_as_they_are_read),
		cmocka_unit_test(a_larger_socket_keeps_more),
		cmocka_unit_test(a_socket_that_nobody_has_any_more_is_forgotten),
		cmocka_unit_test(a_socket_closed_with_events_unread_is_forgotten_too),
		cmocka_unit_test(a_socket_outlives_the_process_that_made_it),
		cmocka_unit_test(the_end_of_the_kernel_is_the_end_of_the_stream),
		cmocka_unit_test(only_pairs_with_the_name_of_an_event_socket_are_taken),
		cmocka_unit_test(a_program_can_only_spoil_its_own_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
