/*
 * Stopping tasks: the kernel counts, and who makes the first or takes the last stops the process
 * or lets it go, by SIGSTOP and SIGCONT, if Linux lets him.  mach-kobjects.md §7.
 *
 * Others may count and signal at the same time.  So whoever has signalled looks at the count once
 * more, and sends the other signal if it says so by now: the last signal is the right one.
 *
 * Who suspends by a token may end at any time, and the token with him: so what the last token
 * stopped the kernel lets go itself.
 */
#include <mach/mach.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/proc.h"
#include "client/mach/task_process.h"
#include "client/trap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STOP_LOOKS 2000 /* of a millisecond each: one that waits for a disk stops when it can */

static kern_return_t
send_signal(const struct task_process *process, int number)
{
	/* a folder of /proc is as good as a pidfd, and never another process's */
	if (syscall(SYS_pidfd_send_signal, process->proc_fd, number, NULL, 0) == 0)
		return KERN_SUCCESS;
	return errno == EPERM ? KERN_NO_ACCESS : KERN_INVALID_ARGUMENT; /* ESRCH: gone */
}

/* Does no thread of it run any more? */
static bool
has_stopped(const struct task_process *process)
{
	int threads_fd = openat(process->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *threads = threads_fd >= 0 ? fdopendir(threads_fd) : NULL;
	bool all = true;

	if (threads == NULL) {
		if (threads_fd >= 0)
			close(threads_fd);
		return true; /* gone, or not to be seen */
	}
	for (struct dirent *entry; all && (entry = readdir(threads)) != NULL;) {
		char path[64], text[1024];

		snprintf(path, sizeof(path), "task/%.20s/stat", entry->d_name);
		if (entry->d_name[0] == '.' ||
		    !proc_read_at(process->proc_fd, path, text, sizeof(text)))
			continue;
		const char *end = strrchr(text, ')'); /* the name may hold anything */
		all = end == NULL || strchr("TtZXx", end[2]) != NULL;
	}
	closedir(threads);
	return all;
}

static void
wait_for_stop(const struct task_process *process)
{
	const struct timespec pause = { 0, 1000000 };

	for (int i = 0; i < STOP_LOOKS && !has_stopped(process); i++)
		nanosleep(&pause, NULL);
}

/* Make the process as the count says, until both agree. */
static kern_return_t
settle(mach_port_t task, bool stop)
{
	for (;;) {
		struct task_process process;
		kern_return_t code = task_process_open(task, &process);

		if (code != KERN_SUCCESS)
			return code;
		code = send_signal(&process, stop ? SIGSTOP : SIGCONT);
		if (code == KERN_SUCCESS && stop && process.pid != getpid())
			wait_for_stop(&process);
		task_process_close(&process);
		if (code != KERN_SUCCESS)
			return code;
		uint64_t values[TRAP_VALUE_COUNT];
		audit_token_t token;
		uint32_t size = sizeof(token);
		if (trap_call_into(BERTH_TRAP_TASK_PROCESS,
				   (const uint64_t[TRAP_ARG_COUNT]){ task }, values, &token,
				   &size) != KERN_SUCCESS ||
		    (values[BERTH_TASK_SUSPEND_COUNT] > 0) == stop)
			return KERN_SUCCESS;
		stop = !stop;
	}
}

/*
 * KERN_SUCCESS            it is stopped
 * KERN_INVALID_ARGUMENT   null, another kernel object, or the process is gone
 * KERN_NO_ACCESS          Linux does not let this process signal that one
 * MACH_SEND_INVALID_DEST  no send right, or the task is dead
 */
BERTH_EXPORT kern_return_t
task_suspend(task_read_t target_task)
{
	if (!MACH_PORT_VALID(target_task))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_TASK_SUSPEND, NULL, target_task);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_task_suspend(target_task);
	if (code != KERN_SUCCESS)
		return code;
	code = settle(target_task, true);
	if (code != KERN_SUCCESS)
		TRAP_CALL(BERTH_TRAP_TASK_RESUME, NULL, target_task);
	return code;
}

/* The same; KERN_FAILURE: it was not suspended. */
BERTH_EXPORT kern_return_t
task_resume(task_read_t target_task)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (!MACH_PORT_VALID(target_task))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_TASK_RESUME, values, target_task);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_task_resume(target_task);
	if (code != KERN_SUCCESS || values[0] > 0)
		return code;
	code = settle(target_task, false);
	if (code != KERN_SUCCESS)
		TRAP_CALL(BERTH_TRAP_TASK_SUSPEND, NULL, target_task);
	return code;
}

/*
 * *@suspend_token becomes a send-once right: the caller's, whose end, however it comes, resumes the
 * task once.  The codes of task_suspend(), and
 *
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE  no room for the token
 *
 * Source: mach-kobjects.md §2.1.
 */
BERTH_EXPORT kern_return_t
task_suspend2(task_read_t target_task, task_suspension_token_t *suspend_token)
{
	uint64_t values[TRAP_VALUE_COUNT];

	*suspend_token = MACH_PORT_NULL;
	if (!MACH_PORT_VALID(target_task))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_TASK_SUSPEND2, values, target_task);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_task_suspend2(target_task, suspend_token);
	if (code != KERN_SUCCESS)
		return code;
	code = settle(target_task, true);
	if (code == KERN_SUCCESS)
		*suspend_token = (mach_port_name_t)values[0];
	else
		mach_port_deallocate(mach_task_self_, (mach_port_name_t)values[0]);
	return code;
}

/*
 * Consumes the right unless it is none.
 *
 * KERN_SUCCESS            and the task runs, unless others have suspended it, too
 * KERN_INVALID_ARGUMENT   null, dead, or a right to another kernel object
 * MACH_SEND_INVALID_DEST  no such right, or the task is dead
 */
BERTH_EXPORT kern_return_t
task_resume2(task_suspension_token_t suspend_token)
{
	return MACH_PORT_VALID(suspend_token) ? _kernelrpc_task_resume2(suspend_token)
					      : KERN_INVALID_ARGUMENT;
}
