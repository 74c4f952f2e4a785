/*
 * Rights: out of entries, into entries, and their end.  mach-ports.md §4, §6.
 */
#include <string.h>

#include "tests/model/model.h"

#define T_SEND MACH_PORT_TYPE_SEND
#define T_RECEIVE MACH_PORT_TYPE_RECEIVE
#define T_ONCE MACH_PORT_TYPE_SEND_ONCE
#define T_DEAD MACH_PORT_TYPE_DEAD_NAME

struct m_right
m_right_null(mach_port_name_t name)
{
	return (struct m_right){ .name = name };
}

/* ---- counting ---------------------------------------------------------------------------- */

static uint32_t
is_right(const struct m_right *right, const struct m_port *port, uint32_t kind)
{
	return right->port == port && right->kind == kind;
}

/* Those in messages, wherever these are. */
static uint32_t
count_carried(const struct model *m, const struct m_port *port, uint32_t kind)
{
	uint32_t count = 0;

	M_EACH(const struct m_message, message, &m->messages)
	{
		count += is_right(&message->dest, port, kind);
		count += is_right(&message->reply, port, kind);
		count += is_right(&message->voucher, port, kind);
		for (uint32_t i = 0; i < message->descriptor_count; i++) {
			const struct m_descriptor *d = &message->descriptors[i];

			if (d->type == MACH_MSG_OOL_DESCRIPTOR ||
			    d->type == MACH_MSG_OOL_VOLATILE_DESCRIPTOR)
				continue;
			for (uint32_t j = 0; j < d->count; j++)
				count += is_right(&d->rights[j], port, kind);
		}
	}
	return count;
}

uint32_t
m_port_srights(const struct model *m, const struct m_port *port)
{
	uint32_t count = port->kernel_srights + count_carried(m, port, MACH_MSG_TYPE_PORT_SEND);

	M_EACH(const struct m_right, held, &m->held)
	count += is_right(held, port, MACH_MSG_TYPE_PORT_SEND);
	for (uint32_t i = 0; i < m->task_count; i++)
		M_EACH(const struct m_entry, entry, &m->tasks[i].entries)
	count += entry->port == port && (entry->type & T_SEND) != 0;
	return count;
}

uint32_t
m_port_sorights(const struct model *m, const struct m_port *port)
{
	uint32_t count = count_carried(m, port, MACH_MSG_TYPE_PORT_SEND_ONCE);

	M_EACH(const struct m_right, held, &m->held)
	count += is_right(held, port, MACH_MSG_TYPE_PORT_SEND_ONCE);
	for (uint32_t i = 0; i < m->task_count; i++)
		M_EACH(const struct m_entry, entry, &m->tasks[i].entries)
	count += entry->port == port && (entry->type & T_ONCE) != 0;
	M_EACH(const struct m_port, other, &m->ports)
	{
		count += is_right(&other->no_senders, port, MACH_MSG_TYPE_PORT_SEND_ONCE);
		count += is_right(&other->port_destroyed, port, MACH_MSG_TYPE_PORT_SEND_ONCE);
		M_EACH(const struct m_request, request, &other->requests)
		count += is_right(&request->notify, port, MACH_MSG_TYPE_PORT_SEND_ONCE);
	}
	return count;
}

/* mach-messages.md §13.3: the last send right has gone. */
void
m_senders_check(struct model *m, struct m_port *port)
{
	if (port->alive && port->kernel && m_port_srights(m, port) == 0)
		m_kobject_unreferenced(m, port);
	else if (port->alive && port->no_senders.kind && m_port_srights(m, port) == 0)
		m_notify(m, &port->no_senders, MACH_NOTIFY_NO_SENDERS, port->mscount);
}

/* ---- out of an entry: mach-ports.md §6.1 ------------------------------------------------- */

/* The table, for an entry that has been noticed. */
bool
m_copyin_possible(const struct m_entry *entry, uint32_t disposition)
{
	mach_port_type_t type = entry->type;

	switch (disposition) {
	case MACH_MSG_TYPE_MAKE_SEND:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return (type & T_RECEIVE) != 0;
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MOVE_SEND:
		return (type & (T_SEND | T_DEAD)) != 0;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		return (type & (T_ONCE | T_DEAD)) != 0;
	default:
		return false;
	}
}

static kern_return_t
copyin_receive(struct model *m, struct m_task *task, struct m_entry *entry, struct m_right *right)
{
	struct m_port *port = entry->port;

	if (port->immovable || port->special || port->timer)
		return KERN_INVALID_CAPABILITY;
	*right = (struct m_right){ .kind = MACH_MSG_TYPE_PORT_RECEIVE, .port = port };
	port->receiver = NULL;
	if (entry->type & T_SEND) {
		entry->type = T_SEND;
	} else {
		m_entry_free(m, task, entry);
		m_request_deleted(m, entry);
	}
	m_port_unplace(m, port);
	return KERN_SUCCESS;
}

kern_return_t
m_copyin(struct model *m, struct m_task *task, mach_port_name_t name, uint32_t disposition,
	 struct m_right *right)
{
	struct m_entry *entry = m_entry_find(task, name);

	if (!entry)
		return KERN_INVALID_NAME;
	/* what needs the receive right does not look at a send right, and so does not notice */
	if (disposition == MACH_MSG_TYPE_COPY_SEND || disposition == MACH_MSG_TYPE_MOVE_SEND ||
	    disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE)
		m_entry_notice(entry);
	if (!m_copyin_possible(entry, disposition))
		return KERN_INVALID_RIGHT;
	*right = m_right_null(MACH_PORT_DEAD);
	switch (disposition) {
	case MACH_MSG_TYPE_MAKE_SEND:
		entry->port->mscount++;
		*right = (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0, entry->port };
		return KERN_SUCCESS;
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		*right = (struct m_right){ MACH_MSG_TYPE_PORT_SEND_ONCE, 0, entry->port };
		return KERN_SUCCESS;
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return copyin_receive(m, task, entry, right);
	case MACH_MSG_TYPE_COPY_SEND:
		if (entry->type != T_DEAD)
			*right = (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0, entry->port };
		return KERN_SUCCESS;
	case MACH_MSG_TYPE_MOVE_SEND:
		if (entry->type == T_DEAD) {
			m_entry_drop_dead(m, task, entry, 1);
			return KERN_SUCCESS;
		}
		*right = (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0, entry->port };
		entry->urefs = m_urefs_sub(entry->urefs, 1);
		if (entry->urefs > 0)
			return KERN_SUCCESS;
		entry->type &= ~T_SEND;
		if (entry->type & T_RECEIVE)
			return KERN_SUCCESS;
		m_entry_free(m, task, entry);
		m_request_deleted(m, entry);
		return KERN_SUCCESS;
	default: /* MACH_MSG_TYPE_MOVE_SEND_ONCE */
		if (entry->type == T_DEAD) {
			m_entry_drop_dead(m, task, entry, 1);
			return KERN_SUCCESS;
		}
		*right = (struct m_right){ MACH_MSG_TYPE_PORT_SEND_ONCE, 0, entry->port };
		m_entry_free(m, task, entry);
		m_request_deleted(m, entry);
		return KERN_SUCCESS;
	}
}

/* ---- into an entry: mach-ports.md §4, §6.2 ------------------------------------------------- */

/* @entry is empty, or holds the same port in a way that coalesces. */
void
m_copyout_entry(struct m_entry *entry, struct m_right *right)
{
	entry->port = right->port;
	switch (right->kind) {
	case MACH_MSG_TYPE_PORT_SEND:
		entry->urefs = m_urefs_add(entry->type & T_SEND ? entry->urefs : 0, 1);
		entry->type |= T_SEND;
		break;
	case MACH_MSG_TYPE_PORT_RECEIVE:
		entry->type |= T_RECEIVE;
		break;
	default:
		entry->type = T_ONCE;
		entry->urefs = 1;
		break;
	}
	*right = m_right_null(0);
}

mach_port_name_t
m_copyout(struct model *m, struct m_task *task, struct m_right *right, mach_port_name_t chosen)
{
	struct m_port *port = right->port;
	struct m_entry *entry = NULL;

	if (!right->kind)
		return right->name;
	if (!port->alive) {
		*right = m_right_null(MACH_PORT_DEAD);
		return MACH_PORT_DEAD;
	}
	if (right->kind != MACH_MSG_TYPE_PORT_SEND_ONCE)
		entry = m_entry_of_port(task, port);
	if (!entry)
		entry = m_entry_fresh(m, task, chosen);
	if (right->kind == MACH_MSG_TYPE_PORT_RECEIVE) {
		port->receiver = task;
		port->carrier = NULL;
	}
	m_copyout_entry(entry, right);
	return entry->name;
}

/*
 * ---- their end: mach-ports.md §6.3 ----
 *
 * The table names what a drop sets off.  That PORT_DELETED is sent before what the end of the
 * right itself sets off is the kernel's choice; it shows only where both go to one queue.
 */

void
m_right_destroy(struct model *m, struct m_right *right)
{
	struct m_right gone = *right;

	*right = m_right_null(0);
	switch (gone.kind) {
	case MACH_MSG_TYPE_PORT_SEND:
		m_senders_check(m, gone.port);
		break;
	case MACH_MSG_TYPE_PORT_SEND_ONCE:
		m_notify(m, &gone, MACH_NOTIFY_SEND_ONCE, 0);
		break;
	case MACH_MSG_TYPE_PORT_RECEIVE:
		gone.port->carrier = NULL;
		m_port_release_receive(m, gone.port);
		break;
	}
}

void
m_entry_drop_send(struct model *m, struct m_task *task, struct m_entry *entry, uint32_t urefs)
{
	struct m_port *port = entry->port;

	entry->urefs = m_urefs_sub(entry->urefs, urefs);
	if (entry->urefs > 0)
		return;
	entry->type &= ~T_SEND;
	if (!(entry->type & T_RECEIVE)) {
		m_entry_free(m, task, entry);
		m_request_deleted(m, entry);
	}
	m_senders_check(m, port);
}

void
m_entry_drop_dead(struct model *m, struct m_task *task, struct m_entry *entry, uint32_t urefs)
{
	entry->urefs = m_urefs_sub(entry->urefs, urefs);
	if (entry->urefs == 0)
		m_entry_free(m, task, entry);
}

void
m_entry_drop_send_once(struct model *m, struct m_task *task, struct m_entry *entry)
{
	struct m_right right = { MACH_MSG_TYPE_PORT_SEND_ONCE, 0, entry->port };

	m_entry_free(m, task, entry);
	m_request_deleted(m, entry);
	m_right_destroy(m, &right);
}

/* mod_refs(RECEIVE, -1) */
void
m_entry_drop_receive(struct model *m, struct m_task *task, struct m_entry *entry)
{
	struct m_port *port = entry->port;

	port->receiver = NULL;
	if (!(entry->type & T_SEND)) {
		m_entry_free(m, task, entry);
		m_request_deleted(m, entry);
		m_port_release_receive(m, port);
		return;
	}
	if (port->port_destroyed.kind && port->port_destroyed.port->alive) {
		entry->type = T_SEND;
		m_port_release_receive(m, port);
		return;
	}
	if (entry->request)
		entry->urefs = m_urefs_add(entry->urefs, 1);
	entry->request = NULL; /* the port still knows it, and tells */
	entry->type = T_DEAD;
	entry->port = NULL;
	m_port_release_receive(m, port);
}

/* mach_port_destroy(), and the end of the task */
void
m_entry_destroy(struct model *m, struct m_task *task, struct m_entry *entry)
{
	struct m_port *port = entry->port;
	struct m_right no_senders = { 0 };
	uint32_t mscount;

	m_entry_notice(entry);
	switch (entry->type) {
	case MACH_PORT_TYPE_DEAD_NAME:
		m_entry_free(m, task, entry);
		return;
	case MACH_PORT_TYPE_PORT_SET:
		m_entry_free(m, task, entry);
		m_set_destroy(m, entry->set);
		return;
	case MACH_PORT_TYPE_SEND:
		m_entry_drop_send(m, task, entry, entry->urefs);
		return;
	case MACH_PORT_TYPE_SEND_ONCE:
		m_entry_drop_send_once(m, task, entry);
		return;
	default:
		break;
	}
	/* the send right first; what its end sets off is told after the port's */
	mscount = port->mscount;
	if (entry->type & T_SEND) {
		entry->type &= ~T_SEND;
		if (port->no_senders.kind && m_port_srights(m, port) == 0) {
			no_senders = port->no_senders;
			port->no_senders = m_right_null(0);
		}
	}
	m_entry_drop_receive(m, task, entry);
	if (no_senders.kind)
		m_notify(m, &no_senders, MACH_NOTIFY_NO_SENDERS, mscount);
}
