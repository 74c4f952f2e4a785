/*
 * Somebody sets the clock of the machine, or it sleeps for a year: what the calendar clock tells
 * follows at once, and nothing else notices.  mach-kobjects.md §5.
 */
#include <string.h>

#include <mach/clock_types.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"
#include "tests/support/semaphores.h"

#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define COPY MACH_MSG_TYPE_COPY_SEND
#define DUE_MS 1000u
#define YEAR_NS (365ull * 24 * 3600 * NSEC_PER_SEC)
#define ALARM_REPLY 3125107

static mach_port_name_t
clock_of(struct actor *t, int id)
{
	mach_port_name_t reply = reply_port(t);
	struct rpc r = rpc_to(206);

	rpc_u32(&r, (uint32_t)id);
	t->target = host_self(t);
	assert_ok(rpc_call(t, reply, &r));
	t->target = BERTH_NAME_TASK_SELF;
	return got.descriptors[0].name;
}

static uint64_t
time_of(struct actor *t, mach_port_name_t clock)
{
	mach_port_name_t reply = reply_port(t);
	struct rpc r = rpc_to(1000);
	uint64_t sec;

	t->target = clock;
	assert_ok(rpc_call(t, reply, &r));
	t->target = BERTH_NAME_TASK_SELF;
	sec = rpc_result_u32(&r);
	return sec * NSEC_PER_SEC + rpc_result_u32(&r);
}

static void
set_alarm(struct actor *t, mach_port_name_t clock, uint32_t type, uint64_t time_ns,
	  mach_port_name_t port)
{
	mach_port_name_t reply = reply_port(t);
	struct rpc r = rpc_to(1002);

	message_add_port(&r.message, port, MAKE_ONCE);
	rpc_u32(&r, type);
	rpc_u32(&r, (uint32_t)(time_ns / NSEC_PER_SEC));
	rpc_u32(&r, (uint32_t)(time_ns % NSEC_PER_SEC));
	t->target = clock;
	assert_ok(rpc_call(t, reply, &r));
	t->target = BERTH_NAME_TASK_SELF;
}

/* One of each thing that ends with time, all due at the same moment. */
struct waits {
	struct actor *receiver, *sender, *waiter;
	mach_port_name_t alarm, alarm_at, timer, full;
};

static struct waits
waits_begin(struct world *w, struct actor *a, mach_port_name_t system)
{
	struct waits waits = { .receiver = world_thread_new(a->party),
			       .sender = world_thread_new(a->party),
			       .waiter = world_thread_new(a->party),
			       .alarm = new_port(a),
			       .alarm_at = new_port(a),
			       .full = new_port_with_send(a) };
	const uint64_t due_ns = w->now_ns + DUE_MS * 1000000ull;
	struct message m = message_to(waits.full, COPY);

	assert_code(
	    msg_receive(waits.receiver, new_port(a), MACH_RCV_TIMEOUT, ANY_SIZE, DUE_MS, NULL),
	    BLOCKED);
	fill(a, waits.full, 5);
	assert_code(msg_send(waits.sender, &m, MACH_SEND_TIMEOUT, DUE_MS), BLOCKED);
	assert_code(sem_timedwait(waits.waiter, new_semaphore(a, 0, 0), DUE_MS / 1000, 0), BLOCKED);
	set_alarm(a, system, TIME_RELATIVE, DUE_MS * 1000000ull, waits.alarm);
	set_alarm(a, system, TIME_ABSOLUTE, due_ns, waits.alarm_at);
	assert_ok(trap(a, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0));
	waits.timer = (mach_port_name_t)a->outcome.values[0];
	assert_ok(trap(a, BERTH_TRAP_MK_TIMER_ARM, waits.timer, due_ns, 0, 0, 0, 0));
	return waits;
}

static void
assert_waiting(struct world *w, struct actor *a, const struct waits *waits)
{
	assert_true(waits->receiver->parked && waits->sender->parked && waits->waiter->parked);
	assert_int_equal(msgcount_of(a, waits->alarm), 0);
	assert_int_equal(msgcount_of(a, waits->alarm_at), 0);
	assert_int_equal(msgcount_of(a, waits->timer), 0);
}

static void
assert_over(struct world *w, struct actor *a, const struct waits *waits)
{
	assert_code(finished(waits->receiver, NULL), MACH_RCV_TIMED_OUT);
	assert_code(finished(waits->sender, NULL), MACH_SEND_TIMED_OUT);
	assert_code(sem_finished(waits->waiter), KERN_OPERATION_TIMED_OUT);
	assert_int_equal(take_id(a, waits->alarm), ALARM_REPLY);
	assert_int_equal(take_id(a, waits->alarm_at), ALARM_REPLY);
	assert_int_equal(msgcount_of(a, waits->timer), 1);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST(a_wall_clock_that_jumps_moves_no_deadline)
{
	/* what is added to the offset: back to 1970, on to 2103, near the end of its 32 bits */
	static const uint64_t jumps[] = { 1,
					  (uint64_t)-1,
					  YEAR_NS,
					  (uint64_t)-YEAR_NS,
					  80 * YEAR_NS,
					  (uint64_t)-1700000000123456789,
					  (uint64_t)-1700000000500000000 };

	for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
		struct world *w = world_new(1);
		struct actor *a = world_actor(w, 0);
		mach_port_name_t system = clock_of(a, SYSTEM_CLOCK);
		mach_port_name_t calendar = clock_of(a, CALENDAR_CLOCK);
		struct waits waits = waits_begin(w, a, system);
		const uint64_t due_ns = kernel_next_deadline_ns(w->kernel);

		w->wall_offset_ns += jumps[i];
		world_advance_ms(w, 0);
		assert_true(time_of(a, calendar) == w->now_ns + w->wall_offset_ns);
		assert_true(time_of(a, system) == w->now_ns);
		assert_true(kernel_next_deadline_ns(w->kernel) == due_ns);
		assert_waiting(w, a, &waits);
		world_advance_ms(w, DUE_MS - 1);
		assert_waiting(w, a, &waits);
		w->wall_offset_ns -= jumps[i]; /* and it is set right in the very moment */
		world_advance_ms(w, 1);
		assert_over(w, a, &waits);
		assert_true(time_of(a, calendar) == w->now_ns + w->wall_offset_ns);
		world_free(w);
	}
}

TEST_1(a_year_of_sleep_ends_all_waits_at_once_and_each_once)
{
	mach_port_name_t system = clock_of(a, SYSTEM_CLOCK);
	struct waits waits = waits_begin(w, a, system);

	world_advance_ms(w, YEAR_NS / 1000000);
	assert_over(w, a, &waits);
	assert_true(time_of(a, system) == w->now_ns);
	/* and what comes afterwards counts from there */
	waits = waits_begin(w, a, system);
	world_advance_ms(w, DUE_MS - 1);
	assert_waiting(w, a, &waits);
	world_advance_ms(w, 1);
	assert_over(w, a, &waits);
}

TEST_1(a_clock_that_stands_still_ends_no_wait)
{
	struct waits waits = waits_begin(w, a, clock_of(a, SYSTEM_CLOCK));

	for (int i = 0; i < 100; i++) {
		w->wall_offset_ns += NSEC_PER_SEC;
		world_advance_ms(w, 0);
	}
	assert_waiting(w, a, &waits);
}
