/*
 * Rights of one name: taking out, putting in, looking.  The cells of mach-ports.md §6.1 and §6.2;
 * dropping is in ipc_right_drop.c.
 */
#include "ipc/ipc_right.h"

#include <mach/notify.h>

#include "ipc/ipc_lane.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_right_entry.h"
#include "kern/task.h"

/* ---- small steps --------------------------------------------------------------------- */

void
ipc_entry_add_urefs(struct ipc_entry *entry, uint32_t count)
{
	uint32_t urefs = ie_urefs(entry);

	ipc_entry_set_urefs(entry, urefs + count >= UREFS_MAX ? UREFS_MAX : urefs + count);
}

/* The right leaves its name or the name goes: a request that still waits is told. */
static void
entry_drop_request(struct ipc_space *space, struct ipc_entry *entry)
{
	if (!entry->request)
		return;

	mach_port_name_t name = ie_name(space, entry);
	struct ipc_port *notify =
	    ipc_port_request_cancel(space->kernel, entry->port, entry->request - 1);

	entry->request = 0;
	if (notify)
		ipc_notify_port_deleted(space->kernel, notify, name);
}

struct ipc_port *
ipc_entry_take_port(struct ipc_space *space, struct ipc_entry *entry)
{
	struct ipc_port *port = entry->port;

	if (entry->lane)
		ipc_lane_entry_gone(space, entry);
	if (ie_type(entry) == MACH_PORT_TYPE_SEND)
		ipc_hash_remove(space, entry);
	if (port)
		entry_drop_request(space, entry);
	entry->object = NULL;
	ipc_entry_free(space, entry);
	return port;
}

void
ipc_port_leave_space(struct ipc_space *space, struct ipc_port *port)
{
	check(port->object.place == PORT_IN_SPACE && port->receiver == space);
	if (port->gate)
		ipc_gate_destroy(space->kernel, port->gate);
	port->object.place = PORT_IN_LIMBO;
	port->receiver = NULL;
	port->receiver_name = MACH_PORT_NULL;
	space->port_count--;
}

bool
ipc_right_notice(struct ipc_space *space, struct ipc_entry *entry)
{
	mach_port_type_t type = ie_type(entry);

	if (type == MACH_PORT_TYPE_DEAD_NAME)
		return true;
	if ((type != MACH_PORT_TYPE_SEND && type != MACH_PORT_TYPE_SEND_ONCE) ||
	    ip_active(entry->port))
		return false;

	struct ipc_port *port = entry->port;
	bool extra = false;

	check(!entry->lane); /* it ended with the port */

	if (type == MACH_PORT_TYPE_SEND)
		ipc_hash_remove(space, entry);
	if (entry->request) {
		extra = port->requests[entry->request - 1].state == IPC_REQUEST_DIED;
		check(ipc_port_request_cancel(space->kernel, port, entry->request - 1) == NULL);
		entry->request = 0;
	}
	entry->object = NULL;
	ipc_entry_set_type(entry, MACH_PORT_TYPE_DEAD_NAME);
	if (extra)
		ipc_entry_add_urefs(entry, 1); /* the notification's own reference to the name */
	ipc_port_unref(space->kernel, port);
	return true;
}

mach_msg_type_name_t
ipc_right_kind(mach_msg_type_name_t disposition)
{
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return MACH_MSG_TYPE_PORT_RECEIVE;
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MAKE_SEND:
		return MACH_MSG_TYPE_PORT_SEND;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		return MACH_MSG_TYPE_PORT_SEND_ONCE;
	default:
		return 0;
	}
}

/* ---- taking out (§6.1) ---------------------------------------------------------------- */

bool
ipc_right_copyin_check(const struct ipc_entry *entry, mach_msg_type_name_t disposition)
{
	mach_port_type_t type = ie_type(entry);
	bool dead = (type & (MACH_PORT_TYPE_SEND | MACH_PORT_TYPE_SEND_ONCE)) &&
		    !(type & MACH_PORT_TYPE_RECEIVE) && !ip_active(entry->port);

	switch (disposition) {
	case MACH_MSG_TYPE_MAKE_SEND:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return (type & MACH_PORT_TYPE_RECEIVE) != 0;
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MOVE_SEND:
		return dead || type == MACH_PORT_TYPE_DEAD_NAME || (type & MACH_PORT_TYPE_SEND);
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		return dead || type == MACH_PORT_TYPE_DEAD_NAME ||
		       (type & MACH_PORT_TYPE_SEND_ONCE);
	default:
		return false;
	}
}

static kern_return_t
copyin_dead_name(struct ipc_space *space, struct ipc_entry *entry, mach_msg_type_name_t disposition,
		 bool dead_ok, struct ipc_port **port)
{
	if (!dead_ok)
		return KERN_INVALID_RIGHT;
	switch (disposition) {
	case MACH_MSG_TYPE_COPY_SEND:
		break;
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		(void)ipc_right_dealloc(space, entry);
		break;
	default:
		return KERN_INVALID_RIGHT;
	}
	*port = IP_DEAD;
	return KERN_SUCCESS;
}

static kern_return_t
copyin_move_receive(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port **out)
{
	struct kernel *k = space->kernel;
	struct ipc_port *port = entry->port;

	if ((port->object.flags & (IPC_PORT_IMMOVABLE | IPC_PORT_SPECIAL_REPLY)) ||
	    ip_is_received_kobject(port))
		return KERN_INVALID_CAPABILITY;
	if (port->gate && port->gate->starved)
		return KERN_RESOURCE_SHORTAGE; /* messages in its lanes would be left behind */
	if (ie_type(entry) & MACH_PORT_TYPE_SEND) {
		ipc_port_leave_space(space, port);
		ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND);
		ipc_hash_insert(space, entry);
		ipc_port_ref(port);
	} else {
		ipc_port_leave_space(space, port);
		ipc_entry_take_port(space, entry);
	}
	ipc_port_clear_receiver(k, port);
	*out = port;
	return KERN_SUCCESS;
}

static kern_return_t
copyin_move_send(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port **out)
{
	struct ipc_port *port = entry->port;

	if (ipc_entry_is_pegged(entry) || ie_urefs(entry) > 1) {
		if (!ipc_entry_is_pegged(entry))
			ipc_entry_set_urefs(entry, ie_urefs(entry) - 1);
		port->srights++;
		*out = ipc_port_ref(port);
		return KERN_SUCCESS;
	}
	if (ie_type(entry) & MACH_PORT_TYPE_RECEIVE) {
		ipc_entry_set_type(entry, MACH_PORT_TYPE_RECEIVE);
		ipc_entry_set_urefs(entry, 0);
		*out = ipc_port_ref(port); /* the count of the entry goes along */
		return KERN_SUCCESS;
	}
	*out = ipc_entry_take_port(space, entry);
	return KERN_SUCCESS;
}

kern_return_t
ipc_right_copyin(struct ipc_space *space, struct ipc_entry *entry, mach_msg_type_name_t disposition,
		 bool dead_ok, struct ipc_port **out)
{
	struct kernel *k = space->kernel;
	mach_port_type_t type = ie_type(entry);
	struct ipc_port *port = entry->port;
	mach_port_name_t name = ie_name(space, entry);
	kern_return_t kr = KERN_INVALID_RIGHT;

	*out = NULL;
	if (type == MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	switch (disposition) {
	case MACH_MSG_TYPE_MAKE_SEND:
		if (!(type & MACH_PORT_TYPE_RECEIVE))
			return KERN_INVALID_RIGHT;
		*out = ipc_port_make_send(port);
		kr = KERN_SUCCESS;
		break;
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		if (!(type & MACH_PORT_TYPE_RECEIVE))
			return KERN_INVALID_RIGHT;
		*out = ipc_port_make_send_once(k, port);
		kr = KERN_SUCCESS;
		break;
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		if (!(type & MACH_PORT_TYPE_RECEIVE))
			return KERN_INVALID_RIGHT;
		kr = copyin_move_receive(space, entry, out);
		break;
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		if (ipc_right_notice(space, entry))
			return copyin_dead_name(space, entry, disposition, dead_ok, out);
		if (disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE) {
			if (type != MACH_PORT_TYPE_SEND_ONCE)
				return KERN_INVALID_RIGHT;
			*out = ipc_entry_take_port(space, entry);
			kr = KERN_SUCCESS;
			break;
		}
		if (!(type & MACH_PORT_TYPE_SEND))
			return KERN_INVALID_RIGHT;
		if (disposition == MACH_MSG_TYPE_MOVE_SEND) {
			kr = copyin_move_send(space, entry, out);
			break;
		}
		*out = ipc_port_copy_send(port);
		kr = KERN_SUCCESS;
		break;
	default:
		return KERN_INVALID_RIGHT;
	}
	if (kr == KERN_SUCCESS)
		KERNEL_TRACE(k, .kind = TRACE_IPC_RIGHT_COPYIN, .name = name, .bits = disposition,
			     .port_id = (*out)->id);
	return kr;
}

/* ---- putting in (§6.2, §4) ------------------------------------------------------------ */

/* A send right joins an entry of the same port. */
static void
copyout_send_into(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port)
{
	if (ie_type(entry) & MACH_PORT_TYPE_SEND) {
		ipc_entry_add_urefs(entry, 1);
		ipc_port_release_send(space->kernel, port);
		return;
	}
	/* RECEIVE becomes SEND+RECEIVE: the count moves into the entry, one reference is enough */
	ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND_RECEIVE);
	ipc_entry_set_urefs(entry, 1);
	ipc_port_unref(space->kernel, port);
}

/* The receive right enters the space under @entry's name. */
static void
copyout_receive_into(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port)
{
	struct kernel *k = space->kernel;
	struct account *account = space->task->account;

	check(port->object.place == PORT_IN_LIMBO);
	port->object.place = PORT_IN_SPACE;
	port->receiver = space;
	port->receiver_name = ie_name(space, entry);
	space->port_count++;
	if (port->payer != account) {
		port->payer->port_count--;
		account_unref(port->payer);
		port->payer = account_ref(account);
		account->port_count++;
	}
	if (ie_type(entry) == MACH_PORT_TYPE_SEND) {
		check(!entry->lane); /* it ended when the right left its receiver */
		ipc_hash_remove(space, entry);
		ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND_RECEIVE);
		ipc_port_unref(k, port);
	} else {
		entry->port = port;
		ipc_entry_set_type(entry, MACH_PORT_TYPE_RECEIVE);
	}
}

/* A right enters an empty entry, which takes over its reference and count. */
static void
copyout_fresh(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port,
	      mach_msg_type_name_t kind)
{
	switch (kind) {
	case MACH_MSG_TYPE_PORT_SEND:
		entry->port = port;
		ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND);
		ipc_entry_set_urefs(entry, 1);
		ipc_hash_insert(space, entry);
		return;
	case MACH_MSG_TYPE_PORT_SEND_ONCE:
		entry->port = port;
		ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND_ONCE);
		ipc_entry_set_urefs(entry, 1);
		return;
	case MACH_MSG_TYPE_PORT_RECEIVE:
		copyout_receive_into(space, entry, port);
		return;
	default:
		check(!"a right of a known kind");
	}
}

kern_return_t
ipc_right_copyout(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t kind,
		  mach_port_name_t *name)
{
	struct kernel *k = space->kernel;
	struct ipc_entry *entry = NULL;
	kern_return_t kr;

	*name = MACH_PORT_NULL;
	if (!port)
		return KERN_SUCCESS;
	if (port == IP_DEAD) {
		*name = MACH_PORT_DEAD;
		return KERN_SUCCESS;
	}
	if (kind == MACH_MSG_TYPE_PORT_RECEIVE)
		ipc_port_leave_transit(k, port);
	if (!ip_active(port)) {
		ipc_port_unref(k, port);
		*name = MACH_PORT_DEAD;
		return KERN_SUCCESS;
	}

	if (kind != MACH_MSG_TYPE_PORT_SEND_ONCE)
		entry = ipc_space_find_port(space, port);
	if (entry) {
		*name = ie_name(space, entry);
		if (kind == MACH_MSG_TYPE_PORT_SEND)
			copyout_send_into(space, entry, port);
		else
			copyout_receive_into(space, entry, port);
	} else {
		kr = ipc_space_reserve(space, 1);
		if (kr != KERN_SUCCESS) {
			ipc_port_release_right(k, port, kind);
			return kr;
		}
		entry = ipc_entry_alloc(space, name);
		copyout_fresh(space, entry, port, kind);
	}
	KERNEL_TRACE(k, .kind = TRACE_IPC_RIGHT_COPYOUT, .name = *name, .bits = kind,
		     .port_id = port->id, .count = ie_urefs(entry));
	return KERN_SUCCESS;
}

kern_return_t
ipc_right_copyout_name(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t kind,
		       mach_port_name_t name)
{
	struct ipc_entry *entry;
	struct ipc_entry *other;
	kern_return_t kr = ipc_entry_alloc_name(space, name, &entry);

	if (kr != KERN_SUCCESS && kr != KERN_NAME_EXISTS)
		return kr;

	other = kind == MACH_MSG_TYPE_PORT_SEND_ONCE ? NULL : ipc_space_find_port(space, port);
	if (kr == KERN_SUCCESS) {
		if (other) {
			ipc_entry_free(space, entry);
			return KERN_RIGHT_EXISTS;
		}
		copyout_fresh(space, entry, port, kind);
		return KERN_SUCCESS;
	}
	if (other && other != entry)
		return KERN_RIGHT_EXISTS;
	if (!other)
		return KERN_NAME_EXISTS;
	if (kind == MACH_MSG_TYPE_PORT_SEND)
		copyout_send_into(space, entry, port);
	else
		copyout_receive_into(space, entry, port);
	return KERN_SUCCESS;
}

/* ---- looking, requests ---------------------------------------------------------------- */

mach_port_type_t
ipc_right_type(const struct ipc_space *space, const struct ipc_entry *entry)
{
	mach_port_type_t type = ie_type(entry);

	if ((type == MACH_PORT_TYPE_SEND || type == MACH_PORT_TYPE_SEND_ONCE) &&
	    !ip_active(entry->port))
		return MACH_PORT_TYPE_DEAD_NAME;
	if (entry->request) {
		switch (entry->port->requests[entry->request - 1].state) {
		case IPC_REQUEST_DEAD_NAME:
			type |= MACH_PORT_TYPE_DNREQUEST;
			break;
		case IPC_REQUEST_SEND_POSSIBLE:
			type |= MACH_PORT_TYPE_DNREQUEST | MACH_PORT_TYPE_SPREQUEST_DELAYED;
			break;
		case IPC_REQUEST_ARMED:
			type |= MACH_PORT_TYPE_DNREQUEST | MACH_PORT_TYPE_SPREQUEST;
			break;
		default:
			break;
		}
	}
	return type;
}

/* Room for a message now, for whoever holds @entry? */
static bool
request_is_due(struct kernel *k, const struct ipc_entry *entry)
{
	const struct ipc_port *port = entry->port;

	ipc_port_touch(k, port);
	return ie_type(entry) == MACH_PORT_TYPE_SEND_ONCE || port->object.place == PORT_KERNEL ||
	       port->msgcount < port->qlimit;
}

kern_return_t
ipc_right_request(struct ipc_space *space, struct ipc_entry *entry, mach_msg_id_t msgid,
		  bool immediate, struct ipc_port *notify, struct ipc_port **previous)
{
	struct kernel *k = space->kernel;
	bool send_possible = msgid == MACH_NOTIFY_SEND_POSSIBLE;
	uint32_t slot;
	kern_return_t kr;

	*previous = NULL;
	bool dead = ipc_right_notice(space, entry);

	if (!notify && !entry->request)
		return KERN_SUCCESS;
	if (ie_type(entry) == MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	if (dead) {
		if (!send_possible || !notify)
			return KERN_INVALID_ARGUMENT;
		ipc_entry_add_urefs(entry, 1);
		ipc_notify_dead_name(k, notify, ie_name(space, entry));
		return KERN_SUCCESS;
	}
	if (!notify) {
		*previous = ipc_port_request_cancel(k, entry->port, entry->request - 1);
		entry->request = 0;
		return KERN_SUCCESS;
	}

	if (send_possible && immediate && request_is_due(k, entry)) {
		if (entry->request)
			*previous = ipc_port_request_cancel(k, entry->port, entry->request - 1);
		entry->request = 0;
		ipc_notify_send_possible(k, notify, ie_name(space, entry));
		return KERN_SUCCESS;
	}

	enum ipc_request_state state = !send_possible ? IPC_REQUEST_DEAD_NAME
				       : immediate    ? IPC_REQUEST_ARMED
						      : IPC_REQUEST_SEND_POSSIBLE;

	if (entry->request) {
		/* the slot is there: replacing cannot fail */
		slot = entry->request - 1;
		*previous = entry->port->requests[slot].notify;
		entry->port->requests[slot].notify = notify;
		ipc_port_request_set_state(k, entry->port, slot, state);
		return KERN_SUCCESS;
	}
	kr = ipc_port_request_add(k, entry->port, space->task->account, ie_name(space, entry),
				  notify, state, &slot);
	if (kr != KERN_SUCCESS)
		return kr;
	entry->request = slot + 1;
	return KERN_SUCCESS;
}
