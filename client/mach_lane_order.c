/*
 * Which of the lanes to a port has the oldest request.
 *
 * Each request has a ticket, drawn before it is put in.  Of two senders who know of each other, one
 * who had put his in before the other drew his has the lower one: that is the order to be kept.
 * Tickets of others may come in any order, and some never, as the kernel came between.
 *
 * All lanes are looked at only where nothing better is known: in a crowd that would take most of
 * the receiver's time.  It knows the ticket before which there is none left, and whose turn it was
 * last time after the lane that it served last.
 */
#include "client/mach_lane_parts.h"

/* What a look at all lanes has found. */
struct found {
	uint32_t number;   /* of the lane with the oldest one, or MACH_LANE_MAX */
	uint32_t ticket;   /* of that */
	uint32_t messages; /* in all of them */
	bool is_late;      /* others were taken so long that it is next, whatever they say */
};

uint64_t
lane_tail(uint32_t number, uint64_t head)
{
	struct lane *lane = &lanes.lanes[number];

	if (mach_lane_epoch(lane->known_tail) != mach_lane_epoch(head) ||
	    mach_lane_used(lane->known_tail, head) == 0)
		lane->known_tail = atomic_load_explicit(&lane->shared->tail, memory_order_acquire);
	return lane->known_tail;
}

/* Has lane @number a request that is not the kernel's by now?  Then *@head is where it is. */
static bool
has_request(uint32_t number, uint64_t *head)
{
	const struct mach_lane *shared = lanes.lanes[number].shared;

	if (shared == NULL)
		return false;
	*head = atomic_load_explicit(&shared->head, memory_order_relaxed);
	uint64_t tail = lane_tail(number, *head);

	return mach_lane_used(tail, *head) != 0 && !mach_lane_is_shut(tail) &&
	       lane_is_live(number, MACH_LANE_RECEIVER);
}

/* The ticket of the request at @head; @otherwise, if that makes no sense. */
static uint32_t
ticket_at(uint32_t number, uint64_t head, uint32_t otherwise)
{
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units;

	return mach_lane_first(lanes.lanes[number].shared, lanes.lanes[number].known_tail, head,
			       &record, &message, &units)
		   ? record.ticket & MACH_LANE_TICKET_MASK
		   : otherwise;
}

/*
 * How old a request is only its sender says.  When it came no more than a queue holds were before
 * it, so one that was passed over more often than that is next whatever the others say: nobody
 * who claims to be the oldest is first for ever, and no order that was kept is lost.
 */
static bool
is_late(const struct lane_port *port, struct lane *lane, uint64_t head)
{
	if (lane->waiting_at != head) {
		lane->waiting_at = head;
		lane->waiting_since = port->served;
	}
	return port->served - lane->waiting_since > LANE_PASSED_OVER_MAX;
}

/* A look at all lanes; or until that with ticket @next, unless it is to be @whole. */
static struct found
look(struct lane_port *port, uint32_t next, bool whole)
{
	struct found found = { .number = MACH_LANE_MAX };
	uint64_t head;

	for (uint32_t i = 0; i < port->lane_count; i++) {
		uint32_t number = port->lanes[i], ticket;
		struct lane *lane = &lanes.lanes[number];

		if (!has_request(number, &head))
			continue;
		if (is_late(port, lane, head))
			return (struct found){ .number = number, .is_late = true };
		found.messages += mach_lane_messages(lane->known_tail, head);
		ticket = ticket_at(number, head, next);
		if (found.number == MACH_LANE_MAX ||
		    mach_lane_ticket_before(ticket, found.ticket)) {
			found.number = number;
			found.ticket = ticket;
		}
		if (ticket == next && !whole)
			break;
	}
	return found;
}

/*
 * The oldest of all, where the one whose turn it should be is not there.
 *
 * An older one may have come behind the look that found a later one: it is there when we look
 * again, at most once for each lane, as what is drawn now is later still; else somebody lies. If
 * nobody was putting one in meanwhile, what we have seen is all there is, and what is missing
 * before it does not come any more.
 */
static uint32_t
look_until_sure(struct lane_port *port, const struct mach_lane_gate *gate)
{
	uint64_t count = atomic_load(&gate->count);
	struct found found = look(port, port->order.next, true), before;

	for (uint32_t i = 0; i < port->lane_count; i++) {
		if (found.number == MACH_LANE_MAX || found.is_late ||
		    found.ticket == port->order.next)
			break;
		if (atomic_load(&gate->count) == count &&
		    found.messages == (count & MACH_LANE_COUNT)) {
			port->order = (struct lane_order){ port->order.opened, found.ticket, 0 };
			break;
		}
		count = atomic_load(&gate->count);
		before = found;
		found = look(port, port->order.next, true);
		if (found.number == before.number ||
		    !mach_lane_ticket_before(found.ticket, before.ticket))
			break;
	}
	return found.number;
}

uint32_t
lane_first(struct lane_port *port, const struct mach_lane_port *row)
{
	const struct mach_lane_gate *gate;
	struct found found;
	uint64_t head;

	if (port->lane_count <= 1)
		return port->lane_count == 1 && has_request(port->lanes[0], &head) ? port->lanes[0]
										   : MACH_LANE_MAX;
	gate = &lanes.gates->gates[row - lanes.table->ports];
	uint32_t opened = atomic_load_explicit(&row->opened, memory_order_acquire);

	if (port->order.opened != opened)
		port->order = (struct lane_order){ opened, opened & MACH_LANE_TICKET_MASK, 0 };
	uint32_t guess = port->after[port->last];

	if (port->served % LANE_LOOKS_AGAIN != 0 && has_request(guess, &head) &&
	    ticket_at(guess, head, port->order.next) == port->order.next)
		return guess;
	found = look(port, port->order.next, port->served % LANE_LOOKS_AGAIN == 0);
	if (found.number == MACH_LANE_MAX || found.is_late || found.ticket == port->order.next ||
	    atomic_load_explicit(&gate->sole, memory_order_relaxed) != 0)
		return found.number;
	return look_until_sure(port, gate);
}

static void
order_took(struct lane_order *order, uint32_t ticket)
{
	uint32_t ahead = (ticket - order->next) & MACH_LANE_TICKET_MASK;

	if (ahead == 0) {
		uint64_t missing = ~order->ahead;
		uint32_t taken = 1 + (missing != 0 ? (uint32_t)__builtin_ctzll(missing) : 64);

		order->next = (order->next + taken) & MACH_LANE_TICKET_MASK;
		order->ahead = taken > 63 ? 0 : order->ahead >> taken;
	} else if (ahead <= 64) {
		order->ahead |= 1ull << (ahead - 1);
	}
}

void
lane_served(struct lane_port *port, uint32_t number, uint32_t ticket)
{
	if (port->lane_count == 1)
		return;
	order_took(&port->order, ticket);
	port->after[port->last] = (uint8_t)number;
	port->last = (uint8_t)number;
	port->served++;
}
