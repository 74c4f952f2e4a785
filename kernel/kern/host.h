/*
 * The host: what programs can learn of the machine, from the facts that came with the kernel's
 * configuration.
 *
 * The routines are reached by message; NULL says that the caller named another object.  The
 * library answers the same calls by itself, from the same facts.
 */
#ifndef KERNEL_HOST_H
#define KERNEL_HOST_H

#include <mach/host_info.h>

#include "kern/state.h"

/* The kernel whose host port this is; NULL for any other port, NULL, IP_DEAD. */
struct kernel *convert_port_to_host(struct ipc_port *port);

/*
 * What @flavor tells, into @info of *@count numbers, which becomes how many there are.
 *
 * KERN_SUCCESS
 * KERN_FAILURE           *@count is too small
 * KERN_INVALID_ARGUMENT  no host, or no such flavor
 * KERN_NOT_SUPPORTED     HOST_VM_PURGABLE
 *
 * Source: mach-kobjects.md §4.
 */
kern_return_t host_info(struct kernel *k, host_flavor_t flavor, host_info_t info,
			mach_msg_type_number_t *count);

/* What the kernel calls itself.  KERN_INVALID_ARGUMENT: no host. */
kern_return_t host_kernel_version(struct kernel *k, kernel_version_t version);
/* KERN_INVALID_ARGUMENT: no host. */
kern_return_t _host_page_size(struct kernel *k, vm_size_t *size_bytes);

#endif
