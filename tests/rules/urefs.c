/* User references: mach-ports.md §3, and the counting calls §9.8 and §9.9. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define SEND MACH_PORT_RIGHT_SEND
#define RECEIVE MACH_PORT_RIGHT_RECEIVE
#define SEND_ONCE MACH_PORT_RIGHT_SEND_ONCE
#define DEAD_NAME MACH_PORT_RIGHT_DEAD_NAME

static mach_port_name_t
pegged_port(struct actor *a)
{
	mach_port_name_t name = new_port_with_send(a);

	assert_ok(port_mod_refs(a, name, SEND, 65534));
	return name;
}

TEST_1(a_count_that_reaches_65535_is_pegged)
{
	mach_port_name_t name = new_port_with_send(a);

	assert_ok(port_mod_refs(a, name, SEND, 65533));
	assert_int_equal(send_refs(a, name), 65534);
	assert_ok(port_mod_refs(a, name, SEND, -1));
	assert_ok(port_mod_refs(a, name, SEND, 2));
	assert_int_equal(send_refs(a, name), 65535);
	assert_ok(port_mod_refs(a, name, SEND, -1));
	assert_int_equal(send_refs(a, name), 65535);
}

TEST_1(adding_too_much_pegs_and_succeeds)
{
	mach_port_name_t name = new_port_with_send(a);

	assert_ok(port_mod_refs(a, name, SEND, 65535));
	assert_int_equal(send_refs(a, name), 65535);
}

TEST_1(a_pegged_count_does_not_change_by_increments_or_decrements)
{
	mach_port_name_t name = pegged_port(a);

	assert_ok(port_mod_refs(a, name, SEND, 1));
	assert_ok(port_mod_refs(a, name, SEND, 65535));
	assert_ok(port_mod_refs(a, name, SEND, -65534));
	assert_ok(port_deallocate(a, name));
	assert_int_equal(send_refs(a, name), 65535);
	assert_int_equal(srights_of(a, name), 1);
}

TEST_1(exactly_minus_65535_removes_a_pegged_count)
{
	mach_port_name_t name = pegged_port(a);

	assert_ok(port_mod_refs(a, name, SEND, -65535));
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_int_equal(srights_of(a, name), 0);
}

TEST_1(minus_65535_removes_a_pegged_dead_name)
{
	mach_port_name_t name = new_dead_name(a);

	assert_ok(port_mod_refs(a, name, DEAD_NAME, 65535));
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 65535);
	assert_ok(port_mod_refs(a, name, DEAD_NAME, -1));
	assert_ok(port_deallocate(a, name));
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 65535);
	assert_ok(port_mod_refs(a, name, DEAD_NAME, -65535));
	assert_no_entry(a, name);
}

TEST_1(destroy_ignores_a_pegged_count)
{
	mach_port_name_t name = pegged_port(a);

	assert_ok(port_destroy(a, name));
	assert_no_entry(a, name);
}

TEST_1(underflow_is_an_invalid_value)
{
	mach_port_name_t name = new_port_with_send(a), dead = new_dead_name(a);

	assert_refused_without_trace(w, port_mod_refs(a, name, SEND, -2), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_mod_refs(a, dead, DEAD_NAME, -2), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_mod_refs(a, name, SEND, -65535), KERN_INVALID_VALUE);
}

TEST_1(a_delta_beyond_65535_is_an_invalid_value)
{
	mach_port_name_t name = new_port_with_send(a), dead = new_dead_name(a);

	for (int sign = -1; sign <= 1; sign += 2) {
		assert_refused_without_trace(w, port_mod_refs(a, name, SEND, sign * 65536),
					     KERN_INVALID_VALUE);
		assert_refused_without_trace(w, port_mod_refs(a, dead, DEAD_NAME, sign * 65536),
					     KERN_INVALID_VALUE);
	}
	assert_refused_without_trace(w, port_mod_refs(a, name, SEND, INT32_MIN),
				     KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_mod_refs(a, name, SEND, INT32_MAX),
				     KERN_INVALID_VALUE);
}

TEST_1(a_delta_of_nothing_changes_nothing)
{
	mach_port_name_t name = new_port_with_send(a), dead = new_dead_name(a);

	assert_refused_without_trace(w, port_mod_refs(a, name, SEND, 0), KERN_SUCCESS);
	assert_refused_without_trace(w, port_mod_refs(a, dead, DEAD_NAME, 0), KERN_SUCCESS);
}

TEST_2(move_send_out_of_a_pegged_name_leaves_it_pegged_and_gives_a_right)
{
	mach_port_name_t name = pegged_port(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MOVE_SEND, b);

	assert_int_equal(send_refs(a, name), 65535);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(srights_of(a, name), 2);
}

TEST_1(insert_right_of_a_pegged_name_succeeds)
{
	mach_port_name_t name = pegged_port(a);

	assert_ok(port_insert_right(a, name, name, MACH_MSG_TYPE_MAKE_SEND));
	assert_ok(port_insert_right(a, name, name, MACH_MSG_TYPE_COPY_SEND));
	assert_int_equal(send_refs(a, name), 65535);
	assert_int_equal(srights_of(a, name), 1);
}

TEST_2(a_send_right_received_again_adds_a_user_reference)
{
	mach_port_name_t name = new_port_with_send(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_COPY_SEND, b);

	assert_int_equal(give(a, name, MACH_MSG_TYPE_COPY_SEND, b), there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
	assert_int_equal(srights_of(a, name), 2);
}

TEST_2(a_pegged_name_takes_in_more_rights_and_stays_pegged)
{
	mach_port_name_t name = new_port_with_send(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_COPY_SEND, b);

	assert_ok(port_mod_refs(b, there, SEND, 65535));
	assert_int_equal(give(a, name, MACH_MSG_TYPE_COPY_SEND, b), there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 65535);
	assert_int_equal(srights_of(a, name), 2);
}

/* ---- get_refs (§9.8) ---------------------------------------------------------------------- */

TEST_1(get_refs_tells_each_right_of_a_name)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a), dead = new_dead_name(a);
	mach_port_name_t once = new_send_once(a, port);

	assert_ok(port_mod_refs(a, port, SEND, 6));
	assert_int_equal(refs_of(a, port, SEND), 7);
	assert_int_equal(refs_of(a, port, RECEIVE), 1);
	assert_int_equal(refs_of(a, port, SEND_ONCE), 0);
	assert_int_equal(refs_of(a, port, DEAD_NAME), 0);
	assert_int_equal(refs_of(a, port, MACH_PORT_RIGHT_LABELH), 0);
	assert_int_equal(refs_of(a, set, MACH_PORT_RIGHT_PORT_SET), 1);
	assert_int_equal(refs_of(a, set, RECEIVE), 0);
	assert_int_equal(refs_of(a, once, SEND_ONCE), 1);
	assert_int_equal(refs_of(a, once, SEND), 0);
	assert_int_equal(refs_of(a, dead, DEAD_NAME), 1);
}

TEST_1(get_refs_of_null_and_dead_is_one_send_right)
{
	static const mach_port_name_t names[] = { MACH_PORT_NULL, MACH_PORT_DEAD };
	uint32_t refs;

	for (int i = 0; i < 2; i++) {
		assert_ok(port_get_refs(a, names[i], SEND, &refs));
		assert_int_equal(refs, 1);
		assert_ok(port_get_refs(a, names[i], SEND_ONCE, &refs));
		assert_int_equal(refs, 1);
		assert_refused_without_trace(w, port_get_refs(a, names[i], RECEIVE, &refs),
					     KERN_INVALID_NAME);
		assert_refused_without_trace(w, port_get_refs(a, names[i], DEAD_NAME, &refs),
					     KERN_INVALID_NAME);
	}
}

TEST_1(get_refs_looks_at_the_right_before_the_name)
{
	uint32_t refs;

	assert_refused_without_trace(w, port_get_refs(a, 0x7703, 6, &refs), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_get_refs(a, 0, 6, &refs), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_get_refs(a, 0x7703, SEND, &refs), KERN_INVALID_NAME);
}

/* ---- mod_refs (§9.9) ---------------------------------------------------------------------- */

TEST_1(mod_refs_of_null_and_dead_succeeds_for_send_rights)
{
	static const mach_port_name_t names[] = { MACH_PORT_NULL, MACH_PORT_DEAD };

	for (int i = 0; i < 2; i++) {
		assert_refused_without_trace(w, port_mod_refs(a, names[i], SEND, 1), KERN_SUCCESS);
		assert_refused_without_trace(w, port_mod_refs(a, names[i], SEND_ONCE, -1),
					     KERN_SUCCESS);
		assert_refused_without_trace(w, port_mod_refs(a, names[i], RECEIVE, -1),
					     KERN_INVALID_NAME);
		assert_refused_without_trace(w, port_mod_refs(a, names[i], 6, 1),
					     KERN_INVALID_VALUE);
	}
}

TEST_1(mod_refs_wants_the_right_that_it_changes)
{
	mach_port_name_t receive = new_port(a), sends = new_port_with_send(a), set = new_set(a);
	mach_port_name_t dead = new_dead_name(a), once = new_send_once(a, receive);
	const struct {
		mach_port_name_t name;
		mach_port_right_t right;
	} wrong[] = {
		{ receive, SEND },
		{ receive, SEND_ONCE },
		{ receive, DEAD_NAME },
		{ set, SEND },
		{ receive, 3 /* PORT_SET */ },
		{ set, RECEIVE },
		{ set, DEAD_NAME },
		{ dead, SEND },
		{ dead, SEND_ONCE },
		{ dead, RECEIVE },
		{ dead, 3 },
		{ once, SEND },
		{ once, RECEIVE },
		{ once, DEAD_NAME },
		{ sends, SEND_ONCE },
		{ sends, 5 },
		{ dead, 5 },
		{ sends, DEAD_NAME },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_refused_without_trace(w, port_mod_refs(a, wrong[i].name, wrong[i].right, -1),
					     KERN_INVALID_RIGHT);
		assert_refused_without_trace(w, port_mod_refs(a, wrong[i].name, wrong[i].right, 0),
					     KERN_INVALID_RIGHT);
		assert_refused_without_trace(
		    w, port_mod_refs(a, wrong[i].name, wrong[i].right, 100000), KERN_INVALID_RIGHT);
	}
}

TEST_1(mod_refs_of_receive_send_once_and_sets_takes_0_and_minus_1)
{
	mach_port_name_t port = new_port(a), set = new_set(a), once = new_send_once(a, port);
	static const int32_t wrong[] = { 1, 2, -2, 65536, INT32_MIN };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_refused_without_trace(w, port_mod_refs(a, port, RECEIVE, wrong[i]),
					     KERN_INVALID_VALUE);
		assert_refused_without_trace(w, port_mod_refs(a, once, SEND_ONCE, wrong[i]),
					     KERN_INVALID_VALUE);
		assert_refused_without_trace(
		    w, port_mod_refs(a, set, MACH_PORT_RIGHT_PORT_SET, wrong[i]),
		    KERN_INVALID_VALUE);
	}
	assert_refused_without_trace(w, port_mod_refs(a, port, RECEIVE, 0), KERN_SUCCESS);
	assert_refused_without_trace(w, port_mod_refs(a, once, SEND_ONCE, 0), KERN_SUCCESS);
	assert_refused_without_trace(w, port_mod_refs(a, set, MACH_PORT_RIGHT_PORT_SET, 0),
				     KERN_SUCCESS);
}

TEST_1(user_references_go_up_and_down_by_delta)
{
	mach_port_name_t name = new_port_with_send(a);

	assert_ok(port_mod_refs(a, name, SEND, 10));
	assert_ok(port_mod_refs(a, name, SEND, -4));
	assert_entry(a, name, MACH_PORT_TYPE_SEND_RECEIVE, 7);
	assert_ok(port_mod_refs(a, name, SEND, -7));
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
}
