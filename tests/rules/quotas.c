/* Who pays for what nobody has received: kernel/kern/account.h. */
#include <stdlib.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

#define MEGABYTE (1u << 20)

/* What is charged to the task of @t, in bytes. */
static uint64_t
charged(struct actor *t)
{
	struct kernel_task_row row;
	uint64_t id = 0;

	while (kernel_task_next(t->party->world->kernel, &id, &row))
		if (row.task == t->party->task)
			return row.queued_bytes;
	fail();
	return 0;
}

/* A message with @size_bytes of memory. */
static kern_return_t
send_memory(struct actor *t, mach_port_name_t to, uint32_t disposition, uint32_t size_bytes)
{
	static uint8_t *memory;
	struct message m = message_to(to, disposition);

	if (!memory)
		memory = calloc(1, 8 * MEGABYTE);
	message_add_ool(&m, memory, size_bytes, false, MACH_MSG_VIRTUAL_COPY);
	return msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
}

TEST_2(a_queued_message_is_its_senders)
{
	mach_port_name_t port = new_port_with_send(a), there = give(a, port, COPY, b);
	uint64_t before_a = charged(a), before_b = charged(b);

	assert_ok(send_memory(b, there, COPY, MEGABYTE));
	assert_int_equal(charged(a), before_a);
	assert_true(charged(b) - before_b > MEGABYTE);
	assert_ok(msg_receive(a, port, 0, ANY_SIZE, 0, NULL));
	assert_int_equal(charged(b), before_b);
}

TEST_2(an_answer_is_paid_by_who_asked)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE_ONCE, b);
	uint64_t before_a = charged(a), before_b = charged(b);

	assert_ok(send_memory(b, there, MOVE_ONCE, MEGABYTE));
	assert_int_equal(charged(b), before_b);
	assert_true(charged(a) - before_a > MEGABYTE);
	assert_ok(msg_receive(a, port, 0, ANY_SIZE, 0, NULL));
	assert_int_equal(charged(a), before_a);
}

TEST_2(an_answer_that_somebody_waits_for_costs_nobody)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE_ONCE, b);
	uint64_t before_a = charged(a), before_b = charged(b);

	assert_code(msg_receive(a, port, 0, ANY_SIZE, 0, NULL), BLOCKED);
	assert_ok(send_memory(b, there, MOVE_ONCE, MEGABYTE));
	assert_ok(finished(a, NULL));
	assert_int_equal(charged(a), before_a);
	assert_int_equal(charged(b), before_b);
}

TEST_2(who_does_not_take_answers_cannot_ask_for_more)
{
	enum { ANSWERS = 80 }; /* of 4 MB: more than a task may hold */
	static mach_port_name_t there[ANSWERS];
	mach_port_name_t port = new_port(a), own = new_port_with_send(b);

	for (int i = 0; i < ANSWERS; i++)
		there[i] = give(a, port, MAKE_ONCE, b);
	w->quiet_audit = true;
	for (int i = 0; i < 70; i++)
		assert_ok(send_memory(b, there[i], MOVE_ONCE, 4 * MEGABYTE));
	/* full, over the limit by less than one answer: the rest is the server's */
	assert_true(charged(a) > 256ull * MEGABYTE && charged(a) < 261ull * MEGABYTE);
	assert_code(send_memory(a, a->party->mailbox_of[b->party->index], COPY, 0),
		    MACH_SEND_NO_BUFFER);
	for (int i = 70; i < ANSWERS; i++)
		assert_ok(send_memory(b, there[i], MOVE_ONCE, 4 * MEGABYTE));
	assert_true(charged(a) < 261ull * MEGABYTE);
	assert_true(charged(b) < 80ull * MEGABYTE);
	/* and the server goes on with others */
	assert_ok(send_memory(b, own, COPY, 4 * MEGABYTE));
	assert_ok(port_destroy(a, port));
	assert_ok(port_destroy(b, own));
	w->quiet_audit = false;
	assert_int_equal(charged(a), 0);
	assert_int_equal(charged(b), 0);
}

TEST_2(memory_in_segments_is_paid_for_likewise)
{
	mach_port_name_t port = new_port(a), first = give(a, port, MAKE_ONCE, b),
			 second = give(a, port, MAKE_ONCE, b);
	struct segment *own = segment_new(w, "its own.", 8),
		       *shared = segment_new(w, "shared..", 8);
	struct message m = message_to(first, MOVE_ONCE);

	/* one that two messages hold stays with who sent it first; each account checks at its end
	 * that it got back what it paid */
	message_add_ool_segment(&m, own, 0, 8);
	message_add_ool_segment(&m, shared, 0, 8);
	message_add_ool_segment(&m, shared, 0, 8);
	assert_ok(msg_send(b, &m, 0, 0));
	m = message_to(second, MOVE_ONCE);
	message_add_ool_segment(&m, shared, 0, 8);
	assert_ok(msg_send(b, &m, 0, 0));
	segment_drop(own);
	segment_drop(shared);
	world_task_die(b->party);
	assert_ok(msg_receive(a, port, 0, ANY_SIZE, 0, NULL));
	assert_ok(port_destroy(a, port));
}

TEST_3(an_answer_to_a_right_that_has_moved_is_paid_by_who_has_it)
{
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE_ONCE, b), moved;
	uint64_t before;

	moved = give(a, port, MOVE_RECEIVE, c);
	before = charged(c);
	assert_ok(send_memory(b, there, MOVE_ONCE, MEGABYTE));
	assert_int_equal(charged(a), 0);
	assert_true(charged(c) - before > MEGABYTE);
	assert_ok(port_destroy(c, moved));
	assert_int_equal(charged(c), before);
}
