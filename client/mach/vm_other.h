/*
 * Memory of other tasks.  What @here stands for is this process's own memory.
 *
 * KERN_SUCCESS             done
 * KERN_INVALID_ARGUMENT    null, no task's control port, or the process is gone
 * KERN_INVALID_ADDRESS     not mapped there
 * KERN_PROTECTION_FAILURE  mapped there, but not to be read, or written
 * KERN_NO_ACCESS           Linux does not let this process
 * KERN_RESOURCE_SHORTAGE   no descriptor, no memory
 * MACH_SEND_INVALID_DEST   no send right, or the task is dead
 * BERTH_TRAP_BY_MESSAGE    a port on which some task receives: it is to be asked
 */
#ifndef BERTH_CLIENT_MACH_VM_OTHER_H
#define BERTH_CLIENT_MACH_VM_OTHER_H

#include "client/mach/vm.h"

kern_return_t vm_other_read(mach_port_t task, mach_vm_address_t address, void *here,
			    mach_vm_size_t size);
kern_return_t vm_other_write(mach_port_t task, mach_vm_address_t address, const void *here,
			     mach_vm_size_t size);
/* The process of the task, and its maps, to be closed. */
struct task_process;
kern_return_t vm_other_open(mach_port_t task, struct task_process *process, int *maps_fd);
/* Inside the other task. */
kern_return_t vm_other_copy(mach_port_t task, mach_vm_address_t from, mach_vm_size_t size,
			    mach_vm_address_t to);
/* May memory there be used as @protection says? */
kern_return_t vm_other_allows(mach_port_t task, mach_vm_address_t address, mach_vm_size_t size,
			      int protection);
/* The first mapping that ends behind @address. */
kern_return_t vm_other_mapping(mach_port_t task, mach_vm_address_t address,
			       struct vm_mapping *mapping);

#endif
