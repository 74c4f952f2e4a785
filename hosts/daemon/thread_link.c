/*
 * Threads of tasks, as they say on the socket: they come, go, ring with descriptors, and want
 * something to sleep on.
 */
#include "hosts/daemon/berthd.h"

#include <unistd.h>

static void
thread_new(struct peer *peer, const struct wire_thread *message)
{
	struct wire_slot answer = { .head = { .kind = WIRE_SLOT, .size_bytes = sizeof(answer) },
				    .slot_index = WIRE_NO_SLOT,
				    .asked_by = message->linux_tid };
	struct slot *slot = NULL, *outer = NULL;
	struct slot_segment *segment = NULL;
	int error;

	if (message->slot_index != WIRE_NO_SLOT) {
		outer = slot_find(peer, message->slot_index);
		if (outer == NULL) {
			peer_violation(peer, "a thread nested in none");
			return;
		}
	}
	if (slot_take(peer, &slot) == 0) {
		slot->thread =
		    kernel_thread_new(peer->task, outer != NULL ? outer->thread : NULL, slot);
		if (slot->thread == NULL) {
			slot_give(slot);
		} else {
			slot->alias_of = message->slot_index;
			slot->linux_tid = message->linux_tid;
			kernel_thread_set_number(slot->thread, slot->linux_tid);
			kernel_thread_set_promise(slot->thread, &slot->shared->promise);
			peer->thread_count++;
			answer.slot_index = slot->index;
			answer.segment_index = slot->index / TRAP_SEGMENT_SLOTS;
			segment = peer->segments[answer.segment_index];
			answer.has_segment = segment->fd >= 0;
		}
	}
	error = socket_send(peer, &answer, sizeof(answer), segment != NULL ? &segment->fd : NULL,
			    answer.has_segment, NULL);
	if (error < 0) {
		peer_doom(peer); /* it would wait for ever */
	} else if (answer.has_segment) {
		close(segment->fd);
		segment->fd = -1;
	}
}

/* The thread of @slot is gone; what it is blocked in ends first. */
static void
thread_end(struct slot *slot)
{
	struct peer *peer = slot->peer;
	struct host *host = peer->host;
	struct thread *thread = slot->thread;

	if (slot->state == SLOT_BUSY)
		host_step(host,
			  &(struct kernel_event){ .kind = EVENT_INTERRUPT, .thread = thread });
	if (slot->state == SLOT_STUCK) {
		struct kernel_effects effects;

		kernel_effects_init(&effects);
		thread_result_free(thread, &effects);
		effects_work_off(host, &effects);
	}
	slot_give(slot);
	peer->thread_count--;
	host_step(host, &(struct kernel_event){ .kind = EVENT_THREAD_EXIT, .thread = thread });
}

static void
thread_exit(struct peer *peer, const struct wire_thread *message)
{
	struct slot *slot = slot_find(peer, message->slot_index);

	if (slot == NULL) {
		peer_violation(peer, "the end of a thread that is none");
		return;
	}
	/* its nested levels end with it */
	for (uint32_t i = 0; i < peer->segment_count; i++) {
		for (uint32_t j = 0; j < TRAP_SEGMENT_SLOTS; j++) {
			struct slot *nested = &peer->segments[i]->slots[j];

			if (nested->state != SLOT_FREE && nested->alias_of == slot->index)
				thread_end(nested);
		}
	}
	thread_end(slot);
}

static void
ring(struct peer *peer, const struct wire_thread *message, struct received *received)
{
	struct slot *slot = slot_find(peer, message->slot_index);

	if (slot == NULL || slot->state != SLOT_IDLE) {
		peer_violation(peer, "a ring for a slot that cannot ask");
		return;
	}
	slot_drop_descriptors(slot);
	slot->descriptors[0] = received_take(received, 0);
	slot->descriptors[1] = received_take(received, 1);
	slot->descriptors_lost = received->descriptors_lost;
	slot->descriptors_came = true;
	hot_add(peer);
	doorbell_slot(slot);
	if (slot->state == SLOT_IDLE)
		slot_drop_descriptors(slot); /* nothing was asked for, or it is done already */
}

static void
waker(struct peer *peer, const struct wire_thread *message)
{
	struct wire_slot answer = { .head = { .kind = WIRE_WAKER_IS, .size_bytes = sizeof(answer) },
				    .slot_index = message->slot_index };
	struct slot *slot = slot_find(peer, message->slot_index);
	int theirs = -1, error;

	if (slot == NULL) {
		peer_violation(peer, "a wish for a waker for no thread");
		return;
	}
	if (slot_make_waker(slot, &theirs) != 0)
		answer.slot_index = WIRE_NO_SLOT;
	error = socket_send(peer, &answer, sizeof(answer), &theirs, theirs >= 0 ? 1 : 0, NULL);
	if (theirs >= 0)
		close(theirs);
	if (error < 0)
		peer_doom(peer); /* it would wait for ever */
}

void
thread_message(struct peer *peer, uint32_t kind, struct received *received)
{
	const struct wire_thread *message =
	    (const struct wire_thread *)(const void *)received->bytes;

	if (kind == WIRE_THREAD)
		thread_new(peer, message);
	else if (kind == WIRE_THREAD_EXIT)
		thread_exit(peer, message);
	else if (kind == WIRE_WAKER)
		waker(peer, message);
	else
		ring(peer, message, received);
}
