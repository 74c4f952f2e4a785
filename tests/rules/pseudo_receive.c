/* What a failed delivery gives back: mach-messages.md §7, each row. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

/* A send right of @b to a port of @a whose queue is full. */
static mach_port_name_t
full_port(struct actor *a, struct actor *b, mach_port_name_t *port)
{
	mach_port_name_t there;

	*port = new_port(a);
	there = give(a, *port, MAKE, b);
	fill(b, there, 5);
	return there;
}

/* Sends without waiting: comes back with the buffer rewritten. */
static void
send_in_vain(struct actor *t, struct message *m)
{
	assert_code(msg_send(t, m, MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
	received_parse(t, &got);
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_SEND);
	assert_int_equal(got.trailer_size, 0);
	assert_int_equal(got.header.msgh_size, m->size_bytes);
	assert_int_equal(got.size_bytes, m->size_bytes);
}

TEST_2(a_copied_destination_comes_back_as_one_more_reference)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, COPY);

	message_id(&m, 77);
	send_in_vain(b, &m);
	assert_int_equal(got.header.msgh_remote_port, there);
	assert_int_equal(got.header.msgh_bits, MACH_MSGH_BITS(MOVE, 0));
	assert_int_equal(got.header.msgh_id, 77);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
	assert_int_equal(srights_of(a, port), 6); /* the entry's, and the queued messages' */
}

TEST_2(a_moved_destination_comes_back_to_what_is_left_of_it)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, MOVE);

	assert_ok(port_mod_refs(b, there, MACH_PORT_RIGHT_SEND, 1));
	send_in_vain(b, &m);
	assert_int_equal(got.header.msgh_remote_port, there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
}

TEST_2(a_destination_moved_away_whole_comes_back_under_some_name)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, MOVE);

	send_in_vain(b, &m);
	assert_entry(b, got.header.msgh_remote_port, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(got.header.msgh_bits, MACH_MSGH_BITS(MOVE, 0));
}

TEST_1(a_made_destination_comes_back_as_a_send_right)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, MAKE);

	fill(a, port, 5);
	send_in_vain(a, &m);
	assert_int_equal(got.header.msgh_remote_port, port);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 2);
	assert_int_equal(status_of(a, port).mps_mscount, 2);
}

TEST_2(a_destination_that_died_while_it_waited_is_no_failure)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, COPY);

	assert_code(msg_send(b, &m, MACH_SEND_TIMEOUT, 10), BLOCKED);
	assert_ok(port_destroy(a, port));
	assert_ok(finished(b, &got));
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_NONE);
}

TEST_2(reply_rights_come_back)
{
	mach_port_name_t port, there = full_port(a, b, &port), reply = new_port_with_send(b);
	mach_port_name_t once = new_send_once(b, reply), name;
	static const uint32_t dispositions[] = { COPY, MAKE, MOVE, MAKE_ONCE, ONCE };

	for (int i = 0; i < 5; i++) {
		struct message m = message_to(there, COPY);
		bool is_once = MACH_MSG_TYPE_PORT_ANY_SEND_ONCE(dispositions[i]);
		uint32_t refs;

		message_reply(&m, dispositions[i] == ONCE ? once : reply, dispositions[i]);
		refs = send_refs(b, reply);
		send_in_vain(b, &m);
		assert_int_equal(MACH_MSGH_BITS_LOCAL(got.header.msgh_bits),
				 is_once ? MACH_MSG_TYPE_PORT_SEND_ONCE : MACH_MSG_TYPE_PORT_SEND);
		assert_int_equal(got.header.msgh_remote_port, there); /* not swapped */
		name = got.header.msgh_local_port;
		if (is_once) {
			assert_int_not_equal(name, reply);
			assert_entry(b, name, MACH_PORT_TYPE_SEND_ONCE, 1);
		} else {
			assert_int_equal(name, reply);
			assert_entry(b, reply, MACH_PORT_TYPE_SEND_RECEIVE,
				     dispositions[i] == MOVE ? refs : refs + 1);
		}
		assert_nothing_waits(b, reply);
	}
}

TEST_2(no_reply_comes_back_as_none)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, COPY);

	send_in_vain(b, &m);
	assert_int_equal(got.header.msgh_local_port, 0);
	assert_int_equal(MACH_MSGH_BITS_LOCAL(got.header.msgh_bits), 0);
}

TEST_2(port_descriptors_come_back)
{
	mach_port_name_t port, there = full_port(a, b, &port), own = new_port_with_send(b);
	struct message m = message_to(there, COPY);

	message_add_port(&m, own, COPY);
	message_add_port(&m, own, MAKE);
	message_add_port(&m, own, MAKE_ONCE);
	message_add_port(&m, MACH_PORT_NULL, COPY);
	message_add_port(&m, MACH_PORT_DEAD, ONCE);
	send_in_vain(b, &m);
	assert_int_equal(got.descriptor_count, 5);
	assert_int_equal(got.descriptors[0].name, own);
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_SEND);
	assert_int_equal(got.descriptors[1].name, own);
	assert_int_equal(got.descriptors[1].disposition, MACH_MSG_TYPE_PORT_SEND);
	assert_entry(b, own, MACH_PORT_TYPE_SEND_RECEIVE, 3);
	assert_int_equal(got.descriptors[2].disposition, MACH_MSG_TYPE_PORT_SEND_ONCE);
	assert_entry(b, got.descriptors[2].name, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(got.descriptors[3].name, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[4].name, MACH_PORT_DEAD);
	assert_true(got.header.msgh_bits & MACH_MSGH_BITS_COMPLEX);
}

TEST_2(a_receive_right_comes_back_without_its_state)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	mach_port_name_t moves = new_port_with_send(b), set = new_set(b), name;
	struct message m = message_to(there, COPY);
	mach_port_status_t status;
	uint64_t context;

	assert_ok(port_insert_member(b, moves, set));
	assert_ok(port_guard(b, moves, 5, 0));
	fill(b, moves, 2);
	take_id(b, moves);
	message_add_port(&m, moves, MACH_MSG_TYPE_MOVE_RECEIVE);
	send_in_vain(b, &m);
	name = got.descriptors[0].name;
	assert_int_equal(name, moves); /* a send right had stayed */
	assert_entry(b, name, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	status = status_of(b, name);
	assert_int_equal(status.mps_mscount, 0);
	assert_int_equal(status.mps_seqno, 0);
	assert_int_equal(status.mps_pset, 0);
	assert_int_equal(status.mps_flags, 0);
	assert_int_equal(status.mps_msgcount, 1);
	assert_ok(port_get_context(b, name, &context));
	assert_int_equal(context, 0);
}

TEST_2(memory_comes_back_as_new_memory)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct segment *segment = segment_new(w, "segment", 7);
	struct message m = message_to(there, COPY);

	message_add_ool(&m, "physical", 8, true, MACH_MSG_PHYSICAL_COPY);
	message_add_ool(&m, "virtual", 7, false, MACH_MSG_VIRTUAL_COPY);
	message_add_ool(&m, NULL, 0, false, MACH_MSG_VIRTUAL_COPY);
	message_add_ool_segment(&m, segment, 0, 7);
	send_in_vain(b, &m);
	assert_memory_equal(got.descriptors[0].bytes, "physical", 8);
	assert_false(got.descriptors[0].deallocate);
	assert_memory_equal(got.descriptors[1].bytes, "virtual", 7);
	assert_true(got.descriptors[1].deallocate);
	assert_int_equal(got.descriptors[2].address, 0);
	assert_memory_equal(got.descriptors[3].bytes, "segment", 7);
	segment_drop(segment);
}

TEST_2(arrays_of_ports_come_back_as_new_memory)
{
	mach_port_name_t port, there = full_port(a, b, &port), own = new_port(b);
	mach_port_name_t names[] = { own, own, MACH_PORT_NULL };
	struct message m = message_to(there, COPY);

	message_add_ool_ports(&m, names, 3, MAKE);
	send_in_vain(b, &m);
	assert_int_equal(got.descriptors[0].names[0], own);
	assert_int_equal(got.descriptors[0].names[1], own);
	assert_int_equal(got.descriptors[0].names[2], MACH_PORT_NULL);
	assert_int_equal(got.descriptors[0].disposition, MACH_MSG_TYPE_PORT_SEND);
	assert_true(got.descriptors[0].deallocate);
	assert_int_equal(got.descriptors[0].copy, MACH_MSG_VIRTUAL_COPY);
	assert_entry(b, own, MACH_PORT_TYPE_SEND_RECEIVE, 2);
}

TEST_2(data_comes_back_unchanged)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, COPY);

	message_add_data(&m, "some text.", 8);
	send_in_vain(b, &m);
	assert_memory_equal(got.data, "some tex", 8);
}

TEST_2(what_came_back_can_be_sent_again_as_it_is)
{
	mach_port_name_t port, there = full_port(a, b, &port), own = new_port(b),
			       reply = new_port(b);
	mach_port_name_t carried;
	struct message m = message_to(there, COPY), again;

	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, own, MACH_MSG_TYPE_MOVE_RECEIVE);
	message_add_port(&m, reply, MAKE);
	send_in_vain(b, &m);
	carried = got.descriptors[0].name;
	assert_entry(b, carried, MACH_PORT_TYPE_RECEIVE, 0);
	again = (struct message){ .size_bytes = got.size_bytes };
	memcpy(again.bytes, got.bytes, got.size_bytes);
	take_id(a, port);
	assert_ok(msg_send(b, &again, MACH_SEND_TIMEOUT, 0));
	assert_no_entry(b, carried);
	for (int i = 2; i <= 5; i++)
		take_id(a, port);
	take(a, port, &got);
	assert_entry(a, got.header.msgh_remote_port, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_entry(a, got.descriptors[0].name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_entry(a, got.descriptors[1].name, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(srights_of(a, port), 1);
}

TEST_2(a_voucher_field_without_disposition_comes_back_unchanged)
{
	mach_port_name_t port, there = full_port(a, b, &port);
	struct message m = message_to(there, COPY);

	message_header(&m)->msgh_voucher_port = 0x1234;
	send_in_vain(b, &m);
	assert_int_equal(got.header.msgh_voucher_port, 0x1234);
}

TEST_2(a_send_that_timed_out_later_gives_back_the_same)
{
	mach_port_name_t port, there = full_port(a, b, &port), reply = new_port(b);
	struct message m = message_to(there, MOVE);

	message_reply(&m, reply, MAKE_ONCE);
	assert_code(msg_send(b, &m, MACH_SEND_TIMEOUT, 20), BLOCKED);
	world_advance_ms(w, 20);
	assert_code(finished(b, &got), MACH_SEND_TIMED_OUT);
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_SEND);
	assert_entry(b, got.header.msgh_remote_port, MACH_PORT_TYPE_SEND, 1);
	assert_entry(b, got.header.msgh_local_port, MACH_PORT_TYPE_SEND_ONCE, 1);
}

TEST_2(a_reply_port_that_died_meanwhile_comes_back_dead)
{
	struct actor *sender = world_thread_new(b->party);
	mach_port_name_t port, there = full_port(a, b, &port), reply = new_port(b);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, reply, MAKE);
	assert_code(msg_send(sender, &m, MACH_SEND_TIMEOUT, 20), BLOCKED);
	assert_ok(port_destroy(b, reply));
	world_advance_ms(w, 20);
	assert_code(finished(sender, &got), MACH_SEND_TIMED_OUT);
	assert_int_equal(got.header.msgh_local_port, MACH_PORT_DEAD);
	assert_int_equal(got.descriptors[0].name, MACH_PORT_DEAD);
}
