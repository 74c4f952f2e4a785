/* Lanes: nothing that the kernel is asked can tell whether a message went by one. */
#include "tests/support/lanes.h"

#include <string.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE

static struct received came;
static struct lane_taken taken;

/* ---- there and back -------------------------------------------------------------------------- */

TEST_2(a_message_goes_by_the_lane_and_the_kernel_sees_none)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	assert_true(put_id(&lane, 7, LANE_NO_ANSWER));
	assert_true(lane_take(&lane, &taken));
	assert_int_equal(taken.header.msgh_id, 7);
	assert_int_equal(taken.reply, 0);
	assert_nothing_waits(b, b->party->mailbox);
}

TEST_2(a_request_is_answered_and_the_answer_found)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	(void)w;
	for (int32_t i = 1; i < 200; i++) {
		assert_true(put_id(&lane, i, binding));
		assert_true(lane_take(&lane, &taken));
		assert_true(MACH_PORT_VALID(taken.reply));
		assert_true(answer_id(&lane, &taken, 1000 + i));
		assert_true(lane_take_answer(&lane, binding, &taken));
		assert_int_equal(taken.header.msgh_id, 1000 + i);
	}
	assert_int_equal(status_of(a, reply).mps_sorights, 0);
}

/* ---- taking over: requests ------------------------------------------------------------------- */

TEST_2(who_receives_by_the_kernel_gets_what_is_in_the_lane_in_its_order)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	for (int32_t i = 1; i <= 5; i++)
		assert_true(put_id(&lane, i, LANE_NO_ANSWER));
	for (int32_t i = 1; i <= 5; i++) {
		take(b, b->party->mailbox, &came);
		assert_int_equal(came.header.msgh_id, i);
		assert_int_equal(came.header.msgh_bits, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND));
		assert_int_equal(came.header.msgh_local_port, b->party->mailbox);
	}
	assert_nothing_waits(b, b->party->mailbox);
	assert_true(put_id(&lane, 6, LANE_NO_ANSWER)); /* open again */
	assert_true(lane_take(&lane, &taken));
}

/* One sender goes by the kernel all the time: the others are better off if they do so, too. */
TEST_2(a_port_that_is_spoilt_again_and_again_is_shut_for_a_while)
{
	struct lane_ends lane = to_mailbox(a, b);

	for (uint32_t i = 0; i <= LANE_SPOILT_MAX; i++) {
		assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
		assert_ok(send_id(a, lane.right, COPY, 2));
		assert_int_equal(take_id(b, b->party->mailbox), 1);
		assert_int_equal(take_id(b, b->party->mailbox), 2);
	}
	assert_true(lane_port_flags(&lane) & MACH_LANE_IS_SHUT);
	assert_false(put_id(&lane, 3, LANE_NO_ANSWER));
	assert_ok(send_id(a, lane.right, COPY, 4));
	assert_int_equal(take_id(b, b->party->mailbox), 4);
	assert_false(put_id(&lane, 5, LANE_NO_ANSWER));
	w->now_ns += LANE_SHUT_NS;
	assert_ok(send_id(a, lane.right, COPY, 6));
	assert_true(put_id(&lane, 7, LANE_NO_ANSWER));
	assert_int_equal(take_id(b, b->party->mailbox), 6);
	assert_int_equal(take_id(b, b->party->mailbox), 7);
}

/* But not by messages that come seldom, or find the lanes empty. */
TEST_2(a_port_that_is_spoilt_now_and_then_stays_open)
{
	struct lane_ends lane = to_mailbox(a, b);

	for (uint32_t i = 0; i < 4 * LANE_SPOILT_MAX; i++) {
		assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
		if (i % 2 == 0)
			w->now_ns += 8 * LANE_TAKE_NS;
		else
			assert_int_equal(take_id(b, b->party->mailbox), 1);
		assert_ok(send_id(a, lane.right, COPY, 2));
		if (i % 2 == 0)
			assert_int_equal(take_id(b, b->party->mailbox), 1);
		assert_int_equal(take_id(b, b->party->mailbox), 2);
	}
	assert_true(put_id(&lane, 3, LANE_NO_ANSWER));
	assert_int_equal(take_id(b, b->party->mailbox), 3);
}

TEST_2(a_message_that_goes_by_the_kernel_comes_behind_those_in_the_lane)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(send_id(a, lane.right, COPY, 2));
	assert_true(put_id(&lane, 3, LANE_NO_ANSWER));
	assert_true(lane_port_flags(&lane) & MACH_LANE_HAS_MESSAGES);
	for (int32_t i = 1; i <= 3; i++)
		assert_int_equal(take_id(b, b->party->mailbox), i);
}

TEST_3(messages_of_several_lanes_are_taken_over_in_the_order_of_their_sending)
{
	struct lane_ends one = to_mailbox(a, c), two = to_mailbox(b, c);

	(void)w;
	for (int32_t i = 1; i <= 8; i++)
		assert_true(put_id(i % 3 ? &one : &two, i, LANE_NO_ANSWER));
	for (int32_t i = 1; i <= 8; i++)
		assert_int_equal(take_id(c, c->party->mailbox), i);
}

TEST_2(the_limit_of_the_queue_is_one_for_lane_and_kernel)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	set_qlimit(b, b->party->mailbox, 4);
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(send_id(a, lane.right, COPY, 2));
	assert_true(put_id(&lane, 3, LANE_NO_ANSWER));
	assert_true(put_id(&lane, 4, LANE_NO_ANSWER));
	assert_false(put_id(&lane, 5, LANE_NO_ANSWER));

	struct message m = with_id(lane.right, COPY, 5);

	assert_code(msg_send(a, &m, MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
	assert_int_equal(msgcount_of(b, b->party->mailbox), 4);
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	assert_true(put_id(&lane, 6, LANE_NO_ANSWER));
	assert_false(put_id(&lane, 7, LANE_NO_ANSWER));
}

TEST_2(sequence_numbers_go_on_whichever_way_a_message_came)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_true(lane_take(&lane, &taken)); /* number 0, as its library counts */
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
	assert_ok(msg_receive(b, b->party->mailbox,
			      MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_SEQNO),
			      ANY_SIZE, 0, &came));
	assert_int_equal(came.trailer.msgh_seqno, 1);
	assert_int_equal(status_of(b, b->party->mailbox).mps_seqno, 2);
}

TEST_2(the_trailer_of_what_was_taken_over_names_its_sender)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(msg_receive(b, b->party->mailbox,
			      MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
			      ANY_SIZE, 0, &came));
	assert_memory_equal(&came.trailer.msgh_audit, &a->party->token, sizeof(audit_token_t));
}

TEST_2(a_change_of_identity_is_told_for_what_is_sent_after_it)
{
	struct lane_ends lane = to_mailbox(a, b);
	const struct mach_lane_entry *row = &lane.receiver_table->entries[lane.receiver_number];
	audit_token_t other = a->party->token;

	other.val[1] = 4711;
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	world_look(w);
	kernel_task_set_token(a->party->task, &other);
	assert_int_equal(atomic_load(&row->token[1]), 4711);
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
	for (int32_t i = 1; i <= 2; i++) {
		assert_ok(msg_receive(b, b->party->mailbox,
				      MACH_RCV_TIMEOUT |
					  MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
				      ANY_SIZE, 0, &came));
		assert_int_equal(came.trailer.msgh_audit.val[1],
				 i == 1 ? a->party->token.val[1] : 4711);
	}
}

/* ---- who waits in the kernel ------------------------------------------------------------------
 */

TEST_2(a_receiver_in_the_kernel_shuts_the_gate_until_it_has_got_something)
{
	struct lane_ends lane = to_mailbox(a, b);

	(void)w;
	assert_code(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_true(lane_port_flags(&lane) & MACH_LANE_IS_SHUT);
	assert_false(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(send_id(a, lane.right, COPY, 1));
	assert_ok(finished(b, &came));
	assert_int_equal(lane_port_flags(&lane), 0);
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
}

TEST_2(an_interrupted_receiver_opens_the_gate_again)
{
	struct lane_ends lane = to_mailbox(a, b);

	assert_code(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL), BLOCKED);
	world_interrupt(b);
	assert_code(finished(b, NULL), MACH_RCV_INTERRUPTED);
	assert_int_equal(lane_port_flags(&lane), 0);
	(void)w;
}

TEST_2(a_blocked_sender_goes_first)
{
	struct lane_ends lane = to_mailbox(a, b);
	struct message m = with_id(lane.right, COPY, 2);

	set_qlimit(b, b->party->mailbox, 1);
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_code(msg_send(a, &m, 0, 0), BLOCKED);
	assert_false(put_id(&lane, 3, LANE_NO_ANSWER));
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	assert_ok(finished(a, NULL));
	assert_false(put_id(&lane, 3, LANE_NO_ANSWER)); /* full again */
	assert_int_equal(take_id(b, b->party->mailbox), 2);
	assert_true(put_id(&lane, 3, LANE_NO_ANSWER));
	(void)w;
}

TEST_2(a_port_in_a_set_has_its_gate_shut)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t set = new_set(b);

	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(port_move_member(b, b->party->mailbox, set));
	assert_true(lane_port_flags(&lane) & MACH_LANE_IS_SHUT);
	assert_int_equal(take_id(b, set), 1);
	assert_ok(port_move_member(b, b->party->mailbox, 0));
	assert_int_equal(lane_port_flags(&lane), 0);
	(void)w;
}

TEST_2(a_watched_port_has_its_gate_shut)
{
	struct lane_ends lane = to_mailbox(a, b);

	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(trap(b, BERTH_TRAP_PORT_WATCH, b->party->mailbox, 0, 0, 0, 0, 0));
	assert_true(b->outcome.watch->ready);
	assert_true(lane_port_flags(&lane) & MACH_LANE_IS_SHUT);
	(void)w;
}

/* ---- taking over: answers ---------------------------------------------------------------------
 */

TEST_2(the_right_to_answer_is_real_as_soon_as_somebody_looks)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_entry(b, taken.reply, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(status_of(a, reply).mps_sorights, 1);
	assert_false(answer_id(&lane, &taken, 2)); /* not by the lane any more */
	assert_ok(send_id(b, taken.reply, MOVE_ONCE, 2));
	assert_int_equal(take_id(a, reply), 2);
	assert_int_equal(status_of(a, reply).mps_sorights, 0);
	(void)w;
}

TEST_2(a_request_in_the_ring_is_taken_over_with_its_right_to_answer)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	take(b, b->party->mailbox, &came);
	assert_int_equal(came.header.msgh_bits,
			 MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND));
	assert_ok(send_id(b, came.header.msgh_remote_port, MOVE_ONCE, 2));
	assert_int_equal(take_id(a, reply), 2);
	(void)w;
}

TEST_2(answers_are_taken_over_in_their_order)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	struct lane_taken requests[3];

	for (int32_t i = 0; i < 3; i++) {
		assert_true(put_id(&lane, i, binding));
		assert_true(lane_take(&lane, &requests[i]));
	}
	assert_true(answer_id(&lane, &requests[2], 12));
	assert_true(answer_id(&lane, &requests[0], 10));
	assert_true(answer_id(&lane, &requests[1], 11));
	assert_int_equal(take_id(a, reply), 12);
	assert_int_equal(take_id(a, reply), 10);
	assert_int_equal(take_id(a, reply), 11);
	(void)w;
}

TEST_2(a_name_is_used_for_one_answer_only)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t binding = lane_bind(&lane, new_port(a));
	mach_port_name_t first;

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	first = taken.reply;
	assert_true(answer_id(&lane, &taken, 2));
	assert_code(send_id(b, first, MOVE_ONCE, 3), MACH_SEND_INVALID_DEST);
	assert_true(lane_take_answer(&lane, binding, &taken));
	assert_true(put_id(&lane, 4, binding));
	assert_true(lane_take(&lane, &taken));
	assert_int_not_equal(taken.reply, first);
	assert_code(send_id(b, first, MOVE_ONCE, 3), MACH_SEND_INVALID_DEST);
	(void)w;
}

TEST_2(a_right_to_answer_can_be_moved_on)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a), moved;
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	moved = give(b, taken.reply, MOVE_ONCE, a);
	assert_entry(a, moved, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_ok(port_deallocate(a, moved));
	assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
	(void)w;
}

TEST_2(who_drops_the_right_to_answer_has_the_asker_told)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_ok(port_deallocate(b, taken.reply));
	assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
	(void)w;
}

TEST_2(names_kept_for_answers_are_in_no_list)
{
	uint32_t names, after;

	assert_ok(trap(b, BERTH_TRAP_PORT_NAMES, b->target, 0, 0, 0, 0, 0));
	names = (uint32_t)b->outcome.values[0];

	struct lane_ends lane = to_mailbox(a, b);
	uint32_t binding = lane_bind(&lane, new_port(a));

	assert_ok(trap(b, BERTH_TRAP_PORT_NAMES, b->target, 0, 0, 0, 0, 0));
	after = (uint32_t)b->outcome.values[0];
	assert_int_equal(names, after);
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_ok(trap(b, BERTH_TRAP_PORT_NAMES, b->target, 0, 0, 0, 0, 0));
	assert_int_equal(b->outcome.values[0], names + 1);
	(void)w;
}

TEST_2(what_is_in_a_lane_is_not_lost_when_a_right_to_answer_is_made_real)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t binding = lane_bind(&lane, new_port(a));

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
	assert_entry(b, taken.reply, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(take_id(b, b->party->mailbox), 2);
	assert_int_equal(status_of(b, b->party->mailbox).mps_seqno, 2);
	(void)w;
}

TEST_2(a_kept_name_can_be_had_by_who_asks_for_it)
{
	struct lane_ends lane = to_mailbox(a, b);
	const struct mach_lane_entry *row = &lane.receiver_table->entries[lane.receiver_number];
	mach_port_name_t kept = atomic_load(&row->names[0]);

	assert_ok(port_allocate_name(b, MACH_PORT_RIGHT_RECEIVE, kept));
	assert_entry(b, kept, MACH_PORT_TYPE_RECEIVE, 0);
	(void)w;
}

TEST_2(an_answer_is_not_lost_when_its_name_is_wanted)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	mach_port_name_t wanted;

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	wanted = taken.reply;
	assert_true(answer_id(&lane, &taken, 2));
	assert_ok(port_allocate_name(b, MACH_PORT_RIGHT_RECEIVE, wanted));
	assert_entry(b, wanted, MACH_PORT_TYPE_RECEIVE, 0);
	assert_int_equal(take_id(a, reply), 2);
	(void)w;
}

TEST_2(a_request_that_is_half_taken_keeps_its_right_to_answer)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply), names, word;
	struct mach_lane_entry *row;

	assert_true(put_id(&lane, 1, binding));
	assert_ok(trap(b, BERTH_TRAP_PORT_NAMES, b->target, 0, 0, 0, 0, 0));
	names = (uint32_t)b->outcome.values[0];
	assert_true(put_id(&lane, 2, binding));
	/* as far as a receiver comes before it moves the head */
	row = &lane.receiver_table->entries[lane.receiver_number];
	word = atomic_load(&row->names[1]);
	atomic_store(&row->busy, 2);
	atomic_store(&row->names[1],
		     mach_lane_name_word(mach_lane_next_name(word), MACH_LANE_NAME_HELD));
	atomic_store(&row->numbers[1], 1);
	assert_ok(trap(b, BERTH_TRAP_PORT_NAMES, b->target, 0, 0, 0, 0, 0));
	assert_int_equal(b->outcome.values[0], names);
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	take(b, b->party->mailbox, &came);
	assert_ok(send_id(b, came.header.msgh_remote_port, MOVE_ONCE, 3));
	assert_int_equal(take_id(a, reply), 3);
	(void)w;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

TEST_2(dropping_the_send_right_closes_the_lane_and_loses_nothing)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	struct lane_taken request;

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &request));
	assert_true(put_id(&lane, 2, binding));
	assert_ok(port_destroy(a, lane.right));
	assert_true(lane_is_closed(&lane));
	assert_int_equal(world_counts(w).lanes, 0);
	assert_ok(send_id(b, request.reply, MOVE_ONCE, 11));
	take(b, b->party->mailbox, &came);
	assert_int_equal(came.header.msgh_id, 2);
	assert_ok(send_id(b, came.header.msgh_remote_port, MOVE_ONCE, 12));
	assert_int_equal(take_id(a, reply), 11);
	assert_int_equal(take_id(a, reply), 12);
}

TEST_2(no_senders_comes_when_the_last_message_of_the_lane_is_taken)
{
	mach_port_name_t port = new_port(b), notify = new_port(b), previous, right;
	struct lane_ends lane;

	right = new_port_with_send(b);
	(void)port;
	port = right;
	right = give(b, port, COPY, a);
	assert_ok(port_mod_refs(b, port, MACH_PORT_RIGHT_SEND, -1));
	lane = lane_make(a, right, b);
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_ok(port_deallocate(a, right));
	assert_ok(port_request_notification(b, port, MACH_NOTIFY_NO_SENDERS, 0, notify, MAKE_ONCE,
					    &previous));
	assert_nothing_waits(b, notify);
	assert_int_equal(take_id(b, port), 1);
	assert_int_equal(take_id(b, notify), MACH_NOTIFY_NO_SENDERS);
	(void)w;
}

TEST_2(the_death_of_the_port_ends_what_was_asked)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	assert_ok(port_mod_refs(b, b->party->mailbox, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_true(lane_is_closed(&lane));
	assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
	assert_code(send_id(a, lane.right, COPY, 2), MACH_SEND_INVALID_DEST);
	(void)w;
}

TEST_2(the_death_of_the_server_ends_every_call)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	struct lane_taken request;

	assert_true(put_id(&lane, 1, binding));
	assert_true(put_id(&lane, 2, binding));
	assert_true(lane_take(&lane, &request));
	assert_true(put_id(&lane, 3, binding));
	assert_true(lane_take(&lane, &taken));
	assert_true(answer_id(&lane, &taken, 13));
	world_task_die(b->party);
	assert_int_equal(take_id(a, reply), 13); /* one was answered */
	assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
	assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
	assert_nothing_waits(a, reply);
	(void)w;
}

TEST_2(what_a_dead_client_sent_still_comes)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t binding = lane_bind(&lane, new_port(a));

	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_true(put_id(&lane, 2, binding));
	world_task_die(a->party);
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	take(b, b->party->mailbox, &came);
	assert_int_equal(came.header.msgh_id, 2);
	assert_int_equal(came.header.msgh_remote_port, MACH_PORT_DEAD);
	(void)w;
}

TEST_3(a_receive_right_that_moves_takes_the_messages_along)
{
	struct lane_ends lane;
	mach_port_name_t port = new_port_with_send(b), right = give(b, port, COPY, a), moved;

	lane = lane_make(a, right, b);
	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
	moved = give(b, port, MACH_MSG_TYPE_MOVE_RECEIVE, c);
	assert_true(lane_is_closed(&lane));
	assert_int_equal(take_id(c, moved), 1);
	assert_int_equal(take_id(c, moved), 2);
	(void)w;
}

TEST_2(the_reply_port_dies_and_the_right_to_answer_is_a_dead_name)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_ok(port_mod_refs(a, reply, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_false(answer_id(&lane, &taken, 2));
	assert_entry(b, taken.reply, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_false(lane_is_closed(&lane)); /* the lane itself lives on */
	assert_true(put_id(&lane, 3, LANE_NO_ANSWER));
	(void)w;
}

TEST_2(a_lane_that_is_not_used_is_closed_after_a_while)
{
	struct lane_ends used = to_mailbox(a, b), other = to_mailbox(b, a);

	assert_true(put_id(&used, 1, LANE_NO_ANSWER));
	assert_true(put_id(&other, 1, LANE_NO_ANSWER));
	world_advance_ms(w, LANE_COLD_NS / 1000000);
	assert_false(lane_is_closed(&used) || lane_is_closed(&other));
	assert_true(put_id(&used, 2, LANE_NO_ANSWER));
	world_advance_ms(w, LANE_COLD_NS / 1000000);
	assert_false(lane_is_closed(&used));
	assert_true(lane_is_closed(&other));
	world_advance_ms(w, LANE_COLD_NS / 1000000);
	assert_true(lane_is_closed(&used));
	assert_int_equal(kernel_next_deadline_ns(w->kernel), UINT64_MAX);
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	assert_int_equal(take_id(b, b->party->mailbox), 2);
	assert_int_equal(take_id(a, a->party->mailbox), 1);
}

TEST_2(a_reply_port_that_came_back_under_its_name_is_another_one)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply), incarnation;
	const struct mach_lane_port *row = &lane.sender_table->ports[lane.bound_port[binding]];

	incarnation = (uint32_t)a->outcome.values[2];
	assert_int_equal(atomic_load(&row->incarnation), incarnation);
	/* its receive right leaves the space, and is back at the end of the trap */
	assert_ok(port_insert_right(a, reply, reply, MACH_MSG_TYPE_MOVE_RECEIVE));
	assert_int_not_equal(atomic_load(&row->incarnation), incarnation);
	(void)w;
}

TEST_2(a_port_is_led_to_or_answered_to_and_never_both)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t led = new_port_with_send(a), answered = new_port_with_send(a);
	mach_port_name_t right = give(a, led, COPY, b), other = give(a, answered, COPY, b);
	struct lane_ends back = lane_make(b, right, a);

	assert_code(trap(a, BERTH_TRAP_LANE_BIND, lane.sender_number, led, 0, 0, 0, 0),
		    KERN_NOT_SUPPORTED);
	lane_bind(&lane, answered);
	assert_code(trap(b, BERTH_TRAP_LANE_OPEN, other, 0, 0, 0, 0, 0), KERN_NOT_SUPPORTED);
	(void)back;
	(void)w;
}

/* ---- who may have one --------------------------------------------------------------------------
 */

TEST_2(only_a_send_right_to_a_port_of_another_task_gets_a_lane)
{
	mach_port_name_t own = new_port_with_send(a), dead = new_dead_name(a);

	(void)w;
	assert_non_null(lane_begin(a));
	assert_non_null(lane_begin(b));
	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, own, 0, 0, 0, 0, 0), KERN_INVALID_RIGHT);
	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, dead, 0, 0, 0, 0, 0), KERN_INVALID_RIGHT);
	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, 0x7777, 0, 0, 0, 0, 0), KERN_INVALID_NAME);
	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, a->target, 0, 0, 0, 0, 0), KERN_NOT_SUPPORTED);

	struct lane_ends lane = to_mailbox(a, b);

	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, lane.right, 0, 0, 0, 0, 0), KERN_NAME_EXISTS);
	assert_code(trap(b, BERTH_TRAP_LANE_ACCEPT, 0, 0, 0, 0, 0, 0), KERN_FAILURE);
	assert_code(trap(a, BERTH_TRAP_LANE_BIND, 99, own, 0, 0, 0, 0), KERN_INVALID_ARGUMENT);
	assert_code(
	    trap(b, BERTH_TRAP_LANE_BIND, lane.receiver_number, b->party->mailbox, 0, 0, 0, 0),
	    KERN_INVALID_ARGUMENT);
	assert_code(trap(a, BERTH_TRAP_LANE_CLOSE, 77, 0, 0, 0, 0, 0), KERN_INVALID_ARGUMENT);
	assert_code(trap(a, BERTH_TRAP_LANE_GATES, 77, 0, 0, 0, 0, 0), KERN_INVALID_ARGUMENT);
}

TEST_2(a_receiver_that_has_not_begun_is_asked_to)
{
	assert_non_null(lane_begin(a));
	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, a->party->mailbox_of[1], 0, 0, 0, 0, 0),
		    KERN_NOT_SUPPORTED);
	assert_true(kernel_task_has_lane_offers(b->party->task));
	assert_non_null(lane_begin(b));
	assert_false(kernel_task_has_lane_offers(b->party->task));
	assert_ok(trap(a, BERTH_TRAP_LANE_OPEN, a->party->mailbox_of[1], 0, 0, 0, 0, 0));
	assert_true(kernel_task_has_lane_offers(b->party->task));
	(void)w;
}

TEST_2(a_lane_that_nobody_accepts_is_shut_and_harms_nobody)
{
	struct mach_lane *shared;

	assert_non_null(lane_begin(a));
	assert_non_null(lane_begin(b));
	assert_ok(trap(a, BERTH_TRAP_LANE_OPEN, a->party->mailbox_of[1], 0, 0, 0, 0, 0));
	shared = a->outcome.shared;
	assert_true(mach_lane_is_shut(atomic_load(&shared->tail)));
	assert_ok(send_id(a, a->party->mailbox_of[1], COPY, 1));
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	assert_true(mach_lane_is_shut(atomic_load(&shared->tail)));
	(void)w;
}

TEST_2(while_somebody_traces_nothing_goes_by_a_lane)
{
	struct lane_ends lane = to_mailbox(a, b);

	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	kernel_trace_to(w->kernel, (kernel_trace_sink *)(uintptr_t)1, NULL);
	kernel_trace_to(w->kernel, NULL, NULL);
	assert_int_equal(take_id(b, b->party->mailbox), 1);
	(void)lane;
}

/* ---- nonsense in the memory --------------------------------------------------------------------
 */

TEST_2(a_record_that_makes_no_sense_ends_the_lane_and_nothing_else)
{
	struct lane_ends lane = to_mailbox(a, b);
	struct mach_lane_record *record = mach_lane_record_at(lane.shared, 0);

	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	record->size_bytes = 0x7fffffff;
	assert_nothing_waits(b, b->party->mailbox);
	assert_true(lane_is_closed(&lane));
	assert_int_equal(world_counts(w).lanes, 0);
	assert_ok(send_id(a, lane.right, COPY, 2));
	assert_int_equal(take_id(b, b->party->mailbox), 2);
}

TEST_2(positions_that_make_no_sense_end_the_lane_too)
{
	struct lane_ends lane = to_mailbox(a, b);

	assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
	atomic_store(&lane.shared->tail, 0x123456789abcdef0);
	atomic_store(&lane.shared->head, 0xfedcba9876543210);
	assert_nothing_waits(b, b->party->mailbox);
	assert_ok(send_id(a, lane.right, COPY, 2));
	assert_int_equal(take_id(b, b->party->mailbox), 2);
	(void)w;
}

TEST_2(a_call_that_is_used_twice_gives_one_right)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	assert_true(put_id(&lane, 1, binding));
	assert_true(put_id(&lane, 2, LANE_NO_ANSWER));
	mach_lane_record_at(lane.shared, 1)->call = 0;
	take(b, b->party->mailbox, &came);
	assert_int_not_equal(came.header.msgh_remote_port, 0);
	assert_int_equal(status_of(a, reply).mps_sorights, 1);
	take(b, b->party->mailbox, &came);
	assert_int_equal(came.header.msgh_remote_port, 0);
	(void)w;
}
