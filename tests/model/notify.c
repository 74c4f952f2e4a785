/*
 * Notifications: mach-messages.md §13; how they are asked for: mach-ports.md §9.13.
 */
#include <string.h>

#include "tests/model/model.h"

/* The NDR record of a little-endian machine: mach-types.md §8. */
static const uint8_t ndr[8] = { 0, 0, 0, 0, 1, 0, 0, 0 };

/* A message of the kernel's by a send-once right; NULL: nobody is there to hear it. */
static struct m_message *
notification_new(struct model *m, struct m_right *notify, int32_t id)
{
	struct m_message *message;
	struct m_right right = *notify;

	*notify = m_right_null(0);
	if (!right.kind || !right.port->alive)
		return NULL;
	if (right.port->kernel) { /* nobody hears of it */
		m_token_ended(m, right.port);
		return NULL;
	}
	message = m_message_new(m);
	message->dest = right;
	message->dest_kind = right.kind;
	message->id = id;
	message->size = sizeof(mach_msg_header_t);
	message->bypass = true;
	return message;
}

void
m_notify(struct model *m, struct m_right *notify, int32_t id, uint32_t value)
{
	struct m_message *message = notification_new(m, notify, id);

	if (!message)
		return;
	if (id != MACH_NOTIFY_SEND_ONCE) {
		memcpy(message->data, ndr, sizeof ndr);
		memcpy(message->data + sizeof ndr, &value, sizeof value);
		message->data_size = sizeof ndr + sizeof value;
		message->size += message->data_size;
	}
	m_enqueue(m, message->dest.port, message);
}

/* The backup's port is alive.  If it is in the queue of @port itself, both end here. */
void
m_notify_port_destroyed(struct model *m, struct m_right *notify, struct m_port *port)
{
	struct m_message *message = notification_new(m, notify, MACH_NOTIFY_PORT_DESTROYED);

	if (!message) { /* the kernel's, which has no use for it */
		m_port_end(m, port);
		return;
	}
	m_message_room(m, message, 1);
	message->complex = true;
	message->size = sizeof(mach_msg_base_t) + sizeof(mach_msg_port_descriptor_t);
	message->descriptor_count = 1;
	message->descriptors[0].type = MACH_MSG_PORT_DESCRIPTOR;
	message->descriptors[0].disposition = MACH_MSG_TYPE_PORT_RECEIVE;
	message->descriptors[0].count = 1;
	message->descriptors[0].rights[0] = (struct m_right){ MACH_MSG_TYPE_PORT_RECEIVE, 0, port };
	port->carrier = message;
	if (m_message_circular(message))
		m_message_destroy(m, message);
	else
		m_enqueue(m, message->dest.port, message);
}

/* ---- requests -------------------------------------------------------------------------- */

void
m_request_add(struct model *m, struct m_port *port, struct m_request *request)
{
	uint32_t at = 0;

	/* the lowest slot that is free */
	while (at < port->requests.count &&
	       ((struct m_request *)port->requests.items[at])->slot == at)
		at++;
	request->slot = at;
	m_list_add(m, &port->requests, NULL);
	for (uint32_t i = port->requests.count - 1; i > at; i--)
		port->requests.items[i] = port->requests.items[i - 1];
	port->requests.items[at] = request;
}

void
m_request_remove(struct m_port *port, struct m_request *request)
{
	m_list_remove(&port->requests, request);
}

void
m_request_deleted(struct model *m, struct m_entry *entry)
{
	struct m_request *request = entry->request;

	if (!request)
		return;
	entry->request = NULL;
	m_request_remove(entry->port, request);
	if (!request->used)
		m_notify(m, &request->notify, MACH_NOTIFY_PORT_DELETED, request->name);
}

void
m_requests_port_died(struct model *m, struct m_port *port)
{
	struct m_request *request;

	while ((request = m_list_take_first(&port->requests))) {
		request->fired = true;
		if (!request->used)
			m_notify(m, &request->notify, MACH_NOTIFY_DEAD_NAME, request->name);
	}
}

/* mach-messages.md §13.4: a message was received, so the queue has room. */
void
m_requests_send_possible(struct model *m, struct m_port *port)
{
	M_EACH(struct m_request, request, &port->requests)
	{
		if (!request->armed || request->used)
			continue;
		request->armed = false;
		request->used = true;
		m_notify(m, &request->notify, MACH_NOTIFY_SEND_POSSIBLE, request->name);
	}
}

/* ---- the call -------------------------------------------------------------------------- */

static kern_return_t
request_port_destroyed(struct m_task *task, mach_port_name_t name, uint32_t sync,
		       struct m_right *notify)
{
	struct m_entry *entry;

	if (sync != 0)
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_RIGHT;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	if (!(entry->type & MACH_PORT_TYPE_RECEIVE) || entry->port->special || entry->port->timer)
		return KERN_INVALID_RIGHT;
	if (entry->port->port_destroyed.kind)
		return KERN_FAILURE;
	entry->port->port_destroyed = *notify;
	*notify = m_right_null(0);
	return KERN_SUCCESS;
}

static kern_return_t
request_no_senders(struct model *m, struct m_task *task, mach_port_name_t name, uint32_t sync,
		   struct m_right *notify, struct m_right *previous)
{
	struct m_entry *entry;
	struct m_port *port;

	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_RIGHT;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	if (!(entry->type & MACH_PORT_TYPE_RECEIVE))
		return KERN_INVALID_RIGHT;
	port = entry->port;
	*previous = port->no_senders;
	port->no_senders = *notify;
	*notify = m_right_null(0);
	if (port->no_senders.kind && m_port_srights(m, port) == 0 && sync <= port->mscount)
		m_notify(m, &port->no_senders, MACH_NOTIFY_NO_SENDERS, port->mscount);
	return KERN_SUCCESS;
}

static kern_return_t
request_dead_name(struct model *m, struct m_task *task, mach_port_name_t name, bool send_possible,
		  uint32_t sync, struct m_right *notify, struct m_right *previous)
{
	struct m_entry *entry;
	struct m_request *request;

	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_ARGUMENT;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	m_entry_notice(entry);
	if (!notify->kind && !entry->request)
		return KERN_SUCCESS;
	if (entry->type == MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	if (entry->type == MACH_PORT_TYPE_DEAD_NAME) {
		if (!send_possible)
			return KERN_INVALID_ARGUMENT;
		entry->urefs = m_urefs_add(entry->urefs, 1);
		m_notify(m, notify, MACH_NOTIFY_DEAD_NAME, name);
		return KERN_SUCCESS;
	}
	request = entry->request;
	bool at_once = send_possible && sync != 0 &&
		       ((entry->type & MACH_PORT_TYPE_SEND_ONCE) || entry->port->kernel ||
			!m_port_full(entry->port));
	if (request)
		*previous = request->notify;
	if (!notify->kind || at_once) {
		if (request)
			m_request_remove(entry->port, request);
		entry->request = NULL;
		if (notify->kind)
			m_notify(m, notify, MACH_NOTIFY_SEND_POSSIBLE, name);
		return KERN_SUCCESS;
	}
	if (!request) {
		request = m_alloc(m, sizeof *request);
		m_request_add(m, entry->port, request);
		entry->request = request;
	}
	*request = (struct m_request){ .slot = request->slot,
				       .name = name,
				       .notify = *notify,
				       .send_possible = send_possible,
				       .armed = send_possible && sync != 0 };
	*notify = m_right_null(0);
	return KERN_SUCCESS;
}

static kern_return_t
request(struct model *m, struct m_thread *thread, struct m_task *task, const struct m_call *call,
	struct m_right *notify, struct m_right *previous)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	const int32_t id = (int32_t)call->args[2];
	const uint32_t sync = (uint32_t)call->args[3];
	kern_return_t kr;

	if (MACH_PORT_VALID(notify->name)) {
		kr = m_copyin(m, thread->task, notify->name, (uint32_t)call->args[5], notify);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	if (!notify->kind && notify->name == MACH_PORT_DEAD)
		return KERN_INVALID_CAPABILITY;
	switch (id) {
	case MACH_NOTIFY_PORT_DESTROYED:
		kr = request_port_destroyed(task, name, sync, notify);
		break;
	case MACH_NOTIFY_NO_SENDERS:
		kr = request_no_senders(m, task, name, sync, notify, previous);
		break;
	case MACH_NOTIFY_DEAD_NAME:
	case MACH_NOTIFY_SEND_POSSIBLE:
		kr = request_dead_name(m, task, name, id == MACH_NOTIFY_SEND_POSSIBLE, sync, notify,
				       previous);
		break;
	default:
		kr = KERN_INVALID_VALUE;
		break;
	}
	if (kr != KERN_SUCCESS)
		m_right_destroy(m, notify);
	return kr;
}

/* args: task, name, msgid, sync, notify, disposition.  values: previous */
kern_return_t
m_call_request_notification(struct model *m, struct m_thread *thread, struct m_task *task,
			    const struct m_call *call)
{
	const uint32_t disposition = (uint32_t)call->args[5];
	struct m_right notify = m_right_null((mach_port_name_t)call->args[4]);
	struct m_right previous = m_right_null(0);
	kern_return_t kr;

	if (disposition != MACH_MSG_TYPE_MAKE_SEND_ONCE &&
	    disposition != MACH_MSG_TYPE_MOVE_SEND_ONCE)
		return KERN_INVALID_RIGHT; /* the contract leaves the code open */
	/* both count while they are on their way */
	m_list_add(m, &m->held, &notify);
	m_list_add(m, &m->held, &previous);
	kr = request(m, thread, task, call, &notify, &previous);
	m_list_remove(&m->held, &notify);
	m_list_remove(&m->held, &previous);
	if (kr == KERN_SUCCESS)
		thread->result.values[0] = m_copyout(m, thread->task, &previous,
						     (mach_port_name_t)thread->actual.values[0]);
	return kr;
}
