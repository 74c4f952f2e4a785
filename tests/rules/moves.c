/* Receive rights that travel: mach-ports.md §6.1, mach-messages.md §6, §8, §9, §14. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

/* The receive right @name leaves for the mailbox of @to, and stays there. */
static void
post(struct actor *from, mach_port_name_t name, struct actor *to)
{
	struct message m = message_to(from->party->mailbox_of[to->party->index], COPY);

	message_add_port(&m, name, MOVE_RECEIVE);
	assert_ok(msg_send(from, &m, 0, 0));
}

TEST_2(queued_messages_travel_in_their_order)
{
	mach_port_name_t port = new_port_with_send(a), there;

	set_qlimit(a, port, 9);
	fill(a, port, 9);
	there = give(a, port, MOVE_RECEIVE, b);
	assert_int_equal(status_of(b, there).mps_qlimit, 9);
	for (int i = 1; i <= 9; i++)
		assert_int_equal(take_id(b, there), i);
}

TEST_2(counters_and_context_start_anew)
{
	mach_port_name_t port = new_port_with_send(a), there;
	mach_port_status_t status;
	uint64_t context;

	assert_ok(port_set_context(a, port, 9));
	fill(a, port, 2);
	take_id(a, port);
	there = give(a, port, MOVE_RECEIVE, b);
	status = status_of(b, there);
	assert_int_equal(status.mps_mscount, 0);
	assert_int_equal(status.mps_seqno, 0);
	assert_int_equal(status.mps_msgcount, 1);
	assert_int_equal(status.mps_srights, 1);
	assert_ok(port_get_context(b, there, &context));
	assert_int_equal(context, 0);
}

TEST_3(messages_sent_while_the_right_is_in_limbo_are_queued)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, c), name;

	post(a, port, b);
	for (int i = 1; i <= 5; i++)
		assert_ok(send_id(c, there, COPY, i));
	assert_code(send_id(c, there, COPY, 6), MACH_SEND_TIMED_OUT);
	name = mailbox_take(b);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(b, name), i);
}

TEST_2(a_waiting_receiver_is_told_that_the_port_moved)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), there;

	assert_code(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	there = give(a, port, MOVE_RECEIVE, b);
	assert_code(finished(waiter, NULL), MACH_RCV_PORT_CHANGED);
	assert_ok(send_id(a, port, COPY, 1));
	assert_int_equal(take_id(b, there), 1);
}

TEST_2(a_waiter_on_a_set_that_the_port_leaves_goes_on_waiting)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	assert_code(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	give(a, port, MOVE_RECEIVE, b);
	assert_true(waiter->parked);
	assert_ok(send_id(a, port, COPY, 1));
	assert_true(waiter->parked);
}

TEST_3(blocked_senders_stay_blocked_until_the_new_owner_drains_the_queue)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, c), name;
	struct message m = message_to(there, COPY);

	fill(c, there, 5);
	message_id(&m, 6);
	assert_code(msg_send(c, &m, 0, 0), BLOCKED);
	post(a, port, b);
	assert_true(c->parked);
	name = mailbox_take(b);
	assert_true(c->parked);
	assert_int_equal(take_id(b, name), 1);
	assert_ok(finished(c, NULL));
	for (int i = 2; i <= 6; i++)
		assert_int_equal(take_id(b, name), i);
}

TEST_3(a_right_in_a_message_that_is_destroyed_dies)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, c);

	post(a, port, b);
	assert_ok(port_destroy(b, b->party->mailbox));
	assert_entry(c, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_3(a_sender_blocked_on_a_right_that_dies_on_its_way_succeeds)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, c);
	struct message m = message_to(there, COPY);

	fill(c, there, 5);
	assert_code(msg_send(c, &m, 0, 0), BLOCKED);
	post(a, port, b);
	world_task_die(b->party);
	assert_ok(finished(c, NULL));
}

TEST_3(a_right_travels_on_and_back)
{
	mach_port_name_t port = new_port_with_send(a), name;

	fill(a, port, 3);
	name = give(a, port, MOVE_RECEIVE, b);
	name = give(b, name, MOVE_RECEIVE, c);
	assert_int_equal(give(c, name, MOVE_RECEIVE, a), port);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_2(a_right_in_a_message_in_the_queue_of_a_right_that_travels)
{
	mach_port_name_t outer = new_port_with_send(a), inner = new_port_with_send(a);
	struct message m = message_to(outer, COPY);
	mach_port_name_t there;

	fill(a, inner, 2);
	message_add_port(&m, inner, MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	there = give(a, outer, MOVE_RECEIVE, b);
	take(b, there, &got);
	assert_int_equal(take_id(b, got.descriptors[0].name), 1);
	assert_int_equal(take_id(b, got.descriptors[0].name), 2);
}

TEST_2(the_sender_of_a_right_may_send_to_it_in_the_same_breath)
{
	mach_port_name_t port = new_port_with_send(a), name;

	post(a, port, b);
	assert_ok(send_id(a, port, COPY, 1));
	assert_int_equal(srights_of(b, name = mailbox_take(b)), 2);
	assert_int_equal(take_id(b, name), 1);
}

TEST_2(a_port_handed_to_a_waiting_receiver_arrives)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 1);
	assert_code(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL), BLOCKED);
	post(a, port, b);
	assert_ok(finished(b, &got));
	assert_int_equal(take_id(b, got.descriptors[0].name), 1);
}
