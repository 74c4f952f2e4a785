/*
 * Calls that are declared and that a later release brings.  They link, fail with the code that
 * Darwin has for "not here" or the call's own, and say so once each; none claims a success
 * that it did not have.
 */
#include "client/later.h"

#include <mach/mach.h>
#include <mach/host_priv.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/say.h"

/* ---- what the other files use ----------------------------------------------------------- */

kern_return_t
later_not_supported(const char *call, const char *what, _Atomic uint32_t *said)
{
	SAY_ONCE(said, "%s: %s is not there yet; it returns KERN_NOT_SUPPORTED", call, what);
	return KERN_NOT_SUPPORTED;
}

kern_return_t
later_own_task(mach_port_t task)
{
	mach_vm_address_t address;
	natural_t kind = 0;
	int pid;

	if (__builtin_expect(task == mach_task_self_, 1))
		return KERN_SUCCESS;
	if (!MACH_PORT_VALID(task))
		return KERN_INVALID_ARGUMENT;
	if (mach_task_is_self(task))
		return KERN_SUCCESS;
	if (mach_port_kobject(mach_task_self_, task, &kind, &address) == KERN_SUCCESS &&
	    kind != 0 && pid_for_task(task, &pid) != KERN_SUCCESS)
		return KERN_INVALID_ARGUMENT;
	return BERTH_TRAP_BY_MESSAGE;
}

kern_return_t
later_asked(kern_return_t code, const char *call, _Atomic uint32_t *said)
{
	if (code == MIG_BAD_ID)
		SAY_ONCE(said, "%s: this on another task is not there yet; it returns MIG_BAD_ID",
			 call);
	return code;
}

/* ---- the calls ---------------------------------------------------------------------------- */

/* Call @name, which is not there. */
#define NOT_YET(name, parameters)                                                                  \
	BERTH_EXPORT kern_return_t name parameters                                                 \
	{                                                                                          \
		static _Atomic uint32_t said;                                                      \
                                                                                                   \
		SAY_ONCE(&said, #name " is not there yet; it returns KERN_NOT_SUPPORTED");         \
		return KERN_NOT_SUPPORTED;                                                         \
	}

/* The same with an object that a task may serve itself: it is asked, by @message. */
#define NOT_YET_HERE(name, parameters, object, message)                                            \
	BERTH_EXPORT kern_return_t name parameters                                                 \
	{                                                                                          \
		static _Atomic uint32_t said;                                                      \
                                                                                                   \
		if (kernelrpc_is_asked(object))                                                    \
			return message;                                                            \
		SAY_ONCE(&said, #name " is not there yet; it returns KERN_NOT_SUPPORTED");         \
		return KERN_NOT_SUPPORTED;                                                         \
	}

/* tasks */
NOT_YET_HERE(task_suspend2, (task_read_t target_task, task_suspension_token_t *suspend_token),
	     target_task, _kernelrpc_task_suspend2(target_task, suspend_token))
NOT_YET_HERE(task_resume2, (task_suspension_token_t suspend_token), suspend_token,
	     _kernelrpc_task_resume2(suspend_token))
NOT_YET_HERE(task_policy_set,
	     (task_policy_set_t task, task_policy_flavor_t flavor, task_policy_t policy_info,
	      mach_msg_type_number_t policy_infoCnt),
	     task, _kernelrpc_task_policy_set(task, flavor, policy_info, policy_infoCnt))
NOT_YET_HERE(task_policy_get,
	     (task_policy_get_t task, task_policy_flavor_t flavor, task_policy_t policy_info,
	      mach_msg_type_number_t *policy_infoCnt, boolean_t *get_default),
	     task,
	     _kernelrpc_task_policy_get(task, flavor, policy_info, policy_infoCnt, get_default))
NOT_YET_HERE(task_set_exc_guard_behavior, (task_t task, task_exc_guard_behavior_t behavior), task,
	     _kernelrpc_task_set_exc_guard_behavior(task, behavior))

/* exceptions */
NOT_YET_HERE(host_set_exception_ports,
	     (host_priv_t host_priv, exception_mask_t exception_mask, mach_port_t new_port,
	      exception_behavior_t behavior, thread_state_flavor_t new_flavor),
	     host_priv,
	     _kernelrpc_host_set_exception_ports(host_priv, exception_mask, new_port, behavior,
						 new_flavor))
NOT_YET_HERE(host_get_exception_ports,
	     (host_priv_t host_priv, exception_mask_t exception_mask, exception_mask_array_t masks,
	      mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
	      exception_behavior_array_t old_behaviors, exception_flavor_array_t old_flavors),
	     host_priv,
	     _kernelrpc_host_get_exception_ports(host_priv, exception_mask, masks, masksCnt,
						 old_handlers, old_behaviors, old_flavors))
NOT_YET_HERE(host_swap_exception_ports,
	     (host_priv_t host_priv, exception_mask_t exception_mask, mach_port_t new_port,
	      exception_behavior_t behavior, thread_state_flavor_t new_flavor,
	      exception_mask_array_t masks, mach_msg_type_number_t *masksCnt,
	      exception_handler_array_t old_handlers, exception_behavior_array_t old_behaviors,
	      exception_flavor_array_t old_flavors),
	     host_priv,
	     _kernelrpc_host_swap_exception_ports(host_priv, exception_mask, new_port, behavior,
						  new_flavor, masks, masksCnt, old_handlers,
						  old_behaviors, old_flavors))

/* threads */
NOT_YET_HERE(thread_get_special_port,
	     (thread_inspect_t thr_act, int which_port, mach_port_t *special_port), thr_act,
	     _kernelrpc_thread_get_special_port(thr_act, which_port, special_port))
NOT_YET_HERE(thread_set_special_port,
	     (thread_act_t thr_act, int which_port, mach_port_t special_port), thr_act,
	     _kernelrpc_thread_set_special_port(thr_act, which_port, special_port))
NOT_YET_HERE(thread_policy_set,
	     (thread_act_t thread, thread_policy_flavor_t flavor, thread_policy_t policy_info,
	      mach_msg_type_number_t policy_infoCnt),
	     thread, _kernelrpc_thread_policy_set(thread, flavor, policy_info, policy_infoCnt))
NOT_YET_HERE(thread_policy_get,
	     (thread_inspect_t thread, thread_policy_flavor_t flavor, thread_policy_t policy_info,
	      mach_msg_type_number_t *policy_infoCnt, boolean_t *get_default),
	     thread,
	     _kernelrpc_thread_policy_get(thread, flavor, policy_info, policy_infoCnt, get_default))

/* the host */
NOT_YET_HERE(host_get_special_port, (host_priv_t host_priv, int node, int which, mach_port_t *port),
	     host_priv, _kernelrpc_host_get_special_port(host_priv, node, which, port))
NOT_YET_HERE(host_set_special_port, (host_priv_t host_priv, int which, mach_port_t port), host_priv,
	     _kernelrpc_host_set_special_port(host_priv, which, port))
NOT_YET_HERE(host_processors,
	     (host_priv_t host_priv, processor_array_t *out_processor_list,
	      mach_msg_type_number_t *out_processor_listCnt),
	     host_priv,
	     _kernelrpc_host_processors(host_priv, out_processor_list, out_processor_listCnt))
NOT_YET_HERE(processor_set_default, (host_t host, processor_set_name_t *default_set), host,
	     _kernelrpc_processor_set_default(host, default_set))
NOT_YET_HERE(host_get_io_main, (host_t host, io_main_t *io_main), host,
	     _kernelrpc_host_get_io_main(host, io_main))
NOT_YET(host_get_io_master, (host_t host, io_master_t *io_master))
NOT_YET_HERE(host_request_notification,
	     (host_t host, host_notify_type_t notify_type, mach_port_t notify_port), host,
	     _kernelrpc_host_request_notification(host, notify_type, notify_port))
