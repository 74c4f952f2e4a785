/*
 * What a task and its kernel share: the doorbell and the trap slots of its threads.
 *
 * A *segment* is one memfd, sealed against resizing, that holds TRAP_SEGMENT_SLOTS slots;
 * the kernel makes it, the task maps it.  A thread owns one slot.  The first segment of a
 * task is preceded by its doorbell page.  All of it is memory that a hostile task writes
 * at any time: the kernel keeps its own idea of what a slot does, copies a request before
 * it looks at it, and takes nothing here for more than a hint.
 *
 * One trap, as the two sides see it:
 *
 *   task                                   kernel
 *   fill slot->request, slot->data
 *   slot->state = TRAP_ASKED (release)
 *   doorbell_ring(slot)            ──►     takes the bit, copies request and data, steps
 *   wait while state == TRAP_ASKED         fills slot->reply, slot->data
 *   read slot->reply, slot->data   ◄──     slot->state = TRAP_DONE, wakes if task_sleeps
 *
 * To interrupt a blocked trap the task sets slot->cancel and rings again; the kernel
 * completes it then, or already has.  Each trap completes exactly once.
 */
#ifndef BERTH_WIRE_TRAP_PAGE_H
#define BERTH_WIRE_TRAP_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define WIRE_VERSION 1u

#define TRAP_SLOT_SIZE 16384u
#define TRAP_DATA_OFFSET 512u
#define TRAP_DATA_SIZE (TRAP_SLOT_SIZE - TRAP_DATA_OFFSET) /* bytes */
#define TRAP_SEGMENT_SLOTS 64u                             /* one word of bells */
#define TRAP_SEGMENT_MAX 256u                              /* segments a task: 16,384 threads */
#define TRAP_ARG_COUNT 8u
#define TRAP_VALUE_COUNT 6u

/* OOL memory of up to this many bytes a message rides in the stream; more goes in the bulk memfd.
 */
#define TRAP_INLINE_OOL_MAX 8192u

enum trap_state {
	TRAP_IDLE = 0,
	TRAP_ASKED = 1, /* set by the task */
	TRAP_DONE = 2   /* set by the kernel */
};

/*
 * slot->task_sleeps.  A futex is the cheaper bed; but it cannot be left for a signal handler
 * and watch the kernel's life at once.  In poll, on the slot's own waker (WIRE_WAKER), a
 * thread can: the kernel sends a byte there, and its death is a hang-up.
 */
enum trap_sleep {
	TRAP_SLEEPS_NOT = 0,
	TRAP_SLEEPS_IN_FUTEX = 1, /* on slot->state */
	TRAP_SLEEPS_IN_POLL = 2
};

enum trap_flags {
	TRAP_HAS_SPILL =
	    1, /* the stream is not in slot->data but in a memfd, first of the descriptors passed */
	TRAP_HAS_BULK = 2,  /* a sealed memfd with page-aligned pieces is passed behind it; with
			       TRAP_HAS_CARRIER a new carrier */
	TRAP_HAS_EVENT = 4, /* reply of PORT_WATCH: what to poll is passed */
	TRAP_HAS_FILE = 16 /* request of FILEPORT_MAKE, MEMORY_ENTRY_MAKE and TASK_FOR_PID, reply of
			      FILEPORT_OPEN, MEMORY_ENTRY_OPEN and of those of LANE_* that hand
			      out memory: the file is passed */
};

/* Of a reply: the task has exception ports, its own or inherited, whoever set them; it is to
 * look at them when something happens. */
#define TRAP_WATCH_EXCEPTIONS 32u

/* Of a reply: there are lanes to accept, or the task is to begin with them (mach_lane.h). */
#define TRAP_LANES_OFFERED 64u

/* Of a reply: it was not there when the kernel had taken the request, but came later.  A hint. */
#define TRAP_HAS_WAITED 256u

/*
 * Of request and reply: bulk pieces lie in a carrier, and `carrier` says which.
 *
 * A *carrier* is a memfd that large messages from one task to one other go through, again and
 * again: pages that are there already cost nothing but the copies.  The sender makes it, maps it,
 * and seals it against every other writer (F_SEAL_FUTURE_WRITE) and against resizing; the
 * receiver reads it, and copies what comes into memory of its own, once.  Nobody else has it.
 *
 *   sender                                kernel
 *   CARRIER_FIND, the right     ──►       who receives there?  A carrier to that task that
 *                               ◄──       nothing is in, or room for a new one
 *   copies, sends by number     ──►       queues as any bulk
 *                                         receiver
 *                                         is told number and tick; copies; doorbell->carried
 *
 * So what is written there is meant for who reads it, as of when the sender asked.  Where the right
 * to receive moves in between, the kernel copies for the new receiver, and the former one has seen
 * a message that it could have received.
 */
#define TRAP_HAS_CARRIER 128u
#define TRAP_CARRIERS 8u                  /* from a task, and to one */
#define TRAP_CARRIER_MIN_BYTES 16384u     /* of memory in a message: less costs no more */
#define TRAP_CARRIER_MAX_BYTES (4u << 20) /* of a carrier */

/* reply->carrier: a number that changes with each message, and below it which carrier it is. */
#define TRAP_CARRIER_INDEX(tick) ((tick) % TRAP_CARRIERS)
#define TRAP_CARRIER_LOST 8u /* in doorbell->carried: the receiver could not map the carrier */
#define TRAP_CARRIER_TICK 16u

/*
 * A trap's bytes are one *stream*, in either direction:
 *
 *   prefix      prefix_size bytes: header and descriptors, or the whole message, or an array
 *   trailer     (reply of MSG only) values[BERTH_MSG_TRAILER] bytes
 *   pad to 8
 *   pieces      piece_count × struct trap_piece_wire
 *   bytes       what pieces of kind TRAP_PIECE_STREAM point into, each 8-aligned
 *
 * The pieces of a message stand for its OOL and OOL-ports descriptors whose size or count
 * is not 0, in their order; those of OOL ports are always in the stream.  Where
 * TRAP_HAS_TAIL is set the very first piece is the tail instead: what follows the prefix in
 * the message.  Offsets of stream pieces count from the stream's start, those of bulk pieces
 * from the start of the bulk memfd.
 */
enum trap_piece_kind {
	TRAP_PIECE_UNREADABLE = 0, /* the task could not read its own memory there */
	TRAP_PIECE_STREAM = 1,
	TRAP_PIECE_BULK = 2
};

struct trap_piece_wire {
	uint32_t kind;
	uint32_t size_bytes;
	uint64_t offset_bytes;
};

struct trap_request {
	uint32_t number; /* enum berth_trap_number */
	uint32_t
	    flags; /* TRAP_HAS_SPILL, TRAP_HAS_BULK, TRAP_HAS_TAIL, TRAP_HAS_FILE, TRAP_HAS_CARRIER
		    */
	uint32_t stream_size_bytes;
	uint32_t prefix_size_bytes;
	uint32_t piece_count;
	uint32_t carrier; /* as the kernel numbered it for the sender */
	uint64_t args[TRAP_ARG_COUNT];
};

#define TRAP_HAS_TAIL 8u

/* What a strict task is to be stopped for, as in struct kernel_guard; all 0: nothing. */
struct trap_guard {
	uint64_t code, subcode;
	uint32_t name_type;
	uint32_t name_refs;
};

struct trap_reply {
	int32_t code; /* kern_return_t */
	uint32_t flags;
	uint32_t stream_size_bytes;
	uint32_t prefix_size_bytes;
	uint32_t piece_count;
	uint32_t carrier; /* its tick */
	uint64_t values[TRAP_VALUE_COUNT];
	struct trap_guard guard;
};

struct trap_slot {
	/* who waits for whom; a line of its own */
	_Atomic uint32_t state;
	_Atomic uint32_t task_sleeps; /* enum trap_sleep */
	_Atomic uint32_t cancel;      /* 1: interrupt what is blocked */
	uint32_t sequence;            /* of the reply; matches the descriptors passed with it */
	_Atomic uint32_t task_cpu;    /* hint: wait_cpu() of the thread when it rang; see wait.h */
	_Atomic uint32_t linux_tid;   /* of the thread: as Linux numbers it */
	_Atomic uint64_t promise;     /* wire/promise.h */
	uint8_t line0[32];

	struct trap_request request; /* written by the task only; from byte 64 */
	uint8_t pad1[40];            /* to byte 192 */
	struct trap_reply reply;     /* written by the kernel only */
	uint8_t pad2[TRAP_DATA_OFFSET - 192 - sizeof(struct trap_reply)];

	uint8_t data[TRAP_DATA_SIZE];
};

_Static_assert(sizeof(struct trap_slot) == TRAP_SLOT_SIZE, "a slot is a whole number of pages");

/*
 * The doorbell page of a task.  A thread rings by setting its slot's bit, then its
 * segment's bit in `summary`; the kernel takes them in the opposite order.
 */
#define DOORBELL_SUMMARY_WORDS (TRAP_SEGMENT_MAX / 64u)

struct doorbell {
	_Atomic uint32_t kernel_sleeps; /* 1: ring the eventfd, too */
	_Atomic uint32_t kernel_cpu; /* hint: CPU + 1 that the kernel runs on, 0 while it sleeps */
	uint8_t line0[56];
	_Atomic uint64_t summary[DOORBELL_SUMMARY_WORDS];
	uint8_t line1[64 - 8 * DOORBELL_SUMMARY_WORDS];
	_Atomic uint64_t bells[TRAP_SEGMENT_MAX];
	_Atomic uint32_t carried[TRAP_CARRIERS]; /* by the task: the last tick that it has copied */
	uint8_t pad[4096 - 128 - 8 * TRAP_SEGMENT_MAX - 4 * TRAP_CARRIERS];
};

_Static_assert(sizeof(struct doorbell) == 4096, "the doorbell is one page");

/*
 * The kernel page, mapped read-only by every task.  `alive` holds the kernel's thread id
 * with FUTEX_WAITERS in a robust futex: when berthd ends, however it ends, Linux sets
 * FUTEX_OWNER_DIED there and wakes one waiter, who wakes the next.
 */
struct kernel_page {
	_Atomic uint32_t alive;
	uint32_t version;
	uint8_t pad[4088];
};

_Static_assert(sizeof(struct kernel_page) == 4096, "the kernel page is one page");

/* Ring for @slot_index.  True: the kernel sleeps, and its eventfd must be written. */
static inline int
doorbell_ring(struct doorbell *bell, uint32_t slot_index)
{
	uint32_t segment = slot_index / TRAP_SEGMENT_SLOTS;

	atomic_fetch_or_explicit(&bell->bells[segment],
				 (uint64_t)1 << (slot_index % TRAP_SEGMENT_SLOTS),
				 memory_order_seq_cst);
	atomic_fetch_or_explicit(&bell->summary[segment / 64], (uint64_t)1 << (segment % 64),
				 memory_order_seq_cst);
	return atomic_load_explicit(&bell->kernel_sleeps, memory_order_seq_cst) != 0;
}

#endif
