/*
 * Single threads that are stopped, interrupted and ended: of this task and of others.
 */
#include "other_process.h"
#include "tests/support/memcheck.h"

#include <mach/clock.h>
#include <mach/mach_time.h>
#include <mach/mach_traps.h>
#include <mach/semaphore.h>
#include <mach/thread_act.h>
#include <mach/thread_info.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>

#define LOOKS 2000 /* of 10 milliseconds each */

#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER
#endif
#endif

#ifdef HAS_THREAD_SANITIZER
/* A child of a process with threads starts one, which the sanitizer does not like to see. */
const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
	return "die_after_fork=0";
}
#endif

/* A thread that counts, or waits in some way, and says how that ended. */
struct worker {
	pthread_t thread;
	mach_port_t port; /* a send right, the test's */
	kern_return_t (*waits)(struct worker *worker);
	mach_port_t object; /* what it waits for */
	_Atomic uint64_t count;
	_Atomic bool is_there, is_over;
	_Atomic kern_return_t result;
};

static void *
work(void *argument)
{
	struct worker *worker = argument;

	worker->port = mach_thread_self();
	atomic_store(&worker->is_there, true);
	if (worker->waits != NULL)
		atomic_store(&worker->result, worker->waits(worker));
	else
		while (!atomic_load(&worker->is_over))
			atomic_fetch_add(&worker->count, 1);
	atomic_store(&worker->is_over, true);
	return argument;
}

static void
worker_start(struct worker *worker)
{
	assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
	while (!atomic_load(&worker->is_there))
		sched_yield();
}

static void
worker_end(struct worker *worker)
{
	if (worker->waits == NULL)
		atomic_store(&worker->is_over, true);
	assert_int_equal(pthread_join(worker->thread, NULL), 0);
	right_end(worker->port);
}

static bool
counts(struct worker *worker)
{
	uint64_t before = atomic_load(&worker->count);

	for (int i = 0; i < 20; i++) {
		usleep(10000);
		if (atomic_load(&worker->count) != before)
			return true;
	}
	return false;
}

static bool
is_over(struct worker *worker)
{
	for (int i = 0; i < LOOKS && !atomic_load(&worker->is_over); i++)
		usleep(10000);
	return atomic_load(&worker->is_over);
}

static thread_basic_info_data_t
info_of(mach_port_t thread)
{
	thread_basic_info_data_t info;
	mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

	assert_int_equal(thread_info(thread, THREAD_BASIC_INFO, (thread_info_t)&info, &count),
			 KERN_SUCCESS);
	return info;
}

/* Until the thread sleeps: in whatever it waits for. */
static void
await_sleep(mach_port_t thread)
{
	for (int i = 0; i < LOOKS && info_of(thread).run_state != TH_STATE_WAITING; i++)
		usleep(10000);
	usleep(20000);
}

/* ---- stopping ------------------------------------------------------------------------------- */

static void
a_suspended_thread_stands_still_until_it_is_resumed_as_often(void **state)
{
	struct worker worker = { 0 };

	worker_start(&worker);
	assert_true(counts(&worker));
	assert_int_equal(thread_resume(worker.port), KERN_FAILURE);
	assert_int_equal(thread_suspend(worker.port), KERN_SUCCESS);
	assert_false(counts(&worker));
	assert_int_equal(thread_suspend(worker.port), KERN_SUCCESS);
	assert_int_equal(info_of(worker.port).suspend_count, 2);
	assert_int_equal(info_of(worker.port).run_state, TH_STATE_STOPPED);
	assert_int_equal(thread_resume(worker.port), KERN_SUCCESS);
	assert_false(counts(&worker));
	assert_int_equal(thread_resume(worker.port), KERN_SUCCESS);
	assert_true(counts(&worker));
	assert_int_equal(thread_resume(worker.port), KERN_FAILURE);
	assert_int_equal(info_of(worker.port).suspend_count, 0);
	worker_end(&worker);
}

static kern_return_t
count_deaf(struct worker *worker)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!atomic_load(&worker->is_over))
		atomic_fetch_add(&worker->count, 1);
	return KERN_SUCCESS;
}

static void
a_thread_that_blocks_all_signals_is_stopped_too(void **state)
{
	struct worker worker = { .waits = count_deaf };

	worker_start(&worker);
	assert_true(counts(&worker));
	assert_int_equal(thread_suspend(worker.port), KERN_SUCCESS);
	assert_false(counts(&worker));
	assert_int_equal(thread_resume(worker.port), KERN_SUCCESS);
	assert_true(counts(&worker));
	atomic_store(&worker.is_over, true);
	worker_end(&worker);
}

static kern_return_t
suspend_itself(struct worker *worker)
{
	return thread_suspend(worker->port);
}

static void
a_thread_suspends_itself_until_another_resumes_it(void **state)
{
	struct worker worker = { .waits = suspend_itself };

	worker_start(&worker);
	for (int i = 0; i < LOOKS && info_of(worker.port).run_state != TH_STATE_STOPPED; i++)
		usleep(10000);
	assert_false(atomic_load(&worker.is_over));
	assert_int_equal(thread_resume(worker.port), KERN_SUCCESS);
	assert_true(is_over(&worker));
	assert_int_equal(worker.result, KERN_SUCCESS);
	worker_end(&worker);
}

static kern_return_t
wait_for_message(struct worker *worker)
{
	struct number_message message;

	return mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_INTERRUPT, 0, sizeof(message),
			worker->object, 0, MACH_PORT_NULL);
}

static kern_return_t
wait_for_message_with_time(struct worker *worker)
{
	struct number_message message;

	return mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_INTERRUPT | MACH_RCV_TIMEOUT, 0,
			sizeof(message), worker->object, 100000, MACH_PORT_NULL);
}

static kern_return_t
wait_for_room(struct worker *worker)
{
	struct number_message message = number_to(worker->object, 1);

	return mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_INTERRUPT, NUMBER_SIZE, 0,
			MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

static kern_return_t
wait_for_semaphore(struct worker *worker)
{
	return semaphore_wait(worker->object);
}

static kern_return_t
wait_for_time(struct worker *worker)
{
	return mach_wait_until(mach_absolute_time() + 100000000000u);
}

static kern_return_t
wait_for_clock(struct worker *worker)
{
	mach_timespec_t time = { 100, 0 }, woken;

	return clock_sleep(MACH_PORT_NULL, TIME_RELATIVE, time, &woken);
}

static semaphore_t
semaphore_new(void)
{
	semaphore_t semaphore;

	assert_int_equal(semaphore_create(mach_task_self(), &semaphore, 0, 0), KERN_SUCCESS);
	return semaphore;
}

static void
what_a_suspended_thread_waits_for_goes_on(void **state)
{
	struct worker receives = { .waits = wait_for_message, .object = port_new() };
	struct worker timed = { .waits = wait_for_message_with_time, .object = port_new() };
	struct worker waits = { .waits = wait_for_semaphore, .object = semaphore_new() };
	struct worker sleeps = { .waits = wait_for_time };
	struct worker *all[] = { &receives, &timed, &waits, &sleeps };

	for (int i = 0; i < 4; i++) {
		worker_start(all[i]);
		await_sleep(all[i]->port);
		for (int round = 0; round < 3; round++) {
			assert_int_equal(thread_suspend(all[i]->port), KERN_SUCCESS);
			if (round == 0)
				assert_int_equal(info_of(all[i]->port).suspend_count, 1);
			assert_int_equal(thread_resume(all[i]->port), KERN_SUCCESS);
		}
		usleep(20000);
		assert_false(atomic_load(&all[i]->is_over));
	}
	/* what comes meanwhile is taken, and the program sees it when it may go on */
	for (int i = 0; i < 3; i++)
		assert_int_equal(thread_suspend(all[i]->port), KERN_SUCCESS);
	assert_int_equal(send_number(receives.object, 1), MACH_MSG_SUCCESS);
	assert_int_equal(send_number(timed.object, 1), MACH_MSG_SUCCESS);
	assert_int_equal(semaphore_signal(waits.object), KERN_SUCCESS);
	usleep(100000);
	for (int i = 0; i < 3; i++) {
		assert_false(atomic_load(&all[i]->is_over));
		assert_int_equal(thread_resume(all[i]->port), KERN_SUCCESS);
		assert_true(is_over(all[i]));
		assert_int_equal(all[i]->result, KERN_SUCCESS);
		worker_end(all[i]);
	}
	assert_int_equal(thread_abort(sleeps.port), KERN_SUCCESS);
	assert_true(is_over(&sleeps));
	assert_int_equal(sleeps.result, KERN_ABORTED);
	worker_end(&sleeps);
	port_end(receives.object);
	port_end(timed.object);
	assert_int_equal(semaphore_destroy(mach_task_self(), waits.object), KERN_SUCCESS);
}

/* ---- interrupting --------------------------------------------------------------------------- */

static void
abort_ends_each_wait_with_its_own_code(void **state)
{
	mach_port_limits_t limits = { 1 };
	mach_port_t full = port_new();
	struct worker workers[] = {
		{ .waits = wait_for_message, .object = port_new() },
		{ .waits = wait_for_message_with_time, .object = port_new() },
		{ .waits = wait_for_room, .object = full },
		{ .waits = wait_for_semaphore, .object = semaphore_new() },
		{ .waits = wait_for_time },
		{ .waits = wait_for_clock },
	};
	const kern_return_t results[] = {
		MACH_RCV_INTERRUPTED, MACH_RCV_INTERRUPTED, MACH_SEND_INTERRUPTED,
		KERN_ABORTED,         KERN_ABORTED,         KERN_ABORTED,
	};

	assert_int_equal(mach_port_set_attributes(mach_task_self(), full, MACH_PORT_LIMITS_INFO,
						  (mach_port_info_t)&limits,
						  MACH_PORT_LIMITS_INFO_COUNT),
			 KERN_SUCCESS);
	assert_int_equal(send_number(full, 1), MACH_MSG_SUCCESS);
	for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
		struct worker *worker = &workers[i];

		worker_start(worker);
		await_sleep(worker->port);
		if (i % 2 == 0)
			assert_int_equal(thread_abort(worker->port), KERN_SUCCESS);
		else
			assert_int_equal(thread_abort_safely(worker->port), KERN_SUCCESS);
		assert_true(is_over(worker));
		assert_int_equal(worker->result, results[i]);
		worker_end(worker);
	}
	port_end(workers[0].object);
	port_end(workers[1].object);
	port_end(full);
	assert_int_equal(semaphore_destroy(mach_task_self(), workers[3].object), KERN_SUCCESS);
}

static void
abort_leaves_a_thread_that_runs_alone(void **state)
{
	struct worker worker = { 0 };

	worker_start(&worker);
	for (int i = 0; i < 10; i++)
		assert_int_equal(thread_abort(worker.port), KERN_SUCCESS);
	assert_true(counts(&worker));
	mach_port_t self = mach_thread_self();
	assert_int_equal(thread_abort(self), KERN_SUCCESS);
	right_end(self);
	worker_end(&worker);
}

/* ---- registers ------------------------------------------------------------------------------ */

static void
the_registers_of_a_stopped_thread_can_be_read(void **state)
{
	struct worker worker = { 0 };
	x86_thread_state64_t registers, again;
	mach_msg_type_number_t count = x86_THREAD_STATE64_COUNT;

	worker_start(&worker);
	assert_int_equal(
	    thread_get_state(worker.port, x86_THREAD_STATE64, (thread_state_t)&registers, &count),
	    KERN_FAILURE);
	assert_int_equal(thread_suspend(worker.port), KERN_SUCCESS);
	count = x86_THREAD_STATE64_COUNT;
	assert_int_equal(
	    thread_get_state(worker.port, x86_THREAD_STATE64, (thread_state_t)&registers, &count),
	    KERN_SUCCESS);
	assert_true(registers.__rip != 0 && registers.__rsp != 0);
	assert_int_equal(
	    thread_set_state(worker.port, x86_THREAD_STATE64, (thread_state_t)&registers, count),
	    KERN_SUCCESS);
	count = x86_THREAD_STATE64_COUNT;
	assert_int_equal(
	    thread_get_state(worker.port, x86_THREAD_STATE64, (thread_state_t)&again, &count),
	    KERN_SUCCESS);
	assert_memory_equal(&registers, &again, sizeof(again));
	assert_int_equal(thread_resume(worker.port), KERN_SUCCESS);
	assert_true(counts(&worker));
	worker_end(&worker);
}

/* ---- ending --------------------------------------------------------------------------------- */

static kern_return_t
end_itself(struct worker *worker)
{
	mach_port_t self = mach_thread_self();

	thread_terminate(self);
	return KERN_SUCCESS; /* not reached */
}

/* The thread sanitizer would wait for what its own end of a thread says, which never comes. */
static void
await_terminated(pthread_t thread)
{
#ifdef HAS_THREAD_SANITIZER
	pthread_detach(thread);
#else
	assert_int_equal(pthread_join(thread, NULL), 0);
#endif
}

static void
a_terminated_thread_is_gone_whatever_it_did(void **state)
{
	struct worker workers[] = {
		{ 0 },
		{ .waits = wait_for_message, .object = port_new() },
		{ .waits = wait_for_message_with_time, .object = port_new() },
		{ .waits = wait_for_semaphore, .object = semaphore_new() },
		{ .waits = wait_for_time },
		{ .waits = suspend_itself },
		{ .waits = end_itself },
	};

	for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
		struct worker *worker = &workers[i];

		worker_start(worker);
		if (worker->waits == suspend_itself)
			while (info_of(worker->port).run_state != TH_STATE_STOPPED)
				usleep(10000);
		else if (worker->waits != NULL && worker->waits != end_itself)
			await_sleep(worker->port);
		if (worker->waits != end_itself)
			assert_int_equal(thread_terminate(worker->port), KERN_SUCCESS);
		await_terminated(worker->thread);
		assert_false(atomic_load(&worker->is_over));
		task_is_dead(worker->port);
		assert_int_equal(thread_suspend(worker->port), MACH_SEND_INVALID_DEST);
		right_end(worker->port);
	}
	port_end(workers[1].object);
	port_end(workers[2].object);
	assert_int_equal(semaphore_destroy(mach_task_self(), workers[3].object), KERN_SUCCESS);
}

/* ---- other tasks ---------------------------------------------------------------------------- */

static struct worker others;

static uint8_t
start_counting(uint8_t byte)
{
	if (byte == 0) {
		worker_start(&others);
		return 0;
	}
	return counts(&others);
}

static void
a_thread_of_another_task_is_stopped_and_ended_alone(void **state)
{
	struct other other = other_start(start_counting);
	mach_port_t task = other_task(&other);
	thread_act_array_t threads;
	mach_msg_type_number_t count;

	assert_int_equal(other_does(&other, 0), 0);
	assert_int_equal(task_threads(task, &threads, &count), KERN_SUCCESS);
	assert_int_equal(count, 2);
	assert_int_equal(other_does(&other, 1), true);
	assert_int_equal(thread_suspend(threads[1]), KERN_SUCCESS);
	assert_int_equal(other_does(&other, 1), false);
	assert_int_equal(thread_resume(threads[1]), KERN_SUCCESS);
	assert_int_equal(other_does(&other, 1), true);
	assert_int_equal(thread_terminate(threads[1]), KERN_SUCCESS);
	task_is_dead(threads[1]);
	assert_int_equal(other_does(&other, 1), false);
	/* death while suspended */
	assert_int_equal(thread_suspend(threads[0]), KERN_SUCCESS);
	other_end(&other);
	task_is_dead(threads[0]);
	assert_int_equal(thread_resume(threads[0]), MACH_SEND_INVALID_DEST);
	right_end(threads[0]);
	right_end(threads[1]);
	vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof(threads[0]));
	right_end(task);
}

/* As a program does that makes its system calls by itself; or that has become another by exec. */
static uint8_t
lose_the_handler(uint8_t byte)
{
	const uint64_t plain[4] = { 0 };

	return syscall(SYS_rt_sigaction, SIGSTKFLT, plain, NULL, 8) == 0 ? 0 : 1;
}

static void
a_process_that_would_die_of_the_signal_is_not_sent_it(void **state)
{
	if (is_under_memcheck())
		skip(); /* takes every signal itself, whatever the program does with it */
	struct other other = other_start(lose_the_handler);
	mach_port_t task = other_task(&other);
	thread_act_array_t threads;
	mach_msg_type_number_t count;

	assert_int_equal(other_does(&other, 0), 0);
	assert_int_equal(task_threads(task, &threads, &count), KERN_SUCCESS);
	assert_int_equal(count, 1);
	assert_int_equal(thread_suspend(threads[0]), KERN_FAILURE);
	assert_int_equal(thread_abort(threads[0]), KERN_FAILURE);
	assert_int_equal(thread_terminate(threads[0]), KERN_FAILURE);
	assert_int_equal(info_of(threads[0]).suspend_count, 0);
	assert_int_equal(other_does(&other, 0), 0);
	right_end(threads[0]);
	vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof(threads[0]));
	right_end(task);
	other_end(&other);
}

/* A right alone does not do it: Linux must let the process send signals, too. */
static void
another_user_s_thread_is_left_alone(void **state)
{
	mach_port_t self = mach_thread_self();
	int status;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mach_ports_register(mach_task_self(), &self, 1), KERN_SUCCESS);
	pid_t child = fork();
	if (child == 0) {
		mach_port_array_t ports;
		mach_msg_type_number_t count;

		if (mach_ports_lookup(mach_task_self(), &ports, &count) != KERN_SUCCESS ||
		    setresuid(65534, 65534, 65534) != 0)
			_exit(1);
		_exit(thread_suspend(ports[0]) == KERN_NO_ACCESS &&
			      thread_abort(ports[0]) == KERN_NO_ACCESS &&
			      thread_terminate(ports[0]) == KERN_NO_ACCESS
			  ? 0
			  : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(info_of(self).suspend_count, 0);
	assert_int_equal(mach_ports_register(mach_task_self(), NULL, 0), KERN_SUCCESS);
	right_end(self);
}

static void
what_is_no_thread_is_refused(void **state)
{
	mach_port_t receive = port_new();
	const struct {
		mach_port_t name;
		kern_return_t code;
	} cases[] = {
		{ MACH_PORT_NULL, KERN_INVALID_ARGUMENT },
		{ MACH_PORT_DEAD, KERN_INVALID_ARGUMENT },
		{ mach_task_self(), KERN_INVALID_ARGUMENT },
		{ 0x7703, MACH_SEND_INVALID_DEST },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(thread_suspend(cases[i].name), cases[i].code);
		assert_int_equal(thread_resume(cases[i].name), cases[i].code);
		assert_int_equal(thread_abort(cases[i].name), cases[i].code);
		assert_int_equal(thread_abort_safely(cases[i].name), cases[i].code);
		assert_int_equal(thread_terminate(cases[i].name), cases[i].code);
	}
	port_end(receive);
}

static void
the_signal_is_the_library_s(void **state)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	assert_int_equal(sigaction(SIGSTKFLT, &action, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(signal(SIGSTKFLT, SIG_IGN), SIG_ERR);
	raise(SIGSTKFLT); /* nobody is suspended */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_suspended_thread_stands_still_until_it_is_resumed_as_often),
		cmocka_unit_test(a_thread_that_blocks_all_signals_is_stopped_too),
		cmocka_unit_test(a_thread_suspends_itself_until_another_resumes_it),
		cmocka_unit_test(what_a_suspended_thread_waits_for_goes_on),
		cmocka_unit_test(abort_ends_each_wait_with_its_own_code),
		cmocka_unit_test(abort_leaves_a_thread_that_runs_alone),
		cmocka_unit_test(the_registers_of_a_stopped_thread_can_be_read),
		cmocka_unit_test(a_terminated_thread_is_gone_whatever_it_did),
		cmocka_unit_test(a_thread_of_another_task_is_stopped_and_ended_alone),
		cmocka_unit_test(a_process_that_would_die_of_the_signal_is_not_sent_it),
		cmocka_unit_test(another_user_s_thread_is_left_alone),
		cmocka_unit_test(what_is_no_thread_is_refused),
		cmocka_unit_test(the_signal_is_the_library_s),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
