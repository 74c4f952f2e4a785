/*
 * Lanes, the program's side: calls to the kexthost of a control.  See wire/lane.h.
 *
 *	struct lane_call call;
 *	error = lane_call_begin(host_id, &call);      or  lane_call_on(lane, &call)
 *	fill call.request, lane_call_data(&call, ...)
 *	error = lane_call_run(&call, shown_fd);
 *	read call.reply, lane_call_take(&call, ...)
 *	lane_call_end(&call);
 *
 * A signal handler that interrupts a call may make calls of its own: it takes another slot.
 * Nothing here allocates from the heap.
 */
#ifndef BERTH_CLIENT_BSD_LANE_H
#define BERTH_CLIENT_BSD_LANE_H

#include "wire/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define LANES_MAX 256u /* of this process, to all kexthosts */

/* One lane.  What is in it belongs to lane.c and lane_call.c.  It goes when it is both idle and
 * dead; an idle one waits for the next call. */
struct lane {
	_Atomic uint32_t reference_count; /* sockets attached in it and calls; 0: idle */
	_Atomic uint32_t state;           /* enum lane_life */
	uint32_t host_id;
	int socket_fd, event_fd;
	struct lane_memory *memory;
	const struct kernel_page *alive_page; /* says at once that the kexthost is gone */
	_Atomic uint64_t taken;               /* a bit for each slot in use */
	_Atomic int mail[LANE_SLOTS];         /* a descriptor for the reply in that slot, plus 1 */
	_Atomic uint32_t owners[LANE_SLOTS];  /* thread ids: for the child of a fork */
};

/* OPENING: its thread waits for the kexthost's welcome, and nobody else uses it. */
enum lane_life { LANE_OPENING = 1, LANE_OPEN, LANE_DEAD };

/* One call, on its thread's stack. */
struct lane_call {
	struct lane *lane; /* counted */
	struct lane_slot *slot;
	struct lane_bell *bell;
	uint32_t slot_index;
	struct lane_request request; /* copied to the slot by lane_call_run() */
	struct lane_reply reply;     /* copied from there once */
	int data_fd;                 /* of the request's data, or then of the reply's; -1: none */
};

/*
 * Any lane to that kexthost, with a free slot; opens one if need be.
 *
 * 0          call->lane is counted; lane_call_end() ends the call
 * ENOENT     the kexthost is gone
 * ENOTCONN   there is no kernel
 * ENOBUFS    no memory, no descriptors or too many lanes
 */
int lane_call_begin(uint32_t host_id, struct lane_call *call);

/* A slot of @lane, which the caller holds.  False: all are taken, or it is dead. */
bool lane_call_on(struct lane *lane, struct lane_call *call);

/*
 * The data of the request: the bytes of @parts up to @size.
 * 0; EFAULT: they cannot be read (found out only where they are many); ENOBUFS.
 */
int lane_call_data(struct lane_call *call, const struct iovec *parts, size_t part_count,
		   size_t size);

/*
 * Ask, and wait for the answer.  @shown_fd: the control socket if the operation shows one,
 * else -1.  0: there is a reply, which says how it went; EPIPE: the kexthost is gone.
 */
int lane_call_run(struct lane_call *call, int shown_fd);

/* Copy the data of the reply, at most @room bytes.  0; EFAULT; ENOBUFS: it was lost. */
int lane_call_take(struct lane_call *call, void *to, size_t room);

void lane_call_end(struct lane_call *call);

void lane_ref(struct lane *lane);
void lane_unref(struct lane *lane); /* NULL: nothing */

static inline bool
lane_is_open(const struct lane *lane)
{
	return atomic_load_explicit(&lane->state, memory_order_acquire) == LANE_OPEN;
}

/* ---- between lane.c, which opens and closes them, and lane_call.c ------------------------ */

/* Is the kexthost gone, or has it hung up?  Then the lane is dead from now on. */
bool lane_has_died(struct lane *lane);
void lane_die(struct lane *lane);

/* A slot was given back: somebody may wait for one. */
void lane_slot_is_free(void);

/* One message on the lane's socket, with up to two descriptors.  @with_ids: also the effective
 * ids.  False: the kexthost is gone. */
bool lane_say(const struct lane *lane, uint32_t kind, uint32_t slot_index, const int *fds,
	      uint32_t fd_count, bool with_ids);

/* Read what has come on the lane's socket, without waiting, and keep descriptors for the slots
 * they belong to. */
void lane_read_mail(struct lane *lane);

/* Under system_lock. */
void lanes_before_fork(void);
void lanes_after_fork_in_child(void);

#endif
