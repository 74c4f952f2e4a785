/*
 * Threads of the kernel, and thread calls.
 */
#include "tests/kpi/support.h"

#include "kexts/host/call.h"
#include "kexts/host/thread.h"

#include <IOKit/IOLib.h>
#include <kern/locks.h>
#include <kern/thread_call.h>
#include <sys/kauth.h>
#include <sys/proc.h>
#include <sys/systm.h>

#include <stdatomic.h>
#include <string.h>

static _Atomic int count, concurrent, most_concurrent;
static char channel;

static void
until_count(int wanted)
{
	while (atomic_load(&count) < wanted)
		IOSleep(1);
}

static void
until_no_threads(void)
{
	while (thread_kernel_count() > 0)
		IOSleep(1);
}

/* ---- threads --------------------------------------------------------------------------- */

static struct {
	void *parameter;
	wait_result_t result;
	thread_t itself;
	int pid;
	uid_t uid;
	_Atomic bool done;
} seen;

static void
look(void *parameter, wait_result_t result)
{
	seen.parameter = parameter;
	seen.result = result;
	seen.itself = current_thread();
	seen.pid = proc_selfpid();
	seen.uid = kauth_getuid();
	atomic_store(&seen.done, true);
}

static void
a_kernel_thread_gets_its_parameter_and_runs_for_the_kernel(void **state)
{
	struct host_call call = { .caller = { .pid = 77, .euid = 77 } };
	thread_t thread = THREAD_NULL;

	host_call_set_current(&call); /* is not inherited */
	assert_int_equal(kernel_thread_start(look, &channel, &thread), KERN_SUCCESS);
	host_call_set_current(NULL);
	while (!atomic_load(&seen.done))
		IOSleep(1);
	assert_ptr_equal(seen.parameter, &channel);
	assert_int_equal(seen.result, THREAD_AWAKENED);
	assert_ptr_equal(seen.itself, thread);
	assert_int_equal(seen.pid, 0);
	assert_int_equal(seen.uid, 0);
	until_no_threads();
	assert_int_not_equal(thread_tid(thread), thread_tid(current_thread()));
	thread_set_thread_name(thread, "has ended"); /* nothing */
	thread_reference(thread);
	thread_deallocate(thread);
	thread_deallocate(thread); /* outlived its thread until now */
}

static void
kernel_thread_start_refuses_nonsense(void **state)
{
	thread_t thread;

	assert_int_equal(kernel_thread_start(NULL, NULL, &thread), KERN_INVALID_ARGUMENT);
	assert_int_equal(kernel_thread_start(look, NULL, NULL), KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_terminate(THREAD_NULL), KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_terminate(current_thread()), KERN_FAILURE); /* the host's */
}

static void
terminate(void *parameter, wait_result_t result)
{
	struct running *other = parameter;

	assert_int_equal(thread_terminate(thread_of(other)), KERN_FAILURE);
	(void)assert_wait(&channel, THREAD_UNINT); /* goes with it */
	atomic_fetch_add(&count, 1);
	thread_terminate(current_thread());
	atomic_fetch_add(&count, 100);
}

static void
wait_for_channel(void *unused)
{
	(void)msleep(&channel, NULL, PZERO, "test", NULL);
}

static void
thread_terminate_ends_the_thread_that_calls(void **state)
{
	struct running *other = thread_run_kpi(wait_for_channel, NULL);
	thread_t thread;

	until_waits(thread_of(other));
	atomic_store(&count, 0);
	assert_int_equal(kernel_thread_start(terminate, other, &thread), KERN_SUCCESS);
	thread_deallocate(thread);
	until_count(1);
	while (thread_kernel_count() > 1)
		IOSleep(1);
	assert_int_equal(atomic_load(&count), 1);
	wakeup(&channel);
	thread_join(other);
	until_no_threads();
}

static void
io_thread(void *argument)
{
	assert_ptr_equal(argument, &channel);
	thread_set_thread_name(current_thread(), "a name of far more than 15 bytes");
	atomic_fetch_add(&count, 1);
	IOExitThread();
}

static void
threads_of_iokit_end_alike(void **state)
{
	atomic_store(&count, 0);
	assert_non_null(IOCreateThread(io_thread, &channel));
	assert_null(IOCreateThread(NULL, NULL));
	until_count(1);
	until_no_threads();
}

static void
exit_host_thread(void)
{
	IOExitThread();
}

static void
continue_host_thread(void)
{
	(void)thread_block(look);
}

static void
wrong_use_of_threads_is_a_panic(void **state)
{
	assert_panics(exit_host_thread, "this thread belongs to the host");
	assert_panics(continue_host_thread, "only a thread of kernel_thread_start()");
}

#define CONTINUATIONS 50000

static void *first_frame;

static void
go_on(void *parameter, wait_result_t result)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	int round = atomic_fetch_add(&count, 1);

	if (round == 0)
		first_frame = (void *)here;
	/* the stack does not grow */
	assert_true(here >= (uintptr_t)first_frame - 4096 && here <= (uintptr_t)first_frame + 4096);
	assert_ptr_equal(parameter, (void *)(intptr_t)round);
	assert_int_equal(result, round == 0 ? THREAD_AWAKENED : THREAD_TIMED_OUT);
	if (round + 1 == CONTINUATIONS)
		return;
	(void)assert_wait_deadline(&channel, THREAD_UNINT, 1);
	(void)thread_block_parameter(go_on, (void *)(intptr_t)(round + 1));
	atomic_fetch_add(&count, CONTINUATIONS); /* never */
}

static void
continuations_need_no_stack(void **state)
{
	thread_t thread;

	atomic_store(&count, 0);
	assert_int_equal(kernel_thread_start(go_on, NULL, &thread), KERN_SUCCESS);
	thread_deallocate(thread);
	until_no_threads();
	assert_int_equal(atomic_load(&count), CONTINUATIONS);
}

/* ---- thread calls -------------------------------------------------------------------------- */

static _Atomic bool gate; /* held() ends when it is open */
static void *_Atomic last_param0, *_Atomic last_param1;

static void
count_one(void *param0, void *param1)
{
	last_param0 = param0;
	last_param1 = param1;
	atomic_fetch_add(&count, 1);
}

static void
held(void *param0, void *param1)
{
	int now = atomic_fetch_add(&concurrent, 1) + 1;
	int most = atomic_load(&most_concurrent);

	while (now > most && !atomic_compare_exchange_weak(&most_concurrent, &most, now))
		;
	atomic_fetch_add(&count, 1);
	while (!atomic_load(&gate))
		IOSleep(1);
	atomic_fetch_sub(&concurrent, 1);
}

static void
begin(void)
{
	atomic_store(&count, 0);
	atomic_store(&concurrent, 0);
	atomic_store(&most_concurrent, 0);
	atomic_store(&gate, false);
}

static void
a_call_runs_once_for_each_time_it_is_entered(void **state)
{
	thread_call_t call = thread_call_allocate(count_one, &count);

	begin();
	for (int i = 1; i <= 50; i++) {
		assert_false(thread_call_enter1(call, &channel));
		until_count(i);
		assert_false(thread_call_cancel_wait(call));
		assert_false(thread_call_isactive(call));
	}
	assert_ptr_equal(atomic_load(&last_param0), &count);
	assert_ptr_equal(atomic_load(&last_param1), &channel);
	assert_false(thread_call_enter(call));
	until_count(51);
	(void)thread_call_cancel_wait(call);
	assert_null(atomic_load(&last_param1));
	assert_true(thread_call_free(call));
	assert_null(thread_call_allocate(NULL, NULL));
}

static uint64_t
soon(unsigned milliseconds)
{
	uint64_t deadline;

	clock_interval_to_deadline(milliseconds, kMillisecondScale, &deadline);
	return deadline;
}

static void
what_is_pending_is_not_queued_twice(void **state)
{
	thread_call_t call = thread_call_allocate(count_one, NULL);
	uint64_t never = UINT64_MAX;

	begin();
	assert_false(thread_call_enter_delayed(call, never));
	assert_true(thread_call_isactive(call));
	assert_true(thread_call_enter1_delayed(call, &channel, soon(100000))); /* armed anew */
	assert_false(thread_call_free(call));                                  /* pending */
	assert_true(thread_call_enter(call));                                  /* now, and once */
	until_count(1);
	(void)thread_call_cancel_wait(call);
	assert_int_equal(atomic_load(&count), 1);
	assert_false(thread_call_cancel(call));

	assert_false(thread_call_enter_delayed(call, soon(100000)));
	assert_true(thread_call_cancel(call));
	assert_false(thread_call_cancel(call));
	assert_false(thread_call_isactive(call));
	assert_int_equal(atomic_load(&count), 1);
	assert_true(thread_call_free(call));
}

static void
a_running_call_may_be_entered_again_and_freed(void **state)
{
	thread_call_t call = thread_call_allocate(held, NULL);

	begin();
	assert_false(thread_call_enter(call));
	until_count(1);
	assert_true(thread_call_isactive(call));
	assert_false(thread_call_cancel(call)); /* it runs: not pending; goes on */
	assert_false(thread_call_enter(call));
	until_count(2); /* beside the first */
	assert_int_equal(atomic_load(&concurrent), 2);
	assert_true(thread_call_free(call)); /* when it is over */
	atomic_store(&gate, true);
	while (atomic_load(&concurrent) > 0)
		IOSleep(1);
}

static void
with_ONCE_it_never_runs_twice_at_the_same_time(void **state)
{
	thread_call_t call = thread_call_allocate_with_options(
	    held, NULL, THREAD_CALL_PRIORITY_HIGH, THREAD_CALL_OPTIONS_ONCE);

	begin();
	assert_false(thread_call_enter(call));
	until_count(1);
	assert_false(thread_call_enter(call));
	assert_true(thread_call_enter(call)); /* waits for the first to end */
	IOSleep(20);
	assert_int_equal(atomic_load(&count), 1);
	atomic_store(&gate, true);
	until_count(2);
	assert_int_equal(atomic_load(&most_concurrent), 1);
	(void)thread_call_cancel_wait(call);
	assert_true(thread_call_free(call));
}

static thread_call_t waited;
static _Atomic bool wait_is_over;

static void
cancel_and_wait(void *unused)
{
	(void)thread_call_cancel_wait(waited);
	assert_int_equal(atomic_load(&concurrent), 0);
	atomic_store(&wait_is_over, true);
}

static void
cancel_wait_waits_for_the_run_under_way(void **state)
{
	begin();
	waited = thread_call_allocate(held, NULL);
	(void)thread_call_enter(waited);
	until_count(1);
	struct running *running = thread_run_kpi(cancel_and_wait, NULL);
	IOSleep(20);
	assert_false(atomic_load(&wait_is_over));
	atomic_store(&gate, true);
	thread_join(running);
	assert_true(thread_call_free(waited));
}

static void
wait_for_oneself(void *param0, void *param1)
{
	(void)thread_call_cancel_wait(waited);
}

static void
cancel_wait_in_the_call(void)
{
	waited = thread_call_allocate(wait_for_oneself, NULL);
	(void)thread_call_enter(waited);
	for (;;)
		IOSleep(100);
}

static void
enter_freed(void)
{
	/* its memory is the allocator's again, but what was there before was no call */
	static uint64_t no_call[32];

	(void)thread_call_enter((thread_call_t)(void *)no_call);
}

static void
wrong_use_of_calls_is_a_panic(void **state)
{
	assert_panics(cancel_wait_in_the_call, "would wait for itself");
	assert_panics(enter_freed, "is no thread call");
}

static void
of_many_delayed_calls_those_not_cancelled_run(void **state)
{
	enum { CALLS = 24 };
	thread_call_t calls[CALLS];
	uint64_t base = soon(20);

	begin();
	for (int i = 0; i < CALLS; i++) {
		int place = i * 7 % CALLS;

		calls[i] = thread_call_allocate(count_one, NULL);
		(void)thread_call_enter_delayed(calls[i], base + (uint64_t)place * NSEC_PER_MSEC);
	}
	for (int i = 0; i < CALLS; i += 2) /* every other is taken out, from amid the heap */
		assert_true(thread_call_cancel(calls[i]));
	until_count(CALLS / 2);
	assert_true(mach_absolute_time() > base); /* not before their time */
	for (int i = 0; i < CALLS; i++) {
		(void)thread_call_cancel_wait(calls[i]);
		assert_true(thread_call_free(calls[i]));
	}
	assert_int_equal(atomic_load(&count), CALLS / 2);
}

static void
a_deadline_that_is_past_is_now_and_an_earlier_one_counts(void **state)
{
	thread_call_t far = thread_call_allocate(count_one, NULL);
	thread_call_t near = thread_call_allocate(count_one, NULL);

	begin();
	(void)thread_call_enter_delayed(far, soon(1000000));
	(void)thread_call_enter_delayed(near, 0);
	until_count(1);
	assert_true(thread_call_enter_delayed(far, soon(1))); /* earlier */
	until_count(2);
	(void)thread_call_cancel_wait(far);
	(void)thread_call_cancel_wait(near);
	assert_true(thread_call_free(far));
	assert_true(thread_call_free(near));
}

static void
calls_that_sleep_do_not_hold_up_others(void **state)
{
	enum { SLEEPERS = 20 };
	thread_call_t sleepers[SLEEPERS], quick = thread_call_allocate(count_one, NULL);

	begin();
	for (int i = 0; i < SLEEPERS; i++) {
		sleepers[i] = thread_call_allocate(held, NULL);
		(void)thread_call_enter(sleepers[i]);
	}
	(void)thread_call_enter(quick);
	until_count(SLEEPERS + 1);
	assert_int_equal(atomic_load(&concurrent), SLEEPERS);
	atomic_store(&gate, true);
	for (int i = 0; i < SLEEPERS; i++) {
		(void)thread_call_cancel_wait(sleepers[i]);
		assert_true(thread_call_free(sleepers[i]));
	}
	(void)thread_call_cancel_wait(quick);
	assert_true(thread_call_free(quick));
}

static thread_call_t shared_calls[4];
static _Atomic int entered[4], ran[4];

static void
ran_one(void *param0, void *param1)
{
	atomic_fetch_add(&ran[(intptr_t)param0], 1);
}

static void
enter_and_cancel(void *unused)
{
	unsigned seed = (unsigned)thread_tid(current_thread());

	for (int i = 0; i < 3000; i++) {
		unsigned which = (seed = seed * 1103515245 + 12345) >> 16 & 3;
		thread_call_t call = shared_calls[which];

		switch (seed >> 20 & 3) {
		case 0:
			atomic_fetch_add(&entered[which], !thread_call_enter(call));
			break;
		case 1:
			atomic_fetch_add(&entered[which],
					 !thread_call_enter_delayed(call, mach_absolute_time() +
									      (seed & 0xffff)));
			break;
		case 2:
			atomic_fetch_sub(&entered[which], thread_call_cancel(call));
			break;
		case 3:
			atomic_fetch_sub(&entered[which], thread_call_cancel_wait(call));
			break;
		}
	}
}

static void
each_entered_call_runs_or_is_cancelled(void **state)
{
	for (size_t i = 0; i < COUNT_OF(shared_calls); i++) {
		shared_calls[i] = thread_call_allocate(ran_one, (void *)i);
		entered[i] = ran[i] = 0;
	}
	run_many(4, enter_and_cancel, NULL);
	for (size_t i = 0; i < COUNT_OF(shared_calls); i++) {
		entered[i] -= thread_call_cancel_wait(shared_calls[i]);
		assert_int_equal(entered[i], ran[i]);
		assert_true(thread_call_free(shared_calls[i]));
	}
}

/* ---- bsd_timeout --------------------------------------------------------------------------- */

static void
timed_out(void *argument)
{
	assert_ptr_equal(argument, &channel);
	atomic_fetch_add(&count, 1);
}

static void
bsd_timeouts_run_once_unless_taken_back(void **state)
{
	struct timespec shortly = { 0, 1000000 }, late = { 1000, 0 };

	begin();
	bsd_timeout(timed_out, &channel, &shortly);
	bsd_timeout(timed_out, &channel, NULL);
	bsd_timeout(timed_out, &count, &late); /* would fail */
	bsd_timeout(timed_out, &channel, &late);
	bsd_untimeout(timed_out, &count);
	until_count(2);
	bsd_untimeout(timed_out, &channel);
	bsd_untimeout(timed_out, &channel); /* nothing */
	assert_int_equal(atomic_load(&count), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: a forked process has none of the threads that run calls */
		cmocka_unit_test(wrong_use_of_calls_is_a_panic),
		cmocka_unit_test(a_kernel_thread_gets_its_parameter_and_runs_for_the_kernel),
		cmocka_unit_test(kernel_thread_start_refuses_nonsense),
		cmocka_unit_test(thread_terminate_ends_the_thread_that_calls),
		cmocka_unit_test(threads_of_iokit_end_alike),
		cmocka_unit_test(wrong_use_of_threads_is_a_panic),
		cmocka_unit_test(continuations_need_no_stack),
		cmocka_unit_test(a_call_runs_once_for_each_time_it_is_entered),
		cmocka_unit_test(what_is_pending_is_not_queued_twice),
		cmocka_unit_test(a_running_call_may_be_entered_again_and_freed),
		cmocka_unit_test(with_ONCE_it_never_runs_twice_at_the_same_time),
		cmocka_unit_test(cancel_wait_waits_for_the_run_under_way),
		cmocka_unit_test(of_many_delayed_calls_those_not_cancelled_run),
		cmocka_unit_test(a_deadline_that_is_past_is_now_and_an_earlier_one_counts),
		cmocka_unit_test(calls_that_sleep_do_not_hold_up_others),
		cmocka_unit_test(each_entered_call_runs_or_is_cancelled),
		cmocka_unit_test(bsd_timeouts_run_once_unless_taken_back),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
