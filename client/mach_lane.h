/*
 * Lanes, as the program's messages find them: wire/mach_lane.h.
 *
 * A message goes by a lane if there is one for its right, it is simple, and nothing speaks against
 * it at this moment; else, and whenever there is any doubt, by a trap, before which the kernel
 * takes over what is in the lane.  So each function here may simply say no.
 *
 * BERTH_LANES: not set: a right gets one after 64 messages; N: after N; 0: none; flap or flap:SEED,
 * for tests: each message goes by lane or kernel as chance has it, and lanes come and go.
 */
#ifndef BERTH_CLIENT_MACH_LANE_H
#define BERTH_CLIENT_MACH_LANE_H

#include <mach/message.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Has this process begun with lanes, or has it been asked to?  Looked at before anything else. */
enum mach_lanes_state {
	MACH_LANES_OFF = 0,
	MACH_LANES_READY = 1,   /* it has its table */
	MACH_LANES_OFFERED = 2, /* the kernel has something to accept */
	MACH_LANES_COUNTING = 4 /* rights may become hot */
};
extern _Atomic uint32_t mach_lanes_state;

static inline bool
mach_lanes_are_on(void)
{
	return atomic_load_explicit(&mach_lanes_state, memory_order_relaxed) != MACH_LANES_OFF;
}

/* Is the table there?  It is set before that is said, and not again. */
static inline bool
mach_lanes_have_begun(void)
{
	return (atomic_load_explicit(&mach_lanes_state, memory_order_acquire) & MACH_LANES_READY) !=
	       0;
}

static inline bool
mach_lanes_are_offered(void)
{
	return (atomic_load_explicit(&mach_lanes_state, memory_order_relaxed) &
		MACH_LANES_OFFERED) != 0;
}

/*
 * Send the @size bytes of @message by a lane.  True: it is sent.  False: nothing was done.
 * With a full queue it waits for room, unless @option has MACH_SEND_TIMEOUT.
 */
bool mach_lane_send(const mach_msg_header_t *message, mach_msg_option_t option,
		    mach_msg_size_t size);

/*
 * Receive on @name by a lane: true, and *@code says how.  False: ask the kernel, with what
 * *@timeout_ms is then.
 */
bool mach_lane_receive(mach_msg_header_t *buffer, mach_msg_option_t option, mach_msg_size_t room,
		       mach_port_name_t name, mach_msg_timeout_t *timeout_ms,
		       mach_msg_return_t *code);

/* May a lane bring something to @name, a port of ours, as things stand?  Then whoever waits for it
 * in the kernel would shut them: send first, and receive after it. */
bool mach_lane_is_awaited(mach_port_name_t name);

/* A message went by the kernel that a lane could have taken: its right may be hot. */
void mach_lane_sent_by_kernel(const mach_msg_header_t *message, mach_msg_option_t option,
			      mach_msg_size_t size);

/* The kernel said that there are lanes to accept; and do so, out of any trap. */
void mach_lanes_offer_seen(void);
void mach_lanes_accept(void);

/* There is no kernel any more: whoever waits by lanes looks again. */
void mach_lanes_dropped(void);

/* In the child of a fork: there are none.  The thread may come back into the middle of one. */
void mach_lanes_forked(void);

#endif
