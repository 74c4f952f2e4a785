/* Lanes: how many there may be, how many of them one task gets, and what asking costs. */
#include "tests/support/lanes.h"

#include "kernel/limits.h"
#include "tests/support/calls.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define SENDERS 5u

static kern_return_t
open_to(struct actor *t, mach_port_name_t right)
{
	return trap(t, BERTH_TRAP_LANE_OPEN, right, 0, 0, 0, 0, 0);
}

/* The memories that the host would make for it. */
static uint32_t
wanted(struct actor *t, uint32_t number, mach_port_name_t right)
{
	struct trap_frame frame = { .number = number, .args = { right } };

	return kernel_lane_memory_wanted(t->party->task, &frame);
}

static struct world *
crowd(struct actor *senders[SENDERS], struct actor **server)
{
	struct world *w = world_new(SENDERS + 1);

	*server = world_actor(w, SENDERS);
	assert_non_null(lane_begin(*server));
	for (uint32_t i = 0; i < SENDERS; i++) {
		senders[i] = world_actor(w, i);
		assert_non_null(lane_begin(senders[i]));
	}
	w->quiet_audit = true;
	return w;
}

/* Lanes of @t to new ports of @server, until it gets none. */
static uint32_t
open_many(struct actor *t, struct actor *server)
{
	uint32_t count = 0;

	while (open_to(t, give(server, new_port_with_send(server), COPY, t)) == KERN_SUCCESS)
		count++;
	assert_code(t->outcome.code, KERN_RESOURCE_SHORTAGE);
	return count;
}

TEST(one_task_leaves_gates_for_others)
{
	struct actor *senders[SENDERS], *server;
	struct world *w = crowd(senders, &server);

	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX / LANE_PEER_GATE_MAX; i++)
		assert_int_equal(open_many(senders[i], server), LANE_PEER_GATE_MAX);
	assert_int_equal(open_many(senders[SENDERS - 1], server), 0); /* the last one is taken */
	/* the share is of each receiver's */
	assert_ok(open_to(senders[0], senders[0]->party->mailbox_of[1]));
	kernel_audit(w->kernel);
	world_free(w);
}

TEST(one_task_leaves_lanes_for_others)
{
	struct actor *senders[SENDERS], *server;
	struct world *w = crowd(senders, &server);
	mach_port_name_t ports[LANE_PEER_MAX + 1];

	for (uint32_t i = 0; i <= LANE_PEER_MAX; i++) {
		struct actor *other = senders[1 + i / LANE_PEER_GATE_MAX];

		ports[i] = new_port_with_send(server);
		assert_ok(open_to(other, give(server, ports[i], COPY, other)));
	}
	for (uint32_t i = 0; i < LANE_PEER_MAX; i++)
		assert_ok(open_to(senders[0], give(server, ports[i], COPY, senders[0])));
	assert_code(open_to(senders[0], give(server, ports[LANE_PEER_MAX], COPY, senders[0])),
		    KERN_RESOURCE_SHORTAGE);
	assert_ok(open_to(senders[4], give(server, ports[LANE_PEER_MAX], COPY, senders[4])));
	kernel_audit(w->kernel);
	world_free(w);
}

/* Whoever sends by one that it does not sleep on would wake nobody. */
TEST(no_more_lanes_lead_to_a_port_than_its_receiver_can_sleep_on)
{
	struct world *w = world_new_quiet(MACH_LANE_PORT_MAX + 2);
	struct actor *server = world_actor(w, 0), *last = NULL;

	assert_non_null(lane_begin(server));
	for (uint32_t i = 0; i <= MACH_LANE_PORT_MAX; i++) {
		last = world_actor(w, i + 1);
		assert_non_null(lane_begin(last));
		assert_code(open_to(last, last->party->mailbox_of[0]),
			    i < MACH_LANE_PORT_MAX ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE);
	}
	/* to another port of the server it gets one */
	assert_ok(open_to(last, give(server, new_port_with_send(server), COPY, last)));
	kernel_audit(w->kernel);
	world_free(w);
}

TEST_2(lanes_are_opened_and_closed_at_a_bounded_pace)
{
	mach_port_name_t right = a->party->mailbox_of[1];
	uint32_t count = 0;

	assert_non_null(lane_begin(a));
	assert_non_null(lane_begin(b));
	while (open_to(a, right) == KERN_SUCCESS) {
		assert_ok(
		    trap(a, BERTH_TRAP_LANE_CLOSE, (uint32_t)a->outcome.values[0], 0, 0, 0, 0, 0));
		count++;
	}
	assert_code(a->outcome.code, KERN_RESOURCE_SHORTAGE);
	assert_int_equal(count, LANE_OPEN_BURST);
	world_advance_ms(w, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_ok(open_to(a, right));
		assert_ok(
		    trap(a, BERTH_TRAP_LANE_CLOSE, (uint32_t)a->outcome.values[0], 0, 0, 0, 0, 0));
	}
	assert_code(open_to(a, right), KERN_RESOURCE_SHORTAGE);
	/* who has asked in vain is not set back by it, and who asked little not at all */
	world_advance_ms(w, LANE_OPEN_BURST);
	assert_ok(open_to(a, right));
	assert_ok(open_to(b, b->party->mailbox_of[0]));
}

TEST_2(memory_is_made_only_where_it_is_kept)
{
	mach_port_name_t right = a->party->mailbox_of[1], own = new_port_with_send(a);

	assert_int_equal(wanted(a, BERTH_TRAP_LANE_BEGIN, 0), 2);
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_OPEN, right), 0); /* has not begun */
	assert_non_null(lane_begin(a));
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_BEGIN, 0), 0);
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_OPEN, right), 0); /* its receiver has not */
	assert_non_null(lane_begin(b));
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_OPEN, right), 1);
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_OPEN, own), 0);
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_OPEN, 0x123403), 0);
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_GATES, right), 0);
	assert_ok(open_to(a, right));
	assert_int_equal(wanted(a, BERTH_TRAP_LANE_OPEN, right), 0);
	assert_code(open_to(a, right), KERN_NAME_EXISTS);
	(void)w;
}
