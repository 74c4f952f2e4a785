#include "hosts/simulated/lane_steps.h"

#include <string.h>

/* ---- what there is -------------------------------------------------------------------------- */

static bool
is_live(const struct lane_task *task, uint32_t lane, uint32_t role)
{
	return task->ends[lane].shared && atomic_load(&task->table->entries[lane].role) == role;
}

uint32_t
lane_of_right(const struct lane_task *task, mach_port_name_t name)
{
	for (uint32_t i = 0; task->table && i < MACH_LANE_MAX; i++)
		if (is_live(task, i, MACH_LANE_SENDER) && task->table->entries[i].name == name)
			return i;
	return MACH_LANE_MAX;
}

uint32_t
lane_port_of(const struct lane_task *task, mach_port_name_t name)
{
	for (uint32_t i = 0; task->table && i < MACH_LANE_GATE_MAX; i++)
		if (atomic_load(&task->table->ports[i].name) == name)
			return i;
	return MACH_LANE_GATE_MAX;
}

/* The binding of @lane for answers to @name, or MACH_LANE_BINDINGS. */
static uint32_t
binding_of(const struct lane_task *task, uint32_t lane, mach_port_name_t name)
{
	const struct lane_end *end = &task->ends[lane];

	for (uint32_t i = 0; i < MACH_LANE_BINDINGS; i++) {
		const struct mach_lane_port *row = &task->table->ports[end->bindings[i].port];

		if (end->bindings[i].name == name && atomic_load(&row->name) == name &&
		    atomic_load(&row->incarnation) == end->bindings[i].incarnation)
			return i;
	}
	return MACH_LANE_BINDINGS;
}

bool
lane_is_bound(const struct lane_task *task, uint32_t lane, mach_port_name_t name)
{
	return binding_of(task, lane, name) < MACH_LANE_BINDINGS;
}

enum lane_shape
lane_shape_of(const mach_msg_header_t *message, uint32_t size_bytes)
{
	const mach_msg_bits_t bits = message->msgh_bits;

	if (size_bytes < sizeof *message || size_bytes % 4 != 0 ||
	    size_bytes > MACH_LANE_ANSWER_MAX || !MACH_PORT_VALID(message->msgh_remote_port))
		return LANE_SHAPE_OTHER;
	if (bits == MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE))
		return MACH_PORT_VALID(message->msgh_local_port) &&
			       message->msgh_local_port != message->msgh_remote_port
			   ? LANE_SHAPE_REQUEST
			   : LANE_SHAPE_OTHER;
	if (message->msgh_local_port != MACH_PORT_NULL)
		return LANE_SHAPE_OTHER;
	if (bits == MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0))
		return LANE_SHAPE_ONE_WAY;
	if (bits == MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0))
		return LANE_SHAPE_ANSWER;
	return LANE_SHAPE_OTHER;
}

uint32_t
lane_asked(const struct lane_task *task, uint32_t lane)
{
	return task->ends[lane].shared ? atomic_load(&task->table->entries[lane].asked) : 0;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Answers to one port are in order only within one lane: is another one's call bound there? */
static bool
is_asked_elsewhere(const struct lane_task *task, uint32_t lane, uint32_t port)
{
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		const uint32_t asked = i == lane ? 0 : lane_asked(task, i);

		for (uint32_t j = 0; asked && j < MACH_LANE_CALLS; j++)
			if ((asked >> j & 1) && task->ends[i].call_port[j] == port)
				return true;
	}
	return false;
}

static uint32_t
call_take(const struct lane_task *task, uint32_t lane)
{
	const uint32_t asked = lane_asked(task, lane);
	uint32_t number;

	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++)
		if (!(asked >> i & 1) &&
		    mach_lane_call_ask(&task->ends[lane].shared->calls[i], &number))
			return number << MACH_LANE_CALL_NUMBER_SHIFT | i;
	return MACH_LANE_NO_CALL;
}

/* False: the kernel believes that the request was sent, so it is answered, or ends, as any. */
static bool
call_give_back(struct lane_task *task, uint32_t lane, uint32_t call)
{
	struct mach_lane_entry *row = &task->table->entries[lane];
	bool is_ours;

	if (call == MACH_LANE_NO_CALL)
		return true;
	is_ours = mach_lane_claim(&row->asked, mach_lane_call_index(call));
	atomic_store(&row->busy, 0);
	return is_ours;
}

static struct mach_lane_gate *
gate_of(const struct lane_task *task, uint32_t lane)
{
	return &task->ends[lane].gates->gates[task->table->entries[lane].gate % MACH_LANE_GATE_MAX];
}

static bool
put_begin(struct lane_task *task, uint32_t lane, const mach_msg_header_t *message,
	  uint32_t size_bytes, struct lane_step *step)
{
	struct lane_end *end = &task->ends[lane];
	struct mach_lane *shared = end->shared;
	const uint64_t tail = atomic_load(&shared->tail), head = atomic_load(&shared->head);
	uint32_t binding = MACH_LANE_BINDINGS, call = MACH_LANE_NO_CALL;
	struct mach_lane_gate *gate = gate_of(task, lane);
	struct mach_lane_entry *row = &task->table->entries[lane];
	struct mach_lane_record *record;
	uint32_t ticket;

	if (end->locked || mach_lane_is_shut(tail))
		return false;
	if (message->msgh_local_port != MACH_PORT_NULL) {
		binding = binding_of(task, lane, message->msgh_local_port);
		if (binding == MACH_LANE_BINDINGS ||
		    (atomic_load(&task->table->ports[end->bindings[binding].port].word) &
		     MACH_LANE_IS_SHUT) ||
		    is_asked_elsewhere(task, lane, end->bindings[binding].port))
			return false;
	}
	record = mach_lane_room(shared, tail, head, size_bytes, &step->units);
	if (!record)
		return false;
	if (binding < MACH_LANE_BINDINGS) {
		call = call_take(task, lane);
		if (call == MACH_LANE_NO_CALL)
			return false;
		const uint32_t index = mach_lane_call_index(call);

		atomic_store(&row->bindings[index], (uint8_t)binding);
		end->call_port[index] = end->bindings[binding].port;
		atomic_store(&row->busy, index + 1);
		atomic_fetch_or(&row->asked, 1u << index);
	}
	if (!mach_lane_count_in(gate, tail, head, &step->counted, &ticket)) {
		call_give_back(task, lane, call); /* no step of the kernel comes between */
		return false;
	}
	*record =
	    (struct mach_lane_record){ .size_bytes = size_bytes, .ticket = ticket, .call = call };
	memcpy(record + 1, message, size_bytes);
	end->locked = true;
	step->kind = LANE_PUT;
	step->lane = lane;
	step->call = call;
	step->word = tail;
	return true;
}

static bool
put_finish(struct lane_step *step)
{
	struct lane_end *end = &step->task->ends[step->lane];
	struct mach_lane_entry *row = &step->task->table->entries[step->lane];

	end->locked = false;
	if (!mach_lane_move(&end->shared->tail, step->word, step->units)) {
		if (step->counted != 0)
			mach_lane_count_out(gate_of(step->task, step->lane), step->counted);
		if (call_give_back(step->task, step->lane, step->call))
			return false;
	} else if (step->call != MACH_LANE_NO_CALL) {
		atomic_store(&row->busy, 0);
		if (!is_live(step->task, step->lane, MACH_LANE_SENDER) &&
		    mach_lane_claim(&row->asked, mach_lane_call_index(step->call)))
			return false; /* closed before, so nobody would answer */
	}
	atomic_fetch_add(&row->sent, 1);
	return true;
}

/* The lane and call that @name is the right to answer of; false: a real right, or none. */
static bool
find_call(const struct lane_task *task, mach_port_name_t name, uint32_t *lane, uint32_t *call)
{
	for (*lane = 0; *lane < MACH_LANE_MAX; ++*lane) {
		if (!is_live(task, *lane, MACH_LANE_RECEIVER))
			continue;
		for (*call = 0; *call < MACH_LANE_CALLS; ++*call)
			if (atomic_load(&task->table->entries[*lane].names[*call]) ==
			    mach_lane_name_word(name, MACH_LANE_NAME_HELD))
				return true;
	}
	return false;
}

static bool
answer_begin(struct lane_task *task, const mach_msg_header_t *message, uint32_t size_bytes,
	     struct lane_step *step)
{
	struct mach_lane *shared;
	_Atomic uint32_t *word;
	uint32_t lane, index;

	if (!find_call(task, message->msgh_remote_port, &lane, &index) || task->ends[lane].locked)
		return false;
	shared = task->ends[lane].shared;
	word = &task->table->entries[lane].names[index];
	step->name = message->msgh_remote_port;
	if (!mach_lane_name_move(word, mach_lane_name_word(step->name, MACH_LANE_NAME_HELD),
				 mach_lane_name_word(step->name, MACH_LANE_NAME_ANSWERING)))
		return false;
	memcpy(shared->calls[index].answer, message, size_bytes);
	shared->calls[index].size_bytes = size_bytes;
	shared->calls[index].order = task->order++;
	task->ends[lane].locked = true;
	step->kind = LANE_ANSWER;
	step->lane = lane;
	step->call = index;
	return true;
}

static bool
answer_finish(struct lane_step *step)
{
	struct lane_end *end = &step->task->ends[step->lane];
	struct mach_lane_entry *row = &step->task->table->entries[step->lane];
	_Atomic uint32_t *word = &row->names[step->call];
	const bool is_made = mach_lane_call_move(&end->shared->calls[step->call],
						 atomic_load(&row->numbers[step->call]),
						 MACH_LANE_ASKED, MACH_LANE_ANSWERED);

	end->locked = false;
	mach_lane_name_move(
	    word, mach_lane_name_word(step->name, MACH_LANE_NAME_ANSWERING),
	    mach_lane_name_word(step->name, is_made ? MACH_LANE_NAME_IDLE : MACH_LANE_NAME_HELD));
	if (!is_made)
		return false;
	atomic_fetch_add(&step->task->table->entries[step->lane].sent, 1);
	return true;
}

bool
lane_send_begin(struct lane_task *task, const mach_msg_header_t *message, uint32_t size_bytes,
		struct lane_step *step)
{
	const enum lane_shape shape = lane_shape_of(message, size_bytes);
	uint32_t lane;

	step->kind = LANE_NOTHING;
	step->task = task;
	if (!task->table || shape == LANE_SHAPE_OTHER)
		return false;
	if (shape == LANE_SHAPE_ANSWER)
		return answer_begin(task, message, size_bytes, step);
	lane = lane_of_right(task, message->msgh_remote_port);
	return lane < MACH_LANE_MAX && put_begin(task, lane, message, size_bytes, step);
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* Header and trailer as the receiver has them; the bytes are there. */
static void
complete(struct lane_step *step, mach_msg_bits_t bits, mach_port_name_t remote,
	 mach_port_name_t local)
{
	const struct mach_lane_entry *row = &step->task->table->entries[step->lane];

	step->message.header.msgh_bits = bits;
	step->message.header.msgh_size = step->size_bytes;
	step->message.header.msgh_remote_port = remote;
	step->message.header.msgh_local_port = local;
	for (uint32_t i = 0; i < MACH_LANE_TOKEN_WORDS; i++)
		step->trailer.msgh_audit.val[i] = atomic_load(&row->token[i]);
	step->trailer.msgh_sender.val[0] = step->trailer.msgh_audit.val[1];
	step->trailer.msgh_sender.val[1] = step->trailer.msgh_audit.val[2];
}

/* The lane with the oldest request for port @port, or MACH_LANE_MAX. */
static uint32_t
first_lane(const struct lane_task *task, uint32_t port)
{
	struct mach_lane_record record;
	uint32_t best = MACH_LANE_MAX, best_ticket = 0, units;
	const uint8_t *message;

	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		struct mach_lane *shared = task->ends[i].shared;

		if (!is_live(task, i, MACH_LANE_RECEIVER) || task->table->entries[i].gate != port)
			continue;
		if (mach_lane_is_shut(atomic_load(&shared->tail)) ||
		    !mach_lane_first(shared, atomic_load(&shared->tail), atomic_load(&shared->head),
				     &record, &message, &units))
			continue;
		if (best == MACH_LANE_MAX || mach_lane_ticket_before(record.ticket, best_ticket)) {
			best = i;
			best_ticket = record.ticket;
		}
	}
	return best;
}

static enum lane_receive
take_begin(struct lane_task *task, mach_port_name_t name, uint32_t room, struct lane_step *step)
{
	mach_port_name_t reply = MACH_PORT_NULL;
	struct mach_lane_record record;
	struct mach_lane_entry *row;
	struct mach_lane *shared;
	const uint8_t *message;

	step->lane = first_lane(task, step->port);
	if (step->lane == MACH_LANE_MAX)
		return LANE_RECEIVE_NOTHING;
	row = &task->table->entries[step->lane];
	shared = task->ends[step->lane].shared;
	step->word = atomic_load(&shared->head);
	if (mach_lane_is_shut(step->word) ||
	    !mach_lane_first(shared, atomic_load(&shared->tail), step->word, &record, &message,
			     &step->units) ||
	    record.size_bytes > sizeof step->message ||
	    record.size_bytes + step->trailer.msgh_trailer_size > room)
		return LANE_RECEIVE_BY_KERNEL;
	step->call = mach_lane_call_index(record.call);
	step->size_bytes = record.size_bytes;
	step->is_sole = atomic_load(&gate_of(task, step->lane)->sole) != 0;
	step->counted = atomic_load(&gate_of(task, step->lane)->count);
	memcpy(step->message.bytes, message, record.size_bytes);
	if (step->call < MACH_LANE_CALLS) {
		step->before = atomic_load(&row->names[step->call]);
		if (step->before == 0 || mach_lane_name_is(step->before, MACH_LANE_NAME_HELD))
			return LANE_RECEIVE_BY_KERNEL;
		reply = mach_lane_next_name(step->before | MACH_LANE_NAME_IDLE);
		step->number_before = atomic_load(&row->numbers[step->call]);
		atomic_store(&row->busy, step->call + 1);
		atomic_store(&row->names[step->call],
			     mach_lane_name_word(reply, MACH_LANE_NAME_HELD));
		atomic_store(&row->numbers[step->call], mach_lane_call_number(record.call));
	}
	step->name = reply;
	complete(step,
		 MACH_MSGH_BITS(reply ? MACH_MSG_TYPE_PORT_SEND_ONCE : 0, MACH_MSG_TYPE_PORT_SEND),
		 reply, name);
	step->kind = LANE_TAKE;
	return LANE_RECEIVE_BEGUN;
}

/* The first answer to a request that was sent with port @port; false: none. */
static bool
first_answer(struct lane_task *task, uint32_t port, uint32_t *lane, uint32_t *call)
{
	uint32_t best_order = 0;
	bool found = false;

	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		const struct lane_end *end = &task->ends[i];
		const uint32_t asked = lane_asked(task, i);

		for (uint32_t j = 0; asked && j < MACH_LANE_CALLS; j++) {
			const struct mach_lane_call *at = &end->shared->calls[j];

			if (!(asked >> j & 1) || end->call_port[j] != port ||
			    mach_lane_call_state(at) != MACH_LANE_ANSWERED ||
			    (found && (int32_t)(at->order - best_order) >= 0))
				continue;
			found = true;
			best_order = at->order;
			*lane = i;
			*call = j;
		}
	}
	return found;
}

static enum lane_receive
take_answer_begin(struct lane_task *task, mach_port_name_t name, uint32_t room,
		  struct lane_step *step)
{
	const struct mach_lane *shared;

	if (!first_answer(task, step->port, &step->lane, &step->call))
		return LANE_RECEIVE_NOTHING;
	shared = task->ends[step->lane].shared;
	step->size_bytes = shared->calls[step->call].size_bytes;
	if (!is_live(task, step->lane, MACH_LANE_SENDER) ||
	    step->size_bytes > MACH_LANE_ANSWER_MAX ||
	    step->size_bytes + step->trailer.msgh_trailer_size > room)
		return LANE_RECEIVE_BY_KERNEL;
	memcpy(step->message.bytes, shared->calls[step->call].answer, step->size_bytes);
	complete(step, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE), MACH_PORT_NULL, name);
	step->kind = LANE_TAKE_ANSWER;
	return LANE_RECEIVE_BEGUN;
}

enum lane_receive
lane_receive_begin(struct lane_task *task, mach_port_name_t name, uint32_t option, uint32_t room,
		   struct lane_step *step)
{
	const struct mach_lane_port *row;
	enum lane_receive result;

	step->kind = LANE_NOTHING;
	step->task = task;
	step->port = lane_port_of(task, name);
	if (!MACH_PORT_VALID(name) || step->port == MACH_LANE_GATE_MAX ||
	    task->port_locked[step->port])
		return LANE_RECEIVE_BY_KERNEL;
	row = &task->table->ports[step->port];
	step->port_word = atomic_load(&row->word);
	step->seqno = atomic_load(&row->seqno);
	if (step->port_word & (MACH_LANE_HAS_MESSAGES | MACH_LANE_IS_SHUT))
		return LANE_RECEIVE_BY_KERNEL;
	step->trailer =
	    (mach_msg_mac_trailer_t){ .msgh_trailer_size = REQUESTED_TRAILER_SIZE(option) };
	result = take_answer_begin(task, name, room, step);
	if (result == LANE_RECEIVE_NOTHING)
		result = take_begin(task, name, room, step);
	task->port_locked[step->port] = result == LANE_RECEIVE_BEGUN;
	return result;
}

static bool
take_finish(struct lane_step *step)
{
	struct lane_task *task = step->task;
	struct mach_lane_port *row = &task->table->ports[step->port];
	struct lane_end *end = &task->ends[step->lane];
	struct mach_lane_entry *entry = &task->table->entries[step->lane];

	task->port_locked[step->port] = false;
	if (step->kind == LANE_TAKE) {
		const bool is_taken = mach_lane_move(&end->shared->head, step->word, step->units);

		if (step->name != MACH_PORT_NULL) {
			if (!is_taken) {
				atomic_store(&entry->numbers[step->call], step->number_before);
				mach_lane_name_move(
				    &entry->names[step->call],
				    mach_lane_name_word(step->name, MACH_LANE_NAME_HELD),
				    step->before);
			}
			atomic_store(&entry->busy, 0);
		}
		if (!is_taken)
			return false; /* the kernel has taken the message over, and its call */
		if (!step->is_sole)
			mach_lane_count_out(gate_of(task, step->lane), step->counted);
	} else {
		/* an earlier answer may have gone to the kernel, or this one */
		if (atomic_load(&row->word) != step->port_word ||
		    !mach_lane_claim(&entry->asked, step->call))
			return false;
	}
	step->trailer.msgh_seqno = (mach_port_seqno_t)step->seqno;
	mach_lane_count_seqno(row, step->seqno);
	step->trailer.msgh_context = atomic_load(&row->context);
	atomic_fetch_add(&row->received, 1);
	return true;
}

bool
lane_finish(struct lane_step *step)
{
	const enum lane_step_kind kind = step->kind;
	bool is_made = false;

	if (kind == LANE_PUT)
		is_made = put_finish(step);
	else if (kind == LANE_ANSWER)
		is_made = answer_finish(step);
	else if (kind != LANE_NOTHING)
		is_made = take_finish(step);
	step->kind = LANE_NOTHING;
	return is_made;
}
