/*
 * Memory of the own task: what the files of vm_* and mach_vm_* share.
 */
#ifndef BERTH_CLIENT_MACH_VM_H
#define BERTH_CLIENT_MACH_VM_H

#include <mach/mach_types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is @task the caller's own?
 *
 * KERN_SUCCESS            it is
 * KERN_INVALID_ARGUMENT   null, dead, or no task
 * MACH_SEND_INVALID_DEST  no send right
 * KERN_NOT_SUPPORTED      another task: said on stderr, once for each @call
 */
kern_return_t vm_own_task(vm_map_t task, const char *call, _Atomic uint32_t *said);

#define VM_OWN_TASK(task)                                                                          \
	do {                                                                                       \
		static _Atomic uint32_t said_;                                                     \
		kern_return_t own_ = vm_own_task(task, __func__, &said_);                          \
		if (own_ != KERN_SUCCESS)                                                          \
			return own_;                                                               \
	} while (0)

/* Say, once for each @call, that part of it is not there; KERN_NOT_SUPPORTED. */
kern_return_t vm_not_supported(const char *call, const char *what, _Atomic uint32_t *said);

#define VM_NOT_SUPPORTED(what)                                                                     \
	({                                                                                         \
		static _Atomic uint32_t said_;                                                     \
		vm_not_supported(__func__, what, &said_);                                          \
	})

/* One mapping, as Linux tells it. */
struct vm_mapping {
	uintptr_t start, end;
	int protection; /* VM_PROT_* */
	bool is_shared;
	uint64_t offset;
};

/* The first mapping that ends behind @address.  KERN_SUCCESS; KERN_INVALID_ADDRESS: none;
 * KERN_FAILURE: Linux does not tell. */
kern_return_t vm_mapping_find(uintptr_t address, struct vm_mapping *mapping);

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
