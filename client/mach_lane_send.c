/*
 * Sending by a lane: requests into its ring, answers into their call.
 */
#include "client/mach_lane_parts.h"

#include "client/memory.h"
#include "client/site.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define MISSES_MAX 1024u /* sends in a row that found the lane shut: it does not pay */

/* What a message is to a lane. */
enum shape { SHAPE_OTHER, SHAPE_ONE_WAY, SHAPE_REQUEST, SHAPE_ANSWER };

static enum shape
shape_of(const mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t size)
{
	mach_msg_bits_t bits = message->msgh_bits;

	if ((option & ~LANE_OPTIONS) != 0 || size < sizeof(*message) || size % 4 != 0 ||
	    size > MACH_LANE_REQUEST_MAX || !MACH_PORT_VALID(message->msgh_remote_port))
		return SHAPE_OTHER;
	if (bits == MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE))
		return MACH_PORT_VALID(message->msgh_local_port) &&
			       message->msgh_local_port != message->msgh_remote_port
			   ? SHAPE_REQUEST
			   : SHAPE_OTHER;
	if (message->msgh_local_port != MACH_PORT_NULL)
		return SHAPE_OTHER;
	if (bits == MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0))
		return SHAPE_ONE_WAY;
	if (bits == MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0) && size <= MACH_LANE_ANSWER_MAX)
		return SHAPE_ANSWER;
	return SHAPE_OTHER;
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool
send_answer(const mach_msg_header_t *message, uint32_t size)
{
	uint32_t number, index;

	if (!lane_answer_find(message->msgh_remote_port, &number, &index) ||
	    !lane_is_live(number, MACH_LANE_RECEIVER))
		return false;

	struct lane *lane = &lanes.lanes[number];

	if (!memory_message_is_readable(message, size) || !lane_try_lock(&lane->lock))
		return false;
	if (!lane_is_live(number, MACH_LANE_RECEIVER)) {
		lane_unlock(&lane->lock);
		return false;
	}
	struct mach_lane *shared = lane->shared;
	struct mach_lane_call *call = &shared->calls[index];
	_Atomic uint32_t *name = &lanes.table->entries[number].names[index];
	uint32_t held = mach_lane_name_word(message->msgh_remote_port, MACH_LANE_NAME_HELD);
	uint32_t answering =
	    mach_lane_name_word(message->msgh_remote_port, MACH_LANE_NAME_ANSWERING);
	bool is_ours = mach_lane_name_move(name, held, answering), is_sent = false;

	if (is_ours) {
		uint32_t asking = atomic_load_explicit(&lanes.table->entries[number].numbers[index],
						       memory_order_relaxed);

		memcpy(call->answer, message, size);
		call->size_bytes = size;
		call->order = lane->order++;
		atomic_store_explicit(&lane->answer_bytes, size, memory_order_relaxed);
		is_sent = mach_lane_call_move(call, asking, MACH_LANE_ASKED, MACH_LANE_ANSWERED);
	}
	/* not sent: the kernel has the right, or finds that we still hold it */
	if (is_ours)
		mach_lane_name_move(name, answering,
				    is_sent ? message->msgh_remote_port | MACH_LANE_NAME_IDLE
					    : held);
	if (is_sent) {
		struct mach_lane_entry *row = &lanes.table->entries[number];
		uint64_t sent = atomic_load_explicit(&row->sent, memory_order_relaxed);

		atomic_store_explicit(&row->sent, sent + 1, memory_order_relaxed);
		lane_wake(&call->sleeps, &call->word);
	}
	lane_unlock(&lane->lock);
	return is_sent;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Are answers to our port @port due from another lane than @number?  Only those of one lane are in
 * order, so it is asked by one at a time. */
static bool
is_asked_elsewhere(uint32_t number, uint32_t port)
{
	uint32_t other = atomic_load(&lanes.ports[port].asked_by);

	if (other != 0 && other - 1 != number) {
		const struct lane *lane = &lanes.lanes[other - 1];
		uint32_t asked = atomic_load(&lanes.table->entries[other - 1].asked);

		for (; asked != 0; asked &= asked - 1)
			if (lane->call_port[__builtin_ctz(asked)] == port)
				return true;
	}
	if (other != number + 1)
		atomic_store(&lanes.ports[port].asked_by, number + 1);
	return false;
}

/* A call that no request of ours is under way with, now ours, as a record names it;
 * MACH_LANE_NO_CALL: none. */
static uint32_t
call_take(struct mach_lane_entry *row, struct mach_lane *shared)
{
	uint32_t asked = atomic_load_explicit(&row->asked, memory_order_acquire), number;

	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++)
		if ((asked >> i & 1) == 0 && mach_lane_call_ask(&shared->calls[i], &number))
			return number << MACH_LANE_CALL_NUMBER_SHIFT | i;
	return MACH_LANE_NO_CALL;
}

/* The call of a request that was not sent.  False: the kernel believes that it was, since its
 * receiver has shown one with that call: then it is answered, or ends, as any. */
static bool
call_give_back(struct mach_lane_entry *row, uint32_t call)
{
	if (call == MACH_LANE_NO_CALL)
		return true;
	bool is_ours = mach_lane_claim(&row->asked, mach_lane_call_index(call));
	atomic_store_explicit(&row->busy, 0, memory_order_release);
	return is_ours;
}

/* Where the receiver stands: no further back than this.  It is looked at anew in each epoch, and
 * when what we know of it is not enough. */
static uint64_t
known_head(struct lane *lane, uint64_t tail)
{
	if (mach_lane_epoch(lane->known_head) != mach_lane_epoch(tail))
		lane->known_head = atomic_load(&lane->shared->head);
	return lane->known_head;
}

/* A message counted in, and where it goes; NULL: there is no room. */
static struct mach_lane_record *
room_for(struct lane *lane, uint64_t tail, uint32_t size, uint32_t *units, uint64_t *counted,
	 uint32_t *ticket)
{
	struct mach_lane *shared = lane->shared;
	uint64_t head = known_head(lane, tail);
	struct mach_lane_record *record = mach_lane_room(shared, tail, head, size, units);
	bool is_in = record != NULL && mach_lane_count_in(lane->gate, tail, head, counted, ticket);

	if (is_in)
		return record;
	head = lane->known_head = atomic_load(&shared->head);
	record = mach_lane_room(shared, tail, head, size, units);
	if (record == NULL || !mach_lane_count_in(lane->gate, tail, head, counted, ticket))
		return NULL;
	return record;
}

/*
 * What was just put in, at @record, is for another core to read; and the next request, which will
 * be as long, goes behind it.  Not done in a stream: it takes longer than a message does.
 */
static void
hand_over(struct mach_lane *shared, const struct mach_lane_record *record, uint32_t size,
	  uint64_t tail, uint32_t units)
{
	uint32_t next = mach_lane_position(tail) + units;

	if (lanes.gives_lines)
		cache_lines_give(record, sizeof(*record) + size);
	if (units < mach_lane_to_end(next))
		cache_lines_claim(mach_lane_record_at(shared, next), units * MACH_LANE_UNIT);
}

enum put { PUT_DONE, PUT_SHUT, PUT_FULL };

/* One try to put @message into the ring of @lane, whose lock is held. */
static enum put
put(uint32_t number, const mach_msg_header_t *message, uint32_t size, uint32_t binding,
    uint32_t port)
{
	struct lane *lane = &lanes.lanes[number];
	struct mach_lane *shared = lane->shared;
	uint64_t tail = atomic_load(&shared->tail), counted;
	struct mach_lane_record *record;
	uint32_t units, ticket, call = MACH_LANE_NO_CALL, index = MACH_LANE_CALLS;
	struct mach_lane_entry *own = &lanes.table->entries[number];

	/* from here on the kernel's coming in between is seen by the move at the end */
	if (mach_lane_is_shut(tail) || !lane_is_live(number, MACH_LANE_SENDER))
		return PUT_SHUT;
	if (binding < MACH_LANE_BINDINGS) {
		const struct mach_lane_port *row = &lanes.table->ports[port];

		if (lane->bindings[binding].name != message->msgh_local_port ||
		    !lane_binding_is_live(&lane->bindings[binding]) ||
		    (atomic_load(&row->word) & MACH_LANE_IS_SHUT) != 0 ||
		    is_asked_elsewhere(number, port))
			return PUT_SHUT;
		call = call_take(own, shared);
		if (call == MACH_LANE_NO_CALL)
			return PUT_SHUT;
		index = mach_lane_call_index(call);
		atomic_store_explicit(&own->bindings[index], (uint8_t)binding,
				      memory_order_relaxed);
		lane->call_port[index] = port;
		atomic_store_explicit(&own->busy, index + 1, memory_order_relaxed);
		atomic_fetch_or(&own->asked, 1u << index);
	}
	record = room_for(lane, tail, size, &units, &counted, &ticket);
	if (record == NULL)
		return call_give_back(own, call) ? PUT_FULL : PUT_DONE;
	*record = (struct mach_lane_record){ .size_bytes = size, .ticket = ticket, .call = call };
	memcpy(record + 1, message, size);
	if (!mach_lane_move(&shared->tail, tail, units)) {
		if (counted != 0)
			mach_lane_count_out(lane->gate, counted);
		return call_give_back(own, call) ? PUT_SHUT : PUT_DONE;
	}
	if (call == MACH_LANE_NO_CALL)
		return PUT_DONE;
	if (lane_is_apart(&shared->receiver_cpu))
		hand_over(shared, record, size, tail, units);
	atomic_store(&own->busy, 0);
	/* the lane was closed meanwhile, and the kernel has not seen this request: it was taken by
	   who denies it, and nobody would answer */
	if (!lane_is_live(number, MACH_LANE_SENDER) && mach_lane_claim(&own->asked, index))
		return PUT_SHUT;
	return PUT_DONE;
}

/* Has the queue room for one more, and the ring for @size bytes? */
static bool
has_room(const struct lane *lane, uint32_t size)
{
	struct mach_lane *shared = lane->shared;
	uint64_t head = atomic_load(&shared->head), tail = atomic_load(&shared->tail);
	uint32_t limit = atomic_load(&lane->gate->limit), units;

	if (mach_lane_room(shared, tail, head, size, &units) == NULL)
		return false;
	if (atomic_load(&lane->gate->sole) != 0)
		return mach_lane_messages(tail, head) + atomic_load(&lane->gate->base) < limit;
	return (atomic_load(&lane->gate->count) & MACH_LANE_COUNT) < limit;
}

/* Wait until there is room, at most until @until_ns.  False: better ask the kernel. */
static bool
await_room(uint32_t number, uint32_t size, struct wait_state *wait, uint64_t until_ns)
{
	struct lane *lane = &lanes.lanes[number];
	struct mach_lane *shared = lane->shared;
	const struct kernel_page *page = connection.kernel_page;
	uint32_t count = (uint32_t)atomic_load(&lane->gate->count);
	uint64_t tail = atomic_load(&shared->tail), head = atomic_load(&shared->head);
	bool is_alive = true;

	if ((count & MACH_LANE_COUNT) == MACH_LANE_COUNT_SHUT || page == NULL ||
	    mach_lane_is_shut(tail) || !lane_is_live(number, MACH_LANE_SENDER))
		return false;
	if (has_room(lane, size))
		return true;
	/* a receiver that sleeps has found nothing: another sender has spoilt the count, maybe */
	if (atomic_load(&shared->receiver_sleeps) != 0)
		return false;
	if (wait_look(wait, atomic_load_explicit(&shared->receiver_cpu, memory_order_relaxed)))
		return true;
	const struct wait_word words[] = {
		{ lane_futex(&lane->gate->count), count },
		{ lane_futex(&shared->head), (uint32_t)head },
		{ lane_futex(&shared->tail), (uint32_t)tail }, /* the kernel closes the lane */
		{ &page->alive, atomic_load(&page->alive) },
		{ &connection.state, CONNECTION_READY },
	};
	wait_sleeps(wait);
	atomic_store(&shared->sender_sleeps, lane_next_sleep());
	if (alive_word_is_dead(words[3].value))
		is_alive = false;
	else if (!has_room(lane, size) && atomic_load(&shared->receiver_sleeps) == 0)
		is_alive = lane_sleep(words, 5, until_ns) != -ETIMEDOUT;
	atomic_store_explicit(&shared->sender_sleeps, 0, memory_order_relaxed);
	wait_woken(wait);
	return is_alive;
}

/* There may be room for another one who waits for it. */
static void
pass_on(struct lane *lane)
{
	uint32_t count = (uint32_t)atomic_load(&lane->gate->count) & MACH_LANE_COUNT;

	if (atomic_load_explicit(&lane->gate->sole, memory_order_relaxed) == 0 &&
	    count < atomic_load_explicit(&lane->gate->limit, memory_order_relaxed))
		wait_wake(lane_futex(&lane->gate->count), 1);
}

static bool
send_request(uint32_t number, const mach_msg_header_t *message, mach_msg_option_t option,
	     uint32_t size, bool wants_answer)
{
	struct lane *lane = &lanes.lanes[number];
	struct wait_state *wait = &thread_state()->wait;
	uint32_t binding = MACH_LANE_BINDINGS, port = 0;
	enum put result;

	if (!memory_message_is_readable(message, size) || !lane_try_lock(&lane->lock))
		return false;
	struct mach_lane *shared = lane->shared;
	if (shared == NULL || !lane_is_live(number, MACH_LANE_SENDER) ||
	    (wants_answer && !lane_bind(number, message->msgh_local_port, &binding, &port))) {
		lane_unlock(&lane->lock);
		return false;
	}
	wait_begin(wait);
	result = put(number, message, size, binding, port);
	if (result == PUT_FULL && (option & MACH_SEND_TIMEOUT) == 0) {
		uint64_t until_ns = wait_now_ns() + LANE_ROOM_NS;

		while (result == PUT_FULL && await_room(number, size, wait, until_ns))
			result = put(number, message, size, binding, port);
		pass_on(lane);
	}
	wait_end(wait);
	if (result == PUT_DONE) {
		struct mach_lane_entry *row = &lanes.table->entries[number];
		uint64_t sent = atomic_load_explicit(&row->sent, memory_order_relaxed);

		lane->missed = 0;
		/* another thread may wait for answers there, and sleeps on those that were due */
		if (wants_answer && atomic_load(&lanes.table->ports[port].task_sleeps) != 0)
			lane_port_changed(port);
		atomic_store_explicit(&row->sent, sent + 1, memory_order_relaxed);
		lane_tell_cpu(&shared->sender_cpu);
		lane_wake(&shared->receiver_sleeps, lane_futex(&shared->tail));
	} else if (result == PUT_SHUT && ++lane->missed >= MISSES_MAX) {
		lane_give_up(number);
	}
	lane_unlock(&lane->lock);
	return result == PUT_DONE;
}

bool
mach_lane_send(const mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t size)
{
	enum shape shape;
	uint32_t number;

	if (!lanes_are_ready() || site_is_on())
		return false;
	shape = shape_of(message, option, size);
	if (shape == SHAPE_OTHER || lane_by_chance(4))
		return false;
	if (shape == SHAPE_ANSWER)
		return send_answer(message, size);
	number = lane_of_right(message->msgh_remote_port);
	if (number < MACH_LANE_MAX && lane_by_chance(32))
		lane_give_up(number);
	return number < MACH_LANE_MAX &&
	       send_request(number, message, option, size, shape == SHAPE_REQUEST);
}

void
mach_lane_sent_by_kernel(const mach_msg_header_t *message, mach_msg_option_t option,
			 mach_msg_size_t size)
{
	enum shape shape = shape_of(message, option, size);

	if (!site_is_on() && (shape == SHAPE_ONE_WAY || shape == SHAPE_REQUEST))
		lane_count(message->msgh_remote_port);
}
