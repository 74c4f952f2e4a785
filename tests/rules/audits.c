/*
 * The audit itself: of a kernel in which one number is wrong it says so.  These tests look inside
 * of the core, and spoil it on purpose, each time in a process of its own.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mach/sync_policy.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/semaphores.h"
#include "tests/support/vouchers.h"

#include "kern/state.h"

#include "ipc/ipc_port.h"
#include "ipc/ipc_pset.h"
#include "kern/semaphore.h"
#include "kern/task.h"
#include "kern/voucher.h"

/* A kernel that has one of each, and what is to be spoilt. */
struct full {
	struct kernel *kernel;
	struct ipc_port *port; /* with rights, a message, a request, in a set */
	struct ipc_space *space;
	struct ipc_pset *pset;
	struct semaphore *semaphore; /* that somebody waits for */
	struct voucher *voucher;
};

static struct ipc_port *
port_of_kind(struct kernel *k, enum ipc_kobject_kind kind)
{
	LIST_FOR_EACH (port, &k->ports, struct ipc_port, link)
		if (port->object.kobject == kind)
			return port;
	return NULL;
}

static struct full
full_kernel(struct world *w)
{
	struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
	mach_port_name_t name = new_port_with_send(a), set = new_set(a), previous;
	struct message m = message_to(name, MACH_MSG_TYPE_COPY_SEND);
	struct full full = { .kernel = w->kernel };

	(void)new_send_once(a, name);
	assert_ok(port_insert_member(a, name, set));
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(port_request_notification(a, name, MACH_NOTIFY_DEAD_NAME, 0, name,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
	assert_ok(trap(a, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0));
	(void)voucher_new(a, "what is in it");
	assert_int_equal(sem_wait(b, new_semaphore(b, SYNC_POLICY_FIFO, 0)), BLOCKED);
	kernel_audit(w->kernel);
	LIST_FOR_EACH (port, &w->kernel->ports, struct ipc_port, link)
		if (port->msgcount > 0)
			full.port = port;
	full.space = full.port->receiver;
	full.pset = list_entry(list_first(&w->kernel->port_sets), struct ipc_pset, link);
	full.semaphore = port_of_kind(w->kernel, IKOT_SEMAPHORE)->kobject;
	full.voucher = port_of_kind(w->kernel, IKOT_VOUCHER)->kobject;
	return full;
}

/* @spoil makes something wrong, and the audit stops; without it, it does not. */
static bool
audit_stops(void (*spoil)(struct full *full))
{
	const struct rlimit no_core = { 0, 0 };
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct world *w = world_new(2);
		struct full full = full_kernel(w);

		setrlimit(RLIMIT_CORE, &no_core);
		if (spoil)
			spoil(&full);
		kernel_audit(w->kernel);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFSIGNALED(status);
}

TEST(a_kernel_that_is_whole_passes)
{
	assert_false(audit_stops(NULL));
}

#define SEEN(name_, ...)                                                                           \
	static void name_##_spoil(struct full *full)                                               \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}                                                                                          \
	TEST(name_)                                                                                \
	{                                                                                          \
		assert_true(audit_stops(name_##_spoil));                                           \
	}

SEEN(a_send_right_that_nobody_holds_is_seen, full->port->srights++)
SEEN(a_send_right_that_is_not_counted_is_seen, full->port->srights--)
SEEN(a_send_once_right_that_nobody_holds_is_seen, full->port->sorights++;
     full->kernel->notify_reserved_count++; full->kernel->notify_pool_count++)
SEEN(a_reference_that_nobody_holds_is_seen, full->port->object.ref_count++)
SEEN(a_port_that_is_not_counted_is_seen, full->kernel->port_count--)
SEEN(a_message_that_is_nowhere_is_seen, full->kernel->kmsg_count++)
SEEN(a_queue_of_another_length_is_seen, full->port->msgcount--)
SEEN(a_request_that_is_not_counted_is_seen, full->port->request_used_count--)
SEEN(a_member_that_is_not_counted_is_seen, full->pset->member_count--)
SEEN(a_name_that_is_free_and_not_counted_is_seen, full->space->free_count--)
SEEN(a_receive_right_that_is_not_counted_is_seen, full->space->port_count--)
SEEN(a_wait_for_what_is_there_is_seen, full->semaphore->count = 1)
SEEN(a_semaphore_below_zero_is_seen, full->semaphore->count = -1)
SEEN(a_voucher_that_is_not_found_is_seen, full->voucher->hash++)
SEEN(a_voucher_that_is_not_counted_is_seen, full->kernel->voucher_count--)
SEEN(a_timer_that_is_not_counted_is_seen, full->kernel->timer_count--)
SEEN(an_alarm_that_is_nowhere_is_seen, full->kernel->alarm_count++)
SEEN(a_thread_that_is_not_counted_is_seen, full->space->task->thread_count--)
SEEN(a_send_once_right_without_a_message_is_seen, full->kernel->notify_reserved_count--)
SEEN(a_receiver_under_another_name_is_seen, full->port->receiver_name += 4)
