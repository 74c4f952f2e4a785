/*
 * Large memory in messages: what travels without a copy.
 */
#include "tests/client/moves.h"

/* ---- moving ---------------------------------------------------------------------------- */

static void
memory_that_moves_is_not_copied(void **state)
{
	mach_port_t port = port_new();
	unsigned before = descriptors();
	uint8_t *source = allocate(LARGE);
	unsigned long file = file_of(source);

	(void)state;
	fill(source, LARGE, 1);
	assert_int_not_equal(file, 0);
	assert_int_equal(send_memory(port, source, LARGE, true), MACH_MSG_SUCCESS);
	assert_false(is_there(source));
	uint8_t *got = receive_memory(port, LARGE);
	assert_int_equal(file_of(got), file);
	assert_true(is_filled(got, LARGE, 1));
	fill(got, LARGE, 2); /* it is the receiver's own */
	assert_true(is_filled(got, LARGE, 2));
	deallocate(got, LARGE);
	assert_int_equal(descriptors(), before);
	port_end(port);
}

static void
memory_is_relayed_without_a_copy_until_it_is_written(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);

	(void)state;
	fill(memory, LARGE, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
		memory = receive_memory(port, LARGE);
		assert_int_equal(file_of(memory), file);
		assert_true(is_filled(memory, LARGE, 1));
	}
	memory[LARGE - 1] ^= 1;
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	memory = receive_memory(port, LARGE);
	assert_int_not_equal(file_of(memory), file);
	memory[LARGE - 1] ^= 1;
	assert_true(is_filled(memory, LARGE, 1));
	deallocate(memory, LARGE);
	port_end(port);
}

static void
a_send_that_fails_leaves_the_memory(void **state)
{
	mach_port_t port = port_new(), dead = port_new();
	uint8_t *memory = allocate(LARGE);

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_RECEIVE, -1),
			 KERN_SUCCESS);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(send_memory(dead, memory, LARGE, true), MACH_SEND_INVALID_DEST);
		assert_true(is_filled(memory, LARGE, i));
		fill(memory, LARGE, i + 1);
	}
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 4));
	deallocate(got, LARGE);
	mach_port_deallocate(mach_task_self(), dead);
	port_end(port);
}

static void
a_message_given_back_brings_its_memory(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);

	(void)state;
	fill(memory, LARGE, 1);
	for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(send_number(port, i), MACH_MSG_SUCCESS);
	struct memory_message message = message_to(port, memory, LARGE, true);
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT,
				  MESSAGE_SIZE(1), 0, 0, 10, 0),
			 MACH_SEND_TIMED_OUT);
	uint8_t *got = message.memory[0].address;
	assert_int_equal(file_of(got), file);
	assert_true(is_filled(got, LARGE, 1));
	deallocate(got, LARGE);
	port_end(port);
}

static void
a_copy_is_a_snapshot_for_both(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE), *got[3];

	(void)state;
	fill(memory, LARGE, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send_memory(port, memory, LARGE, false), MACH_MSG_SUCCESS);
		fill(memory, LARGE, i + 1);
	}
	for (unsigned i = 0; i < 3; i++) {
		got[i] = receive_memory(port, LARGE);
		assert_true(is_filled(got[i], LARGE, i));
		fill(got[i], LARGE, 77);
	}
	assert_true(is_filled(memory, LARGE, 3));
	for (unsigned i = 0; i < 3; i++)
		deallocate(got[i], LARGE);
	deallocate(memory, LARGE);
	port_end(port);
}

/* ---- parts ----------------------------------------------------------------------------- */

static void
nobody_gets_what_lies_beside_the_memory_sent(void **state)
{
	mach_port_t port = port_new();

	(void)state;
	for (int moves = 0; moves < 2; moves++) {
		uint8_t *memory = allocate(LARGE);
		unsigned long file = file_of(memory);
		size_t part = LARGE / 2, odd = LARGE / 4 - 100;

		/* memory at the front and behind, then the rest of a page */
		fill(memory, LARGE, 1);
		assert_int_equal(send_memory(port, memory + part, part, moves), MACH_MSG_SUCCESS);
		assert_int_equal(is_there(memory + part), !moves);
		uint8_t *got = receive_memory(port, part);
		assert_int_not_equal(file_of(got), file);
		fill(memory + part - vm_page_size, vm_page_size, 9);
		for (size_t at = 0; at < part; at++)
			if (got[at] != value_of((part + at) / vm_page_size, 1))
				fail_msg("byte %zu is wrong", at);
		assert_true(is_filled(memory, part - vm_page_size, 1));
		deallocate(got, part);

		assert_int_equal(send_memory(port, memory, odd, moves), MACH_MSG_SUCCESS);
		got = receive_memory(port, odd);
		assert_int_not_equal(file_of(got), file);
		assert_true(is_filled(got, odd, 1));
		for (size_t at = odd; at % vm_page_size != 0; at++)
			assert_int_equal(got[at], 0);
		deallocate(got, odd);
		deallocate(memory, LARGE);

		/* and where the rest of the page is all that there is beside it */
		memory = allocate(LARGE);
		fill(memory, LARGE, 1);
		assert_int_equal(send_memory(port, memory, LARGE - 100, moves), MACH_MSG_SUCCESS);
		if (!moves)
			deallocate(memory, LARGE);
		got = receive_memory(port, LARGE - 100);
		assert_true(is_filled(got, LARGE - 100, 1));
		for (size_t at = LARGE - 100; at < LARGE; at++)
			assert_int_equal(got[at], 0);
		deallocate(got, LARGE);
	}
	port_end(port);
}

static void
a_part_moves_if_the_rest_is_empty(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);
	size_t part = LARGE / 2 + 100;

	(void)state;
	fill(memory, part, 1);
	assert_int_equal(send_memory(port, memory, part, true), MACH_MSG_SUCCESS);
	assert_false(is_there(memory));
	uint8_t *rest = memory + mach_vm_round_page(part);
	assert_true(is_there(rest));
	assert_int_equal(rest[0], 0);
	fill(rest, vm_page_size, 3);
	uint8_t *got = receive_memory(port, part);
	assert_int_equal(file_of(got), file);
	assert_true(is_filled(got, part, 1));
	deallocate(got, part);
	assert_true(is_filled(rest, vm_page_size, 3));
	deallocate(rest, LARGE - mach_vm_round_page(part));
	port_end(port);
}

static void
what_is_left_of_memory_still_moves(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);
	size_t quarter = LARGE / 4;

	(void)state;
	fill(memory, LARGE, 1);
	deallocate(memory, quarter);
	deallocate(memory + 3 * quarter, quarter);
	assert_int_equal(send_memory(port, memory + quarter, 2 * quarter, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, 2 * quarter);
	assert_int_equal(file_of(got), file);
	for (size_t at = 0; at < 2 * quarter; at++)
		if (got[at] != value_of((quarter + at) / vm_page_size, 1))
			fail_msg("byte %zu is wrong", at);
	deallocate(got, 2 * quarter);

	/* with a hole: both ends stay, and go */
	memory = allocate(LARGE);
	fill(memory, LARGE, 1);
	deallocate(memory + quarter, quarter);
	assert_false(is_there(memory + quarter));
	assert_true(is_filled(memory, quarter, 1));
	assert_int_equal(send_memory(port, memory, 2 * quarter, true), MACH_SEND_INVALID_MEMORY);
	assert_int_equal(send_memory(port, memory, quarter, true), MACH_MSG_SUCCESS);
	got = receive_memory(port, quarter);
	assert_true(is_filled(got, quarter, 1));
	deallocate(got, quarter);
	assert_int_equal(memory[3 * quarter], value_of(3 * quarter / vm_page_size, 1));
	deallocate(memory + 2 * quarter, 2 * quarter);
	port_end(port);
}

static void
one_piece_moves_and_the_others_go_along(void **state)
{
	mach_port_t port = port_new();
	static struct {
		mach_msg_base_t base;
		mach_msg_ool_descriptor_t memory[2];
		uint8_t tail[40000];
		mach_msg_max_trailer_t trailer;
	} message;
	const mach_msg_size_t sizes[] = { MESSAGE_SIZE(2), offsetof(typeof(message), trailer) };
	const size_t others[] = { 100, 100000, LARGE / 2 };

	(void)state;
	for (int i = 0; i < 6; i++) {
		uint8_t *memory = allocate(LARGE), *other = allocate(others[i % 3]);
		unsigned long file = file_of(memory);
		struct memory_message front = message_to(port, other, others[i % 3], true);
		struct memory_message back = message_to(port, memory, LARGE, true);

		fill(memory, LARGE, 1);
		fill(other, others[i % 3], 2);
		memcpy(&message, &front, MESSAGE_SIZE(1));
		message.memory[1] = back.memory[0];
		message.base.body.msgh_descriptor_count = 2;
		memset(message.tail, 5, sizeof(message.tail));
		assert_int_equal(
		    mach_msg(&message.base.header, MACH_SEND_MSG, sizes[i / 3], 0, 0, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_false(is_there(memory) || is_there(other));
		memset(&message, 0, sizeof(message));
		assert_int_equal(
		    mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(message.base.header.msgh_size, sizes[i / 3]);
		assert_int_equal(file_of(message.memory[1].address), file);
		assert_true(is_filled(message.memory[1].address, LARGE, 1));
		assert_true(is_filled(message.memory[0].address, others[i % 3], 2));
		if (i / 3 == 1)
			assert_int_equal(message.tail[39999], 5);
		mach_msg_destroy(&message.base.header);
	}
	port_end(port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_moves_is_not_copied),
		cmocka_unit_test(memory_is_relayed_without_a_copy_until_it_is_written),
		cmocka_unit_test(a_send_that_fails_leaves_the_memory),
		cmocka_unit_test(a_message_given_back_brings_its_memory),
		cmocka_unit_test(a_copy_is_a_snapshot_for_both),
		cmocka_unit_test(nobody_gets_what_lies_beside_the_memory_sent),
		cmocka_unit_test(a_part_moves_if_the_rest_is_empty),
		cmocka_unit_test(what_is_left_of_memory_still_moves),
		cmocka_unit_test(one_piece_moves_and_the_others_go_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
