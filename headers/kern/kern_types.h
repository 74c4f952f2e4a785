/*
 * Kernel threads, and how waits are asked for and end.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.1 and §5.5.
 */
#ifndef BERTH_KERN_KERN_TYPES_H
#define BERTH_KERN_KERN_TYPES_H

#ifdef KERNEL

#include <mach/mach_types.h>

typedef void *event_t; /* wait channel: any address */
#define NO_EVENT ((event_t)0)

/* how a wait ended */
typedef int wait_result_t;
#define THREAD_WAITING (-1)   /* it has not: the thread has said what for only */
#define THREAD_AWAKENED 0     /* woken */
#define THREAD_TIMED_OUT 1    /* the deadline has come */
#define THREAD_INTERRUPTED 2  /* the program that called was interrupted, or is gone */
#define THREAD_RESTART 3      /* woken, to begin again */
#define THREAD_NOT_WAITING 10 /* there was no wait */

/* whether a wait may be interrupted */
typedef int wait_interrupt_t;
#define THREAD_UNINT 0
#define THREAD_INTERRUPTIBLE 1
#define THREAD_ABORTSAFE 2

typedef void (*continue_t)(void *parameter, wait_result_t result);
typedef void (*thread_continue_t)(void *parameter, wait_result_t result);
#define CONTINUE_NULL ((continue_t)0)
#define THREAD_CONTINUE_NULL ((thread_continue_t)0)

#endif /* KERNEL */

#endif
