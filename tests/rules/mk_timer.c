/* Timers as ports: mach-kobjects.md §5.1. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define KOBJECT_TIMER 8
#define TIMERS_MOST 4096u
#define MS 1000000ull /* ns */
#define NEVER UINT64_MAX
#define WITH_AUDIT MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT)

static mach_port_name_t
timer_new(struct actor *t)
{
	assert_ok(trap(t, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0));
	return (mach_port_name_t)t->outcome.values[0];
}

static kern_return_t
timer_destroy(struct actor *t, mach_port_name_t name)
{
	return trap(t, BERTH_TRAP_MK_TIMER_DESTROY, name, 0, 0, 0, 0, 0);
}

static kern_return_t
timer_arm(struct actor *t, mach_port_name_t name, uint64_t time)
{
	return trap(t, BERTH_TRAP_MK_TIMER_ARM, name, time, 0, 0, 0, 0);
}

static kern_return_t
timer_arm_in_ms(struct actor *t, mach_port_name_t name, uint64_t ms)
{
	return timer_arm(t, name, t->world->now_ns + ms * MS);
}

static kern_return_t
timer_cancel(struct actor *t, mach_port_name_t name, uint64_t *time)
{
	kern_return_t kr = trap(t, BERTH_TRAP_MK_TIMER_CANCEL, name, 0, 0, 0, 0, 0);

	*time = t->outcome.values[0];
	return kr;
}

static uint64_t
next_ns(struct actor *t)
{
	return kernel_next_deadline_ns(t->world->kernel);
}

/* `got` is what timer @name says. */
static void
check_expiry(mach_port_name_t name)
{
	static const uint64_t zeros[3];

	assert_int_equal(got.header.msgh_bits, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND));
	assert_int_equal(got.header.msgh_size, 48);
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(got.header.msgh_local_port, name);
	assert_int_equal(got.header.msgh_voucher_port, 0);
	assert_int_equal(got.header.msgh_id, 0);
	assert_int_equal(got.data_size, sizeof zeros);
	assert_memory_equal(got.data, zeros, sizeof zeros);
	assert_int_equal(got.trailer.msgh_sender.val[1], 1); /* the kernel's */
	assert_int_equal(got.trailer.msgh_audit.val[5], 0);
}

static void
take_expiry(struct actor *t, mach_port_name_t port, mach_port_name_t name)
{
	take(t, port, &got);
	check_expiry(name);
	assert_nothing_waits(t, port);
}

/* ---- what it is --------------------------------------------------------------------------- */

TEST_1(a_timer_is_a_receive_right_to_a_timer_object)
{
	mach_port_name_t timer = timer_new(a), other = timer_new(a);

	assert_int_not_equal(timer, other);
	assert_entry(a, timer, MACH_PORT_TYPE_RECEIVE, 0);
	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, timer, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], KOBJECT_TIMER);
	assert_true(next_ns(a) == NEVER);
	assert_ok(timer_destroy(a, timer));
	assert_no_entry(a, timer);
	assert_entry(a, other, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_2(its_right_cannot_be_moved)
{
	mach_port_name_t timer = timer_new(a), previous, poly;
	struct message m = message_to(a->party->mailbox_of[b->party->index], 19);
	uint32_t type;

	assert_refused_without_trace(
	    w, port_extract_right(a, timer, MACH_MSG_TYPE_MOVE_RECEIVE, &poly, &type),
	    KERN_INVALID_CAPABILITY);
	message_add_port(&m, timer, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_RIGHT);
	assert_entry(a, timer, MACH_PORT_TYPE_RECEIVE, 0);
	/* nor left to somebody else */
	assert_code(port_request_notification(a, timer, MACH_NOTIFY_PORT_DESTROYED, 0,
					      a->party->mailbox, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					      &previous),
		    KERN_INVALID_RIGHT);
	/* a guard, and its end, change nothing about that */
	assert_ok(port_guard(a, timer, 5, 0));
	assert_ok(port_unguard(a, timer, 5));
	assert_code(port_extract_right(a, timer, MACH_MSG_TYPE_MOVE_RECEIVE, &poly, &type),
		    KERN_INVALID_CAPABILITY);
}

TEST_2(what_is_no_timer_is_refused)
{
	mach_port_name_t timer = timer_new(a), port = new_port(a), dead = new_dead_name(a);
	mach_port_name_t gone = new_port(a), set = new_set(a), theirs;
	const struct {
		mach_port_name_t name;
		kern_return_t code;
	} cases[] = {
		{ MACH_PORT_NULL, KERN_INVALID_NAME },
		{ MACH_PORT_DEAD, KERN_INVALID_NAME },
		{ 0x7703, KERN_INVALID_NAME },
		{ dead, KERN_INVALID_NAME },
		{ gone, KERN_INVALID_NAME },
		{ set, KERN_INVALID_RIGHT },
		{ BERTH_NAME_TASK_SELF, KERN_INVALID_RIGHT },
		{ new_send_once(a, port), KERN_INVALID_RIGHT },
		{ port, KERN_INVALID_ARGUMENT },
	};
	uint64_t time;

	assert_ok(port_destroy(a, gone));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_refused_without_trace(w, timer_arm(a, cases[i].name, 1), cases[i].code);
		assert_refused_without_trace(
		    w, trap(a, BERTH_TRAP_MK_TIMER_ARM_LEEWAY, cases[i].name, 0, NEVER, 0, 0, 0),
		    cases[i].code);
		assert_refused_without_trace(w, timer_cancel(a, cases[i].name, &time),
					     cases[i].code);
		assert_int_equal(time, 0);
		assert_refused_without_trace(w, timer_destroy(a, cases[i].name), cases[i].code);
	}
	/* who has a send right to a timer has no timer */
	theirs = give(a, timer, MACH_MSG_TYPE_MAKE_SEND, b);
	assert_refused_without_trace(w, timer_arm(b, theirs, 1), KERN_INVALID_RIGHT);
}

/* ---- time --------------------------------------------------------------------------------- */

TEST_1(a_timer_fires_once_when_its_time_has_come)
{
	mach_port_name_t timer = timer_new(a);

	assert_ok(timer_arm_in_ms(a, timer, 30));
	assert_true(next_ns(a) == w->now_ns + 30 * MS);
	world_advance_ms(w, 29);
	assert_nothing_waits(a, timer);
	world_advance_ms(w, 1);
	assert_true(next_ns(a) == NEVER);
	take_expiry(a, timer, timer);
	world_advance_ms(w, 1000);
	assert_nothing_waits(a, timer);
}

TEST_1(a_time_that_is_past_fires_at_once)
{
	mach_port_name_t timer = timer_new(a);
	const uint64_t times[] = { 0, 1, w->now_ns - 1, w->now_ns };

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		uint64_t time;

		assert_ok(timer_arm(a, timer, times[i]));
		assert_ok(timer_cancel(a, timer, &time));
		assert_true(time == 0);
		take_expiry(a, timer, timer);
	}
	assert_ok(trap(a, BERTH_TRAP_MK_TIMER_ARM_LEEWAY, timer, 1, w->now_ns, NEVER, 0, 0));
	take_expiry(a, timer, timer);
}

TEST_1(arming_again_replaces_the_time)
{
	mach_port_name_t timer = timer_new(a);
	uint64_t time;

	assert_ok(timer_arm_in_ms(a, timer, 10));
	assert_ok(timer_arm_in_ms(a, timer, 50));
	world_advance_ms(w, 20);
	assert_nothing_waits(a, timer);
	assert_ok(
	    trap(a, BERTH_TRAP_MK_TIMER_ARM_LEEWAY, timer, 0, w->now_ns + 5 * MS, 1000 * MS, 0, 0));
	world_advance_ms(w, 5);
	take_expiry(a, timer, timer);
	world_advance_ms(w, 100);
	assert_nothing_waits(a, timer);
	/* and a past time the one that was set */
	assert_ok(timer_arm_in_ms(a, timer, 10));
	assert_ok(timer_arm(a, timer, 1));
	take_expiry(a, timer, timer);
	assert_ok(timer_cancel(a, timer, &time));
	assert_true(time == 0 && next_ns(a) == NEVER);
}

TEST_1(cancelling_tells_the_time_that_was_set)
{
	mach_port_name_t timer = timer_new(a);
	uint64_t time, due = w->now_ns + 7 * MS;

	assert_ok(timer_cancel(a, timer, &time));
	assert_true(time == 0);
	assert_ok(timer_arm(a, timer, due));
	assert_ok(timer_cancel(a, timer, &time));
	assert_true(time == due && next_ns(a) == NEVER);
	assert_ok(timer_cancel(a, timer, &time));
	assert_true(time == 0);
	world_advance_ms(w, 50);
	assert_nothing_waits(a, timer);
	assert_ok(timer_arm(a, timer, NEVER));
	assert_ok(timer_cancel(a, timer, &time));
	assert_true(time == NEVER);
}

TEST_1(cancelling_leaves_a_message_that_waits)
{
	mach_port_name_t timer = timer_new(a);
	uint64_t time;

	assert_ok(timer_arm(a, timer, 0));
	assert_ok(timer_arm_in_ms(a, timer, 10));
	assert_ok(timer_cancel(a, timer, &time));
	assert_true(time == w->now_ns + 10 * MS);
	take_expiry(a, timer, timer);
}

TEST_1(at_most_one_message_waits)
{
	mach_port_name_t timer = timer_new(a);

	for (int i = 0; i < 3; i++) {
		assert_ok(timer_arm_in_ms(a, timer, 1));
		world_advance_ms(w, 1);
		assert_ok(timer_arm(a, timer, 0));
		assert_int_equal(msgcount_of(a, timer), 1);
	}
	take_expiry(a, timer, timer);
	assert_ok(timer_arm(a, timer, 0));
	take_expiry(a, timer, timer);
}

/* ---- queues, sets, receivers --------------------------------------------------------------- */

TEST_1(a_full_queue_takes_it_and_it_stands_in_line)
{
	mach_port_name_t timer = timer_new(a);

	assert_ok(port_insert_right(a, timer, timer, MACH_MSG_TYPE_MAKE_SEND));
	set_qlimit(a, timer, 2);
	fill(a, timer, 2);
	assert_ok(timer_arm(a, timer, 0));
	assert_int_equal(msgcount_of(a, timer), 3);
	assert_int_equal(take_id(a, timer), 1);
	assert_int_equal(take_id(a, timer), 2);
	take_expiry(a, timer, timer);
}

TEST_1(who_waits_is_woken_on_the_timer_and_on_a_set)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t timer = timer_new(a), second = timer_new(a), set = new_set(a);

	assert_code(msg_receive(waiter, timer, WITH_AUDIT, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(timer_arm_in_ms(a, timer, 1));
	world_advance_ms(w, 1);
	assert_ok(finished(waiter, &got));
	check_expiry(timer);
	assert_ok(port_insert_member(a, timer, set));
	assert_ok(port_insert_member(a, second, set));
	assert_code(msg_receive(waiter, set, WITH_AUDIT, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(timer_arm_in_ms(a, second, 1));
	assert_ok(timer_arm_in_ms(a, timer, 2));
	world_advance_ms(w, 5);
	assert_ok(finished(waiter, &got));
	check_expiry(second);
	take_expiry(a, set, timer);
}

TEST_1(several_receivers_get_one_message_each_from_one_step)
{
	struct actor *first = world_thread_new(a->party), *second = world_thread_new(a->party);
	mach_port_name_t timer = timer_new(a), other = timer_new(a), set = new_set(a);

	assert_ok(port_insert_member(a, timer, set));
	assert_ok(port_insert_member(a, other, set));
	assert_code(msg_receive(first, set, WITH_AUDIT, ANY_SIZE, 0, NULL), BLOCKED);
	assert_code(msg_receive(second, set, WITH_AUDIT, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(timer_arm_in_ms(a, timer, 1));
	assert_ok(timer_arm_in_ms(a, other, 1));
	world_advance_ms(w, 1);
	assert_ok(finished(first, &got));
	check_expiry(got.header.msgh_local_port);
	assert_ok(finished(second, &got));
	check_expiry(got.header.msgh_local_port);
	assert_nothing_waits(a, set);
}

TEST_1(every_trailer_fits_and_counts)
{
	mach_port_name_t timer = timer_new(a);

	for (uint32_t elements = 0; elements <= 4; elements++) {
		assert_ok(timer_arm(a, timer, 0));
		assert_ok(
		    msg_receive(a, timer, MACH_RCV_TRAILER_ELEMENTS(elements), ANY_SIZE, 0, &got));
		assert_int_equal(got.trailer_size,
				 REQUESTED_TRAILER_SIZE(MACH_RCV_TRAILER_ELEMENTS(elements)));
		if (elements > 0)
			assert_int_equal(got.trailer.msgh_seqno, elements);
	}
}

TEST_1(a_buffer_that_is_too_small_loses_or_leaves_it)
{
	mach_port_name_t timer = timer_new(a);

	assert_ok(timer_arm(a, timer, 0));
	assert_code(msg_receive(a, timer, MACH_RCV_LARGE, 40, 0, &got), MACH_RCV_TOO_LARGE);
	assert_int_equal(msgcount_of(a, timer), 1);
	assert_code(msg_receive(a, timer, 0, 40, 0, &got), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_size, 24);
	assert_int_equal(got.header.msgh_local_port, timer);
	assert_nothing_waits(a, timer);
	assert_ok(timer_arm(a, timer, 0));
	assert_code(msg_receive(a, timer, 0, 8, 0, NULL), MACH_RCV_INVALID_DATA);
	assert_nothing_waits(a, timer);
	/* it is whole again */
	assert_ok(timer_arm(a, timer, 0));
	take_expiry(a, timer, timer);
}

TEST_1(expiry_takes_no_memory)
{
	mach_port_name_t timer = timer_new(a);
	uint64_t bytes = world_counts(w).bytes;

	for (int i = 0; i < 3; i++) {
		assert_ok(timer_arm_in_ms(a, timer, 1));
		world_advance_ms(w, 1);
		assert_int_equal(world_counts(w).bytes, bytes);
		assert_int_equal(world_counts(w).messages, 1);
		take_expiry(a, timer, timer);
		assert_int_equal(world_counts(w).messages, 0);
	}
}

TEST_1(send_rights_come_and_go_without_its_own)
{
	mach_port_name_t timer = timer_new(a), note = new_port(a), previous;
	const uint32_t before = status_of(a, timer).mps_mscount;

	assert_ok(port_insert_right(a, timer, timer, MACH_MSG_TYPE_MAKE_SEND));
	assert_int_equal(status_of(a, timer).mps_mscount, before + 1);
	assert_ok(timer_arm(a, timer, 0));
	take_expiry(a, timer, timer);
	assert_ok(port_mod_refs(a, timer, MACH_PORT_RIGHT_SEND, -1));
	/* the kernel's own is one, so that expiry never ends the last */
	assert_ok(port_request_notification(a, timer, MACH_NOTIFY_NO_SENDERS, 0, note,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
	assert_ok(timer_arm(a, timer, 0));
	take_expiry(a, timer, timer);
	assert_nothing_waits(a, note);
	assert_ok(timer_destroy(a, timer));
	assert_notification(a, note, MACH_NOTIFY_SEND_ONCE, 0);
}

/* ---- the end ------------------------------------------------------------------------------ */

TEST_1(however_its_right_goes_nothing_is_left)
{
	const struct kernel_counts before = world_counts(w);

	for (int how = 0; how < 8; how++) {
		mach_port_name_t timer = timer_new(a);

		if (how % 2)
			assert_ok(timer_arm(a, timer, 0)); /* a message waits */
		assert_ok(timer_arm_in_ms(a, timer, 10));
		switch (how / 2) {
		case 0:
			assert_ok(timer_destroy(a, timer));
			break;
		case 1:
			assert_ok(port_destroy(a, timer));
			break;
		case 2:
			assert_ok(port_mod_refs(a, timer, MACH_PORT_RIGHT_RECEIVE, -1));
			break;
		default:
			assert_ok(port_destruct(a, timer, 0, 0));
			break;
		}
		assert_no_entry(a, timer);
		assert_true(next_ns(a) == NEVER);
		assert_int_equal(world_counts(w).ports, before.ports);
		assert_int_equal(world_counts(w).messages, 0);
	}
	world_advance_ms(w, 100);
	assert_int_equal(w->completed, 0);
}

TEST_2(send_rights_to_a_timer_become_dead_names)
{
	mach_port_name_t timer = timer_new(a), theirs = give(a, timer, 20, b);
	mach_port_name_t note = new_port(b), previous;

	assert_ok(port_request_notification(b, theirs, MACH_NOTIFY_DEAD_NAME, 0, note,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
	assert_ok(timer_arm_in_ms(a, timer, 10));
	assert_ok(timer_destroy(a, timer));
	assert_notification(b, note, MACH_NOTIFY_DEAD_NAME, theirs);
	assert_entry(b, theirs, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_1(a_guarded_timer_is_destroyed_by_who_knows_the_guard)
{
	mach_port_name_t timer = timer_new(a);

	assert_ok(port_guard(a, timer, 77, 0));
	assert_ok(timer_arm_in_ms(a, timer, 5));
	assert_refused_without_trace(w, timer_destroy(a, timer), KERN_INVALID_RIGHT);
	world_advance_ms(w, 5);
	take_expiry(a, timer, timer);
	assert_ok(port_destruct(a, timer, 0, 77));
	assert_no_entry(a, timer);
}

TEST_2(a_task_that_ends_takes_its_timers_along)
{
	struct actor *waiter = world_thread_new(b->party);
	mach_port_name_t timer = timer_new(b), second = timer_new(b);

	(void)a;
	assert_ok(timer_arm(b, second, 0));
	assert_ok(timer_arm_in_ms(b, timer, 10));
	assert_code(msg_receive(waiter, timer, WITH_AUDIT, ANY_SIZE, 0, NULL), BLOCKED);
	world_task_die(b->party);
	assert_true(next_ns(a) == NEVER);
	world_advance_ms(w, 100);
	assert_int_equal(w->completed, 0);
}

TEST_2(a_program_that_is_replaced_loses_its_timers)
{
	(void)a;
	assert_ok(timer_arm_in_ms(b, timer_new(b), 10));
	world_task_exec(b->party);
	assert_true(next_ns(a) == NEVER);
}

TEST_1(a_task_has_so_many_timers_and_gets_each_back)
{
	static mach_port_name_t timers[TIMERS_MOST];

	w->quiet_audit = true;
	for (uint32_t i = 0; i < TIMERS_MOST; i++) {
		timers[i] = timer_new(a);
		assert_ok(timer_arm_in_ms(a, timers[i], 1 + i % 7));
	}
	assert_code(trap(a, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0), KERN_RESOURCE_SHORTAGE);
	assert_int_equal(a->outcome.values[0], 0);
	kernel_audit(w->kernel);
	world_advance_ms(w, 3);
	kernel_audit(w->kernel);
	world_advance_ms(w, 10);
	assert_int_equal(world_counts(w).messages, TIMERS_MOST);
	assert_ok(timer_destroy(a, timers[7]));
	assert_ok(timer_destroy(a, timer_new(a)));
	for (uint32_t i = 0; i < TIMERS_MOST; i++)
		if (i != 7)
			assert_ok(timer_destroy(a, timers[i]));
	assert_int_equal(world_counts(w).messages, 0);
	kernel_audit(w->kernel);
}

/* ---- looking ------------------------------------------------------------------------------ */

TEST_1(the_tools_see_a_timer_as_one)
{
	mach_port_name_t timer = timer_new(a);
	struct kernel_census at = { 0 };
	struct kernel_right_row row = { 0 };
	char *text;

	while (row.name != timer)
		assert_true(kernel_census_next(w->kernel, &at, &row));
	assert_string_equal(row.kobject, "timer");
	assert_true(row.port_alive);
	assert_ok(timer_arm_in_ms(a, timer, 5));
	text = world_dump(w);
	assert_non_null(strstr(text, " timer due "));
	free(text);
}

TEST_1(an_event_loop_is_told)
{
	mach_port_name_t timer = timer_new(a);
	struct watch *watch;

	assert_ok(trap(a, BERTH_TRAP_PORT_WATCH, timer, 0, 0, 0, 0, 0));
	watch = a->outcome.watch;
	assert_false(watch->ready);
	assert_ok(timer_arm_in_ms(a, timer, 5));
	world_advance_ms(w, 5);
	assert_true(watch->ready);
	take_expiry(a, timer, timer);
	assert_false(watch->ready);
}

/* ---- memory ------------------------------------------------------------------------------- */

TEST(a_timer_is_made_whole_or_not_at_all)
{
	(void)state;
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 1);
		struct actor *a = world_actor(w, 0);
		mach_port_name_t timer = MACH_PORT_NULL;
		char *before = world_dump(w);
		kern_return_t kr;

		fault_arm(&fault);
		kr = trap(a, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0);
		timer = (mach_port_name_t)a->outcome.values[0];
		if (fault.hit) {
			assert_code(kr, KERN_RESOURCE_SHORTAGE);
			assert_int_equal(timer, MACH_PORT_NULL);
			world_same(before, world_dump(w), __FILE__, __LINE__);
		} else {
			free(before);
			assert_ok(kr);
			assert_ok(timer_arm_in_ms(a, timer, 1));
			world_advance_ms(w, 1);
			assert_false(fault.hit); /* neither arming nor expiry asks for any */
			take_expiry(a, timer, timer);
		}
		world_free(w);
	}
}
