/* What a send checks before it takes anything, in order: mach-messages.md §1, §3, §4. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

static kern_return_t
send_header(struct actor *t, uint32_t remote, uint32_t remote_disposition, uint32_t local,
	    uint32_t local_disposition, uint32_t voucher, uint32_t voucher_disposition)
{
	struct message m = message_to(remote, 0);

	message_header(&m)->msgh_bits =
	    MACH_MSGH_BITS_SET_PORTS(remote_disposition, local_disposition, voucher_disposition);
	message_header(&m)->msgh_local_port = local;
	message_header(&m)->msgh_voucher_port = voucher;
	return msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
}

TEST_1(neither_send_nor_receive_does_nothing)
{
	struct trap_frame frame = { .number = BERTH_TRAP_MSG };
	char *before = world_dump(w);

	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_MSG_SUCCESS);
	world_same(before, world_dump(w), __FILE__, __LINE__);
}

/* ---- §3: sizes ---------------------------------------------------------------------------------
 */

TEST_1(a_send_size_below_a_header_or_not_a_multiple_of_4_is_too_small)
{
	static const uint32_t sizes[] = { 0, 4, 20, 23, 25, 26, 27, 30, 0xffffffff, 50331582 };
	struct message m = message_to(new_port_with_send(a), COPY);

	m.size_bytes = 64;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		assert_refused_without_trace(w, msg_send_sized(a, &m, sizes[i], 0, 0),
					     MACH_SEND_MSG_TOO_SMALL);
}

TEST_1(a_send_size_above_48_MiB_is_too_large)
{
	struct message m = message_to(new_port_with_send(a), COPY);

	assert_refused_without_trace(w, msg_send_sized(a, &m, 50331584, 0, 0), MACH_SEND_TOO_LARGE);
	assert_refused_without_trace(w, msg_send_sized(a, &m, 0xfffffffc, 0, 0),
				     MACH_SEND_TOO_LARGE);
}

TEST_1(a_header_that_cannot_be_read_is_invalid_data)
{
	struct trap_frame frame = { .number = BERTH_TRAP_MSG, .args = { MACH_SEND_MSG, 24 } };
	char *before = world_dump(w);

	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_SEND_INVALID_DATA);
	world_same(before, world_dump(w), __FILE__, __LINE__);
}

TEST_1(a_complex_message_without_room_for_its_count_is_too_small)
{
	struct message m = message_to(new_port_with_send(a), COPY);

	message_header(&m)->msgh_bits |= MACH_MSGH_BITS_COMPLEX;
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_MSG_TOO_SMALL);
}

TEST_1(more_descriptors_than_fit_are_too_small)
{
	mach_port_name_t port = new_port_with_send(a);
	static const uint32_t counts[] = { 2, 3, 1000, 0x15555556, 0xffffffff };
	struct message m = message_to(port, COPY);

	message_add_port(&m, 0, COPY);
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		((mach_msg_base_t *)(void *)m.bytes)->body.msgh_descriptor_count = counts[i];
		assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_MSG_TOO_SMALL);
	}
}

TEST_1(a_complex_message_may_have_no_descriptors)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	message_complex(&m);
	assert_ok(msg_send(a, &m, 0, 0));
	take(a, port, &got);
	assert_true(got.header.msgh_bits & MACH_MSGH_BITS_COMPLEX);
	assert_int_equal(got.descriptor_count, 0);
	assert_int_equal(got.header.msgh_size, 28);
}

TEST_1(bits_that_no_user_may_send_are_cleared)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	message_header(&m)->msgh_bits |= ~(uint32_t)(MACH_MSGH_BITS_USER);
	assert_ok(msg_send(a, &m, 0, 0));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_bits, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND));
}

TEST_1(an_unknown_descriptor_type_is_an_invalid_type)
{
	struct message m;
	uint8_t raw[16] = { 0 };

	for (int type = 5; type < 256; type += 50) {
		m = message_to(new_port_with_send(a), COPY);
		raw[11] = (uint8_t)type;
		message_add_raw_descriptor(&m, raw, 12);
		assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_TYPE);
	}
}

TEST_1(descriptors_are_walked_from_left_to_right)
{
	struct message m = message_to(new_port_with_send(a), COPY);
	uint8_t raw[12] = { 0 };

	/* an OOL descriptor of 16 bytes that overruns comes before a bad type, and behind one */
	raw[11] = MACH_MSG_OOL_DESCRIPTOR;
	message_add_raw_descriptor(&m, raw, 12);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_MSG_TOO_SMALL);
	m = message_to(new_port_with_send(a), COPY);
	raw[11] = 9;
	message_add_raw_descriptor(&m, raw, 12);
	raw[11] = MACH_MSG_OOL_DESCRIPTOR;
	message_add_raw_descriptor(&m, raw, 12);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_TYPE);
}

TEST_1(ool_memory_is_copied_physically_or_virtually)
{
	struct message m;

	for (uint32_t copy = 2; copy < 256; copy += 84) {
		m = message_to(new_port_with_send(a), COPY);
		message_add_ool(&m, "x", 1, false, copy);
		assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_TYPE);
	}
}

TEST_1(no_message_carries_more_than_16383_ports)
{
	static mach_port_name_t names[16384];
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	message_add_ool_ports(&m, names, 16384, COPY);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_TOO_LARGE);
	m = message_to(port, COPY);
	message_add_ool_ports(&m, names, 16383, COPY);
	message_add_port(&m, 0, COPY);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_TOO_LARGE);
	m = message_to(port, COPY);
	message_add_ool_ports(&m, names, 16383, COPY);
	assert_ok(msg_send(a, &m, 0, 0));
	take(a, port, &got);
	assert_int_equal(got.descriptors[0].size, 16383);
}

TEST_1(a_count_of_ports_that_overflows_is_too_large)
{
	struct message m = message_to(new_port_with_send(a), COPY);
	mach_msg_ool_ports_descriptor_t d = { .type = MACH_MSG_OOL_PORTS_DESCRIPTOR,
					      .disposition = COPY,
					      .count = 0x80000000 };

	message_add_raw_descriptor(&m, &d, sizeof d);
	message_add_raw_descriptor(&m, &d, sizeof d);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_TOO_LARGE);
}

TEST_1(physical_copies_of_more_than_7_MiB_do_not_fit)
{
	struct world *world = a->world;
	static uint8_t big[7 << 20];
	struct segment *segment = segment_new(world, big, sizeof big);
	struct message m = message_to(new_port_with_send(a), COPY);
	mach_msg_ool_descriptor_t *d;

	message_add_ool_segment(&m, segment, 0, sizeof big);
	d = (mach_msg_ool_descriptor_t *)(void *)(m.bytes + sizeof(mach_msg_base_t));
	d->copy = MACH_MSG_PHYSICAL_COPY;
	message_add_port(&m, 0, COPY);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_MSG_VM_KERNEL);
	d->copy = MACH_MSG_VIRTUAL_COPY;
	assert_ok(msg_send(a, &m, 0, 0));
	segment_drop(segment);
}

/* ---- §4.1: the header, without look-ups
 * ------------------------------------------------------------ */

TEST_1(header_fields_are_validated_in_their_order)
{
	mach_port_name_t bad = 0x7703;

	/* each row has all the later mistakes, too */
	assert_refused_without_trace(w, send_header(a, 0, 0, bad, 0, bad, 30),
				     MACH_SEND_INVALID_HEADER);
	assert_refused_without_trace(w, send_header(a, 0, 0, 0, 16, bad, 30),
				     MACH_SEND_INVALID_HEADER);
	assert_refused_without_trace(w, send_header(a, 0, 0, 0, 22, bad, 30),
				     MACH_SEND_INVALID_HEADER);
	assert_refused_without_trace(w, send_header(a, 0, 0, 0, 0, bad, 30),
				     MACH_SEND_INVALID_VOUCHER);
	assert_refused_without_trace(w, send_header(a, 0, 0, 0, 0, bad, MAKE),
				     MACH_SEND_INVALID_VOUCHER);
	assert_refused_without_trace(w, send_header(a, 0, 0, 0, 0, MACH_PORT_DEAD, COPY),
				     MACH_SEND_INVALID_VOUCHER);
	assert_refused_without_trace(w, send_header(a, 0, 0, bad, COPY, 0, 0),
				     MACH_SEND_INVALID_HEADER);
	assert_refused_without_trace(w, send_header(a, 0, 16, bad, COPY, 0, 0),
				     MACH_SEND_INVALID_HEADER);
	assert_refused_without_trace(w, send_header(a, 0, COPY, bad, COPY, bad, COPY),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, MACH_PORT_DEAD, COPY, bad, COPY, bad, COPY),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, bad, MAKE, bad, COPY, bad, COPY),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, bad, ONCE, bad, COPY, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, bad, COPY, bad, ONCE, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, bad, COPY, 0x6603, COPY, 0x6603, COPY),
				     MACH_SEND_INVALID_REPLY);
}

/* ---- §4.2: the rights
 * ------------------------------------------------------------------------------- */

TEST_1(header_rights_are_looked_up_in_their_order)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a), dead = new_dead_name(a);
	mach_port_name_t once = new_send_once(a, port), receive = new_port(a);
	mach_port_name_t bad = 0x7703;

	assert_refused_without_trace(w, send_header(a, bad, COPY, 0x5503, COPY, 0x6603, COPY),
				     MACH_SEND_INVALID_VOUCHER);
	assert_refused_without_trace(w, send_header(a, bad, COPY, 0x5503, COPY, port, COPY),
				     MACH_SEND_INVALID_VOUCHER);
	assert_refused_without_trace(w, send_header(a, bad, COPY, 0x5503, COPY, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, dead, COPY, 0x5503, COPY, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, set, COPY, 0x5503, COPY, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, once, COPY, 0x5503, COPY, 0, 0),
				     MACH_SEND_INVALID_REPLY);
	assert_refused_without_trace(w, send_header(a, once, COPY, dead, COPY, 0, 0),
				     MACH_SEND_INVALID_REPLY);
	assert_refused_without_trace(w, send_header(a, once, COPY, set, COPY, 0, 0),
				     MACH_SEND_INVALID_REPLY);
	assert_refused_without_trace(w, send_header(a, once, COPY, receive, COPY, 0, 0),
				     MACH_SEND_INVALID_REPLY);
	assert_refused_without_trace(w, send_header(a, once, COPY, receive, MAKE, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, send_header(a, receive, COPY, 0, 0, 0, 0),
				     MACH_SEND_INVALID_DEST);
}

TEST_1(a_reply_name_of_null_or_dead_with_a_disposition_reaches_the_receiver)
{
	mach_port_name_t port = new_port_with_send(a);

	for (int i = 0; i < 2; i++) {
		mach_port_name_t reply = i ? MACH_PORT_DEAD : MACH_PORT_NULL;

		assert_ok(send_header(a, port, COPY, reply, MAKE_ONCE, 0, 0));
		take(a, port, &got);
		assert_int_equal(got.header.msgh_remote_port, reply);
		assert_int_equal(MACH_MSGH_BITS_REMOTE(got.header.msgh_bits),
				 MACH_MSG_TYPE_PORT_SEND_ONCE);
	}
}

TEST_1(no_reply_disposition_with_no_reply_name_is_no_reply)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(send_header(a, port, COPY, 0, 0, 0, 0));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(MACH_MSGH_BITS_REMOTE(got.header.msgh_bits), 0);
}

TEST_2(one_name_for_both_fields_needs_a_reference_for_each_move)
{
	mach_port_name_t port = new_port(b), name = give(b, port, MAKE, a);

	assert_refused_without_trace(w, send_header(a, name, MOVE, name, MOVE, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_ok(port_mod_refs(a, name, MACH_PORT_RIGHT_SEND, 1));
	assert_ok(send_header(a, name, MOVE, name, MOVE, 0, 0));
	assert_no_entry(a, name);
	take(b, port, &got);
	assert_int_equal(got.header.msgh_remote_port, port);
	assert_entry(b, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
}

TEST_2(one_name_for_both_fields_with_one_move_uses_one_reference)
{
	mach_port_name_t port = new_port(b), name = give(b, port, MAKE, a);

	assert_ok(send_header(a, name, MOVE, name, COPY, 0, 0));
	assert_no_entry(a, name);
	take(b, port, &got);
	assert_int_equal(got.header.msgh_remote_port, port);
	name = give(b, port, MAKE, a);
	assert_ok(send_header(a, name, COPY, name, MOVE, 0, 0));
	assert_no_entry(a, name);
	take(b, port, &got);
	name = give(b, port, MAKE, a);
	assert_ok(send_header(a, name, COPY, name, COPY, 0, 0));
	assert_entry(a, name, MACH_PORT_TYPE_SEND, 1);
	take(b, port, &got);
}

TEST_1(the_receiver_may_address_its_own_port_with_every_make_disposition)
{
	mach_port_name_t port = new_port(a);

	assert_ok(send_header(a, port, MAKE, port, MAKE_ONCE, 0, 0));
	assert_ok(send_header(a, port, MAKE_ONCE, port, MAKE, 0, 0));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_bits,
			 MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND));
	assert_entry(a, got.header.msgh_remote_port, MACH_PORT_TYPE_SEND_ONCE, 1);
	take(a, port, &got);
	assert_int_equal(got.header.msgh_bits,
			 MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE));
	assert_int_equal(got.header.msgh_remote_port, port);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_int_equal(status_of(a, port).mps_mscount, 2);
}

TEST_2(a_dead_destination_is_refused_and_the_reply_right_is_kept)
{
	mach_port_name_t port = new_port(b), name = give(b, port, MAKE, a);
	mach_port_name_t reply = new_port(a), once = new_send_once(a, reply);

	assert_ok(port_destroy(b, port));
	assert_code(send_header(a, name, COPY, once, ONCE, 0, 0), MACH_SEND_INVALID_DEST);
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_entry(a, once, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_nothing_waits(a, reply);
}

TEST_1(a_voucher_field_without_disposition_passes_unchanged)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(send_header(a, port, COPY, 0, 0, 0xabcd1234, 0));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_voucher_port, 0xabcd1234);
}

TEST_1(no_voucher_with_a_disposition_is_allowed)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(send_header(a, port, COPY, 0, 0, 0, COPY));
	assert_ok(msg_receive(a, port, MACH_RCV_VOUCHER, ANY_SIZE, 0, &got));
	assert_int_equal(got.header.msgh_voucher_port, 0);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), COPY);
	assert_ok(send_header(a, port, COPY, 0, 0, 0, MOVE));
	take(a, port, &got);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), 0);
}
