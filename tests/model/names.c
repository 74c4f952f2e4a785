/*
 * Names and entries: mach-ports.md §2, §3, §5.
 */
#include "tests/model/model.h"

#define UREFS_PEGGED 65535u
#define INDEX_MAX 305834u /* entries of a table at most */

struct m_entry *
m_entry_find(struct m_task *task, mach_port_name_t name)
{
	M_EACH(struct m_entry, entry, &task->entries)
	if (entry->name == name)
		return entry;
	return NULL;
}

struct m_entry *
m_entry_of_port(struct m_task *task, const struct m_port *port)
{
	M_EACH(struct m_entry, entry, &task->entries)
	if (entry->port == port && (entry->type & MACH_PORT_TYPE_SEND_RECEIVE))
		return entry;
	return NULL;
}

static struct m_entry *
entry_of_index(struct m_task *task, uint32_t index)
{
	M_EACH(struct m_entry, entry, &task->entries)
	if (entry->name >> 8 == index)
		return entry;
	return NULL;
}

struct m_entry *
m_entry_named(struct model *m, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry = m_alloc(m, sizeof *entry);

	entry->name = name;
	m_list_add(m, &task->entries, entry);
	return entry;
}

struct m_entry *
m_entry_fresh(struct model *m, struct m_task *task, mach_port_name_t chosen)
{
	struct m_entry *entry;

	if (!MACH_PORT_VALID(chosen) || (chosen & 3) != 3 || chosen >> 8 == 0 ||
	    chosen >> 8 >= INDEX_MAX)
		model_wrong(m, "task %u got the name %#x, which is none that may be", task->index,
			    chosen);
	else if (entry_of_index(task, chosen >> 8))
		model_wrong(m, "task %u got the name %#x, but %#x is in use", task->index, chosen,
			    entry_of_index(task, chosen >> 8)->name);
	entry = m_entry_named(m, task, chosen);
	if (m->fresh_count < M_FRESH) {
		m->fresh[m->fresh_count].task = task;
		m->fresh[m->fresh_count++].entry = entry;
	}
	return entry;
}

void
m_entry_free(struct model *m, struct m_task *task, struct m_entry *entry)
{
	m_list_remove(&task->entries, entry);
	entry->type = MACH_PORT_TYPE_NONE;
}

/* Steps 3, 4, 5 and 7 of mach-ports.md §9.2; step 6 is the caller's, who knows what he finds. */
kern_return_t
m_name_check(struct m_task *task, mach_port_name_t name)
{
	if (name >> 8 >= INDEX_MAX)
		return KERN_NO_SPACE;
	if ((name & 3) != 3)
		return KERN_INVALID_VALUE;
	if (name >> 8 == 0)
		return KERN_FAILURE;
	if (m_entry_find(task, name))
		return KERN_SUCCESS;
	return entry_of_index(task, name >> 8) ? KERN_FAILURE : KERN_SUCCESS;
}

/* mach-ports.md §5: the one more reference is what the dead-name notification tells of. */
void
m_entry_notice(struct m_entry *entry)
{
	if (!(entry->type & MACH_PORT_TYPE_SEND_RIGHTS) || entry->port->alive)
		return;
	if (entry->request) {
		if (!entry->request->used)
			entry->urefs = m_urefs_add(entry->urefs, 1);
		entry->request = NULL;
	}
	entry->type = MACH_PORT_TYPE_DEAD_NAME;
	entry->port = NULL;
}

/* The type with its request bits, as mach_port_names() tells it. */
mach_port_type_t
m_entry_type(const struct m_entry *entry)
{
	mach_port_type_t type = entry->type;
	const struct m_request *request = entry->request;

	if ((type & MACH_PORT_TYPE_SEND_RIGHTS) && !entry->port->alive)
		return MACH_PORT_TYPE_DEAD_NAME;
	if (request && !request->used) {
		type |= MACH_PORT_TYPE_DNREQUEST;
		if (request->send_possible)
			type |= request->armed ? MACH_PORT_TYPE_SPREQUEST
					       : MACH_PORT_TYPE_SPREQUEST_DELAYED;
	}
	return type;
}

/* mach-ports.md §3: a count that reaches the maximum stays there. */
uint32_t
m_urefs_add(uint32_t urefs, uint32_t delta)
{
	return urefs + delta >= UREFS_PEGGED ? UREFS_PEGGED : urefs + delta;
}

uint32_t
m_urefs_sub(uint32_t urefs, uint32_t delta)
{
	if (urefs == UREFS_PEGGED && delta != UREFS_PEGGED)
		return urefs;
	return urefs - delta;
}
