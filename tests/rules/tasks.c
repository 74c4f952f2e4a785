/* The life and death of tasks: mach-ports.md §8, §10; mach-kobjects.md §3. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

static void
request(struct actor *t, mach_port_name_t name, int32_t msgid, mach_port_name_t notify)
{
	assert_ok(port_request_notification(t, name, msgid, 0, notify, MAKE_ONCE, NULL));
}

TEST_2(the_ports_of_a_dead_task_die)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MAKE, a), notify = new_port(a);

	request(a, there, MACH_NOTIFY_DEAD_NAME, notify);
	world_task_die(b->party);
	assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, there);
	assert_entry(a, there, MACH_PORT_TYPE_DEAD_NAME, 2);
}

TEST_2(the_rights_of_a_dead_task_are_dropped)
{
	mach_port_name_t port = new_port(a), notify = new_port(a), once = new_port(a);

	give(a, port, MAKE, b);
	give(a, once, MAKE_ONCE, b);
	request(a, port, MACH_NOTIFY_NO_SENDERS, notify);
	world_task_die(b->party);
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
	assert_notification(a, once, MACH_NOTIFY_SEND_ONCE, 0);
}

TEST_2(a_client_that_waits_for_its_reply_is_told_of_the_servers_death)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MAKE, a), reply = new_port(a);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE_ONCE);
	assert_code(msg_send_receive(a, &m, 0, ANY_SIZE, reply, 0, NULL), BLOCKED);
	take(b, port, &got); /* the server holds the reply right */
	world_task_die(b->party);
	assert_ok(finished(a, &got));
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
}

TEST_2(a_client_whose_request_was_not_received_is_told_of_the_servers_death)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MAKE, a), reply = new_port(a);
	struct message m = message_to(there, COPY);

	message_reply(&m, reply, MAKE_ONCE);
	assert_code(msg_send_receive(a, &m, 0, ANY_SIZE, reply, 0, NULL), BLOCKED);
	world_task_die(b->party);
	assert_ok(finished(a, &got));
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
}

TEST_2(receive_rights_die_before_other_rights_are_dropped)
{
	/* b's notify port dies with b, so that what its other rights would tell it goes nowhere */
	mach_port_name_t once_of_b = new_port(b), port = new_port(b);

	new_send_once(b, once_of_b);
	request(b, port, MACH_NOTIFY_DEAD_NAME, once_of_b);
	request(b, give(a, new_port(a), MAKE, b), MACH_NOTIFY_DEAD_NAME, once_of_b);
	world_task_die(b->party);
	assert_int_equal(world_counts(w).notifications, 0);
}

TEST_2(a_backup_gets_the_receive_right_of_a_dead_task)
{
	mach_port_name_t port = new_port_with_send(b), backup = new_port(a);
	mach_port_name_t once = give(a, backup, MAKE_ONCE, b), name;

	assert_ok(port_request_notification(b, port, MACH_NOTIFY_PORT_DESTROYED, 0, once,
					    MACH_MSG_TYPE_MOVE_SEND_ONCE, NULL));
	fill(b, port, 2);
	world_task_die(b->party);
	take(a, backup, &got);
	assert_int_equal(got.header.msgh_id, MACH_NOTIFY_PORT_DESTROYED);
	name = got.descriptors[0].name;
	assert_int_equal(take_id(a, name), 1);
	assert_int_equal(take_id(a, name), 2);
	assert_int_equal(srights_of(a, name), 0);
}

TEST_2(messages_that_a_dead_task_sent_stay)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b);
	struct message m = message_to(there, COPY);

	message_id(&m, 7);
	message_add_ool(&m, "bytes", 5, false, MACH_MSG_PHYSICAL_COPY);
	assert_ok(msg_send(b, &m, 0, 0));
	world_task_die(b->party);
	take(a, port, &got);
	assert_int_equal(got.header.msgh_id, 7);
	assert_memory_equal(got.descriptors[0].bytes, "bytes", 5);
	assert_int_equal(got.trailer.msgh_audit.val[5], b->party->token.val[5]);
}

TEST_2(a_segment_that_a_dead_task_sent_stays)
{
	struct segment *segment = segment_new(w, "bulk", 4);
	struct message m = message_to(b->party->mailbox_of[0], COPY);

	message_add_ool_segment(&m, segment, 0, 4);
	assert_ok(msg_send(b, &m, 0, 0));
	world_task_die(b->party);
	segment_drop(segment);
	take(a, a->party->mailbox, &got);
	assert_memory_equal(got.descriptors[0].bytes, "bulk", 4);
	assert_int_equal(w->live_segments, 0);
}

TEST_2(blocked_threads_of_a_dead_task_do_not_complete)
{
	struct actor *other = world_thread_new(b->party);

	assert_code(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_code(msg_receive(other, b->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 10, NULL),
		    BLOCKED);
	world_task_die(b->party);
	assert_int_equal(w->completed, 0);
	assert_true(kernel_next_deadline_ns(w->kernel) == UINT64_MAX);
}

TEST_2(a_task_port_dies_with_its_task)
{
	mach_port_name_t task = give(b, BERTH_NAME_TASK_SELF, COPY, a), notify = new_port(a);
	mach_port_name_t thread = give(b, thread_self(b), COPY, a);

	request(a, task, MACH_NOTIFY_DEAD_NAME, notify);
	world_task_die(b->party);
	assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, task);
	assert_entry(a, thread, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_3(tasks_may_die_in_any_order_and_nothing_is_left)
{
	give(b, new_port(b), MACH_MSG_TYPE_MOVE_RECEIVE, c);
	give(c, new_port(c), MAKE, b);
	give(a, new_port_with_send(a), COPY, c);
	world_task_die(a->party); /* the name server first */
	world_task_die(c->party);
}

TEST_2(two_tasks_that_hold_each_others_rights_leave_nothing)
{
	mach_port_name_t one = new_port(a), two = new_port(b);
	mach_port_name_t to_one = give(a, one, MAKE, b), to_two = give(b, two, MAKE, a);
	struct message m = message_to(to_two, COPY);

	request(a, to_two, MACH_NOTIFY_DEAD_NAME, one);
	request(b, to_one, MACH_NOTIFY_DEAD_NAME, two);
	message_reply(&m, one, MAKE_ONCE);
	assert_ok(msg_send(a, &m, 0, 0));
}

/* ---- special ports (mach-kobjects.md §3.1) --------------------------------------------------- */

TEST_1(special_ports_are_got_as_fresh_send_rights)
{
	mach_port_name_t port = new_port_with_send(a), name;

	assert_ok(get_special_port(a, 1, &name));
	assert_int_equal(name, BERTH_NAME_TASK_SELF);
	assert_ok(get_special_port(a, 2, &name));
	assert_int_equal(name, host_self(a));
	assert_ok(get_special_port(a, 4, &name));
	assert_int_equal(name, 0); /* unset */
	assert_ok(set_special_port(a, 4, port));
	assert_int_equal(srights_of(a, port), 2);
	assert_ok(get_special_port(a, 4, &name));
	assert_int_equal(name, port);
	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 2);
	assert_ok(set_special_port(a, 4, 0));
	assert_int_equal(srights_of(a, port), 1);
}

TEST_1(special_ports_that_died_are_dead)
{
	mach_port_name_t port = new_port_with_send(a), name;

	assert_ok(set_special_port(a, 4, port));
	assert_true(kernel_task_has_bootstrap(a->party->task));
	assert_ok(port_destroy(a, port));
	assert_false(kernel_task_has_bootstrap(a->party->task));
	assert_ok(get_special_port(a, 4, &name));
	assert_int_equal(name, MACH_PORT_DEAD);
}

TEST_1(special_ports_that_cannot_be_set_are_refused)
{
	static const struct {
		int which;
		kern_return_t code;
	} wrong[] = { { 1, KERN_NO_ACCESS },        { 2, KERN_NO_ACCESS },
		      { 3, KERN_INVALID_ARGUMENT }, { 5, KERN_INVALID_ARGUMENT },
		      { 6, KERN_INVALID_ARGUMENT }, { 0, KERN_INVALID_ARGUMENT },
		      { 77, KERN_INVALID_ARGUMENT } };
	mach_port_name_t port = new_port_with_send(a), name;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_refused_without_trace(w, set_special_port(a, wrong[i].which, port),
					     wrong[i].code);
	assert_refused_without_trace(w, get_special_port(a, 77, &name), KERN_INVALID_ARGUMENT);
}

TEST_1(the_access_port_is_set_once)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(set_special_port(a, 9, port));
	assert_refused_without_trace(w, set_special_port(a, 9, port), KERN_NO_ACCESS);
}

/* ---- registered ports (mach-kobjects.md §3.2) -------------------------------------------------
 */

TEST_1(registered_ports_are_replaced_together)
{
	mach_port_name_t one = new_port_with_send(a), two = new_port_with_send(a), names[3];

	assert_ok(ports_lookup(a, names));
	assert_int_equal(names[0] | names[1] | names[2], 0);
	assert_ok(ports_register(a, 2, one, two, 0));
	assert_int_equal(srights_of(a, one), 2);
	assert_ok(ports_lookup(a, names));
	assert_int_equal(names[0], one);
	assert_int_equal(names[1], two);
	assert_int_equal(names[2], 0);
	assert_entry(a, one, MACH_PORT_TYPE_SEND_RECEIVE, 2);
	assert_ok(ports_register(a, 1, two, 0, 0));
	assert_int_equal(srights_of(a, one), 1);
	assert_int_equal(srights_of(a, two), 2);
	assert_refused_without_trace(w, ports_register(a, 4, one, one, one), KERN_INVALID_ARGUMENT);
}

TEST_1(registered_ports_that_died_are_dead)
{
	mach_port_name_t port = new_port_with_send(a), names[3];

	assert_ok(ports_register(a, 1, port, 0, 0));
	assert_ok(port_destroy(a, port));
	assert_ok(ports_lookup(a, names));
	assert_int_equal(names[0], MACH_PORT_DEAD);
}

/* ---- inheritance (§10) -------------------------------------------------------------------------
 */

TEST_1(a_child_inherits_special_and_registered_ports_and_no_names)
{
	mach_port_name_t other = new_port(a); /* 0x203, which the child uses */
	mach_port_name_t port = new_port_with_send(a), names[3], name;
	struct party *child;
	struct actor *b;

	assert_int_not_equal(port, other);
	assert_ok(set_special_port(a, 4, port));
	assert_ok(ports_register(a, 2, port, port, 0));
	child = world_task_new(w, a->party);
	b = &child->actors[0];
	assert_int_equal(kernel_task_bootstrap_name(child->task), BERTH_NAME_BOOTSTRAP);
	assert_entry(b, BERTH_NAME_BOOTSTRAP, MACH_PORT_TYPE_SEND, 1);
	assert_no_entry(b, port);
	assert_ok(get_special_port(b, 4, &name));
	assert_int_equal(name, BERTH_NAME_BOOTSTRAP);
	assert_ok(ports_lookup(b, names));
	assert_int_equal(names[0], BERTH_NAME_BOOTSTRAP);
	assert_int_equal(names[1], BERTH_NAME_BOOTSTRAP);
	assert_int_equal(names[2], 0);
	assert_ok(send_id(b, BERTH_NAME_BOOTSTRAP, COPY, 5));
	assert_int_equal(take_id(a, port), 5);
}

TEST_1(a_task_of_nobody_inherits_from_the_first_one)
{
	mach_port_name_t port = new_port_with_send(a);
	struct party *stranger;

	assert_ok(set_special_port(a, 4, port));
	stranger = world_task_new(w, NULL);
	assert_true(kernel_task_has_bootstrap(stranger->task));
	assert_ok(send_id(&stranger->actors[0], BERTH_NAME_BOOTSTRAP, COPY, 5));
	assert_int_equal(take_id(a, port), 5);
}

TEST_1(a_task_without_a_bootstrap_port_has_no_name_for_it)
{
	assert_int_equal(kernel_task_bootstrap_name(a->party->task), 0);
	assert_false(kernel_task_has_bootstrap(a->party->task));
	assert_no_entry(a, BERTH_NAME_BOOTSTRAP);
}

TEST_1(a_grandchild_inherits_what_its_parent_set)
{
	mach_port_name_t port = new_port_with_send(a), own;
	struct party *child, *grandchild;

	assert_ok(set_special_port(a, 4, port));
	child = world_task_new(w, a->party);
	own = new_port_with_send(&child->actors[0]);
	assert_ok(set_special_port(&child->actors[0], 4, own));
	grandchild = world_task_new(w, child);
	assert_ok(send_id(&grandchild->actors[0], BERTH_NAME_BOOTSTRAP, COPY, 5));
	assert_int_equal(take_id(&child->actors[0], own), 5);
}

/* ---- exec
 * ---------------------------------------------------------------------------------------- */

TEST_2(after_exec_only_the_special_ports_are_left_for_the_successor)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MAKE, a), boot;
	mach_port_name_t own = new_port_with_send(a);
	struct party *next;

	boot = give(a, own, COPY, b);
	assert_ok(set_special_port(b, 4, boot));
	world_task_exec(b->party);
	assert_entry(a, there, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_int_equal(srights_of(a, own), 2); /* the special port's, and a's own */
	next = world_task_new(w, b->party);
	world_task_die(b->party);
	assert_ok(send_id(&next->actors[0], BERTH_NAME_BOOTSTRAP, COPY, 5));
	assert_int_equal(take_id(a, own), 5);
	world_task_die(next);
	assert_int_equal(srights_of(a, own), 1);
}

/* ---- looking
 * --------------------------------------------------------------------------------------- */

TEST_2(the_census_sees_each_right_once)
{
	struct kernel_census at = { 0 };
	struct kernel_right_row row;
	mach_port_name_t port = new_port_with_send(b);
	uint32_t rows = 0, seen = 0, last_pid = 0;
	mach_port_name_t last = 0;

	fill(b, port, 3);
	kernel_task_set_label(b->party->task, "labelled");
	while (kernel_census_next(w->kernel, &at, &row)) {
		assert_true(row.task_pid != last_pid || row.name > last);
		last_pid = row.task_pid;
		last = row.name;
		rows++;
		if (row.task == b->party->task && row.name == port) {
			seen++;
			assert_string_equal(row.task_label, "labelled");
			assert_int_equal(row.type & MACH_PORT_TYPE_ALL_RIGHTS,
					 MACH_PORT_TYPE_SEND_RECEIVE);
			assert_int_equal(row.urefs, 1);
			assert_int_equal(row.msgcount, 3);
			assert_int_equal(row.qlimit, 5);
			assert_int_equal(row.srights, 4);
			assert_int_equal(row.receiver_pid, b->party->token.val[5]);
			assert_int_equal(row.receiver_name, port);
			assert_int_equal(row.oldest_sender_pid, b->party->token.val[5]);
			assert_true(row.port_alive);
			assert_null(row.kobject);
		}
		if (row.name == BERTH_NAME_TASK_SELF) {
			assert_string_equal(row.kobject, "task");
			assert_int_equal(row.kobject_pid, row.task_pid);
		}
	}
	assert_int_equal(seen, 1);
	assert_true(rows > 4);
}

TEST_2(the_list_of_tasks_tells_who_they_are)
{
	uint64_t id = 0;
	struct kernel_task_row row;
	uint32_t rows = 0;

	while (kernel_task_next(w->kernel, &id, &row)) {
		assert_ptr_equal(row.task, w->parties[rows].task);
		assert_int_equal(row.pid, w->parties[rows].token.val[5]);
		assert_int_equal(row.is_first, rows == 0);
		assert_int_equal(row.thread_count, 1);
		assert_int_equal(row.port_count, 1); /* the mailbox */
		rows++;
	}
	assert_int_equal(rows, 2);
	assert_int_equal(world_counts(w).tasks, 2);
	assert_int_equal(world_counts(w).threads, 2);
}

TEST_2(the_dump_is_the_same_for_the_same_state)
{
	world_same(world_dump(w), world_dump(w), __FILE__, __LINE__);
}
