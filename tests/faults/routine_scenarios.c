/* What the scenarios of routines share: see routine_scenarios.h. */
#include "tests/faults/routine_scenarios.h"

#include <string.h>

#include <mach/exception_types.h>
#include <mach/thread_status.h>

#include "tests/faults/kernel_routines.h"
#include "tests/support/calls.h"
#include "tests/support/vouchers.h"

void
ask_words(struct ask *ask, uint32_t count, const uint32_t *words)
{
	for (uint32_t i = 0; i < count; i++)
		rpc_u32(&ask->request, words[i]);
}

void
ask_wide(struct ask *ask, uint64_t word)
{
	rpc_u64(&ask->request, word);
}

void
ask_port(struct ask *ask, mach_port_name_t name, uint32_t disposition)
{
	message_add_port(&ask->request.message, name, disposition);
}

int32_t
routine_id(const char *name)
{
	struct kernel_routine routine = { 0 };

	while (kernel_routine_next(&routine))
		if (strcmp(routine.name, name) == 0)
			return routine.id;
	fail_msg("%s has a scenario, but the kernel does not serve it", name);
	return 0;
}

void
ask_first(struct ask *ask, mach_port_name_t object, struct rpc *r)
{
	assert_ok(object_call(ask->caller, object, r));
}

mach_port_name_t
other_task_of(struct ask *ask)
{
	const struct trap_frame frame = { .number = BERTH_TRAP_TASK_FOR_PID,
					  .subject = ask->other->party->task };

	assert_true(world_trap(ask->caller, &frame));
	assert_ok(ask->caller->outcome.code);
	return (mach_port_name_t)ask->caller->outcome.values[0];
}

/* ---- exception ports, which tasks, threads and the host have alike --------------------------- */

static void
write_handler(struct ask *ask, struct rpc *r)
{
	message_add_port(&r->message, new_port(ask->caller), MACH_MSG_TYPE_MAKE_SEND);
	rpc_u32(r, EXC_MASK_BAD_ACCESS | EXC_MASK_ARITHMETIC);
	rpc_u32(r, EXCEPTION_DEFAULT);
	rpc_u32(r, x86_THREAD_STATE64);
}

void
set_exceptions(struct ask *ask)
{
	write_handler(ask, &ask->request);
}

void
exceptions_handled(struct ask *ask, const char *routine)
{
	struct rpc r = rpc_to(routine_id(routine));

	write_handler(ask, &r);
	ask_first(ask, ask->target, &r);
}

void
swap_exceptions(struct ask *ask)
{
	write_handler(ask, &ask->request);
	ask->lasts = true;
}

void
get_exceptions(struct ask *ask)
{
	rpc_u32(&ask->request, EXC_MASK_ALL);
}
