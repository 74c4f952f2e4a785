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
	((mach_msg_header_t *)(void *)lane.shared->calls[taken.call].answer)->msgh_id = 3;
	moved = give(a, reply, MACH_MSG_TYPE_MOVE_RECEIVE, c);
	token = sender_on(c, moved);
	assert_int_equal(came.header.msgh_id, 3);
	assert_memory_not_equal(&token, &b->party->token, sizeof(token));
	assert_int_equal(token.val[1], UINT32_MAX);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static uint32_t
name_count(struct actor *t)
{
	assert_ok(trap(t, BERTH_TRAP_PORT_NAMES, t->target, 0, 0, 0, 0, 0));
	return (uint32_t)t->outcome.values[0];
}

TEST_2(a_call_that_nobody_asked_with_gives_the_receiver_no_right)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t before = name_count(b), binding = lane_bind(&lane, new_port(a));
	struct mach_lane_entry *row = &lane.sender_table->entries[lane.sender_number];
	struct message m;

	(void)w;
	/* one that was asked with, taken and answered, so that its name has been used */
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	m = with_id(taken.reply, MOVE_ONCE, 2);
	assert_true(lane_answer(&lane, taken.call, taken.reply, &m));
	assert_true(lane_take_answer(&lane, binding, &taken));
	for (uint32_t state = MACH_LANE_FREE; state <= MACH_LANE_UNUSABLE + 1; state++) {
		for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
			atomic_store(&row->bindings[i], (uint8_t)binding);
			atomic_store(&lane.shared->calls[i].word, state);
		}
		world_look(w);
		assert_int_equal(name_count(b), before);
	}
}

TEST_2(a_right_to_answer_is_there_whatever_the_sender_makes_of_its_call)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t before = name_count(b), binding = lane_bind(&lane, reply);

	for (uint32_t state = MACH_LANE_FREE; state <= MACH_LANE_UNUSABLE + 1; state++) {
		assert_true(put_id(&lane, 1, binding));
		assert_true(lane_take(&lane, &taken));
		atomic_store(&lane.shared->calls[taken.call].word, mach_lane_call_word(1, state));
		assert_ok(port_deallocate(b, taken.reply));
		assert_int_equal(name_count(b), before);
		assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
	}
	(void)w;
	/* a binding that is none: nobody can be answered, and that is what the name says */
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	atomic_store(&lane.sender_table->entries[lane.sender_number].bindings[taken.call], 77);
	assert_entry(b, taken.reply, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(who_is_answering_has_its_right_until_the_answer_is_there)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	_Atomic uint32_t *names = lane.receiver_table->entries[lane.receiver_number].names;

	(void)w;
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	atomic_store(&names[taken.call],
		     mach_lane_name_word(taken.reply, MACH_LANE_NAME_ANSWERING));
	assert_entry(b, taken.reply, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_ok(send_id(b, taken.reply, MOVE_ONCE, 2));
	assert_int_equal(take_id(a, reply), 2);
	assert_nothing_waits(a, reply);
}

TEST_2(a_call_asked_anew_is_not_the_one_whose_server_is_still_at_it)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply), call;
	_Atomic uint32_t *names = lane.receiver_table->entries[lane.receiver_number].names;
	mach_port_name_t name;

	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	call = taken.call;
	name = taken.reply;
	assert_true(answer_id(&lane, &taken, 2));
	assert_true(lane_take_answer(&lane, binding, &taken));
	/* it has not come to say that it is done */
	atomic_store(&names[call], mach_lane_name_word(name, MACH_LANE_NAME_ANSWERING));
	assert_true(put_id(&lane, 3, binding));
	world_look(w);
	take(b, b->party->mailbox, &came);
	assert_ok(send_id(b, came.header.msgh_remote_port, MOVE_ONCE, 4));
	assert_int_equal(take_id(a, reply), 4);
	assert_nothing_waits(a, reply);
}

TEST(every_call_ends_whatever_the_server_made_of_it_before_it_died)
{
	for (uint32_t forged = MACH_LANE_FREE; forged <= MACH_LANE_UNUSABLE + 1; forged++) {
		struct world *w = world_new(2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		mach_port_name_t reply = new_port(a);
		struct lane_ends lane = to_mailbox(a, b);
		uint32_t binding = lane_bind(&lane, reply);

		assert_true(put_id(&lane, 1, binding));
		assert_true(lane_take(&lane, &taken));
		/* it denies that it was asked */
		atomic_store(&lane.receiver_table->entries[lane.receiver_number].names[taken.call],
			     taken.reply);
		atomic_store(&lane.shared->calls[taken.call].word, mach_lane_call_word(1, forged));
		world_task_die(b->party);
		if (forged == MACH_LANE_ANSWERED)
			assert_int_equal(take_id(a, reply), 0); /* with what it wrote */
		else
			assert_int_equal(take_id(a, reply), MACH_NOTIFY_SEND_ONCE);
		assert_nothing_waits(a, reply);
		world_free(w);
	}
}

TEST_2(an_answer_comes_once_whatever_the_server_makes_of_its_call)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	struct message m;

	(void)w;
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	m = with_id(taken.reply, MOVE_ONCE, 2);
	assert_true(lane_answer(&lane, taken.call, taken.reply, &m));
	assert_true(lane_take_answer(&lane, binding, &taken));
	atomic_store(&lane.shared->calls[taken.call].word,
		     mach_lane_call_word(1, MACH_LANE_ANSWERED));
	assert_false(lane_take_answer(&lane, binding, &taken));
	assert_nothing_waits(a, reply);
}

TEST(without_memory_for_its_name_a_call_is_not_used)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		struct lane_ends lane = to_mailbox(a, b);
		uint32_t binding = lane_bind(&lane, new_port(a)), before = name_count(b);
		uint32_t held = 0;

		fault_arm(&fault);
		/* so many that memory is needed for their names and notifications */
		for (int32_t i = 0; i < 40; i++) {
			if (put_id(&lane, i, binding) && lane_take(&lane, &taken))
				held++;
			world_look(w);
		}
		fault.armed = false;
		assert_int_equal(name_count(b), before + held);
		world_free(w);
	}
}

TEST_2(a_request_that_is_shown_again_asks_for_no_second_answer)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);

	(void)w;
	assert_true(put_id(&lane, 1, binding));
	take(b, b->party->mailbox, &came);
	assert_int_not_equal(came.header.msgh_remote_port, 0);
	/* the receiver turns the head back */
	atomic_fetch_sub(&lane.shared->head, 2);
	take(b, b->party->mailbox, &came);
	assert_int_equal(came.header.msgh_remote_port, 0);
	assert_int_equal(status_of(a, reply).mps_sorights, 1);
}

TEST_2(a_right_to_answer_that_nobody_gave_is_a_dead_name)
{
	struct lane_ends lane = to_mailbox(a, b);
	mach_port_name_t reply = new_port(a);
	uint32_t binding = lane_bind(&lane, reply);
	_Atomic uint32_t *name;

	(void)w;
	name = &lane.receiver_table->entries[lane.receiver_number].names[3];
	atomic_store(&lane.sender_table->entries[lane.sender_number].bindings[3], (uint8_t)binding);
	atomic_store(name, mach_lane_name_word(atomic_load(name), MACH_LANE_NAME_HELD));
	assert_entry(b, atomic_load(name) | MACH_LANE_NAME_IDLE, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_int_equal(status_of(a, reply).mps_sorights, 0);
}
