/*
 * Both ends of a lane, as a library has them: what tests do in its place (wire/mach_lane.h).
 *
 *	lane_begin(a); lane_begin(b);
 *	struct lane_ends lane = lane_make(a, right, b);
 *	lane_put(&lane, &message, lane_bind(&lane, reply));
 *	lane_take(&lane, &taken);
 *	lane_answer(&lane, taken.reply, &answer);
 *	lane_take_answer(&lane, reply, &taken);
 *
 * Each may find the lane shut and then does nothing: the test goes by the kernel.
 */
#ifndef TESTS_LANES_H
#define TESTS_LANES_H

#include "tests/support/message.h"
#include "wire/mach_lane.h"

struct lane_ends {
	struct actor *sender, *receiver;
	mach_port_name_t right; /* of the sender's */
	uint32_t sender_number, receiver_number;
	struct mach_lane *shared;
	struct mach_lane_gates *gates; /* the receiver's */
	struct mach_lane_table *sender_table, *receiver_table;
	uint32_t call_binding[MACH_LANE_CALLS];
	mach_port_name_t bound[MACH_LANE_BINDINGS]; /* the sender's reply ports */
	uint32_t bound_port[MACH_LANE_BINDINGS];    /* … in its table */
	uint32_t order;
};

/* What came. */
struct lane_taken {
	mach_msg_header_t header;
	uint8_t bytes[MACH_LANE_REQUEST_MAX];
	mach_port_name_t reply; /* of a request: 0, or the name to answer to */
	uint32_t call;
};

/* The table of the actor's task, which begins with lanes if it has not; NULL: no memory. */
struct mach_lane_table *lane_begin(struct actor *t);
/* A lane for @right of @sender, accepted by @receiver, whose tasks have begun. */
kern_return_t lane_open(struct actor *sender, mach_port_name_t right, struct actor *receiver,
			struct lane_ends *lane);
/* The same, and it must be possible. */
struct lane_ends lane_make(struct actor *sender, mach_port_name_t right, struct actor *receiver);
/* Answers may go to @reply: the number to give to lane_put(). */
uint32_t lane_bind(struct lane_ends *lane, mach_port_name_t reply);
bool lane_is_closed(const struct lane_ends *lane);

#define LANE_NO_ANSWER MACH_LANE_BINDINGS

/* True: sent.  @binding: where the answer goes, or LANE_NO_ANSWER. */
bool lane_put(struct lane_ends *lane, const struct message *m, uint32_t binding);
bool lane_take(struct lane_ends *lane, struct lane_taken *taken);
/* Answers @call, taken before, under the name that it had. */
bool lane_answer(struct lane_ends *lane, uint32_t call, mach_port_name_t name,
		 const struct message *m);
/* The first answer to what was asked with binding @binding. */
bool lane_take_answer(struct lane_ends *lane, uint32_t binding, struct lane_taken *taken);

/* A lane from @a to the mailbox of @b, which has room for 16 messages. */
struct lane_ends to_mailbox(struct actor *a, struct actor *b);
/* A message, or an answer, that is no more than its id. */
struct message with_id(mach_port_name_t to, uint32_t disposition, int32_t id);
bool put_id(struct lane_ends *lane, int32_t id, uint32_t binding);
bool answer_id(struct lane_ends *lane, const struct lane_taken *request, int32_t id);

/* What the kernel says of the receiver's port, or of a reply port: enum mach_lane_word. */
uint32_t lane_port_flags(const struct lane_ends *lane);
uint32_t lane_reply_flags(const struct lane_ends *lane, uint32_t binding);

#endif
