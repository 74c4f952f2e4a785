/* Notifications: mach-ports.md §9.13, mach-messages.md §13. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define MAKE_SEND_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_SEND_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE

static const int32_t requests[] = { MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_NO_SENDERS,
				    MACH_NOTIFY_DEAD_NAME, MACH_NOTIFY_SEND_POSSIBLE };

static kern_return_t
ask(struct actor *t, mach_port_name_t name, int32_t msgid, uint32_t sync, mach_port_name_t notify)
{
	return port_request_notification(t, name, msgid, sync, notify, MAKE_SEND_ONCE, NULL);
}

/* A refused request consumes its send-once right: `notify` gets a SEND_ONCE notification. */
static void
check_refused(struct actor *t, mach_port_name_t name, int32_t msgid, uint32_t sync,
	      kern_return_t code)
{
	mach_port_name_t notify = new_port(t);

	assert_code(ask(t, name, msgid, sync, notify), code);
	assert_notification(t, notify, MACH_NOTIFY_SEND_ONCE, 0);
	assert_ok(port_destroy(t, notify));
}

/* ---- the request's own checks ------------------------------------------------------------------
 */

TEST_1(notify_is_taken_before_anything_else_is_looked_at)
{
	mach_port_name_t port = new_port(a), sends = host_self(a);

	for (int i = 0; i < 4; i++) {
		assert_refused_without_trace(w, ask(a, 0x7703, requests[i], 0, 0x6603),
					     KERN_INVALID_NAME);
		assert_refused_without_trace(w, ask(a, 0x7703, requests[i], 0, sends),
					     KERN_INVALID_RIGHT);
		assert_refused_without_trace(w,
					     port_request_notification(a, 0x7703, requests[i], 0,
								       port, MOVE_SEND_ONCE, NULL),
					     KERN_INVALID_RIGHT);
	}
}

TEST_1(a_dead_notify_right_is_an_invalid_capability)
{
	mach_port_name_t dead = new_dead_name(a), port = new_port(a);

	assert_code(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, dead,
					      MOVE_SEND_ONCE, NULL),
		    KERN_INVALID_CAPABILITY);
	assert_no_entry(a, dead); /* the dead reference was taken */
}

TEST_1(a_dead_notify_right_goes_before_a_wrong_number)
{
	mach_port_name_t port = new_port(a);

	assert_code(
	    port_request_notification(a, port, 73, 0, new_dead_name(a), MOVE_SEND_ONCE, NULL),
	    KERN_INVALID_CAPABILITY);
	assert_code(port_request_notification(a, 0x7703, MACH_NOTIFY_DEAD_NAME, 0, new_dead_name(a),
					      MOVE_SEND_ONCE, NULL),
		    KERN_INVALID_CAPABILITY);
}

TEST_1(other_notifications_cannot_be_asked_for)
{
	mach_port_name_t port = new_port(a);
	static const int32_t wrong[] = {
		MACH_NOTIFY_PORT_DELETED, MACH_NOTIFY_SEND_ONCE, 67, 68, 73, 0, -1
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		check_refused(a, port, wrong[i], 0, KERN_INVALID_VALUE);
}

TEST_1(requests_on_null_and_dead_are_refused_by_kind)
{
	for (int i = 0; i < 2; i++) {
		mach_port_name_t name = i ? MACH_PORT_DEAD : MACH_PORT_NULL;

		check_refused(a, name, MACH_NOTIFY_PORT_DESTROYED, 0, KERN_INVALID_RIGHT);
		check_refused(a, name, MACH_NOTIFY_NO_SENDERS, 0, KERN_INVALID_RIGHT);
		check_refused(a, name, MACH_NOTIFY_DEAD_NAME, 0, KERN_INVALID_ARGUMENT);
		check_refused(a, name, MACH_NOTIFY_SEND_POSSIBLE, 0, KERN_INVALID_ARGUMENT);
	}
}

TEST_1(requests_on_unknown_names_are_refused)
{
	for (int i = 0; i < 4; i++)
		check_refused(a, 0x7703, requests[i], 0, KERN_INVALID_NAME);
}

TEST_1(port_destroyed_and_no_senders_want_a_receive_right)
{
	mach_port_name_t port = new_port(a);
	mach_port_name_t names[] = { new_set(a), new_dead_name(a), new_send_once(a, port),
				     host_self(a) };

	for (int i = 0; i < 4; i++) {
		check_refused(a, names[i], MACH_NOTIFY_PORT_DESTROYED, 0, KERN_INVALID_RIGHT);
		check_refused(a, names[i], MACH_NOTIFY_NO_SENDERS, 0, KERN_INVALID_RIGHT);
	}
}

TEST_1(dead_name_requests_are_not_for_sets_nor_dead_names)
{
	mach_port_name_t set = new_set(a), dead = new_dead_name(a);

	check_refused(a, set, MACH_NOTIFY_DEAD_NAME, 0, KERN_INVALID_RIGHT);
	check_refused(a, set, MACH_NOTIFY_SEND_POSSIBLE, 0, KERN_INVALID_RIGHT);
	check_refused(a, dead, MACH_NOTIFY_DEAD_NAME, 0, KERN_INVALID_ARGUMENT);
	check_refused(a, dead, MACH_NOTIFY_DEAD_NAME, 1, KERN_INVALID_ARGUMENT);
}

TEST_1(cancelling_what_was_not_asked_for_succeeds)
{
	mach_port_name_t port = new_port_with_send(a);
	mach_port_name_t names[] = { port, new_set(a), new_dead_name(a) }, previous;

	for (int i = 0; i < 3; i++)
		for (int j = 2; j < 4; j++) {
			assert_refused_without_trace(
			    w,
			    port_request_notification(a, names[i], requests[j], 0, 0,
						      MAKE_SEND_ONCE, &previous),
			    KERN_SUCCESS);
			assert_int_equal(previous, 0);
		}
}

/* ---- PORT_DESTROYED -----------------------------------------------------------------------------
 */

TEST_1(port_destroyed_takes_no_sync)
{
	check_refused(a, 0, MACH_NOTIFY_PORT_DESTROYED, 1, KERN_INVALID_VALUE);
}

TEST_1(port_destroyed_is_registered_once)
{
	mach_port_name_t port = new_port(a), notify = new_port(a), previous = 99;

	assert_ok(port_request_notification(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, notify,
					    MAKE_SEND_ONCE, &previous));
	assert_int_equal(previous, 0);
	check_refused(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, KERN_FAILURE);
	assert_code(ask(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, 0), KERN_FAILURE);
}

TEST_1(port_destroyed_is_not_for_special_reply_ports)
{
	mach_port_name_t port = special_reply_port(a);

	check_refused(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, KERN_INVALID_RIGHT);
}

/* ---- NO_SENDERS
 * ----------------------------------------------------------------------------------- */

TEST_2(no_senders_fires_when_the_last_send_right_goes)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);
	mach_port_name_t one = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(port_insert_right(a, port, port, MACH_MSG_TYPE_MAKE_SEND));
	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_ok(port_deallocate(b, one));
	assert_nothing_waits(a, notify); /* the receiver's own right counts */
	assert_ok(port_deallocate(a, port));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 2);
	assert_nothing_waits(a, notify);
}

TEST_1(no_senders_fires_at_registration_when_there_are_none)
{
	mach_port_name_t port = new_port(a), notify = new_port(a), previous = 99;

	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify,
					    MAKE_SEND_ONCE, &previous));
	assert_int_equal(previous, 0);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 0);
	assert_int_equal(status_of(a, port).mps_nsrequest, 0);
}

TEST_1(sync_above_the_make_send_count_waits_for_the_next_zero)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);

	assert_ok(port_deallocate(a, port));
	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 2, notify));
	assert_nothing_waits(a, notify);
	assert_int_equal(status_of(a, port).mps_nsrequest, 1);
	assert_ok(port_insert_right(a, port, port, MACH_MSG_TYPE_MAKE_SEND));
	assert_ok(port_deallocate(a, port));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 2);
}

TEST_1(sync_equal_to_the_make_send_count_fires_at_once)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);

	assert_ok(port_deallocate(a, port));
	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 1, notify));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
}

TEST_1(no_senders_is_replaced_and_cancelled)
{
	mach_port_name_t port = new_port_with_send(a), one = new_port(a), two = new_port(a),
			 previous;

	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, one));
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, two, MAKE_SEND_ONCE,
					    &previous));
	assert_entry(a, previous, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_ok(port_deallocate(a, previous));
	assert_notification(a, one, MACH_NOTIFY_SEND_ONCE, 0);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, 0, MAKE_SEND_ONCE,
					    &previous));
	assert_entry(a, previous, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_ok(port_deallocate(a, port));
	assert_nothing_waits(a, two);
}

TEST_2(rights_in_queued_messages_count_as_senders)
{
	mach_port_name_t port = new_port(a), notify = new_port(a), carrier = new_port(b);
	mach_port_name_t to = give(b, carrier, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = message_to(to, MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, port, MACH_MSG_TYPE_MAKE_SEND);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_nothing_waits(a, notify);
	assert_ok(port_destroy(b, carrier));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
}

TEST_2(the_right_that_a_message_was_sent_with_counts_until_it_is_received)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_ok(send_id(b, there, MACH_MSG_TYPE_MOVE_SEND, 7));
	assert_no_entry(b, there);
	assert_nothing_waits(a, notify);
	assert_int_equal(take_id(a, port), 7);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
}

TEST_2(a_new_send_right_does_not_cancel_a_queued_no_senders)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_ok(port_deallocate(b, there));
	there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
	assert_ok(port_deallocate(b, there));
	assert_nothing_waits(a, notify); /* one-shot */
}

TEST_2(the_no_senders_request_moves_with_the_receive_right)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b), moved;

	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	moved = give(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, b);
	assert_int_equal(moved, there);
	assert_int_equal(status_of(b, moved).mps_nsrequest, 1);
	assert_ok(port_mod_refs(b, moved, MACH_PORT_RIGHT_SEND, -1));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 0); /* mscount restarted */
}

TEST_1(send_once_rights_are_no_senders)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);

	new_send_once(a, port);
	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 0);
}

/* ---- DEAD_NAME
 * ------------------------------------------------------------------------------------ */

TEST_2(a_name_has_one_request_which_the_next_one_replaces)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t one = new_port(b), two = new_port(b), previous;

	assert_ok(ask(b, there, MACH_NOTIFY_DEAD_NAME, 0, one));
	assert_ok(port_request_notification(b, there, MACH_NOTIFY_SEND_POSSIBLE, 0, two,
					    MAKE_SEND_ONCE, &previous));
	assert_entry(b, previous, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_ok(port_deallocate(b, previous));
	assert_notification(b, one, MACH_NOTIFY_SEND_ONCE, 0);
	assert_ok(port_destroy(a, port));
	assert_nothing_waits(b, one);
	assert_notification(b, two, MACH_NOTIFY_DEAD_NAME, there);
}

TEST_2(a_cancelled_request_is_given_back_and_never_fires)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b), previous;

	assert_ok(ask(b, there, MACH_NOTIFY_DEAD_NAME, 0, notify));
	assert_ok(port_request_notification(b, there, MACH_NOTIFY_DEAD_NAME, 0, 0, MAKE_SEND_ONCE,
					    &previous));
	assert_entry(b, previous, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_ok(port_destroy(a, port));
	assert_nothing_waits(b, notify);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_ok(port_deallocate(b, previous));
	assert_notification(b, notify, MACH_NOTIFY_SEND_ONCE, 0);
}

TEST_1(a_receive_right_can_have_a_dead_name_request)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);

	assert_ok(ask(a, port, MACH_NOTIFY_DEAD_NAME, 0, notify));
	assert_ok(port_destroy(a, port));
	assert_notification(a, notify, MACH_NOTIFY_PORT_DELETED, port);
}

TEST_2(a_request_on_a_port_that_has_died_is_refused_for_the_dead_name)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(port_destroy(a, port));
	check_refused(b, there, MACH_NOTIFY_DEAD_NAME, 0, KERN_INVALID_ARGUMENT);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(send_possible_on_a_dead_name_tells_at_once_and_adds_a_reference)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);

	assert_ok(port_destroy(a, port));
	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 0, notify));
	assert_notification(b, notify, MACH_NOTIFY_DEAD_NAME, there);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_2(the_notify_right_may_be_moved_in)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b), once = new_send_once(b, notify);

	assert_ok(port_request_notification(b, there, MACH_NOTIFY_DEAD_NAME, 0, once,
					    MOVE_SEND_ONCE, NULL));
	assert_no_entry(b, once);
	assert_ok(port_destroy(a, port));
	assert_notification(b, notify, MACH_NOTIFY_DEAD_NAME, there);
}

/* ---- SEND_POSSIBLE
 * -------------------------------------------------------------------------------- */

TEST_2(send_possible_with_sync_fires_at_once_when_there_is_room)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t once = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
	mach_port_name_t notify = new_port(b);

	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, there);
	fill(b, there, 5);
	assert_ok(ask(b, once, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, once);
	assert_ok(ask(b, 0x103, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, 0x103);
}

TEST_2(send_possible_with_sync_on_a_full_queue_fires_at_the_next_receive)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);

	fill(b, there, 5);
	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	assert_nothing_waits(b, notify);
	take_id(a, port);
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, there);
	take_id(a, port);
	assert_nothing_waits(b, notify);
}

TEST_1(a_notify_send_that_fails_at_its_body_has_armed_send_possible)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);
	struct message m = message_to(port, MACH_MSG_TYPE_COPY_SEND);

	fill(a, port, 5);
	assert_ok(ask(a, port, MACH_NOTIFY_SEND_POSSIBLE, 0, notify));
	message_add_port(&m, notify, MACH_MSG_TYPE_MOVE_SEND);
	assert_code(msg_send(a, &m, MACH_SEND_NOTIFY, 0), MACH_SEND_INVALID_RIGHT);
	assert_int_equal(take_id(a, port), 1);
	assert_notification(a, notify, MACH_NOTIFY_SEND_POSSIBLE, port);
}

TEST_2(send_possible_without_sync_is_armed_by_a_notify_send_that_meets_a_full_queue)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);
	struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);

	fill(b, there, 5);
	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 0, notify));
	take_id(a, port); /* unarmed: says nothing */
	assert_nothing_waits(b, notify);
	fill(b, there, 1);
	assert_code(msg_send(b, &m, MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
	take_id(a, port);
	assert_nothing_waits(b, notify); /* a send without NOTIFY arms nothing */
	fill(b, there, 1);
	assert_code(msg_send(b, &m, MACH_SEND_TIMEOUT | MACH_SEND_NOTIFY, 0), MACH_SEND_TIMED_OUT);
	take_id(a, port);
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, there);
}

TEST_2(a_used_send_possible_request_adds_no_reference_at_death)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);
	mach_port_type_t type;

	fill(b, there, 5);
	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	take_id(a, port);
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, there);
	assert_ok(port_type(b, there, &type));
	assert_int_equal(type, MACH_PORT_TYPE_SEND);
	assert_ok(port_destroy(a, port));
	assert_nothing_waits(b, notify);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(a_used_send_possible_request_deletes_nothing_when_the_name_goes)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);

	fill(b, there, 5);
	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	take_id(a, port);
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, there);
	assert_ok(port_deallocate(b, there));
	assert_nothing_waits(b, notify);
}

TEST_2(messages_that_are_only_destroyed_do_not_make_sending_possible)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);

	fill(b, there, 5);
	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 1, notify));
	assert_code(msg_receive(a, port, 0, 8, 0, NULL), MACH_RCV_INVALID_DATA);
	assert_nothing_waits(b, notify);
	take_id(a, port);
	assert_notification(b, notify, MACH_NOTIFY_SEND_POSSIBLE, there);
}

TEST_2(a_notify_send_with_a_request_and_room_does_not_block)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);
	struct message m = message_to(there, MACH_MSG_TYPE_COPY_SEND);

	assert_ok(ask(b, there, MACH_NOTIFY_SEND_POSSIBLE, 0, notify));
	assert_ok(msg_send(b, &m, MACH_SEND_NOTIFY, 0));
	assert_int_equal(msgcount_of(a, port), 1);
	assert_nothing_waits(b, notify);
}

TEST_2(a_notify_send_to_a_send_once_right_or_the_kernel_asks_for_nothing)
{
	mach_port_name_t port = new_port(a), notify = new_port(b);
	mach_port_name_t once = give(a, port, MAKE_SEND_ONCE, b), host = host_self(b);
	struct message m = message_to(once, MOVE_SEND_ONCE);
	struct message to_host = message_to(host, MACH_MSG_TYPE_COPY_SEND);

	assert_ok(ask(b, once, MACH_NOTIFY_DEAD_NAME, 0, notify));
	assert_ok(msg_send(b, &m, MACH_SEND_NOTIFY, 0));
	assert_notification(b, notify, MACH_NOTIFY_PORT_DELETED, once);
	assert_int_equal(msgcount_of(a, port), 1);
	assert_ok(ask(b, host, MACH_NOTIFY_SEND_POSSIBLE, 0, notify));
	assert_ok(msg_send(b, &to_host, MACH_SEND_NOTIFY, 0));
	assert_nothing_waits(b, notify);
}

/* ---- delivery
 * ------------------------------------------------------------------------------------- */

TEST_1(notifications_pass_a_full_queue)
{
	mach_port_name_t notify = new_port_with_send(a), port = new_port(a);
	mach_port_name_t once = new_send_once(a, notify);

	fill(a, notify, 5);
	assert_ok(port_deallocate(a, once));
	assert_ok(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_int_equal(msgcount_of(a, notify), 7);
	for (int i = 0; i < 5; i++)
		take_id(a, notify);
	assert_notification(a, notify, MACH_NOTIFY_SEND_ONCE, 0);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 0);
}

TEST_1(a_notification_beyond_the_hard_ceiling_is_dropped)
{
	mach_port_name_t notify = new_port(a), other = new_port(a), once = new_send_once(a, notify);
	const uint32_t most = 65534;

	w->quiet_audit = true;
	for (uint32_t i = 0; i < most; i++)
		assert_ok(send_id(a, notify, MAKE_SEND_ONCE, 1));
	assert_ok(ask(a, other, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_ok(port_deallocate(a, once));
	assert_int_equal(msgcount_of(a, notify), most);
	assert_int_equal(status_of(a, notify).mps_sorights, most);
	assert_int_equal(status_of(a, other).mps_nsrequest, 0); /* it has fired all the same */
	kernel_audit(w->kernel);
	take_id(a, notify);
	assert_ok(ask(a, other, MACH_NOTIFY_NO_SENDERS, 0, notify));
	assert_int_equal(msgcount_of(a, notify), most);
	assert_ok(port_destroy(a, notify));
}

TEST_2(a_notification_to_a_dead_port_is_dropped)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);

	assert_ok(ask(b, there, MACH_NOTIFY_DEAD_NAME, 0, notify));
	assert_ok(port_destroy(b, notify));
	assert_ok(port_destroy(a, port));
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_1(a_notification_wakes_a_waiting_thread)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t notify = new_port(a), once = new_send_once(a, notify);

	assert_code(msg_receive(waiter, notify, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_deallocate(a, once));
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
}

/* ---- a send-once right has exactly one outcome
 * ------------------------------------------------------ */

TEST_2(a_used_send_once_right_gives_one_message_and_no_notification)
{
	mach_port_name_t port = new_port(a);
	mach_port_name_t once = give(a, port, MAKE_SEND_ONCE, b);

	assert_ok(send_id(b, once, MOVE_SEND_ONCE, 5));
	assert_no_entry(b, once);
	assert_int_equal(take_id(a, port), 5);
	assert_nothing_waits(a, port);
	assert_int_equal(status_of(a, port).mps_sorights, 0);
}

TEST_2(a_send_once_right_of_a_dying_task_gives_one_notification)
{
	mach_port_name_t port = new_port(a);

	give(a, port, MAKE_SEND_ONCE, b);
	world_task_die(b->party);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_nothing_waits(a, port);
}

TEST_2(a_send_once_right_in_a_message_that_is_refused_by_size_gives_one_notification)
{
	mach_port_name_t port = new_port(a);
	struct message m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);

	message_reply(&m, port, MAKE_SEND_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_code(msg_receive(b, b->party->mailbox, 0, 24, 0, NULL), MACH_RCV_TOO_LARGE);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_nothing_waits(a, port);
}

TEST_2(a_send_once_right_carried_in_a_descriptor_that_is_lost_gives_one_notification)
{
	mach_port_name_t port = new_port(a), carrier = new_port(b);
	mach_port_name_t to = give(b, carrier, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = message_to(to, MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, port, MAKE_SEND_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(port_destroy(b, carrier));
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_nothing_waits(a, port);
}
