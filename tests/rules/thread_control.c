/* Single threads that are suspended, interrupted and ended: mach-kobjects.md §7. */
#include <string.h>

#include <mach/thread_status.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"
#include "tests/support/message.h"

static kern_return_t
control(struct actor *t, uint32_t number, mach_port_name_t thread)
{
	return trap(t, number, thread, 0, 0, 0, 0, 0);
}

/* @t asks whether it may go on.  False: it is held. */
static bool
hold(struct actor *t)
{
	struct trap_frame frame = { .number = BERTH_TRAP_THREAD_HOLD };

	return world_trap(t, &frame);
}

/* A thread beside @t, and the name by which @t has it. */
static struct actor *
beside(struct actor *t, mach_port_name_t *name)
{
	struct actor *other = world_thread_new(t->party);

	*name = thread_self(other);
	return other;
}

static uint64_t
told(struct actor *t, mach_port_name_t thread, uint32_t value)
{
	assert_ok(control(t, BERTH_TRAP_THREAD_PROCESS, thread));
	return t->outcome.values[value];
}

TEST_1(a_suspended_thread_is_held_until_the_count_is_back)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	assert_refused_without_trace(w, control(a, BERTH_TRAP_THREAD_RESUME, name), KERN_FAILURE);
	assert_true(hold(other));
	for (uint64_t count = 1; count <= 2; count++) {
		assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
		assert_int_equal(a->outcome.values[0], count);
	}
	assert_int_equal(told(a, name, BERTH_TASK_THREAD_SUSPEND_COUNT), 2);
	assert_int_equal(told(a, name, BERTH_TASK_THREAD_WAITS), 0);
	assert_false(hold(other));
	assert_int_equal(told(a, name, BERTH_TASK_THREAD_WAITS), 1);
	assert_ok(control(a, BERTH_TRAP_THREAD_RESUME, name));
	assert_true(other->parked);
	assert_ok(control(a, BERTH_TRAP_THREAD_RESUME, name));
	assert_int_equal(world_completed(other)->code, KERN_SUCCESS);
	assert_int_equal(told(a, name, BERTH_TASK_THREAD_WAITS), 0);
}

TEST_1(a_count_has_an_end)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	(void)other;
	w->quiet_audit = true;
	for (uint32_t i = 0; i < THREAD_SUSPEND_MAX; i++)
		assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_refused_without_trace(w, control(a, BERTH_TRAP_THREAD_SUSPEND, name), KERN_FAILURE);
}

TEST_1(a_nested_level_is_held_for_its_thread)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name),
		     *nested = &a->party->actors[a->party->actor_count++];

	*nested = (struct actor){ .world = w, .party = a->party };
	nested->thread = kernel_thread_new(a->party->task, other->thread, nested);
	assert_non_null(nested->thread);
	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_false(hold(nested));
	assert_int_equal(told(a, name, BERTH_TASK_THREAD_WAITS), 1);
	world_thread_exit(other);
	assert_int_equal(world_completed(nested)->code, KERN_TERMINATED);
}

TEST_1(the_host_can_have_a_held_thread_come_back)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_false(hold(other));
	world_interrupt(other);
	assert_int_equal(world_completed(other)->code, KERN_ABORTED);
}

TEST_1(the_registers_of_a_held_thread_are_others_to_read_and_change)
{
	struct {
		x86_thread_state64_t thread;
		x86_exception_state64_t exception;
	} registers;
	struct trap_frame frame = { .number = BERTH_TRAP_THREAD_HOLD,
				    .bytes = &registers,
				    .bytes_size = sizeof registers };
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	memset(&registers, 7, sizeof registers);
	assert_true(world_trap(other, &frame));
	assert_int_equal(other->outcome.bytes_size, 0);
	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_false(world_trap(other, &frame));
	assert_ok(control(a, BERTH_TRAP_THREAD_RESUME, name));
	const struct outcome *outcome = world_completed(other);
	assert_int_equal(outcome->bytes_size, sizeof registers);
	assert_memory_equal(outcome->bytes, &registers, sizeof registers);
	frame.bytes_size--;
	assert_true(world_trap(other, &frame));
	assert_int_equal(other->outcome.code, KERN_INVALID_ARGUMENT);
}

/* Waits for the stop of a thread.  False: it has not stopped yet. */
static bool
await_stop(struct actor *t, mach_port_name_t thread)
{
	struct trap_frame frame = { .number = BERTH_TRAP_THREAD_SUSPEND, .args = { thread, 1 } };

	return world_trap(t, &frame);
}

TEST_1(who_waits_for_a_stop_goes_on_when_the_thread_waits_whatever_for)
{
	struct actor *third = world_thread_new(a->party);
	mach_port_name_t name;
	struct actor *other = beside(a, &name);
	struct trap_frame receive = { .number = BERTH_TRAP_MSG,
				      .args = { MACH_RCV_MSG, 0, 100, new_port(a) } };

	assert_true(await_stop(a, name)); /* nobody has suspended it */
	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_false(await_stop(a, name));
	assert_false(await_stop(third, name));
	assert_false(hold(other));
	assert_int_equal(world_completed(a)->code, KERN_SUCCESS);
	assert_int_equal(world_completed(third)->code, KERN_SUCCESS);
	assert_true(await_stop(a, name)); /* it has stopped */
	assert_int_equal(told(a, name, BERTH_TASK_THREAD_SUSPEND_COUNT), 1);

	world_interrupt(other); /* the host has it ask again; instead it waits for a message */
	assert_int_equal(world_completed(other)->code, KERN_ABORTED);
	assert_false(await_stop(a, name));
	assert_false(world_trap(other, &receive));
	assert_int_equal(world_completed(a)->code, KERN_SUCCESS);
}

TEST_1(a_nested_level_stops_for_its_thread)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name),
		     *nested = &a->party->actors[a->party->actor_count++];

	*nested = (struct actor){ .world = w, .party = a->party };
	nested->thread = kernel_thread_new(a->party->task, other->thread, nested);
	assert_non_null(nested->thread);
	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_true(await_stop(nested, name)); /* of itself it cannot see it */
	assert_false(await_stop(a, name));
	assert_false(hold(nested));
	assert_int_equal(world_completed(a)->code, KERN_SUCCESS);
}

TEST_1(who_waits_for_a_stop_goes_on_when_there_will_be_none)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	for (int way = 0; way < 5; way++) {
		struct actor *steering = world_thread_new(a->party);

		assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
		assert_false(await_stop(a, name));
		if (way == 0)
			world_interrupt(a);
		else if (way == 1)
			world_advance_ms(w, THREAD_STOP_WAIT_NS / 1000000);
		else if (way == 2)
			assert_ok(control(steering, BERTH_TRAP_THREAD_RESUME, name));
		else if (way == 3)
			assert_ok(control(steering, BERTH_TRAP_THREAD_TERMINATE, name));
		else
			world_thread_exit(other);
		assert_int_equal(world_completed(a)->code, way == 0  ? KERN_ABORTED
							   : way < 3 ? KERN_SUCCESS
								     : KERN_TERMINATED);
		if (way < 2)
			assert_ok(control(a, BERTH_TRAP_THREAD_RESUME, name));
		if (way == 3)
			other = beside(a, &name);
	}
}

TEST_1(two_threads_that_stop_each_other_both_get_there)
{
	mach_port_name_t first = thread_self(a), second;
	struct actor *other = beside(a, &second);

	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, second));
	assert_ok(control(other, BERTH_TRAP_THREAD_SUSPEND, first));
	assert_false(await_stop(a, second));
	assert_true(await_stop(other, first)); /* which waits */
	assert_false(hold(other));
	assert_int_equal(world_completed(a)->code, KERN_SUCCESS);
	assert_false(hold(a));
}

TEST_1(abort_ends_what_a_thread_waits_for_in_the_kernel)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);
	struct trap_frame receive = { .number = BERTH_TRAP_MSG,
				      .args = { MACH_RCV_MSG, 0, 100, new_port(a) } };

	assert_false(world_trap(other, &receive));
	assert_ok(control(a, BERTH_TRAP_THREAD_ABORT, name));
	assert_int_equal(a->outcome.values[0], 1);
	assert_int_equal(world_completed(other)->code, MACH_RCV_INTERRUPTED);
	assert_true(hold(other));
	assert_int_equal(other->outcome.values[0], 0);
}

TEST_1(abort_of_a_thread_that_does_not_wait_is_told_once)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	for (int is_held = 0; is_held < 2; is_held++) {
		if (is_held)
			assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
		if (is_held)
			assert_false(hold(other));
		assert_ok(control(a, BERTH_TRAP_THREAD_ABORT, name));
		assert_int_equal(a->outcome.values[0], 0);
		if (is_held)
			assert_ok(control(a, BERTH_TRAP_THREAD_RESUME, name));
		else
			assert_true(hold(other));
		assert_int_equal(
		    is_held ? world_completed(other)->values[0] : other->outcome.values[0], 1);
		assert_true(hold(other));
		assert_int_equal(other->outcome.values[0], 0);
	}
}

TEST_1(a_terminated_thread_takes_no_more_orders)
{
	static const uint32_t numbers[] = { BERTH_TRAP_THREAD_SUSPEND, BERTH_TRAP_THREAD_RESUME,
					    BERTH_TRAP_THREAD_ABORT, BERTH_TRAP_THREAD_TERMINATE,
					    BERTH_TRAP_THREAD_PROCESS };
	mach_port_name_t name;
	struct actor *other = beside(a, &name);

	assert_ok(control(a, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_false(hold(other));
	assert_ok(control(a, BERTH_TRAP_THREAD_TERMINATE, name));
	assert_int_equal(world_completed(other)->code, KERN_TERMINATED);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		assert_refused_without_trace(w, control(a, numbers[i], name), KERN_TERMINATED);
	assert_true(hold(other));
	assert_int_equal(other->outcome.code, KERN_TERMINATED);
	world_thread_exit(other);
	assert_code(control(a, BERTH_TRAP_THREAD_SUSPEND, name), MACH_SEND_INVALID_DEST);
}

TEST_1(what_a_terminated_thread_waits_for_ends_when_it_is_said)
{
	mach_port_name_t name;
	struct actor *other = beside(a, &name);
	struct trap_frame receive = { .number = BERTH_TRAP_MSG,
				      .args = { MACH_RCV_MSG, 0, 100, new_port(a) } };

	assert_false(world_trap(other, &receive));
	assert_ok(control(a, BERTH_TRAP_THREAD_TERMINATE, name));
	assert_true(other->parked);
	assert_ok(trap(a, BERTH_TRAP_THREAD_TERMINATE, name, 1, 0, 0, 0, 0));
	assert_int_equal(world_completed(other)->code, MACH_RCV_INTERRUPTED);
}

TEST_2(a_task_dies_while_its_threads_are_held)
{
	mach_port_name_t name;
	struct actor *other = beside(b, &name);

	assert_ok(control(b, BERTH_TRAP_THREAD_SUSPEND, name));
	assert_false(hold(other));
	world_task_die(b->party);
}

TEST_1(only_a_thread_takes_orders)
{
	static const uint32_t numbers[] = { BERTH_TRAP_THREAD_SUSPEND, BERTH_TRAP_THREAD_RESUME,
					    BERTH_TRAP_THREAD_ABORT, BERTH_TRAP_THREAD_TERMINATE };
	const struct {
		mach_port_name_t name;
		kern_return_t code;
	} cases[] = {
		{ host_self(a), KERN_INVALID_ARGUMENT },
		{ BERTH_NAME_TASK_SELF, KERN_INVALID_ARGUMENT },
		{ new_port_with_send(a), BERTH_TRAP_BY_MESSAGE },
		{ new_port(a), MACH_SEND_INVALID_DEST },
		{ MACH_PORT_NULL, MACH_SEND_INVALID_DEST },
		{ 0x7777, MACH_SEND_INVALID_DEST },
	};

	for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			assert_refused_without_trace(w, control(a, numbers[n], cases[i].name),
						     cases[i].code);
}
