/*
 * Vouchers: sets of attributes that programs hand on with their messages.
 *
 * A voucher never changes and there is one for each set: who asks for the same attributes gets
 * the same port.  It is kept as the recipes that make it again, one for each attribute that is
 * not the default, in the order of keys and without a previous voucher.  What an attribute
 * means its manager would know; here each manager takes what it is given, and gives it back.
 *
 * The port is the kernel's and holds the voucher up: its last send right takes both along.
 */
#ifndef KERNEL_VOUCHER_H
#define KERNEL_VOUCHER_H

#include <mach/mach_voucher_types.h>

#include "kern/thread.h"

struct voucher {
	struct kernel *kernel;
	struct list link;      /* kernel.vouchers, by hash */
	struct ipc_port *port; /* one reference */
	struct account *payer; /* of the task that made it first; outlives it */
	uint64_t hash;         /* of the recipes */
	uint32_t size_bytes;
	uint8_t recipes[];
};

/* The voucher behind a port, borrowed; NULL for any other port, NULL, IP_DEAD. */
struct voucher *convert_port_to_voucher(struct ipc_port *port);

/* The last send right to its port is gone: so is the voucher.  May destroy the port. */
void voucher_no_senders(struct kernel *k, struct voucher *voucher);

void vouchers_deinit(struct kernel *k);

/* Is it as it was made?  For the audit. */
bool voucher_is_whole(const struct voucher *voucher);

/*
 * The routines, reached by traps and by messages.  Rights that come in are consumed on success.
 * @voucher is a send right to whatever the caller named.  Source: mach-kobjects.md §10.
 */

/*
 * The voucher that @recipes make, one after the other, for the task that asks (kernel.asker),
 * in whose space they name previous ones.  *@voucher becomes a send right: the caller's; NULL for
 * no recipe.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT    no host; bytes that are no recipe; a key or a command that is none
 * MIG_ARRAY_TOO_LARGE      above MACH_VOUCHER_ATTR_MAX_RAW_RECIPE_ARRAY_SIZE bytes
 * KERN_INVALID_CAPABILITY  a previous voucher that is none, a key without a manager, a command
 *                          that is a manager's to use
 * KERN_NO_SPACE            the attributes together would need more bytes than recipes may have
 * KERN_RESOURCE_SHORTAGE   no memory, or the task has made as much as it may
 */
kern_return_t host_create_mach_voucher(struct kernel *k, uint8_t *recipes, uint32_t size_bytes,
				       struct ipc_port **voucher);

/*
 * What is there of @key, or of all keys, into @out of *@size_bytes, which becomes how much it is;
 * 0 for the default.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT  no voucher, no such key
 * KERN_NO_SPACE          it is more
 */
kern_return_t mach_voucher_extract_attr_content(struct ipc_port *voucher, uint32_t key,
						uint8_t *out, uint32_t *size_bytes);
kern_return_t mach_voucher_extract_attr_recipe(struct ipc_port *voucher, uint32_t key, uint8_t *out,
					       uint32_t *size_bytes);
kern_return_t mach_voucher_extract_all_attr_recipes(struct ipc_port *voucher, uint8_t *out,
						    uint32_t *size_bytes);
/*
 * KERN_SUCCESS and nothing for the default; else
 *
 * KERN_INVALID_ARGUMENT    no voucher, no such key
 * KERN_INVALID_CAPABILITY  a key without a manager
 * KERN_NOT_SUPPORTED       its manager knows no command
 */
kern_return_t mach_voucher_attr_command(struct ipc_port *voucher, uint32_t key, uint32_t command,
					uint8_t *in, uint32_t in_size_bytes, uint8_t *out,
					uint32_t *out_size_bytes);
/* KERN_NOT_SUPPORTED, as on a release of Darwin. */
kern_return_t mach_voucher_debug_info(struct ipc_port *voucher, uint32_t key, uint8_t *out,
				      uint32_t *size_bytes);

/* Tasks have none: NULL, and nothing happens.  KERN_INVALID_TASK. */
kern_return_t task_get_mach_voucher(struct task *task, uint32_t which, struct ipc_port **voucher);
kern_return_t task_set_mach_voucher(struct task *task, struct ipc_port *voucher);
/* KERN_INVALID_TASK, else KERN_NOT_SUPPORTED. */
kern_return_t task_swap_mach_voucher(struct task *task, struct ipc_port *voucher,
				     struct ipc_port **old);
/* A send right to the voucher of @thread, or NULL.  KERN_INVALID_ARGUMENT: no thread. */
kern_return_t thread_get_mach_voucher(struct thread *thread, uint32_t which,
				      struct ipc_port **voucher);
/*
 * @voucher, or NULL for none, becomes that of @thread.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT  no thread, or not the one that asks (kernel.asker_thread): all have
 *                        started; or no voucher
 */
kern_return_t thread_set_mach_voucher(struct thread *thread, struct ipc_port *voucher);

#endif
