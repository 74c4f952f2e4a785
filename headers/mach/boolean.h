/*
 * boolean_t: Mach's truth value, as wide as an int in every message.
 */
#ifndef _MACH_BOOLEAN_H_
#define _MACH_BOOLEAN_H_

/* Darwin's two architectures disagree on the sign; bit-fields of this type show it. */
#if defined(__x86_64__) || defined(__i386__)
typedef unsigned int boolean_t;
#else
typedef int boolean_t;
#endif

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

#endif
