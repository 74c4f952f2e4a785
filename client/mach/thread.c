/*
 * Threads of tasks: which there are, and what Linux tells of them.  mach-kobjects.md §7.
 *
 * The kernel knows the threads that have made a Darwin call; Linux tells the rest, in
 * /proc/PID/task/TID.
 */
#include <mach/mach.h>
#include <mach/thread_act.h>
#include <mach/thread_info.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/proc.h"
#include "client/mach/task_process.h"
#include "client/trap.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PRIORITY_DEFAULT 31 /* of a thread whose nice value is 0, on Darwin */
#define PRIORITY_MAX 63

/*
 * KERN_SUCCESS            a send right for each thread, in memory as of vm_allocate: the caller's
 * KERN_INVALID_ARGUMENT   null, or another kernel object
 * KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE
 */
BERTH_EXPORT kern_return_t
task_threads(task_inspect_t target_task, thread_act_array_t *act_list,
	     mach_msg_type_number_t *act_listCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	vm_offset_t names;
	uint32_t size;

	if (!MACH_PORT_VALID(target_task))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code =
	    trap_call_out(BERTH_TRAP_TASK_THREADS, (const uint64_t[TRAP_ARG_COUNT]){ target_task },
			  values, &names, &size);
	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_task_threads(target_task, act_list, act_listCnt);
	if (code != KERN_SUCCESS)
		return code;
	*act_list = (thread_act_array_t)names;
	*act_listCnt = size / sizeof(mach_port_name_t);
	return KERN_SUCCESS;
}

/* What Linux says of a thread. */
struct thread_facts {
	uint64_t user_ns, system_ns;
	char name[MAXTHREADNAMESIZE];
	integer_t run_state;
	policy_t policy;
	int nice;
};

static integer_t
run_state(char letter)
{
	switch (letter) {
	case 'R':
		return TH_STATE_RUNNING;
	case 'T':
	case 't':
		return TH_STATE_STOPPED;
	case 'D':
		return TH_STATE_UNINTERRUPTIBLE;
	case 'Z':
	case 'X':
	case 'x':
		return TH_STATE_HALTED;
	default:
		return TH_STATE_WAITING;
	}
}

/* False: it is gone. */
static bool
facts_read(const struct task_process *process, struct thread_facts *facts)
{
	uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	unsigned long user, system;
	unsigned policy;
	char path[64], text[1024], state;

	snprintf(path, sizeof(path), "task/%d/stat", (int)process->thread);
	if (!proc_read_at(process->proc_fd, path, text, sizeof(text)))
		return false;
	/* "TID (name) STATE …": the name may hold anything; proc(5) has the fields */
	char *name = strchr(text, '(');
	char *end = strrchr(text, ')');
	if (name == NULL || end == NULL || end < name ||
	    sscanf(end + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu %*s %*s %*s %d %*s %*s %*s "
		   "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u",
		   &state, &user, &system, &facts->nice, &policy) != 5)
		return false;
	*end = '\0';
	snprintf(facts->name, sizeof(facts->name), "%s", name + 1);
	facts->user_ns = user * tick_ns;
	facts->system_ns = system * tick_ns;
	facts->run_state = run_state(state);
	facts->policy = policy == SCHED_FIFO ? POLICY_FIFO
			: policy == SCHED_RR ? POLICY_RR
					     : POLICY_TIMESHARE;
	return true;
}

static time_value_t
time_value(uint64_t ns)
{
	return (time_value_t){ (integer_t)(ns / 1000000000u),
			       (integer_t)(ns % 1000000000u / 1000u) };
}

union thread_info_any {
	thread_basic_info_data_t basic;
	thread_identifier_info_data_t identifier;
	thread_extended_info_data_t extended;
};

/* How many numbers a flavor has; 0: it is unknown. */
static mach_msg_type_number_t
flavor_count(thread_flavor_t flavor)
{
	switch (flavor) {
	case THREAD_BASIC_INFO:
		return THREAD_BASIC_INFO_COUNT;
	case THREAD_IDENTIFIER_INFO:
		return THREAD_IDENTIFIER_INFO_COUNT;
	case THREAD_EXTENDED_INFO:
		return THREAD_EXTENDED_INFO_COUNT;
	default:
		return 0;
	}
}

static void
fill(union thread_info_any *any, thread_flavor_t flavor, const struct thread_facts *facts,
     const struct task_process *process)
{
	switch (flavor) {
	case THREAD_BASIC_INFO:
		any->basic.user_time = time_value(facts->user_ns);
		any->basic.system_time = time_value(facts->system_ns);
		any->basic.policy = facts->policy;
		any->basic.run_state = facts->run_state;
		any->basic.suspend_count = (integer_t)process->thread_suspend_count;
		break;
	case THREAD_IDENTIFIER_INFO:
		any->identifier.thread_id = (uint64_t)process->thread;
		break;
	default:
		any->extended.pth_user_time = facts->user_ns;
		any->extended.pth_system_time = facts->system_ns;
		any->extended.pth_policy = facts->policy;
		any->extended.pth_run_state = facts->run_state;
		any->extended.pth_curpri = any->extended.pth_priority =
		    PRIORITY_DEFAULT - facts->nice;
		any->extended.pth_maxpriority = PRIORITY_MAX;
		memcpy(any->extended.pth_name, facts->name, sizeof(facts->name));
		break;
	}
}

/*
 * KERN_SUCCESS            and at most *@thread_info_outCnt numbers; it becomes how many
 * KERN_INVALID_ARGUMENT   null, another kernel object, an unknown flavor, too little room
 * KERN_TERMINATED         the thread has just ended
 * MACH_SEND_INVALID_DEST  no send right, or the thread is dead
 */
BERTH_EXPORT kern_return_t
thread_info(thread_inspect_t target_act, thread_flavor_t flavor, thread_info_t thread_info_out,
	    mach_msg_type_number_t *thread_info_outCnt)
{
	union thread_info_any any = { 0 };
	struct thread_facts facts;
	struct task_process process;
	kern_return_t code = task_process_of_thread(target_act, &process);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_thread_info(target_act, flavor, thread_info_out,
					      thread_info_outCnt);
	if (code != KERN_SUCCESS)
		return code;
	mach_msg_type_number_t count = flavor_count(flavor);
	if (count == 0 || *thread_info_outCnt < count)
		code = KERN_INVALID_ARGUMENT;
	else if (!facts_read(&process, &facts))
		code = KERN_TERMINATED;
	if (code == KERN_SUCCESS) {
		if (process.thread_suspend_count > 0 && process.thread_waits)
			facts.run_state = TH_STATE_STOPPED;
		fill(&any, flavor, &facts, &process);
		memcpy(thread_info_out, &any, count * sizeof(natural_t));
		*thread_info_outCnt = count;
	}
	task_process_close(&process);
	return code;
}
