/*
 * The calls that set clocks.
 */
#ifndef _MACH_CLOCK_PRIV_H_
#define _MACH_CLOCK_PRIV_H_

#include <mach/clock_types.h>
#include <mach/mach_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * @clock_ctrl is what host_get_clock_control() gives to root.  Whether the wall clock may be set
 * Linux says, of the calling process.
 *
 * KERN_INVALID_ARGUMENT  not the control of a clock
 * KERN_INVALID_VALUE     no such time
 * KERN_FAILURE           the system clock
 * KERN_NO_ACCESS         Linux does not let this process (CAP_SYS_TIME)
 */
extern kern_return_t clock_set_time(clock_ctrl_t clock_ctrl, mach_timespec_t new_time);
/* KERN_FAILURE: nothing can be set; KERN_INVALID_VALUE: no such flavor; KERN_INVALID_ARGUMENT. */
extern kern_return_t clock_set_attributes(clock_ctrl_t clock_ctrl, clock_flavor_t flavor,
					  clock_attr_t clock_attr,
					  mach_msg_type_number_t clock_attrCnt);

#ifdef __cplusplus
}
#endif

#endif
