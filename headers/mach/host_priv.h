/*
 * The calls on the host's privileged port.
 *
 * Source: mach-kobjects.md §3.1 and §9.
 */
#ifndef _MACH_HOST_PRIV_H_
#define _MACH_HOST_PRIV_H_

#include <mach/clock_types.h>
#include <mach/exception_types.h>
#include <mach/host_info.h>
#include <mach/host_special_ports.h>
#include <mach/mach_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The host's port @which (HOST_*_PORT); @node is HOST_LOCAL_NODE.  Gives a send right. */
extern kern_return_t host_get_special_port(host_priv_t host_priv, int node, int which,
					   mach_port_t *port);

/* Set one of those that may be set; the send right is copied. */
extern kern_return_t host_set_special_port(host_priv_t host_priv, int which, mach_port_t port);

/* The control port of a clock, for <mach/clock_priv.h>.  Gives a send right.  KERN_NO_ACCESS: the
 * caller is not root.  KERN_INVALID_ARGUMENT: no host, or no such clock. */
extern kern_return_t host_get_clock_control(host_priv_t host_priv, clock_id_t clock_id,
					    clock_ctrl_t *clock_ctrl);

/* Every processor: a send right each.  Gives the array and the rights. */
extern kern_return_t host_processors(host_priv_t host_priv, processor_array_t *out_processor_list,
				     mach_msg_type_number_t *out_processor_listCnt);

/* As those of tasks, <mach/task.h>; the host's come last. */
extern kern_return_t host_set_exception_ports(host_priv_t host_priv,
					      exception_mask_t exception_mask, mach_port_t new_port,
					      exception_behavior_t behavior,
					      thread_state_flavor_t new_flavor);
extern kern_return_t host_get_exception_ports(
    host_priv_t host_priv, exception_mask_t exception_mask, exception_mask_array_t masks,
    mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
    exception_behavior_array_t old_behaviors, exception_flavor_array_t old_flavors);
extern kern_return_t host_swap_exception_ports(
    host_priv_t host_priv, exception_mask_t exception_mask, mach_port_t new_port,
    exception_behavior_t behavior, thread_state_flavor_t new_flavor, exception_mask_array_t masks,
    mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
    exception_behavior_array_t old_behaviors, exception_flavor_array_t old_flavors);

#ifdef __cplusplus
}
#endif

#endif
