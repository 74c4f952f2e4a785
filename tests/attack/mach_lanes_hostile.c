/* What hostile parts of a scene do to the memory of their lanes: see mach_lanes_scene.h. */
#include "client/mach_lane_parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/attack/mach_lanes_scene.h"

uint64_t
scene_sent_by_lanes(void)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; lanes.table != NULL && i < MACH_LANE_MAX; i++)
		sent += atomic_load(&lanes.table->entries[i].sent);
	return sent;
}

uint32_t
scene_lane_count(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; lanes.table != NULL && i < MACH_LANE_MAX; i++)
		count += lane_is_live(i, MACH_LANE_SENDER);
	return count;
}

/* The same pages at a further place. */
static void *
again(const void *memory, size_t size)
{
	void *copy = mremap((void *)(uintptr_t)memory, 0, size, MREMAP_MAYMOVE);

	return copy == MAP_FAILED ? NULL : copy;
}

/* False: it was closed meanwhile, or another thread of ours changes what there is. */
static bool
lane_copy(struct scene_lane *lane, uint32_t number, uint32_t role)
{
	uint32_t gate = lanes.table->entries[number].gate;

	if (!lane_try_lock(&lanes.lock))
		return false;
	if (!lane_is_live(number, role) || gate >= MACH_LANE_GATE_MAX) {
		lane_unlock(&lanes.lock);
		return false;
	}
	*lane = (struct scene_lane){
		.number = number,
		.shared = again(lanes.lanes[number].shared, sizeof(struct mach_lane)),
		.gates = again(lanes.lanes[number].gates, sizeof(struct mach_lane_gates)),
		.table = again(lanes.table, sizeof(struct mach_lane_table)),
	};
	lane_unlock(&lanes.lock);
	if (lane->shared == NULL || lane->gates == NULL || lane->table == NULL)
		_exit(91);
	lane->gate = &lane->gates->gates[gate];
	return true;
}

struct scene_lane
scene_lane_to(mach_port_t server, struct scene_notes *notes)
{
	uint64_t limit_ns = wait_now_ns() + SCENE_HANG_MS * 1000000ull;
	mach_port_t reply = mach_reply_port();
	struct scene_lane lane;
	struct scene_message answer;

	while (wait_now_ns() < limit_ns) {
		if (scene_send(server, reply, SCENE_LIE, 0, 0, 0) != MACH_MSG_SUCCESS ||
		    scene_receive(reply, &answer, SCENE_HANG_MS) != MACH_MSG_SUCCESS)
			break;
		uint32_t number = lane_of_right(server);
		/* open: the receiver has accepted it */
		if (number < MACH_LANE_MAX && lane_copy(&lane, number, MACH_LANE_SENDER)) {
			if (!mach_lane_is_shut(atomic_load(&lane.shared->tail)))
				return lane;
			scene_lane_forget(&lane);
		}
	}
	scene_wrong(notes, "no lane to the server");
}

bool
scene_lane_from_client(struct scene_lane *lane, uint64_t *seed)
{
	for (uint32_t i = 0, first = attack_random(seed); lanes.table != NULL && i < MACH_LANE_MAX;
	     i++)
		if (lane_copy(lane, (first + i) % MACH_LANE_MAX, MACH_LANE_RECEIVER))
			return true;
	return false;
}

void
scene_lane_forget(struct scene_lane *lane)
{
	munmap(lane->shared, sizeof(*lane->shared));
	munmap(lane->gates, sizeof(*lane->gates));
	munmap(lane->table, sizeof(*lane->table));
}

bool
scene_put(struct scene_lane *lane, const void *message, uint32_t size, uint32_t call,
	  uint32_t ticket)
{
	struct mach_lane *shared = lane->shared;
	uint64_t tail = atomic_load(&shared->tail);
	struct mach_lane_record *record;
	uint32_t units;

	if (mach_lane_is_shut(tail))
		return false;
	record = mach_lane_room(shared, tail, atomic_load(&shared->head), size, &units);
	if (record == NULL)
		return false;
	*record = (struct mach_lane_record){ .size_bytes = size, .ticket = ticket, .call = call };
	memcpy(record + 1, message, size);
	return mach_lane_move(&shared->tail, tail, units);
}

void
scene_wake(const struct scene_lane *lane)
{
	wait_wake(lane_futex(&lane->shared->tail), INT32_MAX);
}

void
scene_call_spoil(struct mach_lane_call *call, uint32_t state)
{
	uint32_t number = mach_lane_call_number(atomic_load(&call->word));

	/* mostly the number that makes the rest believed */
	atomic_store(&call->word, state >> 8 == 0 ? state : mach_lane_call_word(number, state % 8));
}

void
scene_scribble(struct scene_lane *lane, uint64_t *seed)
{
	uint32_t random = attack_random(seed), word = attack_random(seed);
	struct mach_lane *shared = lane->shared;
	volatile uint32_t *head = (volatile uint32_t *)(void *)&shared->head;
	volatile uint32_t *tail = (volatile uint32_t *)(void *)&shared->tail;
	struct mach_lane_call *call = &shared->calls[random / 32 % MACH_LANE_CALLS];

	/* small numbers are more often believed than large ones */
	if (random & 0x10000)
		word %= random & 0x20000 ? 8 : 4096;
	switch (random % 16) {
	case 0: /* either half, or one that is the other's */
		tail[random >> 30 & 1] = word;
		break;
	case 1:
		head[random >> 30 & 1] = word;
		break;
	case 2:
		atomic_store(&shared->tail, atomic_load(&shared->head));
		break;
	case 3:
		atomic_fetch_add(&shared->tail, word % 64);
		break;
	case 4:
		atomic_fetch_xor(&shared->tail, MACH_LANE_SHUT);
		break;
	case 5:
		atomic_fetch_xor(&shared->head, MACH_LANE_SHUT);
		break;
	case 6 ... 8:
		scene_call_spoil(call, word);
		break;
	case 9:
		call->size_bytes = word;
		break;
	case 10:
		call->order = word;
		break;
	case 11: /* hides a wake-up, or pretends that one is waited for */
		atomic_store(&call->sleeps, word & 1);
		atomic_store(&shared->receiver_sleeps, word >> 1 & 1);
		atomic_store(&shared->sender_sleeps, word >> 2 & 1);
		break;
	case 12:
		atomic_store(&shared->receiver_cpu, word);
		atomic_store(&shared->sender_cpu, word);
		break;
	default: /* records, where the next ones are looked for, and messages */
		((volatile uint32_t *)(void *)mach_lane_record_at(
		    shared, mach_lane_position(atomic_load(&shared->head)) +
				random / 32 % 4))[random >> 28] = word;
		break;
	}
}
