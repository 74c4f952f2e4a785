/*
 * Taking over: what is in the memory of lanes becomes messages and rights of the kernel.
 *
 * Everything here is read from memory that both tasks may be writing: shut first, read once,
 * check, and believe only what the kernel itself knows.  What is malformed ends the lane.
 */
#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_lane.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_right_entry.h"
#include "kern/task.h"

/* ---- calls ---------------------------------------------------------------------------------- */

void
ipc_lane_disarm(struct ipc_lane *lane, uint32_t call)
{
	struct mach_lane_entry *row =
	    &lane->gate->task->lanes->table->entries[lane->receiver_number];
	struct ipc_space *space = &lane->gate->task->space;
	uint32_t index = lane->kept[call];

	if (index == 0)
		return;
	lane->kept[call] = 0;
	atomic_store(&row->names[call], 0);
	mach_lane_call_set(&lane->shared->calls[call], MACH_LANE_UNUSABLE);
	space->table[index].lane = 0;
	space->lane_count--;
	ipc_entry_free(space, &space->table[index]);
	ipc_notify_uncommit(lane->kernel, 1);
}

static void
call_make_usable(struct mach_lane_call *call)
{
	uint32_t number = mach_lane_call_number(atomic_load(&call->word));

	mach_lane_call_move(call, number, MACH_LANE_UNUSABLE, MACH_LANE_GONE);
}

void
ipc_lane_arm(struct ipc_lane *lane)
{
	struct ipc_space *space = &lane->gate->task->space;
	struct mach_lane_entry *row =
	    &lane->gate->task->lanes->table->entries[lane->receiver_number];

	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		mach_port_name_t name;
		struct ipc_entry *entry;

		if (lane->kept[i] != 0)
			continue;
		if (!ipc_notify_reserve(lane->kernel, 1) ||
		    ipc_space_reserve(space, 1) != KERN_SUCCESS) {
			/* without a name for its answer nobody may ask with it */
			mach_lane_call_set(&lane->shared->calls[i], MACH_LANE_UNUSABLE);
			continue;
		}
		ipc_notify_commit(lane->kernel);
		entry = ipc_entry_alloc(space, &name);
		entry->lane = IE_LANE_KEPT | lane->receiver_number << IE_LANE_NUMBER_SHIFT |
			      i << IE_LANE_CALL_SHIFT;
		space->lane_count++;
		lane->kept[i] = name >> 8;
		atomic_store_explicit(&row->names[i], name, memory_order_relaxed);
		/* the sender may have asked by it when it was unarmed: to that it is over */
		call_make_usable(&lane->shared->calls[i]);
	}
}

/* The send-once right of an armed call, made real.  What was kept for it is used up, but for the
 * entry, which is left to the caller. */
static struct ipc_port *
call_make_right(struct ipc_lane *lane, struct ipc_port *port)
{
	ipc_notify_uncommit(lane->kernel, 1);
	return ipc_port_make_send_once(lane->kernel, port);
}

/* The gate that the answer to @call goes to, by what the sender says; NULL: none of its. */
static struct ipc_gate *
call_gate(const struct ipc_lane *lane, uint32_t call)
{
	uint32_t binding = lane->sender ? atomic_load(&ipc_lane_sender_row(lane)->bindings[call])
					: lane->last_bindings[call];

	return binding < MACH_LANE_BINDINGS ? lane->bindings[binding].gate : NULL;
}

static struct mach_lane_entry *
receiver_row(const struct ipc_lane *lane)
{
	return &lane->gate->task->lanes->table->entries[lane->receiver_number];
}

static _Atomic uint32_t *
name_word(const struct ipc_lane *lane, uint32_t call)
{
	return &receiver_row(lane)->names[call];
}

static bool
call_is_answered(const struct ipc_lane *lane, uint32_t call)
{
	return mach_lane_call_state(&lane->shared->calls[call]) == MACH_LANE_ANSWERED;
}

/* Nothing is kept for @call any more: the entry, which is given, is the caller's. */
static struct ipc_entry *
call_leave_entry(struct ipc_lane *lane, uint32_t call)
{
	struct ipc_space *space = &lane->gate->task->space;
	struct ipc_entry *entry = &space->table[lane->kept[call]];

	lane->kept[call] = 0;
	entry->lane = 0;
	space->lane_count--;
	atomic_store(name_word(lane, call), 0);
	mach_lane_call_set(&lane->shared->calls[call], MACH_LANE_GONE);
	return entry;
}

/* The entry kept for @call goes back, the notification was used. */
static void
call_free_entry(struct ipc_lane *lane, uint32_t call)
{
	ipc_entry_free(&lane->gate->task->space, call_leave_entry(lane, call));
}

/* The calls that the sender waits for. */
static uint32_t
call_asked(const struct ipc_lane *lane)
{
	return atomic_load(lane->sender ? &ipc_lane_sender_row(lane)->asked : &lane->last_asked);
}

/* Does the sender wait for the answer to @call?  Not any more: it is the kernel's. */
static bool
call_claim(struct ipc_lane *lane, uint32_t call)
{
	return mach_lane_claim(lane->sender ? &ipc_lane_sender_row(lane)->asked : &lane->last_asked,
			       call);
}

/* The receiver has the right: it is in the entry that was kept for it, under the name that its
 * table said.  Without @gate, or if nobody waits for the answer, a dead name. */
static void
call_becomes_right(struct ipc_lane *lane, uint32_t call, struct ipc_gate *gate, uint32_t word)
{
	struct ipc_space *space = &lane->gate->task->space;
	struct ipc_entry *entry = call_leave_entry(lane, call);
	uint32_t name = word | MACH_LANE_NAME_IDLE;

	if (!call_claim(lane, call))
		gate = NULL;
	if (name >> 8 == (uint32_t)(entry - space->table))
		entry->bits = (entry->bits & IE_ROLL_MASK) | name << IE_GEN_SHIFT;
	ipc_entry_set_urefs(entry, 1);
	if (gate) {
		entry->port = call_make_right(lane, gate->port);
		ipc_entry_set_type(entry, MACH_PORT_TYPE_SEND_ONCE);
	} else {
		ipc_notify_uncommit(lane->kernel, 1);
		ipc_entry_set_type(entry, MACH_PORT_TYPE_DEAD_NAME);
	}
}

/* If the receiver holds the right to answer @call: then it is a real one. */
static bool
call_take_held(struct ipc_lane *lane, uint32_t call, struct ipc_gate *gate)
{
	_Atomic uint32_t *name = name_word(lane, call);
	uint32_t number = atomic_load(&receiver_row(lane)->numbers[call]);
	uint32_t word = atomic_load(name);

	while (mach_lane_name_is(word, MACH_LANE_NAME_HELD))
		if (atomic_compare_exchange_weak(name, &word, 0)) {
			call_becomes_right(lane, call, gate, word);
			return true;
		}
	/* somebody is answering: not if we come first */
	if (!mach_lane_name_is(word, MACH_LANE_NAME_ANSWERING) ||
	    !mach_lane_call_move(&lane->shared->calls[call], number, MACH_LANE_ASKED,
				 MACH_LANE_GONE))
		return false;
	call_becomes_right(lane, call, gate, word);
	return true;
}

/* @call is over, and nobody will answer it. */
static void
call_ends(struct kernel *k, struct ipc_lane *lane, uint32_t call, struct ipc_gate *gate)
{
	if (lane->kept[call] != 0)
		call_free_entry(lane, call);
	ipc_port_release_send_once(k, call_make_right(lane, gate->port));
}

/* The answer is there: a message in the queue of the port that it is for, if the sender has not
 * taken it.  False: no memory. */
static bool
call_becomes_message(struct kernel *k, struct ipc_lane *lane, uint32_t call, struct ipc_gate *gate)
{
	struct mach_lane_call *shared = &lane->shared->calls[call];
	uint32_t size = *(const volatile uint32_t *)&shared->size_bytes;
	uint32_t number = mach_lane_call_number(atomic_load(&shared->word));
	struct ipc_kmsg *kmsg;

	if (size < KMSG_SIZE_MIN || size > MACH_LANE_ANSWER_MAX || size % 4 != 0)
		size = KMSG_SIZE_MIN; /* whose answer that is gave no other */
	kmsg = ipc_kmsg_alloc(k, size, 0);
	if (!kmsg)
		return false;
	memcpy(kmsg->bytes, shared->answer, size);
	/* whose answer it is may be asking anew with this call, for which nothing is kept now */
	if (!mach_lane_call_move(shared, number, MACH_LANE_ANSWERED, MACH_LANE_UNUSABLE) ||
	    !call_claim(lane, call)) {
		call_make_usable(shared);
		ipc_kmsg_free(k, kmsg);
		return true;
	}
	ikm_header(kmsg)->msgh_bits = 0;
	kmsg->voucher_name = ikm_header(kmsg)->msgh_voucher_port;
	kmsg->audit = lane->gate->task->token;
	kmsg->sender_pid = kmsg->audit.val[TOKEN_PID] ? kmsg->audit.val[TOKEN_PID] : UINT32_MAX;
	kmsg->lane_task_id = gate->task->id;
	kmsg->dest = call_make_right(lane, gate->port);
	kmsg->dest_type = MACH_MSG_TYPE_PORT_SEND_ONCE;
	call_free_entry(lane, call);
	ipc_kmsg_charge_over(kmsg, gate->port->payer, kmsg->alloc_size);
	ipc_mqueue_post(k, gate->port, kmsg);
	return true;
}

static void
wake_sender(struct kernel *k, struct ipc_lane *lane)
{
	kernel_shared_wake(k, lane->memory, 0);
}

/* Is the request of @call in the ring still, of which there is more than there was memory for? */
static bool
call_is_in_ring(const struct ipc_lane *lane, uint32_t call)
{
	uint64_t tail = atomic_load(&lane->shared->tail), head = atomic_load(&lane->shared->head);
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units;

	while (mach_lane_first(lane->shared, tail, head, &record, &message, &units)) {
		if (record.call != MACH_LANE_NO_CALL && mach_lane_call_index(record.call) == call)
			return true;
		head = mach_lane_advance(head, units);
	}
	return false;
}

/* The answered one with the least order, of those that go to @only and are not in @tried, that is
 * seen in one look, if that is less than @best's; else @best. */
static uint32_t
find_answered(const struct ipc_lane *lane, const struct ipc_gate *only, uint32_t tried,
	      uint32_t best)
{
	const struct mach_lane_call *calls = lane->shared->calls;
	uint32_t asked = call_asked(lane);

	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		struct ipc_gate *gate = call_gate(lane, i);

		if (lane->kept[i] == 0 || !(asked >> i & 1) || (tried >> i & 1) || !gate ||
		    gate->starved || (only && gate != only) || !call_is_answered(lane, i) ||
		    mach_lane_name_is(atomic_load(name_word(lane, i)), MACH_LANE_NAME_HELD))
			continue; /* held: it was not the receiver who said that it is answered */
		if (best == MACH_LANE_NO_CALL || (int32_t)(calls[i].order - calls[best].order) < 0)
			best = i;
	}
	return best;
}

/* The one that came first; MACH_LANE_NO_CALL: none.  An earlier one may have come behind the look
 * that found a later one: it is there when we look again. */
static uint32_t
first_answered(const struct ipc_lane *lane, const struct ipc_gate *only, uint32_t tried)
{
	uint32_t best = find_answered(lane, only, tried, MACH_LANE_NO_CALL);

	return best == MACH_LANE_NO_CALL ? best : find_answered(lane, only, tried, best);
}

/* The next answered one of those; false: there is none.  Without memory it stays where the sender
 * finds it, comes later, and nothing overtakes it. */
static bool
take_answered(struct kernel *k, struct ipc_lane *lane, const struct ipc_gate *only, uint32_t *tried)
{
	uint32_t call = first_answered(lane, only, *tried);
	struct ipc_gate *gate = call == MACH_LANE_NO_CALL ? NULL : call_gate(lane, call);

	if (!gate)
		return false;
	*tried |= 1u << call;
	gate->starved = !call_becomes_message(k, lane, call, gate);
	return true;
}

/* Is the sender still at putting in the request of @call, which will not succeed? */
static bool
is_being_put(const struct ipc_lane *lane, uint32_t call)
{
	return lane->sender && atomic_load(&ipc_lane_sender_row(lane)->busy) == call + 1;
}

void
ipc_lane_take_calls(struct kernel *k, struct ipc_lane *lane, const struct ipc_gate *only)
{
	uint32_t tried = 0;
	bool changed = false;

	while (take_answered(k, lane, only, &tried))
		changed = true;
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		struct ipc_gate *gate = call_gate(lane, i);

		if (lane->kept[i] == 0 || !gate || (only && gate != only) ||
		    (lane->has_left && call_is_in_ring(lane, i)))
			continue;
		if (call_take_held(lane, i, gate)) {
			changed = true;
		} else if ((call_asked(lane) >> i & 1) && call_is_answered(lane, i)) {
			/* just now, and maybe others before it */
			while (take_answered(k, lane, only, &tried))
				changed = true;
		} else if (!lane->has_left && !is_being_put(lane, i) && call_claim(lane, i)) {
			call_ends(k, lane, i, gate); /* somebody has spoilt its state */
			changed = true;
		}
	}
	if (changed)
		wake_sender(k, lane);
}

/* What is kept for a call, or memory for it now: its request was put in where the receiver had made
 * a shut ring look open. */
static bool
call_can_end(struct kernel *k, const struct ipc_lane *lane, uint32_t call)
{
	if (lane->kept[call] != 0)
		return true;
	if (!ipc_notify_reserve(k, 1))
		return false;
	ipc_notify_commit(k);
	return true;
}

void
ipc_lane_drop_answers(struct kernel *k, struct ipc_lane *lane)
{
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		struct ipc_gate *gate = call_gate(lane, i);

		if (!gate || is_being_put(lane, i) || (call_asked(lane) >> i & 1) == 0 ||
		    (lane->has_left && !call_is_answered(lane, i)))
			continue; /* its request may still be in the ring */
		if (!call_can_end(k, lane, i))
			continue;
		if (call_claim(lane, i))
			call_ends(k, lane, i, gate);
		else if (lane->kept[i] == 0)
			ipc_notify_uncommit(k, 1);
	}
}

void
ipc_gate_take_answers(struct kernel *k, struct ipc_gate *gate)
{
	LIST_FOR_EACH (binding, &gate->bindings, struct ipc_lane_binding, in_gate) {
		uint32_t tried = 0;
		bool changed = false;

		while (take_answered(k, binding->lane, gate, &tried))
			changed = true;
		if (!changed)
			continue;
		wake_sender(k, binding->lane);
		ipc_gate_look_again(k, binding->lane->gate); /* its calls are armed anew */
	}
}

void
ipc_gate_take_calls(struct kernel *k, struct ipc_gate *gate)
{
	LIST_FOR_EACH (binding, &gate->bindings, struct ipc_lane_binding, in_gate)
		ipc_lane_take_calls(k, binding->lane, gate);
}

void
ipc_lane_take_kept(struct ipc_space *space, struct ipc_entry *entry, mach_port_name_t name)
{
	uint32_t number = (entry->lane & 0xffff) >> IE_LANE_NUMBER_SHIFT;
	uint32_t call = entry->lane >> IE_LANE_CALL_SHIFT;
	struct ipc_lane *lane = space->task->lanes->lanes[number];
	uint32_t word = atomic_load(name_word(lane, call));

	if (mach_lane_name_is(word, MACH_LANE_NAME_IDLE) ||
	    (name != MACH_PORT_NULL && (word | MACH_LANE_NAME_IDLE) != name))
		return;
	/* shut, before the sender can use the call again for which nothing is kept any more */
	ipc_gate_touch(space->kernel, lane->gate);
	/* a request that is not quite taken yet goes into the queue, and its right with it */
	if (lane->kept[call] != 0 && !(lane->has_left && call_is_in_ring(lane, call)) &&
	    call_take_held(lane, call, call_gate(lane, call)))
		wake_sender(space->kernel, lane);
}

void
ipc_lanes_take_all_kept(struct ipc_space *space)
{
	for (uint32_t i = 1; space->lane_count > 0 && i < space->table_size; i++)
		if (ie_lane_kind(&space->table[i]) == IE_LANE_KEPT)
			ipc_lane_take_kept(space, &space->table[i], MACH_PORT_NULL);
}

bool
ipc_lane_give_back(struct ipc_space *space, struct ipc_entry *entry)
{
	uint32_t number = (entry->lane & 0xffff) >> IE_LANE_NUMBER_SHIFT;
	uint32_t call = entry->lane >> IE_LANE_CALL_SHIFT;
	struct ipc_lane *lane = space->task->lanes->lanes[number];

	ipc_lane_take_kept(space, entry, MACH_PORT_NULL);
	if (lane->kept[call] == 0)
		return true;
	/* what is still on its way with this call must find no other */
	ipc_gate_touch(space->kernel, lane->gate);
	if (call_gate(lane, call))
		ipc_gate_touch(space->kernel, call_gate(lane, call));
	if (lane->kept[call] == 0)
		return true;
	if ((lane->has_left && call_is_in_ring(lane, call)) ||
	    ((call_asked(lane) >> call & 1) != 0 && call_is_answered(lane, call)))
		return false;
	ipc_lane_disarm(lane, call);
	return true;
}

/* ---- requests ------------------------------------------------------------------------------- */

/*
 * Has the receiver said that it holds another right with this call than that of asking @number,
 * which it may just be taking?  One that it is done with answering, but has not said so, is none.
 */
static bool
is_held_already(const struct ipc_lane *lane, uint32_t call, uint32_t number)
{
	const struct mach_lane_entry *row = receiver_row(lane);
	uint32_t word = atomic_load(name_word(lane, call));

	if (mach_lane_name_is(word, MACH_LANE_NAME_IDLE) || atomic_load(&row->busy) == call + 1)
		return false;
	/* it was just taking it, and has seen before we saw that that it comes too late */
	word = atomic_load(name_word(lane, call));
	if (mach_lane_name_is(word, MACH_LANE_NAME_IDLE))
		return false;
	return !mach_lane_name_is(word, MACH_LANE_NAME_ANSWERING) ||
	       atomic_load(&row->numbers[call]) == number;
}

/* The right to answer a request: armed, and bound to a port of the sender's. */
struct ipc_port *
ipc_lane_take_reply(struct ipc_lane *lane, uint32_t asking)
{
	uint32_t call = mach_lane_call_index(asking);
	struct ipc_gate *gate;

	if (asking == MACH_LANE_NO_CALL || call >= MACH_LANE_CALLS || lane->kept[call] == 0)
		return NULL;
	gate = call_gate(lane, call);
	if (!gate || is_held_already(lane, call, mach_lane_call_number(asking)))
		return NULL;
	if (!call_claim(lane, call))
		return NULL; /* its sender does not wait: somebody shows an old request again */
	call_free_entry(lane, call);
	return call_make_right(lane, gate->port);
}

static bool
take_request(struct kernel *k, struct ipc_lane *lane, const struct mach_lane_record *record,
	     const uint8_t *message)
{
	struct ipc_port *port = lane->gate->port;
	struct ipc_kmsg *kmsg = ipc_kmsg_alloc(k, record->size_bytes, 0);

	if (!kmsg)
		return false;
	memcpy(kmsg->bytes, message, record->size_bytes);
	ikm_header(kmsg)->msgh_bits = 0;
	kmsg->voucher_name = ikm_header(kmsg)->msgh_voucher_port;
	kmsg->audit = lane->token;
	kmsg->sender_pid = lane->token.val[TOKEN_PID] ? lane->token.val[TOKEN_PID] : UINT32_MAX;
	kmsg->lane_task_id = lane->gate->task->id;
	kmsg->dest = ipc_port_ref(port);
	kmsg->dest_type = MACH_MSG_TYPE_PORT_SEND;
	port->srights++; /* a copy of the sender's, which it had when it sent */
	kmsg->reply = ipc_lane_take_reply(lane, record->call);
	kmsg->reply_type = kmsg->reply ? MACH_MSG_TYPE_PORT_SEND_ONCE : 0;
	ipc_kmsg_charge_over(kmsg, lane->payer, kmsg->alloc_size);
	ipc_mqueue_post(k, port, kmsg);
	return true;
}

/* Where one lane is while all of a gate are emptied. */
struct cursor {
	struct ipc_lane *lane;
	uint64_t tail, head;
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units;
	bool was_open;
	bool has_one;
};

static void
cursor_look(struct cursor *at)
{
	at->has_one = mach_lane_first(at->lane->shared, at->tail, at->head, &at->record,
				      &at->message, &at->units);
	if (!at->has_one && mach_lane_used(at->tail, at->head) != 0)
		at->lane->closing = true; /* nonsense: its sender's loss */
}

/* Shut, and where it stands.  The epoch is the kernel's when it is opened again. */
static void
cursor_begin(struct cursor *at, struct ipc_lane *lane)
{
	struct mach_lane *shared = lane->shared;

	at->lane = lane;
	at->tail = atomic_fetch_or(&shared->tail, MACH_LANE_SHUT);
	at->head = atomic_fetch_or(&shared->head, MACH_LANE_SHUT);
	at->was_open = !mach_lane_is_shut(at->head);
	cursor_look(at);
}

/* All that was there is the kernel's; a tail that makes no sense is put right with it. */
static void
cursor_end(struct cursor *at)
{
	struct mach_lane *shared = at->lane->shared;
	uint64_t shut = (uint64_t)MACH_LANE_SHUT | (at->tail & ~(uint64_t)0xffffffffu);
	uint64_t end = mach_lane_passed(at->has_one ? at->head : at->tail);

	atomic_store(&shared->head, shut | end);
	atomic_store(&shared->tail, shut | mach_lane_passed(at->tail));
}

/* What the receiver itself has counted since the gate was opened; and one message that it has
 * taken, and not counted yet, as the heads say. */
static void
take_counts(struct ipc_gate *gate, const struct cursor *cursors, uint32_t count)
{
	const struct mach_lane_port *row = &gate->task->lanes->table->ports[gate->number];
	uint32_t seqno = (uint32_t)atomic_load(&row->seqno), taken = 0;

	for (uint32_t i = 0; i < count; i++)
		if (cursors[i].was_open)
			taken += mach_lane_messages(cursors[i].head, cursors[i].lane->opened_at);
	if (count > 0 && ((taken - (seqno - gate->port->seqno)) &
			  (MACH_LANE_MESSAGES >> MACH_LANE_MESSAGES_SHIFT)) == 1)
		seqno++;
	gate->port->seqno = seqno;
}

void
ipc_gate_take_requests(struct kernel *k, struct ipc_gate *gate)
{
	struct cursor cursors[MACH_LANE_MAX];
	uint32_t count = 0;

	LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate)
		cursor_begin(&cursors[count++], lane);
	if (gate->open)
		take_counts(gate, cursors, count);
	gate->open = false;
	for (;;) {
		struct cursor *first = NULL;

		for (uint32_t i = 0; i < count; i++)
			if (cursors[i].has_one &&
			    (!first || mach_lane_ticket_before(cursors[i].record.ticket,
							       first->record.ticket)))
				first = &cursors[i];
		if (!first)
			break;
		if (!take_request(k, first->lane, &first->record, first->message)) {
			gate->starved = true;
			break;
		}
		first->head = mach_lane_advance(first->head, first->units);
		/* who waits for room; who waits for the answer is told by its port's word when it
		   comes there */
		if (atomic_load(&first->lane->shared->sender_sleeps) != 0)
			wake_sender(k, first->lane);
		cursor_look(first);
	}
	for (uint32_t i = 0; i < count; i++) {
		cursors[i].lane->has_left = cursors[i].has_one;
		cursor_end(&cursors[i]);
	}
}
