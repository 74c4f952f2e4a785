/*
 * The calls on ports and rights.
 *
 * @task is the task whose names are meant, mostly mach_task_self(); it must be a control
 * port except where an ipc_space_read_t or ipc_space_inspect_t is taken.  What is said of
 * errors holds for all:
 *
 * MACH_SEND_INVALID_DEST  @task is no send right, or MACH_PORT_NULL
 * KERN_INVALID_TASK       @task is no task, or a dead one
 * KERN_INVALID_NAME       @name means nothing in that task
 * KERN_INVALID_RIGHT      it is not the kind of right that is needed
 *
 * and is not repeated.  Arrays that a call gives are memory of the caller's own task, to be
 * released with vm_deallocate().  Source: mach-ports.md §9.
 */
#ifndef _MACH_MACH_PORT_H_
#define _MACH_MACH_PORT_H_

#include <mach/mach_types.h>
#include <mach/mig_errors.h>
#include <mach/port.h>
#include <mach_debug/mach_debug_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- names and rights ---------------------------------------------------------------- */

/*
 * Every name of the task and what it stands for (MACH_PORT_TYPE_*): two arrays of the same
 * length, in the order of the table.  Gives both.
 *
 * KERN_RESOURCE_SHORTAGE  no memory
 */
extern kern_return_t mach_port_names(ipc_space_t task, mach_port_name_array_t *names,
				     mach_msg_type_number_t *namesCnt,
				     mach_port_type_array_t *types,
				     mach_msg_type_number_t *typesCnt);

/* What @name stands for.  MACH_PORT_DEAD is a dead name. */
extern kern_return_t mach_port_type(ipc_space_t task, mach_port_name_t name,
				    mach_port_type_t *ptype);

/* Not served any more: MIG_BAD_ID. */
extern kern_return_t mach_port_rename(ipc_space_t task, mach_port_name_t old_name,
				      mach_port_name_t new_name);

/*
 * A new port (MACH_PORT_RIGHT_RECEIVE), empty set (_PORT_SET) or dead name (_DEAD_NAME) under
 * a name that the kernel chooses.  Gives the right.
 *
 * KERN_INVALID_VALUE      @right is none of the three
 * KERN_NO_SPACE           the task holds as many names as it may
 * KERN_RESOURCE_SHORTAGE  no memory
 */
extern kern_return_t mach_port_allocate(ipc_space_t task, mach_port_right_t right,
					mach_port_name_t *name);

/*
 * The same under a name that the caller chooses: an index above 0, both low bits set.
 *
 * KERN_INVALID_VALUE  a bad @right; @name is null, dead or has not both low bits set
 * KERN_NAME_EXISTS    @name is in use
 * KERN_FAILURE        its place in the table is
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE
 */
extern kern_return_t mach_port_allocate_name(ipc_space_t task, mach_port_right_t right,
					     mach_port_name_t name);

/*
 * mach_port_allocate() with wishes, of which none has an effect.
 *
 * KERN_INVALID_ARGUMENT  @qos asks for a name; else as mach_port_allocate()
 */
extern kern_return_t mach_port_allocate_qos(ipc_space_t task, mach_port_right_t right,
					    mach_port_qos_t *qos, mach_port_name_t *name);

/*
 * The same, with *@name for a name if @qos says so.
 *
 * KERN_INVALID_VALUE  @proto is not null, or what mach_port_allocate_name() says
 */
extern kern_return_t mach_port_allocate_full(ipc_space_t task, mach_port_right_t right,
					     mach_port_t proto, mach_port_qos_t *qos,
					     mach_port_name_t *name);

/*
 * A new port as @options say (MPO_*), with @context for its context or guard.  Gives the
 * receive right and, with MPO_INSERT_SEND_RIGHT, a send right under the same name.
 *
 * KERN_INVALID_ARGUMENT  flags that exclude each other
 * KERN_INVALID_VALUE     the queue limit is above MACH_PORT_QLIMIT_MAX
 * KERN_DENIED            flags that need a privilege
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE
 */
extern kern_return_t mach_port_construct(ipc_space_t task, mach_port_options_ptr_t options,
					 mach_port_context_t context, mach_port_name_t *name);

/*
 * Destroy a port by its receive right, and drop -@srdelta send references with it.
 *
 * KERN_INVALID_VALUE     @srdelta is positive or drops more than there are
 * KERN_INVALID_ARGUMENT  the port is guarded, and not by @guard
 */
extern kern_return_t mach_port_destruct(ipc_space_t task, mach_port_name_t name,
					mach_port_delta_t srdelta, mach_port_context_t guard);

/*
 * Give up everything under @name at once, however many references.  A null or dead name is
 * no error.
 *
 * KERN_INVALID_RIGHT  the port is guarded
 */
extern kern_return_t mach_port_destroy(ipc_space_t task, mach_port_name_t name);

/*
 * Give up one reference of a send, send-once or dead-name right, or a set.  Never a receive
 * right: KERN_INVALID_RIGHT.  A null or dead name is no error.
 */
extern kern_return_t mach_port_deallocate(ipc_space_t task, mach_port_name_t name);

/*
 * How many references of kind @right are under @name; 0 if it is another kind.
 *
 * KERN_INVALID_VALUE  @right is no right
 */
extern kern_return_t mach_port_get_refs(ipc_space_t task, mach_port_name_t name,
					mach_port_right_t right, mach_port_urefs_t *refs);

/*
 * Add @delta references of kind @right.  Reaching 0 gives the right up; a receive right and
 * a set know -1 only.  References cannot be added to a right that is not held.
 *
 * KERN_INVALID_VALUE  @right is no right, or @delta makes no sense for it
 * KERN_INVALID_RIGHT  it is not held, or the port is guarded
 */
extern kern_return_t mach_port_mod_refs(ipc_space_t task, mach_port_name_t name,
					mach_port_right_t right, mach_port_delta_t delta);

/*
 * Take @poly from the caller by the disposition @polyPoly (MACH_MSG_TYPE_*) and put it into
 * @task as @name.  The usual way to a send right of the own port:
 * mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND).
 * What was taken is gone on failure too.
 *
 * KERN_INVALID_VALUE      @name is null or dead, or cannot be a name
 * KERN_INVALID_CAPABILITY @poly is dead or may not be moved
 * KERN_RIGHT_EXISTS       the task has the port under another name
 * KERN_NAME_EXISTS        @name is something else
 * KERN_NO_SPACE, KERN_FAILURE
 */
extern kern_return_t mach_port_insert_right(ipc_space_t task, mach_port_name_t name,
					    mach_port_t poly, mach_msg_type_name_t polyPoly);

/*
 * Take a right out of @task by the disposition @msgt_name and give it to the caller.
 * *@polyPoly is what it became: MACH_MSG_TYPE_PORT_RECEIVE, _SEND or _SEND_ONCE.
 *
 * KERN_INVALID_VALUE       @msgt_name is no disposition
 * KERN_INVALID_CAPABILITY  it may not be moved
 */
extern kern_return_t mach_port_extract_right(ipc_space_t task, mach_port_name_t name,
					     mach_msg_type_name_t msgt_name, mach_port_t *poly,
					     mach_msg_type_name_t *polyPoly);

/* ---- sets -------------------------------------------------------------------------- */

/* Put the port @name into the set @pset.  KERN_ALREADY_IN_SET. */
extern kern_return_t mach_port_insert_member(ipc_space_t task, mach_port_name_t name,
					     mach_port_name_t pset);

/* Take it out again.  KERN_NOT_IN_SET. */
extern kern_return_t mach_port_extract_member(ipc_space_t task, mach_port_name_t name,
					      mach_port_name_t pset);

/* Into the set @after and out of all others; MACH_PORT_NULL: out of all.  KERN_NOT_IN_SET. */
extern kern_return_t mach_port_move_member(ipc_space_t task, mach_port_name_t member,
					   mach_port_name_t after);

/* The members of a set, by ascending name.  Gives the array; NULL and 0 for an empty set. */
extern kern_return_t mach_port_get_set_status(ipc_space_read_t task, mach_port_name_t name,
					      mach_port_name_array_t *members,
					      mach_msg_type_number_t *membersCnt);

/* ---- notifications ------------------------------------------------------------------- */

/*
 * Ask for the notification @msgid (MACH_NOTIFY_PORT_DESTROYED, _NO_SENDERS, _DEAD_NAME or
 * _SEND_POSSIBLE) about @name, to be sent to @notify, which is taken by @notifyPoly
 * (MACH_MSG_TYPE_MAKE_SEND_ONCE or _MOVE_SEND_ONCE); MACH_PORT_NULL cancels.  Gives the
 * send-once right of the request that was there before in *@previous.  On failure the
 * send-once right taken is used up by a send-once notification.
 *
 * KERN_INVALID_VALUE       @msgid is none of the four, or @sync makes no sense for it
 * KERN_INVALID_ARGUMENT    @name is dead
 * KERN_INVALID_CAPABILITY  @notify is dead
 * KERN_FAILURE             a port-destroyed request is there and cannot be replaced
 * KERN_RESOURCE_SHORTAGE   no memory
 */
extern kern_return_t mach_port_request_notification(ipc_space_t task, mach_port_name_t name,
						    mach_msg_id_t msgid, mach_port_mscount_t sync,
						    mach_port_t notify,
						    mach_msg_type_name_t notifyPoly,
						    mach_port_t *previous);

/* ---- attributes ---------------------------------------------------------------------- */

/*
 * What @flavor (MACH_PORT_LIMITS_INFO, _RECEIVE_STATUS, …) tells about a receive right, into
 * @port_info_out, which holds *@port_info_outCnt numbers.
 *
 * KERN_FAILURE           too few
 * KERN_INVALID_ARGUMENT  no such flavor
 */
extern kern_return_t mach_port_get_attributes(ipc_space_read_t task, mach_port_name_t name,
					      mach_port_flavor_t flavor,
					      mach_port_info_t port_info_out,
					      mach_msg_type_number_t *port_info_outCnt);

/*
 * Set them.  A queue limit that grows lets blocked senders in; one that shrinks drops
 * nothing.
 *
 * KERN_INVALID_VALUE  a queue limit above MACH_PORT_QLIMIT_MAX; else as above
 */
extern kern_return_t mach_port_set_attributes(ipc_space_t task, mach_port_name_t name,
					      mach_port_flavor_t flavor, mach_port_info_t port_info,
					      mach_msg_type_number_t port_infoCnt);

/* Check that the port is strictly guarded with that guard.  KERN_INVALID_ARGUMENT: it is not. */
extern kern_return_t mach_port_assert_attributes(ipc_space_t task, mach_port_name_t name,
						 mach_port_flavor_t flavor, mach_port_info_t info,
						 mach_msg_type_number_t infoCnt);

/* ---- context and guard --------------------------------------------------------------- */

/* The port's context; 0 for a strictly guarded one. */
extern kern_return_t mach_port_get_context(ipc_space_read_t task, mach_port_name_t name,
					   mach_port_context_t *context);

/* KERN_INVALID_ARGUMENT: the port is strictly guarded. */
extern kern_return_t mach_port_set_context(ipc_space_t task, mach_port_name_t name,
					   mach_port_context_t context);

/* Guard the port against being destroyed.  KERN_INVALID_ARGUMENT: it has a context or guard. */
extern kern_return_t mach_port_guard(ipc_space_t task, mach_port_name_t name,
				     mach_port_context_t guard, boolean_t strict);

/* The same with MPG_*. */
extern kern_return_t mach_port_guard_with_flags(ipc_space_t task, mach_port_name_t name,
						mach_port_context_t guard, uint64_t flags);

/* KERN_INVALID_ARGUMENT: not guarded, or not by @guard. */
extern kern_return_t mach_port_unguard(ipc_space_t task, mach_port_name_t name,
				       mach_port_context_t guard);

/* KERN_INVALID_ARGUMENT: not guarded, strictly guarded, or not by @old_guard. */
extern kern_return_t mach_port_swap_guard(ipc_space_t task, mach_port_name_t name,
					  mach_port_context_t old_guard,
					  mach_port_context_t new_guard);

/* ---- counters and the queue ---------------------------------------------------------- */

extern kern_return_t mach_port_set_mscount(ipc_space_t task, mach_port_name_t name,
					   mach_port_mscount_t mscount);

extern kern_return_t mach_port_set_seqno(ipc_space_t task, mach_port_name_t name,
					 mach_port_seqno_t seqno);

/* How many send rights there are, in all tasks. */
extern kern_return_t mach_port_get_srights(ipc_space_t task, mach_port_name_t name,
					   mach_port_rights_t *srights);

/*
 * Look at a queued message without receiving it: the first (*@request_seqnop is 0) or the
 * one with that sequence number.  @trailer_infop holds *@trailer_infopCnt bytes.
 *
 * KERN_INVALID_VALUE  the trailer asked for is not one, or does not fit
 * KERN_FAILURE        there is no such message
 */
extern kern_return_t mach_port_peek(ipc_space_t task, mach_port_name_t name,
				    mach_msg_trailer_type_t trailer_type,
				    mach_port_seqno_t *request_seqnop, mach_msg_size_t *msg_sizep,
				    mach_msg_id_t *msg_idp, mach_msg_trailer_info_t trailer_infop,
				    mach_msg_type_number_t *trailer_infopCnt);

/* ---- looking into a task ------------------------------------------------------------- */

/*
 * What kind of kernel object is behind @name, by number; 0 for a plain port.  The address is
 * always 0.
 */
extern kern_return_t mach_port_kobject(ipc_space_read_t task, mach_port_name_t name,
				       natural_t *object_type, mach_vm_address_t *object_addr);

/* The same and a text, which may be empty. */
extern kern_return_t mach_port_kobject_description(ipc_space_read_t task, mach_port_name_t name,
						   natural_t *object_type,
						   mach_vm_address_t *object_addr,
						   kobject_description_t desc);

/* Obsolete: mach_port_kobject() with a short address. */
extern kern_return_t mach_port_kernel_object(ipc_space_read_t task, mach_port_name_t name,
					     unsigned *object_type, unsigned *object_addr);

/* The whole table of rights.  Gives both arrays; the second is always empty. */
extern kern_return_t mach_port_space_info(ipc_space_read_t space, ipc_info_space_t *space_info,
					  ipc_info_name_array_t *table_info,
					  mach_msg_type_number_t *table_infoCnt,
					  ipc_info_tree_name_array_t *tree_info,
					  mach_msg_type_number_t *tree_infoCnt);

extern kern_return_t mach_port_space_basic_info(ipc_space_inspect_t task,
						ipc_info_space_basic_t *basic_info);

/* How many dead-name and send-possible requests the port has room for and has. */
extern kern_return_t mach_port_dnrequest_info(ipc_space_t task, mach_port_name_t name,
					      unsigned *dnr_total, unsigned *dnr_used);

/* No effect: KERN_SUCCESS. */
extern kern_return_t task_set_port_space(ipc_space_t task, int table_entries);

/* ---- service ports: Darwin's policy, KERN_INVALID_CAPABILITY for plain ports ---------------- */

extern kern_return_t mach_port_get_service_port_info(ipc_space_read_t task, mach_port_name_t name,
						     mach_service_port_info_data_t *sp_info_out);

extern kern_return_t mach_port_is_connection_for_service(ipc_space_t task,
							 mach_port_name_t connection_port,
							 mach_port_name_t service_port,
							 uint64_t *filter_policy_id);

extern kern_return_t mach_port_special_reply_port_reset_link(ipc_space_t task,
							     mach_port_name_t name,
							     boolean_t *srp_lost_link);

#ifdef __cplusplus
}
#endif

#endif
