/*
 * Policies, which the kernel keeps.  mach-kobjects.md §7.
 */
#include <mach/mach.h>
#include <mach/thread_act.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"

/*
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   another kernel object, no such flavor, too few numbers, or one that says
 *                         nothing
 * MACH_SEND_INVALID_DEST  no send right, or what it was to is dead
 */
BERTH_EXPORT kern_return_t
thread_policy_set(thread_act_t thread, thread_policy_flavor_t flavor, thread_policy_t policy_info,
		  mach_msg_type_number_t policy_infoCnt)
{
	return _kernelrpc_thread_policy_set(thread, flavor, policy_info, policy_infoCnt);
}

BERTH_EXPORT kern_return_t
thread_policy_get(thread_inspect_t thread, thread_policy_flavor_t flavor,
		  thread_policy_t policy_info, mach_msg_type_number_t *policy_infoCnt,
		  boolean_t *get_default)
{
	return _kernelrpc_thread_policy_get(thread, flavor, policy_info, policy_infoCnt,
					    get_default);
}

BERTH_EXPORT kern_return_t
task_policy_set(task_policy_set_t task, task_policy_flavor_t flavor, task_policy_t policy_info,
		mach_msg_type_number_t policy_infoCnt)
{
	return _kernelrpc_task_policy_set(task, flavor, policy_info, policy_infoCnt);
}

BERTH_EXPORT kern_return_t
task_policy_get(task_policy_get_t task, task_policy_flavor_t flavor, task_policy_t policy_info,
		mach_msg_type_number_t *policy_infoCnt, boolean_t *get_default)
{
	return _kernelrpc_task_policy_get(task, flavor, policy_info, policy_infoCnt, get_default);
}

/* TASK_EXC_GUARD_NONE: a guard that is hurt fails the call, no more. */
BERTH_EXPORT kern_return_t
task_get_exc_guard_behavior(task_inspect_t task, task_exc_guard_behavior_t *behavior)
{
	return _kernelrpc_task_get_exc_guard_behavior(task, behavior);
}

/* KERN_NOT_SUPPORTED: exceptions that would never come; KERN_INVALID_VALUE: unknown ones. */
BERTH_EXPORT kern_return_t
task_set_exc_guard_behavior(task_t task, task_exc_guard_behavior_t behavior)
{
	return _kernelrpc_task_set_exc_guard_behavior(task, behavior);
}
