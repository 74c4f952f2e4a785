/*
 * Task and thread ports: from a port to the object behind it, and the special ports of a task.
 *
 * Like those of mach_port.h the routines are reached by traps and by messages; a NULL task says
 * that the caller named another kernel object: KERN_INVALID_ARGUMENT.
 */
#ifndef KERNEL_IPC_TT_H
#define KERNEL_IPC_TT_H

#include "kern/task.h"

/* The object of that kind behind a kernel port, borrowed; NULL for any other port, a dead one,
 * NULL, IP_DEAD. */
void *convert_port_to_kobject(struct ipc_port *port, enum ipc_kobject_kind kind);
struct task *convert_port_to_task(struct ipc_port *port);
struct ipc_space *convert_port_to_space(struct ipc_port *port);
struct thread *convert_port_to_thread(struct ipc_port *port);

/*
 * The port of a send right that stands for a task, thread or host in a trap.
 *
 * KERN_SUCCESS            *port is borrowed; what it is, convert_port_to_* says
 * MACH_SEND_INVALID_DEST  no live send right of that name
 * BERTH_TRAP_BY_MESSAGE   a port of a task: whoever receives there is to be asked by message
 */
mustuse kern_return_t kobject_from_name(struct task *caller, mach_port_name_t name,
					struct ipc_port **port);

/*
 * Source of all: mach-kobjects.md §3.  A right that comes in is consumed on success; IP_DEAD
 * stands for one whose port is dead.
 */

/*
 * @token is the send-once right that a message came by, and whose end lets the task go: whatever
 * is said here.  KERN_SUCCESS; KERN_INVALID_ARGUMENT: of another kernel object.
 *
 * Source: mach-kobjects.md §2.1, mach-types.md (task_suspension_token_t).
 */
kern_return_t task_resume2(struct ipc_port *token);

/* *@port becomes a send right, NULL or IP_DEAD: the caller's.  KERN_INVALID_ARGUMENT. */
kern_return_t task_get_special_port(struct task *task, int which, struct ipc_port **port);
/* KERN_NO_ACCESS, KERN_INVALID_ARGUMENT. */
kern_return_t task_set_special_port(struct task *task, int which, struct ipc_port *port);
/* Of a thread, which has but its own port: THREAD_KERNEL_PORT.  KERN_INVALID_ARGUMENT,
 * KERN_RESOURCE_SHORTAGE. */
kern_return_t thread_get_special_port(struct thread *thread, int which, struct ipc_port **port);
/* It stays as it is: KERN_NO_ACCESS, KERN_INVALID_ARGUMENT. */
kern_return_t thread_set_special_port(struct thread *thread, int which, struct ipc_port *port);
/* Replaces all three.  @ports holds @count send rights.  KERN_INVALID_ARGUMENT. */
kern_return_t mach_ports_register(struct task *task, struct ipc_port **ports,
				  mach_msg_type_number_t count);
/* An array of three send rights, of the kernel's heap: the caller's.  KERN_RESOURCE_SHORTAGE. */
kern_return_t mach_ports_lookup(struct task *task, struct ipc_port ***ports,
				mach_msg_type_number_t *count);

#endif
