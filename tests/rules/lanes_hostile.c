/* Lanes: who writes into the memory what he likes spoils his own lane and nothing else. */
#include "tests/support/lanes.h"

#include <string.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE

static struct received came;
static struct lane_taken taken;

/* ---- nothing is lost by looking -------------------------------------------------------------- */

TEST_2(who_looks_at_a_right_to_answer_loses_no_request_behind_it)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t binding = lane_bind(&lane, new_port(a));

	(void)w;
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_true(put_id(&lane, 2, binding));
	assert_entry(b, taken.reply, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(take_id(b, b->party->mailbox), 2);
}

/* ---- limits ---------------------------------------------------------------------------------- */

TEST_2(who_spoils_the_count_gets_in_what_the_ring_holds_and_no_more)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t gate = lane.sender_table->entries[lane.sender_number].gate, sent = 0;

	for (uint32_t round = 0; round < 10; round++) {
		atomic_store(&lane.gates->gates[gate].limit, UINT32_MAX);
		while (put_id(&lane, 1, LANE_NO_ANSWER))
			sent++;
		world_look(w); /* as any trap of his own that concerns the port */
	}
	assert_in_range(sent, 1, 16 + MACH_LANE_RING_UNITS);
	for (; sent > 0; sent--)
		assert_int_equal(take_id(b, b->party->mailbox), 1);
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
}

/* ---- who sent it ----------------------------------------------------------------------------- */

/* The sender of what waits on @port says @t's kernel. */
static audit_token_t
sender_on(struct actor *t, mach_port_name_t port)
{
	assert_ok(msg_receive(t, port,
			      MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
			      ANY_SIZE, 0, &came));
	return came.trailer.msgh_audit;
}

TEST_3(nobody_makes_a_third_believe_that_his_client_sent_it)
{
	mach_port_name_t port = new_port_with_send(b), right = give(b, port, COPY, a), moved;
	struct lane_ends lane = lane_make(a, right, b);
	audit_token_t token;

	(void)w;
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	/* the receiver writes what the sender never said, and passes the port on */
	((mach_msg_header_t *)(void *)(mach_lane_record_at(lane.shared, 0) + 1))->msgh_id = 2;
	moved = give(b, port, MACH_MSG_TYPE_MOVE_RECEIVE, c);
	token = sender_on(c, moved);
	assert_int_equal(came.header.msgh_id, 2);
	assert_memory_not_equal(&token, &a->party->token, sizeof(token));
	assert_int_equal(token.val[1], UINT32_MAX); /* nobody's uid */
	assert_int_equal(came.trailer.msgh_sender.val[0], UINT32_MAX);
}

TEST_3(nobody_makes_a_third_believe_that_his_server_answered)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a), moved;
	uint32_t binding = lane_bind(&lane, reply);
	struct message m;
	audit_token_t token;

	(void)w;
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	m = with_id(taken.reply, MOVE_ONCE, 2);
	assert_true(lane_answer(&lane, taken.call, taken.reply, &m));
	((mach_msg_header_t *)(void *)lane.shared->answers[taken.call])->msgh_id = 3;
	moved = give(a, reply, MACH_MSG_TYPE_MOVE_RECEIVE, c);
	token = sender_on(c, moved);
	assert_int_equal(came.header.msgh_id, 3);
	assert_memory_not_equal(&token, &b->party->token, sizeof(token));
	assert_int_equal(token.val[1], UINT32_MAX);
}
