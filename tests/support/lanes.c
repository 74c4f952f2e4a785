#include "tests/support/lanes.h"

#include <string.h>

#include "tests/support/calls.h"

struct mach_lane_table *
lane_begin(struct actor *t)
{
	if (trap(t, BERTH_TRAP_LANE_BEGIN, 0, 0, 0, 0, 0, 0) != KERN_SUCCESS)
		return NULL;
	return t->outcome.shared;
}

kern_return_t
lane_open(struct actor *sender, mach_port_name_t right, struct actor *receiver,
	  struct lane_ends *lane)
{
	kern_return_t kr;

	memset(lane, 0, sizeof *lane);
	lane->sender = sender;
	lane->receiver = receiver;
	lane->right = right;
	lane->sender_table = lane_begin(sender);
	lane->receiver_table = lane_begin(receiver);
	if (!lane->sender_table || !lane->receiver_table)
		return KERN_RESOURCE_SHORTAGE;
	kr = trap(sender, BERTH_TRAP_LANE_OPEN, right, 0, 0, 0, 0, 0);
	if (kr != KERN_SUCCESS)
		return kr;
	lane->shared = sender->outcome.shared;
	lane->sender_number = (uint32_t)sender->outcome.values[0];
	assert_ok(trap(sender, BERTH_TRAP_LANE_GATES, lane->sender_number, 0, 0, 0, 0, 0));
	lane->gates = sender->outcome.shared;
	assert_ok(trap(receiver, BERTH_TRAP_LANE_ACCEPT, 0, 0, 0, 0, 0, 0));
	assert_ptr_equal(receiver->outcome.shared, lane->shared);
	lane->receiver_number = (uint32_t)receiver->outcome.values[0];
	return KERN_SUCCESS;
}

struct lane_ends
lane_make(struct actor *sender, mach_port_name_t right, struct actor *receiver)
{
	struct lane_ends lane;

	assert_ok(lane_open(sender, right, receiver, &lane));
	return lane;
}

uint32_t
lane_bind(struct lane_ends *lane, mach_port_name_t reply)
{
	uint32_t binding;

	assert_ok(trap(lane->sender, BERTH_TRAP_LANE_BIND, lane->sender_number, reply, 0, 0, 0, 0));
	binding = (uint32_t)lane->sender->outcome.values[0];
	assert_true(binding < MACH_LANE_BINDINGS);
	lane->bound[binding] = reply;
	lane->bound_port[binding] = (uint32_t)lane->sender->outcome.values[1];
	return binding;
}

bool
lane_is_closed(const struct lane_ends *lane)
{
	const struct mach_lane_entry *row = &lane->sender_table->entries[lane->sender_number];

	return atomic_load(&row->role) != MACH_LANE_SENDER || row->name != lane->right ||
	       row->gate >= MACH_LANE_GATE_MAX;
}

/* The same by what the receiver is told. */
static bool
is_closed_for_receiver(const struct lane_ends *lane)
{
	const struct mach_lane_entry *row = &lane->receiver_table->entries[lane->receiver_number];

	return atomic_load(&row->role) != MACH_LANE_RECEIVER || row->gate >= MACH_LANE_GATE_MAX;
}

uint32_t
lane_port_flags(const struct lane_ends *lane)
{
	uint32_t gate = lane->sender_table->entries[lane->sender_number].gate;

	return atomic_load(&lane->receiver_table->ports[gate].word) & (MACH_LANE_WORD_COUNT - 1);
}

uint32_t
lane_reply_flags(const struct lane_ends *lane, uint32_t binding)
{
	return atomic_load(&lane->sender_table->ports[lane->bound_port[binding]].word) &
	       (MACH_LANE_WORD_COUNT - 1);
}

/* A call for a request; MACH_LANE_NO_CALL: none. */
static uint32_t
call_take(struct lane_ends *lane, uint32_t binding)
{
	struct mach_lane_entry *row = &lane->sender_table->entries[lane->sender_number];

	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		uint32_t number;

		if ((atomic_load(&row->asked) >> i & 1) ||
		    !mach_lane_call_ask(&lane->shared->calls[i], &number))
			continue;
		atomic_store(&row->bindings[i], (uint8_t)binding);
		lane->call_binding[i] = binding;
		atomic_store(&row->busy, i + 1);
		atomic_fetch_or(&row->asked, 1u << i);
		return number << MACH_LANE_CALL_NUMBER_SHIFT | i;
	}
	return MACH_LANE_NO_CALL;
}

/* False: somebody has shown it to the kernel, for whom it is sent. */
static bool
call_give_back(struct lane_ends *lane, uint32_t call)
{
	struct mach_lane_entry *row = &lane->sender_table->entries[lane->sender_number];
	bool is_ours;

	if (call == MACH_LANE_NO_CALL)
		return true;
	is_ours = mach_lane_claim(&row->asked, mach_lane_call_index(call));
	atomic_store(&row->busy, 0);
	return is_ours;
}

bool
lane_put(struct lane_ends *lane, const struct message *m, uint32_t binding)
{
	struct mach_lane *shared = lane->shared;
	struct mach_lane_entry *row = &lane->sender_table->entries[lane->sender_number];
	struct mach_lane_gate *gate;
	struct mach_lane_record *record;
	uint32_t units, ticket, call = MACH_LANE_NO_CALL;
	uint64_t tail, head, counted;

	if (lane_is_closed(lane))
		return false;
	gate = &lane->gates->gates[lane->sender_table->entries[lane->sender_number].gate];
	tail = atomic_load(&shared->tail);
	if (mach_lane_is_shut(tail) ||
	    (binding != LANE_NO_ANSWER && (lane_reply_flags(lane, binding) & MACH_LANE_IS_SHUT)))
		return false;
	head = atomic_load(&shared->head);
	record = mach_lane_room(shared, tail, head, m->size_bytes, &units);
	if (!record)
		return false;
	if (binding != LANE_NO_ANSWER) {
		call = call_take(lane, binding);
		if (call == MACH_LANE_NO_CALL)
			return false;
	}
	if (!mach_lane_count_in(gate, tail, head, &counted, &ticket))
		return !call_give_back(lane, call);
	*record = (struct mach_lane_record){ .size_bytes = m->size_bytes,
					     .ticket = ticket,
					     .call = call };
	memcpy(record + 1, m->bytes, m->size_bytes);
	if (!mach_lane_move(&shared->tail, tail, units)) {
		if (counted != 0)
			mach_lane_count_out(gate, counted);
		return !call_give_back(lane, call);
	}
	if (call == MACH_LANE_NO_CALL)
		return true;
	atomic_store(&row->busy, 0);
	/* closed, and nobody has seen the request but who denies it */
	return !lane_is_closed(lane) || !mach_lane_claim(&row->asked, mach_lane_call_index(call));
}

bool
lane_take(struct lane_ends *lane, struct lane_taken *taken)
{
	struct mach_lane *shared = lane->shared;
	struct mach_lane_entry *row = &lane->receiver_table->entries[lane->receiver_number];
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units, word = 0, held = 0, index = 0, number = 0;
	uint64_t head, counted, seqno;
	struct mach_lane_gate *gate;
	bool is_sole;
	bool is_taken;

	/* the kernel says so before it opens the ring: whoever sees that looks at the word after it
	 */
	head = atomic_load(&shared->head);
	if (is_closed_for_receiver(lane) ||
	    (atomic_load(&lane->receiver_table->ports[row->gate].word) &
	     (MACH_LANE_WORD_COUNT - 1)) != 0)
		return false;
	gate = &lane->gates->gates[row->gate];
	is_sole = atomic_load(&gate->sole) != 0;
	counted = atomic_load(&gate->count);
	seqno = atomic_load(&lane->receiver_table->ports[row->gate].seqno);
	if (!mach_lane_first(shared, atomic_load(&shared->tail), head, &record, &message, &units))
		return false;
	memset(taken, 0, sizeof *taken);
	memcpy(&taken->header, message, sizeof taken->header);
	memcpy(taken->bytes, message, record.size_bytes);
	taken->call = record.call;
	if (record.call != MACH_LANE_NO_CALL) {
		index = taken->call = mach_lane_call_index(record.call);
		if (index >= MACH_LANE_CALLS)
			return false;
		word = atomic_load(&row->names[index]);
		if (word == 0 || mach_lane_name_is(word, MACH_LANE_NAME_HELD))
			return false;
		taken->reply = mach_lane_next_name(word | MACH_LANE_NAME_IDLE);
		held = mach_lane_name_word(taken->reply, MACH_LANE_NAME_HELD);
		number = atomic_load(&row->numbers[index]);
		atomic_store(&row->busy, index + 1);
		if (!mach_lane_name_move(&row->names[index], word, held)) {
			atomic_store(&row->busy, 0);
			return false;
		}
		atomic_store(&row->numbers[index], mach_lane_call_number(record.call));
	}
	is_taken = mach_lane_move(&shared->head, head, units);
	if (taken->reply != 0) {
		if (!is_taken) {
			atomic_store(&row->numbers[index], number);
			mach_lane_name_move(&row->names[index], held, word);
		}
		atomic_store(&row->busy, 0);
	}
	if (!is_taken)
		return false;
	if (!is_sole)
		mach_lane_count_out(gate, counted);
	mach_lane_count_seqno(&lane->receiver_table->ports[row->gate], seqno);
	atomic_fetch_add(&lane->receiver_table->ports[row->gate].received, 1);
	return true;
}

bool
lane_answer(struct lane_ends *lane, uint32_t call, mach_port_name_t name, const struct message *m)
{
	struct mach_lane_entry *row = &lane->receiver_table->entries[lane->receiver_number];
	struct mach_lane_call *shared = &lane->shared->calls[call];
	uint32_t held = mach_lane_name_word(name, MACH_LANE_NAME_HELD);
	uint32_t answering = mach_lane_name_word(name, MACH_LANE_NAME_ANSWERING);
	bool is_sent;

	if (is_closed_for_receiver(lane) ||
	    !mach_lane_name_move(&row->names[call], held, answering))
		return false;
	memcpy(shared->answer, m->bytes, m->size_bytes);
	shared->size_bytes = m->size_bytes;
	shared->order = lane->order++;
	is_sent = mach_lane_call_move(shared, atomic_load(&row->numbers[call]), MACH_LANE_ASKED,
				      MACH_LANE_ANSWERED);
	mach_lane_name_move(&row->names[call], answering, is_sent ? name : held);
	return is_sent;
}

bool
lane_take_answer(struct lane_ends *lane, uint32_t binding, struct lane_taken *taken)
{
	uint32_t best = MACH_LANE_NO_CALL, size;
	struct mach_lane_port *port = &lane->sender_table->ports[lane->bound_port[binding]];
	uint64_t seqno = atomic_load(&port->seqno);
	struct mach_lane_entry *row = &lane->sender_table->entries[lane->sender_number];

	if (lane_is_closed(lane) || lane_reply_flags(lane, binding))
		return false;
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		struct mach_lane_call *call = &lane->shared->calls[i];

		if (!(atomic_load(&row->asked) >> i & 1) || lane->call_binding[i] != binding ||
		    mach_lane_call_state(call) != MACH_LANE_ANSWERED)
			continue;
		if (best == MACH_LANE_NO_CALL ||
		    (int32_t)(call->order - lane->shared->calls[best].order) < 0)
			best = i;
	}
	if (best == MACH_LANE_NO_CALL)
		return false;
	memset(taken, 0, sizeof *taken);
	memcpy(&taken->header, lane->shared->calls[best].answer, sizeof taken->header);
	size = *(volatile uint32_t *)&lane->shared->calls[best].size_bytes;
	if (size > MACH_LANE_ANSWER_MAX)
		return false;
	memcpy(taken->bytes, lane->shared->calls[best].answer, size);
	taken->call = best;
	/* an earlier one may have gone to the kernel while we looked */
	if (lane_reply_flags(lane, binding) || !mach_lane_claim(&row->asked, best))
		return false;
	mach_lane_count_seqno(port, seqno);
	return true;
}

/* ---- in short ---------------------------------------------------------------------------- */

struct message
with_id(mach_port_name_t to, uint32_t disposition, int32_t id)
{
	struct message m = message_to(to, disposition);

	message_id(&m, id);
	return m;
}

bool
put_id(struct lane_ends *lane, int32_t id, uint32_t binding)
{
	struct message m = with_id(lane->right, MACH_MSG_TYPE_COPY_SEND, id);

	return lane_put(lane, &m, binding);
}

bool
answer_id(struct lane_ends *lane, const struct lane_taken *request, int32_t id)
{
	struct message m = with_id(request->reply, MACH_MSG_TYPE_MOVE_SEND_ONCE, id);

	return lane_answer(lane, request->call, request->reply, &m);
}

struct lane_ends
to_mailbox(struct actor *a, struct actor *b)
{
	set_qlimit(b, b->party->mailbox, 16);
	return lane_make(a, a->party->mailbox_of[b->party->index], b);
}
