/* Suspension tokens: mach-kobjects.md §1, §2.1, and task_suspension_token_t of mach-types.md. */
#include <string.h>

#include <mach/mig_errors.h>
#include <mach/notify.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/rpc.h"

#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define TASK_RESUME2 3437

/* What @t has as @task is stopped; the token. */
static mach_port_name_t
suspend2(struct actor *t, mach_port_name_t task)
{
	assert_ok(trap(t, BERTH_TRAP_TASK_SUSPEND2, task, 0, 0, 0, 0, 0));
	return (mach_port_name_t)t->outcome.values[0];
}

static uint64_t
suspend_count(struct actor *t, mach_port_name_t task)
{
	assert_ok(trap(t, BERTH_TRAP_TASK_PROCESS, task, 0, 0, 0, 0, 0));
	return t->outcome.values[BERTH_TASK_SUSPEND_COUNT];
}

/* A message by the right that @token is, which asks for @id; what it answers. */
static kern_return_t
call_by(struct actor *t, mach_port_name_t token, int32_t id)
{
	mach_port_name_t reply = reply_port(t);
	struct message m = message_to(token, MOVE_ONCE);
	kern_return_t code;

	message_reply(&m, reply, MAKE_ONCE);
	message_id(&m, id);
	assert_ok(msg_send(t, &m, 0, 0));
	take(t, reply, &got);
	assert_int_equal(got.header.msgh_id, id + 100);
	assert_true(got.data_size >= 12);
	memcpy(&code, got.data + 8, sizeof code); /* behind the NDR record */
	return code;
}

/* The task of @b, as @a has it. */
static mach_port_name_t
task_of(struct actor *a, struct actor *b)
{
	return give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, a);
}

TEST_2(a_token_is_a_send_once_right_to_a_kernel_object)
{
	mach_port_name_t task = task_of(a, b), token = suspend2(a, task);

	assert_entry(a, token, MACH_PORT_TYPE_SEND_ONCE, 1);
	/* the same port for each of them */
	assert_ok(trap(a, BERTH_TRAP_PORT_DEALLOCATE, a->target, suspend2(a, task), 0, 0, 0, 0));
	assert_int_equal(suspend_count(a, task), 1);
	assert_int_equal(b->party->resumed, 0);
}

TEST_2(the_last_token_that_is_used_lets_the_task_go)
{
	mach_port_name_t task = task_of(a, b), first = suspend2(a, task), second;

	assert_ok(trap(a, BERTH_TRAP_TASK_SUSPEND, task, 0, 0, 0, 0, 0));
	second = suspend2(b, BERTH_NAME_TASK_SELF);
	assert_int_equal(suspend_count(a, task), 3);
	assert_ok(call_by(a, first, TASK_RESUME2));
	assert_no_entry(a, first);
	assert_int_equal(suspend_count(a, task), 2);
	/* a right like others: who has it may use it */
	second = give(b, second, MOVE_ONCE, a);
	assert_ok(trap(a, BERTH_TRAP_TASK_RESUME, task, 0, 0, 0, 0, 0));
	assert_int_equal(b->party->resumed, 0);
	assert_ok(call_by(a, second, TASK_RESUME2));
	assert_int_equal(suspend_count(a, task), 0);
	assert_int_equal(b->party->resumed, 1);
}

TEST_2(what_a_token_stopped_only_its_end_lets_go)
{
	mach_port_name_t task = task_of(a, b), token = suspend2(a, task);

	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_RESUME, task, 0, 0, 0, 0, 0),
				     KERN_FAILURE);
	assert_ok(trap(a, BERTH_TRAP_TASK_SUSPEND, task, 0, 0, 0, 0, 0));
	assert_ok(port_deallocate(a, token));
	assert_int_equal(suspend_count(a, task), 1);
	/* who takes the last of the others lets the process go himself */
	assert_int_equal(b->party->resumed, 0);
	assert_ok(trap(a, BERTH_TRAP_TASK_RESUME, task, 0, 0, 0, 0, 0));
	assert_int_equal(b->party->resumed, 0);
}

/* Each of these ends a token without task_resume2(). */
enum end {
	DEALLOCATED,
	DESTROYED,
	IN_A_MESSAGE,
	USED_FOR_ANOTHER_CALL,
	AS_REPLY_RIGHT,
	AS_NOTIFICATION,
	AS_NO_SENDERS,
	AS_BACKUP,
	WITH_ITS_HOLDER,
	END_COUNT
};

static void
end_token(struct actor *t, mach_port_name_t token, enum end end)
{
	mach_port_name_t port = new_port(t), previous;
	struct message m = message_to(port, MAKE_ONCE);

	switch (end) {
	case DEALLOCATED:
		assert_ok(port_deallocate(t, token));
		break;
	case DESTROYED:
		assert_ok(port_destroy(t, token));
		break;
	case IN_A_MESSAGE:
		message_add_port(&m, token, MOVE_ONCE);
		assert_ok(msg_send(t, &m, 0, 0));
		assert_ok(port_mod_refs(t, port, MACH_PORT_RIGHT_RECEIVE, -1));
		break;
	case USED_FOR_ANOTHER_CALL:
		assert_code(call_by(t, token, 3999), MIG_BAD_ID);
		break;
	case AS_REPLY_RIGHT:
		m = message_to(BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND);
		message_reply(&m, token, MOVE_ONCE);
		message_id(&m, 3409);
		assert_ok(msg_send(t, &m, 0, 0));
		break;
	case AS_NOTIFICATION:
		assert_ok(port_insert_right(t, port, port, MACH_MSG_TYPE_MAKE_SEND));
		assert_ok(port_request_notification(t, port, MACH_NOTIFY_DEAD_NAME, 0, token,
						    MOVE_ONCE, &previous));
		assert_ok(port_mod_refs(t, port, MACH_PORT_RIGHT_RECEIVE, -1));
		break;
	case AS_NO_SENDERS:
		assert_ok(port_request_notification(t, port, MACH_NOTIFY_NO_SENDERS, 0, token,
						    MOVE_ONCE, &previous));
		break;
	case AS_BACKUP:
		assert_ok(port_request_notification(t, port, MACH_NOTIFY_PORT_DESTROYED, 0, token,
						    MOVE_ONCE, &previous));
		assert_ok(port_mod_refs(t, port, MACH_PORT_RIGHT_RECEIVE, -1));
		assert_no_entry(t, port);
		break;
	case WITH_ITS_HOLDER:
		world_task_die(t->party);
		break;
	case END_COUNT:
		fail();
	}
}

TEST(however_a_token_ends_the_task_is_let_go)
{
	for (enum end end = 0; end < END_COUNT; end++) {
		struct world *w = world_new(2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		mach_port_name_t token = suspend2(a, task_of(a, b));

		end_token(a, token, end);
		if (end == AS_NO_SENDERS && b->party->resumed == 0)
			world_task_die(a->party); /* it waits for senders that there never were */
		if (b->party->resumed != 1)
			fail_msg("end %d: resumed %u times", (int)end, b->party->resumed);
		assert_int_equal(suspend_count(b, BERTH_NAME_TASK_SELF), 0);
		assert_refused_without_trace(
		    w, trap(b, BERTH_TRAP_TASK_RESUME, BERTH_NAME_TASK_SELF, 0, 0, 0, 0, 0),
		    KERN_FAILURE);
		world_free(w);
	}
}

TEST_2(the_tokens_of_a_dead_task_are_dead)
{
	mach_port_name_t token = suspend2(a, task_of(a, b));

	(void)suspend2(b, BERTH_NAME_TASK_SELF);
	world_task_die(b->party);
	assert_int_equal(type_of(a, token), MACH_PORT_TYPE_DEAD_NAME);
	assert_int_equal(b->party->resumed, 0);
	assert_ok(port_deallocate(a, token));
}

TEST_2(a_program_that_is_replaced_has_no_tokens)
{
	mach_port_name_t token = suspend2(a, task_of(a, b));

	(void)suspend2(b, BERTH_NAME_TASK_SELF);
	world_task_exec(b->party);
	assert_int_equal(type_of(a, token), MACH_PORT_TYPE_DEAD_NAME);
	assert_int_equal(b->party->resumed, 0);
}

TEST_1(a_task_that_holds_its_own_token_dies_with_it)
{
	(void)suspend2(a, BERTH_NAME_TASK_SELF);
	world_task_die(a->party);
	assert_int_equal(a->party->resumed, 0);
}

TEST_2(a_task_whose_own_token_waits_to_be_sent_dies_with_it)
{
	mach_port_name_t mailbox = b->party->mailbox_of[0];
	struct message m = message_to(mailbox, MACH_MSG_TYPE_COPY_SEND);

	fill(b, mailbox, 5);
	message_add_port(&m, suspend2(b, BERTH_NAME_TASK_SELF), MOVE_ONCE);
	assert_int_equal(msg_send(b, &m, 0, 0), BLOCKED);
	world_task_die(b->party);
	assert_int_equal(b->party->resumed, 0);
	assert_int_equal(take_id(a, a->party->mailbox), 1);
}

TEST_2(only_tasks_have_tokens_and_only_tokens_resume)
{
	mach_port_name_t port = new_port_with_send(a), host = host_self(a), name;
	struct rpc r = rpc_to(TASK_RESUME2);

	assert_ok(trap(a, BERTH_TRAP_TASK_GET_SPECIAL_PORT, BERTH_NAME_TASK_SELF, 3, 0, 0, 0, 0));
	name = (mach_port_name_t)a->outcome.values[0];
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_SUSPEND2, host, 0, 0, 0, 0, 0),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_SUSPEND2, name, 0, 0, 0, 0, 0),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_SUSPEND2, port, 0, 0, 0, 0, 0),
				     BERTH_TRAP_BY_MESSAGE);
	assert_refused_without_trace(w, trap(a, BERTH_TRAP_TASK_SUSPEND2, 0, 0, 0, 0, 0, 0),
				     MACH_SEND_INVALID_DEST);
	assert_ok(trap(a, BERTH_TRAP_TASK_SUSPEND, BERTH_NAME_TASK_SELF, 0, 0, 0, 0, 0));
	assert_code(rpc_call(a, reply_port(a), &r), KERN_INVALID_ARGUMENT);
	assert_int_equal(suspend_count(a, BERTH_NAME_TASK_SELF), 1);
}
