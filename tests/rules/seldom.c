/* What programs and hosts seldom do, and may. */
#include <errno.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/registry.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE
#define PLAIN_GUARD MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND

/* ---- hosts ---------------------------------------------------------------------------------- */

TEST(a_kernel_needs_no_seed_and_freeing_none_is_nothing)
{
	struct fault fault;
	struct kernel *k;
	audit_token_t token = { { 0 } };
	struct kernel_effects effects;
	struct task *task;

	(void)state;
	fault_init(&fault);
	k = kernel_new(&(struct kernel_config){ .heap = fault.heap, .facts = world_facts });
	assert_non_null(k);
	task = kernel_task_new(k, &token, NULL, NULL); /* the order of its names is random */
	assert_non_null(task);
	kernel_effects_init(&effects);
	kernel_step(k, &(struct kernel_event){ .kind = EVENT_TASK_DIED, .task = task }, &effects);
	assert_null(kernel_free(k));
	assert_null(kernel_free(NULL));
	assert_int_equal(fault.live_count, 0);
}

TEST_2(a_task_with_process_number_0_is_not_taken_for_the_kernel)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	audit_token_t token = a->party->token;

	token.val[5] = 0;
	kernel_task_set_token(a->party->task, &token);
	assert_ok(send_id(a, there, COPY, 5));
	assert_ok(msg_receive(b, port, MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), ANY_SIZE,
			      0, &got));
	assert_int_equal(got.trailer.msgh_sender.val[0], token.val[1]);
	assert_int_equal(got.trailer.msgh_audit.val[7], token.val[7]);
}

TEST_1(the_watch_of_a_set_can_be_given_back)
{
	mach_port_name_t set = new_set(a);
	struct kernel_effects effects;
	struct trap_frame frame = { .number = BERTH_TRAP_PORT_WATCH, .args = { set } };
	struct kernel_watch *first, *again;

	for (int round = 0; round < 2; round++) {
		kernel_effects_init(&effects);
		kernel_step(w->kernel,
			    &(struct kernel_event){
				.kind = EVENT_TRAP, .thread = a->thread, .frame = &frame },
			    &effects);
		assert_ptr_equal(kernel_effects_thread(&effects), a->thread);
		again = thread_result(a->thread)->watch;
		if (round == 0)
			first = again;
		else
			assert_ptr_equal(again, first); /* one for each set */
		thread_result_free(a->thread, &effects);
		while (kernel_effects_watch(&effects))
			;
	}
	kernel_watch_free(w->kernel, first);
	kernel_audit(w->kernel);
	assert_int_equal(world_counts(w).watches, 0);
}

TEST_1(the_name_of_a_control_fits_or_is_refused)
{
	char name[97];
	uint32_t id, host_id;

	memset(name, 'n', sizeof name);
	name[96] = '\0';
	assert_int_equal(kernel_ctl_find(w->kernel, name, &id, &host_id), EINVAL);
	name[95] = '\0';
	assert_int_equal(kernel_ctl_find(w->kernel, name, &id, &host_id), ENOENT);
	assert_int_equal(kernel_ctl_find(w->kernel, "", &id, &host_id), EINVAL);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

TEST_2(only_task_ports_have_a_task_behind_them)
{
	mach_port_name_t host = host_self(a), other = give(b, task_self(b), COPY, a);

	assert_code(trap(a, BERTH_TRAP_PID_FOR_TASK, host, 0, 0, 0, 0, 0), KERN_FAILURE);
	assert_code(trap(a, BERTH_TRAP_PID_FOR_TASK, new_port(a), 0, 0, 0, 0, 0), KERN_FAILURE);
	assert_ok(trap(a, BERTH_TRAP_PID_FOR_TASK, other, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], b->party->token.val[5]);
	assert_ok(trap(a, BERTH_TRAP_TASK_IS_SELF, other, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 0);
	assert_ok(trap(a, BERTH_TRAP_TASK_IS_SELF, task_self(a), 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 1);
}

TEST_1(ports_are_registered_all_or_none)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_refused_without_trace(w, ports_register(a, 3, port, 0x7703, MACH_PORT_NULL),
				     MACH_SEND_INVALID_RIGHT);
	assert_refused_without_trace(w, ports_register(a, 4, port, port, port),
				     KERN_INVALID_ARGUMENT);
	assert_ok(ports_register(a, 3, port, MACH_PORT_DEAD, MACH_PORT_NULL));
	assert_ok(ports_register(a, 0, 0, 0, 0));
}

TEST_1(reply_ports_that_a_library_keeps_are_said_to_be_kept)
{
	struct kernel_census at = { 0 };
	struct kernel_right_row row;
	mach_port_name_t plain = reply_port(a), kept[2];
	uint32_t seen = 0;

	assert_ok(trap(a, BERTH_TRAP_REPLY_PORT, BERTH_REPLY_PORT_KEPT, 0, 0, 0, 0, 0));
	kept[0] = (mach_port_name_t)a->outcome.values[0];
	assert_ok(trap(a, BERTH_TRAP_GET_SPECIAL_REPLY_PORT, BERTH_REPLY_PORT_KEPT, 0, 0, 0, 0, 0));
	kept[1] = (mach_port_name_t)a->outcome.values[0];
	while (kernel_census_next(w->kernel, &at, &row)) {
		assert_false(row.name == plain && row.kept_by_library);
		seen += (row.name == kept[0] || row.name == kept[1]) && row.kept_by_library;
	}
	assert_int_equal(seen, 2);
}

/* ---- messages ------------------------------------------------------------------------------- */

TEST_1(a_guarded_descriptor_may_carry_no_port)
{
	mach_port_name_t port = new_port_with_send(a), moved = new_port(a);
	struct message m = message_to(port, COPY);

	message_add_guarded(&m, MACH_PORT_NULL, 0, PLAIN_GUARD, MOVE_RECEIVE);
	message_add_guarded(&m, MACH_PORT_DEAD, 0, PLAIN_GUARD, MOVE_RECEIVE);
	message_add_guarded(&m, moved, 0, PLAIN_GUARD, MOVE_RECEIVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_ok(msg_receive(a, port, MACH_RCV_GUARDED_DESC, ANY_SIZE, 0, &got));
	assert_int_equal(got.descriptors[0].name, MACH_PORT_NULL);
	assert_int_equal(got.descriptors[1].name, MACH_PORT_DEAD);
	assert_true(MACH_PORT_VALID(got.descriptors[2].name));
}

TEST_1(a_guard_that_is_not_there_cannot_be_named)
{
	mach_port_name_t port = new_port_with_send(a), moved = new_port(a);
	struct message m = message_to(port, COPY);

	message_add_guarded(&m, moved, 1, PLAIN_GUARD, MOVE_RECEIVE);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_TYPE);
	assert_ok(port_guard(a, moved, 7, 0));
	m = message_to(port, COPY);
	message_add_guarded(&m, moved, 0, PLAIN_GUARD, MOVE_RECEIVE);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_RIGHT);
	assert_entry(a, moved, MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_2(a_dead_name_is_no_destination_even_if_it_is_the_reply_too)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m;

	assert_ok(port_destroy(b, port));
	m = message_to(there, COPY);
	message_reply(&m, there, COPY);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_DEST);
	assert_entry(a, there, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_2(a_message_with_a_dead_reply_that_does_not_fit_keeps_it)
{
	mach_port_name_t port = new_port_with_send(a), theirs = new_port(b);
	mach_port_name_t gone = give(b, theirs, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = message_to(port, COPY);
	uint8_t data[64] = { 0 };

	assert_ok(port_destroy(b, theirs)); /* the sender's name is not looked at before */
	message_reply(&m, gone, MOVE);
	message_add_data(&m, data, sizeof data);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_no_entry(a, gone);
	assert_code(msg_receive(a, port, 0, 40, 0, &got), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_remote_port, MACH_PORT_DEAD);
}

TEST_1(what_a_host_could_not_read_is_refused)
{
	mach_port_name_t port = new_port_with_send(a);
	struct message m = message_to(port, COPY);
	struct trap_frame frame = { .number = BERTH_TRAP_MSG,
				    .args = { MACH_SEND_MSG, m.size_bytes },
				    .bytes = m.bytes,
				    .bytes_size = m.size_bytes + 4 };

	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_SEND_INVALID_DATA);
	frame.bytes_size = 8;
	assert_true(world_trap(a, &frame));
	assert_code(a->outcome.code, MACH_SEND_INVALID_DATA);
}
