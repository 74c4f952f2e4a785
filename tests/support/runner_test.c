/* The runner and the world see what they are for: tests that must fail, and do. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/calls.h"
#include "tests/support/world.h"

MUST_FAIL(a_false_assertion_is_seen, 10)
{
	assert_int_equal(1, 2);
}

MUST_FAIL(a_crash_is_seen, 10)
{
	abort();
}

MUST_FAIL(a_hang_is_seen, 1)
{
	for (;;)
		pause();
}

MUST_FAIL(a_leak_of_the_core_is_seen, 10)
{
	struct world *w = world_new(1);

	w->fault->heap.alloc(w->fault->heap.context, 1);
	world_free(w);
}

MUST_FAIL(memory_freed_with_another_size_is_seen, 10)
{
	struct fault fault;

	fault_init(&fault);
	fault.heap.free(&fault, fault.heap.alloc(&fault, 16), 24);
}

MUST_FAIL(a_leaked_segment_is_seen, 10)
{
	struct world *w = world_new(1);

	segment_new(w, "bulk", 4);
	world_free(w);
}

MUST_FAIL(a_trace_of_a_refused_call_is_seen, 10)
{
	struct world *w = world_new(1);
	struct actor *a = world_actor(w, 0);
	mach_port_name_t name;

	assert_refused_without_trace(w, port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name),
				     KERN_SUCCESS);
}

TEST(an_empty_world_leaves_nothing)
{
	world_free(world_new(0));
	world_free(world_new(1));
}

TEST(tasks_hold_send_rights_to_each_others_mailboxes)
{
	struct world *w = world_new(4);

	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t j = 0; j < 4; j++)
			assert_true(type_of(world_actor(w, i), w->parties[i].mailbox_of[j]) &
				    MACH_PORT_TYPE_SEND);
	world_free(w);
}

TEST(each_allocation_fails_once)
{
	int runs = 0;

	FOR_EACH_FAILURE (fault) {
		void *pieces[3];
		int got = 0;

		fault_arm(&fault);
		for (int i = 0; i < 3; i++) {
			pieces[i] = fault.heap.alloc(&fault, 8);
			got += pieces[i] != NULL;
		}
		assert_int_equal(got, fault.hit ? 2 : 3);
		assert_int_equal(fault.live_count, got);
		for (int i = 0; i < 3; i++)
			fault.heap.free(&fault, pieces[i], 8);
		assert_int_equal(fault.live_count, 0);
		runs++;
	}
	assert_int_equal(runs, 4);
}
