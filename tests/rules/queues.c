/* Who gets which message, and in which order: mach-messages.md §9. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND

static void
wait_on(struct actor *t, mach_port_name_t name)
{
	assert_code(msg_receive(t, name, 0, ANY_SIZE, 0, NULL), BLOCKED);
}

static int32_t
finished_id(struct actor *t)
{
	assert_ok(finished(t, &got));
	return got.header.msgh_id;
}

TEST_1(waiters_on_a_port_are_served_first_come_first_served)
{
	struct actor *waiters[4];
	mach_port_name_t port = new_port_with_send(a);

	for (int i = 0; i < 4; i++)
		wait_on(waiters[i] = world_thread_new(a->party), port);
	for (int i = 0; i < 4; i++) {
		assert_ok(send_id(a, port, COPY, i + 1));
		assert_int_equal(finished_id(waiters[i]), i + 1);
	}
}

TEST_1(waiters_on_a_set_are_served_first_come_first_served)
{
	struct actor *waiters[3];
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	for (int i = 0; i < 3; i++)
		wait_on(waiters[i] = world_thread_new(a->party), set);
	for (int i = 0; i < 3; i++) {
		assert_ok(send_id(a, port, COPY, i + 1));
		assert_int_equal(finished_id(waiters[i]), i + 1);
	}
}

TEST_1(a_direct_waiter_wins_over_a_set_waiter_that_came_first)
{
	struct actor *of_set = world_thread_new(a->party), *direct = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	wait_on(of_set, set);
	wait_on(direct, port);
	assert_ok(send_id(a, port, COPY, 1));
	assert_int_equal(finished_id(direct), 1);
	assert_true(of_set->parked);
	assert_ok(send_id(a, port, COPY, 2));
	assert_int_equal(finished_id(of_set), 2);
}

TEST_1(of_several_sets_the_one_joined_first_is_served_first)
{
	struct actor *one = world_thread_new(a->party), *two = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), first = new_set(a), second = new_set(a);

	assert_ok(port_insert_member(a, port, first));
	assert_ok(port_insert_member(a, port, second));
	wait_on(two, second);
	wait_on(one, first);
	assert_ok(send_id(a, port, COPY, 1));
	assert_int_equal(finished_id(one), 1);
	assert_true(two->parked);
}

TEST_1(a_message_of_a_port_in_several_sets_is_delivered_once)
{
	mach_port_name_t port = new_port_with_send(a), one = new_set(a), two = new_set(a);

	assert_ok(port_insert_member(a, port, one));
	assert_ok(port_insert_member(a, port, two));
	fill(a, port, 2);
	assert_int_equal(take_id(a, two), 1);
	assert_int_equal(take_id(a, one), 2);
	assert_nothing_waits(a, one);
	assert_nothing_waits(a, two);
}

TEST_1(a_set_serves_its_ports_in_turn)
{
	mach_port_name_t ports[3], set = new_set(a);

	for (int i = 0; i < 3; i++) {
		ports[i] = new_port_with_send(a);
		assert_ok(port_insert_member(a, ports[i], set));
	}
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			assert_ok(send_id(a, ports[i], COPY, 10 * i + j + 1));
	for (int j = 0; j < 3; j++)
		for (int i = 0; i < 3; i++)
			assert_int_equal(take_id(a, set), 10 * i + j + 1);
	assert_nothing_waits(a, set);
}

TEST_1(a_busy_port_does_not_starve_the_others_of_its_set)
{
	mach_port_name_t busy = new_port_with_send(a), quiet = new_port_with_send(a);
	mach_port_name_t set = new_set(a);

	assert_ok(port_insert_member(a, busy, set));
	assert_ok(port_insert_member(a, quiet, set));
	fill(a, busy, 4);
	assert_int_equal(take_id(a, set), 1);
	assert_ok(send_id(a, quiet, COPY, 99));
	assert_int_equal(take_id(a, set), 2);
	assert_int_equal(take_id(a, set), 99);
	assert_int_equal(take_id(a, set), 3);
}

TEST_1(a_message_too_large_moves_its_port_to_the_end_of_the_order)
{
	mach_port_name_t one = new_port_with_send(a), two = new_port_with_send(a);
	mach_port_name_t set = new_set(a);

	assert_ok(port_insert_member(a, one, set));
	assert_ok(port_insert_member(a, two, set));
	assert_ok(send_id(a, one, COPY, 1));
	assert_ok(send_id(a, two, COPY, 2));
	assert_code(msg_receive(a, set, MACH_RCV_LARGE | MACH_RCV_TIMEOUT, 24, 0, NULL),
		    MACH_RCV_TOO_LARGE);
	assert_int_equal(take_id(a, set), 2);
	assert_int_equal(take_id(a, set), 1);
}

TEST_1(seqno_counts_each_message_taken_from_the_port)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);
	struct actor *waiter = world_thread_new(a->party);

	assert_ok(port_insert_member(a, port, set));
	fill(a, port, 3);
	take(a, port, &got);
	assert_int_equal(got.trailer.msgh_seqno, 0);
	assert_code(msg_receive(a, set, MACH_RCV_TIMEOUT, 24, 0, NULL), MACH_RCV_TOO_LARGE);
	take(a, set, &got);
	assert_int_equal(got.trailer.msgh_seqno, 2);
	assert_code(msg_receive(waiter, port, MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_SEQNO),
				ANY_SIZE, 0, NULL),
		    BLOCKED);
	assert_ok(send_id(a, port, COPY, 4));
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.trailer.msgh_seqno, 3);
	assert_int_equal(status_of(a, port).mps_seqno, 4);
}

TEST_1(a_waiter_that_gave_up_gets_nothing)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	assert_code(msg_receive(waiter, port, MACH_RCV_TIMEOUT, ANY_SIZE, 5, NULL), BLOCKED);
	world_advance_ms(w, 5);
	assert_code(finished(waiter, NULL), MACH_RCV_TIMED_OUT);
	assert_ok(send_id(a, port, COPY, 1));
	assert_int_equal(take_id(a, port), 1);
}

TEST_1(a_waiter_whose_thread_ended_gets_nothing)
{
	struct actor *waiter = world_thread_new(a->party), *next = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	wait_on(waiter, port);
	wait_on(next, port);
	world_thread_exit(waiter);
	assert_ok(send_id(a, port, COPY, 1));
	assert_int_equal(finished_id(next), 1);
}

TEST_1(a_thread_waits_on_one_thing_at_a_time_and_again_afterwards)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	for (int i = 1; i <= 3; i++) {
		wait_on(waiter, port);
		assert_ok(send_id(a, port, COPY, i));
		assert_int_equal(finished_id(waiter), i);
	}
}

TEST_1(a_sender_who_hands_over_to_a_waiter_leaves_the_queue_empty_for_others)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	set_qlimit(a, port, 1);
	wait_on(waiter, port);
	assert_ok(send_id(a, port, COPY, 1));
	assert_ok(send_id(a, port, COPY, 2));
	assert_code(send_id(a, port, COPY, 3), MACH_SEND_TIMED_OUT);
	assert_int_equal(finished_id(waiter), 1);
}
