/*
 * Memory entries: rights to memory, which who gets them maps.
 */
#ifndef BERTH_CLIENT_MACH_MEMORY_ENTRY_H
#define BERTH_CLIENT_MACH_MEMORY_ENTRY_H

#include "client/mach/vm.h"

/*
 * mach_vm_map() of @entry into this task, once its arguments have been looked at; @size is not 0.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   no right of that name, or more than the entry has
 * KERN_INVALID_OBJECT     not an entry
 * KERN_INVALID_RIGHT      the entry does not allow the protection
 * KERN_INVALID_ADDRESS, KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE  as of vm_allocate_at()
 */
kern_return_t memory_entry_map(mach_port_t entry, mach_vm_address_t *address, mach_vm_size_t size,
			       mach_vm_offset_t mask, int flags, mach_vm_offset_t offset,
			       boolean_t copy, vm_prot_t current, vm_prot_t maximum,
			       vm_inherit_t inheritance);

#endif
