#include "kern/semaphore.h"

#include <mach/clock_types.h>
#include <mach/sync_policy.h>

#include "ipc/ipc_right.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"

#define POLICY_OLD 4 /* a bit that old programs set, and that never meant anything */

struct semaphore *
convert_port_to_semaphore(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_SEMAPHORE);
}

/* ---- life ------------------------------------------------------------------------------- */

kern_return_t
semaphore_create(struct task *task, struct ipc_port **port, int policy, int value)
{
	struct semaphore *semaphore;
	struct kernel *k;

	if (!task || value < 0 || (policy & ~(SYNC_POLICY_LIFO | POLICY_OLD)))
		return KERN_INVALID_ARGUMENT;
	k = task->kernel;
	if (task->account->semaphore_count >= TASK_SEMAPHORE_MAX)
		return KERN_RESOURCE_SHORTAGE;
	semaphore = kernel_memory_alloc(k, sizeof(*semaphore));
	if (!semaphore)
		return KERN_RESOURCE_SHORTAGE;
	semaphore->port = ipc_port_new_kernel(k, IKOT_SEMAPHORE, semaphore);
	if (!semaphore->port) {
		kernel_memory_free(k, semaphore, sizeof(*semaphore));
		return KERN_RESOURCE_SHORTAGE;
	}
	semaphore->kernel = k;
	semaphore->owner = task;
	list_append(&task->semaphores, &semaphore->link);
	semaphore->payer = account_ref(task->account);
	semaphore->payer->semaphore_count++;
	list_init(&semaphore->waiters);
	semaphore->count = value;
	semaphore->is_lifo = (policy & SYNC_POLICY_LIFO) != 0;
	*port = ipc_port_make_send(semaphore->port);
	return KERN_SUCCESS;
}

/* ---- waking ------------------------------------------------------------------------------ */

/* Who wakes next; NULL: nobody waits. */
static struct thread *
first_waiter(const struct semaphore *semaphore)
{
	const struct list *waiters = &semaphore->waiters;

	if (list_is_empty(waiters))
		return NULL;
	return list_entry(semaphore->is_lifo ? waiters->prev : waiters->next, struct thread, wait);
}

static void
wake(struct kernel *k, struct thread *waiter, kern_return_t code)
{
	thread_unpark(waiter);
	waiter->result.code = code;
	kernel_complete(k, waiter);
}

static void
wake_all(struct semaphore *semaphore, kern_return_t code)
{
	struct thread *waiter;

	while ((waiter = first_waiter(semaphore)) != NULL)
		wake(semaphore->kernel, waiter, code);
}

void
semaphore_give_up(struct kernel *k, struct thread *thread, bool timed_out)
{
	check(thread->state == THREAD_PARKED_SEMAPHORE);
	wake(k, thread, timed_out ? KERN_OPERATION_TIMED_OUT : KERN_ABORTED);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
terminate(struct semaphore *semaphore)
{
	semaphore->owner = NULL;
	list_remove(&semaphore->link);
	wake_all(semaphore, KERN_TERMINATED);
}

kern_return_t
semaphore_destroy(struct task *task, struct ipc_port *port)
{
	struct semaphore *semaphore = convert_port_to_semaphore(port);

	if (!task || !semaphore)
		return KERN_INVALID_ARGUMENT;
	if (semaphore->owner == task)
		terminate(semaphore);
	ipc_port_release_send(task->kernel, port);
	return KERN_SUCCESS;
}

void
semaphore_terminate_all(struct task *task)
{
	struct list *first;

	while ((first = list_first(&task->semaphores)) != NULL)
		terminate(list_entry(first, struct semaphore, link));
}

void
semaphore_no_senders(struct kernel *k, struct semaphore *semaphore)
{
	struct ipc_port *port = semaphore->port;

	terminate(semaphore);
	semaphore->payer->semaphore_count--;
	account_unref(semaphore->payer);
	kernel_memory_free(k, semaphore, sizeof(*semaphore));
	ipc_port_destroy_kernel(k, port);
}

/* ---- the operations ------------------------------------------------------------------------ */

static void
signal_one(struct semaphore *semaphore)
{
	struct thread *waiter = first_waiter(semaphore);

	if (waiter)
		wake(semaphore->kernel, waiter, KERN_SUCCESS);
	else if (semaphore->count < INT32_MAX) /* more than anybody can wait for */
		semaphore->count++;
}

/* Take one, or park @thread; @timeout_ns 0 polls, TIMEOUT_NEVER waits for ever. */
static kern_return_t
wait_for(struct semaphore *semaphore, struct thread *thread, uint64_t timeout_ns)
{
	if (semaphore->count > 0) {
		semaphore->count--;
		return KERN_SUCCESS;
	}
	if (timeout_ns == 0)
		return KERN_OPERATION_TIMED_OUT;
	thread->wait_port = ipc_port_ref(semaphore->port);
	thread_park(thread, THREAD_PARKED_SEMAPHORE, &semaphore->waiters, timeout_ns);
	return KERN_SUCCESS;
}

/* The waiter that @thread, or a nested level of it, is; NULL: it does not wait here. */
static struct thread *
find_waiter(const struct semaphore *semaphore, const struct thread *thread)
{
	LIST_FOR_EACH (waiter, &semaphore->waiters, struct thread, wait)
		if (waiter == thread || waiter->alias_of == thread)
			return waiter;
	return NULL;
}

/* ---- the traps ------------------------------------------------------------------------------ */

/*
 * The active semaphore that argument @index names.
 *
 * KERN_INVALID_NAME        no right of that name, or a dead one
 * KERN_INVALID_RIGHT       no send right
 * KERN_INVALID_CAPABILITY  not to a semaphore
 * KERN_TERMINATED
 */
static kern_return_t
call_semaphore(const struct syscall *call, uint32_t index, struct semaphore **semaphore)
{
	const mach_port_name_t name = call_arg32(call, index);
	struct ipc_entry *entry =
	    MACH_PORT_VALID(name) ? ipc_space_find(&call->caller->space, name) : NULL;
	const mach_port_type_t type = entry ? ie_type(entry) : MACH_PORT_TYPE_DEAD_NAME;

	if (type == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_NAME;
	if ((type & MACH_PORT_TYPE_PORT_RIGHTS) && !ip_active(entry->port))
		return KERN_INVALID_NAME;
	if (!(type & MACH_PORT_TYPE_SEND))
		return KERN_INVALID_RIGHT;
	*semaphore = convert_port_to_semaphore(entry->port);
	if (!*semaphore)
		return KERN_INVALID_CAPABILITY;
	return (*semaphore)->owner ? KERN_SUCCESS : KERN_TERMINATED;
}

/* The time that arguments @index and the next say: seconds, nanoseconds.  KERN_INVALID_VALUE. */
static kern_return_t
call_time(const struct syscall *call, uint32_t index, uint64_t *ns)
{
	const uint32_t part_ns = call_arg32(call, index + 1);

	*ns = call_arg32(call, index) * NSEC_PER_SEC + part_ns;
	return part_ns < NSEC_PER_SEC ? KERN_SUCCESS : KERN_INVALID_VALUE;
}

static kern_return_t
trap_signal(struct syscall *call)
{
	struct semaphore *semaphore;
	kern_return_t kr = call_semaphore(call, 0, &semaphore);

	if (kr == KERN_SUCCESS)
		signal_one(semaphore);
	return kr;
}

static kern_return_t
trap_signal_all(struct syscall *call)
{
	struct semaphore *semaphore;
	kern_return_t kr = call_semaphore(call, 0, &semaphore);

	if (kr == KERN_SUCCESS)
		wake_all(semaphore, KERN_SUCCESS);
	return kr;
}

static kern_return_t
trap_signal_thread(struct syscall *call)
{
	const mach_port_name_t name = call_arg32(call, 1);
	struct ipc_port *port = NULL;
	struct semaphore *semaphore;
	struct thread *waiter;
	kern_return_t kr = call_semaphore(call, 0, &semaphore);

	if (kr != KERN_SUCCESS)
		return kr;
	if (name == MACH_PORT_NULL) {
		waiter = first_waiter(semaphore);
	} else {
		struct thread *thread = NULL;

		if (kobject_from_name(call->caller, name, &port) == KERN_SUCCESS)
			thread = convert_port_to_thread(port);
		if (!thread)
			return KERN_INVALID_ARGUMENT;
		waiter = find_waiter(semaphore, thread);
	}
	if (!waiter)
		return KERN_NOT_WAITING;
	wake(call->kernel, waiter, KERN_SUCCESS);
	return KERN_SUCCESS;
}

static kern_return_t
trap_wait(struct syscall *call)
{
	struct semaphore *semaphore;
	kern_return_t kr = call_semaphore(call, 0, &semaphore);

	return kr == KERN_SUCCESS ? wait_for(semaphore, call->thread, TIMEOUT_NEVER) : kr;
}

static kern_return_t
trap_timedwait(struct syscall *call)
{
	struct semaphore *semaphore;
	uint64_t timeout_ns;
	kern_return_t kr = call_time(call, 1, &timeout_ns);

	if (kr == KERN_SUCCESS)
		kr = call_semaphore(call, 0, &semaphore);
	return kr == KERN_SUCCESS ? wait_for(semaphore, call->thread, timeout_ns) : kr;
}

/* Both must be there, or nothing happens.  No other step comes between signal and wait. */
static kern_return_t
wait_signal(struct syscall *call, uint64_t timeout_ns)
{
	struct semaphore *waited, *signalled;
	kern_return_t kr = call_semaphore(call, 0, &waited);

	if (kr == KERN_SUCCESS)
		kr = call_semaphore(call, 1, &signalled);
	if (kr != KERN_SUCCESS)
		return kr;
	signal_one(signalled);
	return wait_for(waited, call->thread, timeout_ns);
}

static kern_return_t
trap_wait_signal(struct syscall *call)
{
	return wait_signal(call, TIMEOUT_NEVER);
}

static kern_return_t
trap_timedwait_signal(struct syscall *call)
{
	uint64_t timeout_ns;
	kern_return_t kr = call_time(call, 2, &timeout_ns);

	return kr == KERN_SUCCESS ? wait_signal(call, timeout_ns) : kr;
}

syscall_function *
semaphore_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_SEMAPHORE_SIGNAL:
		return trap_signal;
	case BERTH_TRAP_SEMAPHORE_SIGNAL_ALL:
		return trap_signal_all;
	case BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD:
		return trap_signal_thread;
	case BERTH_TRAP_SEMAPHORE_WAIT:
		return trap_wait;
	case BERTH_TRAP_SEMAPHORE_TIMEDWAIT:
		return trap_timedwait;
	case BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL:
		return trap_wait_signal;
	case BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL:
		return trap_timedwait_signal;
	default:
		return NULL;
	}
}
