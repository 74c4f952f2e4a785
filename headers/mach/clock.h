/*
 * The calls on clocks.  host_get_clock_service() gives a clock.
 *
 * Source: mach-kobjects.md §5.
 */
#ifndef _MACH_CLOCK_H_
#define _MACH_CLOCK_H_

#include <mach/clock_types.h>
#include <mach/mach_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The clock's time.  KERN_INVALID_ARGUMENT: a null clock. */
extern kern_return_t clock_get_time(clock_serv_t clock_serv, mach_timespec_t *cur_time);

/*
 * The clock's @flavor (CLOCK_GET_TIME_RES, ...) in nanoseconds, into one number.
 *
 * KERN_FAILURE        *@clock_attrCnt is not 1
 * KERN_INVALID_VALUE  no such flavor
 */
extern kern_return_t clock_get_attributes(clock_serv_t clock_serv, clock_flavor_t flavor,
					  clock_attr_t clock_attr,
					  mach_msg_type_number_t *clock_attrCnt);

/*
 * Send a message (<mach/clock_reply.h>) to @alarm_port at a time, which TIME_ABSOLUTE or
 * TIME_RELATIVE tells how to read.  A bad time is told by the message.
 *
 * KERN_INVALID_ARGUMENT    a null clock
 * KERN_FAILURE             not the system clock
 * KERN_INVALID_CAPABILITY  a null or dead port
 */
extern kern_return_t clock_alarm(clock_serv_t clock_serv, alarm_type_t alarm_type,
				 mach_timespec_t alarm_time, clock_reply_t alarm_port);

#ifdef __cplusplus
}
#endif

#endif
