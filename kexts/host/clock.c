/*
 * Clocks.  The ticks of Mach's are nanoseconds, as libberth has it for programs: so times may
 * be compared on both sides.
 */
#include "kexts/host/kpi.h"

#include "kexts/host/control.h"
#include "kexts/host/sleep.h"

#include <IOKit/IOLib.h>
#include <kern/clock.h>
#include <sys/time.h>

#include <errno.h>
#include <time.h>

static struct timespec
clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now;
}

static uint64_t
clock_now_ns(clockid_t clock)
{
	struct timespec now = clock_now(clock);

	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Mach's ------------------------------------------------------------------------------ */

KPI_EXPORT uint64_t
mach_absolute_time(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

KPI_EXPORT uint64_t
mach_continuous_time(void)
{
	return clock_now_ns(CLOCK_BOOTTIME);
}

KPI_EXPORT uint64_t
mach_approximate_time(void)
{
	return clock_now_ns(CLOCK_MONOTONIC_COARSE);
}

KPI_EXPORT uint64_t
mach_continuous_approximate_time(void)
{
	return clock_now_ns(CLOCK_BOOTTIME);
}

KPI_EXPORT void
clock_timebase_info(mach_timebase_info_t info)
{
	info->numer = 1;
	info->denom = 1;
}

KPI_EXPORT void
clock_get_uptime(uint64_t *result)
{
	*result = mach_absolute_time();
}

KPI_EXPORT void
clock_get_system_nanotime(clock_sec_t *secs, clock_nsec_t *nanosecs)
{
	struct timespec now = clock_now(CLOCK_MONOTONIC);

	*secs = (clock_sec_t)now.tv_sec;
	*nanosecs = (clock_nsec_t)now.tv_nsec;
}

KPI_EXPORT void
clock_get_system_microtime(clock_sec_t *secs, clock_usec_t *microsecs)
{
	clock_get_system_nanotime(secs, microsecs);
	*microsecs /= 1000;
}

KPI_EXPORT void
clock_get_calendar_nanotime(clock_sec_t *secs, clock_nsec_t *nanosecs)
{
	struct timespec now = clock_now(CLOCK_REALTIME);

	*secs = (clock_sec_t)now.tv_sec;
	*nanosecs = (clock_nsec_t)now.tv_nsec;
}

KPI_EXPORT void
clock_get_calendar_microtime(clock_sec_t *secs, clock_usec_t *microsecs)
{
	clock_get_calendar_nanotime(secs, microsecs);
	*microsecs /= 1000;
}

static uint64_t
add_sticking(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

KPI_EXPORT void
clock_interval_to_absolutetime_interval(uint32_t interval, uint32_t scale_factor, uint64_t *result)
{
	*result = (uint64_t)interval * scale_factor; /* cannot overflow */
}

KPI_EXPORT void
clock_absolutetime_interval_to_deadline(uint64_t abstime, uint64_t *result)
{
	*result = add_sticking(mach_absolute_time(), abstime);
}

KPI_EXPORT void
clock_continuoustime_interval_to_deadline(uint64_t abstime, uint64_t *result)
{
	*result = add_sticking(mach_continuous_time(), abstime);
}

KPI_EXPORT void
clock_interval_to_deadline(uint32_t interval, uint32_t scale_factor, uint64_t *result)
{
	clock_absolutetime_interval_to_deadline((uint64_t)interval * scale_factor, result);
}

KPI_EXPORT void
clock_delay_until(uint64_t deadline)
{
	while (mach_absolute_time() < deadline)
		;
}

KPI_EXPORT void
absolutetime_to_nanoseconds(uint64_t abstime, uint64_t *result)
{
	*result = abstime;
}

KPI_EXPORT void
nanoseconds_to_absolutetime(uint64_t nanosecs, uint64_t *result)
{
	*result = nanosecs;
}

KPI_EXPORT void
absolutetime_to_microtime(uint64_t abstime, clock_sec_t *secs, clock_usec_t *microsecs)
{
	*secs = abstime / 1000000000u;
	*microsecs = (clock_usec_t)(abstime % 1000000000u / 1000u);
}

/* ---- BSD's ------------------------------------------------------------------------------- */

static struct timeval
microseconds(struct timespec ts)
{
	return (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
}

KPI_EXPORT void
microtime(struct timeval *tv)
{
	*tv = microseconds(clock_now(CLOCK_REALTIME));
}

KPI_EXPORT void
nanotime(struct timespec *ts)
{
	*ts = clock_now(CLOCK_REALTIME);
}

KPI_EXPORT void
microuptime(struct timeval *tv)
{
	*tv = microseconds(clock_now(CLOCK_MONOTONIC));
}

KPI_EXPORT void
nanouptime(struct timespec *ts)
{
	*ts = clock_now(CLOCK_MONOTONIC);
}

KPI_EXPORT void
getmicrotime(struct timeval *tv)
{
	*tv = microseconds(clock_now(CLOCK_REALTIME_COARSE));
}

KPI_EXPORT void
getnanotime(struct timespec *ts)
{
	*ts = clock_now(CLOCK_REALTIME_COARSE);
}

KPI_EXPORT void
getmicrouptime(struct timeval *tv)
{
	*tv = microseconds(clock_now(CLOCK_MONOTONIC_COARSE));
}

KPI_EXPORT void
getnanouptime(struct timespec *ts)
{
	*ts = clock_now(CLOCK_MONOTONIC_COARSE);
}

/* ---- IOKit's ----------------------------------------------------------------------------- */

KPI_EXPORT void
IOSleep(unsigned milliseconds)
{
	wait_result_t nobody;

	/* even zero lets others run, a client that has left no room before all; nobody wakes the
	 * address of a local */
	if (milliseconds == 0 && enqueue_await_room())
		return;
	if (milliseconds > 0)
		(void)sleep_begin(&nobody, false,
				  sleep_deadline_ns((uint64_t)milliseconds * 1000000u));
	(void)sleep_finish();
}

KPI_EXPORT void
IOSleepWithLeeway(unsigned intervalMilliseconds, unsigned leewayMilliseconds)
{
	IOSleep(intervalMilliseconds);
}

KPI_EXPORT void
IODelay(unsigned microsecs)
{
	clock_delay_until(sleep_deadline_ns((uint64_t)microsecs * 1000u));
}

KPI_EXPORT void
IOPause(unsigned nanoseconds)
{
	clock_delay_until(sleep_deadline_ns(nanoseconds));
}
