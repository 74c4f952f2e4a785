/*
 * The traps on names and rights: what a frame says becomes objects, the routine is called
 * (mach_port.h), and what it gives goes into the caller's space or the result.
 *
 * Arguments and results of each: <berth/syscall_sw.h>.
 */
#include <string.h>

#include "ipc/ipc_notify.h"
#include "ipc/ipc_right.h"
#include "ipc/ipc_watch.h"
#include "ipc/mach_port.h"
#include "kern/guard.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"

/* The space of the task that argument 0 names; NULL for another kernel object. */
static kern_return_t
call_space(const struct syscall *call, struct ipc_space **space)
{
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr == KERN_SUCCESS)
		*space = convert_port_to_space(port);
	return kr;
}

/* ---- results -------------------------------------------------------------------------- */

/* @code, and @value with it if that is success. */
static kern_return_t
with_value(struct syscall *call, kern_return_t code, uint64_t value)
{
	call->result->values[0] = code == KERN_SUCCESS ? value : 0;
	return code;
}

/* A copy of @size bytes for the task. */
static kern_return_t
with_bytes(struct syscall *call, const void *bytes, uint32_t size)
{
	void *output;

	if (size == 0)
		return KERN_SUCCESS;
	output = thread_output(call->thread, size);
	if (!output)
		return KERN_RESOURCE_SHORTAGE;
	memcpy(output, bytes, size);
	call->result->bytes = output;
	call->result->bytes_size = size;
	return KERN_SUCCESS;
}

/* An array that the routine gave, for the task. */
static void
with_array(struct syscall *call, void *array, uint32_t size)
{
	if (!array)
		return;
	thread_output_take(call->thread, array, size);
	call->result->bytes = array;
	call->result->bytes_size = size;
}

/* ---- rights ---------------------------------------------------------------------------- */

/* The common case, name and poly the same in one's own task: a reference more, in place. */
static kern_return_t
insert_in_place(struct ipc_space *space, mach_port_name_t name, mach_msg_type_name_t disposition)
{
	struct ipc_entry *entry = ipc_space_find(space, name);
	struct ipc_port *port;

	if (!entry)
		return KERN_INVALID_NAME;
	if (ie_type(entry) == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_CAPABILITY;
	if (ie_type(entry) == MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	port = entry->port;
	if (!ip_active(port))
		return KERN_INVALID_CAPABILITY;
	if (!ipc_right_copyin_check(entry, disposition))
		return KERN_INVALID_RIGHT;

	struct ipc_port *right = disposition == MACH_MSG_TYPE_MAKE_SEND ? ipc_port_make_send(port)
									: ipc_port_copy_send(port);

	return ipc_right_copyout(space, right, MACH_MSG_TYPE_PORT_SEND, &name);
}

/* The right that the caller means by @name; NULL and IP_DEAD for 0 and DEAD. */
static kern_return_t
copyin_named(struct syscall *call, mach_port_name_t name, mach_msg_type_name_t disposition,
	     struct ipc_port **port)
{
	struct ipc_space *from = &call->caller->space;
	struct ipc_entry *entry;

	*port = name == MACH_PORT_DEAD ? IP_DEAD : NULL;
	if (!MACH_PORT_VALID(name))
		return KERN_SUCCESS;
	entry = ipc_space_find(from, name);
	if (!entry)
		return KERN_INVALID_NAME;
	if (!ipc_notify_reserve(call->kernel, 1))
		return KERN_RESOURCE_SHORTAGE;
	return ipc_right_copyin(from, entry, disposition, true, port);
}

static kern_return_t
insert_right(struct syscall *call, struct ipc_space *space)
{
	const mach_port_name_t name = call_arg32(call, 1);
	const mach_port_name_t poly_name = call_arg32(call, 2);
	const mach_msg_type_name_t disposition = call_arg32(call, 3);
	struct ipc_port *poly;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (space == &call->caller->space && name == poly_name && MACH_PORT_VALID(name) &&
	    (disposition == MACH_MSG_TYPE_MAKE_SEND || disposition == MACH_MSG_TYPE_COPY_SEND))
		return insert_in_place(space, name, disposition);
	if (!MACH_MSG_TYPE_PORT_ANY(disposition))
		return KERN_INVALID_RIGHT;
	kr = copyin_named(call, poly_name, disposition, &poly);
	if (kr != KERN_SUCCESS)
		return kr;
	/* from here on a failure consumes the right */
	kr = mach_port_insert_right(space, name, poly, disposition);
	if (kr != KERN_SUCCESS)
		ipc_port_release_right(call->kernel, poly, ipc_right_kind(disposition));
	return kr;
}

static kern_return_t
extract_right(struct syscall *call, struct ipc_space *space)
{
	struct ipc_port *poly;
	mach_msg_type_name_t poly_poly;
	mach_port_name_t name;
	kern_return_t kr = mach_port_extract_right(space, call_arg32(call, 1), call_arg32(call, 2),
						   &poly, &poly_poly);

	if (kr != KERN_SUCCESS)
		return kr;
	kr = ipc_right_copyout(&call->caller->space, poly, poly_poly, &name);
	call->result->values[1] = poly_poly;
	call->result->values[0] = name;
	return kr;
}

static kern_return_t
request_notification(struct syscall *call, struct ipc_space *space)
{
	const mach_msg_type_name_t disposition = call_arg32(call, 5);
	struct ipc_port *notify;
	struct ipc_port *previous;
	mach_port_name_t name;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (disposition != MACH_MSG_TYPE_MAKE_SEND_ONCE &&
	    disposition != MACH_MSG_TYPE_MOVE_SEND_ONCE)
		return KERN_INVALID_RIGHT;
	kr = copyin_named(call, call_arg32(call, 4), disposition, &notify);
	if (kr != KERN_SUCCESS)
		return kr;
	/* a name for what is replaced must be had before it is replaced */
	kr = ipc_space_reserve(&call->caller->space, 1);
	if (kr == KERN_SUCCESS)
		kr = mach_port_request_notification(space, call_arg32(call, 1),
						    (mach_msg_id_t)call_arg32(call, 2),
						    call_arg32(call, 3), notify, &previous);
	if (kr != KERN_SUCCESS) {
		ipc_port_release_send_once(call->kernel, notify);
		return kr;
	}
	kr = ipc_right_copyout(&call->caller->space, previous, MACH_MSG_TYPE_PORT_SEND_ONCE, &name);
	return with_value(call, kr, name);
}

/* ---- names ------------------------------------------------------------------------------ */

static kern_return_t
allocate_full(struct syscall *call, struct ipc_space *space)
{
	mach_port_qos_t qos = {
		.name = call->frame->args[3] & 1,
		.prealloc = (call->frame->args[3] >> 1) & 1,
		.len = call_arg32(call, 4),
	};
	mach_port_name_t name = call_arg32(call, 2);
	kern_return_t kr = mach_port_allocate_full(space, call_arg32(call, 1), NULL, &qos, &name);

	return with_value(call, kr, name);
}

static kern_return_t
construct(struct syscall *call, struct ipc_space *space)
{
	mach_port_options_t options = {
		.flags = call_arg32(call, 1),
		.mpl.mpl_qlimit = call_arg32(call, 2),
	};
	mach_port_name_t name = MACH_PORT_NULL;
	kern_return_t kr = mach_port_construct(space, &options, call->frame->args[3], &name);

	return with_value(call, kr, name);
}

static kern_return_t
get_attributes(struct syscall *call, struct ipc_space *space)
{
	const mach_port_flavor_t flavor = (mach_port_flavor_t)call_arg32(call, 2);
	integer_t info[MACH_PORT_INFO_EXT_COUNT];
	mach_msg_type_number_t count = call_arg32(call, 3);
	uint32_t filled = mach_port_flavor_count(flavor);
	kern_return_t kr =
	    mach_port_get_attributes(space, call_arg32(call, 1), flavor, info, &count);

	if (kr != KERN_SUCCESS)
		return kr;
	if (count < filled)
		filled = count;
	return with_value(call, with_bytes(call, info, filled * (uint32_t)sizeof(*info)), count);
}

typedef kern_return_t attributes_in(struct ipc_space *space, mach_port_name_t name,
				    mach_port_flavor_t flavor, integer_t *info,
				    mach_msg_type_number_t count);

/* What the frame brings counts, not what it says that it brings. */
static kern_return_t
take_attributes(struct syscall *call, struct ipc_space *space, attributes_in *routine)
{
	integer_t info[MACH_PORT_INFO_EXT_COUNT] = { 0 };
	uint32_t size = call->frame->bytes_size;
	mach_msg_type_number_t count = call_arg32(call, 3);

	if (size > sizeof(info))
		size = sizeof(info);
	if (size > 0)
		memcpy(info, call->frame->bytes, size);
	if (count > size / sizeof(*info))
		count = size / sizeof(*info);
	return routine(space, call_arg32(call, 1), (mach_port_flavor_t)call_arg32(call, 2), info,
		       count);
}

static kern_return_t
peek(struct syscall *call, struct ipc_space *space)
{
	mach_msg_max_trailer_t trailer;
	mach_port_seqno_t seqno = call_arg32(call, 3);
	mach_msg_type_number_t count = call_arg32(call, 4);
	mach_msg_size_t size;
	mach_msg_id_t id;
	kern_return_t kr = mach_port_peek(space, call_arg32(call, 1), call_arg32(call, 2), &seqno,
					  &size, &id, (char *)(void *)&trailer, &count);

	if (kr != KERN_SUCCESS)
		return kr;
	call->result->values[0] = seqno;
	call->result->values[1] = size;
	call->result->values[2] = (uint32_t)id;
	call->result->values[3] = count;
	return with_bytes(call, &trailer, count);
}

/* ---- listings ------------------------------------------------------------------------------ */

static kern_return_t
get_set_status(struct syscall *call, struct ipc_space *space)
{
	mach_port_name_t *members;
	mach_msg_type_number_t count;
	kern_return_t kr = mach_port_get_set_status(space, call_arg32(call, 1), &members, &count);

	if (kr != KERN_SUCCESS)
		return kr;
	with_array(call, members, count * (uint32_t)sizeof(*members));
	return with_value(call, kr, count);
}

static kern_return_t
names(struct syscall *call, struct ipc_space *space)
{
	mach_port_name_t *names;
	mach_port_type_t *types;
	mach_msg_type_number_t count;
	kern_return_t kr = mach_port_names(space, &names, &count, &types, &count);
	const uint32_t size = kr == KERN_SUCCESS ? count * (uint32_t)sizeof(*names) : 0;
	uint8_t *both;

	if (size == 0)
		return kr;
	both = kernel_memory_alloc_raw(call->kernel, 2 * (size_t)size);
	if (both) {
		memcpy(both, names, size);
		memcpy(both + size, types, size);
		with_array(call, both, 2 * size);
	}
	kernel_memory_free(call->kernel, names, size);
	kernel_memory_free(call->kernel, types, size);
	return both ? with_value(call, kr, count) : KERN_RESOURCE_SHORTAGE;
}

static kern_return_t
space_info(struct syscall *call, struct ipc_space *space)
{
	ipc_info_space_t info;
	ipc_info_name_t *table;
	ipc_info_tree_name_t *tree;
	mach_msg_type_number_t count, tree_count;
	kern_return_t kr = mach_port_space_info(space, &info, &table, &count, &tree, &tree_count);

	if (kr != KERN_SUCCESS)
		return kr;
	with_array(call, table, count * (uint32_t)sizeof(*table));
	call->result->values[0] = info.iis_table_size;
	call->result->values[1] = info.iis_table_next;
	call->result->values[2] = count;
	return KERN_SUCCESS;
}

static kern_return_t
dnrequest_info(struct syscall *call, struct ipc_space *space)
{
	unsigned total, used;
	kern_return_t kr = mach_port_dnrequest_info(space, call_arg32(call, 1), &total, &used);

	if (kr == KERN_SUCCESS) {
		call->result->values[0] = total;
		call->result->values[1] = used;
	}
	return kr;
}

/* ---- the table ---------------------------------------------------------------------------- */

static kern_return_t
mach_port_call(struct syscall *call, struct ipc_space *space)
{
	const uint64_t *args = call->frame->args;
	const mach_port_name_t name = call_arg32(call, 1);
	const uint32_t second = call_arg32(call, 2);
	mach_port_name_t made = MACH_PORT_NULL;
	uint32_t number = 0;
	uint64_t wide = 0;
	kern_return_t kr;

	switch (call->frame->number) {
	case BERTH_TRAP_PORT_ALLOCATE:
		kr = mach_port_allocate(space, name, &made);
		return with_value(call, kr, made);
	case BERTH_TRAP_PORT_ALLOCATE_NAME:
		/* one with a dead name's quirk is not told which name it got */
		return mach_port_allocate_name(space, name, second);
	case BERTH_TRAP_PORT_ALLOCATE_FULL:
		return allocate_full(call, space);
	case BERTH_TRAP_PORT_CONSTRUCT:
		return construct(call, space);
	case BERTH_TRAP_PORT_DESTRUCT:
		return mach_port_destruct(space, name, (mach_port_delta_t)second, args[3]);
	case BERTH_TRAP_PORT_DESTROY:
		return mach_port_destroy(space, name);
	case BERTH_TRAP_PORT_DEALLOCATE:
		return mach_port_deallocate(space, name);
	case BERTH_TRAP_PORT_GET_REFS:
		kr = mach_port_get_refs(space, name, second, &number);
		return with_value(call, kr, number);
	case BERTH_TRAP_PORT_MOD_REFS:
		return mach_port_mod_refs(space, name, second,
					  (mach_port_delta_t)call_arg32(call, 3));
	case BERTH_TRAP_PORT_INSERT_RIGHT:
		return insert_right(call, space);
	case BERTH_TRAP_PORT_EXTRACT_RIGHT:
		return extract_right(call, space);
	case BERTH_TRAP_PORT_INSERT_MEMBER:
		return mach_port_insert_member(space, name, second);
	case BERTH_TRAP_PORT_EXTRACT_MEMBER:
		return mach_port_extract_member(space, name, second);
	case BERTH_TRAP_PORT_MOVE_MEMBER:
		return mach_port_move_member(space, name, second);
	case BERTH_TRAP_PORT_GET_SET_STATUS:
		return get_set_status(call, space);
	case BERTH_TRAP_PORT_REQUEST_NOTIFICATION:
		return request_notification(call, space);
	case BERTH_TRAP_PORT_GET_ATTRIBUTES:
		return get_attributes(call, space);
	case BERTH_TRAP_PORT_SET_ATTRIBUTES:
		return take_attributes(call, space, mach_port_set_attributes);
	case BERTH_TRAP_PORT_ASSERT_ATTRIBUTES:
		return take_attributes(call, space, mach_port_assert_attributes);
	case BERTH_TRAP_PORT_GET_CONTEXT:
		kr = mach_port_get_context(space, name, &wide);
		return with_value(call, kr, wide);
	case BERTH_TRAP_PORT_SET_CONTEXT:
		return mach_port_set_context(space, name, args[2]);
	case BERTH_TRAP_PORT_GUARD:
		return mach_port_guard_with_flags(space, name, args[2], args[3]);
	case BERTH_TRAP_PORT_UNGUARD:
		return mach_port_unguard(space, name, args[2]);
	case BERTH_TRAP_PORT_SWAP_GUARD:
		return mach_port_swap_guard(space, name, args[2], args[3]);
	case BERTH_TRAP_PORT_SET_MSCOUNT:
		return mach_port_set_mscount(space, name, second);
	case BERTH_TRAP_PORT_SET_SEQNO:
		return mach_port_set_seqno(space, name, second);
	case BERTH_TRAP_PORT_GET_SRIGHTS:
		kr = mach_port_get_srights(space, name, &number);
		return with_value(call, kr, number);
	case BERTH_TRAP_PORT_PEEK:
		return peek(call, space);
	case BERTH_TRAP_PORT_NAMES:
		return names(call, space);
	case BERTH_TRAP_PORT_TYPE:
		kr = mach_port_type(space, name, &number);
		return with_value(call, kr, number);
	case BERTH_TRAP_PORT_KOBJECT:
		kr = mach_port_kobject(space, name, &number, &wide);
		return with_value(call, kr, number);
	case BERTH_TRAP_PORT_SPACE_INFO:
		return space_info(call, space);
	case BERTH_TRAP_PORT_DNREQUEST_INFO:
		return dnrequest_info(call, space);
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

static kern_return_t
trap_mach_port(struct syscall *call)
{
	struct ipc_space *space;
	kern_return_t kr = call_space(call, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	kr = mach_port_call(call, space);
	if (kr != KERN_SUCCESS && space == &call->caller->space)
		guard_refused(call, kr);
	return kr;
}

/* ---- traps on the caller's own names --------------------------------------------------------- */

static kern_return_t
trap_reply_port(struct syscall *call)
{
	struct ipc_space *space = &call->caller->space;
	mach_port_name_t name;
	kern_return_t kr = mach_port_allocate(space, MACH_PORT_RIGHT_RECEIVE, &name);

	if (kr == KERN_SUCCESS && (call->frame->args[0] & BERTH_REPLY_PORT_KEPT))
		ipc_space_find(space, name)->bits |= IE_KEPT;
	return with_value(call, kr, name);
}

static kern_return_t
trap_special_reply_port(struct syscall *call)
{
	struct thread *thread = call->thread->alias_of ? call->thread->alias_of : call->thread;
	struct ipc_space *space = &call->caller->space;
	mach_port_options_t options = { .flags = MPO_INSERT_SEND_RIGHT };
	mach_port_name_t name;
	kern_return_t kr = mach_port_construct(space, &options, 0, &name);

	if (kr != KERN_SUCCESS)
		return kr;

	struct ipc_port *port = ipc_space_find(space, name)->port;

	if (call->frame->args[0] & BERTH_REPLY_PORT_KEPT)
		ipc_space_find(space, name)->bits |= IE_KEPT;
	port->object.flags |= IPC_PORT_SPECIAL_REPLY;
	if (thread->special_reply_port) {
		thread->special_reply_port->object.flags &= (uint8_t)~IPC_PORT_SPECIAL_REPLY;
		ipc_port_unref(call->kernel, thread->special_reply_port);
	}
	thread->special_reply_port = ipc_port_ref(port);
	return with_value(call, kr, name);
}

static kern_return_t
trap_watch(struct syscall *call)
{
	struct ipc_entry *entry = ipc_space_find(&call->caller->space, call_arg32(call, 0));
	mach_port_type_t type = entry ? ie_type(entry) : MACH_PORT_TYPE_NONE;
	struct kernel_watch *watch;

	if (!(type & (MACH_PORT_TYPE_RECEIVE | MACH_PORT_TYPE_PORT_SET)))
		return KERN_INVALID_NAME;
	if (type & MACH_PORT_TYPE_RECEIVE)
		watch = ipc_watch_get(call->kernel, &entry->port->watch, entry->object,
				      !list_is_empty(&entry->port->messages));
	else
		watch = ipc_watch_get(call->kernel, &entry->pset->watch, entry->object,
				      !list_is_empty(&entry->pset->ready));
	if (!watch)
		return KERN_RESOURCE_SHORTAGE;
	call->result->watch = watch;
	return KERN_SUCCESS;
}

syscall_function *
mach_port_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_REPLY_PORT:
		return trap_reply_port;
	case BERTH_TRAP_GET_SPECIAL_REPLY_PORT:
		return trap_special_reply_port;
	case BERTH_TRAP_PORT_WATCH:
		return trap_watch;
	default:
		return number >= BERTH_TRAP_PORT_ALLOCATE &&
			       number <= BERTH_TRAP_PORT_DNREQUEST_INFO
			   ? trap_mach_port
			   : NULL;
	}
}
