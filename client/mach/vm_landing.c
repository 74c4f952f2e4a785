#include "client/mach/vm_landing.h"

#include "client/mach/vm_movable_parts.h"

#include <mach/mach.h>

#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4 /* Linux 5.7 */
#endif

#define KEEP_MIN_BYTES 65536u     /* less is as quickly made as moved */
#define CAME_MAX 16u              /* pieces that are known while the program has them */
#define KEEP_MAX_BYTES (4u << 20) /* as much as comes by a carrier */

/* All of it is guarded by the lock of vm_movable.c. */
static struct {
	uintptr_t start;
	size_t size;
} came[CAME_MAX]; /* size 0: none */
_Atomic uint32_t vm_landing_count;
/* Addresses for one that is kept. */
static struct room {
	void *start;
	size_t size; /* 0: not yet */
	bool is_full;
} rooms[VM_LANDING_KEPT_MAX];
static bool is_impossible; /* Linux, or what stands for it, cannot move memory so */

static size_t
whole_pages(size_t size)
{
	return (size + vm_page_mask) & ~(size_t)vm_page_mask;
}

/* One that is kept, at an address that Linux chooses; NULL. */
static void *
take_locked(size_t size)
{
	for (uint32_t i = 0; i < VM_LANDING_KEPT_MAX; i++) {
		struct room *room = &rooms[i];
		if (!room->is_full || room->size != size)
			continue;
		/* the addresses of the room stay taken */
		void *memory =
		    mremap(room->start, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
		room->is_full = false;
		if (memory != MAP_FAILED) {
			madvise(memory, size, MADV_KEEPONFORK);
			return memory;
		}
		is_impossible = true;
		madvise(room->start, size, MADV_DONTNEED);
	}
	return NULL;
}

static void
remember_locked(uintptr_t start, size_t size)
{
	for (uint32_t i = 0; i < CAME_MAX; i++) {
		/* what was there was unmapped, and nobody told us */
		if (came[i].size != 0 && came[i].start != start)
			continue;
		if (came[i].size == 0)
			vm_landing_count++;
		came[i].start = start;
		came[i].size = size;
		return;
	}
	/* the program collects messages: those it frees first are not ours to know */
	came[start / vm_page_size % CAME_MAX].start = start;
	came[start / vm_page_size % CAME_MAX].size = size;
}

/*
 * Make a room of @size bytes, if there may be one more.  What is kept of another size makes way, as
 * messages are of that size no more.  It is made when a message comes: were it made when one goes,
 * it would lie where the program has just seen memory vanish.
 */
static void
make_room_locked(size_t size)
{
	struct room *room = NULL;

	for (uint32_t i = 0; i < VM_LANDING_KEPT_MAX; i++)
		if (rooms[i].size != size && (room == NULL || !rooms[i].is_full))
			room = &rooms[i];
	if (room == NULL || is_impossible)
		return;
	void *start =
	    mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return;
	if (room->size > 0)
		munmap(room->start, room->size);
	*room = (struct room){ .start = start, .size = size };
}

void *
vm_landing_new(size_t size)
{
	size_t page_bytes = whole_pages(size);
	bool may_keep = page_bytes >= KEEP_MIN_BYTES && page_bytes <= KEEP_MAX_BYTES;
	sigset_t signals;
	void *memory = NULL;

	if (may_keep) {
		vm_movable_enter(&signals);
		memory = take_locked(page_bytes);
		if (memory != NULL)
			remember_locked((uintptr_t)memory, page_bytes);
		vm_movable_leave(&signals);
		if (memory != NULL) {
			memset((uint8_t *)memory + size, 0, page_bytes - size);
			return memory;
		}
	}
	/* all of it is about to be written: a fault for each page would cost more */
	memory = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (may_keep) {
		vm_movable_enter(&signals);
		make_room_locked(page_bytes);
		remember_locked((uintptr_t)memory, page_bytes);
		vm_movable_leave(&signals);
	}
	return memory;
}

bool
vm_landing_keep_locked(uintptr_t start, size_t size)
{
	uint32_t i = 0;

	size = whole_pages(size);
	while (i < CAME_MAX && (came[i].size != size || came[i].start != start))
		i++;
	if (i == CAME_MAX)
		return false;
	came[i].size = 0;
	vm_landing_count--;
	struct room *room = NULL;
	for (uint32_t j = 0; j < VM_LANDING_KEPT_MAX && !is_impossible; j++)
		if (rooms[j].size == size && !rooms[j].is_full)
			room = &rooms[j];
	if (room == NULL)
		return false;
	/* refused for what is not private memory: the program may have mapped something else there.
	 * What it has protected is as any again. */
	if (madvise((void *)start, size, MADV_WIPEONFORK) != 0 ||
	    mprotect((void *)start, size, PROT_READ | PROT_WRITE) != 0 ||
	    mremap((void *)start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room->start) ==
		MAP_FAILED)
		return false;
	room->is_full = true;
	return true;
}
