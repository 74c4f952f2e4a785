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

/* @clock_ctrl is what host_get_clock_control() gives to privileged tasks. */
extern kern_return_t clock_set_time(clock_ctrl_t clock_ctrl, mach_timespec_t new_time);
extern kern_return_t clock_set_attributes(clock_ctrl_t clock_ctrl, clock_flavor_t flavor,
					  clock_attr_t clock_attr,
					  mach_msg_type_number_t clock_attrCnt);

#ifdef __cplusplus
}
#endif

#endif
