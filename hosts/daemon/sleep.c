/*
 * Hot tasks: those whose doorbells are looked at unasked, so that they need not make a
 * system call to ring.
 *
 * A task is hot from a bell or an answer on, until it was silent for HOT_IDLE_NS, HOT_MAX
 * others were heard of later, or the kernel sleeps.  For all others kernel_sleeps is 1,
 * and they ring by their eventfd: so the cost of a round does not grow with the tasks.
 *
 * Going cold: kernel_sleeps = 1, then look at the bells once more.  A task rings first and
 * reads kernel_sleeps then (both sequentially consistent): one of the two sees the other.
 */
#include "hosts/daemon/berthd.h"

#include <unistd.h>

static void
make_cold(struct peer *peer)
{
	struct host *host = peer->host;
	struct peer *last = host->hot[--host->hot_count];

	host->hot[peer->hot_index] = last;
	last->hot_index = peer->hot_index;
	peer->hot_index = HOT_MAX;
	atomic_store_explicit(&peer->doorbell->kernel_cpu, 0, memory_order_relaxed);
	atomic_store_explicit(&peer->doorbell->kernel_sleeps, 1, memory_order_seq_cst);
}

void
hot_add(struct peer *peer)
{
	struct host *host = peer->host;

	peer->heard_ns = host->now_ns;
	if (peer->hot_index != HOT_MAX || peer->doorbell == NULL)
		return;
	if (host->hot_count == HOT_MAX) {
		struct peer *oldest = host->hot[0];

		for (uint32_t i = 1; i < HOT_MAX; i++)
			if (host->hot[i]->heard_ns < oldest->heard_ns)
				oldest = host->hot[i];
		make_cold(oldest);
		if (doorbell_is_rung(oldest)) {
			/* It rang meanwhile and saw us awake: nobody else would take it.  The task
			 * may have cleared O_NONBLOCK and filled the counter; to add nothing to it
			 * is an event, too, and never waits. */
			uint64_t nothing = 0;
			ssize_t n = write(oldest->bell.fd, &nothing, sizeof(nothing));

			(void)n; /* who empties its own bell does without this one */
		}
	}
	peer->hot_index = host->hot_count;
	host->hot[host->hot_count++] = peer;
	atomic_store_explicit(&peer->doorbell->kernel_cpu, host->cpu, memory_order_relaxed);
	atomic_store_explicit(&peer->doorbell->kernel_sleeps, 0, memory_order_seq_cst);
}

void
hot_remove(struct peer *peer)
{
	if (peer->hot_index != HOT_MAX)
		make_cold(peer);
}

bool
hot_poll(struct host *host)
{
	bool found = false;

	/* from the end: one that goes cold meanwhile is replaced by one that was seen */
	for (uint32_t i = host->hot_count; i-- > 0;) {
		if (i < host->hot_count)
			found |= doorbell_take(host->hot[i]);
	}
	return found;
}

void
hot_cool(struct host *host)
{
	for (uint32_t i = host->hot_count; i-- > 0;) {
		struct peer *peer = host->hot[i];

		if (host->now_ns - peer->heard_ns <= HOT_IDLE_NS || host->now_ns < peer->heard_ns)
			continue;
		make_cold(peer);
		if (doorbell_is_rung(peer)) {
			hot_add(peer);
			doorbell_take(peer);
		}
	}
}

bool
hot_sleep(struct host *host)
{
	for (uint32_t i = 0; i < host->hot_count; i++) {
		struct doorbell *doorbell = host->hot[i]->doorbell;

		atomic_store_explicit(&doorbell->kernel_cpu, 0, memory_order_relaxed);
		atomic_store_explicit(&doorbell->kernel_sleeps, 1, memory_order_seq_cst);
	}
	for (uint32_t i = 0; i < host->hot_count; i++) {
		if (!doorbell_is_rung(host->hot[i]))
			continue;
		for (uint32_t j = 0; j < host->hot_count; j++) {
			struct doorbell *doorbell = host->hot[j]->doorbell;

			atomic_store_explicit(&doorbell->kernel_cpu, host->cpu,
					      memory_order_relaxed);
			atomic_store_explicit(&doorbell->kernel_sleeps, 0, memory_order_relaxed);
		}
		return false;
	}
	while (host->hot_count > 0)
		host->hot[--host->hot_count]->hot_index = HOT_MAX;
	return true;
}

void
hot_publish_cpu(struct host *host)
{
	uint32_t cpu = wait_cpu();

	if (cpu == host->cpu)
		return;
	host->cpu = cpu;
	for (uint32_t i = 0; i < host->hot_count; i++)
		atomic_store_explicit(&host->hot[i]->doorbell->kernel_cpu, cpu,
				      memory_order_relaxed);
}
