/* What tools see: traces (kernel/kernel.h), the dump and the census of what is rarely there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/registry.h"
#include "tests/support/semaphores.h"
#include "tests/support/vouchers.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

/* ---- traces --------------------------------------------------------------------------------- */

struct traced {
	uint32_t count[TRACE_TASK_DIED + 1];
	struct kernel_trace last[TRACE_TASK_DIED + 1];
};

static void
note(void *context, const struct kernel_trace *trace)
{
	struct traced *traced = context;

	traced->count[trace->kind]++;
	traced->last[trace->kind] = *trace;
}

TEST_2(a_trace_tells_the_way_of_a_message)
{
	struct actor *waiter = world_thread_new(b->party);
	mach_port_name_t port = new_port(b), set = new_set(b), extra = new_port(a);
	mach_port_name_t there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	struct traced t = { { 0 } };
	struct message m = message_to(there, COPY);

	kernel_trace_to(w->kernel, note, &t);
	message_reply(&m, extra, MAKE_ONCE);
	message_id(&m, 77);
	message_add_port(&m, extra, MACH_MSG_TYPE_MAKE_SEND);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_int_equal(t.count[TRACE_TRAP], 1);
	assert_int_equal(t.last[TRACE_TRAP].task_pid, a->party->token.val[5]);
	assert_int_equal(t.last[TRACE_TRAP].number, BERTH_TRAP_MSG);
	assert_int_equal(t.last[TRACE_IPC_KMSG_GET].msgh_id, 77);
	assert_int_equal(t.last[TRACE_IPC_KMSG_GET].count, 1);
	assert_int_equal(t.last[TRACE_IPC_KMSG_COPYIN_HEADER].name, there);
	assert_int_equal(t.last[TRACE_IPC_KMSG_COPYIN_HEADER].reply_name, extra);
	assert_int_equal(t.last[TRACE_IPC_KMSG_COPYIN_BODY].count, 1);
	assert_int_equal(t.last[TRACE_IPC_MQUEUE_SEND].count, 1);
	assert_int_equal(t.last[TRACE_TRAP_DONE].code, KERN_SUCCESS);
	assert_int_equal(t.count[TRACE_IPC_RIGHT_COPYIN], 3); /* destination, reply, body */

	take_id(b, port);
	assert_int_equal(t.last[TRACE_IPC_MQUEUE_COPYIN].name, port);
	assert_int_equal(t.last[TRACE_IPC_MQUEUE_RECEIVE].msgh_id, 77);
	assert_int_equal(t.count[TRACE_IPC_RIGHT_COPYOUT], 2);
	assert_int_equal(t.last[TRACE_MACH_MSG_RECEIVE_RESULTS].code, MACH_MSG_SUCCESS);

	assert_int_equal(msg_receive(waiter, set, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_int_equal(t.count[TRACE_TRAP_PARKED], 1);
	world_interrupt(waiter);
	assert_int_equal(t.last[TRACE_MACH_MSG_RECEIVE_RESULTS].code, MACH_RCV_INTERRUPTED);
	/* nobody's trap is under way: the trace names who is concerned, or nobody */
	assert_int_equal(t.last[TRACE_TRAP_DONE].task_pid, b->party->token.val[5]);
	kernel_trace_to(w->kernel, NULL, NULL);
	assert_code(msg_receive(b, set, MACH_RCV_TIMEOUT, ANY_SIZE, 0, NULL), MACH_RCV_TIMED_OUT);
	assert_int_equal(t.count[TRACE_TRAP_PARKED], 1);
}

TEST_2(a_trace_tells_of_ports_tasks_and_notifications)
{
	struct traced t = { { 0 } };
	struct party *child;
	mach_port_name_t port, sem = new_semaphore(a, 0, 0);

	kernel_trace_to(w->kernel, note, &t);
	port = new_port(a);
	assert_int_equal(t.last[TRACE_IPC_PORT_ALLOC].name, port);
	assert_ok(port_insert_right(a, port, port, MACH_MSG_TYPE_MAKE_SEND));
	assert_ok(port_deallocate(a, port));
	assert_int_equal(t.last[TRACE_IPC_RIGHT_DEALLOC].name, port);
	assert_ok(port_deallocate(a, new_send_once(a, port)));
	assert_int_equal(t.last[TRACE_IPC_NOTIFY].msgh_id, MACH_NOTIFY_SEND_ONCE);
	assert_ok(port_destroy(a, port));
	assert_int_equal(t.count[TRACE_IPC_PORT_DESTROY], 1);
	assert_ok(sem_signal(a, sem));
	trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, sem, 0, 0, 0, 0);
	child = world_task_new(w, a->party);
	assert_int_equal(t.last[TRACE_TASK_NEW].task_pid, child->token.val[5]);
	world_task_die(child);
	assert_int_equal(t.last[TRACE_TASK_DIED].task_pid, child->token.val[5]);
	kernel_trace_to(w->kernel, NULL, NULL);
}

TEST_1(a_trace_tells_of_requests_to_the_kernel)
{
	struct rpc r = rpc_to(3204); /* mach_port_allocate */
	struct traced t = { { 0 } };
	mach_port_name_t reply = reply_port(a);

	kernel_trace_to(w->kernel, note, &t);
	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	assert_ok(rpc_call(a, reply, &r));
	assert_int_equal(t.last[TRACE_IPC_KOBJECT_SERVER].msgh_id, 3204);
	kernel_trace_to(w->kernel, NULL, NULL);
}

/* ---- the dump ------------------------------------------------------------------------------- */

/* The dump has @text, or not. */
static bool
dumped(struct world *w, const char *text)
{
	char *dump = world_dump(w);
	bool found = strstr(dump, text) != NULL;

	free(dump);
	return found;
}

/* Some port of the dump has a number other than 0 behind @text. */
static bool
dumped_some(struct world *w, const char *text)
{
	char *dump = world_dump(w);
	bool found = false;

	for (const char *at = dump; (at = strstr(at, text)) != NULL; at++)
		found |= at[strlen(text)] != '0';
	free(dump);
	return found;
}

TEST_2(the_dump_shows_what_messages_carry)
{
	mach_port_name_t port = new_port_with_send(a), carried = new_port(a), backup = new_port(a);
	mach_port_name_t voucher = voucher_new(a, "v");
	struct message m = message_to(port, COPY);

	assert_false(dumped(w, " in-transit"));
	assert_false(dumped_some(w, " port-destroyed "));
	assert_ok(port_request_notification(a, carried, MACH_NOTIFY_PORT_DESTROYED, 0, backup,
					    MAKE_ONCE, NULL));
	assert_true(dumped_some(w, " port-destroyed "));
	message_reply(&m, backup, MAKE_ONCE);
	message_header(&m)->msgh_bits |= MACH_MSGH_BITS_SET_PORTS(0, 0, COPY);
	message_header(&m)->msgh_voucher_port = voucher;
	message_add_port(&m, carried, MOVE_RECEIVE);
	message_add_port(&m, MACH_PORT_NULL, MACH_MSG_TYPE_MAKE_SEND);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_true(dumped(w, " in-transit"));
	assert_true(dumped(w, " [type 0 disposition 16 count 0 port "));
	assert_true(dumped(w, " [type 0 disposition 17 count 0 port 0]"));
	assert_true(dumped(w, " voucher "));
	assert_true(dumped_some(w, " reply "));
	take_id(a, port);
	assert_false(dumped(w, " in-transit"));
}

TEST_1(the_dump_shows_who_waits_and_with_which_voucher)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port = new_port(a), voucher = voucher_new(a, "v");
	struct rpc r = rpc_to(3626);
	char line[40];

	message_add_port(&r.message, voucher, COPY);
	assert_ok(object_call(waiter, thread_self(waiter), &r)); /* thread_set_mach_voucher */
	assert_int_equal(msg_receive(waiter, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	snprintf(line, sizeof line, " waits in 0x%x", port);
	assert_true(dumped(w, line));
	assert_true(dumped(w, " voucher "));
	world_interrupt(waiter);
	assert_false(dumped(w, line));
	assert_code(finished(waiter, NULL), MACH_RCV_INTERRUPTED);
}

TEST_1(the_dump_shows_a_request_that_was_answered)
{
	mach_port_name_t port = new_port(a), notify = new_port(a);
	mach_port_name_t once = new_send_once(a, port);

	assert_ok(
	    port_request_notification(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify, MAKE_ONCE, NULL));
	assert_ok(port_destroy(a, port));
	/* the slot is there until the dead name is looked at */
	assert_true(dumped(w, " notify 0"));
	assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, once);
}

TEST_1(the_dump_tells_kexts_that_load_from_those_that_run)
{
	struct kernel_kext_host *host = kext_host_new(w, 71);
	struct kernel_kext kext = { .identifier = "com.example.slow", .version = "1" };
	struct kernel_ctl ctl = ctl_named("com.example.of-kext");
	struct kernel_effects effects;
	uint64_t ref;
	uint32_t tag, id;

	assert_int_equal(kernel_kext_loading(w->kernel, host, &kext, &tag), 0);
	assert_true(dumped(w, " loading"));
	assert_int_equal(kernel_kext_started(w->kernel, host, tag), 0);
	assert_true(dumped(w, " started"));
	kernel_effects_init(&effects);
	assert_int_equal(kernel_ctl_register(w->kernel, host, tag, &ctl, &ref, &id, &effects), 0);
	registry_settle(w, &effects);
	assert_false(dumped(w, " kext 0"));
	kext_host_die(w, host);
}

/* ---- the census ----------------------------------------------------------------------------- */

TEST_2(the_census_tells_of_semaphores)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t sem = new_semaphore(a, 0, 0), there = give(a, sem, COPY, b);
	struct kernel_census at = { 0 };
	struct kernel_right_row row;
	uint32_t seen = 0;

	assert_int_equal(sem_wait(waiter, sem), BLOCKED);
	while (kernel_census_next(w->kernel, &at, &row))
		if (row.kobject && strcmp(row.kobject, "semaphore") == 0) {
			seen++;
			assert_int_equal(row.kobject_pid, a->party->token.val[5]);
			assert_int_equal(row.waiting_receivers, 1);
		}
	assert_int_equal(seen, 2);
	world_task_die(a->party);
	at = (struct kernel_census){ 0 };
	while (kernel_census_next(w->kernel, &at, &row))
		if (row.task == b->party->task && row.name == there) {
			assert_int_equal(row.kobject_pid, 0); /* terminated: nobody's */
			assert_int_equal(row.waiting_receivers, 0);
			seen++;
		}
	assert_int_equal(seen, 3);
}

TEST_1(a_label_is_cut_to_the_room_for_it)
{
	struct kernel_task_row row;
	uint64_t id = 0;
	char label[400];

	memset(label, 'l', sizeof label);
	label[sizeof label - 1] = '\0';
	kernel_task_set_label(a->party->task, label);
	assert_true(kernel_task_next(w->kernel, &id, &row));
	assert_true(strlen(row.label) > 0 && strlen(row.label) < sizeof label - 1);
	kernel_task_set_label(a->party->task, "short");
	id = 0;
	assert_true(kernel_task_next(w->kernel, &id, &row));
	assert_string_equal(row.label, "short");
	assert_ptr_equal(kernel_task_host(a->party->task), a->party);
}
