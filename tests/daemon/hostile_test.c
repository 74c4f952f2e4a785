/*
 * berthd over its wire: what a hostile task cannot do, and what everybody sees when somebody dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_task.h"

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)

static void
nonsense_in_a_request_is_refused_and_nothing_else(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	unsigned seed = 4711;

	for (int i = 0; i < 20000; i++) {
		uint32_t extremes[] = { 0,
					1,
					7,
					8,
					24,
					0x7fffffff,
					0x80000000,
					0xfffffff8,
					0xffffffff,
					TRAP_DATA_SIZE,
					TRAP_DATA_SIZE + 1,
					(uint32_t)rand_r(&seed) };
		uint64_t args[TRAP_ARG_COUNT];

		for (unsigned j = 0; j < TRAP_ARG_COUNT; j++)
			args[j] = extremes[(unsigned)rand_r(&seed) % 12];
		args[1] = args[1] % 3 == 0 ? args[1] : SELF;
		raw_fill(slot, (uint32_t)rand_r(&seed) % (BERTH_TRAP_LIMIT + 4), args,
			 TRAP_ARG_COUNT);
		/* nothing that blocks: time-outs of 0 */
		if (slot->request.number == BERTH_TRAP_MSG) {
			slot->request.args[0] |= MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT;
			slot->request.args[4] = 0;
		}
		slot->request.flags = rand_r(&seed) % 2 ? 0 : TRAP_HAS_TAIL;
		slot->request.stream_size_bytes = extremes[(unsigned)rand_r(&seed) % 12];
		slot->request.prefix_size_bytes = extremes[(unsigned)rand_r(&seed) % 12];
		slot->request.piece_count = extremes[(unsigned)rand_r(&seed) % 12];
		for (unsigned j = 0; j < 64; j++)
			slot->data[j] = (uint8_t)rand_r(&seed);
		raw_publish(slot);
		raw_ring(&task, 0);
		assert_true(raw_await(slot, 5000));
		if (slot->reply.flags & TRAP_HAS_EVENT) {
			int fds[8];

			raw_descriptors(&task, fds);
			close(fds[0]);
		}
	}
	raw_port(&task, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
nonsense_on_the_socket_drops_its_sender_only(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task good = raw_task_new(&kernel);
	unsigned before = raw_kernel_descriptors(&kernel), seed = 1;
	uint8_t bytes[4096];

	for (int i = 0; i < 300; i++) {
		int fd = raw_connect(&kernel);
		struct wire_head *head = (struct wire_head *)(void *)bytes;
		int passed[3] = { fd, fd, good.event_fd };

		for (unsigned j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)rand_r(&seed);
		size_t size = (size_t)rand_r(&seed) % sizeof(bytes);

		if (i % 3 != 0) {
			size = 8 + (size_t)rand_r(&seed) % 40;
			head->kind = (uint32_t)rand_r(&seed) % 100;
			head->size_bytes = (uint32_t)size;
		}
		if (i % 2 == 0) {
			struct raw_task task = raw_task_greet(fd, WIRE_HELLO);

			for (int j = 0; j < 20; j++)
				raw_send(fd, bytes, size, passed, (unsigned)j % 4);
			raw_task_free(&task);
		} else {
			raw_send(fd, bytes, size, passed, (unsigned)i % 4);
			close(fd);
		}
	}
	raw_port(&good, 0);
	/* this process lives on: what it would keep over an exec holds one descriptor */
	for (int wait = 0; wait < 500 && raw_kernel_descriptors(&kernel) > before + 1; wait++)
		poll(NULL, 0, 2);
	assert_in_range(raw_kernel_descriptors(&kernel), 0, before + 1);
	raw_task_free(&good);
	raw_kernel_end(&kernel);
}

static void
bells_for_slots_that_are_none_are_ignored(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint64_t one = 1;

	for (unsigned i = 0; i < TRAP_SEGMENT_MAX; i++)
		atomic_store(&task.doorbell->bells[i], UINT64_MAX);
	for (unsigned i = 0; i < DOORBELL_SUMMARY_WORDS; i++)
		atomic_store(&task.doorbell->summary[i], UINT64_MAX);
	assert_int_equal(write(task.event_fd, &one, sizeof(one)), sizeof(one));
	raw_port(&task, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* A child that writes into its shared memory as fast as it can while it asks. */
static void
shared_memory_that_changes_meanwhile_harms_nobody(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	pid_t child = fork();

	if (child == 0) {
		unsigned seed = 99;

		for (;;) {
			uint32_t word = (uint32_t)rand_r(&seed) % 64;

			((volatile uint32_t *)(void *)slot->data)[word] = (uint32_t)rand_r(&seed);
			((volatile uint32_t *)(void *)&slot->request)[2 + word % 3] =
			    (uint32_t)rand_r(&seed) % 512;
		}
	}
	for (int i = 0; i < 20000; i++) {
		uint8_t body[200] = { 0 };

		raw_message_ask(&task, 0, port, MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), body,
				sizeof(body));
		slot->request.args[0] |= MACH_SEND_TIMEOUT;
		slot->request.piece_count = (uint32_t)i % 3;
		raw_ring(&task, 0);
		assert_true(raw_await(slot, 5000));
		if (i % 4 == 3)
			raw_message_receive(&task, 0, port, 256);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_task_that_is_killed_anywhere_leaves_nothing(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task good = raw_task_new(&kernel);
	mach_port_name_t name;

	for (int i = 0; i < 60; i++) {
		pid_t child = fork();

		if (child == 0) {
			struct raw_task task = raw_task_new(&kernel);

			for (;;) {
				name = raw_port(&task, 0);
				raw_message_ask(&task, 0, name,
						MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), "xyz",
						4);
				raw_ring(&task, 0);
				raw_await(raw_slot(&task, 0), 5000);
				raw_thread_new(&task, WIRE_NO_SLOT);
			}
		}
		usleep((useconds_t)(i * 300));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		raw_port(&good, 0);
	}
	raw_task_free(&good);
	raw_kernel_end(&kernel);
}

static void
a_task_that_does_not_read_its_socket_stops_only_itself(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task good = raw_task_new(&kernel), bad = raw_task_new(&kernel);
	struct wire_thread ask = { { WIRE_THREAD, sizeof(ask) }, WIRE_NO_SLOT, 1 };
	int flags = fcntl(bad.socket_fd, F_GETFL);

	/* each is answered, and no answer is read */
	fcntl(bad.socket_fd, F_SETFL, flags | O_NONBLOCK);
	for (int i = 0; i < 20000; i++)
		raw_send(bad.socket_fd, &ask, sizeof(ask), NULL, 0);
	for (int i = 0; i < 100; i++)
		raw_port(&good, 0);
	raw_task_free(&bad);
	raw_port(&good, 0);
	raw_task_free(&good);
	raw_kernel_end(&kernel);
}

static void
when_the_kernel_is_killed_its_sleepers_wake(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	uint32_t alive = atomic_load(&task.page->alive);
	uint64_t args[] = { MACH_RCV_MSG, 0, 256, raw_port(&task, 0) };
	pid_t killer;

	raw_ask(slot, BERTH_TRAP_MSG, args, 4);
	raw_ring(&task, 0);
	killer = fork();
	if (killer == 0) {
		usleep(50000);
		kill(kernel.pid, SIGKILL);
		_exit(0);
	}
	while (atomic_load(&task.page->alive) == alive)
		assert_int_not_equal(wait_futex_either(&slot->state, TRAP_ASKED, &task.page->alive,
						       alive, wait_now_ns() + 5000000000u),
				     -ETIMEDOUT);
	assert_true(atomic_load(&task.page->alive) & FUTEX_OWNER_DIED);
	assert_int_equal(atomic_load(&slot->state), TRAP_ASKED);
	waitpid(killer, NULL, 0);
	waitpid(kernel.pid, NULL, 0);
	close(kernel.control_fd);
	unlink(kernel.path);
	rmdir(kernel.folder);
	raw_task_free(&task);
}

static void
the_kernel_page_cannot_be_written(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int fd = raw_connect(&kernel), fds[8];
	struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
	struct wire_welcome welcome;
	unsigned fd_count;

	raw_send(fd, &hello, sizeof(hello), NULL, 0);
	raw_receive(fd, &welcome, sizeof(welcome), fds, &fd_count);
	assert_int_equal(fd_count, 3);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0),
			 MAP_FAILED);
	assert_int_equal(write(fds[1], "x", 1), -1);
	assert_int_equal(ftruncate(fds[1], 0), -1);
	assert_int_equal(ftruncate(fds[0], 0), -1);
	assert_int_equal(fcntl(fds[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
	for (unsigned i = 0; i < fd_count; i++)
		close(fds[i]);
	close(fd);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nonsense_in_a_request_is_refused_and_nothing_else),
		cmocka_unit_test(nonsense_on_the_socket_drops_its_sender_only),
		cmocka_unit_test(bells_for_slots_that_are_none_are_ignored),
		cmocka_unit_test(shared_memory_that_changes_meanwhile_harms_nobody),
		cmocka_unit_test(a_task_that_is_killed_anywhere_leaves_nothing),
		cmocka_unit_test(a_task_that_does_not_read_its_socket_stops_only_itself),
		cmocka_unit_test(when_the_kernel_is_killed_its_sleepers_wake),
		cmocka_unit_test(the_kernel_page_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
