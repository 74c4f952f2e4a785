/* Clocks and their alarms: mach-kobjects.md §5. */
#include <mach/clock_types.h>
#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define GET_SERVICE 206
#define GET_TIME 1000
#define GET_ATTRIBUTES 1001
#define ALARM 1002
#define ALARM_REPLY 3125107
#define ALARMS_MOST 4096
#define KOBJECT_CLOCK 25
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define SECOND_MS 1000u

static kern_return_t
call(struct actor *t, mach_port_name_t object, struct rpc *r)
{
	mach_port_name_t reply = reply_port(t);
	kern_return_t kr;

	t->target = object;
	kr = rpc_call(t, reply, r);
	t->target = BERTH_NAME_TASK_SELF;
	assert_ok(port_mod_refs(t, reply, MACH_PORT_RIGHT_RECEIVE, -1));
	return kr;
}

static kern_return_t
get_service(struct actor *t, mach_port_name_t host, int id, mach_port_name_t *clock)
{
	struct rpc r = rpc_to(GET_SERVICE);
	kern_return_t kr;

	rpc_u32(&r, (uint32_t)id);
	kr = call(t, host, &r);
	*clock = kr == KERN_SUCCESS ? got.descriptors[0].name : MACH_PORT_NULL;
	return kr;
}

static mach_port_name_t
clock_of(struct actor *t, int id)
{
	mach_port_name_t clock;

	assert_ok(get_service(t, host_self(t), id, &clock));
	return clock;
}

static kern_return_t
attribute(struct actor *t, mach_port_name_t clock, int flavor, uint32_t count, uint32_t *value)
{
	struct rpc r = rpc_to(GET_ATTRIBUTES);
	kern_return_t kr;

	rpc_u32(&r, (uint32_t)flavor);
	rpc_u32(&r, count);
	kr = call(t, clock, &r);
	if (kr != KERN_SUCCESS)
		return kr;
	assert_int_equal(rpc_result_u32(&r), 1);
	*value = rpc_result_u32(&r);
	return kr;
}

static uint64_t
time_of(struct actor *t, mach_port_name_t clock)
{
	struct rpc r = rpc_to(GET_TIME);
	uint64_t sec;

	assert_ok(call(t, clock, &r));
	sec = rpc_result_u32(&r);
	return sec * NSEC_PER_SEC + rpc_result_u32(&r);
}

static kern_return_t
set_alarm_by(struct actor *t, mach_port_name_t clock, uint32_t type, uint32_t sec, uint32_t nsec,
	     mach_port_name_t port, uint32_t disposition)
{
	struct rpc r = rpc_to(ALARM);

	message_add_port(&r.message, port, disposition);
	rpc_u32(&r, type);
	rpc_u32(&r, sec);
	rpc_u32(&r, nsec);
	return call(t, clock, &r);
}

static kern_return_t
set_alarm(struct actor *t, mach_port_name_t clock, uint32_t type, uint32_t sec, uint32_t nsec,
	  mach_port_name_t port)
{
	return set_alarm_by(t, clock, type, sec, nsec, port, MAKE_ONCE);
}

/* The alarm waits on @port, and says this. */
static void
check_alarm(struct actor *t, mach_port_name_t port, kern_return_t code, uint32_t type, uint32_t sec,
	    uint32_t nsec)
{
	struct rpc r = { .read = 8 };

	take(t, port, &got);
	assert_int_equal(got.header.msgh_id, ALARM_REPLY);
	assert_int_equal(got.header.msgh_size, 48);
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(MACH_MSGH_BITS_LOCAL(got.header.msgh_bits), MACH_MSG_TYPE_PORT_SEND_ONCE);
	assert_int_equal(got.trailer.msgh_audit.val[5], 0); /* the kernel's */
	assert_int_equal(rpc_result_u32(&r), code);
	assert_int_equal(rpc_result_u32(&r), type);
	assert_int_equal(rpc_result_u32(&r), sec);
	assert_int_equal(rpc_result_u32(&r), nsec);
	assert_nothing_waits(t, port);
	assert_int_equal(status_of(t, port).mps_sorights, 0);
}

/* ---- time -------------------------------------------------------------------------------------
 */

TEST_2(a_clock_is_a_send_right_to_a_kernel_object_that_all_share)
{
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), again = clock_of(a, REALTIME_CLOCK),
			 none;
	uint32_t ports = world_counts(w).ports;

	assert_int_equal(again, clock);
	assert_entry(a, clock, MACH_PORT_TYPE_SEND, 2);
	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, clock, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], KOBJECT_CLOCK);
	assert_int_not_equal(clock_of(a, CALENDAR_CLOCK), clock);
	assert_int_not_equal(clock_of(b, SYSTEM_CLOCK), MACH_PORT_NULL);
	assert_int_equal(world_counts(w).ports, ports);
	assert_ok(port_mod_refs(a, clock, MACH_PORT_RIGHT_SEND, -2));
	assert_int_equal(clock_of(b, SYSTEM_CLOCK) != 0, 1);
	assert_code(get_service(a, host_self(a), 2, &none), KERN_INVALID_ARGUMENT);
	assert_code(get_service(a, host_self(a), -1, &none), KERN_INVALID_ARGUMENT);
	assert_code(get_service(a, BERTH_NAME_TASK_SELF, 0, &none), KERN_INVALID_ARGUMENT);
}

TEST_1(the_clocks_tell_what_the_host_tells)
{
	mach_port_name_t system = clock_of(a, SYSTEM_CLOCK), calendar = clock_of(a, CALENDAR_CLOCK);

	for (int i = 0; i < 3; i++) {
		assert_true(time_of(a, system) == w->now_ns);
		assert_true(time_of(a, calendar) == w->now_ns + w->wall_offset_ns);
		world_advance_ms(w, 1999);
		w->wall_offset_ns += 5; /* somebody sets it */
	}
}

TEST_1(attributes_are_those_of_darwin)
{
	static const struct {
		int flavor;
		kern_return_t code;
		uint32_t system, calendar;
	} cases[] = {
		{ CLOCK_GET_TIME_RES, KERN_SUCCESS, 10000000, 10000000 },
		{ CLOCK_ALARM_CURRES, KERN_SUCCESS, 10000000, 0 },
		{ CLOCK_ALARM_MINRES, KERN_SUCCESS, 10000000, 0 },
		{ CLOCK_ALARM_MAXRES, KERN_SUCCESS, 10000000, 0 },
		{ 0, KERN_INVALID_VALUE, 0, 0 },
		{ 2, KERN_INVALID_VALUE, 0, 0 },
		{ 6, KERN_INVALID_VALUE, 0, 0 },
	};
	mach_port_name_t system = clock_of(a, SYSTEM_CLOCK), calendar = clock_of(a, CALENDAR_CLOCK);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t value = 0;

		assert_code(attribute(a, system, cases[i].flavor, 1, &value), cases[i].code);
		assert_int_equal(value, cases[i].system);
		value = 0;
		assert_code(attribute(a, calendar, cases[i].flavor, 1, &value), cases[i].code);
		assert_int_equal(value, cases[i].calendar);
		assert_code(attribute(a, system, cases[i].flavor, 0, &value), KERN_FAILURE);
	}
}

TEST_1(what_is_no_clock_is_refused)
{
	struct rpc r = rpc_to(GET_TIME);
	mach_port_name_t port = new_port(a);
	uint32_t value;

	assert_code(call(a, BERTH_NAME_TASK_SELF, &r), KERN_INVALID_ARGUMENT);
	assert_code(attribute(a, host_self(a), CLOCK_GET_TIME_RES, 1, &value),
		    KERN_INVALID_ARGUMENT);
	assert_code(set_alarm(a, BERTH_NAME_TASK_SELF, TIME_RELATIVE, 1, 0, port),
		    KERN_INVALID_ARGUMENT);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0); /* the right went unused */
}

/* ---- alarms ------------------------------------------------------------------------------------
 */

TEST_1(an_alarm_comes_when_it_is_due)
{
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), port = new_port(a), later = new_port(a);
	const uint32_t sec = (uint32_t)(w->now_ns / NSEC_PER_SEC);

	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 2, 500000000, port));
	assert_ok(set_alarm(a, clock, TIME_ABSOLUTE, sec + 3, 0, later));
	assert_true(kernel_next_deadline_ns(w->kernel) == w->now_ns + 2500000000);
	world_advance_ms(w, 2499);
	assert_nothing_waits(a, port);
	world_advance_ms(w, 1);
	check_alarm(a, port, KERN_SUCCESS, TIME_RELATIVE, 2, 500000000);
	assert_nothing_waits(a, later);
	world_advance_ms(w, 500);
	check_alarm(a, later, KERN_SUCCESS, TIME_ABSOLUTE, sec + 3, 0);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_1(a_time_that_is_past_or_none_is_told_at_once)
{
	static const struct {
		uint32_t type, sec, nsec;
		kern_return_t code;
	} cases[] = {
		{ TIME_ABSOLUTE, 0, 0, KERN_SUCCESS },
		{ TIME_RELATIVE, 0, 0, KERN_SUCCESS },
		{ TIME_ABSOLUTE, 1, 0, KERN_SUCCESS }, /* now */
		{ TIME_RELATIVE, 1, 1000000000, KERN_INVALID_VALUE },
		{ TIME_ABSOLUTE, 1, (uint32_t)-1, KERN_INVALID_VALUE },
		{ 2, 1, 0, KERN_INVALID_VALUE },
		{ (uint32_t)-1, 1, 0, KERN_INVALID_VALUE },
	};
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), port = new_port(a);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_ok(set_alarm(a, clock, cases[i].type, cases[i].sec, cases[i].nsec, port));
		check_alarm(a, port, cases[i].code, cases[i].type, cases[i].sec, cases[i].nsec);
	}
}

TEST_1(an_alarm_needs_the_system_clock_and_a_port)
{
	mach_port_name_t system = clock_of(a, SYSTEM_CLOCK), port = new_port(a);

	assert_code(set_alarm(a, clock_of(a, CALENDAR_CLOCK), TIME_RELATIVE, 1, 0, port),
		    KERN_FAILURE);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_code(set_alarm(a, system, TIME_RELATIVE, 1, 0, MACH_PORT_NULL),
		    KERN_INVALID_CAPABILITY);
	assert_code(set_alarm(a, system, TIME_RELATIVE, 1, 0, MACH_PORT_DEAD),
		    KERN_INVALID_CAPABILITY);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_2(an_alarm_for_a_dead_port_or_by_another_right_is_refused)
{
	mach_port_name_t clock = clock_of(b, SYSTEM_CLOCK), port = new_port(a), theirs;
	mach_port_name_t own = new_port_with_send(b);

	theirs = give(a, new_send_once(a, port), MACH_MSG_TYPE_MOVE_SEND_ONCE, b);
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_code(
	    set_alarm_by(b, clock, TIME_RELATIVE, 1, 0, theirs, MACH_MSG_TYPE_MOVE_SEND_ONCE),
	    KERN_INVALID_CAPABILITY);
	assert_code(set_alarm_by(b, clock, TIME_RELATIVE, 1, 0, own, MACH_MSG_TYPE_COPY_SEND),
		    MIG_TYPE_ERROR);
	assert_int_equal(srights_of(b, own), 1);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_1(an_alarm_wakes_who_waits_and_passes_a_full_queue)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), port = new_port(a);
	mach_port_name_t full = new_port_with_send(a);

	fill(a, full, 5);
	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 1, 0, port));
	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 1, 0, full));
	assert_code(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	world_advance_ms(w, SECOND_MS);
	assert_ok(finished(waiter, &got));
	assert_int_equal(got.header.msgh_id, ALARM_REPLY);
	assert_int_equal(msgcount_of(a, full), 6);
}

TEST_1(the_death_of_its_port_cancels_an_alarm)
{
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), port = new_port(a);
	struct kernel_counts before;

	before = world_counts(w);
	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 1, 0, port));
	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 2, 0, port));
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
	assert_int_equal(world_counts(w).ports, before.ports - 1);
	assert_int_equal(world_counts(w).notifications, before.notifications);
	world_advance_ms(w, 5000);
	assert_int_equal(w->completed, 0);
}

TEST_2(the_death_of_who_asked_cancels_an_alarm)
{
	mach_port_name_t clock = clock_of(b, SYSTEM_CLOCK), port = new_port(a), theirs;

	theirs = give(a, new_send_once(a, port), MACH_MSG_TYPE_MOVE_SEND_ONCE, b);
	assert_ok(
	    set_alarm_by(b, clock, TIME_RELATIVE, 1, 0, theirs, MACH_MSG_TYPE_MOVE_SEND_ONCE));
	assert_nothing_waits(a, port);
	world_task_die(b->party);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	world_advance_ms(w, 2000);
	assert_nothing_waits(a, port);
}

TEST_2(a_program_that_is_replaced_loses_its_alarms)
{
	mach_port_name_t clock = clock_of(b, SYSTEM_CLOCK);

	assert_ok(set_alarm(b, clock, TIME_RELATIVE, 1, 0, new_port(b)));
	world_task_exec(b->party);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
	(void)a;
}

TEST_1(an_alarm_follows_a_port_that_moves)
{
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), port = new_port(a), moved;
	struct actor *b = &world_task_new(w, a->party)->actors[0];
	mach_port_name_t box = new_port_with_send(a);
	struct message m = message_to(box, MACH_MSG_TYPE_COPY_SEND);

	(void)b;
	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 1, 0, port));
	message_add_port(&m, port, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	world_advance_ms(w, SECOND_MS); /* while it travels */
	take(a, box, &got);
	moved = got.descriptors[0].name;
	check_alarm(a, moved, KERN_SUCCESS, TIME_RELATIVE, 1, 0);
}

TEST_1(a_task_has_so_many_alarms_and_gets_each_back)
{
	mach_port_name_t clock = clock_of(a, SYSTEM_CLOCK), port = new_port(a),
			 reply = reply_port(a);
	struct kernel_counts counts;

	w->quiet_audit = true;
	for (uint32_t i = 0; i <= ALARMS_MOST; i++) {
		struct rpc r = rpc_to(ALARM);

		message_add_port(&r.message, port, MAKE_ONCE);
		rpc_u32(&r, TIME_RELATIVE);
		rpc_u32(&r, 1 + i % 3);
		rpc_u32(&r, 0);
		a->target = clock;
		assert_code(rpc_call(a, reply, &r),
			    i < ALARMS_MOST ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE);
	}
	a->target = BERTH_NAME_TASK_SELF;
	kernel_audit(w->kernel);
	world_advance_ms(w, 1000);
	counts = world_counts(w);
	assert_true(counts.messages >= ALARMS_MOST / 3);
	assert_ok(set_alarm(a, clock, TIME_RELATIVE, 1, 0, port));
	kernel_audit(w->kernel);
}

/* ---- control -------------------------------------------------------------------------------- */

static kern_return_t
clock_control(struct actor *t, mach_port_name_t host, uint64_t id, mach_port_name_t *name)
{
	struct trap_frame frame = { .number = BERTH_TRAP_HOST_GET_CLOCK_CONTROL,
				    .args = { host, id } };

	assert_true(world_trap(t, &frame));
	*name = (mach_port_name_t)t->outcome.values[0];
	return t->outcome.code;
}

static kern_return_t
control_id(struct actor *t, mach_port_name_t name)
{
	struct trap_frame frame = { .number = BERTH_TRAP_CLOCK_CONTROL_ID, .args = { name } };

	assert_true(world_trap(t, &frame));
	return t->outcome.code;
}

TEST_1(root_has_the_control_of_each_clock_and_nobody_else)
{
	mach_port_name_t host = host_self(a), control, again, port = new_port_with_send(a);

	assert_refused_without_trace(w, clock_control(a, host, 0, &control), KERN_NO_ACCESS);
	a->party->token.val[1] = 0;
	kernel_task_set_token(a->party->task, &a->party->token);
	assert_refused_without_trace(w, clock_control(a, host, 2, &control), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, clock_control(a, host, UINT32_MAX, &control),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, clock_control(a, BERTH_NAME_TASK_SELF, 0, &control),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, clock_control(a, 0, 0, &control), MACH_SEND_INVALID_DEST);
	for (uint32_t id = 0; id < 2; id++) {
		assert_ok(clock_control(a, host, id, &control));
		assert_ok(clock_control(a, host, id, &again));
		assert_int_equal(control, again);
		assert_entry(a, control, MACH_PORT_TYPE_SEND, 2);
		assert_ok(control_id(a, control));
		assert_int_equal(a->outcome.values[0], id);
	}
	assert_refused_without_trace(w, control_id(a, host), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, control_id(a, port), BERTH_TRAP_BY_MESSAGE);
}
