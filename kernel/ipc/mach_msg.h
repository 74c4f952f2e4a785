/*
 * The halves of a mach_msg, as queues and threads see them.
 */
#ifndef KERNEL_MACH_MSG_H
#define KERNEL_MACH_MSG_H

#include "ipc/ipc_mqueue.h"

/* The send half of @thread (not parked any more) ended: complete it, or go on to receive. */
void mach_msg_send_done(struct kernel *k, struct thread *thread, mach_msg_return_t mr);
/*
 * The send half of a thread that was blocked succeeded.  What follows happens at the end of
 * the step: its receive half may admit another sender, and so on, without end to the stack.
 */
void mach_msg_send_done_later(struct kernel *k, struct thread *thread);
/* Does what was put off. */
void mach_msg_continue(struct kernel *k);
/* The receive half ended without a message. */
void mach_msg_receive_failed(struct kernel *k, struct thread *thread, mach_msg_return_t mr);
/* @kmsg, numbered and in no queue, is @thread's: size check, copyout, completion.  Consumes it. */
void mach_msg_deliver(struct kernel *k, struct thread *thread, struct ipc_port *port,
		      struct ipc_kmsg *kmsg);
/* The first message of @port is @thread's, or too large for it. */
void mach_msg_take(struct kernel *k, struct thread *thread, struct ipc_port *port);
/* With MACH_RCV_LARGE and too little room: @thread is completed with MACH_RCV_TOO_LARGE. */
bool mach_msg_leaves_too_large(struct thread *thread, struct ipc_port *port, struct ipc_kmsg *kmsg);

#endif
