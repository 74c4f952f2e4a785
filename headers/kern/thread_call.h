/*
 * Functions to be called later, or elsewhere: on a thread of the system.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * A call is *pending* from when it is entered until a thread takes it, or until its deadline if
 * it has one; it may be entered again while it runs, and then may run twice at once unless it
 * was made with THREAD_CALL_OPTIONS_ONCE.
 *
 * Source: kext.md §5.5.
 */
#ifndef BERTH_KERN_THREAD_CALL_H
#define BERTH_KERN_THREAD_CALL_H

#ifdef KERNEL

#include <stdint.h>

#include <kern/clock.h>
#include <kern/kern_types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct thread_call *thread_call_t;
typedef void *thread_call_param_t;
typedef void (*thread_call_func_t)(thread_call_param_t param0, thread_call_param_t param1);

typedef enum {
	THREAD_CALL_PRIORITY_HIGH = 0,
	THREAD_CALL_PRIORITY_KERNEL = 1,
	THREAD_CALL_PRIORITY_USER = 2,
	THREAD_CALL_PRIORITY_LOW = 3
} thread_call_priority_t;

typedef uint32_t thread_call_options_t;
#define THREAD_CALL_OPTIONS_ONCE 0x00000001u /* never runs twice at once */

/* A new call, which is for thread_call_free().  NULL: no memory, or no thread to run it. */
thread_call_t thread_call_allocate(thread_call_func_t func, thread_call_param_t param0);
/* Priorities make no difference here. */
thread_call_t thread_call_allocate_with_priority(thread_call_func_t func,
						 thread_call_param_t param0,
						 thread_call_priority_t pri);
thread_call_t thread_call_allocate_with_options(thread_call_func_t func, thread_call_param_t param0,
						thread_call_priority_t pri,
						thread_call_options_t options);

/* TRUE: freed, or will be when the run under way ends.  FALSE: it is pending; not freed. */
boolean_t thread_call_free(thread_call_t call);

/* Call it as soon as possible, with NULL or @param1 as second parameter.  TRUE: it was pending
 * already, and is not queued twice. */
boolean_t thread_call_enter(thread_call_t call);
boolean_t thread_call_enter1(thread_call_t call, thread_call_param_t param1);

/* Call it at @deadline, in the units of mach_absolute_time().  TRUE: it was pending already; now
 * this deadline counts. */
boolean_t thread_call_enter_delayed(thread_call_t call, uint64_t deadline);
boolean_t thread_call_enter1_delayed(thread_call_t call, thread_call_param_t param1,
				     uint64_t deadline);

/* TRUE: it was pending, and is not any more.  A run under way goes on. */
boolean_t thread_call_cancel(thread_call_t call);
/* The same, and no run is under way on return.  Not from the call itself: that panics. */
boolean_t thread_call_cancel_wait(thread_call_t call);

/* TRUE: pending or running. */
boolean_t thread_call_isactive(thread_call_t call);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
