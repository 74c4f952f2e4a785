/*
 * Carriers: memory that large messages from one task to one other go through (wire/trap_page.h).
 *
 *   FREE    nothing is in it                           given, by carrier_find()   ──► GIVEN
 *   GIVEN   its sender may write into it, and send     carrier_take()             ──► QUEUED
 *   QUEUED  its message is in the kernel               carrier_shown()            ──► SHOWN
 *   SHOWN   its receiver copies what came              it says that it has        ──► FREE
 *
 * and back to FREE from GIVEN, if the sender does not use it, and from QUEUED, if the message is
 * destroyed, or was copied for somebody else.  One that has lost an end goes when it is free.
 *
 * What the two ends write is believed by nobody but the other one: a sender who writes while it
 * may not changes its own message; a receiver who says too early that it has copied spoils what
 * comes to it alone.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
#define PAIR_MAX 2u         /* from one task to one other: one is written while one is read */
#define DESCRIPTOR_SHARE 16 /* of berthd's descriptors, one in so many may be a carrier's */

enum carrier_state { CARRIER_FREE, CARRIER_GIVEN, CARRIER_QUEUED, CARRIER_SHOWN };

struct carrier {
	struct host *host;
	struct peer *from, *to; /* NULL: gone */
	uint32_t from_number, to_number;
	int fd; /* -1: its sender has yet to make it */
	uint64_t size_bytes;
	uint32_t tick; /* of its last message, in doorbell->carried of the receiver when copied */
	uint64_t given_ns;
	enum carrier_state state;
	bool is_known; /* to the receiver */
};

static void
carrier_free(struct carrier *carrier)
{
	if (carrier->from != NULL)
		carrier->from->carriers_from[carrier->from_number] = NULL;
	if (carrier->to != NULL)
		carrier->to->carriers_to[carrier->to_number] = NULL;
	if (carrier->fd >= 0)
		close(carrier->fd);
	carrier->host->carrier_count--;
	free(carrier);
}

/* Nothing is in it any more.  False: nor is it itself. */
static bool
become_free(struct carrier *carrier)
{
	carrier->state = CARRIER_FREE;
	if (carrier->from != NULL && carrier->to != NULL && carrier->fd >= 0)
		return true;
	carrier_free(carrier);
	return false;
}

/* Has the receiver copied what came?  False: the carrier is no more. */
static bool
look(struct carrier *carrier)
{
	if (carrier->state != CARRIER_SHOWN)
		return true;
	uint32_t said = atomic_load_explicit(&carrier->to->doorbell->carried[carrier->to_number],
					     memory_order_acquire);

	if (said == carrier->tick)
		return become_free(carrier);
	if (said != (carrier->tick | TRAP_CARRIER_LOST))
		return true;
	carrier_free(carrier);
	return false;
}

/* A place among @carriers: an empty one, or that of the one used least lately; it goes. */
static bool
make_room(struct carrier **carriers, uint32_t *number)
{
	struct carrier *oldest = NULL;

	for (uint32_t i = 0; i < TRAP_CARRIERS; i++) {
		if (carriers[i] == NULL || !look(carriers[i])) {
			*number = i;
			return true;
		}
		if (carriers[i]->state == CARRIER_FREE &&
		    (oldest == NULL || carriers[i]->given_ns < oldest->given_ns)) {
			oldest = carriers[i];
			*number = i;
		}
	}
	if (oldest != NULL)
		carrier_free(oldest);
	return oldest != NULL;
}

/* One of @size_bytes or more from @from to @to in which nothing is; *@count: how many there are. */
static struct carrier *
find_free(struct peer *from, const struct peer *to, uint64_t size_bytes, uint32_t *count)
{
	*count = 0;
	for (uint32_t i = 0; i < TRAP_CARRIERS; i++) {
		struct carrier *carrier = from->carriers_from[i];

		if (carrier == NULL || carrier->to != to || !look(carrier))
			continue;
		if (carrier->state == CARRIER_FREE) {
			if (carrier->size_bytes >= size_bytes)
				return carrier;
			carrier_free(carrier); /* messages have grown */
			continue;
		}
		++*count;
	}
	return NULL;
}

static struct carrier *
make(struct peer *from, struct peer *to)
{
	struct host *host = from->host;
	struct carrier *carrier;
	uint32_t from_number, to_number;

	if (host->carrier_count >= host->descriptor_limit / DESCRIPTOR_SHARE)
		return NULL;
	if (!make_room(from->carriers_from, &from_number) ||
	    !make_room(to->carriers_to, &to_number))
		return NULL;
	carrier = calloc(1, sizeof(*carrier));
	if (carrier == NULL)
		return NULL;
	*carrier = (struct carrier){ .host = host,
				     .from = from,
				     .to = to,
				     .from_number = from_number,
				     .to_number = to_number,
				     .fd = -1 };
	from->carriers_from[from_number] = carrier;
	to->carriers_to[to_number] = carrier;
	host->carrier_count++;
	return carrier;
}

void
carrier_find(struct peer *peer, const uint64_t *args, uint64_t *values)
{
	struct task *receiver = kernel_receiver_of(peer->task, (mach_port_name_t)args[0]);
	struct peer *to = receiver != NULL ? kernel_task_host(receiver) : NULL;
	uint64_t size_bytes = args[1];
	struct carrier *carrier;
	uint32_t count;

	for (uint32_t i = 0; i < TRAP_CARRIERS; i++)
		if ((args[2] >> i & 1) != 0)
			carrier_refuse(peer, i);
	values[0] = BERTH_CARRIER_NONE;
	/* who has no doorbell could not say what it has copied */
	if (to == NULL || to->kind != PEER_TASK || to->doorbell == NULL ||
	    size_bytes > TRAP_CARRIER_MAX_BYTES)
		return;
	carrier = find_free(peer, to, size_bytes, &count);
	if (carrier == NULL && count < PAIR_MAX)
		carrier = make(peer, to);
	if (carrier == NULL)
		return;
	carrier->state = CARRIER_GIVEN;
	carrier->given_ns = peer->host->now_ns;
	values[0] = carrier->fd >= 0 ? BERTH_CARRIER_USE : BERTH_CARRIER_MAKE;
	values[1] = carrier->from_number;
}

void
carrier_refuse(struct peer *peer, uint32_t number)
{
	struct carrier *carrier = number < TRAP_CARRIERS ? peer->carriers_from[number] : NULL;

	if (carrier != NULL && carrier->state == CARRIER_GIVEN)
		become_free(carrier);
}

int
carrier_take(struct peer *peer, uint32_t number, int fd, struct carrier **taken)
{
	struct carrier *carrier = number < TRAP_CARRIERS ? peer->carriers_from[number] : NULL;

	if (carrier == NULL || carrier->state != CARRIER_GIVEN)
		return -EINVAL;
	if ((carrier->fd < 0) != (fd >= 0) ||
	    (fd >= 0 && (bulk_check(fd, SEALS, &carrier->size_bytes) != 0 ||
			 carrier->size_bytes > TRAP_CARRIER_MAX_BYTES))) {
		become_free(carrier);
		return -EINVAL;
	}
	if (fd >= 0)
		carrier->fd = fd;
	carrier->state = CARRIER_QUEUED;
	*taken = carrier;
	return 0;
}

int
carrier_fd(const struct carrier *carrier)
{
	return carrier->fd;
}

uint64_t
carrier_size_bytes(const struct carrier *carrier)
{
	return carrier->size_bytes;
}

void
carrier_release(struct carrier *carrier)
{
	if (carrier->state == CARRIER_QUEUED)
		become_free(carrier);
}

bool
carrier_leads_to(const struct carrier *carrier, const struct peer *peer)
{
	return carrier->to == peer && carrier->state == CARRIER_QUEUED;
}

uint32_t
carrier_show(struct carrier *carrier, int *fd)
{
	carrier->tick = (carrier->to->carrier_ticks + 1) * TRAP_CARRIER_TICK + carrier->to_number;
	*fd = carrier->is_known ? -1 : carrier->fd;
	return carrier->tick;
}

void
carrier_shown(struct carrier *carrier)
{
	carrier->to->carrier_ticks++;
	carrier->is_known = true;
	carrier->state = CARRIER_SHOWN;
}

void
carriers_forget_peer(struct peer *peer)
{
	for (uint32_t i = 0; i < TRAP_CARRIERS; i++) {
		struct carrier *carrier = peer->carriers_to[i];

		if (carrier == NULL)
			continue;
		peer->carriers_to[i] = NULL;
		carrier->to = NULL;
		/* who was given it may still send, to whoever receives there now */
		if (carrier->state == CARRIER_FREE || carrier->state == CARRIER_SHOWN)
			become_free(carrier);
	}
	for (uint32_t i = 0; i < TRAP_CARRIERS; i++) {
		struct carrier *carrier = peer->carriers_from[i];

		if (carrier == NULL)
			continue;
		peer->carriers_from[i] = NULL;
		carrier->from = NULL;
		/* its receiver may still copy what is in it, and nobody else gets the number */
		if (carrier->state == CARRIER_FREE || carrier->state == CARRIER_GIVEN)
			become_free(carrier);
	}
}
