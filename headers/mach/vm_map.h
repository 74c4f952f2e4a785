/*
 * The calls on a task's memory, with numbers as wide as a pointer.  <mach/mach_vm.h> has the
 * same with 64 bits everywhere, and says what each does.
 */
#ifndef _MACH_VM_MAP_H_
#define _MACH_VM_MAP_H_

#include <mach/mach_types.h>
#include <mach/memory_object_types.h>
#include <mach/vm_attributes.h>
#include <mach/vm_behavior.h>
#include <mach/vm_inherit.h>
#include <mach/vm_page_size.h>
#include <mach/vm_prot.h>
#include <mach/vm_purgable.h>
#include <mach/vm_region.h>
#include <mach/vm_statistics.h>
#include <mach/vm_sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* mach_vm_allocate() */
extern kern_return_t vm_allocate(vm_map_t target_task, vm_address_t *address, vm_size_t size,
				 int flags);

/* mach_vm_deallocate(): also for every array and OOL memory that a call or a message gave */
extern kern_return_t vm_deallocate(vm_map_t target_task, vm_address_t address, vm_size_t size);

/* mach_vm_protect() */
extern kern_return_t vm_protect(vm_map_t target_task, vm_address_t address, vm_size_t size,
				boolean_t set_maximum, vm_prot_t new_protection);

/* mach_vm_inherit() */
extern kern_return_t vm_inherit(vm_map_t target_task, vm_address_t address, vm_size_t size,
				vm_inherit_t new_inheritance);

/* mach_vm_read() */
extern kern_return_t vm_read(vm_map_read_t target_task, vm_address_t address, vm_size_t size,
			     vm_offset_t *data, mach_msg_type_number_t *dataCnt);

/* mach_vm_read_list() */
extern kern_return_t vm_read_list(vm_map_read_t target_task, vm_read_entry_t data_list,
				  natural_t count);

/* mach_vm_read_overwrite() */
extern kern_return_t vm_read_overwrite(vm_map_read_t target_task, vm_address_t address,
				       vm_size_t size, vm_address_t data, vm_size_t *outsize);

/* mach_vm_write() */
extern kern_return_t vm_write(vm_map_t target_task, vm_address_t address, vm_offset_t data,
			      mach_msg_type_number_t dataCnt);

/* mach_vm_copy() */
extern kern_return_t vm_copy(vm_map_t target_task, vm_address_t source_address, vm_size_t size,
			     vm_address_t dest_address);

/* mach_vm_msync() */
extern kern_return_t vm_msync(vm_map_t target_task, vm_address_t address, vm_size_t size,
			      vm_sync_t sync_flags);

/* mach_vm_behavior_set() */
extern kern_return_t vm_behavior_set(vm_map_t target_task, vm_address_t address, vm_size_t size,
				     vm_behavior_t new_behavior);

/* mach_vm_map() */
extern kern_return_t vm_map(vm_map_t target_task, vm_address_t *address, vm_size_t size,
			    vm_address_t mask, int flags, mem_entry_name_port_t object,
			    vm_offset_t offset, boolean_t copy, vm_prot_t cur_protection,
			    vm_prot_t max_protection, vm_inherit_t inheritance);

/* mach_vm_map() */
extern kern_return_t vm_map_64(vm_map_t target_task, vm_address_t *address, vm_size_t size,
			       vm_address_t mask, int flags, mem_entry_name_port_t object,
			       memory_object_offset_t offset, boolean_t copy,
			       vm_prot_t cur_protection, vm_prot_t max_protection,
			       vm_inherit_t inheritance);

/* mach_vm_remap() */
extern kern_return_t vm_remap(vm_map_t target_task, vm_address_t *target_address, vm_size_t size,
			      vm_address_t mask, int flags, vm_map_t src_task,
			      vm_address_t src_address, boolean_t copy, vm_prot_t *cur_protection,
			      vm_prot_t *max_protection, vm_inherit_t inheritance);

/* mach_vm_region() */
extern kern_return_t vm_region_64(vm_map_read_t target_task, vm_address_t *address, vm_size_t *size,
				  vm_region_flavor_t flavor, vm_region_info_t info,
				  mach_msg_type_number_t *infoCnt, mach_port_t *object_name);

/* mach_make_memory_entry_64() with a size as wide as a pointer */
extern kern_return_t mach_make_memory_entry(vm_map_t target_task, vm_size_t *size,
					    vm_offset_t offset, vm_prot_t permission,
					    mem_entry_name_port_t *object_handle,
					    mem_entry_name_port_t parent_entry);

/*
 * A named send right to *@size bytes at @offset of @target_task's memory (or of @parent_entry,
 * if it is not null), for mach_vm_map() in any task that gets the right.  *@size becomes what
 * the entry covers.  Gives the right.
 *
 * KERN_INVALID_ADDRESS     nothing is mapped there
 * KERN_PROTECTION_FAILURE  @permission is more than the memory allows
 * KERN_INVALID_ARGUMENT    a null or dead task; no size, or one beyond the end of all addresses
 *                          or of @parent_entry
 * KERN_INVALID_VALUE       no such MAP_MEM_*, or two sources at once
 * KERN_INVALID_OBJECT      @parent_entry is no entry
 * KERN_RESOURCE_SHORTAGE   no memory, or too many entries
 * KERN_NO_ACCESS           memory of a task that Linux does not let the caller touch
 * KERN_NOT_SUPPORTED       memory that Linux does not share: docs/compatibility.md
 */
extern kern_return_t mach_make_memory_entry_64(vm_map_t target_task, memory_object_size_t *size,
					       memory_object_offset_t offset, vm_prot_t permission,
					       mach_port_t *object_handle,
					       mem_entry_name_port_t parent_entry);

#ifdef __cplusplus
}
#endif

#endif
