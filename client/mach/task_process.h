/*
 * Other tasks: the process of Linux behind a task port.
 *
 * The kernel tells the pid and when that process began, so that a pid which Linux used again
 * is noticed.  From then on it is known by its folder of /proc, which is never another's.
 * What may be read and written there is Linux's to say.
 */
#ifndef BERTH_CLIENT_MACH_TASK_PROCESS_H
#define BERTH_CLIENT_MACH_TASK_PROCESS_H

#include <mach/mach_types.h>

#include <stdbool.h>
#include <sys/types.h>

#include "client/later.h"

struct task_process {
	int proc_fd; /* its folder of /proc */
	pid_t pid;
	bool is_control; /* the port is the control port, not the name port */
	uint32_t suspend_count;
	/* task_process_of_thread() only */
	pid_t thread; /* by what number Linux knows it */
	uint32_t thread_suspend_count;
	bool thread_waits; /* in the kernel: it runs nothing of the program's */
	audit_token_t token;
};

/*
 * The process of @task, to be closed.
 *
 * KERN_SUCCESS            it is
 * KERN_INVALID_ARGUMENT   null, another kernel object, or the process is gone
 * MACH_SEND_INVALID_DEST  no send right, or the task is dead
 * KERN_RESOURCE_SHORTAGE  no descriptor, no memory
 * BERTH_TRAP_BY_MESSAGE   a port on which some task receives: it is to be asked
 */
kern_return_t task_process_open(mach_port_t task, struct task_process *process);
/* The same of the task of @thread; without token.  KERN_TERMINATED: it is about to end. */
kern_return_t task_process_of_thread(mach_port_t thread, struct task_process *process);
void task_process_close(struct task_process *process);

/* Open a file of its folder.  A descriptor, the caller's; -1 and @code: KERN_NO_ACCESS where
 * Linux forbids it, KERN_INVALID_ARGUMENT when the process is gone, KERN_RESOURCE_SHORTAGE. */
int task_process_file(const struct task_process *process, const char *name, int flags,
		      kern_return_t *code);

/* Return from the caller with what @other gives, unless @task is its own. */
#define OWN_TASK_OR(task, other)                                                                   \
	do {                                                                                       \
		kern_return_t own_ = later_own_task(task);                                         \
		if (own_ == BERTH_TRAP_BY_MESSAGE)                                                 \
			return (other);                                                            \
		if (own_ != KERN_SUCCESS)                                                          \
			return own_;                                                               \
	} while (0)

#endif
