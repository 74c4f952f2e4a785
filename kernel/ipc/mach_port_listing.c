/*
 * Listings: what a space holds, and what its names stand for.
 */
#include "ipc/mach_port.h"

#include <string.h>

#include "ipc/ipc_lane.h"
#include "ipc/ipc_right.h"

#define GENERATION_MASK 0xff000000u /* the bits of an entry that count how often it was used */

/* ---- the whole table ------------------------------------------------------------------------ */

static uint32_t
used_count(const struct ipc_space *space)
{
	return space->table_size - 1 - space->free_count - space->lane_count;
}

kern_return_t
mach_port_names(struct ipc_space *space, mach_port_name_t **names,
		mach_msg_type_number_t *names_count, mach_port_type_t **types,
		mach_msg_type_number_t *types_count)
{
	if (!space)
		return KERN_INVALID_TASK;

	ipc_lanes_take_all_kept(space);

	const uint32_t count = used_count(space);
	uint32_t at = 0;

	*names = NULL;
	*types = NULL;
	if (count > 0) {
		*names = kernel_memory_alloc_raw(space->kernel, count * sizeof(**names));
		*types = kernel_memory_alloc_raw(space->kernel, count * sizeof(**types));
	}
	if (count > 0 && (!*names || !*types)) {
		kernel_memory_free(space->kernel, *names, count * sizeof(**names));
		kernel_memory_free(space->kernel, *types, count * sizeof(**types));
		return KERN_RESOURCE_SHORTAGE;
	}
	for (uint32_t i = 1; at < count; i++) {
		const struct ipc_entry *entry = &space->table[i];

		if (ie_type(entry) == MACH_PORT_TYPE_NONE)
			continue;
		(*names)[at] = ie_name(space, entry);
		(*types)[at++] = ipc_right_type(space, entry);
	}
	*names_count = count;
	*types_count = count;
	return KERN_SUCCESS;
}

static uint32_t
next_table_size(const struct ipc_space *space)
{
	return space->table_size * 2 > IPC_ENTRY_TABLE_MAX ? IPC_ENTRY_TABLE_MAX
							   : space->table_size * 2;
}

static ipc_info_name_t
entry_info(const struct ipc_space *space, const struct ipc_entry *entry)
{
	mach_port_type_t type = ie_type(entry);
	uint64_t id = type == MACH_PORT_TYPE_PORT_SET    ? entry->pset->id
		      : type == MACH_PORT_TYPE_DEAD_NAME ? 0
							 : entry->port->id;

	return (ipc_info_name_t){
		.iin_name = ie_name(space, entry),
		.iin_type = ipc_right_type(space, entry),
		.iin_urefs = ie_urefs(entry),
		.iin_object = (natural_t)id,
	};
}

kern_return_t
mach_port_space_info(struct ipc_space *space, ipc_info_space_t *info, ipc_info_name_t **table,
		     mach_msg_type_number_t *table_count, ipc_info_tree_name_t **tree,
		     mach_msg_type_number_t *tree_count)
{
	ipc_info_name_t *rows = NULL;
	uint32_t at = 0;

	if (!space)
		return KERN_INVALID_ARGUMENT;

	ipc_lanes_take_all_kept(space);

	const uint32_t count = used_count(space);

	if (count > 0) {
		rows = kernel_memory_alloc_raw(space->kernel, count * sizeof(*rows));
		if (!rows)
			return KERN_RESOURCE_SHORTAGE;
	}
	for (uint32_t i = 1; at < count; i++)
		if (ie_type(&space->table[i]) != MACH_PORT_TYPE_NONE)
			rows[at++] = entry_info(space, &space->table[i]);
	*info = (ipc_info_space_t){
		.iis_genno_mask = GENERATION_MASK,
		.iis_table_size = space->table_size,
		.iis_table_next = next_table_size(space),
	};
	*table = rows;
	*table_count = count;
	*tree = NULL;
	*tree_count = 0;
	return KERN_SUCCESS;
}

kern_return_t
mach_port_space_basic_info(struct ipc_space *space, ipc_info_space_basic_t *info)
{
	if (!space)
		return KERN_INVALID_ARGUMENT;
	*info = (ipc_info_space_basic_t){
		.iisb_genno_mask = GENERATION_MASK,
		.iisb_table_size = space->table_size,
		.iisb_table_next = next_table_size(space),
		.iisb_table_inuse = used_count(space),
	};
	return KERN_SUCCESS;
}

/* ---- one name ---------------------------------------------------------------------------------
 */

kern_return_t
mach_port_type(struct ipc_space *space, mach_port_name_t name, mach_port_type_t *type)
{
	struct ipc_entry *entry;

	if (!space)
		return KERN_INVALID_TASK;
	if (name == MACH_PORT_DEAD) {
		*type = MACH_PORT_TYPE_DEAD_NAME;
		return KERN_SUCCESS;
	}
	entry = ipc_space_find(space, name);
	if (!entry)
		return KERN_INVALID_NAME;
	ipc_right_notice(space, entry);
	*type = ipc_right_type(space, entry) &
		~(MACH_PORT_TYPE_SPREQUEST | MACH_PORT_TYPE_SPREQUEST_DELAYED);
	return KERN_SUCCESS;
}

kern_return_t
mach_port_kobject(struct ipc_space *space, mach_port_name_t name, natural_t *type,
		  uint64_t *address)
{
	struct ipc_entry *entry;

	if (!space)
		return KERN_INVALID_ARGUMENT;
	entry = ipc_space_find(space, name);
	if (!entry || ipc_right_notice(space, entry))
		return KERN_INVALID_NAME;
	if (!(ie_type(entry) & MACH_PORT_TYPE_SEND_RECEIVE))
		return KERN_INVALID_RIGHT;
	*type = entry->port->object.kobject;
	*address = 0; /* addresses of the kernel are nobody's business */
	return KERN_SUCCESS;
}

kern_return_t
mach_port_kobject_description(struct ipc_space *space, mach_port_name_t name, natural_t *type,
			      uint64_t *address, kobject_description_t description)
{
	kern_return_t kr = mach_port_kobject(space, name, type, address);

	if (kr == KERN_SUCCESS)
		description[0] = '\0';
	return kr;
}

kern_return_t
mach_port_kernel_object(struct ipc_space *space, mach_port_name_t name, unsigned *type,
			unsigned *address)
{
	uint64_t wide;
	kern_return_t kr = mach_port_kobject(space, name, type, &wide);

	if (kr == KERN_SUCCESS)
		*address = (unsigned)wide;
	return kr;
}

kern_return_t
mach_port_dnrequest_info(struct ipc_space *space, mach_port_name_t name, unsigned *total,
			 unsigned *used)
{
	struct ipc_port *port;
	kern_return_t kr = space ? ipc_space_find_receive(space, name, KERN_INVALID_NAME, &port)
				 : KERN_INVALID_TASK;

	if (kr == KERN_SUCCESS) {
		*total = port->request_count;
		*used = port->request_used_count;
	}
	return kr;
}

/* ---- service ports: policy; all ports are plain ones ---------------------------------------- */

static kern_return_t
plain_port_code(struct ipc_space *space, mach_port_name_t name)
{
	mach_port_urefs_t refs = 0;
	kern_return_t kr = mach_port_get_refs(space, name, MACH_PORT_RIGHT_RECEIVE, &refs);

	if (kr != KERN_SUCCESS)
		return kr;
	return refs > 0 ? KERN_INVALID_CAPABILITY : KERN_INVALID_RIGHT;
}

kern_return_t
mach_port_get_service_port_info(struct ipc_space *space, mach_port_name_t name,
				mach_service_port_info_data_t *info)
{
	(void)info;
	return plain_port_code(space, name);
}

kern_return_t
mach_port_is_connection_for_service(struct ipc_space *space, mach_port_name_t name,
				    mach_port_name_t service, uint64_t *filter)
{
	(void)service;
	(void)filter;
	return plain_port_code(space, name);
}

kern_return_t
mach_port_special_reply_port_reset_link(struct ipc_space *space, mach_port_name_t name,
					boolean_t *lost_link)
{
	(void)lost_link;
	return plain_port_code(space, name);
}
