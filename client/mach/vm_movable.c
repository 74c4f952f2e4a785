#include "client/mach/vm_movable.h"

#include <mach/mach.h>

#include "client/mach/vm.h"
#include "client/mach/vm_object.h"
#include "client/memory.h"
#include "client/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEARCH_BYTES ((size_t)64 << 20)  /* of new ranges, until those unmapped are looked for */
#define PAGEMAP_COUNT 1024u              /* pages that are asked about at once */
#define PAGEMAP_USED (UINT64_C(3) << 62) /* proc_pid_pagemap(5): present, or swapped out */
#define PAGEMAP_FILE (UINT64_C(1) << 61) /* of a file, or of shared memory */
#define DESCRIPTORS_SHARE 16u            /* of the descriptors of a process, one in so many */

/* A range of memory and its memfd; ranges do not overlap. */
struct range {
	uintptr_t start, end;
	uint64_t offset; /* of the start */
	int fd;
	dev_t device;
	ino_t inode;
	bool is_shared; /* else frozen */
	bool is_lent;   /* frozen for a copy */
	bool is_mapped; /* while it is looked which are */
};

/* Taken with all signals blocked, so that no handler waits for the code that it interrupted. */
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
/* the rest is guarded by it; the count may be read without, as a hint */
static struct range ranges[VM_MOVABLE_RANGES_MAX];
static _Atomic uint32_t range_count;
static size_t unsearched_bytes;
static uint32_t search_count; /* look for those unmapped at so many */
static sigset_t fork_signals;

static void
ranges_enter(sigset_t *signals)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_BLOCK, &all, signals);
	pthread_mutex_lock(&ranges_lock);
}

static void
ranges_leave(const sigset_t *signals)
{
	pthread_mutex_unlock(&ranges_lock);
	signals_set(SIG_SETMASK, signals, NULL);
}

/* ---- ranges ------------------------------------------------------------------------------ */

/* Programs close descriptors that they do not know, and use the number again. */
static bool
is_still(const struct range *range)
{
	struct stat status;

	return fstat(range->fd, &status) == 0 && status.st_dev == range->device &&
	       status.st_ino == range->inode;
}

/* Is @mapping of the memfd of @range, wherever?  Programs move memory, past the library. */
static bool
is_of_memfd(const struct vm_mapping *mapping, const struct range *range)
{
	return mapping->inode == range->inode && mapping->device == range->device &&
	       mapping->is_movable == range->is_shared && !mapping->is_shared;
}

/* Is it, in whole or in part, where we know it? */
static bool
is_of_range(const struct vm_mapping *mapping, const struct range *range)
{
	return is_of_memfd(mapping, range) && mapping->end > range->start &&
	       mapping->start < range->end &&
	       mapping->offset - range->offset == mapping->start - range->start;
}

static void
forget_locked(struct range *range)
{
	if (is_still(range))
		close(range->fd);
	*range = ranges[--range_count];
}

static bool
note_mapped(void *context, const struct vm_mapping *mapping)
{
	(void)context;
	for (uint32_t i = 0; i < range_count; i++)
		if (is_of_memfd(mapping, &ranges[i]))
			ranges[i].is_mapped = true;
	return false;
}

/* Visit what this process has mapped.  False: Linux does not tell all. */
static bool
own_mappings_visit(vm_mapping_visitor *visitor, void *context)
{
	int maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (maps_fd < 0)
		return false;
	kern_return_t code = vm_mappings_visit(maps_fd, visitor, context);
	close(maps_fd);
	return code == KERN_SUCCESS || code == KERN_INVALID_ADDRESS;
}

/* Programs unmap memory past the library: close what is not mapped any more. */
static void
search_unmapped_locked(void)
{
	unsearched_bytes = 0;
	search_count = VM_MOVABLE_RANGES_MAX;
	for (uint32_t i = 0; i < range_count; i++)
		ranges[i].is_mapped = false;
	if (range_count == 0 || !own_mappings_visit(note_mapped, NULL))
		return;
	for (uint32_t i = range_count; i-- > 0;)
		if (!ranges[i].is_mapped)
			forget_locked(&ranges[i]);
	search_count = 2 * range_count + 8;
}

/* Is there room for one range more, of @size bytes? */
static bool
reserve_locked(size_t size)
{
	struct rlimit limit;

	unsearched_bytes += size;
	if (unsearched_bytes > SEARCH_BYTES || range_count >= search_count)
		search_unmapped_locked();
	return range_count < VM_MOVABLE_RANGES_MAX && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	       (limit.rlim_cur == RLIM_INFINITY ||
		range_count < limit.rlim_cur / DESCRIPTORS_SHARE);
}

static void cut_locked(struct range *range, uintptr_t start, uintptr_t end);

static void
cut_all_locked(uintptr_t start, uintptr_t end)
{
	for (uint32_t i = range_count; i-- > 0;)
		if (ranges[i].start < end && ranges[i].end > start)
			cut_locked(&ranges[i], start, end);
}

static void
add_locked(uintptr_t start, size_t size, int fd, uint64_t offset, const struct stat *status,
	   bool is_shared)
{
	cut_all_locked(start, start + size); /* it is not there any more, and nobody told us */
	ranges[range_count++] = (struct range){ .start = start,
						.end = start + size,
						.offset = offset,
						.fd = fd,
						.device = status->st_dev,
						.inode = status->st_ino,
						.is_shared = is_shared };
}

/* ---- freezing ---------------------------------------------------------------------------- */

/* Without its descriptor the memory can only be copied.  What another thread writes there meanwhile
 * may be lost. */
static bool
copy_over(const struct vm_mapping *mapping)
{
	size_t size = mapping->end - mapping->start;
	int protection = vm_linux_protection(mapping->protection);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (here >= mapping->start && here < mapping->end)
		return false; /* the stack of the running thread */
	void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (copy == MAP_FAILED)
		return false;
	bool is_readable = (protection & PROT_READ) != 0;
	if (is_readable || mprotect((void *)mapping->start, size, PROT_READ) == 0) {
		memcpy(copy, (const void *)mapping->start, size);
		mprotect(copy, size, protection);
		if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)mapping->start) != MAP_FAILED)
			return true;
		if (!is_readable)
			mprotect((void *)mapping->start, size, protection);
	}
	munmap(copy, size);
	return false;
}

struct freezing {
	const struct range *only; /* NULL: all */
	bool is_refused;          /* Linux has no memory to do it */
};

/* Map privately over it what is mapped shared. */
static bool
freeze_mapping(void *context, const struct vm_mapping *mapping)
{
	struct freezing *freezing = context;

	for (uint32_t i = 0; i < range_count && mapping->is_movable; i++) {
		const struct range *range = &ranges[i];
		if (freezing->only != NULL ? freezing->only != range || !is_of_range(mapping, range)
					   : !is_of_memfd(mapping, range))
			continue;
		bool is_done = is_still(range)
				   ? mmap((void *)mapping->start, mapping->end - mapping->start,
					  vm_linux_protection(mapping->protection),
					  MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, range->fd,
					  (off_t)mapping->offset) != MAP_FAILED
				   : copy_over(mapping);
		freezing->is_refused = freezing->is_refused || !is_done;
		break;
	}
	return false;
}

/* Linux does not tell what is mapped: no /proc, or no descriptor.  Protections are lost. */
static bool
freeze_blindly(const struct range *range)
{
	size_t size = range->end - range->start;

	return is_still(range) && msync((void *)range->start, size, MS_ASYNC) == 0 &&
	       mmap((void *)range->start, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, range->fd,
		    (off_t)range->offset) != MAP_FAILED;
}

/* Freeze @only, or, for NULL, all that is shared. */
static void
freeze_locked(const struct range *only)
{
	struct freezing freezing = { .only = only };
	bool is_any = false;

	for (uint32_t i = 0; i < range_count; i++)
		is_any = is_any || (ranges[i].is_shared && (only == NULL || only == &ranges[i]));
	if (!is_any)
		return;
	bool is_visited = own_mappings_visit(freeze_mapping, &freezing);
	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].is_shared && (only == NULL || only == &ranges[i]))
			ranges[i].is_shared =
			    is_visited ? freezing.is_refused : !freeze_blindly(&ranges[i]);
	memory_changed();
}

void
vm_movable_before_fork(void)
{
	sigset_t signals;

	ranges_enter(&signals);
	fork_signals = signals;
	freeze_locked(NULL);
	/* better shared with the child than missing there */
	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].is_shared)
			madvise((void *)ranges[i].start, ranges[i].end - ranges[i].start,
				MADV_DOFORK);
}

void
vm_movable_after_fork(void)
{
	sigset_t signals = fork_signals;

	ranges_leave(&signals); /* the child's only thread is the one that took it */
}

void
vm_movable_freeze(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (range_count == 0)
		return;
	ranges_enter(&signals);
	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].start < start + size && ranges[i].end > start)
			freeze_locked(&ranges[i]);
	ranges_leave(&signals);
}

/* ---- coming and going -------------------------------------------------------------------- */

void
vm_movable_adopt(uintptr_t start, size_t size, int linux_protection)
{
	struct stat status;
	sigset_t signals;

	if (size < VM_MOVABLE_MIN_BYTES || (linux_protection & PROT_EXEC) != 0 ||
	    !vm_object_size_is_allowed(size))
		return;
	ranges_enter(&signals);
	int fd = reserve_locked(size) ? memory_fd_new(VM_MOVABLE_NAME) : -1;
	if (fd >= 0) {
		if (ftruncate(fd, (off_t)size) != 0 || fstat(fd, &status) != 0 ||
		    mmap((void *)start, size, linux_protection, MAP_SHARED | MAP_FIXED, fd, 0) ==
			MAP_FAILED) {
			close(fd);
		} else {
			madvise((void *)start, size, MADV_DONTFORK);
			add_locked(start, size, fd, 0, &status, true);
		}
	}
	ranges_leave(&signals);
}

void
vm_movable_came(uintptr_t start, size_t size, int fd, uint64_t offset)
{
	struct stat status;
	sigset_t signals;

	if (size < VM_MOVABLE_MIN_BYTES || fstat(fd, &status) != 0)
		return;
	size = (size + vm_page_mask) & ~(size_t)vm_page_mask;
	ranges_enter(&signals);
	int kept = reserve_locked(size) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (kept >= 0)
		add_locked(start, size, kept, offset, &status, false);
	ranges_leave(&signals);
}

/* @start to @end of the range are not mapped any more, or by something else. */
static void
cut_locked(struct range *range, uintptr_t start, uintptr_t end)
{
	if (start < range->start)
		start = range->start;
	if (end > range->end)
		end = range->end;
	if (start == range->start && end == range->end) {
		forget_locked(range);
		return;
	}
	/* a child of a fork may still have what is frozen */
	if (range->is_shared && is_still(range))
		fallocate(range->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)(range->offset + (start - range->start)), (off_t)(end - start));
	if (start == range->start) {
		range->offset += end - range->start;
		range->start = end;
		return;
	}
	if (end < range->end)
		freeze_locked(range); /* the part behind it will be as any memory */
	range->end = start;
}

void
vm_movable_replaced(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (range_count == 0)
		return;
	ranges_enter(&signals);
	cut_all_locked(start, start + size);
	ranges_leave(&signals);
}

int
vm_movable_unmap(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (range_count == 0)
		return munmap((void *)start, size);
	/* under the lock: as soon as it is unmapped another thread may get the place */
	ranges_enter(&signals);
	int result = munmap((void *)start, size);
	int error = errno;
	if (result == 0)
		cut_all_locked(start, (start + size + vm_page_mask) & ~(uintptr_t)vm_page_mask);
	ranges_leave(&signals);
	errno = error;
	return result;
}

/* The range that all of the pages are of. */
static struct range *
find_locked(uintptr_t start, uintptr_t end)
{
	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].start <= start && end <= ranges[i].end && is_still(&ranges[i]))
			return &ranges[i];
	return NULL;
}

bool
vm_movable_discard(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (range_count == 0)
		return false;
	ranges_enter(&signals);
	const struct range *range = find_locked(start, start + size);
	bool is_done =
	    range != NULL && range->is_shared && madvise((void *)start, size, MADV_REMOVE) == 0;
	ranges_leave(&signals);
	return is_done;
}

int
vm_movable_fd(dev_t device, ino_t inode)
{
	sigset_t signals;
	int fd = -1;

	ranges_enter(&signals);
	for (uint32_t i = 0; i < range_count && fd < 0; i++)
		if (ranges[i].inode == inode && ranges[i].device == device && is_still(&ranges[i]))
			fd = fcntl(ranges[i].fd, F_DUPFD_CLOEXEC, 0);
	ranges_leave(&signals);
	return fd;
}

/* ---- taking ------------------------------------------------------------------------------ */

/* Pages of a range, of which all before @at were found mapped from it, and can be read. */
struct cover {
	const struct range *range;
	uintptr_t at, end;
};

static bool
cover_more(void *context, const struct vm_mapping *mapping)
{
	struct cover *cover = context;

	if (mapping->end <= cover->at)
		return false;
	if (mapping->start > cover->at || (mapping->protection & VM_PROT_READ) == 0 ||
	    !is_of_range(mapping, cover->range))
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

/* May memory of @size bytes be frozen for a copy? */
static bool
may_lend_locked(size_t size)
{
	size_t lent = size;

	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].is_lent)
			lent += ranges[i].end - ranges[i].start;
	return lent <= VM_MOVABLE_LENT_MAX;
}

/* Freeze @range, of which memory at @offset of its memfd is to go. */
static bool
freeze_for_message_locked(struct range *range, uint64_t offset, size_t size, bool is_copy)
{
	size_t whole = range->end - range->start;

	if (is_copy && !may_lend_locked(whole))
		return false;
	freeze_locked(range);
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
	struct range *range = find_locked(address, end);
	struct stat status;

	/* what is frozen may be another process's as well, which appends, too */
	if (range == NULL || (appends && !range->is_shared))
		return false;
	uint64_t offset = range->offset + (address - range->start);
	struct cover cover = { range, address, end };

	/* the sender pays for all of the memfd while the message waits */
	if (fstat(range->fd, &status) != 0 || (uint64_t)status.st_size / 2 > size ||
	    !holds_nothing_else(range->fd, offset, size) ||
	    !own_mappings_visit(cover_more, &cover) || cover.at < end)
		return false;
	if (!range->is_shared && is_written(address, end)) {
		forget_locked(range); /* for good */
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
vm_movable_take(uintptr_t address, size_t size, bool is_copy, bool appends, struct vm_moved *moved)
{
	sigset_t signals;

	if (range_count == 0 || size < VM_MOVABLE_MIN_BYTES || (address & vm_page_mask) != 0 ||
	    address + size < address)
		return false;
	ranges_enter(&signals);
	bool is_taken = take_locked(address, size, is_copy, appends, moved);
	ranges_leave(&signals);
	return is_taken;
}
