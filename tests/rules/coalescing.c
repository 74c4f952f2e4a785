/* Which arriving rights share a name: mach-ports.md §4 and §6.2. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

TEST_2(a_send_right_gets_a_new_name_with_one_user_reference)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(srights_of(a, name), 1);
}

TEST_2(a_send_right_joins_the_send_right_of_the_same_port)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_int_equal(give(a, name, MACH_MSG_TYPE_MAKE_SEND, b), there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
	assert_int_equal(srights_of(a, name), 1);
}

TEST_2(a_send_right_joins_the_receive_right)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_int_equal(give(b, there, MACH_MSG_TYPE_COPY_SEND, a), name);
	assert_entry(a, name, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_int_equal(give(b, there, MACH_MSG_TYPE_MOVE_SEND, a), name);
	assert_entry(a, name, MACH_PORT_TYPE_SEND_RECEIVE, 2);
	assert_int_equal(srights_of(a, name), 1);
}

TEST_2(a_send_right_does_not_join_a_send_once_right)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t once = give(a, name, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_int_not_equal(once, there);
	assert_entry(b, once, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
}

TEST_2(each_send_once_right_has_a_name_of_its_own)
{
	mach_port_name_t name = new_port_with_send(a);
	mach_port_name_t sends = give(a, name, MACH_MSG_TYPE_COPY_SEND, b);
	mach_port_name_t one = give(a, name, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
	mach_port_name_t two = give(a, name, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
	mach_port_name_t back = give(b, one, MACH_MSG_TYPE_MOVE_SEND_ONCE, a);

	assert_true(one != two && one != sends && two != sends);
	assert_int_not_equal(back, name);
	assert_entry(a, back, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(status_of(a, name).mps_sorights, 2);
}

TEST_2(a_receive_right_joins_the_send_right_and_its_user_references)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(port_mod_refs(b, there, MACH_PORT_RIGHT_SEND, 4));
	assert_int_equal(give(a, name, MACH_MSG_TYPE_MOVE_RECEIVE, b), there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND_RECEIVE, 5);
	assert_no_entry(a, name);
}

TEST_2(a_receive_right_without_a_send_right_there_gets_a_new_name)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t once = give(a, name, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MOVE_RECEIVE, b);

	assert_int_not_equal(there, once);
	assert_entry(b, there, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_2(a_right_whose_port_died_on_the_way_arrives_as_dead)
{
	static const uint32_t dispositions[] = { MACH_MSG_TYPE_MAKE_SEND,
						 MACH_MSG_TYPE_MAKE_SEND_ONCE };

	for (int i = 0; i < 2; i++) {
		mach_port_name_t name = new_port(a);
		struct message m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);
		uint32_t names = 0;

		message_add_port(&m, name, dispositions[i]);
		assert_ok(msg_send(a, &m, 0, 0));
		assert_ok(port_destroy(a, name));
		take(b, b->party->mailbox, &got);
		assert_int_equal(got.descriptors[0].name, MACH_PORT_DEAD);
		assert_int_equal(names, 0);
	}
}

TEST_2(a_null_right_arrives_as_null_and_a_dead_one_as_dead)
{
	struct message m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND);
	message_add_port(&m, MACH_PORT_DEAD, MACH_MSG_TYPE_MOVE_SEND);
	assert_ok(msg_send(a, &m, 0, 0));
	take(b, b->party->mailbox, &got);
	assert_int_equal(got.descriptors[0].name, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[1].name, MACH_PORT_DEAD);
}

TEST_2(two_dead_names_that_named_the_same_port_stay_two)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t sends = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t once = give(a, name, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);

	assert_ok(port_destroy(a, name));
	assert_entry(b, sends, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_entry(b, once, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(a_send_right_to_a_dead_port_is_not_joined_by_its_like)
{
	mach_port_name_t name = new_port(a), there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);
	struct message m = message_to(b->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);

	assert_ok(port_destroy(a, name));
	message_add_port(&m, there, MACH_MSG_TYPE_COPY_SEND);
	assert_ok(msg_send(b, &m, 0, 0));
	take(b, b->party->mailbox, &got);
	assert_int_equal(got.descriptors[0].name, MACH_PORT_DEAD);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}
