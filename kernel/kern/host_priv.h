/*
 * The host's privileged port, and the ports that programs leave at the host for all to find.
 *
 * Who may rule the host is root, and who owns the kernel: the user of its first task.  Whoever
 * holds the privileged port may, too: it is a right like others.
 */
#ifndef KERNEL_HOST_PRIV_H
#define KERNEL_HOST_PRIV_H

#include <mach/host_special_ports.h>

#include "kern/state.h"

/* The kernel, if @port is its privileged port, or its host port and the asking task may rule it;
 * else NULL. */
struct kernel *convert_port_to_host_priv(struct ipc_port *port);

/*
 * The routines, reached by message; NULL: not the privileged port.  There is one node.
 *
 * *@port becomes a send right, NULL (none was set, or there is none) or IP_DEAD: the caller's.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   not privileged, or no such port
 * KERN_RESOURCE_SHORTAGE
 *
 * Source: mach-kobjects.md §3.1.
 */
kern_return_t host_get_special_port(struct kernel *k, int node, int which, struct ipc_port **port);
/* Consumes @port on success.  KERN_INVALID_ARGUMENT: one that cannot be set, too. */
kern_return_t host_set_special_port(struct kernel *k, int which, struct ipc_port *port);

/* The last task has died: nobody can find them any more. */
void host_ports_release(struct kernel *k);

#endif
