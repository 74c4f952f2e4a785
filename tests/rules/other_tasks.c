/* Ports of other tasks, and what their holder is told: mach-kobjects.md §3, §7. */
#include <mach/exception_types.h>
#include <mach/mig_errors.h>
#include <mach/thread_status.h>

#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/rpc.h"

#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define KOBJECT_TASK 2
#define KOBJECT_TASK_NAME 20

/* A trap of @t about the task that the host has found, or found not allowed: NULL. */
static kern_return_t
for_pid(struct actor *t, uint32_t number, struct task *subject, mach_port_name_t *name)
{
	struct trap_frame frame = { .number = number, .subject = subject };

	assert_true(world_trap(t, &frame));
	*name = (mach_port_name_t)t->outcome.values[0];
	return t->outcome.code;
}

static uint64_t
kobject_of(struct actor *t, mach_port_name_t name)
{
	assert_ok(trap(t, BERTH_TRAP_PORT_KOBJECT, t->target, name, 0, 0, 0, 0));
	return t->outcome.values[0];
}

TEST_2(the_port_of_another_task_is_what_its_own_calls_take)
{
	mach_port_name_t task, made;
	mach_port_type_t type;

	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &task));
	assert_entry(a, task, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(kobject_of(a, task), KOBJECT_TASK);
	a->target = task;
	assert_ok(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &made));
	a->target = BERTH_NAME_TASK_SELF;
	assert_ok(port_type(b, made, &type));
	assert_int_equal(type, MACH_PORT_TYPE_RECEIVE);
}

TEST_2(the_name_of_another_task_gives_nothing_but_who_it_is)
{
	mach_port_name_t task, made;

	assert_ok(for_pid(a, BERTH_TRAP_TASK_NAME_FOR_PID, b->party->task, &task));
	assert_int_equal(kobject_of(a, task), KOBJECT_TASK_NAME);
	assert_ok(trap(a, BERTH_TRAP_PID_FOR_TASK, task, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], kernel_task_pid(b->party->task));
	a->target = task;
	assert_refused_without_trace(w, port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &made),
				     KERN_INVALID_TASK);
}

TEST_2(each_asking_is_one_more_reference)
{
	mach_port_name_t first, second;

	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &first));
	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &second));
	assert_int_equal(first, second);
	assert_entry(a, first, MACH_PORT_TYPE_SEND, 2);
}

TEST_1(a_task_that_the_host_does_not_give_is_not_to_be_had)
{
	mach_port_name_t name;

	assert_refused_without_trace(w, for_pid(a, BERTH_TRAP_TASK_FOR_PID, NULL, &name),
				     KERN_FAILURE);
	assert_refused_without_trace(w, for_pid(a, BERTH_TRAP_TASK_NAME_FOR_PID, NULL, &name),
				     KERN_FAILURE);
}

TEST_2(the_port_of_a_task_dies_with_it)
{
	mach_port_name_t task;

	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &task));
	world_task_die(b->party);
	assert_entry(a, task, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_code(trap(a, BERTH_TRAP_TASK_PROCESS, task, 0, 0, 0, 0, 0), MACH_SEND_INVALID_DEST);
}

TEST_2(the_process_of_a_task_is_told_with_its_birth_and_token)
{
	mach_port_name_t task, name;

	kernel_task_set_birth(b->party->task, 0x123456789a);
	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &task));
	assert_ok(for_pid(a, BERTH_TRAP_TASK_NAME_FOR_PID, b->party->task, &name));
	for (int is_control = 0; is_control < 2; is_control++) {
		assert_ok(
		    trap(a, BERTH_TRAP_TASK_PROCESS, is_control ? task : name, 0, 0, 0, 0, 0));
		assert_int_equal(a->outcome.values[BERTH_TASK_PID],
				 kernel_task_pid(b->party->task));
		assert_int_equal(a->outcome.values[BERTH_TASK_BIRTH], 0x123456789a);
		assert_int_equal(a->outcome.values[BERTH_TASK_IS_CONTROL], is_control);
		assert_int_equal(a->outcome.bytes_size, sizeof(audit_token_t));
		assert_memory_equal(a->outcome.bytes, &b->party->token, sizeof(audit_token_t));
	}
}

TEST_1(only_a_task_has_a_process)
{
	const struct {
		mach_port_name_t name;
		kern_return_t code;
	} cases[] = {
		{ host_self(a), KERN_INVALID_ARGUMENT },
		{ thread_self(a), KERN_INVALID_ARGUMENT },
		{ new_port_with_send(a), BERTH_TRAP_BY_MESSAGE },
		{ new_port(a), MACH_SEND_INVALID_DEST },
		{ MACH_PORT_NULL, MACH_SEND_INVALID_DEST },
		{ MACH_PORT_DEAD, MACH_SEND_INVALID_DEST },
		{ 0x7777, MACH_SEND_INVALID_DEST },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused_without_trace(
		    w, trap(a, BERTH_TRAP_TASK_PROCESS, cases[i].name, 0, 0, 0, 0, 0),
		    cases[i].code);
}

/* ---- threads -------------------------------------------------------------------------------- */

TEST_2(every_thread_of_a_task_is_listed_once_by_its_port)
{
	mach_port_name_t task, names[4];
	struct thread *nested;

	for (int i = 0; i < 3; i++)
		world_thread_new(b->party);
	nested = kernel_thread_new(b->party->task, b->thread, NULL); /* no thread of its own */
	assert_non_null(nested);
	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &task));
	assert_ok(trap(a, BERTH_TRAP_TASK_THREADS, task, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 4);
	assert_int_equal(a->outcome.bytes_size, sizeof(names));
	memcpy(names, a->outcome.bytes, sizeof(names));
	for (int i = 0; i < 4; i++) {
		assert_entry(a, names[i], MACH_PORT_TYPE_SEND, 1);
		assert_int_equal(kobject_of(a, names[i]), 1);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(names[i], names[j]);
	}
	/* again: the same names, a reference more */
	assert_ok(trap(a, BERTH_TRAP_TASK_THREADS, task, 0, 0, 0, 0, 0));
	assert_memory_equal(a->outcome.bytes, names, sizeof(names));
	assert_entry(a, names[3], MACH_PORT_TYPE_SEND, 2);
}

TEST_2(the_threads_of_a_task_are_not_to_be_had_by_its_name)
{
	mach_port_name_t name;

	assert_ok(for_pid(a, BERTH_TRAP_TASK_NAME_FOR_PID, b->party->task, &name));
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_THREADS, name, 0, 0, 0, 0, 0),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_SUSPEND, name, 0, 0, 0, 0, 0),
				     KERN_INVALID_ARGUMENT);
}

TEST_1(what_is_no_task_has_no_threads_and_what_is_no_thread_no_number)
{
	mach_port_name_t port = new_port_with_send(a), dead = new_dead_name(a);
	const mach_port_name_t wrong[] = { MACH_PORT_NULL, dead, 0x7703 };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_not_equal(trap(a, BERTH_TRAP_TASK_THREADS, wrong[i], 0, 0, 0, 0, 0), 0);
		assert_int_not_equal(trap(a, BERTH_TRAP_THREAD_PROCESS, wrong[i], 0, 0, 0, 0, 0),
				     0);
	}
	/* whoever receives there is to be asked */
	assert_code(trap(a, BERTH_TRAP_TASK_THREADS, port, 0, 0, 0, 0, 0), BERTH_TRAP_BY_MESSAGE);
	assert_code(trap(a, BERTH_TRAP_THREAD_PROCESS, port, 0, 0, 0, 0, 0), BERTH_TRAP_BY_MESSAGE);
}

TEST_1(the_process_of_a_thread_is_told_with_its_number)
{
	mach_port_name_t thread = thread_self(a);

	kernel_task_set_birth(a->party->task, 77);
	kernel_thread_set_number(a->thread, 4711);
	assert_ok(trap(a, BERTH_TRAP_THREAD_PROCESS, thread, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[BERTH_TASK_PID], kernel_task_pid(a->party->task));
	assert_int_equal(a->outcome.values[BERTH_TASK_BIRTH], 77);
	assert_int_equal(a->outcome.values[BERTH_TASK_THREAD], 4711);
	assert_refused_without_trace(
	    w, trap(a, BERTH_TRAP_THREAD_PROCESS, BERTH_NAME_TASK_SELF, 0, 0, 0, 0, 0),
	    KERN_INVALID_ARGUMENT);
}

/* ---- suspension ---------------------------------------------------------------------------- */

TEST_2(suspensions_are_counted_whoever_asks)
{
	mach_port_name_t task;

	assert_ok(for_pid(a, BERTH_TRAP_TASK_FOR_PID, b->party->task, &task));
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_RESUME, task, 0, 0, 0, 0, 0),
				     KERN_FAILURE);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_ok(trap(i == 2 ? b : a, BERTH_TRAP_TASK_SUSPEND,
			       i == 2 ? BERTH_NAME_TASK_SELF : task, 0, 0, 0, 0, 0));
		assert_int_equal((i == 2 ? b : a)->outcome.values[0], i);
	}
	assert_ok(trap(a, BERTH_TRAP_TASK_PROCESS, task, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[BERTH_TASK_SUSPEND_COUNT], 3);
	for (uint64_t i = 3; i > 0; i--) {
		assert_ok(trap(a, BERTH_TRAP_TASK_RESUME, task, 0, 0, 0, 0, 0));
		assert_int_equal(a->outcome.values[0], i - 1);
	}
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_RESUME, task, 0, 0, 0, 0, 0),
				     KERN_FAILURE);
}

/* ---- exception ports ------------------------------------------------------------------------ */

#define TASK_SET_EXCEPTION_PORTS 3413

/* @t hears of what the processor raises in its task, on a port of its own. */
static void
hear_of_exceptions(struct actor *t)
{
	struct rpc r = rpc_to(TASK_SET_EXCEPTION_PORTS);

	message_add_port(&r.message, new_port_with_send(t), MACH_MSG_TYPE_COPY_SEND);
	rpc_u32(&r, EXC_MASK_BAD_ACCESS);
	rpc_u32(&r, EXCEPTION_DEFAULT);
	rpc_u32(&r, x86_THREAD_STATE64);
	t->target = BERTH_NAME_TASK_SELF;
	assert_ok(rpc_call(t, new_port(t), &r));
}

/* Gives the task of @parent the ids that its next child has, but for @other, one of them. */
static struct party *
child_of(struct world *w, struct party *parent, uint32_t other)
{
	audit_token_t token = parent->token;
	uint32_t n = w->party_count;

	for (uint32_t i = 0; i < 5; i++)
		token.val[i] = (i + 1) * 1000 + n + (i == other);
	kernel_task_set_token(parent->task, &token);
	return world_task_new(w, parent);
}

TEST_1(who_has_the_rights_of_its_maker_inherits_its_exception_ports)
{
	hear_of_exceptions(a);
	assert_true(kernel_task_watches_exceptions(a->party->task));
	assert_true(kernel_task_watches_exceptions(child_of(w, a->party, UINT32_MAX)->task));
}

TEST_1(who_has_other_rights_than_its_maker_inherits_no_exception_ports)
{
	hear_of_exceptions(a);
	for (uint32_t other = 0; other < 5; other++)
		assert_false(kernel_task_watches_exceptions(child_of(w, a->party, other)->task));
}
