/*
 * The message that an alarm of a clock sends.
 */
#ifndef _MACH_CLOCK_REPLY_H_
#define _MACH_CLOCK_REPLY_H_

#include <mach/clock_types.h>
#include <mach/mach_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Its number, which programs compare msgh_id with; there is no reply. */
#define CLOCK_ALARM_REPLY_ID 3125107

/* Send it: what clock_alarm() does when the time has come. */
extern kern_return_t clock_alarm_reply(clock_reply_t alarm_port, kern_return_t alarm_code,
				       alarm_type_t alarm_type, mach_timespec_t alarm_time);

#ifdef __cplusplus
}
#endif

#endif
