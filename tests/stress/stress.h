/*
 * The stress test: what its coordinator and its workers share.
 *
 * A *slot* is a place for a worker task; an *incarnation* is one life in it, and its number
 * is never used twice.  Each thread of a worker has an inbox.  A *stream* is what one thread
 * of one incarnation sends to one inbox: its messages are numbered from 1.
 *
 * Streams are checked by whoever receives them.  Two stops end a run.  The coordinator sends
 * the first when every thread has sent its last message, so it is behind all streams in each
 * inbox; and the second when every thread has given up or used every right that it was sent,
 * so it is behind all notifications.
 */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include <mach/mach.h>
#include <mach/mach_error.h>
#include <mach/notify.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS 8u
#define THREADS 4u
#define INCARNATIONS_MAX 4096u
#define DESCRIPTORS_MAX 4u
#define ARRAY_MAX 8u       /* rights in one out-of-line array */
#define FILLER_MAX 20000u  /* bytes of inline data: more than a slot of the wire holds */
#define MEMORY_MAX 100000u /* bytes of out-of-line memory: small rides in the stream */
#define HOARD_MAX 16u      /* rights that a thread keeps for a while */
#define WATCHED_MAX 64u    /* ports whose death a thread awaits */
#define QUEUED_MAX 3u      /* messages queued in a receive right that travels */
#define BUFFER_SIZE 65536u

enum message_id {
	ID_DATA = 1000, /* part of a stream */
	ID_FIN,         /* the end of a stream */
	ID_ANSWER,      /* to a send-once right that came in a stream */
	ID_QUEUED,      /* in a port that travels */
	ID_STOP_1,
	ID_STOP_2,
	ID_REGISTER, /* worker to coordinator: a new incarnation's inboxes */
	ID_LOOK_UP,  /* worker to coordinator: where is that slot now? */
	ID_LOCATION, /* the answer */
	ID_DONE_1,
	ID_DONE_2,
	ID_TICK /* worker to coordinator: time for a death */
};

/* What stands in a run's shared memory: for counting, not for passing anything on. */
struct plan {
	_Atomic int64_t remaining; /* messages of streams to send */
	int64_t tick_every;
	uint64_t seed;
	_Atomic uint32_t leave[SLOTS]; /* the incarnation that is to exit */
	/* [from slot][thread][to slot][thread]: both incarnations, once the FIN is sent */
	_Atomic uint64_t fins[SLOTS][THREADS][SLOTS][THREADS];
	/* figures for people */
	_Atomic uint64_t data, received, full, answers, unused, no_senders, dead_names, deleted,
	    receives, queued, memories, memory_bytes, arrays, rights, dead_rights;
};

extern struct plan *plan;

/* Complain and fail: in a worker that ends the worker, and so the run. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fail unless @expression is KERN_SUCCESS. */
#define MUST(expression)                                                                           \
	do {                                                                                       \
		kern_return_t must_code = (expression);                                            \
		if (must_code != KERN_SUCCESS)                                                     \
			fail("%s:%d: %s: 0x%x %s", __FILE__, __LINE__, #expression, must_code,     \
			     mach_error_string(must_code));                                        \
	} while (0)

/* ---- small messages ------------------------------------------------------------------ */

/* All that coordinator and workers tell each other but for rights. */
struct note {
	mach_msg_header_t header;
	uint32_t slot, thread, incarnation, pad;
	uint32_t incarnations[SLOTS]; /* ID_STOP_1: who lives at the end */
};

/* With the inboxes of an incarnation; ID_REGISTER, ID_LOCATION. */
struct inboxes_note {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t inboxes[THREADS];
	uint32_t slot, incarnation;
};

/* ---- rights --------------------------------------------------------------------------- */

/* The names of this task and what they are; fails unless both lists are equal. */
struct holdings {
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count;
};

void holdings_take(struct holdings *holdings);
void holdings_free(struct holdings *holdings);
/* Fail unless this task holds what it held when @before was taken. */
void holdings_check(const struct holdings *before, const char *who);

mach_port_t port_with_qlimit(mach_port_msgcount_t qlimit);
void receive_right_drop(mach_port_t port);

/* ---- a message of a stream ------------------------------------------------------------ */

/* xorshift: the same numbers for the same seed. */
struct dice {
	uint64_t state;
};
uint64_t dice_next(struct dice *dice);
/* 0 … @count - 1 */
uint32_t dice_roll(struct dice *dice, uint32_t count);

struct sender {
	uint32_t slot, thread, incarnation;
};

/* What a message says about itself, behind its descriptors. */
struct payload {
	struct sender sender;
	uint32_t count;    /* of descriptors */
	uint64_t sequence; /* in its stream */
	uint64_t pattern;  /* what filler and memory are made of */
	uint32_t memory_size[DESCRIPTORS_MAX];
	uint32_t array_count[DESCRIPTORS_MAX];
	uint32_t queued[DESCRIPTORS_MAX]; /* messages in a receive right */
	uint32_t filler_size;             /* bytes behind it */
};

union descriptor {
	mach_msg_port_descriptor_t port;
	mach_msg_ool_descriptor_t memory;
	mach_msg_ool_ports_descriptor_t array;
	mach_msg_type_descriptor_t any;
};

/*
 * A port that was made for a message, whose receive right travels in it while its maker
 * keeps the send right or not.
 */
enum keep {
	KEEP_NOTHING,    /* no send right any more */
	KEEP_NO_SENDERS, /* drops the send right, having asked to hear of it */
	KEEP_DEAD_NAME,  /* waits for the port's death */
	KEEP_DELETED     /* drops the send right, having asked to hear of the port's death */
};

struct kept {
	mach_port_t name;
	enum keep how;
};

/* A message being made, and what follows from it. */
struct draft {
	_Alignas(8) uint8_t buffer[BUFFER_SIZE];
	uint32_t offset;     /* of the next descriptor */
	uint32_t made;       /* send-once rights to the inbox that this message makes when sent */
	uint32_t made_early; /* and those made already */
	struct kept kept[DESCRIPTORS_MAX];
	uint32_t kept_count;
};

/*
 * Write a message of random rights and memory to @destination into @draft; every send-once
 * right in it is one to @inbox.  Each of those leads to exactly one message there: an answer,
 * or the notification that it was not used.
 */
void draft_make(struct draft *draft, struct dice *dice, mach_port_t destination, mach_port_t inbox,
		const struct sender *sender, uint64_t sequence);

/* A full queue gave it back: make it fit to be sent again. */
void draft_again(struct draft *draft);

/* It was not sent and will not be: take everything back. */
void draft_undo(struct draft *draft);

/* Walks a received message. */
struct reader {
	mach_msg_header_t *header;
	uint32_t offset, index;
	struct payload payload; /* a copy: where it stands is aligned to 4 bytes only */
};

/* Fails if the size or the filler is wrong. */
void reader_init(struct reader *reader, mach_msg_header_t *header);
/* The next descriptor, or NULL. */
union descriptor *reader_next(struct reader *reader);
/* Check and free the out-of-line memory that reader_next() gave. */
void reader_memory(const struct reader *reader, const mach_msg_ool_descriptor_t *memory);

/* ---- a worker ------------------------------------------------------------------------- */

/* Live in @slot until the second stop, then check that nothing is left.  Exits. */
_Noreturn void worker_run(uint32_t slot, uint32_t incarnation);

#endif
