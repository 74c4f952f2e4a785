/*
 * Receiving by lanes: requests from the rings that lead to a port, answers from the calls that
 * were made with it, and what the kernel has for it.
 */
#include "client/mach_lane_parts.h"

#include "client/memory.h"
#include "client/thread_hold.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Where a message goes. */
struct target {
	mach_msg_header_t *buffer;
	mach_msg_option_t option;
	mach_msg_size_t room;
	mach_port_name_t name;
	struct mach_lane_port *row;
	uint32_t word; /* of the row, when we looked for messages of the kernel */
};

enum taken { TAKEN_ONE, TAKEN_NONE, TAKEN_AGAIN, TAKEN_ASK_KERNEL };

/* ---- the message as the program sees it ----------------------------------------------------- */

static uint32_t
trailer_size(mach_msg_option_t option)
{
	switch (GET_RCV_ELEMENTS(option)) {
	case MACH_RCV_TRAILER_NULL:
		return sizeof(mach_msg_trailer_t);
	case MACH_RCV_TRAILER_SEQNO:
		return sizeof(mach_msg_seqno_trailer_t);
	case MACH_RCV_TRAILER_SENDER:
		return sizeof(mach_msg_security_trailer_t);
	case MACH_RCV_TRAILER_AUDIT:
		return sizeof(mach_msg_audit_trailer_t);
	case MACH_RCV_TRAILER_CTX:
		return sizeof(mach_msg_context_trailer_t);
	default:
		return sizeof(mach_msg_max_trailer_t);
	}
}

static bool
has_room(const struct target *to, uint32_t size)
{
	uint64_t whole = (uint64_t)size + trailer_size(to->option);

	return whole <= to->room && memory_is_writable(to->buffer, whole);
}

/* Who sent by lane @number, as the kernel says it.  False: it is saying it just now, or died doing
 * so. */
static bool
read_token(uint32_t number, audit_token_t *token)
{
	const struct mach_lane_entry *row = &lanes.table->entries[number];
	uint32_t before = atomic_load(&row->generation);

	for (uint32_t i = 0; i < MACH_LANE_TOKEN_WORDS; i++)
		token->val[i] = atomic_load_explicit(&row->token[i], memory_order_acquire);
	return (before & 1) == 0 && atomic_load(&row->generation) == before;
}

/* Header and trailer of message @seqno, whose bytes are in the buffer. */
static void
finish(const struct target *to, uint32_t size, mach_msg_bits_t bits, mach_port_name_t remote,
       uint64_t seqno, const audit_token_t *token)
{
	uint64_t received = atomic_load_explicit(&to->row->received, memory_order_relaxed);
	mach_msg_max_trailer_t trailer = {
		.msgh_trailer_type = MACH_MSG_TRAILER_FORMAT_0,
		.msgh_trailer_size = trailer_size(to->option),
		.msgh_seqno = (mach_port_seqno_t)seqno,
		.msgh_context = atomic_load_explicit(&to->row->context, memory_order_relaxed),
		.msgh_sender.val = { token->val[1], token->val[2] },
		.msgh_audit = *token,
	};

	to->buffer->msgh_bits = bits;
	to->buffer->msgh_size = size;
	to->buffer->msgh_remote_port = remote;
	to->buffer->msgh_local_port = to->name;
	memcpy((uint8_t *)to->buffer + size, &trailer, trailer.msgh_trailer_size);
	mach_lane_count_seqno(to->row, seqno);
	atomic_store_explicit(&to->row->received, received + 1, memory_order_relaxed);
}

/* Has the kernel taken anything over since we looked whether it had? */
static bool
is_overtaken(const struct target *to)
{
	return atomic_load(&to->row->word) != to->word;
}

/* Written only if it is news: the peer has the line. */
static void
say(_Atomic uint32_t *place, uint32_t what)
{
	if (atomic_load(place) != what)
		atomic_store(place, what);
}

/* ---- requests ------------------------------------------------------------------------------- */

/*
 * A receiver close behind its sender takes from it the lines that it writes next: 240 ns a message
 * where their work is less than 100.  So in front of a stream's empty ring it stays away for a
 * moment, as long as more than one message gathers there meanwhile.
 */
#define GATHER_NS 500u
#define GATHER_AGAIN 64u /* messages until it is tried again where only one did */

static void
let_gather(const struct lane_port *port)
{
	struct lane *lane = &lanes.lanes[port->lanes[0]];
	const struct mach_lane *shared = lane->shared;

	if (port->lane_count != 1 || shared == NULL || !lane->is_stream)
		return;
	uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);

	if (mach_lane_used(lane->known_tail, head) != 0 || (lane->slow > 0 && --lane->slow > 0))
		return;
	uint64_t begun = wait_ticks(), ticks = wait_ticks_of(GATHER_NS);

	while (wait_ticks() - begun < ticks)
		wait_pause();
	if (mach_lane_messages(lane_tail(port->lanes[0], head), head) <= 1)
		lane->slow = GATHER_AGAIN;
}

/* One message less, as @counted: if the queue was full somebody may be waiting for that. */
static void
make_room(const struct lane *lane, bool is_sole, uint64_t counted)
{
	if (!is_sole && mach_lane_count_out(lane->gate, counted))
		wait_wake(lane_futex(&lane->gate->count), 1);
	else /* it is the only one, or its ring was full */
		lane_wake(&lane->shared->sender_sleeps, lane_futex(&lane->shared->head));
}

/* What it takes to undo the taking of a call. */
struct call_taken {
	uint32_t index, before, number_before;
	mach_port_name_t name;
};

/*
 * The right to answer the request that @call says is held from here on.  False: that call is not to
 * be used.
 */
static bool
take_call(struct mach_lane_entry *row, uint32_t call, struct call_taken *taken)
{
	taken->index = mach_lane_call_index(call);
	if (taken->index >= MACH_LANE_CALLS)
		return false;
	taken->before = atomic_load(&row->names[taken->index]);
	if (taken->before == 0 || mach_lane_name_is(taken->before, MACH_LANE_NAME_HELD))
		return false;
	taken->name = mach_lane_next_name(taken->before | MACH_LANE_NAME_IDLE);
	taken->number_before =
	    atomic_load_explicit(&row->numbers[taken->index], memory_order_relaxed);
	atomic_store_explicit(&row->busy, taken->index + 1, memory_order_relaxed);
	if (!mach_lane_name_move(&row->names[taken->index], taken->before,
				 mach_lane_name_word(taken->name, MACH_LANE_NAME_HELD))) {
		atomic_store(&row->busy, 0);
		return false;
	}
	atomic_store_explicit(&row->numbers[taken->index], mach_lane_call_number(call),
			      memory_order_release);
	return true;
}

static void
call_untake(struct mach_lane_entry *row, const struct call_taken *taken)
{
	atomic_store(&row->numbers[taken->index], taken->number_before);
	mach_lane_name_move(&row->names[taken->index],
			    mach_lane_name_word(taken->name, MACH_LANE_NAME_HELD), taken->before);
}

/* Our answer will be as long as the last one: it goes where the sender has read that.  But for the
 * first line, which it looks at all the time. */
static void
claim_answer(const struct lane *lane, uint32_t record_call)
{
	const struct mach_lane_call *call =
	    &lane->shared->calls[mach_lane_call_index(record_call) % MACH_LANE_CALLS];

	cache_lines_claim((const uint8_t *)call + CACHE_LINE_BYTES,
			  atomic_load_explicit(&lane->answer_bytes, memory_order_relaxed));
}

static enum taken
take_request(struct lane_port *port, const struct target *to)
{
	uint32_t number = lane_first(port, to->row), units;
	struct call_taken taken = { .name = MACH_PORT_NULL };
	struct mach_lane_record record;
	const uint8_t *message;
	audit_token_t token;
	bool is_taken;

	if (number == MACH_LANE_MAX)
		return TAKEN_NONE;
	struct lane *lane = &lanes.lanes[number];
	struct mach_lane *shared = lane->shared;
	struct mach_lane_entry *row = &lanes.table->entries[number];
	uint64_t head = atomic_load(&shared->head), tail = lane_tail(number, head);
	bool is_sole = atomic_load_explicit(&lane->gate->sole, memory_order_relaxed) != 0;
	uint64_t counted = is_sole ? 0 : atomic_load(&lane->gate->count);
	uint64_t seqno = atomic_load(&to->row->seqno);

	/* told before a ring is opened: what is in it now may be behind what the kernel has taken
	 */
	if (is_overtaken(to))
		return TAKEN_AGAIN;
	if (mach_lane_is_shut(head) || mach_lane_is_shut(tail))
		return TAKEN_ASK_KERNEL;
	if (!mach_lane_first(shared, tail, head, &record, &message, &units)) {
		if (mach_lane_used(tail, head) != 0) {
			lane_give_up(number); /* what its sender wrote makes no sense */
			return TAKEN_ASK_KERNEL;
		}
		return TAKEN_NONE;
	}
	if (!has_room(to, record.size_bytes))
		return TAKEN_ASK_KERNEL; /* who knows what that means */
	if (record.call != MACH_LANE_NO_CALL && lane_is_apart(&shared->sender_cpu))
		claim_answer(lane, record.call);
	memory_came(message, record.size_bytes);
	memcpy(to->buffer, message, record.size_bytes);
	if (!read_token(number, &token))
		return TAKEN_ASK_KERNEL;
	if (record.call != MACH_LANE_NO_CALL) {
		if (!take_call(row, record.call, &taken)) {
			if (atomic_load(&shared->head) == head)
				lane_give_up(number); /* a call that is none */
			return TAKEN_ASK_KERNEL;
		}
		lane_answer_remember(taken.name, number, taken.index);
	}
	lane_tell_cpu(&shared->receiver_cpu);
	is_taken = mach_lane_move(&shared->head, head, units);
	if (taken.name != MACH_PORT_NULL) {
		if (!is_taken)
			call_untake(row, &taken);
		atomic_store_explicit(&row->busy, 0, memory_order_release);
	}
	if (!is_taken)
		return TAKEN_ASK_KERNEL; /* it has taken the message over, and its call */
	lane->is_stream = taken.name == MACH_PORT_NULL;
	make_room(lane, is_sole, counted);
	lane_served(port, number, record.ticket);
	finish(to, record.size_bytes,
	       MACH_MSGH_BITS(taken.name != MACH_PORT_NULL ? MACH_MSG_TYPE_PORT_SEND_ONCE : 0,
			      MACH_MSG_TYPE_PORT_SEND),
	       taken.name, seqno, &token);
	return TAKEN_ONE;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Calls that we wait for an answer to.  Those that the kernel has taken over are none: their
 * answers come to the port itself. */
static uint32_t
lane_asked(uint32_t number)
{
	return atomic_load_explicit(&lanes.table->entries[number].asked, memory_order_acquire);
}

/* The answer with the least order of those that are seen in one look, if it is less than *@order or
 * *@call is none; false: there is none. */
static bool
find_answer(const struct lane_port *port, uint32_t number, uint32_t *lane_number, uint32_t *call,
	    uint32_t *order)
{
	bool found = false;

	for (uint32_t i = 0; i < port->bound_count; i++) {
		struct lane *lane = &lanes.lanes[port->bound[i]];
		struct mach_lane *shared = lane->shared;
		uint32_t asked = lane_asked(port->bound[i]);

		while (shared != NULL && asked != 0) {
			uint32_t index = (uint32_t)__builtin_ctz(asked);
			asked &= asked - 1;
			if (lane->call_port[index] != number ||
			    mach_lane_call_state(&shared->calls[index]) != MACH_LANE_ANSWERED)
				continue;
			uint32_t its = *(volatile uint32_t *)&shared->calls[index].order;
			if (*call != MACH_LANE_NO_CALL && (int32_t)(its - *order) >= 0)
				continue;
			found = true;
			*order = its;
			*lane_number = port->bound[i];
			*call = index;
		}
	}
	return found;
}

/*
 * The first answer to a request that was sent with port @number; false: none.
 *
 * Where there are several, an earlier one may have come behind the look that found a later one: it
 * is there when we look again.
 */
static bool
first_answer(const struct lane_port *port, uint32_t number, uint32_t *lane_number, uint32_t *call)
{
	uint32_t order = 0;

	*call = MACH_LANE_NO_CALL;
	if (!find_answer(port, number, lane_number, call, &order))
		return false;
	uint32_t asked = lane_asked(*lane_number);

	if ((asked & (asked - 1)) != 0)
		find_answer(port, number, lane_number, call, &order);
	return true;
}

static enum taken
take_answer(const struct lane_port *port, uint32_t number, const struct target *to)
{
	uint64_t seqno = atomic_load(&to->row->seqno);
	uint32_t lane_number, index;
	audit_token_t token;

	if (!first_answer(port, number, &lane_number, &index))
		return TAKEN_NONE;
	struct lane *lane = &lanes.lanes[lane_number];
	struct mach_lane *shared = lane->shared;
	struct mach_lane_call *call = &shared->calls[index];
	uint32_t size = *(volatile uint32_t *)&call->size_bytes;

	if (!lane_is_live(lane_number, MACH_LANE_SENDER))
		return TAKEN_ASK_KERNEL;
	if (size < sizeof(mach_msg_header_t) || size > MACH_LANE_ANSWER_MAX || size % 4 != 0) {
		lane_give_up(lane_number);
		return TAKEN_ASK_KERNEL;
	}
	if (!has_room(to, size))
		return TAKEN_ASK_KERNEL;
	memory_came(call->answer, size);
	memcpy(to->buffer, call->answer, size);
	if (!read_token(lane_number, &token))
		return TAKEN_ASK_KERNEL;
	if (is_overtaken(to))
		return TAKEN_AGAIN; /* an earlier one may have gone to the kernel while we looked */
	if (!mach_lane_claim(&lanes.table->entries[lane_number].asked, index))
		return TAKEN_ASK_KERNEL; /* it has got the answer */
	/* who was about to sleep when it came has said so: else each later answer would try to wake
	   it, for 0.4 us */
	say(&call->sleeps, 0);
	finish(to, size, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE), MACH_PORT_NULL, seqno,
	       &token);
	return TAKEN_ONE;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* The lane by which an answer to our port @number is due, and in *@call its call; NULL: none is. */
static struct lane *
first_asked(const struct lane_port *port, uint32_t number, uint32_t *call)
{
	for (uint32_t i = 0; i < port->bound_count; i++) {
		struct lane *lane = &lanes.lanes[port->bound[i]];
		uint32_t asked = lane_asked(port->bound[i]);

		for (; lane->shared != NULL && asked != 0; asked &= asked - 1) {
			*call = (uint32_t)__builtin_ctz(asked);
			if (lane->call_port[*call] == number)
				return lane;
		}
	}
	return NULL;
}

/* Where the last one runs that we expect something from: 0, if nobody is known to run. */
static uint32_t
peer_cpu(const struct lane_port *port, uint32_t number)
{
	uint32_t call;
	const struct lane *asked = first_asked(port, number, &call);

	if (asked != NULL)
		return atomic_load_explicit(&asked->shared->receiver_cpu, memory_order_relaxed);
	if (port->lane_count > 0 && lanes.lanes[port->lanes[0]].shared != NULL)
		return atomic_load_explicit(&lanes.lanes[port->lanes[0]].shared->sender_cpu,
					    memory_order_relaxed);
	return 0;
}

/*
 * Where the peer that we wait for runs elsewhere, what we wait for comes within half a microsecond
 * or much later.  So look that long without a pause, which alone takes a tenth of that time, at the
 * words where it shows first.
 */
#define LOOKS 128u
#define LOOKS_BYTES 128u /* of what came: all of it, if it is short */

static void
look_closely(const struct lane_port *port, uint32_t number, const struct target *to)
{
	struct mach_lane *shared = NULL;
	const struct mach_lane_call *call = NULL;
	uint64_t tail = 0;
	uint32_t index;
	const struct lane *asked = first_asked(port, number, &index);

	if (asked != NULL) {
		call = &asked->shared->calls[index];
	} else if (port->lane_count == 1) {
		shared = lanes.lanes[port->lanes[0]].shared;
		tail = lanes.lanes[port->lanes[0]].known_tail;
	}
	for (uint32_t i = 0; i < LOOKS && atomic_load(&to->row->word) == to->word; i++) {
		if (call != NULL && mach_lane_call_state(call) == MACH_LANE_ANSWERED) {
			cache_lines_fetch(call, LOOKS_BYTES);
			return;
		}
		if (shared != NULL &&
		    atomic_load_explicit(&shared->tail, memory_order_relaxed) != tail) {
			cache_lines_fetch(mach_lane_record_at(shared, mach_lane_position(tail)),
					  LOOKS_BYTES);
			return;
		}
	}
}

#define LANE_WORDS_ALWAYS 2u
_Static_assert(MACH_LANE_PORT_MAX + LANE_WORDS_ALWAYS <= LANE_WORDS_MAX,
	       "it sleeps on all of them");

/* Says in all lanes that we sleep, and collects what to sleep on.  Who wakes us takes it back. */
static uint32_t
prepare(const struct lane_port *port, uint32_t number, struct wait_word *words)
{
	uint32_t count = 0, sleep = lane_next_sleep();

	for (uint32_t i = 0; i < port->lane_count && count < MACH_LANE_PORT_MAX; i++) {
		struct mach_lane *shared = lanes.lanes[port->lanes[i]].shared;

		if (shared == NULL)
			continue;
		atomic_store(&shared->receiver_sleeps, sleep);
		say(&shared->receiver_cpu, 0);
		words[count++] = (struct wait_word){ lane_futex(&shared->tail),
						     (uint32_t)atomic_load(&shared->tail) };
	}
	for (uint32_t i = 0; i < port->bound_count; i++) {
		struct lane *lane = &lanes.lanes[port->bound[i]];
		struct mach_lane *shared = lane->shared;
		uint32_t asked = lane_asked(port->bound[i]);

		for (; shared != NULL && asked != 0; asked &= asked - 1) {
			uint32_t index = (uint32_t)__builtin_ctz(asked);

			if (lane->call_port[index] != number ||
			    count == LANE_WORDS_MAX - LANE_WORDS_ALWAYS)
				continue;
			atomic_store(&shared->calls[index].sleeps, sleep);
			words[count++] =
			    (struct wait_word){ &shared->calls[index].word,
						atomic_load(&shared->calls[index].word) };
		}
	}
	return count;
}

/* We are awake, for senders who ask the kernel for room if we are not.  Of a call nobody wants to
 * know: at the worst its answer wakes us for nothing. */
static void
say_awake(const struct lane_port *port)
{
	for (uint32_t i = 0; i < port->lane_count; i++) {
		struct mach_lane *shared = lanes.lanes[port->lanes[i]].shared;

		if (shared != NULL)
			say(&shared->receiver_sleeps, 0);
	}
}

/* Whoever still waits for room has it now. */
static void
wake_senders(const struct lane_port *port)
{
	bool is_told = false;

	for (uint32_t i = 0; i < port->lane_count; i++) {
		const struct lane *lane = &lanes.lanes[port->lanes[i]];

		if (lane->shared == NULL || atomic_load(&lane->shared->sender_sleeps) == 0)
			continue;
		wait_wake(lane_futex(&lane->shared->head), INT_MAX);
		if (!is_told)
			wait_wake(lane_futex(&lane->gate->count), INT_MAX);
		is_told = true;
	}
}

/* Is there something by now?  Looked at after we said that we sleep. */
static bool
is_due(struct lane_port *port, uint32_t number, const struct target *to, uint32_t word)
{
	uint32_t ignored_lane, ignored_call;

	return atomic_load(&to->row->word) != word ||
	       atomic_load(&port->changes) != port->listed_changes ||
	       lane_first(port, to->row) < MACH_LANE_MAX ||
	       first_answer(port, number, &ignored_lane, &ignored_call);
}

/* False: the kernel is gone, or knows better. */
static bool
sleep_until_due(struct lane_port *port, uint32_t number, const struct target *to, uint32_t word,
		uint64_t deadline_ns, bool *was_interrupted)
{
	struct wait_word words[LANE_WORDS_MAX];
	const struct kernel_page *page = connection.kernel_page;
	struct mach_lane_port *row = to->row;

	if (page == NULL)
		return false;
	atomic_store(&row->task_sleeps, 1);
	uint32_t count = prepare(port, number, words);
	wake_senders(port); /* who still finds no room sees that we sleep, and asks the kernel */
	words[count++] = (struct wait_word){ &row->word, word };
	words[count++] = (struct wait_word){ &page->alive, atomic_load(&page->alive) };
	/* whose end is told by the port's word: mach_lanes_dropped() */
	bool is_alive = !alive_word_is_dead(words[count - 1].value) &&
			atomic_load(&connection.state) == CONNECTION_READY;
	if (is_alive && !is_due(port, number, to, word))
		*was_interrupted = lane_sleep(words, count, deadline_ns) == -EINTR;
	say_awake(port);
	atomic_store_explicit(&row->task_sleeps, 0, memory_order_relaxed);
	return is_alive;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Rounded up: 0 is over. */
static mach_msg_timeout_t
ms_until(uint64_t deadline_ns)
{
	uint64_t now_ns = wait_now_ns();

	return now_ns >= deadline_ns
		   ? 0
		   : (mach_msg_timeout_t)((deadline_ns - now_ns + 999999) / 1000000);
}

static bool
receive(uint32_t number, struct target *to, mach_msg_timeout_t *timeout_ms, mach_msg_return_t *code)
{
	struct lane_port *port = &lanes.ports[number];
	struct wait_state *wait = &thread_state()->wait;
	bool is_timed = (to->option & MACH_RCV_TIMEOUT) != 0, has_waited = false;
	uint64_t deadline_ns = WAIT_FOREVER;
	mach_msg_timeout_t timeout_whole_ms = *timeout_ms;
	uint32_t holds = thread_hold_count();
	bool was_interrupted = false;

	if (!is_timed || *timeout_ms > 0)
		let_gather(port);
	wait_begin(wait);
	for (;;) {
		uint32_t word = to->word = atomic_load(&to->row->word);
		enum taken taken;

		if (atomic_load(&to->row->name) != to->name) {
			/* the receive right is gone: as on Darwin, if that was while we waited */
			*code = MACH_RCV_PORT_CHANGED;
			return has_waited && (word & MACH_LANE_IS_GONE) != 0;
		}
		if ((word & (MACH_LANE_HAS_MESSAGES | MACH_LANE_IS_SHUT)) != 0)
			return false;
		lane_port_update(number);
		taken = take_answer(port, number, to);
		if (taken == TAKEN_NONE)
			taken = take_request(port, to);
		if (taken == TAKEN_ONE) {
			wait_end(wait);
			*code = MACH_MSG_SUCCESS;
			return true;
		}
		if (taken == TAKEN_AGAIN)
			continue;
		if (taken == TAKEN_ASK_KERNEL || (is_timed && *timeout_ms == 0))
			return false;
		if (is_timed && deadline_ns == WAIT_FOREVER)
			deadline_ns = wait_now_ns() + timeout_whole_ms * 1000000ull;
		has_waited = true;
		uint32_t cpu = peer_cpu(port, number);

		if (wait->spins == 0 && cpu != 0 && cpu != wait_cpu()) {
			wait->spins = 1;
			look_closely(port, number, to);
			continue;
		}
		if (wait_look(wait, cpu))
			continue;
		wait_sleeps(wait);
		if (!sleep_until_due(port, number, to, word, deadline_ns, &was_interrupted))
			return false;
		wait_woken(wait);
		if (is_timed && was_interrupted && holds == thread_hold_count())
			deadline_ns =
			    WAIT_FOREVER; /* as when the call is made again: all its time */
		else if (is_timed)
			*timeout_ms = ms_until(deadline_ns);
		holds = thread_hold_count();
	}
}

bool
mach_lane_is_awaited(mach_port_name_t name)
{
	uint32_t number = lanes_are_ready() ? lane_port_of(name) : MACH_LANE_GATE_MAX, ignored;

	if (number >= MACH_LANE_GATE_MAX ||
	    (atomic_load_explicit(&lanes.table->ports[number].word, memory_order_relaxed) &
	     MACH_LANE_IS_SHUT) != 0)
		return false;
	struct lane_port *port = &lanes.ports[number];

	if (!lane_try_lock(&port->lock))
		return true; /* another thread receives there, by lanes */
	lane_port_update(number);
	bool is_awaited = port->lane_count > 0 || first_asked(port, number, &ignored) != NULL;
	lane_unlock(&port->lock);
	return is_awaited;
}

bool
mach_lane_receive(mach_msg_header_t *buffer, mach_msg_option_t option, mach_msg_size_t room,
		  mach_port_name_t name, mach_msg_timeout_t *timeout_ms, mach_msg_return_t *code)
{
	uint32_t number;
	bool is_done = false;

	if (!lanes_are_ready() || lane_by_chance(4) || (option & ~LANE_OPTIONS) != 0)
		return false;
	number = lane_port_of(name);
	if (number >= MACH_LANE_GATE_MAX || !lane_try_lock(&lanes.ports[number].lock))
		return false;
	struct target to = { buffer, option, room, name, &lanes.table->ports[number], 0 };
	is_done = receive(number, &to, timeout_ms, code);
	lane_unlock(&lanes.ports[number].lock);
	return is_done;
}
