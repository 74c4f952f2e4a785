/*
 * Memory of the own task: mach_vm_*.  mach-kobjects.md §8.
 *
 * Darwin's vm_map is Linux's address space, which nobody else can change: see vm_other.c for what
 * can be done to another task's.
 */
#include "client/mach/vm.h"

#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/vm_statistics.h>

#include "client/export.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/memory_entry.h"
#include "client/mach/vm_movable.h"
#include "client/mach/vm_object.h"
#include "client/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Flags that say how memory is to be treated; Linux treats all alike, which programs cannot
 * tell apart. */
#define FLAGS_HINTS                                                                                \
	(VM_FLAGS_PURGABLE | VM_FLAGS_RANDOM_ADDR | VM_FLAGS_NO_CACHE |                            \
	 VM_FLAGS_RESILIENT_CODESIGN | VM_FLAGS_RESILIENT_MEDIA | VM_FLAGS_SUPERPAGE_MASK |        \
	 VM_FLAGS_ALIAS_MASK)
#define FLAGS_PLACE (VM_FLAGS_ANYWHERE | VM_FLAGS_OVERWRITE)
/* Flags that ask for the address of the data, not of its page: zeroed memory begins with a page. */
#define FLAGS_DATA (VM_FLAGS_RETURN_DATA_ADDR | VM_FLAGS_RETURN_4K_DATA_ADDR)
/* Flags that promise something that Linux does not do. */
#define FLAGS_PROMISES (VM_FLAGS_4GB_CHUNK | VM_FLAGS_PERMANENT | VM_FLAGS_TPRO)

BERTH_EXPORT vm_size_t vm_page_size = 4096;
BERTH_EXPORT vm_size_t vm_page_mask = 4095;
BERTH_EXPORT int vm_page_shift = 12;

__attribute__((constructor)) static void
page_size_set(void)
{
	vm_page_size = (vm_size_t)sysconf(_SC_PAGESIZE);
	vm_page_mask = vm_page_size - 1;
	vm_page_shift = __builtin_ctzl(vm_page_size);
}

BERTH_EXPORT kern_return_t
host_page_size(host_t host, vm_size_t *size)
{
	(void)host; /* answered locally on Darwin, too */
	*size = vm_page_size;
	return KERN_SUCCESS;
}

/* ---- what the files share -------------------------------------------------------------- */

bool
vm_range_pages(mach_vm_address_t address, mach_vm_size_t size, uintptr_t *start, size_t *page_bytes)
{
	mach_vm_address_t end = address + size;

	if (end < address || mach_vm_round_page(end) < end)
		return false;
	*start = (uintptr_t)mach_vm_trunc_page(address);
	*page_bytes = (size_t)(mach_vm_round_page(end) - *start);
	return true;
}

int
vm_linux_protection(vm_prot_t protection)
{
	return ((protection & VM_PROT_READ) != 0 ? PROT_READ : 0) |
	       ((protection & VM_PROT_WRITE) != 0 ? PROT_WRITE : 0) |
	       ((protection & VM_PROT_EXECUTE) != 0 ? PROT_EXEC : 0);
}

/* ---- allocate, deallocate -------------------------------------------------------------- */

static kern_return_t
mmap_error(int error)
{
	switch (error) {
	case EEXIST:
	case ENOMEM:
		return KERN_NO_SPACE;
	case EPERM:
	case EINVAL:
		return KERN_INVALID_ADDRESS;
	default:
		return KERN_RESOURCE_SHORTAGE;
	}
}

/* Fresh memory whose address has none of the bits of @mask.  0: there is no room. */
static uintptr_t
map_aligned(size_t size, uintptr_t mask, int protection)
{
	uintptr_t slack = mask & ~vm_page_mask;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	if (size + slack < size)
		return 0;
	uint8_t *memory = mmap(NULL, size + slack, protection, flags, -1, 0);
	if (memory == MAP_FAILED)
		return 0;
	uintptr_t start = (uintptr_t)memory;
	uintptr_t aligned = (start + slack) & ~slack;
	if (aligned > start)
		munmap(memory, aligned - start);
	if (start + slack > aligned)
		munmap((void *)(aligned + size), start + slack - aligned);
	return aligned;
}

kern_return_t
vm_allocate_at(mach_vm_address_t *address, mach_vm_size_t size, int flags, mach_vm_offset_t mask,
	       vm_prot_t protection)
{
	uintptr_t start;
	size_t page_bytes;

	if ((flags & VM_FLAGS_ANYWHERE) != 0) {
		/* a mask is a row of ones from the lowest bit */
		if ((mask & (mask + 1)) != 0 || !vm_range_pages(0, size, &start, &page_bytes))
			return (mask & (mask + 1)) != 0 ? KERN_INVALID_ARGUMENT : KERN_NO_SPACE;
		start = map_aligned(page_bytes, (uintptr_t)mask, vm_linux_protection(protection));
		if (start == 0)
			return KERN_NO_SPACE;
		*address = start;
		return KERN_SUCCESS;
	}
	mach_vm_address_t wanted = mach_vm_trunc_page(*address);
	if (!vm_range_pages(wanted, size, &start, &page_bytes))
		return KERN_INVALID_ADDRESS;
	if (wanted == 0) /* nobody gets the page of the null pointer */
		return KERN_INVALID_ADDRESS;
	int place = (flags & VM_FLAGS_OVERWRITE) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	void *memory = mmap((void *)start, page_bytes, vm_linux_protection(protection),
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | place, -1, 0);
	if (memory == MAP_FAILED)
		return mmap_error(errno);
	/* mmap(2): who does not know the flag takes the address for a hint; so does Valgrind */
	if ((uintptr_t)memory != start) {
		munmap(memory, page_bytes);
		return KERN_NO_SPACE;
	}
	if (place == MAP_FIXED)
		vm_movable_replaced(start, page_bytes);
	memory_changed();
	*address = start;
	return KERN_SUCCESS;
}

kern_return_t
vm_place(void *memory, size_t size, mach_vm_address_t *address, int flags, mach_vm_offset_t mask)
{
	mach_vm_address_t place = *address;

	if ((flags & VM_FLAGS_ANYWHERE) != 0 && (mask & ~(mach_vm_offset_t)vm_page_mask) == 0) {
		if ((mask & (mask + 1)) != 0) {
			munmap(memory, size);
			return KERN_INVALID_ARGUMENT;
		}
		*address = (uintptr_t)memory;
		return KERN_SUCCESS;
	}
	kern_return_t code;
	if ((flags & VM_FLAGS_OVERWRITE) != 0 && (flags & VM_FLAGS_ANYWHERE) == 0) {
		/* what is there stays until the one system call that replaces it */
		place = mach_vm_trunc_page(place);
		code = place == 0 || place + size < place ? KERN_INVALID_ADDRESS : KERN_SUCCESS;
	} else {
		code = vm_allocate_at(&place, size, flags, mask, VM_PROT_NONE);
	}
	if (code == KERN_SUCCESS && mremap(memory, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
					   (void *)(uintptr_t)place) == MAP_FAILED) {
		code = mmap_error(errno);
		if ((flags & VM_FLAGS_OVERWRITE) == 0)
			munmap((void *)(uintptr_t)place, size);
	}
	if (code != KERN_SUCCESS)
		munmap(memory, size);
	else
		*address = place;
	if (code == KERN_SUCCESS)
		vm_movable_replaced((uintptr_t)place, size);
	memory_changed();
	return code;
}

BERTH_EXPORT kern_return_t
mach_vm_allocate(vm_map_t target, mach_vm_address_t *address, mach_vm_size_t size, int flags)
{
	OWN_TASK(target, _kernelrpc_mach_vm_allocate(target, address, size, flags));
	if ((flags & ~(FLAGS_HINTS | FLAGS_PLACE | FLAGS_PROMISES)) != 0)
		return KERN_INVALID_ARGUMENT;
	if ((flags & FLAGS_PROMISES) != 0)
		return NOT_SUPPORTED("a flag that promises where memory lies or that it stays");
	if (size == 0) {
		*address = 0;
		return KERN_SUCCESS;
	}
	kern_return_t code = vm_allocate_at(address, size, flags, 0, VM_PROT_DEFAULT);
	if (code == KERN_SUCCESS)
		vm_movable_adopt((uintptr_t)*address, (size_t)mach_vm_round_page(size),
				 PROT_READ | PROT_WRITE);
	return code;
}

BERTH_EXPORT kern_return_t
mach_vm_deallocate(vm_map_t target, mach_vm_address_t address, mach_vm_size_t size)
{
	uintptr_t start;
	size_t page_bytes;

	OWN_TASK(target, _kernelrpc_mach_vm_deallocate(target, address, size));
	if (size == 0)
		return KERN_SUCCESS;
	if (!vm_range_pages(address, size, &start, &page_bytes))
		return KERN_INVALID_ARGUMENT;
	memory_changed();
	if (vm_movable_unmap(start, page_bytes) == 0) {
		vm_object_unmapped();
		return KERN_SUCCESS;
	}
	return errno == ENOMEM ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS; /* EINVAL: nothing there */
}

BERTH_EXPORT kern_return_t
mach_vm_map(vm_map_t target_task, mach_vm_address_t *address, mach_vm_size_t size,
	    mach_vm_offset_t mask, int flags, mem_entry_name_port_t object,
	    memory_object_offset_t offset, boolean_t copy, vm_prot_t cur_protection,
	    vm_prot_t max_protection, vm_inherit_t inheritance)
{
	const vm_prot_t known = VM_PROT_ALL | VM_PROT_IS_MASK;

	OWN_TASK(target_task,
		 _kernelrpc_mach_vm_map(target_task, address, size, mask, flags, object, offset,
					copy, cur_protection, max_protection, inheritance));
	if ((cur_protection & ~known) != 0 || (max_protection & ~known) != 0 ||
	    (cur_protection & ~max_protection) != 0)
		return KERN_INVALID_ARGUMENT;
	if (inheritance > VM_INHERIT_NONE || size == 0)
		return KERN_INVALID_ARGUMENT;
	if ((flags & FLAGS_PROMISES) != 0)
		return NOT_SUPPORTED("a flag that promises where memory lies or that it stays");
	if ((flags & ~(FLAGS_HINTS | FLAGS_PLACE | FLAGS_DATA)) != 0)
		return KERN_INVALID_ARGUMENT;
	if (inheritance == VM_INHERIT_SHARE && (object == MACH_PORT_NULL || copy))
		return NOT_SUPPORTED("memory shared with children");
	if (object != MACH_PORT_NULL)
		return memory_entry_map(object, address, size, mask, flags, offset, copy,
					cur_protection, max_protection, inheritance);
	kern_return_t code = vm_allocate_at(address, size, flags, mask, cur_protection);
	if (code != KERN_SUCCESS)
		return code;
	size = mach_vm_round_page(size);
	if (inheritance == VM_INHERIT_NONE)
		madvise((void *)(uintptr_t)*address, (size_t)size, MADV_DONTFORK);
	else
		vm_movable_adopt((uintptr_t)*address, (size_t)size,
				 vm_linux_protection(cur_protection));
	return KERN_SUCCESS;
}

/* ---- protect, inherit, behave ----------------------------------------------------------- */

BERTH_EXPORT kern_return_t
mach_vm_protect(vm_map_t target_task, mach_vm_address_t address, mach_vm_size_t size,
		boolean_t set_maximum, vm_prot_t new_protection)
{
	uintptr_t start;
	size_t page_bytes;

	OWN_TASK(target_task, _kernelrpc_mach_vm_protect(target_task, address, size, set_maximum,
							 new_protection));
	if (!vm_range_pages(address, size, &start, &page_bytes) ||
	    (new_protection & ~(VM_PROT_ALL | VM_PROT_COPY)) != 0)
		return KERN_INVALID_ARGUMENT;
	if (size == 0)
		return KERN_SUCCESS;
	if (set_maximum)
		return NOT_SUPPORTED("a maximum for later protections");
	memory_changed();
	if (mprotect((void *)start, page_bytes, vm_linux_protection(new_protection)) == 0)
		return KERN_SUCCESS;
	return errno == EACCES ? KERN_PROTECTION_FAILURE : KERN_INVALID_ADDRESS;
}

BERTH_EXPORT kern_return_t
mach_vm_inherit(vm_map_t target_task, mach_vm_address_t address, mach_vm_size_t size,
		vm_inherit_t new_inheritance)
{
	uintptr_t start;
	size_t page_bytes;

	OWN_TASK(target_task,
		 _kernelrpc_mach_vm_inherit(target_task, address, size, new_inheritance));
	if (new_inheritance > VM_INHERIT_NONE ||
	    !vm_range_pages(address, size, &start, &page_bytes))
		return KERN_INVALID_ARGUMENT;
	if (size == 0)
		return KERN_SUCCESS;
	if (new_inheritance == VM_INHERIT_SHARE)
		return NOT_SUPPORTED("memory shared with children");
	int advice = new_inheritance == VM_INHERIT_NONE ? MADV_DONTFORK : MADV_DOFORK;
	/* freezing would let it be inherited again */
	if (new_inheritance == VM_INHERIT_NONE)
		vm_movable_freeze(start, page_bytes);
	return madvise((void *)start, page_bytes, advice) == 0 ? KERN_SUCCESS
							       : KERN_INVALID_ADDRESS;
}

/* Linux's advice for Mach's behaviour; -1: nothing is to be done; -2: there is no such one. */
static int
behavior_advice(vm_behavior_t behavior)
{
	switch (behavior) {
	case VM_BEHAVIOR_DEFAULT:
		return MADV_NORMAL;
	case VM_BEHAVIOR_RANDOM:
	case VM_BEHAVIOR_RSEQNTL: /* reading ahead would go the wrong way */
		return MADV_RANDOM;
	case VM_BEHAVIOR_SEQUENTIAL:
		return MADV_SEQUENTIAL;
	case VM_BEHAVIOR_WILLNEED:
		return MADV_WILLNEED;
	case VM_BEHAVIOR_DONTNEED: /* Darwin's keeps the contents, Linux's would not */
		return MADV_COLD;
	case VM_BEHAVIOR_FREE:
	case VM_BEHAVIOR_REUSABLE:
		return MADV_FREE;
	case VM_BEHAVIOR_PAGEOUT:
		return MADV_PAGEOUT;
	case VM_BEHAVIOR_ZERO_WIRED_PAGES:
	case VM_BEHAVIOR_REUSE:
	case VM_BEHAVIOR_CAN_REUSE:
		return -1;
	default:
		return -2;
	}
}

BERTH_EXPORT kern_return_t
mach_vm_behavior_set(vm_map_t target_task, mach_vm_address_t address, mach_vm_size_t size,
		     vm_behavior_t new_behavior)
{
	int advice = behavior_advice(new_behavior);
	uintptr_t start;
	size_t page_bytes;

	OWN_TASK(target_task,
		 _kernelrpc_mach_vm_behavior_set(target_task, address, size, new_behavior));
	if (!vm_range_pages(address, size, &start, &page_bytes) || advice == -2)
		return KERN_INVALID_ARGUMENT;
	if (size == 0 || advice == -1)
		return KERN_SUCCESS;
	if (advice == MADV_FREE && vm_movable_discard(start, page_bytes))
		return KERN_SUCCESS;
	if (madvise((void *)start, page_bytes, advice) == 0)
		return KERN_SUCCESS;
	/* advice that this kind of memory cannot take is advice all the same */
	return errno == ENOMEM ? KERN_INVALID_ADDRESS : KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
mach_vm_msync(vm_map_t target_task, mach_vm_address_t address, mach_vm_size_t size,
	      vm_sync_t sync_flags)
{
	uintptr_t start;
	size_t page_bytes;

	OWN_TASK(target_task, _kernelrpc_mach_vm_msync(target_task, address, size, sync_flags));
	if ((sync_flags & VM_SYNC_ASYNCHRONOUS) != 0 && (sync_flags & VM_SYNC_SYNCHRONOUS) != 0)
		return KERN_INVALID_ARGUMENT;
	if (!vm_range_pages(address, size, &start, &page_bytes))
		return KERN_INVALID_ARGUMENT;
	if (size == 0)
		return KERN_SUCCESS;
	int flags = (sync_flags & VM_SYNC_SYNCHRONOUS) != 0 ? MS_SYNC : MS_ASYNC;
	if (msync((void *)start, page_bytes, flags) == 0)
		return KERN_SUCCESS;
	/* holes are an error only where the caller asked for there to be none */
	if (errno == ENOMEM && (sync_flags & VM_SYNC_CONTIGUOUS) == 0)
		return KERN_SUCCESS;
	return errno == ENOMEM ? KERN_INVALID_ADDRESS : KERN_FAILURE;
}
