/*
 * Attacks with carriers: memory that is none, numbers that were not given, messages that claim to
 * be where they are not, and a receiver that says what is not so.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define WORST_MS 20000
#define SIZE 65536u
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
			abort();                                                                   \
		}                                                                                  \
	} while (false)

/* What may be done for a message of @size bytes to @name; *@number: of the carrier. */
static uint64_t
find(struct raw_task *task, mach_port_name_t name, uint64_t size, uint32_t *number)
{
	MUST(raw_trap(task, 0, BERTH_TRAP_CARRIER_FIND, 3, (uint64_t)name, size, (uint64_t)0) ==
	     KERN_SUCCESS);
	const struct trap_reply *reply = &raw_slot(task, 0)->reply;
	*number = (uint32_t)reply->values[1];
	return reply->values[0];
}

/* Sends @size bytes at @offset of carrier @number to @name; @fd: -1, or a new one. */
static kern_return_t
send_by(struct raw_task *task, mach_port_name_t name, uint32_t number, int fd, uint32_t size,
	uint64_t offset)
{
	struct trap_slot *slot = raw_slot(task, 0);
	struct {
		mach_msg_base_t base;
		mach_msg_ool_descriptor_t memory;
	} __attribute__((packed, aligned(4))) message = {
		.base.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) |
					      MACH_MSGH_BITS_COMPLEX,
				 .msgh_remote_port = name },
		.base.body.msgh_descriptor_count = 1,
		.memory = { .size = size, .type = MACH_MSG_OOL_DESCRIPTOR },
	};
	const struct trap_piece_wire piece = { TRAP_PIECE_BULK, size, offset };
	const uint64_t args[] = { MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof(message) };
	const uint32_t prefix = sizeof(message);

	memcpy(slot->data, &message, prefix);
	memcpy(slot->data + ((prefix + 7) & ~7u), &piece, sizeof(piece));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.flags = TRAP_HAS_CARRIER | (fd >= 0 ? TRAP_HAS_BULK : 0);
	slot->request.carrier = number;
	slot->request.prefix_size_bytes = prefix;
	slot->request.piece_count = 1;
	slot->request.stream_size_bytes = ((prefix + 7) & ~7u) + (uint32_t)sizeof(piece);
	raw_publish(slot);
	if (fd >= 0)
		raw_ring_with(task, 0, &fd, 1);
	else
		raw_ring(task, 0);
	MUST(raw_await(slot, WORST_MS));
	return slot->reply.code;
}

/* Receives one; its tick.  *@fd: of its carrier, or -1. */
static uint32_t
receive(struct raw_task *task, mach_port_name_t name, int *fd)
{
	const struct trap_reply *reply = &raw_slot(task, 0)->reply;
	int fds[8];

	*fd = -1;
	MUST(raw_message_receive(task, 0, name, 256) == MACH_MSG_SUCCESS);
	MUST((reply->flags & TRAP_HAS_CARRIER) != 0);
	if ((reply->flags & TRAP_HAS_BULK) != 0) {
		MUST(raw_descriptors(task, fds) == 1);
		*fd = fds[0];
	}
	return reply->carrier;
}

static void
say(struct raw_task *task, uint32_t tick, uint32_t word)
{
	atomic_store(&task->doorbell->carried[TRAP_CARRIER_INDEX(tick)], word);
}

static void
lie_about_memory(const struct raw_kernel *kernel, void *context)
{
	struct raw_task task = raw_task_new(kernel);
	mach_port_name_t port = raw_port(&task, 0);
	int pipe_ends[2];
	uint32_t number, other;

	MUST(pipe(pipe_ends) == 0);
	const int bad[] = { raw_memfd(SIZE, 1, 0),
			    raw_memfd(SIZE, 1, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE),
			    raw_memfd(SIZE, 1, F_SEAL_SHRINK | F_SEAL_GROW),
			    raw_memfd(2 * TRAP_CARRIER_MAX_BYTES, 1, SEALS),
			    open("/dev/zero", O_RDWR | O_CLOEXEC),
			    pipe_ends[0] };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		MUST(find(&task, port, SIZE, &number) == BERTH_CARRIER_MAKE);
		MUST(send_by(&task, port, number, bad[i], 4096, 0) == MACH_SEND_INVALID_DATA);
		/* it was given for that message alone */
		int good = raw_memfd(SIZE, 1, SEALS);
		MUST(send_by(&task, port, number, good, 4096, 0) == MACH_SEND_INVALID_DATA);
		close(good);
		close(bad[i]);
	}
	close(pipe_ends[1]);

	int good = raw_memfd(SIZE, 1, SEALS);
	/* none: nobody receives there, nobody can, or it is too much */
	MUST(find(&task, 0, SIZE, &number) == BERTH_CARRIER_NONE);
	MUST(find(&task, 0xdeadbeef, SIZE, &number) == BERTH_CARRIER_NONE);
	MUST(find(&task, BERTH_NAME_TASK_SELF, SIZE, &number) == BERTH_CARRIER_NONE);
	MUST(find(&task, port, UINT64_MAX, &number) == BERTH_CARRIER_NONE);
	/* not given */
	for (uint32_t i = 0; i < 40; i++)
		MUST(send_by(&task, port, i == 39 ? UINT32_MAX : i, i % 2 == 0 ? good : -1, 4096,
			     0) == MACH_SEND_INVALID_DATA);
	/* not handed over */
	MUST(find(&task, port, SIZE, &number) == BERTH_CARRIER_MAKE);
	MUST(send_by(&task, port, number, -1, 4096, 0) == MACH_SEND_INVALID_DATA);
	/* beyond its end, or across */
	const struct {
		uint32_t size;
		uint64_t offset;
	} outside[] = { { SIZE + 1, 0 }, { SIZE, 4096 },
			{ 1, SIZE },     { 4096, UINT64_MAX - 4095 },
			{ 16, 8 },       { 4096, 1ull << 40 } };
	MUST(find(&task, port, SIZE, &number) == BERTH_CARRIER_MAKE);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		MUST(send_by(&task, port, number, i == 0 ? good : -1, outside[i].size,
			     outside[i].offset) == MACH_SEND_INVALID_DATA);
		MUST(find(&task, port, SIZE, &other) == BERTH_CARRIER_USE && other == number);
	}
	/* with one more */
	MUST(send_by(&task, port, number, good, 4096, 0) == MACH_SEND_INVALID_DATA);
	MUST(find(&task, port, SIZE, &other) == BERTH_CARRIER_USE && other == number);
	/* twice */
	MUST(send_by(&task, port, number, -1, 4096, 0) == MACH_MSG_SUCCESS);
	MUST(send_by(&task, port, number, -1, 4096, 0) == MACH_SEND_INVALID_DATA);
	/* by what is no message */
	MUST(find(&task, port, SIZE, &other) == BERTH_CARRIER_MAKE && other != number);
	raw_fill(raw_slot(&task, 0), BERTH_TRAP_TASK_SELF, NULL, 0);
	raw_slot(&task, 0)->request.flags = TRAP_HAS_CARRIER;
	raw_slot(&task, 0)->request.carrier = other;
	raw_publish(raw_slot(&task, 0));
	raw_ring(&task, 0);
	MUST(raw_await(raw_slot(&task, 0), WORST_MS) &&
	     raw_slot(&task, 0)->reply.code == KERN_INVALID_ARGUMENT);
	close(good);
}

static void
lies_about_memory_are_refused(void **state)
{
	attack(lie_about_memory, NULL, WORST_MS);
}

static void
lie_about_copies(const struct raw_kernel *kernel, void *context)
{
	struct raw_task task = raw_task_new(kernel);
	mach_port_name_t port = raw_port(&task, 0);
	uint32_t first, second, third;
	uint8_t byte;
	int fd, none;
	int memory = raw_memfd(SIZE, 7, SEALS);

	MUST(find(&task, port, SIZE, &first) == BERTH_CARRIER_MAKE);
	MUST(send_by(&task, port, first, memory, SIZE, 0) == MACH_MSG_SUCCESS);
	uint32_t tick = receive(&task, port, &fd);
	/* who gets it can read it, and nothing else */
	MUST(fd >= 0 && pread(fd, &byte, 1, SIZE - 1) == 1 && byte == 7);
	MUST(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	MUST(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	MUST(ftruncate(fd, 0) < 0 && ftruncate(fd, (off_t)2 * SIZE) < 0);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) < 0);

	/* it is not used again before it was copied, whatever is said of others */
	say(&task, tick, tick + TRAP_CARRIER_TICK);
	say(&task, tick + 1, UINT32_MAX);
	MUST(find(&task, port, SIZE, &second) == BERTH_CARRIER_MAKE && second != first);
	int another = raw_memfd(SIZE, 8, SEALS);
	MUST(send_by(&task, port, second, another, SIZE, 0) == MACH_MSG_SUCCESS);
	MUST(find(&task, port, SIZE, &third) == BERTH_CARRIER_NONE);
	say(&task, tick, tick);
	MUST(find(&task, port, SIZE, &third) == BERTH_CARRIER_USE && third == first);
	/* the second is copied too early: its receiver's loss */
	say(&task, 1, UINT32_MAX);
	MUST(send_by(&task, port, first, -1, SIZE, 0) == MACH_MSG_SUCCESS);
	close(fd);
	uint32_t second_tick = receive(&task, port, &fd);
	MUST(fd >= 0);
	close(fd);
	tick = receive(&task, port, &none);
	MUST(none == -1); /* it has that one */
	/* and one that it could not map is made anew */
	say(&task, second_tick, second_tick | TRAP_CARRIER_LOST);
	MUST(find(&task, port, SIZE, &third) == BERTH_CARRIER_MAKE);
	/* a message that is destroyed leaves its carrier */
	say(&task, tick, tick);
	mach_port_name_t doomed = raw_port(&task, 0);
	MUST(find(&task, doomed, SIZE, &third) == BERTH_CARRIER_USE && third == first);
	MUST(send_by(&task, doomed, first, -1, SIZE, 0) == MACH_MSG_SUCCESS);
	raw_trap(&task, 0, BERTH_TRAP_PORT_DESTROY, 2, SELF, (uint64_t)doomed);
	MUST(find(&task, port, SIZE, &third) == BERTH_CARRIER_USE && third == first);
	/* ends with one in the queue, one given, and one shown */
	MUST(send_by(&task, port, first, -1, SIZE, 0) == MACH_MSG_SUCCESS);
	close(memory);
	close(another);
}

static void
lies_about_copies_spoil_nothing_but_the_liars_own(void **state)
{
	attack(lie_about_copies, NULL, WORST_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lies_about_memory_are_refused),
		cmocka_unit_test(lies_about_copies_spoil_nothing_but_the_liars_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
