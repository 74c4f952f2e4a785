/* Receive rights that would travel to themselves: mach-messages.md §5.1, §14. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

static kern_return_t
send_port(struct actor *t, mach_port_name_t to, uint32_t to_disposition, mach_port_name_t port)
{
	struct message m = message_to(to, to_disposition);

	message_add_port(&m, port, MOVE_RECEIVE);
	return msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
}

TEST_1(a_port_sent_to_itself_dies)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(send_port(a, port, COPY, port));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_port_sent_to_itself_tells_all_who_asked)
{
	mach_port_name_t port = new_port_with_send(a), dead = new_port(a), reply = new_port(a);
	struct message m = message_to(port, COPY);

	assert_ok(port_request_notification(a, port, MACH_NOTIFY_DEAD_NAME, 0, dead,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	message_reply(&m, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message_add_port(&m, port, MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_notification(a, dead, MACH_NOTIFY_DEAD_NAME, port);
	assert_notification(a, reply, MACH_NOTIFY_SEND_ONCE, 0);
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_1(of_two_ports_that_cross_the_second_closes_the_loop_and_both_die)
{
	mach_port_name_t one = new_port_with_send(a), two = new_port_with_send(a);

	assert_ok(send_port(a, one, COPY, two));
	assert_entry(a, two, MACH_PORT_TYPE_SEND, 1);
	assert_ok(send_port(a, two, COPY, one));
	assert_entry(a, one, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_entry(a, two, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_long_chain_is_followed)
{
	enum { LENGTH = 20 };
	mach_port_name_t ports[LENGTH];

	for (int i = 0; i < LENGTH; i++)
		ports[i] = new_port_with_send(a);
	for (int i = 1; i < LENGTH; i++)
		assert_ok(send_port(a, ports[i], COPY, ports[i - 1]));
	assert_ok(send_port(a, ports[0], COPY, ports[LENGTH - 1]));
	for (int i = 0; i < LENGTH; i++)
		assert_entry(a, ports[i], MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_tree_is_no_loop)
{
	mach_port_name_t root = new_port_with_send(a), one = new_port_with_send(a);
	mach_port_name_t two = new_port_with_send(a), leaf = new_port_with_send(a);

	assert_ok(send_port(a, one, COPY, leaf));
	assert_ok(send_port(a, root, COPY, one));
	assert_ok(send_port(a, root, COPY, two));
	assert_entry(a, leaf, MACH_PORT_TYPE_SEND, 1);
	take(a, root, &got);
	assert_int_equal(got.descriptors[0].name, one);
	take(a, one, &got);
	assert_int_equal(got.descriptors[0].name, leaf);
}

TEST_1(a_loop_in_an_array_of_ports_is_seen)
{
	mach_port_name_t port = new_port_with_send(a), other = new_port_with_send(a);
	mach_port_name_t names[] = { other, port };
	struct message m = message_to(port, COPY);

	message_add_ool_ports(&m, names, 2, MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_entry(a, other, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_loop_in_a_guarded_descriptor_is_seen)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	message_add_guarded(&m, port, 0, MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND, MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_send_to_oneself_by_a_send_once_right_is_a_loop_too)
{
	mach_port_name_t port = new_port(a), once = new_send_once(a, port);

	assert_ok(send_port(a, once, MACH_MSG_TYPE_MOVE_SEND_ONCE, port));
	assert_no_entry(a, port);
	assert_no_entry(a, once);
}

TEST_2(a_port_with_its_own_messages_in_its_queue_moves)
{
	mach_port_name_t port = new_port_with_send(a), there;
	struct message m = message_to(port, COPY);

	message_add_port(&m, port, MACH_MSG_TYPE_MAKE_SEND); /* a send right is no loop */
	assert_ok(msg_send(a, &m, 0, 0));
	there = give(a, port, MOVE_RECEIVE, b);
	take(b, there, &got);
	assert_int_equal(got.descriptors[0].name, there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND_RECEIVE, 1);
}

TEST_1(a_blocked_message_whose_port_comes_to_travel_in_it_does_not_hang)
{
	/* the message waits for room in the queue of `one` and carries `two`; then `one` is sent to
	 * `two` */
	struct actor *sender = world_thread_new(a->party);
	mach_port_name_t one = new_port_with_send(a), two = new_port_with_send(a);
	struct message m = message_to(one, COPY);

	fill(a, one, 5);
	message_add_port(&m, two, MOVE_RECEIVE);
	assert_code(msg_send(sender, &m, 0, 0), BLOCKED);
	assert_ok(send_port(a, two, COPY, one));
	assert_code(finished(sender, NULL), MACH_MSG_SUCCESS);
	assert_entry(a, one, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_entry(a, two, MACH_PORT_TYPE_DEAD_NAME, 1);
}
