/*
 * Copying memory of this process into a memfd, but for what nobody has ever touched.
 */
#include "client/mach/vm_object.h"

#include <mach/mach.h>

#include "client/mach/vm_movable.h"
#include "client/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAGEMAP_USED (UINT64_C(3) << 62) /* proc_pid_pagemap(5): present, or swapped out */
#define PAGEMAP_COUNT 256u               /* pages that are asked about at once */

/* Which of the pages at @start were ever touched, as far as Linux tells: else all are taken. */
static void
read_pagemap(int pagemap_fd, uintptr_t start, size_t count, uint64_t *pages)
{
	off_t at = (off_t)(start / vm_page_size * sizeof(*pages));

	if (pagemap_fd < 0 || pread(pagemap_fd, pages, count * sizeof(*pages), at) !=
				  (ssize_t)(count * sizeof(*pages)))
		memset(pages, 0xff, count * sizeof(*pages));
}

/*
 * Copy memory of one mapping.  Of memory without a file the pages that nobody has touched are
 * zero, and stay out of the copy, so that it is not larger than what is copied.
 */
static kern_return_t
fill_from(int fd, uint64_t offset, uintptr_t start, size_t size, int pagemap_fd)
{
	uint64_t pages[PAGEMAP_COUNT];

	for (size_t done = 0; done < size;) {
		size_t count = (size - done + vm_page_mask) / vm_page_size;
		if (count > PAGEMAP_COUNT)
			count = PAGEMAP_COUNT;
		read_pagemap(pagemap_fd, start + done, count, pages);
		for (size_t first = 0, next; first < count; first = next) {
			bool is_used = (pages[first] & PAGEMAP_USED) != 0;
			next = first + 1;
			while (next < count && ((pages[next] & PAGEMAP_USED) != 0) == is_used)
				next++;
			size_t from = done + first * vm_page_size;
			size_t bytes = (next - first) * vm_page_size;
			if (bytes > size - from)
				bytes = size - from;
			int error = is_used ? memory_fd_write(fd, (const void *)(start + from),
							      bytes, offset + from)
					    : 0;
			if (error != 0)
				return error == -EFAULT ? KERN_INVALID_ADDRESS
							: KERN_RESOURCE_SHORTAGE;
		}
		done += count * vm_page_size;
	}
	return KERN_SUCCESS;
}

/* The same of memory that is in a memfd of ours, which tells what was never touched. */
static kern_return_t
fill_from_movable(int fd, uint64_t offset, uintptr_t start, size_t size,
		  const struct vm_mapping *mapping)
{
	const uint64_t first = mapping->offset + (start - mapping->start);
	int source_fd = vm_movable_fd(mapping->device, mapping->inode);
	kern_return_t code = KERN_SUCCESS;

	for (uint64_t done = 0; done < size && code == KERN_SUCCESS;) {
		uint64_t next = size;
		if (source_fd >= 0) {
			off_t data = lseek(source_fd, (off_t)(first + done), SEEK_DATA);
			if (data < 0 && errno == ENXIO)
				break; /* nothing from there on */
			if (data >= 0)
				done = (uint64_t)data - first;
			off_t hole = data < 0 ? -1 : lseek(source_fd, data, SEEK_HOLE);
			if (hole >= 0 && (uint64_t)hole - first < next)
				next = (uint64_t)hole - first;
		}
		if (done < next)
			code = fill_from(fd, offset + done, start + done, next - done, -1);
		done = next;
	}
	if (source_fd >= 0)
		close(source_fd);
	return code;
}

kern_return_t
vm_object_fill(int fd, uint64_t offset, uintptr_t start, size_t size)
{
	struct vm_mapping mapping;
	kern_return_t code = KERN_SUCCESS;
	int pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	for (uintptr_t at = start; at < start + size && code == KERN_SUCCESS;) {
		code = vm_mapping_find(VM_OWN_MAPS, at, &mapping);
		if (code != KERN_SUCCESS || mapping.start > at)
			break;
		uintptr_t end = mapping.end < start + size ? mapping.end : start + size;
		if (mapping.is_movable) {
			code = fill_from_movable(fd, offset + (at - start), at, end - at, &mapping);
		} else {
			bool may_skip = !mapping.is_shared && mapping.inode == 0;
			code = fill_from(fd, offset + (at - start), at, end - at,
					 may_skip ? pagemap_fd : -1);
		}
		at = end;
	}
	if (pagemap_fd >= 0)
		close(pagemap_fd);
	return code;
}
