/*
 * Mutexes, spin locks, groups, and IOKit's names for them.
 */
#include "tests/kpi/support.h"

#include <IOKit/IOLib.h>
#include <IOKit/IOLocks.h>
#include <kern/locks.h>
#include <kern/sched_prim.h>

static LCK_GRP_DECLARE(group, "the group's name");
static LCK_MTX_DECLARE(declared, &group);
static LCK_SPIN_DECLARE(declared_spin, &group);

static lck_mtx_t *mutex;
static uint64_t counter;

#define ROUNDS 20000

/* ---- mutexes --------------------------------------------------------------------------- */

static void
count_under_mutex(void *argument)
{
	lck_mtx_t *lock = argument;

	for (int i = 0; i < ROUNDS; i++) {
		lck_mtx_lock(lock);
		counter++;
		lck_mtx_unlock(lock);
	}
}

static void
a_mutex_lets_one_thread_in(void **state)
{
	lck_grp_t *grp = lck_grp_alloc_init("group", LCK_GRP_ATTR_NULL);
	lck_mtx_t *lock = lck_mtx_alloc_init(grp, LCK_ATTR_NULL);

	counter = 0;
	run_many(4, count_under_mutex, lock);
	assert_int_equal(counter, 4 * ROUNDS);
	lck_mtx_free(lock, grp);
	lck_grp_free(grp);
}

static void
a_declared_mutex_works_without_any_call_before(void **state)
{
	counter = 0;
	run_many(3, count_under_mutex, &declared);
	assert_int_equal(counter, 3 * ROUNDS);
}

static void
try_lock_once(void *argument)
{
	*(boolean_t *)argument = lck_mtx_try_lock(&declared);
	if (*(boolean_t *)argument)
		lck_mtx_unlock(&declared);
}

static void
try_lock_says_whether_it_took_the_mutex(void **state)
{
	boolean_t taken;

	assert_true(lck_mtx_try_lock(&declared));
	assert_false(lck_mtx_try_lock(&declared));
	run_many(1, try_lock_once, &taken);
	assert_false(taken);
	lck_mtx_unlock(&declared);
	run_many(1, try_lock_once, &taken);
	assert_true(taken);
}

static void
lock_twice(void)
{
	lck_mtx_lock(&declared);
	lck_mtx_lock(&declared);
}

static void
unlock_unheld(void)
{
	lck_mtx_unlock(&declared);
}

static void
unlock_only(void *argument)
{
	lck_mtx_unlock(&declared);
}

static void
unlock_of_another(void)
{
	lck_mtx_lock(&declared);
	run_many(1, unlock_only, NULL);
}

static void
destroy_held(void)
{
	lck_mtx_lock(mutex);
	lck_mtx_free(mutex, &group);
}

static void
lock_destroyed(void)
{
	lck_mtx_t lock;

	lck_mtx_init(&lock, &group, LCK_ATTR_NULL);
	lck_mtx_destroy(&lock, &group);
	lck_mtx_lock(&lock);
}

static void
lock_never_initialised(void)
{
	static lck_mtx_t lock;

	lck_mtx_lock(&lock);
}

static void
lock_null(void)
{
	lck_mtx_lock(NULL);
}

static void
wrong_use_of_a_mutex_is_a_panic_that_names_its_group(void **state)
{
	mutex = lck_mtx_alloc_init(&group, LCK_ATTR_NULL);
	assert_panics(lock_twice, "of group \"the group's name\" is held by this thread already: "
				  "taken in test-kpi-locks+0x");
	assert_panics(lock_twice, "again in test-kpi-locks+0x");
	assert_panics(unlock_unheld, "is not held by this thread but by nobody");
	assert_panics(unlock_of_another, "is not held by this thread but by another");
	assert_panics(destroy_held, "lck_mtx_free: lock");
	assert_panics(lock_destroyed, "it was destroyed");
	assert_panics(lock_never_initialised, "it was not initialised");
	assert_panics(lock_null, "lck_mtx_lock: (nil)");
	lck_mtx_free(mutex, &group);
}

static void
assert_owned(void)
{
	lck_mtx_assert(&declared, LCK_MTX_ASSERT_OWNED);
}

static void
assert_not_owned(void)
{
	lck_mtx_lock(&declared);
	lck_mtx_assert(&declared, LCK_MTX_ASSERT_NOTOWNED);
}

static void
assert_nonsense(void)
{
	lck_mtx_assert(&declared, 7);
}

static void
assertions_look_at_the_owner(void **state)
{
	lck_mtx_assert(&declared, LCK_MTX_ASSERT_NOTOWNED);
	lck_mtx_lock(&declared);
	LCK_MTX_ASSERT(&declared, LCK_MTX_ASSERT_OWNED);
	lck_mtx_unlock(&declared);
	assert_panics(assert_owned, "is not held by this thread");
	assert_panics(assert_not_owned, "is held by this thread");
	assert_panics(assert_nonsense, "there is no assertion 7");
}

static void
a_group_lives_on_while_locks_are_in_it(void **state)
{
	lck_grp_attr_t *grp_attr = lck_grp_attr_alloc_init();
	lck_attr_t *attr = lck_attr_alloc_init();

	lck_grp_attr_setdefault(grp_attr);
	lck_attr_setdefault(attr);
	lck_attr_setdebug(attr);
	lck_grp_t *grp = lck_grp_alloc_init("a name that is much too long for a group, as it has "
					    "far more than sixty-three bytes",
					    grp_attr);
	mutex = lck_mtx_alloc_init(grp, attr);
	lck_rw_t *rw = lck_rw_alloc_init(grp, attr);
	lck_grp_free(grp);
	lck_grp_attr_free(grp_attr);
	lck_attr_free(attr);
	assert_panics(destroy_held, "of group \"a name that is much too long");
	lck_mtx_free(mutex, grp);
	lck_rw_free(rw, grp);
}

static void
free_declared_group(void)
{
	lck_grp_free(&group);
}

static void
a_static_group_cannot_be_freed(void **state)
{
	assert_panics(free_declared_group, "is not from lck_grp_alloc_init()");
}

/* ---- sleeping ---------------------------------------------------------------------------- */

struct sleeper {
	lck_mtx_t *lock;
	lck_sleep_action_t action;
	uint64_t deadline;
	wait_result_t result;
};

static void
sleep_once(void *argument)
{
	struct sleeper *sleeper = argument;

	lck_mtx_lock(sleeper->lock);
	if (sleeper->deadline != 0)
		sleeper->result = lck_mtx_sleep_deadline(sleeper->lock, sleeper->action, sleeper,
							 THREAD_UNINT, sleeper->deadline);
	else
		sleeper->result =
		    lck_mtx_sleep(sleeper->lock, sleeper->action, sleeper, THREAD_UNINT);
	if ((sleeper->action & LCK_SLEEP_UNLOCK) != 0) {
		lck_mtx_assert(sleeper->lock, LCK_MTX_ASSERT_NOTOWNED);
	} else {
		lck_mtx_assert(sleeper->lock, LCK_MTX_ASSERT_OWNED);
		lck_mtx_unlock(sleeper->lock);
	}
}

static void
lck_mtx_sleep_drops_the_mutex_and_does_what_it_was_told_after(void **state)
{
	const lck_sleep_action_t actions[] = { LCK_SLEEP_DEFAULT, LCK_SLEEP_UNLOCK,
					       LCK_SLEEP_SPIN };

	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		struct sleeper sleeper = { &declared, actions[i], 0, -1 };
		struct running *running = thread_run_kpi(sleep_once, &sleeper);

		until_waits(thread_of(running));
		lck_mtx_lock(&declared); /* it has been dropped */
		assert_int_equal(thread_wakeup(&sleeper), KERN_SUCCESS);
		lck_mtx_unlock(&declared);
		thread_join(running);
		assert_int_equal(sleeper.result, THREAD_AWAKENED);
	}
}

static void
lck_mtx_sleep_gives_what_the_waker_gave_and_keeps_deadlines(void **state)
{
	struct sleeper sleeper = { &declared, LCK_SLEEP_DEFAULT, 0, -1 };
	struct running *running = thread_run_kpi(sleep_once, &sleeper);

	until_waits(thread_of(running));
	assert_int_equal(thread_wakeup_with_result(&sleeper, THREAD_RESTART), KERN_SUCCESS);
	thread_join(running);
	assert_int_equal(sleeper.result, THREAD_RESTART);

	clock_interval_to_deadline(5, kMillisecondScale, &sleeper.deadline);
	sleep_once(&sleeper);
	assert_int_equal(sleeper.result, THREAD_TIMED_OUT);
	sleeper.deadline = 1; /* long past */
	sleeper.action = LCK_SLEEP_UNLOCK;
	sleep_once(&sleeper);
	assert_int_equal(sleeper.result, THREAD_TIMED_OUT);
}

static void
sleep_without_the_mutex(void)
{
	lck_mtx_sleep(&declared, LCK_SLEEP_DEFAULT, &group, THREAD_UNINT);
}

static void
sleep_with_an_unknown_action(void)
{
	lck_mtx_lock(&declared);
	lck_mtx_sleep(&declared, 0x1000, &group, THREAD_UNINT);
}

static void
wrong_sleeps_are_panics(void **state)
{
	assert_panics(sleep_without_the_mutex, "is not held by this thread");
	assert_panics(sleep_with_an_unknown_action, "there is no action 0x1000");
}

/* ---- spin locks -------------------------------------------------------------------------- */

static void
count_under_spin(void *argument)
{
	lck_spin_t *lock = argument;

	for (int i = 0; i < ROUNDS; i++) {
		lck_spin_lock(lock);
		counter++;
		lck_spin_unlock(lock);
	}
}

static void
a_spin_lock_lets_one_thread_in(void **state)
{
	lck_spin_t *lock = lck_spin_alloc_init(&group, LCK_ATTR_NULL);

	counter = 0;
	run_many(4, count_under_spin, lock);
	assert_int_equal(counter, 4 * ROUNDS);
	assert_true(lck_spin_try_lock(lock));
	assert_false(lck_spin_try_lock(lock));
	lck_spin_unlock(lock);
	lck_spin_free(lock, &group);
	counter = 0;
	run_many(2, count_under_spin, &declared_spin);
	assert_int_equal(counter, 2 * ROUNDS);
}

static void
sleep_in_spin(void)
{
	lck_spin_lock(&declared_spin);
	IOSleep(1);
}

static void
spin_twice(void)
{
	lck_spin_lock(&declared_spin);
	lck_spin_lock(&declared_spin);
}

static void
whoever_holds_a_spin_lock_must_not_sleep(void **state)
{
	assert_panics(sleep_in_spin, "holds 1 spin lock(s) sleeps");
	assert_panics(spin_twice, "is held by this thread already");
	lck_spin_lock(&declared_spin);
	lck_spin_unlock(&declared_spin);
	IOSleep(1);
}

/* ---- IOKit's ----------------------------------------------------------------------------- */

struct iosleeper {
	IOLock *lock;
	IORecursiveLock *recursive;
	int result;
	int deeper;
};

static void
iolock_sleep(void *argument)
{
	struct iosleeper *sleeper = argument;

	IOLockLock(sleeper->lock);
	sleeper->result = IOLockSleep(sleeper->lock, sleeper, THREAD_UNINT);
	IOLockAssert(sleeper->lock, kIOLockAssertOwned);
	IOLockUnlock(sleeper->lock);
}

static void
an_iolock_is_a_mutex_to_sleep_and_wake_with(void **state)
{
	struct iosleeper sleeper = { .lock = IOLockAlloc(), .result = -1 };
	struct running *running = thread_run_kpi(iolock_sleep, &sleeper);
	AbsoluteTime deadline;

	until_waits(thread_of(running));
	IOLockLock(sleeper.lock);
	assert_false(IOLockTryLock(sleeper.lock));
	IOLockWakeup(sleeper.lock, &sleeper, true);
	clock_interval_to_deadline(1, kMillisecondScale, &deadline);
	assert_int_equal(IOLockSleepDeadline(sleeper.lock, &deadline, deadline, THREAD_UNINT),
			 THREAD_TIMED_OUT);
	IOLockUnlock(sleeper.lock);
	thread_join(running);
	assert_int_equal(sleeper.result, THREAD_AWAKENED);
	assert_ptr_equal(IOLockGetMachLock(sleeper.lock), sleeper.lock);
	IOLockFree(sleeper.lock);
}

static void
recursive_sleep(void *argument)
{
	struct iosleeper *sleeper = argument;

	for (int i = 0; i < 3; i++)
		IORecursiveLockLock(sleeper->recursive);
	sleeper->result = IORecursiveLockSleep(sleeper->recursive, sleeper, THREAD_UNINT);
	sleeper->deeper = IORecursiveLockTryLock(sleeper->recursive);
	for (int i = 0; i < 4; i++) {
		assert_true(IORecursiveLockHaveLock(sleeper->recursive));
		IORecursiveLockUnlock(sleeper->recursive);
	}
	assert_false(IORecursiveLockHaveLock(sleeper->recursive));
}

static void
a_recursive_lock_drops_all_levels_to_sleep(void **state)
{
	struct iosleeper sleeper = { .recursive = IORecursiveLockAlloc(), .result = -1 };
	struct running *running = thread_run_kpi(recursive_sleep, &sleeper);

	until_waits(thread_of(running));
	IORecursiveLockLock(sleeper.recursive);
	IORecursiveLockWakeup(sleeper.recursive, &sleeper, false);
	IORecursiveLockUnlock(sleeper.recursive);
	thread_join(running);
	assert_int_equal(sleeper.result, THREAD_AWAKENED);
	assert_true(sleeper.deeper);
	IORecursiveLockFree(sleeper.recursive);
}

static IORecursiveLock *shared_recursive;

static void
count_recursively(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		IORecursiveLockLock(shared_recursive);
		IORecursiveLockLock(shared_recursive);
		counter++;
		IORecursiveLockUnlock(shared_recursive);
		IORecursiveLockUnlock(shared_recursive);
	}
}

static void
unlock_recursive_unheld(void)
{
	IORecursiveLockUnlock(shared_recursive);
}

static void
a_recursive_lock_lets_one_thread_in(void **state)
{
	shared_recursive = IORecursiveLockAlloc();
	counter = 0;
	run_many(3, count_recursively, NULL);
	assert_int_equal(counter, 3 * ROUNDS);
	assert_panics(unlock_recursive_unheld, "is not held by this thread");
	IORecursiveLockFree(shared_recursive);
}

static void
simple_and_rw_locks_of_iokit_work(void **state)
{
	IOSimpleLock *simple = IOSimpleLockAlloc();
	IOInterruptState interrupts = IOSimpleLockLockDisableInterrupt(simple);
	IORWLock *rw = IORWLockAlloc();

	assert_false(IOSimpleLockTryLock(simple));
	IOSimpleLockUnlockEnableInterrupt(simple, interrupts);
	IOSimpleLockLock(simple);
	IOSimpleLockUnlock(simple);
	IOSimpleLockFree(simple);
	IORWLockRead(rw);
	IORWLockRead(rw);
	IORWLockUnlock(rw);
	IORWLockUnlock(rw);
	IORWLockWrite(rw);
	IORWLockUnlock(rw);
	IORWLockFree(rw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mutex_lets_one_thread_in),
		cmocka_unit_test(a_declared_mutex_works_without_any_call_before),
		cmocka_unit_test(try_lock_says_whether_it_took_the_mutex),
		cmocka_unit_test(wrong_use_of_a_mutex_is_a_panic_that_names_its_group),
		cmocka_unit_test(assertions_look_at_the_owner),
		cmocka_unit_test(a_group_lives_on_while_locks_are_in_it),
		cmocka_unit_test(a_static_group_cannot_be_freed),
		cmocka_unit_test(lck_mtx_sleep_drops_the_mutex_and_does_what_it_was_told_after),
		cmocka_unit_test(lck_mtx_sleep_gives_what_the_waker_gave_and_keeps_deadlines),
		cmocka_unit_test(wrong_sleeps_are_panics),
		cmocka_unit_test(a_spin_lock_lets_one_thread_in),
		cmocka_unit_test(whoever_holds_a_spin_lock_must_not_sleep),
		cmocka_unit_test(an_iolock_is_a_mutex_to_sleep_and_wake_with),
		cmocka_unit_test(a_recursive_lock_drops_all_levels_to_sleep),
		cmocka_unit_test(a_recursive_lock_lets_one_thread_in),
		cmocka_unit_test(simple_and_rw_locks_of_iokit_work),
	};

	return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
