/*
 * The ports that a task is given at its start, by number.
 */
#ifndef _MACH_TASK_SPECIAL_PORTS_H_
#define _MACH_TASK_SPECIAL_PORTS_H_

typedef int task_special_port_t;

#define TASK_KERNEL_PORT 1    /* the task's control port */
#define TASK_HOST_PORT 2      /* the host it runs on */
#define TASK_NAME_PORT 3      /* names the task, controls nothing */
#define TASK_BOOTSTRAP_PORT 4 /* the name service; children inherit it */
#define TASK_INSPECT_PORT 5
#define TASK_READ_PORT 6
#define TASK_ACCESS_PORT 9
#define TASK_DEBUG_CONTROL_PORT 10
#define TASK_RESOURCE_NOTIFY_PORT 11
#define TASK_MAX_SPECIAL_PORT TASK_RESOURCE_NOTIFY_PORT

/* Each is a call of task_get_special_port() or task_set_special_port(), <mach/task.h>. */
#define task_get_kernel_port(task, port) (task_get_special_port((task), TASK_KERNEL_PORT, (port)))
#define task_set_kernel_port(task, port) (task_set_special_port((task), TASK_KERNEL_PORT, (port)))
#define task_get_host_port(task, port) (task_get_special_port((task), TASK_HOST_PORT, (port)))
#define task_set_host_port(task, port) (task_set_special_port((task), TASK_HOST_PORT, (port)))
#define task_get_bootstrap_port(task, port)                                                        \
	(task_get_special_port((task), TASK_BOOTSTRAP_PORT, (port)))
#define task_set_bootstrap_port(task, port)                                                        \
	(task_set_special_port((task), TASK_BOOTSTRAP_PORT, (port)))
#define task_get_task_access_port(task, port)                                                      \
	(task_get_special_port((task), TASK_ACCESS_PORT, (port)))
#define task_set_task_access_port(task, port)                                                      \
	(task_set_special_port((task), TASK_ACCESS_PORT, (port)))
#define task_get_task_debug_control_port(task, port)                                               \
	(task_get_special_port((task), TASK_DEBUG_CONTROL_PORT, (port)))
#define task_set_task_debug_control_port(task, port)                                               \
	(task_set_special_port((task), TASK_DEBUG_CONTROL_PORT, (port)))

/* mach_ports_register(): three slots, by convention */
#define TASK_PORT_REGISTER_MAX 3

#endif
