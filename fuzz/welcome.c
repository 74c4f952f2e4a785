/*
 * Fuzzing of what the library believes of its kernel: any messages, with any descriptors, as the
 * answers to its greeting and to what it asks afterwards.  The library may fail; it may not
 * crash, wait for ever, or keep a descriptor.
 *
 * The answers are on the socket before the library asks, so there is no other side.  Input: how
 * many belong to the greeting, then each: kind, size, descriptors, words.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mach/mach_init.h>

#include "client/connection.h"
#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "wire/kext.h"
#include "wire/socket.h"

#define MESSAGES_MAX 24u
#define MESSAGE_MAX 512u
#define DESCRIPTORS_MAX 4u
#define DESCRIPTORS_LOOKED_AT 1024
#define SEGMENT_BYTES ((uint32_t)(TRAP_SLOT_SIZE * TRAP_SEGMENT_SLOTS))

static _Noreturn void
broken(const char *what, int line)
{
	printf("fuzz/welcome.c:%d: not so: %s\n", line, what);
	fflush(stdout);
	abort();
}

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

/* ---- answers --------------------------------------------------------------------------- */

static int
some_descriptor(uint8_t what)
{
	static const uint32_t sizes[] = { sizeof(struct doorbell) + SEGMENT_BYTES, SEGMENT_BYTES,
					  sizeof(struct kernel_page), 0 };
	int fd, ends[2];

	switch (what % 6) {
	default: /* memory as it should be, or too little of it */
		fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		must(fd >= 0 && ftruncate(fd, sizes[what % 6]) == 0);
		return fd;
	case 4:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 5:
		must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
		close(ends[0]);
		return ends[1];
	}
}

static uint32_t
some_word(struct input *input)
{
	uint8_t how = take_byte(input);

	return how < 128 ? how : how == 255 ? UINT32_MAX : (uint32_t)take_word(input, 4);
}

/* One message into @fd; false: there is no room. */
static bool
answer(int fd, struct input *input)
{
	static const struct {
		uint32_t kind, size_bytes;
	} kinds[] = {
		{ WIRE_WELCOME, sizeof(struct wire_welcome) },
		{ WIRE_SLOT, sizeof(struct wire_slot) },
		{ WIRE_DESCRIPTORS, sizeof(struct wire_descriptors) },
		{ WIRE_CHILD, sizeof(struct wire_head) },
		{ WIRE_REFUSED, sizeof(struct wire_refused) },
		{ WIRE_WAKER_IS, sizeof(struct wire_slot) },
		{ WIRE_SYSTEM_ANSWER, sizeof(struct wire_system_answer) },
	};
	static _Alignas(8) uint32_t words[MESSAGE_MAX / 4];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
	} control = { 0 };
	uint8_t kind = take_byte(input), size = take_byte(input),
		count = take_byte(input) % (DESCRIPTORS_MAX + 1);
	struct wire_head head = { .kind = kind };
	int fds[DESCRIPTORS_MAX];
	struct iovec vector = { .iov_base = words };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (kind < 224) {
		head.kind = kinds[kind % (sizeof(kinds) / sizeof(kinds[0]))].kind;
		head.size_bytes = kinds[kind % (sizeof(kinds) / sizeof(kinds[0]))].size_bytes;
	}
	if (size != 0)
		head.size_bytes = size * 2u;
	for (uint32_t i = 0; i < count; i++)
		must((fds[i] = some_descriptor(take_byte(input))) >= 0);
	for (uint32_t i = 2; i < (head.size_bytes + 3) / 4; i++)
		words[i] = some_word(input);
	memcpy(words, &head, sizeof(head));
	vector.iov_len = kind == 223 ? head.size_bytes / 2 : head.size_bytes;
	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * count);
	}
	bool sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	for (uint32_t i = 0; i < count; i++)
		close(fds[i]);
	return sent;
}

/* ---- the library ----------------------------------------------------------------------- */

static void
close_all(const int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		close(fds[i]);
}

/* A slot that the library believes in is memory that it can use. */
static void
use_slot(uint32_t index)
{
	struct trap_slot *slot = connection_slot(index);

	atomic_fetch_add(&slot->cancel, 0);
	slot->data[TRAP_DATA_SIZE - 1]++;
	connection_mail(index)->sequence++;
}

static void
ask_everything(struct input *input)
{
	struct wire_system system = { { WIRE_SYSTEM, sizeof(system) }, 0 };
	struct wire_system_answer told;
	uint32_t slots[MESSAGES_MAX], slot_count = 0;
	sigset_t signals;
	int fds[3], fd;

	atomic_fetch_add(&connection.doorbell->bells[0], 0);
	must(connection.kernel_page->version < UINT32_MAX);
	connection_lock(&signals);
	for (uint32_t i = 0; i < MESSAGES_MAX && connection.state == CONNECTION_READY; i++) {
		uint8_t what = take_byte(input);
		uint32_t slot = slot_count > 0 ? slots[what % slot_count] : 0;

		if (slot_count == 0 || what % 5 == 0) {
			slot = connection_slot_ask(slot_count > 0 ? slot : WIRE_NO_SLOT);
			if (slot == WIRE_NO_SLOT)
				continue;
			slots[slot_count++] = slot;
			use_slot(slot);
		} else if (what % 5 == 1) {
			close_all(fds, connection_mail_fetch(slot, what / 5, fds));
		} else if (what % 5 == 2) {
			connection_waker_drop(slot);
			connection_waker_ask(slot);
		} else if (what % 5 == 3) {
			if (connection_system(&system, NULL, 0, &told, &fd) == 0 && fd >= 0)
				close(fd);
		} else {
			fd = connection_fork();
			if (fd >= 0)
				close(fd);
		}
	}
	connection_unlock(&signals);
}

/* ---- a run ----------------------------------------------------------------------------- */

static int
count_descriptors(void)
{
	static struct pollfd all[DESCRIPTORS_LOOKED_AT];
	int count = DESCRIPTORS_LOOKED_AT;

	for (int i = 0; i < DESCRIPTORS_LOOKED_AT; i++)
		all[i] = (struct pollfd){ .fd = i };
	poll(all, DESCRIPTORS_LOOKED_AT, 0);
	for (int i = 0; i < DESCRIPTORS_LOOKED_AT; i++)
		count -= (all[i].revents & POLLNVAL) != 0;
	return count;
}

/* What a child need not do, because it inherits no mappings. */
static void
unmap(void)
{
	for (uint32_t i = 0; i < TRAP_SEGMENT_MAX; i++)
		if (connection.segments[i] != NULL && i > 0)
			munmap(connection.segments[i], SEGMENT_BYTES);
	if (connection.doorbell != NULL)
		munmap(connection.doorbell, sizeof(struct doorbell) + SEGMENT_BYTES);
	if (connection.kernel_page != NULL)
		munmap((void *)(uintptr_t)connection.kernel_page, sizeof(struct kernel_page));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	int before = count_descriptors(), ends[2];
	char number[16];
	struct input order = { bytes, bytes + size };

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	for (uint32_t i = 0; i < MESSAGES_MAX && input.at < input.end; i++)
		if (!answer(ends[1], &input))
			break;
	shutdown(ends[1], SHUT_WR);
	/* as berthd hands it to its first task */
	snprintf(number, sizeof(number), "%d", ends[0]);
	setenv("BERTH_TASK_FD", number, 1);
	if (connection_open())
		ask_everything(&order);
	unmap();
	connection_start_over(-1);
	close(ends[1]);
	must(count_descriptors() == before);
	return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* who is told that his kernel ended looks for another: there is none */
	setenv("BERTH_KERNEL", "/dev/null/none", 1);
	stderr = fopen("/dev/null", "we");
	must(stderr != NULL);
	return 0;
}
