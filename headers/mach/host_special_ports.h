/*
 * The ports that the host keeps, by number.
 *
 * Source: mach-kobjects.md §3.1, bootstrap.md §10.
 */
#ifndef _MACH_HOST_SPECIAL_PORTS_H_
#define _MACH_HOST_SPECIAL_PORTS_H_

#define HOST_LOCAL_NODE (-1) /* the only one there is */

#define HOST_SECURITY_PORT 0
#define HOST_PORT 1
#define HOST_PRIV_PORT 2
#define HOST_IO_MAIN_PORT 3
#define HOST_IO_MASTER_PORT HOST_IO_MAIN_PORT
#define HOST_MAX_SPECIAL_KERNEL_PORT 7
#define HOST_LAST_SPECIAL_KERNEL_PORT HOST_IO_MAIN_PORT

/* a privileged task may set those behind HOST_MAX_SPECIAL_KERNEL_PORT up to this */
#define HOST_MAX_SPECIAL_PORT 35

/* Each is a call of host_get_special_port() or host_set_special_port(), <mach/host_priv.h>. */
#define host_get_host_port(host, port)                                                             \
	(host_get_special_port((host), HOST_LOCAL_NODE, HOST_PORT, (port)))
#define host_get_host_priv_port(host, port)                                                        \
	(host_get_special_port((host), HOST_LOCAL_NODE, HOST_PRIV_PORT, (port)))
#define host_get_io_main_port(host, port)                                                          \
	(host_get_special_port((host), HOST_LOCAL_NODE, HOST_IO_MAIN_PORT, (port)))
#define host_get_io_master_port(host, port) host_get_io_main_port(host, port)

#endif
