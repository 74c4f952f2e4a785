/*
 * Memory entries: ranges of memory as ports, so that messages carry them and others map them.
 *
 * The memory is a file of the host's that can never become shorter; what it holds the core does
 * not know.  The port is the kernel's, and behind its `kobject` is the struct memory_entry, which
 * holds the file up.  The last send right takes all of it along; who has mapped the memory keeps
 * it by Linux's own counting.  Who made the entry pays for it, also when he is dead.
 */
#ifndef KERNEL_MEMORY_ENTRY_H
#define KERNEL_MEMORY_ENTRY_H

#include "kern/thread.h"

struct memory_entry {
	struct kernel_file *file; /* owned; its port is this entry's, its payer who made it */
	uint64_t offset_bytes;    /* in the file: where the first page begins */
	uint64_t size_bytes;
	uint64_t data_bytes; /* in the range: where what the maker meant begins */
	uint32_t protection; /* VM_PROT_READ, _WRITE, _EXECUTE: the most that who maps it gets */
};

/*
 * A port for a range of @file.  *@port becomes a send right: the caller's.  Keeps @file on
 * success.  Of @entry all is taken but the file.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   no file, one that has its port already or may become shorter; an empty
 *                         range or one beyond its end; a protection that there is not
 * KERN_RESOURCE_SHORTAGE  no memory, or @task made as many as it may
 *
 * Source: mach-kobjects.md §8.
 */
kern_return_t memory_entry_alloc(struct task *task, struct kernel_file *file,
				 const struct memory_entry *entry, struct ipc_port **port);

/* The entry behind a port, borrowed; NULL for any other port, a dead one, NULL, IP_DEAD. */
struct memory_entry *convert_port_to_memory_entry(struct ipc_port *port);

/* The last send right to @port, an entry's, is gone: so are port and entry. */
void memory_entry_no_senders(struct kernel *k, struct ipc_port *port);

#endif
