/*
 * The calls on tasks.
 *
 * @task is a control port, mostly mach_task_self(), unless the parameter's type says that less
 * will do.  What is said of errors holds for all:
 *
 * MACH_SEND_INVALID_DEST  the first argument is no send right
 * KERN_INVALID_ARGUMENT   it is null, or something else than a task
 *
 * and is not repeated.  Arrays that a call gives are memory of the caller's own task, to be
 * released with vm_deallocate().  Source: mach-kobjects.md §3, §7 and §9.
 */
#ifndef _MACH_TASK_H_
#define _MACH_TASK_H_

#include <mach/exception_types.h>
#include <mach/mach_types.h>
#include <mach/semaphore.h>
#include <mach/task_info.h>
#include <mach/task_inspect.h>
#include <mach/task_policy.h>
#include <mach/task_special_ports.h>
#include <mach/thread_status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- special and registered ports ---------------------------------------------------- */

/*
 * The special port @which_port (TASK_*_PORT): one new send right, MACH_PORT_NULL if none is
 * set, MACH_PORT_DEAD if it died.
 *
 * KERN_FAILURE             a dead task
 * KERN_INVALID_ARGUMENT    there is no such special port
 * KERN_INVALID_CAPABILITY  @task is a read or inspect port, and this needs more
 */
extern kern_return_t task_get_special_port(task_inspect_t task, int which_port,
					   mach_port_t *special_port);

/*
 * Set it: the caller's send right @special_port is copied, the one of before released.
 * MACH_PORT_NULL unsets.  Children inherit it.
 *
 * KERN_NO_ACCESS           TASK_KERNEL_PORT, TASK_HOST_PORT; TASK_ACCESS_PORT when it is set
 * KERN_FAILURE             a dead task
 * KERN_INVALID_ARGUMENT    no special port that can be set
 */
extern kern_return_t task_set_special_port(task_t task, int which_port, mach_port_t special_port);

/*
 * Replace all three registered ports: send rights are copied; those that are not given become
 * null.  Children inherit them.
 *
 * KERN_INVALID_ARGUMENT  more than TASK_PORT_REGISTER_MAX
 */
extern kern_return_t mach_ports_register(task_t target_task, mach_port_array_t init_port_set,
					 mach_msg_type_number_t init_port_setCnt);

/* The registered ports: always three, each a new send right, null or dead.  Gives the array. */
extern kern_return_t mach_ports_lookup(task_t target_task, mach_port_array_t *init_port_set,
				       mach_msg_type_number_t *init_port_setCnt);

/* ---- looking at and steering a task -------------------------------------------------- */

/*
 * What @flavor (TASK_BASIC_INFO, MACH_TASK_BASIC_INFO, ...) tells, into @task_info_out, which
 * holds *@task_info_outCnt numbers.
 *
 * KERN_INVALID_ARGUMENT  too few, or no such flavor
 */
extern kern_return_t task_info(task_name_t target_task, task_flavor_t flavor,
			       task_info_t task_info_out, mach_msg_type_number_t *task_info_outCnt);

/* Every thread of the task: one new send right each.  Gives the array and the rights. */
extern kern_return_t task_threads(task_inspect_t target_task, thread_act_array_t *act_list,
				  mach_msg_type_number_t *act_listCnt);

/* Stop all threads; as often as it is said, task_resume() must be said. */
extern kern_return_t task_suspend(task_read_t target_task);

/* KERN_FAILURE: the task is not suspended. */
extern kern_return_t task_resume(task_read_t target_task);

/*
 * The same with a token, a send-once right, whose loss resumes the task: when it is deallocated, or
 * dies with who holds it.  Gives the token.
 */
extern kern_return_t task_suspend2(task_read_t target_task, task_suspension_token_t *suspend_token);

/* Takes it back.  MACH_SEND_INVALID_DEST: there is no such right, or the task is dead. */
extern kern_return_t task_resume2(task_suspension_token_t suspend_token);

/* End the task. */
extern kern_return_t task_terminate(task_t target_task);

/* Not served any more: MIG_BAD_ID. */
extern kern_return_t task_create(task_t target_task, ledger_array_t ledgers,
				 mach_msg_type_number_t ledgersCnt, boolean_t inherit_memory,
				 task_t *child_task);

/* As those of threads, <mach/thread_act.h>, with the flavors of <mach/task_policy.h>. */
extern kern_return_t task_policy_set(task_policy_set_t task, task_policy_flavor_t flavor,
				     task_policy_t policy_info,
				     mach_msg_type_number_t policy_infoCnt);
extern kern_return_t task_policy_get(task_policy_get_t task, task_policy_flavor_t flavor,
				     task_policy_t policy_info,
				     mach_msg_type_number_t *policy_infoCnt,
				     boolean_t *get_default);

/* ---- exception ports ----------------------------------------------------------------- */

/*
 * Send exceptions in @exception_mask (EXC_MASK_*) to @new_port, in the shape that @behavior
 * (EXCEPTION_*, MACH_EXCEPTION_*) says, with registers of @new_flavor.  The send right is
 * consumed; MACH_PORT_NULL unsets.
 *
 * KERN_INVALID_ARGUMENT  an unknown exception, behavior or flavor
 * KERN_INVALID_RIGHT     a port that cannot be used so
 */
extern kern_return_t task_set_exception_ports(task_t task, exception_mask_t exception_mask,
					      mach_port_t new_port, exception_behavior_t behavior,
					      thread_state_flavor_t new_flavor);

/*
 * Where they go: equal ports are told once, with all of their exceptions.  The arrays are the
 * caller's and hold *@masksCnt (EXC_TYPES_COUNT suffices).  Gives a send right each.
 */
extern kern_return_t task_get_exception_ports(task_t task, exception_mask_t exception_mask,
					      exception_mask_array_t masks,
					      mach_msg_type_number_t *masksCnt,
					      exception_handler_array_t old_handlers,
					      exception_behavior_array_t old_behaviors,
					      exception_flavor_array_t old_flavors);

/* Both at once. */
extern kern_return_t task_swap_exception_ports(
    task_t task, exception_mask_t exception_mask, mach_port_t new_port,
    exception_behavior_t behavior, thread_state_flavor_t new_flavor, exception_mask_array_t masks,
    mach_msg_type_number_t *masksCnt, exception_handler_array_t old_handlers,
    exception_behavior_array_t old_behaviors, exception_flavor_array_t old_flavors);

/* TASK_EXC_GUARD_NONE, and nothing else: KERN_NOT_SUPPORTED.  KERN_INVALID_VALUE: unknown bits. */
extern kern_return_t task_get_exc_guard_behavior(task_inspect_t task,
						 task_exc_guard_behavior_t *behavior);
extern kern_return_t task_set_exc_guard_behavior(task_t task, task_exc_guard_behavior_t behavior);

/* ---- vouchers ---------------------------------------------------------------------- */

/* A task has none: MACH_VOUCHER_NULL, and setting has no effect.  KERN_INVALID_TASK: null. */
extern kern_return_t task_get_mach_voucher(task_read_t task, mach_voucher_selector_t which,
					   ipc_voucher_t *voucher);
extern kern_return_t task_set_mach_voucher(task_t task, ipc_voucher_t voucher);

/* KERN_NOT_SUPPORTED */
extern kern_return_t task_swap_mach_voucher(task_t task, ipc_voucher_t new_voucher,
					    ipc_voucher_t *old_voucher);

#ifdef __cplusplus
}
#endif

#endif
