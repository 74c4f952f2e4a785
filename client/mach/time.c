/*
 * Mach's clock.  Its ticks are nanoseconds.
 */
#include <mach/mach_time.h>

#include "client/export.h"
#include "client/thread_hold.h"

#include <errno.h>
#include <time.h>

static uint64_t
clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

BERTH_EXPORT uint64_t
mach_absolute_time(void)
{
	return clock_read(CLOCK_MONOTONIC); /* stands still while the machine sleeps */
}

BERTH_EXPORT uint64_t
mach_continuous_time(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

BERTH_EXPORT uint64_t
mach_approximate_time(void)
{
	return clock_read(CLOCK_MONOTONIC_COARSE);
}

BERTH_EXPORT uint64_t
mach_continuous_approximate_time(void)
{
	return clock_read(CLOCK_BOOTTIME); /* there is no coarse clock that counts sleep */
}

BERTH_EXPORT kern_return_t
mach_timebase_info(mach_timebase_info_t info)
{
	info->numer = 1;
	info->denom = 1;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_wait_until(uint64_t deadline)
{
	struct timespec until = { .tv_sec = (time_t)(deadline / 1000000000u),
				  .tv_nsec = (long)(deadline % 1000000000u) };

	return thread_hold_sleep(&until) == EINTR ? KERN_ABORTED : KERN_SUCCESS;
}
