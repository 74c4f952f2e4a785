/*
 * Account: what one task makes the kernel hold.
 *
 * Whatever is held has a payer: of a queued message its sender, of one that was sent to a
 * send-once right, an answer, the task that has the receive right.  The account outlives its task
 * until every charge has come back: a message that a dead task sent is still paid for until
 * somebody receives it.
 */
#ifndef KERNEL_ACCOUNT_H
#define KERNEL_ACCOUNT_H

#include "kern/state.h"

struct account {
	struct kernel *kernel;
	uint32_t ref_count; /* the task and each payer's pointer to it */
	uint32_t port_count;
	uint32_t request_count;
	uint32_t set_link_count;
	uint32_t semaphore_count;
	uint32_t alarm_count;
	uint32_t timer_count;
	uint32_t fileport_count;
	uint32_t memory_entry_count;
	uint64_t voucher_bytes;
	uint64_t queued_bytes;
	uint64_t segment_bytes;
};

mustuse struct account *account_new(struct kernel *k);
struct account *account_ref(struct account *account);
/* The last reference checks that nothing is charged any more. */
struct account *account_unref(struct account *account);

#endif
