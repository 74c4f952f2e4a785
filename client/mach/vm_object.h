/*
 * Memory that several tasks may map: memfds that can never become shorter.
 *
 * To share memory a second time its memfd is needed, which Linux does not give out for a mapping;
 * so a descriptor of each that this process has mapped stays open, until the memory is unmapped by
 * mach_vm_deallocate(), or the next entry is made or mapped after it.  A program that closes
 * descriptors that it does not know loses no memory, but then cannot share it once more.
 */
#ifndef BERTH_CLIENT_MACH_VM_OBJECT_H
#define BERTH_CLIENT_MACH_VM_OBJECT_H

#include "client/later.h"
#include "client/mach/vm.h"

#include <sys/types.h>

/* Say once what cannot be shared; KERN_NOT_SUPPORTED. */
#define SHARING_NOT_SUPPORTED(what)                                                                \
	({                                                                                         \
		static _Atomic uint32_t said_;                                                     \
		later_not_supported("sharing memory", what, &said_);                               \
	})

/*
 * New memory of @size bytes, whole pages, all zero: a descriptor, the caller's.
 *
 * KERN_SUCCESS
 * KERN_RESOURCE_SHORTAGE  no memory, no descriptor, or more than the process may have in a file
 */
kern_return_t vm_object_new(size_t size, int *fd);

/*
 * The memory behind @size bytes at @start, whole pages of this process that are all mapped.  What
 * is private becomes shared in place: it is copied, and the copy is mapped over it.  What another
 * thread writes there meanwhile may be lost.
 *
 * KERN_SUCCESS            *@fd, the caller's, and *@offset in it; *@size becomes what is in one
 *                         memfd, from @start on
 * KERN_NOT_SUPPORTED      said once: shared otherwise than by a memfd that keeps its size; the
 *                         running thread's stack, or memory of Linux's own
 * KERN_RESOURCE_SHORTAGE  no memory, no descriptor
 * KERN_INVALID_ADDRESS    it was unmapped meanwhile
 */
kern_return_t vm_object_of_own(uintptr_t start, size_t *size, int *fd, uint64_t *offset);

/*
 * The memory of the mapping @mapping of another process, whose folder of /proc is @proc_fd.  Its
 * descriptor may be written if @is_written.
 *
 * KERN_SUCCESS        *@fd: the caller's
 * KERN_NOT_SUPPORTED  said once: it has no such memfd open
 * KERN_NO_ACCESS      Linux does not let this process
 */
kern_return_t vm_object_of_other(int proc_fd, pid_t pid, const struct vm_mapping *mapping,
				 bool is_written, int *fd);

/* May the process have so much in a file?  To write one beyond the limit is a signal that kills. */
bool vm_object_size_is_allowed(size_t size);

/* Copy @size bytes at @start of this process, which may be read, to @offset of @fd, which has
 * nothing there.  KERN_INVALID_ADDRESS, KERN_RESOURCE_SHORTAGE. */
kern_return_t vm_object_fill(int fd, uint64_t offset, uintptr_t start, size_t size);

/* May the memory be mapped without fear that it becomes shorter? */
bool vm_object_keeps_size(int fd);

/* The same memory to be read only; KERN_FAILURE: Linux gives none. */
kern_return_t vm_object_read_only(int fd, int *read_only_fd);

/* The memory of @fd, which it consumes, is mapped: it can be found again. */
void vm_object_keep(int fd);
/* Memory was unmapped: forget what is not mapped any more. */
void vm_object_unmapped(void);

/* Around a fork. */
void vm_object_before_fork(void);
void vm_object_after_fork(void);

#endif
