/*
 * The mach_port_* calls, with the checks of mach-ports.md §9 in their order.
 *
 * Arguments and results of each: <berth/syscall_sw.h>.
 */
#include <mach/notify.h>

#include <mach/port.h>

#include "ipc/ipc_kobject.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_right.h"
#include "ipc/ipc_watch.h"
#include "ipc/mach_port.h"

#define QLIMIT_USER_MAX 1024u /* MACH_PORT_QLIMIT_MAX */

mach_port_name_t
call_name(const struct syscall *call, uint32_t index)
{
	return (mach_port_name_t)call->frame->args[index];
}

/* ---- arguments ------------------------------------------------------------------------- */

kern_return_t
call_space(const struct syscall *call, kern_return_t wrong_object, struct ipc_space **space)
{
	struct task *task;
	kern_return_t kr = task_from_name(call->caller, call_name(call, 0), wrong_object, &task);

	if (kr == KERN_SUCCESS)
		*space = &task->space;
	return kr;
}

/* The task and an entry of it; 0 and DEAD say @no_name. */
static kern_return_t
call_entry(const struct syscall *call, kern_return_t no_name, struct ipc_space **space,
	   struct ipc_entry **entry)
{
	mach_port_name_t name = call_name(call, 1);
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!MACH_PORT_VALID(name))
		return no_name;
	*entry = ipc_space_find(*space, name);
	return *entry ? KERN_SUCCESS : KERN_INVALID_NAME;
}

/* "Translate": the live receive right of @name. */
kern_return_t
translate_receive(const struct ipc_space *space, mach_port_name_t name, struct ipc_port **port)
{
	struct ipc_entry *entry = ipc_space_find(space, name);
	mach_port_type_t type = entry ? ie_type(entry) : MACH_PORT_TYPE_NONE;

	if (type == MACH_PORT_TYPE_NONE || type == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_NAME;
	if (type & MACH_PORT_TYPE_RECEIVE) {
		*port = entry->port;
		return KERN_SUCCESS;
	}
	if (type != MACH_PORT_TYPE_PORT_SET && !ip_active(entry->port))
		return KERN_INVALID_NAME;
	return KERN_INVALID_RIGHT;
}

kern_return_t
call_receive(const struct syscall *call, kern_return_t no_name, kern_return_t wrong_object,
	     struct ipc_port **port)
{
	struct ipc_space *space;
	kern_return_t kr = call_space(call, wrong_object, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!MACH_PORT_VALID(call_name(call, 1)))
		return no_name;
	return translate_receive(space, call_name(call, 1), port);
}

static kern_return_t
call_name_value(struct syscall *call, kern_return_t kr, mach_port_name_t name)
{
	call->result->values[0] = kr == KERN_SUCCESS ? name : MACH_PORT_NULL;
	return kr;
}

/* ---- making names ------------------------------------------------------------------------ */

static void
entry_becomes(struct ipc_entry *entry, mach_port_type_t type, uint32_t urefs)
{
	entry->bits = (entry->bits & ~(IE_TYPE_MASK | IE_UREFS_MASK)) | type | urefs;
}

static void
entry_takes_port(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port)
{
	entry->port = port;
	entry_becomes(entry, MACH_PORT_TYPE_RECEIVE, 0);
	port->object.place = PORT_IN_SPACE;
	port->receiver = space;
	port->receiver_name = ie_name(space, entry);
	space->port_count++;
	KERNEL_TRACE(space->kernel, .kind = TRACE_IPC_PORT_ALLOC, .name = port->receiver_name,
		     .port_id = port->id);
}

static bool
can_be_allocated(uint64_t right)
{
	return right == MACH_PORT_RIGHT_RECEIVE || right == MACH_PORT_RIGHT_PORT_SET ||
	       right == MACH_PORT_RIGHT_DEAD_NAME;
}

/*
 * A new right in @entry's place.  @space has room for one name; @wanted is its entry, or NULL
 * for a name that the space chooses.
 */
static kern_return_t
allocate_right(struct ipc_space *space, uint64_t right, struct ipc_entry *wanted,
	       mach_port_name_t *name)
{
	struct kernel *k = space->kernel;
	struct ipc_port *port = NULL;
	struct ipc_pset *pset = NULL;

	if (right == MACH_PORT_RIGHT_RECEIVE) {
		port = ipc_port_new(k, space->task->account);
		if (!port)
			return KERN_RESOURCE_SHORTAGE;
	} else if (right == MACH_PORT_RIGHT_PORT_SET) {
		pset = ipc_pset_new(k, space);
		if (!pset)
			return KERN_RESOURCE_SHORTAGE;
	}

	struct ipc_entry *entry = wanted ? wanted : ipc_entry_alloc(space, name);

	*name = ie_name(space, entry);
	if (port) {
		entry_takes_port(space, entry, port);
	} else if (pset) {
		entry->pset = pset;
		entry_becomes(entry, MACH_PORT_TYPE_PORT_SET, 0);
		pset->name = *name;
	} else {
		entry_becomes(entry, MACH_PORT_TYPE_DEAD_NAME, 1);
	}
	return KERN_SUCCESS;
}

static kern_return_t
allocate_anywhere(struct ipc_space *space, uint64_t right, mach_port_name_t *name)
{
	kern_return_t kr;

	*name = MACH_PORT_NULL;
	if (!can_be_allocated(right))
		return KERN_INVALID_VALUE;
	kr = ipc_space_reserve(space, 1);
	return kr == KERN_SUCCESS ? allocate_right(space, right, NULL, name) : kr;
}

static kern_return_t
allocate_named(struct ipc_space *space, uint64_t right, mach_port_name_t wanted,
	       mach_port_name_t *name)
{
	struct ipc_entry *entry;
	kern_return_t kr;

	*name = MACH_PORT_NULL;
	if (!MACH_PORT_VALID(wanted) || !can_be_allocated(right))
		return KERN_INVALID_VALUE;
	kr = ipc_entry_alloc_name(space, wanted, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	if (right == MACH_PORT_RIGHT_DEAD_NAME) {
		/* a quirk that programs may have met: dead names are made under another name */
		ipc_entry_free(space, entry);
		return allocate_anywhere(space, right, name);
	}
	kr = allocate_right(space, right, entry, name);
	if (kr != KERN_SUCCESS)
		ipc_entry_free(space, entry);
	return kr;
}

static kern_return_t
trap_allocate(struct syscall *call)
{
	struct ipc_space *space;
	mach_port_name_t name = MACH_PORT_NULL;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr == KERN_SUCCESS)
		kr = allocate_anywhere(space, call->frame->args[1], &name);
	return call_name_value(call, kr, name);
}

static kern_return_t
trap_allocate_name(struct syscall *call)
{
	struct ipc_space *space;
	mach_port_name_t name = MACH_PORT_NULL;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr == KERN_SUCCESS)
		kr = allocate_named(space, call->frame->args[1], call_name(call, 2), &name);
	return call_name_value(call, kr, name);
}

static kern_return_t
trap_allocate_full(struct syscall *call)
{
	const uint64_t right = call->frame->args[1];
	const bool named = call->frame->args[3] & 1;
	const bool prealloc = call->frame->args[3] & 2;
	struct ipc_space *space;
	mach_port_name_t name = MACH_PORT_NULL;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (named && !MACH_PORT_VALID(call_name(call, 2)))
		return KERN_INVALID_VALUE;
	if (prealloc && call->frame->args[4] > KMSG_SIZE_MAX)
		return KERN_RESOURCE_SHORTAGE;
	if (prealloc && right != MACH_PORT_RIGHT_RECEIVE)
		return KERN_INVALID_VALUE;
	kr = named ? allocate_named(space, right, call_name(call, 2), &name)
		   : allocate_anywhere(space, right, &name);
	return call_name_value(call, kr, name);
}

static bool
more_than_one(uint64_t bits)
{
	return (bits & (bits - 1)) != 0;
}

static kern_return_t
trap_construct(struct syscall *call)
{
	const uint64_t flags = call->frame->args[1];
	const uint64_t context = call->frame->args[3];
	struct ipc_space *space;
	mach_port_name_t name = MACH_PORT_NULL;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (more_than_one(flags &
			  (MPO_SERVICE_PORT | MPO_CONNECTION_PORT | MPO_TG_BLOCK_TRACKING)) ||
	    more_than_one(flags & (MPO_REPLY_PORT | MPO_ENFORCE_REPLY_PORT_SEMANTICS |
				   MPO_EXCEPTION_PORT | MPO_PROVISIONAL_REPLY_PORT)))
		return KERN_INVALID_ARGUMENT;
	if (flags & (MPO_TG_BLOCK_TRACKING | MPO_SERVICE_PORT))
		return KERN_DENIED;
	if ((flags & MPO_QLIMIT) && call->frame->args[2] > QLIMIT_USER_MAX)
		return KERN_INVALID_VALUE;
	kr = allocate_anywhere(space, MACH_PORT_RIGHT_RECEIVE, &name);
	if (kr != KERN_SUCCESS)
		return kr;

	struct ipc_entry *entry = ipc_space_find(space, name);
	struct ipc_port *port = entry->port;

	port->context = context;
	if (flags & MPO_CONTEXT_AS_GUARD) {
		port->object.flags |= IPC_PORT_GUARDED;
		if (flags & MPO_STRICT)
			port->object.flags |= IPC_PORT_STRICT_GUARD;
		if (flags & MPO_IMMOVABLE_RECEIVE)
			port->object.flags |= IPC_PORT_IMMOVABLE;
	}
	if (flags & MPO_QLIMIT)
		port->qlimit = (uint32_t)call->frame->args[2];
	if (flags & MPO_INSERT_SEND_RIGHT) {
		port->mscount++;
		port->srights++;
		entry_becomes(entry, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	}
	return call_name_value(call, kr, name);
}

static kern_return_t
trap_reply_port(struct syscall *call)
{
	struct ipc_space *space = &call->caller->space;
	mach_port_name_t name;
	kern_return_t kr = allocate_anywhere(space, MACH_PORT_RIGHT_RECEIVE, &name);

	if (kr == KERN_SUCCESS && (call->frame->args[0] & BERTH_REPLY_PORT_KEPT))
		ipc_space_find(space, name)->bits |= IE_KEPT;
	return call_name_value(call, kr, name);
}

static kern_return_t
trap_special_reply_port(struct syscall *call)
{
	struct thread *thread = call->thread->alias_of ? call->thread->alias_of : call->thread;
	struct ipc_space *space = &call->caller->space;
	mach_port_name_t name;
	kern_return_t kr = allocate_anywhere(space, MACH_PORT_RIGHT_RECEIVE, &name);

	if (kr != KERN_SUCCESS)
		return call_name_value(call, kr, MACH_PORT_NULL);

	struct ipc_entry *entry = ipc_space_find(space, name);
	struct ipc_port *port = entry->port;

	port->mscount++;
	port->srights++;
	entry_becomes(entry, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	port->object.flags |= IPC_PORT_SPECIAL_REPLY;
	if (thread->special_reply_port) {
		thread->special_reply_port->object.flags &= (uint8_t)~IPC_PORT_SPECIAL_REPLY;
		ipc_port_unref(call->kernel, thread->special_reply_port);
	}
	thread->special_reply_port = ipc_port_ref(port);
	return call_name_value(call, kr, name);
}

/* ---- dropping and counting ----------------------------------------------------------------- */

static kern_return_t
trap_destruct(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_entry *entry;
	kern_return_t kr = call_entry(call, KERN_INVALID_NAME, &space, &entry);

	if (kr != KERN_SUCCESS)
		return kr;
	return ipc_right_destruct(space, entry, (mach_port_delta_t)call->frame->args[2],
				  call->frame->args[3]);
}

static kern_return_t
trap_destroy(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_entry *entry = NULL;
	kern_return_t kr = call_entry(call, KERN_SUCCESS, &space, &entry);

	return kr == KERN_SUCCESS && entry ? ipc_right_destroy(space, entry, true) : kr;
}

static kern_return_t
trap_deallocate(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_entry *entry = NULL;
	kern_return_t kr = call_entry(call, KERN_SUCCESS, &space, &entry);

	return kr == KERN_SUCCESS && entry ? ipc_right_dealloc(space, entry) : kr;
}

/* 0 and DEAD count as one send or send-once right, whoever asks. */
static bool
is_send_right_number(uint64_t right)
{
	return right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_SEND_ONCE;
}

static kern_return_t
trap_get_refs(struct syscall *call)
{
	const uint64_t right = call->frame->args[2];
	struct ipc_space *space;
	struct ipc_entry *entry = NULL;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);
	mach_port_type_t type;

	if (kr != KERN_SUCCESS)
		return kr;
	if (right >= MACH_PORT_RIGHT_NUMBER)
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(call_name(call, 1))) {
		call->result->values[0] = is_send_right_number(right);
		return is_send_right_number(right) ? KERN_SUCCESS : KERN_INVALID_NAME;
	}
	kr = call_entry(call, KERN_INVALID_NAME, &space, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	ipc_right_notice(space, entry);
	type = ie_type(entry);
	if (type & MACH_PORT_TYPE((mach_port_right_t)right))
		call->result->values[0] =
		    right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_DEAD_NAME
			? ie_urefs(entry)
			: 1;
	return KERN_SUCCESS;
}

static kern_return_t
trap_mod_refs(struct syscall *call)
{
	const uint64_t right = call->frame->args[2];
	struct ipc_space *space;
	struct ipc_entry *entry;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (right >= MACH_PORT_RIGHT_NUMBER)
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(call_name(call, 1)))
		return is_send_right_number(right) ? KERN_SUCCESS : KERN_INVALID_NAME;
	kr = call_entry(call, KERN_INVALID_NAME, &space, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	return ipc_right_delta(space, entry, (mach_port_right_t)right,
			       (mach_port_delta_t)call->frame->args[3]);
}

/* ---- moving rights between spaces ------------------------------------------------------------ */

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

static kern_return_t
trap_insert_right(struct syscall *call)
{
	const mach_port_name_t name = call_name(call, 1);
	const mach_port_name_t poly = call_name(call, 2);
	const mach_msg_type_name_t disposition = (mach_msg_type_name_t)call->frame->args[3];
	struct ipc_space *from = &call->caller->space;
	struct ipc_space *space;
	struct ipc_entry *entry;
	struct ipc_port *port = poly == MACH_PORT_DEAD ? IP_DEAD : NULL;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (space == from && name == poly && MACH_PORT_VALID(name) &&
	    (disposition == MACH_MSG_TYPE_MAKE_SEND || disposition == MACH_MSG_TYPE_COPY_SEND))
		return insert_in_place(space, name, disposition);
	if (!MACH_MSG_TYPE_PORT_ANY(disposition))
		return KERN_INVALID_RIGHT;
	if (MACH_PORT_VALID(poly)) {
		entry = ipc_space_find(from, poly);
		if (!entry)
			return KERN_INVALID_NAME;
		if (!ipc_notify_reserve(call->kernel, 1))
			return KERN_RESOURCE_SHORTAGE;
		kr = ipc_right_copyin(from, entry, disposition, true, &port);
		if (kr != KERN_SUCCESS)
			return kr;
	}

	/* from here on a failure consumes the right */
	if (!MACH_PORT_VALID(name))
		kr = KERN_INVALID_VALUE;
	else if (!ip_valid(port))
		kr = KERN_INVALID_CAPABILITY;
	else
		kr = ipc_right_copyout_name(space, port, ipc_right_kind(disposition), name);
	if (kr != KERN_SUCCESS)
		ipc_port_release_right(call->kernel, port, ipc_right_kind(disposition));
	return kr;
}

static kern_return_t
trap_extract_right(struct syscall *call)
{
	const mach_msg_type_name_t disposition = (mach_msg_type_name_t)call->frame->args[2];
	struct ipc_space *space;
	struct ipc_entry *entry;
	struct ipc_port *port;
	mach_port_name_t name;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!MACH_MSG_TYPE_PORT_ANY(disposition))
		return KERN_INVALID_VALUE;
	kr = call_entry(call, KERN_INVALID_RIGHT, &space, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	if (!ipc_notify_reserve(call->kernel, 1))
		return KERN_RESOURCE_SHORTAGE;
	kr = ipc_right_copyin(space, entry, disposition, true, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = ipc_right_copyout(&call->caller->space, port, ipc_right_kind(disposition), &name);
	call->result->values[0] = name;
	call->result->values[1] = ipc_right_kind(disposition);
	return kr;
}

/* ---- port sets ------------------------------------------------------------------------------ */

/* member and set, looked up in this order */
static kern_return_t
call_member_and_set(struct syscall *call, struct ipc_space **space, struct ipc_port **port,
		    struct ipc_pset **pset)
{
	struct ipc_entry *entry;
	struct ipc_entry *set_entry;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!MACH_PORT_VALID(call_name(call, 1)) || !MACH_PORT_VALID(call_name(call, 2)))
		return KERN_INVALID_RIGHT;
	entry = ipc_space_find(*space, call_name(call, 1));
	set_entry = entry ? ipc_space_find(*space, call_name(call, 2)) : NULL;
	if (!set_entry)
		return KERN_INVALID_NAME;
	kr = translate_receive(*space, call_name(call, 1), port);
	if (kr != KERN_SUCCESS)
		return kr;
	if (ie_type(set_entry) != MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	*pset = set_entry->pset;
	return KERN_SUCCESS;
}

static kern_return_t
trap_insert_member(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_port *port;
	struct ipc_pset *pset;
	kern_return_t kr = call_member_and_set(call, &space, &port, &pset);

	return kr == KERN_SUCCESS ? ipc_pset_add(call->kernel, pset, port, space->task->account)
				  : kr;
}

static kern_return_t
trap_extract_member(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_port *port;
	struct ipc_pset *pset;
	kern_return_t kr = call_member_and_set(call, &space, &port, &pset);
	struct ipc_pset_link *link;

	if (kr != KERN_SUCCESS)
		return kr;
	link = ipc_pset_find_member(pset, port);
	if (!link)
		return KERN_NOT_IN_SET;
	ipc_pset_remove(call->kernel, link);
	return KERN_SUCCESS;
}

static kern_return_t
trap_move_member(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_port *port;
	struct ipc_pset *pset = NULL;
	kern_return_t kr;

	if (call_name(call, 2) != MACH_PORT_NULL) {
		kr = call_member_and_set(call, &space, &port, &pset);
		if (kr == KERN_SUCCESS)
			kr = ipc_pset_add(call->kernel, pset, port, space->task->account);
		if (kr != KERN_SUCCESS && kr != KERN_ALREADY_IN_SET)
			return kr;
		ipc_pset_remove_from_all(call->kernel, port, pset);
		return KERN_SUCCESS;
	}
	kr = call_receive(call, KERN_INVALID_RIGHT, KERN_INVALID_TASK, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	return ipc_pset_remove_from_all(call->kernel, port, NULL) ? KERN_SUCCESS : KERN_NOT_IN_SET;
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

static kern_return_t
trap_get_set_status(struct syscall *call)
{
	struct ipc_space *space;
	struct ipc_entry *entry;
	kern_return_t kr = call_space(call, KERN_INVALID_ARGUMENT, &space);
	mach_port_name_t *names;
	uint32_t count = 0;

	if (kr != KERN_SUCCESS)
		return kr;
	if (!MACH_PORT_VALID(call_name(call, 1)))
		return KERN_INVALID_RIGHT;
	entry = ipc_space_find(space, call_name(call, 1));
	if (!entry)
		return KERN_INVALID_NAME;
	if (ie_type(entry) != MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	if (entry->pset->member_count == 0)
		return KERN_SUCCESS;
	names = thread_output(call->thread, entry->pset->member_count * sizeof(*names));
	if (!names)
		return KERN_RESOURCE_SHORTAGE;
	LIST_FOR_EACH (link, &entry->pset->members, struct ipc_pset_link, in_set)
		names[count++] = link->port->receiver_name;
	sort_names(names, count);
	call->result->bytes = names;
	call->result->bytes_size = count * (uint32_t)sizeof(*names);
	call->result->values[0] = count;
	return KERN_SUCCESS;
}

/* ---- notifications ----------------------------------------------------------------------------
 */

static kern_return_t
request_port_destroyed(struct syscall *call, struct ipc_space *space, struct ipc_port *notify)
{
	struct ipc_entry *entry;
	struct ipc_port *port;

	if (call->frame->args[3] != 0)
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(call_name(call, 1)))
		return KERN_INVALID_RIGHT;
	entry = ipc_space_find(space, call_name(call, 1));
	if (!entry)
		return KERN_INVALID_NAME;
	if (!(ie_type(entry) & MACH_PORT_TYPE_RECEIVE))
		return KERN_INVALID_RIGHT;
	port = entry->port;
	if (port->object.flags & IPC_PORT_SPECIAL_REPLY)
		return KERN_INVALID_RIGHT;
	if (port->port_destroyed)
		return KERN_FAILURE;
	port->port_destroyed = notify;
	return KERN_SUCCESS;
}

static kern_return_t
request_no_senders(struct syscall *call, struct ipc_space *space, struct ipc_port *notify,
		   struct ipc_port **previous)
{
	const mach_port_mscount_t sync = (mach_port_mscount_t)call->frame->args[3];
	struct ipc_entry *entry;
	struct ipc_port *port;

	if (!MACH_PORT_VALID(call_name(call, 1)))
		return KERN_INVALID_RIGHT;
	entry = ipc_space_find(space, call_name(call, 1));
	if (!entry)
		return KERN_INVALID_NAME;
	if (!(ie_type(entry) & MACH_PORT_TYPE_RECEIVE))
		return KERN_INVALID_RIGHT;
	port = entry->port;
	*previous = port->no_senders;
	port->no_senders = NULL;
	if (notify && port->srights == 0 && sync <= port->mscount)
		ipc_notify_no_senders(call->kernel, notify, port->mscount);
	else
		port->no_senders = notify;
	return KERN_SUCCESS;
}

static kern_return_t
request_on_name(struct syscall *call, struct ipc_space *space, struct ipc_port *notify,
		struct ipc_port **previous)
{
	struct ipc_entry *entry;

	if (!MACH_PORT_VALID(call_name(call, 1)))
		return KERN_INVALID_ARGUMENT;
	entry = ipc_space_find(space, call_name(call, 1));
	if (!entry)
		return KERN_INVALID_NAME;
	return ipc_right_request(space, entry, (mach_msg_id_t)call->frame->args[2],
				 call->frame->args[3] != 0, notify, previous);
}

static kern_return_t
trap_request_notification(struct syscall *call)
{
	const mach_port_name_t notify_name = call_name(call, 4);
	const mach_msg_type_name_t disposition = (mach_msg_type_name_t)call->frame->args[5];
	struct ipc_space *from = &call->caller->space;
	struct ipc_space *space;
	struct ipc_port *notify = NULL;
	struct ipc_port *previous = NULL;
	struct ipc_entry *entry;
	mach_port_name_t previous_name;
	kern_return_t kr = call_space(call, KERN_INVALID_TASK, &space);

	if (kr != KERN_SUCCESS)
		return kr;
	if (disposition != MACH_MSG_TYPE_MAKE_SEND_ONCE &&
	    disposition != MACH_MSG_TYPE_MOVE_SEND_ONCE)
		return KERN_INVALID_RIGHT;
	if (MACH_PORT_VALID(notify_name)) {
		entry = ipc_space_find(from, notify_name);
		if (!entry)
			return KERN_INVALID_NAME;
		if (!ipc_notify_reserve(call->kernel, 1))
			return KERN_RESOURCE_SHORTAGE;
		kr = ipc_right_copyin(from, entry, disposition, true, &notify);
		if (kr != KERN_SUCCESS)
			return kr;
	} else if (notify_name == MACH_PORT_DEAD) {
		notify = IP_DEAD;
	}
	if (notify == IP_DEAD)
		return KERN_INVALID_CAPABILITY;

	/* a name for what is replaced must be had before it is replaced */
	kr = ipc_space_reserve(from, 1);
	if (kr == KERN_SUCCESS) {
		switch (call->frame->args[2]) {
		case MACH_NOTIFY_PORT_DESTROYED:
			kr = request_port_destroyed(call, space, notify);
			break;
		case MACH_NOTIFY_NO_SENDERS:
			kr = request_no_senders(call, space, notify, &previous);
			break;
		case MACH_NOTIFY_DEAD_NAME:
		case MACH_NOTIFY_SEND_POSSIBLE:
			kr = request_on_name(call, space, notify, &previous);
			break;
		default:
			kr = KERN_INVALID_VALUE;
			break;
		}
	}
	if (kr != KERN_SUCCESS) {
		ipc_port_release_send_once(call->kernel, notify);
		return kr;
	}
	kr = ipc_right_copyout(from, previous, MACH_MSG_TYPE_PORT_SEND_ONCE, &previous_name);
	return call_name_value(call, kr, previous_name);
}

/* ---- the table --------------------------------------------------------------------------------
 */

static kern_return_t
trap_watch(struct syscall *call)
{
	struct ipc_entry *entry = ipc_space_find(&call->caller->space, call_name(call, 0));
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
	case BERTH_TRAP_PORT_ALLOCATE:
		return trap_allocate;
	case BERTH_TRAP_PORT_ALLOCATE_NAME:
		return trap_allocate_name;
	case BERTH_TRAP_PORT_ALLOCATE_FULL:
		return trap_allocate_full;
	case BERTH_TRAP_PORT_CONSTRUCT:
		return trap_construct;
	case BERTH_TRAP_PORT_DESTRUCT:
		return trap_destruct;
	case BERTH_TRAP_PORT_DESTROY:
		return trap_destroy;
	case BERTH_TRAP_PORT_DEALLOCATE:
		return trap_deallocate;
	case BERTH_TRAP_PORT_GET_REFS:
		return trap_get_refs;
	case BERTH_TRAP_PORT_MOD_REFS:
		return trap_mod_refs;
	case BERTH_TRAP_PORT_INSERT_RIGHT:
		return trap_insert_right;
	case BERTH_TRAP_PORT_EXTRACT_RIGHT:
		return trap_extract_right;
	case BERTH_TRAP_PORT_INSERT_MEMBER:
		return trap_insert_member;
	case BERTH_TRAP_PORT_EXTRACT_MEMBER:
		return trap_extract_member;
	case BERTH_TRAP_PORT_MOVE_MEMBER:
		return trap_move_member;
	case BERTH_TRAP_PORT_GET_SET_STATUS:
		return trap_get_set_status;
	case BERTH_TRAP_PORT_REQUEST_NOTIFICATION:
		return trap_request_notification;
	case BERTH_TRAP_PORT_WATCH:
		return trap_watch;
	default:
		return mach_port_attribute_syscall(number);
	}
}
