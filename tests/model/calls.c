/*
 * The calls on names and rights: mach-ports.md §9.1 to §9.11, §10.
 *
 * Arguments and values of each: <berth/syscall_sw.h>.
 */
#include <string.h>

#include "tests/model/model.h"

#define UREFS_MAX 65535
#define QLIMIT_MAX 1024u

/* mach-ports.md §9: the task argument */
static kern_return_t
task_argument(struct m_task *caller, mach_port_name_t name, bool read_only, struct m_task **task)
{
	struct m_port *port;
	kern_return_t kr = m_kobject_named(caller, name, &port);

	*task = NULL;
	if (kr != KERN_SUCCESS)
		return kr;
	if (port->kernel != M_OWNER_TASK)
		return read_only ? KERN_INVALID_ARGUMENT : KERN_INVALID_TASK;
	*task = port->kernel_task;
	return KERN_SUCCESS;
}

kern_return_t
m_kobject_named(struct m_task *task, mach_port_name_t name, struct m_port **port)
{
	struct m_entry *entry = m_entry_find(task, name);

	if (!entry || !(entry->type & MACH_PORT_TYPE_SEND) || !entry->port->alive)
		return MACH_SEND_INVALID_DEST;
	if (!entry->port->kernel)
		return BERTH_TRAP_BY_MESSAGE;
	*port = entry->port;
	return KERN_SUCCESS;
}

kern_return_t
m_translate(struct m_task *task, mach_port_name_t name, mach_port_type_t type,
	    struct m_entry **entry)
{
	struct m_entry *found = m_entry_find(task, name);

	if (!found || found->type == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_NAME;
	if ((found->type & MACH_PORT_TYPE_SEND_RIGHTS) && !found->port->alive)
		return KERN_INVALID_NAME;
	if (!(found->type & type))
		return KERN_INVALID_RIGHT;
	*entry = found;
	return KERN_SUCCESS;
}

/* ---- making: §9.1 to §9.4 --------------------------------------------------------------- */

static bool
may_be_allocated(uint32_t right)
{
	return right == MACH_PORT_RIGHT_RECEIVE || right == MACH_PORT_RIGHT_PORT_SET ||
	       right == MACH_PORT_RIGHT_DEAD_NAME;
}

static void
fill_entry(struct model *m, struct m_task *task, struct m_entry *entry, uint32_t right)
{
	entry->type = MACH_PORT_TYPE(right);
	if (right == MACH_PORT_RIGHT_RECEIVE)
		entry->port = m_port_new(m, task);
	else if (right == MACH_PORT_RIGHT_PORT_SET)
		entry->set = m_set_new(m, task);
	else
		entry->urefs = 1;
}

static kern_return_t
allocate(struct model *m, struct m_thread *thread, struct m_task *task, uint32_t right)
{
	struct m_entry *entry;

	if (!may_be_allocated(right))
		return KERN_INVALID_VALUE;
	entry = m_entry_fresh(m, task, (mach_port_name_t)thread->actual.values[0]);
	fill_entry(m, task, entry, right);
	thread->result.values[0] = entry->name;
	return KERN_SUCCESS;
}

/* A dead name gets another name than the one asked for, of which nobody is told. */
static kern_return_t
allocate_name(struct model *m, struct m_thread *thread, struct m_task *task, uint32_t right,
	      mach_port_name_t name, bool tells)
{
	struct m_entry *entry;
	kern_return_t kr;

	if (!MACH_PORT_VALID(name) || !may_be_allocated(right))
		return KERN_INVALID_VALUE;
	if (right == MACH_PORT_RIGHT_DEAD_NAME) {
		if (!tells)
			return KERN_NOT_SUPPORTED; /* never asked for: the driver would not know */
		return allocate(m, thread, task, right);
	}
	kr = m_name_check(task, name);
	if (kr != KERN_SUCCESS)
		return kr;
	if (m_entry_find(task, name))
		return KERN_NAME_EXISTS;
	entry = m_entry_fresh(m, task, name);
	fill_entry(m, task, entry, right);
	if (tells)
		thread->result.values[0] = name;
	return KERN_SUCCESS;
}

/* args: task, right, wanted name, qos flags (1 name, 2 prealloc), qos len */
static kern_return_t
allocate_full(struct model *m, struct m_thread *thread, struct m_task *task,
	      const struct m_call *call)
{
	const uint32_t right = (uint32_t)call->args[1];
	const mach_port_name_t name = (mach_port_name_t)call->args[2];

	if ((call->args[3] & 1) && !MACH_PORT_VALID(name))
		return KERN_INVALID_VALUE;
	if ((call->args[3] & 2) && right != MACH_PORT_RIGHT_RECEIVE)
		return KERN_INVALID_VALUE;
	if (call->args[3] & 1)
		return allocate_name(m, thread, task, right, name, true);
	return allocate(m, thread, task, right);
}

static uint32_t
bit_count(uint32_t bits)
{
	uint32_t count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count;
}

/* args: task, flags, qlimit, context */
static kern_return_t
construct(struct model *m, struct m_thread *thread, struct m_task *task, const struct m_call *call)
{
	const uint32_t flags = (uint32_t)call->args[1];
	const uint32_t qlimit = (uint32_t)call->args[2];
	struct m_entry *entry;
	struct m_port *port;

	if (bit_count(flags & (MPO_SERVICE_PORT | MPO_CONNECTION_PORT | MPO_TG_BLOCK_TRACKING)) > 1)
		return KERN_INVALID_ARGUMENT;
	if (bit_count(flags & (MPO_REPLY_PORT | MPO_ENFORCE_REPLY_PORT_SEMANTICS |
			       MPO_EXCEPTION_PORT | MPO_PROVISIONAL_REPLY_PORT)) > 1)
		return KERN_INVALID_ARGUMENT;
	if ((flags & MPO_QLIMIT) && qlimit > QLIMIT_MAX)
		return KERN_INVALID_VALUE;
	entry = m_entry_fresh(m, task, (mach_port_name_t)thread->actual.values[0]);
	port = entry->port = m_port_new(m, task);
	entry->type = MACH_PORT_TYPE_RECEIVE;
	port->context = call->args[3];
	if (flags & MPO_CONTEXT_AS_GUARD) {
		port->guarded = true;
		port->strict = (flags & MPO_STRICT) != 0;
		port->immovable = (flags & MPO_IMMOVABLE_RECEIVE) != 0;
	}
	if (flags & MPO_QLIMIT)
		port->qlimit = qlimit;
	if (flags & MPO_INSERT_SEND_RIGHT) {
		entry->type |= MACH_PORT_TYPE_SEND;
		entry->urefs = 1;
		port->mscount = 1;
	}
	thread->result.values[0] = entry->name;
	return KERN_SUCCESS;
}

/* ---- dropping: §9.5 to §9.9 --------------------------------------------------------------- */

/* args: task, name, srdelta, guard */
static kern_return_t
destruct(struct model *m, struct m_task *task, const struct m_call *call)
{
	const int32_t delta = (int32_t)call->args[2];
	struct m_entry *entry;
	struct m_port *port;

	if (!MACH_PORT_VALID((mach_port_name_t)call->args[1]))
		return KERN_INVALID_NAME;
	entry = m_entry_find(task, (mach_port_name_t)call->args[1]);
	if (!entry)
		return KERN_INVALID_NAME;
	if (!(entry->type & MACH_PORT_TYPE_RECEIVE))
		return KERN_INVALID_RIGHT;
	if (delta != 0 && !(entry->type & MACH_PORT_TYPE_SEND))
		return KERN_INVALID_RIGHT;
	if (delta > 0)
		return KERN_INVALID_VALUE;
	port = entry->port;
	if (port->guarded && port->context != call->args[3])
		return KERN_INVALID_ARGUMENT;
	if (delta != 0) {
		if ((uint32_t) - (int64_t)delta > entry->urefs)
			return KERN_INVALID_VALUE;
		m_entry_drop_send(m, task, entry, (uint32_t)-delta);
	}
	m_entry_drop_receive(m, task, entry);
	return KERN_SUCCESS;
}

kern_return_t
m_call_destroy(struct model *m, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry;

	if (!MACH_PORT_VALID(name))
		return KERN_SUCCESS;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	if ((entry->type & MACH_PORT_TYPE_RECEIVE) && entry->port->guarded &&
	    entry->port->context != 0)
		return KERN_INVALID_RIGHT;
	m_entry_destroy(m, task, entry);
	return KERN_SUCCESS;
}

static kern_return_t
deallocate(struct model *m, struct m_task *task, mach_port_name_t name)
{
	struct m_entry *entry;

	if (!MACH_PORT_VALID(name))
		return KERN_SUCCESS;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	m_entry_notice(entry);
	if (entry->type & MACH_PORT_TYPE_SEND)
		m_entry_drop_send(m, task, entry, 1);
	else if (entry->type & MACH_PORT_TYPE_SEND_ONCE)
		m_entry_drop_send_once(m, task, entry);
	else if (entry->type & MACH_PORT_TYPE_DEAD_NAME)
		m_entry_drop_dead(m, task, entry, 1);
	else if (entry->type & MACH_PORT_TYPE_PORT_SET)
		m_entry_destroy(m, task, entry);
	else
		return KERN_INVALID_RIGHT;
	return KERN_SUCCESS;
}

static kern_return_t
get_refs(struct m_thread *thread, struct m_task *task, mach_port_name_t name, uint32_t right)
{
	struct m_entry *entry;

	if (right >= MACH_PORT_RIGHT_NUMBER)
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(name)) {
		if (right != MACH_PORT_RIGHT_SEND && right != MACH_PORT_RIGHT_SEND_ONCE)
			return KERN_INVALID_NAME;
		thread->result.values[0] = 1;
		return KERN_SUCCESS;
	}
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	m_entry_notice(entry);
	if (!(entry->type & MACH_PORT_TYPE(right)))
		return KERN_SUCCESS;
	thread->result.values[0] =
	    right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_DEAD_NAME ? entry->urefs : 1;
	return KERN_SUCCESS;
}

/* SEND and DEAD_NAME: KERN_SUCCESS, and whether something is to be dropped */
static kern_return_t
mod_count(struct m_entry *entry, int32_t delta, uint32_t *drop)
{
	*drop = 0;
	if (delta > UREFS_MAX || delta < -UREFS_MAX)
		return KERN_INVALID_VALUE;
	if (delta >= 0) {
		if (delta > 0)
			entry->urefs = m_urefs_add(entry->urefs, (uint32_t)delta);
		return KERN_SUCCESS;
	}
	if ((uint32_t)-delta > entry->urefs)
		return KERN_INVALID_VALUE;
	*drop = (uint32_t)-delta;
	return KERN_SUCCESS;
}

static kern_return_t
mod_refs(struct model *m, struct m_task *task, mach_port_name_t name, uint32_t right, int32_t delta)
{
	struct m_entry *entry;
	uint32_t drop;
	kern_return_t kr;

	if (right >= MACH_PORT_RIGHT_NUMBER)
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(name))
		return right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_SEND_ONCE
			   ? KERN_SUCCESS
			   : KERN_INVALID_NAME;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	/* what is not held is refused before anything is looked at */
	if (right == MACH_PORT_RIGHT_DEAD_NAME || (entry->type & MACH_PORT_TYPE(right)))
		m_entry_notice(entry);
	if (right == MACH_PORT_RIGHT_LABELH || !(entry->type & MACH_PORT_TYPE(right)))
		return KERN_INVALID_RIGHT;
	if (right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_DEAD_NAME) {
		kr = mod_count(entry, delta, &drop);
		if (drop && right == MACH_PORT_RIGHT_SEND)
			m_entry_drop_send(m, task, entry, drop);
		else if (drop)
			m_entry_drop_dead(m, task, entry, drop);
		return kr;
	}
	if (delta == 0)
		return KERN_SUCCESS;
	if (delta != -1)
		return KERN_INVALID_VALUE;
	if (right == MACH_PORT_RIGHT_SEND_ONCE) {
		m_entry_drop_send_once(m, task, entry);
	} else if (right == MACH_PORT_RIGHT_PORT_SET) {
		m_entry_destroy(m, task, entry);
	} else {
		if (entry->port->guarded)
			return KERN_INVALID_RIGHT;
		m_entry_drop_receive(m, task, entry);
	}
	return KERN_SUCCESS;
}

/* ---- putting in and taking out: §9.10, §9.11 ------------------------------------------------ */

static kern_return_t
insert_in_place(struct m_task *task, mach_port_name_t name, uint32_t disposition)
{
	struct m_entry *entry = m_entry_find(task, name);

	if (!entry)
		return KERN_INVALID_NAME;
	if (entry->type == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_CAPABILITY;
	if (entry->type == MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	if (!entry->port->alive)
		return KERN_INVALID_CAPABILITY;
	if (!(entry->type & (disposition == MACH_MSG_TYPE_MAKE_SEND ? MACH_PORT_TYPE_RECEIVE
								    : MACH_PORT_TYPE_SEND)))
		return KERN_INVALID_RIGHT;
	if (disposition == MACH_MSG_TYPE_MAKE_SEND)
		entry->port->mscount++;
	if (!(entry->type & MACH_PORT_TYPE_SEND))
		entry->urefs = 0;
	entry->type |= MACH_PORT_TYPE_SEND;
	entry->urefs = m_urefs_add(entry->urefs, 1);
	return KERN_SUCCESS;
}

/* Steps 4 to 8; the right is the caller's, who destroys it. */
static kern_return_t
insert_copied(struct model *m, struct m_task *task, mach_port_name_t name, struct m_right *right)
{
	struct m_entry *entry, *other = NULL;
	kern_return_t kr;

	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_VALUE;
	if (!right->kind || !right->port->alive)
		return KERN_INVALID_CAPABILITY;
	kr = m_name_check(task, name);
	if (kr != KERN_SUCCESS)
		return kr;
	entry = m_entry_find(task, name);
	if (right->kind != MACH_MSG_TYPE_PORT_SEND_ONCE)
		other = m_entry_of_port(task, right->port);
	if (other && other != entry)
		return KERN_RIGHT_EXISTS;
	if (entry && entry != other)
		return KERN_NAME_EXISTS;
	if (!entry)
		entry = m_entry_fresh(m, task, name);
	if (right->kind == MACH_MSG_TYPE_PORT_RECEIVE) {
		right->port->receiver = task;
		right->port->carrier = NULL;
	}
	m_copyout_entry(entry, right);
	return KERN_SUCCESS;
}

static kern_return_t
insert_named(struct model *m, struct m_thread *thread, struct m_task *task, mach_port_name_t name,
	     uint32_t disposition, struct m_right *right)
{
	const mach_port_name_t poly = right->name;
	kern_return_t kr;

	if (MACH_PORT_VALID(poly)) {
		if (!m_entry_find(thread->task, poly))
			return MACH_MSG_TYPE_PORT_ANY(disposition) ? KERN_INVALID_NAME
								   : KERN_INVALID_RIGHT;
		kr = m_copyin(m, thread->task, poly, disposition, right);
		if (kr != KERN_SUCCESS)
			return kr;
	} else if (!MACH_MSG_TYPE_PORT_ANY(disposition)) {
		return KERN_INVALID_RIGHT;
	}
	kr = insert_copied(m, task, name, right);
	if (kr != KERN_SUCCESS)
		m_right_destroy(m, right);
	return kr;
}

/* args: task, name, poly, disposition */
static kern_return_t
insert_right(struct model *m, struct m_thread *thread, struct m_task *task,
	     const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	const mach_port_name_t poly = (mach_port_name_t)call->args[2];
	const uint32_t disposition = (uint32_t)call->args[3];
	struct m_right right = m_right_null(poly);
	kern_return_t kr;

	if (task == thread->task && name == poly && MACH_PORT_VALID(name) &&
	    (disposition == MACH_MSG_TYPE_MAKE_SEND || disposition == MACH_MSG_TYPE_COPY_SEND))
		return insert_in_place(task, name, disposition);
	m_list_add(m, &m->held, &right); /* it counts while it is on its way */
	kr = insert_named(m, thread, task, name, disposition, &right);
	m_list_remove(&m->held, &right);
	return kr;
}

/* args: task, name, disposition.  values: poly, disposition as received */
static kern_return_t
extract_right(struct model *m, struct m_thread *thread, struct m_task *task,
	      const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	const uint32_t disposition = (uint32_t)call->args[2];
	struct m_right right = m_right_null(0);
	kern_return_t kr;

	if (!MACH_MSG_TYPE_PORT_ANY(disposition))
		return KERN_INVALID_VALUE;
	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_RIGHT;
	m_list_add(m, &m->held, &right);
	kr = m_copyin(m, task, name, disposition, &right);
	m_list_remove(&m->held, &right);
	if (kr != KERN_SUCCESS)
		return kr;
	thread->result.values[0] =
	    m_copyout(m, thread->task, &right, (mach_port_name_t)thread->actual.values[0]);
	thread->result.values[1] = disposition == MACH_MSG_TYPE_MOVE_RECEIVE
				       ? MACH_MSG_TYPE_PORT_RECEIVE
				   : disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE ||
					   disposition == MACH_MSG_TYPE_MAKE_SEND_ONCE
				       ? MACH_MSG_TYPE_PORT_SEND_ONCE
				       : MACH_MSG_TYPE_PORT_SEND;
	return KERN_SUCCESS;
}

/* ---- self and reply ports: §10 ------------------------------------------------------------- */

mach_port_name_t
m_give_send(struct model *m, struct m_thread *thread, struct m_port *port)
{
	struct m_right right = { MACH_MSG_TYPE_PORT_SEND, 0, port };
	mach_port_name_t name =
	    m_copyout(m, thread->task, &right, (mach_port_name_t)thread->actual.values[0]);

	thread->result.values[0] = name;
	return name;
}

static void
reply_port(struct model *m, struct m_thread *thread, bool special)
{
	struct m_entry *entry =
	    m_entry_fresh(m, thread->task, (mach_port_name_t)thread->actual.values[0]);

	entry->port = m_port_new(m, thread->task);
	entry->type = MACH_PORT_TYPE_RECEIVE;
	thread->result.values[0] = entry->name;
	if (!special)
		return;
	entry->type |= MACH_PORT_TYPE_SEND;
	entry->urefs = 1;
	entry->port->mscount = 1;
	entry->port->special = true;
	if (thread->special_reply)
		thread->special_reply->special = false;
	thread->special_reply = entry->port;
}

static bool
self_call(struct model *m, struct m_thread *thread, uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_REPLY_PORT:
		reply_port(m, thread, false);
		return true;
	case BERTH_TRAP_GET_SPECIAL_REPLY_PORT:
		reply_port(m, thread, true);
		return true;
	case BERTH_TRAP_TASK_SELF:
		m_give_send(m, thread, thread->task->port);
		return true;
	case BERTH_TRAP_THREAD_SELF:
		m_give_send(m, thread, thread->port);
		return true;
	case BERTH_TRAP_HOST_SELF:
		m_give_send(m, thread, m->host);
		return true;
	default:
		return false;
	}
}

/* ---- all ------------------------------------------------------------------------------------ */

static kern_return_t
rights_call(struct model *m, struct m_thread *thread, struct m_task *task,
	    const struct m_call *call, bool *known)
{
	const uint64_t *args = call->args;
	const mach_port_name_t name = (mach_port_name_t)args[1];

	*known = true;
	switch (call->number) {
	case BERTH_TRAP_PORT_ALLOCATE:
		return allocate(m, thread, task, (uint32_t)args[1]);
	case BERTH_TRAP_PORT_ALLOCATE_NAME:
		return allocate_name(m, thread, task, (uint32_t)args[1], (mach_port_name_t)args[2],
				     false);
	case BERTH_TRAP_PORT_ALLOCATE_FULL:
		return allocate_full(m, thread, task, call);
	case BERTH_TRAP_PORT_CONSTRUCT:
		return construct(m, thread, task, call);
	case BERTH_TRAP_PORT_DESTRUCT:
		return destruct(m, task, call);
	case BERTH_TRAP_PORT_DESTROY:
		return m_call_destroy(m, task, name);
	case BERTH_TRAP_PORT_DEALLOCATE:
		return deallocate(m, task, name);
	case BERTH_TRAP_PORT_GET_REFS:
		return get_refs(thread, task, name, (uint32_t)args[2]);
	case BERTH_TRAP_PORT_MOD_REFS:
		return mod_refs(m, task, name, (uint32_t)args[2], (int32_t)args[3]);
	case BERTH_TRAP_PORT_INSERT_RIGHT:
		return insert_right(m, thread, task, call);
	case BERTH_TRAP_PORT_EXTRACT_RIGHT:
		return extract_right(m, thread, task, call);
	case BERTH_TRAP_PORT_REQUEST_NOTIFICATION:
		return m_call_request_notification(m, thread, task, call);
	default:
		*known = false;
		return KERN_SUCCESS;
	}
}

bool
m_call(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	struct m_task *task;
	bool known = true;
	kern_return_t kr;

	thread->done = true;
	if (self_call(m, thread, call->number) || m_call_timer(m, thread, call) ||
	    m_call_semaphore(m, thread, call) || m_call_voucher(m, thread, call) ||
	    m_call_holding(m, thread, call) || m_call_exception(m, thread, call) ||
	    m_call_suspension(m, thread, call) || m_call_fileport(m, thread, call))
		return true;
	kr = task_argument(thread->task, (mach_port_name_t)call->args[0],
			   call->number == BERTH_TRAP_PORT_GET_ATTRIBUTES ||
			       call->number == BERTH_TRAP_PORT_GET_SET_STATUS ||
			       call->number == BERTH_TRAP_PORT_KOBJECT ||
			       call->number == BERTH_TRAP_PORT_SPACE_INFO ||
			       call->number == BERTH_TRAP_PORT_GET_CONTEXT,
			   &task);
	if (kr == KERN_SUCCESS) {
		kr = rights_call(m, thread, task, call, &known);
		if (!known)
			kr = m_call_sets(m, thread, task, call, &known);
		if (!known)
			kr = m_call_attributes(m, thread, task, call, &known);
		if (!known)
			kr = m_call_looking(m, thread, task, call, &known);
	}
	thread->result.code = kr;
	return known;
}
