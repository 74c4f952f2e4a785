/*
 * The mach_port_* calls that look at a port or set something on it: mach-ports.md §9.14–9.17.
 */
#include <mach/port.h>

#include <string.h>

#include "ipc/ipc_kmsg.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_right.h"
#include "ipc/mach_port.h"

#define QLIMIT_USER_MAX 1024u /* MACH_PORT_QLIMIT_MAX */
#define SPACE_INFO_ROW 28u    /* sizeof(ipc_info_name_t) */

/* ---- attributes ------------------------------------------------------------------------- */

static uint32_t
status_flags(const struct ipc_port *port)
{
	uint32_t flags = 0;

	if (port->object.flags & IPC_PORT_GUARDED) {
		flags |= MACH_PORT_STATUS_FLAG_GUARDED;
		if (port->object.flags & IPC_PORT_STRICT_GUARD)
			flags |= MACH_PORT_STATUS_FLAG_STRICT_GUARD;
		if (port->object.flags & IPC_PORT_IMMOVABLE)
			flags |= MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE;
	}
	return flags;
}

static mach_port_status_t
port_status(const struct ipc_port *port)
{
	return (mach_port_status_t){
		.mps_pset = !list_is_empty(&port->sets),
		.mps_seqno = port->seqno,
		.mps_mscount = port->mscount,
		.mps_qlimit = port->qlimit,
		.mps_msgcount = port->msgcount,
		.mps_sorights = port->sorights,
		.mps_srights = port->srights > 0,
		.mps_pdrequest = port->port_destroyed != NULL,
		.mps_nsrequest = port->no_senders != NULL,
		.mps_flags = status_flags(port),
	};
}

/* How many integers a flavor needs; 0: there is no such flavor. */
static uint32_t
flavor_count(uint64_t flavor)
{
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
	case MACH_PORT_DNREQUESTS_SIZE:
		return 1;
	case MACH_PORT_RECEIVE_STATUS:
		return MACH_PORT_RECEIVE_STATUS_COUNT;
	case MACH_PORT_INFO_EXT:
		return MACH_PORT_INFO_EXT_COUNT;
	default:
		return 0;
	}
}

static kern_return_t
trap_get_attributes(struct syscall *call)
{
	const uint64_t flavor = call->frame->args[2];
	const uint32_t needed = flavor_count(flavor);
	struct ipc_space *space;
	struct ipc_port *port = NULL;
	mach_port_info_ext_t *info;
	kern_return_t kr = call_space(call, KERN_INVALID_ARGUMENT, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (flavor == MACH_PORT_SERVICE_THROTTLED) {
		kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_ARGUMENT, &port);
		return kr == KERN_SUCCESS ? KERN_INVALID_CAPABILITY : kr;
	}
	if (needed == 0)
		return KERN_INVALID_ARGUMENT;
	if (call->frame->args[3] < needed)
		return KERN_FAILURE;

	info = thread_output(call->thread, sizeof(*info));
	if (!info)
		return KERN_RESOURCE_SHORTAGE;
	call->result->bytes = info;
	if (!MACH_PORT_VALID(call_name(call, 1))) {
		if (flavor == MACH_PORT_LIMITS_INFO)
			return KERN_SUCCESS; /* count 0 */
		if (flavor != MACH_PORT_DNREQUESTS_SIZE)
			return KERN_INVALID_RIGHT;
		call->result->bytes_size = sizeof(natural_t);
		call->result->values[0] = call->frame->args[3];
		return KERN_SUCCESS;
	}
	kr = translate_receive(space, call_name(call, 1), &port);
	if (kr != KERN_SUCCESS)
		return kr;
	if (flavor == MACH_PORT_LIMITS_INFO)
		info->mpie_status.mps_pset = port->qlimit; /* the first and only integer */
	else if (flavor == MACH_PORT_DNREQUESTS_SIZE)
		info->mpie_status.mps_pset = port->request_count;
	else
		info->mpie_status = port_status(port);
	call->result->bytes_size = needed * (uint32_t)sizeof(natural_t);
	call->result->values[0] = needed;
	return KERN_SUCCESS;
}

static kern_return_t
trap_set_attributes(struct syscall *call)
{
	const uint64_t flavor = call->frame->args[2];
	struct ipc_space *space;
	struct ipc_port *port;
	natural_t qlimit = 0;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
		if (call->frame->args[3] < 1 || call->frame->bytes_size < sizeof(qlimit))
			return KERN_FAILURE;
		memcpy(&qlimit, call->frame->bytes, sizeof(qlimit));
		if (qlimit > QLIMIT_USER_MAX)
			return KERN_INVALID_VALUE;
		break;
	case MACH_PORT_DNREQUESTS_SIZE:
		if (call->frame->args[3] < 1)
			return KERN_FAILURE;
		break;
	case MACH_PORT_TEMPOWNER:
	case MACH_PORT_IMPORTANCE_RECEIVER:
	case MACH_PORT_DENAP_RECEIVER:
		break;
	default:
		return KERN_INVALID_ARGUMENT;
	}
	kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_TASK, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
		port->qlimit = qlimit;
		ipc_mqueue_admit(call->kernel, port);
		return KERN_SUCCESS;
	case MACH_PORT_DNREQUESTS_SIZE:
		return KERN_SUCCESS; /* tables grow by themselves */
	default:
		/* importance is policy: accepted, without effect, but not on special reply ports */
		return port->object.flags & IPC_PORT_SPECIAL_REPLY ? KERN_INVALID_ARGUMENT
								   : KERN_SUCCESS;
	}
}

static kern_return_t
trap_assert_attributes(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_port *port;
	uint64_t guard;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (call->frame->args[2] != MACH_PORT_GUARD_INFO)
		return KERN_INVALID_ARGUMENT;
	if (call->frame->args[3] < MACH_PORT_GUARD_INFO_COUNT ||
	    call->frame->bytes_size < sizeof(guard))
		return KERN_FAILURE;
	memcpy(&guard, call->frame->bytes, sizeof(guard));
	kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_TASK, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	return (port->object.flags & IPC_PORT_GUARDED) &&
		       (port->object.flags & IPC_PORT_STRICT_GUARD) && port->context == guard
		   ? KERN_SUCCESS
		   : KERN_INVALID_ARGUMENT;
}

/* ---- context and guards ------------------------------------------------------------------ */

static bool
is_strict(const struct ipc_port *port)
{
	return (port->object.flags & IPC_PORT_GUARDED) &&
	       (port->object.flags & IPC_PORT_STRICT_GUARD);
}

static kern_return_t
trap_get_context(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_ARGUMENT, &port);

	if (kr == KERN_SUCCESS)
		call->result->values[0] = is_strict(port) ? 0 : port->context;
	return kr;
}

static kern_return_t
trap_set_context(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_TASK, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (is_strict(port))
		return KERN_INVALID_ARGUMENT;
	port->context = call->frame->args[2];
	return KERN_SUCCESS;
}

static kern_return_t
trap_guard(struct syscall *call)
{
	const uint64_t flags = call->frame->args[3];
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_NAME, KERN_INVALID_TASK, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port->context != 0)
		return KERN_INVALID_ARGUMENT;
	port->context = call->frame->args[2];
	port->object.flags |= IPC_PORT_GUARDED;
	if (flags & MPG_STRICT)
		port->object.flags |= IPC_PORT_STRICT_GUARD;
	if (flags & MPG_IMMOVABLE_RECEIVE)
		port->object.flags |= IPC_PORT_IMMOVABLE;
	return KERN_SUCCESS;
}

static kern_return_t
trap_unguard(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_NAME, KERN_INVALID_TASK, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!(port->object.flags & IPC_PORT_GUARDED) || port->context != call->frame->args[2])
		return KERN_INVALID_ARGUMENT;
	port->context = 0;
	port->object.flags &= (uint8_t) ~(IPC_PORT_GUARDED | IPC_PORT_STRICT_GUARD);
	return KERN_SUCCESS;
}

static kern_return_t
trap_swap_guard(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_NAME, KERN_INVALID_TASK, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!(port->object.flags & IPC_PORT_GUARDED) || is_strict(port) ||
	    port->context != call->frame->args[2])
		return KERN_INVALID_ARGUMENT;
	port->context = call->frame->args[3];
	return KERN_SUCCESS;
}

/* ---- counters and peek ---------------------------------------------------------------------- */

static kern_return_t
trap_set_mscount(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_TASK, &port);

	if (kr == KERN_SUCCESS)
		port->mscount = (mach_port_mscount_t)call->frame->args[2];
	return kr;
}

static kern_return_t
trap_set_seqno(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_TASK, &port);

	if (kr == KERN_SUCCESS)
		port->seqno = (mach_port_seqno_t)call->frame->args[2];
	return kr;
}

static kern_return_t
trap_get_srights(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_NAME, KERN_INVALID_TASK, &port);

	if (kr == KERN_SUCCESS)
		call->result->values[0] = port->srights;
	return kr;
}

static kern_return_t
trap_peek(struct syscall *call)
{
	const mach_msg_option_t option =
	    (mach_msg_option_t)call->frame->args[2]; /* as for a receive */
	uint32_t seqno = (uint32_t)call->frame->args[3];
	struct ipc_space *space;
	struct ipc_port *port;
	uint8_t *output;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!MACH_PORT_VALID(call_name(call, 1)))
		return KERN_INVALID_RIGHT;
	if (GET_RCV_ELEMENTS(option) > MACH_RCV_TRAILER_AUDIT ||
	    ipc_kmsg_trailer_size(option) > call->frame->args[4])
		return KERN_INVALID_VALUE;
	kr = translate_receive(space, call_name(call, 1), &port);
	if (kr != KERN_SUCCESS)
		return kr;
	if (seqno == 0)
		seqno = port->seqno;
	if (seqno - port->seqno >= port->msgcount)
		return KERN_FAILURE;

	struct ipc_kmsg *kmsg = list_entry(list_first(&port->messages), struct ipc_kmsg, link);

	for (uint32_t skip = seqno - port->seqno; skip > 0; skip--)
		kmsg = list_entry(kmsg->link.next, struct ipc_kmsg, link);
	output = thread_output(call->thread, sizeof(mach_msg_max_trailer_t));
	if (!output)
		return KERN_RESOURCE_SHORTAGE;
	kmsg->seqno = seqno;

	uint32_t size = ipc_kmsg_add_trailer(kmsg, option, port->context, false);

	memcpy(output, kmsg->bytes + kmsg->bytes_size, size);
	((mach_msg_trailer_t *)(void *)output)->msgh_trailer_size = MACH_MSG_TRAILER_MINIMUM_SIZE;
	call->result->bytes = output;
	call->result->bytes_size = size;
	call->result->values[0] = seqno;
	call->result->values[1] = kmsg->size;
	call->result->values[2] = (uint32_t)ikm_header(kmsg)->msgh_id;
	call->result->values[3] = size;
	return KERN_SUCCESS;
}

/* ---- listings ------------------------------------------------------------------------------- */

static uint32_t
space_used_count(const struct ipc_space *space)
{
	return space->table_size - 1 - space->free_count;
}

static kern_return_t
trap_names(struct syscall *call)
{
	struct ipc_space *space;
	mach_port_name_t *names;
	mach_port_type_t *types;
	uint32_t count;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	count = space_used_count(space);
	if (count == 0)
		return KERN_SUCCESS;
	names = thread_output(call->thread, count * (sizeof(*names) + sizeof(*types)));
	if (!names)
		return KERN_RESOURCE_SHORTAGE;
	types = names + count;
	for (uint32_t i = 1, at = 0; i < space->table_size; i++) {
		const struct ipc_entry *entry = &space->table[i];

		if (ie_type(entry) == MACH_PORT_TYPE_NONE)
			continue;
		names[at] = ie_name(space, entry);
		types[at++] = ipc_right_type(space, entry);
	}
	call->result->bytes = names;
	call->result->bytes_size = count * (uint32_t)(sizeof(*names) + sizeof(*types));
	call->result->values[0] = count;
	return KERN_SUCCESS;
}

static kern_return_t
trap_type(struct syscall *call)
{
	const mach_port_name_t name = call_name(call, 1);
	struct ipc_space *space;
	struct ipc_entry *entry;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (name == MACH_PORT_DEAD) {
		call->result->values[0] = MACH_PORT_TYPE_DEAD_NAME;
		return KERN_SUCCESS;
	}
	entry = ipc_space_find(space, name);
	if (!entry)
		return KERN_INVALID_NAME;
	ipc_right_notice(space, entry);
	call->result->values[0] = ipc_right_type(space, entry) &
				  ~(MACH_PORT_TYPE_SPREQUEST | MACH_PORT_TYPE_SPREQUEST_DELAYED);
	return KERN_SUCCESS;
}

static kern_return_t
trap_kobject(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_entry *entry;
	kern_return_t kr = call_space(call, KERN_INVALID_ARGUMENT, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	entry = ipc_space_find(space, call_name(call, 1));
	if (!entry || ipc_right_notice(space, entry))
		return KERN_INVALID_NAME;
	if (!(ie_type(entry) & MACH_PORT_TYPE_SEND_RECEIVE))
		return KERN_INVALID_RIGHT;
	call->result->values[0] = entry->port->object.kobject;
	return KERN_SUCCESS;
}

static kern_return_t
trap_space_info(struct syscall *call)
{
	struct ipc_space *space;
	uint32_t count;
	uint32_t *row;
	kern_return_t kr = call_space(call, KERN_INVALID_ARGUMENT, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	count = space_used_count(space);
	call->result->values[0] = space->table_size;
	call->result->values[1] = space->table_size * 2 > IPC_ENTRY_TABLE_MAX
				      ? IPC_ENTRY_TABLE_MAX
				      : space->table_size * 2;
	call->result->values[2] = count;
	if (count == 0)
		return KERN_SUCCESS;
	row = thread_output(call->thread, (size_t)count * SPACE_INFO_ROW);
	if (!row)
		return KERN_RESOURCE_SHORTAGE;
	call->result->bytes = row;
	call->result->bytes_size = count * SPACE_INFO_ROW;
	for (uint32_t i = 1; i < space->table_size; i++) {
		const struct ipc_entry *entry = &space->table[i];
		mach_port_type_t type = ie_type(entry);

		if (type == MACH_PORT_TYPE_NONE)
			continue;
		row[0] = ie_name(space, entry);
		row[1] = 0; /* collision */
		row[2] = ipc_right_type(space, entry);
		row[3] = ie_urefs(entry);
		row[4] = type == MACH_PORT_TYPE_PORT_SET    ? (uint32_t)entry->pset->id
			 : type == MACH_PORT_TYPE_DEAD_NAME ? 0
							    : (uint32_t)entry->port->id;
		row[5] = 0; /* next */
		row[6] = 0; /* hash */
		row += SPACE_INFO_ROW / sizeof(*row);
	}
	return KERN_SUCCESS;
}

static kern_return_t
trap_dnrequest_info(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr = call_receive(call, KERN_INVALID_NAME, KERN_INVALID_TASK, &port);

	if (kr == KERN_SUCCESS) {
		call->result->values[0] = port->request_count;
		call->result->values[1] = port->request_used_count;
	}
	return kr;
}

syscall_function *
mach_port_attribute_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_PORT_GET_ATTRIBUTES:
		return trap_get_attributes;
	case BERTH_TRAP_PORT_SET_ATTRIBUTES:
		return trap_set_attributes;
	case BERTH_TRAP_PORT_ASSERT_ATTRIBUTES:
		return trap_assert_attributes;
	case BERTH_TRAP_PORT_GET_CONTEXT:
		return trap_get_context;
	case BERTH_TRAP_PORT_SET_CONTEXT:
		return trap_set_context;
	case BERTH_TRAP_PORT_GUARD:
		return trap_guard;
	case BERTH_TRAP_PORT_UNGUARD:
		return trap_unguard;
	case BERTH_TRAP_PORT_SWAP_GUARD:
		return trap_swap_guard;
	case BERTH_TRAP_PORT_SET_MSCOUNT:
		return trap_set_mscount;
	case BERTH_TRAP_PORT_SET_SEQNO:
		return trap_set_seqno;
	case BERTH_TRAP_PORT_GET_SRIGHTS:
		return trap_get_srights;
	case BERTH_TRAP_PORT_PEEK:
		return trap_peek;
	case BERTH_TRAP_PORT_NAMES:
		return trap_names;
	case BERTH_TRAP_PORT_TYPE:
		return trap_type;
	case BERTH_TRAP_PORT_KOBJECT:
		return trap_kobject;
	case BERTH_TRAP_PORT_SPACE_INFO:
		return trap_space_info;
	case BERTH_TRAP_PORT_DNREQUEST_INFO:
		return trap_dnrequest_info;
	default:
		return NULL;
	}
}
