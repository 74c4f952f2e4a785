/*
 * The same memory, or a copy of it, at a second place.
 */
#include "client/mach/vm.h"

#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/vm_statistics.h>

#include "client/export.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/task_process.h"
#include "client/mach/vm_object.h"
#include "client/mach/vm_other.h"
#include "client/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A twin of the source, which is memory of the task @other, or, for MACH_PORT_NULL, of this one:
 * @address is where it is to be or becomes. */
static kern_return_t
remap_copy(mach_vm_address_t *address, mach_vm_size_t size, mach_vm_offset_t mask, int flags,
	   mach_port_t other, uintptr_t source, int protection)
{
	kern_return_t code =
	    mach_vm_map(mach_task_self_, address, size, mask, flags, MACH_PORT_NULL, 0, FALSE,
			VM_PROT_DEFAULT, VM_PROT_ALL, VM_INHERIT_COPY);

	if (code != KERN_SUCCESS)
		return code;
	if ((protection & VM_PROT_READ) != 0)
		code = other == MACH_PORT_NULL
			   ? vm_copy_bytes(*address, source, size)
			   : vm_other_read(other, source, (void *)(uintptr_t)*address, size);
	if (code == KERN_SUCCESS && protection != VM_PROT_DEFAULT)
		code = mach_vm_protect(mach_task_self_, *address, size, FALSE, protection);
	if (code != KERN_SUCCESS)
		mach_vm_deallocate(mach_task_self_, *address, size);
	return code;
}

/* Map @size bytes at @offset of @fd, which it consumes. */
static kern_return_t
remap_object(mach_vm_address_t *address, size_t size, mach_vm_offset_t mask, int flags, int fd,
	     uint64_t offset, int protection)
{
	void *memory =
	    mmap(NULL, size, vm_linux_protection(protection), MAP_SHARED, fd, (off_t)offset);

	if (memory == MAP_FAILED) {
		close(fd);
		return KERN_RESOURCE_SHORTAGE;
	}
	kern_return_t code = vm_place(memory, size, address, flags, mask);
	if (code == KERN_SUCCESS)
		vm_object_keep(fd);
	else
		close(fd);
	return code;
}

/* The same memory of this process, which @mapping is at the source, a second time; what is private
 * becomes shared first. */
static kern_return_t
remap_share_own(mach_vm_address_t *address, size_t size, mach_vm_offset_t mask, int flags,
		uintptr_t source, const struct vm_mapping *mapping)
{
	size_t found = size;
	uint64_t offset;
	int fd;

	if (mapping->is_shared && mapping->end >= source + size) {
		/* of no size before: Linux makes a second mapping of what is shared already */
		void *memory = mremap((void *)source, 0, size, MREMAP_MAYMOVE);

		if (memory == MAP_FAILED)
			return errno == ENOMEM ? KERN_NO_SPACE : KERN_INVALID_ARGUMENT;
		return vm_place(memory, size, address, flags, mask);
	}
	kern_return_t code = vm_object_of_own(source, &found, &fd, &offset);

	if (code != KERN_SUCCESS)
		return code;
	if (found < size) {
		close(fd);
		return SHARING_NOT_SUPPORTED("a range of several kinds of memory");
	}
	return remap_object(address, size, mask, flags, fd, offset, mapping->protection);
}

/* The memory of one mapping of another task. */
static kern_return_t
remap_share_other(mach_vm_address_t *address, size_t size, mach_vm_offset_t mask, int flags,
		  mach_port_t other, uintptr_t source)
{
	struct task_process process;
	struct vm_mapping mapping;
	int maps_fd, fd;
	kern_return_t code = vm_other_open(other, &process, &maps_fd);

	if (code != KERN_SUCCESS)
		return code;
	code = vm_mapping_find(maps_fd, source, &mapping);
	if (code == KERN_SUCCESS && (!mapping.is_shared || mapping.end < source + size))
		code = SHARING_NOT_SUPPORTED("another task's memory that is not of one entry");
	if (code == KERN_SUCCESS)
		code = vm_object_of_other(process.proc_fd, process.pid, &mapping,
					  (mapping.protection & VM_PROT_WRITE) != 0, &fd);
	close(maps_fd);
	task_process_close(&process);
	if (code != KERN_SUCCESS)
		return code;
	return remap_object(address, size, mask, flags, fd,
			    mapping.offset + (source - mapping.start), mapping.protection);
}

BERTH_EXPORT kern_return_t
mach_vm_remap_new(vm_map_t target_task, mach_vm_address_t *target_address, mach_vm_size_t size,
		  mach_vm_offset_t mask, int flags, vm_map_read_t src_task,
		  mach_vm_address_t src_address, boolean_t copy, vm_prot_t *cur_protection,
		  vm_prot_t *max_protection, vm_inherit_t inheritance)
{
	const vm_prot_t both = VM_PROT_WRITE | VM_PROT_EXECUTE;
	vm_prot_t wanted = *cur_protection;
	vm_prot_t current, maximum;

	OWN_TASK(target_task, _kernelrpc_mach_vm_remap_new(
				  target_task, target_address, size, mask, flags, src_task,
				  src_address, copy, cur_protection, max_protection, inheritance));
	if ((wanted & ~VM_PROT_ALL) != 0 || (*max_protection & ~VM_PROT_ALL) != 0 ||
	    (wanted & ~*max_protection) != 0)
		return KERN_INVALID_ARGUMENT;
	if ((wanted & both) == both)
		return KERN_PROTECTION_FAILURE;
	kern_return_t code = mach_vm_remap(target_task, target_address, size, mask, flags, src_task,
					   src_address, copy, &current, &maximum, inheritance);
	if (code != KERN_SUCCESS)
		return code;
	/* what the source does not allow, its twin doesn't either */
	if ((wanted & ~current) != 0)
		code = KERN_PROTECTION_FAILURE;
	if (code == KERN_SUCCESS)
		code = mach_vm_protect(target_task, *target_address, size, FALSE, wanted);
	if (code != KERN_SUCCESS)
		mach_vm_deallocate(target_task, *target_address, size);
	return code;
}

BERTH_EXPORT kern_return_t
mach_vm_remap(vm_map_t target_task, mach_vm_address_t *target_address, mach_vm_size_t size,
	      mach_vm_offset_t mask, int flags, vm_map_t src_task, mach_vm_address_t src_address,
	      boolean_t copy, vm_prot_t *cur_protection, vm_prot_t *max_protection,
	      vm_inherit_t inheritance)
{
	struct vm_mapping mapping;
	uintptr_t source;
	size_t page_bytes;

	OWN_TASK(target_task, _kernelrpc_mach_vm_remap(
				  target_task, target_address, size, mask, flags, src_task,
				  src_address, copy, cur_protection, max_protection, inheritance));
	kern_return_t own = later_own_task(src_task);
	if (own != KERN_SUCCESS && own != BERTH_TRAP_BY_MESSAGE)
		return own;
	if (own == BERTH_TRAP_BY_MESSAGE && kernelrpc_is_asked(src_task))
		return _kernelrpc_mach_vm_remap(target_task, target_address, size, mask, flags,
						src_task, src_address, copy, cur_protection,
						max_protection, inheritance);
	if (size == 0 || inheritance > VM_INHERIT_NONE ||
	    !vm_range_pages(src_address, size, &source, &page_bytes))
		return KERN_INVALID_ARGUMENT;
	const mach_port_t other = own == KERN_SUCCESS ? MACH_PORT_NULL : src_task;
	kern_return_t code = other == MACH_PORT_NULL
				 ? vm_range_allows(VM_OWN_MAPS, source, page_bytes, VM_PROT_NONE)
				 : vm_other_allows(other, source, page_bytes, VM_PROT_NONE);
	if (code == KERN_SUCCESS)
		code = other == MACH_PORT_NULL ? vm_mapping_find(VM_OWN_MAPS, source, &mapping)
					       : vm_other_mapping(other, source, &mapping);
	if (code != KERN_SUCCESS)
		return code;
	if (copy)
		code = remap_copy(target_address, page_bytes, mask, flags, other, source,
				  mapping.protection);
	else if (other == MACH_PORT_NULL)
		code = remap_share_own(target_address, page_bytes, mask, flags, source, &mapping);
	else
		code = remap_share_other(target_address, page_bytes, mask, flags, other, source);
	if (code == KERN_SUCCESS) {
		*cur_protection = mapping.protection;
		*max_protection = VM_PROT_ALL;
	}
	return code;
}
