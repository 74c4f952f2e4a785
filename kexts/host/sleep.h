/*
 * Waiting for an event, an address, until somebody wakes it.
 *
 * Events fall into buckets, each a lock and a list of threads.  sleep_begin() puts the thread
 * into the list; from then on a wake-up ends its wait, whether it sleeps already or is still
 * letting go of its locks: so none is lost.  Who ends a wait takes the thread out of the list;
 * it happens once.
 */
#ifndef BERTH_KEXTS_HOST_SLEEP_H
#define BERTH_KEXTS_HOST_SLEEP_H

#include "kexts/host/thread.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * This thread waits for @event from now on, until @deadline_ns of mach_absolute_time() (0: no
 * limit).  THREAD_WAITING, or THREAD_INTERRUPTED: its call is interrupted already.
 */
wait_result_t sleep_begin(event_t event, bool interruptible, uint64_t deadline_ns);

/* Sleep until the wait is over, and say how it ended.  Without a wait: THREAD_AWAKENED. */
wait_result_t sleep_finish(void);

/* A wait that was begun is dropped: @thread, which is this one, ends. */
void sleep_abandon(struct thread *thread);

/* End the waits for @event, of one thread or of all that had begun: how many. */
uint32_t sleep_wake(event_t event, bool one, wait_result_t result);

/* Now, in the units of deadlines; @interval from now, at most the greatest number. */
uint64_t sleep_now_ns(void);
uint64_t sleep_deadline_ns(uint64_t interval_ns);

#endif
