/*
 * Watch: what lets a task wait for a port or set in an event loop of its own.
 *
 * The host gives each watch a descriptor; the core only says "ready" and "not ready".  A
 * port or set has one at most; it ends with the receive right's stay in its space.
 */
#ifndef KERNEL_IPC_WATCH_H
#define KERNEL_IPC_WATCH_H

#include "kern/state.h"

struct ipc_object;
struct task;

/* Makes the watch at *@slot, or finds it.  NULL: no memory. */
mustuse struct kernel_watch *ipc_watch_get(struct kernel *k, struct kernel_watch **slot,
					   struct ipc_object *object, bool ready);
/* NULL is let pass. */
void ipc_watch_update(struct kernel *k, struct kernel_watch *watch, bool ready);
/* The object is gone: readable for good; the host frees it. */
void ipc_watch_close(struct kernel *k, struct kernel_watch **slot);

#endif
