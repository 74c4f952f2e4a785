/* Queues that are full, and threads that wait for room: mach-messages.md §6. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

/* A message of this id; parks @t. */
static void
block_sender(struct actor *t, mach_port_name_t to, int32_t id)
{
	struct message m = message_to(to, COPY);

	message_id(&m, id);
	assert_code(msg_send(t, &m, 0, 0), BLOCKED);
}

TEST_1(the_sixth_message_does_not_fit)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	assert_code(send_id(a, port, COPY, 6), MACH_SEND_TIMED_OUT);
	assert_int_equal(msgcount_of(a, port), 5);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(messages_come_in_the_order_they_were_sent)
{
	mach_port_name_t port = new_port_with_send(a);

	set_qlimit(a, port, 1024);
	fill(a, port, 500);
	for (int i = 1; i <= 500; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(a_time_out_of_0_does_not_block)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send(a, &m, MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_1(a_send_without_room_waits_for_its_time_out_and_no_longer)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send(sender, &m, MACH_SEND_TIMEOUT, 250), BLOCKED);
	assert_true(kernel_next_deadline_ns(w->kernel) == w->now_ns + 250 * 1000000ull);
	world_advance_ms(w, 249);
	assert_true(sender->parked);
	world_advance_ms(w, 1);
	assert_code(finished(sender, NULL), MACH_SEND_TIMED_OUT);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_1(deadlines_come_in_their_order_whatever_the_order_of_the_calls)
{
	static const uint32_t ms[] = { 50, 10, 40, 20, 30 };
	struct actor *senders[5];
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	for (int i = 0; i < 5; i++) {
		struct message m = message_to(port, COPY);

		senders[i] = world_thread_new(a->party);
		assert_code(msg_send(senders[i], &m, MACH_SEND_TIMEOUT, ms[i]), BLOCKED);
	}
	for (uint32_t now = 10; now <= 50; now += 10) {
		world_advance_ms(w, 10);
		assert_int_equal(w->completed, 1);
		for (int i = 0; i < 5; i++)
			assert_int_equal(senders[i]->parked, ms[i] > now);
	}
}

TEST_1(a_time_out_without_the_option_is_ignored)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send(sender, &m, 0, 10), BLOCKED);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_1(the_longest_time_out_is_49_days)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send(sender, &m, MACH_SEND_TIMEOUT, 0xffffffff), BLOCKED);
	assert_true(kernel_next_deadline_ns(w->kernel) == w->now_ns + 0xffffffffull * 1000000);
}

TEST_1(a_send_that_gets_room_in_time_does_not_time_out)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send(sender, &m, MACH_SEND_TIMEOUT, 10), BLOCKED);
	take_id(a, port);
	assert_ok(finished(sender, NULL));
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
	world_advance_ms(w, 100);
	assert_int_equal(w->completed, 0);
}

/* ---- who passes a full queue ----------------------------------------------------------------- */

TEST_1(send_once_messages_pass_a_full_queue)
{
	mach_port_name_t port = new_port_with_send(a), once = new_send_once(a, port);

	fill(a, port, 5);
	assert_ok(send_id(a, once, MACH_MSG_TYPE_MOVE_SEND_ONCE, 6));
	assert_ok(send_id(a, port, MAKE_ONCE, 7));
	assert_int_equal(msgcount_of(a, port), 7);
	for (int i = 1; i <= 7; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(a_waiting_receiver_is_handed_the_message)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	assert_code(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(send_id(a, port, COPY, 5));
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.header.msgh_id, 5);
	assert_int_equal(msgcount_of(a, port), 0);
}

TEST_1(with_a_limit_of_0_every_plain_send_blocks_even_beside_a_receiver)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	set_qlimit(a, port, 0);
	assert_code(send_id(a, port, COPY, 1), MACH_SEND_TIMED_OUT);
	assert_code(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_code(send_id(a, port, COPY, 2), MACH_SEND_TIMED_OUT);
	assert_true(waiter->parked);
	assert_ok(send_id(a, port, MAKE_ONCE, 3));
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.header.msgh_id, 3);
}

TEST_1(raising_the_limit_from_0_admits_the_blocked_sender)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	set_qlimit(a, port, 0);
	block_sender(sender, port, 9);
	set_qlimit(a, port, 1);
	assert_ok(finished(sender, NULL));
	assert_int_equal(take_id(a, port), 9);
}

/* ---- blocked senders ---------------------------------------------------------------------------
 */

TEST_1(each_receive_admits_one_blocked_sender_first_come_first_served)
{
	struct actor *senders[3];
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	for (int i = 0; i < 3; i++) {
		senders[i] = world_thread_new(a->party);
		block_sender(senders[i], port, 6 + i);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take_id(a, port), 1 + i);
		assert_ok(finished(senders[i], NULL));
		for (int j = i + 1; j < 3; j++)
			assert_true(senders[j]->parked);
		assert_int_equal(msgcount_of(a, port), 5);
	}
	for (int i = 4; i <= 8; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(a_blocked_sender_has_the_slot_before_what_the_receive_sets_off)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	/* the port itself is told that it has room */
	set_qlimit(a, port, 1);
	fill(a, port, 1);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_SEND_POSSIBLE, 0, port, MAKE_ONCE,
					    NULL));
	message_id(&m, 2);
	assert_code(msg_send(sender, &m, MACH_SEND_NOTIFY, 0), BLOCKED);
	assert_int_equal(take_id(a, port), 1);
	assert_ok(finished(sender, NULL));
	assert_int_equal(take_id(a, port), 2);
	assert_notification(a, port, MACH_NOTIFY_SEND_POSSIBLE, port);
	assert_nothing_waits(a, port);
}

TEST_1(a_newcomer_does_not_overtake_a_blocked_sender)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	block_sender(sender, port, 6);
	assert_int_equal(take_id(a, port), 1);
	assert_code(send_id(a, port, COPY, 7), MACH_SEND_TIMED_OUT);
	for (int i = 2; i <= 6; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(raising_the_limit_by_n_admits_n)
{
	struct actor *senders[4];
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	for (int i = 0; i < 4; i++) {
		senders[i] = world_thread_new(a->party);
		block_sender(senders[i], port, 6 + i);
	}
	set_qlimit(a, port, 8);
	for (int i = 0; i < 3; i++)
		assert_ok(finished(senders[i], NULL));
	assert_true(senders[3]->parked);
	for (int i = 1; i <= 9; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(a_queue_above_its_lowered_limit_admits_nobody_until_there_is_room)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	set_qlimit(a, port, 2);
	block_sender(sender, port, 6);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(take_id(a, port), i);
		assert_true(sender->parked);
	}
	assert_int_equal(take_id(a, port), 4);
	assert_ok(finished(sender, NULL));
	assert_int_equal(take_id(a, port), 5);
	assert_int_equal(take_id(a, port), 6);
}

TEST_1(a_sender_that_gave_up_is_not_admitted)
{
	struct actor *one = world_thread_new(a->party), *two = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send(one, &m, MACH_SEND_TIMEOUT, 5), BLOCKED);
	block_sender(two, port, 7);
	world_advance_ms(w, 5);
	assert_code(finished(one, NULL), MACH_SEND_TIMED_OUT);
	assert_int_equal(take_id(a, port), 1);
	assert_ok(finished(two, NULL));
	for (int i = 2; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
	assert_int_equal(take_id(a, port), 7);
}

TEST_2(the_blocked_message_keeps_what_was_taken)
{
	struct actor *sender = world_thread_new(b->party);
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b);
	mach_port_name_t carried = new_port(b);
	struct message m = message_to(there, COPY);

	fill(b, there, 5);
	message_add_port(&m, carried, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_code(msg_send(sender, &m, 0, 0), BLOCKED);
	assert_no_entry(b, carried);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
	assert_ok(finished(sender, NULL));
	take(a, port, &got);
	assert_entry(a, got.descriptors[0].name, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_2(a_blocked_sender_may_lose_its_send_right_meanwhile)
{
	struct actor *sender = world_thread_new(b->party);
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b);

	fill(b, there, 5);
	block_sender(sender, there, 6);
	assert_ok(port_deallocate(b, there));
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
	assert_ok(finished(sender, NULL));
	assert_int_equal(take_id(a, port), 6);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_2(the_death_of_a_blocked_sender_takes_its_message_along)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b), reply = new_port(a);
	mach_port_name_t once = give(a, reply, MAKE_ONCE, b);
	struct message m = message_to(there, COPY);

	fill(b, there, 5);
	message_reply(&m, once, MACH_MSG_TYPE_MOVE_SEND_ONCE);
	assert_code(msg_send(b, &m, 0, 0), BLOCKED);
	world_task_die(b->party);
	assert_notification(a, reply, MACH_NOTIFY_SEND_ONCE, 0);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
	assert_nothing_waits(a, port);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_1(the_exit_of_a_blocked_thread_takes_its_message_along)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	block_sender(sender, port, 6);
	world_thread_exit(sender);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
	assert_nothing_waits(a, port);
}

TEST_2(a_message_to_a_port_that_died_unnoticed_vanishes)
{
	mach_port_name_t port = new_port(a), once = give(a, port, MAKE_ONCE, b);
	mach_port_name_t reply = new_port(b);
	struct message m = message_to(once, MACH_MSG_TYPE_MOVE_SEND_ONCE);

	assert_ok(port_destroy(a, port));
	message_reply(&m, reply, MAKE_ONCE);
	assert_ok(msg_send(b, &m, 0, 0));
	assert_no_entry(b, once);
	assert_notification(b, reply, MACH_NOTIFY_SEND_ONCE, 0);
}

TEST_2(a_combined_send_to_a_dead_port_receives_the_send_once_notification)
{
	mach_port_name_t port = new_port(a), once = give(a, port, MAKE_ONCE, b);
	mach_port_name_t reply = new_port(b);
	struct message m = message_to(once, MACH_MSG_TYPE_MOVE_SEND_ONCE);

	assert_ok(port_destroy(a, port));
	message_reply(&m, reply, MAKE_ONCE);
	assert_ok(msg_send_receive(b, &m, 0, ANY_SIZE, reply, 0, &got));
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
}

/* ---- combined send and receive
 * ------------------------------------------------------------------- */

TEST_2(a_call_and_its_answer)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b), reply = new_port(b);
	struct message m = message_to(there, COPY);

	message_id(&m, 100);
	message_reply(&m, reply, MAKE_ONCE);
	assert_code(msg_send_receive(b, &m, 0, ANY_SIZE, reply, 0, NULL), BLOCKED);
	take(a, port, &got);
	assert_int_equal(got.header.msgh_id, 100);
	assert_ok(send_id(a, got.header.msgh_remote_port, MACH_MSG_TYPE_MOVE_SEND_ONCE, 200));
	assert_ok(finished(b, &got));
	assert_int_equal(got.header.msgh_id, 200);
	assert_int_equal(got.header.msgh_local_port, reply);
	assert_true(got.sent);
}

TEST_1(a_failed_send_skips_the_receive)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(0x7703, COPY);

	fill(a, port, 1);
	assert_code(msg_send_receive(a, &m, 0, ANY_SIZE, port, 0, NULL), MACH_SEND_INVALID_DEST);
	assert_int_equal(msgcount_of(a, port), 1);
	m = message_to(port, COPY);
	fill(a, port, 4);
	assert_code(msg_send_receive(a, &m, MACH_SEND_TIMEOUT, ANY_SIZE, port, 0, &got),
		    MACH_SEND_TIMED_OUT);
	assert_false(got.sent);
	assert_int_equal(msgcount_of(a, port), 5);
}

TEST_1(a_receive_that_cannot_be_is_told_after_the_send)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	assert_code(msg_send_receive(a, &m, 0, ANY_SIZE, 0x7703, 0, &got), MACH_RCV_INVALID_NAME);
	assert_true(got.sent);
	assert_int_equal(msgcount_of(a, port), 1);
}

TEST_1(the_time_out_counts_for_each_part_in_full)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), empty = new_port(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	assert_code(msg_send_receive(sender, &m, MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT, ANY_SIZE,
				     empty, 100, NULL),
		    BLOCKED);
	world_advance_ms(w, 60);
	take_id(a, port); /* sent at 60 ms */
	assert_true(sender->parked);
	world_advance_ms(w, 60);
	assert_true(sender->parked);
	world_advance_ms(w, 40);
	assert_code(finished(sender, &got), MACH_RCV_TIMED_OUT);
	assert_true(got.sent);
}

TEST_1(a_message_to_oneself_is_received_in_the_same_call)
{
	mach_port_name_t port = new_port(a);
	struct message m = message_to(port, MAKE);

	message_id(&m, 3);
	assert_ok(msg_send_receive(a, &m, 0, ANY_SIZE, port, 0, &got));
	assert_int_equal(got.header.msgh_id, 3);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_1(the_hard_ceiling_of_a_queue_is_65534)
{
	mach_port_name_t port = new_port(a);
	struct message m;

	w->quiet_audit = true;
	for (int i = 0; i < 65534; i++)
		assert_ok(send_id(a, port, MAKE_ONCE, i));
	assert_code(send_id(a, port, MAKE_ONCE, 1), MACH_SEND_TIMED_OUT); /* this comes first */
	m = message_to(port, MAKE_ONCE);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_NO_BUFFER);
	assert_code(msg_send(a, &m, MACH_SEND_TIMEOUT, 1), MACH_SEND_NO_BUFFER);
	assert_int_equal(msgcount_of(a, port), 65534);
	assert_ok(port_destroy(a, port));
	w->quiet_audit = false;
}
