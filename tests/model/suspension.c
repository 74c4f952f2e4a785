/*
 * How often a task is suspended, and by how many tokens: send-once rights to one port of the
 * task, each of which counts for as long as it is anywhere.  mach-kobjects.md §2.1, §7.
 */
#include <string.h>

#include <mach/mig_errors.h>

#include "tests/model/model.h"

#define PID 5 /* in a token of identity */

static uint32_t
suspend_count(const struct model *m, const struct m_task *task)
{
	return task->suspends + m_port_sorights(m, task->token_port);
}

void
m_token_ended(struct model *m, struct m_port *port)
{
	struct m_task *task = port->kernel_task;

	if (port->kernel == M_OWNER_TOKEN && suspend_count(m, task) == 0)
		task->resumed = true;
}

/* task_resume2(): the right that it came by ends with the request, whatever is said. */
kern_return_t
m_rpc_token(struct m_rpc *rpc)
{
	if (!m_rpc_shape(rpc, 0, 0, 0))
		return MIG_BAD_ARGUMENTS;
	return rpc->request->dest.port->kernel == M_OWNER_TOKEN ? KERN_SUCCESS
								: KERN_INVALID_ARGUMENT;
}

/* args: task or its name port.  values: enum berth_task_value.  bytes: audit_token_t */
static kern_return_t
process(struct model *m, struct m_thread *thread, const struct m_port *port)
{
	struct m_result *result = &thread->result;
	const struct m_task *task = port->kernel_task;

	if (port->kernel != M_OWNER_TASK && port->kernel != M_OWNER_TASK_NAME)
		return KERN_INVALID_ARGUMENT;
	result->values[BERTH_TASK_PID] = task->token.val[PID];
	result->values[BERTH_TASK_IS_CONTROL] = port->kernel == M_OWNER_TASK;
	result->values[BERTH_TASK_SUSPEND_COUNT] = suspend_count(m, task);
	memcpy(result->bytes, &task->token, sizeof task->token);
	result->bytes_size = sizeof task->token;
	return KERN_SUCCESS;
}

static kern_return_t
suspend_call(struct model *m, struct m_thread *thread, const struct m_call *call,
	     struct m_task *task)
{
	struct m_right token;

	if (!task)
		return KERN_INVALID_ARGUMENT;
	switch (call->number) {
	case BERTH_TRAP_TASK_SUSPEND:
		task->suspends++;
		break;
	case BERTH_TRAP_TASK_RESUME:
		if (task->suspends == 0)
			return KERN_FAILURE;
		task->suspends--;
		break;
	default: /* BERTH_TRAP_TASK_SUSPEND2 */
		token = (struct m_right){ MACH_MSG_TYPE_PORT_SEND_ONCE, 0, task->token_port };
		thread->result.values[0] =
		    m_copyout(m, thread->task, &token, (mach_port_name_t)thread->actual.values[0]);
		return KERN_SUCCESS;
	}
	thread->result.values[0] = suspend_count(m, task);
	return KERN_SUCCESS;
}

/* args: name.  Any port of a task will do. */
static kern_return_t
identity(struct m_thread *thread, const struct m_call *call)
{
	const bool wants_pid = call->number == BERTH_TRAP_PID_FOR_TASK;
	struct m_port *port;
	kern_return_t kr = m_kobject_named(thread->task, (mach_port_name_t)call->args[0], &port);

	if (kr != KERN_SUCCESS ||
	    (port->kernel != M_OWNER_TASK && port->kernel != M_OWNER_TASK_NAME))
		return wants_pid ? KERN_FAILURE : KERN_SUCCESS;
	thread->result.values[0] =
	    wants_pid ? port->kernel_task->token.val[PID] : port->kernel_task == thread->task;
	return KERN_SUCCESS;
}

bool
m_call_suspension(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[0];
	struct m_task *task;
	struct m_port *port;
	kern_return_t kr;

	switch (call->number) {
	case BERTH_TRAP_TASK_SUSPEND:
	case BERTH_TRAP_TASK_RESUME:
	case BERTH_TRAP_TASK_SUSPEND2:
		kr = m_task_named(thread, name, &task);
		if (kr == KERN_SUCCESS)
			kr = suspend_call(m, thread, call, task);
		break;
	case BERTH_TRAP_TASK_PROCESS:
		kr = m_kobject_named(thread->task, name, &port);
		if (kr == KERN_SUCCESS)
			kr = process(m, thread, port);
		break;
	case BERTH_TRAP_TASK_IS_SELF:
	case BERTH_TRAP_PID_FOR_TASK:
		kr = identity(thread, call);
		break;
	default:
		return false;
	}
	thread->result.code = kr;
	return true;
}
