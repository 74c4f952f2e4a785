/* Semaphores: mach-kobjects.md §6. */
#include <mach/mig_errors.h>
#include <mach/sync_policy.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"
#include "tests/support/semaphores.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define FIFO SYNC_POLICY_FIFO
#define LIFO SYNC_POLICY_LIFO
#define KOBJECT_SEMAPHORE 23

/* ---- making and ending ---------------------------------------------------------------------- */

TEST_1(a_semaphore_is_a_send_right_to_a_kernel_object)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0);

	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, sem, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], KOBJECT_SEMAPHORE);
	assert_ok(port_deallocate(a, sem));
	assert_no_entry(a, sem);
}

TEST_1(what_makes_no_semaphore_is_refused)
{
	static const struct {
		int policy, value;
		kern_return_t code;
	} cases[] = {
		{ FIFO, 0, KERN_SUCCESS },
		{ LIFO, 0, KERN_SUCCESS },
		{ 4, 0, KERN_SUCCESS },
		{ FIFO, 0x7fffffff, KERN_SUCCESS },
		{ FIFO, -1, KERN_INVALID_ARGUMENT },
		{ 1, 0, KERN_INVALID_ARGUMENT },
		{ 8, 0, KERN_INVALID_ARGUMENT },
		{ -1, 0, KERN_INVALID_ARGUMENT },
	};
	mach_port_name_t sem, host = host_self(a);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t ports = world_counts(w).ports;

		assert_code(sem_create(a, cases[i].policy, cases[i].value, &sem), cases[i].code);
		if (cases[i].code == KERN_SUCCESS)
			assert_ok(port_deallocate(a, sem));
		assert_int_equal(world_counts(w).ports, ports);
	}
	a->target = host; /* no task */
	assert_code(sem_create(a, FIFO, 0, &sem), KERN_INVALID_ARGUMENT);
}

TEST_1(nobody_gets_a_semaphore_that_nobody_asked_for)
{
	struct message m = message_to(BERTH_NAME_TASK_SELF, COPY);
	static const uint32_t data[4] = { 0, 1, FIFO, 0 }; /* NDR, policy, value */
	uint32_t ports = world_counts(w).ports;

	message_id(&m, 3418);
	message_add_data(&m, data, sizeof data);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_int_equal(world_counts(w).ports, ports);
}

TEST_1(destroying_consumes_the_right)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), plain = new_port_with_send(a);

	assert_code(sem_wait(waiter, sem), BLOCKED);
	assert_ok(sem_destroy(a, sem));
	assert_no_entry(a, sem);
	assert_code(sem_finished(waiter), KERN_TERMINATED);
	assert_code(sem_destroy(a, MACH_PORT_NULL), KERN_INVALID_ARGUMENT);
	assert_code(sem_destroy(a, plain), KERN_INVALID_ARGUMENT);
	assert_entry(a, plain, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_2(only_the_owner_ends_it)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), theirs = give(a, sem, COPY, b);
	struct actor *waiter = world_thread_new(a->party);

	assert_code(sem_wait(waiter, sem), BLOCKED);
	assert_ok(sem_destroy(b, theirs));
	assert_no_entry(b, theirs);
	assert_true(waiter->parked);
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_finished(waiter));
}

TEST_2(every_operation_on_one_that_is_destroyed_says_so)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 2), theirs = give(a, sem, COPY, b);
	mach_port_name_t good = new_semaphore(b, FIFO, 1), self = thread_self(b);

	assert_ok(sem_destroy(a, sem));
	assert_entry(b, theirs, MACH_PORT_TYPE_SEND, 1);
	assert_refused_without_trace(w, sem_signal(b, theirs), KERN_TERMINATED);
	assert_refused_without_trace(w, sem_signal_all(b, theirs), KERN_TERMINATED);
	assert_refused_without_trace(w, sem_signal_thread(b, theirs, self), KERN_TERMINATED);
	assert_refused_without_trace(w, sem_wait(b, theirs), KERN_TERMINATED);
	assert_refused_without_trace(w, sem_timedwait(b, theirs, 0, 1), KERN_TERMINATED);
	assert_refused_without_trace(w, sem_wait_signal(b, theirs, good), KERN_TERMINATED);
	assert_refused_without_trace(w, sem_wait_signal(b, good, theirs), KERN_TERMINATED);
	assert_ok(sem_destroy(b, theirs));
	assert_no_entry(b, theirs);
}

TEST_2(its_last_send_right_takes_it_along)
{
	struct actor *waiter = world_thread_new(b->party), *late = world_thread_new(b->party);
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), theirs = give(a, sem, MOVE, b);
	uint32_t ports = world_counts(w).ports;

	assert_code(sem_wait(waiter, theirs), BLOCKED);
	assert_code(sem_timedwait(late, theirs, 5, 0), BLOCKED);
	assert_ok(port_deallocate(b, theirs));
	assert_code(sem_finished(waiter), KERN_TERMINATED);
	assert_code(sem_finished(late), KERN_TERMINATED);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
	assert_int_equal(world_counts(w).ports, ports - 1);
}

TEST_2(a_right_that_travels_keeps_it)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 3), back;
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_add_port(&m, sem, MOVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_no_entry(a, sem);
	back = mailbox_take(b);
	assert_int_equal(sem_count(b, back), 3);
	/* in a message that nobody gets it dies */
	m = message_to(b->party->mailbox_of[0], COPY);
	message_add_port(&m, back, MOVE);
	assert_ok(msg_send(b, &m, 0, 0));
	assert_ok(port_destroy(a, a->party->mailbox));
}

TEST_2(the_death_of_its_owner_terminates_it)
{
	struct actor *waiter = world_thread_new(b->party);
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), theirs = give(a, sem, COPY, b);

	assert_code(sem_wait(waiter, theirs), BLOCKED);
	world_task_die(a->party);
	assert_code(sem_finished(waiter), KERN_TERMINATED);
	assert_entry(b, theirs, MACH_PORT_TYPE_SEND, 1);
	assert_code(sem_signal(b, theirs), KERN_TERMINATED);
}

TEST_2(a_program_that_is_replaced_loses_its_semaphores)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), theirs = give(a, sem, COPY, b);

	assert_code(sem_wait(b, theirs), BLOCKED);
	world_task_exec(a->party);
	assert_code(sem_finished(b), KERN_TERMINATED);
}

TEST_2(the_death_of_a_waiter_leaves_the_count)
{
	struct actor *waiter = world_thread_new(b->party);
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), theirs = give(a, sem, COPY, b);

	assert_code(sem_wait(waiter, theirs), BLOCKED);
	world_thread_exit(waiter);
	assert_code(sem_wait(b, theirs), BLOCKED);
	world_task_die(b->party);
	assert_ok(sem_signal(a, sem));
	assert_int_equal(sem_count(a, sem), 1);
}

TEST_2(one_can_be_made_for_another_task)
{
	mach_port_name_t other = give(b, BERTH_NAME_TASK_SELF, COPY, a), sem;

	a->target = other;
	assert_ok(sem_create(a, FIFO, 0, &sem));
	a->target = BERTH_NAME_TASK_SELF;
	assert_code(sem_timedwait(a, sem, 0, 0), KERN_OPERATION_TIMED_OUT);
	world_task_die(b->party);
	assert_code(sem_timedwait(a, sem, 0, 0), KERN_TERMINATED);
}

/* ---- counting and waiting -------------------------------------------------------------------- */

TEST_1(signals_count_and_waits_take)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 1);

	assert_ok(sem_wait(a, sem));
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_wait(a, sem));
	assert_ok(sem_wait(a, sem));
	assert_code(sem_timedwait(a, sem, 0, 0), KERN_OPERATION_TIMED_OUT);
	assert_code(sem_wait(a, sem), BLOCKED);
	world_interrupt(a);
	assert_code(sem_finished(a), KERN_ABORTED);
	assert_int_equal(sem_count(a, sem), 0);
}

TEST_1(a_full_count_stays_full)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0x7fffffff);

	assert_ok(sem_signal(a, sem));
	assert_ok(sem_wait(a, sem));
}

static void
order_is(struct actor *a, int policy, const int order[3])
{
	mach_port_name_t sem = new_semaphore(a, policy, 0);
	struct actor *waiters[3];

	for (int i = 0; i < 3; i++) {
		waiters[i] = world_thread_new(a->party);
		assert_code(sem_wait(waiters[i], sem), BLOCKED);
	}
	for (int i = 0; i < 3; i++) {
		assert_ok(sem_signal(a, sem));
		assert_int_equal(a->world->completed, 2); /* the signal and one wait */
		assert_ok(sem_finished(waiters[order[i]]));
	}
	assert_int_equal(sem_count(a, sem), 0); /* what woke somebody is not counted, too */
}

TEST_1(waiters_wake_in_the_order_of_the_policy)
{
	order_is(a, FIFO, (const int[3]){ 0, 1, 2 });
	order_is(a, LIFO, (const int[3]){ 2, 1, 0 });
}

TEST_1(a_signal_to_all_wakes_who_is_there_and_counts_nothing)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0);
	struct actor *first = world_thread_new(a->party), *second = world_thread_new(a->party);

	assert_ok(sem_signal_all(a, sem));
	assert_int_equal(sem_count(a, sem), 0);
	assert_code(sem_wait(first, sem), BLOCKED);
	assert_code(sem_timedwait(second, sem, 9, 0), BLOCKED);
	assert_ok(sem_signal_all(a, sem));
	assert_ok(sem_finished(first));
	assert_ok(sem_finished(second));
	assert_int_equal(sem_count(a, sem), 0);
}

TEST_1(a_signal_to_a_thread_wakes_that_one)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0), other = new_semaphore(a, FIFO, 0);
	struct actor *first = world_thread_new(a->party), *second = world_thread_new(a->party);
	mach_port_name_t names[2] = { thread_self(first), thread_self(second) };
	mach_port_name_t plain = new_port_with_send(a);

	assert_refused_without_trace(w, sem_signal_thread(a, sem, names[1]), KERN_NOT_WAITING);
	assert_refused_without_trace(w, sem_signal_thread(a, sem, 0), KERN_NOT_WAITING);
	assert_code(sem_wait(first, sem), BLOCKED);
	assert_code(sem_wait(second, sem), BLOCKED);
	assert_refused_without_trace(w, sem_signal_thread(a, other, names[1]), KERN_NOT_WAITING);
	assert_refused_without_trace(w, sem_signal_thread(a, sem, a->target),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, sem_signal_thread(a, sem, 0x7703), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, sem_signal_thread(a, sem, plain), KERN_INVALID_ARGUMENT);
	assert_ok(sem_signal_thread(a, sem, names[1]));
	assert_ok(sem_finished(second));
	assert_true(first->parked);
	assert_ok(sem_signal_thread(a, sem, MACH_PORT_NULL));
	assert_ok(sem_finished(first));
	world_thread_exit(first);
	assert_code(sem_signal_thread(a, sem, names[0]), KERN_INVALID_ARGUMENT);
}

TEST_1(a_thread_waits_for_its_time_and_no_longer)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0);
	struct actor *waiter = world_thread_new(a->party);

	assert_code(sem_timedwait(waiter, sem, 1, 500000000), BLOCKED);
	world_advance_ms(w, 1499);
	assert_true(waiter->parked);
	world_advance_ms(w, 1);
	assert_code(sem_finished(waiter), KERN_OPERATION_TIMED_OUT);
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_timedwait(waiter, sem, 1, 0));
	assert_code(sem_timedwait(waiter, sem, 0xffffffff, 999999999), BLOCKED);
	world_interrupt(waiter);
	assert_code(sem_finished(waiter), KERN_ABORTED);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_1(a_time_that_is_none_is_refused)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 1), other = new_semaphore(a, FIFO, 0);

	assert_refused_without_trace(w, sem_timedwait(a, sem, 0, 1000000000), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, sem_timedwait(a, sem, 0, (uint32_t)-1), KERN_INVALID_VALUE);
	assert_refused_without_trace(w, sem_timedwait_signal(a, sem, other, 1, 1000000000),
				     KERN_INVALID_VALUE);
}

TEST_1(a_wake_up_comes_once)
{
	mach_port_name_t sem = new_semaphore(a, FIFO, 0);
	struct actor *waiter = world_thread_new(a->party);

	assert_code(sem_timedwait(waiter, sem, 1, 0), BLOCKED);
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_finished(waiter));
	world_advance_ms(w, 5000);
	assert_int_equal(w->completed, 0);
	world_interrupt(waiter);
	assert_int_equal(w->completed, 0);
	assert_ok(sem_signal_all(a, sem));
	assert_int_equal(w->completed, 1); /* the signal itself */
}

TEST_2(signalling_and_waiting_is_one_step)
{
	mach_port_name_t ping = new_semaphore(a, FIFO, 0), pong = new_semaphore(a, FIFO, 0);
	mach_port_name_t their_ping = give(a, ping, COPY, b), their_pong = give(a, pong, COPY, b);

	assert_code(sem_wait(b, their_ping), BLOCKED);
	for (int i = 0; i < 3; i++) {
		assert_code(sem_wait_signal(a, pong, ping), BLOCKED);
		assert_ok(sem_finished(b));
		assert_code(sem_wait_signal(b, their_ping, their_pong), BLOCKED);
		assert_ok(sem_finished(a));
	}
	/* one that is there need not be waited for; its own signal is one */
	assert_ok(sem_wait_signal(a, pong, pong));
	assert_code(sem_timedwait_signal(a, pong, ping, 0, 0), KERN_OPERATION_TIMED_OUT);
	assert_ok(sem_finished(b)); /* the signal is given all the same */
	assert_code(sem_timedwait_signal(a, pong, ping, 0, 1000000), BLOCKED);
	world_advance_ms(w, 1);
	assert_code(sem_finished(a), KERN_OPERATION_TIMED_OUT);
	assert_int_equal(sem_count(b, their_ping), 1);
}

/* ---- what is no semaphore ----------------------------------------------------------------------
 */

static void
every_operation_says(struct actor *a, mach_port_name_t name, kern_return_t code)
{
	struct world *w = a->world;
	mach_port_name_t good = new_semaphore(a, FIFO, 1);

	assert_refused_without_trace(w, sem_signal(a, name), code);
	assert_refused_without_trace(w, sem_signal_all(a, name), code);
	assert_refused_without_trace(w, sem_signal_thread(a, name, 0), code);
	assert_refused_without_trace(w, sem_wait(a, name), code);
	assert_refused_without_trace(w, sem_timedwait(a, name, 1, 0), code);
	assert_refused_without_trace(w, sem_wait_signal(a, name, good), code);
	assert_refused_without_trace(w, sem_wait_signal(a, good, name), code);
	assert_refused_without_trace(w, sem_timedwait_signal(a, name, good, 1, 0), code);
	assert_refused_without_trace(w, sem_timedwait_signal(a, good, name, 1, 0), code);
}

TEST_2(a_name_that_is_no_semaphore_is_told_apart)
{
	mach_port_name_t port = new_port(a), dies = new_port_with_send(b), theirs;

	every_operation_says(a, MACH_PORT_NULL, KERN_INVALID_NAME);
	every_operation_says(a, MACH_PORT_DEAD, KERN_INVALID_NAME);
	every_operation_says(a, 0x7703, KERN_INVALID_NAME);
	every_operation_says(a, new_dead_name(a), KERN_INVALID_NAME);
	theirs = give(b, dies, COPY, a);
	assert_ok(port_mod_refs(b, dies, MACH_PORT_RIGHT_RECEIVE, -1));
	every_operation_says(a, theirs, KERN_INVALID_NAME);
	every_operation_says(a, port, KERN_INVALID_RIGHT);
	every_operation_says(a, new_set(a), KERN_INVALID_RIGHT);
	every_operation_says(a, new_send_once(a, port), KERN_INVALID_RIGHT);
	every_operation_says(a, new_port_with_send(a), KERN_INVALID_CAPABILITY);
	every_operation_says(a, BERTH_NAME_TASK_SELF, KERN_INVALID_CAPABILITY);
	every_operation_says(a, host_self(a), KERN_INVALID_CAPABILITY);
}

TEST_1(a_semaphore_serves_no_messages)
{
	mach_port_name_t reply = reply_port(a), sem = new_semaphore(a, FIFO, 0);
	struct rpc r = rpc_to(617200);

	a->target = sem;
	assert_code(rpc_call(a, reply, &r), MIG_BAD_ID);
	/* nor is it a task */
	r = rpc_to(3404);
	assert_code(rpc_call(a, reply, &r), KERN_INVALID_ARGUMENT);
	/* the right that a request uses up may be the last one */
	a->target = BERTH_NAME_TASK_SELF;
	assert_ok(send_id(a, sem, MOVE, 1));
	assert_no_entry(a, sem);
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

TEST_1(a_task_has_so_many_and_gets_each_back)
{
	const uint32_t most = 65536;
	mach_port_name_t sem, last = 0, reply = reply_port(a);

	w->quiet_audit = true;
	for (uint32_t i = 0; i < most; i++) {
		struct rpc r = rpc_to(3418);

		rpc_u32(&r, FIFO);
		rpc_u32(&r, 0);
		assert_ok(rpc_call(a, reply, &r));
		last = got.descriptors[0].name;
	}
	assert_code(sem_create(a, FIFO, 0, &sem), KERN_RESOURCE_SHORTAGE);
	assert_ok(port_deallocate(a, last));
	assert_ok(sem_create(a, FIFO, 0, &sem));
	kernel_audit(w->kernel);
}
