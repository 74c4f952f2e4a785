/*
 * Lanes: gates that open and shut, lanes that end.
 */
#include "ipc/ipc_lane.h"

#include <string.h>

#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_watch.h"
#include "kern/thread.h"

/* ---- memory of the host's ------------------------------------------------------------------- */

struct kernel_shared *
kernel_shared_ref(struct kernel_shared *shared)
{
	check(shared->ref_count > 0 && shared->ref_count < UINT32_MAX);
	shared->ref_count++;
	return shared;
}

static void
shared_list(struct kernel_shared *shared, struct kernel_effects *effects)
{
	if (shared->listed)
		return;
	shared->listed = true;
	shared->next = effects->shared;
	effects->shared = shared;
}

void
kernel_shared_unref(struct kernel_shared *shared, struct kernel_effects *effects)
{
	check(shared->ref_count > 0);
	if (--shared->ref_count == 0)
		shared_list(shared, effects);
}

void
kernel_shared_wake(struct kernel *k, struct kernel_shared *shared, uint32_t port)
{
	shared->wakes |= (uint64_t)1 << port;
	shared_list(shared, k->effects);
}

struct kernel_shared *
kernel_effects_shared(struct kernel_effects *effects, uint64_t *wakes)
{
	struct kernel_shared *shared = effects->shared;

	if (!shared)
		return NULL;
	effects->shared = shared->next;
	shared->listed = false;
	*wakes = shared->wakes;
	shared->wakes = 0;
	return shared;
}

/* ---- gates ---------------------------------------------------------------------------------- */

static struct mach_lane_port *
gate_row(const struct ipc_gate *gate)
{
	return &gate->task->lanes->table->ports[gate->number];
}

/* @flags for the task to see, and its count so much further; its own threads count there, too. */
static void
gate_word_set(struct ipc_gate *gate, uint32_t flags, uint32_t count)
{
	struct mach_lane_port *row = gate_row(gate);
	uint32_t word = atomic_load(&row->word), next = 0;

	for (uint32_t i = 0; i < MACH_LANE_TRIES; i++) {
		next = ((word & ~(MACH_LANE_WORD_COUNT - 1)) + count) | flags;
		if (atomic_compare_exchange_weak(&row->word, &word, next))
			return;
	}
	atomic_store(&row->word, next); /* a task that writes there all the time: its own loss */
}

/* What the task is to see.  It looks at the flags; a change of the count alone says: again. */
static void
gate_tell(struct kernel *k, struct ipc_gate *gate, uint32_t flags)
{
	bool again = (flags & MACH_LANE_HAS_MESSAGES) != 0;

	if (gate->flags == flags && !again) {
		gate_word_set(gate, flags, 0);
		return;
	}
	gate->flags = flags;
	gate_word_set(gate, flags, MACH_LANE_WORD_COUNT);
	if (atomic_load(&gate_row(gate)->task_sleeps) != 0)
		kernel_shared_wake(k, gate->task->lanes->table_memory, gate->number);
}

static void
gate_tell_seqno(struct ipc_gate *gate)
{
	struct mach_lane_port *row = gate_row(gate);
	uint64_t tellings = (atomic_load(&row->seqno) >> 32) + 1;

	atomic_store(&row->seqno, tellings << 32 | gate->port->seqno);
}

/* Before anything is taken out of its lanes: until the end of the step nobody may take what came
 * behind it.  Who sleeps may go on: if this has concerned him, he is told then. */
static void
gate_mark(struct ipc_gate *gate)
{
	atomic_fetch_or(&gate_row(gate)->word, MACH_LANE_IS_SHUT);
}

struct ipc_gate *
ipc_gate_get(struct kernel *k, struct task *task, struct ipc_port *port)
{
	struct task_lanes *lanes = task->lanes;
	struct ipc_gate *gate = port->gate;
	uint32_t number = 0;

	if (gate)
		return gate;
	while (number < MACH_LANE_GATE_MAX && lanes->gates[number])
		number++;
	if (number == MACH_LANE_GATE_MAX)
		return NULL;
	gate = kernel_memory_alloc(k, sizeof(*gate));
	if (!gate)
		return NULL;
	gate->port = port;
	gate->task = task;
	gate->number = number;
	list_init(&gate->lanes);
	list_init(&gate->bindings);
	list_init(&gate->touched);
	list_append(&k->gates, &gate->link);
	lanes->gates[number] = gate;
	port->gate = gate;

	struct mach_lane_port *row = gate_row(gate);

	gate->flags = 0;
	gate_tell_seqno(gate);
	atomic_store(&row->name, port->receiver_name);
	gate_tell(k, gate, MACH_LANE_IS_SHUT);
	ipc_gate_look_again(k, gate);
	return gate;
}

static void
gate_free(struct kernel *k, struct ipc_gate *gate, uint32_t flags)
{
	struct mach_lane_port *row = gate_row(gate);

	check(list_is_empty(&gate->lanes) && list_is_empty(&gate->bindings));
	atomic_store(&row->name, 0);
	atomic_fetch_add(&row->incarnation, 1);
	atomic_fetch_add(&row->generation, 1);
	gate_tell(k, gate, flags);
	gate->task->lanes->gates[gate->number] = NULL;
	gate->port->gate = NULL;
	list_remove(&gate->touched);
	list_remove(&gate->link);
	kernel_memory_free(k, gate, sizeof(*gate));
}

void
ipc_gate_look_again(struct kernel *k, struct ipc_gate *gate)
{
	if (!list_is_linked(&gate->touched))
		list_append(&k->touched_gates, &gate->touched);
}

/* The rings of its lanes, if that was not done in this step, or there was no memory for all. */
static void
gate_take_requests(struct kernel *k, struct ipc_gate *gate)
{
	ipc_gate_look_again(k, gate);
	if (!gate->open && !gate->starved)
		return; /* shut, and said to be */
	gate->starved = false;
	gate_mark(gate);
	ipc_gate_take_requests(k, gate);
}

void
ipc_gate_touch(struct kernel *k, struct ipc_gate *gate)
{
	ipc_gate_look_again(k, gate);
	if (gate->taken && !gate->starved)
		return;
	gate->taken = true;
	gate_take_requests(k, gate);
	/* requests that ask for an answer here, and the answers: of the lanes' other ends */
	LIST_FOR_EACH (binding, &gate->bindings, struct ipc_lane_binding, in_gate)
		gate_take_requests(k, binding->lane->gate);
	ipc_gate_take_calls(k, gate);
}

void
ipc_gates_touch_all(struct kernel *k)
{
	LIST_FOR_EACH (gate, &k->gates, struct ipc_gate, link) {
		ipc_gate_touch(k, gate);
		task_lanes_count(gate->task);
	}
}

static bool
gate_may_open(const struct kernel *k, const struct ipc_gate *gate)
{
	const struct ipc_port *port = gate->port;

	/* above its limit: else a sender who spoils the count has the kernel take over ring after
	 * ring. Who finds it just full waits for room without the kernel. */
	return !k->trace && !gate->starved && k->now_ns >= gate->shut_until_ns &&
	       (list_is_empty(&gate->lanes) || port->msgcount <= port->qlimit) &&
	       port->object.place == PORT_IN_SPACE && list_is_empty(&port->receivers) &&
	       list_is_empty(&port->senders) && list_is_empty(&port->sets) && !port->watch &&
	       port->request_armed_count == 0 && !gate->task->strict;
}

static bool
lane_may_open(const struct ipc_lane *lane)
{
	return lane->accepted && !lane->closing;
}

static void
lane_open(struct ipc_lane *lane)
{
	struct mach_lane *shared = lane->shared;
	uint64_t tail = atomic_load(&shared->tail);
	uint64_t open = ((tail >> 32) + 1) << 32 | mach_lane_passed(tail);

	ipc_lane_arm(lane);
	lane->opened_at = open;
	atomic_store(&shared->head, open);
	atomic_store(&shared->tail, open);
}

static void
gate_open(const struct kernel *k, struct ipc_gate *gate)
{
	struct mach_lane_gate *shared = &gate->task->lanes->gates_shared->gates[gate->number];
	const struct ipc_port *port = gate->port;
	uint64_t count = atomic_load(&shared->count);
	uint32_t epoch = (uint32_t)(count >> 32) + 1, lane_count = 0;
	uint32_t ticket = (((uint32_t)count >> MACH_LANE_TICKET_SHIFT) + 1) & MACH_LANE_TICKET_MASK;

	LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate)
		lane_count += lane_may_open(lane);
	atomic_store(&shared->limit, port->qlimit);
	atomic_store(&shared->base, port->msgcount);
	atomic_store(&shared->sole, lane_count == 1);
	atomic_store(&gate_row(gate)->opened, epoch << MACH_LANE_TICKET_SHIFT | ticket);
	/* another word in any case: who was about to sleep on it looks again */
	atomic_store(&shared->count,
		     (uint64_t)epoch << 32 | ticket << MACH_LANE_TICKET_SHIFT | port->msgcount);
	LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate)
		if (lane_may_open(lane))
			lane_open(lane);
	gate->open = true;
	gate->told_shut = false;
	gate->opened_ns = k->now_ns;
}

/* There may be room, or the gate is shut: nobody sleeps on. */
static void
gate_wake_senders(struct kernel *k, const struct ipc_gate *gate)
{
	if (gate->open && gate->port->msgcount >= gate->port->qlimit)
		return;
	LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate)
		if (atomic_load(&lane->shared->sender_sleeps) != 0) {
			kernel_shared_wake(k, gate->task->lanes->gates_memory, gate->number);
			return;
		}
}

/*
 * A message of the kernel had it take over so many that lay in lanes.  Where that costs more than
 * the lanes have brought since the gate was opened, all senders are better off without: one of 64
 * who goes by the kernel made all of them four times as slow as if nobody had a lane.
 */
static void
gate_count_taken(const struct kernel *k, struct ipc_gate *gate, uint32_t taken)
{
	uint64_t cost_ns = taken * LANE_TAKE_NS, open_ns = k->now_ns - gate->opened_ns;
	uint32_t doublings;

	if (cost_ns < open_ns / 4 && gate->spoilt > 0)
		gate->spoilt--;
	if (cost_ns < open_ns || taken == 0 || ++gate->spoilt <= LANE_SPOILT_MAX)
		return;
	if (gate->spoilt > LANE_SPOILT_MAX + 1 + LANE_SHUT_DOUBLINGS)
		gate->spoilt--;
	doublings = gate->spoilt - LANE_SPOILT_MAX - 1;
	gate->shut_until_ns = k->now_ns + (LANE_SHUT_NS << doublings);
}

void
ipc_port_touch_to_post(struct kernel *k, struct ipc_port *port)
{
	struct ipc_gate *gate = port->gate;

	if (!gate)
		return;
	if (!gate->open || !list_is_empty(&gate->lanes) || !gate_may_open(k, gate)) {
		bool was_open = gate->open;
		uint32_t before = port->msgcount;

		ipc_gate_touch(k, gate);
		if (was_open && port->msgcount >= before)
			gate_count_taken(k, gate, port->msgcount - before);
		return;
	}
	/* one behind the first of them must not be had while that is on its way into the queue */
	gate_mark(gate);
	ipc_gate_take_answers(k, gate);
	ipc_gate_look_again(k, gate);
}

uint32_t
ipc_gate_received(struct kernel *k, struct ipc_gate *gate)
{
	struct mach_lane_gate *shared = &gate->task->lanes->gates_shared->gates[gate->number];
	struct ipc_port *port = gate->port;
	uint64_t count;

	if (!gate->open)
		return port->seqno++; /* they are told at the end of the step */
	/* nobody has taken one by a lane since there were messages */
	port->seqno = (uint32_t)atomic_load(&gate_row(gate)->seqno) + 1;
	gate_tell_seqno(gate);
	if (list_is_empty(&port->messages))
		gate_tell(k, gate, 0);
	if (list_is_empty(&gate->lanes))
		return port->seqno - 1;
	if (atomic_load(&shared->sole) != 0) {
		/* another word: who was about to sleep on it looks again */
		atomic_store(&shared->base, port->msgcount);
		count = atomic_load(&shared->count);
		atomic_store(&shared->count,
			     (count & ~(uint64_t)0xffffffffu) |
				 (uint32_t)(count + (1u << MACH_LANE_TICKET_SHIFT)));
	} else {
		mach_lane_count_out(shared, atomic_load(&shared->count));
	}
	gate_wake_senders(k, gate);
	return port->seqno - 1;
}

/* Whoever waits for room sees that he should not. */
static void
gate_stays_shut(struct kernel *k, struct ipc_gate *gate)
{
	if (gate->told_shut)
		return;
	gate->told_shut = true;
	atomic_fetch_or(&gate->task->lanes->gates_shared->gates[gate->number].count,
			MACH_LANE_COUNT_SHUT);
	gate_wake_senders(k, gate);
}

/* Nobody looked at it in this step, so what is in its lanes stays there; but for answers, if there
 * is a message behind them. */
static void
gate_stays_open(struct kernel *k, struct ipc_gate *gate)
{
	LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate)
		if (lane_may_open(lane))
			ipc_lane_arm(lane);
	if (!list_is_empty(&gate->port->messages) && !(gate->flags & MACH_LANE_HAS_MESSAGES))
		gate_tell(k, gate, MACH_LANE_HAS_MESSAGES);
	else
		gate_word_set(gate, gate->flags, 0);
}

/* Memory for messages may be there now, and lanes that end may have become empty. */
static void
gate_tidy(struct kernel *k, struct ipc_gate *gate)
{
	if (gate->starved || (gate->open && !gate_may_open(k, gate)))
		ipc_gate_touch(k, gate);
	LIST_FOR_EACH_SAFE (lane, &gate->lanes, struct ipc_lane, in_gate)
		if (lane->closing)
			ipc_lane_close(k, lane);
}

void
ipc_gates_settle(struct kernel *k)
{
	struct list opening;
	struct list *first;

	if (list_is_empty(&k->touched_gates))
		return;
	LIST_FOR_EACH (gate, &k->touched_gates, struct ipc_gate, touched)
		gate_tidy(k, gate);
	list_init(&opening);
	/* first what everybody is told, then the rings: who finds a ring open has seen the rest */
	while ((first = list_first(&k->touched_gates)) != NULL) {
		struct ipc_gate *gate = list_entry(first, struct ipc_gate, touched);
		bool may_open = gate_may_open(k, gate);
		struct mach_lane_port *row = gate_row(gate);

		list_remove(first);
		gate->taken = false;
		if (list_is_empty(&gate->lanes) && list_is_empty(&gate->bindings)) {
			gate_free(k, gate, MACH_LANE_IS_SHUT);
			continue;
		}
		if (gate->open) {
			gate_stays_open(k, gate);
			continue;
		}
		gate_tell_seqno(gate);
		atomic_store(&row->context, gate->port->context);
		gate_tell(k, gate,
			  (list_is_empty(&gate->port->messages) ? 0 : MACH_LANE_HAS_MESSAGES) |
			      (may_open ? 0 : MACH_LANE_IS_SHUT));
		if (may_open)
			list_append(&opening, &gate->touched);
		else
			gate_stays_shut(k, gate);
	}
	while ((first = list_first(&opening)) != NULL) {
		struct ipc_gate *gate = list_entry(first, struct ipc_gate, touched);

		list_remove(first);
		gate_open(k, gate);
		gate_wake_senders(k, gate);
	}
}

void
ipc_gate_destroy(struct kernel *k, struct ipc_gate *gate)
{
	ipc_gate_touch(k, gate);
	LIST_FOR_EACH_SAFE (binding, &gate->bindings, struct ipc_lane_binding, in_gate) {
		list_remove(&binding->in_gate);
		binding->gate = NULL;
	}
	LIST_FOR_EACH_SAFE (lane, &gate->lanes, struct ipc_lane, in_gate) {
		lane->abandoned = true;
		ipc_lane_close(k, lane);
	}
	gate_free(k, gate, MACH_LANE_IS_SHUT | MACH_LANE_IS_GONE);
}

/* ---- lanes ---------------------------------------------------------------------------------- */

void
ipc_lanes_watch(struct kernel *k)
{
	k->lanes_cold.kind = DEADLINE_LANES;
	if (k->lanes_cold.slot == 0)
		deadlines_add(&k->deadlines, &k->lanes_cold, k->now_ns + LANE_COLD_NS);
}

void
ipc_lanes_cool(struct kernel *k)
{
	LIST_FOR_EACH_SAFE (gate, &k->gates, struct ipc_gate, link) {
		if (gate->starved)
			ipc_gate_look_again(k,
					    gate); /* whoever waits there asks for nothing more */
		LIST_FOR_EACH_SAFE (lane, &gate->lanes, struct ipc_lane, in_gate) {
			uint64_t tail = mach_lane_passed(atomic_load(&lane->shared->tail));

			if (tail == lane->cold_tail)
				ipc_lane_close(k, lane);
			else
				lane->cold_tail = tail;
		}
	}
	if (k->lane_count > 0)
		ipc_lanes_watch(k);
}

struct mach_lane_entry *
ipc_lane_sender_row(const struct ipc_lane *lane)
{
	return &lane->sender->lanes->table->entries[lane->sender_number];
}

static void
row_clear(struct mach_lane_entry *row)
{
	atomic_store(&row->role, MACH_LANE_NONE);
	atomic_fetch_add(&row->generation, 2);
}

/* What the sender waits for, and where, is kept here: messages may be left. */
static void
lane_take_asked(struct ipc_lane *lane)
{
	struct mach_lane_entry *row = ipc_lane_sender_row(lane);
	uint32_t busy = atomic_load(&row->busy);
	uint32_t putting = busy > 0 && busy <= MACH_LANE_CALLS ? 1u << (busy - 1) : 0;

	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++)
		lane->last_bindings[i] = atomic_load(&row->bindings[i]);
	atomic_store(&lane->last_asked, atomic_fetch_and(&row->asked, putting) & ~putting);
}

/* The sender has it no more; messages may be left, which it did send. */
static void
lane_leave_sender(struct ipc_lane *lane)
{
	struct task *sender = lane->sender;
	struct ipc_entry *entry;

	if (!sender)
		return;
	task_lanes_count(sender);
	/* a request that is just being put in is the sender's own matter */
	lane_take_asked(lane);
	row_clear(ipc_lane_sender_row(lane));
	kernel_shared_wake(lane->kernel, lane->memory, 0); /* if it waits for room */
	sender->lanes->lanes[lane->sender_number] = NULL;
	entry = ipc_space_find_raw(&sender->space, lane->name);
	if (entry && ie_lane_kind(entry) == IE_LANE_SEND)
		entry->lane = 0;
	lane->sender = NULL;
}

static void
lane_unbind(struct kernel *k, struct ipc_lane *lane)
{
	for (uint32_t i = 0; i < MACH_LANE_BINDINGS; i++) {
		struct ipc_lane_binding *binding = &lane->bindings[i];

		if (!binding->gate)
			continue;
		list_remove(&binding->in_gate);
		ipc_gate_look_again(k, binding->gate);
		binding->gate = NULL;
	}
}

/* The last requests of a lane for which there was no memory, and never will be: the port goes. */
static void
lane_drop_requests(struct kernel *k, struct ipc_lane *lane)
{
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units;
	uint64_t tail = atomic_load(&lane->shared->tail), head = atomic_load(&lane->shared->head);

	while (mach_lane_first(lane->shared, tail, head, &record, &message, &units)) {
		struct ipc_port *reply = ipc_lane_take_reply(lane, record.call);

		head = mach_lane_advance(head, units);
		ipc_port_release_send_once(k, reply);
	}
}

void
ipc_lane_close(struct kernel *k, struct ipc_lane *lane)
{
	struct ipc_gate *gate = lane->gate;
	struct task_lanes *receiver = gate->task->lanes;

	lane->closing = true;
	/* the requests of all of them, so that they stay in their order; answers behind them */
	gate_take_requests(k, gate);
	for (uint32_t i = 0; i < MACH_LANE_BINDINGS; i++)
		if (lane->bindings[i].gate)
			gate_take_requests(k, lane->bindings[i].gate);
	ipc_lane_take_calls(k, lane, NULL);
	ipc_lane_drop_answers(k, lane);
	if (lane->has_left) { /* which its peers do not get to say */
		if (!lane->abandoned) {
			lane_leave_sender(lane);
			return; /* gate_tidy() goes on */
		}
		lane_drop_requests(k, lane);
		lane->has_left = false;
		ipc_lane_drop_answers(k, lane);
	}
	lane_leave_sender(lane);
	lane_unbind(k, lane);
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++)
		ipc_lane_disarm(lane, i);
	if (lane->accepted)
		row_clear(&receiver->table->entries[lane->receiver_number]);
	else
		receiver->offered--;
	atomic_fetch_add(&receiver->table->ports[gate->number].generation, 1);
	receiver->lanes[lane->receiver_number] = NULL;
	list_remove(&lane->in_gate);
	ipc_gate_look_again(k, gate);
	account_unref(lane->payer);
	kernel_shared_unref(lane->memory, k->effects);
	k->lane_count--;
	if (k->lane_count == 0)
		deadlines_remove(&k->deadlines, &k->lanes_cold);
	kernel_memory_free(k, lane, sizeof(*lane));
}

void
ipc_lane_entry_gone(struct ipc_space *space, struct ipc_entry *entry)
{
	uint32_t number = (entry->lane & 0xffff) >> IE_LANE_NUMBER_SHIFT;

	check(ie_lane_kind(entry) == IE_LANE_SEND);
	ipc_lane_close(space->kernel, space->task->lanes->lanes[number]);
	check(entry->lane == 0);
}

void
ipc_lane_tell_token(struct mach_lane_entry *row, const audit_token_t *token)
{
	atomic_fetch_add(&row->generation, 1); /* odd: it is being written */
	for (uint32_t i = 0; i < MACH_LANE_TOKEN_WORDS; i++)
		atomic_store(&row->token[i], token->val[i]);
	atomic_fetch_add(&row->generation, 1);
}

void
ipc_lanes_set_token(struct task *task)
{
	for (uint32_t i = 0; task->lanes && i < MACH_LANE_MAX; i++) {
		struct ipc_lane *lane = task->lanes->lanes[i];

		if (!lane)
			continue;
		if (lane->sender != task) {
			if (lane->sender)
				ipc_lane_tell_token(ipc_lane_sender_row(lane), &task->token);
			continue;
		}
		lane->token = task->token;
		ipc_lane_tell_token(&lane->gate->task->lanes->table->entries[lane->receiver_number],
				    &task->token);
	}
}

void
task_lanes_count(struct task *task)
{
	struct task_lanes *lanes = task->lanes;

	if (!lanes)
		return;
	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX; i++) {
		uint64_t now =
		    atomic_load_explicit(&lanes->table->ports[i].received, memory_order_relaxed);

		task->messages_received += now - lanes->received[i];
		lanes->received[i] = now;
	}
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		uint64_t now =
		    atomic_load_explicit(&lanes->table->entries[i].sent, memory_order_relaxed);

		task->messages_sent += now - lanes->sent[i];
		lanes->sent[i] = now;
	}
}

bool
task_has_lane_offers(const struct task *task)
{
	return task->lanes ? task->lanes->offered > 0 : task->lanes_wanted;
}

bool
kernel_task_has_lane_offers(const struct task *task)
{
	return task_has_lane_offers(task);
}

void
task_lanes_free(struct task *task)
{
	struct kernel *k = task->kernel;
	struct task_lanes *lanes = task->lanes;

	if (!lanes)
		return;
	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX; i++)
		check(!lanes->gates[i]);
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++)
		check(!lanes->lanes[i]);
	task->lanes = NULL;
	kernel_shared_unref(lanes->table_memory, k->effects);
	kernel_shared_unref(lanes->gates_memory, k->effects);
	kernel_memory_free(k, lanes, sizeof(*lanes));
}
