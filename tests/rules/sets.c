/* Port sets: mach-ports.md §7, §9.12. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

static void
check_members(struct actor *t, mach_port_name_t set, uint32_t count, const mach_port_name_t *names)
{
	const mach_port_name_t *members;
	uint32_t n;

	assert_ok(port_get_set_status(t, set, &members, &n));
	assert_int_equal(n, count);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(members[i], names[i]);
}

TEST_1(a_new_set_is_empty)
{
	mach_port_name_t set = new_set(a);

	check_members(a, set, 0, NULL);
}

TEST_1(members_are_listed_in_ascending_order)
{
	mach_port_name_t set = new_set(a), names[20];
	const mach_port_name_t *members;
	uint32_t n;

	for (int i = 0; i < 20; i++) {
		names[i] = new_port(a);
		assert_ok(port_insert_member(a, names[i], set));
	}
	assert_ok(port_get_set_status(a, set, &members, &n));
	assert_int_equal(n, 20);
	for (uint32_t i = 1; i < n; i++)
		assert_true(members[i - 1] < members[i]);
}

TEST_1(a_port_may_be_in_several_sets)
{
	mach_port_name_t port = new_port(a), one = new_set(a), two = new_set(a);

	assert_ok(port_insert_member(a, port, one));
	assert_ok(port_insert_member(a, port, two));
	check_members(a, one, 1, &port);
	check_members(a, two, 1, &port);
	assert_int_equal(status_of(a, port).mps_pset, 1);
	assert_ok(port_extract_member(a, port, one));
	check_members(a, one, 0, NULL);
	check_members(a, two, 1, &port);
}

TEST_1(insert_member_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a), set = new_set(a), dead = new_dead_name(a);
	mach_port_name_t once = new_send_once(a, port);

	assert_refused_without_trace(w, port_insert_member(a, 0, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, MACH_PORT_DEAD, set),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, port, 0), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, port, MACH_PORT_DEAD),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, 0x7703, set), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_insert_member(a, port, 0x7703), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_insert_member(a, once, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, set, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, port, port), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_member(a, dead, set), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_insert_member(a, port, dead), KERN_INVALID_NAME);
	assert_ok(port_insert_member(a, port, set));
	assert_refused_without_trace(w, port_insert_member(a, port, set), KERN_ALREADY_IN_SET);
}

TEST_1(extract_member_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a), set = new_set(a);

	assert_refused_without_trace(w, port_extract_member(a, 0, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_extract_member(a, port, MACH_PORT_DEAD),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_extract_member(a, 0x7703, set), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_extract_member(a, port, 0x7703), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_extract_member(a, set, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_extract_member(a, port, port), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_extract_member(a, port, set), KERN_NOT_IN_SET);
}

TEST_1(move_member_leaves_only_the_set_asked_for)
{
	mach_port_name_t port = new_port(a), one = new_set(a), two = new_set(a), three = new_set(a);

	assert_ok(port_insert_member(a, port, one));
	assert_ok(port_insert_member(a, port, two));
	assert_ok(port_move_member(a, port, three));
	check_members(a, one, 0, NULL);
	check_members(a, two, 0, NULL);
	check_members(a, three, 1, &port);
	assert_ok(port_insert_member(a, port, one));
	assert_ok(port_move_member(a, port, one)); /* already there is fine */
	check_members(a, one, 1, &port);
	check_members(a, three, 0, NULL);
}

TEST_1(move_member_to_null_leaves_all_sets)
{
	mach_port_name_t port = new_port(a), one = new_set(a), two = new_set(a);

	assert_ok(port_insert_member(a, port, one));
	assert_ok(port_insert_member(a, port, two));
	assert_ok(port_move_member(a, port, 0));
	check_members(a, one, 0, NULL);
	check_members(a, two, 0, NULL);
	assert_refused_without_trace(w, port_move_member(a, port, 0), KERN_NOT_IN_SET);
}

TEST_1(move_member_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a), set = new_set(a);

	assert_refused_without_trace(w, port_move_member(a, 0, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_move_member(a, MACH_PORT_DEAD, set),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_move_member(a, port, MACH_PORT_DEAD),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_move_member(a, 0x7703, set), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_move_member(a, port, 0x7703), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_move_member(a, set, set), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_move_member(a, port, port), KERN_INVALID_RIGHT);
}

TEST_1(get_set_status_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a);
	const mach_port_name_t *members;
	uint32_t n;

	assert_refused_without_trace(w, port_get_set_status(a, 0, &members, &n),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_get_set_status(a, MACH_PORT_DEAD, &members, &n),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_get_set_status(a, 0x7703, &members, &n),
				     KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_get_set_status(a, port, &members, &n),
				     KERN_INVALID_RIGHT);
}

TEST_1(a_port_that_joins_with_messages_offers_them_to_waiters)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	fill(a, port, 2);
	assert_code(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_insert_member(a, port, set));
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.header.msgh_id, 1);
	assert_int_equal(msgcount_of(a, port), 1);
}

TEST_1(a_port_that_moves_in_with_messages_offers_them_to_waiters)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	fill(a, port, 1);
	assert_code(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_move_member(a, port, set));
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.header.msgh_id, 1);
}

TEST_1(messages_of_a_member_are_received_from_the_set)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	fill(a, port, 2);
	take(a, set, &got);
	assert_int_equal(got.header.msgh_id, 1);
	assert_int_equal(got.header.msgh_local_port, port);
	assert_int_equal(take_id(a, port), 2); /* or from the member itself */
	assert_nothing_waits(a, set);
}

TEST_1(a_port_that_left_the_set_is_not_received_from_it)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	fill(a, port, 1);
	assert_ok(port_extract_member(a, port, set));
	assert_nothing_waits(a, set);
	assert_int_equal(take_id(a, port), 1);
}

TEST_1(destroying_a_member_ends_its_membership)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	fill(a, port, 1);
	assert_ok(port_destroy(a, port));
	check_members(a, set, 0, NULL);
	assert_nothing_waits(a, set);
}

TEST_2(moving_the_receive_right_ends_all_memberships)
{
	mach_port_name_t port = new_port_with_send(a), one = new_set(a), two = new_set(a);

	assert_ok(port_insert_member(a, port, one));
	assert_ok(port_insert_member(a, port, two));
	fill(a, port, 1);
	give(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, b);
	check_members(a, one, 0, NULL);
	check_members(a, two, 0, NULL);
	assert_nothing_waits(a, one);
}

TEST_1(a_thread_that_waits_on_a_destroyed_set_is_told_that_the_port_changed)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t set = new_set(a);

	assert_code(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_destroy(a, set));
	assert_code(finished(waiter, NULL), MACH_RCV_PORT_CHANGED);
}

TEST_1(members_that_come_and_go_do_not_wake_waiters)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t set = new_set(a), port = new_port(a);

	assert_code(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_insert_member(a, port, set));
	assert_ok(port_extract_member(a, port, set));
	assert_ok(port_insert_member(a, port, set));
	assert_ok(port_destroy(a, port));
	assert_true(waiter->parked);
}
