/*
 * Semaphores as programs use them: between threads, between processes, and interrupted.
 */
#include "kernel_test.h"

#include <mach/mach_time.h>
#include <mach/semaphore.h>
#include <mach/sync_policy.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_TIME ((mach_timespec_t){ 60, 0 })

static semaphore_t
semaphore_new(int value)
{
	semaphore_t semaphore = MACH_PORT_NULL;

	assert_int_equal(semaphore_create(mach_task_self(), &semaphore, SYNC_POLICY_FIFO, value),
			 KERN_SUCCESS);
	assert_int_not_equal(semaphore, MACH_PORT_NULL);
	return semaphore;
}

static void
semaphore_end(semaphore_t semaphore)
{
	assert_int_equal(semaphore_destroy(mach_task_self(), semaphore), KERN_SUCCESS);
	assert_int_equal(semaphore_signal(semaphore), KERN_INVALID_NAME);
}

/* ---- alone --------------------------------------------------------------------------------- */

static void
what_is_wrong_is_told_apart(void **state)
{
	semaphore_t semaphore = semaphore_new(1), none = 4711;
	mach_port_t port = port_new();
	mach_timespec_t bad = { 0, -1 }, zero = { 0, 0 };

	(void)state;
	assert_int_equal(semaphore_create(mach_task_self(), &none, SYNC_POLICY_FIFO, -1),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(none, MACH_PORT_NULL);
	assert_int_equal(semaphore_signal(0x7703), KERN_INVALID_NAME);
	assert_int_equal(semaphore_wait(port), KERN_INVALID_CAPABILITY);
	assert_int_equal(semaphore_timedwait(semaphore, bad), KERN_INVALID_VALUE);
	assert_int_equal(semaphore_timedwait(semaphore, zero), KERN_SUCCESS);
	assert_int_equal(semaphore_timedwait(semaphore, zero), KERN_OPERATION_TIMED_OUT);
	assert_int_equal(semaphore_timedwait_signal(semaphore, port, zero),
			 KERN_INVALID_CAPABILITY);
	assert_int_equal(semaphore_signal_thread(semaphore, MACH_PORT_NULL), KERN_NOT_WAITING);
	assert_int_equal(semaphore_signal_thread(semaphore, port), KERN_INVALID_ARGUMENT);
	assert_int_equal(semaphore_signal_all(semaphore), KERN_SUCCESS);
	assert_int_equal(semaphore_wait_signal(semaphore, semaphore), KERN_SUCCESS);
	assert_int_equal(semaphore_destroy(mach_task_self(), MACH_PORT_NULL),
			 KERN_INVALID_ARGUMENT);
	semaphore_end(semaphore);
	port_end(port);
}

static void
a_wait_lasts_as_long_as_it_is_told(void **state)
{
	semaphore_t semaphore = semaphore_new(0);
	mach_timespec_t time = { 0, 30000000 };
	uint64_t begun = mach_absolute_time();

	(void)state;
	assert_int_equal(semaphore_timedwait(semaphore, time), KERN_OPERATION_TIMED_OUT);
	assert_true(mach_absolute_time() - begun >= 30000000);
	semaphore_end(semaphore);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct players {
	semaphore_t ping, pong;
};

static void *
play(void *argument)
{
	const struct players *players = argument;
	kern_return_t code = semaphore_wait(players->ping);

	for (int i = 0; i < 1000 && code == KERN_SUCCESS; i++)
		code = semaphore_wait_signal(players->ping, players->pong);
	return (void *)(intptr_t)code;
}

static void
two_threads_take_turns(void **state)
{
	struct players players = { semaphore_new(0), semaphore_new(0) };
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, play, &players), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(semaphore_timedwait_signal(players.pong, players.ping, LONG_TIME),
				 KERN_SUCCESS);
	assert_int_equal(semaphore_destroy(mach_task_self(), players.ping), KERN_SUCCESS);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, KERN_TERMINATED);
	semaphore_end(players.pong);
}

struct waiter {
	pthread_t thread;
	semaphore_t semaphore, begins;
	mach_port_t self;
};

static void *
wait_once(void *argument)
{
	struct waiter *waiter = argument;

	waiter->self = mach_thread_self();
	return (void *)(intptr_t)semaphore_wait_signal(waiter->semaphore, waiter->begins);
}

/* A thread that waits: its signal to `begins` and its wait are one. */
static void
waiter_start(struct waiter *waiter, semaphore_t semaphore, semaphore_t begins)
{
	*waiter = (struct waiter){ .semaphore = semaphore, .begins = begins };
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_once, waiter), 0);
	assert_int_equal(semaphore_timedwait(begins, LONG_TIME), KERN_SUCCESS);
}

static kern_return_t
waiter_end(struct waiter *waiter)
{
	void *result;

	pthread_join(waiter->thread, &result);
	return (kern_return_t)(intptr_t)result;
}

static void
the_right_thread_wakes(void **state)
{
	semaphore_t semaphore = semaphore_new(0), begins = semaphore_new(0);
	struct waiter waiters[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		waiter_start(&waiters[i], semaphore, begins);
	assert_int_equal(semaphore_signal_thread(semaphore, waiters[1].self), KERN_SUCCESS);
	assert_int_equal(waiter_end(&waiters[1]), KERN_SUCCESS);
	assert_int_equal(semaphore_signal_thread(semaphore, mach_thread_self()), KERN_NOT_WAITING);
	assert_int_equal(semaphore_signal(semaphore), KERN_SUCCESS);
	assert_int_equal(waiter_end(&waiters[0]), KERN_SUCCESS);
	assert_int_equal(semaphore_signal_all(semaphore), KERN_SUCCESS);
	assert_int_equal(waiter_end(&waiters[2]), KERN_SUCCESS);
	semaphore_end(semaphore);
	semaphore_end(begins);
}

/* ---- signals ----------------------------------------------------------------------------------
 */

static volatile int handler_calls;
static semaphore_t handler_semaphore;

static void
count_call(int number)
{
	(void)number;
	handler_calls++;
	if (handler_semaphore != MACH_PORT_NULL)
		semaphore_signal(handler_semaphore); /* a handler may */
}

static void
a_handler_ends_a_wait(void **state)
{
	struct sigaction action = { .sa_handler = count_call, .sa_flags = SA_RESTART };
	semaphore_t semaphore = semaphore_new(0), begins = semaphore_new(0);
	struct waiter waiter;
	void *result;

	(void)state;
	handler_semaphore = begins;
	sigaction(SIGUSR1, &action, NULL);
	waiter_start(&waiter, semaphore, begins);
	/* a signal that comes before the thread sleeps is as one before the call */
	do {
		pthread_kill(waiter.thread, SIGUSR1);
		usleep(1000);
	} while (pthread_tryjoin_np(waiter.thread, &result) != 0);
	assert_int_equal((intptr_t)result, KERN_ABORTED);
	for (int i = 0; i < handler_calls; i++)
		assert_int_equal(semaphore_timedwait(begins, LONG_TIME), KERN_SUCCESS);
	/* what was not waited for is still there */
	assert_int_equal(semaphore_signal(semaphore), KERN_SUCCESS);
	assert_int_equal(semaphore_wait(semaphore), KERN_SUCCESS);
	semaphore_end(semaphore);
	semaphore_end(begins);
}

/* ---- processes ---------------------------------------------------------------------------------
 */

static _Noreturn void
child(void)
{
	mach_port_t *ports;
	mach_msg_type_number_t count;

	/* registered ports are what a child inherits */
	if (mach_ports_lookup(mach_task_self(), &ports, &count) != KERN_SUCCESS || count != 3)
		_exit(1);
	if (semaphore_signal(ports[0]) != KERN_SUCCESS)
		_exit(2);
	if (semaphore_timedwait(ports[1], LONG_TIME) != KERN_SUCCESS)
		_exit(3);
	/* not its own */
	if (semaphore_destroy(mach_task_self(), ports[1]) != KERN_SUCCESS)
		_exit(4);
	if (semaphore_signal(ports[0]) != KERN_SUCCESS)
		_exit(5);
	if (semaphore_wait(ports[2]) != KERN_TERMINATED)
		_exit(6);
	_exit(0);
}

static void
a_child_shares_what_it_inherits(void **state)
{
	/* signals of the child, of the parent, and one that nobody signals */
	mach_port_t ports[3] = { semaphore_new(0), semaphore_new(0), semaphore_new(0) };
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(mach_ports_register(mach_task_self(), ports, 3), KERN_SUCCESS);
	pid = fork();
	if (pid == 0)
		child();
	assert_true(pid > 0);
	assert_int_equal(semaphore_timedwait(ports[0], LONG_TIME), KERN_SUCCESS);
	assert_int_equal(semaphore_signal(ports[1]), KERN_SUCCESS);
	assert_int_equal(semaphore_timedwait(ports[0], LONG_TIME), KERN_SUCCESS);
	/* the child waits now, or will: either way it is told */
	assert_int_equal(semaphore_destroy(mach_task_self(), ports[2]), KERN_SUCCESS);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mach_ports_register(mach_task_self(), NULL, 0), KERN_SUCCESS);
	semaphore_end(ports[0]);
	semaphore_end(ports[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_apart),
		cmocka_unit_test(a_wait_lasts_as_long_as_it_is_told),
		cmocka_unit_test(two_threads_take_turns),
		cmocka_unit_test(the_right_thread_wakes),
		cmocka_unit_test(a_handler_ends_a_wait),
		cmocka_unit_test(a_child_shares_what_it_inherits),
	};

	alarm(110);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
