/* The death of a port: mach-ports.md §8, in its order, with and without a backup. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

static void
request(struct actor *t, mach_port_name_t name, int32_t msgid, mach_port_name_t notify)
{
	assert_ok(port_request_notification(t, name, msgid, 0, notify, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					    NULL));
}

TEST_1(threads_that_receive_on_a_dying_port_are_told_that_it_changed)
{
	struct actor *one = world_thread_new(a->party), *two = world_thread_new(a->party);
	mach_port_name_t port = new_port(a);

	assert_code(msg_receive(one, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_code(msg_receive(two, port, MACH_RCV_TIMEOUT, ANY_SIZE, 1000, NULL), BLOCKED);
	assert_ok(port_destroy(a, port));
	assert_code(finished(one, NULL), MACH_RCV_PORT_CHANGED);
	assert_code(finished(two, NULL), MACH_RCV_PORT_CHANGED);
}

TEST_2(threads_that_send_to_a_dying_port_succeed_and_their_messages_are_destroyed)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t reply = new_port(b);
	struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);

	fill(b, there, 5);
	message_reply(&m, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	assert_code(msg_send(b, &m, 0, 0), BLOCKED);
	assert_ok(port_destroy(a, port));
	assert_code(finished(b, NULL), MACH_MSG_SUCCESS);
	assert_notification(b, reply, MACH_NOTIFY_SEND_ONCE, 0);
}

TEST_2(queued_messages_are_destroyed_in_the_order_they_came)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t replies[3];
	mach_port_name_t set = new_set(b);

	for (int i = 0; i < 3; i++) {
		struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);

		replies[i] = new_port(b);
		assert_ok(port_insert_member(b, replies[i], set));
		message_reply(&m, replies[i], MACH_MSG_TYPE_MAKE_SEND_ONCE);
		assert_ok(msg_send(b, &m, 0, 0));
	}
	assert_ok(port_destroy(a, port));
	for (int i = 0; i < 3; i++) {
		take(b, set, &got);
		assert_int_equal(got.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
		assert_int_equal(got.header.msgh_local_port, replies[i]);
	}
}

TEST_2(rights_in_destroyed_messages_end_as_rights_that_are_dropped)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t carried = new_port(b), senders = new_port(b), once = new_port(b);
	mach_port_name_t inner = new_port_with_send(b);
	struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, carried, MACH_MSG_TYPE_MAKE_SEND);
	message_add_port(&m, once, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message_add_port(&m, inner, MACH_MSG_TYPE_MOVE_RECEIVE);
	message_add_ool(&m, "bytes", 5, false, MACH_MSG_PHYSICAL_COPY);
	assert_ok(msg_send(b, &m, 0, 0));
	request(b, carried, MACH_NOTIFY_NO_SENDERS, senders);
	assert_nothing_waits(b, senders);
	assert_ok(port_destroy(a, port));
	assert_notification(b, senders, MACH_NOTIFY_NO_SENDERS, 1);
	assert_notification(b, once, MACH_NOTIFY_SEND_ONCE, 0);
	assert_entry(b, inner, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_chain_of_receive_rights_in_messages_dies_with_the_first)
{
	enum { LENGTH = 300 };
	mach_port_name_t ports[LENGTH];
	mach_port_name_t last = new_port(a);

	/* each port travels in a message to the next one, which then travels itself */
	w->quiet_audit = true;
	for (int i = 0; i < LENGTH; i++) {
		struct message m;

		ports[i] = new_port_with_send(a);
		m = message_to(ports[i], MACH_MSG_TYPE_COPY_SEND);
		if (i == 0)
			message_add_port(&m, last, MACH_MSG_TYPE_MAKE_SEND_ONCE);
		else
			message_add_port(&m, ports[i - 1], MACH_MSG_TYPE_MOVE_RECEIVE);
		assert_ok(msg_send(a, &m, 0, 0));
	}
	w->quiet_audit = false;
	assert_ok(port_destroy(a, ports[LENGTH - 1]));
	assert_notification(a, last, MACH_NOTIFY_SEND_ONCE, 0);
	for (int i = 0; i < LENGTH - 1; i++)
		assert_entry(a, ports[i], MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(the_holder_of_the_no_senders_request_is_told_by_send_once)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);

	give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	request(a, port, MACH_NOTIFY_NO_SENDERS, notify);
	assert_ok(port_destroy(a, port));
	assert_notification(a, notify, MACH_NOTIFY_SEND_ONCE, 0);
	assert_nothing_waits(a, notify);
}

TEST_2(every_dead_name_request_is_told_in_the_order_of_registration)
{
	mach_port_name_t port = new_port(a), notify = new_port(b), once[3];

	for (int i = 0; i < 3; i++) {
		once[i] = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
		request(b, once[i], MACH_NOTIFY_DEAD_NAME, notify);
	}
	assert_ok(port_destroy(a, port));
	for (int i = 0; i < 3; i++)
		assert_notification(b, notify, MACH_NOTIFY_DEAD_NAME, once[i]);
	assert_nothing_waits(b, notify);
}

TEST_2(a_send_possible_request_is_told_of_the_death_too)
{
	mach_port_name_t port = new_port(a), notify = new_port(b);
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	request(b, there, MACH_NOTIFY_SEND_POSSIBLE, notify);
	assert_ok(port_destroy(a, port));
	assert_notification(b, notify, MACH_NOTIFY_DEAD_NAME, there);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_2(messages_are_destroyed_before_the_no_senders_holder_and_the_dead_names_are_told)
{
	mach_port_name_t port = new_port(b), all = new_port(b);
	mach_port_name_t there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);
	mach_port_name_t reply = give(b, all, MACH_MSG_TYPE_MAKE_SEND_ONCE, a);
	mach_port_name_t dead = new_send_once(b, port);

	/* all three tell `all`, in this order: reply right, no-senders holder, dead name */
	message_reply(&m, reply, MACH_MSG_TYPE_MOVE_SEND_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
	request(b, dead, MACH_NOTIFY_DEAD_NAME, all);
	request(b, port, MACH_NOTIFY_NO_SENDERS, all);
	assert_ok(port_destroy(b, port));
	assert_notification(b, all, MACH_NOTIFY_SEND_ONCE, 0);
	assert_notification(b, all, MACH_NOTIFY_SEND_ONCE, 0);
	assert_notification(b, all, MACH_NOTIFY_DEAD_NAME, dead);
}

TEST_2(a_message_to_a_dead_port_is_refused_and_the_name_becomes_dead)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(port_destroy(a, port));
	assert_code(send_id(b, there, MACH_MSG_TYPE_COPY_SEND, 1), MACH_SEND_INVALID_DEST);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

/* ---- with a backup --------------------------------------------------------------------------- */

TEST_2(with_a_backup_the_receive_right_is_sent_there_with_its_queue)
{
	mach_port_name_t port = new_port(a), backup = new_port(a), name;
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t senders = new_port(a);

	fill(b, there, 3);
	request(a, port, MACH_NOTIFY_NO_SENDERS, senders);
	request(a, port, MACH_NOTIFY_PORT_DESTROYED, backup);
	assert_ok(port_set_context(a, port, 99));
	assert_ok(port_destroy(a, port));
	assert_no_entry(a, port);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);

	take(a, backup, &got);
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_PORT_DESTROYED);
	assert_int_equal(got.header.msgh_size, 40);
	assert_int_equal(got.header.msgh_bits,
			 MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE));
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(got.header.msgh_local_port, backup);
	assert_int_equal(got.descriptor_count, 1);
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_RECEIVE);
	name = got.descriptors[0].name;
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_int_equal(status_of(a, name).mps_mscount, 0);
	assert_int_equal(status_of(a, name).mps_seqno, 0);
	assert_int_equal(status_of(a, name).mps_nsrequest, 1);
	assert_int_equal(status_of(a, name).mps_pdrequest, 0); /* consumed */
	assert_int_equal(srights_of(a, name), 4);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(take_id(a, name), i);
}

TEST_1(with_a_backup_receivers_wake_and_sets_are_left)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port(a), backup = new_port(a), set = new_set(a);
	const mach_port_name_t *members;
	uint32_t n;

	assert_ok(port_insert_member(a, port, set));
	request(a, port, MACH_NOTIFY_PORT_DESTROYED, backup);
	assert_code(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_code(finished(waiter, NULL), MACH_RCV_PORT_CHANGED);
	assert_ok(port_get_set_status(a, set, &members, &n));
	assert_int_equal(n, 0);
}

TEST_2(a_backup_that_is_dead_lets_the_port_die)
{
	mach_port_name_t port = new_port(a), backup = new_port(b);
	mach_port_name_t once = give(b, backup, MACH_MSG_TYPE_MAKE_SEND_ONCE, a);
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(port_request_notification(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, once,
					    MACH_MSG_TYPE_MOVE_SEND_ONCE, NULL));
	assert_ok(port_destroy(b, backup));
	assert_ok(port_destroy(a, port));
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(a_right_in_a_destroyed_message_goes_to_its_backup)
{
	mach_port_name_t port = new_port(a), backup = new_port(a), carrier = new_port(b);
	mach_port_name_t to = give(b, carrier, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = message_to(to, MACH_MSG_TYPE_COPY_SEND);

	request(a, port, MACH_NOTIFY_PORT_DESTROYED, backup);
	message_add_port(&m, port, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(port_destroy(b, carrier));
	take(a, backup, &got);
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_PORT_DESTROYED);
	assert_entry(a, got.descriptors[0].name, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_1(a_port_that_is_its_own_backup_dies)
{
	mach_port_name_t port = new_port(a);

	request(a, port, MACH_NOTIFY_PORT_DESTROYED, port);
	assert_ok(port_destroy(a, port));
	assert_no_entry(a, port);
}

TEST_2(blocked_senders_stay_blocked_when_the_backup_takes_over)
{
	mach_port_name_t port = new_port(a), backup = new_port(a), name;
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);

	fill(b, there, 5);
	message_id(&m, 6);
	assert_code(msg_send(b, &m, 0, 0), BLOCKED);
	request(a, port, MACH_NOTIFY_PORT_DESTROYED, backup);
	assert_ok(port_destroy(a, port));
	assert_true(b->parked);
	name = (take(a, backup, &got), got.descriptors[0].name);
	assert_int_equal(take_id(a, name), 1);
	assert_ok(finished(b, NULL));
	for (int i = 2; i <= 6; i++)
		assert_int_equal(take_id(a, name), i);
}
