/*
 * Threads as kext code sees them (thread_t), and the wait that each may be in.
 *
 * Every thread that asks gets one, also those of the host.  `refs` counts those who hold it;
 * the thread itself does while it lives.
 */
#ifndef BERTH_KEXTS_HOST_THREAD_H
#define BERTH_KEXTS_HOST_THREAD_H

#include "kexts/host/kpi.h"

#include <kern/thread.h>

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct host_call;

enum thread_wait_state {
	THREAD_WAIT_NONE = 0,
	THREAD_WAIT_ON = 1,  /* it has said what for, and may sleep; in the list of a bucket */
	THREAD_WAIT_DONE = 2 /* over: wait_result says how */
};

struct thread {
	_Atomic uint32_t refs;
	_Atomic int linux_tid; /* 0: it has ended, or not begun */
	uint64_t id;           /* never used twice */
	bool may_continue;     /* made by kernel_thread_start(): continuations, termination */

	/* The wait: changed by the thread itself, and by who ends it, under the lock of the bucket
	 * of wait_event while the state is ON. */
	_Atomic uint32_t wait_state; /* enum thread_wait_state; the futex */
	_Atomic(event_t) wait_event;
	wait_result_t wait_result;
	bool wait_interruptible;
	uint64_t wait_deadline; /* 0: none */
	uint64_t wait_sequence; /* of its bucket, when it began */
	struct host_call *wait_call;
	TAILQ_ENTRY(thread) wait_link;

	/* where a thread of the kernel begins anew, and with what */
	jmp_buf *base;
	thread_continue_t continuation;
	void *parameter;
};

/* This thread; never NULL. */
struct thread *thread_self(void);
/* The same number as thread_tid(current_thread()), without making a thread_t. */
uint64_t thread_self_id(void);

/* A thread of the host that runs kext code, as kernel_thread_start() but without continuations;
 * gives no reference.  0 or -errno. */
int thread_spawn(const char *name, void (*run)(void *parameter), void *parameter);

/* Threads of kext code that have not ended: kernel_thread_start(), IOCreateThread(). */
uint32_t thread_kernel_count(void);

#endif
