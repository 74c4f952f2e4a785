/*
 * Stopping, interrupting and ending single threads.
 *
 * The core counts, and ends what a thread waits for in the kernel.  What a thread does outside is
 * the host's: it has the thread ask for BERTH_TRAP_THREAD_HOLD, which comes back when the thread
 * may go on, or says that it is to end.
 *
 *   runs       suspend_count 0
 *   suspended  suspend_count > 0; runs until it asks to be held    trap_suspend
 *   held       PARKED_HELD, it or a nested level of it             trap_hold
 *              (what waits otherwise in the kernel has stopped, too)
 *   terminated is_terminated; ends when it asks to be held         trap_terminate
 *
 * Source: mach-kobjects.md §7.
 */
#ifndef KERNEL_THREAD_CONTROL_H
#define KERNEL_THREAD_CONTROL_H

#include "kern/thread.h"

/* Does @thread, which is no nested level, or such a level of it, wait in the kernel? */
bool thread_waits(const struct thread *thread);
/* The held @holder goes on: its trap ends with @code and, unless somebody took them, the
 * registers that it came with. */
void thread_let_go(struct kernel *k, struct thread *holder, kern_return_t code);
/* The same for all that are held for @thread. */
void thread_let_all_go(struct kernel *k, struct thread *thread, kern_return_t code);
/* @thread, which is no nested level, has stopped, or will not: the traps of those who wait for
 * that end with @code. */
void thread_tell_stop(struct kernel *k, struct thread *thread, kern_return_t code);
/* The same for @waiter alone. */
void thread_end_stop_wait(struct kernel *k, struct thread *waiter, kern_return_t code);

#endif
