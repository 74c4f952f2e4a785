/*
 * Memory of other tasks, by /proc/PID/mem and maps: mach-kobjects.md §8.
 *
 * The control port says whose memory is meant; whether this process may touch it Linux says, as
 * to a debugger.  That file would go through any protection, so that is looked up first.
 */
#include "client/mach/vm_other.h"

#include <mach/mach.h>
#include <mach/mach_vm.h>

#include "client/mach/task_process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The process of a task whose memory is asked for: its name port is not enough. */
static kern_return_t
target_open(mach_port_t task, struct task_process *process)
{
	kern_return_t code = task_process_open(task, process);

	if (code == KERN_SUCCESS && !process->is_control) {
		task_process_close(process);
		return KERN_INVALID_ARGUMENT;
	}
	return code;
}

/* May the range be used as @protection says? */
static kern_return_t
target_allows(const struct task_process *process, mach_vm_address_t address, mach_vm_size_t size,
	      int protection)
{
	kern_return_t code = KERN_SUCCESS;
	int maps_fd = task_process_file(process, "maps", O_RDONLY, &code);

	if (maps_fd < 0)
		return code;
	code = vm_range_allows(maps_fd, address, size, protection);
	close(maps_fd);
	return code;
}

/* Move @size bytes between @here, which is the library's own, and @address there. */
static kern_return_t
transfer(int memory_fd, mach_vm_address_t address, uint8_t *here, size_t size, bool is_write)
{
	while (size > 0) {
		ssize_t done = is_write ? pwrite(memory_fd, here, size, (off_t)address)
					: pread(memory_fd, here, size, (off_t)address);
		if (done < 0 && errno == EINTR)
			continue;
		if (done == 0)
			return KERN_INVALID_ARGUMENT; /* nobody has that memory any more */
		if (done < 0 && errno == EFAULT)
			return KERN_INVALID_ADDRESS; /* here */
		if (done < 0) /* unmapped meanwhile, or behind the end of a file */
			return errno == ENOMEM ? KERN_RESOURCE_SHORTAGE : KERN_INVALID_ADDRESS;
		address += (mach_vm_address_t)done;
		here += done;
		size -= (size_t)done;
	}
	return KERN_SUCCESS;
}

/* The same, once it has been looked whether it may be. */
static kern_return_t
target_move(const struct task_process *process, mach_vm_address_t address, void *here, size_t size,
	    bool is_write)
{
	kern_return_t code =
	    target_allows(process, address, size, is_write ? VM_PROT_WRITE : VM_PROT_READ);

	if (code != KERN_SUCCESS)
		return code;
	int memory_fd = task_process_file(process, "mem", is_write ? O_RDWR : O_RDONLY, &code);
	if (memory_fd < 0)
		return code;
	code = transfer(memory_fd, address, here, size, is_write);
	close(memory_fd);
	return code;
}

kern_return_t
vm_other_read(mach_port_t task, mach_vm_address_t address, void *here, mach_vm_size_t size)
{
	struct task_process process;
	kern_return_t code = target_open(task, &process);

	if (code != KERN_SUCCESS)
		return code;
	code = target_move(&process, address, here, (size_t)size, false);
	task_process_close(&process);
	return code;
}

kern_return_t
vm_other_write(mach_port_t task, mach_vm_address_t address, const void *here, mach_vm_size_t size)
{
	struct task_process process;
	kern_return_t code = target_open(task, &process);

	if (code != KERN_SUCCESS)
		return code;
	code = target_move(&process, address, (void *)(uintptr_t)here, (size_t)size, true);
	task_process_close(&process);
	return code;
}

kern_return_t
vm_other_copy(mach_port_t task, mach_vm_address_t from, mach_vm_size_t size, mach_vm_address_t to)
{
	struct task_process process;
	kern_return_t code = target_open(task, &process);

	if (code != KERN_SUCCESS)
		return code;
	/* all or nothing: a copy that stops half-way would have changed its target */
	code = target_allows(&process, from, size, VM_PROT_READ);
	if (code == KERN_SUCCESS)
		code = target_allows(&process, to, size, VM_PROT_WRITE);
	if (code == KERN_SUCCESS && size > 0) {
		void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		code = memory == MAP_FAILED
			   ? KERN_RESOURCE_SHORTAGE
			   : target_move(&process, from, memory, (size_t)size, false);
		if (code == KERN_SUCCESS)
			code = target_move(&process, to, memory, (size_t)size, true);
		if (memory != MAP_FAILED)
			munmap(memory, (size_t)size);
	}
	task_process_close(&process);
	return code;
}

kern_return_t
vm_other_open(mach_port_t task, struct task_process *process, int *maps_fd)
{
	kern_return_t code = target_open(task, process);

	if (code != KERN_SUCCESS)
		return code;
	*maps_fd = task_process_file(process, "maps", O_RDONLY, &code);
	if (*maps_fd < 0)
		task_process_close(process);
	return code;
}

kern_return_t
vm_other_allows(mach_port_t task, mach_vm_address_t address, mach_vm_size_t size, int protection)
{
	struct task_process process;
	kern_return_t code = target_open(task, &process);

	if (code != KERN_SUCCESS)
		return code;
	code = target_allows(&process, address, size, protection);
	task_process_close(&process);
	return code;
}

kern_return_t
vm_other_mapping(mach_port_t task, mach_vm_address_t address, struct vm_mapping *mapping)
{
	struct task_process process;
	kern_return_t code = target_open(task, &process);

	if (code != KERN_SUCCESS)
		return code;
	int maps_fd = task_process_file(&process, "maps", O_RDONLY, &code);
	if (maps_fd >= 0) {
		code = vm_mapping_find(maps_fd, (uintptr_t)address, mapping);
		close(maps_fd);
	}
	task_process_close(&process);
	return code;
}
