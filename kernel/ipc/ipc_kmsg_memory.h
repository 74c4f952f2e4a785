/*
 * Inside of messages: what ipc_kmsg.c, its get, copyin and copyout share.
 */
#ifndef KERNEL_IPC_KMSG_MEMORY_H
#define KERNEL_IPC_KMSG_MEMORY_H

#include "ipc/ipc_kmsg.h"

#define MACH_MSG_NO_VM 0x400 /* MACH_MSG_VM_KERNEL, bare */

/* Not zeroed but for struct and tables; NULL: no memory. */
mustuse struct ipc_kmsg *ipc_kmsg_alloc(struct kernel *k, uint32_t bytes_size,
					uint32_t descriptor_count);
/* False: the payer has too much unreceived already. */
mustuse bool ipc_kmsg_charge(struct ipc_kmsg *kmsg, struct account *payer, uint64_t bytes);
/* The same for memory that is there already: it may bring @payer over its limit once. */
void ipc_kmsg_charge_over(struct ipc_kmsg *kmsg, struct account *payer, uint64_t bytes);
/* @port, a receive right in hand, goes into @kmsg, whose destination is known. */
void ipc_kmsg_carry_receive(struct ipc_kmsg *kmsg, struct ipc_port *port);
/*
 * @payer (NULL: nobody else) pays for @kmsg from now on, and for the segments that only this
 * message holds.  That may bring it over its limits once; who is there already takes nothing
 * more, so that no two tasks together hold more than their limits and two messages.
 */
void ipc_kmsg_pay_by(struct ipc_kmsg *kmsg, struct account *payer);
/* One more reference; the first one charges @payer, and may be refused. */
mustuse bool ipc_segment_ref(struct kernel *k, struct kernel_segment *segment,
			     struct account *payer);
/* The destination right ends, as it does when a message is taken. */
void ipc_kmsg_use_dest(struct kernel *k, struct ipc_kmsg *kmsg);
/* Rights of the descriptors that were taken. */
void ipc_kmsg_clean_body(struct kernel *k, struct ipc_kmsg *kmsg);
/* As ipc_kmsg_destroy, for a message that never left its sender. */
void ipc_kmsg_destroy_unsent(struct kernel *k, struct ipc_kmsg *kmsg);

#endif
