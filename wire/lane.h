/*
 * What a program and the kexthost of a kernel control share: a lane.
 *
 * A lane is between one process and one kexthost, and carries the calls that Darwin makes on
 * the thread of the user's process: connect, bind, send, options.  The data that a kext
 * enqueues does not come this way: it goes over the connected socket itself, so that reading
 * it needs nobody's help.
 *
 * The lane's socket (Unix SOCK_SEQPACKET; berthd makes the pair and hands one end to each)
 * says by its hang-up that the process, or the kext, is gone, and carries descriptors.  The
 * lane's memory is one sealed memfd: a bell, then LANE_SLOTS slots.  A thread of the process
 * takes a free slot (the process keeps account of them itself), and gives it back after the
 * call:
 *
 *   program                                kexthost
 *   fill slot->request, slot->data
 *   slot->state = LANE_ASKED (release)
 *   lane_ring(slot)                ──►     takes the bit, state = LANE_TAKEN, copies the
 *                                          request, runs the kext's callback
 *   wait while ASKED or TAKEN              fills slot->reply, slot->data
 *   read slot->reply, slot->data   ◄──     slot->state = LANE_DONE, wakes if program_sleeps
 *
 * The descriptors of a request that needs some go ahead of the bell, in LANE_FDS on the socket;
 * the kexthost fetches them when it takes the request.  All memory here is hostile to the
 * kexthost: it copies once, then checks.
 *
 * Threads of the kexthost look at the bells in turn, never two at once, and whoever finds
 * something serves it himself.  While he is in a callback nobody may be looking; so a program
 * that is about to sleep and finds its slot still ASKED writes the lane's eventfd, which wakes
 * another thread.
 *
 * A *handle* names an attached control socket inside one lane.  It is given by CONNECT, BIND
 * and ADOPT only, each of which is shown the descriptor: so nobody speaks for a socket that
 * he was never handed.
 */
#ifndef BERTH_WIRE_LANE_H
#define BERTH_WIRE_LANE_H

#include <stdatomic.h>
#include <stdint.h>

#include "wire/socket.h"

#define LANE_VERSION 1u
#define LANE_SLOTS 64u /* calls of one process under way at once; one more lane for more */
#define LANE_SLOT_SIZE 69632u
#define LANE_DATA_OFFSET 4096u
#define LANE_DATA_SIZE (LANE_SLOT_SIZE - LANE_DATA_OFFSET) /* 64 KiB; more comes in a memfd */
#define LANE_DATA_MAX (64u << 20)                          /* bytes of one call, by the contract */
#define LANE_ARG_COUNT 4u
#define LANE_VALUE_COUNT 6u
#define LANE_OVERDUE_S 10u /* a call that takes longer is told of in the kext's log */

enum lane_state { LANE_IDLE = 0, LANE_ASKED = 1, LANE_TAKEN = 2, LANE_DONE = 3 };

enum lane_operation {
	/* The control socket is descriptor 0 of the LANE_FDS, which carries the effective ids, too.
	 * in: struct sockaddr_ctl (32 bytes).  args: length that the program passed.
	 * values: enum lane_attached */
	LANE_CONNECT = 1,
	LANE_BIND,
	/* The same descriptor, attached earlier, perhaps by another process.  values: the same.
	 * ENOTCONN: it is attached to nothing here */
	LANE_ADOPT,

	/* args: handle, then as said */
	LANE_SEND, /* MSG_EOR, MSG_OOB.  in: the data */
	/* option, 1 if the program gave a buffer, EFAULT or EINVAL if its bytes cannot be sent.
	 * in: its bytes */
	LANE_SETOPT,
	LANE_GETOPT,  /* option, 1 if the program gave a buffer, its length.  in: its bytes.
		       * values: length.  out: bytes, none for a size query */
	LANE_RCVD,    /* flags of the receive, MSG_PEEK excluded */
	LANE_CLOSED,  /* a descriptor was closed: wait for the disconnect, if it was the last */
	LANE_SHUT_RD, /* the program shut the reading side */
	LANE_SIZES,   /* new receive size or 0, new send size or 0, new low-water mark or 0 */
	LANE_QUEUED,  /* values: records queued, bytes queued */
	LANE_MARKED   /* values: 1 if the last message that was read was marked (see below) */
};

/* values of LANE_CONNECT, LANE_BIND, LANE_ADOPT.  Where the call failed after the socket was
 * attached (a bind callback, or none, see kernel-control.md §5.2) they are there, too. */
enum lane_attached {
	LANE_HANDLE = 0, /* 0: not attached */
	LANE_UNIT,
	LANE_ID,
	LANE_FLAGS, /* enum lane_attached_flags */
	LANE_SENDSIZE,
	LANE_RECVSIZE
};

enum lane_attached_flags {
	LANE_IS_CONNECTED = 1,
	LANE_IS_STREAM = 2,
	LANE_WANTS_RCVD = 4, /* the control is EXTENDED and has a rcvd callback */
	LANE_HAS_SEND = 8
};

struct lane_request {
	uint32_t operation;  /* enum lane_operation */
	uint32_t flags;      /* enum lane_request_flags */
	uint32_t size_bytes; /* of what is in slot->data, or in the memfd */
	uint32_t linux_tid;
	uint64_t args[LANE_ARG_COUNT];
};

enum lane_request_flags {
	LANE_IN_MEMFD = 1 /* the data is in the last descriptor of the LANE_FDS, from byte 0 */
};

struct lane_reply {
	int32_t error;  /* errno of Linux, 0: fine */
	uint32_t flags; /* enum lane_reply_flags */
	uint32_t size_bytes;
	uint32_t pad;
	uint64_t values[LANE_VALUE_COUNT];
};

enum lane_reply_flags {
	LANE_OUT_MEMFD = 1, /* the data is in a memfd that LANE_REPLY brought */
	LANE_NOT_HERE = 2   /* CONNECT, BIND: ENOENT, for this kexthost has no such control */
};

struct lane_slot {
	_Atomic uint32_t state;          /* enum lane_state; what the program's futex is on */
	_Atomic uint32_t program_sleeps; /* 1: in the futex, wake it */
	_Atomic uint32_t program_cpu;    /* hint: wait_cpu() of the thread when it rang */
	/* to be looked at when the bell rings again: */
	_Atomic uint32_t cancel;  /* 1: a signal came; what sleeps with PCATCH comes back */
	_Atomic uint32_t overdue; /* 1: this call has taken LANE_OVERDUE_S seconds */
	uint8_t line0[44];
	struct lane_request request; /* written by the program only */
	uint8_t line1[64 - sizeof(struct lane_request) % 64];
	struct lane_reply reply; /* written by the kexthost only */
	uint8_t pad[LANE_DATA_OFFSET - 64 - sizeof(struct lane_request) -
		    (64 - sizeof(struct lane_request) % 64) - sizeof(struct lane_reply)];
	uint8_t data[LANE_DATA_SIZE];
};

_Static_assert(sizeof(struct lane_slot) == LANE_SLOT_SIZE, "a slot is a whole number of pages");

struct lane_bell {
	_Atomic uint32_t host_sleeps; /* 1: nobody looks; write the eventfd, too */
	_Atomic uint32_t host_cpu;    /* hint: wait_cpu() of who looks, 0: nobody does */
	uint8_t line0[56];
	_Atomic uint64_t bells; /* one bit a slot */
	uint8_t pad[4096 - 72];
};

_Static_assert(sizeof(struct lane_bell) == 4096, "the bell is one page");

#define LANE_MARKS 65536u /* handles whose marks are told */

struct lane_memory {
	struct lane_bell bell;
	struct lane_slot slots[LANE_SLOTS];
	/* By the lower half of a handle, less 1: 1 before the first message on that socket that is
	   marked, and from then on.  As long as it is 0 a plain recv(2) gives whole records. */
	_Atomic uint8_t marks[LANE_MARKS];
};

/* Ring for @slot_index.  True: the eventfd must be written. */
static inline int
lane_ring(struct lane_bell *bell, uint32_t slot_index)
{
	atomic_fetch_or_explicit(&bell->bells, (uint64_t)1 << slot_index, memory_order_seq_cst);
	return atomic_load_explicit(&bell->host_sleeps, memory_order_seq_cst) != 0;
}

/* ---- on the lane's socket ---------------------------------------------------------- */

enum lane_message_kind {
	/* kexthost → program, first: descriptors: memory, eventfd, alive page */
	LANE_WELCOME = 128,
	/* kexthost → program: descriptor: the data of the reply in that slot.  Sent before the slot
	   is DONE */
	LANE_REPLY = 129,
	/* program → kexthost: descriptors: the control socket if the operation shows one, then the
	   memfd if LANE_IN_MEMFD.  Carries SCM_CREDENTIALS with the effective ids */
	LANE_FDS = 130,
	/* kexthost → program, in place of LANE_WELCOME: the process has as many lanes as it may */
	LANE_REFUSED = 131
};

struct lane_message {
	struct wire_head head;
	uint32_t slot_index; /* LANE_WELCOME: LANE_VERSION */
	uint32_t pad;
};

/* ---- the control socket itself ------------------------------------------------------ */

/*
 * A program's control or event socket is a Unix socket: SOCK_SEQPACKET for SOCK_DGRAM and
 * SOCK_RAW, SOCK_STREAM for SOCK_STREAM.  It is bound to an abstract name that begins with one
 * of these, after the NUL, and goes on with what makes it unique: so that a process that is
 * handed the descriptor, or has inherited it, knows what it is.
 */
#define SYSTEM_SOCKET_DGRAM "berth/control/dgram/"
#define SYSTEM_SOCKET_STREAM "berth/control/stream/"
#define SYSTEM_SOCKET_EVENT "berth/event/raw/"

/*
 * Records on a control socket, kexthost → program.  A kext's record may grow until it is read
 * or closed by CTL_DATA_EOR (kernel-control.md §2.4); a Unix message cannot.  So each enqueue
 * is a message, and one bit tells the reader how they belong together: whether a descriptor
 * (O_PATH, of nothing) rides with it.  A recvmsg() without room for descriptors sees that as
 * MSG_CTRUNC, and no descriptor is installed.
 *
 *   SEQPACKET (SOCK_DGRAM)  marked: the record goes on with the next message, if that is there
 *                           when this one is read; unmarked: the record ends here, by EOR or by
 *                           ctl_enqueuembuf_list, see below
 *   STREAM                  marked: the record ends with this message, of one byte, by EOR;
 *                           Linux ends a read there by itself
 *
 * On SEQPACKET an unmarked message has MSG_EOR.  (One of ctl_enqueuembuf_list has it, too: the
 * difference cannot be told.)
 *
 * The peer of a connected control socket has a name, which getpeername(2) gives: the path of
 * an unlinked socket, whose last part is this and the kexthost's id in hexadecimal.
 */
#define KEXTHOST_SOCKET_NAME "kexthost."

#endif
