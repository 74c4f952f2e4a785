/*
 * Traps: from a number to the function that does it.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "kern/thread.h"

/* One trap under way, as the functions of the calls see it. */
struct syscall {
	struct kernel *kernel;
	struct thread *thread;
	struct task *caller;
	const struct trap_frame *frame;
	struct trap_result *result;
};

/* Arguments of 32 bits: what stands above them means nothing. */
static inline uint32_t
call_arg32(const struct syscall *call, uint32_t index)
{
	return (uint32_t)call->frame->args[index];
}

/* @port, a send right, goes to the caller, whose name for it becomes value @value.  Consumes it.
 * As ipc_right_copyout(). */
mustuse kern_return_t call_give_send(struct syscall *call, struct ipc_port *port, uint32_t value);

/* What it returns is the code of the trap, unless it has parked the thread. */
typedef kern_return_t syscall_function(struct syscall *call);

/* Does what @frame asks of @thread: it is completed or parked after it. */
void syscall_enter(struct kernel *k, struct thread *thread, const struct trap_frame *frame);

/* The function of a trap, NULL if there is none; the calls on ports, on tasks, on semaphores,
 * on timers, on vouchers, on fileports, on memory entries, on clocks, on exceptions, on single
 * threads, and those for controls and kernel events. */
syscall_function *mach_port_syscall(uint32_t number);
syscall_function *task_syscall(uint32_t number);
syscall_function *semaphore_syscall(uint32_t number);
syscall_function *mk_timer_syscall(uint32_t number);
syscall_function *voucher_syscall(uint32_t number);
syscall_function *fileport_syscall(uint32_t number);
syscall_function *memory_entry_syscall(uint32_t number);
syscall_function *clock_syscall(uint32_t number);
syscall_function *exception_syscall(uint32_t number);
syscall_function *thread_syscall(uint32_t number);
syscall_function *bsd_syscall(uint32_t number);
syscall_function *lane_syscall(uint32_t number);

#endif
