/* Receiving: names, sizes, header, body and trailer: mach-messages.md §8. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

static kern_return_t
poll_size(struct actor *t, mach_port_name_t name, int32_t option, uint32_t size)
{
	return msg_receive(t, name, MACH_RCV_TIMEOUT | option, size, 0, &got);
}

/* ---- the name (R1) -------------------------------------------------------------------------- */

TEST_2(receiving_wants_a_receive_right_or_a_set)
{
	mach_port_name_t port = new_port(b);
	mach_port_name_t names[] = {
		0,
		MACH_PORT_DEAD,
		0x7703,
		new_dead_name(a),
		give(b, port, MAKE, a),
		host_self(a),
		give(b, port, MAKE_ONCE, a),
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_refused_without_trace(w, poll_size(a, names[i], 0, ANY_SIZE),
					     MACH_RCV_INVALID_NAME);
}

TEST_1(an_empty_port_and_an_empty_set_time_out)
{
	mach_port_name_t port = new_port(a), set = new_set(a);

	assert_refused_without_trace(w, poll_size(a, port, 0, ANY_SIZE), MACH_RCV_TIMED_OUT);
	assert_refused_without_trace(w, poll_size(a, set, 0, ANY_SIZE), MACH_RCV_TIMED_OUT);
	assert_code(msg_receive(a, port, MACH_RCV_TIMEOUT, ANY_SIZE, 30, NULL), BLOCKED);
	world_advance_ms(w, 29);
	assert_true(a->parked);
	world_advance_ms(w, 1);
	assert_code(finished(a, NULL), MACH_RCV_TIMED_OUT);
}

TEST_1(a_queued_message_wins_over_a_time_out_of_0)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 1);
	assert_ok(poll_size(a, port, 0, ANY_SIZE));
}

TEST_1(sync_wait_is_for_the_current_special_reply_port)
{
	mach_port_name_t port = new_port_with_send(a), special = special_reply_port(a);
	struct trap_frame frame = { .number = BERTH_TRAP_MSG,
				    .args = { MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_SYNC_WAIT,
					      0, ANY_SIZE, port, 0, 0, 0, port } };

	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_RCV_INVALID_NOTIFY);
	frame.args[3] = special;
	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_RCV_TIMED_OUT);
	frame.args[7] = MACH_PORT_DEAD;
	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_RCV_INVALID_NOTIFY);
	frame.args[7] = 0; /* no link and no check */
	frame.args[3] = port;
	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_RCV_TIMED_OUT);
}

TEST_1(sync_wait_ignores_what_is_no_send_right)
{
	mach_port_name_t special = special_reply_port(a);
	mach_port_name_t names[] = { 0x7703, new_port(a), new_set(a), new_dead_name(a),
				     new_send_once(a, special) };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct trap_frame frame = { .number = BERTH_TRAP_MSG,
					    .args = { MACH_RCV_MSG | MACH_RCV_TIMEOUT |
							  MACH_RCV_SYNC_WAIT,
						      0, ANY_SIZE, special, 0, 0, 0, names[i] } };

		assert_true(world_trap(a, &frame));
		assert_code(a->outcome.code, MACH_RCV_TIMED_OUT);
	}
}

TEST_1(options_that_mean_nothing_here_have_no_effect)
{
	mach_port_name_t port = new_port_with_send(a);

	for (int bit = 0; bit < 32; bit++) {
		int32_t option = (int32_t)(1u << bit);

		if (option == MACH_SEND_MSG || option == MACH_RCV_LARGE ||
		    option == MACH_RCV_SYNC_WAIT)
			continue;
		fill(a, port, 1);
		assert_ok(poll_size(a, port, option, ANY_SIZE));
		assert_int_equal(got.header.msgh_id, 1);
		assert_code(poll_size(a, port, option, ANY_SIZE), MACH_RCV_TIMED_OUT);
	}
}

/* ---- the size (R4) -------------------------------------------------------------------------- */

TEST_1(a_buffer_of_message_and_trailer_is_large_enough)
{
	static const uint32_t trailers[] = { 8, 12, 20, 52, 60 };
	mach_port_name_t port = new_port_with_send(a);

	for (uint32_t element = 0; element < 5; element++) {
		struct message m = message_to(port, COPY);

		message_add_data(&m, "12345678", 8);
		assert_ok(msg_send(a, &m, 0, 0));
		assert_code(poll_size(a, port, MACH_RCV_LARGE | MACH_RCV_TRAILER_ELEMENTS(element),
				      32 + trailers[element] - 1),
			    MACH_RCV_TOO_LARGE);
		assert_ok(poll_size(a, port, MACH_RCV_LARGE | MACH_RCV_TRAILER_ELEMENTS(element),
				    32 + trailers[element]));
		assert_int_equal(got.header.msgh_size, 32);
		assert_int_equal(got.trailer_size, trailers[element]);
		assert_int_equal(got.trailer.msgh_trailer_size, trailers[element]);
	}
}

TEST_1(elements_without_a_trailer_of_their_own_deliver_the_largest)
{
	mach_port_name_t port = new_port_with_send(a);

	for (uint32_t element = 5; element < 16; element++) {
		fill(a, port, 1);
		assert_ok(poll_size(a, port, MACH_RCV_TRAILER_ELEMENTS(element), ANY_SIZE));
		assert_int_equal(got.trailer_size, 68);
		assert_int_equal(got.trailer.msgh_ad, 0);
		assert_int_equal(got.trailer.msgh_labels.sender, 0);
	}
}

TEST_1(with_large_a_message_that_does_not_fit_stays_queued)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	message_reply(&m, port, MAKE_ONCE);
	message_add_data(&m, "12345678", 8);
	message_id(&m, 5);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_code(poll_size(a, port, MACH_RCV_LARGE, 32), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_LARGE);
	assert_int_equal(got.header.msgh_size, 32);
	assert_int_equal(got.trailer_size, 0);
	assert_int_equal(msgcount_of(a, port), 1);
	assert_int_equal(status_of(a, port).mps_seqno, 0);
	take(a, port, &got);
	assert_int_equal(got.header.msgh_id, 5);
	assert_int_equal(got.trailer.msgh_seqno, 0);
}

TEST_1(with_large_identity_the_port_is_named)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);

	assert_ok(port_insert_member(a, port, set));
	fill(a, port, 1);
	assert_code(poll_size(a, set, MACH_RCV_LARGE | MACH_RCV_LARGE_IDENTITY, 24),
		    MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_size, 24);
	assert_int_equal(got.header.msgh_local_port, port);
}

TEST_1(with_large_a_buffer_too_small_for_the_answer_is_not_written_beyond_its_end)
{
	static const uint32_t sizes[] = { 0, 4, 7, 8, 12, 15, 16, 20 };
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 1);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		assert_code(poll_size(a, port, MACH_RCV_LARGE | MACH_RCV_LARGE_IDENTITY, sizes[i]),
			    MACH_RCV_TOO_LARGE);
		assert_int_equal(got.header.msgh_size, sizes[i] >= 8 ? 24 : 0);
		assert_int_equal(got.header.msgh_local_port, sizes[i] >= 16 ? port : 0);
	}
	assert_int_equal(take_id(a, port), 1);
}

TEST_2(without_large_a_message_that_does_not_fit_is_destroyed)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b), reply = new_port(b);
	mach_port_name_t carried = new_port(b), senders = new_port(b);
	struct segment *segment = segment_new(w, "bulk", 4);
	struct message m = message_to(there, COPY);

	message_id(&m, 5);
	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, carried, MAKE);
	message_add_ool_segment(&m, segment, 0, 4);
	assert_ok(msg_send(b, &m, 0, 0));
	segment_drop(segment);
	assert_ok(port_request_notification(b, carried, MACH_NOTIFY_NO_SENDERS, 0, senders,
					    MAKE_ONCE, NULL));

	assert_code(poll_size(a, port, MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
			      m.size_bytes + 51),
		    MACH_RCV_TOO_LARGE);
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_RECEIVE);
	assert_int_equal(got.size_bytes, 24);
	assert_int_equal(got.header.msgh_size, 24);
	assert_int_equal(got.header.msgh_bits,
			 MACH_MSGH_BITS_COMPLEX |
			     MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND));
	assert_int_equal(got.header.msgh_local_port, port);
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(got.header.msgh_id, 5);
	assert_int_equal(got.trailer_size, 52);
	assert_int_equal(got.trailer.msgh_sender.val[0], 0); /* the kernel's */
	assert_int_equal(got.trailer.msgh_sender.val[1], 1);
	assert_int_equal(got.trailer.msgh_audit.val[5], 0);

	assert_notification(b, reply, MACH_NOTIFY_SEND_ONCE, 0);
	assert_notification(b, senders, MACH_NOTIFY_NO_SENDERS, 1);
	assert_int_equal(w->live_segments, 0);
	assert_int_equal(status_of(a, port).mps_seqno, 1); /* consumed */
	assert_nothing_waits(a, port);
	assert_int_equal(srights_of(a, port), 1);
}

TEST_1(without_large_the_bare_header_keeps_a_null_or_dead_reply_and_a_plain_voucher_field)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);

	message_reply(&m, MACH_PORT_DEAD, MAKE_ONCE);
	message_header(&m)->msgh_voucher_port = 0x1234;
	message_add_data(&m, "12345678", 8);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_code(poll_size(a, port, 0, 39), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_remote_port, MACH_PORT_DEAD);
	assert_int_equal(got.header.msgh_voucher_port, 0x1234);
}

TEST_1(without_large_header_and_trailer_are_cut_to_the_buffer)
{
	mach_port_name_t port = new_port_with_send(a);
	int32_t audit = MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT);

	for (uint32_t size = 24; size < 24 + 52; size += 4) {
		fill(a, port, 1);
		assert_code(poll_size(a, port, audit, size), MACH_RCV_TOO_LARGE);
		assert_int_equal(got.size_bytes, 24);
		assert_int_equal(got.trailer_size, size - 24);
	}
}

TEST_1(without_large_a_buffer_below_a_header_loses_the_message)
{
	mach_port_name_t port = new_port_with_send(a), reply = new_port(a);
	struct message m = message_to(port, COPY);

	message_reply(&m, reply, MAKE_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_code(poll_size(a, port, 0, 23), MACH_RCV_INVALID_DATA);
	assert_nothing_waits(a, port);
	assert_notification(a, reply, MACH_NOTIFY_SEND_ONCE, 0);
}

TEST_1(a_message_too_large_for_one_large_waiter_goes_to_the_next)
{
	struct actor *small = world_thread_new(a->party), *big = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	assert_code(msg_receive(small, port, MACH_RCV_LARGE, 24, 0, NULL), BLOCKED);
	assert_code(msg_receive(big, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(send_id(a, port, COPY, 5));
	assert_code(finished(small, &got), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_size, 24);
	assert_ok(finished(big, &got));
	assert_int_equal(got.header.msgh_id, 5);
}

TEST_1(a_message_too_large_for_the_only_large_waiter_is_queued)
{
	struct actor *small = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	assert_code(msg_receive(small, port, MACH_RCV_LARGE, 24, 0, NULL), BLOCKED);
	assert_ok(send_id(a, port, COPY, 5));
	assert_code(finished(small, NULL), MACH_RCV_TOO_LARGE);
	assert_int_equal(take_id(a, port), 5);
}

TEST_1(a_message_too_large_for_a_waiter_without_large_is_taken_by_it)
{
	struct actor *small = world_thread_new(a->party), *big = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);

	assert_code(msg_receive(small, port, 0, 24, 0, NULL), BLOCKED);
	assert_code(msg_receive(big, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(send_id(a, port, COPY, 5));
	assert_code(finished(small, NULL), MACH_RCV_TOO_LARGE);
	assert_true(big->parked);
	assert_int_equal(msgcount_of(a, port), 0);
}

/* ---- the header (R5) ------------------------------------------------------------------------ */

TEST_2(the_header_is_swapped_for_the_receiver)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b), reply = new_port(b);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE);
	message_id(&m, -5);
	message_add_data(&m, "data", 4);
	assert_ok(msg_send(b, &m, 0, 0));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_bits,
			 MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND));
	assert_int_equal(got.header.msgh_local_port, port);
	assert_entry(a, got.header.msgh_remote_port, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(got.header.msgh_voucher_port, 0);
	assert_int_equal(got.header.msgh_id, -5);
	assert_int_equal(got.header.msgh_size, 28);
	assert_memory_equal(got.data, "data", 4);
	assert_int_equal(srights_of(b, reply), 1);
}

TEST_2(the_local_disposition_tells_what_right_the_message_came_by)
{
	mach_port_name_t port = new_port(a), once = give(a, port, MAKE_ONCE, b);

	assert_ok(send_id(b, once, MACH_MSG_TYPE_MOVE_SEND_ONCE, 1));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_bits, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE));
	assert_int_equal(status_of(a, port).mps_sorights, 0);
}

TEST_2(a_reply_port_that_died_arrives_as_dead)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b), reply = new_port(b);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE_ONCE);
	assert_ok(msg_send(b, &m, 0, 0));
	assert_ok(port_destroy(b, reply));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_remote_port, MACH_PORT_DEAD);
	assert_int_equal(MACH_MSGH_BITS_REMOTE(got.header.msgh_bits), MACH_MSG_TYPE_PORT_SEND_ONCE);
}

TEST_2(a_reply_right_joins_the_send_right_that_the_receiver_has)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b), reply = new_port(b);
	mach_port_name_t name = give(b, reply, MAKE, a);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE);
	assert_ok(msg_send(b, &m, 0, 0));
	take(a, port, &got);
	assert_int_equal(got.header.msgh_remote_port, name);
	assert_entry(a, name, MACH_PORT_TYPE_SEND, 2);
}

/* ---- the trailer (§8.5) --------------------------------------------------------------------- */

TEST_1(the_trailer_tells_seqno_and_the_context_of_the_port)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 2);
	assert_ok(port_set_context(a, port, 0xfedcba9876543210)); /* as at the receive */
	for (uint32_t i = 0; i < 2; i++) {
		take(a, port, &got);
		assert_int_equal(got.trailer.msgh_trailer_type, MACH_MSG_TRAILER_FORMAT_0);
		assert_int_equal(got.trailer.msgh_seqno, i);
		assert_int_equal(got.trailer.msgh_context, 0xfedcba9876543210);
	}
}

TEST_1(a_message_may_be_of_any_size_up_to_a_page_and_more)
{
	mach_port_name_t port = new_port_with_send(a);
	uint8_t data[6000];

	for (uint32_t size = 0; size <= sizeof data; size += 1000) {
		struct message m = message_to(port, COPY);

		memset(data, (int)size / 100, sizeof data);
		message_add_data(&m, data, size);
		assert_ok(msg_send(a, &m, 0, 0));
		take(a, port, &got);
		assert_int_equal(got.data_size, size);
		assert_memory_equal(got.data, data, size);
	}
}
