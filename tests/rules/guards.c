/* Contexts and guards: mach-ports.md §9.15, and guarded descriptors, §6.1. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

static uint64_t
context_of(struct actor *t, mach_port_name_t name)
{
	uint64_t context;

	assert_ok(port_get_context(t, name, &context));
	return context;
}

static mach_port_name_t
guarded_port(struct actor *t, uint64_t guard, uint32_t flags)
{
	mach_port_name_t name = new_port(t);

	assert_ok(port_guard(t, name, guard, flags));
	return name;
}

TEST_1(a_context_is_kept_whole)
{
	mach_port_name_t port = new_port(a);

	assert_ok(port_set_context(a, port, 0xfedcba9876543210));
	assert_int_equal(context_of(a, port), 0xfedcba9876543210);
}

TEST_2(context_and_guard_calls_make_their_checks_in_order)
{
	mach_port_name_t sends = give(b, new_port_with_send(b), MACH_MSG_TYPE_COPY_SEND, a);
	uint64_t context;

	for (int i = 0; i < 2; i++) {
		mach_port_name_t name = i ? MACH_PORT_DEAD : MACH_PORT_NULL;

		assert_refused_without_trace(w, port_get_context(a, name, &context),
					     KERN_INVALID_RIGHT);
		assert_refused_without_trace(w, port_set_context(a, name, 1), KERN_INVALID_RIGHT);
		assert_refused_without_trace(w, port_guard(a, name, 1, 0), KERN_INVALID_NAME);
		assert_refused_without_trace(w, port_unguard(a, name, 1), KERN_INVALID_NAME);
		assert_refused_without_trace(w, port_swap_guard(a, name, 1, 2), KERN_INVALID_NAME);
	}
	assert_refused_without_trace(w, port_get_context(a, 0x7703, &context), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_set_context(a, 0x7703, 1), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_guard(a, 0x7703, 1, 0), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_unguard(a, 0x7703, 1), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_swap_guard(a, 0x7703, 1, 2), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_get_context(a, sends, &context), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_set_context(a, sends, 1), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_guard(a, sends, 1, 0), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_unguard(a, sends, 1), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_swap_guard(a, sends, 1, 2), KERN_INVALID_RIGHT);
}

TEST_1(a_port_with_a_context_cannot_be_guarded)
{
	mach_port_name_t port = new_port(a);

	assert_ok(port_set_context(a, port, 9));
	assert_refused_without_trace(w, port_guard(a, port, 1, 0), KERN_INVALID_ARGUMENT);
	assert_ok(port_set_context(a, port, 0));
	assert_ok(port_guard(a, port, 1, 0));
	assert_refused_without_trace(w, port_guard(a, port, 1, 0), KERN_INVALID_ARGUMENT);
}

TEST_1(a_port_whose_guard_is_0_may_be_guarded_again)
{
	mach_port_name_t port = guarded_port(a, 0, 0);

	assert_int_equal(status_of(a, port).mps_flags, MACH_PORT_STATUS_FLAG_GUARDED);
	assert_ok(port_guard(a, port, 5, MPG_STRICT));
	assert_int_equal(status_of(a, port).mps_flags,
			 MACH_PORT_STATUS_FLAG_GUARDED | MACH_PORT_STATUS_FLAG_STRICT_GUARD);
}

TEST_1(guard_flags_show_in_the_status)
{
	mach_port_name_t port = guarded_port(a, 5, MPG_STRICT | MPG_IMMOVABLE_RECEIVE);

	assert_int_equal(status_of(a, port).mps_flags,
			 MACH_PORT_STATUS_FLAG_GUARDED | MACH_PORT_STATUS_FLAG_STRICT_GUARD |
			     MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE);
}

TEST_1(a_guard_keeps_the_receive_right)
{
	mach_port_name_t port = guarded_port(a, 5, 0), zero = guarded_port(a, 0, 0);

	assert_refused_without_trace(w, port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_mod_refs(a, zero, MACH_PORT_RIGHT_RECEIVE, -1),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_destroy(a, port), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_destruct(a, port, 0, 4), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, 0),
				     KERN_SUCCESS);
	assert_ok(port_destroy(a, zero)); /* a guard of 0 does not stop destroy */
	assert_ok(port_destruct(a, port, 0, 5));
}

TEST_1(set_context_of_a_plain_guard_changes_the_guard)
{
	mach_port_name_t port = guarded_port(a, 5, 0);

	assert_int_equal(context_of(a, port), 5);
	assert_ok(port_set_context(a, port, 6));
	assert_refused_without_trace(w, port_unguard(a, port, 5), KERN_INVALID_ARGUMENT);
	assert_ok(port_unguard(a, port, 6));
}

TEST_1(a_strict_guard_hides_and_keeps_the_context)
{
	mach_port_name_t port = guarded_port(a, 5, MPG_STRICT);

	assert_int_equal(context_of(a, port), 0);
	assert_refused_without_trace(w, port_set_context(a, port, 6), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, port_swap_guard(a, port, 5, 6), KERN_INVALID_ARGUMENT);
}

TEST_1(unguard_wants_the_guard)
{
	mach_port_name_t plain = new_port(a), port = guarded_port(a, 5, MPG_STRICT);

	assert_refused_without_trace(w, port_unguard(a, plain, 0), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, port_unguard(a, port, 4), KERN_INVALID_ARGUMENT);
	assert_ok(port_unguard(a, port, 5));
	assert_int_equal(context_of(a, port), 0);
	assert_int_equal(status_of(a, port).mps_flags, 0);
	assert_ok(port_destroy(a, port));
}

TEST_1(swap_guard_changes_a_plain_guard)
{
	mach_port_name_t plain = new_port(a), port = guarded_port(a, 5, 0);

	assert_refused_without_trace(w, port_swap_guard(a, plain, 0, 1), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, port_swap_guard(a, port, 4, 6), KERN_INVALID_ARGUMENT);
	assert_ok(port_swap_guard(a, port, 5, 6));
	assert_ok(port_unguard(a, port, 6));
}

TEST_2(a_guarded_port_moves_in_a_plain_descriptor_and_loses_its_guard)
{
	mach_port_name_t port = guarded_port(a, 5, MPG_STRICT), there;

	there = give(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, b);
	assert_int_equal(status_of(b, there).mps_flags, 0);
	assert_int_equal(context_of(b, there), 0);
	assert_ok(port_destroy(b, there));
}

/* ---- guarded descriptors ----------------------------------------------------------------------
 */

static kern_return_t
send_guarded(struct actor *a, mach_port_name_t port, uint64_t context, uint32_t flags)
{
	struct message m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);

	message_add_guarded(&m, port, context, flags, MACH_MSG_TYPE_MOVE_RECEIVE);
	return msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
}

TEST_2(a_guarded_descriptor_wants_the_guard)
{
	mach_port_name_t port = guarded_port(a, 5, 0), plain = new_port(a);
	uint32_t immovable = MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE;
	uint32_t unguarded = MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND;

	assert_refused_without_trace(w, send_guarded(a, port, 4, immovable),
				     MACH_SEND_INVALID_RIGHT);
	assert_refused_without_trace(w, send_guarded(a, plain, 0, immovable),
				     MACH_SEND_INVALID_RIGHT);
	assert_refused_without_trace(w, send_guarded(a, port, 0, unguarded),
				     MACH_SEND_INVALID_RIGHT);
	assert_ok(send_guarded(a, port, 5, immovable));
	assert_ok(send_guarded(a, plain, 0, unguarded));
	assert_no_entry(a, port);
	assert_no_entry(a, plain);
}

TEST_2(a_guarded_descriptor_is_checked_before_anything_is_taken)
{
	mach_port_name_t port = guarded_port(a, 5, 0);
	uint32_t unguarded = MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND;
	struct message m;

	assert_refused_without_trace(w, send_guarded(a, port, 5, 0), MACH_SEND_INVALID_TYPE);
	assert_refused_without_trace(w, send_guarded(a, port, 5, 4), MACH_SEND_INVALID_TYPE);
	assert_refused_without_trace(w, send_guarded(a, port, 5, unguarded),
				     MACH_SEND_INVALID_TYPE);
	m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);
	message_add_guarded(&m, port, 5, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE,
			    MACH_MSG_TYPE_MAKE_SEND);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_TYPE);
}

TEST_2(a_guarded_descriptor_arrives_guarded_with_the_address_of_the_buffer)
{
	mach_port_name_t port = guarded_port(a, 5, 0), there;
	uint32_t immovable = MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE;

	assert_ok(send_guarded(a, port, 5, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE));
	b->receive_buffer = 0x7fff12345678;
	assert_ok(msg_receive(b, b->party->mailbox, MACH_RCV_GUARDED_DESC, ANY_SIZE, 0, &got));
	there = got.descriptors[0].name;
	assert_int_equal(got.descriptors[0].type, MACH_MSG_GUARDED_PORT_DESCRIPTOR);
	assert_int_equal(got.descriptors[0].context, 0x7fff12345678);
	assert_int_equal(context_of(b, there), 0x7fff12345678);
	assert_int_equal(status_of(b, there).mps_flags, MACH_PORT_STATUS_FLAG_GUARDED | immovable);
	assert_code(port_destroy(b, there), KERN_INVALID_RIGHT);
	assert_ok(port_destruct(b, there, 0, 0x7fff12345678));
}

TEST_2(a_guarded_descriptor_without_the_option_is_destroyed)
{
	mach_port_name_t port = guarded_port(a, 5, 0), once = new_send_once(a, port);

	assert_ok(send_guarded(a, port, 5, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE));
	assert_ok(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, &got));
	assert_int_equal(got.descriptors[0].name, 0);
	assert_int_equal(got.descriptors[0].context, 0);
	assert_entry(a, once, MACH_PORT_TYPE_DEAD_NAME, 1);
}
