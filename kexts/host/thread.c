/*
 * Threads.
 *
 * A thread of kernel_thread_start() runs in a loop at its base: a continuation jumps there
 * before it waits, so that one that blocks for ever with continuations needs no more stack.
 */
#include "kexts/host/thread.h"

#include "kexts/host/host_log.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/sleep.h"

#include <kern/debug.h>

#include <IOKit/IOLib.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t self_once = PTHREAD_ONCE_INIT;
static pthread_key_t self_key; /* its destructor lets go of the thread's own reference */
static __thread struct thread *self;
static __thread uint64_t self_id;

static _Atomic uint64_t last_id;
static _Atomic uint32_t kernel_count;

/* ---- the object ------------------------------------------------------------------------- */

static void
self_gone(void *argument)
{
	struct thread *thread = argument;

	host_log_flush();
	sleep_abandon(thread);
	atomic_store(&thread->linux_tid, 0);
	self = NULL;
	if (thread->may_continue)
		atomic_fetch_sub(&kernel_count, 1);
	thread_deallocate(thread);
}

static void
self_key_make(void)
{
	if (pthread_key_create(&self_key, self_gone) != 0)
		panic("no key for threads is left");
}

uint64_t
thread_self_id(void)
{
	if (self_id == 0)
		self_id = atomic_fetch_add(&last_id, 1) + 1;
	return self_id;
}

static struct thread *
thread_new(void)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (thread != NULL)
		atomic_init(&thread->refs, 1);
	return thread;
}

static void
thread_become(struct thread *thread)
{
	pthread_once(&self_once, self_key_make);
	self = thread;
	if (pthread_setspecific(self_key, thread) != 0)
		panic("no memory for a thread");
	atomic_store(&thread->linux_tid, gettid());
}

struct thread *
thread_self(void)
{
	if (__builtin_expect(self == NULL, 0)) {
		struct thread *thread = thread_new();

		if (thread == NULL)
			panic("no memory for a thread");
		thread->id = thread_self_id();
		thread_become(thread);
	}
	return self;
}

KPI_EXPORT thread_t
current_thread(void)
{
	return thread_self();
}

KPI_EXPORT void
thread_reference(thread_t thread)
{
	if (thread != NULL)
		atomic_fetch_add_explicit(&thread->refs, 1, memory_order_relaxed);
}

KPI_EXPORT void
thread_deallocate(thread_t thread)
{
	if (thread == NULL)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&thread->refs, 1, memory_order_acq_rel);

	if (before == 0)
		panic("thread_deallocate: thread %p has no reference left", (void *)thread);
	if (before == 1)
		free(thread);
}

KPI_EXPORT uint64_t
thread_tid(thread_t thread)
{
	return thread != NULL ? thread->id : 0;
}

KPI_EXPORT void *
get_bsdthread_info(thread_t thread)
{
	return thread;
}

KPI_EXPORT void
thread_set_thread_name(thread_t thread, const char *name)
{
	int tid = thread != NULL ? atomic_load(&thread->linux_tid) : 0;
	char path[64];

	if (tid == 0 || name == NULL)
		return;
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, name, strnlen(name, 15)) < 0)
		host_log("thread %d cannot be named: %s", tid, strerror(errno));
	close(fd);
}

/* ---- making threads ---------------------------------------------------------------------- */

uint32_t
thread_kernel_count(void)
{
	return atomic_load(&kernel_count);
}

/* What a thread runs: here again after each jump to its base, until there is nothing to go on
 * with.  Of its own it keeps nothing in variables, which may not come through a jump. */
static void
thread_run(void)
{
	jmp_buf base;

	self->base = &base;
	(void)setjmp(base);
	thread_continue_t continuation = self->continuation;
	if (continuation != NULL) {
		self->continuation = NULL;
		continuation(self->parameter, sleep_finish());
	}
}

static void *
thread_main(void *argument)
{
	struct thread *thread = argument;

	self_id = thread->id;
	thread_become(thread);
	kext_thread_start();
	if (thread->may_continue)
		(void)kext_activity_begin(
		    "kernel_thread_start", 0,
		    loader_tag_of_address((const void *)(uintptr_t)thread->continuation));
	thread_run();
	return NULL;
}

/* Consumes @thread on failure. */
static int
thread_begin(struct thread *thread)
{
	sigset_t blocked, before;
	pthread_attr_t attributes;
	pthread_t started;

	thread->id = atomic_fetch_add(&last_id, 1) + 1;
	/* signals are the host's; what the thread's own instructions raise is its own */
	sigfillset(&blocked);
	const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&blocked, own[i]);

	int error = pthread_attr_init(&attributes);
	if (error == 0) {
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		pthread_sigmask(SIG_BLOCK, &blocked, &before);
		error = pthread_create(&started, &attributes, thread_main, thread);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		pthread_attr_destroy(&attributes);
	}
	if (error != 0)
		free(thread);
	return -error;
}

KPI_EXPORT kern_return_t
kernel_thread_start(thread_continue_t continuation, void *parameter, thread_t *new_thread)
{
	if (continuation == NULL || new_thread == NULL)
		return KERN_INVALID_ARGUMENT;
	struct thread *thread = thread_new();
	if (thread == NULL)
		return KERN_RESOURCE_SHORTAGE;

	thread->continuation = continuation;
	thread->parameter = parameter;
	thread->may_continue = true;
	atomic_store(&thread->refs, 2); /* its own, the caller's */
	atomic_fetch_add(&kernel_count, 1);
	/* a kext's thread may look at *new_thread as soon as it runs */
	*new_thread = thread;
	if (thread_begin(thread) < 0) {
		atomic_fetch_sub(&kernel_count, 1);
		*new_thread = NULL;
		return KERN_RESOURCE_SHORTAGE;
	}
	return KERN_SUCCESS;
}

struct spawned {
	void (*run)(void *parameter);
	void *parameter;
	char name[16];
};

static void
spawned_run(void *argument, wait_result_t unused)
{
	struct spawned spawned = *(struct spawned *)argument;

	free(argument);
	thread_set_thread_name(self, spawned.name);
	spawned.run(spawned.parameter);
}

int
thread_spawn(const char *name, void (*run)(void *parameter), void *parameter)
{
	struct spawned *spawned = malloc(sizeof(*spawned));
	struct thread *thread = thread_new();

	if (spawned == NULL || thread == NULL) {
		free(spawned);
		free(thread);
		return -ENOMEM;
	}
	spawned->run = run;
	spawned->parameter = parameter;
	snprintf(spawned->name, sizeof(spawned->name), "%s", name);
	thread->continuation = spawned_run;
	thread->parameter = spawned;
	int error = thread_begin(thread);
	if (error < 0)
		free(spawned);
	return error;
}

/* ---- their end -------------------------------------------------------------------------- */

KPI_EXPORT kern_return_t
thread_terminate(thread_t target_act)
{
	if (target_act == NULL)
		return KERN_INVALID_ARGUMENT;
	struct thread *thread = thread_self();
	if (target_act != thread || !thread->may_continue)
		return KERN_FAILURE;
	/* not pthread_exit(), which would unwind through code that may not stand it */
	sleep_abandon(thread);
	thread->continuation = NULL;
	longjmp(*thread->base, 1);
}

KPI_EXPORT void
IOExitThread(void)
{
	(void)thread_terminate(thread_self());
	panic("IOExitThread: this thread belongs to the host");
}

struct io_thread {
	IOThreadFunc function;
	void *argument;
};

static void
io_thread_run(void *argument, wait_result_t unused)
{
	struct io_thread begin = *(struct io_thread *)argument;

	free(argument);
	(void)kext_activity_begin("IOCreateThread", 0,
				  loader_tag_of_address((const void *)(uintptr_t)begin.function));
	begin.function(begin.argument);
}

KPI_EXPORT IOThread
IOCreateThread(IOThreadFunc function, void *argument)
{
	struct io_thread *begin = function != NULL ? malloc(sizeof(*begin)) : NULL;
	thread_t thread;

	if (begin == NULL)
		return NULL;
	begin->function = function;
	begin->argument = argument;
	if (kernel_thread_start(io_thread_run, begin, &thread) != KERN_SUCCESS) {
		free(begin);
		return NULL;
	}
	thread_deallocate(thread);
	/* a name for it, as on Darwin: nobody may follow it once the thread has ended */
	return thread; // NOLINT(clang-analyzer-unix.Malloc)
}

/* ---- blocking ---------------------------------------------------------------------------- */

KPI_EXPORT wait_result_t
thread_block_parameter(thread_continue_t continuation, void *parameter)
{
	if (continuation == NULL)
		return sleep_finish();
	struct thread *thread = thread_self();
	if (!thread->may_continue)
		panic("thread_block: only a thread of kernel_thread_start() can go on with a "
		      "continuation");
	thread->continuation = continuation;
	thread->parameter = parameter;
	longjmp(*thread->base, 1);
}

KPI_EXPORT wait_result_t
thread_block(thread_continue_t continuation)
{
	return thread_block_parameter(continuation, NULL);
}
