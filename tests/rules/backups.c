/* Ports that have a backup when they die: mach-ports.md §8, mach-notifications.md. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

static void
back_up(struct actor *t, mach_port_name_t port, mach_port_name_t backup)
{
	assert_ok(port_request_notification(t, port, MACH_NOTIFY_PORT_DESTROYED, 0, backup,
					    MAKE_ONCE, NULL));
}

TEST_1(a_port_does_not_go_to_a_backup_in_its_own_queue)
{
	struct kernel_counts before = world_counts(w);
	mach_port_name_t port = new_port_with_send(a), backup = new_port(a);
	struct message m = message_to(port, COPY);

	back_up(a, port, backup);
	message_add_port(&m, backup, MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	/* both are gone: neither holds the other */
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_ok(port_deallocate(a, port));
	assert_int_equal(world_counts(w).ports, before.ports);
}

TEST_1(a_port_does_not_go_to_itself)
{
	struct kernel_counts before = world_counts(w);
	mach_port_name_t port = new_port(a);

	back_up(a, port, port);
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_no_entry(a, port);
	assert_int_equal(world_counts(w).ports, before.ports);
}

TEST_1(a_dead_backup_is_none)
{
	mach_port_name_t port = new_port_with_send(a), backup = new_port(a);

	back_up(a, port, backup);
	assert_ok(port_destroy(a, backup));
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_entry(a, port, MACH_PORT_TYPE_DEAD_NAME, 1);
}
