/*
 * Message queue: who waits for messages, who waits for room, and in which order they go.
 *
 * No port has both a message and a receiver who could take it.
 */
#ifndef KERNEL_IPC_MQUEUE_H
#define KERNEL_IPC_MQUEUE_H

#include "ipc/ipc_kmsg.h"

/*
 * Deliver @kmsg to its destination: to a receiver, into the queue, or to nobody.
 *
 * @thread is the sender, or NULL for the kernel, which never waits.  Consumes @kmsg, but when
 * MACH_SEND_TIMED_OUT or MACH_SEND_NO_BUFFER comes back: then the caller still has it.
 * MACH_SEND_IN_PROGRESS: @thread is parked with it.
 */
mustuse mach_msg_return_t ipc_mqueue_send(struct kernel *k, struct thread *thread,
					  struct ipc_kmsg *kmsg, mach_msg_option_t option,
					  mach_msg_timeout_t timeout_ms, bool bypass);
/* As the kernel sends: never waits, drops what finds no room at all. */
void ipc_mqueue_send_always(struct kernel *k, struct ipc_kmsg *kmsg);

/* @kmsg, which nothing keeps out of @port's queue, to a receiver or into the queue. */
void ipc_mqueue_post(struct kernel *k, struct ipc_port *port, struct ipc_kmsg *kmsg);

/* Room may have come: admit blocked senders. */
void ipc_mqueue_admit(struct kernel *k, struct ipc_port *port);
/* Threads may have come that can take what is queued (a port joined a set). */
void ipc_mqueue_offer(struct kernel *k, struct ipc_port *port);
/* What these threads wait on is gone: MACH_RCV_PORT_CHANGED for each. */
void ipc_mqueue_changed(struct kernel *k, struct list *receivers);
/* The port is dead: its queue is destroyed, its blocked senders succeed. */
void ipc_mqueue_destroy(struct kernel *k, struct ipc_port *port);

/* The receive half of @thread's mach_msg: completes the thread or parks it. */
void mach_msg_receive(struct kernel *k, struct thread *thread);
/* How long a thread waits whose option, @is_timed, makes its time-out count. */
static inline uint64_t
mach_msg_timeout_ns(bool is_timed, mach_msg_timeout_t timeout_ms)
{
	return is_timed ? timeout_ms * 1000000ull : UINT64_MAX;
}

/* A deadline or an interrupt for a thread that is parked in a mach_msg. */
void mach_msg_give_up(struct kernel *k, struct thread *thread, bool timed_out);
/* BERTH_TRAP_MSG */
void mach_msg_trap(struct kernel *k, struct thread *thread, const struct trap_frame *frame);

#endif
