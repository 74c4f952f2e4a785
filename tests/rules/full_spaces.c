/*
 * Spaces in which no name is free: mach-ports.md §2 and §6.2, mach-messages.md §7 and §8.
 */
#include "kernel/limits.h"
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

/* Takes every name that is free; how many there were, and the last of them. */
static uint32_t
fill_space(struct actor *t, mach_port_name_t *last)
{
	mach_port_name_t name;
	uint32_t count = 0;
	kern_return_t kr;

	t->world->quiet_audit = true; /* each step would walk them all */
	while ((kr = port_allocate(t, MACH_PORT_RIGHT_DEAD_NAME, &name)) == KERN_SUCCESS) {
		*last = name;
		count++;
	}
	assert_code(kr, KERN_NO_SPACE);
	return count;
}

static void
count_names(struct actor *t, uint32_t *used)
{
	assert_ok(trap(t, BERTH_TRAP_PORT_NAMES, t->target, 0, 0, 0, 0, 0));
	*used = (uint32_t)t->outcome.values[0];
}

TEST_1(a_space_has_so_many_names_and_no_more)
{
	mach_port_name_t last = 0, name = 0;
	uint32_t before, used;

	count_names(a, &before);
	assert_int_equal(before + fill_space(a, &last), IPC_ENTRY_TABLE_MAX - 1); /* index 0 */
	count_names(a, &used);
	assert_int_equal(used, IPC_ENTRY_TABLE_MAX - 1);
	assert_code(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name), KERN_NO_SPACE);
	assert_code(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &name), KERN_NO_SPACE);
	assert_code(port_construct(a, 0, 0, 0, &name), KERN_NO_SPACE);
	assert_int_not_equal(trap(a, BERTH_TRAP_REPLY_PORT, 0, 0, 0, 0, 0, 0), KERN_SUCCESS);
	assert_int_equal(a->outcome.values[0], MACH_PORT_NULL);
	kernel_audit(w->kernel);
	/* the one that goes makes room for one */
	assert_ok(port_deallocate(a, last));
	assert_ok(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name));
	assert_int_equal(name >> 8, last >> 8);
	assert_code(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name), KERN_NO_SPACE);
}

TEST_2(a_right_that_finds_no_room_is_destroyed_and_told)
{
	mach_port_name_t port = new_port(a), once = new_port(a), senders = new_port(a), last = 0;
	mach_port_name_t held = new_port(a), there = give(a, held, MAKE, b);
	mach_port_name_t names[] = { port, held, MACH_PORT_NULL };
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_add_port(&m, port, MAKE);
	message_add_port(&m, once, MAKE_ONCE);
	message_add_port(&m, held, MAKE); /* has a name there already */
	message_add_ool_ports(&m, names, 3, MAKE);
	message_add_ool(&m, "memory", 6, false, MACH_MSG_PHYSICAL_COPY);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, senders, MAKE_ONCE,
					    NULL));
	fill_space(b, &last);
	assert_code(msg_receive(b, b->party->mailbox,
				MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), ANY_SIZE, 0,
				&got),
		    MACH_RCV_BODY_ERROR | MACH_MSG_IPC_SPACE);
	/* the message is there all the same, with its trailer */
	assert_int_equal(got.trailer.msgh_audit.val[5], a->party->token.val[5]);
	assert_int_equal(got.descriptor_count, 5);
	assert_int_equal(got.descriptors[0].name, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[1].name, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[2].name, there);
	assert_int_equal(got.descriptors[3].names[0], MACH_PORT_NULL);
	assert_int_equal(got.descriptors[3].names[1], there);
	assert_memory_equal(got.descriptors[4].bytes, "memory", 6);
	assert_int_equal(send_refs(b, there), 3);
	assert_notification(a, senders, MACH_NOTIFY_NO_SENDERS, 2);
	assert_notification(a, once, MACH_NOTIFY_SEND_ONCE, 0);
	kernel_audit(w->kernel);
}

TEST_2(a_reply_right_that_finds_no_room_takes_the_message_along)
{
	mach_port_name_t reply = new_port(a), carried = new_port(a), last = 0;
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_id(&m, 77);
	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, carried, MAKE_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
	fill_space(b, &last);
	assert_code(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, &got),
		    MACH_RCV_HEADER_ERROR | MACH_MSG_IPC_SPACE);
	assert_int_equal(got.header.msgh_size, sizeof(mach_msg_header_t));
	assert_int_equal(got.header.msgh_id, 77);
	assert_int_equal(got.header.msgh_local_port, b->party->mailbox);
	assert_int_equal(got.header.msgh_remote_port, MACH_PORT_NULL);
	assert_notification(a, reply, MACH_NOTIFY_SEND_ONCE, 0);
	assert_notification(a, carried, MACH_NOTIFY_SEND_ONCE, 0);
	assert_nothing_waits(b, b->party->mailbox);
}

TEST_1(what_cannot_be_given_back_is_told_with_the_failed_send)
{
	mach_port_name_t port = new_port_with_send(a), reply = new_port(a), once = new_port(a),
			 last = 0;
	struct message m = message_to(port, COPY);

	fill(a, port, 5);
	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, once, MAKE_ONCE);
	message_add_port(&m, port, COPY);
	fill_space(a, &last);
	assert_code(msg_send(a, &m, MACH_SEND_TIMEOUT, 0),
		    MACH_SEND_TIMED_OUT | MACH_MSG_IPC_SPACE);
	received_parse(a, &got);
	assert_int_equal(got.buffer, BERTH_MSG_BUFFER_SEND);
	assert_int_equal(got.header.msgh_remote_port, port);
	assert_int_equal(got.header.msgh_local_port, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[0].name, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[1].name, port);
	assert_notification(a, reply, MACH_NOTIFY_SEND_ONCE, 0);
	assert_notification(a, once, MACH_NOTIFY_SEND_ONCE, 0);
	assert_int_equal(send_refs(a, port), 3);
	kernel_audit(w->kernel);
}

static kern_return_t
request(struct actor *t, mach_port_name_t name, int32_t id, mach_port_name_t notify,
	mach_port_name_t *previous)
{
	return port_request_notification(t, name, id, 0, notify, MAKE_ONCE, previous);
}

/* Calls that answer with names: each is refused, and what it would have given is not made. */
TEST_2(calls_that_would_give_a_name_give_none)
{
	struct trap_frame other_task = { .number = BERTH_TRAP_TASK_FOR_PID,
					 .subject = b->party->task };
	mach_port_name_t theirs = new_port(b), port = new_port(a), notify = new_port(a), last = 0;
	mach_port_name_t given, name, names[3];
	struct file *file = file_new(w);
	struct kernel_counts before, after;
	mach_port_type_t type;

	give(a, port, MAKE, b);
	assert_ok(request(a, port, MACH_NOTIFY_NO_SENDERS, notify, NULL));
	given = give(b, theirs, MAKE, a);
	assert_ok(set_special_port(a, TASK_BOOTSTRAP_PORT, given));
	assert_ok(ports_register(a, 1, given, MACH_PORT_NULL, MACH_PORT_NULL));
	assert_ok(port_deallocate(a, given));
	fill_space(a, &last);
	assert_int_equal(thread_self(a), MACH_PORT_NULL); /* the thread has its port from now on */
	before = world_counts(w);

	assert_int_equal(host_self(a), MACH_PORT_NULL);
	assert_int_equal(special_reply_port(a), MACH_PORT_NULL);
	assert_code(trap(a, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0), KERN_NO_SPACE);
	assert_code(fileport_make(a, file, &name), KERN_NO_SPACE);
	assert_true(world_trap(a, &other_task));
	assert_code(a->outcome.code, KERN_NO_SPACE);
	assert_code(trap(a, BERTH_TRAP_TASK_THREADS, a->target, 0, 0, 0, 0, 0), KERN_NO_SPACE);
	/* what was taken out for it is destroyed, as any right is */
	assert_code(port_extract_right(a, port, MAKE_ONCE, &name, &type), KERN_NO_SPACE);
	assert_notification(a, port, MACH_NOTIFY_SEND_ONCE, 0);
	assert_code(get_special_port(a, TASK_BOOTSTRAP_PORT, &name), KERN_NO_SPACE);
	assert_code(ports_lookup(a, names), KERN_NO_SPACE);
	assert_int_equal(srights_of(b, theirs), 2);

	kernel_audit(w->kernel);
	after = world_counts(w);
	assert_int_equal(after.ports, before.ports);
	assert_int_equal(after.messages, before.messages);
	assert_int_equal(after.fileports, before.fileports);
	assert_int_equal(after.notifications, before.notifications);
	assert_int_equal(srights_of(a, port), 1);
	file_drop(file);

	/* the request that was there stays, as the name of it could not be told */
	assert_code(request(a, port, MACH_NOTIFY_NO_SENDERS, MACH_PORT_NULL, &name), KERN_NO_SPACE);
	assert_ok(port_deallocate(a, last));
	assert_ok(request(a, port, MACH_NOTIFY_NO_SENDERS, MACH_PORT_NULL, &name));
	assert_entry(a, name, MACH_PORT_TYPE_SEND_ONCE, 1);
}
