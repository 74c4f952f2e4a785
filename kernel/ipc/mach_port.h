/*
 * What the files of mach_port_* calls share: arguments turned into objects.
 */
#ifndef KERNEL_MACH_PORT_H
#define KERNEL_MACH_PORT_H

#include "kern/syscall.h"

mach_port_name_t call_name(const struct syscall *call, uint32_t index);

/* The space of the task that argument 0 names. */
mustuse kern_return_t call_space(const struct syscall *call, kern_return_t wrong_object,
				 struct ipc_space **space);
/* The live receive right of @name: KERN_INVALID_NAME, KERN_INVALID_RIGHT. */
mustuse kern_return_t translate_receive(const struct ipc_space *space, mach_port_name_t name,
					struct ipc_port **port);
/* Argument 0 a task, argument 1 a live receive right; 0 and DEAD say @no_name. */
mustuse kern_return_t call_receive(const struct syscall *call, kern_return_t no_name,
				   kern_return_t wrong_object, struct ipc_port **port);

/* Attributes, guards, counters, listings: mach_port_attributes.c. */
syscall_function *mach_port_attribute_syscall(uint32_t number);

#endif
