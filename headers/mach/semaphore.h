/*
 * Semaphores: counts that threads of any task wait for.
 *
 * What is said of errors holds for every call that takes a semaphore:
 *
 * KERN_INVALID_NAME        @semaphore means nothing, or is dead
 * KERN_INVALID_RIGHT       it is no send right
 * KERN_INVALID_CAPABILITY  it is no semaphore
 * KERN_TERMINATED          it was destroyed, or is while the caller waits
 *
 * and is not repeated.  Source: mach-kobjects.md §6.
 */
#ifndef _MACH_SEMAPHORE_H_
#define _MACH_SEMAPHORE_H_

#include <mach/clock_types.h>
#include <mach/mach_types.h>
#include <mach/sync_policy.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A semaphore of @task with the count @value; SYNC_POLICY_FIFO or _LIFO says which waiter
 * wakes first.  Gives a send right; *@semaphore is 0 on failure.
 *
 * KERN_INVALID_ARGUMENT  null task, negative @value, unknown @policy
 * KERN_INVALID_TASK      a dead task
 */
extern kern_return_t semaphore_create(task_t task, semaphore_t *semaphore, int policy, int value);

/* Give the right back; if @task is the owner, end the semaphore: waiters get KERN_TERMINATED. */
extern kern_return_t semaphore_destroy(task_t task, semaphore_t semaphore);

/* Wake one waiter; none waiting: count one up. */
extern kern_return_t semaphore_signal(semaphore_t semaphore);

/* Wake every waiter; none waiting: nothing. */
extern kern_return_t semaphore_signal_all(semaphore_t semaphore);

/* Wake @thread (0: any one).  KERN_NOT_WAITING: it does not wait, and nothing changed. */
extern kern_return_t semaphore_signal_thread(semaphore_t semaphore, thread_t thread);

/* Count one down, waiting while it is 0.  KERN_ABORTED: interrupted. */
extern kern_return_t semaphore_wait(semaphore_t semaphore);

/*
 * The same for at most @wait_time.
 *
 * KERN_OPERATION_TIMED_OUT  the time is over
 * KERN_INVALID_VALUE        its nanoseconds are out of range
 * KERN_ABORTED              interrupted
 */
extern kern_return_t semaphore_timedwait(semaphore_t semaphore, mach_timespec_t wait_time);

/* Signal the second and wait for the first, with no signal lost in between. */
extern kern_return_t semaphore_wait_signal(semaphore_t wait_semaphore,
					   semaphore_t signal_semaphore);

/* The same for at most @wait_time. */
extern kern_return_t semaphore_timedwait_signal(semaphore_t wait_semaphore,
						semaphore_t signal_semaphore,
						mach_timespec_t wait_time);

#ifdef __cplusplus
}
#endif

#endif
