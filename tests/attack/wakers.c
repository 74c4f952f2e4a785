/*
 * One process asks for all wakers: it gets its share, on however many connections, and others
 * get theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"

#define DESCRIPTORS 512u             /* of berthd */
#define SHARE (DESCRIPTORS / 4u / 4) /* of one process: a quarter of the quarter for wakers */
#define THREADS (2 * SHARE)

/* A waker for a thread: its descriptor, or -1. */
static int
waker_ask(struct raw_task *task, uint32_t slot_index)
{
	struct wire_thread ask = { { WIRE_WAKER, sizeof(ask) }, slot_index, 1 };
	struct wire_slot answer;
	int fds[8];
	unsigned fd_count;

	raw_send(task->socket_fd, &ask, sizeof(ask), NULL, 0);
	assert_int_equal(raw_receive(task->socket_fd, &answer, sizeof(answer), fds, &fd_count),
			 sizeof(answer));
	assert_int_equal(answer.head.kind, WIRE_WAKER_IS);
	assert_int_equal(fd_count, answer.slot_index == slot_index);
	return fd_count == 1 ? fds[0] : -1;
}

/* Threads until one gets no waker; how many got one. */
static unsigned
take_wakers(struct raw_task *task, uint32_t slots[THREADS])
{
	unsigned count = 0;

	while (count < THREADS) {
		slots[count] = raw_thread_new(task, WIRE_NO_SLOT);
		int fd = waker_ask(task, slots[count]);

		if (fd < 0)
			break;
		close(fd);
		count++;
	}
	return count;
}

/* Another process has as many as any. */
static void
take_a_share(const struct raw_kernel *kernel, void *context)
{
	struct raw_task task = raw_task_new(kernel);
	uint32_t slots[THREADS];

	assert_int_equal(take_wakers(&task, slots), SHARE);
	raw_task_free(&task);
}

static void
take_all(const struct raw_kernel *kernel, void *context)
{
	struct raw_task task = raw_task_new(kernel), other = raw_task_new(kernel);
	uint32_t slots[THREADS], own = other.welcome.slot_index;
	int fd;

	assert_int_equal(take_wakers(&task, slots), SHARE);
	assert_int_equal(waker_ask(&other, own), -1); /* another connection of one process */
	run_hostile(kernel, take_a_share, NULL, 60);
	/* what is given back can be had again, on any of them */
	raw_thread_exit(&task, slots[0]);
	fd = waker_ask(&other, own);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(waker_ask(&task, slots[SHARE]), -1);
	raw_task_free(&task);
	raw_task_free(&other);
}

static void
a_process_cannot_take_all_wakers(void **state)
{
	attack(take_all, NULL, 20000);
}

int
main(void)
{
	const struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_cannot_take_all_wakers),
	};

	/* berthd, which is started by us, takes what it may have */
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 77; /* there are fewer */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
