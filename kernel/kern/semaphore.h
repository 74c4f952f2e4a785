/*
 * Semaphores: counts that threads of any task wait for.
 *
 *   ACTIVE      a signal counts, or wakes a waiter      semaphore_create
 *   TERMINATED  every operation says so, nobody waits   semaphore_destroy, the death of its owner
 *   gone        nobody has a right to it any more       semaphore_no_senders
 *
 * The port is the kernel's and holds the semaphore up: its last send right takes both along, in
 * whichever state.  Somebody waits only while the count is 0.
 */
#ifndef KERNEL_SEMAPHORE_H
#define KERNEL_SEMAPHORE_H

#include "kern/thread.h"

struct semaphore {
	struct kernel *kernel;
	struct task *owner;    /* whose death terminates it; NULL: it is terminated */
	struct list link;      /* task.semaphores, while it is active */
	struct account *payer; /* the owner's; outlives it */
	struct ipc_port *port; /* one reference */
	struct list waiters;   /* struct thread, in the order of their coming */
	int count;
	bool is_lifo; /* the last to come wakes first */
};

/* The semaphore behind a port, borrowed; NULL for any other port, a dead one, NULL, IP_DEAD. */
struct semaphore *convert_port_to_semaphore(struct ipc_port *port);

/*
 * A semaphore of @task with the count @value.  *@semaphore becomes a send right: the caller's.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT   no task, a negative @value, an unknown @policy
 * KERN_RESOURCE_SHORTAGE  no memory, or the task has as many as it may
 *
 * Source: mach-kobjects.md §6.
 */
kern_return_t semaphore_create(struct task *task, struct ipc_port **semaphore, int policy,
			       int value);

/*
 * If @task owns the semaphore of @port: everybody who waits gets KERN_TERMINATED.  Consumes the
 * send right @port on success.
 *
 * KERN_SUCCESS           also if another task owns it, and nothing else happens
 * KERN_INVALID_ARGUMENT  no task, or @port is no semaphore
 */
kern_return_t semaphore_destroy(struct task *task, struct ipc_port *port);

/* The last send right to its port is gone: so is the semaphore.  May destroy the port. */
void semaphore_no_senders(struct kernel *k, struct semaphore *semaphore);

/* @task ends: its semaphores are terminated. */
void semaphore_terminate_all(struct task *task);

/* The parked @thread waits no more: KERN_OPERATION_TIMED_OUT, KERN_ABORTED. */
void semaphore_give_up(struct kernel *k, struct thread *thread, bool timed_out);

#endif
