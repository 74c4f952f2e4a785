/*
 * Kernel objects: messages to ports whose receiver is the kernel.
 */
#ifndef KERNEL_IPC_KOBJECT_H
#define KERNEL_IPC_KOBJECT_H

#include "ipc/ipc_kmsg.h"

/*
 * Serve @kmsg, sent to a kernel object by @thread, and send the reply.  Consumes it.
 * Source: mach-messages.md §11.
 */
void ipc_kobject_server(struct kernel *k, struct thread *thread, struct ipc_kmsg *kmsg);

/*
 * The last send right to @port, a kernel object's, is gone.  An object that only its rights keep
 * alive ends, and the port with it; the caller holds a reference.
 */
void ipc_kobject_no_senders(struct kernel *k, struct ipc_port *port);

/* A send-once right to @port, a kernel object's, has ended, by a message or without. */
void ipc_kobject_send_once_ended(struct kernel *k, struct ipc_port *port);

/* "task", "host" …; NULL for a plain port. */
const char *ipc_kobject_kind_name(enum ipc_kobject_kind kind);

#endif
