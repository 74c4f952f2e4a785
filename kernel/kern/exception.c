#include "kern/exception.h"

#include <string.h>

#include "ipc/ipc_right.h"
#include "kern/syscall.h"

#define MASK_VALID (EXC_MASK_ALL | EXC_MASK_CRASH | EXC_MASK_CORPSE_NOTIFY)

/* ---- what may be asked for ------------------------------------------------------------------ */

static uint32_t
kind_of(exception_behavior_t behavior)
{
	return (uint32_t)behavior & ~(uint32_t)MACH_EXCEPTION_MASK;
}

static bool
is_behavior(exception_behavior_t behavior)
{
	const uint32_t wish = (uint32_t)behavior, kind = kind_of(behavior);
	const bool has_codes = (wish & MACH_EXCEPTION_CODES) != 0;

	if (kind < EXCEPTION_DEFAULT || kind > EXCEPTION_STATE_IDENTITY_PROTECTED)
		return false;
	return has_codes || (kind < EXCEPTION_IDENTITY_PROTECTED &&
			     !(wish & MACH_EXCEPTION_BACKTRACE_PREFERRED));
}

static bool
is_flavor(thread_state_flavor_t flavor)
{
	return flavor >= 0 && flavor <= THREAD_STATE_NONE;
}

static bool
may_set(exception_mask_t mask, const struct ipc_port *port, exception_behavior_t behavior,
	thread_state_flavor_t flavor)
{
	if ((mask & ~(exception_mask_t)MASK_VALID) != 0)
		return false;
	return !ip_valid(port) || (is_behavior(behavior) && is_flavor(flavor));
}

/* ---- setting and getting ------------------------------------------------------------------ */

static void
actions_set(struct kernel *k, struct exception_actions *actions, exception_mask_t mask,
	    struct ipc_port *port, exception_behavior_t behavior, thread_state_flavor_t flavor)
{
	struct ipc_port *old[EXC_TYPES_COUNT] = { NULL };

	for (uint32_t type = 1; type < EXC_TYPES_COUNT; type++) {
		struct exception_action *action = &actions->of[type];

		if (!(mask & (1u << type)))
			continue;
		old[type] = action->port;
		*action = (struct exception_action){ ipc_port_copy_send(port), behavior, flavor };
	}
	/* the end of the last right to a port may reach anything: all is in its place by then */
	for (uint32_t type = 1; type < EXC_TYPES_COUNT; type++)
		ipc_port_release_send(k, old[type]);
	ipc_port_release_send(k, port);
}

/* @actions may be NULL: nothing was set yet. */
static void
actions_get(const struct exception_actions *actions, exception_mask_t mask, exception_mask_t *masks,
	    mach_msg_type_number_t *count, struct ipc_port **ports, exception_behavior_t *behaviors,
	    thread_state_flavor_t *flavors)
{
	static const struct exception_action none;
	uint32_t room = *count < EXC_TYPES_COUNT ? *count : EXC_TYPES_COUNT, found = 0;

	for (uint32_t type = 1; type < EXC_TYPES_COUNT; type++) {
		const struct exception_action *action = actions ? &actions->of[type] : &none;
		uint32_t at = 0;

		if (!(mask & (1u << type)))
			continue;
		while (at < found &&
		       (ports[at] != action->port || behaviors[at] != action->behavior ||
			flavors[at] != action->flavor))
			at++;
		if (at == room)
			continue;
		if (at == found) {
			masks[at] = 0;
			ports[at] = action->port;
			behaviors[at] = action->behavior;
			flavors[at] = action->flavor;
			found++;
		}
		masks[at] |= 1u << type;
	}
	for (uint32_t at = 0; at < found; at++)
		ports[at] = ipc_port_copy_send(ports[at]);
	*count = found;
}

/* May @port be set, and is there room for it? */
static kern_return_t
actions_prepare(struct kernel *k, bool *watches, struct exception_actions **actions,
		exception_mask_t mask, const struct ipc_port *port, exception_behavior_t behavior,
		thread_state_flavor_t flavor)
{
	if (!may_set(mask, port, behavior, flavor))
		return KERN_INVALID_ARGUMENT;
	if (ip_valid(port) && kind_of(behavior) > EXCEPTION_STATE_IDENTITY)
		return KERN_NOT_SUPPORTED;
	if (!*actions)
		*actions = kernel_memory_alloc(k, sizeof(**actions));
	if (!*actions)
		return KERN_RESOURCE_SHORTAGE;
	*watches |= ip_valid(port);
	return KERN_SUCCESS;
}

static kern_return_t
exception_ports_set(struct kernel *k, bool *watches, struct exception_actions **actions,
		    exception_mask_t mask, struct ipc_port *port, exception_behavior_t behavior,
		    thread_state_flavor_t flavor)
{
	kern_return_t kr = actions_prepare(k, watches, actions, mask, port, behavior, flavor);

	if (kr == KERN_SUCCESS)
		actions_set(k, *actions, mask, port, behavior, flavor);
	return kr;
}

static kern_return_t
exception_ports_get(const struct exception_actions *actions, exception_mask_t mask,
		    exception_mask_t *masks, mach_msg_type_number_t *count, struct ipc_port **ports,
		    exception_behavior_t *behaviors, thread_state_flavor_t *flavors)
{
	if ((mask & ~(exception_mask_t)MASK_VALID) != 0)
		return KERN_INVALID_ARGUMENT;
	actions_get(actions, mask, masks, count, ports, behaviors, flavors);
	return KERN_SUCCESS;
}

static kern_return_t
exception_ports_swap(struct kernel *k, bool *watches, struct exception_actions **actions,
		     exception_mask_t mask, struct ipc_port *port, exception_behavior_t behavior,
		     thread_state_flavor_t flavor, exception_mask_t *masks,
		     mach_msg_type_number_t *count, struct ipc_port **ports,
		     exception_behavior_t *behaviors, thread_state_flavor_t *flavors)
{
	kern_return_t kr = actions_prepare(k, watches, actions, mask, port, behavior, flavor);

	if (kr != KERN_SUCCESS)
		return kr;
	actions_get(*actions, mask, masks, count, ports, behaviors, flavors);
	actions_set(k, *actions, mask, port, behavior, flavor);
	return KERN_SUCCESS;
}

bool
exception_actions_inherit(struct task *task, const struct task *parent)
{
	/* a program with other rights does not hand its ports to who started it */
	if (!parent->exceptions ||
	    memcmp(task->token.val, parent->token.val, TOKEN_PID * sizeof(uint32_t)) != 0)
		return true;
	task->exceptions = kernel_memory_alloc(task->kernel, sizeof(*task->exceptions));
	if (!task->exceptions)
		return false;
	*task->exceptions = *parent->exceptions;
	task->watches_exceptions = true;
	for (uint32_t type = 1; type < EXC_TYPES_COUNT; type++)
		task->exceptions->of[type].port =
		    ipc_port_copy_send(parent->exceptions->of[type].port);
	return true;
}

bool
kernel_task_watches_exceptions(const struct task *task)
{
	return task->watches_exceptions || task->kernel->watches_exceptions;
}

void
exception_actions_free(struct kernel *k, struct exception_actions **slot)
{
	struct exception_actions *actions = *slot;

	if (!actions)
		return;
	*slot = NULL;
	for (uint32_t type = 1; type < EXC_TYPES_COUNT; type++)
		ipc_port_release_send(k, actions->of[type].port);
	kernel_memory_free(k, actions, sizeof(*actions));
}

/* ---- the routines ------------------------------------------------------------------------- */

kern_return_t
task_set_exception_ports(struct task *task, exception_mask_t mask, struct ipc_port *port,
			 exception_behavior_t behavior, thread_state_flavor_t flavor)
{
	return task ? exception_ports_set(task->kernel, &task->watches_exceptions,
					  &task->exceptions, mask, port, behavior, flavor)
		    : KERN_INVALID_ARGUMENT;
}

kern_return_t
thread_set_exception_ports(struct thread *thread, exception_mask_t mask, struct ipc_port *port,
			   exception_behavior_t behavior, thread_state_flavor_t flavor)
{
	return thread ? exception_ports_set(thread->task->kernel, &thread->task->watches_exceptions,
					    &thread->exceptions, mask, port, behavior, flavor)
		      : KERN_INVALID_ARGUMENT;
}

kern_return_t
task_get_exception_ports(struct task *task, exception_mask_t mask, exception_mask_t *masks,
			 mach_msg_type_number_t *count, struct ipc_port **ports,
			 exception_behavior_t *behaviors, thread_state_flavor_t *flavors)
{
	return task ? exception_ports_get(task->exceptions, mask, masks, count, ports, behaviors,
					  flavors)
		    : KERN_INVALID_ARGUMENT;
}

kern_return_t
thread_get_exception_ports(struct thread *thread, exception_mask_t mask, exception_mask_t *masks,
			   mach_msg_type_number_t *count, struct ipc_port **ports,
			   exception_behavior_t *behaviors, thread_state_flavor_t *flavors)
{
	return thread ? exception_ports_get(thread->exceptions, mask, masks, count, ports,
					    behaviors, flavors)
		      : KERN_INVALID_ARGUMENT;
}

kern_return_t
task_swap_exception_ports(struct task *task, exception_mask_t mask, struct ipc_port *port,
			  exception_behavior_t behavior, thread_state_flavor_t flavor,
			  exception_mask_t *masks, mach_msg_type_number_t *count,
			  struct ipc_port **ports, exception_behavior_t *behaviors,
			  thread_state_flavor_t *flavors)
{
	return task ? exception_ports_swap(task->kernel, &task->watches_exceptions,
					   &task->exceptions, mask, port, behavior, flavor, masks,
					   count, ports, behaviors, flavors)
		    : KERN_INVALID_ARGUMENT;
}

kern_return_t
thread_swap_exception_ports(struct thread *thread, exception_mask_t mask, struct ipc_port *port,
			    exception_behavior_t behavior, thread_state_flavor_t flavor,
			    exception_mask_t *masks, mach_msg_type_number_t *count,
			    struct ipc_port **ports, exception_behavior_t *behaviors,
			    thread_state_flavor_t *flavors)
{
	return thread
		   ? exception_ports_swap(thread->task->kernel, &thread->task->watches_exceptions,
					  &thread->exceptions, mask, port, behavior, flavor, masks,
					  count, ports, behaviors, flavors)
		   : KERN_INVALID_ARGUMENT;
}

kern_return_t
host_set_exception_ports(struct kernel *k, exception_mask_t mask, struct ipc_port *port,
			 exception_behavior_t behavior, thread_state_flavor_t flavor)
{
	return k ? exception_ports_set(k, &k->watches_exceptions, &k->exceptions, mask, port,
				       behavior, flavor)
		 : KERN_INVALID_ARGUMENT;
}

kern_return_t
host_get_exception_ports(struct kernel *k, exception_mask_t mask, exception_mask_t *masks,
			 mach_msg_type_number_t *count, struct ipc_port **ports,
			 exception_behavior_t *behaviors, thread_state_flavor_t *flavors)
{
	return k ? exception_ports_get(k->exceptions, mask, masks, count, ports, behaviors, flavors)
		 : KERN_INVALID_ARGUMENT;
}

kern_return_t
host_swap_exception_ports(struct kernel *k, exception_mask_t mask, struct ipc_port *port,
			  exception_behavior_t behavior, thread_state_flavor_t flavor,
			  exception_mask_t *masks, mach_msg_type_number_t *count,
			  struct ipc_port **ports, exception_behavior_t *behaviors,
			  thread_state_flavor_t *flavors)
{
	return k ? exception_ports_swap(k, &k->watches_exceptions, &k->exceptions, mask, port,
					behavior, flavor, masks, count, ports, behaviors, flavors)
		 : KERN_INVALID_ARGUMENT;
}

/* ---- registers ------------------------------------------------------------------------------ */

/* Where @flavor is in @offered, and how long; the unified flavors have a header before it. */
static void *
state_of(struct offered_state *offered, thread_state_flavor_t flavor, uint32_t *count,
	 thread_state_flavor_t *wide)
{
	*wide = 0;
	switch (flavor) {
	case x86_THREAD_STATE:
		*wide = x86_THREAD_STATE64;
		/* fall through */
	case x86_THREAD_STATE64:
		*count = x86_THREAD_STATE64_COUNT;
		return &offered->thread;
	case x86_EXCEPTION_STATE:
		*wide = x86_EXCEPTION_STATE64;
		/* fall through */
	case x86_EXCEPTION_STATE64:
		*count = x86_EXCEPTION_STATE64_COUNT;
		return &offered->exception;
	default:
		return NULL;
	}
}

kern_return_t
thread_get_state(struct thread *thread, thread_state_flavor_t flavor, thread_state_t state,
		 mach_msg_type_number_t *count)
{
	struct offered_state nothing;
	thread_state_flavor_t wide;
	uint32_t size, head;

	if (!thread)
		return KERN_INVALID_ARGUMENT;
	const void *from =
	    state_of(thread->offered ? thread->offered : &nothing, flavor, &size, &wide);
	head = wide ? X86_STATE_HDR_COUNT : 0;
	if (!from || *count < head + size)
		return KERN_INVALID_ARGUMENT;
	if (!thread->offered)
		return KERN_FAILURE;
	if (wide) {
		state[0] = (natural_t)wide;
		state[1] = size;
	}
	memcpy(state + head, from, size * sizeof(*state));
	*count = head + size;
	return KERN_SUCCESS;
}

kern_return_t
thread_set_state(struct thread *thread, thread_state_flavor_t flavor, thread_state_t state,
		 mach_msg_type_number_t count)
{
	struct offered_state nothing;
	thread_state_flavor_t wide;
	uint32_t size, head;

	if (!thread || (flavor != x86_THREAD_STATE && flavor != x86_THREAD_STATE64))
		return KERN_INVALID_ARGUMENT;
	void *to = state_of(thread->offered ? thread->offered : &nothing, flavor, &size, &wide);
	head = wide ? X86_STATE_HDR_COUNT : 0;
	if (count < head + size || (wide && (state[0] != (natural_t)wide || state[1] != size)))
		return KERN_INVALID_ARGUMENT;
	if (!thread->offered)
		return KERN_FAILURE;
	memcpy(to, state + head, size * sizeof(*state));
	return KERN_SUCCESS;
}

/* ---- traps ------------------------------------------------------------------------------------
 */

/* A handler that asks by another slot speaks for its thread. */
static struct thread *
owner_of(struct thread *thread)
{
	return thread->alias_of ? thread->alias_of : thread;
}

static kern_return_t
trap_offer(struct syscall *call)
{
	struct thread *thread = owner_of(call->thread);

	if (call->frame->bytes_size != sizeof(*thread->offered))
		return KERN_INVALID_ARGUMENT;
	if (!thread->offered)
		thread->offered = kernel_memory_alloc(call->kernel, sizeof(*thread->offered));
	if (!thread->offered)
		return KERN_RESOURCE_SHORTAGE;
	memcpy(thread->offered, call->frame->bytes, sizeof(*thread->offered));
	return KERN_SUCCESS;
}

static kern_return_t
trap_withdraw(struct syscall *call)
{
	struct thread *thread = owner_of(call->thread);

	if (!thread->offered)
		return KERN_FAILURE;
	thread_output_take(call->thread, thread->offered, sizeof(*thread->offered));
	call->result->bytes = thread->offered;
	call->result->bytes_size = sizeof(*thread->offered);
	thread->offered = NULL;
	return KERN_SUCCESS;
}

/*
 * The last of those who may want to hear.  Any task that ran into something may ask: it is the
 * library that tells them.
 *
 * KERN_SUCCESS  values: the name of a send right, behavior, flavor
 * KERN_FAILURE  nobody wants to hear
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE  no room for the name
 */
static kern_return_t
trap_host_exception_port(struct syscall *call)
{
	const struct exception_actions *actions = call->kernel->exceptions;
	const uint32_t type = call_arg32(call, 0);
	mach_port_name_t name;
	kern_return_t kr;

	if (!actions || type >= EXC_TYPES_COUNT || !ip_valid(actions->of[type].port) ||
	    !ip_active(actions->of[type].port))
		return KERN_FAILURE;
	kr = ipc_right_copyout(&call->caller->space, ipc_port_copy_send(actions->of[type].port),
			       MACH_MSG_TYPE_PORT_SEND, &name);
	if (kr != KERN_SUCCESS)
		return kr;
	call->result->values[0] = name;
	call->result->values[1] = (uint32_t)actions->of[type].behavior;
	call->result->values[2] = (uint32_t)actions->of[type].flavor;
	return KERN_SUCCESS;
}

syscall_function *
exception_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_THREAD_STATE_OFFER:
		return trap_offer;
	case BERTH_TRAP_THREAD_STATE_WITHDRAW:
		return trap_withdraw;
	case BERTH_TRAP_HOST_EXCEPTION_PORT:
		return trap_host_exception_port;
	default:
		return NULL;
	}
}
