/* Threads that are called back from what they are blocked in: mach-messages.md §1, §6, §8. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

TEST_1(a_blocked_receive_is_interrupted)
{
	mach_port_name_t port = new_port(a);

	assert_code(msg_receive(a, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	world_interrupt(a);
	assert_code(finished(a, NULL), MACH_RCV_INTERRUPTED);
}

TEST_1(a_blocked_receive_with_a_time_out_is_interrupted_and_its_deadline_goes)
{
	mach_port_name_t port = new_port(a);

	assert_code(msg_receive(a, port, MACH_RCV_TIMEOUT, ANY_SIZE, 100, NULL), BLOCKED);
	world_interrupt(a);
	assert_code(finished(a, NULL), MACH_RCV_INTERRUPTED);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
	world_advance_ms(w, 200);
	assert_int_equal(w->completed, 0);
}

TEST_1(an_interrupted_receiver_leaves_messages_to_others)
{
	struct actor *waiter = world_thread_new(a->party), *next = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	assert_code(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_code(msg_receive(next, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	world_interrupt(waiter);
	assert_code(finished(waiter, NULL), MACH_RCV_INTERRUPTED);
	assert_ok(send_id(a, port, COPY, 1));
	assert_ok(finished(next, NULL));
}

TEST_1(a_blocked_send_is_interrupted_and_gives_back_what_it_took)
{
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), reply = new_port(a), moves = new_port(a);
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, moves, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_code(msg_send(sender, &m, 0, 0), BLOCKED);
	assert_no_entry(a, moves);
	world_interrupt(sender);
	assert_code(finished(sender, &got), MACH_SEND_INTERRUPTED);
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_SEND);
	assert_int_equal(got.header.msgh_remote_port, port);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 2);
	assert_entry(a, got.header.msgh_local_port, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_entry(a, got.descriptors[0].name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_nothing_waits(a, reply);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
	assert_nothing_waits(a, port);
}

TEST_2(an_interrupt_in_the_receive_half_says_that_the_send_is_done)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t reply = new_port(b);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE_ONCE);
	assert_code(msg_send_receive(b, &m, 0, ANY_SIZE, reply, 0, NULL), BLOCKED);
	world_interrupt(b);
	assert_code(finished(b, &got), MACH_RCV_INTERRUPTED);
	assert_true(got.sent);
	assert_int_equal(msgcount_of(a, port), 1);
}

TEST_2(an_interrupt_in_the_send_half_says_that_it_is_not)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t reply = new_port(b);
	struct message m = message_to(there, COPY);

	fill(b, there, 5);
	message_reply(&m, reply, MAKE_ONCE);
	assert_code(msg_send_receive(b, &m, 0, ANY_SIZE, reply, 0, NULL), BLOCKED);
	world_interrupt(b);
	assert_code(finished(b, &got), MACH_SEND_INTERRUPTED);
	assert_false(got.sent);
	assert_int_equal(msgcount_of(a, port), 5);
}

TEST_1(interrupting_a_thread_that_is_not_blocked_does_nothing)
{
	char *before = world_dump(w);

	world_interrupt(a);
	assert_int_equal(w->completed, 0);
	world_same(before, world_dump(w), __FILE__, __LINE__);
}

TEST_1(a_nested_thread_traps_while_its_outer_level_is_blocked)
{
	struct thread *inner;
	struct actor *handler = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	/* the handler becomes a nested level of a */
	world_thread_exit(handler);
	assert_code(msg_receive(a, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	inner = kernel_thread_new(a->party->task, a->thread, handler);
	assert_non_null(inner);
	handler->thread = inner;
	assert_ok(send_id(handler, port, COPY, 3));
	assert_ok(finished(a, &got));
	assert_int_equal(got.header.msgh_id, 3);
	assert_int_equal(thread_self(handler), thread_self(a));
	world_thread_exit(handler);
}
