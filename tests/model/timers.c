/*
 * Timers: receive rights that get a message when their time has come.  mach-kobjects.md §5.1.
 */
#include "tests/model/model.h"

#define MESSAGE_SIZE 48

static void
create(struct model *m, struct m_thread *thread)
{
	struct m_entry *entry =
	    m_entry_fresh(m, thread->task, (mach_port_name_t)thread->actual.values[0]);

	entry->type = MACH_PORT_TYPE_RECEIVE;
	entry->port = m_port_new(m, thread->task);
	entry->port->timer = m_alloc(m, sizeof *entry->port->timer);
	/* its messages come by a send right that the kernel keeps */
	entry->port->kernel_srights = 1;
	entry->port->mscount = 1;
	thread->result.values[0] = entry->name;
}

void
m_timer_expire(struct model *m, struct m_port *port)
{
	struct m_message *message;

	port->timer->armed = false;
	if (port->timer->queued)
		return;
	port->timer->queued = true;
	message = m_message_new(m);
	message->timer = port->timer;
	message->dest = (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0, port };
	message->dest_kind = MACH_MSG_TYPE_PORT_SEND;
	message->size = MESSAGE_SIZE;
	message->data_size = MESSAGE_SIZE - sizeof(mach_msg_header_t);
	message->bypass = true;
	m_enqueue(m, port, message);
}

struct m_port *
m_timer_due(const struct model *m)
{
	struct m_port *due = NULL;

	M_EACH(struct m_port, port, &m->ports)
	{
		if (!port->alive || !port->timer || !port->timer->armed)
			continue;
		if (!due || port->timer->when < due->timer->when ||
		    (port->timer->when == due->timer->when &&
		     port->timer->order < due->timer->order))
			due = port;
	}
	return due;
}

static void
arm(struct model *m, struct m_port *port, uint64_t when)
{
	if (when <= m->now_ns) {
		m_timer_expire(m, port);
		return;
	}
	port->timer->armed = true;
	port->timer->when = when;
	port->timer->order = ++m->order;
}

bool
m_call_timer(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[0];
	struct m_entry *entry;
	kern_return_t kr;

	if (call->number == BERTH_TRAP_MK_TIMER_CREATE) {
		create(m, thread);
		return true;
	}
	if (call->number < BERTH_TRAP_MK_TIMER_DESTROY || call->number > BERTH_TRAP_MK_TIMER_CANCEL)
		return false;
	kr = m_translate(thread->task, name, MACH_PORT_TYPE_RECEIVE, &entry);
	if (kr == KERN_SUCCESS && !entry->port->timer)
		kr = KERN_INVALID_ARGUMENT;
	if (kr == KERN_SUCCESS) {
		struct m_timer *timer = entry->port->timer;

		switch (call->number) {
		case BERTH_TRAP_MK_TIMER_DESTROY:
			kr = m_call_destroy(m, thread->task, name);
			break;
		case BERTH_TRAP_MK_TIMER_ARM:
			arm(m, entry->port, call->args[1]);
			break;
		case BERTH_TRAP_MK_TIMER_ARM_LEEWAY:
			arm(m, entry->port, call->args[2]);
			break;
		default:
			thread->result.values[0] = timer->armed ? timer->when : 0;
			timer->armed = false;
			break;
		}
	}
	thread->result.code = kr;
	return true;
}
