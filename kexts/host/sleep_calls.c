/*
 * BSD's and Mach's names for waiting.
 */
#include "kexts/host/sleep.h"

#include <kern/locks.h>
#include <kern/sched_prim.h>
#include <sys/kernel.h>
#include <sys/proc.h>

#include <errno.h>
#include <sched.h>

KPI_EXPORT const int hz = 100;
KPI_EXPORT const int tick = 10000;

/* ---- msleep and its relatives ------------------------------------------------------- */

/* @deadline_ns 0: no limit */
static int
sleep_on(void *chan, lck_mtx_t *mtx, int pri, uint64_t deadline_ns)
{
	wait_result_t result = THREAD_AWAKENED;
	bool waits = chan != NULL || deadline_ns != 0;

	/* nobody wakes the address of a local: a plain pause */
	if (waits)
		(void)sleep_begin(chan != NULL ? chan : &result, (pri & PCATCH) != 0, deadline_ns);
	if (mtx != NULL)
		lck_mtx_unlock(mtx);
	if (waits)
		result = sleep_finish();
	else
		sched_yield();
	if (mtx != NULL && (pri & PDROP) == 0)
		lck_mtx_lock(mtx);

	switch (result) {
	case THREAD_TIMED_OUT:
		return EWOULDBLOCK;
	case THREAD_INTERRUPTED:
		return EINTR;
	default:
		return 0;
	}
}

/* NULL, zero: 0, no limit.  What is negative is over. */
static uint64_t
deadline_of(const struct timespec *ts)
{
	uint64_t interval;

	if (ts == NULL || (ts->tv_sec == 0 && ts->tv_nsec == 0))
		return 0;
	if (ts->tv_sec < 0 || ts->tv_nsec < 0)
		return 1;
	if (__builtin_mul_overflow((uint64_t)ts->tv_sec, 1000000000u, &interval) ||
	    __builtin_add_overflow(interval, (uint64_t)ts->tv_nsec, &interval))
		return UINT64_MAX;
	return sleep_deadline_ns(interval);
}

KPI_EXPORT int
msleep(void *chan, lck_mtx_t *mtx, int pri, const char *wmesg, struct timespec *ts)
{
	return sleep_on(chan, mtx, pri, deadline_of(ts));
}

KPI_EXPORT int
msleep1(void *chan, lck_mtx_t *mtx, int pri, const char *wmesg, uint64_t abstime)
{
	return sleep_on(chan, mtx, pri, abstime);
}

KPI_EXPORT int
tsleep(void *chan, int pri, const char *wmesg, int timo)
{
	uint64_t deadline = timo > 0 ? sleep_deadline_ns((uint64_t)timo * 10000000u) : 0;

	return sleep_on(chan, NULL, pri & ~PDROP, deadline);
}

KPI_EXPORT void
wakeup(void *chan)
{
	if (chan != NULL)
		(void)sleep_wake(chan, false, THREAD_AWAKENED);
}

KPI_EXPORT void
wakeup_one(caddr_t chan)
{
	if (chan != NULL)
		(void)sleep_wake(chan, true, THREAD_AWAKENED);
}

/* ---- Mach's ------------------------------------------------------------------------------ */

KPI_EXPORT wait_result_t
assert_wait_deadline(event_t event, wait_interrupt_t interruptible, uint64_t deadline)
{
	return sleep_begin(event, interruptible != THREAD_UNINT, deadline);
}

KPI_EXPORT wait_result_t
assert_wait(event_t event, wait_interrupt_t interruptible)
{
	return assert_wait_deadline(event, interruptible, 0);
}

KPI_EXPORT wait_result_t
assert_wait_timeout(event_t event, wait_interrupt_t interruptible, uint32_t interval,
		    uint32_t scale_factor)
{
	return assert_wait_deadline(event, interruptible,
				    sleep_deadline_ns((uint64_t)interval * scale_factor));
}

KPI_EXPORT kern_return_t
thread_wakeup_prim(event_t event, boolean_t one_thread, wait_result_t result)
{
	if (event == NO_EVENT)
		return KERN_NOT_WAITING;
	return sleep_wake(event, one_thread, result) > 0 ? KERN_SUCCESS : KERN_NOT_WAITING;
}
