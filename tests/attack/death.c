/*
 * Processes that are killed or stopped in the middle of traffic: the others go on, and in
 * the end nothing is left of the dead.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <mach/mach_vm.h>

#include "tests/attack/traffic.h"

#define ROUNDS 200
#define CALLS 100
#define NUMBERS 1000

/* Processes of the test at hand: none outlives it, whatever it says. */
static pid_t alive[8];

typedef void child_function(void *context);

static pid_t
start(child_function *child, void *context)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(120);
		child(context);
		_exit(0);
	}
	for (unsigned i = 0; i < sizeof(alive) / sizeof(alive[0]); i++) {
		if (alive[i] == 0) {
			alive[i] = pid;
			break;
		}
	}
	return pid;
}

/* Its status, once it has ended. */
static int
end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned i = 0; i < sizeof(alive) / sizeof(alive[0]); i++)
		if (alive[i] == pid)
			alive[i] = 0;
	return status;
}

static int
end_all(void **state)
{
	for (unsigned i = 0; i < sizeof(alive) / sizeof(alive[0]); i++) {
		if (alive[i] != 0) {
			kill(alive[i], SIGKILL);
			waitpid(alive[i], NULL, 0);
		}
		alive[i] = 0;
	}
	return 0;
}

static uint64_t
seed_of_test(void)
{
	const char *text = getenv("ATTACK_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20240607;

	printf("   ATTACK_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* ---- killed ------------------------------------------------------------------------ */

static void
call_for_ever(void *context)
{
	uint64_t seed = *(uint64_t *)context;
	mach_port_t server = traffic_server();

	while (traffic_call(server, &seed) == MACH_MSG_SUCCESS)
		continue;
	_exit(1);
}

static void
call_often(void *context)
{
	uint64_t seed = 1;
	mach_port_t server = traffic_server();

	for (int i = 0; i < CALLS; i++)
		if (traffic_call(server, &seed) != MACH_MSG_SUCCESS)
			_exit(1);
}

/* A healthy client is served: all of its calls. */
static void
serve_a_healthy_one(mach_port_t port)
{
	pid_t pid = start(call_often, NULL);

	for (int i = 0; i < CALLS; i++)
		assert_int_equal(traffic_serve(port, TRAFFIC_HANG_MS), MACH_MSG_SUCCESS);
	assert_int_equal(end_of(pid), 0);
}

static unsigned
name_count(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;

	assert_int_equal(mach_port_names(mach_task_self(), &names, &count, &types, &type_count),
			 KERN_SUCCESS);
	mach_vm_deallocate(mach_task_self(), (mach_vm_address_t)(uintptr_t)names,
			   count * sizeof(names[0]));
	mach_vm_deallocate(mach_task_self(), (mach_vm_address_t)(uintptr_t)types,
			   count * sizeof(types[0]));
	return count;
}

static void
clients_killed_at_any_moment_leave_nothing(void **state)
{
	uint64_t seed = seed_of_test();
	mach_port_t port = traffic_port();
	const struct timespec moment = { .tv_nsec = 10000000 };
	unsigned before, after = 0, served = 0;

	serve_a_healthy_one(port);
	before = name_count();
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t own_seed = traffic_random(&seed);
		pid_t pid = start(call_for_ever, &own_seed);
		struct timespec pause = { .tv_nsec = (long)traffic_random(&seed) % 400000 };

		for (unsigned i = traffic_random(&seed) % 12; i > 0; i--, served++)
			assert_int_equal(traffic_serve(port, TRAFFIC_HANG_MS), MACH_MSG_SUCCESS);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(end_of(pid), SIGKILL);
	}
	printf("   %d clients killed, %u of their calls answered\n", ROUNDS, served);
	/* what they had sent is here still, or comes until berthd has seen the last one die */
	for (int i = 0; i < TRAFFIC_HANG_MS / 10; i++) {
		while (traffic_serve(port, 0) == MACH_MSG_SUCCESS)
			continue;
		after = name_count();
		if (after == before)
			break;
		nanosleep(&moment, NULL);
	}
	assert_int_equal(after, before);
	serve_a_healthy_one(port);
	assert_int_equal(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
}

static void
serve_for_ever(void *context)
{
	mach_port_t port, parent = traffic_server();

	/* its own port, told to the parent in a number */
	mach_msg_header_t hello = { 0 };

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS)
		_exit(1);
	hello.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND);
	hello.msgh_size = sizeof(hello);
	hello.msgh_remote_port = parent;
	hello.msgh_local_port = port;
	if (mach_msg(&hello, MACH_SEND_MSG, sizeof(hello), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) !=
	    MACH_MSG_SUCCESS)
		_exit(2);
	while (traffic_serve(port, TRAFFIC_HANG_MS) == MACH_MSG_SUCCESS)
		continue;
	_exit(3);
}

/* The send right that a child of ours has said hello with. */
static mach_port_t
port_of_child(mach_port_t port)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} hello;

	assert_int_equal(mach_msg(&hello.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(hello),
				  port, TRAFFIC_HANG_MS, MACH_PORT_NULL),
			 MACH_MSG_SUCCESS);
	assert_int_not_equal(hello.header.msgh_remote_port, MACH_PORT_NULL);
	return hello.header.msgh_remote_port;
}

/* Kills a process after a moment, from outside of the traffic. */
static void
kill_soon(void *context)
{
	const struct timespec *pause = ((void **)context)[0];
	const pid_t *victim = ((void **)context)[1];

	nanosleep(pause, NULL);
	kill(*victim, SIGKILL);
}

static void
callers_of_servers_killed_at_any_moment_come_back(void **state)
{
	uint64_t seed = seed_of_test();
	mach_port_t port = traffic_port();
	unsigned calls = 0;

	for (int round = 0; round < ROUNDS / 4; round++) {
		pid_t server = start(serve_for_ever, NULL);
		mach_port_t remote = port_of_child(port);
		struct timespec pause = { .tv_nsec = (long)traffic_random(&seed) % 3000000 };
		void *context[2] = { &pause, &server };
		pid_t killer = start(kill_soon, context);
		mach_msg_return_t code;

		/* either the send fails, or the reply right says in the end that it has died */
		while ((code = traffic_call(remote, &seed)) == MACH_MSG_SUCCESS &&
		       calls < 1000000) {
			mach_port_type_t type;

			calls++;
			assert_int_equal(mach_port_type(mach_task_self(), remote, &type),
					 KERN_SUCCESS);
			if (type & MACH_PORT_TYPE_DEAD_NAME)
				break;
		}
		assert_true(code == MACH_MSG_SUCCESS || code == MACH_SEND_INVALID_DEST);
		assert_int_equal(end_of(server), SIGKILL);
		assert_int_equal(end_of(killer), 0);
		mach_port_deallocate(mach_task_self(), remote);
	}
	printf("   %u calls\n", calls);
	assert_int_equal(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
}

/* ---- stopped ----------------------------------------------------------------------- */

static void
stop(pid_t pid)
{
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_true(traffic_await_state(pid, 'T'));
}

/* Receives 0, 1, 2 … until a negative number comes, which says how many there were. */
static void
receive_in_order(void *context)
{
	mach_msg_header_t hello = { 0 };
	mach_port_t port;
	int number, next = 0;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS)
		_exit(1);
	hello.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND);
	hello.msgh_size = sizeof(hello);
	hello.msgh_remote_port = traffic_server();
	hello.msgh_local_port = port;
	if (mach_msg(&hello, MACH_SEND_MSG, sizeof(hello), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) !=
	    MACH_MSG_SUCCESS)
		_exit(2);
	while ((number = traffic_receive_number(port, 100000)) >= 0)
		if (number != next++)
			_exit(3);
	_exit(number == -next ? 0 : 4);
}

static void
a_stopped_receiver_stops_nobody_and_misses_nothing(void **state)
{
	mach_port_t port = traffic_port();
	pid_t pid = start(receive_in_order, NULL);
	mach_port_t remote = port_of_child(port);
	int sent = 0;

	for (int round = 0; round < 10; round++) {
		if (round % 2 == 0) /* in its sleep, or just so */
			assert_true(traffic_await_state(pid, 'S'));
		stop(pid);
		for (int i = 0; i < 100 && traffic_send_number(remote, sent, MACH_SEND_TIMEOUT,
							       1) == MACH_MSG_SUCCESS;
		     i++)
			sent++;
		/* its queue is full, and others go on */
		assert_int_equal(traffic_send_number(remote, sent, MACH_SEND_TIMEOUT, 0),
				 MACH_SEND_TIMED_OUT);
		serve_a_healthy_one(port);
		assert_int_equal(kill(pid, SIGCONT), 0);
		/* waits for it */
		assert_int_equal(
		    traffic_send_number(remote, sent, MACH_SEND_TIMEOUT, TRAFFIC_HANG_MS),
		    MACH_MSG_SUCCESS);
		sent++;
	}
	assert_int_equal(traffic_send_number(remote, -sent, MACH_SEND_TIMEOUT, TRAFFIC_HANG_MS),
			 MACH_MSG_SUCCESS);
	assert_int_equal(end_of(pid), 0);
	mach_port_deallocate(mach_task_self(), remote);
	assert_int_equal(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
}

static void
send_in_order(void *context)
{
	mach_port_t port = traffic_server();

	for (int i = 0; i < NUMBERS; i++)
		if (traffic_send_number(port, i, 0, 0) != MACH_MSG_SUCCESS)
			_exit(1);
}

static void
a_stopped_sender_stops_nobody_and_loses_nothing(void **state)
{
	uint64_t seed = seed_of_test();
	mach_port_t port = traffic_port(), other;
	pid_t pid = start(send_in_order, NULL);
	int next = 0, number;

	/* the healthy ones' own port, for the sender's is full of numbers */
	other = traffic_port();
	for (int round = 0; round < 20; round++) {
		for (unsigned i = traffic_random(&seed) % 40; i > 0; i--)
			assert_int_equal(traffic_receive_number(port, TRAFFIC_HANG_MS), next++);
		stop(pid);
		while ((number = traffic_receive_number(port, 0)) >= 0)
			assert_int_equal(number, next++);
		assert_int_equal(-number, MACH_RCV_TIMED_OUT);
		if (round % 5 == 0)
			serve_a_healthy_one(other);
		assert_int_equal(kill(pid, SIGCONT), 0);
	}
	while (next < NUMBERS)
		assert_int_equal(traffic_receive_number(port, TRAFFIC_HANG_MS), next++);
	assert_int_equal(end_of(pid), 0);
	assert_int_equal(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
	assert_int_equal(mach_port_destroy(mach_task_self(), other), KERN_SUCCESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(clients_killed_at_any_moment_leave_nothing, end_all),
		cmocka_unit_test_teardown(callers_of_servers_killed_at_any_moment_come_back,
					  end_all),
		cmocka_unit_test_teardown(a_stopped_receiver_stops_nobody_and_misses_nothing,
					  end_all),
		cmocka_unit_test_teardown(a_stopped_sender_stops_nobody_and_loses_nothing, end_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
