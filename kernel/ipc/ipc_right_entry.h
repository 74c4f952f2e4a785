/*
 * Small steps on one entry, from which all that is done to a right is made: for the files of
 * ipc_right.
 */
#ifndef KERNEL_IPC_RIGHT_ENTRY_H
#define KERNEL_IPC_RIGHT_ENTRY_H

#include "ipc/ipc_space.h"

static inline void
ipc_entry_set_urefs(struct ipc_entry *entry, uint32_t urefs)
{
	entry->bits = (entry->bits & ~IE_UREFS_MASK) | urefs;
}

static inline bool
ipc_entry_is_pegged(const struct ipc_entry *entry)
{
	return ie_urefs(entry) == UREFS_MAX;
}

static inline void
ipc_entry_set_type(struct ipc_entry *entry, mach_port_type_t type)
{
	entry->bits = (entry->bits & ~IE_TYPE_MASK) | type;
}

/* Up to the peg, where it stays. */
void ipc_entry_add_urefs(struct ipc_entry *entry, uint32_t count);

/* The name goes, and who asked about it is told; the object's reference is the caller's now. */
struct ipc_port *ipc_entry_take_port(struct ipc_space *space, struct ipc_entry *entry);

/* The receive right to @port leaves the space, into limbo. */
void ipc_port_leave_space(struct ipc_space *space, struct ipc_port *port);

#endif
