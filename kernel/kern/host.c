#include "kern/host.h"

#include <string.h>

#include "kern/ipc_tt.h"

#define MEMORY_SIZE_MOST 0x80000000u /* as documented; max_mem has it all */

struct kernel *
convert_port_to_host(struct ipc_port *port)
{
	struct kernel *k = convert_port_to_kobject(port, IKOT_HOST);

	return k ? k : convert_port_to_kobject(port, IKOT_HOST_PRIV); /* who may more may this */
}

/* @size_bytes of @data, if there is room for them. */
static kern_return_t
give(const void *data, size_t size_bytes, host_info_t info, mach_msg_type_number_t *count)
{
	const mach_msg_type_number_t numbers = (mach_msg_type_number_t)(size_bytes / sizeof(*info));

	if (*count < numbers)
		return KERN_FAILURE;
	memcpy(info, data, size_bytes);
	*count = numbers;
	return KERN_SUCCESS;
}

static kern_return_t
basic_info(const struct kernel_host_facts *facts, host_info_t info, mach_msg_type_number_t *count)
{
	const host_basic_info_data_t basic = {
		.max_cpus = (integer_t)facts->cpu_max,
		.avail_cpus = (integer_t)facts->cpu_count,
		.memory_size =
		    (natural_t)(facts->memory_bytes < MEMORY_SIZE_MOST ? facts->memory_bytes
								       : MEMORY_SIZE_MOST),
		.cpu_type = facts->cpu_type,
		.cpu_subtype = facts->cpu_subtype,
		.cpu_threadtype = CPU_THREADTYPE_NONE,
		.physical_cpu = (integer_t)facts->core_count,
		.physical_cpu_max = (integer_t)facts->core_max,
		.logical_cpu = (integer_t)facts->cpu_count,
		.logical_cpu_max = (integer_t)facts->cpu_max,
		.max_mem = facts->memory_bytes,
	};
	const bool is_old = *count < HOST_BASIC_INFO_COUNT; /* the caller is: it knows the first */

	return give(&basic, is_old ? HOST_BASIC_INFO_OLD_COUNT * sizeof(*info) : sizeof(basic),
		    info, count);
}

kern_return_t
host_info(struct kernel *k, host_flavor_t flavor, host_info_t info, mach_msg_type_number_t *count)
{
	/* what Darwin documents of its priorities: user threads 0 to 63, the kernel's from 80 */
	static const host_priority_info_data_t priorities = { 80, 80, 64, 31, 0, 0, 0, 79 };
	static const host_can_has_debugger_info_data_t debugger = { FALSE };

	if (!k)
		return KERN_INVALID_ARGUMENT;

	const struct kernel_host_facts *facts = &k->facts;
	const host_sched_info_data_t sched = { 1, (integer_t)facts->quantum_ms };
	const host_preferred_user_arch_data_t arch = { facts->cpu_type, facts->cpu_subtype };

	switch (flavor) {
	case HOST_BASIC_INFO:
		return basic_info(facts, info, count);
	case HOST_SCHED_INFO:
		return give(&sched, sizeof(sched), info, count);
	case HOST_PRIORITY_INFO:
		return give(&priorities, sizeof(priorities), info, count);
	case HOST_SEMAPHORE_TRAPS:
	case HOST_MACH_MSG_TRAP:
		*count = 0;
		return KERN_SUCCESS;
	case HOST_CAN_HAS_DEBUGGER:
		return give(&debugger, sizeof(debugger), info, count);
	case HOST_PREFERRED_USER_ARCH:
		return give(&arch, sizeof(arch), info, count);
	case HOST_VM_PURGABLE:
		return KERN_NOT_SUPPORTED;
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

kern_return_t
host_kernel_version(struct kernel *k, kernel_version_t version)
{
	if (!k)
		return KERN_INVALID_ARGUMENT;
	memcpy(version, k->facts.version, sizeof(k->facts.version));
	return KERN_SUCCESS;
}

kern_return_t
_host_page_size(struct kernel *k, vm_size_t *size_bytes)
{
	if (!k)
		return KERN_INVALID_ARGUMENT;
	*size_bytes = k->facts.page_bytes;
	return KERN_SUCCESS;
}
