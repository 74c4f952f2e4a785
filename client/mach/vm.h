/*
 * Memory of tasks: what the files of vm_* and mach_vm_* share.
 */
#ifndef BERTH_CLIENT_MACH_VM_H
#define BERTH_CLIENT_MACH_VM_H

#include <mach/mach_types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One mapping, as Linux tells it. */
struct vm_mapping {
	uintptr_t start, end;
	int protection; /* VM_PROT_* */
	bool is_shared;
	bool is_movable;  /* as of vm_movable.h, not frozen: it counts as private */
	bool is_of_linux; /* the first stack, or Linux's own */
	uint64_t offset;
	dev_t device;
	ino_t inode; /* 0: of no file */
};

/* Is called with each mapping, in order of addresses, until it returns true. */
typedef bool vm_mapping_visitor(void *context, const struct vm_mapping *mapping);
/*
 * Read /proc/PID/maps, open as @maps_fd, from where it stands.
 *
 * KERN_SUCCESS          the visitor returned true
 * KERN_INVALID_ADDRESS  it never did
 * KERN_INVALID_ARGUMENT the process has no memory any more
 * KERN_FAILURE          Linux does not tell
 */
kern_return_t vm_mappings_visit(int maps_fd, vm_mapping_visitor *visitor, void *context);

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

/* Linux's protection for Mach's. */
int vm_linux_protection(vm_prot_t protection);

/*
 * Zero-filled memory as of mach_vm_allocate() and mach_vm_map().  @size is not 0; *@address is
 * where it is to be, or becomes.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   @mask is no row of ones from the lowest bit
 * KERN_INVALID_ADDRESS    no such place
 * KERN_NO_SPACE           no room, or something is there
 * KERN_RESOURCE_SHORTAGE  no memory
 */
kern_return_t vm_allocate_at(mach_vm_address_t *address, mach_vm_size_t size, int flags,
			     mach_vm_offset_t mask, vm_prot_t protection);

/*
 * Move a mapping, whole pages of one kind, to where the caller of a call wants it.  Consumes it:
 * on failure it is unmapped, and what was there still is.  Errors as of vm_allocate_at().
 */
kern_return_t vm_place(void *memory, size_t size, mach_vm_address_t *address, int flags,
		       mach_vm_offset_t mask);

/*
 * Copy between places of which neither may be there.
 *
 * KERN_INVALID_ADDRESS     not mapped
 * KERN_PROTECTION_FAILURE  mapped, but not to be read, or written
 */
kern_return_t vm_copy_bytes(mach_vm_address_t to, mach_vm_address_t from, mach_vm_size_t size);

#endif
