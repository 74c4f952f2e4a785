/*
 * thread_switch(): give the processor away.
 */
#ifndef _MACH_THREAD_SWITCH_H_
#define _MACH_THREAD_SWITCH_H_

#include <mach/kern_return.h>
#include <mach/mach_types.h>

#define SWITCH_OPTION_NONE 0
#define SWITCH_OPTION_DEPRESS 1 /* at a low priority for @option_time */
#define SWITCH_OPTION_WAIT 2    /* sleep for it */
#define SWITCH_OPTION_DISPATCH_CONTENTION 3
#define SWITCH_OPTION_OSLOCK_DEPRESS 4
#define SWITCH_OPTION_OSLOCK_WAIT 5

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Let another thread run, if there is one @thread_name; @option_time is in milliseconds.
 *
 * KERN_INVALID_ARGUMENT  @option is no SWITCH_OPTION_*
 */
extern kern_return_t thread_switch(mach_port_name_t thread_name, int option,
				   mach_msg_timeout_t option_time);

#ifdef __cplusplus
}
#endif

#endif
