/*
 * Special ports of threads and of the host, and the host's exception ports: all kept by the
 * kernel.  mach-kobjects.md §3.1 and §9.
 */
#include <mach/host_priv.h>
#include <mach/mach.h>
#include <mach/mach_host.h>
#include <mach/thread_act.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"

/*
 * KERN_SUCCESS            the caller has one more send right
 * KERN_INVALID_ARGUMENT   another kernel object, or there is no such port
 * KERN_RESOURCE_SHORTAGE
 * MACH_SEND_INVALID_DEST  no send right, or the thread is dead
 */
BERTH_EXPORT kern_return_t
thread_get_special_port(thread_inspect_t thr_act, int which_port, mach_port_t *special_port)
{
	return _kernelrpc_thread_get_special_port(thr_act, which_port, special_port);
}

/* The same; KERN_NO_ACCESS: the one there is, a thread's own, stays. */
BERTH_EXPORT kern_return_t
thread_set_special_port(thread_act_t thr_act, int which_port, mach_port_t special_port)
{
	return _kernelrpc_thread_set_special_port(thr_act, which_port, special_port);
}

/* The same errors; KERN_INVALID_ARGUMENT: who may not rule the host, too. */
BERTH_EXPORT kern_return_t
host_get_special_port(host_priv_t host_priv, int node, int which, mach_port_t *port)
{
	return _kernelrpc_host_get_special_port(host_priv, node, which, port);
}

BERTH_EXPORT kern_return_t
host_set_special_port(host_priv_t host_priv, int which, mach_port_t port)
{
	return _kernelrpc_host_set_special_port(host_priv, which, port);
}

/*
 * KERN_NOT_SUPPORTED      there is no I/O Kit
 * KERN_INVALID_ARGUMENT   no host
 * MACH_SEND_INVALID_DEST  no send right
 */
BERTH_EXPORT kern_return_t
host_get_io_main(host_t host, io_main_t *io_main)
{
	vm_size_t size;

	if (kernelrpc_is_asked(host))
		return _kernelrpc_host_get_io_main(host, io_main);
	kern_return_t code = _kernelrpc__host_page_size(host, &size); /* a host? */
	return code == KERN_SUCCESS ? KERN_NOT_SUPPORTED : code;
}

BERTH_EXPORT kern_return_t
host_get_io_master(host_t host, io_master_t *io_master)
{
	return host_get_io_main(host, io_master);
}

/* As task_set_exception_ports() and its like; KERN_INVALID_ARGUMENT: who may not rule the host,
 * too. */
BERTH_EXPORT kern_return_t
host_set_exception_ports(host_priv_t host_priv, exception_mask_t exception_mask,
			 mach_port_t new_port, exception_behavior_t behavior,
			 thread_state_flavor_t new_flavor)
{
	return _kernelrpc_host_set_exception_ports(host_priv, exception_mask, new_port, behavior,
						   new_flavor);
}

BERTH_EXPORT kern_return_t
host_get_exception_ports(host_priv_t host_priv, exception_mask_t exception_mask,
			 exception_mask_array_t masks, mach_msg_type_number_t *masksCnt,
			 exception_handler_array_t old_handlers,
			 exception_behavior_array_t old_behaviors,
			 exception_flavor_array_t old_flavors)
{
	return _kernelrpc_host_get_exception_ports(host_priv, exception_mask, masks, masksCnt,
						   old_handlers, old_behaviors, old_flavors);
}

BERTH_EXPORT kern_return_t
host_swap_exception_ports(host_priv_t host_priv, exception_mask_t exception_mask,
			  mach_port_t new_port, exception_behavior_t behavior,
			  thread_state_flavor_t new_flavor, exception_mask_array_t masks,
			  mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
			  exception_behavior_array_t old_behaviors,
			  exception_flavor_array_t old_flavors)
{
	return _kernelrpc_host_swap_exception_ports(host_priv, exception_mask, new_port, behavior,
						    new_flavor, masks, masksCnt, old_handlers,
						    old_behaviors, old_flavors);
}
