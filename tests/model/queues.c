/*
 * Queues: who gets a message, who waits, who goes on.  mach-messages.md §6, §9.
 */
#include "tests/model/model.h"

#define QUEUE_CEILING 65534u

/* ---- messages as things -------------------------------------------------------------------- */

struct m_message *
m_message_new(struct model *m)
{
	struct m_message *message = m_alloc(m, sizeof *message);

	m_list_add(m, &m->messages, message);
	return message;
}

void
m_message_room(struct model *m, struct m_message *message, uint32_t count)
{
	if (count)
		message->descriptors = m_alloc(m, count * sizeof *message->descriptors);
}

void
m_message_forget(struct model *m, struct m_message *message)
{
	m_list_remove(&m->messages, message);
	if (message->timer)
		message->timer->queued = false;
}

void
m_message_destroy(struct model *m, struct m_message *message)
{
	m_right_destroy(m, &message->dest);
	m_right_destroy(m, &message->reply);
	m_right_destroy(m, &message->voucher);
	for (uint32_t i = 0; i < message->descriptor_count; i++) {
		struct m_descriptor *d = &message->descriptors[i];

		if (d->type == MACH_MSG_OOL_DESCRIPTOR ||
		    d->type == MACH_MSG_OOL_VOLATILE_DESCRIPTOR)
			continue;
		for (uint32_t j = 0; j < d->count; j++)
			m_right_destroy(m, &d->rights[j]);
	}
	m_message_forget(m, message);
}

/* Is its destination one of the ports that it carries, or in a message that is in one of them,
 * and so on?  mach-messages.md §5.1 */
bool
m_message_circular(const struct m_message *message)
{
	const struct m_port *port = message->dest.port;

	while (port->carrier && port->carrier != message) {
		port = port->carrier->dest.port;
		if (!port)
			return false; /* that message is being destroyed */
	}
	return port->carrier == message;
}

/* ---- threads that wait ----------------------------------------------------------------------- */

void
m_park(struct model *m, struct m_thread *thread, enum m_state state, bool timed)
{
	thread->state = state;
	thread->deadline = timed ? m->now_ns + (uint64_t)thread->timeout * 1000000 : M_NEVER;
	thread->parked_order = ++m->order;
}

void
m_unpark(struct model *m, struct m_thread *thread)
{
	(void)m;
	if (thread->state == M_SENDING)
		m_list_remove(&thread->waiting_port->senders, thread);
	else if (thread->state == M_RECEIVING && thread->waiting_set)
		m_list_remove(&thread->waiting_set->waiting, thread);
	else if (thread->state == M_RECEIVING)
		m_list_remove(&thread->waiting_port->receivers, thread);
	else if (thread->state == M_WAITING)
		m_list_remove(&thread->waiting_port->semaphore->waiters, thread);
	thread->state = M_RUNNING;
	thread->waiting_port = NULL;
	thread->waiting_set = NULL;
}

void
m_wake_changed(struct model *m, struct m_list *threads)
{
	while (threads->count) {
		struct m_thread *thread = threads->items[0];

		m_unpark(m, thread);
		m_msg_complete(thread, MACH_RCV_PORT_CHANGED);
	}
}

/* ---- queues ---------------------------------------------------------------------------------- */

bool
m_port_full(const struct m_port *port)
{
	return port->queue.count >= port->qlimit;
}

/* One of @waiting takes it, unless it is too large for all of them. */
static bool
hand_over(struct model *m, struct m_list *waiting, struct m_port *port, struct m_message *message)
{
	while (waiting->count) {
		struct m_thread *thread = waiting->items[0];

		m_unpark(m, thread);
		if ((thread->option & MACH_RCV_LARGE) && m_receive_too_large(thread, message)) {
			m_receive_stays(m, thread, port, message);
			continue;
		}
		m_receive_take(m, thread, port, message, port->seqno++);
		return true;
	}
	return false;
}

void
m_enqueue(struct model *m, struct m_port *port, struct m_message *message)
{
	if (port->queue.count >= QUEUE_CEILING) {
		m_message_destroy(m, message);
		return;
	}
	if (port->queue.count == 0) {
		if (hand_over(m, &port->receivers, port, message))
			return;
		M_EACH(struct m_set, set, &port->sets)
		if (hand_over(m, &set->waiting, port, message))
			return;
	}
	m_list_add(m, &port->queue, message);
	M_EACH(struct m_set, set, &port->sets)
	if (!m_list_has(&set->ready, port))
		m_list_add(m, &set->ready, port);
}

void
m_admit(struct model *m, struct m_port *port)
{
	struct m_thread *sender = port->senders.count ? port->senders.items[0] : NULL;
	struct m_message *message;

	if (!sender)
		return;
	message = sender->message;
	m_unpark(m, sender);
	sender->message = NULL;
	m_enqueue(m, port, message);
	m_list_add(m, &m->resuming, sender);
}

struct m_message *
m_dequeue(struct model *m, struct m_port *port, struct m_set *through)
{
	struct m_message *message = m_list_take_first(&port->queue);

	M_EACH(struct m_set, set, &port->sets)
	{
		if (port->queue.count == 0)
			m_list_remove(&set->ready, port);
		else if (set == through && m_list_remove(&set->ready, port))
			m_list_add(m, &set->ready, port);
	}
	port->seqno++;
	if (!m_port_full(port))
		m_admit(m, port);
	return message;
}

void
m_offer(struct model *m, struct m_port *port, struct m_set *set)
{
	while (port->queue.count && set->waiting.count) {
		struct m_thread *thread = set->waiting.items[0];
		struct m_message *message = port->queue.items[0];
		uint32_t seqno = port->seqno;

		m_unpark(m, thread);
		if ((thread->option & MACH_RCV_LARGE) && m_receive_too_large(thread, message)) {
			m_receive_stays(m, thread, port, message);
			continue;
		}
		m_dequeue(m, port, set);
		m_receive_take(m, thread, port, message, seqno);
	}
}
