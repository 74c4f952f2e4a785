/* Promises: a send right that came may be given up without a trap, and nobody can tell. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#include "wire/promise.h"

#include <mach/notify.h>

static bool
is_promised(const struct actor *t, mach_port_name_t name)
{
	return atomic_load(&t->promise) == promise_word(name, PROMISE_GIVEN);
}

/* @t takes the kernel at its word: without a trap. */
static void
give_up(struct actor *t, mach_port_name_t name)
{
	assert_true(is_promised(t, name));
	atomic_store(&t->promise, promise_word(name, PROMISE_TAKEN));
}

static mach_port_name_t
send_right(struct actor *a, mach_port_name_t port, struct actor *b)
{
	return give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
}

TEST_2(a_right_that_came_may_be_given_up_without_a_trap)
{
	mach_port_name_t port = new_port(a), there = send_right(a, port, b);

	give_up(b, there);
	assert_int_equal(srights_of(a, port), 0);
	assert_no_entry(b, there);
	assert_int_equal(atomic_load(&b->promise), 0);
}

TEST_2(of_several_references_one_is_given_up)
{
	mach_port_name_t port = new_port(a), there = send_right(a, port, b);

	assert_int_equal(send_right(a, port, b), there);
	give_up(b, there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
	assert_int_equal(atomic_load(&b->promise), 0);
	assert_int_equal(srights_of(a, port), 1);
}

TEST_2(who_looks_at_the_right_takes_the_promise_back)
{
	mach_port_name_t port = new_port(a), there = send_right(a, port, b);

	assert_int_equal(send_refs(b, there), 1);
	assert_int_equal(atomic_load(&b->promise), 0);
	there = send_right(a, port, b);
	give_up(b, there);
	assert_int_equal(send_refs(b, there), 1);
	assert_int_equal(send_id(b, there, MACH_MSG_TYPE_MOVE_SEND, 5), MACH_MSG_SUCCESS);
	assert_int_equal(take_id(a, port), 5);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_2(the_next_right_ends_the_promise_of_the_last)
{
	mach_port_name_t port = new_port(a), other = new_port(a);
	mach_port_name_t there = send_right(a, port, b), other_there = send_right(a, other, b);

	assert_true(is_promised(b, other_there));
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
}

TEST_2(who_waits_for_the_end_of_senders_is_told_at_once)
{
	mach_port_name_t port = new_port(a), notify = new_port(a), there;

	/* before the right came: it is given up by a trap, which tells him */
	(void)new_send_once(a, notify);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 1, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	there = send_right(a, port, b);
	assert_int_equal(atomic_load(&b->promise), 0);
	assert_ok(port_deallocate(b, there));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
	/* behind it: there is no promise any more */
	there = send_right(a, port, b);
	assert_true(is_promised(b, there));
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 2, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_int_equal(atomic_load(&b->promise), 0);
	assert_ok(port_deallocate(b, there));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 2);
	/* it was given up when he asks */
	there = send_right(a, port, b);
	give_up(b, there);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 3, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 3);
}

TEST_2(a_right_that_has_a_request_is_not_promised)
{
	mach_port_name_t port = new_port(a), there = send_right(a, port, b);

	assert_ok(port_request_notification(b, there, MACH_NOTIFY_DEAD_NAME, 0, b->party->mailbox,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_int_equal(atomic_load(&b->promise), 0);
	assert_int_equal(send_right(a, port, b), there);
	assert_int_equal(atomic_load(&b->promise), 0);
}

TEST_2(a_port_that_dies_leaves_what_was_not_given_up)
{
	for (int given_up = 0; given_up < 2; given_up++) {
		mach_port_name_t port = new_port(a), there = send_right(a, port, b);

		assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
		if (given_up) {
			give_up(b, there);
			assert_no_entry(b, there);
		} else {
			assert_entry(b, there, MACH_PORT_TYPE_DEAD_NAME, 1);
		}
	}
}

TEST_2(own_ports_and_dead_names_are_not_promised)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);

	assert_int_equal(give(a, there, MACH_MSG_TYPE_MOVE_SEND, b), port);
	assert_int_equal(atomic_load(&b->promise), 0);
	(void)give(a, task_self(a), MACH_MSG_TYPE_COPY_SEND, b);
	assert_int_equal(atomic_load(&b->promise), 0);
}

TEST_2(what_is_no_promise_gives_nothing_up)
{
	mach_port_name_t port = new_port(a), there = send_right(a, port, b);

	for (uint64_t word = 0; word < 64; word++) {
		atomic_store(&b->promise, word == 0 ? UINT64_MAX : (uint64_t)1 << word);
		assert_int_equal(srights_of(a, port), 1);
	}
	atomic_store(&b->promise, promise_word(there + 4, PROMISE_TAKEN));
	assert_int_equal(srights_of(a, port), 1);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
	/* what was none is none later, either */
	atomic_store(&b->promise, promise_word(there, PROMISE_TAKEN));
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
}

TEST_2(promises_end_with_their_thread_and_their_task)
{
	mach_port_name_t port = new_port(a), there;
	struct actor *more = world_thread_new(b->party);

	there = give(a, port, MACH_MSG_TYPE_MAKE_SEND, more);
	give_up(more, there);
	world_thread_exit(more);
	assert_int_equal(srights_of(a, port), 0);
	there = send_right(a, port, b);
	give_up(b, there);
	world_task_die(b->party);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_2(there_are_few_promises_and_the_oldest_ends)
{
	mach_port_name_t port[9], there[9];
	struct actor *threads[9];

	for (uint32_t i = 0; i < 9; i++) {
		threads[i] = i == 0 ? b : world_thread_new(b->party);
		port[i] = new_port(a);
		there[i] = give(a, port[i], MACH_MSG_TYPE_MAKE_SEND, threads[i]);
	}
	assert_int_equal(atomic_load(&b->promise), 0);
	for (uint32_t i = 1; i < 9; i++)
		give_up(threads[i], there[i]);
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(srights_of(a, port[i]), i == 0);
}
