/*
 * Memory of tasks: what the files of vm_* and mach_vm_* share.
 */
#ifndef BERTH_CLIENT_MACH_VM_H
#define BERTH_CLIENT_MACH_VM_H

#include <mach/mach_types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One mapping, as Linux tells it. */
struct vm_mapping {
	uintptr_t start, end;
	int protection; /* VM_PROT_* */
	bool is_shared;
	uint64_t offset;
};

#define VM_OWN_MAPS (-1)
/*
 * The first mapping that ends behind @address, of the process whose /proc/PID/maps is open as
 * @maps_fd, or of this one.
 *
 * KERN_SUCCESS          it is
 * KERN_INVALID_ADDRESS  there is none
 * KERN_INVALID_ARGUMENT the process has no memory any more
 * KERN_FAILURE          Linux does not tell
 */
kern_return_t vm_mapping_find(int maps_fd, uintptr_t address, struct vm_mapping *mapping);
/* May @size bytes at @address be used as @protection says?  The same, and
 * KERN_PROTECTION_FAILURE: not so. */
kern_return_t vm_range_allows(int maps_fd, mach_vm_address_t address, mach_vm_size_t size,
			      int protection);

/* The whole pages that a range touches.  False: it goes beyond the end of all addresses. */
bool vm_range_pages(mach_vm_address_t address, mach_vm_size_t size, uintptr_t *start,
		    size_t *page_bytes);

/*
 * Copy between places of which neither may be there.
 *
 * KERN_INVALID_ADDRESS     not mapped
 * KERN_PROTECTION_FAILURE  mapped, but not to be read, or written
 */
kern_return_t vm_copy_bytes(mach_vm_address_t to, mach_vm_address_t from, mach_vm_size_t size);

#endif
