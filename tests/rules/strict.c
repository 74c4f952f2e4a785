/* Strict tasks: which refusals are guard exceptions.  mach-types.md §7.4, docs/strict.md. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define NO_NAME 0x77703u
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE
#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

/*
 * The call is refused with @code, and the exception would have been @flavor about @name, with
 * @payload; the name was of @type, with @refs.
 */
#define assert_exception(t, call, code, flavor, name, payload, type, refs)                         \
	do {                                                                                       \
		assert_refused_without_trace((t)->world, call, code);                              \
		check_guard(t, flavor, name, payload, type, refs, __LINE__);                       \
	} while (0)

static void
check_guard(struct actor *t, uint32_t flavor, mach_port_name_t name, uint64_t payload,
	    uint32_t type, uint32_t refs, int line)
{
	const struct kernel_guard *guard = &t->outcome.guard;
	uint64_t code = (uint64_t)GUARD_TYPE_MACH_PORT << 61 | (uint64_t)flavor << 32 | name;

	if (guard->code != code || guard->subcode != payload || guard->name_type != type ||
	    guard->name_refs != refs)
		fail_msg("line %d: exception %#jx, %#jx about type %#x with %u references", line,
			 (uintmax_t)guard->code, (uintmax_t)guard->subcode, guard->name_type,
			 guard->name_refs);
}

#define assert_no_exception(t, call, expected)                                                     \
	do {                                                                                       \
		assert_code(call, expected);                                                       \
		assert_int_equal((t)->outcome.guard.code, 0);                                      \
	} while (0)

static void
be_strict(struct actor *t)
{
	kernel_task_set_strict(t->party->task, true);
}

static mach_port_name_t
guarded_port(struct actor *t, uint64_t guard, uint32_t flags)
{
	mach_port_name_t name = new_port(t);

	assert_ok(port_guard(t, name, guard, flags));
	return name;
}

/* ---- whom it is told ------------------------------------------------------------------------- */

TEST_2(only_a_strict_task_is_told)
{
	assert_no_exception(a, port_deallocate(a, NO_NAME), KERN_INVALID_NAME);
	be_strict(a);
	assert_exception(a, port_deallocate(a, NO_NAME), KERN_INVALID_NAME, kGUARD_EXC_INVALID_NAME,
			 NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
	assert_no_exception(b, port_deallocate(b, NO_NAME), KERN_INVALID_NAME);
	kernel_task_set_strict(a->party->task, false);
	assert_no_exception(a, port_deallocate(a, NO_NAME), KERN_INVALID_NAME);
}

TEST_1(what_was_told_of_one_call_is_not_told_of_the_next)
{
	be_strict(a);
	assert_code(port_deallocate(a, NO_NAME), KERN_INVALID_NAME);
	assert_int_not_equal(a->outcome.guard.code, 0);
	assert_no_exception(a, port_deallocate(a, MACH_PORT_NULL), KERN_SUCCESS);
	assert_no_exception(a, port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, 0),
			    KERN_INVALID_VALUE);
}

TEST_2(names_of_another_task_are_no_matter)
{
	mach_port_name_t other = give(b, task_self(b), COPY, a);

	be_strict(a);
	be_strict(b);
	a->target = other;
	assert_no_exception(a, port_deallocate(a, NO_NAME), KERN_INVALID_NAME);
	assert_no_exception(a, port_mod_refs(a, NO_NAME, MACH_PORT_RIGHT_SEND, -1),
			    KERN_INVALID_NAME);
}

TEST_1(to_ask_is_no_misuse)
{
	mach_port_name_t port = new_port(a), dead = new_dead_name(a);
	uint32_t refs;
	uint64_t context;
	mach_port_type_t type;

	be_strict(a);
	assert_no_exception(a, port_type(a, NO_NAME, &type), KERN_INVALID_NAME);
	assert_no_exception(a, port_get_refs(a, NO_NAME, MACH_PORT_RIGHT_SEND, &refs),
			    KERN_INVALID_NAME);
	assert_no_exception(a, port_get_context(a, dead, &context), KERN_INVALID_NAME);
	assert_no_exception(a, port_get_srights(a, dead, &refs), KERN_INVALID_NAME);
	/* what nobody can know before */
	assert_no_exception(a, send_id(a, dead, COPY, 1), MACH_SEND_INVALID_DEST);
	assert_no_exception(a, port_insert_right(a, dead, dead, COPY), KERN_INVALID_CAPABILITY);
	assert_no_exception(a, port_extract_member(a, port, new_set(a)), KERN_NOT_IN_SET);
	assert_no_exception(a, msg_receive(a, port, MACH_RCV_TIMEOUT, ANY_SIZE, 0, NULL),
			    MACH_RCV_TIMED_OUT);
}

/* ---- names and rights ------------------------------------------------------------------------ */

TEST_1(a_name_that_was_given_back_is_told_from_one_that_never_was)
{
	mach_port_name_t gone = new_port(a), next;

	assert_ok(port_destroy(a, gone));
	be_strict(a);
	assert_exception(a, port_deallocate(a, gone), KERN_INVALID_NAME, kGUARD_EXC_INVALID_NAME,
			 gone, gone, BERTH_GUARD_NAME_GONE, 0);
	next = gone + 4;
	assert_exception(a, port_deallocate(a, next), KERN_INVALID_NAME, kGUARD_EXC_INVALID_NAME,
			 next, next, BERTH_GUARD_NAME_NEVER, 0);
	/* also when the place has a new owner */
	assert_ok(port_allocate_name(a, MACH_PORT_RIGHT_RECEIVE, next));
	assert_exception(a, port_destroy(a, gone), KERN_INVALID_NAME, kGUARD_EXC_INVALID_NAME, gone,
			 gone, BERTH_GUARD_NAME_GONE, 0);
	assert_exception(a, port_unguard(a, MACH_PORT_DEAD, 1), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, MACH_PORT_DEAD, MACH_PORT_DEAD,
			 BERTH_GUARD_NAME_NO_NAME, 0);
}

TEST_1(dropping_what_is_not_held)
{
	mach_port_name_t port = new_port(a), both = new_port_with_send(a), set = new_set(a),
			 dead = new_dead_name(a);

	be_strict(a);
	assert_exception(a, port_deallocate(a, port), KERN_INVALID_RIGHT, kGUARD_EXC_INVALID_RIGHT,
			 port, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_exception(a, port_mod_refs(a, NO_NAME, MACH_PORT_RIGHT_SEND, -1), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a, port_mod_refs(a, set, MACH_PORT_RIGHT_RECEIVE, -1), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, set, set, MACH_PORT_TYPE_PORT_SET, 0);
	assert_exception(a, port_mod_refs(a, dead, MACH_PORT_RIGHT_SEND, -1), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, dead, dead, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_exception(a, port_mod_refs(a, both, MACH_PORT_RIGHT_SEND, -2), KERN_INVALID_VALUE,
			 kGUARD_EXC_INVALID_VALUE, both, both, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_exception(a, port_mod_refs(a, both, MACH_PORT_RIGHT_RECEIVE, -2), KERN_INVALID_VALUE,
			 kGUARD_EXC_INVALID_VALUE, both, both, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_exception(a, port_destruct(a, both, -2, 0), KERN_INVALID_VALUE,
			 kGUARD_EXC_INVALID_VALUE, both, both, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_exception(a, port_destruct(a, port, -1, 0), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, port, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_exception(a, port_destroy(a, NO_NAME), KERN_INVALID_NAME, kGUARD_EXC_INVALID_NAME,
			 NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
}

TEST_1(putting_in_and_taking_out_what_is_not_held)
{
	mach_port_name_t port = new_port(a), both = new_port_with_send(a), poly;
	mach_port_name_t kept = guarded_port(a, 5, MPG_IMMOVABLE_RECEIVE);
	uint32_t type;

	be_strict(a);
	assert_exception(a, port_insert_right(a, NO_NAME, NO_NAME, COPY), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a, port_insert_right(a, port, port, COPY), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, port, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_exception(a, port_insert_right(a, 0x5503, kept, MOVE_RECEIVE),
			 KERN_INVALID_CAPABILITY, kGUARD_EXC_IMMOVABLE, kept, kept,
			 MACH_PORT_TYPE_RECEIVE, 0);
	assert_exception(a, port_insert_right(a, 0x5501, both, COPY), KERN_INVALID_VALUE,
			 kGUARD_EXC_INVALID_VALUE, 0x5501, 0x5501, BERTH_GUARD_NAME_FREE, 0);
	assert_exception(a, port_insert_right(a, 0xfffffff3, both, COPY), KERN_NO_SPACE,
			 kGUARD_EXC_KERN_NO_SPACE, 0xfffffff3, 0xfffffff3, BERTH_GUARD_NAME_FREE,
			 0);
	assert_exception(a, port_insert_right(a, 3, both, COPY), KERN_FAILURE,
			 kGUARD_EXC_KERN_FAILURE, 3, 3, BERTH_GUARD_NAME_FREE, 0);
	assert_code(port_insert_right(a, 0x5503, both, COPY), KERN_RIGHT_EXISTS);
	check_guard(a, kGUARD_EXC_RIGHT_EXISTS, 0x5503, 0x5503, BERTH_GUARD_NAME_FREE, 0, __LINE__);
	assert_exception(a, port_extract_right(a, NO_NAME, COPY, &poly, &type), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a, port_extract_right(a, port, COPY, &poly, &type), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, port, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_exception(a, port_extract_right(a, kept, MOVE_RECEIVE, &poly, &type),
			 KERN_INVALID_CAPABILITY, kGUARD_EXC_IMMOVABLE, kept, kept,
			 MACH_PORT_TYPE_RECEIVE, 0);
}

TEST_1(of_two_names_the_wrong_one_is_told)
{
	mach_port_name_t port = new_port(a), set = new_set(a), dead = new_dead_name(a), previous;

	be_strict(a);
	assert_exception(a, port_insert_member(a, NO_NAME, set), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a, port_insert_member(a, port, NO_NAME), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a, port_insert_member(a, set, set), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, set, set, MACH_PORT_TYPE_PORT_SET, 0);
	assert_exception(a, port_extract_member(a, port, dead), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, dead, dead, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_exception(a, port_insert_member(a, dead, set), KERN_INVALID_NAME,
			 kGUARD_EXC_INVALID_NAME, dead, dead, MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_exception(a, port_move_member(a, port, port), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, port, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_exception(a,
			 port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, NO_NAME,
						   MAKE_ONCE, &previous),
			 KERN_INVALID_NAME, kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME,
			 BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a,
			 port_request_notification(a, port, MACH_NOTIFY_DEAD_NAME, 0, dead,
						   MAKE_ONCE, &previous),
			 KERN_INVALID_RIGHT, kGUARD_EXC_INVALID_RIGHT, dead, dead,
			 MACH_PORT_TYPE_DEAD_NAME, 1);
	assert_code(port_request_notification(a, NO_NAME, MACH_NOTIFY_DEAD_NAME, 0, port, MAKE_ONCE,
					      &previous),
		    KERN_INVALID_NAME);
	check_guard(a, kGUARD_EXC_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0,
		    __LINE__);
}

/* ---- guards ---------------------------------------------------------------------------------- */

TEST_1(what_a_guard_keeps)
{
	mach_port_name_t port = guarded_port(a, 5, 0), strict = guarded_port(a, 6, MPG_STRICT),
			 plain = new_port(a);
	const uint32_t receive = MACH_PORT_TYPE_RECEIVE;

	be_strict(a);
	assert_exception(a, port_destroy(a, port), KERN_INVALID_RIGHT, kGUARD_EXC_DESTROY, port, 5,
			 receive, 0);
	assert_exception(a, port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1), KERN_INVALID_RIGHT,
			 kGUARD_EXC_MOD_REFS, port, 5, receive, 0);
	assert_exception(a, port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, -1), KERN_INVALID_RIGHT,
			 kGUARD_EXC_INVALID_RIGHT, port, port, receive, 0);
	assert_exception(a, port_destruct(a, port, 0, 4), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_INCORRECT_GUARD, port, 5, receive, 0);
	assert_exception(a, port_unguard(a, port, 4), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_INCORRECT_GUARD, port, 5, receive, 0);
	assert_exception(a, port_unguard(a, plain, 4), KERN_INVALID_ARGUMENT, kGUARD_EXC_UNGUARDED,
			 plain, plain, receive, 0);
	assert_exception(a, port_swap_guard(a, port, 4, 7), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_INCORRECT_GUARD, port, 5, receive, 0);
	assert_exception(a, port_swap_guard(a, strict, 6, 7), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_SET_CONTEXT, strict, 6, receive, 0);
	assert_exception(a, port_swap_guard(a, plain, 6, 7), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_UNGUARDED, plain, plain, receive, 0);
	assert_exception(a, port_set_context(a, strict, 7), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_SET_CONTEXT, strict, 6, receive, 0);
	assert_exception(a, port_guard(a, port, 7, 0), KERN_INVALID_ARGUMENT,
			 kGUARD_EXC_INVALID_ARGUMENT, port, port, receive, 0);
	/* and with the right guard it is none */
	assert_no_exception(a, port_set_context(a, port, 8), KERN_SUCCESS);
	assert_no_exception(a, port_unguard(a, port, 8), KERN_SUCCESS);
	assert_no_exception(a, port_destruct(a, strict, 0, 6), KERN_SUCCESS);
}

TEST_2(translated_names_that_are_no_receive_rights)
{
	mach_port_name_t sends = give(b, new_port_with_send(b), COPY, a);
	uint32_t limit = 3;
	const uint32_t flavor = kGUARD_EXC_INVALID_RIGHT, type = MACH_PORT_TYPE_SEND;

	be_strict(a);
	assert_exception(a, port_set_context(a, sends, 1), KERN_INVALID_RIGHT, flavor, sends, sends,
			 type, 1);
	assert_exception(a, port_guard(a, sends, 1, 0), KERN_INVALID_RIGHT, flavor, sends, sends,
			 type, 1);
	assert_exception(a, port_unguard(a, sends, 1), KERN_INVALID_RIGHT, flavor, sends, sends,
			 type, 1);
	assert_exception(a, port_set_mscount(a, sends, 1), KERN_INVALID_RIGHT, flavor, sends, sends,
			 type, 1);
	assert_exception(a, port_set_seqno(a, sends, 1), KERN_INVALID_RIGHT, flavor, sends, sends,
			 type, 1);
	assert_exception(a, port_set_attributes(a, sends, MACH_PORT_LIMITS_INFO, &limit, 1),
			 KERN_INVALID_RIGHT, flavor, sends, sends, type, 1);
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static kern_return_t
send_port(struct actor *a, mach_port_name_t name, uint32_t disposition)
{
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_add_port(&m, name, disposition);
	return msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
}

static kern_return_t
send_ports(struct actor *a, mach_port_name_t name)
{
	struct message m = message_to(a->party->mailbox_of[1], COPY);
	mach_port_name_t names[2] = { MACH_PORT_NULL, name };

	message_add_ool_ports(&m, names, 2, COPY);
	return msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
}

static kern_return_t
send_guarded(struct actor *a, mach_port_name_t name, uint64_t context)
{
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_add_guarded(&m, name, context, MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE,
			    MOVE_RECEIVE);
	return msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
}

static kern_return_t
send_reply(struct actor *a, mach_port_name_t reply, uint32_t disposition)
{
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_reply(&m, reply, disposition);
	return msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
}

static kern_return_t
send_voucher(struct actor *a, mach_port_name_t voucher)
{
	struct message m = message_to(a->party->mailbox_of[1], COPY);

	message_header(&m)->msgh_voucher_port = voucher;
	message_header(&m)->msgh_bits = MACH_MSGH_BITS_SET_PORTS(COPY, 0, COPY);
	return msg_send(a, &m, MACH_SEND_TIMEOUT, 0);
}

TEST_2(rights_in_messages_that_are_not_held)
{
	mach_port_name_t port = new_port(a), both = new_port_with_send(a);
	mach_port_name_t kept = guarded_port(a, 5, MPG_IMMOVABLE_RECEIVE);
	mach_port_name_t guarded = guarded_port(a, 6, 0);
	const uint32_t receive = MACH_PORT_TYPE_RECEIVE;

	(void)b;
	be_strict(a);
	assert_exception(a, send_port(a, NO_NAME, COPY), MACH_SEND_INVALID_RIGHT,
			 kGUARD_EXC_SEND_INVALID_RIGHT, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER,
			 0);
	assert_exception(a, send_port(a, port, COPY), MACH_SEND_INVALID_RIGHT,
			 kGUARD_EXC_SEND_INVALID_RIGHT, port, port, receive, 0);
	assert_exception(a, send_ports(a, port), MACH_SEND_INVALID_RIGHT,
			 kGUARD_EXC_SEND_INVALID_RIGHT, port, port, receive, 0);
	assert_exception(a, send_port(a, kept, MOVE_RECEIVE), MACH_SEND_INVALID_RIGHT,
			 kGUARD_EXC_IMMOVABLE, kept, kept, receive, 0);
	assert_exception(a, send_guarded(a, guarded, 5), MACH_SEND_INVALID_RIGHT,
			 kGUARD_EXC_INCORRECT_GUARD, guarded, 6, receive, 0);
	assert_exception(a, send_guarded(a, port, 5), MACH_SEND_INVALID_RIGHT, kGUARD_EXC_UNGUARDED,
			 port, port, receive, 0);
	assert_exception(a, send_guarded(a, kept, 5), MACH_SEND_INVALID_RIGHT, kGUARD_EXC_IMMOVABLE,
			 kept, kept, receive, 0);
	assert_exception(a, send_guarded(a, NO_NAME, 5), MACH_SEND_INVALID_RIGHT,
			 kGUARD_EXC_SEND_INVALID_RIGHT, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER,
			 0);
	assert_exception(a, send_reply(a, NO_NAME, MAKE_ONCE), MACH_SEND_INVALID_REPLY,
			 kGUARD_EXC_SEND_INVALID_REPLY, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER,
			 0);
	assert_exception(a, send_reply(a, port, COPY), MACH_SEND_INVALID_REPLY,
			 kGUARD_EXC_SEND_INVALID_REPLY, port, port, receive, 0);
	assert_exception(a, send_voucher(a, both), MACH_SEND_INVALID_VOUCHER,
			 kGUARD_EXC_SEND_INVALID_VOUCHER, both, both, MACH_PORT_TYPE_SEND_RECEIVE,
			 1);
	assert_no_exception(a, send_guarded(a, guarded, 6), KERN_SUCCESS);
	assert_no_exception(a, send_port(a, both, MAKE), KERN_SUCCESS);
}

TEST_2(receiving_from_what_is_no_receive_right)
{
	mach_port_name_t sends = give(b, new_port_with_send(b), COPY, a), port = new_port(a);
	struct message m = message_to(b->party->mailbox_of[0], COPY);

	be_strict(a);
	assert_exception(a, msg_receive(a, NO_NAME, MACH_RCV_TIMEOUT, ANY_SIZE, 0, NULL),
			 MACH_RCV_INVALID_NAME, kGUARD_EXC_RCV_INVALID_NAME, NO_NAME, NO_NAME,
			 BERTH_GUARD_NAME_NEVER, 0);
	assert_exception(a, msg_receive(a, sends, MACH_RCV_TIMEOUT, ANY_SIZE, 0, NULL),
			 MACH_RCV_INVALID_NAME, kGUARD_EXC_RCV_INVALID_NAME, sends, sends,
			 MACH_PORT_TYPE_SEND, 1);
	/* the port that dies while a thread waits there is none */
	assert_code(msg_receive(a, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(port_destroy(world_thread_new(a->party), port));
	assert_code(finished(a, NULL), MACH_RCV_PORT_CHANGED);
	assert_int_equal(a->outcome.guard.code, 0);
	/* after a send in the same call */
	m = message_to(a->party->mailbox_of[1], COPY);
	assert_code(msg_send_receive(a, &m, 0, ANY_SIZE, NO_NAME, 0, NULL), MACH_RCV_INVALID_NAME);
	check_guard(a, kGUARD_EXC_RCV_INVALID_NAME, NO_NAME, NO_NAME, BERTH_GUARD_NAME_NEVER, 0,
		    __LINE__);
}
