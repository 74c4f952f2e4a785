/*
 * Mach's clock: ticks that only go forward.
 *
 * Source: mach-kobjects.md §5.
 */
#ifndef _MACH_MACH_TIME_H_
#define _MACH_MACH_TIME_H_

#include <stdint.h>

#include <mach/kern_return.h>

struct mach_timebase_info {
	uint32_t numer;
	uint32_t denom;
};
typedef struct mach_timebase_info *mach_timebase_info_t;
typedef struct mach_timebase_info mach_timebase_info_data_t;

#ifdef __cplusplus
extern "C" {
#endif

/* Ticks since the machine started.  Stands still while it sleeps. */
extern uint64_t mach_absolute_time(void);

/* The same, with the time asleep. */
extern uint64_t mach_continuous_time(void);

/* The same two, cheaper and coarser. */
extern uint64_t mach_approximate_time(void);
extern uint64_t mach_continuous_approximate_time(void);

/* Nanoseconds are ticks * numer / denom.  KERN_SUCCESS. */
extern kern_return_t mach_timebase_info(mach_timebase_info_t info);

/*
 * Sleep until mach_absolute_time() is @deadline; one that is past returns at once.
 *
 * KERN_ABORTED  interrupted
 */
extern kern_return_t mach_wait_until(uint64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
