/*
 * Task: one process as the kernel knows it: a space, threads, special ports, an identity.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "ipc/ipc_space.h"
#include "kern/account.h"
#include "kern/policy.h"

#define TASK_SPECIAL_PORT_COUNT 12 /* by number, TASK_KERNEL_PORT … TASK_RESOURCE_NOTIFY_PORT */
#define TASK_REGISTERED_COUNT 3

struct exception_actions;

struct task {
	struct kernel *kernel;
	struct list link; /* kernel.tasks */
	uint64_t id;
	void *host;
	bool remnant; /* its program was replaced by exec: only what a successor inherits is left */
	bool strict;  /* kern/guard.h */
	char label[32];
	audit_token_t token;
	uint64_t birth;         /* of its process, as the host says */
	uint32_t suspend_count; /* how often it was stopped and not yet let go */

	/* NULL: none was made.  Each send-once right to it, a token, is one of these times. */
	struct ipc_port *resume_port;
	struct task *next_resumed; /* the list of effects */
	bool is_resumed;           /* in that list */

	struct account *account;
	struct ipc_space space;
	struct list threads;
	uint32_t thread_count;
	uint32_t parked_count;
	struct list semaphores; /* struct semaphore: the active ones that it owns */
	struct list alarms;     /* struct clock_alarm: that it asked for */

	struct ipc_port *self_port; /* kernel-owned; one reference */
	struct ipc_port *name_port;
	/* send rights (counted), or NULL, or IP_DEAD; only the ones that can be set */
	struct ipc_port *special[TASK_SPECIAL_PORT_COUNT];
	struct ipc_port *registered[TASK_REGISTERED_COUNT];
	bool access_port_set;
	struct exception_actions *exceptions; /* NULL: none was ever set */
	bool watches_exceptions;              /* for it or one of its threads */

	struct task_lanes *lanes; /* NULL: it has not begun with lanes */
	bool lanes_wanted;        /* … and somebody wants it to */

	struct task_policies policies;

	uint64_t messages_sent;
	uint64_t messages_received;
};

#define TOKEN_EUID 1
#define TOKEN_EGID 2
#define TOKEN_PID 5

/* A send-once right to @port, the resume port of a task, has ended: so has its suspension. */
void task_token_ended(struct kernel *k, struct ipc_port *port);

void task_died(struct kernel *k, struct task *task);
void task_exec(struct kernel *k, struct task *task);

#endif
