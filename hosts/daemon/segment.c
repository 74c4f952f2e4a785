/*
 * The memory that a task and its kernel share: doorbell and slots.
 *
 * Each segment is a memfd sealed against resizing, so that no access of ours can fault
 * however the task treats it; it is mapped once and its descriptor closed as soon as the
 * task has been sent it.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS_BYTES ((size_t)TRAP_SLOT_SIZE * TRAP_SEGMENT_SLOTS)

int
sealed_memory_new(const char *name, size_t size, int *fd_out, void **memory_out)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;
	int error;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		goto failed;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		goto failed;
	*fd_out = fd;
	*memory_out = memory;
	return 0;
failed:
	error = -errno;
	close(fd);
	return error;
}

int
slot_segment_new(struct peer *peer, uint32_t index)
{
	size_t doorbell_size = index == 0 ? sizeof(struct doorbell) : 0;
	struct slot_segment *segment;
	struct slot_segment **segments;
	void *memory = NULL;
	int error;

	segments = realloc(peer->segments, (index + 1) * sizeof(segments[0]));
	if (segments == NULL)
		return -ENOMEM;
	peer->segments = segments;
	segment = calloc(1, sizeof(*segment));
	if (segment == NULL)
		return -ENOMEM;
	segment->memory_size = doorbell_size + SLOTS_BYTES;
	error = sealed_memory_new("berth-traps", segment->memory_size, &segment->fd, &memory);
	if (error != 0) {
		free(segment);
		return error;
	}
	segment->memory = memory;
	for (uint32_t i = 0; i < TRAP_SEGMENT_SLOTS; i++) {
		uint8_t *shared = segment->memory + doorbell_size + (size_t)i * TRAP_SLOT_SIZE;

		segment->slots[i] = (struct slot){ .peer = peer,
						   .shared = (struct trap_slot *)(void *)shared,
						   .index = index * TRAP_SEGMENT_SLOTS + i,
						   .descriptors = { -1, -1 },
						   .waker_fd = -1 };
	}
	if (index == 0) {
		peer->doorbell = (struct doorbell *)memory;
		atomic_store(&peer->doorbell->kernel_sleeps, 1);
	}
	peer->segments[index] = segment;
	peer->segment_count = index + 1;
	return 0;
}

void
slot_segments_free(struct peer *peer)
{
	hot_remove(peer);
	for (uint32_t i = 0; i < peer->segment_count; i++) {
		struct slot_segment *segment = peer->segments[i];

		for (uint32_t j = 0; j < TRAP_SEGMENT_SLOTS; j++) {
			slot_drop_descriptors(&segment->slots[j]);
			slot_drop_waker(&segment->slots[j]);
		}
		munmap(segment->memory, segment->memory_size);
		if (segment->fd >= 0)
			close(segment->fd);
		free(segment);
	}
	free(peer->segments);
	peer->segments = NULL;
	peer->segment_count = 0;
	peer->doorbell = NULL;
}

struct slot *
slot_find(struct peer *peer, uint32_t index)
{
	if (index / TRAP_SEGMENT_SLOTS >= peer->segment_count)
		return NULL;
	struct slot *slot =
	    &peer->segments[index / TRAP_SEGMENT_SLOTS]->slots[index % TRAP_SEGMENT_SLOTS];

	return slot->state == SLOT_FREE ? NULL : slot;
}

int
slot_take(struct peer *peer, struct slot **slot)
{
	for (uint32_t i = 0;; i++) {
		if (i == TRAP_SEGMENT_MAX)
			return -ENOSPC;
		if (i == peer->segment_count) {
			int error = slot_segment_new(peer, i);

			if (error != 0)
				return error;
		}
		struct slot_segment *segment = peer->segments[i];

		if (segment->used == UINT64_MAX)
			continue;
		uint32_t bit = (uint32_t)__builtin_ctzll(~segment->used);

		segment->used |= (uint64_t)1 << bit;
		*slot = &segment->slots[bit];
		(*slot)->state = SLOT_IDLE;
		(*slot)->alias_of = WIRE_NO_SLOT;
		return 0;
	}
}

void
slot_drop_descriptors(struct slot *slot)
{
	for (int i = 0; i < 2; i++) {
		if (slot->descriptors[i] >= 0)
			peer_close(slot->peer, slot->descriptors[i]);
		slot->descriptors[i] = -1;
	}
	slot->descriptors_came = false;
	slot->descriptors_lost = false;
}

/* A process may have several connections. */
static uint32_t
wakers_of_process(const struct peer *peer)
{
	const struct peer *other;
	uint32_t count = 0;

	TAILQ_FOREACH(other, &peer->host->peers, link)
	{
		if (other->pid == peer->pid)
			count += other->waker_count;
	}
	return count;
}

int
slot_make_waker(struct slot *slot, int *theirs)
{
	struct host *host = slot->peer->host;
	uint32_t most = host->descriptor_limit / WAKERS_SHARE;
	int ends[2];

	slot_drop_waker(slot);
	/* threads sleep without one as well, so tasks and their messages come first */
	if (host->waker_count >= most)
		return -EMFILE;
	if (wakers_of_process(slot->peer) >= most / WAKERS_PROCESS_SHARE)
		return -EDQUOT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	shutdown(ends[0], SHUT_RD); /* the thread has nothing to say there */
	slot->waker_fd = ends[0];
	*theirs = ends[1];
	host->waker_count++;
	slot->peer->waker_count++;
	return 0;
}

void
slot_drop_waker(struct slot *slot)
{
	if (slot->waker_fd < 0)
		return;
	close(slot->waker_fd);
	slot->waker_fd = -1;
	slot->peer->host->waker_count--;
	slot->peer->waker_count--;
	if (slot->is_unwoken)
		slot->peer->unwoken_count--;
	slot->is_unwoken = false;
}

void
slot_give(struct slot *slot)
{
	struct slot_segment *segment = slot->peer->segments[slot->index / TRAP_SEGMENT_SLOTS];

	slot_drop_descriptors(slot);
	slot_drop_waker(slot);
	socket_forget_slot(slot);
	if (slot->state == SLOT_STUCK)
		slot->peer->stuck_count--;
	slot->state = SLOT_FREE;
	slot->thread = NULL;
	atomic_store(&slot->shared->state, TRAP_IDLE);
	atomic_store(&slot->shared->cancel, 0);
	atomic_store(&slot->shared->task_sleeps, 0);
	segment->used &= ~((uint64_t)1 << (slot->index % TRAP_SEGMENT_SLOTS));
}
