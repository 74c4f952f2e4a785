/*
 * Sets: which ports are members.
 */
#include "ipc/mach_port.h"

#include "ipc/ipc_right.h"
#include "kern/task.h"

/* Member and set, looked up in this order. */
static kern_return_t
find_member_and_set(struct ipc_space *space, mach_port_name_t name, mach_port_name_t set_name,
		    struct ipc_port **port, struct ipc_pset **pset)
{
	struct ipc_entry *set_entry;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (!MACH_PORT_VALID(name) || !MACH_PORT_VALID(set_name))
		return KERN_INVALID_RIGHT;
	if (!ipc_space_find(space, name))
		return KERN_INVALID_NAME;
	kr = ipc_space_find_entry(space, set_name, KERN_INVALID_RIGHT, &set_entry);
	if (kr == KERN_SUCCESS && (ipc_right_type(space, set_entry) & MACH_PORT_TYPE_DEAD_NAME))
		return KERN_INVALID_NAME; /* as of the member: mach-ports.md §5 */
	if (kr == KERN_SUCCESS)
		kr = ipc_space_find_receive(space, name, KERN_INVALID_RIGHT, port);
	if (kr != KERN_SUCCESS)
		return kr;
	if (ie_type(set_entry) != MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	*pset = set_entry->pset;
	return KERN_SUCCESS;
}

kern_return_t
mach_port_insert_member(struct ipc_space *space, mach_port_name_t name, mach_port_name_t set_name)
{
	struct ipc_port *port;
	struct ipc_pset *pset;
	kern_return_t kr = find_member_and_set(space, name, set_name, &port, &pset);

	return kr == KERN_SUCCESS ? ipc_pset_add(space->kernel, pset, port, space->task->account)
				  : kr;
}

kern_return_t
mach_port_extract_member(struct ipc_space *space, mach_port_name_t name, mach_port_name_t set_name)
{
	struct ipc_port *port;
	struct ipc_pset *pset;
	struct ipc_pset_link *link;
	kern_return_t kr = find_member_and_set(space, name, set_name, &port, &pset);

	if (kr != KERN_SUCCESS)
		return kr;
	link = ipc_pset_find_member(pset, port);
	if (!link)
		return KERN_NOT_IN_SET;
	ipc_pset_remove(space->kernel, link);
	return KERN_SUCCESS;
}

kern_return_t
mach_port_move_member(struct ipc_space *space, mach_port_name_t member, mach_port_name_t after)
{
	struct ipc_port *port;
	struct ipc_pset *pset = NULL;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (after == MACH_PORT_NULL) {
		kr = ipc_space_find_receive(space, member, KERN_INVALID_RIGHT, &port);
		if (kr == KERN_SUCCESS && !ipc_pset_remove_from_all(space->kernel, port, NULL))
			kr = KERN_NOT_IN_SET;
		return kr;
	}
	kr = find_member_and_set(space, member, after, &port, &pset);
	if (kr == KERN_SUCCESS)
		kr = ipc_pset_add(space->kernel, pset, port, space->task->account);
	if (kr != KERN_SUCCESS && kr != KERN_ALREADY_IN_SET)
		return kr;
	ipc_pset_remove_from_all(space->kernel, port, pset);
	return KERN_SUCCESS;
}

static void
sort_names(mach_port_name_t *names, uint32_t count)
{
	/* heap sort: no recursion, no memory */
	for (uint32_t end = count, start = count / 2; end > 1;) {
		uint32_t root;
		mach_port_name_t value;

		if (start > 0) {
			value = names[--start];
		} else {
			value = names[--end];
			names[end] = names[0];
		}
		root = start;
		for (uint32_t child; (child = 2 * root + 1) < end; root = child) {
			if (child + 1 < end && names[child + 1] > names[child])
				child++;
			if (names[child] <= value)
				break;
			names[root] = names[child];
		}
		names[root] = value;
	}
}

kern_return_t
mach_port_get_set_status(struct ipc_space *space, mach_port_name_t name, mach_port_name_t **members,
			 mach_msg_type_number_t *count)
{
	struct ipc_entry *entry;
	mach_port_name_t *names = NULL;
	uint32_t at = 0;
	kern_return_t kr = space ? ipc_space_find_entry(space, name, KERN_INVALID_RIGHT, &entry)
				 : KERN_INVALID_ARGUMENT;

	if (kr != KERN_SUCCESS)
		return kr;
	if (ie_type(entry) != MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;

	const struct ipc_pset *pset = entry->pset;

	if (pset->member_count > 0) {
		names = kernel_memory_alloc_raw(space->kernel, pset->member_count * sizeof(*names));
		if (!names)
			return KERN_RESOURCE_SHORTAGE;
	}
	LIST_FOR_EACH (link, &pset->members, struct ipc_pset_link, in_set)
		names[at++] = link->port->receiver_name;
	sort_names(names, at);
	*members = names;
	*count = at;
	return KERN_SUCCESS;
}
