/*
 * Ports and sets: their life, and the order of what happens when a port dies.
 * mach-ports.md §1, §7, §8.
 */
#include "tests/model/model.h"

struct m_port *
m_port_new(struct model *m, struct m_task *receiver)
{
	struct m_port *port = m_alloc(m, sizeof *port);

	port->alive = true;
	port->receiver = receiver;
	port->qlimit = MACH_PORT_QLIMIT_DEFAULT;
	m_list_add(m, &m->ports, port);
	return port;
}

void
m_port_unplace(struct model *m, struct m_port *port)
{
	while (port->sets.count)
		m_set_remove(port->sets.items[0], port);
	m_wake_changed(m, &port->receivers);
	port->mscount = 0;
	port->seqno = 0;
	port->context = 0;
	port->guarded = port->strict = port->immovable = false;
}

/* mach-ports.md §8, second paragraph: the receive right goes to the backup. */
static bool
release_to_backup(struct model *m, struct m_port *port)
{
	struct m_right backup = port->port_destroyed;

	if (!backup.kind)
		return false;
	port->port_destroyed = m_right_null(0);
	if (!backup.port->alive)
		return false;
	m_notify_port_destroyed(m, &backup, port);
	return true;
}

void
m_port_release_receive(struct model *m, struct m_port *port)
{
	m_port_unplace(m, port);
	port->special = false;
	if (release_to_backup(m, port))
		return;
	m_port_end(m, port);
}

/* mach-ports.md §8, steps 2 to 8; step 1 was m_port_unplace(). */
static void
port_die(struct model *m, struct m_port *port)
{
	struct m_message *message;
	struct m_thread *sender;

	port->alive = false;
	while ((sender = m_list_take_first(&port->senders))) {
		message = sender->message;
		sender->message = NULL;
		sender->state = M_RUNNING;
		m_message_destroy(m, message);
		m_list_add(m, &m->resuming, sender);
	}
	while ((message = m_list_take_first(&port->queue)))
		m_message_destroy(m, message);
	m_right_destroy(m, &port->no_senders);
	m_requests_port_died(m, port);
	m_list_remove(&m->ports, port); /* from here on it holds nothing */
}

void
m_port_end(struct model *m, struct m_port *port)
{
	m_list_add(m, &m->dying, port);
	if (m->destroying)
		return;
	m->destroying = true;
	while ((port = m_list_take_first(&m->dying)))
		port_die(m, port);
	m->destroying = false;
}

/* ---- sets ------------------------------------------------------------------------------ */

struct m_set *
m_set_new(struct model *m, struct m_task *task)
{
	struct m_set *set = m_alloc(m, sizeof *set);

	set->alive = true;
	set->task = task;
	return set;
}

void
m_set_destroy(struct model *m, struct m_set *set)
{
	set->alive = false;
	while (set->members.count)
		m_set_remove(set, set->members.items[0]);
	m_wake_changed(m, &set->waiting);
}

void
m_set_add(struct model *m, struct m_set *set, struct m_port *port)
{
	m_list_add(m, &set->members, port);
	m_list_add(m, &port->sets, set);
	if (port->queue.count)
		m_list_add(m, &set->ready, port);
	m_offer(m, port, set);
}

void
m_set_remove(struct m_set *set, struct m_port *port)
{
	m_list_remove(&set->members, port);
	m_list_remove(&set->ready, port);
	m_list_remove(&port->sets, set);
}
