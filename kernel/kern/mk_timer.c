#include "kern/mk_timer.h"

#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/mach_port.h"
#include "kern/syscall.h"

/* ---- life ------------------------------------------------------------------------------- */

/* All that it will ever need but its port; NULL: no memory, or the task has as many as it may. */
static struct mk_timer *
timer_new(struct kernel *k, const struct account *account)
{
	struct mk_timer *timer;

	if (account->timer_count >= TASK_TIMER_MAX || !kernel_deadline_reserve(k))
		return NULL;
	timer = kernel_memory_alloc(k, sizeof(*timer));
	if (!timer)
		return NULL;
	timer->kmsg = ipc_kmsg_alloc(k, MK_TIMER_MESSAGE_SIZE, 0);
	if (!timer->kmsg) {
		kernel_memory_free(k, timer, sizeof(*timer));
		return NULL;
	}
	k->kmsg_count--; /* carries nothing yet */
	timer->kmsg->timer = timer;
	timer->deadline.kind = DEADLINE_TIMER;
	return timer;
}

/* It has no port, or none any more. */
static void
timer_free(struct kernel *k, struct mk_timer *timer)
{
	check(!list_is_linked(&timer->kmsg->link) && timer->deadline.slot == 0);
	kernel_memory_free(k, timer->kmsg, timer->kmsg->alloc_size);
	kernel_memory_free(k, timer, sizeof(*timer));
}

static kern_return_t
timer_create(struct task *task, mach_port_name_t *name)
{
	struct kernel *k = task->kernel;
	struct mk_timer *timer = timer_new(k, task->account);
	struct ipc_port *port;
	kern_return_t kr;

	if (!timer)
		return KERN_RESOURCE_SHORTAGE;
	kr = mach_port_allocate(&task->space, MACH_PORT_RIGHT_RECEIVE, name);
	if (kr != KERN_SUCCESS) {
		timer_free(k, timer);
		return kr;
	}
	port = ipc_space_find(&task->space, *name)->port;
	port->object.kobject = IKOT_TIMER;
	port->kobject = timer;
	timer->port = ipc_port_make_send(port);
	port->payer->timer_count++;
	k->timer_count++;
	return KERN_SUCCESS;
}

void
mk_timer_port_died(struct kernel *k, struct ipc_port *port)
{
	struct mk_timer *timer = port->kobject;

	check(!ip_active(port) && timer->port == port);
	port->kobject = NULL;
	port->payer->timer_count--;
	k->timer_count--;
	deadlines_remove(&k->deadlines, &timer->deadline);
	ipc_port_release_send(k, timer->port);
	timer_free(k, timer);
}

/* ---- the message -------------------------------------------------------------------------- */

void
mk_timer_expire(struct kernel *k, struct mk_timer *timer)
{
	struct ipc_kmsg *kmsg = timer->kmsg;

	deadlines_remove(&k->deadlines, &timer->deadline);
	if (list_is_linked(&kmsg->link))
		return;
	memset(kmsg->bytes, 0, MK_TIMER_MESSAGE_SIZE);
	kmsg->size = MK_TIMER_MESSAGE_SIZE;
	kmsg->bytes_size = MK_TIMER_MESSAGE_SIZE;
	kmsg->dest = ipc_port_copy_send(timer->port);
	kmsg->dest_type = MACH_MSG_TYPE_PORT_SEND;
	k->kmsg_count++;
	ipc_mqueue_send_always(k, kmsg);
}

void
mk_timer_take_back(struct kernel *k, struct mk_timer *timer)
{
	check(!timer->kmsg->dest && !timer->kmsg->payer && timer->kmsg->piece_count == 0);
	k->kmsg_count--;
}

/* ---- the traps.  Source: mach-kobjects.md §5.1 ---------------------------------------------- */

/*
 * The timer that argument 0 names.
 *
 * KERN_INVALID_NAME      no such name, or a dead one
 * KERN_INVALID_RIGHT     no receive right
 * KERN_INVALID_ARGUMENT  the right of a port that is no timer
 */
static kern_return_t
call_timer(const struct syscall *call, struct mk_timer **timer)
{
	struct ipc_port *port;
	kern_return_t kr = ipc_space_find_receive(&call->caller->space, call_arg32(call, 0),
						  KERN_INVALID_NAME, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port->object.kobject != IKOT_TIMER)
		return KERN_INVALID_ARGUMENT;
	*timer = port->kobject;
	return KERN_SUCCESS;
}

static kern_return_t
trap_create(struct syscall *call)
{
	mach_port_name_t name;
	kern_return_t kr = timer_create(call->caller, &name);

	if (kr == KERN_SUCCESS)
		call->result->values[0] = name;
	return kr;
}

static kern_return_t
trap_destroy(struct syscall *call)
{
	struct mk_timer *timer;
	kern_return_t kr = call_timer(call, &timer);

	return kr == KERN_SUCCESS ? mach_port_destroy(&call->caller->space, call_arg32(call, 0))
				  : kr;
}

static kern_return_t
timer_arm(struct syscall *call, uint64_t when_ns)
{
	struct kernel *k = call->kernel;
	struct mk_timer *timer;
	kern_return_t kr = call_timer(call, &timer);

	if (kr != KERN_SUCCESS)
		return kr;
	deadlines_remove(&k->deadlines, &timer->deadline);
	if (when_ns <= k->now_ns)
		mk_timer_expire(k, timer);
	else
		deadlines_add(&k->deadlines, &timer->deadline, when_ns);
	return KERN_SUCCESS;
}

static kern_return_t
trap_arm(struct syscall *call)
{
	return timer_arm(call, call->frame->args[1]);
}

/* Nothing is gained by being late: flags and leeway make no difference. */
static kern_return_t
trap_arm_leeway(struct syscall *call)
{
	return timer_arm(call, call->frame->args[2]);
}

static kern_return_t
trap_cancel(struct syscall *call)
{
	struct mk_timer *timer;
	kern_return_t kr = call_timer(call, &timer);

	if (kr != KERN_SUCCESS)
		return kr;
	if (timer->deadline.slot > 0)
		call->result->values[0] = timer->deadline.when_ns;
	deadlines_remove(&call->kernel->deadlines, &timer->deadline);
	return KERN_SUCCESS;
}

syscall_function *
mk_timer_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_MK_TIMER_CREATE:
		return trap_create;
	case BERTH_TRAP_MK_TIMER_DESTROY:
		return trap_destroy;
	case BERTH_TRAP_MK_TIMER_ARM:
		return trap_arm;
	case BERTH_TRAP_MK_TIMER_ARM_LEEWAY:
		return trap_arm_leeway;
	case BERTH_TRAP_MK_TIMER_CANCEL:
		return trap_cancel;
	default:
		return NULL;
	}
}
