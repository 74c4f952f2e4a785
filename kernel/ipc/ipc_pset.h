/*
 * Port set: receive rights of one space from which a thread receives together.
 *
 * A set has no queue.  It keeps its members in two rings: all of them, and those that have
 * messages, in the order in which they are served: the port served goes to the end.
 */
#ifndef KERNEL_IPC_PSET_H
#define KERNEL_IPC_PSET_H

#include "ipc/ipc_port.h"

struct ipc_pset {
	struct ipc_object object;
	struct list link; /* kernel.port_sets */
	uint64_t id;
	struct ipc_space *space;
	mach_port_name_t name;
	uint32_t member_count;
	struct list members;   /* struct ipc_pset_link.in_set */
	struct list ready;     /* struct ipc_pset_link.in_ready */
	struct list receivers; /* struct thread */
	struct kernel_watch *watch;
};

struct ipc_pset_link {
	struct ipc_port *port; /* borrowed: a member in the same space lives */
	struct ipc_pset *pset;
	struct account *payer;
	struct list in_port;
	struct list in_set;
	struct list in_ready; /* linked while the port has messages */
};

mustuse struct ipc_pset *ipc_pset_new(struct kernel *k, struct ipc_space *space);
struct ipc_pset *ipc_pset_unref(struct kernel *k, struct ipc_pset *pset);
/* Its entry is gone: members are unlinked, waiters told.  Consumes the entry's reference. */
void ipc_pset_destroy(struct kernel *k, struct ipc_pset *pset);

struct ipc_pset_link *ipc_pset_find_member(const struct ipc_pset *pset,
					   const struct ipc_port *port);
/* KERN_SUCCESS, KERN_ALREADY_IN_SET, KERN_RESOURCE_SHORTAGE.  Queued messages are offered to
 * threads that wait on the set. */
mustuse kern_return_t ipc_pset_add(struct kernel *k, struct ipc_pset *pset, struct ipc_port *port,
				   struct account *payer);
void ipc_pset_remove(struct kernel *k, struct ipc_pset_link *link);
/* Leaves every set but @keep (may be NULL); the count left. */
uint32_t ipc_pset_remove_from_all(struct kernel *k, struct ipc_port *port,
				  const struct ipc_pset *keep);

/* The port's queue became, or is no longer, empty. */
void ipc_pset_port_has_messages(struct kernel *k, struct ipc_port *port);
void ipc_pset_port_is_empty(struct kernel *k, struct ipc_port *port);

#endif
