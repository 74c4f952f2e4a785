#include "kern/policy.h"

#include <string.h>

#include "kern/thread.h"

#define TIER_COUNT 6

/* Where the numbers of a flavor are, what they are before any was set, and what they may be. */
struct policy {
	uint32_t flavor, at, count;
	integer_t defaults[4];
	bool (*is_valid)(const integer_t *info);
};

/* ---- numbers that say something -------------------------------------------------------------- */

static bool
is_tier(integer_t value, integer_t base)
{
	return value == 0 || (value > base && value <= base + TIER_COUNT);
}

static bool
is_latency(const integer_t *info)
{
	return is_tier(info[0], LATENCY_QOS_TIER_0 - 1);
}

static bool
is_throughput(const integer_t *info)
{
	return is_tier(info[0], THROUGHPUT_QOS_TIER_0 - 1);
}

static bool
is_qos(const integer_t *info)
{
	return is_latency(info) && is_throughput(info + 1);
}

static bool
is_role(const integer_t *info)
{
	return info[0] >= TASK_RENICED && info[0] <= TASK_DARWINBG_APPLICATION;
}

/* period, computation, constraint, preemptible */
static bool
is_time_constraint(const integer_t *info)
{
	return (uint32_t)info[1] <= (uint32_t)info[2];
}

static const struct policy of_threads[] = {
	{ THREAD_EXTENDED_POLICY, 0, 1, { TRUE }, NULL },
	{ THREAD_TIME_CONSTRAINT_POLICY, 1, 4, { 0, 0, 0, TRUE }, is_time_constraint },
	{ THREAD_PRECEDENCE_POLICY, 5, 1, { 0 }, NULL },
	{ THREAD_AFFINITY_POLICY, 6, 1, { THREAD_AFFINITY_TAG_NULL }, NULL },
	{ THREAD_BACKGROUND_POLICY, 7, 1, { 0 }, NULL },
	{ THREAD_LATENCY_QOS_POLICY, 8, 1, { 0 }, is_latency },
	{ THREAD_THROUGHPUT_QOS_POLICY, 9, 1, { 0 }, is_throughput },
	{ 0 },
};

/* The base's tiers are set together or each by itself. */
static const struct policy of_tasks[] = {
	{ TASK_CATEGORY_POLICY, 0, 1, { TASK_UNSPECIFIED }, is_role },
	{ TASK_BASE_QOS_POLICY, 1, 2, { 0 }, is_qos },
	{ TASK_OVERRIDE_QOS_POLICY, 3, 2, { 0 }, is_qos },
	{ TASK_BASE_LATENCY_QOS_POLICY, 1, 1, { 0 }, is_latency },
	{ TASK_BASE_THROUGHPUT_QOS_POLICY, 2, 1, { 0 }, is_throughput },
	{ 0 },
};

/* ---- keeping and telling --------------------------------------------------------------------- */

/* NULL: no such flavor. */
static const struct policy *
policy_find(const struct policy *table, uint32_t flavor)
{
	for (; table->flavor != 0; table++)
		if (table->flavor == flavor)
			return table;
	return NULL;
}

static kern_return_t
policy_set(const struct policy *policy, integer_t *numbers, uint32_t *set, const integer_t *info,
	   uint32_t count)
{
	if (!policy || count < policy->count || (policy->is_valid && !policy->is_valid(info)))
		return KERN_INVALID_ARGUMENT;
	memcpy(numbers + policy->at, info, policy->count * sizeof(*info));
	*set |= 1u << policy->flavor;
	return KERN_SUCCESS;
}

static kern_return_t
policy_get(const struct policy *policy, const integer_t *numbers, uint32_t set, integer_t *info,
	   uint32_t *count, boolean_t *is_default)
{
	if (!policy || *count < policy->count)
		return KERN_INVALID_ARGUMENT;
	*is_default = *is_default || !(set & (1u << policy->flavor));
	memcpy(info, *is_default ? policy->defaults : numbers + policy->at,
	       policy->count * sizeof(*info));
	*count = policy->count;
	return KERN_SUCCESS;
}

/* ---- the routines ---------------------------------------------------------------------------- */

kern_return_t
thread_policy_set(struct thread *thread, thread_policy_flavor_t flavor, thread_policy_t info,
		  mach_msg_type_number_t count)
{
	static const integer_t standard[] = { TRUE };

	if (!thread)
		return KERN_INVALID_ARGUMENT;
	if (flavor == THREAD_STANDARD_POLICY && count == THREAD_STANDARD_POLICY_COUNT)
		return policy_set(policy_find(of_threads, flavor), thread->policies.numbers,
				  &thread->policies.set, standard, 1);
	return policy_set(policy_find(of_threads, flavor), thread->policies.numbers,
			  &thread->policies.set, info, count);
}

kern_return_t
thread_policy_get(struct thread *thread, thread_policy_flavor_t flavor, thread_policy_t info,
		  mach_msg_type_number_t *count, boolean_t *is_default)
{
	return thread ? policy_get(policy_find(of_threads, flavor), thread->policies.numbers,
				   thread->policies.set, info, count, is_default)
		      : KERN_INVALID_ARGUMENT;
}

/* One of the base's tiers, or both: each is set then, as far as telling goes. */
static uint32_t
base_flavors(uint32_t set)
{
	const uint32_t both = 1u << TASK_BASE_QOS_POLICY,
		       each = 1u << TASK_BASE_LATENCY_QOS_POLICY |
			      1u << TASK_BASE_THROUGHPUT_QOS_POLICY;

	return set & (both | each) ? set | both | each : set;
}

kern_return_t
task_policy_set(struct task *task, task_policy_flavor_t flavor, task_policy_t info,
		mach_msg_type_number_t count)
{
	return task ? policy_set(policy_find(of_tasks, flavor), task->policies.numbers,
				 &task->policies.set, info, count)
		    : KERN_INVALID_ARGUMENT;
}

kern_return_t
task_policy_get(struct task *task, task_policy_flavor_t flavor, task_policy_t info,
		mach_msg_type_number_t *count, boolean_t *is_default)
{
	return task ? policy_get(policy_find(of_tasks, flavor), task->policies.numbers,
				 base_flavors(task->policies.set), info, count, is_default)
		    : KERN_INVALID_ARGUMENT;
}

kern_return_t
task_get_exc_guard_behavior(struct task *task, task_exc_guard_behavior_t *behavior)
{
	if (!task)
		return KERN_INVALID_ARGUMENT;
	*behavior = TASK_EXC_GUARD_NONE;
	return KERN_SUCCESS;
}

kern_return_t
task_set_exc_guard_behavior(struct task *task, task_exc_guard_behavior_t behavior)
{
	if (!task)
		return KERN_INVALID_ARGUMENT;
	if (behavior & ~(task_exc_guard_behavior_t)TASK_EXC_GUARD_ALL)
		return KERN_INVALID_VALUE;
	return behavior == TASK_EXC_GUARD_NONE ? KERN_SUCCESS : KERN_NOT_SUPPORTED;
}
