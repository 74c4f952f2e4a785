/* Messages to kernel objects and their answers: mach-messages.md §11. */
#include <string.h>

#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

#define UNKNOWN_ID 999999

static struct message
to_task(mach_port_name_t reply, uint32_t disposition)
{
	struct message m = message_to(BERTH_NAME_TASK_SELF, COPY);

	message_id(&m, UNKNOWN_ID);
	message_reply(&m, reply, disposition);
	return m;
}

static void
check_bad_id(struct actor *t, mach_port_name_t reply)
{
	mig_reply_error_t error;

	take(t, reply, &got);
	assert_int_equal(got.header.msgh_id, UNKNOWN_ID + 100);
	assert_int_equal(got.header.msgh_size, 36);
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(got.header.msgh_local_port, reply);
	memcpy(&error, got.bytes, sizeof error);
	assert_int_equal(error.RetCode, MIG_BAD_ID);
	assert_int_equal(got.trailer.msgh_sender.val[0], 0); /* the kernel's tokens */
	assert_int_equal(got.trailer.msgh_sender.val[1], 1);
	assert_int_equal(got.trailer.msgh_audit.val[5], 0);
}

TEST_1(an_unknown_id_is_answered_before_the_send_returns)
{
	mach_port_name_t reply = new_port(a);
	struct message m = to_task(reply, MAKE_ONCE);

	assert_ok(msg_send(a, &m, 0, 0));
	check_bad_id(a, reply);
	assert_int_equal(status_of(a, reply).mps_sorights, 0);
}

TEST_1(the_answer_is_received_in_the_same_call)
{
	mach_port_name_t reply = new_port(a);
	struct message m = to_task(reply, MAKE_ONCE);

	assert_ok(msg_send_receive(a, &m, 0, ANY_SIZE, reply, 0, &got));
	assert_int_equal(got.header.msgh_id, UNKNOWN_ID + 100);
}

TEST_1(a_send_right_is_answered_too)
{
	mach_port_name_t reply = new_port(a);
	struct message m = to_task(reply, MACH_MSG_TYPE_MAKE_SEND);

	assert_ok(msg_send(a, &m, 0, 0));
	check_bad_id(a, reply);
	assert_int_equal(srights_of(a, reply), 0);
}

TEST_1(an_answer_to_a_send_once_right_passes_a_full_queue)
{
	mach_port_name_t reply = new_port_with_send(a);
	struct message m = to_task(reply, MAKE_ONCE);

	fill(a, reply, 5);
	assert_ok(msg_send(a, &m, MACH_SEND_TIMEOUT, 0));
	assert_int_equal(msgcount_of(a, reply), 6);
}

TEST_1(without_a_reply_right_the_answer_is_dropped)
{
	struct message m = to_task(0, 0);

	assert_ok(msg_send(a, &m, 0, 0));
	m = to_task(MACH_PORT_DEAD, MAKE_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
}

TEST_1(a_failed_request_is_destroyed_with_all_it_carries)
{
	mach_port_name_t reply = new_port(a), carried = new_port(a), dies = new_port_with_send(a);
	struct segment *segment = segment_new(w, "bulk", 4);
	struct message m = to_task(reply, MAKE_ONCE);

	message_add_port(&m, carried, MAKE_ONCE);
	message_add_port(&m, dies, MACH_MSG_TYPE_MOVE_RECEIVE);
	message_add_ool_segment(&m, segment, 0, 4);
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(segment);
	assert_int_equal(w->live_segments, 0);
	assert_notification(a, carried, MACH_NOTIFY_SEND_ONCE, 0);
	assert_entry(a, dies, MACH_PORT_TYPE_DEAD_NAME, 1);
	check_bad_id(a, reply);
}

TEST_1(a_kernel_object_as_reply_port_is_not_sent_an_answer)
{
	struct message m = to_task(BERTH_NAME_TASK_SELF, COPY);
	uint32_t refs = send_refs(a, BERTH_NAME_TASK_SELF);

	assert_ok(msg_send(a, &m, 0, 0));
	m = to_task(host_self(a), MACH_MSG_TYPE_MOVE_SEND);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_int_equal(send_refs(a, BERTH_NAME_TASK_SELF), refs);
}

TEST_1(a_kernel_object_is_never_full)
{
	for (int i = 0; i < 20; i++)
		assert_ok(send_id(a, BERTH_NAME_TASK_SELF, COPY, UNKNOWN_ID));
}

TEST_1(a_right_used_to_call_a_kernel_object_is_consumed)
{
	uint32_t refs = send_refs(a, BERTH_NAME_TASK_SELF);
	mach_port_name_t host = host_self(a);

	assert_int_equal(task_self(a), BERTH_NAME_TASK_SELF);
	assert_ok(send_id(a, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_MOVE_SEND, UNKNOWN_ID));
	assert_int_equal(send_refs(a, BERTH_NAME_TASK_SELF), refs);
	assert_ok(send_id(a, host, MACH_MSG_TYPE_MOVE_SEND, UNKNOWN_ID));
	assert_no_entry(a, host);
}

TEST_1(kernel_objects_have_darwins_numbers)
{
	mach_port_name_t name;
	struct {
		mach_port_name_t name;
		uint64_t number;
	} objects[] = { { new_port_with_send(a), 0 },
			{ thread_self(a), 1 },
			{ BERTH_NAME_TASK_SELF, 2 },
			{ host_self(a), 3 },
			{ MACH_PORT_NULL, 20 } };

	assert_ok(get_special_port(a, 3 /* TASK_NAME_PORT */, &name));
	objects[4].name = name;
	for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
		assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, objects[i].name, 0, 0, 0, 0));
		assert_int_equal(a->outcome.values[0], objects[i].number);
		assert_int_equal(a->outcome.values[1], 0); /* no address */
	}
}

TEST_2(the_name_of_the_own_task_is_itself)
{
	mach_port_name_t name, theirs;

	assert_ok(get_special_port(a, 3, &name));
	assert_ok(trap(a, BERTH_TRAP_TASK_IS_SELF, name, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 1);
	assert_ok(get_special_port(b, 3, &name));
	theirs = give(b, name, COPY, a);
	assert_ok(trap(a, BERTH_TRAP_TASK_IS_SELF, theirs, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 0);
}
