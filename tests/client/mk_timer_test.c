/*
 * Timers as event loops use them.
 */
#include "kernel_test.h"

#include <berth/port_fd.h>
#include <mach/mach_time.h>
#include <mach/mk_timer.h>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS NSEC_PER_MSEC
#define HANG_MS 60000

/* What an event loop receives: a timer's message, or a number. */
union event {
	struct number_message number;
	struct {
		mk_timer_expire_msg_t message;
		mach_msg_max_trailer_t trailer;
	} timer;
};

static mach_port_name_t
timer_new(void)
{
	mach_port_name_t timer = mk_timer_create();

	assert_int_not_equal(timer, MACH_PORT_NULL);
	return timer;
}

static mach_msg_return_t
receive(mach_port_t port, union event *event, mach_msg_timeout_t timeout_ms)
{
	memset(event, 0xff, sizeof(*event));
	return mach_msg(&event->number.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(*event),
			port, timeout_ms, MACH_PORT_NULL);
}

static void
receive_expiry(mach_port_t port, mach_port_name_t timer)
{
	static const uint64_t zeros[3];
	union event event;

	assert_int_equal(receive(port, &event, HANG_MS), MACH_MSG_SUCCESS);
	assert_int_equal(event.number.header.msgh_size, sizeof(mk_timer_expire_msg_t));
	assert_int_equal(event.number.header.msgh_local_port, timer);
	assert_int_equal(event.number.header.msgh_remote_port, MACH_PORT_NULL);
	assert_int_equal(event.number.header.msgh_id, 0);
	assert_memory_equal(event.timer.message.unused, zeros, sizeof(zeros));
}

static void
a_timer_fires_in_time_and_not_before(void **state)
{
	mach_port_name_t timer = timer_new();

	(void)state;
	for (int i = 0; i < 3; i++) {
		uint64_t due = mach_absolute_time() + 20 * MS;

		assert_int_equal(i == 1 ? mk_timer_arm_leeway(timer, MK_TIMER_CRITICAL, due, MS)
					: mk_timer_arm(timer, due),
				 KERN_SUCCESS);
		receive_expiry(timer, timer);
		assert_true(mach_absolute_time() >= due);
	}
	assert_int_equal(mk_timer_arm(timer, 1), KERN_SUCCESS);
	receive_expiry(timer, timer);
	assert_int_equal(mk_timer_destroy(timer), KERN_SUCCESS);
}

static void
a_cancelled_timer_does_not_fire(void **state)
{
	mach_port_name_t timer = timer_new();
	uint64_t due = mach_absolute_time() + 3600000 * MS, told = 1;
	union event event;

	(void)state;
	assert_int_equal(mk_timer_cancel(timer, &told), KERN_SUCCESS);
	assert_true(told == 0);
	assert_int_equal(mk_timer_arm(timer, due), KERN_SUCCESS);
	assert_int_equal(mk_timer_cancel(timer, &told), KERN_SUCCESS);
	assert_true(told == due);
	assert_int_equal(mk_timer_arm(timer, mach_absolute_time() + 50 * MS), KERN_SUCCESS);
	assert_int_equal(mk_timer_cancel(timer, NULL), KERN_SUCCESS);
	assert_int_equal(receive(timer, &event, 100), MACH_RCV_TIMED_OUT);
	assert_int_equal(mk_timer_destroy(timer), KERN_SUCCESS);
}

static void
what_is_no_timer_is_refused(void **state)
{
	mach_port_t port = port_new(), self = mach_task_self();
	mach_port_name_t timer = timer_new();
	mach_port_t moved;
	mach_msg_type_name_t type;
	uint64_t told;

	(void)state;
	assert_int_equal(mk_timer_arm(0x7703, 1), KERN_INVALID_NAME);
	assert_int_equal(mk_timer_cancel(self, &told), KERN_INVALID_RIGHT);
	assert_int_equal(mk_timer_arm_leeway(port, 0, 1, 1), KERN_INVALID_ARGUMENT);
	assert_int_equal(mk_timer_destroy(port), KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    mach_port_extract_right(self, timer, MACH_MSG_TYPE_MOVE_RECEIVE, &moved, &type),
	    KERN_INVALID_CAPABILITY);
	assert_int_equal(mk_timer_destroy(timer), KERN_SUCCESS);
	assert_int_equal(mk_timer_destroy(timer), KERN_INVALID_NAME);
	port_end(port);
}

/* Messages and time in one place, as run loops have it. */
static void
a_loop_on_a_set_serves_messages_and_timers(void **state)
{
	mach_port_t set, port = port_new();
	mach_port_name_t tick = timer_new(), end = timer_new();
	int ticks = 0, numbers = 0;
	bool ended = false;

	(void)state;
	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set),
			 KERN_SUCCESS);
	assert_int_equal(mach_port_insert_member(mach_task_self(), port, set), KERN_SUCCESS);
	assert_int_equal(mach_port_insert_member(mach_task_self(), tick, set), KERN_SUCCESS);
	assert_int_equal(mach_port_insert_member(mach_task_self(), end, set), KERN_SUCCESS);
	assert_int_equal(mk_timer_arm(tick, 0), KERN_SUCCESS);
	while (!ended) {
		union event event;

		assert_int_equal(receive(set, &event, HANG_MS), MACH_MSG_SUCCESS);
		if (event.number.header.msgh_local_port == port) {
			assert_int_equal(event.number.number, numbers++);
		} else if (event.number.header.msgh_local_port == end) {
			ended = true;
		} else {
			assert_int_equal(event.number.header.msgh_local_port, tick);
			assert_int_equal(send_number(port, ticks++), KERN_SUCCESS);
			assert_int_equal(ticks < 5
					     ? mk_timer_arm(tick, mach_absolute_time() + MS)
					     : mk_timer_arm(end, mach_absolute_time() + 50 * MS),
					 KERN_SUCCESS);
		}
	}
	assert_int_equal(ticks, 5);
	assert_int_equal(numbers, 5);
	assert_int_equal(mk_timer_destroy(tick), KERN_SUCCESS);
	assert_int_equal(mk_timer_destroy(end), KERN_SUCCESS);
	port_end(port);
	port_end(set);
}

static void
a_descriptor_tells_of_a_timer(void **state)
{
	mach_port_name_t timer = timer_new();
	struct pollfd fd = { .fd = berth_port_fd(timer), .events = POLLIN };

	(void)state;
	assert_true(fd.fd >= 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(mk_timer_arm(timer, mach_absolute_time() + 20 * MS), KERN_SUCCESS);
	assert_int_equal(poll(&fd, 1, HANG_MS), 1);
	receive_expiry(timer, timer);
	assert_int_equal(mk_timer_destroy(timer), KERN_SUCCESS);
	close(fd.fd);
}

/* A child has no right of its parent's, and so none of its timers. */
static void
a_timer_stays_with_its_task(void **state)
{
	mach_port_name_t timer = timer_new();
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(mk_timer_arm(timer, 0) == KERN_SUCCESS);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mk_timer_arm(timer, 0), KERN_SUCCESS);
	receive_expiry(timer, timer);
	assert_int_equal(mk_timer_destroy(timer), KERN_SUCCESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_in_time_and_not_before),
		cmocka_unit_test(a_cancelled_timer_does_not_fire),
		cmocka_unit_test(what_is_no_timer_is_refused),
		cmocka_unit_test(a_loop_on_a_set_serves_messages_and_timers),
		cmocka_unit_test(a_descriptor_tells_of_a_timer),
		cmocka_unit_test(a_timer_stays_with_its_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
