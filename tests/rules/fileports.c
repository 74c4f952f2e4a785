/* Fileports: mach-kobjects.md §11. */
#include <mach/mig_errors.h>

#include <string.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define KOBJECT_FILEPORT 34

/* ---- making and opening ------------------------------------------------------------------- */

TEST_1(a_fileport_is_a_send_right_to_a_kernel_object)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file);

	assert_entry(a, port, MACH_PORT_TYPE_SEND, 1);
	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, port, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], KOBJECT_FILEPORT);
	assert_int_equal(world_counts(w).fileports, 1);
}

TEST_1(opening_gives_the_file_as_often_as_asked_and_keeps_the_port)
{
	const struct file *file, *opened;
	mach_port_name_t port = new_fileport(a, &file);

	for (int i = 0; i < 3; i++) {
		assert_ok(fileport_open(a, port, &opened));
		assert_ptr_equal(opened, file);
	}
	assert_entry(a, port, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(w->live_files, 1);
}

TEST_1(each_call_makes_a_port_of_its_own)
{
	const struct file *file[2], *opened;
	mach_port_name_t first = new_fileport(a, &file[0]), second = new_fileport(a, &file[1]);

	assert_int_not_equal(first, second);
	assert_ok(port_deallocate(a, first));
	assert_ok(fileport_open(a, second, &opened));
	assert_ptr_equal(opened, file[1]);
}

TEST_1(no_file_makes_no_port)
{
	mach_port_name_t name;

	assert_refused_without_trace(w, fileport_make(a, NULL, &name), KERN_INVALID_ARGUMENT);
}

TEST_1(one_file_is_not_behind_two_ports)
{
	struct file *file = file_new(w);
	mach_port_name_t name, other;

	assert_ok(fileport_make(a, file, &name));
	assert_refused_without_trace(w, fileport_make(a, file, &other), KERN_INVALID_ARGUMENT);
	file_drop(file);
}

TEST_1(only_a_send_right_to_a_fileport_opens_a_file)
{
	const struct file *file;
	mach_port_name_t plain = new_port_with_send(a), receive = new_port(a);
	const struct {
		mach_port_name_t name;
		kern_return_t code;
	} cases[] = {
		{ MACH_PORT_NULL, KERN_INVALID_RIGHT },
		{ MACH_PORT_DEAD, KERN_INVALID_RIGHT },
		{ 0x7777, KERN_INVALID_RIGHT },
		{ receive, KERN_INVALID_RIGHT },
		{ new_send_once(a, receive), KERN_INVALID_RIGHT },
		{ new_set(a), KERN_INVALID_RIGHT },
		{ new_dead_name(a), KERN_INVALID_RIGHT },
		{ plain, KERN_INVALID_CAPABILITY },
		{ BERTH_NAME_TASK_SELF, KERN_INVALID_CAPABILITY },
		{ host_self(a), KERN_INVALID_CAPABILITY },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused_without_trace(w, fileport_open(a, cases[i].name, &file),
					     cases[i].code);
}

TEST_1(nobody_receives_on_a_fileport)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file), set = new_set(a);

	assert_code(msg_receive(a, port, MACH_RCV_TIMEOUT, ANY_SIZE, 0, NULL),
		    MACH_RCV_INVALID_NAME);
	assert_code(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_INVALID_RIGHT);
	assert_code(port_insert_member(a, port, set), KERN_INVALID_RIGHT);
	assert_code(port_insert_right(a, 0x1207, port, MACH_MSG_TYPE_MAKE_SEND),
		    KERN_INVALID_RIGHT);
}

TEST_1(a_fileport_serves_no_message)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file), reply = new_port(a);
	struct message m = message_to(port, COPY);
	int32_t code;

	message_reply(&m, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message_id(&m, 4711);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(msg_receive(a, reply, 0, ANY_SIZE, 0, NULL));
	assert_true(a->outcome.bytes_size >= sizeof(mig_reply_error_t));
	memcpy(&code, a->outcome.bytes + offsetof(mig_reply_error_t, RetCode), sizeof code);
	assert_int_equal(code, MIG_BAD_ID);
	assert_int_equal(w->live_files, 1);
}

/* ---- the end of the last right ------------------------------------------------------------- */

TEST_1(the_last_right_takes_port_and_file)
{
	const struct file *file;
	uint32_t ports = world_counts(w).ports;
	mach_port_name_t port = new_fileport(a, &file);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 1));
	assert_ok(port_deallocate(a, port));
	assert_int_equal(w->live_files, 1);
	assert_ok(port_deallocate(a, port));
	assert_no_entry(a, port);
	assert_int_equal(w->live_files, 0);
	assert_int_equal(world_counts(w).ports, ports);
	assert_int_equal(world_counts(w).fileports, 0);
}

TEST_2(a_right_that_was_given_away_keeps_the_file_without_its_maker)
{
	const struct file *file, *opened;
	mach_port_name_t port = new_fileport(a, &file), there = give(a, port, MOVE, b);

	assert_no_entry(a, port);
	assert_ok(fileport_open(b, there, &opened));
	assert_ptr_equal(opened, file);
	world_task_die(a->party);
	assert_int_equal(w->live_files, 1);
	assert_ok(fileport_open(b, there, &opened));
	assert_ok(port_deallocate(b, there));
	assert_int_equal(w->live_files, 0);
}

TEST_2(a_right_in_a_message_that_nobody_gets_takes_the_file)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file);
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_add_port(&m, port, MOVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_int_equal(w->live_files, 1);
	assert_ok(port_destroy(b, b->party->mailbox));
	assert_int_equal(w->live_files, 0);
}

TEST_2(rights_in_an_array_carry_files)
{
	const struct file *file[3], *opened;
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	mach_port_name_t names[3];

	for (int i = 0; i < 3; i++)
		names[i] = new_fileport(a, &file[i]);
	message_add_ool_ports(&m, names, 3, MOVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL));
	assert_int_equal(b->outcome.piece_count, 1);
	assert_int_equal(b->outcome.pieces[0].size_bytes, sizeof names);
	memcpy(names, b->outcome.pieces[0].bytes, sizeof names);
	for (int i = 0; i < 3; i++) {
		assert_ok(fileport_open(b, names[i], &opened));
		assert_ptr_equal(opened, file[i]);
	}
}

TEST_2(the_death_of_the_last_holder_takes_the_file)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file), there = give(a, port, COPY, b);

	world_task_die(a->party);
	assert_int_equal(w->live_files, 1);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
	world_task_die(b->party);
	assert_int_equal(w->live_files, 0);
}

TEST_2(a_program_that_is_replaced_loses_its_files)
{
	const struct file *file;

	new_fileport(a, &file);
	give(a, new_fileport(a, &file), MOVE, b);
	assert_int_equal(w->live_files, 2);
	world_task_exec(a->party);
	assert_int_equal(w->live_files, 1);
}

TEST_1(a_child_that_inherits_the_right_has_the_file)
{
	const struct file *file, *opened;
	mach_port_name_t port = new_fileport(a, &file), names[3];
	struct actor *child;

	assert_ok(ports_register(a, 1, port, MACH_PORT_NULL, MACH_PORT_NULL));
	child = &world_task_new(w, a->party)->actors[0];
	world_task_die(a->party);
	assert_int_equal(w->live_files, 1);
	assert_ok(ports_lookup(child, names));
	assert_ok(fileport_open(child, names[0], &opened));
	assert_ptr_equal(opened, file);
}

TEST_2(requests_on_a_fileport_end_with_their_name)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file), there = give(a, port, COPY, b);
	mach_port_name_t notify = new_port(b), previous;

	assert_ok(port_request_notification(b, there, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
	assert_ok(port_deallocate(a, port));
	assert_nothing_waits(b, notify);
	assert_int_equal(w->live_files, 1);
	assert_ok(port_deallocate(b, there));
	assert_int_equal(w->live_files, 0);
	assert_ok(msg_receive(b, notify, 0, ANY_SIZE, 0, NULL)); /* PORT_DELETED */
}

/* ---- quotas ---------------------------------------------------------------------------------- */

TEST_2(a_task_makes_so_many_fileports_and_no_more)
{
	const struct file *file;
	struct file *one_more = file_new(w);
	mach_port_name_t first = 0, name;

	w->quiet_audit = true;
	for (uint32_t i = 0; i < TASK_FILEPORT_MAX; i++) {
		struct file *made = file_new(w);
		struct kernel_effects effects;

		assert_ok(fileport_make(a, made, &name));
		kernel_effects_init(&effects);
		kernel_file_unref(&made->core, &effects);
		first = i == 0 ? name : first;
	}
	w->quiet_audit = false;
	assert_code(fileport_make(a, one_more, &name), KERN_RESOURCE_SHORTAGE);
	assert_int_equal(one_more->core.ref_count, 1);
	/* who made it pays, whoever has it */
	name = give(a, first, MOVE, b);
	assert_code(fileport_make(a, one_more, &first), KERN_RESOURCE_SHORTAGE);
	assert_ok(port_deallocate(b, name));
	assert_ok(fileport_make(a, one_more, &name));
	file_drop(one_more);
	new_fileport(b, &file);
}
