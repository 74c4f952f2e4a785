/*
 * The traps on tasks: what a frame says becomes objects, the routine is called (ipc_tt.h), and
 * the rights that it gives go into the caller's space.
 */
#include "ipc/ipc_notify.h"
#include "ipc/ipc_right.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"
#include "kern/thread_control.h"

/* The task that argument 0 names; NULL for another kernel object. */
static kern_return_t
call_task(const struct syscall *call, struct task **task)
{
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr == KERN_SUCCESS)
		*task = convert_port_to_task(port);
	return kr;
}

/* ---- who one is --------------------------------------------------------------------------- */

static kern_return_t
trap_task_self(struct syscall *call)
{
	return call_give_send(call, ipc_port_make_send(call->caller->self_port), 0);
}

static kern_return_t
trap_thread_self(struct syscall *call)
{
	struct ipc_port *port = thread_port(call->thread);

	return port ? call_give_send(call, ipc_port_make_send(port), 0) : KERN_RESOURCE_SHORTAGE;
}

static kern_return_t
trap_host_self(struct syscall *call)
{
	return call_give_send(call, ipc_port_make_send(call->kernel->host_port), 0);
}

static kern_return_t
trap_task_is_self(struct syscall *call)
{
	struct ipc_port *port;

	if (kobject_from_name(call->caller, call_arg32(call, 0), &port) == KERN_SUCCESS)
		call->result->values[0] =
		    port == call->caller->self_port || port == call->caller->name_port;
	return KERN_SUCCESS;
}

static kern_return_t
trap_pid_for_task(struct syscall *call)
{
	struct ipc_port *port;

	if (kobject_from_name(call->caller, call_arg32(call, 0), &port) != KERN_SUCCESS)
		return KERN_FAILURE;
	if (port->object.kobject != IKOT_TASK && port->object.kobject != IKOT_TASK_NAME)
		return KERN_FAILURE;
	call->result->values[0] = kernel_task_pid(port->kobject);
	return KERN_SUCCESS;
}

/* ---- other tasks --------------------------------------------------------------------------- */

/*
 * KERN_SUCCESS            values: the name of the send right
 * KERN_FAILURE            no such task, or not for this caller
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE  no room for the name
 */
static kern_return_t
trap_task_for_pid(struct syscall *call)
{
	const struct task *subject = call->frame->subject;
	struct ipc_port *port;
	kern_return_t kr;

	if (!subject || subject->remnant)
		return KERN_FAILURE;
	port = call->frame->number == BERTH_TRAP_TASK_FOR_PID ? subject->self_port
							      : subject->name_port;
	kr = ipc_space_reserve(&call->caller->space, 1);
	return kr == KERN_SUCCESS ? call_give_send(call, ipc_port_make_send(port), 0) : kr;
}

static void
tell_process(struct trap_result *result, const struct task *task)
{
	result->values[BERTH_TASK_PID] = kernel_task_pid(task);
	result->values[BERTH_TASK_BIRTH] = task->birth;
	result->values[BERTH_TASK_SUSPEND_COUNT] = task->suspend_count;
}

/*
 * KERN_SUCCESS            values, and the task's audit token as bytes
 * KERN_INVALID_ARGUMENT   another kernel object
 * KERN_RESOURCE_SHORTAGE  no memory
 */
static kern_return_t
trap_task_process(struct syscall *call)
{
	struct trap_result *result = call->result;
	struct ipc_port *port;
	const struct task *task;
	audit_token_t *token;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port->object.kobject != IKOT_TASK && port->object.kobject != IKOT_TASK_NAME)
		return KERN_INVALID_ARGUMENT;
	task = port->kobject;
	token = thread_output(call->thread, sizeof(*token));
	if (!token)
		return KERN_RESOURCE_SHORTAGE;
	*token = task->token;
	result->bytes = token;
	result->bytes_size = sizeof(*token);
	tell_process(result, task);
	result->values[BERTH_TASK_IS_CONTROL] = port->object.kobject == IKOT_TASK;
	return KERN_SUCCESS;
}

/* KERN_SUCCESS and values; KERN_INVALID_ARGUMENT: another kernel object; KERN_TERMINATED. */
static kern_return_t
trap_thread_process(struct syscall *call)
{
	struct ipc_port *port;
	const struct thread *thread;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr != KERN_SUCCESS)
		return kr;
	thread = convert_port_to_thread(port);
	if (!thread)
		return KERN_INVALID_ARGUMENT;
	if (thread->is_terminated)
		return KERN_TERMINATED;
	tell_process(call->result, thread->task);
	call->result->values[BERTH_TASK_THREAD_WAITS] = thread_waits(thread);
	call->result->values[BERTH_TASK_THREAD] = thread->number;
	call->result->values[BERTH_TASK_THREAD_SUSPEND_COUNT] = thread->suspend_count;
	return KERN_SUCCESS;
}

/*
 * A send right for each thread; nested levels are no threads of their own.
 *
 * KERN_SUCCESS            bytes: the names; values: how many
 * KERN_INVALID_ARGUMENT   another kernel object
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE  no room for all: none is given
 */
static kern_return_t
trap_task_threads(struct syscall *call)
{
	struct task *task;
	mach_port_name_t *names;
	uint32_t count = 0, given = 0;
	kern_return_t kr = call_task(call, &task);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!task)
		return KERN_INVALID_ARGUMENT;
	LIST_FOR_EACH (thread, &task->threads, struct thread, link)
		count += thread->alias_of == NULL;
	if (count == 0)
		return KERN_SUCCESS;
	kr = ipc_space_reserve(&call->caller->space, count);
	if (kr != KERN_SUCCESS)
		return kr;
	names = thread_output(call->thread, count * sizeof(*names));
	if (!names)
		return KERN_RESOURCE_SHORTAGE;
	LIST_FOR_EACH (thread, &task->threads, struct thread, link)
		if (!thread->alias_of && !thread_port(thread))
			return KERN_RESOURCE_SHORTAGE;
	LIST_FOR_EACH (thread, &task->threads, struct thread, link) {
		if (thread->alias_of)
			continue;
		check(ipc_right_copyout(&call->caller->space, ipc_port_make_send(thread->self_port),
					MACH_MSG_TYPE_PORT_SEND, &names[given]) == KERN_SUCCESS);
		given++;
	}
	call->result->bytes = names;
	call->result->bytes_size = count * sizeof(*names);
	call->result->values[0] = count;
	return KERN_SUCCESS;
}

static uint32_t
task_token_count(const struct task *task)
{
	return task->resume_port ? task->resume_port->sorights : 0;
}

/*
 * KERN_SUCCESS           values: the new count
 * KERN_INVALID_ARGUMENT  another kernel object
 * KERN_FAILURE           it is not suspended, or by tokens alone; or too often
 */
static kern_return_t
trap_task_suspension(struct syscall *call)
{
	bool resumes = call->frame->number == BERTH_TRAP_TASK_RESUME;
	struct task *task;
	kern_return_t kr = call_task(call, &task);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!task)
		return KERN_INVALID_ARGUMENT;
	if (task->suspend_count == (resumes ? task_token_count(task) : TASK_SUSPEND_MAX))
		return KERN_FAILURE;
	task->suspend_count = resumes ? task->suspend_count - 1 : task->suspend_count + 1;
	call->result->values[0] = task->suspend_count;
	return KERN_SUCCESS;
}

/*
 * KERN_SUCCESS            values: the name of the token
 * KERN_INVALID_ARGUMENT   another kernel object
 * KERN_FAILURE            it is suspended too often
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE  no room for the token
 */
static kern_return_t
trap_task_suspend2(struct syscall *call)
{
	struct kernel *k = call->kernel;
	struct task *task;
	mach_port_name_t name;
	kern_return_t kr = call_task(call, &task);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!task)
		return KERN_INVALID_ARGUMENT;
	if (task->suspend_count == TASK_SUSPEND_MAX)
		return KERN_FAILURE;
	kr = ipc_space_reserve(&call->caller->space, 1);
	if (kr != KERN_SUCCESS)
		return kr;
	if (!ipc_notify_reserve(k, 1))
		return KERN_RESOURCE_SHORTAGE;
	/* stays for the next ones */
	if (!task->resume_port)
		task->resume_port = ipc_port_new_kernel(k, IKOT_TASK_RESUME, task);
	if (!task->resume_port)
		return KERN_RESOURCE_SHORTAGE;
	task->suspend_count++;
	kr = ipc_right_copyout(&call->caller->space, ipc_port_make_send_once(k, task->resume_port),
			       MACH_MSG_TYPE_PORT_SEND_ONCE, &name);
	call->result->values[0] = name;
	return kr;
}

/* ---- special ports --------------------------------------------------------------------------- */

static kern_return_t
trap_get_special_port(struct syscall *call)
{
	struct task *task;
	struct ipc_port *port;
	kern_return_t kr = call_task(call, &task);

	if (kr == KERN_SUCCESS)
		kr = task_get_special_port(task, (int)call_arg32(call, 1), &port);
	return kr == KERN_SUCCESS ? call_give_send(call, port, 0) : kr;
}

/* The send right that @name stands for, copied; NULL and IP_DEAD as they are. */
static kern_return_t
copy_send_right(struct syscall *call, mach_port_name_t name, struct ipc_port **port)
{
	struct ipc_entry *entry;

	*port = name == MACH_PORT_DEAD ? IP_DEAD : NULL;
	if (!MACH_PORT_VALID(name))
		return KERN_SUCCESS;
	entry = ipc_space_find(&call->caller->space, name);
	if (!entry || ipc_right_copyin(&call->caller->space, entry, MACH_MSG_TYPE_COPY_SEND, true,
				       port) != KERN_SUCCESS)
		return MACH_SEND_INVALID_RIGHT;
	return KERN_SUCCESS;
}

static kern_return_t
trap_set_special_port(struct syscall *call)
{
	struct task *task;
	struct ipc_port *port;
	kern_return_t kr = call_task(call, &task);

	if (kr == KERN_SUCCESS)
		kr = copy_send_right(call, call_arg32(call, 2), &port);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = task_set_special_port(task, (int)call_arg32(call, 1), port);
	if (kr != KERN_SUCCESS)
		ipc_port_release_send(call->kernel, port);
	return kr;
}

static kern_return_t
trap_ports_register(struct syscall *call)
{
	const uint32_t count = call_arg32(call, 1);
	struct ipc_port *ports[TASK_REGISTERED_COUNT] = { NULL };
	struct task *task;
	kern_return_t kr = call_task(call, &task);

	for (uint32_t i = 0; i < count && i < TASK_REGISTERED_COUNT && kr == KERN_SUCCESS; i++)
		kr = copy_send_right(call, call_arg32(call, 2 + i), &ports[i]);
	if (kr == KERN_SUCCESS)
		kr = mach_ports_register(task, ports, count);
	for (uint32_t i = 0; i < TASK_REGISTERED_COUNT && kr != KERN_SUCCESS; i++)
		ipc_port_release_send(call->kernel, ports[i]);
	return kr;
}

static kern_return_t
trap_ports_lookup(struct syscall *call)
{
	struct task *task;
	struct ipc_port **ports = NULL;
	mach_msg_type_number_t count = 0;
	kern_return_t kr = call_task(call, &task);

	if (kr == KERN_SUCCESS)
		kr = mach_ports_lookup(task, &ports, &count);
	for (uint32_t i = 0; i < count; i++)
		if (kr == KERN_SUCCESS)
			kr = call_give_send(call, ports[i], i);
		else
			ipc_port_release_send(call->kernel, ports[i]);
	kernel_memory_free(call->kernel, ports, count * sizeof(*ports));
	return kr;
}

syscall_function *
task_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_TASK_SELF:
		return trap_task_self;
	case BERTH_TRAP_THREAD_SELF:
		return trap_thread_self;
	case BERTH_TRAP_HOST_SELF:
		return trap_host_self;
	case BERTH_TRAP_TASK_IS_SELF:
		return trap_task_is_self;
	case BERTH_TRAP_PID_FOR_TASK:
		return trap_pid_for_task;
	case BERTH_TRAP_TASK_FOR_PID:
	case BERTH_TRAP_TASK_NAME_FOR_PID:
		return trap_task_for_pid;
	case BERTH_TRAP_TASK_PROCESS:
		return trap_task_process;
	case BERTH_TRAP_TASK_THREADS:
		return trap_task_threads;
	case BERTH_TRAP_THREAD_PROCESS:
		return trap_thread_process;
	case BERTH_TRAP_TASK_SUSPEND:
	case BERTH_TRAP_TASK_RESUME:
		return trap_task_suspension;
	case BERTH_TRAP_TASK_SUSPEND2:
		return trap_task_suspend2;
	case BERTH_TRAP_TASK_GET_SPECIAL_PORT:
		return trap_get_special_port;
	case BERTH_TRAP_TASK_SET_SPECIAL_PORT:
		return trap_set_special_port;
	case BERTH_TRAP_PORTS_REGISTER:
		return trap_ports_register;
	case BERTH_TRAP_PORTS_LOOKUP:
		return trap_ports_lookup;
	default:
		return NULL;
	}
}
