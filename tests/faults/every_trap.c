/*
 * Every allocation of every trap fails once.
 *
 * Each trap has a scenario, and the compiler sees to it that none is forgotten.  Where an
 * allocation of the call fails, it says so with a code that the contract has for it, leaves the
 * kernel as it was before, and works when it is made once more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/trap_scenarios.h"
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

/*
 * The kernel as its tasks can see it: without the room that their tables have, and without the
 * port of a thread that nobody has a right to.
 */
static char *
visible(struct world *w)
{
	char *text = world_dump(w), *end = text, *next;

	for (char *line = text; *line; line = next) {
		char *table = strstr(line, " table "), *ports;
		size_t size;

		next = strchr(line, '\n') + 1;
		ports = table && table < next ? strstr(table, " ports ") : NULL;
		size = (size_t)((ports ? table : next) - line);
		if (!memmem(line, size, " kernel thread name 0x0 refs 1 flags 0 srights 0 ", 49)) {
			memmove(end, line, size);
			end += size;
		}
		if (ports) {
			memmove(end, ports, (size_t)(next - ports));
			end += next - ports;
		}
	}
	*end = '\0';
	return text;
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
fails_without_trace_and_works_afterwards(uint32_t number, scenario *prepare)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct call *c = calloc(1, sizeof *c);
		char *before;

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

TEST(every_trap_fails_without_a_trace_for_want_of_memory)
{
	uint32_t count = 0;

	for (uint32_t number = 1; number < BERTH_TRAP_LIMIT; number++) {
		scenario *prepare = scenario_of((enum berth_trap_number)number);

		if (prepare) {
			fails_without_trace_and_works_afterwards(number, prepare);
			count++;
		}
	}
	assert_int_not_equal(count, 0);
}
