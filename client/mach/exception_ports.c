/*
 * Exception ports, which the kernel keeps, and the registers of threads that wait for a handler.
 * mach-kobjects.md §9.
 */
#include <mach/mach.h>
#include <mach/thread_act.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"

/*
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   no task; an exception, a behavior or a flavor that there is not
 * KERN_NOT_SUPPORTED      a protected identity
 * KERN_RESOURCE_SHORTAGE
 *
 * The kernel gets a send right of its own to @new_port; MACH_PORT_NULL: nobody wants to hear.
 * A task learns that it has exception ports with the reply to its next Darwin call: what it
 * runs into before that, Linux treats alone.
 */
BERTH_EXPORT kern_return_t
task_set_exception_ports(task_t task, exception_mask_t exception_mask, mach_port_t new_port,
			 exception_behavior_t behavior, thread_state_flavor_t new_flavor)
{
	return _kernelrpc_task_set_exception_ports(task, exception_mask, new_port, behavior,
						   new_flavor);
}

/* @masksCnt entries of rights that are the caller's; the errors of task_set_exception_ports(). */
BERTH_EXPORT kern_return_t
task_get_exception_ports(task_t task, exception_mask_t exception_mask, exception_mask_array_t masks,
			 mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
			 exception_behavior_array_t old_behaviors,
			 exception_flavor_array_t old_flavors)
{
	return _kernelrpc_task_get_exception_ports(task, exception_mask, masks, masksCnt,
						   old_handlers, old_behaviors, old_flavors);
}

/* Both in one. */
BERTH_EXPORT kern_return_t
task_swap_exception_ports(task_t task, exception_mask_t exception_mask, mach_port_t new_port,
			  exception_behavior_t behavior, thread_state_flavor_t new_flavor,
			  exception_mask_array_t masks, mach_msg_type_number_t *masksCnt,
			  exception_handler_array_t old_handlers,
			  exception_behavior_array_t old_behaviors,
			  exception_flavor_array_t old_flavors)
{
	return _kernelrpc_task_swap_exception_ports(task, exception_mask, new_port, behavior,
						    new_flavor, masks, masksCnt, old_handlers,
						    old_behaviors, old_flavors);
}

/* The same for a thread, which is asked before its task is. */
BERTH_EXPORT kern_return_t
thread_set_exception_ports(thread_act_t thread, exception_mask_t exception_mask,
			   mach_port_t new_port, exception_behavior_t behavior,
			   thread_state_flavor_t new_flavor)
{
	return _kernelrpc_thread_set_exception_ports(thread, exception_mask, new_port, behavior,
						     new_flavor);
}

BERTH_EXPORT kern_return_t
thread_get_exception_ports(thread_act_t thread, exception_mask_t exception_mask,
			   exception_mask_array_t masks, mach_msg_type_number_t *masksCnt,
			   exception_handler_array_t old_handlers,
			   exception_behavior_array_t old_behaviors,
			   exception_flavor_array_t old_flavors)
{
	return _kernelrpc_thread_get_exception_ports(thread, exception_mask, masks, masksCnt,
						     old_handlers, old_behaviors, old_flavors);
}

BERTH_EXPORT kern_return_t
thread_swap_exception_ports(thread_act_t thread, exception_mask_t exception_mask,
			    mach_port_t new_port, exception_behavior_t behavior,
			    thread_state_flavor_t new_flavor, exception_mask_array_t masks,
			    mach_msg_type_number_t *masksCnt,
			    exception_handler_array_t old_handlers,
			    exception_behavior_array_t old_behaviors,
			    exception_flavor_array_t old_flavors)
{
	return _kernelrpc_thread_swap_exception_ports(thread, exception_mask, new_port, behavior,
						      new_flavor, masks, masksCnt, old_handlers,
						      old_behaviors, old_flavors);
}

/*
 * The registers of a thread that waits for its exception to be handled.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT  no thread, no such flavor, too little room
 * KERN_FAILURE           the thread runs
 */
BERTH_EXPORT kern_return_t
thread_get_state(thread_read_t target_act, thread_state_flavor_t flavor, thread_state_t old_state,
		 mach_msg_type_number_t *old_stateCnt)
{
	return _kernelrpc_thread_get_state(target_act, flavor, old_state, old_stateCnt);
}

/* Those that it goes on with.  The same errors. */
BERTH_EXPORT kern_return_t
thread_set_state(thread_act_t target_act, thread_state_flavor_t flavor, thread_state_t new_state,
		 mach_msg_type_number_t new_stateCnt)
{
	return _kernelrpc_thread_set_state(target_act, flavor, new_state, new_stateCnt);
}
