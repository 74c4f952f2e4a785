/*
 * The kernel's clocks.  Ticks of mach_absolute_time() are nanoseconds.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.6.
 */
#ifndef BERTH_KERN_CLOCK_H
#define BERTH_KERN_CLOCK_H

#ifdef KERNEL

#include <stdint.h>

#include <mach/clock_types.h>
#include <mach/mach_time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned long clock_sec_t;
typedef unsigned int clock_usec_t;
typedef unsigned int clock_nsec_t;

/* Time since the machine started, without the time asleep. */
void clock_get_uptime(uint64_t *result);
void clock_get_system_microtime(clock_sec_t *secs, clock_usec_t *microsecs);
void clock_get_system_nanotime(clock_sec_t *secs, clock_nsec_t *nanosecs);
/* Wall clock. */
void clock_get_calendar_microtime(clock_sec_t *secs, clock_usec_t *microsecs);
void clock_get_calendar_nanotime(clock_sec_t *secs, clock_nsec_t *nanosecs);

/* *@result: @interval times @scale_factor nanoseconds from now; as an interval; both stick at the
 * greatest number. */
void clock_interval_to_deadline(uint32_t interval, uint32_t scale_factor, uint64_t *result);
void clock_interval_to_absolutetime_interval(uint32_t interval, uint32_t scale_factor,
					     uint64_t *result);
void clock_absolutetime_interval_to_deadline(uint64_t abstime, uint64_t *result);
void clock_continuoustime_interval_to_deadline(uint64_t abstime, uint64_t *result);
/* Burn time until @deadline. */
void clock_delay_until(uint64_t deadline);

void absolutetime_to_nanoseconds(uint64_t abstime, uint64_t *result);
void nanoseconds_to_absolutetime(uint64_t nanosecs, uint64_t *result);
void absolutetime_to_microtime(uint64_t abstime, clock_sec_t *secs, clock_usec_t *microsecs);

void clock_timebase_info(mach_timebase_info_t info);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
