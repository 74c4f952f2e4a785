/*
 * Requests to kernel objects: what they carry, what is wrong with them, and who owns the rights
 * in them afterwards.  mach-messages.md §11, mig-codegen.md §7.
 */
#include <stdlib.h>
#include <string.h>

#include <mach/mig_errors.h>
#include <mach/task_special_ports.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_SEND MACH_MSG_TYPE_MOVE_SEND
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

enum {
	PORT_NAMES = 3200,
	PORT_RENAME = 3202,
	PORT_ALLOCATE = 3204,
	PORT_DESTROY = 3205,
	PORT_PEEK = 3209,
	PORT_REQUEST_NOTIFICATION = 3213,
	PORT_INSERT_RIGHT = 3214,
	PORT_EXTRACT_RIGHT = 3215,
	PORT_ALLOCATE_QOS = 3219,
	PORT_ALLOCATE_FULL = 3220,
	PORT_SET_PORT_SPACE = 3221,
	PORT_KERNEL_OBJECT = 3225,
	PORT_GET_CONTEXT = 3228,
	PORT_CONSTRUCT = 3231,
	PORT_GUARD = 3233,
	PORT_SPACE_BASIC_INFO = 3235,
	PORT_KOBJECT_DESCRIPTION = 3239,
	PORT_GET_SERVICE_PORT_INFO = 3241,
	PORT_ASSERT_ATTRIBUTES = 3242,
	PORTS_REGISTER = 3403,
	PORTS_LOOKUP = 3404,
	TASK_GET_SPECIAL = 3409,
	TASK_SET_SPECIAL = 3410
};

static struct rpc
allocate(void)
{
	struct rpc r = rpc_to(PORT_ALLOCATE);

	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	return r;
}

/* ---- what routines have but traps have not ----------------------------------------------------
 */

TEST_1(allocate_qos_and_full_take_and_give_back_what_is_asked_for)
{
	mach_port_name_t reply = reply_port(a);
	struct rpc r = rpc_to(PORT_ALLOCATE_QOS);

	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	rpc_u32(&r, 0);
	rpc_u32(&r, 7);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(rpc_result_u32(&r), 0);
	assert_int_equal(rpc_result_u32(&r), 7);
	assert_entry(a, rpc_result_u32(&r), MACH_PORT_TYPE_RECEIVE, 0);

	r = rpc_to(PORT_ALLOCATE_QOS);
	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	rpc_u32(&r, 1); /* a name, which this call has not */
	rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_ARGUMENT);

	r = rpc_to(PORT_ALLOCATE_FULL);
	message_add_port(&r.message, 0, COPY);
	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	rpc_u32(&r, 1);
	rpc_u32(&r, 0);
	rpc_u32(&r, 0x5503);
	assert_ok(rpc_call(a, reply, &r));
	assert_entry(a, 0x5503, MACH_PORT_TYPE_RECEIVE, 0);

	r = rpc_to(PORT_ALLOCATE_FULL);
	message_add_port(&r.message, BERTH_NAME_TASK_SELF, COPY); /* a prototype: none may be */
	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	rpc_u32(&r, 0);
	rpc_u32(&r, 0);
	rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_VALUE);
	assert_int_equal(send_refs(a, BERTH_NAME_TASK_SELF), 1);
}

TEST_1(small_routines_answer)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a);
	struct rpc r = rpc_to(PORT_SET_PORT_SPACE);

	rpc_u32(&r, 100);
	assert_ok(rpc_call(a, reply, &r));

	r = rpc_to(PORT_SPACE_BASIC_INFO);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(rpc_result_u32(&r), 0xff000000);
	assert_int_equal(rpc_result_u32(&r), 32);
	assert_int_equal(rpc_result_u32(&r), 64);
	assert_int_equal(rpc_result_u32(&r), 3); /* the task, the reply port, the port */

	r = rpc_to(PORT_KERNEL_OBJECT);
	rpc_u32(&r, BERTH_NAME_TASK_SELF);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(rpc_result_u32(&r), 2);
	assert_int_equal(rpc_result_u32(&r), 0);

	r = rpc_to(PORT_KOBJECT_DESCRIPTION);
	rpc_u32(&r, BERTH_NAME_TASK_SELF);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(rpc_result_u32(&r), 2);
	assert_int_equal(rpc_result_u64(&r), 0);
	rpc_result_u32(&r);                      /* offset */
	assert_int_equal(rpc_result_u32(&r), 1); /* an empty text with its NUL */

	r = rpc_to(PORT_GUARD);
	rpc_u32(&r, port);
	rpc_u64(&r, 0x1122334455667788);
	rpc_u32(&r, 1);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(status_of(a, port).mps_flags,
			 MACH_PORT_STATUS_FLAG_GUARDED | MACH_PORT_STATUS_FLAG_STRICT_GUARD);

	r = rpc_to(PORT_GET_SERVICE_PORT_INFO);
	rpc_u32(&r, port);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_CAPABILITY);
}

TEST_1(a_queued_message_is_peeked_at)
{
	mach_port_name_t reply = reply_port(a), port = new_port_with_send(a);
	struct rpc r = rpc_to(PORT_PEEK);

	assert_ok(send_id(a, port, COPY, 4711));
	rpc_u32(&r, port);
	rpc_u32(&r, MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
			MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT));
	rpc_u32(&r, 0);
	rpc_u32(&r, 68); /* room */
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(rpc_result_u32(&r), 0); /* seqno */
	assert_int_equal(rpc_result_u32(&r), 24);
	assert_int_equal(rpc_result_u32(&r), 4711);
	assert_int_equal(rpc_result_u32(&r), sizeof(mach_msg_audit_trailer_t));
	assert_int_equal(got.data_size - r.read, sizeof(mach_msg_audit_trailer_t));
	assert_int_equal(msgcount_of(a, port), 1);
}

static struct rpc
construct(const mach_port_options_t *options, uint32_t size_bytes)
{
	struct rpc r = rpc_to(PORT_CONSTRUCT);

	message_add_ool(&r.message, options, size_bytes, false, MACH_MSG_VIRTUAL_COPY);
	rpc_u64(&r, 77);
	return r;
}

TEST_1(options_of_a_port_come_out_of_line)
{
	mach_port_name_t reply = reply_port(a), name;
	mach_port_options_t options = { .flags = MPO_INSERT_SEND_RIGHT | MPO_QLIMIT,
					.mpl.mpl_qlimit = 3 };
	struct rpc r = construct(&options, sizeof options);

	assert_ok(rpc_call(a, reply, &r));
	name = rpc_result_u32(&r);
	assert_entry(a, name, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_int_equal(status_of(a, name).mps_qlimit, 3);
}

TEST_1(memory_of_another_size_is_refused)
{
	mach_port_name_t reply = reply_port(a);
	mach_port_options_t options = { 0 };
	struct rpc r = construct(&options, sizeof options - 4);

	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	r = construct(&options, 0);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
}

TEST_1(memory_that_the_kernel_only_passes_on_is_no_argument)
{
	mach_port_name_t reply = reply_port(a);
	struct segment *segment = segment_new(w, "123456789012345678901234", 24);
	struct rpc r = rpc_to(PORT_CONSTRUCT);

	message_add_ool_segment(&r.message, segment, 0, 24);
	rpc_u64(&r, 0);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_ARGUMENT);
	segment_drop(segment);
	assert_int_equal(w->live_segments, 0);
}

TEST_1(names_and_types_come_as_two_arrays)
{
	mach_port_name_t reply = reply_port(a);
	struct rpc r = rpc_to(PORT_NAMES);
	uint32_t types[2];

	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(got.descriptor_count, 2);
	assert_int_equal(got.descriptors[0].size, 8);
	assert_int_equal(got.descriptors[1].size, 8);
	assert_true(got.descriptors[0].deallocate);
	memcpy(types, got.descriptors[1].bytes, sizeof types);
	assert_int_equal(types[0], MACH_PORT_TYPE_SEND);
	assert_int_equal(types[1], MACH_PORT_TYPE_RECEIVE);
	assert_int_equal(rpc_result_u32(&r), 2);
	assert_int_equal(rpc_result_u32(&r), 2);
}

/* ---- registered ports: arrays of rights -------------------------------------------------------
 */

static struct rpc
ports_register_to(const mach_port_name_t *names, uint32_t count, uint32_t disposition)
{
	struct rpc r = rpc_to(PORTS_REGISTER);

	message_add_ool_ports(&r.message, names, count, disposition);
	rpc_u32(&r, count);
	return r;
}

TEST_1(registered_ports_go_in_and_come_out_as_an_array)
{
	mach_port_name_t reply = reply_port(a), first = new_port(a), third = new_port(a);
	mach_port_name_t names[3] = { first, MACH_PORT_NULL, third };
	struct rpc r = ports_register_to(names, 3, MAKE);

	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(srights_of(a, first), 1);
	assert_int_equal(srights_of(a, third), 1);
	r = rpc_to(PORTS_LOOKUP);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(got.descriptors[0].size, 3);
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_SEND);
	assert_memory_equal(got.descriptors[0].names, names, sizeof names);
	assert_int_equal(rpc_result_u32(&r), 3);
	assert_entry(a, first, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	r = ports_register_to(NULL, 0, COPY);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(srights_of(a, third), 1); /* its own */
}

TEST_1(too_many_registered_ports_are_refused_and_given_up)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a);
	mach_port_name_t names[4] = { port, port, port, port };
	struct rpc r = ports_register_to(names, 4, MAKE);

	assert_code(rpc_call(a, reply, &r), KERN_INVALID_ARGUMENT);
	assert_int_equal(srights_of(a, port), 0);
	assert_int_equal(status_of(a, port).mps_mscount, 4);
}

TEST_1(an_array_of_other_rights_or_another_count_is_refused_and_given_up)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a), dies = new_port_with_send(a);
	struct rpc r = ports_register_to(&port, 1, MAKE_ONCE);

	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	r = ports_register_to(&dies, 1, MOVE_RECEIVE);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_entry(a, dies, MACH_PORT_TYPE_DEAD_NAME, 1);

	r = rpc_to(PORTS_REGISTER);
	message_add_ool_ports(&r.message, &port, 1, MAKE);
	rpc_u32(&r, 2);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_int_equal(srights_of(a, port), 0);
}

/* ---- rights that go in and come out ---------------------------------------------------------- */

static struct rpc
insert_right(mach_port_name_t name, mach_port_name_t poly, uint32_t disposition)
{
	struct rpc r = rpc_to(PORT_INSERT_RIGHT);

	message_add_port(&r.message, poly, disposition);
	rpc_u32(&r, name);
	return r;
}

TEST_2(a_receive_right_moves_into_another_task)
{
	mach_port_name_t reply = reply_port(a), port = new_port_with_send(a);
	mach_port_name_t other = give(b, BERTH_NAME_TASK_SELF, COPY, a);
	struct rpc r = insert_right(0x5503, port, MOVE_RECEIVE);

	a->target = other;
	assert_ok(rpc_call(a, reply, &r));
	assert_entry(b, 0x5503, MACH_PORT_TYPE_RECEIVE, 0);
	a->target = BERTH_NAME_TASK_SELF;
	assert_entry(a, port, MACH_PORT_TYPE_SEND, 1);
	assert_ok(send_id(a, port, COPY, 4));
	assert_int_equal(take_id(b, 0x5503), 4);
}

TEST_1(a_right_that_finds_no_place_is_given_up)
{
	mach_port_name_t reply = reply_port(a), port = new_port_with_send(a);
	struct rpc r = insert_right(0, port, MOVE_RECEIVE);

	assert_code(rpc_call(a, reply, &r), KERN_INVALID_VALUE);
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
	port = new_port(a);
	r = insert_right(reply, port, MAKE_ONCE);
	assert_code(rpc_call(a, reply, &r), KERN_NAME_EXISTS);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	r = insert_right(0x5503, 0, MAKE);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_CAPABILITY);
	r = insert_right(0x5503, MACH_PORT_DEAD, MAKE);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_CAPABILITY);
}

TEST_1(a_receive_right_comes_out_of_a_task)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a);
	struct rpc r = rpc_to(PORT_EXTRACT_RIGHT);

	rpc_u32(&r, port);
	rpc_u32(&r, MOVE_RECEIVE);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(got.header.msgh_size, 40);
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_RECEIVE);
	assert_entry(a, got.descriptors[0].name, MACH_PORT_TYPE_RECEIVE, 0);
}

/* An answer that would carry the port that it is sent to. */
TEST_1(the_reply_port_itself_cannot_come_out)
{
	mach_port_name_t reply = new_port(a);
	struct rpc r = rpc_to(PORT_EXTRACT_RIGHT);

	rpc_u32(&r, reply);
	rpc_u32(&r, MOVE_RECEIVE);
	assert_code(rpc_call(a, reply, &r), MACH_RCV_INVALID_NAME);
	assert_no_entry(a, reply);
}

TEST_1(the_reply_port_can_go_in)
{
	mach_port_name_t reply = new_port(a);
	struct rpc r = insert_right(0x5503, reply, MOVE_RECEIVE);

	assert_code(rpc_call(a, reply, &r), MACH_RCV_INVALID_NAME); /* it has another name now */
	assert_int_equal(take_id(a, 0x5503), PORT_INSERT_RIGHT + 100);
}

TEST_1(what_a_request_replaces_comes_back_as_a_right)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a), notify = new_port(a);
	struct rpc r;

	for (int i = 0; i < 2; i++) {
		r = rpc_to(PORT_REQUEST_NOTIFICATION);
		message_add_port(&r.message, notify, MAKE_ONCE);
		rpc_u32(&r, port);
		rpc_u32(&r, MACH_NOTIFY_NO_SENDERS);
		rpc_u32(&r, 1);
		assert_ok(rpc_call(a, reply, &r));
	}
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_SEND_ONCE);
	assert_entry(a, got.descriptors[0].name, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(status_of(a, notify).mps_sorights, 2);
}

TEST_1(a_special_port_is_set_by_the_right_that_came)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a);
	struct rpc r = rpc_to(TASK_SET_SPECIAL);

	message_add_port(&r.message, port, MAKE);
	rpc_u32(&r, TASK_DEBUG_CONTROL_PORT);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(srights_of(a, port), 1);

	r = rpc_to(TASK_SET_SPECIAL);
	message_add_port(&r.message, port, MAKE);
	rpc_u32(&r, TASK_KERNEL_PORT);
	assert_code(rpc_call(a, reply, &r), KERN_NO_ACCESS);
	assert_int_equal(srights_of(a, port), 1); /* the refused one is gone */
}

/* ---- what is wrong with a request ------------------------------------------------------------ */

TEST_1(a_number_that_nobody_serves_is_told)
{
	static const int32_t wrong[] = { -1,   0,    64,   3199, PORT_RENAME, 3243, 3299,     3300,
					 3399, 3400, 3405, 3466, 3600,        4800, INT32_MAX };
	mach_port_name_t reply = reply_port(a);

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct rpc r = rpc_to(wrong[i]);

		if (wrong[i] < INT32_MAX) /* whose reply has no number */
			assert_code(rpc_call(a, reply, &r), MIG_BAD_ID);
	}
}

TEST_1(another_kernel_object_is_no_task)
{
	mach_port_name_t reply = reply_port(a), notify = new_port(a);
	struct rpc r = allocate();

	a->target = host_self(a);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_TASK);
	r = rpc_to(PORT_GET_CONTEXT);
	rpc_u32(&r, reply);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_ARGUMENT);
	r = rpc_to(TASK_GET_SPECIAL);
	rpc_u32(&r, TASK_BOOTSTRAP_PORT);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_ARGUMENT);
	r = rpc_to(PORT_REQUEST_NOTIFICATION);
	message_add_port(&r.message, notify, MAKE_ONCE);
	rpc_u32(&r, notify);
	rpc_u32(&r, MACH_NOTIFY_NO_SENDERS);
	rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_TASK);
	assert_notification(a, notify, MACH_NOTIFY_SEND_ONCE, 0);
	r = rpc_to(PORT_ASSERT_ATTRIBUTES);
	rpc_u32(&r, notify);
	rpc_u32(&r, MACH_PORT_GUARD_INFO);
	rpc_u32(&r, 2);
	rpc_u32(&r, 0);
	rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_TASK);
	a->target = thread_self(a);
	r = allocate();
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_TASK);
}

TEST_1(a_request_of_another_size_is_refused)
{
	mach_port_name_t reply = reply_port(a);
	uint32_t ports = world_counts(w).ports;
	struct rpc r = rpc_to(PORT_ALLOCATE);

	assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS); /* nothing */
	r = allocate();
	rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS); /* a word too much */
	r = allocate();
	for (int i = 0; i < 500; i++)
		rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS); /* more than any request has */
	assert_int_equal(world_counts(w).ports, ports);
}

TEST_1(a_request_in_a_segment_is_longer_than_any)
{
	mach_port_name_t reply = reply_port(a);
	struct message m = message_to(BERTH_NAME_TASK_SELF, COPY);
	uint8_t data[4096] = { 0 };

	message_reply(&m, reply, MAKE_ONCE);
	message_id(&m, PORT_ALLOCATE);
	message_add_data(&m, data, sizeof data);
	m.tail_from = 24;
	m.tail = segment_new(w, data, sizeof data);
	assert_ok(msg_send_receive(a, &m, 0, ANY_SIZE, reply, 0, &got));
	segment_drop(m.tail);
	assert_int_equal(got.header.msgh_size, 36);
	memcpy(data, got.bytes + 32, 4);
	assert_int_equal(*(int32_t *)(void *)data, MIG_BAD_ARGUMENTS);
}

TEST_1(a_complex_request_for_a_simple_one_is_refused_and_the_reverse)
{
	mach_port_name_t reply = reply_port(a), port = new_port(a);
	struct rpc r = allocate();

	message_add_port(&r.message, port, MAKE);
	assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS);
	assert_int_equal(srights_of(a, port), 0);
	r = allocate();
	message_complex(&r.message); /* with no descriptor */
	assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS);
	r = rpc_to(PORT_INSERT_RIGHT);
	for (int i = 0; i < 5; i++)
		rpc_u32(&r, 0x5503);
	assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS);
}

TEST_1(a_descriptor_of_another_kind_is_refused)
{
	mach_port_name_t reply = reply_port(a), port = new_port_with_send(a);
	struct rpc r = rpc_to(PORT_INSERT_RIGHT);

	message_add_ool(&r.message, "abcd", 4, false, MACH_MSG_VIRTUAL_COPY);
	rpc_u32(&r, 0x5503);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	r = rpc_to(PORT_INSERT_RIGHT);
	message_add_guarded(&r.message, port, 0, MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND,
			    MOVE_RECEIVE);
	rpc_u32(&r, 0x5503);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
	r = rpc_to(PORT_CONSTRUCT);
	message_add_port(&r.message, reply, MAKE);
	rpc_u64(&r, 0);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_int_equal(srights_of(a, reply), 0);
}

TEST_1(a_right_of_another_kind_is_refused_and_given_up)
{
	mach_port_name_t reply = reply_port(a), port = new_port_with_send(a);
	struct rpc r = rpc_to(TASK_SET_SPECIAL);

	message_add_port(&r.message, port, MOVE_RECEIVE);
	rpc_u32(&r, TASK_DEBUG_CONTROL_PORT);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
	port = new_port(a);
	r = rpc_to(PORT_REQUEST_NOTIFICATION);
	message_add_port(&r.message, port, MAKE);
	rpc_u32(&r, port);
	rpc_u32(&r, MACH_NOTIFY_NO_SENDERS);
	rpc_u32(&r, 0);
	assert_code(rpc_call(a, reply, &r), MIG_TYPE_ERROR);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_1(a_count_that_lies_is_refused)
{
	mach_port_name_t reply = reply_port(a);
	static const uint32_t counts[] = { 1, 2, 17, 18, 1u << 30, UINT32_MAX };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct rpc r = rpc_to(3218); /* set_attributes */

		rpc_u32(&r, reply);
		rpc_u32(&r, MACH_PORT_LIMITS_INFO);
		rpc_u32(&r, counts[i]); /* and no integer behind it */
		assert_code(rpc_call(a, reply, &r), MIG_BAD_ARGUMENTS);
	}
}

/* ---- the way back -----------------------------------------------------------------------------
 */

static kern_return_t
send_request(struct actor *t, mach_port_name_t reply, uint32_t disposition)
{
	struct message m = message_to(t->target, COPY);
	struct {
		uint8_t ndr[8];
		uint32_t right;
	} data = { .right = MACH_PORT_RIGHT_RECEIVE };

	message_id(&m, PORT_ALLOCATE);
	message_reply(&m, reply, disposition);
	message_add_data(&m, &data, sizeof data);
	return msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
}

TEST_1(a_routine_runs_even_if_nobody_hears_of_it)
{
	uint32_t ports = world_counts(w).ports;

	assert_ok(send_request(a, 0, 0));
	assert_ok(send_request(a, MACH_PORT_DEAD, MAKE_ONCE));
	assert_ok(send_request(a, BERTH_NAME_TASK_SELF, COPY));
	assert_int_equal(world_counts(w).ports, ports + 3);
	assert_int_equal(send_refs(a, BERTH_NAME_TASK_SELF), 1);
}

TEST_1(rights_that_nobody_is_sent_are_given_up)
{
	mach_port_name_t port = new_port(a);
	struct rpc r = rpc_to(PORT_EXTRACT_RIGHT);

	rpc_u32(&r, port);
	rpc_u32(&r, MOVE_RECEIVE);
	message_header(&r.message)->msgh_remote_port = BERTH_NAME_TASK_SELF;
	message_id(&r.message, r.id);
	message_add_data(&r.message, r.data, r.data_size);
	assert_ok(msg_send(a, &r.message, 0, 0));
	assert_no_entry(a, port);
	assert_int_equal(world_counts(w).messages, 0);
}

TEST_1(a_send_right_brings_the_answer_as_well)
{
	mach_port_name_t reply = new_port(a);

	assert_ok(send_request(a, reply, MAKE));
	take(a, reply, &got);
	assert_int_equal(got.header.msgh_id, PORT_ALLOCATE + 100);
	assert_int_equal(got.header.msgh_size, 40);
	assert_int_equal(srights_of(a, reply), 0);
}

TEST_1(an_answer_by_a_send_right_is_lost_where_the_request_would_not_wait)
{
	mach_port_name_t reply = new_port_with_send(a);

	fill(a, reply, 5);
	assert_ok(send_request(a, reply, MAKE)); /* with a time-out */
	assert_int_equal(msgcount_of(a, reply), 5);
	assert_int_equal(srights_of(a, reply), 6); /* its own, and those of the messages */
	assert_ok(send_request(a, reply, MAKE_ONCE));
	assert_int_equal(msgcount_of(a, reply), 6);
}

TEST_1(who_asks_and_does_not_listen_pays)
{
	mach_port_name_t reply = new_port(a);
	char *after;

	for (int i = 0; i < 20; i++)
		assert_ok(send_request(a, reply, MAKE_ONCE));
	after = world_dump(w);
	assert_null(strstr(after, " queued 0\n"));
	free(after);
	for (int i = 0; i < 20; i++)
		assert_int_equal(take_id(a, reply), PORT_ALLOCATE + 100);
	after = world_dump(w);
	assert_non_null(strstr(after, " queued 0\n"));
	free(after);
}

TEST_1(a_task_may_take_the_right_by_which_it_is_asked)
{
	mach_port_name_t reply = reply_port(a);
	struct rpc r = rpc_to(PORT_DESTROY);

	rpc_u32(&r, BERTH_NAME_TASK_SELF);
	assert_ok(rpc_call(a, reply, &r));
	r = allocate();
	assert_code(rpc_call(a, reply, &r), MACH_SEND_INVALID_DEST);
}
