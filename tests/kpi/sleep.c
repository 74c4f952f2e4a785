/*
 * Sleeping and waking: no wake-up is lost, each wait ends once and says how.
 */
#include "tests/kpi/support.h"

#include "kexts/host/call.h"
#include "kexts/host/thread.h"

#include <IOKit/IOLib.h>
#include <kern/locks.h>
#include <kern/sched_prim.h>
#include <sys/kernel.h>
#include <sys/proc.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static LCK_GRP_DECLARE(group, "sleep");
static LCK_MTX_DECLARE(lock, &group);

static const struct timespec a_moment = { 0, 2000000 };
static char channel; /* only its address counts */

static struct timespec *
moment(void)
{
	static __thread struct timespec ts;

	ts = a_moment;
	return &ts;
}

struct sleeper {
	void *channel;
	int pri;
	bool has_mutex;
	struct timespec ts;
	struct host_call *call;
	int result;
	bool held_after;
};

static void
sleep_once(void *argument)
{
	struct sleeper *sleeper = argument;
	lck_mtx_t *mutex = sleeper->has_mutex ? &lock : NULL;

	host_call_set_current(sleeper->call);
	if (mutex != NULL)
		lck_mtx_lock(mutex);
	sleeper->result = msleep(sleeper->channel, mutex, sleeper->pri, "test", &sleeper->ts);
	if (mutex != NULL) {
		bool dropped = (sleeper->pri & PDROP) != 0;

		lck_mtx_assert(mutex, dropped ? LCK_MTX_ASSERT_NOTOWNED : LCK_MTX_ASSERT_OWNED);
		if (!dropped)
			lck_mtx_unlock(mutex);
	}
	host_call_set_current(NULL);
}

/* ---- msleep ---------------------------------------------------------------------------- */

static void
msleep_is_woken_with_and_without_a_mutex_and_with_PDROP(void **state)
{
	for (int kind = 0; kind < 4; kind++) {
		struct sleeper sleeper = { .channel = &channel,
					   .pri = PWAIT | ((kind & 1) != 0 ? PDROP : 0),
					   .has_mutex = (kind & 2) != 0,
					   .result = -1 };
		struct running *running = thread_run_kpi(sleep_once, &sleeper);

		until_waits(thread_of(running));
		lck_mtx_lock(&lock); /* was dropped */
		lck_mtx_unlock(&lock);
		wakeup(&channel);
		thread_join(running);
		assert_int_equal(sleeper.result, 0);
	}
}

static void
msleep_ends_when_the_time_is_over(void **state)
{
	uint64_t before = mach_absolute_time();

	lck_mtx_lock(&lock);
	assert_int_equal(msleep(&channel, &lock, PZERO, "test", moment()), EWOULDBLOCK);
	lck_mtx_assert(&lock, LCK_MTX_ASSERT_OWNED);
	assert_int_equal(msleep(&channel, &lock, PZERO | PDROP, "test", moment()), EWOULDBLOCK);
	lck_mtx_assert(&lock, LCK_MTX_ASSERT_NOTOWNED);
	assert_true(mach_absolute_time() - before >= 2 * 2000000);

	/* an absolute one, one of ticks, one that is past, one that is negative */
	assert_int_equal(msleep1(&channel, NULL, PZERO, "test", mach_absolute_time() + 1000000),
			 EWOULDBLOCK);
	assert_int_equal(msleep1(&channel, NULL, PZERO, "test", 1), EWOULDBLOCK);
	assert_int_equal(tsleep(&channel, PZERO, "test", 1), EWOULDBLOCK);
	assert_int_equal(hz, 100);
	struct timespec negative = { -1, 0 };
	assert_int_equal(msleep(&channel, NULL, PZERO, "test", &negative), EWOULDBLOCK);
}

static void
msleep_on_nothing_is_a_pause(void **state)
{
	uint64_t before = mach_absolute_time();

	lck_mtx_lock(&lock);
	assert_int_equal(msleep(NULL, &lock, PZERO, "test", moment()), EWOULDBLOCK);
	lck_mtx_assert(&lock, LCK_MTX_ASSERT_OWNED);
	assert_true(mach_absolute_time() - before >= 2000000);
	assert_int_equal(msleep(NULL, &lock, PZERO | PDROP, "test", NULL), 0);
	lck_mtx_assert(&lock, LCK_MTX_ASSERT_NOTOWNED);
	assert_int_equal(msleep(NULL, NULL, PZERO, "test", NULL), 0);
	wakeup(NULL); /* nobody */
	wakeup_one(NULL);
}

static void
times_that_no_clock_reaches_are_no_limit(void **state)
{
	struct sleeper sleeper = { .channel = &channel, .ts = { INT64_MAX, 999999999 } };
	struct running *running = thread_run_kpi(sleep_once, &sleeper);

	until_waits(thread_of(running));
	wakeup(&channel);
	thread_join(running);
	assert_int_equal(sleeper.result, 0);
}

static void
a_wakeup_without_a_sleeper_is_lost(void **state)
{
	wakeup(&channel);
	wakeup_one(&channel);
	assert_int_equal(thread_wakeup(&channel), KERN_NOT_WAITING);
	assert_int_equal(msleep(&channel, NULL, PZERO, "test", moment()), EWOULDBLOCK);
}

static _Atomic int awake_count;

static void
sleep_and_count(void *argument)
{
	assert_int_equal(msleep(argument, NULL, PZERO, "test", NULL), 0);
	atomic_fetch_add(&awake_count, 1);
}

static void
wakeup_wakes_all_and_wakeup_one_wakes_one(void **state)
{
	enum { MANY = 70 };
	struct running *threads[MANY], *other;

	atomic_store(&awake_count, 0);
	for (int i = 0; i < MANY; i++) {
		threads[i] = thread_run_kpi(sleep_and_count, &channel);
		until_waits(thread_of(threads[i])); /* so that their order is known */
	}
	other = thread_run_kpi(sleep_and_count, &awake_count);
	until_waits(thread_of(other));

	wakeup_one(&channel);
	thread_join(threads[0]); /* the first that came */
	wakeup_one(&channel);
	thread_join(threads[1]);
	assert_int_equal(atomic_load(&awake_count), 2);
	wakeup(&channel);
	for (int i = 2; i < MANY; i++)
		thread_join(threads[i]);
	assert_int_equal(atomic_load(&awake_count), MANY);
	wakeup(&awake_count);
	thread_join(other);
}

/* ---- load ------------------------------------------------------------------------------ */

#define PINGS 20000

static struct {
	int turn; /* guarded by the lock: whose it is */
	int count;
} ping;

static void
play(void *argument)
{
	int me = (int)(intptr_t)argument;

	for (int i = 0; i < PINGS; i++) {
		lck_mtx_lock(&lock);
		while (ping.turn != me)
			assert_int_equal(msleep(&ping, &lock, PZERO, "ping", NULL), 0);
		ping.turn = !me;
		ping.count++;
		lck_mtx_unlock(&lock);
		wakeup(&ping);
	}
}

static void
no_wakeup_is_lost_between_two_that_wait_for_each_other(void **state)
{
	ping.turn = 0;
	ping.count = 0;
	struct running *first = thread_run_kpi(play, (void *)0);
	struct running *second = thread_run_kpi(play, (void *)1);
	thread_join(first);
	thread_join(second);
	assert_int_equal(ping.count, 2 * PINGS);
}

/* a bounded queue, each sleeper of which waits without a limit: one lost wake-up hangs */
#define ITEMS 8000

static struct {
	int filled, produced, consumed;
} store;

static void
produce(void *argument)
{
	for (int i = 0; i < ITEMS; i++) {
		lck_mtx_lock(&lock);
		while (store.filled == 3)
			(void)lck_mtx_sleep(&lock, LCK_SLEEP_DEFAULT, &store.produced,
					    THREAD_UNINT);
		store.filled++;
		store.produced++;
		lck_mtx_unlock(&lock);
		wakeup_one((caddr_t)&store.consumed);
	}
}

static void
consume(void *argument)
{
	for (int i = 0; i < ITEMS; i++) {
		lck_mtx_lock(&lock);
		while (store.filled == 0)
			(void)msleep(&store.consumed, &lock, PZERO, "items", NULL);
		store.filled--;
		store.consumed++;
		lck_mtx_unlock(&lock);
		wakeup_one((caddr_t)&store.produced);
	}
}

static void
no_wakeup_is_lost_among_many(void **state)
{
	struct running *threads[6];

	store.filled = store.produced = store.consumed = 0;
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		threads[i] = thread_run_kpi(i % 2 == 0 ? produce : consume, NULL);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		thread_join(threads[i]);
	assert_int_equal(store.produced, 3 * ITEMS);
	assert_int_equal(store.consumed, 3 * ITEMS);
}

static _Atomic bool timing_ends;

static void
time_out_often(void *argument)
{
	while (!atomic_load(&timing_ends)) {
		uint64_t soon = mach_absolute_time() + 20000;
		int error = msleep1(&channel, NULL, PZERO, "race", soon);

		assert_true(error == 0 || error == EWOULDBLOCK);
	}
}

static void
a_wakeup_and_a_deadline_may_meet(void **state)
{
	struct running *threads[3];

	atomic_store(&timing_ends, false);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		threads[i] = thread_run_kpi(time_out_often, NULL);
	for (int i = 0; i < 3000; i++) {
		wakeup(&channel);
		sched_yield();
	}
	atomic_store(&timing_ends, true);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		thread_join(threads[i]);
}

/* ---- Mach's ------------------------------------------------------------------------------ */

static void
a_wakeup_between_assert_wait_and_block_counts(void **state)
{
	assert_int_equal(assert_wait(&channel, THREAD_UNINT), THREAD_WAITING);
	assert_int_equal(thread_wakeup(&channel), KERN_SUCCESS);
	assert_int_equal(thread_block(THREAD_CONTINUE_NULL), THREAD_AWAKENED);

	/* the thread may wait again, and for nothing it comes back at once */
	assert_int_equal(thread_block(THREAD_CONTINUE_NULL), THREAD_AWAKENED);
	assert_int_equal(assert_wait_timeout(&channel, THREAD_UNINT, 1, NSEC_PER_MSEC),
			 THREAD_WAITING);
	assert_int_equal(thread_block(THREAD_CONTINUE_NULL), THREAD_TIMED_OUT);
	assert_int_equal(assert_wait_deadline(&channel, THREAD_UNINT, 1), THREAD_WAITING);
	assert_int_equal(thread_block(THREAD_CONTINUE_NULL), THREAD_TIMED_OUT);
}

static void
wait_for_channel(void *argument)
{
	(void)assert_wait(&channel, THREAD_UNINT);
	*(wait_result_t *)argument = thread_block(THREAD_CONTINUE_NULL);
}

static void
clear_wait_ends_the_wait_of_one_thread(void **state)
{
	wait_result_t result = -1;
	struct running *running = thread_run_kpi(wait_for_channel, &result);

	until_waits(thread_of(running));
	assert_int_equal(clear_wait(thread_of(running), THREAD_RESTART), KERN_SUCCESS);
	assert_int_equal(clear_wait(thread_of(running), THREAD_RESTART), KERN_NOT_WAITING);
	thread_join(running);
	assert_int_equal(result, THREAD_RESTART);
	assert_int_equal(clear_wait(THREAD_NULL, THREAD_AWAKENED), KERN_INVALID_ARGUMENT);
}

static void
wait_twice(void)
{
	(void)assert_wait(&channel, THREAD_UNINT);
	(void)assert_wait(&group, THREAD_UNINT);
}

static void
wait_for_nothing(void)
{
	(void)assert_wait(NO_EVENT, THREAD_UNINT);
}

static void
wrong_waits_are_panics(void **state)
{
	assert_panics(wait_twice, "asserts another");
	assert_panics(wait_for_nothing, "waits for no event");
}

/* ---- interruption -------------------------------------------------------------------------- */

static void
interrupt(struct host_call *call)
{
	atomic_store(&call->interrupted, 1);
	sleep_interrupt(call);
}

static void
a_catching_sleep_ends_when_its_call_is_interrupted(void **state)
{
	struct host_call call = { .caller = { .pid = 1 } }, other = { .caller = { .pid = 2 } };
	struct sleeper sleeper = {
		.channel = &channel, .pri = PZERO | PCATCH, .has_mutex = true, .call = &call
	};
	struct running *running = thread_run_kpi(sleep_once, &sleeper);

	until_waits(thread_of(running));
	interrupt(&other); /* is not its */
	assert_int_equal(atomic_load(&thread_of(running)->wait_state), THREAD_WAIT_ON);
	interrupt(&call);
	thread_join(running);
	assert_int_equal(sleeper.result, EINTR);

	/* and the next one in the same call, too */
	sleep_once(&sleeper);
	assert_int_equal(sleeper.result, EINTR);
	sleeper.channel = NULL;
	sleeper.ts.tv_sec = 100;
	sleep_once(&sleeper);
	assert_int_equal(sleeper.result, EINTR);
}

static void
a_sleep_that_does_not_catch_goes_on(void **state)
{
	struct host_call call = { .caller = { .pid = 1 } };
	struct sleeper sleeper = { .channel = &channel, .pri = PZERO, .call = &call };
	struct running *running = thread_run_kpi(sleep_once, &sleeper);

	until_waits(thread_of(running));
	interrupt(&call);
	assert_int_equal(atomic_load(&thread_of(running)->wait_state), THREAD_WAIT_ON);
	wakeup(&channel);
	thread_join(running);
	assert_int_equal(sleeper.result, 0);
}

static void
mach_waits_are_interrupted_alike(void **state)
{
	struct host_call call = { .interrupted = 1 };
	const wait_interrupt_t kinds[] = { THREAD_INTERRUPTIBLE, THREAD_ABORTSAFE };

	host_call_set_current(&call);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		assert_int_equal(assert_wait(&channel, kinds[i]), THREAD_INTERRUPTED);
		assert_int_equal(thread_block(THREAD_CONTINUE_NULL), THREAD_INTERRUPTED);
		lck_mtx_lock(&lock);
		assert_int_equal(lck_mtx_sleep(&lock, LCK_SLEEP_UNLOCK, &channel, kinds[i]),
				 THREAD_INTERRUPTED);
	}
	assert_int_equal(assert_wait_deadline(&channel, THREAD_UNINT, 1), THREAD_WAITING);
	assert_int_equal(thread_block(THREAD_CONTINUE_NULL), THREAD_TIMED_OUT);
	host_call_set_current(NULL);
}

static void
an_interruption_at_any_moment_ends_the_sleep(void **state)
{
	for (int i = 0; i < 400; i++) {
		struct host_call call = { .caller = { .pid = 1 } };
		struct sleeper sleeper = { .channel = &channel,
					   .pri = PZERO | PCATCH,
					   .has_mutex = i % 2 == 0,
					   .call = &call };
		struct running *running = thread_run_kpi(sleep_once, &sleeper);

		for (volatile int spin = 0; spin < i * 200; spin++)
			;
		interrupt(&call);
		thread_join(running);
		assert_int_equal(sleeper.result, EINTR);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msleep_is_woken_with_and_without_a_mutex_and_with_PDROP),
		cmocka_unit_test(msleep_ends_when_the_time_is_over),
		cmocka_unit_test(msleep_on_nothing_is_a_pause),
		cmocka_unit_test(times_that_no_clock_reaches_are_no_limit),
		cmocka_unit_test(a_wakeup_without_a_sleeper_is_lost),
		cmocka_unit_test(wakeup_wakes_all_and_wakeup_one_wakes_one),
		cmocka_unit_test(no_wakeup_is_lost_between_two_that_wait_for_each_other),
		cmocka_unit_test(no_wakeup_is_lost_among_many),
		cmocka_unit_test(a_wakeup_and_a_deadline_may_meet),
		cmocka_unit_test(a_wakeup_between_assert_wait_and_block_counts),
		cmocka_unit_test(clear_wait_ends_the_wait_of_one_thread),
		cmocka_unit_test(wrong_waits_are_panics),
		cmocka_unit_test(a_catching_sleep_ends_when_its_call_is_interrupted),
		cmocka_unit_test(a_sleep_that_does_not_catch_goes_on),
		cmocka_unit_test(mach_waits_are_interrupted_alike),
		cmocka_unit_test(an_interruption_at_any_moment_ends_the_sleep),
	};

	return cmocka_run_group_tests_name("sleep", tests, NULL, NULL);
}
