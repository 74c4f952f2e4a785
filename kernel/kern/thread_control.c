#include "kern/thread_control.h"

#include <string.h>

#include "kern/exception.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"

/* A handler that asks by another slot speaks for its thread. */
static struct thread *
owner_of(struct thread *thread)
{
	return thread->alias_of ? thread->alias_of : thread;
}

bool
thread_waits(const struct thread *thread)
{
	LIST_FOR_EACH (level, &thread->task->threads, struct thread, link)
		if ((level == thread || level->alias_of == thread) &&
		    kernel_thread_is_parked(level))
			return true;
	return false;
}

/* ---- holding -------------------------------------------------------------------------------- */

/* What @caller, who speaks for @owner, is told when it goes on. */
static void
tell_aborted(struct thread *caller, struct thread *owner)
{
	caller->result.values[0] = owner->is_aborted;
	owner->is_aborted = false;
}

void
thread_let_go(struct kernel *k, struct thread *holder, kern_return_t code)
{
	struct thread *owner = owner_of(holder);

	check(holder->state == THREAD_PARKED_HELD);
	thread_unpark(holder);
	holder->result.code = code;
	tell_aborted(holder, owner);
	if (owner->offered) {
		thread_output_take(holder, owner->offered, sizeof(*owner->offered));
		holder->result.bytes = owner->offered;
		holder->result.bytes_size = sizeof(*owner->offered);
		owner->offered = NULL;
	}
	kernel_complete(k, holder);
}

void
thread_let_all_go(struct kernel *k, struct thread *thread, kern_return_t code)
{
	struct list *first;

	while ((first = list_first(&thread->holders)) != NULL)
		thread_let_go(k, list_entry(first, struct thread, wait), code);
}

void
thread_end_stop_wait(struct kernel *k, struct thread *waiter, kern_return_t code)
{
	check(waiter->state == THREAD_PARKED_STOP);
	thread_unpark(waiter);
	waiter->result.code = code;
	kernel_complete(k, waiter);
}

void
thread_tell_stop(struct kernel *k, struct thread *thread, kern_return_t code)
{
	struct list *first;

	while ((first = list_first(&thread->stop_waiters)) != NULL)
		thread_end_stop_wait(k, list_entry(first, struct thread, wait), code);
}

/* The registers that come along, for thread_get_state().  Without memory there are none to be
 * had: a thread is stopped all the same. */
static void
offer(struct syscall *call, struct thread *owner)
{
	if (call->frame->bytes_size != sizeof(*owner->offered) || owner->offered)
		return;
	owner->offered = kernel_memory_alloc(call->kernel, sizeof(*owner->offered));
	if (owner->offered)
		memcpy(owner->offered, call->frame->bytes, sizeof(*owner->offered));
}

/*
 * KERN_SUCCESS           the thread is not suspended, or not any more
 * KERN_TERMINATED        it is to end
 * KERN_ABORTED           the host had it come back; it may ask again
 * KERN_INVALID_ARGUMENT  bytes that are no registers
 */
static kern_return_t
trap_hold(struct syscall *call)
{
	struct thread *owner = owner_of(call->thread);

	if (call->frame->bytes_size != 0 && call->frame->bytes_size != sizeof(*owner->offered))
		return KERN_INVALID_ARGUMENT;
	if (owner->is_terminated || owner->suspend_count == 0) {
		tell_aborted(call->thread, owner);
		return owner->is_terminated ? KERN_TERMINATED : KERN_SUCCESS;
	}
	if (list_is_empty(&owner->holders))
		offer(call, owner);
	thread_park(call->thread, THREAD_PARKED_HELD, &owner->holders, TIMEOUT_NEVER);
	return KERN_SUCCESS;
}

/* ---- steering -------------------------------------------------------------------------------- */

/*
 * The thread that argument 0 names.
 *
 * KERN_INVALID_ARGUMENT   another kernel object
 * KERN_TERMINATED         it is about to end
 * and those of kobject_from_name().
 */
static kern_return_t
call_thread(const struct syscall *call, struct thread **thread)
{
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr != KERN_SUCCESS)
		return kr;
	*thread = convert_port_to_thread(port);
	if (!*thread)
		return KERN_INVALID_ARGUMENT;
	return (*thread)->is_terminated ? KERN_TERMINATED : KERN_SUCCESS;
}

/* Who asks for itself is not going to see it. */
static void
await_stop(struct syscall *call, struct thread *thread)
{
	if (thread != owner_of(call->thread) && thread->suspend_count > 0 && !thread_waits(thread))
		thread_park(call->thread, THREAD_PARKED_STOP, &thread->stop_waiters,
			    THREAD_STOP_WAIT_NS);
}

/*
 * KERN_SUCCESS     and the new count
 * KERN_FAILURE     too often
 *
 * With argument 1 nothing is counted:
 *
 * KERN_SUCCESS     the thread has stopped, or need not any more; or it takes its time
 * KERN_TERMINATED  it is to end, or has ended
 * KERN_ABORTED     the caller was interrupted; it may ask again
 */
static kern_return_t
trap_suspend(struct syscall *call)
{
	struct thread *thread;
	kern_return_t kr = call_thread(call, &thread);

	if (kr != KERN_SUCCESS)
		return kr;
	if (call_arg32(call, 1) != 0) {
		await_stop(call, thread);
		return KERN_SUCCESS;
	}
	if (thread->suspend_count == THREAD_SUSPEND_MAX)
		return KERN_FAILURE;
	call->result->values[0] = ++thread->suspend_count;
	return KERN_SUCCESS;
}

/* KERN_SUCCESS and the new count; KERN_FAILURE: it is not suspended. */
static kern_return_t
trap_resume(struct syscall *call)
{
	struct thread *thread;
	kern_return_t kr = call_thread(call, &thread);

	if (kr != KERN_SUCCESS)
		return kr;
	if (thread->suspend_count == 0)
		return KERN_FAILURE;
	call->result->values[0] = --thread->suspend_count;
	if (thread->suspend_count == 0) {
		thread_let_all_go(call->kernel, thread, KERN_SUCCESS);
		thread_tell_stop(call->kernel, thread, KERN_SUCCESS);
	}
	return KERN_SUCCESS;
}

/* End what @thread waits for, in all levels of it: being held is no such wait.  False: nothing. */
static bool
end_waits(struct kernel *k, struct thread *thread)
{
	bool found = false;

	LIST_FOR_EACH (level, &thread->task->threads, struct thread, link) {
		if ((level != thread && level->alias_of != thread) ||
		    !kernel_thread_is_parked(level) || level->state == THREAD_PARKED_HELD)
			continue;
		thread_give_up(k, level, false);
		found = true;
	}
	return found;
}

/* Of a thread that waits outside, or runs, it is noted for its next asking to be held. */
static kern_return_t
trap_abort(struct syscall *call)
{
	struct thread *thread;
	kern_return_t kr = call_thread(call, &thread);

	if (kr != KERN_SUCCESS)
		return kr;
	call->result->values[0] = end_waits(call->kernel, thread);
	thread->is_aborted = call->result->values[0] == 0;
	return KERN_SUCCESS;
}

/* Argument 1: its waits end, too, because it has been sent the signal; KERN_TERMINATED is the first
 * call's then. */
static kern_return_t
trap_terminate(struct syscall *call)
{
	struct thread *thread;
	kern_return_t kr = call_thread(call, &thread);

	if (kr != KERN_SUCCESS && (kr != KERN_TERMINATED || call_arg32(call, 1) == 0))
		return kr;
	thread->is_terminated = true;
	thread_let_all_go(call->kernel, thread, KERN_TERMINATED);
	thread_tell_stop(call->kernel, thread, KERN_TERMINATED);
	if (call_arg32(call, 1) != 0)
		end_waits(call->kernel, thread);
	return KERN_SUCCESS;
}

syscall_function *
thread_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_THREAD_SUSPEND:
		return trap_suspend;
	case BERTH_TRAP_THREAD_RESUME:
		return trap_resume;
	case BERTH_TRAP_THREAD_ABORT:
		return trap_abort;
	case BERTH_TRAP_THREAD_TERMINATE:
		return trap_terminate;
	case BERTH_TRAP_THREAD_HOLD:
		return trap_hold;
	default:
		return NULL;
	}
}
