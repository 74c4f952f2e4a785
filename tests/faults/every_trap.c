/*
 * Every allocation of every trap fails once.
 *
 * Each trap has a scenario, and the compiler sees to it that none is forgotten.  Where an
 * allocation of the call fails, it says so with a code that the contract has for it, leaves the
 * kernel as it was before, and works when it is made once more.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/faults/dry.h"
#include "tests/faults/trap_scenarios.h"
#include "tests/faults/visible.h"
#include "tests/support/calls.h"
#include "tests/support/registry.h"

static bool
gives_errno(uint32_t number)
{
	return number >= BERTH_TRAP_CTL_INFO && number <= BERTH_TRAP_SYSTEM_STATISTICS;
}

static bool
is_shortage(uint32_t number, kern_return_t code)
{
	if (gives_errno(number))
		return code == ENOMEM;
	return code == KERN_RESOURCE_SHORTAGE || code == KERN_NO_SPACE ||
	       code == MACH_SEND_NO_BUFFER;
}

/* Makes the call; did it do what it is for? */
static bool
make(struct call *c)
{
	const struct outcome *outcome = &c->caller->outcome;

	if (!world_trap(c->caller, &c->frame))
		fail_msg("trap %u blocks", c->frame.number);
	return outcome->code == KERN_SUCCESS && (!c->gives_name || outcome->values[0] != 0);
}

/* Nothing is left of the right that the call has consumed: it ended in a notification. */
static void
gone(struct call *c)
{
	assert_int_equal(status_of(c->caller, c->consumes).mps_sorights,
			 msgcount_of(c->caller, c->consumes));
	while (msgcount_of(c->caller, c->consumes) > 0)
		assert_int_equal(take_id(c->caller, c->consumes), MACH_NOTIFY_SEND_ONCE);
}

static void
fails_without_trace_and_works_afterwards(uint32_t number, scenario *prepare, bool dry)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w;
		struct call *c = calloc(1, sizeof *c);
		char *before;

		if (dry)
			fault_dry(&fault);
		w = world_new_on(&fault, 2);
		c->world = w;
		c->caller = world_actor(w, 0);
		c->other = world_actor(w, 1);
		c->frame.number = number;
		/* what has a task for an argument has it first */
		if ((number >= BERTH_TRAP_PORT_ALLOCATE && number < BERTH_TRAP_SEMAPHORE_SIGNAL))
			c->frame.args[0] = BERTH_NAME_TASK_SELF;
		prepare(c);
		before = visible(w);
		fault_arm(&fault);
		if (make(c)) {
			free(before);
		} else {
			kern_return_t code = c->caller->outcome.code;

			if (!fault.hit ||
			    !(is_shortage(number, code) || (c->gives_name && code == KERN_SUCCESS)))
				fail_msg("trap %u, allocation %llu fails: %s", number,
					 (unsigned long long)fault.fail_at, code_name(code));
			fault.armed = false;
			if (c->consumes) {
				gone(c);
				free(before);
			} else {
				world_same(before, visible(w), __FILE__, __LINE__);
			}
			if (!make(c))
				fail_msg("trap %u, once more: %s", number,
					 code_name(c->caller->outcome.code));
		}
		fault.armed = false;
		if (c->file)
			file_drop(c->file);
		if (c->kext_host)
			kext_host_die(w, c->kext_host);
		free(c);
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}

static void
every_trap(bool dry)
{
	uint32_t count = 0;

	for (uint32_t number = 1; number < BERTH_TRAP_LIMIT; number++) {
		scenario *prepare = scenario_of((enum berth_trap_number)number);

		if (prepare) {
			fails_without_trace_and_works_afterwards(number, prepare, dry);
			count++;
		}
	}
	assert_int_not_equal(count, 0);
}

TEST(every_trap_fails_without_a_trace_for_want_of_memory)
{
	every_trap(false);
}

TEST(every_trap_fails_without_a_trace_when_memory_is_at_its_end)
{
	every_trap(true);
}
