/*
 * Notifications: messages that the kernel sends because something happened to a right.
 *
 * Each uses the send-once right that was registered for it, and the message kept in
 * reserve for that right, so that none is lost for want of memory.
 */
#ifndef KERNEL_IPC_NOTIFY_H
#define KERNEL_IPC_NOTIFY_H

#include <mach/clock_types.h>

#include "ipc/ipc_port.h"

/* Makes sure that @count more send-once rights can be made; false: no memory. */
mustuse bool ipc_notify_reserve(struct kernel *k, uint32_t count);
/* A send-once right was made, or ended without a notification. */
void ipc_notify_commit(struct kernel *k);
void ipc_notify_uncommit(struct kernel *k, uint32_t count);
void ipc_notify_pool_free(struct kernel *k);

/* The message kept for @notify, a send-once right of a task's port, now with that right in it. */
struct ipc_kmsg *ipc_notify_take(struct ipc_port *notify);

/* Each consumes @notify, a send-once right (IP_DEAD: nothing happens). */
void ipc_notify_port_deleted(struct kernel *k, struct ipc_port *notify, mach_port_name_t name);
void ipc_notify_send_possible(struct kernel *k, struct ipc_port *notify, mach_port_name_t name);
void ipc_notify_dead_name(struct kernel *k, struct ipc_port *notify, mach_port_name_t name);
void ipc_notify_no_senders(struct kernel *k, struct ipc_port *notify, mach_port_mscount_t mscount);
void ipc_notify_send_once(struct kernel *k, struct ipc_port *notify);
/* The message of an alarm: no notification, but sent as one is. */
void ipc_notify_alarm(struct kernel *k, struct ipc_port *notify, kern_return_t code,
		      alarm_type_t type, mach_timespec_t time);
/* @port: the receive right, in limbo, with one reference; consumed. */
void ipc_notify_port_destroyed(struct kernel *k, struct ipc_port *notify, struct ipc_port *port);

#endif
