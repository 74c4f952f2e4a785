/*
 * The life of a task: threads, signal handlers, forks, ids, event loops, and what it can see
 * of itself.
 */
#include "kernel_test.h"
#include "tests/support/memcheck.h"

#include <berth/port_fd.h>
#include <mach/mach_time.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- threads --------------------------------------------------------------------------- */

static void *
send_a_hundred(void *argument)
{
	mach_port_t port = *(mach_port_t *)argument;

	for (int i = 0; i < 100; i++)
		if (send_number(port, i) != MACH_MSG_SUCCESS)
			return (void *)1;
	return mig_get_reply_port() != MACH_PORT_NULL ? NULL : (void *)2;
}

static void
many_threads_come_and_go(void **state)
{
	mach_port_t port = port_new();
	mach_msg_type_number_t before, after;
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	pthread_t threads[20];
	void *result;

	(void)state;
	mach_port_names(mach_task_self(), &names, &before, &types, &before);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 20; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, send_a_hundred, &port),
					 0);
		for (int i = 0; i < 2000; i++)
			assert_true(receive_number(port) >= 0);
		for (int i = 0; i < 20; i++) {
			pthread_join(threads[i], &result);
			assert_null(result);
		}
	}
	/* reply ports went with their threads */
	mach_port_names(mach_task_self(), &names, &after, &types, &after);
	assert_int_equal(after, before);
	port_end(port);
}

static void *
wait_for_number(void *argument)
{
	return (void *)(intptr_t)receive_number(*(mach_port_t *)argument);
}

static void
more_threads_than_one_segment_has_slots_can_wait(void **state)
{
	mach_port_t ports[150];
	pthread_t threads[150];
	void *result;

	(void)state;
	if (is_under_memcheck())
		skip(); /* runs one thread at a time, too slowly */
	for (int i = 0; i < 150; i++) {
		ports[i] = port_new();
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_number, &ports[i]), 0);
	}
	for (int i = 149; i >= 0; i--)
		assert_int_equal(send_number(ports[i], 1000 + i), 0);
	for (int i = 0; i < 150; i++) {
		pthread_join(threads[i], &result);
		assert_int_equal((intptr_t)result, 1000 + i);
		port_end(ports[i]);
	}
}

/* ---- signals --------------------------------------------------------------------------- */

static mach_port_t handler_port;
static volatile int handler_calls;
static volatile int handler_failures;

static void
handler_of_calls(int number)
{
	mach_port_t port;

	(void)number;
	handler_calls++;
	/* a handler may do all of it */
	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) !=
		KERN_SUCCESS ||
	    (handler_port != MACH_PORT_NULL && send_number(handler_port, 5) != MACH_MSG_SUCCESS))
		handler_failures++;
}

static void
handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(number, &action, NULL);
	handler_calls = 0;
	handler_failures = 0;
}

static void
a_handler_interrupts_only_who_wants_it(void **state)
{
	static const int flags[] = { 0, SA_RESTART };
	mach_port_t port = port_new();
	struct number_message message;

	(void)state;
	for (int i = 0; i < 2; i++) {
		handler_port = MACH_PORT_NULL;
		handle(SIGALRM, handler_of_calls, flags[i]);
		ualarm(50000, 0);
		assert_int_equal(mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_INTERRUPT, 0,
					  sizeof(message), port, 0, 0),
				 MACH_RCV_INTERRUPTED);
		assert_int_equal(handler_calls, 1);
		/* the handler sends what the receive waits for, which is not interrupted */
		handler_port = port;
		ualarm(50000, 0);
		assert_int_equal(
		    mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(message.number, 5);
		assert_int_equal(handler_calls, 2);
		assert_int_equal(handler_failures, 0);
	}
	handler_port = MACH_PORT_NULL;
	port_end(port);
}

static void
a_send_that_is_interrupted_gives_the_message_back(void **state)
{
	mach_port_t port = port_new();
	struct number_message message;

	(void)state;
	for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(send_number(port, i), MACH_MSG_SUCCESS);
	handle(SIGALRM, handler_of_calls, SA_RESTART);
	message = number_to(port, 8);
	ualarm(50000, 0);
	assert_int_equal(
	    mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_INTERRUPT, NUMBER_SIZE, 0, 0, 0, 0),
	    MACH_SEND_INTERRUPTED);
	assert_int_equal(message.header.msgh_bits, MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, 0));
	/* and without the option it starts anew, with the time-out in full */
	message = number_to(port, 8);
	uint64_t start = mach_absolute_time();
	ualarm(100000, 0);
	assert_int_equal(
	    mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, NUMBER_SIZE, 0, 0, 150, 0),
	    MACH_SEND_TIMED_OUT);
	assert_true(mach_absolute_time() - start >= 250000000u);
	mach_msg_destroy(&message.header);
	port_end(port);
}

static void
a_storm_of_signals_loses_no_trap(void **state)
{
	mach_port_t port = port_new();
	mach_port_type_t type;

	(void)state;
	handler_port = MACH_PORT_NULL;
	handle(SIGALRM, handler_of_calls, SA_RESTART);
	ualarm(1000, 300);
	for (int i = 0; i < 20000 || handler_calls < 100; i++) {
		assert_int_equal(mach_port_type(mach_task_self(), port, &type), KERN_SUCCESS);
		assert_int_equal(type, MACH_PORT_TYPE_SEND_RECEIVE);
		if (i % 4 == 0) {
			assert_int_equal(send_number(port, i), 0);
			assert_int_equal(receive_number(port), i);
		}
	}
	ualarm(0, 0);
	assert_int_equal(handler_failures, 0);
	port_end(port);
}

/* ---- fork -------------------------------------------------------------------------------- */

/* Run @body in a child; what it returns is the child's exit status. */
static void
in_child(int (*body)(mach_port_t *registered))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		mach_port_array_t ports;
		mach_msg_type_number_t count;
		if (mach_ports_lookup(mach_task_self(), &ports, &count) != KERN_SUCCESS ||
		    count != 3)
			_exit(100);
		_exit(body(ports));
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static mach_port_t parents_name;

static int
child_uses_what_it_inherits(mach_port_t *registered)
{
	mach_port_type_t type;

	/* nothing by the parent's names, but its own task and what was registered */
	if (mach_task_self() == MACH_PORT_NULL || !mach_task_is_self(mach_task_self()))
		return 1;
	if (registered[0] != parents_name &&
	    mach_port_type(mach_task_self(), parents_name, &type) == KERN_SUCCESS)
		return 2;
	return send_number(registered[0], 33) == MACH_MSG_SUCCESS ? 0 : 3;
}

static int
child_forks_before_it_does_anything(mach_port_t *registered)
{
	int status;
	pid_t grandchild = fork();

	if (grandchild == 0) {
		pid_t another = fork(); /* without a trap before */
		if (another == 0)
			_exit(send_number(bootstrap_port, 1) == MACH_SEND_INVALID_DEST ? 1 : 0);
		waitpid(another, &status, 0);
		_exit(0);
	}
	waitpid(grandchild, &status, 0);
	return send_number(registered[0], 33) == MACH_MSG_SUCCESS && status == 0 ? 0 : 1;
}

static void
a_child_is_a_task_of_its_own(void **state)
{
	mach_port_t port = port_new();
	mach_port_t reply_port = mig_get_reply_port();

	(void)state;
	parents_name = port;
	assert_int_equal(mach_ports_register(mach_task_self(), &port, 1), KERN_SUCCESS);
	for (int i = 0; i < 5; i++) {
		in_child(child_uses_what_it_inherits);
		assert_int_equal(receive_number(port), 33);
	}
	in_child(child_forks_before_it_does_anything);
	assert_int_equal(receive_number(port), 33);
	assert_int_equal(mig_get_reply_port(), reply_port);
	assert_int_equal(mach_ports_register(mach_task_self(), NULL, 0), KERN_SUCCESS);
	port_end(port);
}

static volatile pid_t forked_in_handler;

static void
handler_that_forks(int number)
{
	(void)number;
	forked_in_handler = fork();
}

static void
a_handler_may_fork_in_the_middle_of_a_receive(void **state)
{
	mach_port_t port = port_new();
	struct number_message message;
	int status;

	(void)state;
	if (is_under_memcheck())
		skip(); /* does not let a handler fork */
	handle(SIGALRM, handler_that_forks, SA_RESTART);
	ualarm(50000, 0);
	mach_msg_return_t code = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					  sizeof(message), port, 300, 0);
	if (forked_in_handler == 0) /* the child comes back from a receive that has no port */
		_exit(code == MACH_MSG_SUCCESS || code == MACH_RCV_TIMED_OUT ? 1
		      : port_new() == MACH_PORT_NULL                         ? 2
									     : 0);
	assert_int_equal(code, MACH_RCV_TIMED_OUT);
	waitpid(forked_in_handler, &status, 0);
	assert_int_equal(status, 0);
	port_end(port);
}

static int
child_changes_its_user(mach_port_t *registered)
{
	if (setuid(65534) != 0 || getuid() != 65534)
		return 1;
	return send_number(registered[0], 34) == MACH_MSG_SUCCESS ? 0 : 2;
}

static void
a_message_tells_the_sender_as_it_is_now(void **state)
{
	mach_port_t port = port_new();
	struct number_message message;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mach_ports_register(mach_task_self(), &port, 1), KERN_SUCCESS);
	in_child(child_changes_its_user);
	assert_int_equal(mach_msg(&message.header,
				  MACH_RCV_MSG | MACH_RCV_TIMEOUT |
				      MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
				  0, sizeof(message), port, 1000, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(message.trailer.msgh_audit.val[1], 65534);
	assert_int_equal(message.trailer.msgh_audit.val[3], 65534);
	assert_int_equal(mach_ports_register(mach_task_self(), NULL, 0), KERN_SUCCESS);
	port_end(port);
}

/* ---- event loops --------------------------------------------------------------------------- */

static bool
is_readable(int fd, int wait_ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, wait_ms) == 1;
}

static void
a_descriptor_is_readable_while_messages_wait(void **state)
{
	mach_port_t port = port_new();

	(void)state;
	assert_int_equal(send_number(port, 1), 0);
	int fd = berth_port_fd(port);
	assert_true(fd >= 0);
	assert_true(is_readable(fd, 1000));
	assert_int_equal(receive_number(port), 1);
	for (int i = 0; i < 100 && is_readable(fd, 0); i++)
		usleep(1000);
	assert_false(is_readable(fd, 0));
	assert_int_equal(send_number(port, 2), 0);
	assert_true(is_readable(fd, 1000));
	port_end(port);
	assert_true(is_readable(fd, 1000)); /* a receive would tell that the right is gone */
	close(fd);
	assert_int_equal(berth_port_fd(0x7777703), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(berth_port_fd(mach_task_self()), -1);
	assert_int_equal(errno, ENOTSUP);
}

/* ---- looking at oneself ---------------------------------------------------------------------- */

static void
the_task_knows_itself(void **state)
{
	mach_task_basic_info_data_t basic;
	mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
	mach_port_t thread = mach_thread_self();
	mach_port_t host = mach_host_self();
	mach_port_t task;
	int pid = 0;

	(void)state;
	assert_int_equal(pid_for_task(mach_task_self(), &pid), KERN_SUCCESS);
	assert_int_equal(pid, getpid());
	assert_int_equal(task_for_pid(mach_task_self(), getpid(), &task), KERN_SUCCESS);
	assert_int_equal(task, mach_task_self());
	assert_int_equal(mach_port_deallocate(mach_task_self(), task), KERN_SUCCESS);
	assert_int_equal(pid_for_task(thread, &pid), KERN_FAILURE);
	assert_int_equal(pid, -1);
	assert_int_equal(
	    task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&basic, &count),
	    KERN_SUCCESS);
	assert_true(basic.resident_size > 100000 && basic.virtual_size >= basic.resident_size);
	assert_true(basic.resident_size_max >= basic.resident_size);
	count = MACH_TASK_BASIC_INFO_COUNT - 1;
	assert_int_equal(
	    task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&basic, &count),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(task_info(thread, MACH_TASK_BASIC_INFO, (task_info_t)&basic, &count),
			 KERN_INVALID_ARGUMENT);
	mach_port_deallocate(mach_task_self(), thread);
	mach_port_deallocate(mach_task_self(), host);
}

static void
the_host_tells_its_numbers(void **state)
{
	mach_port_t host = mach_host_self();
	host_basic_info_data_t basic;
	host_cpu_load_info_data_t load;
	vm_statistics64_data_t vm;
	mach_msg_type_number_t count = HOST_BASIC_INFO_COUNT;
	processor_info_array_t processors;
	natural_t processor_count;
	kernel_version_t version;

	(void)state;
	assert_int_equal(host_info(host, HOST_BASIC_INFO, (host_info_t)&basic, &count), 0);
	assert_int_equal(basic.avail_cpus, sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(basic.physical_cpu >= 1 && basic.physical_cpu <= basic.logical_cpu);
	assert_true(basic.max_mem > (1u << 24));
	count = 4;
	assert_int_equal(host_info(host, HOST_BASIC_INFO, (host_info_t)&basic, &count),
			 KERN_FAILURE);
	assert_int_equal(host_info(MACH_PORT_NULL, HOST_BASIC_INFO, (host_info_t)&basic, &count),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(host_info(mach_task_self(), HOST_BASIC_INFO, (host_info_t)&basic, &count),
			 KERN_INVALID_ARGUMENT);
	count = HOST_CPU_LOAD_INFO_COUNT;
	assert_int_equal(host_statistics(host, HOST_CPU_LOAD_INFO, (host_info_t)&load, &count), 0);
	assert_true(load.cpu_ticks[CPU_STATE_IDLE] + load.cpu_ticks[CPU_STATE_USER] > 0);
	count = HOST_VM_INFO64_COUNT;
	assert_int_equal(host_statistics64(host, HOST_VM_INFO64, (host_info64_t)&vm, &count), 0);
	assert_true(vm.free_count > 0 && vm.faults > 0);
	assert_int_equal(
	    host_statistics64(MACH_PORT_NULL, HOST_VM_INFO64, (host_info64_t)&vm, &count),
	    KERN_INVALID_HOST);
	assert_int_equal(host_processor_info(host, PROCESSOR_CPU_LOAD_INFO, &processor_count,
					     &processors, &count),
			 0);
	assert_int_equal(processor_count, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(count, processor_count * 4);
	vm_deallocate(mach_task_self(), (vm_address_t)processors, count * sizeof(integer_t));
	assert_int_equal(host_kernel_version(host, version), 0);
	assert_true(strlen(version) > 5);
	mach_port_deallocate(mach_task_self(), host);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads_come_and_go),
		cmocka_unit_test(more_threads_than_one_segment_has_slots_can_wait),
		cmocka_unit_test(a_handler_interrupts_only_who_wants_it),
		cmocka_unit_test(a_send_that_is_interrupted_gives_the_message_back),
		cmocka_unit_test(a_storm_of_signals_loses_no_trap),
		cmocka_unit_test(a_child_is_a_task_of_its_own),
		cmocka_unit_test(a_handler_may_fork_in_the_middle_of_a_receive),
		cmocka_unit_test(a_message_tells_the_sender_as_it_is_now),
		cmocka_unit_test(a_descriptor_is_readable_while_messages_wait),
		cmocka_unit_test(the_task_knows_itself),
		cmocka_unit_test(the_host_tells_its_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
