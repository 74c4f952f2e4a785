/*
 * Rights of one name: dropping.  The cells of mach-ports.md §6.3.
 */
#include "ipc/ipc_notify.h"
#include "ipc/ipc_right.h"
#include "ipc/ipc_right_entry.h"

/* The last SEND of an entry goes. */
static void
drop_last_send(struct ipc_space *space, struct ipc_entry *entry)
{
	struct kernel *k = space->kernel;
	struct ipc_port *port = entry->port;

	if (ie_type(entry) & MACH_PORT_TYPE_RECEIVE) {
		ipc_entry_set_type(entry, MACH_PORT_TYPE_RECEIVE);
		ipc_entry_set_urefs(entry, 0);
		ipc_port_ref(port);
	} else {
		ipc_entry_take_port(space, entry);
	}
	ipc_port_release_send(k, port);
}

static void
drop_urefs(struct ipc_space *space, struct ipc_entry *entry, uint32_t count)
{
	if (ipc_entry_is_pegged(entry) && count != UREFS_MAX)
		return;
	if (count < ie_urefs(entry)) {
		ipc_entry_set_urefs(entry, ie_urefs(entry) - count);
		return;
	}
	if (ie_type(entry) == MACH_PORT_TYPE_DEAD_NAME)
		ipc_entry_take_port(space, entry);
	else
		drop_last_send(space, entry);
}

static void
drop_send_once(struct ipc_space *space, struct ipc_entry *entry)
{
	ipc_port_release_send_once(space->kernel, ipc_entry_take_port(space, entry));
}

static void
drop_port_set(struct ipc_space *space, struct ipc_entry *entry)
{
	struct ipc_pset *pset = entry->pset;

	entry->object = NULL;
	ipc_entry_free(space, entry);
	ipc_pset_destroy(space->kernel, pset);
}

/* mod_refs(RECEIVE, -1): what stays of the entry depends on the backup. */
static void
drop_receive(struct ipc_space *space, struct ipc_entry *entry)
{
	struct kernel *k = space->kernel;
	struct ipc_port *port = entry->port;

	if (!(ie_type(entry) & MACH_PORT_TYPE_SEND)) {
		ipc_port_leave_space(space, port);
		ipc_entry_take_port(space, entry);
		ipc_port_release_receive(k, port);
		return;
	}
	ipc_port_leave_space(space, port);
	if (port->port_destroyed && ip_active(port->port_destroyed)) {
		ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND);
		ipc_hash_insert(space, entry);
		ipc_port_ref(port);
		ipc_port_release_receive(k, port);
		return;
	}

	bool extra = entry->request != 0;
	uint32_t slot = entry->request;

	entry->request = 0;
	entry->object = NULL;
	ipc_entry_set_type(entry, MACH_PORT_TYPE_DEAD_NAME);
	if (extra)
		ipc_entry_add_urefs(entry, 1);
	ipc_port_ref(port); /* until the slot is free */
	ipc_port_release_receive(k, port);
	if (slot) {
		/* its DEAD_NAME went out with the port */
		check(ipc_port_request_cancel(k, port, slot - 1) == NULL);
	}
	ipc_port_unref(k, port);
}

kern_return_t
ipc_right_dealloc(struct ipc_space *space, struct ipc_entry *entry)
{
	mach_port_name_t name = ie_name(space, entry);

	ipc_right_notice(space, entry);
	switch (ie_type(entry)) {
	case MACH_PORT_TYPE_RECEIVE:
		return KERN_INVALID_RIGHT;
	case MACH_PORT_TYPE_PORT_SET:
		drop_port_set(space, entry);
		break;
	case MACH_PORT_TYPE_SEND_ONCE:
		drop_send_once(space, entry);
		break;
	default:
		drop_urefs(space, entry, 1);
		break;
	}
	KERNEL_TRACE(space->kernel, .kind = TRACE_IPC_RIGHT_DEALLOC, .name = name);
	return KERN_SUCCESS;
}

static kern_return_t
delta_urefs(struct ipc_space *space, struct ipc_entry *entry, mach_port_delta_t delta)
{
	if (delta > (mach_port_delta_t)UREFS_MAX || delta < -(mach_port_delta_t)UREFS_MAX)
		return KERN_INVALID_VALUE;
	if (delta < 0 && (uint32_t)-delta > ie_urefs(entry))
		return KERN_INVALID_VALUE;
	if (delta < 0)
		drop_urefs(space, entry, (uint32_t)-delta);
	else
		ipc_entry_add_urefs(entry, (uint32_t)delta);
	return KERN_SUCCESS;
}

/* Rights of which there is at most one: 0 keeps it, -1 drops it. */
static kern_return_t
delta_single(mach_port_delta_t delta, bool *drop)
{
	*drop = delta == -1;
	return delta == 0 || delta == -1 ? KERN_SUCCESS : KERN_INVALID_VALUE;
}

kern_return_t
ipc_right_delta(struct ipc_space *space, struct ipc_entry *entry, mach_port_right_t right,
		mach_port_delta_t delta)
{
	mach_port_type_t type;
	kern_return_t kr;
	bool drop;

	switch (right) {
	case MACH_PORT_RIGHT_SEND:
		if (!(ie_type(entry) & MACH_PORT_TYPE_SEND) || ipc_right_notice(space, entry))
			return KERN_INVALID_RIGHT;
		return delta_urefs(space, entry, delta);
	case MACH_PORT_RIGHT_RECEIVE:
		if (!(ie_type(entry) & MACH_PORT_TYPE_RECEIVE))
			return KERN_INVALID_RIGHT;
		kr = delta_single(delta, &drop);
		if (kr != KERN_SUCCESS || !drop)
			return kr;
		if (entry->port->object.flags & IPC_PORT_GUARDED)
			return KERN_INVALID_RIGHT;
		drop_receive(space, entry);
		return KERN_SUCCESS;
	case MACH_PORT_RIGHT_SEND_ONCE:
		if (ie_type(entry) != MACH_PORT_TYPE_SEND_ONCE || ipc_right_notice(space, entry))
			return KERN_INVALID_RIGHT;
		kr = delta_single(delta, &drop);
		if (kr == KERN_SUCCESS && drop)
			drop_send_once(space, entry);
		return kr;
	case MACH_PORT_RIGHT_PORT_SET:
		if (ie_type(entry) != MACH_PORT_TYPE_PORT_SET)
			return KERN_INVALID_RIGHT;
		kr = delta_single(delta, &drop);
		if (kr == KERN_SUCCESS && drop)
			drop_port_set(space, entry);
		return kr;
	case MACH_PORT_RIGHT_DEAD_NAME:
		type = ie_type(entry);
		if (type == MACH_PORT_TYPE_PORT_SET || (type & MACH_PORT_TYPE_RECEIVE) ||
		    !ipc_right_notice(space, entry))
			return KERN_INVALID_RIGHT;
		return delta_urefs(space, entry, delta);
	default:
		return KERN_INVALID_RIGHT;
	}
}

kern_return_t
ipc_right_destroy(struct ipc_space *space, struct ipc_entry *entry, bool check_guard)
{
	struct kernel *k = space->kernel;
	mach_port_type_t type;
	struct ipc_port *port;

	ipc_right_notice(space, entry);
	type = ie_type(entry);
	port = entry->port;
	if (type == MACH_PORT_TYPE_PORT_SET) {
		drop_port_set(space, entry);
		return KERN_SUCCESS;
	}
	if (type == MACH_PORT_TYPE_DEAD_NAME) {
		ipc_entry_take_port(space, entry);
		return KERN_SUCCESS;
	}
	if (type == MACH_PORT_TYPE_SEND_ONCE) {
		drop_send_once(space, entry);
		return KERN_SUCCESS;
	}
	if (type == MACH_PORT_TYPE_SEND) {
		ipc_port_release_send(k, ipc_entry_take_port(space, entry));
		return KERN_SUCCESS;
	}
	if (check_guard && (port->object.flags & IPC_PORT_GUARDED) && port->context != 0)
		return KERN_INVALID_RIGHT;

	/* RECEIVE, perhaps with SEND: the send count goes first, the port second, and a
	 * no-senders notice that the first causes is sent after the second */
	struct ipc_port *no_senders = NULL;
	mach_port_mscount_t mscount = port->mscount;

	if (type & MACH_PORT_TYPE_SEND) {
		check(port->srights > 0);
		if (--port->srights == 0) {
			no_senders = port->no_senders;
			port->no_senders = NULL;
		}
	}
	ipc_port_leave_space(space, port);
	ipc_entry_take_port(space, entry);
	ipc_port_release_receive(k, port);
	if (no_senders)
		ipc_notify_no_senders(k, no_senders, mscount);
	return KERN_SUCCESS;
}

kern_return_t
ipc_right_destruct(struct ipc_space *space, struct ipc_entry *entry, mach_port_delta_t srdelta,
		   uint64_t guard)
{
	struct ipc_port *port = entry->port;
	mach_port_name_t name = ie_name(space, entry);

	if (!(ie_type(entry) & MACH_PORT_TYPE_RECEIVE))
		return KERN_INVALID_RIGHT;
	if (srdelta != 0 && !(ie_type(entry) & MACH_PORT_TYPE_SEND))
		return KERN_INVALID_RIGHT;
	if (srdelta > 0)
		return KERN_INVALID_VALUE;
	if ((port->object.flags & IPC_PORT_GUARDED) && guard != port->context)
		return KERN_INVALID_ARGUMENT;
	if (srdelta < -(mach_port_delta_t)UREFS_MAX || (uint32_t)-srdelta > ie_urefs(entry))
		return KERN_INVALID_VALUE;
	if (srdelta < 0)
		drop_urefs(space, entry, (uint32_t)-srdelta);
	entry = ipc_space_find(space, name);
	check(entry && entry->port == port);
	drop_receive(space, entry);
	return KERN_SUCCESS;
}
