/*
 * berthd's wall clock jumps by a year, to and fro, while things wait: nothing that waits by the
 * monotonic clock notices, and the calendar tells the new time.  mach-kobjects.md §5.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <mach/clock.h>
#include <mach/clock_types.h>
#include <mach/mach.h>
#include <mach/mach_time.h>
#include <mach/mk_timer.h>
#include <mach/notify.h>

#include "tests/attack/observe.h"
#include "tests/faults/linux_faults.h"

#define YEAR_S (365 * 24 * 3600)
#define DUE_MS 400u
#define HANG_MS 20000u
#define HOUR_S 3600 /* between what the calendar tells and what it is to tell */
#define ALARM_REPLY 3125107

static struct linux_faults *faults;

struct note {
	mach_msg_header_t header;
	uint8_t bytes[128];
	mach_msg_max_trailer_t trailer;
};

static mach_port_t
own_port(void)
{
	mach_port_t port;

	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port),
			 KERN_SUCCESS);
	return port;
}

static kern_return_t
receive(mach_port_t port, uint32_t ms, mach_msg_id_t *id)
{
	struct note note;
	kern_return_t code = mach_msg(&note.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				      sizeof(note), port, ms, MACH_PORT_NULL);

	if (code == KERN_SUCCESS && id != NULL)
		*id = note.header.msgh_id;
	return code;
}

/* ---- what waits until the same moment ---------------------------------------------------------
 */

struct waiter {
	pthread_t thread;
	kern_return_t code;
	uint64_t begun_ns, ended_ns;
};

static void *
wait_for_message(void *context)
{
	struct waiter *waiter = context;
	mach_port_t port = own_port();

	waiter->begun_ns = wait_now_ns();
	waiter->code = receive(port, DUE_MS, NULL);
	waiter->ended_ns = wait_now_ns();
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return NULL;
}

static void *
wait_for_semaphore(void *context)
{
	struct waiter *waiter = context;
	semaphore_t semaphore;

	waiter->code = semaphore_create(mach_task_self(), &semaphore, SYNC_POLICY_FIFO, 0);
	if (waiter->code != KERN_SUCCESS)
		return NULL;
	waiter->begun_ns = wait_now_ns();
	waiter->code =
	    semaphore_timedwait(semaphore, (mach_timespec_t){ 0, (clock_res_t)(DUE_MS * 1000000) });
	waiter->ended_ns = wait_now_ns();
	semaphore_destroy(mach_task_self(), semaphore);
	return NULL;
}

static void
waiter_start(struct waiter *waiter, void *(*wait)(void *))
{
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait, waiter), 0);
}

static void
waiter_end(struct waiter *waiter, kern_return_t expected)
{
	assert_int_equal(pthread_join(waiter->thread, NULL), 0);
	assert_int_equal(waiter->code, expected);
	/* not before its time; how much later is the machine's affair */
	assert_true(waiter->ended_ns - waiter->begun_ns >= DUE_MS * 1000000ull);
}

/* The clock jumps by @jump_s while all waits are under way. */
static void
jump(clock_serv_t system, clock_serv_t calendar, int64_t jump_s)
{
	struct waiter receiver, waiter;
	mach_port_t alarm = own_port(), refused = own_port();
	mach_port_t timer = mk_timer_create();
	mach_timespec_t now, later;
	mach_timebase_info_data_t base;
	uint64_t begun_ns;
	mach_msg_id_t id = 0;

	assert_int_not_equal(timer, MACH_PORT_NULL);
	assert_int_equal(mach_timebase_info(&base), KERN_SUCCESS);
	assert_int_equal(
	    mach_port_insert_right(mach_task_self(), alarm, alarm, MACH_MSG_TYPE_MAKE_SEND),
	    KERN_SUCCESS);
	assert_int_equal(clock_get_time(calendar, &now), KERN_SUCCESS);
	begun_ns = wait_now_ns();
	waiter_start(&receiver, wait_for_message);
	waiter_start(&waiter, wait_for_semaphore);
	assert_int_equal(clock_alarm(system, TIME_RELATIVE,
				     (mach_timespec_t){ 0, (clock_res_t)(DUE_MS * 1000000) },
				     alarm),
			 KERN_SUCCESS);
	assert_int_equal(mk_timer_arm(timer, mach_absolute_time() +
						 DUE_MS * 1000000ull * base.denom / base.numer),
			 KERN_SUCCESS);
	/* the calendar has no alarms; the right that was to tell of it says that it is gone */
	assert_int_equal(clock_alarm(calendar, TIME_RELATIVE, (mach_timespec_t){ 1, 0 }, refused),
			 KERN_FAILURE);
	assert_int_equal(receive(refused, HANG_MS, &id), KERN_SUCCESS);
	assert_int_equal(id, MACH_NOTIFY_SEND_ONCE);
	poll(NULL, 0, 50);
	atomic_fetch_add(&faults->wall_jump_s, jump_s);
	poll(NULL, 0, 50); /* a reading serves for a moment */

	assert_int_equal(clock_get_time(calendar, &later), KERN_SUCCESS);
	int64_t passed_s = (int64_t)later.tv_sec - (int64_t)now.tv_sec;

	assert_true(passed_s >= jump_s - 1 && passed_s < jump_s + HOUR_S);
	assert_int_equal(receive(alarm, HANG_MS, &id), KERN_SUCCESS);
	assert_int_equal(id, ALARM_REPLY);
	assert_int_equal(receive(timer, HANG_MS, NULL), KERN_SUCCESS);
	assert_true(wait_now_ns() - begun_ns >= DUE_MS * 1000000ull);
	waiter_end(&receiver, MACH_RCV_TIMED_OUT);
	waiter_end(&waiter, KERN_OPERATION_TIMED_OUT);
	assert_int_equal(mk_timer_destroy(timer), KERN_SUCCESS);
	assert_int_equal(mach_port_destroy(mach_task_self(), alarm), KERN_SUCCESS);
	assert_int_equal(mach_port_destroy(mach_task_self(), refused), KERN_SUCCESS);
}

static void
jumping(const struct raw_kernel *kernel, void *context)
{
	clock_serv_t system, calendar;

	assert_int_equal(setenv("BERTH_KERNEL", kernel->path, 1), 0);
	assert_int_equal(host_get_clock_service(mach_host_self(), SYSTEM_CLOCK, &system),
			 KERN_SUCCESS);
	assert_int_equal(host_get_clock_service(mach_host_self(), CALENDAR_CLOCK, &calendar),
			 KERN_SUCCESS);
	jump(system, calendar, YEAR_S);
	jump(system, calendar, -YEAR_S);
	jump(system, calendar, -YEAR_S);
}

static void
a_jump_of_the_wall_clock_moves_the_calendar_alone(void **state)
{
	attack(jumping, NULL, HANG_MS);
	atomic_store(&faults->wall_jump_s, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_jump_of_the_wall_clock_moves_the_calendar_alone),
	};
	int failed;

	faults = linux_faults_new();
	if (faults == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	linux_faults_free(faults);
	return failed;
}
