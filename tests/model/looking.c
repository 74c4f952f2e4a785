/*
 * Looking: what a space holds and what its names stand for; mach-ports.md §9.16, §9.17.
 *
 * Sizes of tables are the kernel's own business: of these it is only checked that what is used
 * fits into them.
 */
#include <string.h>

#include <mach_debug/ipc_info.h>

#include "tests/model/model.h"

static void
names(struct m_thread *thread, struct m_task *task)
{
	struct m_result *result = &thread->result;
	uint32_t count = task->entries.count, at = 0;

	/* in the order of indices: the smallest that is larger than the last one */
	for (uint32_t last = 0; at < count; at++) {
		struct m_entry *next = NULL;
		mach_port_type_t type;

		M_EACH(struct m_entry, entry, &task->entries)
		if (entry->name >> 8 > last && (!next || entry->name >> 8 < next->name >> 8))
			next = entry;
		last = next->name >> 8;
		type = m_entry_type(next);
		memcpy(result->bytes + 4 * at, &next->name, 4);
		memcpy(result->bytes + 4 * (count + at), &type, 4);
	}
	result->bytes_size = 8 * count;
	result->values[0] = count;
}

static kern_return_t
type(struct m_thread *thread, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry;

	if (name == MACH_PORT_NULL)
		return KERN_INVALID_NAME;
	if (name == MACH_PORT_DEAD) {
		thread->result.values[0] = MACH_PORT_TYPE_DEAD_NAME;
		return KERN_SUCCESS;
	}
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	m_entry_notice(entry);
	thread->result.values[0] =
	    m_entry_type(entry) & ~(MACH_PORT_TYPE_SPREQUEST | MACH_PORT_TYPE_SPREQUEST_DELAYED);
	return KERN_SUCCESS;
}

static kern_return_t
get_srights(struct model *m, struct m_thread *thread, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry;
	kern_return_t kr = m_translate(task, name, MACH_PORT_TYPE_RECEIVE, &entry);

	if (kr == KERN_SUCCESS)
		thread->result.values[0] = m_port_srights(m, entry->port);
	return kr;
}

/* mach-kobjects.md §1 */
static uint32_t
object_type(const struct m_port *port)
{
	switch (port->kernel) {
	case M_OWNER_THREAD:
		return 1;
	case M_OWNER_TASK:
		return 2;
	case M_OWNER_HOST:
		return 3;
	case M_OWNER_SEMAPHORE:
		return 23;
	case M_OWNER_VOUCHER:
		return 37;
	case M_OWNER_HOST_PRIV:
		return 4;
	case M_OWNER_TASK_NAME:
		return 20;
	case M_OWNER_FILEPORT:
		return 34;
	case M_OWNER_TOKEN:
		return 36;
	default:
		return port->timer ? 8 : 0;
	}
}

static kern_return_t
kobject(struct m_thread *thread, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry = m_entry_find(task, name);

	if (entry)
		m_entry_notice(entry);
	if (!entry || entry->type == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_NAME;
	if (!(entry->type & MACH_PORT_TYPE_SEND_RECEIVE))
		return KERN_INVALID_RIGHT;
	thread->result.values[0] = object_type(entry->port);
	return KERN_SUCCESS;
}

/* One object has one number, wherever and for as long as it is seen. */
static uint32_t
object_number(uint64_t *kernel_id, uint32_t told)
{
	if (*kernel_id == 0)
		*kernel_id = told;
	return (uint32_t)*kernel_id;
}

static struct m_entry *
entry_after(struct m_task *task, uint32_t index)
{
	struct m_entry *next = NULL;

	M_EACH(struct m_entry, entry, &task->entries)
	if (entry->name >> 8 > index && (!next || entry->name >> 8 < next->name >> 8))
		next = entry;
	return next;
}

static void
space_info(struct model *m, struct m_thread *thread, struct m_task *task)
{
	struct m_result *result = &thread->result;
	const struct m_result *told = &thread->actual;
	struct m_entry *entry = NULL;

	while ((entry = entry_after(task, entry ? entry->name >> 8 : 0))) {
		ipc_info_name_t row = { .iin_name = entry->name, .iin_type = m_entry_type(entry) };
		ipc_info_name_t actual = { 0 };

		if (result->bytes_size + sizeof row <= told->bytes_size)
			memcpy(&actual, told->bytes + result->bytes_size, sizeof actual);
		if (entry->type & (MACH_PORT_TYPE_SEND_RIGHTS | MACH_PORT_TYPE_DEAD_NAME))
			row.iin_urefs = entry->urefs;
		if (entry->set)
			row.iin_object = object_number(&entry->set->kernel_id, actual.iin_object);
		else if (entry->port)
			row.iin_object = object_number(&entry->port->kernel_id, actual.iin_object);
		memcpy(result->bytes + result->bytes_size, &row, sizeof row);
		result->bytes_size += sizeof row;
	}
	result->values[0] = told->values[0];
	result->values[1] = told->values[1];
	result->values[2] = task->entries.count;
	if (task->entries.count >= told->values[0] || told->values[1] < told->values[0])
		model_wrong(m, "a table of %u, then %u, has %u names", (unsigned)told->values[0],
			    (unsigned)told->values[1], task->entries.count);
}

static kern_return_t
dnrequest_info(struct model *m, struct m_thread *thread, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry;
	kern_return_t kr = m_translate(task, name, MACH_PORT_TYPE_RECEIVE, &entry);

	if (kr != KERN_SUCCESS)
		return kr;
	thread->result.values[0] = thread->actual.values[0];
	thread->result.values[1] = entry->port->requests.count;
	if (thread->actual.values[0] < entry->port->requests.count)
		model_wrong(m, "%u requests are in a table of %u", entry->port->requests.count,
			    (unsigned)thread->actual.values[0]);
	return kr;
}

/* args: task, name, trailer type, seqno, capacity.  The size is told as that of the message. */
static kern_return_t
peek(struct m_thread *thread, struct m_task *task, const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	const uint32_t option = (uint32_t)call->args[2], room = (uint32_t)call->args[4];
	const uint32_t size = REQUESTED_TRAILER_SIZE(option);
	uint32_t seqno = (uint32_t)call->args[3];
	const struct m_message *message;
	struct m_entry *entry;
	kern_return_t kr;

	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_RIGHT;
	if (GET_RCV_ELEMENTS(option) > MACH_RCV_TRAILER_AUDIT || size > room)
		return KERN_INVALID_VALUE;
	kr = m_translate(task, name, MACH_PORT_TYPE_RECEIVE, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	if (seqno == 0)
		seqno = entry->port->seqno;
	if (seqno - entry->port->seqno >= entry->port->queue.count)
		return KERN_FAILURE;
	message = entry->port->queue.items[seqno - entry->port->seqno];

	mach_msg_mac_trailer_t trailer = { .msgh_trailer_size = MACH_MSG_TRAILER_MINIMUM_SIZE,
					   .msgh_seqno = seqno,
					   .msgh_sender = KERNEL_SECURITY_TOKEN_VALUE };

	if (message->sender) {
		trailer.msgh_sender.val[0] = message->sender->token.val[1];
		trailer.msgh_sender.val[1] = message->sender->token.val[2];
		trailer.msgh_audit = message->sender->token;
	}
	memcpy(thread->result.bytes, &trailer, size);
	thread->result.bytes_size = size;
	thread->result.values[0] = seqno;
	thread->result.values[1] = message->size;
	thread->result.values[2] = (uint32_t)message->id;
	thread->result.values[3] = size;
	return KERN_SUCCESS;
}

kern_return_t
m_call_looking(struct model *m, struct m_thread *thread, struct m_task *task,
	       const struct m_call *call, bool *known)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];

	*known = true;
	switch (call->number) {
	case BERTH_TRAP_PORT_NAMES:
		names(thread, task);
		return KERN_SUCCESS;
	case BERTH_TRAP_PORT_TYPE:
		return type(thread, task, name);
	case BERTH_TRAP_PORT_GET_SRIGHTS:
		return get_srights(m, thread, task, name);
	case BERTH_TRAP_PORT_KOBJECT:
		return kobject(thread, task, name);
	case BERTH_TRAP_PORT_SPACE_INFO:
		space_info(m, thread, task);
		return KERN_SUCCESS;
	case BERTH_TRAP_PORT_DNREQUEST_INFO:
		return dnrequest_info(m, thread, task, name);
	case BERTH_TRAP_PORT_PEEK:
		return peek(thread, task, call);
	default:
		*known = false;
		return KERN_SUCCESS;
	}
}
