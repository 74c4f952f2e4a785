/*
 * What the files of lanes share: what this process knows of its own lanes and ports.
 *
 * The table that the kernel writes says what is true; this is where the memory is mapped and who
 * of our threads uses it.  Every lock here is only tried: whoever does not get it goes by the
 * kernel, so a signal handler never waits for the code that it interrupted.
 */
#ifndef BERTH_CLIENT_MACH_LANE_PARTS_H
#define BERTH_CLIENT_MACH_LANE_PARTS_H

#include "client/cache_lines.h"
#include "client/mach_lane.h"
#include "client/trap.h"
#include "wire/mach_lane.h"

#include <limits.h>

/*
 * What of mach_msg()'s options makes no difference to a message that a lane takes, which has
 * neither descriptors nor a voucher; or to any, as policy does.
 */
#define LANE_OPTIONS                                                                               \
	(MACH_SEND_MSG | MACH_RCV_MSG | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT | MACH_RCV_LARGE |    \
	 MACH_RCV_LARGE_IDENTITY | MACH_RCV_TRAILER_MASK | MACH_RCV_VOUCHER |                      \
	 MACH_RCV_GUARDED_DESC | MACH_SEND_OVERRIDE | MACH_MSG_STRICT_REPLY | MACH_SEND_TRAILER |  \
	 MACH_SEND_FILTER_NONFATAL | MACH_SEND_NOIMPORTANCE | MACH_SEND_SYNC_OVERRIDE |            \
	 MACH_SEND_PROPAGATE_QOS | MACH_SEND_SYNC_BOOTSTRAP_CHECKIN)

/* A port that answers to a lane's requests go to. */
struct lane_binding {
	_Atomic mach_port_name_t name; /* 0: unused */
	_Atomic uint32_t port;         /* its number in the table */
	_Atomic uint32_t incarnation;  /* of the port, when it was bound */
};

/* What is atomic here is looked at by others than who has the lock, or receives on a port of it. */
struct lane {
	_Atomic uint32_t lock; /* who puts messages in or answers */
	_Atomic(struct mach_lane *) shared;
	struct mach_lane_gate *gate; /* of the receiver, in `gates` */
	struct mach_lane_gates *gates;
	uint32_t generation; /* of the row, when it was mapped */
	/* sender */
	_Atomic uint32_t call_port[MACH_LANE_CALLS]; /* the port that the answer goes to */
	struct lane_binding bindings[MACH_LANE_BINDINGS];
	uint64_t known_head; /* where the receiver stood when we looked last */
	uint32_t missed;     /* sends in a row that found it shut */
	/* receiver */
	uint64_t known_tail;           /* what the sender had put in when we looked last */
	uint32_t order;                /* of our next answer */
	_Atomic uint32_t answer_bytes; /* of our last one */
	bool is_stream;                /* the last message wanted no answer */
	uint32_t slow;                 /* messages to come that are not waited for to gather */
	uint64_t waiting_at;           /* the head, when a request was first seen there */
	uint32_t waiting_since;        /* how many the port had served by then */
};

/* Which tickets of a port's requests were taken. */
struct lane_order {
	uint32_t opened; /* as the kernel said when it opened the port */
	uint32_t next;   /* all before this one were taken, or never come */
	uint64_t ahead;  /* bit i: next + 1 + i was taken */
};

struct lane_port {
	_Atomic uint32_t lock; /* who receives */
	uint32_t generation;   /* of the row, when the lanes were listed */
	/* by which other threads say that there is something else to look at */
	_Atomic uint32_t changes;
	uint32_t listed_changes; /* of these, when the lanes were listed */
	_Atomic uint32_t
	    asked_by; /* plus 1: the lane that was asked by last with an answer to it */
	uint32_t lane_count, bound_count;
	struct lane_order order;
	uint32_t served;              /* requests that were taken, of several lanes */
	uint8_t last;                 /* the lane that the last one came by */
	uint8_t after[MACH_LANE_MAX]; /* that one was taken from behind each, the last time */
	uint8_t lanes[MACH_LANE_MAX]; /* that lead here */
	uint8_t bound[MACH_LANE_MAX]; /* that answer here */
};

#define LANE_PORT_PLACES 256u
/* more than a queue holds, MACH_PORT_QLIMIT_MAX, and who is just putting one in */
#define LANE_PASSED_OVER_MAX (1024u + MACH_LANE_MAX)
#define LANE_LOOKS_AGAIN 64u /* requests until all lanes are looked at in any case */
/* for which nobody waits for room in a lane: it may be that only others' words say that it is full
 */
#define LANE_ROOM_NS 20000000ull
#define LANE_ACCEPTS_MAX 4u /* at once: nobody's opening of lanes keeps the receiver from work */

struct lanes {
	uint32_t generation;   /* of the connection; what else is here is of it */
	_Atomic uint32_t lock; /* who changes what follows */
	struct mach_lane_table *table;
	struct mach_lane_gates *gates; /* our own ports' */
	uint32_t hot;                  /* messages until a right gets a lane */
	_Atomic uint32_t chance;       /* 0: nothing is left to it */
	_Atomic uint32_t sleeps;       /* how many there were */
	bool gives_lines;              /* cache_lines_can_be_given() */
	struct lane lanes[MACH_LANE_MAX];
	struct lane_port ports[MACH_LANE_GATE_MAX];
	_Atomic uint32_t port_names[LANE_PORT_PLACES]; /* by name: number of the port, plus 1 */
};

extern struct lanes lanes;

/* For tests: true once in so many times, and never unless BERTH_LANES says so. */
static inline bool
lane_by_chance(uint32_t times)
{
	uint32_t chance = atomic_load_explicit(&lanes.chance, memory_order_relaxed);

	if (__builtin_expect(chance == 0, 1))
		return false;
	chance ^= chance << 13;
	chance ^= chance >> 17;
	chance ^= chance << 5;
	atomic_store_explicit(&lanes.chance, chance, memory_order_relaxed);
	return chance % times == 0;
}

static inline bool
lane_try_lock(_Atomic uint32_t *lock)
{
	return atomic_load_explicit(lock, memory_order_relaxed) == 0 &&
	       atomic_exchange_explicit(lock, 1, memory_order_acquire) == 0;
}

static inline void
lane_unlock(_Atomic uint32_t *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

/* Is there a table, and the kernel behind it? */
static inline bool
lanes_are_ready(void)
{
	return mach_lanes_have_begun() && connection.kernel_page != NULL &&
	       !alive_word_is_dead(
		   atomic_load_explicit(&connection.kernel_page->alive, memory_order_relaxed)) &&
	       atomic_load_explicit(&connection.state, memory_order_relaxed) == CONNECTION_READY;
}

/* Is lane @number still the one that was mapped? */
static inline bool
lane_is_live(uint32_t number, uint32_t role)
{
	const struct mach_lane_entry *row = &lanes.table->entries[number];

	return lanes.lanes[number].shared != NULL &&
	       atomic_load_explicit(&row->role, memory_order_acquire) == role;
}

/* There is another lane, binding or question for our port @number than when its receiver listed
 * them: it looks anew, and if it sleeps it wakes up for that. */
static inline void
lane_port_changed(uint32_t number)
{
	struct mach_lane_port *row = &lanes.table->ports[number];

	atomic_fetch_add(&lanes.ports[number].changes, 1);
	if (atomic_load(&row->task_sleeps) != 0) {
		atomic_fetch_add(&row->word, MACH_LANE_WORD_COUNT);
		wait_wake(&row->word, INT_MAX);
	}
}

/* Is it still the port that was bound, which may have left and come back under its name? */
static inline bool
lane_binding_is_live(const struct lane_binding *binding)
{
	const struct mach_lane_port *row = &lanes.table->ports[binding->port];

	return atomic_load(&row->name) == binding->name &&
	       atomic_load(&row->incarnation) == binding->incarnation;
}

/* The half of @word that changes with each step: what a futex can be on. */
static inline const _Atomic uint32_t *
lane_futex(const _Atomic uint64_t *word)
{
	return (const _Atomic uint32_t *)(const void *)word +
	       (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 1 : 0);
}

/* We run here: written only if it is news, as the peer has the line. */
static inline void
lane_tell_cpu(_Atomic uint32_t *place)
{
	uint32_t cpu = wait_cpu();

	if (atomic_load_explicit(place, memory_order_relaxed) != cpu)
		atomic_store_explicit(place, cpu, memory_order_relaxed);
}

/* Does the peer run on another core, as far as it has told? */
static inline bool
lane_is_apart(const _Atomic uint32_t *place)
{
	uint32_t cpu = atomic_load_explicit(place, memory_order_relaxed);

	return cpu != 0 && cpu != wait_cpu();
}

/*
 * Wakes the peer, who sleeps on @word, if it says at @sleeps that it sleeps.  It may take a while
 * until it runs, so whoever has woken it takes that back; but only of the sleep that it had looked
 * at, by its number, and only if there was somebody to wake: else it may just be about to sleep, on
 * a word that has this change already, and the next one must find that it does.
 */
static inline void
lane_wake(_Atomic uint32_t *sleeps, const _Atomic uint32_t *word)
{
	uint32_t seen = atomic_load(sleeps);

	if (seen != 0 && wait_wake(word, INT_MAX) > 0)
		atomic_compare_exchange_strong(sleeps, &seen, 0);
}

/* The number of a sleep that begins, never 0: to be said, then look once more, then sleep. */
static inline uint32_t
lane_next_sleep(void)
{
	uint32_t number = atomic_fetch_add_explicit(&lanes.sleeps, 1, memory_order_relaxed) + 1;

	return number != 0 ? number : lane_next_sleep();
}

/* The lane for the send right @name, or MACH_LANE_MAX. */
uint32_t lane_of_right(mach_port_name_t name);
/* Counts a message that went by the kernel; opens a lane when there were enough. */
void lane_count(mach_port_name_t name);
/* It does not pay: close it, and begin to count anew. */
void lane_give_up(uint32_t number);
/* The number of the binding by which answers of lane @number go to @name, which is our port @port;
 * asked for if need be.  False: none. */
bool lane_bind(uint32_t number, mach_port_name_t name, uint32_t *binding, uint32_t *port);
/* The number of our port @name in the table, or MACH_LANE_GATE_MAX. */
uint32_t lane_port_of(mach_port_name_t name);
/* Brings the lists of the port, whose lock is held, up to date. */
void lane_port_update(uint32_t number);

/* What the sender of lane @number has put in, as far as we know: looked at anew when that is taken,
 * or the kernel has come. */
uint64_t lane_tail(uint32_t number, uint64_t head);
/* The lane with the oldest request to the port, whose lock is held; MACH_LANE_MAX: none. */
uint32_t lane_first(struct lane_port *port, const struct mach_lane_port *row);
/* That of @number, with @ticket, was taken. */
void lane_served(struct lane_port *port, uint32_t number, uint32_t ticket);

/* The send-once right @name answers @call of lane @number; and who has that right: false, nobody
 * knows. */
void lane_answer_remember(mach_port_name_t name, uint32_t number, uint32_t call);
bool lane_answer_find(mach_port_name_t name, uint32_t *number, uint32_t *call);

#define LANE_WORDS_MAX 128u /* of futex_waitv */

/* Sleep until one of them changes, or as wait_futex() says. */
int lane_sleep(const struct wait_word *words, uint32_t count, uint64_t deadline_ns);

#endif
