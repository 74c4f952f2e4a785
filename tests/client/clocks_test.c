/*
 * Clocks and alarms as programs use them.
 */
#include "kernel_test.h"

#include <mach/clock.h>
#include <mach/clock_priv.h>
#include <mach/clock_reply.h>
#include <mach/host_priv.h>
#include <mach/mach_time.h>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALARM_REPLY 3125107

struct alarm_message {
	mach_msg_header_t header;
	NDR_record_t ndr;
	kern_return_t code;
	alarm_type_t type;
	mach_timespec_t time;
	mach_msg_max_trailer_t trailer;
};

static clock_serv_t
clock_of(clock_id_t id)
{
	host_t host = mach_host_self();
	clock_serv_t clock = MACH_PORT_NULL;

	assert_int_equal(host_get_clock_service(host, id, &clock), KERN_SUCCESS);
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
	return clock;
}

static void
clock_end(clock_serv_t clock)
{
	assert_int_equal(mach_port_deallocate(mach_task_self(), clock), KERN_SUCCESS);
}

static double
seconds(mach_timespec_t time)
{
	assert_in_range(time.tv_nsec, 0, 999999999);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double
seconds_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
the_clocks_agree_with_linux(void **state)
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME };

	(void)state;
	for (clock_id_t id = SYSTEM_CLOCK; id <= CALENDAR_CLOCK; id++) {
		clock_serv_t clock = clock_of(id);
		double before = seconds_of(ids[id]);
		mach_timespec_t time;

		assert_int_equal(clock_get_time(clock, &time), KERN_SUCCESS);
		/* the time of day may have been read a moment ago */
		assert_true(seconds(time) >= before - 0.1);
		assert_true(seconds(time) <= seconds_of(ids[id]) + 0.1);
		clock_end(clock);
	}
}

static void
what_is_asked_wrongly_is_refused(void **state)
{
	host_t host = mach_host_self();
	clock_serv_t system = clock_of(SYSTEM_CLOCK), calendar = clock_of(CALENDAR_CLOCK), none;
	mach_port_t port = port_new();
	mach_timespec_t soon = { 0, 1 };
	mach_msg_type_number_t count = 1;
	int value = 0;

	(void)state;
	assert_int_equal(host_get_clock_service(host, 7, &none), KERN_INVALID_ARGUMENT);
	assert_int_equal(clock_get_time(host, &soon), KERN_INVALID_ARGUMENT);
	assert_int_equal(clock_get_attributes(system, CLOCK_GET_TIME_RES, &value, &count),
			 KERN_SUCCESS);
	assert_int_equal(value, 10000000);
	assert_int_equal(clock_get_attributes(system, 99, &value, &count), KERN_INVALID_VALUE);
	count = 0;
	assert_int_equal(clock_get_attributes(system, CLOCK_GET_TIME_RES, &value, &count),
			 KERN_FAILURE);
	assert_int_equal(clock_alarm(calendar, TIME_RELATIVE, soon, port), KERN_FAILURE);
	assert_int_equal(clock_alarm(system, TIME_RELATIVE, soon, MACH_PORT_NULL),
			 KERN_INVALID_CAPABILITY);
	/* sleeping is of the system's clock */
	soon = (mach_timespec_t){ 0, 1000 };
	assert_int_equal(clock_sleep(system, TIME_RELATIVE, soon, NULL), KERN_SUCCESS);
	assert_int_equal(clock_sleep(MACH_PORT_NULL, TIME_RELATIVE, soon, NULL), KERN_SUCCESS);
	assert_int_equal(clock_sleep(calendar, TIME_RELATIVE, soon, NULL), KERN_FAILURE);
	assert_int_equal(clock_sleep(port, TIME_RELATIVE, soon, NULL), KERN_INVALID_ARGUMENT);
	clock_end(system);
	clock_end(calendar);
	clock_end(host);
	port_end(port);
}

/* The next message on @port, which is an alarm with this time. */
static kern_return_t
receive_alarm(mach_port_t port, alarm_type_t type, mach_timespec_t time)
{
	struct alarm_message alarm;

	assert_int_equal(mach_msg(&alarm.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(alarm),
				  port, 60000, MACH_PORT_NULL),
			 MACH_MSG_SUCCESS);
	assert_int_equal(alarm.header.msgh_id, ALARM_REPLY);
	assert_int_equal(alarm.header.msgh_size, offsetof(struct alarm_message, trailer));
	assert_int_equal(alarm.type, type);
	assert_memory_equal(&alarm.time, &time, sizeof(time));
	return alarm.code;
}

static void
an_alarm_comes_in_time(void **state)
{
	clock_serv_t clock = clock_of(SYSTEM_CLOCK);
	mach_port_t port = port_new(), once;
	mach_msg_type_name_t type;
	mach_timespec_t time = { 0, 30000000 }, bad = { 0, -1 };
	uint64_t begun;

	(void)state;
	assert_int_equal(clock_alarm(clock, TIME_ABSOLUTE, bad, port), KERN_SUCCESS);
	assert_int_equal(receive_alarm(port, TIME_ABSOLUTE, bad), KERN_INVALID_VALUE);
	begun = mach_absolute_time();
	assert_int_equal(clock_alarm(clock, TIME_RELATIVE, time, port), KERN_SUCCESS);
	assert_int_equal(receive_alarm(port, TIME_RELATIVE, time), KERN_SUCCESS);
	assert_true(mach_absolute_time() - begun >= 30000000);
	/* its sender may be anybody */
	assert_int_equal(mach_port_extract_right(mach_task_self(), port,
						 MACH_MSG_TYPE_MAKE_SEND_ONCE, &once, &type),
			 KERN_SUCCESS);
	assert_int_equal(clock_alarm_reply(once, KERN_ABORTED, TIME_RELATIVE, time), KERN_SUCCESS);
	assert_int_equal(receive_alarm(port, TIME_RELATIVE, time), KERN_ABORTED);
	clock_end(clock);
	port_end(port);
}

/* Gives up what lets a process set Linux's clock.  True: it is certainly gone. */
static bool
cannot_set_clocks(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	data[0].effective &= ~(1u << CAP_SYS_TIME);
	data[0].permitted &= ~(1u << CAP_SYS_TIME);
	if (syscall(SYS_capset, &header, data) != 0 || syscall(SYS_capget, &header, data) != 0)
		return false;
	return (data[0].effective & (1u << CAP_SYS_TIME)) == 0;
}

/* In a process of its own; 0: as it should be.  Never sets the clock of the machine. */
static int
ask_to_set(void)
{
	clock_ctrl_t calendar, system;
	mach_timespec_t bad = { 1, NSEC_PER_SEC }, now;
	clock_attr_t none = NULL;
	host_t host = mach_host_self();

	if (!cannot_set_clocks())
		return 1;
	if (host_get_clock_control(host, 2, &system) != KERN_INVALID_ARGUMENT ||
	    host_get_clock_control(MACH_PORT_NULL, 0, &system) != KERN_INVALID_ARGUMENT ||
	    host_get_clock_control(mach_task_self(), 0, &system) != KERN_INVALID_ARGUMENT)
		return 2;
	if (geteuid() != 0)
		return host_get_clock_control(host, CALENDAR_CLOCK, &calendar) == KERN_NO_ACCESS
			   ? 0
			   : 3;
	if (host_get_clock_control(host, CALENDAR_CLOCK, &calendar) != KERN_SUCCESS ||
	    host_get_clock_control(host, SYSTEM_CLOCK, &system) != KERN_SUCCESS)
		return 4;
	if (clock_get_time(clock_of(CALENDAR_CLOCK), &now) != KERN_SUCCESS ||
	    clock_set_time(calendar, bad) != KERN_INVALID_VALUE ||
	    clock_set_time(system, now) != KERN_FAILURE ||
	    clock_set_time(host, now) != KERN_INVALID_ARGUMENT ||
	    clock_set_time(MACH_PORT_NULL, now) != KERN_INVALID_ARGUMENT ||
	    clock_set_time(calendar, now) != KERN_NO_ACCESS)
		return 5;
	int number = 1;
	none = &number;
	if (clock_set_attributes(calendar, CLOCK_ALARM_CURRES, none, 1) != KERN_FAILURE ||
	    clock_set_attributes(calendar, 99, none, 1) != KERN_INVALID_VALUE ||
	    clock_set_attributes(host, CLOCK_ALARM_CURRES, none, 1) != KERN_INVALID_ARGUMENT ||
	    clock_set_res(calendar, 1) != KERN_FAILURE)
		return 6;
	return 0;
}

static void
nobody_sets_a_clock_whom_linux_does_not_let(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(ask_to_set());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
the_resolution_is_that_of_the_time(void **state)
{
	(void)state;
	clock_serv_t clock = clock_of(SYSTEM_CLOCK);
	clock_res_t resolution = 0;

	assert_int_equal(clock_get_res(clock, &resolution), KERN_SUCCESS);
	assert_int_equal(resolution, 10000000);
	assert_int_equal(clock_get_res(MACH_PORT_NULL, &resolution), MACH_SEND_INVALID_DEST);
	clock_end(clock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clocks_agree_with_linux),
		cmocka_unit_test(what_is_asked_wrongly_is_refused),
		cmocka_unit_test(an_alarm_comes_in_time),
		cmocka_unit_test(nobody_sets_a_clock_whom_linux_does_not_let),
		cmocka_unit_test(the_resolution_is_that_of_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
