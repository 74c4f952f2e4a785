/*
 * Tasks: birth, special ports, death.
 */
#include "kern/task.h"

#include <mach/task_special_ports.h>

#include <string.h>

#include "ipc/ipc_right.h"
#include "kern/syscall.h"
#include "kern/thread.h"

/* ---- birth ------------------------------------------------------------------------------ */

static bool
inherits_special(uint32_t which)
{
	return which == TASK_BOOTSTRAP_PORT || which == TASK_ACCESS_PORT ||
	       which == TASK_DEBUG_CONTROL_PORT;
}

static void
task_inherit(struct task *task, const struct task *parent)
{
	for (uint32_t which = 0; which < TASK_SPECIAL_PORT_COUNT; which++)
		if (inherits_special(which))
			task->special[which] = ipc_port_copy_send(parent->special[which]);
	for (uint32_t slot = 0; slot < TASK_REGISTERED_COUNT; slot++)
		task->registered[slot] = ipc_port_copy_send(parent->registered[slot]);
}

/* The names that every task starts with: its own port, then the bootstrap port. */
static void
task_insert_first_names(struct task *task)
{
	struct ipc_port *bootstrap = ipc_port_copy_send(task->special[TASK_BOOTSTRAP_PORT]);
	mach_port_name_t name;

	check(ipc_right_copyout(&task->space, ipc_port_make_send(task->self_port),
				MACH_MSG_TYPE_PORT_SEND, &name) == KERN_SUCCESS);
	check(name == BERTH_NAME_TASK_SELF);
	ipc_space_find(&task->space, name)->bits |= IE_KEPT;
	if (!ip_valid(bootstrap))
		return;
	check(ipc_right_copyout(&task->space, bootstrap, MACH_MSG_TYPE_PORT_SEND, &name) ==
	      KERN_SUCCESS);
	check(name == BERTH_NAME_BOOTSTRAP);
	ipc_space_find(&task->space, name)->bits |= IE_KEPT;
}

struct task *
kernel_task_new(struct kernel *k, const audit_token_t *token, struct task *parent, void *host)
{
	struct task *task =
	    k->task_count < TASK_COUNT_MAX ? kernel_memory_alloc(k, sizeof(*task)) : NULL;

	if (!task)
		return NULL;
	task->kernel = k;
	task->host = host;
	task->token = *token;
	list_init(&task->threads);
	list_init(&task->link);
	task->account = account_new(k);
	task->self_port = ipc_port_new_kernel(k, IKOT_TASK, task);
	task->name_port = ipc_port_new_kernel(k, IKOT_TASK_NAME, task);
	if (!task->account || !task->self_port || !task->name_port ||
	    ipc_space_init(k, &task->space, task) != KERN_SUCCESS) {
		if (task->self_port)
			task->self_port->object.place = PORT_DEAD;
		if (task->name_port)
			task->name_port->object.place = PORT_DEAD;
		if (task->self_port)
			task->self_port->kobject = NULL;
		if (task->name_port)
			task->name_port->kobject = NULL;
		ipc_port_unref(k, task->self_port);
		ipc_port_unref(k, task->name_port);
		account_unref(task->account);
		kernel_memory_free(k, task, sizeof(*task));
		return NULL;
	}
	task->id = k->next_task_id++;
	if (!parent)
		parent = k->first_task;
	if (parent)
		task_inherit(task, parent);
	else
		k->first_task = task;
	task_insert_first_names(task);
	list_append(&k->tasks, &task->link);
	k->task_count++;
	KERNEL_TRACE(k, .kind = TRACE_TASK_NEW, .task_pid = token->val[TOKEN_PID]);
	return task;
}

void
kernel_task_set_token(struct task *task, const audit_token_t *token)
{
	task->token = *token;
}

void
kernel_task_set_label(struct task *task, const char *label)
{
	size_t length = strlen(label);

	if (length >= sizeof(task->label))
		length = sizeof(task->label) - 1;
	memset(task->label, 0, sizeof(task->label));
	memcpy(task->label, label, length);
}

void *
kernel_task_host(const struct task *task)
{
	return task->host;
}

uint32_t
kernel_task_pid(const struct task *task)
{
	return task->token.val[TOKEN_PID];
}

mach_port_name_t
kernel_task_bootstrap_name(const struct task *task)
{
	const struct ipc_port *port = task->special[TASK_BOOTSTRAP_PORT];

	if (!port)
		return MACH_PORT_NULL;
	return port == IP_DEAD ? MACH_PORT_DEAD : BERTH_NAME_BOOTSTRAP;
}

bool
kernel_task_has_bootstrap(const struct task *task)
{
	const struct ipc_port *port = task->special[TASK_BOOTSTRAP_PORT];

	return ip_valid(port) && ip_active(port);
}

/* ---- death ------------------------------------------------------------------------------ */

static void
kernel_port_dies(struct kernel *k, struct ipc_port **slot)
{
	struct ipc_port *port = *slot;

	if (!port)
		return;
	*slot = NULL;
	port->kobject = NULL;
	port->object.place = PORT_IN_LIMBO;
	ipc_port_destroy(k, port);
}

/* All but what a successor inherits. */
static void
task_terminate(struct kernel *k, struct task *task)
{
	struct list *first;

	while ((first = list_first(&task->threads)) != NULL)
		thread_destroy(k, list_entry(first, struct thread, link));
	if (task->space.active)
		ipc_space_terminate(&task->space);
	kernel_port_dies(k, &task->self_port);
	kernel_port_dies(k, &task->name_port);
}

void
task_exec(struct kernel *k, struct task *task)
{
	task_terminate(k, task);
	task->remnant = true;
	task->host = NULL;
}

void
task_died(struct kernel *k, struct task *task)
{
	KERNEL_TRACE(k, .kind = TRACE_TASK_DIED, .task_pid = task->token.val[TOKEN_PID]);
	task_terminate(k, task);
	for (uint32_t which = 0; which < TASK_SPECIAL_PORT_COUNT; which++)
		ipc_port_release_send(k, task->special[which]);
	for (uint32_t slot = 0; slot < TASK_REGISTERED_COUNT; slot++)
		ipc_port_release_send(k, task->registered[slot]);
	if (k->first_task == task)
		k->first_task = NULL;
	ipc_space_deinit(&task->space);
	account_unref(task->account);
	list_remove(&task->link);
	k->task_count--;
	kernel_memory_free(k, task, sizeof(*task));
}

void
ipc_space_terminate(struct ipc_space *space)
{
	space->active = false;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i < space->table_size; i++) {
			struct ipc_entry *entry = &space->table[i];
			mach_port_type_t type = ie_type(entry);

			if (type == MACH_PORT_TYPE_NONE)
				continue;
			if (round == 0 && !(type & MACH_PORT_TYPE_RECEIVE))
				continue;
			(void)ipc_right_destroy(space, entry, false);
		}
	}
}

/* ---- calls ------------------------------------------------------------------------------ */

/* A live send right to a kernel object, or what a message to that name would say. */
static kern_return_t
kobject_from_name(struct task *caller, mach_port_name_t name, struct ipc_port **port)
{
	struct ipc_entry *entry =
	    MACH_PORT_VALID(name) ? ipc_space_find(&caller->space, name) : NULL;

	if (!entry || !(ie_type(entry) & MACH_PORT_TYPE_SEND) || !ip_active(entry->port))
		return MACH_SEND_INVALID_DEST;
	*port = entry->port;
	return KERN_SUCCESS;
}

kern_return_t
task_from_name(struct task *caller, mach_port_name_t name, kern_return_t wrong_object,
	       struct task **task)
{
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(caller, name, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port->object.kobject != IKOT_TASK)
		return wrong_object;
	*task = port->kobject;
	return KERN_SUCCESS;
}

static kern_return_t
give_name(struct syscall *call, struct ipc_port *port, uint32_t value)
{
	mach_port_name_t name;
	kern_return_t kr =
	    ipc_right_copyout(&call->caller->space, port, MACH_MSG_TYPE_PORT_SEND, &name);

	call->result->values[value] = name;
	return kr;
}

static kern_return_t
trap_task_self(struct syscall *call)
{
	return give_name(call, ipc_port_make_send(call->caller->self_port), 0);
}

static kern_return_t
trap_thread_self(struct syscall *call)
{
	struct ipc_port *port = thread_port(call->thread);

	return port ? give_name(call, ipc_port_make_send(port), 0) : KERN_RESOURCE_SHORTAGE;
}

static kern_return_t
trap_host_self(struct syscall *call)
{
	return give_name(call, ipc_port_make_send(call->kernel->host_port), 0);
}

static kern_return_t
trap_task_is_self(struct syscall *call)
{
	struct ipc_port *port;

	if (kobject_from_name(call->caller, (mach_port_name_t)call->frame->args[0], &port) ==
	    KERN_SUCCESS)
		call->result->values[0] =
		    port == call->caller->self_port || port == call->caller->name_port;
	return KERN_SUCCESS;
}

static kern_return_t
trap_pid_for_task(struct syscall *call)
{
	struct ipc_port *port;

	if (kobject_from_name(call->caller, (mach_port_name_t)call->frame->args[0], &port) !=
	    KERN_SUCCESS)
		return KERN_FAILURE;
	if (port->object.kobject != IKOT_TASK && port->object.kobject != IKOT_TASK_NAME)
		return KERN_FAILURE;
	call->result->values[0] = kernel_task_pid(port->kobject);
	return KERN_SUCCESS;
}

static kern_return_t
trap_get_special_port(struct syscall *call)
{
	uint64_t which = call->frame->args[1];
	struct task *task;
	struct ipc_port *port = NULL;
	kern_return_t kr = task_from_name(call->caller, (mach_port_name_t)call->frame->args[0],
					  KERN_INVALID_ARGUMENT, &task);

	if (kr != KERN_SUCCESS)
		return kr;
	switch (which) {
	case TASK_KERNEL_PORT:
		port = ipc_port_make_send(task->self_port);
		break;
	case TASK_HOST_PORT:
		port = ipc_port_make_send(call->kernel->host_port);
		break;
	case TASK_NAME_PORT:
		port = ipc_port_make_send(task->name_port);
		break;
	case TASK_BOOTSTRAP_PORT:
	case TASK_ACCESS_PORT:
	case TASK_DEBUG_CONTROL_PORT:
	case TASK_RESOURCE_NOTIFY_PORT:
		port = ipc_port_copy_send(task->special[which]);
		break;
	default:
		return KERN_INVALID_ARGUMENT;
	}
	return give_name(call, port, 0);
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
	uint64_t which = call->frame->args[1];
	struct task *task;
	struct ipc_port *port;
	kern_return_t kr;

	kr = task_from_name(call->caller, (mach_port_name_t)call->frame->args[0],
			    KERN_INVALID_ARGUMENT, &task);
	if (kr == KERN_SUCCESS)
		kr = copy_send_right(call, (mach_port_name_t)call->frame->args[2], &port);
	if (kr != KERN_SUCCESS)
		return kr;
	switch (which) {
	case TASK_KERNEL_PORT:
	case TASK_HOST_PORT:
		kr = KERN_NO_ACCESS;
		break;
	case TASK_ACCESS_PORT:
		kr = task->special[which] ? KERN_NO_ACCESS : KERN_SUCCESS;
		break;
	case TASK_BOOTSTRAP_PORT:
	case TASK_DEBUG_CONTROL_PORT:
	case TASK_RESOURCE_NOTIFY_PORT:
		break;
	default:
		kr = KERN_INVALID_ARGUMENT;
		break;
	}
	if (kr != KERN_SUCCESS) {
		ipc_port_release_send(call->kernel, port);
		return kr;
	}

	struct ipc_port *old = task->special[which];

	task->special[which] = port;
	ipc_port_release_send(call->kernel, old);
	return KERN_SUCCESS;
}

static kern_return_t
trap_ports_register(struct syscall *call)
{
	uint64_t count = call->frame->args[1];
	struct ipc_port *ports[TASK_REGISTERED_COUNT] = { NULL };
	struct task *task;
	kern_return_t kr = task_from_name(call->caller, (mach_port_name_t)call->frame->args[0],
					  KERN_INVALID_ARGUMENT, &task);

	if (kr != KERN_SUCCESS)
		return kr;
	if (count > TASK_REGISTERED_COUNT)
		return KERN_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < count && kr == KERN_SUCCESS; i++)
		kr = copy_send_right(call, (mach_port_name_t)call->frame->args[2 + i], &ports[i]);
	for (uint32_t i = 0; i < TASK_REGISTERED_COUNT; i++) {
		struct ipc_port *old = ports[i];

		if (kr == KERN_SUCCESS) {
			old = task->registered[i];
			task->registered[i] = ports[i];
		}
		ipc_port_release_send(call->kernel, old);
	}
	return kr;
}

static kern_return_t
trap_ports_lookup(struct syscall *call)
{
	struct task *task;
	kern_return_t kr = task_from_name(call->caller, (mach_port_name_t)call->frame->args[0],
					  KERN_INVALID_ARGUMENT, &task);

	for (uint32_t i = 0; i < TASK_REGISTERED_COUNT && kr == KERN_SUCCESS; i++)
		kr = give_name(call, ipc_port_copy_send(task->registered[i]), i);
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
