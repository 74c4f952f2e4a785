/*
 * Policies: what tasks and threads wish for their scheduling, and for guards.
 *
 * They are kept, and told to who asks.  Who runs when is the host's to say, and no guard exception
 * is sent to anybody, so nothing follows from them.
 */
#ifndef KERNEL_POLICY_H
#define KERNEL_POLICY_H

#include <stdint.h>

#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/task_info.h>
#include <mach/task_policy.h>
#include <mach/thread_policy.h>

struct task;
struct thread;

/* The numbers of all flavors, one after the other, and which flavors were set (by number). */
struct thread_policies {
	integer_t numbers[10];
	uint32_t set;
};

struct task_policies {
	integer_t numbers[5];
	uint32_t set;
};

/*
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT  no task or thread; no such flavor; too few numbers; a number that says
 *                        nothing
 *
 * Source: mach-kobjects.md §7.
 */
kern_return_t thread_policy_set(struct thread *thread, thread_policy_flavor_t flavor,
				thread_policy_t info, mach_msg_type_number_t count);
kern_return_t task_policy_set(struct task *task, task_policy_flavor_t flavor, task_policy_t info,
			      mach_msg_type_number_t count);

/*
 * What was set; where *@is_default, or where nothing was, what holds then, and *@is_default is
 * true.  *@count is how many numbers fit, and becomes how many there are.  The same errors.
 */
kern_return_t thread_policy_get(struct thread *thread, thread_policy_flavor_t flavor,
				thread_policy_t info, mach_msg_type_number_t *count,
				boolean_t *is_default);
kern_return_t task_policy_get(struct task *task, task_policy_flavor_t flavor, task_policy_t info,
			      mach_msg_type_number_t *count, boolean_t *is_default);

/*
 * KERN_SUCCESS           TASK_EXC_GUARD_NONE: it is and stays so
 * KERN_INVALID_ARGUMENT  no task
 * KERN_INVALID_VALUE     no such behavior
 * KERN_NOT_SUPPORTED     exceptions that would never come
 */
kern_return_t task_get_exc_guard_behavior(struct task *task, task_exc_guard_behavior_t *behavior);
kern_return_t task_set_exc_guard_behavior(struct task *task, task_exc_guard_behavior_t behavior);

#endif
