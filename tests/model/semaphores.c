/*
 * Semaphores: mach-kobjects.md §6.  They are made and destroyed by message: kobject.c.
 */
#include "tests/model/model.h"

#define SECOND_NS 1000000000u

/* ---- life ---------------------------------------------------------------------------------- */

struct m_port *
m_semaphore_new(struct model *m, struct m_task *owner, int32_t count, bool lifo)
{
	struct m_port *port = m_port_new(m, NULL);

	port->kernel = M_OWNER_SEMAPHORE;
	port->semaphore = m_alloc(m, sizeof *port->semaphore);
	port->semaphore->owner = owner;
	port->semaphore->count = count;
	port->semaphore->lifo = lifo;
	port->mscount = 1;
	return port;
}

void
m_complete(struct m_thread *thread, kern_return_t code)
{
	thread->done = true;
	thread->result.code = code;
}

/* Who waits and is to go first; NULL: nobody waits. */
static struct m_thread *
next_waiter(const struct m_semaphore *s)
{
	if (s->waiters.count == 0)
		return NULL;
	return s->waiters.items[s->lifo ? s->waiters.count - 1 : 0];
}

static void
wake(struct model *m, struct m_thread *thread, kern_return_t code)
{
	m_unpark(m, thread);
	m_complete(thread, code);
}

static void
wake_all(struct model *m, struct m_semaphore *s, kern_return_t code)
{
	while (s->waiters.count)
		wake(m, next_waiter(s), code);
}

void
m_semaphore_terminate(struct model *m, struct m_port *port)
{
	port->semaphore->owner = NULL;
	wake_all(m, port->semaphore, KERN_TERMINATED);
}

void
m_semaphores_task_died(struct model *m, struct m_task *task)
{
	M_EACH(struct m_port, port, &m->ports)
	if (port->semaphore && port->semaphore->owner == task)
		m_semaphore_terminate(m, port);
}

/* ---- operations ------------------------------------------------------------------------------ */

static kern_return_t
named(struct m_task *task, mach_port_name_t name, struct m_port **port)
{
	struct m_entry *entry;
	kern_return_t kr = m_translate(task, name, MACH_PORT_TYPE_SEND, &entry);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!entry->port->semaphore)
		return KERN_INVALID_CAPABILITY;
	*port = entry->port;
	return entry->port->semaphore->owner ? KERN_SUCCESS : KERN_TERMINATED;
}

static void
signal_one(struct model *m, struct m_semaphore *s)
{
	struct m_thread *thread = next_waiter(s);

	if (thread)
		wake(m, thread, KERN_SUCCESS);
	else if (s->count < INT32_MAX)
		s->count++;
}

static kern_return_t
signal_thread(struct model *m, struct m_task *task, struct m_semaphore *s, mach_port_name_t name)
{
	struct m_thread *thread = NULL;
	struct m_port *port;

	if (name == MACH_PORT_NULL) {
		thread = next_waiter(s);
	} else {
		if (m_kobject_named(task, name, &port) != KERN_SUCCESS ||
		    port->kernel != M_OWNER_THREAD)
			return KERN_INVALID_ARGUMENT;
		M_EACH(struct m_thread, waiter, &s->waiters)
		if (waiter->port == port)
			thread = waiter;
	}
	if (!thread)
		return KERN_NOT_WAITING;
	wake(m, thread, KERN_SUCCESS);
	return KERN_SUCCESS;
}

/* @deadline: when it is too late; now: it is at once. */
static void
wait(struct model *m, struct m_thread *thread, struct m_port *port, uint64_t deadline)
{
	struct m_semaphore *s = port->semaphore;

	if (s->count > 0) {
		s->count--;
		return;
	}
	if (deadline == m->now_ns) {
		thread->result.code = KERN_OPERATION_TIMED_OUT;
		return;
	}
	thread->done = false;
	m_list_add(m, &s->waiters, thread);
	m_park(m, thread, M_WAITING, false);
	thread->deadline = deadline;
	thread->waiting_port = port;
}

/* args: the semaphore to wait for, maybe one to signal, maybe seconds and nanoseconds */
static kern_return_t
wait_call(struct model *m, struct m_thread *thread, const struct m_call *call, bool signals,
	  bool timed)
{
	const uint64_t *time = call->args + (signals ? 2 : 1);
	struct m_port *port, *other = NULL;
	uint64_t deadline = M_NEVER;
	kern_return_t kr;

	if (timed) {
		if ((uint32_t)time[1] >= SECOND_NS)
			return KERN_INVALID_VALUE;
		deadline = m->now_ns + (uint32_t)time[0] * (uint64_t)SECOND_NS + (uint32_t)time[1];
	}
	kr = named(thread->task, (mach_port_name_t)call->args[0], &port);
	if (kr == KERN_SUCCESS && signals)
		kr = named(thread->task, (mach_port_name_t)call->args[1], &other);
	if (kr != KERN_SUCCESS)
		return kr;
	if (other)
		signal_one(m, other->semaphore);
	wait(m, thread, port, deadline);
	return thread->result.code;
}

static kern_return_t
signal_call(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	struct m_port *port;
	kern_return_t kr = named(thread->task, (mach_port_name_t)call->args[0], &port);

	if (kr != KERN_SUCCESS)
		return kr;
	switch (call->number) {
	case BERTH_TRAP_SEMAPHORE_SIGNAL:
		signal_one(m, port->semaphore);
		return KERN_SUCCESS;
	case BERTH_TRAP_SEMAPHORE_SIGNAL_ALL:
		wake_all(m, port->semaphore, KERN_SUCCESS);
		return KERN_SUCCESS;
	default:
		return signal_thread(m, thread->task, port->semaphore,
				     (mach_port_name_t)call->args[1]);
	}
}

bool
m_call_semaphore(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	switch (call->number) {
	case BERTH_TRAP_SEMAPHORE_SIGNAL:
	case BERTH_TRAP_SEMAPHORE_SIGNAL_ALL:
	case BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD:
		thread->result.code = signal_call(m, thread, call);
		return true;
	case BERTH_TRAP_SEMAPHORE_WAIT:
		thread->result.code = wait_call(m, thread, call, false, false);
		return true;
	case BERTH_TRAP_SEMAPHORE_TIMEDWAIT:
		thread->result.code = wait_call(m, thread, call, false, true);
		return true;
	case BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL:
		thread->result.code = wait_call(m, thread, call, true, false);
		return true;
	case BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL:
		thread->result.code = wait_call(m, thread, call, true, true);
		return true;
	default:
		return false;
	}
}
