/*
 * Semaphores.  Made and destroyed by message, as every object of a task; used by trap.
 */
#include <mach/mach.h>
#include <mach/semaphore.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/trap.h"

BERTH_EXPORT kern_return_t
semaphore_create(task_t task, semaphore_t *semaphore, int policy, int value)
{
	semaphore_t made = SEMAPHORE_NULL;
	kern_return_t code = _kernelrpc_semaphore_create(task, &made, policy, value);

	*semaphore = code == KERN_SUCCESS ? made : SEMAPHORE_NULL;
	return code;
}

BERTH_EXPORT kern_return_t
semaphore_destroy(task_t task, semaphore_t semaphore)
{
	return _kernelrpc_semaphore_destroy(task, semaphore);
}

/* Semaphores die with their kernel: so does who waits for one. */
static kern_return_t
operate(uint32_t number, const uint64_t args[TRAP_ARG_COUNT], enum trap_patience patience)
{
	kern_return_t code = trap_call_patience(number, args, patience);

	return code == MACH_SEND_INVALID_DEST ? KERN_TERMINATED : code;
}

#define OPERATE(number, patience, ...)                                                             \
	operate(number, (const uint64_t[TRAP_ARG_COUNT]){ __VA_ARGS__ }, patience)

BERTH_EXPORT kern_return_t
semaphore_signal(semaphore_t semaphore)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_SIGNAL, TRAP_PATIENT, semaphore);
}

BERTH_EXPORT kern_return_t
semaphore_signal_all(semaphore_t semaphore)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_SIGNAL_ALL, TRAP_PATIENT, semaphore);
}

BERTH_EXPORT kern_return_t
semaphore_signal_thread(semaphore_t semaphore, thread_t thread)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD, TRAP_PATIENT, semaphore, thread);
}

BERTH_EXPORT kern_return_t
semaphore_wait(semaphore_t semaphore)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_WAIT, TRAP_INTERRUPTIBLE, semaphore);
}

BERTH_EXPORT kern_return_t
semaphore_timedwait(semaphore_t semaphore, mach_timespec_t wait_time)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_TIMEDWAIT, TRAP_INTERRUPTIBLE, semaphore,
		       wait_time.tv_sec, (uint32_t)wait_time.tv_nsec);
}

BERTH_EXPORT kern_return_t
semaphore_wait_signal(semaphore_t wait_semaphore, semaphore_t signal_semaphore)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL, TRAP_INTERRUPTIBLE, wait_semaphore,
		       signal_semaphore);
}

BERTH_EXPORT kern_return_t
semaphore_timedwait_signal(semaphore_t wait_semaphore, semaphore_t signal_semaphore,
			   mach_timespec_t wait_time)
{
	return OPERATE(BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL, TRAP_INTERRUPTIBLE, wait_semaphore,
		       signal_semaphore, wait_time.tv_sec, (uint32_t)wait_time.tv_nsec);
}
