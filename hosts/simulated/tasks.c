/* Simulated tasks and threads: how they begin and how they end. */
#include <stdlib.h>
#include <string.h>

#include "hosts/simulated/step.h"

void *
sim_alloc(struct sim *sim, size_t size_bytes)
{
	void *memory = calloc(1, size_bytes ? size_bytes : 1);

	if (!memory)
		sim_fail(sim, "the simulator itself has no memory");
	return memory;
}

/* ---- who can run -------------------------------------------------------------------------- */

void
sim_ready(struct sim_thread *t)
{
	struct sim *sim = t->sim;

	if (t->ready_index || t->done)
		return;
	sim->ready[sim->ready_count++] = t;
	t->ready_index = sim->ready_count;
}

void
sim_unready(struct sim_thread *t)
{
	struct sim *sim = t->sim;
	struct sim_thread *last;

	if (!t->ready_index)
		return;
	last = sim->ready[--sim->ready_count];
	sim->ready[t->ready_index - 1] = last;
	last->ready_index = t->ready_index;
	t->ready_index = 0;
}

/* ---- birth -------------------------------------------------------------------------------- */

static void
make_room(struct sim *sim)
{
	if (sim->task_count == sim->task_room) {
		sim->task_room = sim->task_room ? sim->task_room * 2 : 32;
		sim->tasks = realloc(sim->tasks, sim->task_room * sizeof(struct sim_task *));
	}
	if (sim->live_count == sim->thread_room) {
		sim->thread_room = sim->thread_room ? sim->thread_room * 2 : 64;
		sim->live = realloc(sim->live, sim->thread_room * sizeof(struct sim_thread *));
		sim->ready = realloc(sim->ready, sim->thread_room * sizeof(struct sim_thread *));
	}
	if (!sim->tasks || !sim->live || !sim->ready)
		sim_fail(sim, "the simulator itself has no memory");
}

/* A birth that failed must have met a failing allocation. */
static void
trace_birth(struct sim *sim, const struct sim_record *record)
{
	sim_trace(sim, *record);
	sim_must(sim, record->b || sim->heap.failed_in_step > 0, "refused though there was memory");
}

struct sim_task *
sim_task_new(struct sim *sim, struct sim_task *parent)
{
	struct sim_task *task = sim_alloc(sim, sizeof *task);
	const uint32_t n = sim->task_count;
	const audit_token_t token = { { 1000 + n, 2000 + n, 3000 + n, 4000 + n, 5000 + n, 100 + n,
					77, 1 + n } };

	make_room(sim);
	sim->tasks[sim->task_count++] = task;
	task->sim = sim;
	task->index = n;
	sim->heap.failed_in_step = 0;
	task->task = kernel_task_new(sim->kernel, &token, parent ? parent->task : NULL, task);
	trace_birth(sim, &(struct sim_record){ .kind = SIM_TASK,
					       .task = n,
					       .a = parent ? parent->index : UINT32_MAX,
					       .b = task->task != NULL });
	return task->task ? task : NULL;
}

struct sim_thread *
sim_thread_new(struct sim_task *task, sim_program *program, size_t state_bytes)
{
	struct sim *sim = task->sim;
	struct sim_thread *t = sim_alloc(sim, sizeof *t);

	make_room(sim);
	t->sim = sim;
	t->task = task;
	t->number = ++sim->next_thread;
	t->program = program;
	t->state = sim_alloc(sim, state_bytes);
	t->earliest_ns = t->latest_ns = UINT64_MAX;
	t->next = task->threads;
	task->threads = t;
	sim->heap.failed_in_step = 0;
	t->thread = kernel_thread_new(task->task, NULL, t);
	trace_birth(sim, &(struct sim_record){ .kind = SIM_THREAD,
					       .task = task->index,
					       .thread = t->number,
					       .b = t->thread != NULL });
	if (!t->thread)
		return NULL;
	sim->live[sim->live_count] = t;
	t->live_index = sim->live_count++;
	if (program)
		sim_ready(t);
	return t;
}

/* ---- end ---------------------------------------------------------------------------------- */

/* Of the simulation; the kernel hears of it next. */
static struct thread *
thread_gone(struct sim_thread *t)
{
	struct sim *sim = t->sim;
	struct thread *thread = t->thread;
	struct sim_thread *last;

	if (sim->scenario->thread_gone)
		sim->scenario->thread_gone(t);
	sim_unready(t);
	last = sim->live[--sim->live_count];
	sim->live[t->live_index] = last;
	last->live_index = t->live_index;
	sim_lane_thread_gone(t);
	t->thread = NULL;
	t->trapping = t->parked = t->asked = false;
	return thread;
}

static void
threads_gone(struct sim_task *task)
{
	for (struct sim_thread *t = task->threads; t; t = t->next)
		if (t->thread)
			thread_gone(t);
	if (task->sim->scenario->task_gone)
		task->sim->scenario->task_gone(task);
}

void
sim_thread_exit(struct sim_thread *t)
{
	sim_trace(t->sim, (struct sim_record){
			      .kind = SIM_EXIT, .task = t->task->index, .thread = t->number });
	t->task->crippled = true;
	sim_step(t->sim,
		 (struct kernel_event){ .kind = EVENT_THREAD_EXIT, .thread = thread_gone(t) });
}

void
sim_task_die(struct sim_task *task)
{
	struct task *dead = task->task;

	sim_trace(task->sim, (struct sim_record){ .kind = SIM_DIED, .task = task->index });
	threads_gone(task);
	task->task = NULL;
	sim_step(task->sim, (struct kernel_event){ .kind = EVENT_TASK_DIED, .task = dead });
	sim_lane_task_gone(task);
}

struct sim_task *
sim_task_exec(struct sim_task *task)
{
	struct sim *sim = task->sim;
	struct task *old = task->task;
	struct sim_task *successor;

	sim_trace(sim, (struct sim_record){ .kind = SIM_EXEC, .task = task->index });
	threads_gone(task);
	sim_step(sim, (struct kernel_event){ .kind = EVENT_TASK_EXEC, .task = old });
	successor = sim_task_new(sim, task);
	if (successor)
		successor->is_successor = true;
	task->task = NULL;
	sim_step(sim, (struct kernel_event){ .kind = EVENT_TASK_DIED, .task = old });
	sim_lane_task_gone(task);
	return successor;
}

void
sim_tasks_free(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->task_count; i++) {
		struct sim_task *task = sim->tasks[i];

		for (struct sim_thread *t = task->threads, *next; t; t = next) {
			next = t->next;
			free(t->state);
			free(t->lane.half);
			free(t);
		}
		free(task->model);
		free(task);
	}
	free(sim->tasks);
	free(sim->live);
	free(sim->ready);
}
