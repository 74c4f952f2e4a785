/*
 * What the library of one task knows of its lanes, and what it does with them, in two steps each:
 * *begin* is all that goes before the one compare-and-exchange that counts, *finish* is that and
 * what follows it.  Whatever comes between, a lane's finish either is the message's only way or
 * does nothing; then it goes by the kernel.
 *
 * The memory is wire/mach_lane.h; the traps that open, accept and bind are the host's, which
 * fills these structures (hosts/simulated/lane_host.c).  There are no threads: a lock is a mark of
 * who is in the middle of something, and whoever finds it goes by the kernel, as in libberth.
 */
#ifndef HOSTS_LANE_STEPS_H
#define HOSTS_LANE_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include <mach/message.h>
#include <mach/port.h>

#include "wire/mach_lane.h"

struct kernel_shared;

/* One end of a lane. */
struct lane_end {
	struct kernel_shared *memory, *gates_memory; /* held as long as they are mapped */
	struct mach_lane *shared;                    /* NULL: none */
	struct mach_lane_gates *gates;               /* the receiver's */
	bool locked;                                 /* somebody puts something in */
	/* sender */
	uint32_t call_port[MACH_LANE_CALLS]; /* the port that the answer goes to */
	struct {
		mach_port_name_t name; /* 0: unused */
		uint32_t port;         /* its number in the table */
		uint32_t incarnation;  /* of it */
	} bindings[MACH_LANE_BINDINGS];
};

struct lane_task {
	struct kernel_shared *table_memory, *gates_memory;
	struct mach_lane_table *table; /* NULL: it has not begun */
	struct lane_end ends[MACH_LANE_MAX];
	bool port_locked[MACH_LANE_GATE_MAX]; /* somebody receives there */
	uint32_t order;                       /* of its next answer */
};

enum lane_step_kind { LANE_NOTHING, LANE_PUT, LANE_TAKE, LANE_ANSWER, LANE_TAKE_ANSWER };

/* What was begun. */
struct lane_step {
	enum lane_step_kind kind;
	struct lane_task *task;
	uint32_t lane, call, port;
	uint64_t word, counted, seqno;
	uint32_t units, port_word, number_before;
	bool is_sole;
	mach_port_name_t name; /* of the right to answer, MACH_PORT_NULL: none */
	uint32_t before;       /* … and its word in the table, before it was taken */

	/* what is taken, as it is received */
	mach_msg_mac_trailer_t trailer;
	uint32_t size_bytes;
	union {
		mach_msg_header_t header;
		uint8_t bytes[MACH_LANE_ANSWER_MAX];
	} message;
};

/* What a message is to a lane. */
enum lane_shape { LANE_SHAPE_OTHER, LANE_SHAPE_ONE_WAY, LANE_SHAPE_REQUEST, LANE_SHAPE_ANSWER };

enum lane_shape lane_shape_of(const mach_msg_header_t *message, uint32_t size_bytes);
/* The lane for the send right @name, or MACH_LANE_MAX. */
uint32_t lane_of_right(const struct lane_task *task, mach_port_name_t name);
/* The number of the task's port @name that lanes lead or answer to, or MACH_LANE_GATE_MAX. */
uint32_t lane_port_of(const struct lane_task *task, mach_port_name_t name);
/* The calls of @lane that its sender, the task, waits for: a bit each. */
uint32_t lane_asked(const struct lane_task *task, uint32_t lane);
bool lane_is_bound(const struct lane_task *task, uint32_t lane, mach_port_name_t name);

/*
 * Send @message, of a shape that lanes know; to an answer is bound before where it comes.  True:
 * it is begun, and is to be finished.  False: by the kernel.
 */
bool lane_send_begin(struct lane_task *task, const mach_msg_header_t *message, uint32_t size_bytes,
		     struct lane_step *step);

enum lane_receive {
	LANE_RECEIVE_BEGUN,
	LANE_RECEIVE_NOTHING,   /* nothing is there: the caller may sleep */
	LANE_RECEIVE_BY_KERNEL, /* it knows better */
};

/* Receive on @name into @room bytes, with trailer elements as @option says. */
enum lane_receive lane_receive_begin(struct lane_task *task, mach_port_name_t name, uint32_t option,
				     uint32_t room, struct lane_step *step);

/* True: it is made.  False: the kernel came between, and it is as if it had not begun. */
bool lane_finish(struct lane_step *step);

#endif
