/*
 * A message on its way out: what of it goes where, and what a malformed one gives.
 */
#include "client/outgoing.h"

#include "wire/trap_page.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t stream[TRAP_DATA_SIZE];

/* A message of @size bytes with @count OOL descriptors of @ool_size bytes, and ours to free. */
static mach_msg_base_t *
message_new(uint32_t size, uint32_t count, void *memory, uint32_t ool_size)
{
	mach_msg_base_t *message = calloc(1, size);
	mach_msg_ool_descriptor_t *at = (mach_msg_ool_descriptor_t *)(message + 1);

	assert_non_null(message);
	memset(message + 1, 0x5a, size - sizeof(*message));
	message->header.msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSG_TYPE_COPY_SEND;
	message->body.msgh_descriptor_count = count;
	for (uint32_t i = 0; i < count; i++)
		at[i] = (mach_msg_ool_descriptor_t){
			.address = memory,
			.size = ool_size,
			.type = MACH_MSG_OOL_DESCRIPTOR,
		};
	return message;
}

static mach_msg_return_t
begin(struct outgoing *out, const void *message, uint32_t size)
{
	return outgoing_begin(out, message, size, stream, sizeof(stream), NULL);
}

static struct trap_piece_wire
piece(const uint8_t *from, const struct outgoing *out, uint32_t index)
{
	struct trap_piece_wire wire;

	memcpy(&wire, from + ((out->prefix_size + 7u) & ~7u) + index * sizeof(wire), sizeof(wire));
	return wire;
}

static void
assert_sealed(int fd)
{
	assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void
a_small_message_is_copied_as_it_is(void **state)
{
	mach_msg_header_t message = { .msgh_bits = MACH_MSG_TYPE_COPY_SEND, .msgh_id = 7 };
	struct outgoing out;

	(void)state;
	assert_int_equal(begin(&out, &message, sizeof(message)), MACH_MSG_SUCCESS);
	assert_int_equal(out.prefix_size, sizeof(message));
	assert_int_equal(out.stream_size, sizeof(message));
	assert_int_equal(out.piece_count, 0);
	assert_int_equal(out.flags, 0);
	assert_memory_equal(stream, &message, sizeof(message));
	outgoing_end(&out);
}

static void
sizes_that_no_message_has_are_refused(void **state)
{
	mach_msg_base_t message = { .header.msgh_bits = MACH_MSGH_BITS_COMPLEX };
	struct outgoing out;

	(void)state;
	assert_int_equal(begin(&out, &message, 20), MACH_SEND_MSG_TOO_SMALL);
	assert_int_equal(begin(&out, &message, 26), MACH_SEND_MSG_TOO_SMALL);
	assert_int_equal(begin(&out, &message, 50331584), MACH_SEND_TOO_LARGE);
	assert_int_equal(begin(&out, &message, 24), MACH_SEND_MSG_TOO_SMALL); /* no body */
	message.body.msgh_descriptor_count = 1;
	assert_int_equal(begin(&out, &message, 28), MACH_SEND_MSG_TOO_SMALL);
	message.body.msgh_descriptor_count = 0xffffffff;
	assert_int_equal(begin(&out, &message, 28), MACH_SEND_MSG_TOO_SMALL);
	outgoing_end(&out);
}

static void
a_large_message_has_a_tail_in_bulk(void **state)
{
	uint32_t size = 100000;
	uint8_t *message = malloc(size);
	uint8_t *back = malloc(size);
	struct outgoing out;

	(void)state;
	for (uint32_t i = 0; i < size; i++)
		message[i] = (uint8_t)(i * 7);
	memset(message, 0, sizeof(mach_msg_header_t));
	assert_int_equal(begin(&out, message, size), MACH_MSG_SUCCESS);
	assert_int_equal(out.flags, TRAP_HAS_BULK | TRAP_HAS_TAIL);
	assert_int_equal(out.prefix_size, sizeof(mach_msg_header_t));
	assert_int_equal(out.piece_count, 1);
	struct trap_piece_wire tail = piece(stream, &out, 0);
	assert_int_equal(tail.kind, TRAP_PIECE_BULK);
	assert_int_equal(tail.size_bytes, size - out.prefix_size);
	assert_sealed(out.bulk_fd);
	assert_int_equal(pread(out.bulk_fd, back, tail.size_bytes, (off_t)tail.offset_bytes),
			 tail.size_bytes);
	assert_memory_equal(back, message + out.prefix_size, tail.size_bytes);
	outgoing_end(&out);
	free(message);
	free(back);
}

static void
little_memory_rides_in_the_stream_and_much_in_bulk(void **state)
{
	uint8_t memory[TRAP_INLINE_OOL_MAX + 1];
	struct outgoing out;

	(void)state;
	memset(memory, 0x77, sizeof(memory));
	mach_msg_base_t *message = message_new(28 + 16, 1, memory, TRAP_INLINE_OOL_MAX);
	assert_int_equal(begin(&out, message, 44), MACH_MSG_SUCCESS);
	assert_int_equal(out.flags, 0);
	struct trap_piece_wire only = piece(stream, &out, 0);
	assert_int_equal(only.kind, TRAP_PIECE_STREAM);
	assert_int_equal(only.offset_bytes % 8, 0);
	assert_memory_equal(stream + only.offset_bytes, memory, TRAP_INLINE_OOL_MAX);
	assert_int_equal(out.stream_size, only.offset_bytes + TRAP_INLINE_OOL_MAX);
	outgoing_end(&out);
	free(message);

	message = message_new(28 + 16, 1, memory, sizeof(memory));
	assert_int_equal(begin(&out, message, 44), MACH_MSG_SUCCESS);
	assert_int_equal(out.flags, TRAP_HAS_BULK);
	assert_int_equal(piece(stream, &out, 0).kind, TRAP_PIECE_BULK);
	assert_sealed(out.bulk_fd);
	outgoing_end(&out);
	free(message);
}

static void
bulk_pieces_begin_at_pages(void **state)
{
	uint8_t memory[5000] = { 1 };
	struct outgoing out;
	mach_msg_base_t *message = message_new(28 + 16 * 3, 3, memory, sizeof(memory));

	(void)state;
	assert_int_equal(begin(&out, message, 28 + 16 * 3), MACH_MSG_SUCCESS);
	assert_int_equal(out.piece_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(piece(stream, &out, i).offset_bytes, i * 8192);
	outgoing_end(&out);
	free(message);
}

static void
memory_that_is_not_there_is_told_as_such(void **state)
{
	static const uint32_t sizes[] = { 8, 100000 };
	struct outgoing out;

	(void)state;
	for (int i = 0; i < 2; i++) {
		mach_msg_base_t *message = message_new(44, 1, (void *)16, sizes[i]);
		assert_int_equal(begin(&out, message, 44), MACH_MSG_SUCCESS);
		assert_int_equal(out.piece_count, 1);
		assert_int_equal(piece(stream, &out, 0).kind, TRAP_PIECE_UNREADABLE);
		assert_int_equal(piece(stream, &out, 0).size_bytes, sizes[i]);
		outgoing_end(&out);
		free(message);
	}
}

static void
a_message_that_ends_in_no_memory_is_refused_in_order(void **state)
{
	uint8_t *pages =
	    mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mach_msg_base_t *message = (mach_msg_base_t *)(pages + 4096 - sizeof(mach_msg_base_t));
	struct outgoing out;

	(void)state;
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	message->header.msgh_bits = MACH_MSGH_BITS_COMPLEX;
	message->body.msgh_descriptor_count = 1;
	/* the count is looked at before the rest is missed */
	assert_int_equal(begin(&out, message, 36), MACH_SEND_MSG_TOO_SMALL);
	assert_int_equal(begin(&out, message, 40), MACH_SEND_INVALID_DATA);
	/* and a page missing in the middle of a large one */
	assert_int_equal(begin(&out, message, 100000), MACH_SEND_INVALID_DATA);
	outgoing_end(&out);
	munmap(pages, 8192);
}

static void
malformed_descriptors_go_to_the_kernel_without_memory(void **state)
{
	uint8_t memory[16] = { 0 };
	struct outgoing out;
	static const uint32_t sizes[] = { 28 + 16 * 3, 20000 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		mach_msg_base_t *message = message_new(sizes[i], 3, memory, sizeof(memory));
		((mach_msg_ool_descriptor_t *)(message + 1))[1].type = 9;
		assert_int_equal(begin(&out, message, sizes[i]), MACH_MSG_SUCCESS);
		/* up to the bad one, at least */
		assert_true(out.prefix_size >= 28 + 32);
		assert_memory_equal(stream, message, 28 + 32);
		assert_int_equal(out.piece_count, (out.flags & TRAP_HAS_TAIL) != 0 ? 1 : 0);
		assert_int_equal(out.region_count, 0);
		outgoing_end(&out);
		free(message);
	}
	/* the last one overruns the message */
	mach_msg_base_t *message = message_new(28 + 16, 1, memory, sizeof(memory));
	assert_int_equal(begin(&out, message, 28 + 12), MACH_MSG_SUCCESS);
	assert_int_equal(out.prefix_size, 28 + 12);
	assert_int_equal(out.piece_count, 0);
	outgoing_end(&out);
	free(message);
}

static void
very_many_descriptors_spill_the_stream(void **state)
{
	static const uint32_t counts[] = { 600, 990, 5000 };
	uint8_t memory[8] = { 3 };
	struct outgoing out;

	(void)state;
	for (int i = 0; i < 3; i++) {
		uint32_t size = 28 + 16 * counts[i] + 4000;
		mach_msg_base_t *message = message_new(size, counts[i], memory, sizeof(memory));
		assert_int_equal(begin(&out, message, size), MACH_MSG_SUCCESS);
		assert_int_equal(out.flags, TRAP_HAS_SPILL | TRAP_HAS_BULK | TRAP_HAS_TAIL);
		assert_int_equal(out.prefix_size, 28 + 16 * counts[i]);
		assert_int_equal(out.piece_count, counts[i] + 1);
		assert_sealed(out.spill_fd);
		assert_sealed(out.bulk_fd);
		struct stat status;
		assert_int_equal(fstat(out.spill_fd, &status), 0);
		assert_true(status.st_size >= out.stream_size);
		uint8_t *back = malloc(out.stream_size);
		assert_int_equal(pread(out.spill_fd, back, out.stream_size, 0), out.stream_size);
		assert_memory_equal(back, message, out.prefix_size);
		assert_int_equal(piece(back, &out, 0).size_bytes, 4000);
		for (uint32_t j = 1; j <= counts[i]; j++)
			assert_int_equal(piece(back, &out, j).size_bytes, sizeof(memory));
		free(back);
		outgoing_end(&out);
		free(message);
	}
}

static void
memory_to_deallocate_goes_for_captured_descriptors_only(void **state)
{
	uint8_t *pages[20];
	struct outgoing out;
	unsigned char there;
	mach_msg_base_t *message = message_new(28 + 16 * 20, 20, NULL, 4096);
	mach_msg_ool_descriptor_t *at = (mach_msg_ool_descriptor_t *)(message + 1);

	(void)state;
	for (int i = 0; i < 20; i++) {
		pages[i] =
		    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		at[i].address = pages[i] + 100; /* whole pages go that a piece touches */
		at[i].size = 200;
		at[i].deallocate = i % 2;
	}
	assert_int_equal(begin(&out, message, 28 + 16 * 20), MACH_MSG_SUCCESS);
	assert_int_equal(out.region_count, 10);
	outgoing_release(&out, 18);
	for (int i = 0; i < 20; i++)
		assert_int_equal(mincore(pages[i], 4096, &there) != 0, i % 2 == 1 && i < 18);
	outgoing_end(&out);
	for (int i = 0; i < 20; i++)
		munmap(pages[i], 4096);
	free(message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_message_is_copied_as_it_is),
		cmocka_unit_test(sizes_that_no_message_has_are_refused),
		cmocka_unit_test(a_large_message_has_a_tail_in_bulk),
		cmocka_unit_test(little_memory_rides_in_the_stream_and_much_in_bulk),
		cmocka_unit_test(bulk_pieces_begin_at_pages),
		cmocka_unit_test(memory_that_is_not_there_is_told_as_such),
		cmocka_unit_test(a_message_that_ends_in_no_memory_is_refused_in_order),
		cmocka_unit_test(malformed_descriptors_go_to_the_kernel_without_memory),
		cmocka_unit_test(very_many_descriptors_spill_the_stream),
		cmocka_unit_test(memory_to_deallocate_goes_for_captured_descriptors_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
