/*
 * Waiting: the buckets, and the futex of each thread.
 *
 * Lock order: a bucket's lock is innermost, and one thread holds one at a time.
 */
#include "kexts/host/sleep.h"

#include "kexts/host/call.h"
#include "kexts/host/host_log.h"
#include "kexts/host/locks.h"

#include <kern/debug.h>
#include <kern/sched_prim.h>

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BUCKET_COUNT 256u /* a power of two */
#define WAKE_BATCH 32u

struct bucket {
	pthread_mutex_t lock; /* guards all of it, and the waits of the threads in it */
	TAILQ_HEAD(, thread) threads;
	uint64_t sequence; /* of the next wait */
} __attribute__((aligned(64)));

static struct bucket buckets[BUCKET_COUNT] = {
	[0 ... BUCKET_COUNT - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER },
};

static struct bucket *
bucket_lock(event_t event)
{
	uint64_t hash = ((uint64_t)(uintptr_t)event >> 3) * 0x9e3779b97f4a7c15u;
	struct bucket *bucket = &buckets[hash >> 56 & (BUCKET_COUNT - 1)];

	pthread_mutex_lock(&bucket->lock);
	if (bucket->threads.tqh_last == NULL)
		TAILQ_INIT(&bucket->threads); /* the first use of a static one */
	return bucket;
}

static void
bucket_unlock(struct bucket *bucket)
{
	pthread_mutex_unlock(&bucket->lock);
}

/* ---- time ------------------------------------------------------------------------------ */

uint64_t
sleep_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
sleep_deadline_ns(uint64_t interval_ns)
{
	uint64_t deadline;

	if (__builtin_add_overflow(sleep_now_ns(), interval_ns, &deadline))
		return UINT64_MAX;
	return deadline;
}

/* ---- the futex of a thread ---------------------------------------------------------- */

/* False: the time is over. */
static bool
futex_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
	struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
				  .tv_nsec = (long)(deadline_ns % 1000000000u) };
	bool limited = deadline_ns != 0 && deadline_ns <= INT64_MAX;

	return syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
		       limited ? &until : NULL, NULL, FUTEX_BITSET_MATCH_ANY) == 0 ||
	       errno != ETIMEDOUT;
}

static void
futex_wake(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

/* ---- ending waits -------------------------------------------------------------------------- */

static bool
waits_here_locked(struct thread *thread)
{
	return atomic_load_explicit(&thread->wait_state, memory_order_relaxed) == THREAD_WAIT_ON;
}

/* Its futex is for the caller to wake, after the unlock. */
static void
wait_end_locked(struct bucket *bucket, struct thread *thread, wait_result_t result)
{
	TAILQ_REMOVE(&bucket->threads, thread, wait_link);
	thread->wait_result = result;
	atomic_store_explicit(&thread->wait_state, THREAD_WAIT_DONE, memory_order_release);
}

/* The threads whose waits were ended under a lock, woken without it. */
struct woken {
	struct thread *threads[WAKE_BATCH]; /* each counted */
	uint32_t count;
};

static void
woken_add_locked(struct woken *woken, struct bucket *bucket, struct thread *thread,
		 wait_result_t result)
{
	thread_reference(thread); /* it may be gone before its futex is woken */
	wait_end_locked(bucket, thread, result);
	woken->threads[woken->count++] = thread;
}

static void
woken_emit(struct woken *woken)
{
	for (uint32_t i = 0; i < woken->count; i++) {
		futex_wake(&woken->threads[i]->wait_state);
		thread_deallocate(woken->threads[i]);
	}
}

uint32_t
sleep_wake(event_t event, bool one, wait_result_t result)
{
	uint64_t before = UINT64_MAX; /* who begins after this call is not its business */
	uint32_t total = 0;
	struct woken woken;

	do {
		struct bucket *bucket = bucket_lock(event);
		struct thread *thread, *next;

		woken.count = 0;
		if (before == UINT64_MAX)
			before = bucket->sequence;
		for (thread = TAILQ_FIRST(&bucket->threads);
		     thread != NULL && woken.count < (one ? 1 : WAKE_BATCH); thread = next) {
			next = TAILQ_NEXT(thread, wait_link);
			if (atomic_load_explicit(&thread->wait_event, memory_order_relaxed) ==
				event &&
			    thread->wait_sequence < before)
				woken_add_locked(&woken, bucket, thread, result);
		}
		bucket_unlock(bucket);
		woken_emit(&woken);
		total += woken.count;
	} while (!one && woken.count == WAKE_BATCH);
	return total;
}

void
sleep_interrupt(struct host_call *call)
{
	for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
		struct bucket *bucket = &buckets[i];
		struct woken woken = { .count = 0 };
		struct thread *thread, *next;

		/* one thread runs a call; it may be in an uninterruptible wait */
		pthread_mutex_lock(&bucket->lock);
		for (thread = TAILQ_FIRST(&bucket->threads);
		     thread != NULL && woken.count < WAKE_BATCH; thread = next) {
			next = TAILQ_NEXT(thread, wait_link);
			if (thread->wait_call == call && thread->wait_interruptible)
				woken_add_locked(&woken, bucket, thread, THREAD_INTERRUPTED);
		}
		bucket_unlock(bucket);
		woken_emit(&woken);
	}
}

KPI_EXPORT kern_return_t
clear_wait(thread_t thread, wait_result_t result)
{
	struct woken woken = { .count = 0 };

	if (thread == NULL)
		return KERN_INVALID_ARGUMENT;
	while (atomic_load(&thread->wait_state) == THREAD_WAIT_ON && woken.count == 0) {
		event_t event = atomic_load(&thread->wait_event);
		struct bucket *bucket = bucket_lock(event);

		/* it may be in another wait by now, and so in another bucket */
		if (waits_here_locked(thread) && atomic_load(&thread->wait_event) == event)
			woken_add_locked(&woken, bucket, thread, result);
		bucket_unlock(bucket);
	}
	woken_emit(&woken);
	return woken.count > 0 ? KERN_SUCCESS : KERN_NOT_WAITING;
}

/* The thread's own: no futex to wake. */
static void
wait_end_self(struct thread *thread, wait_result_t result)
{
	struct bucket *bucket = bucket_lock(atomic_load(&thread->wait_event));

	if (waits_here_locked(thread))
		wait_end_locked(bucket, thread, result);
	bucket_unlock(bucket);
}

void
sleep_abandon(struct thread *thread)
{
	wait_end_self(thread, THREAD_INTERRUPTED);
	atomic_store(&thread->wait_state, THREAD_WAIT_NONE);
}

/* ---- waiting ------------------------------------------------------------------------------ */

wait_result_t
sleep_begin(event_t event, bool interruptible, uint64_t deadline_ns)
{
	struct thread *thread = thread_self();
	struct host_call *call = host_call_current();

	if (event == NO_EVENT)
		panic("a thread waits for no event");
	if (atomic_load_explicit(&thread->wait_state, memory_order_acquire) != THREAD_WAIT_NONE)
		panic("a thread that has asserted a wait for %p asserts another, for %p",
		      atomic_load(&thread->wait_event), event);

	struct bucket *bucket = bucket_lock(event);
	thread->wait_deadline = deadline_ns;
	thread->wait_interruptible = interruptible;
	thread->wait_call = call;
	atomic_store(&thread->wait_event, event);
	/* under the lock: sleep_interrupt() sees the thread here, or it sees the flag */
	if (interruptible && call != NULL && atomic_load(&call->interrupted) != 0) {
		thread->wait_result = THREAD_INTERRUPTED;
		atomic_store(&thread->wait_state, THREAD_WAIT_DONE);
		bucket_unlock(bucket);
		return THREAD_INTERRUPTED;
	}
	thread->wait_sequence = bucket->sequence++;
	TAILQ_INSERT_TAIL(&bucket->threads, thread, wait_link);
	atomic_store(&thread->wait_state, THREAD_WAIT_ON);
	bucket_unlock(bucket);
	return THREAD_WAITING;
}

wait_result_t
sleep_finish(void)
{
	struct thread *thread = thread_self();

	host_log_flush(); /* nobody should wait for the rest of a line */
	if (atomic_load(&thread->wait_state) == THREAD_WAIT_NONE) {
		sched_yield();
		return THREAD_AWAKENED;
	}
	spin_check_none_held("sleeps");
	while (atomic_load_explicit(&thread->wait_state, memory_order_acquire) == THREAD_WAIT_ON) {
		if (!futex_sleep(&thread->wait_state, THREAD_WAIT_ON, thread->wait_deadline))
			wait_end_self(thread, THREAD_TIMED_OUT);
	}
	wait_result_t result = thread->wait_result;
	atomic_store(&thread->wait_state, THREAD_WAIT_NONE);
	return result;
}
