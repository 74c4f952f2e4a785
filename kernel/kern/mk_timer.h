/*
 * Timers: receive rights that get a message when the time has come.
 *
 * A timer is the object behind a port that a task receives on.  Its right cannot be moved, so
 * that it ends with the port, in the space and on the account of the task that made it.
 *
 *   at rest  no deadline                       mk_timer_create, _cancel, expiry
 *   armed    a deadline of the kernel's        mk_timer_arm
 *
 * It has one message for its whole life, in the port's queue or at rest, so that expiry needs
 * no memory: what a receiver gets is a copy, in room that its thread has for it.
 */
#ifndef KERNEL_MK_TIMER_H
#define KERNEL_MK_TIMER_H

#include "ipc/ipc_kmsg.h"

struct mk_timer {
	struct ipc_port *port;    /* one send right, of which each message has a copy */
	struct ipc_kmsg *kmsg;    /* its own; linked while it is in the queue */
	struct deadline deadline; /* among the kernel's while it is armed */
};

/* Its time has come: one message, unless one waits already. */
void mk_timer_expire(struct kernel *k, struct mk_timer *timer);
/* Its message was taken or destroyed, and comes home. */
void mk_timer_take_back(struct kernel *k, struct mk_timer *timer);
/* Its port is dead, and the queue empty: so is the timer. */
void mk_timer_port_died(struct kernel *k, struct ipc_port *port);

#endif
