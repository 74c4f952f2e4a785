/*
 * Tasks: birth, special ports, death.
 */
#include "kern/task.h"

#include <mach/task_special_ports.h>

#include <string.h>

#include "ipc/ipc_lane.h"
#include "ipc/ipc_right.h"
#include "kern/clock.h"
#include "kern/exception.h"
#include "kern/host_priv.h"
#include "kern/semaphore.h"
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
	list_init(&task->semaphores);
	list_init(&task->alarms);
	list_init(&task->link);
	task->account = account_new(k);
	task->self_port = ipc_port_new_kernel(k, IKOT_TASK, task);
	task->name_port = ipc_port_new_kernel(k, IKOT_TASK_NAME, task);
	if (!parent)
		parent = k->first_task;
	if (!task->account || !task->self_port || !task->name_port ||
	    (parent && !exception_actions_inherit(task, parent)) ||
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
		exception_actions_free(k, &task->exceptions);
		kernel_memory_free(k, task, sizeof(*task));
		return NULL;
	}
	task->id = k->next_task_id++;
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
	ipc_lanes_set_token(task);
}

void
kernel_task_set_strict(struct task *task, bool strict)
{
	task->strict = strict;
}

void
kernel_task_set_birth(struct task *task, uint64_t birth)
{
	task->birth = birth;
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

/* ---- suspension tokens ------------------------------------------------------------------- */

void
task_token_ended(struct kernel *k, struct ipc_port *port)
{
	struct task *task = port->kobject;

	check(task->suspend_count > port->sorights);
	if (--task->suspend_count > 0 || task->is_resumed)
		return;
	task->is_resumed = true;
	task->next_resumed = k->effects->resumed;
	k->effects->resumed = task;
}

struct task *
kernel_effects_resumed(struct kernel_effects *effects)
{
	struct task *task = effects->resumed;

	if (task) {
		effects->resumed = task->next_resumed;
		task->next_resumed = NULL;
		task->is_resumed = false;
	}
	return task;
}

/* ---- death ------------------------------------------------------------------------------ */

static void
kernel_port_dies(struct kernel *k, struct ipc_port **slot)
{
	struct ipc_port *port = *slot;

	if (!port)
		return;
	*slot = NULL;
	ipc_port_destroy_kernel(k, port);
}

/* All but what a successor inherits. */
static void
task_terminate(struct kernel *k, struct task *task)
{
	struct list *first;

	/* nothing that the end of one thread sets free is for another of them */
	LIST_FOR_EACH (thread, &task->threads, struct thread, link)
		if (thread->state == THREAD_PARKED_RECEIVE)
			thread_unpark(thread);
	/* its own tokens, among its rights and in what its threads send, let nothing go any more */
	kernel_port_dies(k, &task->resume_port);
	while ((first = list_first(&task->threads)) != NULL)
		thread_destroy(k, list_entry(first, struct thread, link));
	semaphore_terminate_all(task);
	clock_alarms_task_died(k, task);
	if (task->space.active)
		ipc_space_terminate(&task->space);
	task_lanes_free(task);
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
	exception_actions_free(k, &task->exceptions);
	if (k->first_task == task)
		k->first_task = NULL;
	ipc_space_deinit(&task->space);
	account_unref(task->account);
	list_remove(&task->link);
	k->task_count--;
	kernel_memory_free(k, task, sizeof(*task));
	if (k->task_count == 0)
		host_ports_release(k);
}

void
ipc_space_terminate(struct ipc_space *space)
{
	ipc_promises_end_space(space);
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
