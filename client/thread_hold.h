/*
 * Stopping one thread, by a signal whose handler waits until the thread may go on.
 *
 * SIGSTKFLT is a signal that Linux has and never sends, so no program misses it; unlike those of
 * real time it does not pile up.  Once the process is a task it is the library's.  A thread
 * that waits in a system call goes on waiting afterwards where Linux can do that; one that waits
 * for the kernel's answer always.
 */
#ifndef BERTH_CLIENT_THREAD_HOLD_H
#define BERTH_CLIENT_THREAD_HOLD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define THREAD_HOLD_SIGNAL SIGSTKFLT

/* From now on threads of this process can be stopped, the calling one by all means. */
void thread_hold_watch(void);
/* Is @number that signal, and the library's by now? */
bool thread_hold_has_signal(int number);

/* The calling thread is suspended or to end: see to it at once. */
void thread_hold_here(void);

/* How often the calling thread was stopped or looked whether it was to be: what has changed this
 * has not interrupted it. */
uint32_t thread_hold_count(void);
/* How often it was aborted while it did not wait for the kernel. */
uint32_t thread_abort_count(void);

/* Sleep until @until of CLOCK_MONOTONIC.  0; EINTR: a handler of the program's ran, or the thread
 * was aborted; or what clock_nanosleep() says. */
int thread_hold_sleep(const struct timespec *until);

#endif
