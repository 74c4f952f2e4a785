/* One step on both: see play.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/play.h"

#define LABELS_MAX 65536u /* names that a sequence makes */
#define START_NS 1000000000u

struct label {
	uint32_t step, ordinal;
	mach_port_name_t name;
};

/* An open file of the host's. */
struct open_file {
	struct kernel_file core; /* first: the core hands this back */
	uint32_t number;
	struct open_file *next;
};

struct play {
	struct kernel *kernel; /* NULL: it stopped itself, and is left as it is */
	struct model *model;
	struct task *tasks[M_TASKS];
	struct thread *threads[M_TASKS][M_THREADS];
	uint64_t now_ns;
	uint64_t heap_bytes;
	struct label labels[LABELS_MAX];
	uint32_t label_count;
	struct open_file *files;
	uint32_t file_count; /* that were ever open */
	struct play_lanes lanes;
	struct m_thread asides[M_TASKS]; /* what the model does not know of: play_aside() */
	struct thread *aside_threads[M_TASKS];
	struct kernel_shared *aside_shared;
	char difference[4096];
};

/* ---- a kernel that stops ---------------------------------------------------------------- */

static struct play *playing; /* whose kernel is at work */
static jmp_buf stopped;

/* The core's; weak there, so that a host can say first what went wrong. */
_Noreturn void kernel_check_failed(const char *expression, const char *file, int line);

_Noreturn void
kernel_check_failed(const char *expression, const char *file, int line)
{
	if (!playing) {
		fprintf(stderr, "%s:%d: the kernel stops: %s\n", file, line, expression);
		abort();
	}
	snprintf(playing->difference, sizeof playing->difference, "%s:%d: the kernel stops: %s",
		 file, line, expression);
	playing->kernel = NULL;
	longjmp(stopped, 1);
}

/* @work stops the kernel or not; then what it holds is lost and `difference` says why. */
static bool
guarded(struct play *p, void (*work)(struct play *p, void *context), void *context)
{
	playing = p;
	if (setjmp(stopped) != 0) {
		playing = NULL;
		return false;
	}
	work(p, context);
	playing = NULL;
	return true;
}

static bool __attribute__((format(printf, 2, 3))) differs(struct play *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->difference, sizeof p->difference, format, args);
	va_end(args);
	return false;
}

/* ---- the kernel's host ------------------------------------------------------------------- */

static void *
heap_alloc(void *context, size_t size)
{
	struct play *p = context;

	p->heap_bytes += size;
	return malloc(size);
}

static void
heap_free(void *context, void *memory, size_t size)
{
	struct play *p = context;

	if (memory)
		p->heap_bytes -= size;
	free(memory);
}

static struct open_file *
file_open(struct play *p)
{
	struct open_file *file = calloc(1, sizeof *file);

	if (!file)
		abort();
	file->core.ref_count = 1;
	file->number = ++p->file_count;
	file->next = p->files;
	p->files = file;
	return file;
}

static void
file_close(struct play *p, const struct kernel_file *core)
{
	struct open_file **at = &p->files, *file;

	while (&(*at)->core != core)
		at = &(*at)->next;
	file = *at;
	*at = file->next;
	free(file);
}

static void
result_copy(struct m_result *to, const struct trap_result *from)
{
	to->code = from->code;
	memcpy(to->values, from->values, sizeof to->values);
	to->bytes_size = from->bytes_size < M_BYTES ? from->bytes_size : M_BYTES;
	if (to->bytes_size)
		memcpy(to->bytes, from->bytes, to->bytes_size);
	to->trailer_size =
	    from->trailer_size < sizeof to->trailer ? from->trailer_size : sizeof to->trailer;
	if (to->trailer_size)
		memcpy(to->trailer, from->trailer, to->trailer_size);
	to->file = from->file ? ((const struct open_file *)from->file)->number : 0;
	to->piece_count = from->piece_count < M_PIECES ? from->piece_count : M_PIECES;
	for (uint32_t i = 0; i < to->piece_count; i++) {
		const struct kernel_piece *piece = &from->pieces[i];

		to->pieces[i].size =
		    piece->size_bytes < M_PIECE_BYTES ? piece->size_bytes : M_PIECE_BYTES;
		if (piece->kind == KERNEL_PIECE_BYTES)
			memcpy(to->pieces[i].bytes, piece->bytes, to->pieces[i].size);
	}
}

/* All but the threads, which have gone before. */
static void
effects_take(struct play *p, struct kernel_effects *effects)
{
	struct kernel_shared *shared;
	struct kernel_file *file;
	struct task *task;
	uint64_t wakes;

	while ((file = kernel_effects_file(effects)))
		file_close(p, file);
	while ((shared = kernel_effects_shared(effects, &wakes)))
		lane_memory_told(&p->lanes.memory, shared);
	while ((task = kernel_effects_resumed(effects)))
		((struct m_task *)kernel_task_host(task))->actual_resumed = true;
}

static void
event_work(struct play *p, void *context)
{
	struct kernel_event *event = context;
	struct kernel_effects effects;
	struct thread *thread;

	kernel_effects_init(&effects);
	event->now_ns = p->now_ns;
	event->wall_offset_ns = 0;
	kernel_step(p->kernel, event, &effects);
	while ((thread = kernel_effects_thread(&effects))) {
		struct m_thread *told = kernel_thread_host(thread);

		result_copy(&told->actual, thread_result(thread));
		told->actual_done = true;
		if (told->task)
			play_lanes_completed(&p->lanes, told);
		p->aside_shared = thread_result(thread)->shared;
		if (p->aside_shared)
			p->aside_shared->ref_count++;
		thread_result_free(thread, &effects);
	}
	effects_take(p, &effects);
}

/* One event; false: the kernel stopped. */
static bool
kernel_event(struct play *p, struct kernel_event event)
{
	return guarded(p, event_work, &event);
}

static void
audit_work(struct play *p, void *context)
{
	(void)context;
	kernel_audit(p->kernel);
}

static void
free_work(struct play *p, void *context)
{
	(void)context;
	p->kernel = kernel_free(p->kernel);
}

/* ---- lanes ------------------------------------------------------------------------------ */

struct lane_trap
play_aside(struct play *p, uint32_t index, uint32_t number, uint64_t arg0, uint64_t arg1)
{
	struct trap_frame frame = { .number = number, .args = { arg0, arg1 } };
	const struct m_result *got = &p->asides[index].actual;

	p->aside_shared = NULL;
	lane_memory_provide(&p->lanes.memory, &frame);
	if (!p->kernel || !kernel_event(p, (struct kernel_event){ .kind = EVENT_TRAP,
								  .thread = p->aside_threads[index],
								  .frame = &frame }))
		return (struct lane_trap){ .code = KERN_FAILURE };
	lane_memory_drop(&p->lanes.memory, &frame);
	return (struct lane_trap){ .code = got->code,
				   .values = { got->values[0], got->values[1], got->values[2] },
				   .shared = p->aside_shared };
}

void
play_take_over(struct play *p)
{
	if (p->kernel)
		(void)kernel_event(p, (struct kernel_event){ .kind = EVENT_LOOK });
}

struct task *
play_task(struct play *p, uint32_t index)
{
	return p->kernel ? p->tasks[index] : NULL;
}

static void
actuals_clear(struct play *p)
{
	for (uint32_t i = 0; i < p->model->task_count; i++) {
		p->model->tasks[i].actual_resumed = false;
		for (uint32_t j = 0; j < M_THREADS; j++)
			p->model->tasks[i].threads[j].actual_done = false;
	}
}

/* ---- labels ---------------------------------------------------------------------------- */

static void
label_add(struct play *p, uint32_t step, uint32_t ordinal, struct m_entry *entry)
{
	entry->label_step = step;
	entry->label_ordinal = ordinal;
	if (p->label_count < LABELS_MAX)
		p->labels[p->label_count++] = (struct label){ step, ordinal, entry->name };
}

uint64_t
play_arg(const struct play *p, const struct arg *arg)
{
	if (!arg->is_label)
		return (uint64_t)arg->number;
	/* from the end: what is used is mostly young */
	for (uint32_t i = p->label_count; i-- > 0 && p->labels[i].step >= arg->step;)
		if (p->labels[i].step == arg->step && p->labels[i].ordinal == arg->ordinal)
			return p->labels[i].name;
	return MACH_PORT_NULL;
}

/* ---- steps ----------------------------------------------------------------------------- */

static void
frame_build(const struct m_call *call, struct trap_frame *frame,
	    struct kernel_piece pieces[M_PIECES])
{
	*frame = (struct trap_frame){ .number = call->number,
				      .bytes = call->bytes,
				      .bytes_size = call->bytes_size,
				      .pieces = pieces,
				      .piece_count = call->piece_count };
	memcpy(frame->args, call->args, sizeof frame->args);
	for (uint32_t i = 0; i < call->piece_count; i++)
		pieces[i] = (struct kernel_piece){ .kind = call->pieces[i].unreadable
							       ? KERNEL_PIECE_UNREADABLE
							       : KERNEL_PIECE_BYTES,
						   .size_bytes = call->pieces[i].size,
						   .bytes = call->pieces[i].bytes };
}

/* A file is open as long as a fileport stands for it. */
static bool
files_agree(struct play *p)
{
	uint32_t count = 0;

	for (const struct open_file *file = p->files; file; file = file->next) {
		const struct m_port *found = NULL;

		M_EACH(const struct m_port, port, &p->model->files)
		if (port->file == file->number)
			found = port;
		if (!found)
			return differs(p, "file %u is open, and no fileport stands for it",
				       file->number);
		count++;
	}
	if (count != p->model->files.count)
		return differs(p, "%u files are open, and %u fileports live", count,
			       p->model->files.count);
	return true;
}

static bool
results_agree(struct play *p, uint32_t step_id)
{
	struct model *m = p->model;

	for (uint32_t i = 0; i < m->fresh_count; i++)
		label_add(p, step_id, i, m->fresh[i].entry);
	if (m->wrong[0])
		return differs(p, "%s", m->wrong);
	for (uint32_t i = 0; i < m->task_count; i++) {
		if (m->tasks[i].resumed != m->tasks[i].actual_resumed)
			return differs(p, "task %u: resumed: kernel %d, model %d", i,
				       m->tasks[i].actual_resumed, m->tasks[i].resumed);
		for (uint32_t j = 0; j < M_THREADS; j++)
			if (!compare_results(&m->tasks[i].threads[j], p->difference,
					     sizeof p->difference))
				return false;
	}
	return files_agree(p);
}

static bool
step_trap(struct play *p, const struct step *step)
{
	struct m_thread *thread = &p->model->tasks[step->task].threads[step->thread];
	struct kernel_piece pieces[M_PIECES];
	struct open_file *file = NULL;
	struct trap_frame frame;
	struct m_call call, rest;
	bool is_done;

	if (thread->state != M_RUNNING)
		return true;
	call_build(p, step, &call);
	if (step->trap == BERTH_TRAP_FILEPORT_MAKE && step->arg_count == 0)
		file = file_open(p);
	call.file = file ? file->number : 0;
	rest = call;
	is_done = play_lanes_try(&p->lanes, step, thread, &rest);
	if (!p->kernel)
		return false;
	frame_build(&rest, &frame, pieces);
	frame.file = file ? &file->core : NULL;
	if (!is_done &&
	    !kernel_event(p, (struct kernel_event){ .kind = EVENT_TRAP,
						    .thread = p->threads[step->task][step->thread],
						    .frame = &frame }))
		return false;
	if (file) {
		struct kernel_effects effects;

		kernel_effects_init(&effects);
		kernel_file_unref(&file->core, &effects);
		effects_take(p, &effects);
	}
	model_trap(p->model, thread, &call);
	return results_agree(p, step->id);
}

static bool
step_advance(struct play *p, uint64_t ms)
{
	p->now_ns += ms * 1000000;
	if (!kernel_event(p, (struct kernel_event){ .kind = EVENT_DEADLINE }))
		return false;
	model_advance(p->model, p->now_ns);
	return true;
}

/* A task that the kernel has now: beside the model's, a thread for lanes. */
static bool
task_begins(struct play *p, uint32_t index)
{
	p->aside_threads[index] = kernel_thread_new(p->tasks[index], NULL, &p->asides[index]);
	if (!p->aside_threads[index])
		return differs(p, "the kernel makes no thread");
	play_lanes_task_new(&p->lanes, index);
	return true;
}

static bool
step_thread_new(struct play *p, struct m_task *task, uint32_t index)
{
	struct m_thread *thread = &task->threads[index];

	if (thread->alive)
		return true;
	p->threads[task->index][index] = kernel_thread_new(p->tasks[task->index], NULL, thread);
	if (!p->threads[task->index][index])
		return differs(p, "the kernel makes no thread");
	model_thread_new(p->model, task, index);
	p->lanes.sent[task->index][index] = false;
	return true;
}

/* The next task, a child of that of the step; thread 1 of the text: with other ids. */
static bool
step_fork(struct play *p, const struct step *step)
{
	struct model *m = p->model;
	struct m_task *parent = &m->tasks[step->task];
	const uint32_t index = m->task_count;
	const bool is_exec = step->kind == STEP_EXEC;
	audit_token_t token = parent->token;

	if (index == M_TASKS)
		return true;
	token.val[5] = 100 + index;
	token.val[7] = index;
	token.val[2] += is_exec ? 0 : step->thread;
	if (is_exec && !kernel_event(p, (struct kernel_event){ .kind = EVENT_TASK_EXEC,
							       .task = p->tasks[step->task] }))
		return false;
	p->tasks[index] =
	    kernel_task_new(p->kernel, &token, p->tasks[step->task], &m->tasks[index]);
	if (!p->tasks[index])
		return differs(p, "the kernel makes no task");
	if (is_exec && !kernel_event(p, (struct kernel_event){ .kind = EVENT_TASK_DIED,
							       .task = p->tasks[step->task] }))
		return false;
	if (is_exec) {
		p->tasks[step->task] = NULL;
		play_lanes_task_gone(&p->lanes, step->task);
		model_exec(m, parent, &token);
	} else {
		model_fork(m, parent, &token, step->thread == 0);
	}
	return step_thread_new(p, &m->tasks[index], 0) && task_begins(p, index) &&
	       results_agree(p, step->id);
}

static bool
step_event(struct play *p, const struct step *step)
{
	struct m_task *task = &p->model->tasks[step->task];
	struct m_thread *thread = &task->threads[step->thread];
	struct kernel_event event = { .thread = p->threads[step->task][step->thread] };

	if (step->kind == STEP_THREAD)
		return step_thread_new(p, task, step->thread);
	if (step->kind == STEP_FORK || step->kind == STEP_EXEC)
		return step_fork(p, step);
	if (step->kind == STEP_DIE) {
		event =
		    (struct kernel_event){ .kind = EVENT_TASK_DIED, .task = p->tasks[step->task] };
		if (!kernel_event(p, event))
			return false;
		model_task_die(p->model, task);
		p->tasks[step->task] = NULL;
		play_lanes_task_gone(&p->lanes, step->task);
		return results_agree(p, step->id);
	}
	if (!thread->alive)
		return true;
	event.kind = step->kind == STEP_EXIT ? EVENT_THREAD_EXIT : EVENT_INTERRUPT;
	if (!kernel_event(p, event))
		return false;
	if (step->kind == STEP_EXIT)
		model_thread_exit(p->model, thread);
	else
		model_interrupt(p->model, thread);
	return results_agree(p, step->id);
}

bool
play_step(struct play *p, const struct step *step)
{
	actuals_clear(p);
	if (step->kind == STEP_ADVANCE)
		return step_advance(p, step->ms) && results_agree(p, step->id);
	if (step->task >= p->model->task_count || !p->model->tasks[step->task].alive)
		return true;
	play_lanes_before(&p->lanes, step);
	if (!p->kernel)
		return false;
	if (step->kind != STEP_TRAP && step->kind != STEP_MSG)
		return step_event(p, step);
	if (!p->model->tasks[step->task].threads[step->thread].alive)
		return true;
	return step_trap(p, step);
}

bool
play_look(struct play *p)
{
	if (!guarded(p, audit_work, NULL))
		return false;
	if (p->lanes.mode != LANES_OFF) {
		actuals_clear(p);
		play_take_over(p);
		if (!p->kernel || !guarded(p, audit_work, NULL))
			return false;
	}
	return compare_state(p->kernel, p->model, p->tasks, p->difference, sizeof p->difference);
}

bool
play_look_after(struct play *p, const struct step *step, bool is_due)
{
	const bool has_lanes = p->lanes.mode != LANES_OFF;

	if (has_lanes ? play_lanes_look(&p->lanes, step) : is_due)
		return play_look(p);
	return !is_due || guarded(p, audit_work, NULL);
}

bool
play_end(struct play *p)
{
	for (uint32_t i = 0; i < p->model->task_count; i++) {
		struct step step = { .kind = STEP_DIE, .task = i };

		if (!play_step(p, &step) || !play_look(p))
			return false;
	}
	if (!guarded(p, free_work, NULL))
		return false;
	if (p->heap_bytes)
		return differs(p, "the kernel has ended and %zu bytes are left",
			       (size_t)p->heap_bytes);
	if (p->lanes.memory.count)
		return differs(p, "the kernel has ended and %u pieces of lanes are left",
			       p->lanes.memory.count);
	return true;
}

/* ---- starting -------------------------------------------------------------------------- */

static kern_return_t
setup_trap(struct play *p, uint32_t task, uint32_t number, uint64_t arg1, uint64_t arg2,
	   uint64_t arg3)
{
	struct trap_frame frame = { .number = number,
				    .args = { BERTH_NAME_TASK_SELF, arg1, arg2, arg3 } };

	if (!kernel_event(p, (struct kernel_event){ .kind = EVENT_TRAP,
						    .thread = p->threads[task][0],
						    .frame = &frame }))
		return KERN_FAILURE;
	return p->model->tasks[task].threads[0].actual.code;
}

/*
 * The first task makes a port, the hub, and the others inherit a send right to it under their
 * bootstrap name.  Then nobody has a bootstrap port any more: what is left are plain rights.
 */
static void
play_connect(struct play *p, uint32_t task_count)
{
	struct model *m = p->model;
	const struct m_result *got = &m->tasks[0].threads[0].actual;
	struct m_port *hub = m_port_new(m, &m->tasks[0]);
	mach_port_name_t name;
	struct m_entry *entry;
	bool ok;

	ok = setup_trap(p, 0, BERTH_TRAP_PORT_ALLOCATE, MACH_PORT_RIGHT_RECEIVE, 0, 0) == 0;
	name = (mach_port_name_t)got->values[0];
	ok = ok && setup_trap(p, 0, BERTH_TRAP_PORT_INSERT_RIGHT, name, name,
			      MACH_MSG_TYPE_MAKE_SEND) == 0;
	ok = ok && setup_trap(p, 0, BERTH_TRAP_TASK_SET_SPECIAL_PORT, 4, name, 0) == 0;
	hub->mscount = 1;
	entry = m_entry_named(m, &m->tasks[0], name);
	entry->type = MACH_PORT_TYPE_SEND_RECEIVE;
	entry->urefs = 1;
	entry->port = hub;
	label_add(p, 0, 0, entry);
	for (uint32_t i = 1; i < task_count; i++) {
		audit_token_t token = { { i, 20 + i, 30 + i, 40 + i, 50 + i, 100 + i, 1, i } };

		p->tasks[i] = kernel_task_new(p->kernel, &token, p->tasks[0], &m->tasks[i]);
		model_task_new(m, &token);
		step_thread_new(p, &m->tasks[i], 0);
		task_begins(p, i);
		entry = m_entry_named(m, &m->tasks[i], BERTH_NAME_BOOTSTRAP);
		entry->type = MACH_PORT_TYPE_SEND;
		entry->urefs = 1;
		entry->port = hub;
		label_add(p, 0, i, entry);
	}
	for (uint32_t i = 0; i < task_count; i++)
		ok = ok && setup_trap(p, i, BERTH_TRAP_TASK_SET_SPECIAL_PORT, 4, 0, 0) == 0;
	if (!ok)
		abort();
}

void
play_start(struct play *p, const struct sequence *s)
{
	audit_token_t token = { { 9, 20, 30, 40, 50, 100, 1, 1 } };

	p->label_count = 0;
	while (p->files) /* of a kernel that stopped */
		file_close(p, &p->files->core);
	p->file_count = 0;
	p->now_ns = START_NS;
	p->heap_bytes = 0;
	p->difference[0] = '\0';
	memset(p->threads, 0, sizeof p->threads);
	memset(p->tasks, 0, sizeof p->tasks);
	model_reset(p->model);
	p->model->now_ns = START_NS;
	p->kernel = kernel_new(&(struct kernel_config){
	    .heap = { heap_alloc, heap_free, p },
	    .random_seed = 0x5eed,
	    .facts = { .memory_bytes = 1 << 30, .page_bytes = 4096, .cpu_count = 1 } });
	p->tasks[0] = kernel_task_new(p->kernel, &token, NULL, &p->model->tasks[0]);
	model_task_new(p->model, &token);
	play_lanes_start(&p->lanes, p, s);
	step_thread_new(p, &p->model->tasks[0], 0);
	task_begins(p, 0);
	play_connect(p, s->task_count);
}

struct play *
play_new(void)
{
	struct play *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->model = model_new();
	return p;
}

struct play *
play_free(struct play *p)
{
	if (p) {
		while (p->files)
			file_close(p, &p->files->core);
		model_free(p->model);
		for (uint32_t i = 0; i < M_TASKS; i++)
			play_lanes_task_gone(&p->lanes, i);
		lane_memory_free(&p->lanes.memory);
	}
	free(p);
	return NULL;
}

const char *
play_difference(const struct play *p)
{
	return p->difference;
}

const struct play_lane_counts *
play_lane_counts(const struct play *p)
{
	return &p->lanes.counts;
}

struct model *
play_model(struct play *p)
{
	return p->model;
}

/* What a kernel holds that is not played to its end. */
static void
play_abandon(struct play *p)
{
	if (!p->kernel)
		return;
	for (uint32_t i = 0; i < M_TASKS; i++) {
		struct kernel_event event = { .kind = EVENT_TASK_DIED, .task = p->tasks[i] };

		if (p->tasks[i] && !kernel_event(p, event))
			return;
	}
	(void)guarded(p, free_work, NULL);
}

bool
play_sequence(struct play *p, const struct sequence *s, uint32_t look_every)
{
	char first[sizeof p->difference];
	bool same = true;

	play_start(p, s);
	for (uint32_t i = 0; same && i < s->count; i++) {
		same = play_step(p, &s->steps[i]);
		if (same)
			same = play_look_after(p, &s->steps[i], (i + 1) % look_every == 0);
	}
	if (same)
		same = play_look(p) && play_end(p);
	if (same)
		return true;
	memcpy(first, p->difference, sizeof first);
	play_abandon(p);
	memcpy(p->difference, first, sizeof first);
	return false;
}
