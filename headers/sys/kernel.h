/*
 * Numbers of the kernel as a whole.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 */
#ifndef BERTH_SYS_KERNEL_H
#define BERTH_SYS_KERNEL_H

#ifdef KERNEL

#include <sys/time.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const int hz;   /* ticks a second: 100 */
extern const int tick; /* microseconds of a tick */

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
