/*
 * The calls on threads.
 *
 * Errors, arrays and exception ports are as in <mach/task.h>.  Source: mach-kobjects.md §3, §7,
 * §9 and §10.
 */
#ifndef _MACH_THREAD_ACT_H_
#define _MACH_THREAD_ACT_H_

#include <mach/exception_types.h>
#include <mach/mach_types.h>
#include <mach/thread_info.h>
#include <mach/thread_policy.h>
#include <mach/thread_special_ports.h>
#include <mach/thread_status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* End the thread. */
extern kern_return_t thread_terminate(thread_act_t target_act);

/*
 * What @flavor (THREAD_BASIC_INFO, ...) tells, into @thread_info_out, which holds
 * *@thread_info_outCnt numbers.
 *
 * KERN_INVALID_ARGUMENT  too few, or no such flavor
 */
extern kern_return_t thread_info(thread_inspect_t target_act, thread_flavor_t flavor,
				 thread_info_t thread_info_out,
				 mach_msg_type_number_t *thread_info_outCnt);

/* Stop the thread; as often as it is said, thread_resume() must be said. */
extern kern_return_t thread_suspend(thread_read_t target_act);

/* KERN_FAILURE: the thread is not suspended. */
extern kern_return_t thread_resume(thread_read_t target_act);

/* Interrupt what the thread waits in; its call ends with *_INTERRUPTED or KERN_ABORTED. */
extern kern_return_t thread_abort(thread_act_t target_act);

/* The same, unless the call has already done a part of its work. */
extern kern_return_t thread_abort_safely(thread_act_t target_act);

/* The registers, as @flavor lays them out.  They depend on the machine. */
extern kern_return_t thread_get_state(thread_read_t target_act, thread_state_flavor_t flavor,
				      thread_state_t old_state,
				      mach_msg_type_number_t *old_stateCnt);
extern kern_return_t thread_set_state(thread_act_t target_act, thread_state_flavor_t flavor,
				      thread_state_t new_state,
				      mach_msg_type_number_t new_stateCnt);

/* As task_get_special_port() and task_set_special_port(), with THREAD_*_PORT. */
extern kern_return_t thread_get_special_port(thread_inspect_t thr_act, int which_port,
					     mach_port_t *special_port);
extern kern_return_t thread_set_special_port(thread_act_t thr_act, int which_port,
					     mach_port_t special_port);

/* As those of tasks; a thread's come first.  Threads start without. */
extern kern_return_t thread_set_exception_ports(thread_act_t thread,
						exception_mask_t exception_mask,
						mach_port_t new_port, exception_behavior_t behavior,
						thread_state_flavor_t new_flavor);
extern kern_return_t thread_get_exception_ports(
    thread_act_t thread, exception_mask_t exception_mask, exception_mask_array_t masks,
    mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
    exception_behavior_array_t old_behaviors, exception_flavor_array_t old_flavors);
extern kern_return_t thread_swap_exception_ports(
    thread_act_t thread, exception_mask_t exception_mask, mach_port_t new_port,
    exception_behavior_t behavior, thread_state_flavor_t new_flavor, exception_mask_array_t masks,
    mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
    exception_behavior_array_t old_behaviors, exception_flavor_array_t old_flavors);

/*
 * Kept and told again, <mach/thread_policy.h>; no effect: Linux schedules.  *@get_default asks for
 * what holds before any was set, and says that it does.
 *
 * KERN_INVALID_ARGUMENT  too few, no such flavor, or a number that says nothing
 */
extern kern_return_t thread_policy_set(thread_act_t thread, thread_policy_flavor_t flavor,
				       thread_policy_t policy_info,
				       mach_msg_type_number_t policy_infoCnt);
extern kern_return_t thread_policy_get(thread_inspect_t thread, thread_policy_flavor_t flavor,
				       thread_policy_t policy_info,
				       mach_msg_type_number_t *policy_infoCnt,
				       boolean_t *get_default);

/* A send right to the thread's voucher, or MACH_VOUCHER_NULL. */
extern kern_return_t thread_get_mach_voucher(thread_read_t thr_act, mach_voucher_selector_t which,
					     ipc_voucher_t *voucher);

/* KERN_INVALID_ARGUMENT: neither the calling thread nor one that has not started. */
extern kern_return_t thread_set_mach_voucher(thread_act_t thr_act, ipc_voucher_t voucher);

#ifdef __cplusplus
}
#endif

#endif
