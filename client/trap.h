/*
 * One trap, from its request to the end of its reply.
 *
 *	struct trap trap;
 *	if (trap_begin(&trap, BERTH_TRAP_...) != TRAP_OK) ...
 *	fill trap.slot->request.args, trap.slot->data and the sizes
 *	if (trap_run(&trap, ...) != TRAP_OK) ...
 *	read trap.slot->reply, trap_stream(&trap), trap.bulk_fd
 *	trap_end(&trap);
 *
 * A signal handler that interrupts a thread anywhere in there may trap, too: it gets the
 * slot of the next level.  Nothing here allocates from the heap.
 */
#ifndef BERTH_CLIENT_TRAP_H
#define BERTH_CLIENT_TRAP_H

#include "client/connection.h"
#include "wire/wait.h"

#include <berth/syscall_sw.h>
#include <mach/kern_return.h>
#include <mach/port.h>
#include <mach/vm_types.h>

#define THREAD_LEVELS 16 /* a thread in a trap, and handlers within handlers */

/* What a thread has of its own. */
struct thread_state {
	uint32_t generation; /* of the connection that the rest belongs to */
	uint32_t depth;      /* traps under way */
	uint32_t level_count;
	uint32_t slot_index[THREAD_LEVELS];
	bool has_waited;                /* the last answer of another's was not there at once */
	bool is_keyed;                  /* its end will be noticed */
	bool is_ending;                 /* the library gives back what it kept for the thread */
	mach_port_t reply_port;         /* mig_get_reply_port() */
	mach_port_t special_reply_port; /* mig_get_special_reply_port() */
	mach_port_t voucher;            /* the thread's, with a reference for it; voucher.c */
	struct wait_state wait;
};

enum trap_outcome {
	TRAP_OK,
	TRAP_NO_KERNEL, /* none was found, or it died before */
	TRAP_DIED,      /* it died while the trap was under way */
	TRAP_SHORTAGE   /* no slot: too many threads, or levels of handlers; or no descriptor, or
			   Linux did not send those of the request */
};

/* How a signal handler ends the wait. */
enum trap_patience {
	TRAP_PATIENT,      /* not at all: what is waited for comes soon, or is restarted anyway */
	TRAP_INTERRUPTIBLE /* the trap is interrupted, and completes with what that means for it */
};

struct trap {
	struct trap_slot *slot;
	uint32_t slot_index;
	/* the connection's when the trap began: a handler may fork, and the child comes back here
	 */
	struct doorbell *doorbell;
	const struct kernel_page *kernel_page;
	bool rings_by_socket;  /* behind what was sent there before, not past it */
	bool waits_for_others; /* the answer may be for another task to give */
	/* of the request until it runs, then of the reply; -1: none; trap_end() closes them, but
	 * the request's file, which stays the program's */
	int spill_fd;
	int bulk_fd;
	int event_fd;
	int file_fd;
	int send_error; /* an errno: why the request's descriptors could not be sent */
	uint8_t *spill; /* the reply's stream, mapped */
	size_t spill_size;
};

/* A slot for one trap; unless TRAP_OK there is nothing to end. */
enum trap_outcome trap_begin(struct trap *trap, uint32_t number);

/* Ask, and wait for the answer.  Unless TRAP_OK there is no reply; trap_end() all the same. */
enum trap_outcome trap_run(struct trap *trap, enum trap_patience patience);

void trap_end(struct trap *trap);

/* The stream of the reply: private memory, or the slot.  NULL: it could not be mapped. */
uint8_t *trap_stream(struct trap *trap);

/*
 * A trap that takes numbers only.  @values may be NULL.
 *
 * The kernel's code; MACH_SEND_INVALID_DEST without a kernel, as for a dead task port;
 * KERN_RESOURCE_SHORTAGE: no slot.
 */
kern_return_t trap_call(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
			uint64_t values[TRAP_VALUE_COUNT]);

/* The same for a trap that may block: how a signal handler ends it. */
kern_return_t trap_call_patience(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
				 enum trap_patience patience);

#define TRAP_CALL(number, values, ...)                                                             \
	trap_call(number, (const uint64_t[TRAP_ARG_COUNT]){ __VA_ARGS__ }, values)

/* The same with @in_size bytes (at most TRAP_DATA_SIZE) for the kernel. */
kern_return_t trap_call_in(uint32_t number, const uint64_t args[TRAP_ARG_COUNT], const void *in,
			   uint32_t in_size, uint64_t values[TRAP_VALUE_COUNT]);

/*
 * The same; what bytes come back are in memory as of vm_allocate, in *@out: the caller owns
 * it.  None: *@out is 0.  KERN_RESOURCE_SHORTAGE: no memory.
 */
kern_return_t trap_call_out(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
			    uint64_t values[TRAP_VALUE_COUNT], vm_offset_t *out,
			    uint32_t *out_size);

/* The same into @out of at most *@out_size bytes; *@out_size becomes how many came. */
kern_return_t trap_call_into(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
			     uint64_t values[TRAP_VALUE_COUNT], void *out, uint32_t *out_size);

/* Both: bytes there and back. */
kern_return_t trap_call_exchange(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
				 const void *in, uint32_t in_size,
				 uint64_t values[TRAP_VALUE_COUNT], void *out, uint32_t *out_size);

/* The calling thread's state, brought up to the current connection. */
struct thread_state *thread_state(void);

/* The calling thread ends: what the kernel has for it is given back.  It makes no trap after it. */
void trap_thread_ends(void);

/*
 * Give up a reference to the send right @name, which this thread has just received, without a trap.
 * True: it is done, as far as anybody can tell.  False: nothing was, ask the kernel.
 */
bool trap_promise_take(mach_port_name_t name);

/* In the child of a fork: give the traps that this thread was in an end. */
void trap_forked(void);

#endif
