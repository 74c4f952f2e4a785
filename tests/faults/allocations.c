/*
 * Every allocation of every scenario fails once.
 *
 * A scenario is a run of calls.  With memory for all it must succeed; where an allocation
 * fails, a call may say so with a code that the contract has for it.  The scenario goes on
 * with what it got, the audit holds after each step, and at the end nothing is left.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/semaphores.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

/* What a call may say when there is no memory. */
static bool
is_shortage(kern_return_t code)
{
	kern_return_t bare = code & ~(MACH_MSG_IPC_SPACE | MACH_MSG_VM_SPACE | MACH_MSG_IPC_KERNEL |
				      MACH_MSG_VM_KERNEL);

	switch (code) {
	case KERN_RESOURCE_SHORTAGE:
	case KERN_NO_SPACE:
	case MACH_SEND_NO_BUFFER:
	case MACH_MSG_VM_KERNEL:
		return true;
	}
	return bare == MACH_RCV_HEADER_ERROR || bare == MACH_RCV_BODY_ERROR;
}

/*
 * True: it went well.  False: no memory, which must be why; @fault's failure is then the
 * only one, so that what comes afterwards works again.
 */
static bool
went_well(struct fault *fault, kern_return_t code, const char *call, int line)
{
	if (code == KERN_SUCCESS)
		return true;
	if (!fault->hit || !is_shortage(code)) {
		print_error("allocation %llu fails: %s: %s\n", (unsigned long long)fault->fail_at,
			    call, code_name(code));
		_fail(__FILE__, line);
	}
	return false;
}

#define TRY(call)                                                                                  \
	do {                                                                                       \
		if (!went_well(w->fault, call, #call, __LINE__))                                   \
			return;                                                                    \
	} while (0)

typedef void scenario(struct world *w, struct actor *a, struct actor *b);

/* A refused call leaves no trace, but for what the caller cannot see: room made in advance. */
static void
run_with_each_failure(scenario *run)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);

		assert_non_null(w);
		fault_arm(&fault);
		run(w, world_actor(w, 0), world_actor(w, 1));
		fault.armed = false;
		/* the kernel is whole: the tasks can still talk */
		if (w->parties[1].task)
			assert_ok(msgcount_of(world_actor(w, 0), w->parties[0].mailbox) < 5
				      ? send_id(world_actor(w, 1), w->parties[1].mailbox_of[0],
						COPY, 4711)
				      : KERN_SUCCESS);
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}

#define SCENARIO(name_)                                                                            \
	static void name_##_run(struct world *w, struct actor *a, struct actor *b);                \
	TEST(name_)                                                                                \
	{                                                                                          \
		run_with_each_failure(name_##_run);                                                \
	}                                                                                          \
	static void name_##_run(struct world *w, struct actor *a, struct actor *b)

/* ---- kernels, tasks, threads ----------------------------------------------------------------- */

TEST(a_kernel_is_made_or_not_made)
{
	FOR_EACH_FAILURE (fault) {
		struct kernel_config config = { .heap = fault.heap, .random_seed = 1 };
		struct kernel *k;

		fault_arm(&fault);
		k = kernel_new(&config);
		assert_true((k != NULL) == !fault.hit);
		if (k) {
			kernel_audit(k);
			assert_null(kernel_free(k));
		}
		assert_int_equal(fault.live_count, 0);
	}
}

TEST(a_task_is_made_or_not_made)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct party *party;
		uint64_t live = fault.live_count;

		fault_arm(&fault);
		party = world_task_new(w, &w->parties[0]);
		assert_true((party != NULL) == !fault.hit);
		assert_true(party || fault.live_count <= live + 2 /* room for the next try */);
		fault.armed = false;
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}

TEST(a_thread_is_made_or_not_made)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 1);
		struct actor *actor;

		fault_arm(&fault);
		actor = world_thread_new(&w->parties[0]);
		assert_true((actor != NULL) == !fault.hit);
		fault.armed = false;
		if (!actor)
			assert_non_null(world_thread_new(&w->parties[0]));
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}

/* ---- calls on names
 * ------------------------------------------------------------------------------ */

SCENARIO(names_of_each_kind)
{
	mach_port_name_t name;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name));
	TRY(port_insert_right(a, name, name, MAKE));
	TRY(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &name));
	TRY(port_allocate(a, MACH_PORT_RIGHT_DEAD_NAME, &name));
	TRY(port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0x5003));
	TRY(port_construct(a, MPO_INSERT_SEND_RIGHT | MPO_CONTEXT_AS_GUARD, 0, 3, &name));
	TRY(port_destruct(a, name, -1, 3));
}

SCENARIO(a_table_that_grows)
{
	mach_port_name_t name;

	for (int i = 0; i < 150; i++)
		TRY(port_allocate(a, MACH_PORT_RIGHT_DEAD_NAME, &name));
}

SCENARIO(a_name_far_out)
{
	TRY(port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, (5000 << 8) | 3));
	assert_ok(port_destroy(a, (5000 << 8) | 3));
}

SCENARIO(a_refused_allocation_leaves_no_trace)
{
	char *before = world_dump(w);
	mach_port_name_t name;

	if (port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &name) != KERN_SUCCESS) {
		assert_true(w->fault->hit);
		world_same(before, world_dump(w), __FILE__, __LINE__);
		return;
	}
	free(before);
}

SCENARIO(rights_taken_and_put)
{
	mach_port_name_t port, name;
	uint32_t type;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_extract_right(a, port, MAKE_ONCE, &name, &type));
	TRY(port_insert_right(a, 0x5003, port, MAKE_ONCE));
	TRY(port_extract_right(a, port, MOVE_RECEIVE, &name, &type));
}

SCENARIO(self_ports)
{
	/* a name or 0 */
	mach_port_name_t host = host_self(a), thread = thread_self(a), reply = reply_port(a);
	mach_port_name_t special = special_reply_port(a), again;

	assert_true(w->fault->hit || (host && thread && reply && special));
	again = special_reply_port(a);
	assert_true(w->fault->hit || again);
}

/* ---- sets
 * ------------------------------------------------------------------------------------------ */

SCENARIO(sets_and_members)
{
	mach_port_name_t port, one, two;
	const mach_port_name_t *members;
	uint32_t n;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &one));
	TRY(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &two));
	TRY(port_insert_member(a, port, one));
	TRY(port_move_member(a, port, two));
	TRY(port_insert_member(a, port, one));
	TRY(port_get_set_status(a, two, &members, &n));
	TRY(trap(a, BERTH_TRAP_PORT_NAMES, a->target, 0, 0, 0, 0, 0));
	TRY(trap(a, BERTH_TRAP_PORT_SPACE_INFO, a->target, 0, 0, 0, 0, 0));
}

SCENARIO(a_move_between_sets_that_fails_changes_nothing)
{
	mach_port_name_t port, one, two;
	char *before;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &one));
	TRY(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &two));
	TRY(port_insert_member(a, port, one));
	before = world_dump(w);
	if (port_move_member(a, port, two) != KERN_SUCCESS) {
		assert_true(w->fault->hit);
		world_same(before, world_dump(w), __FILE__, __LINE__);
		return;
	}
	free(before);
}

SCENARIO(watches)
{
	mach_port_name_t port, set;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_allocate(a, MACH_PORT_RIGHT_PORT_SET, &set));
	TRY(trap(a, BERTH_TRAP_PORT_WATCH, port, 0, 0, 0, 0, 0));
	TRY(trap(a, BERTH_TRAP_PORT_WATCH, set, 0, 0, 0, 0, 0));
	TRY(port_insert_member(a, port, set));
	TRY(port_insert_right(a, port, port, MAKE));
	TRY(send_id(a, port, COPY, 1));
	TRY(port_destroy(a, set));
}

/* ---- messages
 * -------------------------------------------------------------------------------------- */

SCENARIO(a_plain_message)
{
	TRY(send_id(a, a->party->mailbox_of[1], COPY, 1));
	TRY(msg_receive(b, b->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got));
	assert_int_equal(got.header.msgh_id, 1);
}

SCENARIO(a_message_with_everything)
{
	struct segment *segment = segment_new(w, "a segment", 10);
	mach_port_name_t port, moves, reply, names[3];
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	kern_return_t code = KERN_SUCCESS;

	if (code == KERN_SUCCESS)
		code = port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port);
	if (code == KERN_SUCCESS)
		code = port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &moves);
	if (code == KERN_SUCCESS)
		code = port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &reply);
	if (code == KERN_SUCCESS) {
		names[0] = port;
		names[1] = MACH_PORT_NULL;
		names[2] = reply;
		message_reply(&m, reply, MAKE_ONCE);
		message_add_port(&m, port, MAKE);
		message_add_ool(&m, "bytes", 6, false, MACH_MSG_VIRTUAL_COPY);
		message_add_ool_segment(&m, segment, 0, 10);
		message_add_ool_ports(&m, names, 3, MAKE_ONCE);
		message_add_port(&m, moves, MOVE_RECEIVE);
		code = msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
		if (code == MACH_SEND_NO_BUFFER)
			assert_entry(a, moves, MACH_PORT_TYPE_RECEIVE, 0); /* nothing consumed */
	}
	segment_drop(segment);
	TRY(code);
	code = msg_receive(b, b->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got);
	TRY(code);
	assert_int_equal(got.descriptor_count, 5);
	assert_memory_equal(got.descriptors[1].bytes, "bytes", 6);
	assert_memory_equal(got.descriptors[2].bytes, "a segment", 10);
	TRY(send_id(b, got.header.msgh_remote_port, MACH_MSG_TYPE_MOVE_SEND_ONCE, 2));
	TRY(msg_receive(a, reply, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got));
	assert_true(got.header.msgh_id == 2 || got.header.msgh_id == MACH_NOTIFY_SEND_ONCE);
}

SCENARIO(a_refused_send_consumes_nothing)
{
	mach_port_name_t moves, reply, once;
	uint32_t type;
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	char *before;
	kern_return_t code;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &moves));
	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &reply));
	TRY(port_extract_right(a, reply, MAKE_ONCE, &once, &type));
	message_reply(&m, once, MACH_MSG_TYPE_MOVE_SEND_ONCE);
	message_add_port(&m, moves, MOVE_RECEIVE);
	before = world_dump(w);
	code = msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
	if (code == MACH_SEND_NO_BUFFER) {
		world_same(before, world_dump(w), __FILE__, __LINE__);
	} else {
		free(before);
		TRY(code);
	}
}

SCENARIO(a_receiver_who_waits)
{
	struct actor *waiter = world_thread_new(a->party);
	mach_port_name_t port;
	struct message m = message_to(b->party->mailbox_of[0], COPY);

	if (!waiter) {
		assert_true(w->fault->hit);
		return;
	}
	assert_code(msg_receive(waiter, a->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 100, NULL),
		    BLOCKED);
	TRY(port_allocate(b, MACH_PORT_RIGHT_RECEIVE, &port));
	message_reply(&m, port, MAKE);
	message_add_port(&m, port, MAKE_ONCE);
	TRY(msg_send(b, &m, 0, 0));
	TRY(finished(waiter, &got));
}

SCENARIO(a_sender_who_waits_and_gets_all_back)
{
	struct actor *sender = world_thread_new(b->party);
	mach_port_name_t moves, reply;
	struct message m = message_to(b->party->mailbox_of[0], COPY);
	mach_port_name_t names[2];

	if (!sender) {
		assert_true(w->fault->hit);
		return;
	}
	TRY(port_allocate(b, MACH_PORT_RIGHT_RECEIVE, &moves));
	TRY(port_allocate(b, MACH_PORT_RIGHT_RECEIVE, &reply));
	for (int i = 0; i < 5; i++)
		TRY(send_id(b, b->party->mailbox_of[0], COPY, 1 + i));
	names[0] = names[1] = reply;
	message_reply(&m, reply, MAKE_ONCE);
	message_add_port(&m, moves, MOVE_RECEIVE);
	message_add_ool_ports(&m, names, 2, MAKE_ONCE);
	message_add_ool(&m, "bytes", 6, false, MACH_MSG_VIRTUAL_COPY);
	{
		kern_return_t code = msg_send(sender, &m, MACH_SEND_TIMEOUT, 50);

		if (code != BLOCKED) {
			TRY(code);
			return;
		}
	}
	world_advance_ms(w, 50);
	{
		kern_return_t code = finished(sender, &got);

		/* resource bits may be OR-ed to it */
		assert_true((code & ~MACH_MSG_MASK) == MACH_SEND_TIMED_OUT);
		assert_true(code == MACH_SEND_TIMED_OUT || w->fault->hit);
	}
	for (int i = 0; i < 5; i++)
		TRY(msg_receive(a, a->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got));
}

SCENARIO(a_table_that_grows_while_a_message_is_received)
{
	mach_port_name_t name, port;
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	kern_return_t code;

	for (int i = 0; i < 28; i++) /* nearly full */
		TRY(port_allocate(b, MACH_PORT_RIGHT_DEAD_NAME, &name));
	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	message_reply(&m, port, MAKE_ONCE);
	for (int i = 0; i < 40; i++)
		message_add_port(&m, port, MAKE_ONCE);
	TRY(msg_send(a, &m, 0, 0));
	code = msg_receive(b, b->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got);
	TRY(code);
	for (int i = 0; i < 40; i++)
		assert_entry(b, got.descriptors[i].name, MACH_PORT_TYPE_SEND_ONCE, 1);
}

/* ---- notifications
 * --------------------------------------------------------------------------------- */

static kern_return_t
ask(struct actor *t, mach_port_name_t name, int32_t msgid, uint32_t sync, mach_port_name_t notify)
{
	return port_request_notification(t, name, msgid, sync, notify, MAKE_ONCE, NULL);
}

SCENARIO(a_notification_that_was_asked_for_comes)
{
	mach_port_name_t port, notify, there;
	struct message m = message_to(b->party->mailbox_of[0], COPY);

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &notify));
	TRY(port_allocate(b, MACH_PORT_RIGHT_RECEIVE, &port));
	message_add_port(&m, port, MAKE);
	TRY(msg_send(b, &m, 0, 0));
	TRY(msg_receive(a, a->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got));
	there = got.descriptors[0].name;
	TRY(ask(a, there, MACH_NOTIFY_DEAD_NAME, 0, notify));
	/* once it is registered nothing stops it: not even a kernel without memory */
	assert_ok(port_destroy(b, port));
	assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, there);
	assert_entry(a, there, MACH_PORT_TYPE_DEAD_NAME, 2);
}

SCENARIO(each_kind_of_notification)
{
	mach_port_name_t port, notify, once;
	uint32_t type;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &notify));
	TRY(port_insert_right(a, port, port, MAKE));
	TRY(port_extract_right(a, port, MAKE_ONCE, &once, &type));
	TRY(ask(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify));
	TRY(ask(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify));
	TRY(ask(a, port, MACH_NOTIFY_SEND_POSSIBLE, 0, notify));
	TRY(ask(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, notify));
	assert_ok(port_deallocate(a, port));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
	assert_ok(port_destroy(a, port));
	assert_notification(a, notify, MACH_NOTIFY_PORT_DELETED, port);
	w->fault->armed = false;
	assert_int_equal(msgcount_of(a, notify), 1); /* PORT_DESTROYED, with the right */
}

SCENARIO(many_requests_on_one_port)
{
	mach_port_name_t port, notify, once[20];
	uint32_t type;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &notify));
	for (int i = 0; i < 20; i++) {
		TRY(port_extract_right(a, port, MAKE_ONCE, &once[i], &type));
		TRY(ask(a, once[i], MACH_NOTIFY_DEAD_NAME, 0, notify));
	}
	assert_ok(port_destroy(a, port));
	for (int i = 0; i < 20; i++)
		assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, once[i]);
}

SCENARIO(a_send_once_right_ends_in_exactly_one_message)
{
	mach_port_name_t port, name;
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	kern_return_t code;

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &port));
	message_reply(&m, port, MAKE_ONCE);
	code = msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
	if (code != KERN_SUCCESS) {
		w->fault->armed = false;
		assert_int_equal(status_of(a, port).mps_sorights, 0);
		TRY(code);
	}
	code = msg_receive(b, b->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got);
	name = got.header.msgh_remote_port;
	if (code == KERN_SUCCESS) {
		code = send_id(b, name, MACH_MSG_TYPE_MOVE_SEND_ONCE, 9);
		if (code != KERN_SUCCESS) {
			assert_ok(port_deallocate(b, name));
		}
	}
	w->fault->armed = false;
	assert_int_equal(msgcount_of(a, port), 1);
	assert_int_not_equal(take_id(a, port), 0);
	assert_int_equal(status_of(a, port).mps_sorights, 0);
}

/* ---- semaphores ------------------------------------------------------------------------------ */

SCENARIO(waiting_and_waking_need_no_memory)
{
	struct actor *waiter = world_thread_new(a->party), *other = world_thread_new(a->party);
	bool was_armed = w->fault->armed;
	mach_port_name_t sem;
	uint64_t asked;

	w->fault->armed = false;
	if (!waiter || !other)
		return;
	sem = new_semaphore(a, 0, 0);
	w->fault->armed = was_armed;
	asked = w->fault->asked;
	assert_code(sem_timedwait(waiter, sem, 1, 0), BLOCKED);
	assert_code(sem_wait(other, sem), BLOCKED);
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_finished(waiter));
	assert_code(sem_timedwait(waiter, sem, 1, 0), BLOCKED);
	world_advance_ms(w, 1000);
	assert_code(sem_finished(waiter), KERN_OPERATION_TIMED_OUT);
	world_interrupt(other);
	assert_code(sem_finished(other), KERN_ABORTED);
	assert_code(sem_wait(other, sem), BLOCKED);
	assert_ok(port_deallocate(a, sem));
	assert_code(sem_finished(other), KERN_TERMINATED);
	assert_int_equal(w->fault->asked, asked);
}

/* ---- fileports ------------------------------------------------------------------------------- */

SCENARIO(a_fileport_is_made_sent_and_opened)
{
	struct file *file = file_new(w);
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	mach_port_name_t port;
	const struct file *same;
	kern_return_t kr = fileport_make(a, file, &port);

	file_drop(file);
	assert_int_equal(w->live_files, kr == KERN_SUCCESS); /* refused: nobody keeps it */
	TRY(kr);
	message_add_port(&m, port, COPY);
	TRY(msg_send(a, &m, 0, 0));
	TRY(fileport_open(a, port, &same));
	assert_ptr_equal(same, file);
	TRY(port_deallocate(a, port));
	TRY(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL));
}

/* ---- memory entries -------------------------------------------------------------------------- */

SCENARIO(a_memory_entry_is_made_sent_and_opened)
{
	struct file *file = file_new(w);
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	mach_port_name_t port;
	const struct file *same;
	kern_return_t kr;

	file->core.memory_bytes = 8192;
	kr = memory_entry_make(a, file, 4096, 4096, 1, 0, &port);
	file_drop(file);
	assert_int_equal(w->live_files, kr == KERN_SUCCESS); /* refused: nobody keeps it */
	TRY(kr);
	message_add_port(&m, port, COPY);
	TRY(msg_send(a, &m, 0, 0));
	TRY(memory_entry_open(a, port, &same));
	assert_ptr_equal(same, file);
	TRY(port_deallocate(a, port));
	TRY(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, NULL));
}

/* ---- special ports, death
 * -------------------------------------------------------------------------- */

SCENARIO(special_and_registered_ports)
{
	mach_port_name_t port, names[3];

	TRY(port_allocate(b, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_insert_right(b, port, port, MAKE));
	TRY(set_special_port(b, 4, port));
	TRY(get_special_port(b, 4, &names[0]));
	TRY(ports_register(b, 3, port, port, port));
	TRY(ports_lookup(b, names));
}

SCENARIO(the_death_of_a_task_needs_no_memory)
{
	mach_port_name_t port, notify, set;
	uint64_t asked;
	struct message m = message_to(b->party->mailbox_of[0], COPY);

	TRY(port_allocate(a, MACH_PORT_RIGHT_RECEIVE, &notify));
	TRY(port_allocate(b, MACH_PORT_RIGHT_RECEIVE, &port));
	TRY(port_allocate(b, MACH_PORT_RIGHT_PORT_SET, &set));
	TRY(port_insert_member(b, port, set));
	message_add_port(&m, port, MAKE);
	TRY(msg_send(b, &m, 0, 0));
	TRY(msg_receive(a, a->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &got));
	TRY(ask(a, got.descriptors[0].name, MACH_NOTIFY_DEAD_NAME, 0, notify));
	TRY(send_id(a, got.descriptors[0].name, COPY, 1));
	/* nothing is asked for, so nothing can fail */
	asked = w->fault->asked;
	world_task_die(b->party);
	assert_int_equal(w->fault->asked, asked);
	w->fault->armed = false;
	assert_notification(a, notify, MACH_NOTIFY_DEAD_NAME, got.descriptors[0].name);
}
