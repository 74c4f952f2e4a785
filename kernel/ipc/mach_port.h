/*
 * The routines of the mach_port interface, with the checks of mach-ports.md §9 in their order.
 *
 * Both ways to call them end here: the traps (mach_port_traps.c) and messages to a task port,
 * through the stubs that MIG makes.  So each has Darwin's signature for the kernel: objects in
 * place of names in the caller's task.
 *
 * What they share:
 * - @space NULL says that the caller named another kernel object: KERN_INVALID_TASK, or
 *   KERN_INVALID_ARGUMENT where that is said.
 * - A right that comes in is consumed on success and only then.  A right that goes out is the
 *   caller's to give on.  Arrays that come out are heap memory of the kernel, of exactly their
 *   count of elements (NULL for none), and the caller's to free.
 * - A failure sets no result and leaves no trace.
 */
#ifndef KERNEL_MACH_PORT_H
#define KERNEL_MACH_PORT_H

#include <mach_debug/mach_debug_types.h>

#include "ipc/ipc_space.h"

/* ---- names: mach_port.c ------------------------------------------------------------------ */

/* KERN_INVALID_VALUE, KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE.  §9.1 to §9.3 */
kern_return_t mach_port_allocate(struct ipc_space *space, mach_port_right_t right,
				 mach_port_name_t *name);
/* The same, KERN_NAME_EXISTS and KERN_FAILURE. */
kern_return_t mach_port_allocate_name(struct ipc_space *space, mach_port_right_t right,
				      mach_port_name_t name);
/* @name is read when @qos says so.  @proto must be NULL: KERN_INVALID_VALUE. */
kern_return_t mach_port_allocate_full(struct ipc_space *space, mach_port_right_t right,
				      struct ipc_port *proto, mach_port_qos_t *qos,
				      mach_port_name_t *name);
/* KERN_INVALID_ARGUMENT for a @qos that names. */
kern_return_t mach_port_allocate_qos(struct ipc_space *space, mach_port_right_t right,
				     mach_port_qos_t *qos, mach_port_name_t *name);
/* §9.4 */
kern_return_t mach_port_construct(struct ipc_space *space, mach_port_options_t *options,
				  uint64_t context, mach_port_name_t *name);
/* §9.5 to §9.9 */
kern_return_t mach_port_destruct(struct ipc_space *space, mach_port_name_t name,
				 mach_port_delta_t srdelta, uint64_t guard);
kern_return_t mach_port_destroy(struct ipc_space *space, mach_port_name_t name);
kern_return_t mach_port_deallocate(struct ipc_space *space, mach_port_name_t name);
kern_return_t mach_port_get_refs(struct ipc_space *space, mach_port_name_t name,
				 mach_port_right_t right, mach_port_urefs_t *refs);
kern_return_t mach_port_mod_refs(struct ipc_space *space, mach_port_name_t name,
				 mach_port_right_t right, mach_port_delta_t delta);
/* KERN_SUCCESS, and nothing else: tables grow by themselves. */
kern_return_t task_set_port_space(struct ipc_space *space, int table_entries);

/* ---- rights: mach_port_rights.c ------------------------------------------------------------- */

/* @disposition as sent or as received; a dead right is IP_DEAD.  §9.10 */
kern_return_t mach_port_insert_right(struct ipc_space *space, mach_port_name_t name,
				     struct ipc_port *poly, mach_msg_type_name_t disposition);
/* A receive right is in limbo.  §9.11 */
kern_return_t mach_port_extract_right(struct ipc_space *space, mach_port_name_t name,
				      mach_msg_type_name_t disposition, struct ipc_port **poly,
				      mach_msg_type_name_t *poly_poly);
/* @notify and *@previous are send-once rights.  §9.13 */
kern_return_t mach_port_request_notification(struct ipc_space *space, mach_port_name_t name,
					     mach_msg_id_t msgid, mach_port_mscount_t sync,
					     struct ipc_port *notify, struct ipc_port **previous);

/* ---- sets: mach_port_sets.c.  §9.12 ------------------------------------------------------- */

kern_return_t mach_port_insert_member(struct ipc_space *space, mach_port_name_t name,
				      mach_port_name_t pset);
kern_return_t mach_port_extract_member(struct ipc_space *space, mach_port_name_t name,
				       mach_port_name_t pset);
kern_return_t mach_port_move_member(struct ipc_space *space, mach_port_name_t member,
				    mach_port_name_t after);
/* KERN_INVALID_ARGUMENT without a space. */
kern_return_t mach_port_get_set_status(struct ipc_space *space, mach_port_name_t name,
				       mach_port_name_t **members, mach_msg_type_number_t *count);

/* ---- attributes, guards, counters: mach_port_attributes.c.  §9.14 to §9.16 ---------------- */

/* How many integers @flavor needs; 0: there is no such flavor. */
uint32_t mach_port_flavor_count(mach_port_flavor_t flavor);
/* *@count is the room in @info, then what is there.  KERN_INVALID_ARGUMENT without a space. */
kern_return_t mach_port_get_attributes(struct ipc_space *space, mach_port_name_t name,
				       mach_port_flavor_t flavor, integer_t *info,
				       mach_msg_type_number_t *count);
kern_return_t mach_port_set_attributes(struct ipc_space *space, mach_port_name_t name,
				       mach_port_flavor_t flavor, integer_t *info,
				       mach_msg_type_number_t count);
kern_return_t mach_port_assert_attributes(struct ipc_space *space, mach_port_name_t name,
					  mach_port_flavor_t flavor, integer_t *info,
					  mach_msg_type_number_t count);
/* KERN_INVALID_ARGUMENT without a space. */
kern_return_t mach_port_get_context(struct ipc_space *space, mach_port_name_t name,
				    uint64_t *context);
kern_return_t mach_port_set_context(struct ipc_space *space, mach_port_name_t name,
				    uint64_t context);
kern_return_t mach_port_guard(struct ipc_space *space, mach_port_name_t name, uint64_t guard,
			      boolean_t strict);
kern_return_t mach_port_guard_with_flags(struct ipc_space *space, mach_port_name_t name,
					 uint64_t guard, uint64_t flags);
kern_return_t mach_port_unguard(struct ipc_space *space, mach_port_name_t name, uint64_t guard);
kern_return_t mach_port_swap_guard(struct ipc_space *space, mach_port_name_t name,
				   uint64_t old_guard, uint64_t new_guard);
kern_return_t mach_port_set_mscount(struct ipc_space *space, mach_port_name_t name,
				    mach_port_mscount_t mscount);
kern_return_t mach_port_set_seqno(struct ipc_space *space, mach_port_name_t name,
				  mach_port_seqno_t seqno);
kern_return_t mach_port_get_srights(struct ipc_space *space, mach_port_name_t name,
				    mach_port_rights_t *srights);
/* *@seqno in and out; *@info_count is the room in @info (at most a trailer's), then its size. */
kern_return_t mach_port_peek(struct ipc_space *space, mach_port_name_t name,
			     mach_msg_trailer_type_t type, mach_port_seqno_t *seqno,
			     mach_msg_size_t *size, mach_msg_id_t *id, char *info,
			     mach_msg_type_number_t *info_count);

/* ---- listings: mach_port_listing.c.  §9.17 ------------------------------------------------- */

kern_return_t mach_port_names(struct ipc_space *space, mach_port_name_t **names,
			      mach_msg_type_number_t *names_count, mach_port_type_t **types,
			      mach_msg_type_number_t *types_count);
kern_return_t mach_port_type(struct ipc_space *space, mach_port_name_t name,
			     mach_port_type_t *type);
/* These without a space: KERN_INVALID_ARGUMENT. */
kern_return_t mach_port_kobject(struct ipc_space *space, mach_port_name_t name, natural_t *type,
				uint64_t *address);
kern_return_t mach_port_kobject_description(struct ipc_space *space, mach_port_name_t name,
					    natural_t *type, uint64_t *address,
					    kobject_description_t description);
kern_return_t mach_port_kernel_object(struct ipc_space *space, mach_port_name_t name,
				      unsigned *type, unsigned *address);
kern_return_t mach_port_space_info(struct ipc_space *space, ipc_info_space_t *info,
				   ipc_info_name_t **table, mach_msg_type_number_t *table_count,
				   ipc_info_tree_name_t **tree, mach_msg_type_number_t *tree_count);
kern_return_t mach_port_space_basic_info(struct ipc_space *space, ipc_info_space_basic_t *info);
/* From here on KERN_INVALID_TASK again. */
kern_return_t mach_port_dnrequest_info(struct ipc_space *space, mach_port_name_t name,
				       unsigned *total, unsigned *used);
/* Service ports are policy: KERN_INVALID_CAPABILITY for every receive right. */
kern_return_t mach_port_get_service_port_info(struct ipc_space *space, mach_port_name_t name,
					      mach_service_port_info_data_t *info);
kern_return_t mach_port_is_connection_for_service(struct ipc_space *space, mach_port_name_t name,
						  mach_port_name_t service, uint64_t *filter);
kern_return_t mach_port_special_reply_port_reset_link(struct ipc_space *space,
						      mach_port_name_t name, boolean_t *lost_link);

/* ---- what these files share ---------------------------------------------------------------- */

/* The live receive right of @name: KERN_INVALID_NAME, KERN_INVALID_RIGHT; 0 and DEAD: @no_name. */
mustuse kern_return_t ipc_space_find_receive(struct ipc_space *space, mach_port_name_t name,
					     kern_return_t no_name, struct ipc_port **port);
/* The entry of @name: KERN_INVALID_NAME; 0 and DEAD: @no_name. */
mustuse kern_return_t ipc_space_find_entry(struct ipc_space *space, mach_port_name_t name,
					   kern_return_t no_name, struct ipc_entry **entry);

#endif
