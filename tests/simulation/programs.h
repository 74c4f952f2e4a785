/*
 * Simulated programs: how they are written, what they ask for, and the ledger that knows what
 * must become of everything they send.
 *
 *	static void
 *	client(struct sim_thread *self)
 *	{
 *		struct client *me = self->state;
 *
 *		BEGIN(self);
 *		while (!CALM(self)) {
 *			draft_to(self, me->server, MACH_MSG_TYPE_COPY_SEND);
 *			ASK(self, ask_send(self, me->channel, 0, 0, 0, 0));
 *			...self->result...
 *		}
 *		END(self);
 *	}
 *
 * ASK() leaves the function; the scheduler calls it again when the trap has completed, and it
 * goes on behind ASK().  So what must last is in the state, not in local variables, and there is
 * one ASK() on a line and none inside a `switch`.  And no call has two arguments that draw a
 * random number: which is drawn first would be the compiler's choice, and the trace with it.
 */
#ifndef TESTS_SIMULATION_PROGRAMS_H
#define TESTS_SIMULATION_PROGRAMS_H

#include <mach/notify.h>

#include "hosts/simulated/simulated.h"

#define BEGIN(self_)                                                                               \
	switch ((self_)->at) {                                                                     \
	case 0:

#define ASK(self_, ask_)                                                                           \
	do {                                                                                       \
		(self_)->at = __LINE__;                                                            \
		ask_;                                                                              \
		return;                                                                            \
	case __LINE__:;                                                                            \
	} while (0)

#define END(self_)                                                                                 \
	}                                                                                          \
	program_end(self_)

#define CALM(self_) ((self_)->sim->phase >= SIM_CALM)

/* A program that ends before the calm serves its ports no more: the oracles are told. */
void program_end(struct sim_thread *self);

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

/* ---- the ledger --------------------------------------------------------------------------- */

enum letter_state {
	LETTER_SENDING,   /* its trap is under way */
	LETTER_ACCEPTED,  /* its sender heard of success: it waits */
	LETTER_RECEIVED,  /* once */
	LETTER_RETURNED,  /* timed out or interrupted; all rights are back */
	LETTER_REFUSED,   /* never sent */
	LETTER_ABANDONED, /* its sender died while it was blocked */
	LETTER_UNSURE,    /* its sender died in a call: it was blocked or waited for the answer */
	LETTER_LOST       /* with a port that died, or a receiver without memory */
};

struct letter {
	uint32_t channel, sender, kind, arg;
	uint32_t previous; /* of this sender to this channel; 0: none */
	uint32_t carries;  /* the channel whose receive right is in it; 0: none */
	enum letter_state state;
	bool is_call;
	bool is_inheritance; /* the kernel's: MACH_NOTIFY_PORT_DESTROYED */
};

/* A port, whoever has its receive right. */
struct channel {
	struct sim_task *holder; /* NULL: in transit, or dead */
	mach_port_name_t name;   /* as its holder says */
	uint32_t next_seqno;
	uint32_t carried_by; /* the letter that it is in; 0: none */
	uint32_t heir;       /* the channel that gets it when it would die; 0: none */
	bool dead;
};

#define LEDGER_LAST 4096u /* pairs of sender and channel; a power of 2 */

/*
 * What was sent and what must become of it: what is accepted is received once, in the order of
 * its sender, with all that was in it, or is lost with its port.  Each scenario's model starts
 * with a ledger.
 */
struct ledger {
	struct letter *letters; /* from 1 */
	uint32_t letter_count, letter_room;
	struct channel *channels; /* from 1 */
	uint32_t channel_count, channel_room;
	struct {
		uint32_t sender, channel, letter;
	} last[LEDGER_LAST];
};

struct ledger *ledger_of(struct sim *sim);
struct letter *ledger_letter(struct sim *sim, uint32_t letter);

/* The port that @task holds the receive right of, under @name, gets a number. */
uint32_t channel_open(struct sim_task *task, mach_port_name_t name);
struct channel *channel_of(struct sim *sim, uint32_t channel);
/* The receive right is about to go for good. */
void channel_die(struct sim *sim, uint32_t channel);
/* 0: none of that name is held there. */
uint32_t channel_find(const struct sim_task *task, mach_port_name_t name);
/* Who holds @channel now, in a task or by letters that wait there; NULL: nobody any more. */
struct sim_task *channel_holder(struct sim *sim, uint32_t channel);

/* Hooks of scenarios: completed, thread_gone, task_gone, settled, model_free. */
void ledger_completed(struct sim_thread *thread);
void ledger_thread_gone(struct sim_thread *thread);
void ledger_task_gone(struct sim_task *task);
/* Nothing waits that a whole task could receive, and nobody sleeps before such a queue. */
void ledger_settled(struct sim *sim);
void ledger_free(struct sim *sim);

/* For the hook settled: every thread with that program has come to its end, and does not wait for
 * @what any more. */
void programs_done(struct sim *sim, sim_program *program, const char *what);

/* ---- asking ------------------------------------------------------------------------------- */

void ask(struct sim_thread *self, uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
	 uint64_t arg3);
void ask6(struct sim_thread *self, uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
	  uint64_t arg3, uint64_t arg4, uint64_t arg5);

/* A message: to whom, then what is in it, then one of the ask_ functions. */
void draft_to(struct sim_thread *self, mach_port_name_t remote, uint32_t disposition);
void draft_reply(struct sim_thread *self, mach_port_name_t local, uint32_t disposition);
void draft_voucher(struct sim_thread *self, mach_port_name_t name, uint32_t disposition);
void draft_port(struct sim_thread *self, mach_port_name_t name, uint32_t disposition);
/* Memory beside it, filled with a byte that the receipt checks. */
void draft_bulk(struct sim_thread *self, uint32_t size_bytes, bool as_segment);
/* The letter carries the receive right of @channel: draft_port() with MOVE_RECEIVE. */
void draft_carries(struct sim_thread *self, uint32_t channel);

/* @channel 0: a letter outside of any order, such as a reply.  @option beside MACH_SEND_MSG. */
void ask_send(struct sim_thread *self, uint32_t channel, uint32_t kind, uint32_t arg,
	      int32_t option, uint32_t timeout_ms);
/* Send, then receive on @rcv_name. */
void ask_call(struct sim_thread *self, uint32_t channel, uint32_t kind, uint32_t arg,
	      mach_port_name_t rcv_name, int32_t option, uint32_t timeout_ms);
void ask_receive(struct sim_thread *self, mach_port_name_t name, int32_t option,
		 uint32_t timeout_ms);
/* What came back of a letter that was not delivered, once more. */
void ask_resend(struct sim_thread *self, int32_t option, uint32_t timeout_ms);

/* A request to the kernel: @words behind the NDR record, an answer on @reply. */
void ask_kernel(struct sim_thread *self, mach_port_name_t object, int32_t id, const uint32_t *words,
		uint32_t word_count, mach_port_name_t reply);

/* ---- what came ---------------------------------------------------------------------------- */

struct mail {
	int32_t id;
	uint32_t letter; /* 0: not a program's */
	mach_port_name_t local, remote;
	uint32_t remote_type; /* MACH_MSG_TYPE_PORT_SEND, _SEND_ONCE or 0 */
	mach_port_name_t voucher;
	uint32_t voucher_type;
	uint32_t kind, arg;
	uint32_t port_count;
	mach_port_name_t ports[2];
	uint32_t port_types[2];
	uint32_t data[4]; /* what follows header and descriptors */
	uint32_t seqno;
	bool bare; /* a header only, of a message that was lost */
};

/* Of the last trap: what was received, or came back. */
struct mail mail_of(const struct sim_thread *self);

bool was_received(const struct sim_thread *self);
/* MACH_SEND_TIMED_OUT, _INTERRUPTED or _NO_BUFFER: the message is back. */
bool came_back(const struct sim_thread *self);
bool is_interrupted(kern_return_t code);
bool is_send_error(kern_return_t code);

/* Fails the schedule unless the call succeeded, or had no memory; true: it succeeded. */
bool went_well(struct sim_thread *self);
/* Fails the schedule unless the code is this one. */
void expect(struct sim_thread *self, kern_return_t code);

/* ---- set-up: traps at once, memory that does not fail ------------------------------------- */

/* A task that can be given rights.  The first one speaks for nobody and never dies. */
struct sim_task *setup_task(struct sim *sim, struct sim_task *parent);
/* To a task that has a thread. */
void setup_introduce(struct sim_thread *thread);
kern_return_t setup_trap(struct sim_thread *thread, uint32_t number, uint64_t arg0, uint64_t arg1,
			 uint64_t arg2, uint64_t arg3);
mach_port_name_t setup_port(struct sim_thread *thread, bool with_send);
mach_port_name_t setup_set(struct sim_thread *thread);
void setup_qlimit(struct sim_thread *thread, mach_port_name_t name, uint32_t qlimit);
/* The name that the right has in the task of @to. */
mach_port_name_t setup_give(struct sim_thread *from, mach_port_name_t name, uint32_t disposition,
			    struct sim_thread *to);

#endif
