/*
 * Promises: which send right a thread may give up without asking.
 *
 * A server that is sent a right with each request gives it up with each, and all that it
 * hears of that is that it is done.  So a thread that has received a send right is promised that
 * mach_port_deallocate() of it will succeed, in a word that it shares with the kernel.  It takes
 * the kernel at its word by a compare-and-exchange there, and goes on.
 *
 * The kernel does what was taken at its next step, before anything else: so whoever learns of it
 * and asks the kernel finds it done.  And there is a promise only as long as nobody would be
 * told of the right's end, and nobody looks at the right: it is taken back before, or kept.
 *
 *   ipc_promise_make       by a receive     none → given
 *   the thread             deallocate       given → taken
 *   ipc_promises_keep      next step        taken → none
 *   ipc_promise_end, …     somebody looks   given → none, taken → none
 */
#ifndef KERNEL_IPC_PROMISE_H
#define KERNEL_IPC_PROMISE_H

#include "ipc/ipc_space.h"

struct thread;

struct ipc_promise {
	struct list link;       /* kernel.promises, oldest first; not linked: none */
	_Atomic uint64_t *word; /* shared with the thread; NULL: it gets no promises */
	struct thread *thread;
	mach_port_name_t name;
};

/* @thread has received a send right: it is promised the end of one reference to @name, if nobody
 * has to be told of that.  Replaces what it was promised before. */
void ipc_promise_make(struct thread *thread, mach_port_name_t name);
/* The thread's promise is taken back, or kept if it was taken. */
void ipc_promise_end(struct ipc_promise *promise);
/* Those that were taken are kept.  At the beginning of each step. */
void ipc_promises_keep(struct kernel *k);
/* Somebody is about to look at @name: all of @space's promises of it end. */
void ipc_promises_end_name(struct ipc_space *space, mach_port_name_t name);
/* The space is about to end, and its promises with it. */
void ipc_promises_end_space(struct ipc_space *space);
/* Somebody wants to be told when the last right to @port ends: all promises of it end. */
void ipc_promises_end_port(struct kernel *k, const struct ipc_port *port);

#endif
