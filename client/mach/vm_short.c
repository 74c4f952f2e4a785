/*
 * vm_*: the same as mach_vm_* with addresses as wide as a pointer.
 */
#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/vm_map.h>

#include "client/export.h"

BERTH_EXPORT kern_return_t
vm_allocate(vm_map_t target_task, vm_address_t *address, vm_size_t size, int flags)
{
	mach_vm_address_t wide = *address;
	kern_return_t code = mach_vm_allocate(target_task, &wide, size, flags);

	if (code == KERN_SUCCESS)
		*address = (vm_address_t)wide;
	return code;
}

BERTH_EXPORT kern_return_t
vm_deallocate(vm_map_t target_task, vm_address_t address, vm_size_t size)
{
	return mach_vm_deallocate(target_task, address, size);
}

BERTH_EXPORT kern_return_t
vm_protect(vm_map_t target_task, vm_address_t address, vm_size_t size, boolean_t set_maximum,
	   vm_prot_t new_protection)
{
	return mach_vm_protect(target_task, address, size, set_maximum, new_protection);
}

BERTH_EXPORT kern_return_t
vm_inherit(vm_map_t target_task, vm_address_t address, vm_size_t size, vm_inherit_t new_inheritance)
{
	return mach_vm_inherit(target_task, address, size, new_inheritance);
}

BERTH_EXPORT kern_return_t
vm_read(vm_map_read_t target_task, vm_address_t address, vm_size_t size, vm_offset_t *data,
	mach_msg_type_number_t *dataCnt)
{
	return mach_vm_read(target_task, address, size, data, dataCnt);
}

BERTH_EXPORT kern_return_t
vm_read_overwrite(vm_map_read_t target_task, vm_address_t address, vm_size_t size,
		  vm_address_t data, vm_size_t *outsize)
{
	mach_vm_size_t wide = 0;
	kern_return_t code = mach_vm_read_overwrite(target_task, address, size, data, &wide);

	if (code == KERN_SUCCESS)
		*outsize = (vm_size_t)wide;
	return code;
}

BERTH_EXPORT kern_return_t
vm_write(vm_map_t target_task, vm_address_t address, vm_offset_t data,
	 mach_msg_type_number_t dataCnt)
{
	return mach_vm_write(target_task, address, data, dataCnt);
}

BERTH_EXPORT kern_return_t
vm_copy(vm_map_t target_task, vm_address_t source_address, vm_size_t size,
	vm_address_t dest_address)
{
	return mach_vm_copy(target_task, source_address, size, dest_address);
}

BERTH_EXPORT kern_return_t
vm_behavior_set(vm_map_t target_task, vm_address_t address, vm_size_t size,
		vm_behavior_t new_behavior)
{
	return mach_vm_behavior_set(target_task, address, size, new_behavior);
}

BERTH_EXPORT kern_return_t
vm_msync(vm_map_t target_task, vm_address_t address, vm_size_t size, vm_sync_t sync_flags)
{
	return mach_vm_msync(target_task, address, size, sync_flags);
}

BERTH_EXPORT kern_return_t
vm_map(vm_map_t target_task, vm_address_t *address, vm_size_t size, vm_address_t mask, int flags,
       mem_entry_name_port_t object, vm_offset_t offset, boolean_t copy, vm_prot_t cur_protection,
       vm_prot_t max_protection, vm_inherit_t inheritance)
{
	mach_vm_address_t wide = *address;
	kern_return_t code = mach_vm_map(target_task, &wide, size, mask, flags, object, offset,
					 copy, cur_protection, max_protection, inheritance);

	if (code == KERN_SUCCESS)
		*address = (vm_address_t)wide;
	return code;
}

BERTH_EXPORT kern_return_t
vm_remap(vm_map_t target_task, vm_address_t *target_address, vm_size_t size, vm_address_t mask,
	 int flags, vm_map_t src_task, vm_address_t src_address, boolean_t copy,
	 vm_prot_t *cur_protection, vm_prot_t *max_protection, vm_inherit_t inheritance)
{
	mach_vm_address_t wide = *target_address;
	kern_return_t code =
	    mach_vm_remap(target_task, &wide, size, mask, flags, src_task, src_address, copy,
			  cur_protection, max_protection, inheritance);

	if (code == KERN_SUCCESS)
		*target_address = (vm_address_t)wide;
	return code;
}

BERTH_EXPORT kern_return_t
vm_region_64(vm_map_read_t target_task, vm_address_t *address, vm_size_t *size,
	     vm_region_flavor_t flavor, vm_region_info_t info, mach_msg_type_number_t *infoCnt,
	     mach_port_t *object_name)
{
	mach_vm_address_t wide = *address;
	mach_vm_size_t wide_size = 0;
	kern_return_t code =
	    mach_vm_region(target_task, &wide, &wide_size, flavor, info, infoCnt, object_name);

	if (code == KERN_SUCCESS) {
		*address = (vm_address_t)wide;
		*size = (vm_size_t)wide_size;
	}
	return code;
}

BERTH_EXPORT kern_return_t
vm_map_64(vm_map_t target_task, vm_address_t *address, vm_size_t size, vm_address_t mask, int flags,
	  mem_entry_name_port_t object, memory_object_offset_t offset, boolean_t copy,
	  vm_prot_t cur_protection, vm_prot_t max_protection, vm_inherit_t inheritance)
{
	return vm_map(target_task, address, size, mask, flags, object, (vm_offset_t)offset, copy,
		      cur_protection, max_protection, inheritance);
}

BERTH_EXPORT kern_return_t
vm_read_list(vm_map_read_t target_task, vm_read_entry_t data_list, natural_t count)
{
	mach_vm_read_entry_t wide;

	if (count > VM_MAP_ENTRY_MAX)
		return KERN_INVALID_ARGUMENT;
	for (natural_t i = 0; i < count; i++) {
		wide[i].address = data_list[i].address;
		wide[i].size = data_list[i].size;
	}
	kern_return_t code = mach_vm_read_list(target_task, wide, count);
	for (natural_t i = 0; i < count; i++) {
		data_list[i].address = (vm_address_t)wide[i].address;
		data_list[i].size = (vm_size_t)wide[i].size;
	}
	return code;
}
