/*
 * fork: the child is a task of its own, that inherits special ports and no names.
 *
 * Before the fork the parent asks for a connection for the child, so that the kernel knows
 * what it inherits and from whom; the child says hello on it at once and does the rest at
 * its first trap.  All of it happens under the connection's lock, so that the child never
 * sees it half-changed by a thread that it does not have.
 */
#include "client/bsd/system_socket.h"
#include "client/carrier.h"
#include "client/connection.h"
#include "client/exception.h"
#include "client/mach/vm_movable.h"
#include "client/mach/vm_object.h"
#include "client/mach_lane.h"
#include "client/site.h"
#include "client/trap.h"

#include <berth/syscall_sw.h>
#include <mach/mach_init.h>

#include <unistd.h>

/* Between the handlers of one fork; guarded by the connection's lock. */
static sigset_t fork_signals;
static int fork_child_fd = -1;

static void
before_fork(void)
{
	sigset_t signals;

	/* a child that has forked before its own first trap: it must be a task to have children */
	if (atomic_load(&connection.state) == CONNECTION_CHILD)
		connection_open();
	connection_lock(&signals);
	fork_signals = signals;
	fork_child_fd = -1;
	if (atomic_load(&connection.state) == CONNECTION_READY)
		fork_child_fd = connection_fork();
	system_before_fork();
	vm_object_before_fork();
	vm_movable_before_fork();
}

static void
after_fork_in_parent(void)
{
	sigset_t signals = fork_signals;

	if (fork_child_fd >= 0)
		close(fork_child_fd);
	fork_child_fd = -1;
	vm_movable_after_fork();
	vm_object_after_fork();
	system_after_fork_in_parent();
	connection_unlock(&signals);
}

static void
after_fork_in_child(void)
{
	sigset_t signals = fork_signals;
	struct wire_hello hello = { { WIRE_FORKED, sizeof(hello) }, WIRE_VERSION, 0 };
	int child_fd = fork_child_fd;

	fork_child_fd = -1;
	vm_movable_after_fork();
	vm_object_after_fork();
	system_after_fork_in_child();
	exception_forked();
	site_forked();
	trap_forked();
	mach_lanes_forked();
	carriers_forked();
	connection_start_over(child_fd);
	if (child_fd >= 0 && !connection_send(&hello.head, NULL, 0, false)) {
		/* the kernel died in between: the first trap will say so */
		connection_start_over(-1);
	}
	mach_task_self_ = BERTH_NAME_TASK_SELF;
	if (bootstrap_port != MACH_PORT_NULL) /* set right at the first trap, if there is none */
		bootstrap_port = BERTH_NAME_BOOTSTRAP;
	connection_unlock(&signals); /* the child's only thread is the one that took it */
}

/* First in, so last before the fork and first after it: other handlers may trap. */
__attribute__((constructor(101))) void
fork_watch(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
