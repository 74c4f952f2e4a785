/*
 * The step of the simulated host: hands an event to the kernel, works the effects off, and
 * checks what must hold of every trap (simulated.h).
 */
#include <stdlib.h>
#include <string.h>

#include "hosts/simulated/step.h"

/* ---- failing ------------------------------------------------------------------------------ */

static struct sim *running; /* for the core's check(), which knows no context */

/* The core's; weak there, so that a host can say first what went wrong. */
_Noreturn void kernel_check_failed(const char *expression, const char *file, int line);

_Noreturn void
kernel_check_failed(const char *expression, const char *file, int line)
{
	if (running)
		sim_fail(running, "%s:%d: the kernel stops: %s", file, line, expression);
	fprintf(stderr, "%s:%d: the kernel stops: %s\n", file, line, expression);
	abort();
}

_Noreturn void
sim_fail(struct sim *sim, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sim->report->why, sizeof sim->report->why, format, arguments);
	va_end(arguments);
	sim->report->failed = true;
	sim->failed(sim);
	abort();
}

void
sim_is_running(struct sim *sim)
{
	running = sim;
}

/* ---- what must hold of a trap that ends --------------------------------------------------- */

#define RESOURCE_BITS                                                                              \
	(MACH_MSG_IPC_SPACE | MACH_MSG_VM_SPACE | MACH_MSG_IPC_KERNEL | MACH_MSG_VM_KERNEL)

bool
sim_is_shortage(kern_return_t code)
{
	switch (code) {
	case KERN_RESOURCE_SHORTAGE:
	case KERN_NO_SPACE:
	case MACH_SEND_NO_BUFFER:
	case MACH_MSG_VM_KERNEL:
		return true;
	}
	/* a message code with resource bits: something could not be given (back) */
	return (code & 0x10000000) && (code & RESOURCE_BITS);
}

static bool
is_message_trap(const struct sim_thread *t)
{
	return t->frame.number == BERTH_TRAP_MSG;
}

static bool
is_call(const struct sim_thread *t)
{
	return is_message_trap(t) && (t->frame.args[0] & MACH_SEND_MSG) &&
	       (t->frame.args[0] & MACH_RCV_MSG);
}

static bool
says_timed_out(const struct sim_thread *t)
{
	const kern_return_t code = t->result.code;

	if (!is_message_trap(t))
		return t->frame.number >= BERTH_TRAP_SEMAPHORE_SIGNAL &&
		       t->frame.number <= BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL &&
		       code == KERN_OPERATION_TIMED_OUT;
	return (code & ~RESOURCE_BITS) == MACH_SEND_TIMED_OUT || code == MACH_RCV_TIMED_OUT;
}

static bool
says_interrupted(const struct sim_thread *t)
{
	const kern_return_t code = t->result.code;

	if (!is_message_trap(t))
		return code == KERN_ABORTED;
	return (code & ~RESOURCE_BITS) == MACH_SEND_INTERRUPTED || code == MACH_RCV_INTERRUPTED;
}

static void
check_completion(struct sim *sim, const struct sim_thread *t, enum kernel_event_kind kind)
{
	if (says_timed_out(t)) {
		sim_must(sim, t->earliest_ns != UINT64_MAX, "a time-out that nobody asked for");
		sim_must(sim, sim->now_ns >= t->earliest_ns, "thread %u: a time-out %llu ns early",
			 t->number, (unsigned long long)(t->earliest_ns - sim->now_ns));
		/* of a call the first half may have blocked, and the second only looked */
		sim_must(sim, !t->parked || kind == EVENT_DEADLINE || is_call(t),
			 "thread %u: a time-out though no time passed", t->number);
	}
	if (says_interrupted(t))
		sim_must(sim, t->harmed, "thread %u: interrupted, by nobody", t->number);
	if (t->harmed)
		sim_must(sim, says_interrupted(t), "thread %u: interrupted, it hears %#x",
			 t->number, (unsigned)t->result.code);
	if (sim_is_shortage(t->result.code))
		sim_must(sim, sim->heap.failed_in_step > 0,
			 "thread %u: %#x, though no allocation failed", t->number,
			 (unsigned)t->result.code);
}

/* ---- effects ------------------------------------------------------------------------------ */

static void
result_copy(struct sim *sim, struct sim_result *to, const struct trap_result *from)
{
	sim_must(sim,
		 from->bytes_size <= SIM_LETTER_MAX && from->trailer_size <= SIM_LETTER_MAX &&
		     from->piece_count <= SIM_PIECES_MAX && !from->has_tail && !from->watch,
		 "a result larger than any program asks for");
	to->code = from->code;
	memcpy(to->values, from->values, sizeof to->values);
	to->bytes_size = from->bytes_size;
	if (from->bytes_size)
		memcpy(to->bytes, from->bytes, from->bytes_size);
	to->trailer_size = from->trailer_size;
	if (from->trailer_size)
		memcpy(to->trailer, from->trailer, from->trailer_size);
	to->piece_count = from->piece_count;
	for (uint32_t i = 0; i < from->piece_count; i++) {
		const struct kernel_piece *piece = &from->pieces[i];
		const uint8_t *bytes = piece->bytes;

		if (piece->kind == KERNEL_PIECE_SEGMENT) {
			const struct sim_segment *segment =
			    (const struct sim_segment *)piece->segment;

			sim_must(sim,
				 piece->offset_bytes + piece->size_bytes <=
				     segment->core.size_bytes,
				 "a piece beyond the end of its segment");
			bytes = segment->bytes + piece->offset_bytes;
		}
		to->piece_sizes[i] = piece->size_bytes;
		sim_must(sim, piece->size_bytes <= SIM_PIECE_MAX, "a piece that nobody sent");
		if (piece->size_bytes)
			memcpy(to->pieces[i], bytes, piece->size_bytes);
	}
}

static void
trace_completion(struct sim_thread *t)
{
	struct sim *sim = t->sim;
	const struct sim_result *r = &t->result;

	sim_trace(sim, (struct sim_record){ .kind = SIM_DONE,
					    .task = t->task->index,
					    .thread = t->number,
					    .number = t->frame.number,
					    .code = r->code,
					    .a = (uint32_t)r->values[0],
					    .b = (uint32_t)r->values[1] });
	sim_trace_bytes(sim, r->values, sizeof r->values);
	sim_trace_bytes(sim, r->bytes, r->bytes_size);
	sim_trace_bytes(sim, r->trailer, r->trailer_size);
	for (uint32_t i = 0; i < r->piece_count; i++)
		sim_trace_bytes(sim, r->pieces[i], r->piece_sizes[i]);
}

static void
complete(struct sim *sim, struct thread *thread, enum kernel_event_kind kind,
	 struct kernel_effects *effects)
{
	struct sim_thread *t = kernel_thread_host(thread);

	sim_must(sim, t->thread == thread, "a thread completes that is gone");
	sim_must(sim, t->trapping, "thread %u: a trap completes twice", t->number);
	sim_must(sim, !kernel_thread_is_parked(thread), "thread %u completes and waits", t->number);
	if (sim_lane_completed(t, thread_result(thread))) {
		thread_result_free(thread, effects);
		return;
	}
	result_copy(sim, &t->result, thread_result(thread));
	thread_result_free(thread, effects);
	t->result.shortage = sim->heap.failed_in_step > 0;
	if (t->lane.sent)
		t->result.values[BERTH_MSG_SENT] = 1;
	sim_completed(t, kind);
}

void
sim_completed(struct sim_thread *t, enum kernel_event_kind kind)
{
	struct sim *sim = t->sim;

	t->lane.sent = false;
	trace_completion(t);
	check_completion(sim, t, kind);
	t->trapping = t->parked = false;
	t->earliest_ns = t->latest_ns = UINT64_MAX;
	if (sim->lose_a_wakeup && sim->phase == SIM_STORM && sim_chance(sim, 1)) {
		t->trapping = t->parked = true; /* this broken host forgets to tell */
		return;
	}
	if (sim->scenario->completed)
		sim->scenario->completed(t);
	if (t->program)
		sim_ready(t);
}

static void
segment_gone(struct kernel_segment *core)
{
	struct sim_segment *segment = (struct sim_segment *)core;

	sim_must(segment->sim, core->ref_count == 0, "a segment goes that is held");
	segment->sim->live_segments--;
	free(segment);
}

void
sim_effects(struct sim *sim, struct kernel_effects *effects, enum kernel_event_kind kind)
{
	struct thread *thread;
	struct kernel_segment *segment;
	struct kernel_shared *shared;
	uint64_t wakes;

	while ((shared = kernel_effects_shared(effects, &wakes)))
		sim_lane_told(sim, shared, wakes);
	while ((thread = kernel_effects_thread(effects)))
		complete(sim, thread, kind, effects);
	while ((segment = kernel_effects_segment(effects)))
		segment_gone(segment);
	sim_must(sim, !kernel_effects_watch(effects), "a watch that nobody asked for");
	sim_must(sim, !kernel_effects_resumed(effects), "a task goes on that nobody stopped");
}

void
sim_step(struct sim *sim, struct kernel_event event)
{
	struct kernel_effects effects;

	sim->step++;
	sim->now_ns += sim_pick(sim, 3000);
	sim->heap.failed_in_step = 0;
	event.now_ns = sim->now_ns;
	event.wall_offset_ns = 1700000000000000000u;
	kernel_effects_init(&effects);
	kernel_step(sim->kernel, &event, &effects);
	sim_effects(sim, &effects, event.kind);
	if (sim->heap.failed_in_step)
		sim_trace(sim, (struct sim_record){ .kind = SIM_SHORTAGE,
						    .a = sim->heap.failed_in_step });
	if (sim->phase != SIM_SETUP &&
	    (sim->scenario->audit_every <= 1 || sim->step % sim->scenario->audit_every == 0))
		kernel_audit(sim->kernel);
}

/* ---- traps -------------------------------------------------------------------------------- */

static uint64_t
after_ns(const struct sim *sim, uint64_t sec, uint64_t nsec)
{
	return sim->now_ns + sec * 1000000000u + nsec;
}

/* Said by the frame, not by the kernel; the clock moves on a little until the step. */
static void
foresee_time_out(struct sim_thread *t)
{
	const uint64_t *args = t->frame.args;
	const uint32_t option = (uint32_t)args[0];
	const bool sends = is_message_trap(t) && (option & MACH_SEND_MSG);
	const bool receives = is_message_trap(t) && (option & MACH_RCV_MSG);

	t->earliest_ns = t->latest_ns = UINT64_MAX;
	if (t->frame.number == BERTH_TRAP_SEMAPHORE_TIMEDWAIT)
		t->earliest_ns = t->latest_ns = after_ns(t->sim, args[1], args[2]);
	else if (t->frame.number == BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL)
		t->earliest_ns = t->latest_ns = after_ns(t->sim, args[2], args[3]);
	else if ((sends && (option & MACH_SEND_TIMEOUT)) ||
		 (receives && (option & MACH_RCV_TIMEOUT)))
		t->earliest_ns = t->latest_ns = after_ns(t->sim, 0, args[4] * 1000000u);
	if (t->latest_ns != UINT64_MAX)
		t->latest_ns += 3000; /* what sim_step() adds at most */
	if (is_call(t))
		t->latest_ns = UINT64_MAX; /* the second half begins nobody knows when */
}

bool
sim_trap(struct sim_thread *t)
{
	struct sim *sim = t->sim;

	sim_must(sim, t->asked && t->thread && !t->trapping, "thread %u: nothing to trap",
		 t->number);
	t->asked = false;
	t->trapping = true;
	t->frame.bytes = t->out;
	t->frame.bytes_size = t->out_size;
	t->frame.pieces = t->out_pieces;
	sim_trace(sim, (struct sim_record){ .kind = SIM_TRAP,
					    .task = t->task->index,
					    .thread = t->number,
					    .number = t->frame.number,
					    .a = (uint32_t)t->frame.args[0],
					    .b = (uint32_t)t->frame.args[1] });
	if (sim->lanes != SIM_LANES_OFF && sim->phase != SIM_SETUP && sim_lane_trap(t))
		return false;
	return sim_trap_kernel(t);
}

bool
sim_trap_kernel(struct sim_thread *t)
{
	struct sim *sim = t->sim;
	const uint64_t option = t->frame.args[0], size = t->frame.args[1];
	struct kernel_effects effects;

	foresee_time_out(t);
	if (t->lane.sent) { /* only the rest is left; later it is a send and a receive again */
		t->frame.args[0] &= ~(uint64_t)MACH_SEND_MSG;
		t->frame.args[1] = t->frame.bytes_size = 0;
	}
	sim_unready(t);
	sim_step(sim, (struct kernel_event){
			  .kind = EVENT_TRAP, .thread = t->thread, .frame = &t->frame });
	if (t->thread && t->frame.number == BERTH_TRAP_MSG) {
		t->frame.args[0] = option;
		t->frame.args[1] = size;
	}
	memset(t->out, 0xee, t->out_size); /* read once, then believed */
	if (t->out_segment) {
		kernel_effects_init(&effects);
		kernel_segment_unref(&t->out_segment->core, &effects);
		t->out_segment = NULL;
		sim_effects(sim, &effects, EVENT_TRAP);
	}
	t->parked = t->trapping;
	sim_must(sim, kernel_thread_is_parked(t->thread) == t->parked || sim->lose_a_wakeup,
		 "thread %u neither waits nor has completed", t->number);
	if (t->parked)
		sim_trace(sim, (struct sim_record){ .kind = SIM_PARKED,
						    .task = t->task->index,
						    .thread = t->number,
						    .number = t->frame.number });
	return !t->parked;
}

void
sim_interrupt(struct sim_thread *t)
{
	struct sim *sim = t->sim;

	sim_trace(sim, (struct sim_record){ .kind = SIM_INTERRUPT,
					    .task = t->task->index,
					    .thread = t->number,
					    .a = t->parked });
	if (t->lane.stage != SIM_LANE_NOT) { /* its library asks again */
		sim_lane_wake(t);
		return;
	}
	t->harmed = t->parked;
	sim_step(sim, (struct kernel_event){ .kind = EVENT_INTERRUPT, .thread = t->thread });
	sim_must(sim, !t->parked || sim->lose_a_wakeup, "thread %u: interrupted, it waits on",
		 t->number);
	t->harmed = false;
}

/* ---- time --------------------------------------------------------------------------------- */

void
sim_pass_time(struct sim *sim, uint64_t duration_ns)
{
	const uint64_t next_ns = kernel_next_deadline_ns(sim->kernel);

	for (uint32_t i = 0; i < sim->live_count; i++)
		sim_must(sim, !sim->live[i]->parked || next_ns <= sim->live[i]->latest_ns,
			 "thread %u: the kernel has forgotten its time-out", sim->live[i]->number);
	sim->now_ns += duration_ns;
	sim_trace(sim,
		  (struct sim_record){ .kind = SIM_DEADLINE, .a = (uint32_t)(duration_ns / 1000) });
	sim_step(sim, (struct kernel_event){ .kind = EVENT_DEADLINE });
	for (uint32_t i = 0; i < sim->live_count; i++)
		sim_must(sim, !sim->live[i]->parked || sim->live[i]->latest_ns > sim->now_ns,
			 "thread %u: waits beyond its time-out", sim->live[i]->number);
	sim_must(sim, kernel_next_deadline_ns(sim->kernel) > sim->now_ns,
		 "what was due is still there");
}

struct kernel_segment *
sim_segment_new(struct sim_thread *t, uint32_t size_bytes, uint8_t byte)
{
	struct sim_segment *segment = sim_alloc(t->sim, sizeof *segment);

	sim_must(t->sim, !t->out_segment && size_bytes <= SIM_PIECE_MAX, "one segment at a time");
	segment->core.size_bytes = size_bytes;
	segment->core.ref_count = 1;
	segment->sim = t->sim;
	memset(segment->bytes, byte, sizeof segment->bytes);
	t->sim->live_segments++;
	t->out_segment = segment;
	return &segment->core;
}
