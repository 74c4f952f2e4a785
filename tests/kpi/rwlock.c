/*
 * Read-write locks, and what upgrading promises.
 */
#include "tests/kpi/support.h"

#include <IOKit/IOLib.h>
#include <kern/locks.h>
#include <kern/sched_prim.h>

#include <pthread.h>
#include <stdatomic.h>

static LCK_GRP_DECLARE(group, "rw");
static LCK_RW_DECLARE(lock, &group);

/* ---- exclusion ------------------------------------------------------------------------- */

static _Atomic int readers_inside, writers_inside, upgrades_lost, upgrades_won;
static uint64_t counter; /* guarded by the lock */

static void
check_as_reader(void)
{
	atomic_fetch_add(&readers_inside, 1);
	assert_int_equal(atomic_load(&writers_inside), 0);
	atomic_fetch_sub(&readers_inside, 1);
}

static void
check_as_writer(void)
{
	assert_int_equal(atomic_fetch_add(&writers_inside, 1), 0);
	assert_int_equal(atomic_load(&readers_inside), 0);
	counter++;
	atomic_fetch_sub(&writers_inside, 1);
}

static void
use_in_every_way(void *argument)
{
	for (int i = 0; i < 6000; i++) {
		switch (i % 6) {
		case 0:
			lck_rw_lock_shared(&lock);
			check_as_reader();
			lck_rw_unlock_shared(&lock);
			break;
		case 1:
			lck_rw_lock(&lock, LCK_RW_TYPE_EXCLUSIVE);
			check_as_writer();
			lck_rw_unlock(&lock, LCK_RW_TYPE_EXCLUSIVE);
			break;
		case 2:
			lck_rw_lock(&lock, LCK_RW_TYPE_SHARED);
			check_as_reader();
			if (lck_rw_lock_shared_to_exclusive(&lock)) {
				atomic_fetch_add(&upgrades_won, 1);
				check_as_writer();
				assert_int_equal(lck_rw_done(&lock), LCK_RW_TYPE_EXCLUSIVE);
			} else {
				atomic_fetch_add(&upgrades_lost, 1);
			}
			break;
		case 3:
			lck_rw_lock_exclusive(&lock);
			check_as_writer();
			lck_rw_lock_exclusive_to_shared(&lock);
			check_as_reader();
			assert_int_equal(lck_rw_done(&lock), LCK_RW_TYPE_SHARED);
			break;
		case 4:
			if (!lck_rw_try_lock(&lock, LCK_RW_TYPE_EXCLUSIVE))
				break;
			check_as_writer();
			lck_rw_unlock_exclusive(&lock);
			break;
		case 5:
			if (!lck_rw_try_lock_shared(&lock))
				break;
			check_as_reader();
			lck_rw_unlock_shared(&lock);
			break;
		}
	}
}

static void
writers_are_alone_however_the_lock_is_taken(void **state)
{
	counter = 0;
	run_many(5, use_in_every_way, NULL);
	assert_true(counter >= 5 * 2000);
	assert_int_equal(atomic_load(&upgrades_won) + atomic_load(&upgrades_lost), 5 * 1000);
	assert_true(lck_rw_try_lock_exclusive(&lock)); /* nothing was left of it */
	lck_rw_unlock_exclusive(&lock);
}

/* ---- upgrading, step by step ----------------------------------------------------------------- */

struct upgrader {
	_Atomic bool holds, go;
	_Atomic int result; /* -1: not known yet */
};

static void
upgrade(void *argument)
{
	struct upgrader *upgrader = argument;

	lck_rw_lock_shared(&lock);
	atomic_store(&upgrader->holds, true);
	while (!atomic_load(&upgrader->go))
		IOSleep(1);
	boolean_t won = lck_rw_lock_shared_to_exclusive(&lock);
	if (won)
		lck_rw_assert(&lock, LCK_RW_ASSERT_EXCLUSIVE);
	atomic_store(&upgrader->result, won);
	if (won)
		lck_rw_unlock_exclusive(&lock);
}

static void
until(_Atomic bool *flag)
{
	while (!atomic_load(flag))
		IOSleep(1);
}

static void
of_two_that_upgrade_the_second_loses_the_lock(void **state)
{
	struct upgrader first = { .result = -1 };
	struct running *running = thread_run_kpi(upgrade, &first);

	until(&first.holds);
	lck_rw_lock_shared(&lock);
	atomic_store(&first.go, true);
	/* it waits for us: when it does, nobody new gets in */
	while (lck_rw_try_lock_shared(&lock)) {
		lck_rw_unlock_shared(&lock);
		IOSleep(1);
	}
	assert_int_equal(atomic_load(&first.result), -1);
	assert_false(lck_rw_lock_shared_to_exclusive(&lock));
	thread_join(running);
	assert_int_equal(atomic_load(&first.result), 1);
	assert_true(lck_rw_try_lock_exclusive(&lock)); /* so ours was released */
	lck_rw_unlock_exclusive(&lock);
}

struct writer {
	_Atomic bool begun, done;
};

static void
write_once(void *argument)
{
	struct writer *writer = argument;

	atomic_store(&writer->begun, true);
	lck_rw_lock_exclusive(&lock);
	atomic_store(&writer->done, true);
	lck_rw_unlock_exclusive(&lock);
}

static void
a_writer_that_waits_does_not_get_before_an_upgrade(void **state)
{
	struct writer writer = { .begun = false };

	lck_rw_lock_shared(&lock);
	struct running *running = thread_run_kpi(write_once, &writer);
	until(&writer.begun);
	while (lck_rw_try_lock_shared(&lock)) { /* until it waits: it keeps readers out */
		lck_rw_unlock_shared(&lock);
		IOSleep(1);
	}
	assert_true(lck_rw_lock_shared_to_exclusive(&lock));
	assert_false(atomic_load(&writer.done));
	lck_rw_unlock_exclusive(&lock);
	thread_join(running);
	assert_true(atomic_load(&writer.done));
}

static _Atomic bool storm_ends;

static void
read_for_ever(void *argument)
{
	while (!atomic_load(&storm_ends)) {
		lck_rw_lock_shared(&lock);
		sched_yield();
		lck_rw_unlock_shared(&lock);
	}
}

static void
write_for_ever(void *argument)
{
	while (!atomic_load(&storm_ends)) {
		lck_rw_lock_exclusive(&lock);
		counter++;
		lck_rw_unlock_exclusive(&lock);
	}
}

static void
neither_readers_nor_writers_starve(void **state)
{
	struct running *threads[6];

	for (int kind = 0; kind < 2; kind++) {
		atomic_store(&storm_ends, false);
		for (size_t i = 0; i < COUNT_OF(threads); i++)
			threads[i] =
			    thread_run_kpi(kind == 0 ? read_for_ever : write_for_ever, NULL);
		for (int i = 0; i < 200; i++) {
			if (kind == 0)
				lck_rw_lock_exclusive(&lock);
			else
				lck_rw_lock_shared(&lock);
			(void)lck_rw_done(&lock);
		}
		atomic_store(&storm_ends, true);
		for (size_t i = 0; i < COUNT_OF(threads); i++)
			thread_join(threads[i]);
	}
}

/* ---- sleeping ---------------------------------------------------------------------------- */

struct rw_sleeper {
	lck_rw_type_t type;
	lck_sleep_action_t action;
	lck_rw_type_t after; /* 0: not held */
	wait_result_t result;
};

static void
rw_sleep(void *argument)
{
	struct rw_sleeper *sleeper = argument;

	lck_rw_lock(&lock, sleeper->type);
	sleeper->result = lck_rw_sleep(&lock, sleeper->action, sleeper, THREAD_UNINT);
	sleeper->after = 0;
	if ((sleeper->action & LCK_SLEEP_UNLOCK) == 0)
		sleeper->after = lck_rw_done(&lock);
}

static void
lck_rw_sleep_takes_the_lock_again_as_it_was_told(void **state)
{
	const struct {
		lck_rw_type_t type;
		lck_sleep_action_t action;
		lck_rw_type_t after;
	} cases[] = {
		{ LCK_RW_TYPE_SHARED, LCK_SLEEP_DEFAULT, LCK_RW_TYPE_SHARED },
		{ LCK_RW_TYPE_EXCLUSIVE, LCK_SLEEP_DEFAULT, LCK_RW_TYPE_EXCLUSIVE },
		{ LCK_RW_TYPE_SHARED, LCK_SLEEP_EXCLUSIVE, LCK_RW_TYPE_EXCLUSIVE },
		{ LCK_RW_TYPE_EXCLUSIVE, LCK_SLEEP_SHARED, LCK_RW_TYPE_SHARED },
		{ LCK_RW_TYPE_EXCLUSIVE, LCK_SLEEP_UNLOCK, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rw_sleeper sleeper = { cases[i].type, cases[i].action, 99, -1 };
		struct running *running = thread_run_kpi(rw_sleep, &sleeper);

		until_waits(thread_of(running));
		lck_rw_lock_exclusive(&lock); /* it has been dropped */
		lck_rw_unlock_exclusive(&lock);
		assert_int_equal(thread_wakeup(&sleeper), KERN_SUCCESS);
		thread_join(running);
		assert_int_equal(sleeper.result, THREAD_AWAKENED);
		assert_int_equal(sleeper.after, cases[i].after);
	}
	lck_rw_lock_shared(&lock);
	assert_int_equal(lck_rw_sleep_deadline(&lock, LCK_SLEEP_UNLOCK, &lock, THREAD_UNINT, 1),
			 THREAD_TIMED_OUT);
}

/* ---- wrong use --------------------------------------------------------------------------- */

static void
exclusive_twice(void)
{
	lck_rw_lock_exclusive(&lock);
	lck_rw_lock_exclusive(&lock);
}

static void
shared_in_exclusive(void)
{
	lck_rw_lock_exclusive(&lock);
	lck_rw_lock_shared(&lock);
}

static void
unlock_shared_unheld(void)
{
	lck_rw_unlock_shared(&lock);
}

static void
unlock_exclusive_unheld(void)
{
	lck_rw_unlock_exclusive(&lock);
}

static void
upgrade_unheld(void)
{
	(void)lck_rw_lock_shared_to_exclusive(&lock);
}

static void
downgrade_unheld(void)
{
	lck_rw_lock_shared(&lock);
	lck_rw_lock_exclusive_to_shared(&lock);
}

static void
destroy_held(void)
{
	lck_rw_lock_shared(&lock);
	lck_rw_destroy(&lock, &group);
}

static void
unknown_type(void)
{
	lck_rw_lock(&lock, 3);
}

static void
assert_exclusive(void)
{
	lck_rw_assert(&lock, LCK_RW_ASSERT_EXCLUSIVE);
}

static void
wrong_use_is_a_panic(void **state)
{
	assert_panics(exclusive_twice, "of group \"rw\" is held exclusive by this thread already");
	assert_panics(shared_in_exclusive, "is held exclusive by this thread");
	assert_panics(unlock_shared_unheld, "is not held shared");
	assert_panics(unlock_exclusive_unheld, "is not held exclusive by this thread");
	assert_panics(upgrade_unheld, "is not held shared");
	assert_panics(downgrade_unheld, "is not held exclusive by this thread");
	assert_panics(destroy_held, "is held");
	assert_panics(unknown_type, "there is no type 3");
	assert_panics(assert_exclusive, "is not held exclusive by this thread");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writers_are_alone_however_the_lock_is_taken),
		cmocka_unit_test(of_two_that_upgrade_the_second_loses_the_lock),
		cmocka_unit_test(a_writer_that_waits_does_not_get_before_an_upgrade),
		cmocka_unit_test(neither_readers_nor_writers_starve),
		cmocka_unit_test(lck_rw_sleep_takes_the_lock_again_as_it_was_told),
		cmocka_unit_test(wrong_use_is_a_panic),
	};

	return cmocka_run_group_tests_name("rwlock", tests, NULL, NULL);
}
