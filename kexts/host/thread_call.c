/*
 * Thread calls: a pool of threads that run functions, and one that knows when.
 *
 *            enter            a worker takes it         the function returns
 *   idle ──────────► queued ───────────────────► running ─────────────────► idle
 *     └──► delayed ────┘  deadline
 *
 * "pending" is queued or delayed.  A call that runs may become pending again.  Everything here
 * is guarded by pool_lock; functions are called without it.
 *
 * No thread is there before the first call is allocated.  Workers are started while calls wait
 * and none is free, up to WORKER_MAX; one that finds nothing to do for a while goes, except the
 * last.
 */
#include "kexts/host/thread.h"

#include "kexts/host/host_log.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/panic.h"
#include "kexts/host/sleep.h"

#include <kern/debug.h>
#include <kern/thread_call.h>
#include <sys/systm.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WORKER_MAX 64u
#define WORKER_IDLE_S 10
#define CALL_MAGIC 0x7463616cu

enum call_state { CALL_IDLE, CALL_QUEUED, CALL_DELAYED };

struct thread_call {
	uint32_t magic;
	enum call_state state;
	thread_call_func_t function;
	void *param0, *param1;
	bool once;       /* never runs twice at the same time */
	bool free_after; /* nobody has it any more but those who run it */
	uint32_t running;
	uint64_t deadline;             /* DELAYED */
	uint64_t order;                /* DELAYED: of two with one deadline the first goes first */
	uint32_t heap_index;           /* DELAYED */
	TAILQ_ENTRY(thread_call) link; /* QUEUED */
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(, thread_call) queue = TAILQ_HEAD_INITIALIZER(queue);
static uint32_t queue_count;
/* All workers; those that wait for work; those that have not begun. */
static uint32_t worker_count, idle_count, starting_count;
static bool timekeeper_runs;
static uint64_t last_order;

static pthread_once_t conditions_once = PTHREAD_ONCE_INIT;
static pthread_cond_t work_came, first_changed, run_ended; /* on CLOCK_MONOTONIC */

/* Calls by deadline: a binary heap.  Room for each call there is has been reserved. */
static struct thread_call **heap;
static uint32_t heap_count, heap_room, call_count;

static __thread struct thread_call *runs_now; /* what this worker runs */

static void
conditions_make(void)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&work_came, &attributes);
	pthread_cond_init(&first_changed, &attributes);
	pthread_cond_init(&run_ended, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* ---- the heap -------------------------------------------------------------------------- */

static bool
is_before(const struct thread_call *a, const struct thread_call *b)
{
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void
heap_put_locked(uint32_t index, struct thread_call *call)
{
	heap[index] = call;
	call->heap_index = index;
}

static void
heap_up_locked(uint32_t index, struct thread_call *call)
{
	while (index > 0 && is_before(call, heap[(index - 1) / 2])) {
		heap_put_locked(index, heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	heap_put_locked(index, call);
}

static void
heap_down_locked(uint32_t index, struct thread_call *call)
{
	for (;;) {
		uint32_t child = 2 * index + 1;

		if (child >= heap_count)
			break;
		if (child + 1 < heap_count && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], call))
			break;
		heap_put_locked(index, heap[child]);
		index = child;
	}
	heap_put_locked(index, call);
}

static void
heap_add_locked(struct thread_call *call)
{
	call->state = CALL_DELAYED;
	call->order = ++last_order;
	heap_count++;
	heap_up_locked(heap_count - 1, call);
	if (call->heap_index == 0)
		pthread_cond_signal(&first_changed);
}

static void
heap_remove_locked(struct thread_call *call)
{
	uint32_t index = call->heap_index;
	struct thread_call *last = heap[--heap_count];

	call->state = CALL_IDLE;
	if (last == call)
		return;
	if (index > 0 && is_before(last, heap[(index - 1) / 2]))
		heap_up_locked(index, last);
	else
		heap_down_locked(index, last);
}

/* ---- threads ----------------------------------------------------------------------------- */

static void worker_run(void *unused);

/* False: a thread is wanted, and there cannot be one. */
static bool
worker_add_locked(void)
{
	if (thread_spawn("thread-call", worker_run, NULL) < 0)
		return false;
	worker_count++;
	starting_count++;
	return true;
}

static void
queue_add_locked(struct thread_call *call)
{
	call->state = CALL_QUEUED;
	TAILQ_INSERT_TAIL(&queue, call, link);
	queue_count++;
	pthread_cond_signal(&work_came);
	/* who is idle takes one each; what is beyond needs another worker, or it would wait for a
	 * function that may sleep.  If there cannot be one, it does. */
	if (queue_count > idle_count + starting_count && worker_count < WORKER_MAX)
		(void)worker_add_locked();
}

static void
queue_remove_locked(struct thread_call *call)
{
	TAILQ_REMOVE(&queue, call, link);
	queue_count--;
	call->state = CALL_IDLE;
}

static void
call_release_locked(struct thread_call *call)
{
	call->magic = 0;
	call_count--;
	free(call);
}

/* The first that may run now.  One that must not run twice at once waits in the queue. */
static struct thread_call *
queue_take_locked(void)
{
	struct thread_call *call;

	TAILQ_FOREACH(call, &queue, link)
	{
		if (call->once && call->running > 0)
			continue;
		queue_remove_locked(call);
		return call;
	}
	return NULL;
}

static void
call_run_locked(struct thread_call *call)
{
	void *param0 = call->param0, *param1 = call->param1;

	call->running++;
	runs_now = call;
	pthread_mutex_unlock(&pool_lock);
	struct kext_activity before = kext_activity_begin(
	    "thread call", 0, loader_tag_of_address((const void *)(uintptr_t)call->function));
	call->function(param0, param1);
	kext_activity_end(before);
	host_log_flush();
	pthread_mutex_lock(&pool_lock);
	runs_now = NULL;
	call->running--;
	pthread_cond_broadcast(&run_ended);
	if (call->free_after && call->running == 0)
		call_release_locked(call);
}

static struct timespec
seconds_from_now(int seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	return until;
}

static void
worker_run(void *unused)
{
	pthread_mutex_lock(&pool_lock);
	starting_count--;
	for (;;) {
		struct thread_call *call = queue_take_locked();

		if (call != NULL) {
			call_run_locked(call);
			continue;
		}
		struct timespec until = seconds_from_now(WORKER_IDLE_S);
		idle_count++;
		int error = worker_count > 1
				? pthread_cond_timedwait(&work_came, &pool_lock, &until)
				: pthread_cond_wait(&work_came, &pool_lock);
		idle_count--;
		if (error == ETIMEDOUT && worker_count > 1 && TAILQ_EMPTY(&queue))
			break;
	}
	worker_count--;
	pthread_mutex_unlock(&pool_lock);
}

static void
timekeeper_run(void *unused)
{
	pthread_mutex_lock(&pool_lock);
	for (;;) {
		if (heap_count == 0) {
			pthread_cond_wait(&first_changed, &pool_lock);
			continue;
		}
		struct thread_call *first = heap[0];
		if (first->deadline <= sleep_now_ns()) {
			heap_remove_locked(first);
			queue_add_locked(first);
			continue;
		}
		if (first->deadline > INT64_MAX) {
			pthread_cond_wait(&first_changed, &pool_lock); /* never */
			continue;
		}
		struct timespec until = { .tv_sec = (time_t)(first->deadline / 1000000000u),
					  .tv_nsec = (long)(first->deadline % 1000000000u) };
		(void)pthread_cond_timedwait(&first_changed, &pool_lock, &until);
	}
}

/* Room for one more call, and threads for it.  False: there is none. */
static bool
pool_reserve_locked(void)
{
	if (call_count == heap_room) {
		uint32_t room = heap_room == 0 ? 16 : heap_room * 2;
		struct thread_call **larger = realloc(heap, room * sizeof(struct thread_call *));

		if (larger == NULL)
			return false;
		heap = larger;
		heap_room = room;
	}
	if (worker_count == 0 && !worker_add_locked())
		return false;
	if (!timekeeper_runs)
		timekeeper_runs = thread_spawn("thread-call-time", timekeeper_run, NULL) == 0;
	if (timekeeper_runs)
		call_count++;
	return timekeeper_runs;
}

/* ---- what kexts call --------------------------------------------------------------------- */

KPI_EXPORT thread_call_t
thread_call_allocate_with_options(thread_call_func_t func, thread_call_param_t param0,
				  thread_call_priority_t pri, thread_call_options_t options)
{
	struct thread_call *call = func != NULL ? calloc(1, sizeof(*call)) : NULL;

	if (call == NULL)
		return NULL;
	call->magic = CALL_MAGIC;
	call->function = func;
	call->param0 = param0;
	call->once = (options & THREAD_CALL_OPTIONS_ONCE) != 0;
	pthread_once(&conditions_once, conditions_make);
	pthread_mutex_lock(&pool_lock);
	bool reserved = pool_reserve_locked();
	pthread_mutex_unlock(&pool_lock);
	if (!reserved) {
		free(call);
		return NULL;
	}
	return call;
}

KPI_EXPORT thread_call_t
thread_call_allocate_with_priority(thread_call_func_t func, thread_call_param_t param0,
				   thread_call_priority_t pri)
{
	return thread_call_allocate_with_options(func, param0, pri, 0);
}

KPI_EXPORT thread_call_t
thread_call_allocate(thread_call_func_t func, thread_call_param_t param0)
{
	return thread_call_allocate_with_options(func, param0, THREAD_CALL_PRIORITY_KERNEL, 0);
}

static void
call_lock(struct thread_call *call, const char *who, const void *caller)
{
	pthread_mutex_lock(&pool_lock);
	if (call == NULL || call->magic != CALL_MAGIC || call->free_after)
		panic("%s: %p is no thread call, or was freed; called from %s", who, (void *)call,
		      place_of(caller).text);
}

/* It is not pending any more; was it? */
static bool
call_cancel_locked(struct thread_call *call)
{
	switch (call->state) {
	case CALL_QUEUED:
		queue_remove_locked(call);
		return true;
	case CALL_DELAYED:
		heap_remove_locked(call);
		return true;
	case CALL_IDLE:
		break;
	}
	return false;
}

static bool
call_enter(struct thread_call *call, void *param1, const char *who, const void *caller)
{
	call_lock(call, who, caller);
	bool was_pending = call->state != CALL_IDLE;

	call->param1 = param1;
	if (call->state != CALL_QUEUED) {
		(void)call_cancel_locked(call);
		queue_add_locked(call);
	}
	pthread_mutex_unlock(&pool_lock);
	return was_pending;
}

static bool
call_enter_delayed(struct thread_call *call, void *param1, uint64_t deadline, const char *who,
		   const void *caller)
{
	call_lock(call, who, caller);
	bool was_pending = call_cancel_locked(call);

	call->param1 = param1;
	call->deadline = deadline;
	heap_add_locked(call);
	pthread_mutex_unlock(&pool_lock);
	return was_pending;
}

KPI_EXPORT boolean_t
thread_call_enter(thread_call_t call)
{
	return call_enter(call, NULL, "thread_call_enter", CALLED_FROM);
}

KPI_EXPORT boolean_t
thread_call_enter1(thread_call_t call, thread_call_param_t param1)
{
	return call_enter(call, param1, "thread_call_enter1", CALLED_FROM);
}

KPI_EXPORT boolean_t
thread_call_enter_delayed(thread_call_t call, uint64_t deadline)
{
	return call_enter_delayed(call, NULL, deadline, "thread_call_enter_delayed", CALLED_FROM);
}

KPI_EXPORT boolean_t
thread_call_enter1_delayed(thread_call_t call, thread_call_param_t param1, uint64_t deadline)
{
	return call_enter_delayed(call, param1, deadline, "thread_call_enter1_delayed",
				  CALLED_FROM);
}

KPI_EXPORT boolean_t
thread_call_cancel(thread_call_t call)
{
	call_lock(call, "thread_call_cancel", CALLED_FROM);
	bool was_pending = call_cancel_locked(call);

	pthread_mutex_unlock(&pool_lock);
	return was_pending;
}

KPI_EXPORT boolean_t
thread_call_cancel_wait(thread_call_t call)
{
	call_lock(call, "thread_call_cancel_wait", CALLED_FROM);
	if (runs_now == call)
		panic("thread_call_cancel_wait: call %p would wait for itself; called from %s",
		      (void *)call, place_of(CALLED_FROM).text);
	bool was_pending = call_cancel_locked(call);

	while (call->running > 0)
		pthread_cond_wait(&run_ended, &pool_lock);
	pthread_mutex_unlock(&pool_lock);
	return was_pending;
}

KPI_EXPORT boolean_t
thread_call_isactive(thread_call_t call)
{
	call_lock(call, "thread_call_isactive", CALLED_FROM);
	bool active = call->state != CALL_IDLE || call->running > 0;

	pthread_mutex_unlock(&pool_lock);
	return active;
}

KPI_EXPORT boolean_t
thread_call_free(thread_call_t call)
{
	call_lock(call, "thread_call_free", CALLED_FROM);
	bool pending = call->state != CALL_IDLE;

	if (!pending && call->running > 0)
		call->free_after = true;
	else if (!pending)
		call_release_locked(call);
	pthread_mutex_unlock(&pool_lock);
	return !pending;
}

/* ---- bsd_timeout -------------------------------------------------------------------------- */

struct timeout {
	LIST_ENTRY(timeout) link;
	thread_call_t call;
	void (*function)(void *argument);
	void *argument;
};

static pthread_mutex_t timeouts_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static LIST_HEAD(, timeout) timeouts = LIST_HEAD_INITIALIZER(timeouts);

static void
timeout_run(void *param0, void *unused)
{
	struct timeout *timeout = param0;

	pthread_mutex_lock(&timeouts_lock);
	LIST_REMOVE(timeout, link);
	pthread_mutex_unlock(&timeouts_lock);
	struct timeout now = *timeout;
	free(timeout);
	(void)thread_call_free(now.call); /* when this returns */
	struct kext_activity before = kext_activity_begin(
	    "bsd_timeout", 0, loader_tag_of_address((const void *)(uintptr_t)now.function));
	now.function(now.argument);
	kext_activity_end(before);
}

KPI_EXPORT void
bsd_timeout(void (*f)(void *), void *arg, struct timespec *ts)
{
	struct timeout *timeout = malloc(sizeof(*timeout));

	if (timeout == NULL || (timeout->call = thread_call_allocate(timeout_run, timeout)) == NULL)
		panic("bsd_timeout: no memory; called from %s", place_of(CALLED_FROM).text);
	timeout->function = f;
	timeout->argument = arg;
	uint64_t interval = 0;
	if (ts != NULL && ts->tv_sec >= 0 && ts->tv_nsec >= 0)
		interval = (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
	pthread_mutex_lock(&timeouts_lock);
	LIST_INSERT_HEAD(&timeouts, timeout, link);
	(void)thread_call_enter_delayed(timeout->call, sleep_deadline_ns(interval));
	pthread_mutex_unlock(&timeouts_lock);
}

KPI_EXPORT void
bsd_untimeout(void (*f)(void *), void *arg)
{
	struct timeout *timeout, *next;

	pthread_mutex_lock(&timeouts_lock);
	for (timeout = LIST_FIRST(&timeouts); timeout != NULL; timeout = next) {
		next = LIST_NEXT(timeout, link);
		if (timeout->function != f || timeout->argument != arg ||
		    !thread_call_cancel(timeout->call))
			continue; /* not it, or it has begun and takes itself out */
		LIST_REMOVE(timeout, link);
		(void)thread_call_free(timeout->call);
		free(timeout);
	}
	pthread_mutex_unlock(&timeouts_lock);
}
