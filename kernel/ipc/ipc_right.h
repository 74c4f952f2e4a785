/*
 * Rights: what happens to one name when a right leaves it, enters it or is dropped.
 *
 * The tables of mach-ports.md §6, cell by cell.
 */
#ifndef KERNEL_IPC_RIGHT_H
#define KERNEL_IPC_RIGHT_H

#include "ipc/ipc_space.h"

/*
 * "Noticing": a SEND or SEND_ONCE entry whose port has died becomes a DEAD_NAME.  True if
 * the entry is a dead name after it.
 */
bool ipc_right_notice(struct ipc_space *space, struct ipc_entry *entry);

/* Could a right of @disposition be taken from @entry (4.2 #5 of mach-messages.md)?  Changes
 * nothing. */
bool ipc_right_copyin_check(const struct ipc_entry *entry, mach_msg_type_name_t disposition);

/*
 * Take a right out of @entry; the entry may be freed.  @dead_ok: dead names give IP_DEAD.
 *
 * KERN_SUCCESS, *port is a right of kind ipc_right_kind(disposition), or IP_DEAD
 * KERN_INVALID_RIGHT       the entry does not allow it
 * KERN_INVALID_CAPABILITY  the right may not be moved
 * KERN_RESOURCE_SHORTAGE   nor now: there is no memory for what is on its way to it
 *
 * MAKE_SEND_ONCE needs a notification reserved before.
 */
mustuse kern_return_t ipc_right_copyin(struct ipc_space *space, struct ipc_entry *entry,
				       mach_msg_type_name_t disposition, bool dead_ok,
				       struct ipc_port **port);
/* The kind that the receiver gets: MACH_MSG_TYPE_PORT_*, or 0. */
mach_msg_type_name_t ipc_right_kind(mach_msg_type_name_t disposition);

/*
 * Give a right to a space, under the name that it has there for the port, or a new one.
 * Consumes the right in every case; IP_DEAD gives MACH_PORT_DEAD, NULL gives MACH_PORT_NULL.
 *
 * KERN_SUCCESS, KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE: *name is MACH_PORT_NULL then.
 */
mustuse kern_return_t ipc_right_copyout(struct ipc_space *space, struct ipc_port *port,
					mach_msg_type_name_t kind, mach_port_name_t *name);
/*
 * The same under a name that the caller chose.  KERN_RIGHT_EXISTS, KERN_NAME_EXISTS and the
 * codes of ipc_entry_alloc_name.  The right is consumed on success only.
 */
mustuse kern_return_t ipc_right_copyout_name(struct ipc_space *space, struct ipc_port *port,
					     mach_msg_type_name_t kind, mach_port_name_t name);

kern_return_t ipc_right_dealloc(struct ipc_space *space, struct ipc_entry *entry);
kern_return_t ipc_right_delta(struct ipc_space *space, struct ipc_entry *entry,
			      mach_port_right_t right, mach_port_delta_t delta);
kern_return_t ipc_right_destroy(struct ipc_space *space, struct ipc_entry *entry, bool check_guard);
kern_return_t ipc_right_destruct(struct ipc_space *space, struct ipc_entry *entry,
				 mach_port_delta_t srdelta, uint64_t guard);

/* The type as mach_port_type and mach_port_names report it; notices nothing. */
mach_port_type_t ipc_right_type(const struct ipc_space *space, const struct ipc_entry *entry);

/* Registers, replaces or cancels the one request of a name.  *previous: a send-once right. */
mustuse kern_return_t ipc_right_request(struct ipc_space *space, struct ipc_entry *entry,
					mach_msg_id_t msgid, bool immediate,
					struct ipc_port *notify, struct ipc_port **previous);

#endif
