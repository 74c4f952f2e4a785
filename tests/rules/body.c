/* Taking the body, left to right, and what a failure in its middle destroys: mach-messages.md §5.
 */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

static struct message
to_b(struct actor *a)
{
	return message_to(a->party->mailbox_of[1], COPY);
}

TEST_1(null_and_dead_names_are_carried_with_any_disposition)
{
	static const uint32_t dispositions[] = { 0, 15, 16, 17, 18, 19, 20, 21, 22, 255 };
	static const uint32_t arrives[] = { 0, 0, 16, 17, 18, 17, 17, 18, 0, 0 };
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	for (int i = 0; i < 10; i++) {
		message_add_port(&m, MACH_PORT_NULL, dispositions[i]);
		message_add_port(&m, MACH_PORT_DEAD, dispositions[i]);
	}
	assert_ok(msg_send(a, &m, 0, 0));
	take(a, port, &got);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(got.descriptors[2 * i].name, MACH_PORT_NULL);
		assert_int_equal(got.descriptors[2 * i + 1].name, MACH_PORT_DEAD);
		assert_int_equal(got.descriptors[2 * i].disposition, arrives[i]);
		assert_int_equal(got.descriptors[2 * i + 1].disposition, arrives[i]);
	}
}

TEST_2(dispositions_arrive_as_the_right_that_was_carried)
{
	mach_port_name_t port = new_port_with_send(a), moves = new_port(a);
	struct message m = to_b(a);

	message_add_port(&m, port, COPY);
	message_add_port(&m, port, MAKE);
	message_add_port(&m, port, MACH_MSG_TYPE_MOVE_SEND);
	message_add_port(&m, port, MAKE_ONCE);
	message_add_port(&m, moves, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	take(b, b->party->mailbox, &got);
	for (int i = 0; i < 3; i++)
		assert_int_equal(got.descriptors[i].disposition, MACH_MSG_TYPE_PORT_SEND);
	assert_int_equal(got.descriptors[3].disposition, MACH_MSG_TYPE_PORT_SEND_ONCE);
	assert_int_equal(got.descriptors[4].disposition, MACH_MSG_TYPE_PORT_RECEIVE);
	assert_entry(b, got.descriptors[0].name, MACH_PORT_TYPE_SEND, 3);
}

TEST_2(ool_memory_arrives_as_it_was)
{
	static const char text[] = "out of line";
	struct message m = to_b(a);

	message_add_ool(&m, text, sizeof text, false, MACH_MSG_PHYSICAL_COPY);
	message_add_ool(&m, NULL, 0, false, MACH_MSG_PHYSICAL_COPY);
	message_add_ool(&m, text, 3, true, MACH_MSG_VIRTUAL_COPY);
	message_add_data(&m, "tail", 4);
	assert_ok(msg_send(a, &m, 0, 0));
	take(b, b->party->mailbox, &got);
	assert_int_equal(got.descriptor_count, 3);
	assert_int_equal(got.descriptors[0].size, sizeof text);
	assert_memory_equal(got.descriptors[0].bytes, text, sizeof text);
	assert_int_equal(got.descriptors[0].copy, MACH_MSG_PHYSICAL_COPY);
	assert_false(got.descriptors[0].deallocate);
	assert_int_equal(got.descriptors[1].size, 0);
	assert_int_equal(got.descriptors[2].size, 3);
	assert_memory_equal(got.descriptors[2].bytes, text, 3);
	assert_int_equal(got.descriptors[2].copy, MACH_MSG_VIRTUAL_COPY);
	assert_true(got.descriptors[2].deallocate);
	assert_memory_equal(got.data, "tail", 4);
}

TEST_2(a_segment_is_passed_on_without_copying)
{
	struct segment *segment = segment_new(w, "0123456789", 10);
	struct message m = to_b(a);

	message_add_ool_segment(&m, segment, 2, 5);
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(segment);
	assert_int_equal(w->live_segments, 1);
	take(b, b->party->mailbox, &got);
	assert_memory_equal(got.descriptors[0].bytes, "23456", 5);
	assert_ptr_equal(got.descriptors[0].segment, &segment->core);
	assert_int_equal(w->live_segments, 0);
}

TEST_2(a_segment_of_a_message_that_is_destroyed_is_freed)
{
	struct segment *segment = segment_new(w, "0123456789", 10);
	mach_port_name_t carrier = new_port(b), to = give(b, carrier, MAKE, a);
	struct message m = message_to(to, COPY);

	message_add_ool_segment(&m, segment, 0, 10);
	message_add_ool_segment(&m, segment, 0, 10);
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(segment);
	assert_int_equal(world_counts(w).segments, 1);
	assert_ok(port_destroy(b, carrier));
	assert_int_equal(w->live_segments, 0);
	assert_int_equal(world_counts(w).segments, 0);
}

TEST_2(a_segment_that_was_refused_stays_with_the_sender)
{
	struct segment *segment = segment_new(w, "0123456789", 10);
	struct message m = to_b(a);

	message_add_ool_segment(&m, segment, 0, 10);
	message_add_port(&m, 0x7703, COPY);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_RIGHT);
	assert_int_equal(segment->core.ref_count, 1);
	segment_drop(segment);
}

TEST_2(a_long_message_whose_end_is_a_segment_arrives_whole)
{
	struct message m = to_b(a);
	uint8_t data[4000];

	for (int i = 0; i < 4000; i++)
		data[i] = (uint8_t)(i * 7);
	message_add_data(&m, data, sizeof data);
	m.tail_from = 24;
	m.tail = segment_new(w, data, sizeof data);
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(m.tail);
	take(b, b->party->mailbox, &got);
	assert_int_equal(got.data_size, sizeof data);
	assert_memory_equal(got.data, data, sizeof data);
	assert_int_equal(w->live_segments, 0);
}

TEST_2(a_long_message_that_does_not_fit_is_destroyed_with_its_end)
{
	struct message m = to_b(a);
	uint8_t data[4000] = { 0 };

	message_id(&m, 8);
	message_add_data(&m, data, sizeof data);
	m.tail_from = 24;
	m.tail = segment_new(w, data, sizeof data);
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(m.tail);
	assert_int_equal(w->live_segments, 1);
	assert_code(msg_receive(b, b->party->mailbox, 0, 3000, 0, &got), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_size, sizeof(mach_msg_header_t));
	assert_int_equal(got.header.msgh_id, 8);
	assert_int_equal(got.size_bytes, sizeof(mach_msg_header_t));
	assert_int_equal(w->live_segments, 0);
	assert_nothing_waits(b, b->party->mailbox);
}

TEST_2(a_tail_behind_descriptors_arrives_whole)
{
	mach_port_name_t port = new_port(a);
	struct message m = to_b(a);
	uint8_t data[3000];

	memset(data, 0x3c, sizeof data);
	message_add_port(&m, port, MAKE);
	m.tail_from = m.size_bytes;
	message_add_data(&m, data, sizeof data);
	m.tail = segment_new(w, data, sizeof data);
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(m.tail);
	take(b, b->party->mailbox, &got);
	assert_int_equal(got.data_size, sizeof data);
	assert_memory_equal(got.data, data, sizeof data);
	assert_entry(b, got.descriptors[0].name, MACH_PORT_TYPE_SEND, 1);
}

TEST_2(descriptors_that_reach_into_the_tail_are_refused)
{
	struct message m = to_b(a);

	message_add_port(&m, 0, COPY);
	message_add_ool_ports(&m, NULL, 0, COPY);
	for (m.tail_from = 24; m.tail_from < m.size_bytes; m.tail_from += 4) {
		char *before = world_dump(w);
		kern_return_t code;

		m.tail = segment_new(w, m.bytes + m.tail_from, m.size_bytes - m.tail_from);
		code = msg_send(a, &m, 0, 0);
		assert_true(code == MACH_SEND_INVALID_DATA || code == MACH_SEND_MSG_TOO_SMALL);
		segment_drop(m.tail);
		world_same(before, world_dump(w), __FILE__, __LINE__);
	}
}

TEST_2(a_message_whose_end_cannot_be_read_is_invalid_data)
{
	struct message m = to_b(a);
	struct trap_frame frame = { .number = BERTH_TRAP_MSG,
				    .args = { MACH_SEND_MSG, 64 },
				    .bytes = m.bytes,
				    .bytes_size = 24,
				    .has_tail = true,
				    .tail = { .kind = KERNEL_PIECE_UNREADABLE, .size_bytes = 40 } };
	char *before = world_dump(w);

	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_SEND_INVALID_DATA);
	world_same(before, world_dump(w), __FILE__, __LINE__);
}

TEST_2(arrays_of_ports_arrive_with_new_names)
{
	mach_port_name_t port = new_port(a), other = new_port(a);
	mach_port_name_t names[] = { port, MACH_PORT_NULL, other, MACH_PORT_DEAD, port };
	struct message m = to_b(a);

	message_add_ool_ports(&m, names, 5, MAKE);
	message_add_ool_ports(&m, NULL, 0, MAKE);
	assert_ok(msg_send(a, &m, 0, 0));
	take(b, b->party->mailbox, &got);
	assert_int_equal(got.descriptors[0].size, 5);
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_SEND);
	assert_int_equal(got.descriptors[0].deallocate, 1);
	assert_int_equal(got.descriptors[0].copy, MACH_MSG_VIRTUAL_COPY);
	assert_entry(b, got.descriptors[0].names[0], MACH_PORT_TYPE_SEND, 2);
	assert_int_equal(got.descriptors[0].names[1], MACH_PORT_NULL);
	assert_entry(b, got.descriptors[0].names[2], MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(got.descriptors[0].names[3], MACH_PORT_DEAD);
	assert_int_equal(got.descriptors[0].names[4], got.descriptors[0].names[0]);
	assert_int_equal(got.descriptors[1].size, 0);
}

/* ---- failure in the middle
 * ---------------------------------------------------------------------------- */

enum bad { BAD_PORT, BAD_OOL, BAD_ARRAY, BAD_ARRAY_MEMBER, BAD_GUARDED, BAD_KINDS };

/* Adds a descriptor that cannot be taken; the code that it gives. */
static kern_return_t
add_bad(struct message *m, enum bad bad, const mach_port_name_t *names)
{
	switch (bad) {
	case BAD_PORT:
		message_add_port(m, 0x7703, COPY);
		return MACH_SEND_INVALID_RIGHT;
	case BAD_OOL:
		message_add_ool_unreadable(m, 4096);
		return MACH_SEND_INVALID_MEMORY;
	case BAD_ARRAY:
		message_add_ool_ports(m, names, 2, MAKE_ONCE);
		m->pieces[m->piece_count - 1].kind = KERNEL_PIECE_UNREADABLE;
		return MACH_SEND_INVALID_MEMORY;
	case BAD_ARRAY_MEMBER: /* {good, bad}: the good one is taken and destroyed */
		message_add_ool_ports(m, names, 2, MAKE_ONCE);
		return MACH_SEND_INVALID_RIGHT;
	default:
		message_add_guarded(m, names[0], 99, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE,
				    MACH_MSG_TYPE_MOVE_RECEIVE);
		return MACH_SEND_INVALID_RIGHT;
	}
}

TEST(a_failure_destroys_the_header_and_the_descriptors_before_it)
{
	for (int bad = 0; bad < BAD_KINDS; bad++)
		for (int position = 0; position < 4; position++) {
			struct world *w = world_new(2);
			struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
			mach_port_name_t sends = give(b, new_port(b), MAKE, a);
			mach_port_name_t once = new_port(a), dies = new_port_with_send(a);
			mach_port_name_t reply = new_port(a), dest = new_port(b);
			mach_port_name_t to = give(b, dest, MAKE, a), array = new_port(a);
			mach_port_name_t names[] = { array, 0x7703 };
			struct segment *segment = segment_new(w, "bulk", 4);
			struct message m = message_to(to, MACH_MSG_TYPE_MOVE_SEND);
			kern_return_t code = 0;

			message_reply(&m, reply, MAKE_ONCE);
			for (int i = 0; i < 4; i++) {
				if (i == position)
					code = add_bad(&m, bad, names);
				if (i == 0)
					message_add_port(&m, sends, MACH_MSG_TYPE_MOVE_SEND);
				if (i == 1)
					message_add_port(&m, once, MAKE_ONCE);
				if (i == 2)
					message_add_port(&m, dies, MACH_MSG_TYPE_MOVE_RECEIVE);
				if (i == 3)
					message_add_ool_segment(&m, segment, 0, 4);
			}
			assert_code(msg_send(a, &m, 0, 0), code);
			assert_int_equal(a->outcome.values[BERTH_MSG_BUFFER],
					 BERTH_MSG_BUFFER_NONE);

			/* the header */
			assert_no_entry(a, to);
			assert_int_equal(srights_of(b, dest), 0);
			assert_notification(a, reply, MACH_NOTIFY_SEND_ONCE, 0);
			/* what came before, and not what came behind */
			assert_entry(a, sends, position > 0 ? 0 : MACH_PORT_TYPE_SEND,
				     position <= 0);
			if (position > 1)
				assert_notification(a, once, MACH_NOTIFY_SEND_ONCE, 0);
			assert_nothing_waits(a, once);
			assert_entry(a, dies,
				     position > 2 ? MACH_PORT_TYPE_DEAD_NAME
						  : MACH_PORT_TYPE_SEND_RECEIVE,
				     1);
			if (bad == BAD_ARRAY_MEMBER)
				assert_notification(a, array, MACH_NOTIFY_SEND_ONCE, 0);
			assert_nothing_waits(a, array);
			assert_int_equal(segment->core.ref_count, 1);
			segment_drop(segment);
			world_free(w);
		}
}
