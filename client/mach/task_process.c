#include "client/mach/task_process.h"

#include "client/mach/proc.h"
#include "client/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* When the process of a folder began, in the unit of proc(5); 0: it is gone. */
static uint64_t
birth_of(int proc_fd)
{
	char text[1024];
	unsigned long long birth;

	if (!proc_read_at(proc_fd, "stat", text, sizeof(text)))
		return 0;
	const char *end = strrchr(text, ')'); /* the name may hold anything */
	if (end == NULL || sscanf(end + 1,
				  " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				  "%*s %*s %*s %*s %llu",
				  &birth) != 1)
		return 0;
	return birth;
}

/* The process that the kernel has told of, unless it is gone. */
static kern_return_t
open_told(const uint64_t values[TRAP_VALUE_COUNT], struct task_process *process)
{
	char path[32];

	process->pid = (pid_t)values[BERTH_TASK_PID];
	process->is_control = values[BERTH_TASK_IS_CONTROL] != 0;
	process->suspend_count = (uint32_t)values[BERTH_TASK_SUSPEND_COUNT];
	process->thread = (pid_t)values[BERTH_TASK_THREAD];
	process->thread_suspend_count = (uint32_t)values[BERTH_TASK_THREAD_SUSPEND_COUNT];
	process->thread_waits = values[BERTH_TASK_THREAD_WAITS] != 0;
	snprintf(path, sizeof(path), "/proc/%d", (int)process->pid);
	process->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process->proc_fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM
			   ? KERN_RESOURCE_SHORTAGE
			   : KERN_INVALID_ARGUMENT;
	uint64_t birth = birth_of(process->proc_fd);
	if (birth == 0 || birth != values[BERTH_TASK_BIRTH]) {
		task_process_close(process);
		return KERN_INVALID_ARGUMENT;
	}
	return KERN_SUCCESS;
}

kern_return_t
task_process_open(mach_port_t task, struct task_process *process)
{
	uint64_t values[TRAP_VALUE_COUNT];
	uint32_t size = sizeof(process->token);

	if (!MACH_PORT_VALID(task))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code =
	    trap_call_into(BERTH_TRAP_TASK_PROCESS, (const uint64_t[TRAP_ARG_COUNT]){ task },
			   values, &process->token, &size);
	return code == KERN_SUCCESS ? open_told(values, process) : code;
}

kern_return_t
task_process_of_thread(mach_port_t thread, struct task_process *process)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (!MACH_PORT_VALID(thread))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_THREAD_PROCESS, values, thread);
	return code == KERN_SUCCESS ? open_told(values, process) : code;
}

void
task_process_close(struct task_process *process)
{
	close(process->proc_fd);
	process->proc_fd = -1;
}

int
task_process_file(const struct task_process *process, const char *name, int flags,
		  kern_return_t *code)
{
	int fd = openat(process->proc_fd, name, flags | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case EACCES:
	case EPERM:
		*code = KERN_NO_ACCESS;
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		*code = KERN_RESOURCE_SHORTAGE;
		break;
	default:
		*code = KERN_INVALID_ARGUMENT; /* ENOENT, ESRCH: gone */
	}
	return -1;
}
