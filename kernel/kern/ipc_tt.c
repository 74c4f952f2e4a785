#include "kern/ipc_tt.h"

#include <mach/task_special_ports.h>
#include <mach/thread_special_ports.h>

#include "kern/thread.h"

/* ---- from a port to its object --------------------------------------------------------------- */

void *
convert_port_to_kobject(struct ipc_port *port, enum ipc_kobject_kind kind)
{
	if (!ip_valid(port) || port->object.place != PORT_KERNEL || port->object.kobject != kind)
		return NULL;
	return port->kobject;
}

struct task *
convert_port_to_task(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_TASK);
}

struct thread *
convert_port_to_thread(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_THREAD);
}

struct ipc_space *
convert_port_to_space(struct ipc_port *port)
{
	struct task *task = convert_port_to_task(port);

	return task ? &task->space : NULL;
}

kern_return_t
kobject_from_name(struct task *caller, mach_port_name_t name, struct ipc_port **port)
{
	struct ipc_entry *entry =
	    MACH_PORT_VALID(name) ? ipc_space_find(&caller->space, name) : NULL;

	if (!entry || !(ie_type(entry) & MACH_PORT_TYPE_SEND) || !ip_active(entry->port))
		return MACH_SEND_INVALID_DEST;
	if (entry->port->object.place != PORT_KERNEL)
		return BERTH_TRAP_BY_MESSAGE;
	*port = entry->port;
	return KERN_SUCCESS;
}

/* ---- special ports -----------------------------------------------------------------------------
 */

kern_return_t
task_get_special_port(struct task *task, int which, struct ipc_port **port)
{
	if (!task)
		return KERN_INVALID_ARGUMENT;
	switch (which) {
	case TASK_KERNEL_PORT:
		*port = ipc_port_make_send(task->self_port);
		return KERN_SUCCESS;
	case TASK_HOST_PORT:
		*port = ipc_port_make_send(task->kernel->host_port);
		return KERN_SUCCESS;
	case TASK_NAME_PORT:
		*port = ipc_port_make_send(task->name_port);
		return KERN_SUCCESS;
	case TASK_BOOTSTRAP_PORT:
	case TASK_ACCESS_PORT:
	case TASK_DEBUG_CONTROL_PORT:
	case TASK_RESOURCE_NOTIFY_PORT:
		*port = ipc_port_copy_send(task->special[which]);
		return KERN_SUCCESS;
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

kern_return_t
task_set_special_port(struct task *task, int which, struct ipc_port *port)
{
	if (!task)
		return KERN_INVALID_ARGUMENT;
	switch (which) {
	case TASK_KERNEL_PORT:
	case TASK_HOST_PORT:
		return KERN_NO_ACCESS;
	case TASK_ACCESS_PORT:
		if (task->special[which])
			return KERN_NO_ACCESS;
		break;
	case TASK_BOOTSTRAP_PORT:
	case TASK_DEBUG_CONTROL_PORT:
	case TASK_RESOURCE_NOTIFY_PORT:
		break;
	default:
		return KERN_INVALID_ARGUMENT;
	}

	struct ipc_port *old = task->special[which];

	task->special[which] = port;
	ipc_port_release_send(task->kernel, old);
	return KERN_SUCCESS;
}

kern_return_t
task_resume2(struct ipc_port *token)
{
	return convert_port_to_kobject(token, IKOT_TASK_RESUME) ? KERN_SUCCESS
								: KERN_INVALID_ARGUMENT;
}

kern_return_t
thread_get_special_port(struct thread *thread, int which, struct ipc_port **port)
{
	struct ipc_port *own;

	if (!thread || which != THREAD_KERNEL_PORT)
		return KERN_INVALID_ARGUMENT;
	own = thread_port(thread);
	if (!own)
		return KERN_RESOURCE_SHORTAGE;
	*port = ipc_port_make_send(own);
	return KERN_SUCCESS;
}

kern_return_t
thread_set_special_port(struct thread *thread, int which, struct ipc_port *port)
{
	(void)port;
	return thread && which == THREAD_KERNEL_PORT ? KERN_NO_ACCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t
mach_ports_register(struct task *task, struct ipc_port **ports, mach_msg_type_number_t count)
{
	if (!task || count > TASK_REGISTERED_COUNT)
		return KERN_INVALID_ARGUMENT;
	for (uint32_t slot = 0; slot < TASK_REGISTERED_COUNT; slot++) {
		struct ipc_port *old = task->registered[slot];

		task->registered[slot] = slot < count ? ports[slot] : NULL;
		ipc_port_release_send(task->kernel, old);
	}
	return KERN_SUCCESS;
}

kern_return_t
mach_ports_lookup(struct task *task, struct ipc_port ***ports, mach_msg_type_number_t *count)
{
	struct ipc_port **rights;

	if (!task)
		return KERN_INVALID_ARGUMENT;
	rights = kernel_memory_alloc_raw(task->kernel, TASK_REGISTERED_COUNT * sizeof(*rights));
	if (!rights)
		return KERN_RESOURCE_SHORTAGE;
	for (uint32_t slot = 0; slot < TASK_REGISTERED_COUNT; slot++)
		rights[slot] = ipc_port_copy_send(task->registered[slot]);
	*ports = rights;
	*count = TASK_REGISTERED_COUNT;
	return KERN_SUCCESS;
}
