/*
 * Exceptions: who wants to hear of which: for each thread, for its task, for all of the host.
 *
 * The kernel keeps the ports and hands out rights to them.  What the processor raises, Linux
 * tells the process that ran into it; there the library asks for the ports, sends the message
 * and waits for the answer (client/exception.c).  Meanwhile it leaves the registers here, so
 * that the handler can read and change them by the thread's port.
 *
 * Source: mach-kobjects.md §9.
 */
#ifndef KERNEL_EXCEPTION_H
#define KERNEL_EXCEPTION_H

#include <mach/exception_types.h>
#include <mach/thread_status.h>

#include "kern/thread.h"

struct exception_action {
	struct ipc_port *port; /* a send right, NULL or IP_DEAD */
	exception_behavior_t behavior;
	thread_state_flavor_t flavor;
};

/* By exception_type_t; 0 is none.  Made when a port is set for the first time. */
struct exception_actions {
	struct exception_action of[EXC_TYPES_COUNT];
};

/* The registers of a thread that waits for an exception to be handled. */
struct offered_state {
	x86_thread_state64_t thread;
	x86_exception_state64_t exception;
};

/* What the child of @parent starts with.  False: no memory. */
mustuse bool exception_actions_inherit(struct task *task, const struct task *parent);
void exception_actions_free(struct kernel *k, struct exception_actions **actions);

/*
 * The routines, reached by message; NULL says that the caller named another object.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   no task or thread; an exception or behavior that there is not; a
 *                         flavor that this machine has not; a protected identity or a backtrace
 *                         without MACH_EXCEPTION_CODES
 * KERN_NOT_SUPPORTED      a protected identity: there are no tokens of tasks
 * KERN_RESOURCE_SHORTAGE  no memory
 *
 * @port is consumed on success; NULL: nobody wants to hear.
 */
kern_return_t task_set_exception_ports(struct task *task, exception_mask_t mask,
				       struct ipc_port *port, exception_behavior_t behavior,
				       thread_state_flavor_t flavor);
kern_return_t thread_set_exception_ports(struct thread *thread, exception_mask_t mask,
					 struct ipc_port *port, exception_behavior_t behavior,
					 thread_state_flavor_t flavor);

/*
 * What is set for the exceptions of @mask: those set alike are one entry.  *@count is how many
 * fit, and becomes how many there are; @ports get send rights, the caller's.
 */
kern_return_t task_get_exception_ports(struct task *task, exception_mask_t mask,
				       exception_mask_t *masks, mach_msg_type_number_t *count,
				       struct ipc_port **ports, exception_behavior_t *behaviors,
				       thread_state_flavor_t *flavors);
kern_return_t thread_get_exception_ports(struct thread *thread, exception_mask_t mask,
					 exception_mask_t *masks, mach_msg_type_number_t *count,
					 struct ipc_port **ports, exception_behavior_t *behaviors,
					 thread_state_flavor_t *flavors);

/* Set, and get what was set before. */
kern_return_t task_swap_exception_ports(struct task *task, exception_mask_t mask,
					struct ipc_port *port, exception_behavior_t behavior,
					thread_state_flavor_t flavor, exception_mask_t *masks,
					mach_msg_type_number_t *count, struct ipc_port **ports,
					exception_behavior_t *behaviors,
					thread_state_flavor_t *flavors);
kern_return_t thread_swap_exception_ports(struct thread *thread, exception_mask_t mask,
					  struct ipc_port *port, exception_behavior_t behavior,
					  thread_state_flavor_t flavor, exception_mask_t *masks,
					  mach_msg_type_number_t *count, struct ipc_port **ports,
					  exception_behavior_t *behaviors,
					  thread_state_flavor_t *flavors);

/* The same for all tasks, which are asked after thread and task; NULL: no privileged host port. */
kern_return_t host_set_exception_ports(struct kernel *k, exception_mask_t mask,
				       struct ipc_port *port, exception_behavior_t behavior,
				       thread_state_flavor_t flavor);
kern_return_t host_get_exception_ports(struct kernel *k, exception_mask_t mask,
				       exception_mask_t *masks, mach_msg_type_number_t *count,
				       struct ipc_port **ports, exception_behavior_t *behaviors,
				       thread_state_flavor_t *flavors);
kern_return_t host_swap_exception_ports(struct kernel *k, exception_mask_t mask,
					struct ipc_port *port, exception_behavior_t behavior,
					thread_state_flavor_t flavor, exception_mask_t *masks,
					mach_msg_type_number_t *count, struct ipc_port **ports,
					exception_behavior_t *behaviors,
					thread_state_flavor_t *flavors);

/*
 * The registers that @thread offers.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT  no thread, no such flavor, or *@count too small
 * KERN_FAILURE           the thread runs: nobody but itself knows them
 */
kern_return_t thread_get_state(struct thread *thread, thread_state_flavor_t flavor,
			       thread_state_t state, mach_msg_type_number_t *count);
/* The same; what tells of the exception cannot be set: KERN_INVALID_ARGUMENT. */
kern_return_t thread_set_state(struct thread *thread, thread_state_flavor_t flavor,
			       thread_state_t state, mach_msg_type_number_t count);

#endif
