/*
 * Mach's way to wait: say what for, let go of what is held, block; somebody wakes the event.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.4.
 */
#ifndef BERTH_KERN_SCHED_PRIM_H
#define BERTH_KERN_SCHED_PRIM_H

#ifdef KERNEL

#include <stdint.h>

#include <kern/clock.h>
#include <kern/kern_types.h>
#include <mach/boolean.h>
#include <mach/kern_return.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * This thread will wait for @event, from now: a wake-up between this and thread_block() counts.
 * Panics if it waits already.  @deadline: in the units of mach_absolute_time(), 0: none.
 *
 * THREAD_WAITING, or THREAD_INTERRUPTED: thread_block() will come back at once with that.
 */
wait_result_t assert_wait(event_t event, wait_interrupt_t interruptible);
wait_result_t assert_wait_timeout(event_t event, wait_interrupt_t interruptible, uint32_t interval,
				  uint32_t scale_factor);
wait_result_t assert_wait_deadline(event_t event, wait_interrupt_t interruptible,
				   uint64_t deadline);

/*
 * Block until the wait that was asserted ends; without one, let others run.  A @continuation is
 * called with how it ended, on a fresh stack, instead of a return; only a thread of
 * kernel_thread_start() may have one, and ends when it returns.
 */
wait_result_t thread_block(thread_continue_t continuation);
wait_result_t thread_block_parameter(thread_continue_t continuation, void *parameter);

/* Wake all who wait for @event, or one.  KERN_SUCCESS; KERN_NOT_WAITING: nobody does. */
kern_return_t thread_wakeup_prim(event_t event, boolean_t one_thread, wait_result_t result);
#define thread_wakeup(x) thread_wakeup_prim((x), FALSE, THREAD_AWAKENED)
#define thread_wakeup_with_result(x, z) thread_wakeup_prim((x), FALSE, (z))
#define thread_wakeup_one(x) thread_wakeup_prim((x), TRUE, THREAD_AWAKENED)

/* End the wait of @thread.  KERN_SUCCESS; KERN_NOT_WAITING */
kern_return_t clear_wait(thread_t thread, wait_result_t result);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
