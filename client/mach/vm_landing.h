/*
 * Memory that large messages are copied into, kept when the program gives it back.
 *
 * A fresh page costs three times as much as the copy into it.  So what such a message came in, and
 * the program unmaps by mach_vm_deallocate() or sends away, is moved out of the program's sight, to
 * addresses of our own, and the next message is copied into it and moved to wherever Linux finds
 * room.  To the program it is unmapped: touching it is a fault, and its addresses are free.
 *
 * It never leaves the process; a child of a fork finds nothing in it.
 */
#ifndef BERTH_CLIENT_MACH_VM_LANDING_H
#define BERTH_CLIENT_MACH_VM_LANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_LANDING_KEPT_MAX 2u /* pieces of memory; each is no larger than a carrier */

/*
 * Private memory of @size bytes, whose contents are undefined but for what follows them in their
 * last page, which is zero.  NULL: there is none.
 */
void *vm_landing_new(size_t size);

/* Keep the pages, if a message came in just these and one may well come again.  True: they are not
 * mapped any more.  Under vm_movable_enter(). */
bool vm_landing_keep_locked(uintptr_t start, size_t size);

/* How many pieces are with the program; may be read without the lock, as a hint. */
extern _Atomic uint32_t vm_landing_count;

#endif
