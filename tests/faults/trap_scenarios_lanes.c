/* Scenarios of the traps for lanes. */
#include "tests/faults/trap_scenario_parts.h"
#include "tests/support/calls.h"
#include "tests/support/lanes.h"

/* The first of its task: the others have begun. */
void
first_lanes(struct call *c)
{
	(void)c;
}

void
own_gates(struct call *c)
{
	assert_non_null(lane_begin(c->caller));
	c->frame.args[0] = BERTH_LANE_OWN;
}

void
new_lane(struct call *c)
{
	assert_non_null(lane_begin(c->caller));
	assert_non_null(lane_begin(c->other));
	c->frame.args[0] = c->caller->party->mailbox_of[1];
}

void
offered_lane(struct call *c)
{
	assert_non_null(lane_begin(c->caller));
	assert_non_null(lane_begin(c->other));
	assert_ok(
	    trap(c->other, BERTH_TRAP_LANE_OPEN, c->other->party->mailbox_of[0], 0, 0, 0, 0, 0));
}

void
lane_to_bind(struct call *c)
{
	struct lane_ends lane = lane_make(c->caller, c->caller->party->mailbox_of[1], c->other);

	c->frame.args[0] = lane.sender_number;
	c->frame.args[1] = new_port(c->caller);
}

/* With something in it, which must come out. */
void
used_lane(struct call *c)
{
	struct lane_ends lane = lane_make(c->caller, c->caller->party->mailbox_of[1], c->other);
	struct message m = message_to(lane.right, MACH_MSG_TYPE_COPY_SEND);

	assert_true(lane_put(&lane, &m, lane_bind(&lane, new_port(c->caller))));
	c->frame.args[0] = lane.sender_number;
}
