/*
 * Time: the C library's, and the clocks of kernel extensions.
 *
 * Source: kext.md §5.6.
 */
#ifndef BERTH_SYS_TIME_H
#define BERTH_SYS_TIME_H

#include_next <sys/time.h>

#ifdef KERNEL

#include <time.h> /* struct timespec */

#include <mach/clock_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Wall clock. */
void microtime(struct timeval *tv);
void nanotime(struct timespec *ts);
/* Time since the machine started. */
void microuptime(struct timeval *tv);
void nanouptime(struct timespec *ts);
/* The same, cheaper and coarser. */
void getmicrotime(struct timeval *tv);
void getnanotime(struct timespec *ts);
void getmicrouptime(struct timeval *tv);
void getnanouptime(struct timespec *ts);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
