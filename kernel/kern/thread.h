/*
 * Thread: who asks the kernel for something, and what it waits for.
 *
 *   IDLE             has no trap under way             thread_result_free, kernel_thread_new
 *   RUNNING          its trap is being worked on       EVENT_TRAP
 *   PARKED_SEND      blocked on a full queue           ipc_mqueue_send
 *   PARKED_RECEIVE   blocked on an empty queue or set  mach_msg_receive
 *   PARKED_SEMAPHORE blocked on a count of 0            semaphore_wait and its like
 *   PARKED_HELD      stopped, by thread_suspend        BERTH_TRAP_THREAD_HOLD
 *   PARKED_STOP      blocked until another stops       BERTH_TRAP_THREAD_SUSPEND
 *   COMPLETED        the host has yet to take the result   kernel_complete
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "ipc/ipc_kmsg.h"
#include "ipc/ipc_promise.h"
#include "kern/policy.h"
#include "kern/task.h"

struct exception_actions;
struct offered_state;

enum thread_state {
	THREAD_IDLE,
	THREAD_RUNNING,
	THREAD_PARKED_SEND,
	THREAD_PARKED_RECEIVE,
	THREAD_PARKED_SEMAPHORE,
	THREAD_PARKED_HELD,
	THREAD_PARKED_STOP,
	THREAD_COMPLETED
};

/* The arguments of a mach_msg that may have to wait. */
struct mach_msg_args {
	mach_msg_option_t option;
	mach_msg_size_t send_size;
	mach_msg_size_t rcv_size;
	mach_port_name_t rcv_name;
	mach_msg_timeout_t timeout_ms;
	mach_port_name_t sync_name;
	uint64_t rcv_address; /* of the buffer in the task: a number, the value of some guards */
};

struct thread {
	struct task *task;
	struct list link; /* task.threads */
	uint32_t id;
	uint32_t number; /* the host's, handed on unread */
	void *host;
	enum thread_state state;
	struct thread *alias_of; /* the thread whose port this one shares, or NULL */

	struct ipc_port *self_port;           /* kernel-owned, made when first asked for */
	struct ipc_port *special_reply_port;  /* one reference, or NULL */
	struct ipc_port *voucher;             /* a send right, or NULL */
	struct exception_actions *exceptions; /* NULL: none was ever set */
	struct thread_policies policies;
	struct offered_state *offered; /* its registers, while it waits for a handler */

	/* kern/thread_control.c; of nested levels these are their thread's */
	uint32_t suspend_count;
	bool is_terminated;  /* it is to end, and has yet to hear of it */
	bool is_aborted;     /* while it did not wait in the kernel; it has yet to hear of it */
	struct list holders; /* the PARKED_HELD ones: it, or nested levels of it */
	struct list stop_waiters; /* the PARKED_STOP ones, others than it */

	struct list wait;           /* receivers, senders, waiters or holders of what it waits on */
	struct ipc_port *wait_port; /* PARKED_SEND, PARKED_SEMAPHORE: one reference */
	struct deadline deadline;
	struct mach_msg_args msg; /* of the mach_msg under way */
	struct ipc_kmsg *kmsg;    /* PARKED_SEND: in hand; COMPLETED: what the result points into */
	void *output;             /* array in the result, of output_size bytes */
	size_t output_size;

	/* what the result points into, if a timer's message was received; the trailer too */
	_Alignas(8) uint8_t timer_message[MK_TIMER_MESSAGE_SIZE + sizeof(mach_msg_max_trailer_t)];

	struct ipc_promise promise;

	uint32_t trap_number;
	struct trap_result result;
	struct thread *next; /* kernel_effects.completed */
};

/* Waits no more: off its queue and off the deadlines. */
void thread_unpark(struct thread *thread);
#define TIMEOUT_NEVER UINT64_MAX
/* Parks the running @thread on @queue, for at most @timeout_ns or TIMEOUT_NEVER. */
void thread_park(struct thread *thread, enum thread_state state, struct list *queue,
		 uint64_t timeout_ns);
/* The parked @thread waits no more: its trap ends, because time is over or it was interrupted. */
void thread_give_up(struct kernel *k, struct thread *thread, bool timed_out);
void thread_exit(struct kernel *k, struct thread *thread);
/* The task is gone: so is the thread, whatever it did. */
void thread_destroy(struct kernel *k, struct thread *thread);

/* It leaves the list of those whose result is to be taken, if it is in it. */
void kernel_effects_forget(struct kernel_effects *effects, struct thread *thread);

/* The kernel port of @thread, made now if need be; NULL: no memory. */
struct ipc_port *thread_port(struct thread *thread);

/* Room in the result for an array that goes back to the task; NULL: no memory. */
mustuse void *thread_output(struct thread *thread, size_t size_bytes);
/* The same with heap memory that is there already; consumes it. */
void thread_output_take(struct thread *thread, void *memory, size_t size_bytes);

#endif
