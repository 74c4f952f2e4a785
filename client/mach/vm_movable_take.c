/*
 * Memory on its way into a message.
 */
#include "client/mach/vm_movable_parts.h"

#include <mach/mach.h>

#include "client/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGEMAP_COUNT 1024u              /* pages that are asked about at once */
#define PAGEMAP_USED (UINT64_C(3) << 62) /* proc_pid_pagemap(5): present, or swapped out */
#define PAGEMAP_FILE (UINT64_C(1) << 61) /* of a file, or of shared memory */

/* Pages of a range, of which all before @at were found mapped from it, and can be read. */
struct cover {
	const struct movable_range *range;
	uintptr_t at, end;
};

static bool
cover_more(void *context, const struct vm_mapping *mapping)
{
	struct cover *cover = context;

	if (mapping->end <= cover->at)
		return false;
	if (mapping->start > cover->at || (mapping->protection & VM_PROT_READ) == 0 ||
	    !vm_movable_is_of(mapping, cover->range))
		return true;
	cover->at = mapping->end;
	return cover->at >= cover->end;
}

/* Does the memfd hold nothing outside of these bytes?  Who gets it could read that, too. */
static bool
holds_nothing_else(int fd, uint64_t start, uint64_t size)
{
	uint8_t rest[4096];
	uint64_t end = (start + size + vm_page_mask) & ~(uint64_t)vm_page_mask;
	off_t first = lseek(fd, 0, SEEK_DATA);
	struct stat status;

	if (first < 0 && errno == ENXIO)
		return true;
	if (first < (off_t)start || lseek(fd, (off_t)end, SEEK_DATA) >= 0 || errno != ENXIO ||
	    fstat(fd, &status) != 0)
		return false;
	if (end > (uint64_t)status.st_size)
		end = (uint64_t)status.st_size;
	for (uint64_t at = start + size; at < end;) {
		size_t part = end - at < sizeof(rest) ? (size_t)(end - at) : sizeof(rest);
		if (memory_fd_read(fd, rest, part, at) != 0)
			return false;
		for (size_t i = 0; i < part; i++)
			if (rest[i] != 0)
				return false;
		at += part;
	}
	return true;
}

/* ioctl_pagemap_scan(2), of Linux 6.7 */
struct scan_region {
	uint64_t start, end, categories;
};
struct scan {
	uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages;
	uint64_t category_inverted, category_mask, category_any_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan)
#define SCAN_FILE (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)

/* Was a page of private memory written, so that it is not the memfd's any more? */
static bool
is_written(uintptr_t start, uintptr_t end)
{
	uint64_t pages[PAGEMAP_COUNT];
	struct scan_region region = { 0 };
	struct scan scan = {
		.size = sizeof(scan),
		.start = start,
		.end = end,
		.regions = (uintptr_t)&region,
		.region_count = 1,
		.max_pages = 1,
		.category_inverted = SCAN_FILE,
		.category_mask = SCAN_FILE, /* that is: not of a file */
		.category_any_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT,
	};
	bool is_written = false;
	int pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (pagemap_fd < 0)
		return true;
	int found = ioctl(pagemap_fd, SCAN, &scan);
	if (found >= 0) {
		close(pagemap_fd);
		return found > 0;
	}
	for (size_t left = (end - start) / vm_page_size; left > 0 && !is_written;) {
		size_t count = left < PAGEMAP_COUNT ? left : PAGEMAP_COUNT;
		size_t bytes = count * sizeof(*pages);
		off_t at = (off_t)((end / vm_page_size - left) * sizeof(*pages));
		if (pread(pagemap_fd, pages, bytes, at) != (ssize_t)bytes)
			is_written = true;
		for (size_t i = 0; i < count && !is_written; i++)
			is_written =
			    (pages[i] & PAGEMAP_USED) != 0 && (pages[i] & PAGEMAP_FILE) == 0;
		left -= count;
	}
	close(pagemap_fd);
	return is_written;
}

/* Freeze @range, of which memory at @offset of its memfd is to go. */
static bool
freeze_for_message_locked(struct movable_range *range, uint64_t offset, size_t size, bool is_copy)
{
	size_t whole = range->end - range->start;

	if (is_copy && !vm_movable_may_lend_locked(whole))
		return false;
	vm_movable_freeze_locked(range);
	if (range->is_shared)
		return false;
	range->is_lent = is_copy;
	/* another thread may have written in between, beside the memory */
	return holds_nothing_else(range->fd, offset, size);
}

static bool
take_locked(uintptr_t address, size_t size, bool is_copy, bool appends, struct vm_moved *moved)
{
	uintptr_t end = (address + size + vm_page_mask) & ~(uintptr_t)vm_page_mask;
	struct movable_range *range = vm_movable_find_locked(address, end);
	struct stat status;

	/* what is frozen may be another process's as well, which appends, too */
	if (range == NULL || (appends && !range->is_shared))
		return false;
	uint64_t offset = range->offset + (address - range->start);
	struct cover cover = { range, address, end };

	/* the sender pays for all of the memfd while the message waits */
	if (fstat(range->fd, &status) != 0 || (uint64_t)status.st_size / 2 > size ||
	    !holds_nothing_else(range->fd, offset, size) || !vm_movable_visit(cover_more, &cover) ||
	    cover.at < end)
		return false;
	if (!range->is_shared && is_written(address, end)) {
		vm_movable_forget_locked(range); /* for good */
		return false;
	}
	if (range->is_shared && !freeze_for_message_locked(range, offset, size, is_copy))
		return false;
	moved->offset = offset;
	moved->end = (uint64_t)status.st_size;
	moved->fd = fcntl(range->fd, F_DUPFD_CLOEXEC, 0);
	return moved->fd >= 0;
}

bool
vm_movable_holds(uintptr_t address, size_t size)
{
	sigset_t signals;

	if (vm_movable_count == 0 || size < VM_MOVABLE_MIN_BYTES || (address & vm_page_mask) != 0 ||
	    address + size < address)
		return false;
	vm_movable_enter(&signals);
	bool is_held = vm_movable_find_locked(address, address + size) != NULL;
	vm_movable_leave(&signals);
	return is_held;
}

bool
vm_movable_take(uintptr_t address, size_t size, bool is_copy, bool appends, struct vm_moved *moved)
{
	sigset_t signals;

	if (vm_movable_count == 0 || size < VM_MOVABLE_MIN_BYTES || (address & vm_page_mask) != 0 ||
	    address + size < address)
		return false;
	vm_movable_enter(&signals);
	bool is_taken = take_locked(address, size, is_copy, appends, moved);
	vm_movable_leave(&signals);
	return is_taken;
}
