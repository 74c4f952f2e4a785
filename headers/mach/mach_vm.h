/*
 * The calls on a task's memory, with 64-bit numbers.
 *
 * @target_task is mostly mach_task_self().  What is said of errors holds for all:
 *
 * KERN_INVALID_ARGUMENT  a null or dead task, or a range that wraps round
 *
 * and is not repeated.  Ranges are widened to whole pages.  Source: mach-kobjects.md §8.
 */
#ifndef _MACH_MACH_VM_H_
#define _MACH_MACH_VM_H_

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

/*
 * Zeroed memory that can be read and written, at an address that is found (VM_FLAGS_ANYWHERE)
 * or at *@address, cut to a page (VM_FLAGS_FIXED).  Size 0 gives address 0.  The caller owns
 * it: mach_vm_deallocate().
 *
 * KERN_NO_SPACE          something is there, or there is no room
 * KERN_INVALID_ADDRESS   *@address cannot be used
 * KERN_INVALID_ARGUMENT  @flags (VM_FLAGS_*, VM_MAKE_TAG()) has unknown bits
 */
extern kern_return_t mach_vm_allocate(vm_map_t target, mach_vm_address_t *address,
				      mach_vm_size_t size, int flags);

/* Unmap every page that the range touches.  What is not mapped is no error. */
extern kern_return_t mach_vm_deallocate(vm_map_t target, mach_vm_address_t address,
					mach_vm_size_t size);

/*
 * Change what may be done with memory, or, with @set_maximum, what it may ever be changed to.
 *
 * KERN_INVALID_ADDRESS     there is a hole in the range
 * KERN_PROTECTION_FAILURE  more than the maximum
 */
extern kern_return_t mach_vm_protect(vm_map_t target_task, mach_vm_address_t address,
				     mach_vm_size_t size, boolean_t set_maximum,
				     vm_prot_t new_protection);

/* What a child of fork() gets.  KERN_INVALID_ARGUMENT: no VM_INHERIT_*. */
extern kern_return_t mach_vm_inherit(vm_map_t target_task, mach_vm_address_t address,
				     mach_vm_size_t size, vm_inherit_t new_inheritance);

/*
 * A copy of @target_task's memory in new memory of the caller, who owns it.
 *
 * KERN_INVALID_ARGUMENT    @size is 2^32 or more
 * KERN_INVALID_ADDRESS     not mapped
 * KERN_PROTECTION_FAILURE  not readable
 */
extern kern_return_t mach_vm_read(vm_map_read_t target_task, mach_vm_address_t address,
				  mach_vm_size_t size, vm_offset_t *data,
				  mach_msg_type_number_t *dataCnt);

/* mach_vm_read() of @count pieces; each address becomes that of the copy. */
extern kern_return_t mach_vm_read_list(vm_map_read_t target_task, mach_vm_read_entry_t data_list,
				       natural_t count);

/* mach_vm_read() into memory of the caller at @data. */
extern kern_return_t mach_vm_read_overwrite(vm_map_read_t target_task, mach_vm_address_t address,
					    mach_vm_size_t size, mach_vm_address_t data,
					    mach_vm_size_t *outsize);

/*
 * Write @dataCnt bytes at @data, of the caller, to @address of @target_task.
 *
 * KERN_INVALID_ADDRESS     not mapped there
 * KERN_PROTECTION_FAILURE  not writable
 */
extern kern_return_t mach_vm_write(vm_map_t target_task, mach_vm_address_t address,
				   vm_offset_t data, mach_msg_type_number_t dataCnt);

/* Copy inside one task; the ranges may overlap.  Errors as of reading and writing. */
extern kern_return_t mach_vm_copy(vm_map_t target_task, mach_vm_address_t source_address,
				  mach_vm_size_t size, mach_vm_address_t dest_address);

/* Write memory back to what is behind it: VM_SYNC_*.  KERN_INVALID_ADDRESS: a hole. */
extern kern_return_t mach_vm_msync(vm_map_t target_task, mach_vm_address_t address,
				   mach_vm_size_t size, vm_sync_t sync_flags);

/* A hint of how memory will be used: VM_BEHAVIOR_*. */
extern kern_return_t mach_vm_behavior_set(vm_map_t target_task, mach_vm_address_t address,
					  mach_vm_size_t size, vm_behavior_t new_behavior);

/*
 * Map the memory entry @object from @offset on, or zeroed memory if it is null, at an address
 * of which the bits of @mask are zero.  With @copy the mapping is the task's own.
 *
 * KERN_INVALID_ARGUMENT  size 0; no VM_INHERIT_*; no protection; no right of that name; more than
 *                        the entry has
 * KERN_INVALID_OBJECT    @object is no entry
 * KERN_INVALID_RIGHT     the entry does not allow the protection
 * KERN_NO_SPACE          as of mach_vm_allocate()
 */
extern kern_return_t mach_vm_map(vm_map_t target_task, mach_vm_address_t *address,
				 mach_vm_size_t size, mach_vm_offset_t mask, int flags,
				 mem_entry_name_port_t object, memory_object_offset_t offset,
				 boolean_t copy, vm_prot_t cur_protection, vm_prot_t max_protection,
				 vm_inherit_t inheritance);

/*
 * Map memory of @src_task into @target_task: the same memory, or with @copy a copy.  Tells
 * its protection.
 *
 * KERN_INVALID_ARGUMENT  size 0
 * KERN_INVALID_ADDRESS   there is a hole in the source
 */
extern kern_return_t mach_vm_remap(vm_map_t target_task, mach_vm_address_t *target_address,
				   mach_vm_size_t size, mach_vm_offset_t mask, int flags,
				   vm_map_t src_task, mach_vm_address_t src_address, boolean_t copy,
				   vm_prot_t *cur_protection, vm_prot_t *max_protection,
				   vm_inherit_t inheritance);

/* The same; the protections say what is wanted.  KERN_PROTECTION_FAILURE: write and execute. */
extern kern_return_t mach_vm_remap_new(vm_map_t target_task, mach_vm_address_t *target_address,
				       mach_vm_size_t size, mach_vm_offset_t mask, int flags,
				       vm_map_read_t src_task, mach_vm_address_t src_address,
				       boolean_t copy, vm_prot_t *cur_protection,
				       vm_prot_t *max_protection, vm_inherit_t inheritance);

/*
 * The first region at or behind *@address: where it is, how large, and what @flavor
 * (VM_REGION_BASIC_INFO_64) tells.  *@object_name becomes MACH_PORT_NULL.
 *
 * KERN_INVALID_ADDRESS   there is none
 * KERN_INVALID_ARGUMENT  *@infoCnt is too small, or there is no such flavor
 */
extern kern_return_t mach_vm_region(vm_map_read_t target_task, mach_vm_address_t *address,
				    mach_vm_size_t *size, vm_region_flavor_t flavor,
				    vm_region_info_t info, mach_msg_type_number_t *infoCnt,
				    mach_port_t *object_name);

#ifdef __cplusplus
}
#endif

#endif
