/* Ports that an event loop watches: BERTH_TRAP_PORT_WATCH, kernel/kernel.h. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND

static struct watch *
watch(struct actor *t, mach_port_name_t name)
{
	assert_ok(trap(t, BERTH_TRAP_PORT_WATCH, name, 0, 0, 0, 0, 0));
	assert_non_null(t->outcome.watch);
	return t->outcome.watch;
}

TEST_1(a_watch_is_ready_while_a_message_waits)
{
	mach_port_name_t port = new_port_with_send(a);
	struct watch *seen = watch(a, port);

	assert_false(seen->ready);
	fill(a, port, 2);
	assert_true(seen->ready);
	take_id(a, port);
	assert_true(seen->ready);
	take_id(a, port);
	assert_false(seen->ready);
	fill(a, port, 1);
	assert_true(seen->ready);
}

TEST_1(a_watch_of_a_port_with_messages_is_ready_at_once)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 1);
	assert_true(watch(a, port)->ready);
}

TEST_1(a_set_is_watched_like_a_port)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a);
	struct watch *seen = watch(a, set);

	fill(a, port, 1);
	assert_false(seen->ready);
	assert_ok(port_insert_member(a, port, set));
	assert_true(seen->ready);
	assert_ok(port_extract_member(a, port, set));
	assert_false(seen->ready);
	assert_ok(port_insert_member(a, port, set));
	take_id(a, set);
	assert_false(seen->ready);
}

TEST_1(a_message_for_a_waiting_thread_does_not_make_a_watch_ready)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port_with_send(a);
	struct watch *seen = watch(a, port);

	assert_code(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	fill(a, port, 1);
	assert_false(seen->ready);
	assert_ok(finished(waiter, NULL));
}

TEST_1(a_watch_of_a_dead_port_is_ready_and_closed)
{
	mach_port_name_t port = new_port(a), set = new_set(a);
	struct watch *of_port = watch(a, port), *of_set = watch(a, set);

	assert_ok(port_destroy(a, port));
	assert_ok(port_destroy(a, set));
	assert_true(of_port->ready && of_port->closed);
	assert_true(of_set->ready && of_set->closed);
	assert_int_equal(world_counts(w).watches, 0);
}

TEST_2(a_watch_of_a_port_that_moved_away_is_ready_and_closed)
{
	mach_port_name_t port = new_port(a);
	struct watch *seen = watch(a, port);

	give(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, b);
	assert_true(seen->ready && seen->closed);
}

TEST_2(the_watches_of_a_dead_task_are_closed)
{
	struct watch *seen = watch(b, b->party->mailbox);

	world_task_die(b->party);
	assert_true(seen->closed);
}

TEST_2(only_receive_rights_and_sets_are_watched)
{
	mach_port_name_t names[] = { 0, MACH_PORT_DEAD, 0x7703, new_dead_name(a), host_self(a) };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *before = world_dump(w);

		assert_int_not_equal(trap(a, BERTH_TRAP_PORT_WATCH, names[i], 0, 0, 0, 0, 0), 0);
		assert_null(a->outcome.watch);
		world_same(before, world_dump(w), __FILE__, __LINE__);
	}
}

TEST_1(a_host_without_descriptors_can_give_a_watch_back)
{
	mach_port_name_t port = new_port(a);
	struct watch *seen = watch(a, port);

	kernel_watch_free(w->kernel, seen->core);
	seen->core = NULL;
	kernel_audit(w->kernel);
	assert_int_equal(world_counts(w).watches, 0);
}
