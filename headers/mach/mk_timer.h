/*
 * Timers as ports, for event loops: a receive right that gets a message when the time has come.
 *
 * KERN_INVALID_NAME      @name means nothing
 * KERN_INVALID_RIGHT     it is no receive right
 * KERN_INVALID_ARGUMENT  it is no timer
 *
 * hold for all.  Source: mach-kobjects.md §5.1.
 */
#ifndef _MACH_MK_TIMER_H_
#define _MACH_MK_TIMER_H_

#include <stdint.h>

#include <mach/mach_time.h>
#include <mach/mach_types.h>
#include <mach/message.h>

/* mk_timer_arm_leeway() */
#define MK_TIMER_NORMAL 0
#define MK_TIMER_CRITICAL 1

/* What is received; at most one waits at a time. */
#pragma pack(push, 4)
struct mk_timer_expire_msg {
	mach_msg_header_t header;
	uint64_t unused[3];
};
typedef struct mk_timer_expire_msg mk_timer_expire_msg_t;
#pragma pack(pop)

#ifdef __cplusplus
extern "C" {
#endif

/* A new timer: its receive right, which cannot be moved; MACH_PORT_NULL: none could be made. */
extern mach_port_name_t mk_timer_create(void);

/* Give the timer up, with its right. */
extern kern_return_t mk_timer_destroy(mach_port_name_t name);

/* Let it fire when mach_absolute_time() is @expire_time, instead of any time set before. */
extern kern_return_t mk_timer_arm(mach_port_name_t name, uint64_t expire_time);

/* The same, up to @mk_leeway later. */
extern kern_return_t mk_timer_arm_leeway(mach_port_name_t name, uint64_t mk_timer_flags,
					 uint64_t expire_time, uint64_t mk_leeway);

/* Let it not fire.  *@result_time becomes the time that was set, 0 for none. */
extern kern_return_t mk_timer_cancel(mach_port_name_t name, uint64_t *result_time);

#ifdef __cplusplus
}
#endif

#endif
