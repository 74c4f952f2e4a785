/*
 * Lanes of simulated tasks: what libberth does around them, as a state of each thread, so that
 * the scheduler may let anything happen between the two halves of a step.
 *
 *   SEND ──begin──► SENDING ──finish──► RECEIVE ──begin──► RECEIVING ──finish──► completed
 *                                          │ nothing is there
 *                                          └──► SLEEPS ──woken──► RECEIVE
 *
 * From each of them the way is open to the kernel, with what is left.  A sleeper is woken by who
 * sends it something, if he sees that it sleeps, and by the kernel, as by a futex: so a wake-up
 * that is not told is a thread that never comes back.
 */
#include <stdlib.h>
#include <string.h>

#include "hosts/simulated/step.h"

/* In so many of hundred cases; when lanes are forced, always. */
static bool
wants(struct sim *sim, uint32_t percent)
{
	return sim->lanes == SIM_LANES_FORCED || sim_chance(sim, percent);
}

/* ---- traps about lanes ------------------------------------------------------------------------
 */

static struct lane_trap
aside(void *context, uint32_t number, uint64_t arg0, uint64_t arg1)
{
	struct sim_thread *t = context;
	struct trap_frame frame = { .number = number, .args = { arg0, arg1 } };

	lane_memory_provide(&t->sim->lane_memory, &frame);
	t->lane.aside = true;
	t->lane.got = (struct lane_trap){ 0 };
	sim_step(t->sim,
		 (struct kernel_event){ .kind = EVENT_TRAP, .thread = t->thread, .frame = &frame });
	sim_must(t->sim, !t->lane.aside, "thread %u: a trap about lanes blocks", t->number);
	lane_memory_drop(&t->sim->lane_memory, &frame);
	return t->lane.got;
}

bool
sim_lane_completed(struct sim_thread *t, const struct trap_result *result)
{
	if (!t->lane.aside)
		return false;
	t->lane.aside = false;
	t->lane.got = (struct lane_trap){ .code = result->code, .shared = result->shared };
	memcpy(t->lane.got.values, result->values, sizeof t->lane.got.values);
	if (result->shared)
		result->shared->ref_count++;
	return true;
}

/* ---- sleeping ------------------------------------------------------------------------------- */

/* Is it @word that somebody who sleeps on port @port of @task looks at?  NULL: says that he sleeps,
 * or not any more. */
static bool
sleeps_on(struct lane_task *task, uint32_t port, const void *word, bool sleeps)
{
	struct mach_lane_port *row = &task->table->ports[port];

	if (word && word == &row->word)
		return true;
	if (!word)
		atomic_store(&row->task_sleeps, sleeps);
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		struct lane_end *end = &task->ends[i];
		const struct mach_lane_entry *entry = &task->table->entries[i];

		if (!end->shared)
			continue;
		if (atomic_load(&entry->role) == MACH_LANE_RECEIVER && entry->gate == port) {
			if (word == &end->shared->tail)
				return true;
			if (!word)
				atomic_store(&end->shared->receiver_sleeps, sleeps);
		}
		const uint32_t asked = lane_asked(task, i);

		for (uint32_t j = 0; asked && j < MACH_LANE_CALLS; j++) {
			if (!(asked >> j & 1) || end->call_port[j] != port)
				continue;
			if (word == &end->shared->calls[j].word)
				return true;
			if (!word)
				atomic_store(&end->shared->calls[j].sleeps, sleeps);
		}
	}
	return false;
}

void
sim_lane_wake(struct sim_thread *t)
{
	struct lane_task *task = &t->task->lanes;

	if (t->lane.stage != SIM_LANE_SLEEPS)
		return;
	t->lane.stage = SIM_LANE_RECEIVE;
	t->parked = false;
	task->port_locked[t->lane.port] = false;
	sleeps_on(task, t->lane.port, NULL, false);
	sim_ready(t);
}

/* As a futex: whoever sleeps on @word comes back. */
static void
wake(struct sim *sim, const void *word)
{
	for (uint32_t i = 0; i < sim->live_count; i++) {
		struct sim_thread *t = sim->live[i];

		if (t->lane.stage == SIM_LANE_SLEEPS &&
		    sleeps_on(&t->task->lanes, t->lane.port, word, false))
			sim_lane_wake(t);
	}
}

void
sim_lane_told(struct sim *sim, struct kernel_shared *shared, uint64_t wakes)
{
	const enum lane_segment_kind kind = lane_memory_kind(shared);
	struct mach_lane_table *table = shared->address;
	struct mach_lane *lane = shared->address;

	for (uint32_t i = 0; kind == LANE_SEGMENT_TABLE && i < MACH_LANE_GATE_MAX; i++)
		if (wakes >> i & 1)
			wake(sim, &table->ports[i].word);
	for (uint32_t i = 0; kind == LANE_SEGMENT_LANE && wakes && i < MACH_LANE_CALLS; i++)
		if (atomic_load(&lane->calls[i].sleeps))
			wake(sim, &lane->calls[i].word);
	lane_memory_told(&sim->lane_memory, shared);
}

static void
sleep(struct sim_thread *t, mach_port_name_t name)
{
	struct lane_task *task = &t->task->lanes;

	t->lane.stage = SIM_LANE_SLEEPS;
	t->lane.port = lane_port_of(task, name);
	t->parked = true;
	task->port_locked[t->lane.port] = true;
	sleeps_on(task, t->lane.port, NULL, true);
	sim_unready(t);
	t->sim->report->lane_sleeps++;
	sim_trace(t->sim, (struct sim_record){ .kind = SIM_LANE,
					       .task = t->task->index,
					       .thread = t->number,
					       .a = t->lane.port,
					       .b = 1 });
}

/* ---- the two halves ---------------------------------------------------------------------------
 */

/* What the other side is told when a step is made. */
static void
wake_peer(struct sim *sim, const struct lane_step *half, enum lane_step_kind kind)
{
	struct mach_lane *shared = half->task->ends[half->lane].shared;

	if (kind == LANE_PUT && atomic_load(&shared->receiver_sleeps))
		wake(sim, &shared->tail);
	if (kind == LANE_ANSWER && atomic_load(&shared->calls[half->call].sleeps))
		wake(sim, &shared->calls[half->call].word);
}

static bool
finish(struct sim_thread *t)
{
	struct sim_report *report = t->sim->report;
	struct lane_step *half = t->lane.half;
	const enum lane_step_kind kind = half->kind;
	const bool is_made = lane_finish(half);

	sim_trace(t->sim, (struct sim_record){ .kind = SIM_LANE,
					       .task = t->task->index,
					       .thread = t->number,
					       .number = kind,
					       .a = half->lane,
					       .b = is_made });
	if (!is_made) {
		report->lane_failed++;
		return false;
	}
	report->lane_requests += kind == LANE_PUT;
	report->lane_answers += kind == LANE_ANSWER;
	report->lane_taken += kind == LANE_TAKE;
	report->lane_answers_taken += kind == LANE_TAKE_ANSWER;
	wake_peer(t->sim, half, kind);
	return true;
}

static void
by_kernel(struct sim_thread *t)
{
	t->lane.stage = SIM_LANE_NOT;
	sim_trap_kernel(t);
}

/* It ends with what was received, or with nothing. */
static void
ends(struct sim_thread *t, const struct lane_step *received)
{
	struct sim_result *r = &t->result;

	t->lane.stage = SIM_LANE_NOT;
	memset(r->values, 0, sizeof r->values);
	r->code = KERN_SUCCESS;
	r->shortage = false;
	r->bytes_size = r->trailer_size = r->piece_count = 0;
	r->values[BERTH_MSG_SENT] = t->lane.sent;
	if (received) {
		memcpy(r->bytes, received->message.bytes, received->size_bytes);
		memcpy(r->trailer, &received->trailer, sizeof received->trailer);
		r->bytes_size = received->size_bytes;
		r->trailer_size = received->trailer.msgh_trailer_size;
		r->values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_RECEIVE;
		r->values[BERTH_MSG_PREFIX] = r->bytes_size;
		r->values[BERTH_MSG_TRAILER] = r->trailer_size;
	}
	if (t->lane.sent)
		memset(t->out, 0xee, t->out_size);
	sim_unready(t);
	sim_completed(t, EVENT_TRAP);
}

/* ---- what a message needs ---------------------------------------------------------------------
 */

static void
provide(struct sim_thread *t, const mach_msg_header_t *header)
{
	struct lane_task *task = &t->task->lanes;
	struct lane_memory *memory = &t->sim->lane_memory;
	uint32_t lane;

	lane = lane_of_right(task, header->msgh_remote_port);
	if (lane == MACH_LANE_MAX && wants(t->sim, 50))
		lane = lane_task_open(task, memory, header->msgh_remote_port, aside, t);
	else if (lane < MACH_LANE_MAX && t->sim->lanes == SIM_LANES_FLAPPING &&
		 sim_chance(t->sim, 3))
		aside(t, BERTH_TRAP_LANE_CLOSE, lane, 0);
	if (lane < MACH_LANE_MAX && MACH_PORT_VALID(header->msgh_local_port))
		lane_task_bind(task, lane, header->msgh_local_port, aside, t);
}

static enum lane_shape
shape_of(const struct sim_thread *t)
{
	mach_msg_header_t header;

	if ((t->frame.args[0] & MACH_SEND_NOTIFY) || t->out_size < sizeof header ||
	    t->frame.args[1] != t->out_size || t->frame.piece_count)
		return LANE_SHAPE_OTHER;
	memcpy(&header, t->out, sizeof header);
	return lane_shape_of(&header, t->out_size);
}

static void
send(struct sim_thread *t)
{
	struct lane_task *task = &t->task->lanes;
	const enum lane_shape shape = shape_of(t);
	mach_msg_header_t header;

	memcpy(&header, t->out, sizeof header);
	if (shape == LANE_SHAPE_ONE_WAY || shape == LANE_SHAPE_REQUEST)
		provide(t, &header);
	if (shape == LANE_SHAPE_OTHER || !wants(t->sim, 80) ||
	    !lane_send_begin(task, (const mach_msg_header_t *)(const void *)t->out, t->out_size,
			     t->lane.half)) {
		by_kernel(t);
		return;
	}
	t->lane.stage = SIM_LANE_SENDING;
	if (sim_chance(t->sim, 50))
		sim_lane_go(t);
}

static void
receive(struct sim_thread *t)
{
	const uint32_t option = (uint32_t)t->frame.args[0];
	const mach_port_name_t name = (mach_port_name_t)t->frame.args[3];
	enum lane_receive found = LANE_RECEIVE_BY_KERNEL;

	t->lane.stage = SIM_LANE_RECEIVE;
	if (wants(t->sim, 80) && !(option & (MACH_RCV_SYNC_WAIT | MACH_RCV_VOUCHER)))
		found = lane_receive_begin(&t->task->lanes, name, option,
					   (uint32_t)t->frame.args[2], t->lane.half);
	if (found == LANE_RECEIVE_BY_KERNEL ||
	    (found == LANE_RECEIVE_NOTHING && (option & MACH_RCV_TIMEOUT))) {
		by_kernel(t);
	} else if (found == LANE_RECEIVE_NOTHING) {
		sleep(t, name);
	} else {
		t->lane.stage = SIM_LANE_RECEIVING;
		if (sim_chance(t->sim, 50))
			sim_lane_go(t);
	}
}

void
sim_lane_go(struct sim_thread *t)
{
	switch (t->lane.stage) {
	case SIM_LANE_SEND:
		send(t);
		break;
	case SIM_LANE_SENDING:
		if (!finish(t)) {
			by_kernel(t);
			break;
		}
		t->lane.sent = true;
		if (t->frame.args[0] & MACH_RCV_MSG)
			receive(t);
		else
			ends(t, NULL);
		break;
	case SIM_LANE_RECEIVE:
		receive(t);
		break;
	case SIM_LANE_RECEIVING:
		if (finish(t))
			ends(t, t->lane.half);
		else
			receive(t);
		break;
	default:
		sim_fail(t->sim, "thread %u runs, though it sleeps", t->number);
	}
}

bool
sim_lane_trap(struct sim_thread *t)
{
	struct lane_task *task = &t->task->lanes;

	if (t->frame.number != BERTH_TRAP_MSG)
		return false;
	if (!task->table && !(wants(t->sim, 30) && lane_task_begin(task, aside, t)))
		return false;
	if (kernel_task_has_lane_offers(t->task->task) && wants(t->sim, 80))
		lane_task_accept(task, &t->sim->lane_memory, aside, t);
	if (!t->lane.half)
		t->lane.half = sim_alloc(t->sim, sizeof *t->lane.half);
	t->lane.stage = t->frame.args[0] & MACH_SEND_MSG ? SIM_LANE_SEND : SIM_LANE_RECEIVE;
	sim_lane_go(
	    t); /* at once: a right that it carries has left by now, as far as anybody knows */
	return true;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

/* It is gone in the middle of whatever it did, and what it held, too, as with a process. */
void
sim_lane_thread_gone(struct sim_thread *t)
{
	if (t->lane.stage == SIM_LANE_SLEEPS)
		t->task->lanes.port_locked[t->lane.port] = false;
	t->lane.stage = SIM_LANE_NOT;
	t->lane.sent = false;
}

void
sim_lane_task_gone(struct sim_task *task)
{
	lane_task_end(&task->lanes, &task->sim->lane_memory);
}
