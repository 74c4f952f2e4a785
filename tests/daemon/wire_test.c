/*
 * berthd over its wire, by tasks made by hand: what a well-behaved task gets.
 * What a hostile one cannot do is in hostile_test.c.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_task.h"

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)

/* ---- messages ---------------------------------------------------------------------- */

static void
a_task_gets_its_names_and_a_message_comes_back(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);

	assert_int_equal(task.welcome.task_self, BERTH_NAME_TASK_SELF);
	assert_int_equal(task.welcome.bootstrap_port, 0);
	assert_int_equal(task.page->version, WIRE_VERSION);
	assert_true(task.page->alive & FUTEX_WAITERS);
	raw_message_ask(&task, 0, port, MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), "hello, you!",
			12);
	raw_ring(&task, 0);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	assert_int_equal(raw_message_receive(&task, 0, port, 256), MACH_MSG_SUCCESS);
	assert_int_equal(slot->reply.prefix_size_bytes, sizeof(mach_msg_header_t) + 12);
	assert_string_equal((char *)slot->data + sizeof(mach_msg_header_t), "hello, you!");
	assert_int_equal(slot->reply.values[BERTH_MSG_TRAILER], 8);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_large_message_spills_both_ways(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	uint32_t size = 1 << 20;
	int spill = raw_memfd(size, 0x5a, 0), fds[8];
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = size,
				     .msgh_remote_port = port };
	uint64_t args[] = { MACH_SEND_MSG, size };
	uint8_t *memory;

	assert_int_equal(pwrite(spill, &header, sizeof(header), 0), sizeof(header));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.flags = TRAP_HAS_SPILL;
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = size;
	raw_publish(slot);
	raw_ring_with(&task, 0, &spill, 1);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	assert_int_equal(raw_message_receive(&task, 0, port, size + 64), MACH_MSG_SUCCESS);
	assert_int_equal(slot->reply.flags, TRAP_HAS_SPILL);
	assert_int_equal(raw_descriptors(&task, fds), 1);
	memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fds[0], 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(memory[sizeof(header)], 0x5a);
	assert_int_equal(memory[size - 1], 0x5a);
	munmap(memory, size);
	close(fds[0]);
	close(spill);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* A message with one OOL descriptor whose bytes lie in @bulk at @offset. */
static void
ask_send_bulk(struct raw_task *task, mach_port_name_t port, uint32_t ool_size, uint64_t offset)
{
	struct trap_slot *slot = raw_slot(task, 0);
	struct {
		mach_msg_header_t header;
		mach_msg_body_t body;
		mach_msg_ool_descriptor_t ool;
	} message = { .header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) |
					       MACH_MSGH_BITS_COMPLEX,
				  .msgh_size = sizeof(message),
				  .msgh_remote_port = port },
		      .body = { 1 },
		      .ool = { .address = (void *)0x1000,
			       .size = ool_size,
			       .copy = MACH_MSG_VIRTUAL_COPY,
			       .type = MACH_MSG_OOL_DESCRIPTOR } };
	struct trap_piece_wire piece = { TRAP_PIECE_BULK, ool_size, offset };
	uint64_t args[] = { MACH_SEND_MSG, sizeof(message) };
	size_t table = (sizeof(message) + 7) & ~(size_t)7;

	memcpy(slot->data, &message, sizeof(message));
	memcpy(slot->data + table, &piece, sizeof(piece));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.flags = TRAP_HAS_BULK;
	slot->request.prefix_size_bytes = sizeof(message);
	slot->request.stream_size_bytes = (uint32_t)(table + sizeof(piece));
	slot->request.piece_count = 1;
	raw_publish(slot);
}

static void
bulk_memory_reaches_the_receiver_without_a_copy(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	int bulk = raw_memfd(65536, 0x42, ALL_SEALS), fds[8];
	struct trap_piece_wire piece;
	uint8_t byte;

	ask_send_bulk(&task, port, 20000, 8192);
	raw_ring_with(&task, 0, &bulk, 1);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	close(bulk);
	assert_int_equal(raw_message_receive(&task, 0, port, 256), MACH_MSG_SUCCESS);
	assert_int_equal(slot->reply.flags, TRAP_HAS_BULK);
	assert_int_equal(slot->reply.piece_count, 1);
	uint64_t table = slot->reply.prefix_size_bytes + slot->reply.values[BERTH_MSG_TRAILER];

	memcpy(&piece, slot->data + ((table + 7) & ~7ull), sizeof(piece));
	assert_int_equal(piece.kind, TRAP_PIECE_BULK);
	assert_int_equal(piece.size_bytes, 20000);
	assert_int_equal(piece.offset_bytes, 8192);
	assert_int_equal(raw_descriptors(&task, fds), 1);
	assert_int_equal(pread(fds[0], &byte, 1, 8192), 1);
	assert_int_equal(byte, 0x42);
	close(fds[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
bulk_memory_that_could_change_is_refused(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	int pipe_fds[2];

	assert_int_equal(pipe(pipe_fds), 0);
	/* sealed against all writing, but for who has it mapped already */
	int mapped = raw_memfd(65536, 1, 0);
	void *writable = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	assert_ptr_not_equal(writable, MAP_FAILED);
	assert_int_equal(fcntl(mapped, F_ADD_SEALS, ALL_SEALS), -1);
	assert_int_equal(
	    fcntl(mapped, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE), 0);
	int hostile[] = { mapped,
			  raw_memfd(65536, 1, 0),
			  raw_memfd(65536, 1, F_SEAL_SHRINK | F_SEAL_GROW),
			  raw_memfd(65536, 1, F_SEAL_WRITE),
			  pipe_fds[0],
			  open("/dev/zero", O_RDONLY | O_CLOEXEC),
			  task.socket_fd };

	for (unsigned i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		ask_send_bulk(&task, port, 20000, 0);
		raw_ring_with(&task, 0, &hostile[i], 1);
		assert_true(raw_await(slot, 5000));
		assert_int_equal(slot->reply.code, MACH_SEND_INVALID_DATA);
	}
	for (unsigned i = 0; i < 6; i++)
		close(hostile[i]);
	munmap(writable, 65536);
	close(pipe_fds[1]);

	int bulk = raw_memfd(65536, 1, ALL_SEALS);

	ask_send_bulk(&task, port, 20000, 1); /* not on a page */
	raw_ring_with(&task, 0, &bulk, 1);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_SEND_INVALID_DATA);
	ask_send_bulk(&task, port, 20000, 61440); /* beyond the end */
	raw_ring_with(&task, 0, &bulk, 1);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_SEND_INVALID_DATA);
	ask_send_bulk(&task, port, 20000, 0); /* promised, not passed */
	raw_ring_with(&task, 0, NULL, 0);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_SEND_INVALID_DATA);
	close(bulk);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- blocking ---------------------------------------------------------------------- */

static void
a_blocked_receive_is_interrupted_once_it_is_asked_to(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	uint64_t args[] = { MACH_RCV_MSG, 0, 256, port };

	raw_ask(slot, BERTH_TRAP_MSG, args, 4);
	raw_ring(&task, 0);
	assert_false(raw_await(slot, 50));
	atomic_store(&slot->cancel, 1);
	raw_ring(&task, 0);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_RCV_INTERRUPTED);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_timeout_comes_in_time(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	mach_port_name_t port = raw_port(&task, 0);
	uint64_t begin_ns = wait_now_ns();

	assert_int_equal(raw_trap(&task, 0, BERTH_TRAP_MSG, 5,
				  (uint64_t)(MACH_RCV_MSG | MACH_RCV_TIMEOUT), (uint64_t)0,
				  (uint64_t)256, (uint64_t)port, (uint64_t)30),
			 MACH_RCV_TIMED_OUT);
	uint64_t ms = (wait_now_ns() - begin_ns) / 1000000;

	assert_in_range(ms, 30, 2000);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_message_wakes_a_thread_that_receives(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint32_t other = raw_thread_new(&task, WIRE_NO_SLOT);
	mach_port_name_t port = raw_port(&task, 0);
	uint64_t args[] = { MACH_RCV_MSG, 0, 256, port };

	for (int i = 0; i < 2000; i++) {
		raw_ask(raw_slot(&task, other), BERTH_TRAP_MSG, args, 4);
		raw_ring(&task, other);
		raw_message_ask(&task, 0, port, MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), "abc",
				4);
		raw_ring(&task, 0);
		assert_true(raw_await(raw_slot(&task, 0), 5000));
		assert_true(raw_await(raw_slot(&task, other), 5000));
		assert_int_equal(raw_slot(&task, other)->reply.code, MACH_MSG_SUCCESS);
	}
	raw_thread_exit(&task, other);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
an_answer_says_whether_it_had_to_be_waited_for(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint32_t other = raw_thread_new(&task, WIRE_NO_SLOT);
	mach_port_name_t port = raw_port(&task, 0);
	uint64_t args[] = { MACH_RCV_MSG, 0, 256, port };

	raw_ask(raw_slot(&task, other), BERTH_TRAP_MSG, args, 4);
	raw_ring(&task, other);
	raw_port(&task, 0); /* two traps later the kernel has taken the one before them */
	for (int i = 0; i < 2; i++) {
		raw_message_ask(&task, 0, port, MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), "abc",
				4);
		raw_ring(&task, 0);
		assert_true(raw_await(raw_slot(&task, 0), 5000));
		assert_false(raw_slot(&task, 0)->reply.flags & TRAP_HAS_WAITED);
	}
	assert_true(raw_await(raw_slot(&task, other), 5000));
	assert_true(raw_slot(&task, other)->reply.flags & TRAP_HAS_WAITED);
	assert_int_equal(raw_message_receive(&task, other, port, 256), MACH_MSG_SUCCESS);
	assert_false(raw_slot(&task, other)->reply.flags & TRAP_HAS_WAITED);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
threads_come_and_go_by_the_hundred(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint32_t slots[200];

	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 200; i++) {
			slots[i] = raw_thread_new(&task, WIRE_NO_SLOT);
			assert_int_not_equal(slots[i], WIRE_NO_SLOT);
			raw_port(&task, slots[i]);
		}
		uint32_t nested = raw_thread_new(&task, slots[7]);

		assert_int_equal(raw_trap(&task, nested, BERTH_TRAP_THREAD_SELF, 0), KERN_SUCCESS);
		for (unsigned i = 0; i < 200; i++)
			raw_thread_exit(&task, slots[i]); /* nested ends with its outer one */
	}
	/* blocked while it ends */
	uint32_t blocked = raw_thread_new(&task, WIRE_NO_SLOT);
	uint64_t args[] = { MACH_RCV_MSG, 0, 256, raw_port(&task, 0) };

	raw_ask(raw_slot(&task, blocked), BERTH_TRAP_MSG, args, 4);
	raw_ring(&task, blocked);
	assert_false(raw_await(raw_slot(&task, blocked), 30));
	raw_thread_exit(&task, blocked);
	raw_port(&task, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- watches ----------------------------------------------------------------------- */

static bool
readable(int fd, int ms)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	return poll(&look, 1, ms) == 1;
}

static void
a_watched_port_is_readable_while_a_message_waits(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	int fds[8];

	assert_int_equal(raw_trap(&task, 0, BERTH_TRAP_PORT_WATCH, 1, (uint64_t)port),
			 KERN_SUCCESS);
	assert_int_equal(slot->reply.flags, TRAP_HAS_EVENT);
	assert_int_equal(raw_descriptors(&task, fds), 1);
	assert_false(readable(fds[0], 0));
	for (int i = 0; i < 3; i++) {
		raw_message_ask(&task, 0, port, MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), "abc",
				4);
		raw_ring(&task, 0);
		assert_true(raw_await(slot, 5000));
		assert_true(readable(fds[0], 2000));
		assert_int_equal(raw_message_receive(&task, 0, port, 256), MACH_MSG_SUCCESS);
		for (int wait = 0; wait < 1000 && readable(fds[0], 0); wait++)
			poll(NULL, 0, 1);
		assert_false(readable(fds[0], 0));
	}
	assert_int_equal(raw_trap(&task, 0, BERTH_TRAP_PORT_DESTROY, 2, SELF, (uint64_t)port),
			 KERN_SUCCESS);
	assert_true(readable(fds[0], 2000));
	close(fds[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- many -------------------------------------------------------------------------- */

static void
hundreds_of_tasks_are_served(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	static struct raw_task tasks[300];

	for (unsigned i = 0; i < 300; i++)
		tasks[i] = raw_task_new(&kernel);
	for (int round = 0; round < 5; round++)
		for (unsigned i = 0; i < 300; i++)
			raw_port(&tasks[i], 0);
	for (unsigned i = 0; i < 300; i++)
		raw_task_free(&tasks[i]);
	raw_kernel_end(&kernel);
}

static void
an_idle_kernel_uses_no_cpu(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	char path[64], text[512];
	unsigned long before[2], after[2];

	raw_port(&task, 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)kernel.pid);
	usleep(100000);
	for (int i = 0; i < 2; i++) {
		unsigned long *times = i == 0 ? before : after;
		FILE *file = fopen(path, "r");

		assert_non_null(file);
		assert_non_null(fgets(text, sizeof(text), file));
		fclose(file);
		assert_int_equal(sscanf(strrchr(text, ')'),
					") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
					&times[0], &times[1]),
				 2);
		if (i == 0)
			usleep(1000000);
	}
	assert_in_range(after[0] + after[1] - before[0] - before[1], 0, 2); /* of 100 ticks */
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_gets_its_names_and_a_message_comes_back),
		cmocka_unit_test(a_large_message_spills_both_ways),
		cmocka_unit_test(bulk_memory_reaches_the_receiver_without_a_copy),
		cmocka_unit_test(bulk_memory_that_could_change_is_refused),
		cmocka_unit_test(a_blocked_receive_is_interrupted_once_it_is_asked_to),
		cmocka_unit_test(a_timeout_comes_in_time),
		cmocka_unit_test(a_message_wakes_a_thread_that_receives),
		cmocka_unit_test(an_answer_says_whether_it_had_to_be_waited_for),
		cmocka_unit_test(threads_come_and_go_by_the_hundred),
		cmocka_unit_test(a_watched_port_is_readable_while_a_message_waits),
		cmocka_unit_test(hundreds_of_tasks_are_served),
		cmocka_unit_test(an_idle_kernel_uses_no_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
