/*
 * Rights that the kernel itself holds, of which all but those of exceptions are here: special
 * and registered ports, ports of the host, vouchers of threads.  mach-kobjects.md §3, §10.
 */
#include <string.h>

#include <mach/host_special_ports.h>
#include <mach/mach_voucher_types.h>
#include <mach/mig_errors.h>
#include <mach/task_special_ports.h>
#include <mach/thread_special_ports.h>

#include "tests/model/model.h"

#define EUID 1 /* in a token */

enum {
	HOST_GET_SPECIAL = 412,
	HOST_SET_SPECIAL,
	PORTS_REGISTER = 3403,
	PORTS_LOOKUP,
	TASK_GET_SPECIAL = 3409,
	TASK_SET_SPECIAL,
	THREAD_GET_SPECIAL = 3610,
	THREAD_SET_SPECIAL,
	THREAD_GET_VOUCHER = 3625,
	THREAD_SET_VOUCHER
};

void
m_hold(struct model *m, struct m_right *place, struct m_right right)
{
	struct m_right old = *place;

	m_list_remove(&m->held, place);
	*place = right;
	if (right.kind)
		m_list_add(m, &m->held, place);
	m_right_destroy(m, &old);
}

struct m_right
m_held_copy(const struct m_right *place)
{
	if (place->kind && !place->port->alive)
		return m_right_null(MACH_PORT_DEAD);
	return *place;
}

void
m_release_all(struct model *m, struct m_right *places, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		m_hold(m, &places[i], m_right_null(0));
}

/* A right that came in is the kernel's; the descriptor has it no more. */
static void
hold_given(struct model *m, struct m_right *place, struct m_right *given)
{
	struct m_right right = *given;

	*given = m_right_null(0);
	m_hold(m, place, right);
}

kern_return_t
m_task_named(struct m_thread *thread, mach_port_name_t name, struct m_task **task)
{
	struct m_port *port;
	kern_return_t kr = m_kobject_named(thread->task, name, &port);

	*task = NULL;
	if (kr == KERN_SUCCESS && port->kernel == M_OWNER_TASK)
		*task = port->kernel_task;
	return kr;
}

/* ---- special ports of tasks: §3.1 ------------------------------------------------------------ */

static bool
may_be_set(uint32_t which)
{
	return which == TASK_BOOTSTRAP_PORT || which == TASK_ACCESS_PORT ||
	       which == TASK_DEBUG_CONTROL_PORT || which == TASK_RESOURCE_NOTIFY_PORT;
}

static struct m_right
send_right(struct m_port *port)
{
	return (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0, port };
}

static kern_return_t
special_get(struct model *m, struct m_task *task, uint32_t which, struct m_right *right)
{
	if (!task)
		return KERN_INVALID_ARGUMENT;
	if (which == TASK_KERNEL_PORT)
		*right = send_right(task->port);
	else if (which == TASK_HOST_PORT)
		*right = send_right(m->host);
	else if (which == TASK_NAME_PORT)
		*right = send_right(task->name_port);
	else if (may_be_set(which))
		*right = m_held_copy(&task->special[which]);
	else
		return KERN_INVALID_ARGUMENT;
	return KERN_SUCCESS;
}

static kern_return_t
special_set(struct model *m, struct m_task *task, uint32_t which, struct m_right *right)
{
	struct m_right *place;

	if (!task)
		return KERN_INVALID_ARGUMENT;
	if (which == TASK_KERNEL_PORT || which == TASK_HOST_PORT)
		return KERN_NO_ACCESS;
	if (!may_be_set(which))
		return KERN_INVALID_ARGUMENT;
	place = &task->special[which];
	if (which == TASK_ACCESS_PORT && (place->kind || place->name))
		return KERN_NO_ACCESS;
	hold_given(m, place, right);
	return KERN_SUCCESS;
}

/* ---- registered ports: §3.2 ------------------------------------------------------------------ */

static kern_return_t
ports_register(struct model *m, struct m_task *task, struct m_right *rights, uint32_t count)
{
	struct m_right old[M_REGISTERED];

	if (!task || count > M_REGISTERED)
		return KERN_INVALID_ARGUMENT;
	/* all of them are there before any of the old ones goes */
	for (uint32_t i = 0; i < M_REGISTERED; i++) {
		m_list_remove(&m->held, &task->registered[i]);
		old[i] = task->registered[i];
		task->registered[i] = m_right_null(0);
		if (i < count)
			hold_given(m, &task->registered[i], &rights[i]);
	}
	for (uint32_t i = 0; i < M_REGISTERED; i++)
		m_right_destroy(m, &old[i]);
	return KERN_SUCCESS;
}

/* ---- the host's: §3.1, last line ---------------------------------------------------------------
 */

/* The privileged port; the host's own will do for root, and for whose name server lives. */
bool
m_rules_host(const struct model *m, const struct m_rpc *rpc)
{
	const enum m_owner kind = rpc->request->dest.port->kernel;
	const uint32_t uid = rpc->thread->task->token.val[EUID];
	const struct m_task *first = &m->tasks[0];

	return kind == M_OWNER_HOST_PRIV ||
	       (kind == M_OWNER_HOST &&
		(uid == 0 || (first->alive && uid == first->token.val[EUID])));
}

static kern_return_t
host_get(struct model *m, struct m_rpc *rpc)
{
	const uint32_t which = m_rpc_word(rpc, 1); /* behind the node, of which there is one */

	if (!m_rpc_shape(rpc, 0, 0, 2))
		return MIG_BAD_ARGUMENTS;
	if (!m_rules_host(m, rpc) || which >= M_HOST_SPECIAL)
		return KERN_INVALID_ARGUMENT;
	m_rpc_answer(rpc, which == HOST_PORT        ? send_right(m->host)
			  : which == HOST_PRIV_PORT ? send_right(m->host_priv)
						    : m_held_copy(&m->host_special[which]));
	return KERN_SUCCESS;
}

static kern_return_t
host_set(struct model *m, struct m_rpc *rpc)
{
	const uint32_t which = m_rpc_word(rpc, 0);

	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_port_descriptor_t), 1))
		return MIG_BAD_ARGUMENTS;
	if (!m_rpc_right(rpc, 0))
		return MIG_TYPE_ERROR;
	if (!m_rules_host(m, rpc) || which <= HOST_MAX_SPECIAL_KERNEL_PORT ||
	    which >= M_HOST_SPECIAL)
		return KERN_INVALID_ARGUMENT;
	hold_given(m, &m->host_special[which], m_rpc_right(rpc, 0));
	return KERN_SUCCESS;
}

/* ---- threads: §3.1, §10
 * -------------------------------------------------------------------------- */

static struct m_thread *
asked_thread(const struct m_rpc *rpc)
{
	const struct m_port *port = rpc->request->dest.port;

	return port->kernel == M_OWNER_THREAD ? port->kernel_thread : NULL;
}

static kern_return_t
thread_get_special(struct m_rpc *rpc)
{
	const struct m_thread *thread = asked_thread(rpc);

	if (!m_rpc_shape(rpc, 0, 0, 1))
		return MIG_BAD_ARGUMENTS;
	if (!thread || m_rpc_word(rpc, 0) != THREAD_KERNEL_PORT)
		return KERN_INVALID_ARGUMENT;
	m_rpc_answer(rpc, send_right(thread->port));
	return KERN_SUCCESS;
}

static kern_return_t
thread_set_special(struct m_rpc *rpc)
{
	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_port_descriptor_t), 1))
		return MIG_BAD_ARGUMENTS;
	if (!m_rpc_right(rpc, 0))
		return MIG_TYPE_ERROR;
	if (!asked_thread(rpc) || m_rpc_word(rpc, 0) != THREAD_KERNEL_PORT)
		return KERN_INVALID_ARGUMENT;
	return KERN_NO_ACCESS;
}

static kern_return_t
thread_get_voucher(struct m_rpc *rpc)
{
	const struct m_thread *thread = asked_thread(rpc);

	if (!m_rpc_shape(rpc, 0, 0, 1))
		return MIG_BAD_ARGUMENTS;
	if (!thread)
		return KERN_INVALID_ARGUMENT;
	m_rpc_answer(rpc, thread->voucher);
	return KERN_SUCCESS;
}

static kern_return_t
thread_set_voucher(struct model *m, struct m_rpc *rpc)
{
	struct m_thread *thread = asked_thread(rpc);
	struct m_right *right;

	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_port_descriptor_t), 0))
		return MIG_BAD_ARGUMENTS;
	right = m_rpc_right(rpc, 0);
	if (!right)
		return MIG_TYPE_ERROR;
	if (thread != rpc->thread || right->name == MACH_PORT_DEAD ||
	    (right->kind && !right->port->voucher))
		return KERN_INVALID_ARGUMENT;
	hold_given(m, &thread->voucher, right);
	return KERN_SUCCESS;
}

/* ---- by message
 * ---------------------------------------------------------------------------------- */

static kern_return_t
rpc_register(struct model *m, struct m_rpc *rpc, struct m_task *task)
{
	struct m_descriptor *d = rpc->request->descriptors;

	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_ool_ports_descriptor_t), 1))
		return MIG_BAD_ARGUMENTS;
	if (d->type != MACH_MSG_OOL_PORTS_DESCRIPTOR || d->disposition != MACH_MSG_TYPE_PORT_SEND ||
	    d->count != m_rpc_word(rpc, 0))
		return MIG_TYPE_ERROR;
	return ports_register(m, task, d->rights, d->count);
}

static kern_return_t
rpc_lookup(struct model *m, struct m_rpc *rpc, struct m_task *task)
{
	struct m_descriptor *d;

	if (!m_rpc_shape(rpc, 0, 0, 0))
		return MIG_BAD_ARGUMENTS;
	if (!task)
		return KERN_INVALID_ARGUMENT;
	m_message_room(m, rpc->reply, 1);
	m_rpc_answer(rpc, m_right_null(0));
	d = rpc->reply->descriptors;
	d->type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
	d->count = M_REGISTERED;
	for (uint32_t i = 0; i < M_REGISTERED; i++)
		d->rights[i] = m_held_copy(&task->registered[i]);
	rpc->words[rpc->word_count++] = M_REGISTERED;
	return KERN_SUCCESS;
}

static kern_return_t
rpc_special_get(struct model *m, struct m_rpc *rpc, struct m_task *task)
{
	struct m_right right;
	kern_return_t kr;

	if (!m_rpc_shape(rpc, 0, 0, 1))
		return MIG_BAD_ARGUMENTS;
	kr = special_get(m, task, m_rpc_word(rpc, 0), &right);
	if (kr == KERN_SUCCESS)
		m_rpc_answer(rpc, right);
	return kr;
}

static kern_return_t
rpc_special_set(struct model *m, struct m_rpc *rpc, struct m_task *task)
{
	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_port_descriptor_t), 1))
		return MIG_BAD_ARGUMENTS;
	if (!m_rpc_right(rpc, 0))
		return MIG_TYPE_ERROR;
	return special_set(m, task, m_rpc_word(rpc, 0), m_rpc_right(rpc, 0));
}

kern_return_t
m_rpc_holding(struct model *m, struct m_rpc *rpc)
{
	const struct m_port *port = rpc->request->dest.port;
	struct m_task *task = port->kernel == M_OWNER_TASK ? port->kernel_task : NULL;

	switch (rpc->request->id) {
	case HOST_GET_SPECIAL:
		return host_get(m, rpc);
	case HOST_SET_SPECIAL:
		return host_set(m, rpc);
	case PORTS_REGISTER:
		return rpc_register(m, rpc, task);
	case PORTS_LOOKUP:
		return rpc_lookup(m, rpc, task);
	case TASK_GET_SPECIAL:
		return rpc_special_get(m, rpc, task);
	case TASK_SET_SPECIAL:
		return rpc_special_set(m, rpc, task);
	case THREAD_GET_SPECIAL:
		return thread_get_special(rpc);
	case THREAD_SET_SPECIAL:
		return thread_set_special(rpc);
	case THREAD_GET_VOUCHER:
		return thread_get_voucher(rpc);
	case THREAD_SET_VOUCHER:
		return thread_set_voucher(m, rpc);
	default:
		return MIG_BAD_ID;
	}
}

/* ---- by trap
 * ------------------------------------------------------------------------------------- */

/* A copy of the send right that a trap names; as a message would take it. */
static kern_return_t
copy_in(struct model *m, struct m_task *caller, uint64_t name, struct m_right *right)
{
	*right = m_right_null((mach_port_name_t)name);
	if (!MACH_PORT_VALID(right->name))
		return KERN_SUCCESS;
	return m_copyin(m, caller, right->name, MACH_MSG_TYPE_COPY_SEND, right)
		   ? MACH_SEND_INVALID_RIGHT
		   : KERN_SUCCESS;
}

/* args: task, which.  values: name */
static kern_return_t
trap_special_get(struct model *m, struct m_thread *thread, const struct m_call *call,
		 struct m_task *task)
{
	struct m_right right;
	kern_return_t kr = special_get(m, task, (uint32_t)call->args[1], &right);

	if (kr == KERN_SUCCESS)
		thread->result.values[0] =
		    m_copyout(m, thread->task, &right, (mach_port_name_t)thread->actual.values[0]);
	return kr;
}

/* args: task, which, name */
static kern_return_t
trap_special_set(struct model *m, struct m_thread *thread, const struct m_call *call,
		 struct m_task *task)
{
	struct m_right right;
	kern_return_t kr = copy_in(m, thread->task, call->args[2], &right);

	if (kr != KERN_SUCCESS)
		return kr;
	kr = special_set(m, task, (uint32_t)call->args[1], &right);
	m_right_destroy(m, &right);
	return kr;
}

/* args: task, count, name, name, name */
static kern_return_t
trap_register(struct model *m, struct m_thread *thread, const struct m_call *call,
	      struct m_task *task)
{
	const uint32_t count = (uint32_t)call->args[1];
	struct m_right rights[M_REGISTERED] = { { 0 } };
	kern_return_t kr = KERN_SUCCESS;

	/* as in a message, what is no right is found before the routine counts */
	for (uint32_t i = 0; kr == KERN_SUCCESS && i < count && i < M_REGISTERED; i++)
		kr = copy_in(m, thread->task, call->args[2 + i], &rights[i]);
	if (kr == KERN_SUCCESS)
		kr = ports_register(m, task, rights, count);
	for (uint32_t i = 0; i < M_REGISTERED; i++)
		m_right_destroy(m, &rights[i]);
	return kr;
}

/* args: task.  values: three names */
static kern_return_t
trap_lookup(struct model *m, struct m_thread *thread, struct m_task *task)
{
	if (!task)
		return KERN_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < M_REGISTERED; i++) {
		struct m_right right = m_held_copy(&task->registered[i]);

		thread->result.values[i] =
		    m_copyout(m, thread->task, &right, (mach_port_name_t)thread->actual.values[i]);
	}
	return KERN_SUCCESS;
}

bool
m_call_holding(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	struct m_task *task;
	kern_return_t kr;

	if (call->number < BERTH_TRAP_TASK_GET_SPECIAL_PORT ||
	    call->number > BERTH_TRAP_PORTS_LOOKUP)
		return false;
	kr = m_task_named(thread, (mach_port_name_t)call->args[0], &task);
	if (kr == KERN_SUCCESS && call->number == BERTH_TRAP_TASK_GET_SPECIAL_PORT)
		kr = trap_special_get(m, thread, call, task);
	else if (kr == KERN_SUCCESS && call->number == BERTH_TRAP_TASK_SET_SPECIAL_PORT)
		kr = trap_special_set(m, thread, call, task);
	else if (kr == KERN_SUCCESS && call->number == BERTH_TRAP_PORTS_REGISTER)
		kr = trap_register(m, thread, call, task);
	else if (kr == KERN_SUCCESS)
		kr = trap_lookup(m, thread, task);
	thread->result.code = kr;
	return true;
}
