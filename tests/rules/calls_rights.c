/* construct, destruct, insert_right, extract_right: mach-ports.md §9.4, §9.5, §9.10, §9.11. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

/* ---- construct ------------------------------------------------------------------------------ */

TEST_1(construct_without_flags_is_a_new_port_with_a_plain_context)
{
	mach_port_name_t name;
	uint64_t context;

	assert_ok(port_construct(a, 0, 0, 77, &name));
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_ok(port_get_context(a, name, &context));
	assert_int_equal(context, 77);
	assert_int_equal(status_of(a, name).mps_qlimit, 5);
	assert_int_equal(status_of(a, name).mps_flags, 0);
	assert_ok(port_destroy(a, name)); /* not guarded */
}

TEST_1(construct_with_a_send_right_counts_it_as_made)
{
	mach_port_name_t name;

	assert_ok(port_construct(a, MPO_INSERT_SEND_RIGHT, 0, 0, &name));
	assert_entry(a, name, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_int_equal(srights_of(a, name), 1);
	assert_int_equal(status_of(a, name).mps_mscount, 1);
	assert_int_equal(status_of(a, name).mps_srights, 1);
}

TEST_1(construct_sets_the_queue_limit_that_the_flag_names)
{
	mach_port_name_t name;

	assert_ok(port_construct(a, MPO_QLIMIT, 1024, 0, &name));
	assert_int_equal(status_of(a, name).mps_qlimit, 1024);
	assert_ok(port_construct(a, MPO_QLIMIT, 0, 0, &name));
	assert_int_equal(status_of(a, name).mps_qlimit, 0);
	assert_ok(port_construct(a, 0, 900, 0, &name));
	assert_int_equal(status_of(a, name).mps_qlimit, 5);
	assert_refused_without_trace(w, port_construct(a, MPO_QLIMIT, 1025, 0, &name),
				     KERN_INVALID_VALUE);
	assert_ok(port_construct(a, 0, 1025, 0, &name));
}

TEST_1(construct_guards_with_the_context)
{
	mach_port_name_t name;

	assert_ok(port_construct(a, MPO_CONTEXT_AS_GUARD, 0, 5, &name));
	assert_int_equal(status_of(a, name).mps_flags, MACH_PORT_STATUS_FLAG_GUARDED);
	assert_code(port_destroy(a, name), KERN_INVALID_RIGHT);
	assert_ok(port_construct(a, MPO_CONTEXT_AS_GUARD | MPO_STRICT, 0, 5, &name));
	assert_int_equal(status_of(a, name).mps_flags,
			 MACH_PORT_STATUS_FLAG_GUARDED | MACH_PORT_STATUS_FLAG_STRICT_GUARD);
	assert_ok(port_construct(a, MPO_CONTEXT_AS_GUARD | MPO_IMMOVABLE_RECEIVE, 0, 5, &name));
	assert_int_equal(status_of(a, name).mps_flags,
			 MACH_PORT_STATUS_FLAG_GUARDED |
			     MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE);
}

TEST_1(strict_and_immovable_without_a_guard_have_no_effect)
{
	mach_port_name_t name;

	assert_ok(port_construct(a, MPO_STRICT | MPO_IMMOVABLE_RECEIVE, 0, 5, &name));
	assert_int_equal(status_of(a, name).mps_flags, 0);
}

TEST_1(construct_refuses_two_kinds_at_once)
{
	static const uint32_t wrong[] = { MPO_SERVICE_PORT | MPO_CONNECTION_PORT,
					  MPO_SERVICE_PORT | MPO_TG_BLOCK_TRACKING,
					  MPO_REPLY_PORT | MPO_EXCEPTION_PORT,
					  MPO_REPLY_PORT | MPO_PROVISIONAL_REPLY_PORT,
					  MPO_REPLY_PORT | MPO_ENFORCE_REPLY_PORT_SEMANTICS };
	mach_port_name_t name;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_refused_without_trace(
		    w, port_construct(a, wrong[i] | MPO_QLIMIT, 5000, 0, &name),
		    KERN_INVALID_ARGUMENT);
}

TEST_1(construct_denies_kinds_that_are_the_systems_own)
{
	mach_port_name_t name;

	/* before the queue limit, after kinds that go not together */
	assert_refused_without_trace(
	    w, port_construct(a, MPO_SERVICE_PORT | MPO_QLIMIT, 5000, 0, &name), KERN_DENIED);
	assert_refused_without_trace(
	    w, port_construct(a, MPO_TG_BLOCK_TRACKING | MPO_QLIMIT, 5000, 0, &name), KERN_DENIED);
	assert_refused_without_trace(
	    w,
	    port_construct(a, MPO_SERVICE_PORT | MPO_REPLY_PORT | MPO_EXCEPTION_PORT, 0, 0, &name),
	    KERN_INVALID_ARGUMENT);
}

TEST_1(construct_of_a_reply_port_works)
{
	mach_port_name_t name;

	assert_ok(port_construct(a, MPO_REPLY_PORT, 0, 0, &name));
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
}

/* ---- destruct ------------------------------------------------------------------------------- */

TEST_1(destruct_makes_its_checks_in_order)
{
	mach_port_name_t receive = new_port(a), both = new_port_with_send(a), guarded;
	mach_port_name_t set = new_set(a);

	assert_ok(port_construct(a, MPO_CONTEXT_AS_GUARD | MPO_INSERT_SEND_RIGHT, 0, 5, &guarded));
	assert_refused_without_trace(w, port_destruct(a, 0, 0, 0), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_destruct(a, MACH_PORT_DEAD, 0, 0), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_destruct(a, 0x7703, 0, 0), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_destruct(a, set, 0, 0), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_destruct(a, receive, -1, 0), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_destruct(a, receive, 1, 0), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_destruct(a, both, 1, 0), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_destruct(a, guarded, 1, 6), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_destruct(a, guarded, -2, 6), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, port_destruct(a, guarded, -2, 5), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_destruct(a, both, -2, 0), KERN_INVALID_VALUE);
}

TEST_1(destruct_ends_both_rights_and_tells_no_senders_first)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);

	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_destruct(a, port, -1, 0));
	assert_no_entry(a, port);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
}

TEST_1(destruct_without_delta_leaves_a_dead_name_of_the_send_right)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 2));
	assert_ok(port_destruct(a, port, 0, 0));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 3);
}

TEST_1(destruct_with_part_of_the_references_leaves_the_rest_dead)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 2));
	assert_ok(port_destruct(a, port, -2, 0));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(destruct_with_the_guard_ends_a_guarded_port)
{
	mach_port_name_t port;

	assert_ok(port_construct(a, MPO_CONTEXT_AS_GUARD | MPO_STRICT, 0, 5, &port));
	assert_ok(port_destruct(a, port, 0, 5));
	assert_no_entry(a, port);
}

TEST_1(destruct_of_an_unguarded_port_ignores_the_guard)
{
	mach_port_name_t port = new_port(a);

	assert_ok(port_destruct(a, port, 0, 0x1234));
	assert_no_entry(a, port);
}

/* ---- insert_right -----------------------------------------------------------------------------
 */

TEST_1(insert_right_of_make_send_counts_each_time_but_one_send_right)
{
	mach_port_name_t port = new_port(a);

	for (uint32_t i = 1; i <= 3; i++) {
		assert_ok(port_insert_right(a, port, port, MACH_MSG_TYPE_MAKE_SEND));
		assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, i);
		assert_int_equal(status_of(a, port).mps_mscount, i);
		assert_int_equal(srights_of(a, port), 1);
	}
}

TEST_1(insert_right_of_copy_send_adds_a_reference)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(port_insert_right(a, port, port, MACH_MSG_TYPE_COPY_SEND));
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 2);
	assert_int_equal(status_of(a, port).mps_mscount, 1);
	assert_int_equal(srights_of(a, port), 1);
}

TEST_2(insert_right_into_its_own_name_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a), set = new_set(a), dead = new_dead_name(a);
	mach_port_name_t sends = give(b, new_port_with_send(b), MACH_MSG_TYPE_COPY_SEND, a);

	assert_refused_without_trace(
	    w, port_insert_right(a, 0x7703, 0x7703, MACH_MSG_TYPE_MAKE_SEND), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_insert_right(a, dead, dead, MACH_MSG_TYPE_COPY_SEND),
				     KERN_INVALID_CAPABILITY);
	assert_refused_without_trace(w, port_insert_right(a, set, set, MACH_MSG_TYPE_MAKE_SEND),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_right(a, port, port, MACH_MSG_TYPE_COPY_SEND),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_right(a, sends, sends, MACH_MSG_TYPE_MAKE_SEND),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_right(a, port, port, 15), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_right(a, port, port, 22), KERN_INVALID_RIGHT);
}

TEST_2(insert_right_into_its_own_dead_port_is_an_invalid_capability)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);

	assert_ok(port_destroy(b, port));
	assert_code(port_insert_right(a, there, there, MACH_MSG_TYPE_COPY_SEND),
		    KERN_INVALID_CAPABILITY);
	assert_entry(a, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(insert_right_makes_its_checks_in_order)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t port = new_port_with_send(a), used = new_port(b);
	mach_port_name_t there = give(a, port, MACH_MSG_TYPE_COPY_SEND, b);

	a->target = task;
	assert_refused_without_trace(w, port_insert_right(a, 0, 0x7703, MACH_MSG_TYPE_COPY_SEND),
				     KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_insert_right(a, 0, port, 99), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_insert_right(a, 0, port, MACH_MSG_TYPE_COPY_SEND),
				     KERN_INVALID_VALUE);
	assert_refused_without_trace(
	    w, port_insert_right(a, MACH_PORT_DEAD, port, MACH_MSG_TYPE_COPY_SEND),
	    KERN_INVALID_VALUE);
	assert_refused_without_trace(
	    w, port_insert_right(a, 0xffffff03, port, MACH_MSG_TYPE_COPY_SEND), KERN_NO_SPACE);
	assert_refused_without_trace(w, port_insert_right(a, 0x5001, port, MACH_MSG_TYPE_COPY_SEND),
				     KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_insert_right(a, 3, port, MACH_MSG_TYPE_COPY_SEND),
				     KERN_FAILURE);
	assert_refused_without_trace(
	    w, port_insert_right(a, used + 4, port, MACH_MSG_TYPE_COPY_SEND), KERN_FAILURE);
	assert_refused_without_trace(w, port_insert_right(a, 0x1403, port, MACH_MSG_TYPE_COPY_SEND),
				     KERN_RIGHT_EXISTS);
	assert_ok(port_insert_right(a, there, port, MACH_MSG_TYPE_COPY_SEND));
	a->target = BERTH_NAME_TASK_SELF;
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
}

TEST_2(insert_right_into_a_name_of_something_else_is_name_exists)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t port = new_port_with_send(a), used = new_port(b);

	a->target = task;
	assert_refused_without_trace(w, port_insert_right(a, used, port, MACH_MSG_TYPE_COPY_SEND),
				     KERN_NAME_EXISTS);
}

TEST_2(insert_right_of_send_once_never_joins)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_code(port_insert_right(a, port, port, MACH_MSG_TYPE_MAKE_SEND_ONCE),
		    KERN_NAME_EXISTS);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_ok(port_insert_right(a, 0x5003, port, MACH_MSG_TYPE_MAKE_SEND_ONCE));
	assert_entry(a, 0x5003, MACH_PORT_TYPE_SEND_ONCE, 1);
}

TEST_2(a_right_that_insert_right_refuses_late_is_destroyed)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	mach_port_name_t once = give(b, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, a);
	mach_port_name_t dies = new_port_with_send(a);

	a->target = task;
	assert_code(port_insert_right(a, 0, there, MACH_MSG_TYPE_MOVE_SEND), KERN_INVALID_VALUE);
	assert_code(port_insert_right(a, 3, once, MACH_MSG_TYPE_MOVE_SEND_ONCE), KERN_FAILURE);
	assert_code(port_insert_right(a, 0x5001, dies, MACH_MSG_TYPE_MOVE_RECEIVE),
		    KERN_INVALID_VALUE);
	a->target = BERTH_NAME_TASK_SELF;
	assert_no_entry(a, there);
	assert_no_entry(a, once);
	assert_int_equal(srights_of(b, port), 0);
	assert_notification(b, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_entry(a, dies, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(insert_right_moves_a_receive_right_into_another_task)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 2);
	a->target = task;
	assert_ok(port_insert_right(a, 0x5003, port, MACH_MSG_TYPE_MOVE_RECEIVE));
	a->target = BERTH_NAME_TASK_SELF;
	assert_entry(b, 0x5003, MACH_PORT_TYPE_RECEIVE, 0);
	assert_entry(a, port, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(take_id(b, 0x5003), 1);
}

TEST_2(insert_right_of_a_receive_right_joins_the_send_right_there)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t port = new_port(a), there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	a->target = task;
	assert_ok(port_insert_right(a, there, port, MACH_MSG_TYPE_MOVE_RECEIVE));
	a->target = BERTH_NAME_TASK_SELF;
	assert_entry(b, there, MACH_PORT_TYPE_SEND_RECEIVE, 1);
}

TEST_2(insert_right_does_not_move_what_is_immovable)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t port = new_port(a), special = special_reply_port(a);

	assert_ok(port_guard(a, port, 7, MPG_IMMOVABLE_RECEIVE));
	a->target = task;
	/* before the name is looked at */
	assert_refused_without_trace(w, port_insert_right(a, 0, port, MACH_MSG_TYPE_MOVE_RECEIVE),
				     KERN_INVALID_CAPABILITY);
	assert_refused_without_trace(
	    w, port_insert_right(a, 0x5003, special, MACH_MSG_TYPE_MOVE_RECEIVE),
	    KERN_INVALID_CAPABILITY);
	a->target = BERTH_NAME_TASK_SELF;
}

/* ---- extract_right -----------------------------------------------------------------------------
 */

TEST_1(extract_right_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a), poly;
	uint32_t type;

	assert_refused_without_trace(w, port_extract_right(a, 0, 15, &poly, &type),
				     KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_extract_right(a, port, 22, &poly, &type),
				     KERN_INVALID_VALUE);
	assert_refused_without_trace(
	    w, port_extract_right(a, 0, MACH_MSG_TYPE_COPY_SEND, &poly, &type), KERN_INVALID_RIGHT);
	assert_refused_without_trace(
	    w, port_extract_right(a, MACH_PORT_DEAD, MACH_MSG_TYPE_COPY_SEND, &poly, &type),
	    KERN_INVALID_RIGHT);
	assert_refused_without_trace(
	    w, port_extract_right(a, 0x7703, MACH_MSG_TYPE_COPY_SEND, &poly, &type),
	    KERN_INVALID_NAME);
	assert_refused_without_trace(
	    w, port_extract_right(a, port, MACH_MSG_TYPE_COPY_SEND, &poly, &type),
	    KERN_INVALID_RIGHT);
}

TEST_1(extract_right_from_oneself_gives_the_right_back)
{
	mach_port_name_t port = new_port(a), poly;
	uint32_t type;

	assert_ok(port_extract_right(a, port, MACH_MSG_TYPE_MAKE_SEND, &poly, &type));
	assert_int_equal(poly, port);
	assert_int_equal(type, MACH_MSG_TYPE_PORT_SEND);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_ok(port_extract_right(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, &poly, &type));
	assert_entry(a, poly, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(type, MACH_MSG_TYPE_PORT_SEND_ONCE);
	assert_ok(port_extract_right(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, &poly, &type));
	assert_int_equal(poly, port);
	assert_int_equal(type, MACH_MSG_TYPE_PORT_RECEIVE);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
}

TEST_1(extract_right_of_a_dead_name_gives_dead)
{
	mach_port_name_t dead = new_dead_name(a), poly;
	uint32_t type;

	assert_ok(port_mod_refs(a, dead, MACH_PORT_RIGHT_DEAD_NAME, 1));
	assert_ok(port_extract_right(a, dead, MACH_MSG_TYPE_MOVE_SEND, &poly, &type));
	assert_int_equal(poly, MACH_PORT_DEAD);
	assert_entry(a, dead, MACH_PORT_TYPE_DEAD_NAME, 1);
}
