/* Names: mach-ports.md §2, and what hands them out, §9.1 to §9.3. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define INDEX(name) ((name) >> 8)

TEST_1(the_low_two_bits_of_a_name_are_set)
{
	for (int i = 0; i < 200; i++)
		assert_int_equal(new_port(a) & 3, 3);
}

TEST_1(the_first_names_of_a_space_come_in_order_and_in_their_first_generation)
{
	mach_port_name_t last = 0, name;

	while ((name = new_port(a)), INDEX(name) < 8) {
		assert_true(name > last);
		assert_int_equal(name & 0xff, 3);
		last = name;
	}
}

TEST_1(a_task_starts_with_its_own_port_as_first_name)
{
	assert_int_equal(task_self(a), 0x103);
}

TEST_1(later_names_come_in_random_order)
{
	mach_port_name_t last = 0;
	int descents = 0;

	for (int i = 0; i < 30; i++) {
		mach_port_name_t name = new_port(a);

		descents += name < last;
		last = name;
	}
	assert_true(descents > 0);
}

TEST_1(no_two_live_names_are_the_same)
{
	static mach_port_name_t names[3000];
	static uint8_t used[1 << 16];

	w->quiet_audit = true;
	for (int i = 0; i < 3000; i++) {
		names[i] = new_port(a);
		assert_true(INDEX(names[i]) > 0 && INDEX(names[i]) < sizeof used);
		assert_int_equal(used[INDEX(names[i])], 0);
		used[INDEX(names[i])] = 1;
	}
	w->quiet_audit = false;
	for (int i = 0; i < 3000; i += 100)
		assert_entry(a, names[i], MACH_PORT_TYPE_RECEIVE, 0);
	kernel_audit(w->kernel);
}

TEST_1(the_index_freed_last_is_used_first)
{
	mach_port_name_t one = new_port(a), two = new_port(a);

	assert_ok(port_destroy(a, one));
	assert_ok(port_destroy(a, two));
	assert_int_equal(INDEX(new_port(a)), INDEX(two));
	assert_int_equal(INDEX(new_port(a)), INDEX(one));
}

TEST_1(an_index_used_again_has_another_generation)
{
	mach_port_name_t name = new_port(a);

	assert_ok(port_destroy(a, name));
	assert_int_equal(new_port(a), name + 4);
}

TEST_1(generations_wrap_to_the_first_one_after_16_to_64_names)
{
	mach_port_name_t first = new_port(a), name = first;
	int names = 0;

	do {
		assert_ok(port_destroy(a, name));
		mach_port_name_t next = new_port(a);

		assert_int_equal(INDEX(next), INDEX(first));
		assert_true(next == name + 4 || (next & 0xff) == 3);
		name = next;
		names++;
	} while (name != first && names < 70);
	assert_true(names >= 16 && names <= 64);
}

TEST_1(a_name_of_another_generation_is_invalid)
{
	mach_port_name_t name = new_port(a);
	mach_port_type_t type;

	assert_refused_without_trace(w, port_type(a, name + 4, &type), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_type(a, name ^ 2, &type), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_deallocate(a, name + 4), KERN_INVALID_NAME);
}

TEST_1(index_0_and_an_index_beyond_the_table_are_no_names)
{
	mach_port_type_t type;

	assert_refused_without_trace(w, port_type(a, 3, &type), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_type(a, 0x10003, &type), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_type(a, 0xfffffeff, &type), KERN_INVALID_NAME);
}

/* ---- allocate (§9.1) ------------------------------------------------------------------- */

TEST_1(a_new_port_has_a_receive_right_and_the_counters_of_a_new_port)
{
	mach_port_name_t name = new_port(a);
	mach_port_status_t status = status_of(a, name);
	uint64_t context;

	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_int_equal(status.mps_qlimit, 5);
	assert_int_equal(status.mps_msgcount, 0);
	assert_int_equal(status.mps_seqno, 0);
	assert_int_equal(status.mps_mscount, 0);
	assert_int_equal(status.mps_srights, 0);
	assert_int_equal(status.mps_sorights, 0);
	assert_int_equal(status.mps_pset, 0);
	assert_int_equal(status.mps_pdrequest, 0);
	assert_int_equal(status.mps_nsrequest, 0);
	assert_int_equal(status.mps_flags, 0);
	assert_int_equal(srights_of(a, name), 0);
	assert_ok(port_get_context(a, name, &context));
	assert_int_equal(context, 0);
}

TEST_1(allocate_makes_sets_and_dead_names)
{
	mach_port_name_t name;

	assert_ok(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &name));
	assert_entry(a, name, MACH_PORT_TYPE_PORT_SET, 0);
	assert_ok(port_allocate(a, MACH_PORT_RIGHT_DEAD_NAME, &name));
	assert_entry(a, name, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(allocate_refuses_other_rights)
{
	static const mach_port_right_t wrong[] = { MACH_PORT_RIGHT_SEND, MACH_PORT_RIGHT_SEND_ONCE,
						   MACH_PORT_RIGHT_LABELH, 6, 0xffffffff };
	mach_port_name_t name;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_refused_without_trace(w, port_allocate(a, wrong[i], &name),
					     KERN_INVALID_VALUE);
		assert_refused_without_trace(w, port_allocate_name(a, wrong[i], 0x2a03),
					     KERN_INVALID_VALUE);
	}
}

/* ---- allocate_name (§9.2): the checks in their order -------------------------------------- */

TEST_1(allocate_name_gives_the_name_asked_for)
{
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0x2a07));
	assert_entry(a, 0x2a07, MACH_PORT_TYPE_RECEIVE, 0);
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_PORT_SET, 0x2bff));
	assert_entry(a, 0x2bff, MACH_PORT_TYPE_PORT_SET, 0);
}

TEST_1(allocate_name_grows_the_table_to_hold_the_index)
{
	mach_port_name_t name = new_port(a);

	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, (20000u << 8) | 3));
	assert_entry(a, (20000u << 8) | 3, MACH_PORT_TYPE_RECEIVE, 0);
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
	for (int i = 0; i < 100; i++)
		new_port(a);
}

TEST_1(allocate_name_refuses_null_and_dead)
{
	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0),
				     KERN_INVALID_VALUE);
	assert_refused_without_trace(
	    w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, MACH_PORT_DEAD), KERN_INVALID_VALUE);
}

TEST_1(allocate_name_looks_at_the_index_before_the_low_bits)
{
	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0xfffffe00),
				     KERN_NO_SPACE);
	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0xfffffe03),
				     KERN_NO_SPACE);
}

TEST_1(allocate_name_wants_both_low_bits)
{
	for (uint32_t low = 0; low < 3; low++)
		assert_refused_without_trace(
		    w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0x2a00 | low),
		    KERN_INVALID_VALUE);
	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 2),
				     KERN_INVALID_VALUE); /* before index 0 */
}

TEST_1(allocate_name_refuses_index_0)
{
	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 3),
				     KERN_FAILURE);
}

TEST_1(allocate_name_refuses_a_used_name_and_a_used_index)
{
	mach_port_name_t name = new_port(a);

	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, name),
				     KERN_NAME_EXISTS);
	assert_refused_without_trace(w, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, name + 4),
				     KERN_FAILURE);
}

TEST_1(allocate_name_of_a_dead_name_ignores_the_name)
{
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_DEAD_NAME, 0x2a03));
	assert_no_entry(a, 0x2a03);
	assert_int_equal(w->completed, 1);
}

TEST_1(allocate_name_of_a_dead_name_ignores_what_is_wrong_with_the_name)
{
	mach_port_name_t port = new_port(a);

	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_DEAD_NAME, port));
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_DEAD_NAME, 0x2a00));
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_DEAD_NAME, 0xffffff03));
	assert_entry(a, port, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_1(a_name_taken_by_hand_is_free_for_others_when_it_goes)
{
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0x1103));
	assert_ok(port_destroy(a, 0x1103));
	assert_no_entry(a, 0x1103);
	assert_int_equal(INDEX(new_port(a)), 0x11);
}

/* ---- allocate_full (§9.3) ----------------------------------------------------------------- */

TEST_1(allocate_full_takes_a_name_when_asked)
{
	mach_port_name_t name = 0x2a03;

	assert_ok(port_allocate_full(a, MACH_PORT_RIGHT_RECEIVE, 1, 0, &name));
	assert_int_equal(name, 0x2a03);
	name = 0x2b03;
	assert_ok(port_allocate_full(a, MACH_PORT_RIGHT_RECEIVE, 0, 0, &name));
	assert_int_not_equal(name, 0x2b03);
	assert_entry(a, name, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_1(allocate_full_refuses_null_and_dead_names)
{
	mach_port_name_t name = 0;

	assert_refused_without_trace(w, port_allocate_full(a, MACH_PORT_RIGHT_RECEIVE, 1, 0, &name),
				     KERN_INVALID_VALUE);
	name = MACH_PORT_DEAD;
	assert_refused_without_trace(w, port_allocate_full(a, MACH_PORT_RIGHT_RECEIVE, 1, 0, &name),
				     KERN_INVALID_VALUE);
}

TEST_1(prealloc_is_for_receive_rights)
{
	mach_port_name_t name = 0;

	assert_refused_without_trace(
	    w, port_allocate_full(a, MACH_PORT_RIGHT_PORT_SET, 2, 64, &name), KERN_INVALID_VALUE);
	name = 0;
	assert_ok(port_allocate_full(a, MACH_PORT_RIGHT_RECEIVE, 2, 64, &name));
	name = 0;
	assert_refused_without_trace(
	    w, port_allocate_full(a, MACH_PORT_RIGHT_RECEIVE, 2, 0xffffffff, &name),
	    KERN_RESOURCE_SHORTAGE);
}

/* ---- the task argument (§9) ------------------------------------------------------------------ */

TEST_1(a_task_argument_that_is_no_task_is_refused)
{
	mach_port_name_t name;

	a->target = 0;
	assert_refused_without_trace(w, port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name),
				     MACH_SEND_INVALID_DEST);
	a->target = 0x7703;
	assert_refused_without_trace(w, port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name),
				     MACH_SEND_INVALID_DEST);
	a->target = MACH_PORT_DEAD;
	assert_refused_without_trace(w, port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name),
				     MACH_SEND_INVALID_DEST);
}

TEST_1(a_task_argument_that_is_another_kernel_object_is_an_invalid_task)
{
	mach_port_name_t host = host_self(a), name;
	uint64_t context;

	a->target = host;
	assert_refused_without_trace(w, port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name),
				     KERN_INVALID_TASK);
	assert_refused_without_trace(w, port_destroy(a, 0), KERN_INVALID_TASK);
	assert_refused_without_trace(w, port_get_context(a, 0x103, &context),
				     KERN_INVALID_ARGUMENT);
}

TEST_2(a_task_port_lets_its_holder_act_on_that_task)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t name;

	a->target = task;
	name = new_port(a);
	a->target = BERTH_NAME_TASK_SELF;
	assert_entry(b, name, MACH_PORT_TYPE_RECEIVE, 0);
	assert_ok(port_destroy(b, name));
}

TEST_2(the_port_of_a_dead_task_is_no_task)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
	mach_port_name_t name;

	world_task_die(b->party);
	a->target = task;
	assert_code(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name), MACH_SEND_INVALID_DEST);
}
