/*
 * Clocks and times: types.
 */
#ifndef _MACH_CLOCK_TYPES_H_
#define _MACH_CLOCK_TYPES_H_

#include <mach/port.h>
#include <mach/vm_types.h>

typedef int alarm_type_t;
typedef int sleep_type_t;
typedef int clock_id_t;
typedef int clock_flavor_t;
typedef int *clock_attr_t;
typedef int clock_res_t;

struct mach_timespec {
	unsigned int tv_sec;
	int tv_nsec;
};
typedef struct mach_timespec mach_timespec_t;

/* host_get_clock_service() */
#define SYSTEM_CLOCK 0   /* uptime */
#define REALTIME_CLOCK 0 /* the same */
#define CALENDAR_CLOCK 1 /* wall clock */

/* clock_get_attributes(): nanoseconds */
#define CLOCK_GET_TIME_RES 1
#define CLOCK_ALARM_CURRES 3
#define CLOCK_ALARM_MINRES 4
#define CLOCK_ALARM_MAXRES 5

#define NSEC_PER_USEC 1000ull
#define USEC_PER_SEC 1000000ull
#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull

#define BAD_MACH_TIMESPEC(t) ((t)->tv_nsec < 0 || (unsigned long long)(t)->tv_nsec >= NSEC_PER_SEC)

/* *@t1 against *@t2: above 0 if it is later, as of two numbers */
#define CMP_MACH_TIMESPEC(t1, t2)                                                                  \
	((t1)->tv_sec > (t2)->tv_sec   ? +1                                                        \
	 : (t1)->tv_sec < (t2)->tv_sec ? -1                                                        \
				       : (t1)->tv_nsec - (t2)->tv_nsec)

/* *@t1 += *@t2 */
#define ADD_MACH_TIMESPEC(t1, t2)                                                                  \
	do {                                                                                       \
		(t1)->tv_sec += (t2)->tv_sec;                                                      \
		if (((t1)->tv_nsec += (t2)->tv_nsec) >= (int)NSEC_PER_SEC) {                       \
			(t1)->tv_nsec -= (int)NSEC_PER_SEC;                                        \
			(t1)->tv_sec++;                                                            \
		}                                                                                  \
	} while (0)

/* *@t1 -= *@t2 */
#define SUB_MACH_TIMESPEC(t1, t2)                                                                  \
	do {                                                                                       \
		(t1)->tv_sec -= (t2)->tv_sec;                                                      \
		if (((t1)->tv_nsec -= (t2)->tv_nsec) < 0) {                                        \
			(t1)->tv_nsec += (int)NSEC_PER_SEC;                                        \
			(t1)->tv_sec--;                                                            \
		}                                                                                  \
	} while (0)

/* clock_alarm(), clock_sleep() */
#define ALRMTYPE 0xff
#define TIME_ABSOLUTE 0x00
#define TIME_RELATIVE 0x01

#define BAD_ALRMTYPE(t) (((t) & ~TIME_RELATIVE) != 0)

#endif
