/*
 * What can be seen of the host.  The answers are Linux's; numbers that it does not keep are 0.
 */
#include <mach/mach.h>
#include <mach/host_info.h>
#include <mach/mach_host.h>

#include "client/export.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/proc.h"
#include "wire/host_facts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KOBJECT_NONE 0u
#define KOBJECT_HOST 3u
#define KOBJECT_HOST_PRIV 4u
#define CPU_MAX 4096

/*
 * Is @host the host's port?  @wrong: the code for null and another kernel object.
 * BERTH_TRAP_BY_MESSAGE: a task's port, to be asked by message.
 */
static kern_return_t
host_check(host_t host, kern_return_t wrong)
{
	mach_vm_address_t address;
	natural_t type = 0;

	if (!MACH_PORT_VALID(host))
		return wrong;
	kern_return_t code = mach_port_kobject(mach_task_self_, host, &type, &address);
	if (code != KERN_SUCCESS)
		return MACH_SEND_INVALID_DEST;
	if (type == KOBJECT_NONE)
		return BERTH_TRAP_BY_MESSAGE;
	return type == KOBJECT_HOST || type == KOBJECT_HOST_PRIV ? KERN_SUCCESS : wrong;
}

#if defined(__x86_64__)
_Static_assert(HOST_CPU_TYPE == CPU_TYPE_X86_64 && HOST_CPU_SUBTYPE == CPU_SUBTYPE_X86_64_ALL, "");
#elif defined(__aarch64__)
_Static_assert(HOST_CPU_TYPE == CPU_TYPE_ARM64 && HOST_CPU_SUBTYPE == CPU_SUBTYPE_ARM64_ALL, "");
#endif

/* ---- host_info ----------------------------------------------------------------------- */

/* The kernel's answers to messages are made the same way: kernel/kern/host.c. */
static host_basic_info_data_t
basic_info(const struct host_facts *facts)
{
	const uint64_t most = 0x80000000u; /* as documented; max_mem has it all */

	return (host_basic_info_data_t){
		.max_cpus = (integer_t)facts->cpu_max,
		.avail_cpus = (integer_t)facts->cpu_count,
		.memory_size = (natural_t)(facts->memory_bytes < most ? facts->memory_bytes : most),
		.cpu_type = HOST_CPU_TYPE,
		.cpu_subtype = HOST_CPU_SUBTYPE,
		.cpu_threadtype = CPU_THREADTYPE_NONE,
		.physical_cpu = (integer_t)facts->core_count,
		.physical_cpu_max = (integer_t)facts->core_max,
		.logical_cpu = (integer_t)facts->cpu_count,
		.logical_cpu_max = (integer_t)facts->cpu_max,
		.max_mem = facts->memory_bytes,
	};
}

/* Give @size bytes of @data if there is room for them. */
static kern_return_t
give(const void *data, size_t size, integer_t *out, mach_msg_type_number_t *count)
{
	mach_msg_type_number_t numbers = (mach_msg_type_number_t)(size / sizeof(integer_t));

	if (*count < numbers)
		return KERN_FAILURE;
	memcpy(out, data, size);
	*count = numbers;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
host_info(host_t host, host_flavor_t flavor, host_info_t host_info_out,
	  mach_msg_type_number_t *host_info_outCnt)
{
	/* what Darwin documents of its priorities: user threads 0 to 63, the kernel's from 80 */
	static const host_priority_info_data_t priorities = { 80, 80, 64, 31, 0, 0, 0, 79 };
	host_can_has_debugger_info_data_t debugger = { FALSE };
	host_preferred_user_arch_data_t arch = { HOST_CPU_TYPE, HOST_CPU_SUBTYPE };
	host_sched_info_data_t sched;
	host_basic_info_data_t basic;
	struct host_facts facts;
	kern_return_t code = host_check(host, KERN_INVALID_ARGUMENT);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_info(host, flavor, host_info_out, host_info_outCnt);

	if (code != KERN_SUCCESS)
		return code;
	switch (flavor) {
	case HOST_BASIC_INFO:
		host_facts_read(&facts);
		basic = basic_info(&facts);
		if (*host_info_outCnt < HOST_BASIC_INFO_COUNT)
			return give(&basic, HOST_BASIC_INFO_OLD_COUNT * sizeof(integer_t),
				    host_info_out, host_info_outCnt);
		return give(&basic, sizeof(basic), host_info_out, host_info_outCnt);
	case HOST_SCHED_INFO:
		host_facts_read(&facts);
		sched = (host_sched_info_data_t){ 1, (integer_t)facts.quantum_ms };
		return give(&sched, sizeof(sched), host_info_out, host_info_outCnt);
	case HOST_PRIORITY_INFO:
		return give(&priorities, sizeof(priorities), host_info_out, host_info_outCnt);
	case HOST_SEMAPHORE_TRAPS:
	case HOST_MACH_MSG_TRAP:
		*host_info_outCnt = 0;
		return KERN_SUCCESS;
	case HOST_CAN_HAS_DEBUGGER:
		return give(&debugger, sizeof(debugger), host_info_out, host_info_outCnt);
	case HOST_PREFERRED_USER_ARCH:
		return give(&arch, sizeof(arch), host_info_out, host_info_outCnt);
	case HOST_VM_PURGABLE:
		return NOT_SUPPORTED("HOST_VM_PURGABLE");
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

BERTH_EXPORT kern_return_t
host_kernel_version(host_t host, kernel_version_t kernel_version)
{
	kern_return_t code = host_check(host, KERN_INVALID_ARGUMENT);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_kernel_version(host, kernel_version);
	struct host_facts facts;

	if (code != KERN_SUCCESS)
		return code;
	host_facts_read(&facts);
	_Static_assert(sizeof(facts.version) == sizeof(kernel_version_t), "copied whole");
	memcpy(kernel_version, facts.version, sizeof(facts.version));
	return KERN_SUCCESS;
}

/* ---- statistics ---------------------------------------------------------------------- */

static void
fill_load(host_load_info_data_t *load)
{
	double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
	double averages[3] = { 0 };

	memset(load, 0, sizeof(*load));
	getloadavg(averages, 3);
	for (int i = 0; i < 3; i++) {
		double factor = averages[i] < cpus ? cpus - averages[i] : cpus / (averages[i] + 1);
		load->avenrun[i] = (integer_t)(averages[i] * LOAD_SCALE);
		load->mach_factor[i] = (integer_t)(factor * LOAD_SCALE);
	}
}

static void
fill_vm64(vm_statistics64_data_t *vm)
{
	uint64_t page_kb = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	char text[16384];

	memset(vm, 0, sizeof(*vm));
	if (proc_read("/proc/meminfo", text, sizeof(text))) {
#define PAGES(key) ((natural_t)(proc_number(text, key) / page_kb))
		vm->free_count = PAGES("MemFree:");
		vm->active_count = PAGES("Active:");
		vm->inactive_count = PAGES("Inactive:");
		vm->wire_count = PAGES("Unevictable:") + PAGES("SUnreclaim:") +
				 PAGES("KernelStack:") + PAGES("PageTables:");
		vm->external_page_count = PAGES("Active(file):") + PAGES("Inactive(file):");
		vm->internal_page_count = PAGES("AnonPages:");
		vm->compressor_page_count = PAGES("Zswap:");
		vm->total_uncompressed_pages_in_compressor = PAGES("Zswapped:");
#undef PAGES
	}
	if (proc_read("/proc/vmstat", text, sizeof(text))) {
		vm->reactivations = proc_number(text, "pgactivate");
		vm->pageins = proc_number(text, "pgpgin") / page_kb; /* told in KiB */
		vm->pageouts = proc_number(text, "pgpgout") / page_kb;
		vm->faults = proc_number(text, "pgfault");
		vm->swapins = proc_number(text, "pswpin");
		vm->swapouts = proc_number(text, "pswpout");
		vm->decompressions = proc_number(text, "zswpin");
		vm->compressions = proc_number(text, "zswpout");
	}
}

static void
fill_vm(vm_statistics_data_t *vm)
{
	vm_statistics64_data_t wide;

	fill_vm64(&wide);
	memset(vm, 0, sizeof(*vm));
	vm->free_count = wide.free_count;
	vm->active_count = wide.active_count;
	vm->inactive_count = wide.inactive_count;
	vm->wire_count = wide.wire_count;
	vm->reactivations = (natural_t)wide.reactivations;
	vm->pageins = (natural_t)wide.pageins;
	vm->pageouts = (natural_t)wide.pageouts;
	vm->faults = (natural_t)wide.faults;
}

/* The ticks in a line of /proc/stat, behind its "cpu" or "cpu0".  False: it is none. */
static bool
cpu_ticks(const char *numbers, natural_t ticks[CPU_STATE_MAX])
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;

	if (sscanf(numbers, "%llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
		   &iowait, &irq, &softirq, &steal) != 8)
		return false;
	ticks[CPU_STATE_USER] = (natural_t)user;
	ticks[CPU_STATE_NICE] = (natural_t)nice;
	ticks[CPU_STATE_SYSTEM] = (natural_t)(system + irq + softirq + steal);
	ticks[CPU_STATE_IDLE] = (natural_t)(idle + iowait);
	return true;
}

BERTH_EXPORT kern_return_t
host_statistics(host_t host_priv, host_flavor_t flavor, host_info_t host_info_out,
		mach_msg_type_number_t *host_info_outCnt)
{
	host_cpu_load_info_data_t cpu = { 0 };
	host_load_info_data_t load;
	vm_statistics_data_t vm;
	char text[256];
	kern_return_t code = host_check(host_priv, KERN_INVALID_HOST);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_statistics(host_priv, flavor, host_info_out,
						  host_info_outCnt);

	if (code != KERN_SUCCESS)
		return code;
	switch (flavor) {
	case HOST_LOAD_INFO:
		fill_load(&load);
		return give(&load, sizeof(load), host_info_out, host_info_outCnt);
	case HOST_VM_INFO:
		fill_vm(&vm);
		return give(&vm, sizeof(vm), host_info_out, host_info_outCnt);
	case HOST_CPU_LOAD_INFO:
		if (!proc_read("/proc/stat", text, sizeof(text)) ||
		    !cpu_ticks(text + 4, cpu.cpu_ticks))
			return KERN_FAILURE;
		return give(&cpu, sizeof(cpu), host_info_out, host_info_outCnt);
	case HOST_EXPIRED_TASK_INFO:
		return NOT_SUPPORTED("HOST_EXPIRED_TASK_INFO");
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

BERTH_EXPORT kern_return_t
host_statistics64(host_t host_priv, host_flavor_t flavor, host_info64_t host_info64_out,
		  mach_msg_type_number_t *host_info64_outCnt)
{
	vm_statistics64_data_t vm;
	kern_return_t code = host_check(host_priv, KERN_INVALID_HOST);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_statistics64(host_priv, flavor, host_info64_out,
						    host_info64_outCnt);
	if (code != KERN_SUCCESS)
		return code;
	if (flavor == HOST_EXTMOD_INFO64)
		return NOT_SUPPORTED("HOST_EXTMOD_INFO64");
	if (flavor != HOST_VM_INFO64)
		return host_statistics(host_priv, flavor, host_info64_out, host_info64_outCnt);
	fill_vm64(&vm);
	return give(&vm, sizeof(vm), host_info64_out, host_info64_outCnt);
}

/* ---- each processor ------------------------------------------------------------------- */

/* Fill @info for the processors that run; how many, 0: Linux does not say. */
static natural_t
processors_fill(processor_flavor_t flavor, integer_t *info, natural_t room)
{
	FILE *stat = fopen("/proc/stat", "re");
	natural_t count = 0;
	char line[512];

	if (stat == NULL)
		return 0;
	while (count < room && fgets(line, sizeof(line), stat) != NULL) {
		natural_t ticks[CPU_STATE_MAX];
		char *numbers;
		if (strncmp(line, "cpu", 3) != 0 || line[3] < '0' || line[3] > '9')
			continue;
		int number = (int)strtol(line + 3, &numbers, 10);
		if (flavor == PROCESSOR_CPU_LOAD_INFO) {
			if (!cpu_ticks(numbers, ticks))
				continue;
			memcpy(info + count * CPU_STATE_MAX, ticks, sizeof(ticks));
		} else {
			processor_basic_info_data_t basic = { .cpu_type = HOST_CPU_TYPE,
							      .cpu_subtype = HOST_CPU_SUBTYPE,
							      .running = TRUE,
							      .slot_num = number,
							      .is_main = number == 0 };
			memcpy(info + count * PROCESSOR_BASIC_INFO_COUNT, &basic, sizeof(basic));
		}
		count++;
	}
	fclose(stat);
	return count;
}

BERTH_EXPORT kern_return_t
host_processor_info(host_t host, processor_flavor_t flavor, natural_t *out_processor_count,
		    processor_info_array_t *out_processor_info,
		    mach_msg_type_number_t *out_processor_infoCnt)
{
	kern_return_t code = host_check(host, KERN_INVALID_ARGUMENT);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_processor_info(host, flavor, out_processor_count,
						      out_processor_info, out_processor_infoCnt);
	natural_t each = flavor == PROCESSOR_CPU_LOAD_INFO ? PROCESSOR_CPU_LOAD_INFO_COUNT
							   : PROCESSOR_BASIC_INFO_COUNT;
	natural_t room = (natural_t)sysconf(_SC_NPROCESSORS_CONF);

	if (code != KERN_SUCCESS)
		return code;
	if (flavor != PROCESSOR_BASIC_INFO && flavor != PROCESSOR_CPU_LOAD_INFO)
		return KERN_INVALID_ARGUMENT;
	if (room == 0 || room > CPU_MAX)
		return KERN_FAILURE;
	size_t size = (size_t)room * each * sizeof(integer_t);
	integer_t *info =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (info == MAP_FAILED)
		return KERN_RESOURCE_SHORTAGE;
	natural_t count = processors_fill(flavor, info, room);
	if (count == 0) {
		munmap(info, size);
		return KERN_FAILURE;
	}
	/* the caller releases as many pages as its count says */
	size_t used = round_page(count * each * sizeof(integer_t));
	if (used < size)
		munmap((uint8_t *)info + used, size - used);
	*out_processor_count = count;
	*out_processor_info = info;
	*out_processor_infoCnt = count * each;
	return KERN_SUCCESS;
}
