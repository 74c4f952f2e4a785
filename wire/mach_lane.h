/*
 * Lanes: the memory through which two tasks exchange messages with nobody between them.
 *
 * A lane stands for one send right of a task, the *sender*, to a port that another task, the
 * *receiver*, receives on.  It is a cache of what the kernel would hold: requests on their way
 * lie in a ring, and each that asks for an answer has a *call*, in which the answer comes back.
 * Whenever the kernel needs to know, it takes over what is in the lane, as real messages and
 * rights, and what either side tries meanwhile fails and is done by a trap.
 *
 * Four memories, each shared by those alone who must see it:
 *
 *   struct mach_lane         sender, receiver, kernel   ring and calls
 *   struct mach_lane_gates   receiver, its senders, kernel   how full its ports are
 *   struct mach_lane_table   one task, kernel           what it has lanes for, and its ports
 *
 * Nobody believes what another may have written.  The receiver knows who the sender is, which
 * port the lane leads to and under which names its answers go from its own table, which the
 * kernel fills in; sizes are checked, bytes copied once.  A hostile peer wastes its own lane.
 *
 * `tail` and `head` have four parts: the position in the ring, in units of MACH_LANE_UNIT bytes,
 * how many messages have passed, MACH_LANE_SHUT, and above them an epoch that the kernel changes
 * whenever it has looked.  Each side prepares its step, then makes it by one compare-and-exchange,
 * which fails if the kernel came between.
 *
 * What the queue limit counts: while one lane leads to a port, what `tail` is ahead of `head`;
 * while several do, a word in the gate that all their senders change.
 *
 * A call, and who moves it:
 *
 *   any but UNUSABLE ──sender──► ASKED ──receiver──► ANSWERED
 *   ASKED, ANSWERED ──kernel──► GONE
 *
 * GONE: the right to answer is a real one now, or was used: what comes, comes to the port.  Each
 * asking has a number, by which an answer that comes late is known to be none.
 *
 * A cache line that one end writes and the other reads costs a tenth of a microsecond, half of what
 * a call may take.  So what both look at all the time lies apart from what they say once, an answer
 * begins in the line that says that it is there, and `head` is read only by who needs to know.
 *
 * Either side may write any state, so nobody stakes a right on it.  What a call is worth stands in
 * the tables: in the receiver's whether it has a right to answer (mach_lane_entry.names), in the
 * sender's whether it waits for one (.asked).  A call that its sender waits for, and that is
 * neither in the ring nor held nor answered, is ended by the kernel with a send-once notification.
 */
#ifndef BERTH_WIRE_MACH_LANE_H
#define BERTH_WIRE_MACH_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MACH_LANE_MAX 128u         /* lanes of a task, whichever end */
#define MACH_LANE_PORT_MAX 120u    /* that lead to one port: whose receiver sleeps on all of them */
#define MACH_LANE_GATE_MAX 64u     /* ports of a task that lanes lead or answer to */
#define MACH_LANE_CALLS 32u        /* requests of one lane that wait for their answer */
#define MACH_LANE_BINDINGS 16u     /* ports that answers to one lane's requests go to */
#define MACH_LANE_UNIT 64u         /* bytes */
#define MACH_LANE_RING_UNITS 2048u /* 1,024 messages of 88 bytes */
#define MACH_LANE_REQUEST_MAX 32768u /* bytes of a message in the ring */
#define MACH_LANE_ANSWER_MAX 8192u   /* bytes of an answer */
#define MACH_LANE_TOKEN_WORDS 8u
#define MACH_LANE_NO_CALL 0xffffffffu
#define MACH_LANE_TRIES 1000u /* at a word that a hostile peer may be writing all the time */

#define MACH_LANE_SHUT 0x80000000u
#define MACH_LANE_POSITION 0x00007fffu /* a multiple of the ring's units */
#define MACH_LANE_MESSAGES 0x7fff0000u
#define MACH_LANE_PASSED (MACH_LANE_MESSAGES | MACH_LANE_POSITION)
#define MACH_LANE_MESSAGES_SHIFT 16

/* In the lower byte of a call's word; above it the number of the asking. */
enum mach_lane_call_state {
	MACH_LANE_FREE = 0, /* never used */
	MACH_LANE_ASKED,
	MACH_LANE_ANSWERED,
	MACH_LANE_GONE,
	MACH_LANE_UNUSABLE /* the kernel had no name or no memory to keep for it */
};

/* The answer is in its first line, if it is short. */
struct mach_lane_call {
	_Atomic uint32_t word;   /* mach_lane_call_word() */
	_Atomic uint32_t sleeps; /* the sender on `word`; else 0, as below */
	uint32_t size_bytes;     /* the receiver's: of the answer */
	uint32_t order;          /* the receiver's: answers of one lane in their order */
	uint8_t answer[MACH_LANE_ANSWER_MAX];
	uint8_t pad[48];
};

/* In front of each message in the ring. */
struct mach_lane_record {
	uint32_t size_bytes; /* of the message behind it; 0: nothing more up to the ring's end */
	uint32_t ticket;     /* of the port's gate: messages of several lanes in their order */
	uint32_t call;       /* number of the asking, then index in a byte; or MACH_LANE_NO_CALL */
	uint32_t pad;
};

struct mach_lane {
	_Atomic uint64_t tail; /* the sender's */
	uint8_t line0[56];
	_Atomic uint64_t head; /* the receiver's */
	uint8_t line1[56];
	/* seldom written; who sleeps has the number of its sleep here, who is awake 0: whoever has
	   woken it from that sleep puts 0 there */
	_Atomic uint32_t sender_sleeps;   /* until there is room; see mach_lane_gate */
	_Atomic uint32_t sender_cpu;      /* hint */
	_Atomic uint32_t receiver_sleeps; /* on the lower half of `tail` */
	_Atomic uint32_t receiver_cpu;    /* hint: 0 while it does not wait for this lane */
	uint8_t pad[4096 - 144];
	uint8_t ring[MACH_LANE_RING_UNITS * MACH_LANE_UNIT];
	struct mach_lane_call calls[MACH_LANE_CALLS];
	uint8_t end[4096 - (MACH_LANE_CALLS * sizeof(struct mach_lane_call)) % 4096];
};

_Static_assert(sizeof(struct mach_lane_call) % 64 == 0, "calls share no line");
_Static_assert(sizeof(struct mach_lane) % 4096 == 0, "a lane is whole pages");

/*
 * How full the ports of one receiving task are, for all who send to it.  Who spoils a count
 * makes sends go by the kernel, which knows better, or lets in as many as the rings hold.
 *
 * Senders that wait for room sleep on the lower half of `count`, or, where theirs is the only
 * lane, of its `head`.  Whoever makes room in a full queue wakes one of them, who wakes the next if
 * there is room for him, too; and before the receiver sleeps it wakes all.
 */
struct mach_lane_gate {
	/* messages in the queue, the kernel's too, then the next ticket, 16 bits each; in the upper
	   half an epoch that the kernel changes when it counts anew */
	_Atomic uint64_t count;
	_Atomic uint32_t limit;
	_Atomic uint32_t sole; /* 1: one lane leads here, and counts by itself … */
	_Atomic uint32_t base; /* … on top of so many messages of the kernel's */
	uint8_t pad[44];
};

#define MACH_LANE_COUNT 0xffffu
#define MACH_LANE_COUNT_SHUT 0xffffu /* the gate is not open: ask the kernel */
#define MACH_LANE_TICKET_SHIFT 16
#define MACH_LANE_TICKET_MASK 0xffffu

struct mach_lane_gates {
	struct mach_lane_gate gates[MACH_LANE_GATE_MAX];
};

_Static_assert(sizeof(struct mach_lane_gates) == 4096, "one page");

/* ---- what the kernel tells one task -------------------------------------------------------- */

enum mach_lane_role { MACH_LANE_NONE = 0, MACH_LANE_SENDER = 1, MACH_LANE_RECEIVER = 2 };

/* A port of the task that lanes lead or answer to. */
struct mach_lane_port {
	_Atomic uint32_t word; /* enum mach_lane_word and a count above; a futex of the task's */
	_Atomic uint32_t task_sleeps; /* the task's: wake it when `word` changes */
	_Atomic uint32_t name;        /* 0: none */
	_Atomic uint32_t generation;  /* another port, or other lanes: look at them anew */
	_Atomic uint32_t incarnation; /* another port, if under the same name: nothing is bound */
	/* when it was opened last: the first ticket, and a count above it */
	_Atomic uint32_t opened;
	/* of the next message, which the task counts on while the gate is open; in the upper half a
	   count of the kernel's tellings: who counts what it has counted already fails */
	_Atomic uint64_t seqno;
	_Atomic uint64_t context;  /* as the trailer has it */
	_Atomic uint64_t received; /* the task's: messages that it took */
	uint8_t line[16];
};

enum mach_lane_word {
	MACH_LANE_HAS_MESSAGES = 1, /* in the kernel's queue: they come before those in lanes */
	MACH_LANE_IS_SHUT = 2,      /* go by the kernel for all */
	MACH_LANE_IS_GONE = 4,      /* the receive right has left the task */
	MACH_LANE_WORD_COUNT = 8    /* from this bit on, one more with each change; or with each
				       new question of a thread of the task, for who sleeps on it */
};

/*
 * What the receiver has of a call.  Only it and the kernel can write that: whatever `state` says,
 * there is a right to answer just while it is held.  Who takes a request goes on to the next name,
 * mach_lane_next_name(), before he moves the head.
 */
enum mach_lane_name {
	MACH_LANE_NAME_ANSWERING = 1,
	MACH_LANE_NAME_HELD = 2,
	MACH_LANE_NAME_IDLE = 3, /* as the lower bits of every name */
	MACH_LANE_NAME_MASK = 3
};

struct mach_lane_entry {
	_Atomic uint32_t role; /* enum mach_lane_role; NONE: it is closed, do not touch it */
	_Atomic uint32_t generation;
	uint32_t name;         /* sender: the send right */
	uint32_t gate;         /* sender: in the receiver's gates; receiver: its own port */
	_Atomic uint64_t sent; /* the sender's: messages that it sent */
	/* who the peer is; it is being written while `generation` is odd */
	_Atomic uint32_t token[MACH_LANE_TOKEN_WORDS];
	/* sender: calls under way, a bit each, set before the tail moves.  Who clears a bit, sender
	   or kernel, has the answer or what comes in its place: nobody else can take it away */
	_Atomic uint32_t asked;
	/* the call, plus 1, whose request the sender is putting in, or the receiver taking */
	_Atomic uint32_t busy;
	/* sender: which of its ports the answer to each call goes to */
	_Atomic uint8_t bindings[MACH_LANE_CALLS];
	/* receiver: the name for the answer to each call, enum mach_lane_name in its lower two
	   bits; 0: none is kept, the call is not to be used */
	_Atomic uint32_t names[MACH_LANE_CALLS];
	/* receiver: number of the asking whose right is held or was last */
	_Atomic uint32_t numbers[MACH_LANE_CALLS];
};

struct mach_lane_table {
	struct mach_lane_port ports[MACH_LANE_GATE_MAX];
	struct mach_lane_entry entries[MACH_LANE_MAX];
	uint8_t pad[4096 - (64 * MACH_LANE_GATE_MAX + 352 * MACH_LANE_MAX) % 4096];
};

_Static_assert(sizeof(struct mach_lane_port) == 64, "a line each");
_Static_assert(sizeof(struct mach_lane_entry) == 352, "as the table counts");
_Static_assert(sizeof(struct mach_lane_table) % 4096 == 0, "whole pages");

/* ---- the steps of both sides --------------------------------------------------------------- */

static inline uint32_t
mach_lane_units(uint32_t size_bytes)
{
	return (size_bytes + (uint32_t)sizeof(struct mach_lane_record) + MACH_LANE_UNIT - 1) /
	       MACH_LANE_UNIT;
}

static inline uint32_t
mach_lane_position(uint64_t word)
{
	return (uint32_t)word & MACH_LANE_POSITION;
}

/* Position and messages, as `word` has them. */
static inline uint32_t
mach_lane_passed(uint64_t word)
{
	return (uint32_t)word & MACH_LANE_PASSED;
}

static inline bool
mach_lane_is_shut(uint64_t word)
{
	return ((uint32_t)word & MACH_LANE_SHUT) != 0;
}

static inline uint32_t
mach_lane_epoch(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* @word, one message of so many units further on, in the same epoch. */
static inline uint64_t
mach_lane_advance(uint64_t word, uint32_t units)
{
	uint32_t messages =
	    ((uint32_t)word + (1u << MACH_LANE_MESSAGES_SHIFT)) & MACH_LANE_MESSAGES;

	return (word & ~(uint64_t)MACH_LANE_PASSED) | messages |
	       ((mach_lane_position(word) + units) & MACH_LANE_POSITION);
}

/* Messages between @head and @tail, as their ends count them. */
static inline uint32_t
mach_lane_messages(uint64_t tail, uint64_t head)
{
	return (((uint32_t)tail - ((uint32_t)head & MACH_LANE_MESSAGES)) & MACH_LANE_MESSAGES) >>
	       MACH_LANE_MESSAGES_SHIFT;
}

static inline uint32_t
mach_lane_used(uint64_t tail, uint64_t head)
{
	return (mach_lane_position(tail) - mach_lane_position(head)) & MACH_LANE_POSITION;
}

static inline struct mach_lane_record *
mach_lane_record_at(struct mach_lane *lane, uint32_t position)
{
	return (struct mach_lane_record *)(void *)&lane
	    ->ring[(position % MACH_LANE_RING_UNITS) * MACH_LANE_UNIT];
}

/* Units to the end of the ring's memory: records do not wrap. */
static inline uint32_t
mach_lane_to_end(uint32_t position)
{
	return MACH_LANE_RING_UNITS - position % MACH_LANE_RING_UNITS;
}

/*
 * Where a message of @size_bytes goes that is put at @tail, and in @units how far the tail moves;
 * NULL: no room.
 */
static inline struct mach_lane_record *
mach_lane_room(struct mach_lane *lane, uint64_t tail, uint64_t head, uint32_t size_bytes,
	       uint32_t *units)
{
	uint32_t needed = mach_lane_units(size_bytes), skipped = 0;
	uint32_t position = mach_lane_position(tail), used = mach_lane_used(tail, head);

	if (mach_lane_to_end(position) < needed)
		skipped = mach_lane_to_end(position);
	if (used > MACH_LANE_RING_UNITS || needed + skipped > MACH_LANE_RING_UNITS - used)
		return (struct mach_lane_record *)0;
	if (skipped > 0)
		*mach_lane_record_at(lane, position) = (struct mach_lane_record){ 0 };
	*units = needed + skipped;
	return mach_lane_record_at(lane, position + skipped);
}

/*
 * The record at @head, copied, with its message in @message and in @units how far the head
 * moves.  False: there is none, or none that makes sense (then *@units is 0).
 */
static inline bool
mach_lane_first(struct mach_lane *lane, uint64_t tail, uint64_t head,
		struct mach_lane_record *record, const uint8_t **message, uint32_t *units)
{
	uint32_t used = mach_lane_used(tail, head), position = mach_lane_position(head);
	uint32_t skipped = 0;

	*units = 0;
	if (used == 0 || used > MACH_LANE_RING_UNITS)
		return false;
	*record = *(const volatile struct mach_lane_record *)mach_lane_record_at(lane, position);
	if (record->size_bytes == 0) {
		skipped = mach_lane_to_end(position);
		if (skipped >= used)
			return false;
		position += skipped;
		*record =
		    *(const volatile struct mach_lane_record *)mach_lane_record_at(lane, position);
	}
	if (record->size_bytes < 24 || record->size_bytes > MACH_LANE_REQUEST_MAX ||
	    record->size_bytes % 4 != 0 || mach_lane_units(record->size_bytes) > used - skipped ||
	    mach_lane_units(record->size_bytes) > mach_lane_to_end(position))
		return false;
	*units = skipped + mach_lane_units(record->size_bytes);
	*message = (const uint8_t *)(mach_lane_record_at(lane, position) + 1);
	return true;
}

static inline bool
mach_lane_move(_Atomic uint64_t *word, uint64_t from, uint32_t units)
{
	return atomic_compare_exchange_strong_explicit(word, &from, mach_lane_advance(from, units),
						       memory_order_seq_cst, memory_order_relaxed);
}

/* ---- the queue's limit --------------------------------------------------------------------- */

/*
 * Counts one more message in, of a lane that stands at @tail and @head; before `tail` moves, as the
 * kernel's coming in between shows there.  True: there is room; and in @counted what
 * mach_lane_count_out() wants, in @ticket the message's place among those of other lanes.
 */
static inline bool
mach_lane_count_in(struct mach_lane_gate *gate, uint64_t tail, uint64_t head, uint64_t *counted,
		   uint32_t *ticket)
{
	uint32_t limit = atomic_load_explicit(&gate->limit, memory_order_relaxed);
	uint64_t count;

	*counted = 0;
	*ticket = 0;
	if (atomic_load_explicit(&gate->sole, memory_order_relaxed) != 0)
		return mach_lane_messages(tail, head) +
			   atomic_load_explicit(&gate->base, memory_order_relaxed) <
		       limit;
	count = atomic_load(&gate->count);
	for (uint32_t i = 0; i < MACH_LANE_TRIES; i++) {
		if ((count & MACH_LANE_COUNT) >= limit)
			return false;
		*ticket = (uint32_t)count >> MACH_LANE_TICKET_SHIFT;
		*counted = (count & ~(uint64_t)0xffffffffu) |
			   ((*ticket + 1) & 0xffffu) << MACH_LANE_TICKET_SHIFT |
			   (((uint32_t)count + 1) & MACH_LANE_COUNT);
		if (atomic_compare_exchange_weak(&gate->count, &count, *counted))
			return true;
	}
	return false; /* somebody writes there all the time: the kernel knows better */
}

/*
 * One message less, if the kernel has not counted anew since @counted was read from the gate.
 * True: the queue was full.
 */
static inline bool
mach_lane_count_out(struct mach_lane_gate *gate, uint64_t counted)
{
	uint64_t count = atomic_load_explicit(&gate->count, memory_order_relaxed);

	/* where somebody writes there all the time the kernel counts anew, sooner or later */
	for (uint32_t i = 0; i < MACH_LANE_TRIES; i++) {
		if ((count ^ counted) >> 32 != 0 || (count & MACH_LANE_COUNT) == 0 ||
		    (count & MACH_LANE_COUNT) == MACH_LANE_COUNT_SHUT)
			return false;
		if (atomic_compare_exchange_weak(&gate->count, &count, count - 1))
			return (count & MACH_LANE_COUNT) >=
			       atomic_load_explicit(&gate->limit, memory_order_relaxed);
	}
	return false;
}

/* The place of a message among those of other lanes: is @ticket before @other? */
static inline bool
mach_lane_ticket_before(uint32_t ticket, uint32_t other)
{
	return (int16_t)(uint16_t)(ticket - other) < 0;
}

/* Message @seqno was taken; unless the kernel, who came since, knows it. */
static inline void
mach_lane_count_seqno(struct mach_lane_port *row, uint64_t seqno)
{
	uint64_t next = (seqno & ~(uint64_t)0xffffffffu) | (uint32_t)(seqno + 1);

	atomic_compare_exchange_strong(&row->seqno, &seqno, next);
}

/* ---- calls ---------------------------------------------------------------------------------- */

#define MACH_LANE_CALL_NUMBER_SHIFT 8
#define MACH_LANE_CALL_MASK 0xffu

static inline uint32_t
mach_lane_call_word(uint32_t number, enum mach_lane_call_state state)
{
	return number << MACH_LANE_CALL_NUMBER_SHIFT | (uint32_t)state;
}

static inline uint32_t
mach_lane_call_state(const struct mach_lane_call *call)
{
	return atomic_load_explicit(&call->word, memory_order_acquire) & MACH_LANE_CALL_MASK;
}

/* The index and the number in a record's `call`. */
static inline uint32_t
mach_lane_call_index(uint32_t call)
{
	return call & MACH_LANE_CALL_MASK;
}

static inline uint32_t
mach_lane_call_number(uint32_t call)
{
	return call >> MACH_LANE_CALL_NUMBER_SHIFT;
}

/* False: the state of that asking is another, or it is over. */
static inline bool
mach_lane_call_move(struct mach_lane_call *call, uint32_t number, enum mach_lane_call_state from,
		    enum mach_lane_call_state to)
{
	uint32_t word = mach_lane_call_word(number, from);

	return atomic_compare_exchange_strong(&call->word, &word, mach_lane_call_word(number, to));
}

/* The same whatever the state is; false: the kernel keeps nothing for the call. */
static inline bool
mach_lane_call_set(struct mach_lane_call *call, enum mach_lane_call_state to)
{
	uint32_t word = atomic_load(&call->word);

	for (uint32_t i = 0; i < MACH_LANE_TRIES; i++) {
		if ((word & MACH_LANE_CALL_MASK) == MACH_LANE_UNUSABLE)
			return false;
		if (atomic_compare_exchange_weak(&call->word, &word,
						 (word & ~MACH_LANE_CALL_MASK) | (uint32_t)to))
			return true;
	}
	/* a peer that writes there all the time: what it writes is its own loss */
	atomic_store(&call->word, (word & ~MACH_LANE_CALL_MASK) | (uint32_t)to);
	return true;
}

/* The sender asks with it, for the time that *@number says; false as above. */
static inline bool
mach_lane_call_ask(struct mach_lane_call *call, uint32_t *number)
{
	uint32_t word = atomic_load(&call->word);

	for (uint32_t i = 0; i < MACH_LANE_TRIES; i++) {
		if ((word & MACH_LANE_CALL_MASK) == MACH_LANE_UNUSABLE)
			return false;
		*number = mach_lane_call_number(word + (1u << MACH_LANE_CALL_NUMBER_SHIFT));
		if (atomic_compare_exchange_weak(&call->word, &word,
						 mach_lane_call_word(*number, MACH_LANE_ASKED)))
			return true;
	}
	return false;
}

/* The name that a freed index gets next; its low byte counts in steps of 4. */
static inline uint32_t
mach_lane_next_name(uint32_t name)
{
	return (name & ~0xffu) | ((name + 4) & 0xffu);
}

/* The word of names[] that says this of @name; and whether it does. */
static inline uint32_t
mach_lane_name_word(uint32_t name, enum mach_lane_name what)
{
	return (name & ~(uint32_t)MACH_LANE_NAME_MASK) | what;
}

static inline bool
mach_lane_name_is(uint32_t word, enum mach_lane_name what)
{
	return (word & MACH_LANE_NAME_MASK) == (uint32_t)what;
}

/* False: it says something else by now. */
static inline bool
mach_lane_name_move(_Atomic uint32_t *word, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(word, &from, to);
}

/* Is call @index the clearer's, who has the answer then? */
static inline bool
mach_lane_claim(_Atomic uint32_t *asked, uint32_t index)
{
	return (atomic_fetch_and(asked, ~(1u << index)) >> index & 1) != 0;
}

#endif
