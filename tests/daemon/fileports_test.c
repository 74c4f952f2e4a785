/*
 * Files that tasks hand over: what berthd takes, what it refuses, that it closes what it took,
 * and that none of it makes it wait.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_file.h"
#include "tests/daemon/raw_kext.h"
#include "tests/daemon/raw_task.h"

static bool
is_held(int fd)
{
	struct pollfd look = { .fd = fd };

	return poll(&look, 1, 0) == 0;
}

/* ---- life of a file ------------------------------------------------------------------- */

static void
a_file_comes_back_by_its_port_and_is_closed_with_it(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	unsigned before = raw_kernel_descriptors(&kernel);
	int ends[2], fd;
	char bytes[8];

	raw_pipe_new(ends);
	mach_port_name_t port = raw_file_make(&task, ends[1]);

	assert_true(is_held(ends[0]));
	for (int i = 0; i < 3; i++) {
		fd = raw_file_open(&task, port);
		assert_int_equal(write(fd, "abc", 3), 3);
		assert_int_equal(read(ends[0], bytes, sizeof(bytes)), 3);
		close(fd);
	}
	assert_true(is_held(ends[0]));
	raw_file_drop(&task, port);
	assert_true(raw_file_hangs_up(ends[0]));
	raw_until(raw_kernel_descriptors(&kernel) <= before);
	assert_int_equal(raw_trap(&task, 0, BERTH_TRAP_FILEPORT_OPEN, 1, (uint64_t)port),
			 KERN_INVALID_RIGHT);
	close(ends[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_file_that_was_opened_outlives_its_port(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int ends[2], fd;

	raw_pipe_new(ends);
	mach_port_name_t port = raw_file_make(&task, ends[1]);

	fd = raw_file_open(&task, port);
	raw_file_drop(&task, port);
	raw_port(&task, 0);
	assert_true(is_held(ends[0]));
	close(fd);
	assert_true(raw_file_hangs_up(ends[0]));
	close(ends[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* The task of a process that does not end by itself makes a port of @fd. */
static pid_t
holder_start(const struct raw_kernel *kernel, int fd, int *ready)
{
	int ends[2];
	pid_t pid;

	raw_pipe_new(ends);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct raw_task task = raw_task_new(kernel);

		raw_file_make(&task, fd);
		assert_int_equal(write(ends[1], "", 1), 1);
		for (;;)
			pause();
	}
	close(ends[1]);
	*ready = ends[0];
	return pid;
}

static void
the_death_of_who_holds_the_only_right_closes_the_file(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int ends[2], ready;
	char byte;

	raw_pipe_new(ends);
	pid_t holder = holder_start(&kernel, ends[1], &ready);

	close(ends[1]);
	assert_int_equal(read(ready, &byte, 1), 1);
	assert_true(is_held(ends[0]));
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	assert_true(raw_file_hangs_up(ends[0]));
	close(ready);
	close(ends[0]);
	raw_kernel_end(&kernel);
}

static void
what_nobody_fetched_is_closed_with_its_kernel(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int ends[2];

	raw_pipe_new(ends);
	raw_file_make(&task, ends[1]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
	assert_true(raw_file_hangs_up(ends[0]));
	close(ends[0]);
}

/* ---- kinds ------------------------------------------------------------------------------- */

static void
what_macos_knows_can_be_sent(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int ends[2], pair[2];

	raw_pipe_new(ends);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int kinds[] = { ends[0],
			ends[1],
			pair[0],
			pair[1],
			socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
			socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
			open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			open("/dev/null", O_RDWR | O_CLOEXEC),
			open("/proc/self/stat", O_RDONLY | O_CLOEXEC),
			raw_memfd(4096, 1, 0) };

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct stat mine, theirs;

		assert_int_equal(fstat(kinds[i], &mine), 0);
		mach_port_name_t port = raw_file_make(&task, kinds[i]);
		int fd = raw_file_open(&task, port);

		assert_int_equal(fstat(fd, &theirs), 0);
		assert_int_equal(mine.st_dev, theirs.st_dev);
		assert_int_equal(mine.st_ino, theirs.st_ino);
		close(fd);
		raw_file_drop(&task, port);
	}
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
what_belongs_to_its_maker_is_refused_and_closed(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	unsigned before = raw_kernel_descriptors(&kernel);
	sigset_t signals;
	int wakers[8];
	unsigned waker_count;
	struct wire_thread ask = { { WIRE_WAKER, sizeof(ask) }, 0, 77 };
	struct wire_slot slot;

	sigemptyset(&signals);
	raw_send(task.socket_fd, &ask, sizeof(ask), NULL, 0);
	raw_receive(task.socket_fd, &slot, sizeof(slot), wakers, &waker_count);
	assert_int_equal(waker_count, 1);
	int kinds[] = { epoll_create1(EPOLL_CLOEXEC),
			eventfd(0, EFD_CLOEXEC),
			timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
			signalfd(-1, &signals, SFD_CLOEXEC),
			inotify_init1(IN_CLOEXEC),
			open("/", O_PATH | O_CLOEXEC),
			wakers[0],
			raw_connect(&kernel),
			dup(task.socket_fd) };

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_true(kinds[i] >= 0);
		assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE, &kinds[i], 1, NULL),
				 KERN_INVALID_ARGUMENT);
		close(kinds[i]);
	}
	raw_until(raw_kernel_descriptors(&kernel) <= before + 2); /* the waker, its memory */
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- what makes no sense -------------------------------------------------------------------- */

static void
only_one_file_for_one_port_is_taken(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	unsigned before = raw_kernel_descriptors(&kernel);
	int ends[2], readers[3], many[3];

	raw_pipe_new(ends);
	for (unsigned i = 0; i < 3; i++) {
		int other[2];

		raw_pipe_new(other);
		readers[i] = other[0];
		many[i] = other[1];
	}
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE, NULL, 0, NULL),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE, many, 2, NULL),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE, many, 3, NULL),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(raw_file_make_with(&task, 0, many, 1, NULL), KERN_INVALID_ARGUMENT);
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE | TRAP_HAS_SPILL, many, 2, NULL),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE | TRAP_HAS_BULK, many, 2, NULL),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_EVENT | TRAP_HAS_FILE, many, 1, NULL),
			 KERN_INVALID_ARGUMENT);
	/* another trap with a file */
	raw_fill(slot, BERTH_TRAP_TASK_SELF, NULL, 0);
	slot->request.flags = TRAP_HAS_FILE;
	raw_publish(slot);
	raw_ring_with(&task, 0, many, 1);
	assert_true(raw_await(slot, RAW_ANSWER_MS));
	assert_int_equal(slot->reply.code, KERN_INVALID_ARGUMENT);
	/* descriptors with what asks for none, and for nobody */
	raw_ask(slot, BERTH_TRAP_TASK_SELF, NULL, 0);
	raw_ring_with(&task, 0, many, 3);
	assert_true(raw_await(slot, RAW_ANSWER_MS));
	assert_int_equal(slot->reply.code, KERN_SUCCESS);
	raw_ring_with(&task, 0, many, 3);
	raw_ring_with(&task, 7, many, 3);
	for (unsigned i = 0; i < 3; i++) {
		close(many[i]);
		assert_true(raw_file_hangs_up(readers[i]));
		close(readers[i]);
	}
	/* a bell without the file is no request yet */
	raw_fill(slot, BERTH_TRAP_FILEPORT_MAKE, NULL, 0);
	slot->request.flags = TRAP_HAS_FILE;
	raw_publish(slot);
	raw_ring(&task, 0);
	assert_false(raw_await(slot, 50));
	raw_ring_with(&task, 0, &ends[1], 1);
	assert_true(raw_await(slot, RAW_ANSWER_MS));
	assert_int_equal(slot->reply.code, KERN_SUCCESS);
	raw_file_drop(&task, (mach_port_name_t)slot->reply.values[0]);
	raw_until(raw_kernel_descriptors(&kernel) <= before);
	close(ends[0]);
	close(ends[1]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
sockets_that_carry_themselves_are_let_go(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	unsigned before = raw_kernel_descriptors(&kernel);

	for (int i = 0; i < 200; i++) {
		int pair[2], ends[2];

		raw_pipe_new(ends);
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
		int load[] = { pair[0], pair[1], ends[1] };

		raw_send(pair[0], "x", 1, load, 3);
		raw_send(pair[1], "x", 1, load, 3);
		close(ends[1]);
		mach_port_name_t first = raw_file_make(&task, pair[0]),
				 second = raw_file_make(&task, pair[1]);

		assert_true(is_held(ends[0]));
		raw_file_drop(&task, first);
		raw_file_drop(&task, second);
		close(ends[0]);
	}
	raw_until(raw_kernel_descriptors(&kernel) <= before);
	raw_port(&task, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- closing that waits ------------------------------------------------------------------------
 */

/* A connection whose close waits for the other end, for an hour. */
static int
lingering(int listener, int *other_end)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	static const char bytes[65536];
	int small = 4096;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	*other_end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*other_end >= 0);
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	/* until the other end takes no more */
	do {
		while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			continue;
	} while (poll(&room, 1, 20) > 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

static int
listener_new(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

/* May somebody attach? */
static bool
is_welcome(const struct raw_kernel *kernel)
{
	struct wire_hello hello = { .head = { WIRE_HELLO, sizeof(hello) },
				    .version = WIRE_VERSION };
	int fd = raw_connect(kernel), fds[8];
	struct wire_refused answer = { { 0 } };
	unsigned count;

	raw_send(fd, &hello, sizeof(hello), NULL, 0);
	raw_receive(fd, &answer, sizeof(answer), fds, &count);
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	close(fd);
	return answer.head.kind == WIRE_WELCOME;
}

/* Hands @fd over with nothing that asks for it, so that berthd is the last to close it. */
static void
press_upon(const struct raw_kernel *kernel, struct raw_task *task, int fd)
{
	kill(kernel->pid, SIGSTOP);
	raw_ring_with(task, 0, (int[]){ fd, fd, fd }, 3);
	close(fd);
	kill(kernel->pid, SIGCONT);
}

static void
a_close_that_waits_makes_nobody_wait(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel), other = raw_task_new(&kernel);
	int listener = listener_new(), far[12];

	for (unsigned i = 0; i < 12; i++) {
		int fd = lingering(listener, &far[i]);

		if (i % 2 == 0)
			raw_file_drop(&task, raw_file_make(&task, fd));
		else
			press_upon(&kernel, &task, fd);
		raw_port(&other, 0);
		raw_port(&task, 0);
	}
	/* files that close at once are closed in spite of those that do not */
	int ends[2];

	raw_pipe_new(ends);
	raw_file_drop(&task, raw_file_make(&task, ends[1]));
	assert_true(raw_file_hangs_up(ends[0]));
	close(ends[0]);
	/* it ends with some of them still waiting */
	for (unsigned i = 0; i < 6; i++)
		close(far[i]);
	raw_task_free(&other);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
	for (unsigned i = 6; i < 12; i++)
		close(far[i]);
	close(listener);
}

#define STUCK_COUNT 72

static void
whose_files_do_not_get_closed_hands_over_no_more(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int listener = listener_new(), far[STUCK_COUNT], ends[2];

	mach_port_name_t ports[STUCK_COUNT];

	for (unsigned i = 0; i < STUCK_COUNT; i++)
		ports[i] = raw_file_make(&task, lingering(listener, &far[i]));
	for (unsigned i = 0; i < STUCK_COUNT; i++)
		raw_file_drop(&task, ports[i]);
	raw_until(!is_welcome(&kernel));
	raw_port(&task, 0); /* who is here and hands over nothing is served */
	raw_pipe_new(ends);
	assert_int_equal(raw_file_make_with(&task, TRAP_HAS_FILE, &ends[1], 1, NULL),
			 KERN_RESOURCE_SHORTAGE);
	close(ends[1]);
	assert_true(raw_file_hangs_up(ends[0]));
	close(ends[0]);
	/* memory is another matter */
	raw_ring_with(&task, 0, (int[]){ raw_memfd(4096, 1, 0) }, 1);
	raw_port(&task, 0);
	/* and who goes on is dropped */
	for (int i = 0; i < 10; i++)
		raw_ring_with(&task, 0, (int[]){ STDERR_FILENO, far[0] }, 2);
	assert_true(raw_file_hangs_up(task.socket_fd));
	for (unsigned i = 0; i < STUCK_COUNT; i++)
		close(far[i]);
	raw_until(is_welcome(&kernel));
	close(listener);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_comes_back_by_its_port_and_is_closed_with_it),
		cmocka_unit_test(a_file_that_was_opened_outlives_its_port),
		cmocka_unit_test(the_death_of_who_holds_the_only_right_closes_the_file),
		cmocka_unit_test(what_nobody_fetched_is_closed_with_its_kernel),
		cmocka_unit_test(what_macos_knows_can_be_sent),
		cmocka_unit_test(what_belongs_to_its_maker_is_refused_and_closed),
		cmocka_unit_test(only_one_file_for_one_port_is_taken),
		cmocka_unit_test(sockets_that_carry_themselves_are_let_go),
		cmocka_unit_test(a_close_that_waits_makes_nobody_wait),
		cmocka_unit_test(whose_files_do_not_get_closed_hands_over_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
