/*
 * Guard exceptions: which refused calls newer macOS answers with EXC_GUARD.
 *
 * A refused call gives its code, to every task.  For a strict task the result says beside it
 * what the exception would have been and what the name was, and whoever runs the task stops it
 * there.  Looked at after the refusal, which leaves names as they were.  Only calls on the
 * task's own names count, and only those that would have changed something: to ask what a name
 * is is no misuse.  The table of all is in docs/strict.md.
 *
 * Source: mach-types.md §7.4 for flavors and codes; that a flavor belongs to a refusal is read
 * from its name, and from mach-ports.md §9.15 for guards.
 */
#ifndef KERNEL_GUARD_H
#define KERNEL_GUARD_H

#include "kern/syscall.h"

/* The trap @call on a name of the caller's own was refused with @code. */
void guard_refused(struct syscall *call, kern_return_t code);

/* A message of @thread was refused for @name: the exception is @flavor (kGUARD_EXC_*). */
void guard_message_refused(struct thread *thread, uint32_t flavor, mach_port_name_t name);

/*
 * The same for a right that a descriptor would have moved, and @code that this gave.
 * @is_guarded: by a descriptor with a guard, which was found not to be the port's.
 */
void guard_right_refused(struct thread *thread, mach_port_name_t name, kern_return_t code,
			 bool is_guarded);

#endif
