/*
 * Fileports: send rights behind each of which is an open file of the host's, which is closed
 * when the last of them has gone.  mach-kobjects.md §11.
 */
#include "tests/model/model.h"

/* in: a file.  values: name */
static kern_return_t
make(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	struct m_port *port;

	if (!call->file)
		return KERN_INVALID_ARGUMENT;
	port = m_port_new(m, NULL);
	port->kernel = M_OWNER_FILEPORT;
	port->file = call->file;
	m_list_add(m, &m->files, port);
	m_give_send(m, thread, port);
	return KERN_SUCCESS;
}

/* args: fileport.  The file comes back. */
static kern_return_t
open(struct m_thread *thread, const struct m_call *call)
{
	struct m_entry *entry = m_entry_find(thread->task, (mach_port_name_t)call->args[0]);

	if (!entry || !(entry->type & MACH_PORT_TYPE_SEND) || !entry->port->alive)
		return KERN_INVALID_RIGHT;
	if (entry->port->kernel != M_OWNER_FILEPORT)
		return KERN_INVALID_CAPABILITY;
	thread->result.file = entry->port->file;
	return KERN_SUCCESS;
}

bool
m_call_fileport(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	if (call->number == BERTH_TRAP_FILEPORT_MAKE)
		thread->result.code = make(m, thread, call);
	else if (call->number == BERTH_TRAP_FILEPORT_OPEN)
		thread->result.code = open(thread, call);
	else
		return false;
	return true;
}
