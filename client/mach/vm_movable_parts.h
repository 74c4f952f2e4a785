/*
 * What vm_movable.c and vm_movable_take.c share.
 */
#ifndef BERTH_CLIENT_MACH_VM_MOVABLE_PARTS_H
#define BERTH_CLIENT_MACH_VM_MOVABLE_PARTS_H

#include "client/mach/vm.h"
#include "client/mach/vm_movable.h"

#include <signal.h>

/* A range of memory and its memfd; ranges do not overlap. */
struct movable_range {
	uintptr_t start, end;
	uint64_t offset; /* of the start */
	int fd;
	dev_t device;
	ino_t inode;
	bool is_shared; /* else frozen */
	bool is_lent;   /* frozen for a copy */
	bool is_mapped; /* while it is looked which are */
};

/* Around all that follows: one thread at a time, and no handler of a signal. */
void vm_movable_enter(sigset_t *signals);
void vm_movable_leave(const sigset_t *signals);

/* How many there are; may be read without the lock, as a hint. */
extern _Atomic uint32_t vm_movable_count;

/* The range that all of the pages are of, if its descriptor is still there; NULL. */
struct movable_range *vm_movable_find_locked(uintptr_t start, uintptr_t end);

/* Close its descriptor.  What is mapped stays. */
void vm_movable_forget_locked(struct movable_range *range);

/* Freeze @only, or, for NULL, all that is shared.  Whatever cannot be is still said to be shared.
 */
void vm_movable_freeze_locked(const struct movable_range *only);

/* May memory of @size bytes be frozen for a copy? */
bool vm_movable_may_lend_locked(size_t size);

/* Visit what this process has mapped.  False: Linux does not tell all. */
bool vm_movable_visit(vm_mapping_visitor *visitor, void *context);

/* Is @mapping, in whole or in part, the memory of @range, where we know it? */
bool vm_movable_is_of(const struct vm_mapping *mapping, const struct movable_range *range);

#endif
