/*
 * Fileports: open files as ports, so that messages carry them.
 *
 * The port is the kernel's and holds the host's file up; behind the port's `kobject` is the
 * struct kernel_file itself.  The last send right takes both along: the file comes out as an
 * effect, once no result that is on its way to a task has it any more.  Who made the port pays
 * for it, also when he is dead and others hold the rights.
 */
#ifndef KERNEL_FILEPORT_H
#define KERNEL_FILEPORT_H

#include "kern/thread.h"

/*
 * A port for @file.  *@port becomes a send right: the caller's.  Keeps @file on success.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   no file, or one that has its port already
 * KERN_RESOURCE_SHORTAGE  no memory, or @task made as many as it may
 *
 * Source: mach-kobjects.md §11.
 */
kern_return_t fileport_alloc(struct task *task, struct kernel_file *file, struct ipc_port **port);

/* One more reference on @file, for kernel_file_unref(). */
struct kernel_file *kernel_file_ref(struct kernel_file *file);

/* @port, a new one of the kernel's, stands for @file from now on: it keeps the file, and @payer,
 * who has counted it. */
void kernel_file_bind(struct kernel_file *file, struct ipc_port *port, struct account *payer);

/* The opposite: the port dies, and the file may go.  Its payer counts it no more. */
void kernel_file_unbind(struct kernel *k, struct kernel_file *file);

/* The file behind a port, borrowed; NULL for any other port, a dead one, NULL, IP_DEAD. */
struct kernel_file *convert_port_to_file(struct ipc_port *port);

/* The last send right to @port, a fileport, is gone: so are port and file. */
void fileport_no_senders(struct kernel *k, struct ipc_port *port);

#endif
