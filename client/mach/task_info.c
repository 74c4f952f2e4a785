/*
 * What can be seen of a task: of the own one, and by its control or name port of any other.
 *
 * Where Darwin counts what Linux doesn't, the number is one that cannot mislead: 0 for things
 * that do not exist here (purgeable memory), the present value for peaks that nobody keeps.
 */
#include <mach/mach.h>
#include <mach/task_info.h>

#include "client/export.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/proc.h"
#include "client/mach/task_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

/* A task that is looked at. */
struct view {
	int proc_fd;          /* its folder of /proc */
	audit_token_t *token; /* NULL: it is the caller's own */
	uint32_t suspend_count;
};

/* ---- times -------------------------------------------------------------------------- */

/* CPU time in ns. */
struct cpu_times {
	uint64_t user_ns;
	uint64_t system_ns;
};

/* Add what a file as /proc/PID/stat says, in clock ticks. */
static void
times_add(struct cpu_times *times, int proc_fd, const char *path)
{
	uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	char text[1024];

	if (!proc_read_at(proc_fd, path, text, sizeof(text)))
		return;
	/* the name may hold anything; utime and stime are fields 14 and 15, 12 and 13 behind it */
	const char *at = strrchr(text, ')');
	unsigned long user, system;
	if (at != NULL && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				 &user, &system) == 2) {
		times->user_ns += user * tick_ns;
		times->system_ns += system * tick_ns;
	}
}

static struct cpu_times
times_of_usage(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (struct cpu_times){
		(uint64_t)usage.ru_utime.tv_sec * 1000000000u +
		    (uint64_t)usage.ru_utime.tv_usec * 1000u,
		(uint64_t)usage.ru_stime.tv_sec * 1000000000u +
		    (uint64_t)usage.ru_stime.tv_usec * 1000u,
	};
}

/* All that it has used.  Linux tells times of others in clock ticks. */
static struct cpu_times
times_of_task(const struct view *view)
{
	struct cpu_times total = { 0 };

	if (view->token == NULL)
		return times_of_usage(RUSAGE_SELF);
	times_add(&total, view->proc_fd, "stat");
	return total;
}

/* The times of all threads that live: Darwin tells them apart from those of ended ones. */
static struct cpu_times
times_of_living(const struct view *view, struct cpu_times total)
{
	struct cpu_times living = { 0 };
	int thread_count = 0;
	int threads_fd = openat(view->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *threads = threads_fd >= 0 ? fdopendir(threads_fd) : NULL;

	if (threads == NULL) {
		if (threads_fd >= 0)
			close(threads_fd);
		return total;
	}
	for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		char path[64];
		snprintf(path, sizeof(path), "task/%.20s/stat", entry->d_name);
		thread_count++;
		times_add(&living, view->proc_fd, path);
	}
	closedir(threads);
	/* ticks are coarse: never more than there was, and nothing ended where only one lives and
	 * the difference is less than a few ticks */
	struct cpu_times self = times_of_usage(RUSAGE_THREAD);
	if (view->token == NULL && thread_count == 1 && total.user_ns - self.user_ns < 1000000u &&
	    total.system_ns - self.system_ns < 1000000u)
		return total;
	if (living.user_ns > total.user_ns)
		living.user_ns = total.user_ns;
	if (living.system_ns > total.system_ns)
		living.system_ns = total.system_ns;
	return living;
}

static time_value_t
time_value(uint64_t ns)
{
	return (time_value_t){ (integer_t)(ns / 1000000000u),
			       (integer_t)(ns % 1000000000u / 1000u) };
}

/* ---- memory ------------------------------------------------------------------------- */

/* In bytes. */
struct memory_sizes {
	uint64_t virtual_size, resident, resident_max, anonymous, file, swapped;
};

static struct memory_sizes
memory_sizes_read(const struct view *view)
{
	struct memory_sizes sizes = { 0 };
	char text[4096];

	if (!proc_read_at(view->proc_fd, "status", text, sizeof(text)))
		return sizes;
	sizes.virtual_size = proc_number(text, "VmSize:") * 1024;
	sizes.resident = proc_number(text, "VmRSS:") * 1024;
	sizes.resident_max = proc_number(text, "VmHWM:") * 1024;
	sizes.anonymous = proc_number(text, "RssAnon:") * 1024;
	sizes.file = (proc_number(text, "RssFile:") + proc_number(text, "RssShmem:")) * 1024;
	sizes.swapped = proc_number(text, "VmSwap:") * 1024;
	return sizes;
}

static integer_t
region_count(const struct view *view)
{
	int fd = openat(view->proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd >= 0 ? fdopen(fd, "r") : NULL;
	integer_t count = 0;

	if (maps == NULL) { /* of another's, where Linux does not let this process look */
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (int c; (c = getc_unlocked(maps)) != EOF;)
		count += c == '\n';
	fclose(maps);
	return count;
}

/* ---- tokens ------------------------------------------------------------------------- */

/* The token that this task's messages carry: a message to oneself tells. */
static kern_return_t
own_audit_token(audit_token_t *token)
{
	struct {
		mach_msg_header_t header;
		mach_msg_audit_trailer_t trailer;
	} message = { 0 };
	mach_port_t port = mach_reply_port();

	if (port == MACH_PORT_NULL)
		return KERN_RESOURCE_SHORTAGE;
	message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND_ONCE, 0);
	message.header.msgh_remote_port = port;
	kern_return_t code = mach_msg(
	    &message.header,
	    MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
	    sizeof(message.header), sizeof(message), port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
	mach_port_mod_refs(mach_task_self_, port, MACH_PORT_RIGHT_RECEIVE, -1);
	if (code == MACH_MSG_SUCCESS)
		*token = message.trailer.msgh_audit;
	return code;
}

/* ---- flavors ------------------------------------------------------------------------ */

/* Everything that fits: one of these is filled and copied. */
union task_info_any {
	task_absolutetime_info_data_t absolute_time;
	task_thread_times_info_data_t thread_times;
	task_basic_info_32_data_t basic_32;
	task_basic_info_64_data_t basic_64;
	mach_task_basic_info_data_t mach_basic;
	task_vm_info_data_t vm;
	task_flags_info_data_t flags;
	security_token_t security_token;
	audit_token_t audit_token;
};

static void
fill_basic(const struct view *view, union task_info_any *any, task_flavor_t flavor)
{
	struct memory_sizes sizes = memory_sizes_read(view);
	struct cpu_times total = times_of_task(view);
	struct cpu_times living = times_of_living(view, total);
	time_value_t user = time_value(total.user_ns - living.user_ns);
	time_value_t system = time_value(total.system_ns - living.system_ns);

	if (flavor == MACH_TASK_BASIC_INFO) {
		any->mach_basic.virtual_size = sizes.virtual_size;
		any->mach_basic.resident_size = sizes.resident;
		any->mach_basic.resident_size_max = sizes.resident_max;
		any->mach_basic.user_time = user;
		any->mach_basic.system_time = system;
		any->mach_basic.policy = POLICY_TIMESHARE;
		any->mach_basic.suspend_count = (integer_t)view->suspend_count;
	} else if (flavor == TASK_BASIC_INFO_32 || flavor == TASK_BASIC2_INFO_32) {
		const uint64_t most = UINT32_MAX;
		any->basic_32.virtual_size =
		    (natural_t)(sizes.virtual_size < most ? sizes.virtual_size : most);
		any->basic_32.resident_size =
		    (natural_t)(sizes.resident < most ? sizes.resident : most);
		any->basic_32.user_time = user;
		any->basic_32.system_time = system;
		any->basic_32.policy = POLICY_TIMESHARE;
		any->basic_32.suspend_count = (integer_t)view->suspend_count;
	} else {
		any->basic_64.virtual_size = sizes.virtual_size;
		any->basic_64.resident_size = sizes.resident;
		any->basic_64.user_time = user;
		any->basic_64.system_time = system;
		any->basic_64.policy = POLICY_TIMESHARE;
		any->basic_64.suspend_count = (integer_t)view->suspend_count;
	}
}

static void
fill_times(const struct view *view, union task_info_any *any, task_flavor_t flavor)
{
	struct cpu_times total = times_of_task(view);
	struct cpu_times living = times_of_living(view, total);

	if (flavor == TASK_ABSOLUTETIME_INFO) {
		any->absolute_time.total_user = total.user_ns;
		any->absolute_time.total_system = total.system_ns;
		any->absolute_time.threads_user = living.user_ns;
		any->absolute_time.threads_system = living.system_ns;
	} else {
		any->thread_times.user_time = time_value(living.user_ns);
		any->thread_times.system_time = time_value(living.system_ns);
	}
}

static void
fill_vm(const struct view *view, task_vm_info_data_t *vm)
{
	struct memory_sizes sizes = memory_sizes_read(view);

	vm->virtual_size = sizes.virtual_size;
	vm->region_count = region_count(view);
	vm->page_size = (integer_t)vm_page_size;
	vm->resident_size = sizes.resident;
	vm->resident_size_peak = sizes.resident_max;
	vm->internal = vm->internal_peak = sizes.anonymous;
	vm->external = vm->external_peak = sizes.file;
	/* Darwin compresses what Linux swaps */
	vm->compressed = vm->compressed_peak = vm->compressed_lifetime = sizes.swapped;
	vm->phys_footprint = sizes.anonymous + sizes.swapped;
}

/* How many numbers a flavor has at most and at least; false: it is unknown. */
static bool
flavor_counts(task_flavor_t flavor, mach_msg_type_number_t *most, mach_msg_type_number_t *least)
{
	switch (flavor) {
	case TASK_ABSOLUTETIME_INFO:
		*least = *most = TASK_ABSOLUTETIME_INFO_COUNT;
		return true;
	case TASK_THREAD_TIMES_INFO:
		*least = *most = TASK_THREAD_TIMES_INFO_COUNT;
		return true;
	case TASK_BASIC_INFO_32:
	case TASK_BASIC2_INFO_32:
		*least = *most = TASK_BASIC_INFO_32_COUNT;
		return true;
	case 5: /* TASK_BASIC_INFO_64 and its other number, whichever is which here */
	case TASK_BASIC_INFO_64_2:
		*least = *most = TASK_BASIC_INFO_64_COUNT;
		return true;
	case MACH_TASK_BASIC_INFO:
		*least = *most = MACH_TASK_BASIC_INFO_COUNT;
		return true;
	case TASK_SECURITY_TOKEN:
		*least = *most = TASK_SECURITY_TOKEN_COUNT;
		return true;
	case TASK_AUDIT_TOKEN:
		*least = *most = TASK_AUDIT_TOKEN_COUNT;
		return true;
	case TASK_VM_INFO:
		*most = TASK_VM_INFO_COUNT;
		*least = offsetof(task_vm_info_data_t, phys_footprint) / sizeof(natural_t);
		return true;
	case TASK_FLAGS_INFO:
		*least = *most = TASK_FLAGS_INFO_COUNT;
		return true;
	default:
		return false;
	}
}

static kern_return_t
fill(const struct view *view, union task_info_any *any, task_flavor_t flavor)
{
	audit_token_t token;
	kern_return_t code;

	switch (flavor) {
	case TASK_ABSOLUTETIME_INFO:
	case TASK_THREAD_TIMES_INFO:
		fill_times(view, any, flavor);
		return KERN_SUCCESS;
	case TASK_SECURITY_TOKEN:
	case TASK_AUDIT_TOKEN:
		code = KERN_SUCCESS;
		if (view->token != NULL)
			token = *view->token;
		else
			code = own_audit_token(&token);
		if (code != KERN_SUCCESS)
			return code;
		if (flavor == TASK_AUDIT_TOKEN)
			any->audit_token = token;
		else
			any->security_token = (security_token_t){ { token.val[1], token.val[2] } };
		return KERN_SUCCESS;
	case TASK_VM_INFO:
		fill_vm(view, &any->vm);
		return KERN_SUCCESS;
	case TASK_FLAGS_INFO:
		any->flags.flags = sizeof(void *) == 8 ? TF_LP64 | TF_64B_DATA : 0;
		return KERN_SUCCESS;
	default:
		fill_basic(view, any, flavor);
		return KERN_SUCCESS;
	}
}

/* Fill in what was seen, as @count says how much is wanted; it becomes how much there is. */
static kern_return_t
view_tell(const struct view *view, task_flavor_t flavor, task_info_t out,
	  mach_msg_type_number_t *count)
{
	union task_info_any any;
	mach_msg_type_number_t most, least;

	if (!flavor_counts(flavor, &most, &least) || *count < least)
		return KERN_INVALID_ARGUMENT;
	memset(&any, 0, sizeof(any));
	kern_return_t code = fill(view, &any, flavor);
	if (code != KERN_SUCCESS)
		return code;
	if (*count > most)
		*count = most;
	memcpy(out, &any, *count * sizeof(natural_t));
	return KERN_SUCCESS;
}

/* task_info() of another task: all of this Linux tells to everybody, but for its regions. */
static kern_return_t
other_info(task_name_t task, task_flavor_t flavor, task_info_t out, mach_msg_type_number_t *count)
{
	struct task_process process;
	kern_return_t code = task_process_open(task, &process);
	char text[64];

	if (code != KERN_SUCCESS)
		return code;
	struct view view = { .proc_fd = process.proc_fd,
			     .token = &process.token,
			     .suspend_count = process.suspend_count };
	code = view_tell(&view, flavor, out, count);
	/* what was gone by the end has told nothing */
	if (code == KERN_SUCCESS && !proc_read_at(process.proc_fd, "stat", text, sizeof(text)))
		code = KERN_INVALID_ARGUMENT;
	task_process_close(&process);
	return code;
}

BERTH_EXPORT kern_return_t
task_info(task_name_t target_task, task_flavor_t flavor, task_info_t task_info_out,
	  mach_msg_type_number_t *task_info_outCnt)
{
	kern_return_t own = later_own_task(target_task);

	if (own != KERN_SUCCESS && own != BERTH_TRAP_BY_MESSAGE)
		return own;
	if (own == BERTH_TRAP_BY_MESSAGE && kernelrpc_is_asked(target_task))
		return _kernelrpc_task_info(target_task, flavor, task_info_out, task_info_outCnt);
	if (flavor == TASK_EVENTS_INFO || flavor == TASK_AFFINITY_TAG_INFO ||
	    flavor == TASK_DYLD_INFO || flavor == TASK_POWER_INFO)
		return NOT_SUPPORTED("TASK_EVENTS_, _AFFINITY_TAG_, _DYLD_ or _POWER_INFO");
	if (own == BERTH_TRAP_BY_MESSAGE)
		return other_info(target_task, flavor, task_info_out, task_info_outCnt);
	struct view view = { .proc_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	kern_return_t code = view_tell(&view, flavor, task_info_out, task_info_outCnt);
	if (view.proc_fd >= 0)
		close(view.proc_fd);
	return code;
}
