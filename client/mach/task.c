/*
 * Calls on tasks and threads that need little more than the own process; and what Darwin's own
 * release systems answer without doing anything.
 */
#include <mach/mach.h>
#include <mach/clock.h>
#include <mach/mach_traps.h>
#include <mach/task.h>
#include <mach/thread_switch.h>

#include "client/export.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/thread_hold.h"
#include "client/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define KOBJECT_CLOCK 25u

/* ---- ports of processes ---------------------------------------------------------------- */

/* Ask for the task of @pid; @proof_fd: what shows that Linux lets this process have it, or -1.
 * The name of the port, MACH_PORT_NULL: it is not to be had. */
static mach_port_name_t
ask_for_pid(uint32_t number, int pid, int proof_fd)
{
	struct trap trap;
	mach_port_name_t name = MACH_PORT_NULL;

	if (trap_begin(&trap, number) != TRAP_OK)
		return MACH_PORT_NULL;
	trap.slot->request.args[0] = (uint32_t)pid;
	trap.file_fd = proof_fd;
	if (proof_fd >= 0)
		trap.slot->request.flags = TRAP_HAS_FILE;
	if (trap_run(&trap, TRAP_PATIENT) == TRAP_OK && trap.slot->reply.code == KERN_SUCCESS)
		name = (mach_port_name_t)trap.slot->reply.values[0];
	trap_end(&trap);
	return name;
}

/*
 * KERN_SUCCESS  and the name of a send right to the control port: the caller's
 * KERN_FAILURE  no task of this kernel has that pid, or Linux would not let this process debug
 *               it; @task is MACH_PORT_NULL
 *
 * Source: mach-kobjects.md §3.
 */
BERTH_EXPORT kern_return_t
task_for_pid(mach_port_name_t target_tport, int pid, mach_port_name_t *task)
{
	uint64_t values[TRAP_VALUE_COUNT];
	char path[32];

	*task = MACH_PORT_NULL;
	if (pid == getpid()) {
		if (TRAP_CALL(BERTH_TRAP_TASK_SELF, values, 0) == KERN_SUCCESS)
			*task = (mach_port_name_t)values[0];
	} else if (pid > 0) {
		/* opening it is asking Linux, as whoever this process is; the kernel looks at
		 * what was opened */
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		int memory_fd = open(path, O_RDWR | O_CLOEXEC);
		if (memory_fd >= 0) {
			*task = ask_for_pid(BERTH_TRAP_TASK_FOR_PID, pid, memory_fd);
			close(memory_fd);
		}
	}
	return *task != MACH_PORT_NULL ? KERN_SUCCESS : KERN_FAILURE;
}

/* The same for the name port, which a process of the same user may have, and root. */
BERTH_EXPORT kern_return_t
task_name_for_pid(mach_port_name_t target_tport, int pid, mach_port_name_t *task)
{
	*task = MACH_PORT_NULL;
	if (pid == getpid() &&
	    task_get_special_port(mach_task_self_, TASK_NAME_PORT, task) != KERN_SUCCESS)
		*task = MACH_PORT_NULL;
	else if (pid != getpid() && pid > 0)
		*task = ask_for_pid(BERTH_TRAP_TASK_NAME_FOR_PID, pid, -1);
	return *task != MACH_PORT_NULL ? KERN_SUCCESS : KERN_FAILURE;
}

BERTH_EXPORT kern_return_t
task_terminate(task_t target_task)
{
	OWN_TASK(target_task, _kernelrpc_task_terminate(target_task));
	kill(getpid(), SIGKILL);
	return KERN_FAILURE; /* not reached, unless even that was refused */
}

/* No server has it any more. */
BERTH_EXPORT kern_return_t
task_create(task_t target_task, ledger_array_t ledgers, mach_msg_type_number_t ledgersCnt,
	    boolean_t inherit_memory, task_t *child_task)
{
	return MIG_BAD_ID;
}

/* ---- policy ----------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
task_get_mach_voucher(task_read_t task, mach_voucher_selector_t which, ipc_voucher_t *voucher)
{
	if (task == MACH_PORT_NULL)
		return KERN_INVALID_TASK;
	*voucher = IPC_VOUCHER_NULL; /* as on Darwin: tasks have none */
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
task_set_mach_voucher(task_t task, ipc_voucher_t voucher)
{
	return task == MACH_PORT_NULL ? KERN_INVALID_TASK
				      : KERN_SUCCESS; /* no effect there either */
}

BERTH_EXPORT kern_return_t
task_swap_mach_voucher(task_t task, ipc_voucher_t new_voucher, ipc_voucher_t *old_voucher)
{
	return task == MACH_PORT_NULL ? KERN_INVALID_TASK : KERN_NOT_SUPPORTED;
}

/* ---- giving way, and sleeping ------------------------------------------------------------ */

BERTH_EXPORT boolean_t
swtch_pri(int pri)
{
	return sched_yield() == 0; /* Linux knows better who is to run */
}

BERTH_EXPORT boolean_t
swtch(void)
{
	return swtch_pri(0);
}

BERTH_EXPORT kern_return_t
thread_switch(mach_port_name_t thread_name, int option, mach_msg_timeout_t option_time)
{
	struct timespec until;

	switch (option) {
	case SWITCH_OPTION_WAIT:
	case SWITCH_OPTION_OSLOCK_WAIT:
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += option_time / 1000;
		until.tv_nsec += (long)(option_time % 1000) * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		thread_hold_sleep(&until);
		return KERN_SUCCESS;
	case SWITCH_OPTION_NONE:
	case SWITCH_OPTION_DEPRESS:
	case SWITCH_OPTION_DISPATCH_CONTENTION:
	case SWITCH_OPTION_OSLOCK_DEPRESS:
		sched_yield();
		return KERN_SUCCESS;
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

/* Can one sleep on that clock?  The calendar has no alarms. */
static kern_return_t
clock_that_sleeps(mach_port_name_t clock)
{
	mach_vm_address_t address;
	natural_t kind = 0;
	clock_res_t resolution = 0;
	mach_msg_type_number_t count = 1;

	if (clock == MACH_PORT_NULL)
		return KERN_SUCCESS; /* the system's */
	if (mach_port_kobject(mach_task_self_, clock, &kind, &address) != KERN_SUCCESS ||
	    kind != KOBJECT_CLOCK)
		return KERN_INVALID_ARGUMENT;
	return clock_get_attributes(clock, CLOCK_ALARM_CURRES, &resolution, &count) ==
			   KERN_SUCCESS &&
		       resolution > 0
		   ? KERN_SUCCESS
		   : KERN_FAILURE;
}

BERTH_EXPORT kern_return_t
clock_sleep_trap(mach_port_name_t clock_name, sleep_type_t sleep_type, int sleep_sec,
		 int sleep_nsec, mach_timespec_t *wakeup_time)
{
	struct timespec until, now;

	kern_return_t kr = clock_that_sleeps(clock_name);
	if (kr != KERN_SUCCESS)
		return kr;
	clock_gettime(CLOCK_MONOTONIC, &now);
	kern_return_t code = KERN_SUCCESS;
	if ((sleep_type != TIME_ABSOLUTE && sleep_type != TIME_RELATIVE) || sleep_sec < 0 ||
	    sleep_nsec < 0 || sleep_nsec >= 1000000000) {
		code = KERN_INVALID_VALUE;
	} else {
		until = (struct timespec){ sleep_sec, sleep_nsec };
		if (sleep_type == TIME_RELATIVE) {
			until.tv_sec += now.tv_sec;
			until.tv_nsec += now.tv_nsec;
			if (until.tv_nsec >= 1000000000) {
				until.tv_sec++;
				until.tv_nsec -= 1000000000;
			}
		}
		if (thread_hold_sleep(&until) == EINTR)
			code = KERN_ABORTED;
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	if (wakeup_time != NULL) {
		wakeup_time->tv_sec = (unsigned int)now.tv_sec;
		wakeup_time->tv_nsec = (clock_res_t)now.tv_nsec;
	}
	return code;
}

BERTH_EXPORT kern_return_t
clock_sleep(mach_port_t clock, int sleep_type, mach_timespec_t sleep_time,
	    mach_timespec_t *wake_time)
{
	return clock_sleep_trap(clock, sleep_type, (int)sleep_time.tv_sec, sleep_time.tv_nsec,
				wake_time);
}

/* ---- old ones ----------------------------------------------------------------------------- */

BERTH_EXPORT void
panic_init(mach_port_t port)
{
	/* the port was where panic() would say it; stderr is */
}

BERTH_EXPORT void
panic(const char *format, ...)
{
	va_list arguments;

	fputs("panic: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

BERTH_EXPORT void
slot_name(cpu_type_t cpu_type, cpu_subtype_t cpu_subtype, char **cpu_name, char **cpu_subname)
{
	static const struct {
		cpu_type_t type;
		cpu_subtype_t subtype;
		const char *name, *subname;
	} known[] = {
		{ CPU_TYPE_X86_64, CPU_SUBTYPE_X86_64_ALL, "x86_64", "Intel x86-64" },
		{ CPU_TYPE_ARM64, CPU_SUBTYPE_ARM64_ALL, "arm64", "ARM64" },
		{ CPU_TYPE_X86, CPU_SUBTYPE_X86_64_ALL, "i386", "Intel 80386" },
		{ CPU_TYPE_ARM, CPU_SUBTYPE_ARM64_ALL, "arm", "ARM" },
	};

	*cpu_name = (char *)"Unknown CPU";
	*cpu_subname = (char *)"";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].type != cpu_type)
			continue;
		*cpu_name = (char *)known[i].name;
		*cpu_subname =
		    (char *)(known[i].subtype == (cpu_subtype & (cpu_subtype_t)~CPU_SUBTYPE_MASK)
				 ? known[i].subname
				 : "");
	}
}
