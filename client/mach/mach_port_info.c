/*
 * The calls that look into a task's names: arrays, descriptions, the first queued message.
 */
#include <mach/mach_init.h>
#include <mach/mach_port.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/trap.h"

#include <string.h>
#include <sys/mman.h>

/* The bits of an entry that count how often its index was used, see MACH_PORT_GEN(). */
#define GENERATION_MASK 0xff000000u

/* Memory as of vm_allocate with @size bytes of @from; NULL: none. */
static void *
copy_of(const void *from, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memcpy(memory, from, size);
}

BERTH_EXPORT kern_return_t
mach_port_names(ipc_space_t task, mach_port_name_array_t *names, mach_msg_type_number_t *namesCnt,
		mach_port_type_array_t *types, mach_msg_type_number_t *typesCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	vm_offset_t both;
	uint32_t both_size;
	kern_return_t code =
	    trap_call_out(BERTH_TRAP_PORT_NAMES, (const uint64_t[TRAP_ARG_COUNT]){ task }, values,
			  &both, &both_size);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_names(task, names, namesCnt, types, typesCnt);

	if (code != KERN_SUCCESS)
		return code;
	/* each array must be memory of its own: the caller releases them one by one */
	uint32_t half_size = both_size / 2;
	*names = NULL;
	*types = NULL;
	if (both_size > 0) {
		*names = copy_of((void *)both, half_size);
		*types = copy_of((uint8_t *)both + half_size, half_size);
		munmap((void *)both, both_size);
		if (*names == NULL || *types == NULL) {
			if (*names != NULL)
				munmap(*names, half_size);
			if (*types != NULL)
				munmap(*types, half_size);
			return KERN_RESOURCE_SHORTAGE;
		}
	}
	*namesCnt = half_size / sizeof(mach_port_name_t);
	*typesCnt = half_size / sizeof(mach_port_type_t);
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_port_type(ipc_space_t task, mach_port_name_t name, mach_port_type_t *ptype)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_TYPE, values, task, name);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_type(task, name, ptype);
	if (code == KERN_SUCCESS)
		*ptype = (mach_port_type_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_rename(ipc_space_t task, mach_port_name_t old_name, mach_port_name_t new_name)
{
	/* as on Darwin: the kernel does not serve it any more, and says MIG_BAD_ID */
	return _kernelrpc_mach_port_rename(task, old_name, new_name);
}

BERTH_EXPORT kern_return_t
mach_port_get_set_status(ipc_space_read_t task, mach_port_name_t name,
			 mach_port_name_array_t *members, mach_msg_type_number_t *membersCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	vm_offset_t out;
	uint32_t size;
	kern_return_t code =
	    trap_call_out(BERTH_TRAP_PORT_GET_SET_STATUS,
			  (const uint64_t[TRAP_ARG_COUNT]){ task, name }, values, &out, &size);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_get_set_status(task, name, members, membersCnt);
	if (code == KERN_SUCCESS) {
		*members = (mach_port_name_array_t)out;
		*membersCnt = size / sizeof(mach_port_name_t);
	}
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_peek(ipc_space_t task, mach_port_name_t name, mach_msg_trailer_type_t trailer_type,
	       mach_port_seqno_t *request_seqnop, mach_msg_size_t *msg_sizep,
	       mach_msg_id_t *msg_idp, mach_msg_trailer_info_t trailer_infop,
	       mach_msg_type_number_t *trailer_infopCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	uint32_t size = *trailer_infopCnt;
	kern_return_t code = trap_call_into(
	    BERTH_TRAP_PORT_PEEK,
	    (const uint64_t[TRAP_ARG_COUNT]){ task, name, trailer_type, *request_seqnop, size },
	    values, trailer_infop, &size);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_peek(task, name, trailer_type, request_seqnop,
						 msg_sizep, msg_idp, trailer_infop,
						 trailer_infopCnt);
	if (code == KERN_SUCCESS) {
		*request_seqnop = (mach_port_seqno_t)values[0];
		*msg_sizep = (mach_msg_size_t)values[1];
		*msg_idp = (mach_msg_id_t)values[2];
		*trailer_infopCnt = (mach_msg_type_number_t)values[3];
	}
	return code;
}

/* ---- kernel objects ------------------------------------------------------------------ */

/* The trap; @text gets the description if it is not NULL. */
static kern_return_t
kobject(ipc_space_read_t task, mach_port_name_t name, natural_t *type, mach_vm_address_t *address,
	char *text)
{
	uint64_t values[TRAP_VALUE_COUNT];
	char unused[sizeof(kobject_description_t)];
	uint32_t size = sizeof(kobject_description_t) - 1;
	kern_return_t code =
	    trap_call_into(BERTH_TRAP_PORT_KOBJECT, (const uint64_t[TRAP_ARG_COUNT]){ task, name },
			   values, text != NULL ? text : unused, &size);

	if (code != KERN_SUCCESS)
		return code;
	if (text != NULL)
		text[size] = '\0';
	*type = (natural_t)values[0];
	*address = values[1];
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_port_kobject_description(ipc_space_read_t task, mach_port_name_t name, natural_t *object_type,
			      mach_vm_address_t *object_addr, kobject_description_t desc)
{
	return TRAP_OR_MESSAGE(
	    kobject(task, name, object_type, object_addr, desc),
	    _kernelrpc_mach_port_kobject_description(task, name, object_type, object_addr, desc));
}

BERTH_EXPORT kern_return_t
mach_port_kobject(ipc_space_read_t task, mach_port_name_t name, natural_t *object_type,
		  mach_vm_address_t *object_addr)
{
	return TRAP_OR_MESSAGE(kobject(task, name, object_type, object_addr, NULL),
			       _kernelrpc_mach_port_kobject(task, name, object_type, object_addr));
}

BERTH_EXPORT kern_return_t
mach_port_kernel_object(ipc_space_read_t task, mach_port_name_t name, unsigned *object_type,
			unsigned *object_addr)
{
	mach_vm_address_t address = 0;
	natural_t type = 0;
	kern_return_t code = kobject(task, name, &type, &address, NULL);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_kernel_object(task, name, object_type, object_addr);
	if (code == KERN_SUCCESS) {
		*object_type = type;
		*object_addr = (unsigned)address;
	}
	return code;
}

/* ---- the table ----------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
mach_port_space_info(ipc_space_read_t space, ipc_info_space_t *space_info,
		     ipc_info_name_array_t *table_info, mach_msg_type_number_t *table_infoCnt,
		     ipc_info_tree_name_array_t *tree_info, mach_msg_type_number_t *tree_infoCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	vm_offset_t out;
	uint32_t size;
	kern_return_t code =
	    trap_call_out(BERTH_TRAP_PORT_SPACE_INFO, (const uint64_t[TRAP_ARG_COUNT]){ space },
			  values, &out, &size);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_space_info(space, space_info, table_info, table_infoCnt,
						       tree_info, tree_infoCnt);

	if (code != KERN_SUCCESS)
		return code;
	memset(space_info, 0, sizeof(*space_info));
	space_info->iis_genno_mask = GENERATION_MASK;
	space_info->iis_table_size = (natural_t)values[0];
	space_info->iis_table_next = (natural_t)values[1];
	*table_info = (ipc_info_name_array_t)out;
	*table_infoCnt = size / sizeof(ipc_info_name_t);
	*tree_info = NULL;
	*tree_infoCnt = 0;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_port_space_basic_info(ipc_space_inspect_t task, ipc_info_space_basic_t *basic_info)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_SPACE_INFO, values, task);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_space_basic_info(task, basic_info);

	if (code != KERN_SUCCESS)
		return code;
	memset(basic_info, 0, sizeof(*basic_info));
	basic_info->iisb_genno_mask = GENERATION_MASK;
	basic_info->iisb_table_size = (natural_t)values[0];
	basic_info->iisb_table_next = (natural_t)values[1];
	basic_info->iisb_table_inuse = (natural_t)values[2];
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_port_dnrequest_info(ipc_space_t task, mach_port_name_t name, unsigned *dnr_total,
			 unsigned *dnr_used)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_DNREQUEST_INFO, values, task, name);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_dnrequest_info(task, name, dnr_total, dnr_used);
	if (code == KERN_SUCCESS) {
		*dnr_total = (unsigned)values[0];
		*dnr_used = (unsigned)values[1];
	}
	return code;
}

BERTH_EXPORT kern_return_t
task_set_port_space(ipc_space_t task, int table_entries)
{
	/* tables grow by themselves, but the task must be one */
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_TYPE, NULL, task, MACH_PORT_DEAD),
			       _kernelrpc_task_set_port_space(task, table_entries));
}

/* ---- service ports: policy; all ports are plain ones ------------------------------------ */

/* The name must be a receive right all the same. */
static kern_return_t
plain_port_code(ipc_space_t task, mach_port_name_t name)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code =
	    TRAP_CALL(BERTH_TRAP_PORT_GET_REFS, values, task, name, MACH_PORT_RIGHT_RECEIVE);

	if (code != KERN_SUCCESS)
		return code;
	return values[0] > 0 ? KERN_INVALID_CAPABILITY : KERN_INVALID_RIGHT;
}

BERTH_EXPORT kern_return_t
mach_port_get_service_port_info(ipc_space_read_t task, mach_port_name_t name,
				mach_service_port_info_data_t *sp_info_out)
{
	return TRAP_OR_MESSAGE(plain_port_code(task, name),
			       _kernelrpc_mach_port_get_service_port_info(task, name, sp_info_out));
}

BERTH_EXPORT kern_return_t
mach_port_is_connection_for_service(ipc_space_t task, mach_port_name_t connection_port,
				    mach_port_name_t service_port, uint64_t *filter_policy_id)
{
	return TRAP_OR_MESSAGE(plain_port_code(task, connection_port),
			       _kernelrpc_mach_port_is_connection_for_service(
				   task, connection_port, service_port, filter_policy_id));
}

BERTH_EXPORT kern_return_t
mach_port_special_reply_port_reset_link(ipc_space_t task, mach_port_name_t name,
					boolean_t *srp_lost_link)
{
	return TRAP_OR_MESSAGE(
	    plain_port_code(task, name),
	    _kernelrpc_mach_port_special_reply_port_reset_link(task, name, srp_lost_link));
}
