/*
 * Threads of this and of other tasks, and tasks that are stopped.
 */
#include "other_process.h"

#include <mach/mach_vm.h>
#include <mach/thread_act.h>
#include <mach/thread_info.h>

#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

/* ---- threads ------------------------------------------------------------------------------ */

static void
threads_end(thread_act_array_t threads, mach_msg_type_number_t count)
{
	for (mach_msg_type_number_t i = 0; i < count; i++)
		right_end(threads[i]);
	assert_int_equal(mach_vm_deallocate(mach_task_self(), (mach_vm_address_t)(uintptr_t)threads,
					    count * sizeof(threads[0])),
			 KERN_SUCCESS);
}

static uint64_t
number_of(mach_port_t thread)
{
	thread_identifier_info_data_t info;
	mach_msg_type_number_t count = THREAD_IDENTIFIER_INFO_COUNT;

	assert_int_equal(thread_info(thread, THREAD_IDENTIFIER_INFO, (thread_info_t)&info, &count),
			 KERN_SUCCESS);
	assert_int_equal(count, THREAD_IDENTIFIER_INFO_COUNT);
	return info.thread_id;
}

static int thread_fds[2];

/* A thread of Darwin's, that sleeps until it is to end. */
static void *
sleeper(void *argument)
{
	char byte = 0;

	pthread_setname_np(pthread_self(), "a (sleeper) 1 2");
	mach_port_deallocate(mach_task_self(), mach_thread_self());
	if (write(thread_fds[1], &byte, 1) != 1)
		return NULL;
	return read(thread_fds[1], &byte, 1) == 1 ? argument : NULL;
}

static void
the_own_threads_are_listed_and_told_of(void **state)
{
	thread_act_array_t threads;
	mach_msg_type_number_t count, size;
	thread_extended_info_data_t extended;
	thread_basic_info_data_t basic;
	pthread_t thread;
	char byte;

	right_end(mach_thread_self()); /* the kernel knows it first */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, thread_fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleeper, NULL), 0);
	assert_int_equal(read(thread_fds[0], &byte, 1), 1);
	assert_int_equal(task_threads(mach_task_self(), &threads, &count), KERN_SUCCESS);
	assert_int_equal(count, 2);
	assert_int_equal(number_of(threads[0]), gettid());
	mach_port_t self = mach_thread_self();
	assert_int_equal(threads[0], self);
	right_end(self);
	size = THREAD_BASIC_INFO_COUNT;
	assert_int_equal(thread_info(threads[0], THREAD_BASIC_INFO, (thread_info_t)&basic, &size),
			 KERN_SUCCESS);
	assert_int_equal(basic.run_state, TH_STATE_RUNNING);
	assert_int_equal(basic.policy, POLICY_TIMESHARE);
	for (int i = 0; i < 2000; i++) { /* it may take a moment to fall asleep */
		size = THREAD_EXTENDED_INFO_COUNT;
		assert_int_equal(
		    thread_info(threads[1], THREAD_EXTENDED_INFO, (thread_info_t)&extended, &size),
		    KERN_SUCCESS);
		if (extended.pth_run_state == TH_STATE_WAITING)
			break;
		usleep(10000);
	}
	assert_int_equal(extended.pth_run_state, TH_STATE_WAITING);
	assert_string_equal(extended.pth_name, "a (sleeper) 1 2");
	/* what is wrong */
	size = THREAD_BASIC_INFO_COUNT - 1;
	assert_int_equal(thread_info(threads[0], THREAD_BASIC_INFO, (thread_info_t)&basic, &size),
			 KERN_INVALID_ARGUMENT);
	size = THREAD_BASIC_INFO_COUNT;
	assert_int_equal(thread_info(threads[0], 4711, (thread_info_t)&basic, &size),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    thread_info(mach_task_self(), THREAD_BASIC_INFO, (thread_info_t)&basic, &size),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(task_threads(threads[0], &threads, &count), KERN_INVALID_ARGUMENT);
	assert_int_equal(write(thread_fds[0], &byte, 1), 1);
	pthread_join(thread, NULL);
	task_is_dead(threads[1]);
	assert_int_equal(thread_info(threads[1], THREAD_BASIC_INFO, (thread_info_t)&basic, &size),
			 MACH_SEND_INVALID_DEST);
	threads_end(threads, count);
	close(thread_fds[0]);
	close(thread_fds[1]);
}

static uint8_t
start_thread(uint8_t byte)
{
	pthread_t thread;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, thread_fds) != 0 ||
	    pthread_create(&thread, NULL, sleeper, NULL) != 0)
		return 1;
	return read(thread_fds[0], &byte, 1) == 1 ? 0 : 2;
}

static void
the_threads_of_another_task_are_had_and_die_with_it(void **state)
{
	struct other other = other_start(start_thread);
	mach_port_t task = other_task(&other);
	thread_act_array_t threads;
	mach_msg_type_number_t count;

	assert_int_equal(other_does(&other, 0), 0);
	assert_int_equal(task_threads(task, &threads, &count), KERN_SUCCESS);
	assert_int_equal(count, 2);
	/* the first thread of a process has its number */
	assert_int_equal(number_of(threads[0]), other.pid);
	assert_int_not_equal(number_of(threads[1]), other.pid);
	other_end(&other);
	task_is_dead(threads[0]);
	task_is_dead(threads[1]);
	threads_end(threads, count);
	right_end(task);
}

/* ---- stopping ----------------------------------------------------------------------------- */

/* Does the other process answer?  Where it is to, within a hang's time; where not, at once. */
static bool
answers(const struct other *other, bool is_expected)
{
	struct pollfd look = { .fd = other->fd, .events = POLLIN };
	uint8_t byte;

	if (poll(&look, 1, is_expected ? 20000 : 50) != 1)
		return false;
	return read(other->fd, &byte, 1) == 1;
}

static int
suspend_count(mach_port_t task)
{
	mach_task_basic_info_data_t info;
	mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;

	assert_int_equal(task_info(task, MACH_TASK_BASIC_INFO, (task_info_t)&info, &count),
			 KERN_SUCCESS);
	return info.suspend_count;
}

static void
a_suspended_task_does_nothing_until_it_was_resumed_as_often(void **state)
{
	struct other other = other_start(start_thread);
	mach_port_t task = other_task(&other);
	thread_act_array_t threads;
	mach_msg_type_number_t count, size = THREAD_BASIC_INFO_COUNT;
	thread_basic_info_data_t basic;

	assert_int_equal(other_does(&other, 0), 0);
	assert_int_equal(task_resume(task), KERN_FAILURE);
	assert_int_equal(task_suspend(task), KERN_SUCCESS);
	assert_int_equal(task_suspend(task), KERN_SUCCESS);
	assert_int_equal(suspend_count(task), 2);
	assert_int_equal(task_threads(task, &threads, &count), KERN_SUCCESS);
	for (mach_msg_type_number_t i = 0; i < count; i++) {
		assert_int_equal(
		    thread_info(threads[i], THREAD_BASIC_INFO, (thread_info_t)&basic, &size),
		    KERN_SUCCESS);
		assert_int_equal(basic.run_state, TH_STATE_STOPPED);
	}
	threads_end(threads, count);
	assert_int_equal(write(other.fd, "", 1), 1);
	assert_false(answers(&other, false));
	assert_int_equal(task_resume(task), KERN_SUCCESS);
	assert_false(answers(&other, false));
	assert_int_equal(task_resume(task), KERN_SUCCESS);
	assert_true(answers(&other, true));
	assert_int_equal(suspend_count(task), 0);
	assert_int_equal(task_resume(task), KERN_FAILURE);
	right_end(task);
	other_end(&other);
}

static uint8_t
suspend_itself(uint8_t byte)
{
	return task_suspend(mach_task_self()) == KERN_SUCCESS ? 0 : 1;
}

static void
a_task_that_suspends_itself_is_resumed_by_another(void **state)
{
	struct other other = other_start(suspend_itself);
	mach_port_t task = other_task(&other);
	int status;

	assert_int_equal(write(other.fd, "", 1), 1);
	/* its parent sees that it stops, as with any job */
	assert_int_equal(waitpid(other.pid, &status, WUNTRACED), other.pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(suspend_count(task), 1);
	assert_int_equal(task_resume(task), KERN_SUCCESS);
	assert_true(answers(&other, true));
	right_end(task);
	other_end(&other);
}

static void *
stop_and_go(void *task)
{
	for (int i = 0; i < 40; i++) {
		if (task_suspend(*(mach_port_t *)task) != KERN_SUCCESS ||
		    task_resume(*(mach_port_t *)task) != KERN_SUCCESS)
			return task;
	}
	return NULL;
}

static void
many_that_stop_a_task_at_once_leave_it_running(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t task = other_task(&other);
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, stop_and_go, &task), 0);
	for (int i = 0; i < 3; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(suspend_count(task), 0);
	assert_int_equal(write(other.fd, "", 1), 1);
	assert_true(answers(&other, true));
	right_end(task);
	other_end(&other);
}

static void
a_task_is_let_go_by_the_last_token(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t task = other_task(&other);
	task_suspension_token_t first, second;

	assert_int_equal(task_suspend2(task, &first), KERN_SUCCESS);
	assert_int_equal(task_suspend2(task, &second), KERN_SUCCESS);
	assert_int_equal(suspend_count(task), 2);
	assert_int_equal(task_resume(task), KERN_FAILURE);
	assert_int_equal(write(other.fd, "", 1), 1);
	assert_int_equal(task_resume2(first), KERN_SUCCESS);
	assert_false(answers(&other, false));
	right_end(second);
	assert_true(answers(&other, true));
	assert_int_equal(suspend_count(task), 0);
	/* a token is used once */
	assert_int_equal(task_resume2(first), MACH_SEND_INVALID_DEST);
	right_end(task);
	other_end(&other);
}

static pid_t victim;

/* Suspends the process @victim and keeps the token. */
static uint8_t
suspend_the_victim(uint8_t byte)
{
	task_suspension_token_t token;
	mach_port_t task;

	return task_for_pid(mach_task_self(), victim, &task) != KERN_SUCCESS ||
	       task_suspend2(task, &token) != KERN_SUCCESS;
}

static void
a_task_is_let_go_when_who_holds_the_token_is_killed(void **state)
{
	struct other other = other_start(NULL), holder;
	mach_port_t task = other_task(&other);

	victim = other.pid;
	holder = other_start(suspend_the_victim);
	assert_int_equal(other_does(&holder, 0), 0);
	assert_int_equal(suspend_count(task), 1);
	assert_int_equal(write(other.fd, "", 1), 1);
	assert_false(answers(&other, false));
	other_end(&holder);
	assert_true(answers(&other, true));
	assert_int_equal(suspend_count(task), 0);
	right_end(task);
	other_end(&other);
}

static void
only_a_task_is_suspended(void **state)
{
	task_suspension_token_t token = 1;
	mach_port_t host = mach_host_self(), name;

	assert_int_equal(task_get_special_port(mach_task_self(), TASK_NAME_PORT, &name),
			 KERN_SUCCESS);
	assert_int_equal(task_suspend(MACH_PORT_NULL), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_resume(MACH_PORT_DEAD), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_suspend(host), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_suspend(name), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_resume(mach_task_self()), KERN_FAILURE);
	assert_int_equal(task_suspend2(MACH_PORT_NULL, &token), KERN_INVALID_ARGUMENT);
	assert_int_equal(token, MACH_PORT_NULL);
	assert_int_equal(task_suspend2(host, &token), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_suspend2(name, &token), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_resume2(MACH_PORT_NULL), KERN_INVALID_ARGUMENT);
	assert_int_equal(task_resume2(MACH_PORT_DEAD), KERN_INVALID_ARGUMENT);
	right_end(host);
	right_end(name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_threads_are_listed_and_told_of),
		cmocka_unit_test(the_threads_of_another_task_are_had_and_die_with_it),
		cmocka_unit_test(a_suspended_task_does_nothing_until_it_was_resumed_as_often),
		cmocka_unit_test(a_task_that_suspends_itself_is_resumed_by_another),
		cmocka_unit_test(many_that_stop_a_task_at_once_leave_it_running),
		cmocka_unit_test(a_task_is_let_go_by_the_last_token),
		cmocka_unit_test(a_task_is_let_go_when_who_holds_the_token_is_killed),
		cmocka_unit_test(only_a_task_is_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
