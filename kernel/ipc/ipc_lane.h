/*
 * Lanes: what two tasks exchange with nobody between them, as the kernel sees it.
 *
 * The memory is in wire/mach_lane.h.  A lane is a cache of kernel state, and the one rule is:
 * whoever looks at a port or a right that lanes stand for has them *taken over* first, into real
 * messages and rights (ipc_port_touch, ipc_space_find).  So nothing else in the kernel knows of
 * lanes, and nothing that it does can tell whether there are any.  At the end of the step the
 * gates that may are opened again.
 *
 * A *gate* stands before a port that lanes lead to, or answer to:
 *
 *   open   its lanes may be used; then the kernel has nobody who waits at the port, no set and no
 *          watch that must hear of a message, no request that one would answer, and no more
 *          in the queue than may be
 *   shut   everything goes by the kernel
 *
 *   ipc_gate_touch   open → shut     ipc_gates_settle   shut → open, at the end of a step
 *
 * What a lane keeps, so that taking over never fails for want of it: for each call an unused
 * entry of the receiver's space and a notification (*armed*).  Memory for messages may be
 * missing: then requests stay in the ring and answers in their call, the gate stays shut, sends to
 * the port are refused (*starved*), and it is tried again now and then.
 */
#ifndef KERNEL_IPC_LANE_H
#define KERNEL_IPC_LANE_H

#include "ipc/ipc_space.h"
#include "wire/mach_lane.h"

struct ipc_lane;
struct ipc_kmsg;

/* entry.lane: kind, number of the lane in the task's table, call */
enum ipc_entry_lane {
	IE_LANE_NONE = 0,
	IE_LANE_SEND = 1, /* the send right that a lane stands for */
	IE_LANE_KEPT = 2  /* unused, kept for the answer to a call */
};

#define IE_LANE_KIND_MASK 3u
#define IE_LANE_NUMBER_SHIFT 2
#define IE_LANE_CALL_SHIFT 16

static inline enum ipc_entry_lane
ie_lane_kind(const struct ipc_entry *entry)
{
	return (enum ipc_entry_lane)(entry->lane & IE_LANE_KIND_MASK);
}

/* Answers to requests of @lane go to the port of @gate. */
struct ipc_lane_binding {
	struct list in_gate;
	struct ipc_gate *gate; /* NULL: none */
	struct ipc_lane *lane;
};

struct ipc_lane {
	struct kernel *kernel;
	struct list in_gate;
	struct ipc_gate *gate; /* of the port that it leads to */
	struct kernel_shared *memory;
	struct mach_lane *shared; /* in it */
	struct task *sender;      /* NULL: it is gone, and only messages are left */
	struct account *payer;    /* of what the sender sent */
	audit_token_t token;
	mach_port_name_t name; /* of the send right */
	uint32_t sender_number, receiver_number;
	uint64_t opened_at; /* tail and head, when it was opened last */
	uint64_t cold_tail; /* where it was when somebody looked last whether it is used */
	bool accepted;
	bool closing;  /* freed when its ring is empty */
	bool has_left; /* there was no memory for what is in its ring */
	bool
	    abandoned; /* … or whatever is in it: the port leaves, and nothing can be added to it */
	struct ipc_lane_binding bindings[MACH_LANE_BINDINGS];
	/* of a sender that is gone */
	_Atomic uint32_t last_asked;
	uint8_t last_bindings[MACH_LANE_CALLS];
	uint32_t kept[MACH_LANE_CALLS]; /* index of the entry; 0: the call is not armed */
};

struct ipc_gate {
	struct list link;    /* kernel.gates */
	struct list touched; /* kernel.touched_gates */
	struct ipc_port *port;
	struct task *task; /* who has the receive right */
	uint32_t number;
	uint32_t flags; /* as last told */
	struct list lanes;
	struct list bindings;
	bool open;
	bool taken; /* in this step: nothing of it is in lanes */
	bool starved;
	bool told_shut;         /* to who waits for room */
	uint64_t opened_ns;     /* when it was opened last */
	uint64_t shut_until_ns; /* messages to the kernel have spoilt it … */
	uint32_t spoilt;        /* … so many times in a row */
};

/* Of a task that has begun with lanes. */
struct task_lanes {
	struct kernel_shared *table_memory, *gates_memory;
	struct mach_lane_table *table;
	struct mach_lane_gates *gates_shared;
	struct ipc_gate *gates[MACH_LANE_GATE_MAX];
	struct ipc_lane *lanes[MACH_LANE_MAX]; /* that it sends or receives by */
	uint64_t received[MACH_LANE_GATE_MAX], sent[MACH_LANE_MAX]; /* as counted so far */
	uint32_t offered;   /* lanes that lead to it, and that it has not accepted */
	uint64_t opened_ns; /* until when what it has opened counts, LANE_OPEN_NS each */
};

/* The gate before @port, of @task, made if need be; NULL: no room. */
mustuse struct ipc_gate *ipc_gate_get(struct kernel *k, struct task *task, struct ipc_port *port);

/* Takes over what lanes have for the port and its rights: they are as without lanes then. */
void ipc_gate_touch(struct kernel *k, struct ipc_gate *gate);

static inline void
ipc_port_touch(struct kernel *k, const struct ipc_port *port)
{
	if (__builtin_expect(port->gate != NULL, 0))
		ipc_gate_touch(k, port->gate);
}

/*
 * What the kernel has for a port came before all that is in its lanes: whoever receives may have
 * it, and they stay as they are.  Else the kernel, once it has taken over many messages, would take
 * over those that come meanwhile with each that it hands out, and no lane was used any more.
 */
static inline bool
ipc_port_has_older(const struct ipc_port *port)
{
	return port->gate && port->gate->open && !list_is_empty(&port->messages);
}

/* A message has left the queue for a receiver: its number.  Those who have lanes are told. */
mustuse uint32_t ipc_gate_received(struct kernel *k, struct ipc_gate *gate);

/* Before a message comes into the port's queue: what was before it is there.  Where only answers
 * come by lanes, requests on their way to those who give them need not be. */
void ipc_port_touch_to_post(struct kernel *k, struct ipc_port *port);

/* Something ended that may have kept @port's gate shut: look at the end of the step. */
void ipc_gate_look_again(struct kernel *k, struct ipc_gate *gate);
/* The receive right leaves the task: no lane leads or answers there any more. */
void ipc_gate_destroy(struct kernel *k, struct ipc_gate *gate);
/* Every gate, as if touched: for who looks at everything. */
void ipc_gates_touch_all(struct kernel *k);
/* The end of a step: opens what may be open, and tells the tasks. */
void ipc_gates_settle(struct kernel *k);

/* The send right that a lane stands for leaves its entry. */
void ipc_lane_entry_gone(struct ipc_space *space, struct ipc_entry *entry);
/* The answer to a call that an unused entry is kept for becomes a right in it, if it has @name. */
void ipc_lane_take_kept(struct ipc_space *space, struct ipc_entry *entry, mach_port_name_t name);
/* All of them in @space. */
void ipc_lanes_take_all_kept(struct ipc_space *space);
/* An unused entry is wanted for something else: it goes back to the free ones, or becomes a right.
 * False: there is no memory for the message that it is kept for. */
mustuse bool ipc_lane_give_back(struct ipc_space *space, struct ipc_entry *entry);
/* The identity of @task changed: that is what receivers are told from now on. */
void ipc_lanes_set_token(struct task *task);
/* The last thing that a task has of lanes. */
void task_lanes_free(struct task *task);
/* Has @task got lanes to accept, or is somebody waiting for it to begin? */
bool task_has_lane_offers(const struct task *task);
/* What went by lanes and is not in the task's counts yet. */
void task_lanes_count(struct task *task);

/* Writes who the peer is into @row of @lane: whoever looks there sees all of it or none. */
void ipc_lane_tell_token(struct mach_lane_entry *row, const audit_token_t *token);
/* A lane was made: some time later somebody looks whether it is used. */
void ipc_lanes_watch(struct kernel *k);
/* It is time to look: lanes that were not used since the last time are closed. */
void ipc_lanes_cool(struct kernel *k);
/* Frees @lane, whose messages and rights are in the kernel, or at the latest when they are. */
void ipc_lane_close(struct kernel *k, struct ipc_lane *lane);

/* ---- for the files of ipc_lane ------------------------------------------------------------- */

/* Messages of all lanes of @gate into the port's queue; their rings are shut after it. */
void ipc_gate_take_requests(struct kernel *k, struct ipc_gate *gate);
/* Of calls bound to @gate, those that were taken or answered.  The rings must be shut. */
void ipc_gate_take_calls(struct kernel *k, struct ipc_gate *gate);
/* Those that are answered, while everything else goes on. */
void ipc_gate_take_answers(struct kernel *k, struct ipc_gate *gate);
/* The same as ipc_gate_take_calls() of @lane alone; @only NULL: whatever they are bound to. */
void ipc_lane_take_calls(struct kernel *k, struct ipc_lane *lane, const struct ipc_gate *only);
/* Answers for which there was no memory: their rights end unused. */
void ipc_lane_drop_answers(struct kernel *k, struct ipc_lane *lane);
/* The right to answer a request of @call, or NULL. */
struct ipc_port *ipc_lane_take_reply(struct ipc_lane *lane, uint32_t call);
/* Entry and notification for each call that has none.  Some may stay without, and unusable.  The
 * rings are shut. */
void ipc_lane_arm(struct ipc_lane *lane);
void ipc_lane_disarm(struct ipc_lane *lane, uint32_t call);

/* Its row in the sender's table. */
struct mach_lane_entry *ipc_lane_sender_row(const struct ipc_lane *lane);

#endif
