/*
 * Memory that a message can take along without a copy: large memory of vm_allocate(), and what
 * large out-of-line memory came as.
 *
 * A message's memory must be in a memfd that nobody can write (wire/trap_page.h), and Linux moves
 * no page from anonymous memory into one.  So large memory is born in a memfd of its own:
 *
 *   shared    the memfd is mapped shared: what the program writes goes into it.
 *   frozen    it is mapped privately, and written by nobody any more: what the program writes goes
 *             into pages of its own, and nowhere else.
 *
 *   new memory ──► shared ──► frozen ◄── received memory
 *                    freeze()
 *
 * Freezing is one mmap(2) over what is there.  To the program nothing changes: it reads what it
 * wrote, and whoever writes meanwhile writes before or after.  It happens
 *
 *   before a message takes the memory.  The memfd is sealed and goes.  If the message does not go
 *   after all, nothing has to be undone: the memory is still there, and is what it was.
 *
 *   before a message takes a (virtual) copy: sender and receiver have private mappings of the same
 *   memfd, and Linux copies what one of them writes.  1 MiB costs 60 µs so, and 25 if it is sent
 *   again as it was, where writing it into a new memfd costs 190.  A sender who writes to it pays
 *   once (400 µs); from then on it is sent by a real copy.
 *
 *   before a fork.  Parent and child then have private mappings of one memfd that does not change,
 *   which is what VM_INHERIT_COPY means.  (Pages that the parent writes again are there twice from
 *   then on.)  Until then the memory is not inherited at all (MADV_DONTFORK): a child that was made
 *   past the library, by the bare system call, does not find it, rather than share it.
 *
 * Frozen memory can still travel while no page of it was written: a relay copies nothing.
 *
 * A page that is touched for the first time costs a third more in a memfd than in anonymous memory
 * (1.3 and 0.95 µs).  What was measured beside this, for 1 MiB that comes from anywhere: writing it
 * into a new memfd 164 µs, and 50 to free that.  Two copies through a segment kept for the next
 * message, and a receiver that keeps memory, too, 102 to 130 µs; but a segment used again could be
 * read by its last receiver, or changed by its sender, unless it is of those two alone.
 */
#ifndef BERTH_CLIENT_MACH_VM_MOVABLE_H
#define BERTH_CLIENT_MACH_VM_MOVABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The name by which vm_mapping.c tells shared memory of ours in /proc/PID/maps. */
#define VM_MOVABLE_NAME "berth-movable"

/* bytes; about where a move begins to cost less than a copy, and rare enough for a memfd each */
#define VM_MOVABLE_MIN_BYTES ((size_t)256 << 10)
/* ranges; each has a descriptor, and may have a 16th of all that the process may open */
#define VM_MOVABLE_RANGES_MAX 256u
/* bytes of memory sent as a copy and kept: as much may be there twice, once its owner writes it */
#define VM_MOVABLE_LENT_MAX ((size_t)256 << 20)

/* Put fresh memory of this process, zero, mapped privately, which nobody knows of yet, into a memfd
 * if it is large enough.  Where that cannot be had it stays as it is. */
void vm_movable_adopt(uintptr_t start, size_t size, int linux_protection);

/* @size bytes at @start are a private mapping of @offset of @fd, which is sealed: a copy of @fd is
 * kept. */
void vm_movable_came(uintptr_t start, size_t size, int fd, uint64_t offset);

/* Memory on its way. */
struct vm_moved {
	int fd;          /* the caller's, who seals it */
	uint64_t offset; /* of the memory in it; behind it, up to the end of its page, is zero */
	uint64_t end;    /* of the memfd: a whole number of pages where something is appended */
};

/*
 * Freeze the memory, and give the memfd that holds it and nothing else.  It stays mapped.
 *
 * False: it has to be copied.  @is_copy: the memory will not be unmapped.  @appends: the caller
 * will append something to the memfd.
 */
bool vm_movable_take(uintptr_t address, size_t size, bool is_copy, bool appends,
		     struct vm_moved *moved);

/* Might vm_movable_take() give that? */
bool vm_movable_holds(uintptr_t address, size_t size);

/* munmap(2) */
int vm_movable_unmap(uintptr_t start, size_t size);

/* Something else was mapped over the pages. */
void vm_movable_replaced(uintptr_t start, size_t size);

/* Whatever shared memory of ours is in the pages becomes frozen. */
void vm_movable_freeze(uintptr_t start, size_t size);

/* Give the pages back to Linux, if they are ours and shared: they are zero then. */
bool vm_movable_discard(uintptr_t start, size_t size);

/* A copy of our descriptor of that memfd; -1: it is none of ours. */
int vm_movable_fd(dev_t device, ino_t inode);

/* Around a fork. */
void vm_movable_before_fork(void);
void vm_movable_after_fork(void);

#endif
