#include "client/mach/vm_movable_parts.h"

#include <mach/mach.h>

#include "client/mach/vm_landing.h"
#include "client/mach/vm_object.h"
#include "client/memory.h"
#include "client/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEARCH_BYTES ((size_t)64 << 20) /* of new ranges, until those unmapped are looked for */
#define DESCRIPTORS_SHARE 16u           /* of the descriptors of a process, one in so many */

/* Taken with all signals blocked, so that no handler waits for the code that it interrupted. */
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
/* the rest is guarded by it; the count may be read without, as a hint */
static struct movable_range ranges[VM_MOVABLE_RANGES_MAX];
_Atomic uint32_t vm_movable_count;
static size_t unsearched_bytes;
static uint32_t search_count; /* look for those unmapped at so many */
static sigset_t fork_signals;

void
vm_movable_enter(sigset_t *signals)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_BLOCK, &all, signals);
	pthread_mutex_lock(&ranges_lock);
}

void
vm_movable_leave(const sigset_t *signals)
{
	pthread_mutex_unlock(&ranges_lock);
	signals_set(SIG_SETMASK, signals, NULL);
}

/* ---- ranges ------------------------------------------------------------------------------ */

/* Programs close descriptors that they do not know, and use the number again. */
static bool
is_still(const struct movable_range *range)
{
	struct stat status;

	return fstat(range->fd, &status) == 0 && status.st_dev == range->device &&
	       status.st_ino == range->inode;
}

/* Is @mapping of the memfd of @range, wherever?  Programs move memory, past the library. */
static bool
is_of_memfd(const struct vm_mapping *mapping, const struct movable_range *range)
{
	return mapping->inode == range->inode && mapping->device == range->device &&
	       mapping->is_movable == range->is_shared && !mapping->is_shared;
}

bool
vm_movable_is_of(const struct vm_mapping *mapping, const struct movable_range *range)
{
	return is_of_memfd(mapping, range) && mapping->end > range->start &&
	       mapping->start < range->end &&
	       mapping->offset - range->offset == mapping->start - range->start;
}

void
vm_movable_forget_locked(struct movable_range *range)
{
	if (is_still(range))
		close(range->fd);
	*range = ranges[--vm_movable_count];
}

static bool
note_mapped(void *context, const struct vm_mapping *mapping)
{
	(void)context;
	for (uint32_t i = 0; i < vm_movable_count; i++)
		if (is_of_memfd(mapping, &ranges[i]))
			ranges[i].is_mapped = true;
	return false;
}

bool
vm_movable_visit(vm_mapping_visitor *visitor, void *context)
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
	for (uint32_t i = 0; i < vm_movable_count; i++)
		ranges[i].is_mapped = false;
	if (vm_movable_count == 0 || !vm_movable_visit(note_mapped, NULL))
		return;
	for (uint32_t i = vm_movable_count; i-- > 0;)
		if (!ranges[i].is_mapped)
			vm_movable_forget_locked(&ranges[i]);
	search_count = 2 * vm_movable_count + 8;
}

/* Is there room for one range more, of @size bytes? */
static bool
reserve_locked(size_t size)
{
	struct rlimit limit;

	unsearched_bytes += size;
	if (unsearched_bytes > SEARCH_BYTES || vm_movable_count >= search_count)
		search_unmapped_locked();
	return vm_movable_count < VM_MOVABLE_RANGES_MAX && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	       (limit.rlim_cur == RLIM_INFINITY ||
		vm_movable_count < limit.rlim_cur / DESCRIPTORS_SHARE);
}

static void cut_locked(struct movable_range *range, uintptr_t start, uintptr_t end);

static void
cut_all_locked(uintptr_t start, uintptr_t end)
{
	for (uint32_t i = vm_movable_count; i-- > 0;)
		if (ranges[i].start < end && ranges[i].end > start)
			cut_locked(&ranges[i], start, end);
}

static void
add_locked(uintptr_t start, size_t size, int fd, uint64_t offset, const struct stat *status,
	   bool is_shared)
{
	cut_all_locked(start, start + size); /* it is not there any more, and nobody told us */
	ranges[vm_movable_count++] = (struct movable_range){ .start = start,
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
	const struct movable_range *only; /* NULL: all */
	bool is_refused;                  /* Linux has no memory to do it */
};

/* Map privately over it what is mapped shared. */
static bool
freeze_mapping(void *context, const struct vm_mapping *mapping)
{
	struct freezing *freezing = context;

	for (uint32_t i = 0; i < vm_movable_count && mapping->is_movable; i++) {
		const struct movable_range *range = &ranges[i];
		if (freezing->only != NULL
			? freezing->only != range || !vm_movable_is_of(mapping, range)
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
freeze_blindly(const struct movable_range *range)
{
	size_t size = range->end - range->start;

	return is_still(range) && msync((void *)range->start, size, MS_ASYNC) == 0 &&
	       mmap((void *)range->start, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, range->fd,
		    (off_t)range->offset) != MAP_FAILED;
}

void
vm_movable_freeze_locked(const struct movable_range *only)
{
	struct freezing freezing = { .only = only };
	bool is_any = false;

	for (uint32_t i = 0; i < vm_movable_count; i++)
		is_any = is_any || (ranges[i].is_shared && (only == NULL || only == &ranges[i]));
	if (!is_any)
		return;
	bool is_visited = vm_movable_visit(freeze_mapping, &freezing);
	for (uint32_t i = 0; i < vm_movable_count; i++)
		if (ranges[i].is_shared && (only == NULL || only == &ranges[i]))
			ranges[i].is_shared =
			    is_visited ? freezing.is_refused : !freeze_blindly(&ranges[i]);
	memory_changed();
}

void
vm_movable_before_fork(void)
{
	sigset_t signals;

	vm_movable_enter(&signals);
	fork_signals = signals;
	vm_movable_freeze_locked(NULL);
	/* better shared with the child than missing there */
	for (uint32_t i = 0; i < vm_movable_count; i++)
		if (ranges[i].is_shared)
			madvise((void *)ranges[i].start, ranges[i].end - ranges[i].start,
				MADV_DOFORK);
}

void
vm_movable_after_fork(void)
{
	sigset_t signals = fork_signals;

	vm_movable_leave(&signals); /* the child's only thread is the one that took it */
}

void
vm_movable_freeze(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (vm_movable_count == 0)
		return;
	vm_movable_enter(&signals);
	for (uint32_t i = 0; i < vm_movable_count; i++)
		if (ranges[i].start < start + size && ranges[i].end > start)
			vm_movable_freeze_locked(&ranges[i]);
	vm_movable_leave(&signals);
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
	vm_movable_enter(&signals);
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
	vm_movable_leave(&signals);
}

void
vm_movable_came(uintptr_t start, size_t size, int fd, uint64_t offset)
{
	struct stat status;
	sigset_t signals;

	if (size < VM_MOVABLE_MIN_BYTES || fstat(fd, &status) != 0)
		return;
	size = (size + vm_page_mask) & ~(size_t)vm_page_mask;
	vm_movable_enter(&signals);
	int kept = reserve_locked(size) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (kept >= 0)
		add_locked(start, size, kept, offset, &status, false);
	vm_movable_leave(&signals);
}

/* @start to @end of the range are not mapped any more, or by something else. */
static void
cut_locked(struct movable_range *range, uintptr_t start, uintptr_t end)
{
	if (start < range->start)
		start = range->start;
	if (end > range->end)
		end = range->end;
	if (start == range->start && end == range->end) {
		vm_movable_forget_locked(range);
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
		vm_movable_freeze_locked(range); /* the part behind it will be as any memory */
	range->end = start;
}

void
vm_movable_replaced(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (vm_movable_count == 0)
		return;
	vm_movable_enter(&signals);
	cut_all_locked(start, start + size);
	vm_movable_leave(&signals);
}

int
vm_movable_unmap(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (vm_movable_count == 0 && vm_landing_count == 0)
		return munmap((void *)start, size);
	/* under the lock: as soon as it is unmapped another thread may get the place */
	vm_movable_enter(&signals);
	bool is_kept = vm_landing_count > 0 && vm_landing_keep_locked(start, size);
	int result = is_kept ? 0 : munmap((void *)start, size);
	int error = errno;
	if (result == 0)
		cut_all_locked(start, (start + size + vm_page_mask) & ~(uintptr_t)vm_page_mask);
	vm_movable_leave(&signals);
	errno = error;
	return result;
}

struct movable_range *
vm_movable_find_locked(uintptr_t start, uintptr_t end)
{
	for (uint32_t i = 0; i < vm_movable_count; i++)
		if (ranges[i].start <= start && end <= ranges[i].end && is_still(&ranges[i]))
			return &ranges[i];
	return NULL;
}

bool
vm_movable_discard(uintptr_t start, size_t size)
{
	sigset_t signals;

	if (vm_movable_count == 0)
		return false;
	vm_movable_enter(&signals);
	const struct movable_range *range = vm_movable_find_locked(start, start + size);
	bool is_done =
	    range != NULL && range->is_shared && madvise((void *)start, size, MADV_REMOVE) == 0;
	vm_movable_leave(&signals);
	return is_done;
}

int
vm_movable_fd(dev_t device, ino_t inode)
{
	sigset_t signals;
	int fd = -1;

	vm_movable_enter(&signals);
	for (uint32_t i = 0; i < vm_movable_count && fd < 0; i++)
		if (ranges[i].inode == inode && ranges[i].device == device && is_still(&ranges[i]))
			fd = fcntl(ranges[i].fd, F_DUPFD_CLOEXEC, 0);
	vm_movable_leave(&signals);
	return fd;
}

bool
vm_movable_may_lend_locked(size_t size)
{
	size_t lent = size;

	for (uint32_t i = 0; i < vm_movable_count; i++)
		if (ranges[i].is_lent)
			lent += ranges[i].end - ranges[i].start;
	return lent <= VM_MOVABLE_LENT_MAX;
}
