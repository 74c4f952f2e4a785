/*
 * Rights that enter a space under a name that the caller chose, leave it, or wait for news of
 * a name.
 */
#include "ipc/mach_port.h"

#include <mach/notify.h>

#include "ipc/ipc_notify.h"
#include "ipc/ipc_promise.h"
#include "ipc/ipc_right.h"

/* ---- moving rights between spaces ------------------------------------------------------------ */

/* Is there a right at all, on a port that lives? */
static bool
is_live_right(const struct ipc_port *port)
{
	return ip_valid(port) && ip_active(port);
}

kern_return_t
mach_port_insert_right(struct ipc_space *space, mach_port_name_t name, struct ipc_port *poly,
		       mach_msg_type_name_t disposition)
{
	if (!space)
		return KERN_INVALID_TASK;
	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_VALUE;
	if (!is_live_right(poly))
		return KERN_INVALID_CAPABILITY;
	return ipc_right_copyout_name(space, poly, ipc_right_kind(disposition), name);
}

kern_return_t
mach_port_extract_right(struct ipc_space *space, mach_port_name_t name,
			mach_msg_type_name_t disposition, struct ipc_port **poly,
			mach_msg_type_name_t *poly_poly)
{
	struct ipc_entry *entry;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (!MACH_MSG_TYPE_PORT_ANY(disposition))
		return KERN_INVALID_VALUE;
	kr = ipc_space_find_entry(space, name, KERN_INVALID_RIGHT, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	if (!ipc_notify_reserve(space->kernel, 1))
		return KERN_RESOURCE_SHORTAGE;
	kr = ipc_right_copyin(space, entry, disposition, true, poly);
	if (kr == KERN_SUCCESS)
		*poly_poly = ipc_right_kind(disposition);
	return kr;
}

/* ---- notifications ----------------------------------------------------------------------------
 */

/* What can be asked for on a receive right. */
static kern_return_t
find_own_receive(struct ipc_space *space, mach_port_name_t name, struct ipc_port **port)
{
	struct ipc_entry *entry;
	kern_return_t kr = ipc_space_find_entry(space, name, KERN_INVALID_RIGHT, &entry);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!(ie_type(entry) & MACH_PORT_TYPE_RECEIVE))
		return KERN_INVALID_RIGHT;
	*port = entry->port;
	return KERN_SUCCESS;
}

static kern_return_t
request_port_destroyed(struct ipc_space *space, mach_port_name_t name, mach_port_mscount_t sync,
		       struct ipc_port *notify)
{
	struct ipc_port *port;
	kern_return_t kr = sync == 0 ? find_own_receive(space, name, &port) : KERN_INVALID_VALUE;

	if (kr != KERN_SUCCESS)
		return kr;
	if ((port->object.flags & IPC_PORT_SPECIAL_REPLY) || ip_is_received_kobject(port))
		return KERN_INVALID_RIGHT;
	if (port->port_destroyed)
		return KERN_FAILURE;
	port->port_destroyed = notify;
	return KERN_SUCCESS;
}

static kern_return_t
request_no_senders(struct ipc_space *space, mach_port_name_t name, mach_port_mscount_t sync,
		   struct ipc_port *notify, struct ipc_port **previous)
{
	struct ipc_port *port;
	kern_return_t kr = find_own_receive(space, name, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	ipc_promises_end_port(space->kernel, port);
	*previous = port->no_senders;
	port->no_senders = NULL;
	if (notify && port->srights == 0 && sync <= port->mscount)
		ipc_notify_no_senders(space->kernel, notify, port->mscount);
	else
		port->no_senders = notify;
	return KERN_SUCCESS;
}

static kern_return_t
request_on_name(struct ipc_space *space, mach_port_name_t name, mach_msg_id_t msgid, bool immediate,
		struct ipc_port *notify, struct ipc_port **previous)
{
	struct ipc_entry *entry;
	kern_return_t kr = ipc_space_find_entry(space, name, KERN_INVALID_ARGUMENT, &entry);

	return kr == KERN_SUCCESS
		   ? ipc_right_request(space, entry, msgid, immediate, notify, previous)
		   : kr;
}

kern_return_t
mach_port_request_notification(struct ipc_space *space, mach_port_name_t name, mach_msg_id_t msgid,
			       mach_port_mscount_t sync, struct ipc_port *notify,
			       struct ipc_port **previous)
{
	if (!space)
		return KERN_INVALID_TASK;
	if (notify && !is_live_right(notify))
		return KERN_INVALID_CAPABILITY;
	*previous = NULL;
	switch (msgid) {
	case MACH_NOTIFY_PORT_DESTROYED:
		return request_port_destroyed(space, name, sync, notify);
	case MACH_NOTIFY_NO_SENDERS:
		return request_no_senders(space, name, sync, notify, previous);
	case MACH_NOTIFY_DEAD_NAME:
	case MACH_NOTIFY_SEND_POSSIBLE:
		return request_on_name(space, name, msgid, sync != 0, notify, previous);
	default:
		return KERN_INVALID_VALUE;
	}
}
