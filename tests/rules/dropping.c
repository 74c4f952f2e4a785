/* Dropping rights: mach-ports.md §6.3, each cell; §9.6, §9.7. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

static void
request(struct actor *t, mach_port_name_t name, int32_t msgid, mach_port_name_t notify)
{
	assert_ok(port_request_notification(t, name, msgid, 0, notify, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					    NULL));
}

/* A send right of @b to a new port of @a that asks for no-senders at *notify. */
static mach_port_name_t
watched_send(struct actor *a, struct actor *b, mach_port_name_t *port, mach_port_name_t *notify)
{
	mach_port_name_t there;

	*port = new_port(a);
	*notify = new_port(a);
	there = give(a, *port, MACH_MSG_TYPE_MAKE_SEND, b);
	request(a, *port, MACH_NOTIFY_NO_SENDERS, *notify);
	assert_nothing_waits(a, *notify);
	return there;
}

/* ---- SEND ------------------------------------------------------------------------------------ */

static kern_return_t
drop_by_deallocate(struct actor *t, mach_port_name_t name, mach_port_right_t right)
{
	return port_deallocate(t, name);
}

static kern_return_t
drop_by_mod_refs(struct actor *t, mach_port_name_t name, mach_port_right_t right)
{
	return port_mod_refs(t, name, right, -1);
}

static kern_return_t
drop_by_destroy(struct actor *t, mach_port_name_t name, mach_port_right_t right)
{
	return port_destroy(t, name);
}

typedef kern_return_t drop_way(struct actor *t, mach_port_name_t name, mach_port_right_t right);

static drop_way *const all_ways[] = { drop_by_deallocate, drop_by_mod_refs, drop_by_destroy };

TEST_2(dropping_one_of_several_send_references_keeps_the_name)
{
	for (int i = 0; i < 2; i++) {
		mach_port_name_t port, notify, there = watched_send(a, b, &port, &notify);

		assert_ok(port_mod_refs(b, there, MACH_PORT_RIGHT_SEND, 2));
		request(b, there, MACH_NOTIFY_DEAD_NAME, b->party->mailbox);
		assert_ok(all_ways[i](b, there, MACH_PORT_RIGHT_SEND));
		assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
		assert_int_equal(srights_of(a, port), 1);
		assert_nothing_waits(a, notify);
		assert_nothing_waits(b, b->party->mailbox);
	}
}

TEST_2(dropping_the_last_send_reference_frees_the_name_and_tells_both_sides)
{
	for (int i = 0; i < 3; i++) {
		mach_port_name_t port, notify, there = watched_send(a, b, &port, &notify);
		mach_port_name_t deleted = new_port(b);

		request(b, there, MACH_NOTIFY_DEAD_NAME, deleted);
		assert_ok(all_ways[i](b, there, MACH_PORT_RIGHT_SEND));
		assert_no_entry(b, there);
		assert_int_equal(srights_of(a, port), 0);
		assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
		assert_notification(b, deleted, MACH_NOTIFY_PORT_DELETED, there);
		assert_int_equal(status_of(a, port).mps_nsrequest, 0);
	}
}

TEST_2(destroy_drops_all_send_references_at_once)
{
	mach_port_name_t port, notify, there = watched_send(a, b, &port, &notify);

	assert_ok(port_mod_refs(b, there, MACH_PORT_RIGHT_SEND, 9));
	assert_ok(port_destroy(b, there));
	assert_no_entry(b, there);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
}

/* ---- SEND_ONCE ------------------------------------------------------------------------------- */

TEST_2(dropping_a_send_once_right_sends_a_send_once_notification)
{
	for (int i = 0; i < 3; i++) {
		mach_port_name_t port = new_port(a), deleted = new_port(b);
		mach_port_name_t once = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);

		request(b, once, MACH_NOTIFY_DEAD_NAME, deleted);
		assert_int_equal(status_of(a, port).mps_sorights, 1);
		assert_ok(all_ways[i](b, once, MACH_PORT_RIGHT_SEND_ONCE));
		assert_no_entry(b, once);
		assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
		assert_int_equal(status_of(a, port).mps_sorights, 0);
		assert_notification(b, deleted, MACH_NOTIFY_PORT_DELETED, once);
	}
}

/* ---- RECEIVE --------------------------------------------------------------------------------- */

TEST_1(deallocate_does_not_drop_a_receive_right)
{
	mach_port_name_t port = new_port(a);

	assert_refused_without_trace(w, port_deallocate(a, port), KERN_INVALID_RIGHT);
}

TEST_2(dropping_the_receive_right_destroys_the_port)
{
	for (int i = 1; i < 3; i++) {
		mach_port_name_t port = new_port(a), deleted = new_port(a);
		mach_port_name_t there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

		request(a, port, MACH_NOTIFY_DEAD_NAME, deleted);
		assert_ok(all_ways[i](a, port, MACH_PORT_RIGHT_RECEIVE));
		assert_no_entry(a, port);
		assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
		assert_notification(a, deleted, MACH_NOTIFY_PORT_DELETED, port);
	}
}

/* ---- SEND+RECEIVE ---------------------------------------------------------------------------- */

TEST_1(deallocate_of_both_rights_drops_send_references)
{
	for (int i = 0; i < 2; i++) {
		mach_port_name_t port = new_port_with_send(a), notify = new_port(a);
		mach_port_name_t dead = new_port(a);

		assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 1));
		request(a, port, MACH_NOTIFY_NO_SENDERS, notify);
		request(a, port, MACH_NOTIFY_DEAD_NAME, dead);
		assert_ok(all_ways[i](a, port, MACH_PORT_RIGHT_SEND));
		assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
		assert_nothing_waits(a, notify);
		assert_ok(all_ways[i](a, port, MACH_PORT_RIGHT_SEND));
		assert_entry(a, port, MACH_PORT_TYPE_RECEIVE, 0);
		assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
		assert_nothing_waits(a, dead); /* the request is kept */
		assert_code(all_ways[i](a, port, MACH_PORT_RIGHT_SEND), KERN_INVALID_RIGHT);
	}
}

TEST_1(destroy_of_both_rights_tells_no_senders)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a), deleted = new_port(a);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 3));
	request(a, port, MACH_NOTIFY_NO_SENDERS, notify);
	request(a, port, MACH_NOTIFY_DEAD_NAME, deleted);
	assert_ok(port_destroy(a, port));
	assert_no_entry(a, port);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
	assert_notification(a, deleted, MACH_NOTIFY_PORT_DELETED, port);
}

TEST_1(mod_refs_of_receive_leaves_a_dead_name_and_tells_no_no_senders)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 3));
	request(a, port, MACH_NOTIFY_NO_SENDERS, notify);
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 4);
	assert_notification(a, notify, MACH_NOTIFY_SEND_ONCE, 0);
	assert_nothing_waits(a, notify);
}

TEST_1(with_a_backup_mod_refs_of_receive_leaves_the_send_right)
{
	mach_port_name_t port = new_port_with_send(a), backup = new_port(a), dead = new_port(a);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 3));
	request(a, port, MACH_NOTIFY_DEAD_NAME, dead);
	request(a, port, MACH_NOTIFY_PORT_DESTROYED, backup);
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_entry(a, port, MACH_PORT_TYPE_SEND, 4);
	assert_nothing_waits(a, dead);
	take(a, backup, &got);
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_PORT_DESTROYED);
	assert_int_equal(got.descriptors[0].name, port);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 4);
}

/* ---- DEAD_NAME, PORT_SET --------------------------------------------------------------------- */

TEST_1(dropping_dead_references)
{
	mach_port_name_t dead = new_dead_name(a);

	assert_ok(port_mod_refs(a, dead, MACH_PORT_RIGHT_DEAD_NAME, 3));
	assert_ok(port_deallocate(a, dead));
	assert_entry(a, dead, MACH_PORT_TYPE_DEAD_NAME, 3);
	assert_ok(port_mod_refs(a, dead, MACH_PORT_RIGHT_DEAD_NAME, -1));
	assert_entry(a, dead, MACH_PORT_TYPE_DEAD_NAME, 2);
	assert_ok(port_destroy(a, dead));
	assert_no_entry(a, dead);
	for (int i = 0; i < 3; i++) {
		dead = new_dead_name(a);
		assert_ok(all_ways[i](a, dead, MACH_PORT_RIGHT_DEAD_NAME));
		assert_no_entry(a, dead);
	}
}

TEST_1(every_way_to_drop_a_set_destroys_it)
{
	for (int i = 0; i < 3; i++) {
		mach_port_name_t set = new_set(a), port = new_port_with_send(a);

		assert_ok(port_insert_member(a, port, set));
		fill(a, port, 2);
		assert_ok(all_ways[i](a, set, MACH_PORT_RIGHT_PORT_SET));
		assert_no_entry(a, set);
		assert_int_equal(status_of(a, port).mps_pset, 0);
		assert_int_equal(msgcount_of(a, port), 2);
	}
}

/* ---- the calls' own checks (§9.6, §9.7) -------------------------------------------------------
 */

TEST_1(dropping_null_or_dead_succeeds_and_does_nothing)
{
	assert_refused_without_trace(w, port_destroy(a, MACH_PORT_NULL), KERN_SUCCESS);
	assert_refused_without_trace(w, port_destroy(a, MACH_PORT_DEAD), KERN_SUCCESS);
	assert_refused_without_trace(w, port_deallocate(a, MACH_PORT_NULL), KERN_SUCCESS);
	assert_refused_without_trace(w, port_deallocate(a, MACH_PORT_DEAD), KERN_SUCCESS);
}

TEST_1(dropping_what_is_not_there_is_an_invalid_name)
{
	assert_refused_without_trace(w, port_destroy(a, 0x7703), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_deallocate(a, 0x7703), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_mod_refs(a, 0x7703, MACH_PORT_RIGHT_SEND, -1),
				     KERN_INVALID_NAME);
}

TEST_1(a_name_is_dropped_once)
{
	mach_port_name_t port = new_port(a);

	assert_ok(port_destroy(a, port));
	assert_refused_without_trace(w, port_destroy(a, port), KERN_INVALID_NAME);
}

/*
 * For each send-once right the kernel keeps a message; of rights that are gone it keeps a few for
 * the next ones, however many there were.
 */
TEST_1(memory_for_send_once_rights_is_given_back)
{
	mach_port_name_t port = new_port(a), names[1000];
	uint64_t before, most, after;

	/* names first, so that the table has its size */
	for (uint32_t i = 0; i < 1000; i++)
		names[i] = new_dead_name(a);
	for (uint32_t i = 0; i < 1000; i++)
		assert_ok(port_deallocate(a, names[i]));
	w->quiet_audit = true;
	before = world_counts(w).bytes;
	for (uint32_t i = 0; i < 1000; i++)
		(void)new_send_once(a, port);
	most = world_counts(w).bytes;
	assert_ok(port_destroy(a, port));
	after = world_counts(w).bytes;
	assert_true(after - before < (most - before) / 4);
	w->quiet_audit = false;
}
