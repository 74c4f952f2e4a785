/*
 * Reading, writing and copying memory that may not be there, and finding out what is; of other
 * tasks by vm_other.c.
 */
#include "client/mach/vm.h"

#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/vm_region.h>
#include <mach/vm_statistics.h>

#include "client/export.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/task_process.h"
#include "client/mach/vm_movable.h"
#include "client/mach/vm_other.h"
#include "client/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- copying ---------------------------------------------------------------------------- */

kern_return_t
vm_copy_bytes(mach_vm_address_t to, mach_vm_address_t from, mach_vm_size_t size)
{
	/* process_vm_writev stops where a memcpy would be killed, at either end */
	while (size > 0) {
		size_t part = size < (1u << 30) ? (size_t)size : (size_t)1 << 30;
		struct iovec source = { (void *)(uintptr_t)from, part };
		struct iovec target = { (void *)(uintptr_t)to, part };
		ssize_t done = process_vm_writev(getpid(), &source, 1, &target, 1, 0);

		if (done <= 0) {
			bool is_forbidden = done < 0 && errno != EFAULT;
			kern_return_t code = vm_range_allows(VM_OWN_MAPS, from,
							     is_forbidden ? size : 1, VM_PROT_READ);
			if (code == KERN_SUCCESS)
				code = vm_range_allows(VM_OWN_MAPS, to, is_forbidden ? size : 1,
						       VM_PROT_WRITE);
			if (code != KERN_SUCCESS)
				return code;
			if (!is_forbidden) /* mapped after all, but behind the end of a file */
				return KERN_MEMORY_ERROR;
			/* the call is not allowed here, but all is there */
			memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, (size_t)size);
			return KERN_SUCCESS;
		}
		to += (mach_vm_size_t)done;
		from += (mach_vm_size_t)done;
		size -= (mach_vm_size_t)done;
	}
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_vm_read(vm_map_read_t target_task, mach_vm_address_t address, mach_vm_size_t size,
	     vm_offset_t *data, mach_msg_type_number_t *dataCnt)
{
	kern_return_t own = later_own_task(target_task);

	if (own != KERN_SUCCESS && own != BERTH_TRAP_BY_MESSAGE)
		return own;
	if (own == BERTH_TRAP_BY_MESSAGE && kernelrpc_is_asked(target_task))
		return _kernelrpc_mach_vm_read(target_task, address, size, data, dataCnt);
	if (size > UINT32_MAX)
		return KERN_INVALID_ARGUMENT;
	if (size == 0) {
		*data = 0;
		*dataCnt = 0;
		return KERN_SUCCESS;
	}
	void *memory =
	    mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return KERN_NO_SPACE;
	vm_movable_adopt((uintptr_t)memory, (size_t)mach_vm_round_page(size),
			 PROT_READ | PROT_WRITE);
	kern_return_t code = own == KERN_SUCCESS
				 ? vm_copy_bytes((uintptr_t)memory, address, size)
				 : vm_other_read(target_task, address, memory, size);
	if (code != KERN_SUCCESS) {
		vm_movable_unmap((uintptr_t)memory, (size_t)size);
		return code;
	}
	*data = (vm_offset_t)memory;
	*dataCnt = (mach_msg_type_number_t)size;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_vm_read_list(vm_map_read_t target_task, mach_vm_read_entry_t data_list, natural_t count)
{
	kern_return_t own = later_own_task(target_task);

	if (own != KERN_SUCCESS && own != BERTH_TRAP_BY_MESSAGE)
		return own;
	if (own == BERTH_TRAP_BY_MESSAGE && kernelrpc_is_asked(target_task))
		return _kernelrpc_mach_vm_read_list(target_task, data_list, count);
	if (count > VM_MAP_ENTRY_MAX)
		return KERN_INVALID_ARGUMENT;
	/* what cannot be read is told as nothing at 0; the last such error is the call's */
	kern_return_t result = KERN_SUCCESS;
	for (natural_t i = 0; i < count; i++) {
		mach_msg_type_number_t size = 0;
		vm_offset_t data = 0;
		kern_return_t code = mach_vm_read(target_task, data_list[i].address,
						  data_list[i].size, &data, &size);
		if (code != KERN_SUCCESS)
			result = code;
		data_list[i].address = data;
		data_list[i].size = size;
	}
	return result;
}

/* mach_vm_read_overwrite() from another task. */
static kern_return_t
other_read_overwrite(vm_map_read_t task, mach_vm_address_t address, mach_vm_size_t size,
		     mach_vm_address_t data, mach_vm_size_t *outsize)
{
	if (kernelrpc_is_asked(task))
		return _kernelrpc_mach_vm_read_overwrite(task, address, size, data, outsize);
	kern_return_t code = vm_range_allows(VM_OWN_MAPS, data, size, VM_PROT_WRITE);
	if (code == KERN_SUCCESS)
		code = vm_other_read(task, address, (void *)(uintptr_t)data, size);
	if (code == KERN_SUCCESS)
		*outsize = size;
	return code;
}

BERTH_EXPORT kern_return_t
mach_vm_read_overwrite(vm_map_read_t target_task, mach_vm_address_t address, mach_vm_size_t size,
		       mach_vm_address_t data, mach_vm_size_t *outsize)
{
	OWN_TASK_OR(target_task, other_read_overwrite(target_task, address, size, data, outsize));
	kern_return_t code = mach_vm_copy(target_task, address, size, data);
	if (code == KERN_SUCCESS)
		*outsize = size;
	return code;
}

/* mach_vm_write() into another task. */
static kern_return_t
other_write(vm_map_t task, mach_vm_address_t address, vm_offset_t data, mach_msg_type_number_t size)
{
	if (kernelrpc_is_asked(task))
		return _kernelrpc_mach_vm_write(task, address, data, size);
	kern_return_t code = vm_range_allows(VM_OWN_MAPS, data, size, VM_PROT_READ);
	return code == KERN_SUCCESS
		   ? vm_other_write(task, address, (const void *)(uintptr_t)data, size)
		   : code;
}

BERTH_EXPORT kern_return_t
mach_vm_write(vm_map_t target_task, mach_vm_address_t address, vm_offset_t data,
	      mach_msg_type_number_t dataCnt)
{
	OWN_TASK_OR(target_task, other_write(target_task, address, data, dataCnt));
	return mach_vm_copy(target_task, data, dataCnt, address);
}

/* mach_vm_copy() inside another task. */
static kern_return_t
other_copy(vm_map_t task, mach_vm_address_t from, mach_vm_size_t size, mach_vm_address_t to)
{
	if (kernelrpc_is_asked(task))
		return _kernelrpc_mach_vm_copy(task, from, size, to);
	return vm_other_copy(task, from, size, to);
}

BERTH_EXPORT kern_return_t
mach_vm_copy(vm_map_t target_task, mach_vm_address_t source_address, mach_vm_size_t size,
	     mach_vm_address_t dest_address)
{
	OWN_TASK_OR(target_task, other_copy(target_task, source_address, size, dest_address));
	if (source_address + size < source_address || dest_address + size < dest_address)
		return KERN_INVALID_ADDRESS;
	/* all or nothing: a copy that stops half-way would have changed its target */
	kern_return_t code = vm_range_allows(VM_OWN_MAPS, source_address, size, VM_PROT_READ);
	if (code == KERN_SUCCESS)
		code = vm_range_allows(VM_OWN_MAPS, dest_address, size, VM_PROT_WRITE);
	if (code != KERN_SUCCESS)
		return code;
	if (dest_address < source_address + size && source_address < dest_address + size) {
		memmove((void *)(uintptr_t)dest_address, (const void *)(uintptr_t)source_address,
			(size_t)size);
		return KERN_SUCCESS;
	}
	return vm_copy_bytes(dest_address, source_address, size);
}

/* ---- region ----------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
mach_vm_region(vm_map_read_t target_task, mach_vm_address_t *address, mach_vm_size_t *size,
	       vm_region_flavor_t flavor, vm_region_info_t info, mach_msg_type_number_t *infoCnt,
	       mach_port_t *object_name)
{
	vm_region_basic_info_data_64_t basic = { 0 };
	struct vm_mapping mapping;

	kern_return_t own = later_own_task(target_task);
	if (own != KERN_SUCCESS && own != BERTH_TRAP_BY_MESSAGE)
		return own;
	if (own == BERTH_TRAP_BY_MESSAGE && kernelrpc_is_asked(target_task))
		return _kernelrpc_mach_vm_region(target_task, address, size, flavor, info, infoCnt,
						 object_name);
	if (flavor == VM_REGION_EXTENDED_INFO || flavor == VM_REGION_TOP_INFO)
		return NOT_SUPPORTED("any flavor but VM_REGION_BASIC_INFO_64");
	if (flavor != VM_REGION_BASIC_INFO_64 || *infoCnt < VM_REGION_BASIC_INFO_COUNT_64)
		return KERN_INVALID_ARGUMENT;
	kern_return_t code = own == KERN_SUCCESS
				 ? vm_mapping_find(VM_OWN_MAPS, (uintptr_t)*address, &mapping)
				 : vm_other_mapping(target_task, *address, &mapping);
	if (code != KERN_SUCCESS)
		return code;
	basic.protection = mapping.protection;
	basic.max_protection = VM_PROT_ALL;
	basic.inheritance = mapping.is_shared ? VM_INHERIT_SHARE : VM_INHERIT_COPY;
	basic.shared = mapping.is_shared;
	basic.offset = mapping.is_movable ? 0 : mapping.offset;
	basic.behavior = VM_BEHAVIOR_DEFAULT;
	memcpy(info, &basic, sizeof(basic));
	*infoCnt = VM_REGION_BASIC_INFO_COUNT_64;
	*address = mapping.start;
	*size = mapping.end - mapping.start;
	if (object_name != NULL)
		*object_name = MACH_PORT_NULL;
	return KERN_SUCCESS;
}
