/*
 * The memory of lanes: sealed memfds that we map, too, and whose descriptors tasks ask for.
 *
 * Which task gets which is the core's to say: a descriptor goes out only beside the answer to the
 * trap that it belongs to.
 */
#include "hosts/daemon/berthd.h"
#include "wire/mach_lane.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum shared_kind { SHARED_TABLE, SHARED_GATES, SHARED_LANE };

struct shared {
	struct kernel_shared core; /* first: the core's border knows only this */
	enum shared_kind kind;
	int fd;
	size_t size_bytes;
};

/* One descriptor and one mapping.  NULL: Linux has none, or lanes have their share already. */
static struct kernel_shared *
shared_new(struct host *host, enum shared_kind kind, size_t size_bytes)
{
	struct shared *shared;

	/* tasks, messages and files come first: whoever gets no lane goes by the kernel */
	if (host->shared_count >= host->descriptor_limit / LANE_DESCRIPTOR_SHARE)
		return NULL;
	shared = calloc(1, sizeof(*shared));
	if (shared == NULL)
		return NULL;
	if (sealed_memory_new("berth-lane", size_bytes, &shared->fd, &shared->core.address) != 0) {
		free(shared);
		return NULL;
	}
	shared->core.ref_count = 1;
	shared->kind = kind;
	shared->size_bytes = size_bytes;
	host->shared_count++;
	return &shared->core;
}

void
mach_lanes_provide(struct host *host, const struct task *task, struct trap_frame *frame)
{
	uint32_t wanted = kernel_lane_memory_wanted(task, frame);

	if (wanted == 1) {
		frame->shared[0] = shared_new(host, SHARED_LANE, sizeof(struct mach_lane));
	} else if (wanted == 2) {
		frame->shared[0] = shared_new(host, SHARED_TABLE, sizeof(struct mach_lane_table));
		frame->shared[1] = shared_new(host, SHARED_GATES, sizeof(struct mach_lane_gates));
	}
}

int
mach_lanes_fd(const struct kernel_shared *core)
{
	return ((const struct shared *)(const void *)core)->fd;
}

static void
wake_table(struct mach_lane_table *table, uint64_t ports)
{
	while (ports != 0) {
		uint32_t port = (uint32_t)__builtin_ctzll(ports);

		ports &= ports - 1;
		wait_wake(&table->ports[port].word, INT_MAX);
	}
}

static const _Atomic uint32_t *
lower_half(const _Atomic uint64_t *word)
{
	return (const _Atomic uint32_t *)(const void *)word +
	       (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 1 : 0);
}

/* Who waits for room in ports. */
static void
wake_gates(struct mach_lane_gates *gates, uint64_t ports)
{
	while (ports != 0) {
		uint32_t port = (uint32_t)__builtin_ctzll(ports);

		ports &= ports - 1;
		wait_wake(lower_half(&gates->gates[port].count), INT_MAX);
	}
}

/* The sender, who waits for answers, which come another way now, or for room in a lane that is
 * closed. */
static void
wake_lane(struct mach_lane *lane)
{
	if (atomic_load(&lane->sender_sleeps) != 0)
		wait_wake(lower_half(&lane->tail), INT_MAX);
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++)
		if (atomic_load(&lane->calls[i].sleeps) != 0)
			wait_wake(&lane->calls[i].word, INT_MAX);
}

void
mach_lanes_work_off(struct host *host, struct kernel_effects *effects)
{
	struct kernel_shared *core;
	uint64_t wakes;

	while ((core = kernel_effects_shared(effects, &wakes)) != NULL) {
		struct shared *shared = (struct shared *)(void *)core;

		if (wakes != 0 && shared->kind == SHARED_TABLE)
			wake_table(core->address, wakes);
		else if (wakes != 0 && shared->kind == SHARED_GATES)
			wake_gates(core->address, wakes);
		else if (wakes != 0)
			wake_lane(core->address);
		if (core->ref_count > 0)
			continue;
		munmap(core->address, shared->size_bytes);
		close(shared->fd);
		host->shared_count--;
		free(shared);
	}
}

void
host_look(struct host *host)
{
	host_step(host, &(struct kernel_event){ .kind = EVENT_LOOK });
}
