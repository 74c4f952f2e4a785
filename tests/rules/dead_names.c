/* Dead names: mach-ports.md §5. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

/* A send right of @b with @urefs user references, whose port has died. */
static mach_port_name_t
dead_send(struct actor *a, struct actor *b, int urefs)
{
	mach_port_name_t name = new_port(a), there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	if (urefs > 1)
		assert_ok(port_mod_refs(b, there, MACH_PORT_RIGHT_SEND, urefs - 1));
	assert_ok(port_destroy(a, name));
	return there;
}

static mach_port_name_t
dead_send_once(struct actor *a, struct actor *b)
{
	mach_port_name_t name = new_port(a);
	mach_port_name_t there = give(a, name, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);

	assert_ok(port_destroy(a, name));
	return there;
}

TEST_2(a_send_right_whose_port_died_is_a_dead_name_with_its_user_references)
{
	mach_port_name_t name = dead_send(a, b, 3);

	assert_entry(b, name, MACH_PORT_TYPE_DEAD_NAME, 3);
}

TEST_2(a_send_once_right_whose_port_died_is_a_dead_name_with_one)
{
	mach_port_name_t name = dead_send_once(a, b);

	assert_entry(b, name, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(a_registered_request_adds_a_user_reference_to_the_dead_name)
{
	mach_port_name_t name = new_port(a), there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t notify = new_port(b);

	assert_ok(port_request_notification(b, there, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_destroy(a, name));
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 2);
	assert_notification(b, notify, MACH_NOTIFY_DEAD_NAME, there);
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_2(a_pegged_count_takes_no_user_reference_from_the_notification)
{
	mach_port_name_t name = new_port(a), there = give(a, name, MACH_MSG_TYPE_MAKE_SEND, b);

	assert_ok(port_mod_refs(b, there, MACH_PORT_RIGHT_SEND, 65534));
	assert_ok(port_request_notification(b, there, MACH_NOTIFY_DEAD_NAME, 0, b->party->mailbox,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_destroy(a, name));
	assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 65535);
}

TEST_2(calls_that_want_a_live_right_find_no_name)
{
	mach_port_name_t names[] = { dead_send(a, b, 1), new_dead_name(b) };
	mach_port_name_t set = new_set(b);
	mach_port_limits_t limits = { 5 };
	uint64_t context;
	uint32_t count;

	for (int i = 0; i < 2; i++) {
		mach_port_name_t name = names[i];

		count = 1;
		assert_code(port_get_attributes(b, name, MACH_PORT_LIMITS_INFO, &limits, &count),
			    KERN_INVALID_NAME);
		assert_code(port_set_attributes(b, name, MACH_PORT_LIMITS_INFO, &limits, 1),
			    KERN_INVALID_NAME);
		assert_code(port_get_context(b, name, &context), KERN_INVALID_NAME);
		assert_code(port_set_context(b, name, 1), KERN_INVALID_NAME);
		assert_code(port_guard(b, name, 1, 0), KERN_INVALID_NAME);
		assert_code(port_unguard(b, name, 1), KERN_INVALID_NAME);
		assert_code(port_swap_guard(b, name, 1, 2), KERN_INVALID_NAME);
		assert_code(trap(b, BERTH_TRAP_PORT_PEEK, b->target, name, 0, 0, 68, 0),
			    KERN_INVALID_NAME);
		assert_code(trap(b, BERTH_TRAP_PORT_KOBJECT, b->target, name, 0, 0, 0, 0),
			    KERN_INVALID_NAME);
		assert_code(port_get_srights(b, name, &count), KERN_INVALID_NAME);
		assert_code(port_set_mscount(b, name, 1), KERN_INVALID_NAME);
		assert_code(port_set_seqno(b, name, 1), KERN_INVALID_NAME);
		assert_code(port_insert_member(b, name, set), KERN_INVALID_NAME);
		assert_code(port_move_member(b, name, set), KERN_INVALID_NAME);
	}
}

TEST_2(mod_refs_of_send_notices_the_death_and_finds_no_send_right)
{
	mach_port_name_t sends = dead_send(a, b, 2), once = dead_send_once(a, b);

	assert_code(port_mod_refs(b, sends, MACH_PORT_RIGHT_SEND, -1), KERN_INVALID_RIGHT);
	assert_entry(b, sends, MACH_PORT_TYPE_DEAD_NAME, 2);
	assert_code(port_mod_refs(b, once, MACH_PORT_RIGHT_SEND_ONCE, -1), KERN_INVALID_RIGHT);
	assert_entry(b, once, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(mod_refs_of_dead_name_counts_dead_references)
{
	mach_port_name_t name = dead_send(a, b, 2);

	assert_ok(port_mod_refs(b, name, MACH_PORT_RIGHT_DEAD_NAME, 2));
	assert_entry(b, name, MACH_PORT_TYPE_DEAD_NAME, 4);
	assert_ok(port_mod_refs(b, name, MACH_PORT_RIGHT_DEAD_NAME, -3));
	assert_entry(b, name, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_ok(port_mod_refs(b, name, MACH_PORT_RIGHT_DEAD_NAME, -1));
	assert_no_entry(b, name);
}

TEST_2(deallocate_counts_dead_references)
{
	mach_port_name_t name = dead_send(a, b, 2);

	assert_ok(port_deallocate(b, name));
	assert_entry(b, name, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_ok(port_deallocate(b, name));
	assert_no_entry(b, name);
}

TEST_2(destroy_of_a_dead_name_frees_it_whatever_its_references)
{
	mach_port_name_t name = dead_send(a, b, 100);

	assert_ok(port_destroy(b, name));
	assert_no_entry(b, name);
}

TEST_1(the_holder_of_both_rights_who_drops_receive_has_a_dead_name_at_once)
{
	mach_port_name_t name = new_port_with_send(a);

	assert_ok(port_mod_refs(a, name, MACH_PORT_RIGHT_SEND, 2));
	assert_ok(port_mod_refs(a, name, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 3);
}

TEST_1(its_dead_name_request_adds_a_reference_there_too)
{
	mach_port_name_t name = new_port_with_send(a), notify = new_port(a);

	assert_ok(port_request_notification(a, name, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_mod_refs(a, name, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 2);
	assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, name);
}

TEST_1(a_used_request_counts_where_the_receive_right_alone_is_dropped)
{
	mach_port_name_t name = new_port_with_send(a), notify = new_port(a);

	fill(a, name, 5);
	assert_ok(port_request_notification(a, name, MACH_NOTIFY_SEND_POSSIBLE, 1, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	take_id(a, name);
	assert_notification(a, notify, MACH_NOTIFY_SEND_POSSIBLE, name);
	assert_ok(port_mod_refs(a, name, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 2);
	assert_nothing_waits(a, notify);
}

TEST_2(names_of_dead_ports_are_listed_as_dead_names)
{
	mach_port_name_t name = dead_send(a, b, 1);
	const uint32_t *words;
	uint64_t count;
	bool seen = false;

	assert_ok(trap(b, BERTH_TRAP_PORT_NAMES, b->target, 0, 0, 0, 0, 0));
	count = b->outcome.values[0];
	words = (const uint32_t *)(const void *)b->outcome.bytes;
	assert_int_equal(b->outcome.bytes_size, count * 8);
	for (uint64_t i = 0; i < count; i++)
		if (words[i] == name) {
			assert_int_equal(words[count + i], MACH_PORT_TYPE_DEAD_NAME);
			seen = true;
		}
	assert_true(seen);
}
