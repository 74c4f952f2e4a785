/* Wishes of threads and tasks, guards, the special ports of threads: mach-kobjects.md §3.1, §7. */
#include <mach/mig_errors.h>
#include <mach/task_info.h>
#include <mach/task_policy.h>
#include <mach/thread_policy.h>
#include <mach/thread_special_ports.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define TASK_SET 3420
#define TASK_GET 3421
#define GET_GUARDS 3452
#define SET_GUARDS 3453
#define GET_PORT 3610
#define SET_PORT 3611
#define THREAD_SET 3617
#define THREAD_GET 3618
#define ROOM 16 /* numbers in a message */

static kern_return_t
ask(struct actor *t, mach_port_name_t object, struct rpc *r)
{
	kern_return_t kr;

	t->target = object;
	kr = rpc_call(t, reply_port(t), r);
	t->target = BERTH_NAME_TASK_SELF;
	return kr;
}

/* Of a thread, or of a task: whatever @object is to be. */
static kern_return_t
wish(struct actor *t, bool of_task, mach_port_name_t object, uint32_t flavor, const int32_t *info,
     uint32_t count)
{
	struct rpc r = rpc_to(of_task ? TASK_SET : THREAD_SET);

	rpc_u32(&r, flavor);
	rpc_u32(&r, count);
	for (uint32_t i = 0; i < count; i++)
		rpc_u32(&r, (uint32_t)info[i]);
	return ask(t, object, &r);
}

struct told {
	uint32_t count;
	int32_t info[ROOM];
	bool is_default;
};

static kern_return_t
tell(struct actor *t, bool of_task, mach_port_name_t object, uint32_t flavor, uint32_t room,
     bool want_default, struct told *told)
{
	struct rpc r = rpc_to(of_task ? TASK_GET : THREAD_GET);
	kern_return_t kr;

	rpc_u32(&r, flavor);
	rpc_u32(&r, room);
	rpc_u32(&r, want_default);
	kr = ask(t, object, &r);
	if (kr != KERN_SUCCESS)
		return kr;
	*told = (struct told){ .count = rpc_result_u32(&r) };
	assert_true(told->count <= ROOM);
	for (uint32_t i = 0; i < told->count; i++)
		told->info[i] = (int32_t)rpc_result_u32(&r);
	told->is_default = rpc_result_u32(&r) != 0;
	return kr;
}

/* A flavor, numbers that it may have, and numbers that hold before any were set. */
struct flavor {
	bool of_task;
	uint32_t number, count;
	int32_t wished[4], defaults[4];
};

static const struct flavor flavors[] = {
	{ false, THREAD_EXTENDED_POLICY, 1, { FALSE }, { TRUE } },
	{ false, THREAD_TIME_CONSTRAINT_POLICY, 4, { 90, 10, 10, FALSE }, { 0, 0, 0, TRUE } },
	{ false, THREAD_PRECEDENCE_POLICY, 1, { -3 }, { 0 } },
	{ false, THREAD_AFFINITY_POLICY, 1, { 4 }, { THREAD_AFFINITY_TAG_NULL } },
	{ false, THREAD_BACKGROUND_POLICY, 1, { 5 }, { 0 } },
	{ false, THREAD_LATENCY_QOS_POLICY, 1, { LATENCY_QOS_TIER_5 }, { 0 } },
	{ false, THREAD_THROUGHPUT_QOS_POLICY, 1, { THROUGHPUT_QOS_TIER_0 }, { 0 } },
	{ true, TASK_CATEGORY_POLICY, 1, { TASK_FOREGROUND_APPLICATION }, { TASK_UNSPECIFIED } },
	{ true, TASK_BASE_QOS_POLICY, 2, { LATENCY_QOS_TIER_0, THROUGHPUT_QOS_TIER_5 }, { 0 } },
	{ true, TASK_OVERRIDE_QOS_POLICY, 2, { LATENCY_QOS_TIER_3, THROUGHPUT_QOS_TIER_4 }, { 0 } },
};

#define FLAVOR_COUNT (sizeof flavors / sizeof *flavors)

static mach_port_name_t
object_of(struct actor *t, const struct flavor *flavor)
{
	return flavor->of_task ? BERTH_NAME_TASK_SELF : thread_self(t);
}

static void
check_told(struct actor *t, const struct flavor *flavor, bool want_default, bool is_default)
{
	struct told told;

	assert_ok(tell(t, flavor->of_task, object_of(t, flavor), flavor->number, flavor->count,
		       want_default, &told));
	assert_int_equal(told.count, flavor->count);
	assert_int_equal(told.is_default, is_default);
	assert_memory_equal(told.info, is_default ? flavor->defaults : flavor->wished,
			    flavor->count * sizeof(int32_t));
}

/* Each for itself: what one sets is not seen in another. */
TEST_1(each_wish_is_told_again_and_so_is_what_holds_without)
{
	for (size_t set = 0; set < FLAVOR_COUNT; set++) {
		for (size_t i = 0; i < FLAVOR_COUNT; i++)
			check_told(a, &flavors[i], false, i >= set);
		assert_ok(wish(a, flavors[set].of_task, object_of(a, &flavors[set]),
			       flavors[set].number, flavors[set].wished, flavors[set].count));
		check_told(a, &flavors[set], false, false);
		check_told(a, &flavors[set], true, true);
	}
}

TEST_1(too_few_numbers_and_flavors_that_there_are_not_are_refused)
{
	static const uint32_t nowhere[] = { 0, 6, 12, 32, UINT32_MAX };
	struct told told;

	for (size_t i = 0; i < FLAVOR_COUNT; i++) {
		const struct flavor *flavor = &flavors[i];
		mach_port_name_t object = object_of(a, flavor);

		assert_code(wish(a, flavor->of_task, object, flavor->number, flavor->wished,
				 flavor->count - 1),
			    flavor->number == THREAD_STANDARD_POLICY && !flavor->of_task
				? KERN_SUCCESS /* the same number, which wishes nothing */
				: KERN_INVALID_ARGUMENT);
		assert_code(tell(a, flavor->of_task, object, flavor->number, flavor->count - 1,
				 false, &told),
			    KERN_INVALID_ARGUMENT);
	}
	for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
		for (int of_task = 0; of_task < 2; of_task++) {
			mach_port_name_t object = of_task ? BERTH_NAME_TASK_SELF : thread_self(a);

			assert_code(wish(a, of_task, object, nowhere[i], flavors[1].wished, 4),
				    KERN_INVALID_ARGUMENT);
			assert_code(tell(a, of_task, object, nowhere[i], 4, false, &told),
				    KERN_INVALID_ARGUMENT);
		}
}

TEST_1(numbers_that_say_nothing_are_refused)
{
	static const struct {
		bool of_task;
		uint32_t number, count;
		int32_t wished[4];
		bool is_allowed;
	} cases[] = {
		{ false, THREAD_TIME_CONSTRAINT_POLICY, 4, { 90, 11, 10, FALSE }, false },
		{ false, THREAD_TIME_CONSTRAINT_POLICY, 4, { 0, 1, -1, FALSE }, true },
		{ false, THREAD_LATENCY_QOS_POLICY, 1, { LATENCY_QOS_TIER_5 + 1 }, false },
		{ false, THREAD_LATENCY_QOS_POLICY, 1, { LATENCY_QOS_TIER_0 - 1 }, false },
		{ false, THREAD_LATENCY_QOS_POLICY, 1, { THROUGHPUT_QOS_TIER_0 }, false },
		{ false, THREAD_LATENCY_QOS_POLICY, 1, { 0 }, true },
		{ false, THREAD_THROUGHPUT_QOS_POLICY, 1, { LATENCY_QOS_TIER_0 }, false },
		{ true, TASK_CATEGORY_POLICY, 1, { TASK_DARWINBG_APPLICATION + 1 }, false },
		{ true, TASK_CATEGORY_POLICY, 1, { TASK_DARWINBG_APPLICATION }, true },
		{ true, TASK_CATEGORY_POLICY, 1, { TASK_RENICED - 1 }, false },
		{ true, TASK_CATEGORY_POLICY, 1, { TASK_RENICED }, true },
		{ true, TASK_BASE_QOS_POLICY, 2, { LATENCY_QOS_TIER_0, 1 }, false },
		{ true, TASK_BASE_QOS_POLICY, 2, { 1, THROUGHPUT_QOS_TIER_0 }, false },
	};
	mach_port_name_t thread = thread_self(a);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_code(wish(a, cases[i].of_task,
				 cases[i].of_task ? BERTH_NAME_TASK_SELF : thread, cases[i].number,
				 cases[i].wished, cases[i].count),
			    cases[i].is_allowed ? KERN_SUCCESS : KERN_INVALID_ARGUMENT);
}

TEST_1(the_standard_policy_wishes_what_holds_without)
{
	static const int32_t never = FALSE;
	mach_port_name_t thread = thread_self(a);
	struct told told;

	assert_ok(wish(a, false, thread, THREAD_EXTENDED_POLICY, &never, 1));
	assert_ok(
	    wish(a, false, thread, THREAD_STANDARD_POLICY, NULL, THREAD_STANDARD_POLICY_COUNT));
	assert_ok(tell(a, false, thread, THREAD_EXTENDED_POLICY, 1, false, &told));
	assert_int_equal(told.info[0], TRUE);
	assert_false(told.is_default);
}

TEST_1(the_tiers_of_a_task_are_one_and_two)
{
	static const int32_t latency = LATENCY_QOS_TIER_2, throughput = THROUGHPUT_QOS_TIER_3;
	struct told told;

	assert_ok(wish(a, true, BERTH_NAME_TASK_SELF, TASK_BASE_LATENCY_QOS_POLICY, &latency, 1));
	assert_ok(tell(a, true, BERTH_NAME_TASK_SELF, TASK_BASE_QOS_POLICY, 2, false, &told));
	assert_false(told.is_default);
	assert_int_equal(told.info[0], latency);
	assert_int_equal(told.info[1], 0);
	assert_ok(
	    wish(a, true, BERTH_NAME_TASK_SELF, TASK_BASE_THROUGHPUT_QOS_POLICY, &throughput, 1));
	assert_ok(tell(a, true, BERTH_NAME_TASK_SELF, TASK_BASE_QOS_POLICY, 2, false, &told));
	assert_int_equal(told.info[0], latency);
	assert_int_equal(told.info[1], throughput);
}

TEST_1(only_threads_and_tasks_have_wishes)
{
	const mach_port_name_t host = host_self(a), wrong[2][2] = { { BERTH_NAME_TASK_SELF, host },
								    { thread_self(a), host } };
	struct told told;

	for (int of_task = 0; of_task < 2; of_task++) {
		const struct flavor *flavor = &flavors[of_task ? 7 : 0];

		for (size_t i = 0; i < 2; i++) {
			assert_code(
			    wish(a, of_task, wrong[of_task][i], flavor->number, flavor->wished, 1),
			    KERN_INVALID_ARGUMENT);
			assert_code(
			    tell(a, of_task, wrong[of_task][i], flavor->number, 1, false, &told),
			    KERN_INVALID_ARGUMENT);
		}
	}
}

TEST_1(no_guard_sends_exceptions)
{
	static const struct {
		uint32_t behavior;
		kern_return_t code;
	} cases[] = {
		{ TASK_EXC_GUARD_NONE, KERN_SUCCESS },
		{ TASK_EXC_GUARD_MP_DELIVER, KERN_NOT_SUPPORTED },
		{ TASK_EXC_GUARD_ALL, KERN_NOT_SUPPORTED },
		{ TASK_EXC_GUARD_ALL + 1, KERN_INVALID_VALUE },
		{ 0x80000000, KERN_INVALID_VALUE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rpc set = rpc_to(SET_GUARDS), get = rpc_to(GET_GUARDS);

		rpc_u32(&set, cases[i].behavior);
		assert_code(ask(a, BERTH_NAME_TASK_SELF, &set), cases[i].code);
		assert_ok(ask(a, BERTH_NAME_TASK_SELF, &get));
		assert_int_equal(rpc_result_u32(&get), TASK_EXC_GUARD_NONE);
	}
}

TEST_1(a_thread_s_own_port_is_got_and_not_set)
{
	mach_port_name_t thread = thread_self(a), other = new_port_with_send(a);
	uint32_t refs = send_refs(a, thread);

	for (uint32_t which = 0; which <= 4; which++) {
		struct rpc get = rpc_to(GET_PORT), set = rpc_to(SET_PORT);
		const bool is_there = which == THREAD_KERNEL_PORT;

		rpc_u32(&get, which);
		assert_code(ask(a, thread, &get), is_there ? KERN_SUCCESS : KERN_INVALID_ARGUMENT);
		if (is_there)
			assert_int_equal(got.descriptors[0].name, thread);
		message_add_port(&set.message, other, MACH_MSG_TYPE_COPY_SEND);
		rpc_u32(&set, which);
		assert_code(ask(a, thread, &set),
			    is_there ? KERN_NO_ACCESS : KERN_INVALID_ARGUMENT);
		assert_int_equal(srights_of(a, other), 1);
	}
	assert_entry(a, thread, MACH_PORT_TYPE_SEND, refs + 1);
}
