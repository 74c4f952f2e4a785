/* What routines on tasks and threads need: see routine_scenarios.h. */
#include "tests/faults/routine_scenarios.h"

#include <mach/task_policy.h>
#include <mach/task_special_ports.h>
#include <mach/thread_policy.h>
#include <mach/thread_special_ports.h>
#include <mach/thread_status.h>

#include "tests/support/calls.h"
#include "tests/support/semaphores.h"
#include "tests/support/vouchers.h"

#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE_SEND MACH_MSG_TYPE_MOVE_SEND
#define MOVE_SEND_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE
#define REGISTERED TASK_PORT_REGISTER_MAX
#define ROOM 16

static void
nothing(struct ask *ask)
{
}

/* ---- ports of tasks -------------------------------------------------------------------------- */

static void
registered_set(struct ask *ask)
{
	static mach_port_name_t ports[REGISTERED];

	for (uint32_t i = 0; i < REGISTERED; i++)
		ports[i] = new_port(ask->caller);
	message_add_ool_ports(&ask->request.message, ports, REGISTERED, MAKE);
	ASK_WORDS(ask, REGISTERED);
}

/* Each by a name of its own, which the caller has not got. */
static void
registered_by_the_other(struct ask *ask)
{
	mach_port_name_t ports[REGISTERED];

	for (uint32_t i = 0; i < REGISTERED; i++)
		ports[i] = new_port_with_send(ask->other);
	assert_ok(ports_register(ask->other, REGISTERED, ports[0], ports[1], ports[2]));
	ask->target = other_task_of(ask);
}

static void
special(struct ask *ask)
{
	ASK_WORDS(ask, TASK_NAME_PORT);
}

static void
special_of_the_other(struct ask *ask)
{
	assert_ok(
	    set_special_port(ask->other, TASK_BOOTSTRAP_PORT, new_port_with_send(ask->other)));
	ask->target = other_task_of(ask);
	ASK_WORDS(ask, TASK_BOOTSTRAP_PORT);
}

static void
special_set(struct ask *ask)
{
	ask_port(ask, new_port(ask->caller), MAKE);
	ASK_WORDS(ask, TASK_BOOTSTRAP_PORT);
}

/* ---- exceptions ------------------------------------------------------------------------------ */

static void
get_task_exceptions(struct ask *ask)
{
	exceptions_handled(ask, "task_set_exception_ports");
	get_exceptions(ask);
}

static void
swap_task_exceptions(struct ask *ask)
{
	exceptions_handled(ask, "task_set_exception_ports");
	swap_exceptions(ask);
}

static void
set_exceptions_of_the_other(struct ask *ask)
{
	ask->target = other_task_of(ask);
	set_exceptions(ask);
}

/* ---- semaphores ------------------------------------------------------------------------------ */

static void
new_semaphore_of_task(struct ask *ask)
{
	ASK_WORDS(ask, 0, 1);
}

static void
new_semaphore_of_the_other(struct ask *ask)
{
	ask->target = other_task_of(ask);
	new_semaphore_of_task(ask);
}

/* A failed request takes one of its two user references along. */
static void
old_semaphore(struct ask *ask)
{
	mach_port_name_t semaphore = new_semaphore(ask->caller, 0, 0);

	assert_ok(port_mod_refs(ask->caller, semaphore, MACH_PORT_RIGHT_SEND, 1));
	ask_port(ask, semaphore, MOVE_SEND);
}

/* ---- suspension ------------------------------------------------------------------------------ */

/* The token is what the request goes to, and ends with it. */
static void
new_token(struct ask *ask)
{
	assert_ok(trap(ask->caller, BERTH_TRAP_TASK_SUSPEND2, other_task_of(ask), 0, 0, 0, 0, 0));
	ask->target = (mach_port_name_t)ask->caller->outcome.values[0];
}

static void
suspended(struct ask *ask)
{
	new_token(ask);
	message_header(&ask->request.message)->msgh_bits = MACH_MSGH_BITS(MOVE_SEND_ONCE, 0);
	ask->again = new_token;
}

/* ---- policies -------------------------------------------------------------------------------- */

static void
task_wish(struct ask *ask)
{
	ASK_WORDS(ask, TASK_CATEGORY_POLICY, 1, TASK_FOREGROUND_APPLICATION);
}

static void
task_wish_told(struct ask *ask)
{
	ASK_WORDS(ask, TASK_CATEGORY_POLICY, ROOM, FALSE);
}

static void
thread_wish(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	ASK_WORDS(ask, THREAD_PRECEDENCE_POLICY, 1, 5);
}

static void
thread_wish_told(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	ASK_WORDS(ask, THREAD_PRECEDENCE_POLICY, ROOM, FALSE);
}

static void
no_guards(struct ask *ask)
{
	ASK_WORDS(ask, 0);
}

/* ---- vouchers -------------------------------------------------------------------------------- */

static void
task_voucher(struct ask *ask)
{
	ASK_WORDS(ask, 0);
}

static void
task_voucher_set(struct ask *ask)
{
	ask_port(ask, voucher_new(ask->caller, "some"), COPY);
}

static void
task_voucher_swapped(struct ask *ask)
{
	task_voucher_set(ask);
	ask_port(ask, MACH_PORT_NULL, COPY);
	ask->expected = KERN_NOT_SUPPORTED;
}

static void
thread_voucher_set(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	ask_port(ask, voucher_new(ask->caller, "some"), COPY);
}

/* The thread alone has it: to tell needs a name. */
static void
thread_voucher(struct ask *ask)
{
	struct rpc r = rpc_to(routine_id("thread_set_mach_voucher"));
	mach_port_name_t name = voucher_new(ask->caller, "some");

	ask->target = thread_self(ask->caller);
	message_add_port(&r.message, name, MOVE_SEND);
	ask_first(ask, ask->target, &r);
	ASK_WORDS(ask, 0);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* One that lets others have its registers. */
static void
offering(struct ask *ask)
{
	static const uint8_t state[sizeof(x86_thread_state64_t) + sizeof(x86_exception_state64_t)];
	const struct trap_frame offer = { .number = BERTH_TRAP_THREAD_STATE_OFFER,
					  .bytes = state,
					  .bytes_size = sizeof state };

	assert_true(world_trap(ask->caller, &offer));
	assert_ok(ask->caller->outcome.code);
	ask->target = thread_self(ask->caller);
	ASK_WORDS(ask, x86_THREAD_STATE64, x86_THREAD_STATE64_COUNT);
}

static void
state_set(struct ask *ask)
{
	offering(ask);
	for (uint32_t i = 0; i < x86_THREAD_STATE64_COUNT; i++)
		ASK_WORDS(ask, i);
}

static void
thread_special(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	ASK_WORDS(ask, THREAD_KERNEL_PORT);
}

static void
thread_special_set(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	ask_port(ask, new_port(ask->caller), MAKE);
	ASK_WORDS(ask, THREAD_KERNEL_PORT);
	ask->expected = KERN_NO_ACCESS;
}

static void
set_thread_exceptions(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	set_exceptions(ask);
}

static void
get_thread_exceptions(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	exceptions_handled(ask, "thread_set_exception_ports");
	get_exceptions(ask);
}

static void
swap_thread_exceptions(struct ask *ask)
{
	ask->target = thread_self(ask->caller);
	exceptions_handled(ask, "thread_set_exception_ports");
	swap_exceptions(ask);
}

const struct routine_row routine_scenarios_tasks[] = {
	{ "mach_ports_register", registered_set },
	{ "mach_ports_lookup", registered_by_the_other },
	{ "task_get_special_port", special },
	{ "task_get_special_port", special_of_the_other },
	{ "task_set_special_port", special_set },
	{ "task_set_exception_ports", set_exceptions },
	{ "task_set_exception_ports", set_exceptions_of_the_other },
	{ "task_get_exception_ports", get_task_exceptions },
	{ "task_swap_exception_ports", swap_task_exceptions },
	{ "semaphore_create", new_semaphore_of_task },
	{ "semaphore_create", new_semaphore_of_the_other },
	{ "semaphore_destroy", old_semaphore },
	{ "task_policy_set", task_wish },
	{ "task_policy_get", task_wish_told },
	{ "task_resume2", suspended },
	{ "task_get_mach_voucher", task_voucher },
	{ "task_set_mach_voucher", task_voucher_set },
	{ "task_swap_mach_voucher", task_voucher_swapped },
	{ "task_get_exc_guard_behavior", nothing },
	{ "task_set_exc_guard_behavior", no_guards },
	{ 0 },
};

const struct routine_row routine_scenarios_threads[] = {
	{ "thread_get_state", offering },
	{ "thread_set_state", state_set },
	{ "thread_get_special_port", thread_special },
	{ "thread_set_special_port", thread_special_set },
	{ "thread_set_exception_ports", set_thread_exceptions },
	{ "thread_get_exception_ports", get_thread_exceptions },
	{ "thread_swap_exception_ports", swap_thread_exceptions },
	{ "thread_policy_set", thread_wish },
	{ "thread_policy_get", thread_wish_told },
	{ "thread_get_mach_voucher", thread_voucher },
	{ "thread_set_mach_voucher", thread_voucher_set },
	{ 0 },
};
