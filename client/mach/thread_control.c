/*
 * Stopping, interrupting and ending single threads, of this and of other tasks: the kernel counts
 * and ends what a thread waits for there, and the signal of thread_hold.h has the thread ask the
 * kernel what is to become of it.  mach-kobjects.md §7.
 */
#include <mach/mach.h>
#include <mach/thread_act.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/proc.h"
#include "client/mach/task_process.h"
#include "client/thread_hold.h"
#include "client/trap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
is_self(const struct task_process *process)
{
	return process->thread == gettid() && process->pid == getpid();
}

/* Is the library in there, ready for the signal?  After an exec, which the kernel may not have
 * noticed yet, the signal would end the program. */
static bool
is_ready(const struct task_process *process)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "task/%d/status", (int)process->thread);
	if (!proc_read_at(process->proc_fd, path, text, sizeof(text)))
		return false;
	const char *caught = strstr(text, "\nSigCgt:");
	return caught != NULL &&
	       (strtoull(caught + 8, NULL, 16) >> (THREAD_HOLD_SIGNAL - 1) & 1) != 0;
}

/* @number 0: only whether it could be sent. */
static kern_return_t
send_signal(const struct task_process *process, int number)
{
	if (syscall(SYS_tgkill, process->pid, process->thread, number) == 0)
		return KERN_SUCCESS;
	return errno == EPERM ? KERN_NO_ACCESS : KERN_TERMINATED; /* ESRCH: gone */
}

/*
 * The thread behind @thread, which can be sent the signal; to be closed.
 *
 * KERN_SUCCESS
 * KERN_NO_ACCESS          Linux does not let this process signal that one
 * KERN_FAILURE            the process does not take the signal
 * KERN_TERMINATED         the thread has just ended
 * and those of task_process_of_thread().
 */
static kern_return_t
thread_open(mach_port_t thread, struct task_process *process)
{
	kern_return_t code = task_process_of_thread(thread, process);

	if (code != KERN_SUCCESS)
		return code;
	code = send_signal(process, 0);
	if (code == KERN_SUCCESS && !is_ready(process))
		code = KERN_FAILURE;
	if (code != KERN_SUCCESS)
		task_process_close(process);
	return code;
}

/* Wait until it has stopped, or may go on already.  KERN_TERMINATED: it has ended. */
static kern_return_t
wait_for_stop(mach_port_t thread)
{
	kern_return_t code;

	do
		code = TRAP_CALL(BERTH_TRAP_THREAD_SUSPEND, NULL, thread, 1);
	while (code == KERN_ABORTED);
	return code == MACH_SEND_INVALID_DEST ? KERN_TERMINATED : code;
}

/*
 * KERN_SUCCESS            it is stopped; the calling thread is when somebody has resumed it
 * KERN_INVALID_ARGUMENT   null, or another kernel object
 * KERN_NO_ACCESS          Linux does not let this process signal that one
 * KERN_FAILURE            the process does not take the signal; or too often
 * KERN_TERMINATED         it is about to end
 * MACH_SEND_INVALID_DEST  no send right, or the thread has ended
 *
 * What is in a system call stops when that has come back, but before the program sees it.
 */
BERTH_EXPORT kern_return_t
thread_suspend(thread_read_t target_act)
{
	struct task_process process;
	kern_return_t code = thread_open(target_act, &process);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_thread_suspend(target_act);
	if (code != KERN_SUCCESS)
		return code;
	code = TRAP_CALL(BERTH_TRAP_THREAD_SUSPEND, NULL, target_act);
	if (code == KERN_SUCCESS && is_self(&process)) {
		thread_hold_here();
	} else if (code == KERN_SUCCESS) {
		/* whoever suspended it before has sent one, too, but may have failed */
		code = send_signal(&process, THREAD_HOLD_SIGNAL);
		if (code == KERN_SUCCESS)
			code = wait_for_stop(target_act);
		else
			TRAP_CALL(BERTH_TRAP_THREAD_RESUME, NULL, target_act);
	}
	task_process_close(&process);
	return code;
}

/* The same errors; KERN_FAILURE: it is not suspended. */
BERTH_EXPORT kern_return_t
thread_resume(thread_read_t target_act)
{
	if (!MACH_PORT_VALID(target_act))
		return KERN_INVALID_ARGUMENT;
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_THREAD_RESUME, NULL, target_act),
			       _kernelrpc_thread_resume(target_act));
}

/*
 * The same errors.  What waits for the kernel comes back with its *_INTERRUPTED or KERN_ABORTED;
 * what waits in a system call of Linux, with EINTR where that is not restarted.
 */
static kern_return_t
abort_thread(thread_act_t thread)
{
	struct task_process process;
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = thread_open(thread, &process);

	if (code != KERN_SUCCESS)
		return code;
	/* the calling thread waits for nothing */
	if (!is_self(&process)) {
		code = TRAP_CALL(BERTH_TRAP_THREAD_ABORT, values, thread);
		if (code == KERN_SUCCESS && values[0] == 0)
			code = send_signal(&process, THREAD_HOLD_SIGNAL);
	}
	task_process_close(&process);
	return code;
}

BERTH_EXPORT kern_return_t
thread_abort(thread_act_t target_act)
{
	return TRAP_OR_MESSAGE(abort_thread(target_act), _kernelrpc_thread_abort(target_act));
}

/* No wait is ended in the middle of its work: the two are the same here. */
BERTH_EXPORT kern_return_t
thread_abort_safely(thread_act_t target_act)
{
	return TRAP_OR_MESSAGE(abort_thread(target_act),
			       _kernelrpc_thread_abort_safely(target_act));
}

/*
 * The same errors.  Nothing of the program's runs in the thread any more: no cleanup, no
 * destructor.  It is gone soon after; at once, and without coming back, if it is the caller.
 */
BERTH_EXPORT kern_return_t
thread_terminate(thread_act_t target_act)
{
	struct task_process process;
	kern_return_t code = thread_open(target_act, &process);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_thread_terminate(target_act);
	if (code != KERN_SUCCESS)
		return code;
	bool ends_itself = is_self(&process);
	code = TRAP_CALL(BERTH_TRAP_THREAD_TERMINATE, NULL, target_act);
	/* it must have the signal before it wakes; errors say that it is gone already */
	if (code == KERN_SUCCESS && !ends_itself) {
		send_signal(&process, THREAD_HOLD_SIGNAL);
		TRAP_CALL(BERTH_TRAP_THREAD_TERMINATE, NULL, target_act, 1);
	}
	task_process_close(&process);
	if (code == KERN_SUCCESS && ends_itself)
		thread_hold_here();
	return code;
}
