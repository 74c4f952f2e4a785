/* Who sent a message is the kernel's knowledge alone: mach-messages.md §4.4, §8.5. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

#define COPY MACH_MSG_TYPE_COPY_SEND

static void
check_sender(const audit_token_t *token)
{
	assert_memory_equal(&got.trailer.msgh_audit, token, sizeof *token);
	assert_int_equal(got.trailer.msgh_sender.val[0], token->val[1]);
	assert_int_equal(got.trailer.msgh_sender.val[1], token->val[2]);
}

TEST_3(the_trailer_tells_who_sent_the_message)
{
	assert_ok(send_id(b, b->party->mailbox_of[0], COPY, 1));
	assert_ok(send_id(c, c->party->mailbox_of[0], COPY, 2));
	take(a, a->party->mailbox, &got);
	check_sender(&b->party->token);
	take(a, a->party->mailbox, &got);
	check_sender(&c->party->token);
}

TEST_2(a_waiting_receiver_is_told_the_same)
{
	assert_code(msg_receive(a, a->party->mailbox,
				MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), ANY_SIZE, 0,
				NULL),
		    BLOCKED);
	assert_ok(send_id(b, b->party->mailbox_of[0], COPY, 1));
	assert_ok(finished(a, &got));
	check_sender(&b->party->token);
}

TEST_2(bytes_behind_the_message_change_nothing)
{
	struct message m = message_to(b->party->mailbox_of[0], COPY);
	mach_msg_audit_trailer_t forged = { .msgh_trailer_size = sizeof forged };

	memset(&forged.msgh_audit, 0, sizeof forged.msgh_audit);
	message_add_data(&m, &forged, sizeof forged);
	assert_ok(msg_send_sized(b, &m, 24, MACH_SEND_TRAILER, 0));
	take(a, a->party->mailbox, &got);
	check_sender(&b->party->token);
	assert_int_equal(got.header.msgh_size, 24);
}

TEST_2(a_trailer_in_the_body_is_data)
{
	struct message m = message_to(b->party->mailbox_of[0], COPY);
	mach_msg_audit_trailer_t forged = { .msgh_trailer_size = sizeof forged };

	message_add_data(&m, &forged, sizeof forged);
	assert_ok(msg_send(b, &m, MACH_SEND_TRAILER, 0));
	take(a, a->party->mailbox, &got);
	check_sender(&b->party->token);
	assert_int_equal(got.header.msgh_size, 24 + sizeof forged);
}

TEST_2(no_option_of_a_sender_changes_its_identity)
{
	for (int bit = 0; bit < 32; bit++) {
		int32_t option = (int32_t)(1u << bit);
		struct message m = message_to(b->party->mailbox_of[0], COPY);

		if (option == MACH_RCV_MSG)
			continue;
		assert_ok(msg_send(b, &m, option, 0));
		take(a, a->party->mailbox, &got);
		check_sender(&b->party->token);
	}
}

TEST_2(the_identity_is_that_at_the_send)
{
	audit_token_t other = b->party->token;

	assert_ok(send_id(b, b->party->mailbox_of[0], COPY, 1));
	other.val[1] = 9999;
	kernel_task_set_token(b->party->task, &other);
	assert_ok(send_id(b, b->party->mailbox_of[0], COPY, 2));
	take(a, a->party->mailbox, &got);
	check_sender(&b->party->token);
	take(a, a->party->mailbox, &got);
	check_sender(&other);
}

TEST_2(a_blocked_sender_is_who_it_was_when_it_sent)
{
	audit_token_t other = b->party->token;
	struct message m = message_to(b->party->mailbox_of[0], COPY);

	fill(b, b->party->mailbox_of[0], 5);
	assert_code(msg_send(b, &m, 0, 0), BLOCKED);
	other.val[1] = 9999;
	kernel_task_set_token(b->party->task, &other);
	for (int i = 0; i < 5; i++)
		take_id(a, a->party->mailbox);
	take(a, a->party->mailbox, &got);
	check_sender(&b->party->token);
}

TEST_2(the_sender_is_who_sent_and_not_who_owned_the_right)
{
	/* the reply right is a's own, b sends with it */
	mach_port_name_t port = new_port(a);
	mach_port_name_t once = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);

	assert_ok(send_id(b, once, MACH_MSG_TYPE_MOVE_SEND_ONCE, 1));
	take(a, port, &got);
	check_sender(&b->party->token);
}

TEST_1(notifications_come_from_the_kernel)
{
	mach_port_name_t port = new_port(a);
	audit_token_t kernel = { { 0 } };

	assert_ok(port_deallocate(a, new_send_once(a, port)));
	take(a, port, &got);
	assert_memory_equal(&got.trailer.msgh_audit, &kernel, sizeof kernel);
	assert_int_equal(got.trailer.msgh_sender.val[0], 0);
	assert_int_equal(got.trailer.msgh_sender.val[1], 1);
}
