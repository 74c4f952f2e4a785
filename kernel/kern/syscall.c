#include "kern/syscall.h"

#include <string.h>

#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_right.h"

kern_return_t
call_give_send(struct syscall *call, struct ipc_port *port, uint32_t value)
{
	mach_port_name_t name;
	kern_return_t kr =
	    ipc_right_copyout(&call->caller->space, port, MACH_MSG_TYPE_PORT_SEND, &name);

	call->result->values[value] = name;
	return kr;
}

void
syscall_enter(struct kernel *k, struct thread *thread, const struct trap_frame *frame)
{
	struct syscall call = {
		.kernel = k,
		.thread = thread,
		.caller = thread->task,
		.frame = frame,
		.result = &thread->result,
	};
	syscall_function *function;

	check(thread->state == THREAD_IDLE);
	thread->state = THREAD_RUNNING;
	thread->trap_number = frame->number;
	memset(&thread->result, 0, sizeof(thread->result));
	KERNEL_TRACE(k, .kind = TRACE_TRAP, .args = frame->args);
	if (frame->number == BERTH_TRAP_MSG) {
		mach_msg_trap(k, thread, frame);
		if (thread->state != THREAD_COMPLETED)
			KERNEL_TRACE(k, .kind = TRACE_TRAP_PARKED);
		return;
	}
	function = mach_port_syscall(frame->number);
	if (!function)
		function = task_syscall(frame->number);
	if (!function)
		function = semaphore_syscall(frame->number);
	if (!function)
		function = mk_timer_syscall(frame->number);
	if (!function)
		function = voucher_syscall(frame->number);
	if (!function)
		function = fileport_syscall(frame->number);
	if (!function)
		function = memory_entry_syscall(frame->number);
	if (!function)
		function = clock_syscall(frame->number);
	if (!function)
		function = exception_syscall(frame->number);
	if (!function)
		function = thread_syscall(frame->number);
	if (!function)
		function = bsd_syscall(frame->number);
	if (!function)
		function = lane_syscall(frame->number);
	call.result->code = function ? function(&call) : KERN_INVALID_ARGUMENT;
	if (kernel_thread_is_parked(thread))
		KERNEL_TRACE(k, .kind = TRACE_TRAP_PARKED);
	else
		kernel_complete(k, thread);
}
