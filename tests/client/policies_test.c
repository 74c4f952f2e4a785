/*
 * What the kernel keeps for threads, tasks and the host: policies, special ports.
 */
#include "other_process.h"

#include <mach/host_priv.h>
#include <mach/mach_host.h>
#include <mach/thread_act.h>

static void
what_a_thread_wishes_is_told_again(void **state)
{
	mach_port_t thread = mach_thread_self();
	thread_time_constraint_policy_data_t times = { 100, 10, 20, FALSE }, told;
	thread_precedence_policy_data_t precedence = { 0 };
	thread_extended_policy_data_t extended = { FALSE };
	mach_msg_type_number_t count = THREAD_TIME_CONSTRAINT_POLICY_COUNT;
	boolean_t is_default = FALSE;

	assert_int_equal(thread_policy_get(thread, THREAD_TIME_CONSTRAINT_POLICY,
					   (thread_policy_t)&told, &count, &is_default),
			 KERN_SUCCESS);
	assert_true(is_default);
	assert_int_equal(thread_policy_set(thread, THREAD_TIME_CONSTRAINT_POLICY,
					   (thread_policy_t)&times, count),
			 KERN_SUCCESS);
	is_default = FALSE;
	assert_int_equal(thread_policy_get(thread, THREAD_TIME_CONSTRAINT_POLICY,
					   (thread_policy_t)&told, &count, &is_default),
			 KERN_SUCCESS);
	assert_false(is_default);
	assert_int_equal(count, THREAD_TIME_CONSTRAINT_POLICY_COUNT);
	assert_memory_equal(&told, &times, sizeof(told));
	is_default = TRUE;
	assert_int_equal(thread_policy_get(thread, THREAD_TIME_CONSTRAINT_POLICY,
					   (thread_policy_t)&told, &count, &is_default),
			 KERN_SUCCESS);
	assert_true(is_default && told.period == 0 && told.preemptible);
	times.constraint = 9; /* less than it computes */
	assert_int_equal(thread_policy_set(thread, THREAD_TIME_CONSTRAINT_POLICY,
					   (thread_policy_t)&times, count),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    thread_policy_set(thread, THREAD_PRECEDENCE_POLICY, (thread_policy_t)&precedence, 0),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_policy_set(thread, 77, (thread_policy_t)&precedence, 1),
			 KERN_INVALID_ARGUMENT);
	/* the standard one is the extended one without a wish */
	assert_int_equal(
	    thread_policy_set(thread, THREAD_EXTENDED_POLICY, (thread_policy_t)&extended, 1),
	    KERN_SUCCESS);
	assert_int_equal(thread_policy_set(thread, THREAD_STANDARD_POLICY,
					   (thread_policy_t)&extended,
					   THREAD_STANDARD_POLICY_COUNT),
			 KERN_SUCCESS);
	count = 1;
	is_default = FALSE;
	assert_int_equal(thread_policy_get(thread, THREAD_EXTENDED_POLICY,
					   (thread_policy_t)&extended, &count, &is_default),
			 KERN_SUCCESS);
	assert_true(extended.timeshare);
	count = 0;
	assert_int_equal(thread_policy_get(thread, THREAD_EXTENDED_POLICY,
					   (thread_policy_t)&extended, &count, &is_default),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_policy_set(mach_task_self(), THREAD_EXTENDED_POLICY,
					   (thread_policy_t)&extended, 1),
			 KERN_INVALID_ARGUMENT);
	right_end(thread);
}

static void
what_is_wished_for_a_task_is_told_again(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t task = other_task(&other);
	struct task_qos_policy qos = { LATENCY_QOS_TIER_1, THROUGHPUT_QOS_TIER_2 };
	task_category_policy_data_t category = { TASK_FOREGROUND_APPLICATION };
	task_latency_qos_t latency = 0;
	mach_msg_type_number_t count = 1;
	boolean_t is_default = FALSE;

	assert_int_equal(
	    task_policy_set(task, TASK_BASE_QOS_POLICY, (task_policy_t)&qos, TASK_QOS_POLICY_COUNT),
	    KERN_SUCCESS);
	assert_int_equal(
	    task_policy_get(task, TASK_BASE_LATENCY_QOS_POLICY, &latency, &count, &is_default),
	    KERN_SUCCESS);
	assert_int_equal(latency, LATENCY_QOS_TIER_1);
	assert_false(is_default);
	qos.task_latency_qos_tier = 7;
	assert_int_equal(
	    task_policy_set(task, TASK_BASE_QOS_POLICY, (task_policy_t)&qos, TASK_QOS_POLICY_COUNT),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(task_policy_set(task, TASK_CATEGORY_POLICY, (task_policy_t)&category,
					 TASK_CATEGORY_POLICY_COUNT),
			 KERN_SUCCESS);
	category.role = 9;
	assert_int_equal(task_policy_set(task, TASK_CATEGORY_POLICY, (task_policy_t)&category,
					 TASK_CATEGORY_POLICY_COUNT),
			 KERN_INVALID_ARGUMENT);
	category.role = 0;
	is_default = FALSE;
	assert_int_equal(task_policy_get(task, TASK_CATEGORY_POLICY, (task_policy_t)&category,
					 &count, &is_default),
			 KERN_SUCCESS);
	assert_int_equal(category.role, TASK_FOREGROUND_APPLICATION);
	right_end(task);
	other_end(&other);
}

static void
guards_send_no_exceptions(void **state)
{
	task_exc_guard_behavior_t behavior = 77;

	assert_int_equal(task_get_exc_guard_behavior(mach_task_self(), &behavior), KERN_SUCCESS);
	assert_int_equal(behavior, TASK_EXC_GUARD_NONE);
	assert_int_equal(task_set_exc_guard_behavior(mach_task_self(), TASK_EXC_GUARD_NONE),
			 KERN_SUCCESS);
	assert_int_equal(task_set_exc_guard_behavior(mach_task_self(), TASK_EXC_GUARD_MP_DELIVER),
			 KERN_NOT_SUPPORTED);
	assert_int_equal(task_set_exc_guard_behavior(mach_task_self(), 0x100), KERN_INVALID_VALUE);
	assert_int_equal(task_set_exc_guard_behavior(mach_thread_self(), 0), KERN_INVALID_ARGUMENT);
}

static void
a_thread_has_its_own_port_alone(void **state)
{
	mach_port_t thread = mach_thread_self(), port;

	assert_int_equal(thread_get_kernel_port(thread, &port), KERN_SUCCESS);
	assert_int_equal(port, thread);
	right_end(port);
	assert_int_equal(thread_set_kernel_port(thread, thread), KERN_NO_ACCESS);
	assert_int_equal(thread_get_special_port(thread, 7, &port), KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_set_special_port(thread, 7, thread), KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_get_kernel_port(mach_task_self(), &port), KERN_INVALID_ARGUMENT);
	right_end(thread);
}

static void
the_host_keeps_ports_for_all(void **state)
{
	mach_port_t host = mach_host_self(), priv, port = port_new(), got;
	mach_vm_address_t address;
	natural_t kind;
	vm_size_t size;

	assert_int_equal(host_get_host_priv_port(host, &priv), KERN_SUCCESS);
	assert_int_equal(mach_port_kobject(mach_task_self(), priv, &kind, &address), KERN_SUCCESS);
	assert_int_equal(kind, 4);
	assert_int_equal(host_page_size(priv, &size), KERN_SUCCESS);
	assert_int_equal(host_get_host_port(priv, &got), KERN_SUCCESS);
	assert_int_equal(got, host);
	right_end(got);
	assert_int_equal(host_set_special_port(priv, HOST_MAX_SPECIAL_PORT, port), KERN_SUCCESS);
	assert_int_equal(host_get_special_port(priv, HOST_LOCAL_NODE, HOST_MAX_SPECIAL_PORT, &got),
			 KERN_SUCCESS);
	assert_int_equal(got, port);
	right_end(got);
	assert_int_equal(host_set_special_port(priv, HOST_MAX_SPECIAL_PORT, MACH_PORT_NULL),
			 KERN_SUCCESS);
	assert_int_equal(host_set_special_port(priv, HOST_MAX_SPECIAL_PORT + 1, port),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(host_set_special_port(priv, HOST_PRIV_PORT, port), KERN_INVALID_ARGUMENT);
	assert_int_equal(host_get_special_port(priv, HOST_LOCAL_NODE, -1, &got),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(host_get_io_main_port(priv, &got), KERN_SUCCESS);
	assert_int_equal(got, MACH_PORT_NULL);
	assert_int_equal(host_get_io_main(host, &got), KERN_NOT_SUPPORTED);
	assert_int_equal(host_get_io_main(mach_task_self(), &got), KERN_INVALID_ARGUMENT);
	right_end(priv);
	right_end(host);
	port_end(port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_thread_wishes_is_told_again),
		cmocka_unit_test(what_is_wished_for_a_task_is_told_again),
		cmocka_unit_test(guards_send_no_exceptions),
		cmocka_unit_test(a_thread_has_its_own_port_alone),
		cmocka_unit_test(the_host_keeps_ports_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
