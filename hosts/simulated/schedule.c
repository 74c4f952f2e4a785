/*
 * The scheduler: what happens next, as the seed says.
 *
 * Each choice is drawn from one generator, so that the whole run follows from the seed.  How a
 * run chooses is chosen first: how long a thread keeps running, how much harm is done, how often
 * memory fails.  Runs of one temper only would meet the same few orders again and again.
 */
#include <stdlib.h>
#include <string.h>

#include "hosts/simulated/step.h"

/* ---- chance ------------------------------------------------------------------------------- */

/* splitmix64: seeds that follow each other give runs that have nothing in common. */
static uint64_t
draw(struct sim *sim)
{
	uint64_t z = sim->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t
sim_pick(struct sim *sim, uint32_t bound)
{
	return (uint32_t)((draw(sim) >> 32) * bound >> 32);
}

bool
sim_chance(struct sim *sim, uint32_t percent)
{
	return sim_pick(sim, 100) < percent;
}

/* ---- running ------------------------------------------------------------------------------ */

/* One that can run; the one that ran last, if it is its run. */
static struct sim_thread *
choose(struct sim *sim)
{
	if (sim_chance(sim, sim->stickiness))
		for (uint32_t i = 0; i < sim->ready_count && i < 64; i++)
			if (sim->ready[i]->number == sim->last_ready)
				return sim->ready[i];
	return sim->ready[sim_pick(sim, sim->ready_count)];
}

static void
run_one(struct sim *sim)
{
	struct sim_thread *t = choose(sim);

	sim->last_ready = t->number;
	if (t->lane.stage != SIM_LANE_NOT) {
		sim_lane_go(t);
		return;
	}
	t->program(t);
	if (t->asked)
		sim_trap(t);
	else if (t->done)
		sim_unready(t);
	else
		sim_fail(sim, "thread %u: its program neither asks nor ends", t->number);
}

static void
to_next_deadline(struct sim *sim)
{
	const uint64_t next_ns = kernel_next_deadline_ns(sim->kernel);

	sim_pass_time(sim, next_ns > sim->now_ns ? next_ns - sim->now_ns : 0);
}

/* ---- harm --------------------------------------------------------------------------------- */

static void
some_time(struct sim *sim)
{
	const uint64_t next_ns = kernel_next_deadline_ns(sim->kernel);

	if (next_ns != UINT64_MAX && sim_chance(sim, 60))
		to_next_deadline(sim);
	else
		sim_pass_time(sim,
			      sim_pick(sim, 5) ? sim_pick(sim, 2000000) : sim_pick(sim, 50000000));
}

static struct sim_task *
some_mortal(struct sim *sim)
{
	for (int tries = 0; tries < 8; tries++) {
		struct sim_task *task = sim->tasks[sim_pick(sim, sim->task_count)];

		if (task->task && task->mortal)
			return task;
	}
	return NULL;
}

static void
fork_or_exec(struct sim *sim, struct sim_task *task, bool exec)
{
	struct sim_task *child = exec ? sim_task_exec(task) : sim_task_new(sim, task);

	if (!child)
		return;
	child->mortal = true;
	sim->scenario->born(child, task);
}

static void
some_harm(struct sim *sim)
{
	const struct sim_scenario *scenario = sim->scenario;
	struct sim_task *task;
	struct sim_thread *t = NULL;

	switch (sim_pick(sim, 10)) {
	case 0:
	case 1:
	case 2:
		some_time(sim);
		return;
	case 3:
	case 4:
	case 5:
		if (sim->live_count > 0)
			t = sim->live[sim_pick(sim, sim->live_count)];
		if (t && t->program)
			sim_interrupt(t);
		return;
	case 6:
		if (sim->live_count > 0)
			t = sim->live[sim_pick(sim, sim->live_count)];
		if (t && t->program && t->lane.stage == SIM_LANE_NOT && scenario->threads_exit &&
		    t->task->mortal && sim->deaths_left > 0) {
			sim->deaths_left--;
			sim_thread_exit(t);
		}
		return;
	default:
		task = some_mortal(sim);
		if (!task || !scenario->tasks_die || sim->deaths_left == 0)
			return;
		sim->deaths_left--;
		if (!scenario->born || sim_chance(sim, 30))
			sim_task_die(task);
		else
			fork_or_exec(sim, task, sim_chance(sim, 50));
	}
}

/* ---- the phases --------------------------------------------------------------------------- */

static void
phase(struct sim *sim, enum sim_phase next)
{
	sim->phase = next;
	sim->heap.armed = next == SIM_STORM;
	sim_trace(sim, (struct sim_record){ .kind = SIM_PHASE, .a = next });
	kernel_audit(sim->kernel);
}

static void
temper(struct sim *sim)
{
	static const uint32_t stickiness[] = { 0, 0, 30, 70, 90 };
	static const uint32_t harm[] = { 0, 20, 60, 120, 250 };
	static const uint32_t fail_one_in[] = { 4, 10, 30, 100 };

	sim->stickiness = stickiness[sim_pick(sim, 5)];
	sim->harm = harm[sim_pick(sim, 5)];
	sim->deaths_left = sim_pick(sim, sim->scenario->deaths ? sim->scenario->deaths : 6);
	if (sim->scenario->memory_fails && sim_chance(sim, 40))
		sim->heap.fail_one_in = fail_one_in[sim_pick(sim, 4)];
}

/* The one death that was asked for, without a random number: up to here the schedule is what it
 * is without it. */
static void
planned_death(struct sim *sim)
{
	const uint32_t index = sim->report->kill_task;
	struct sim_task *task = index < sim->task_count ? sim->tasks[index] : NULL;

	sim->report->kill_later = !task && sim->scenario->born;
	if (!task || !task->task || !task->mortal)
		return;
	sim->report->killed = true;
	sim_task_die(task);
}

static void
storm(struct sim *sim)
{
	uint32_t left = sim_pick(sim, sim->scenario->storm_steps) + 1;

	phase(sim, SIM_STORM);
	for (uint32_t event = 1; left > 0; left--, event++) {
		if (event == sim->report->kill_at)
			planned_death(sim);
		if (sim_pick(sim, 1000) < sim->harm)
			some_harm(sim);
		else if (sim->ready_count > 0)
			run_one(sim);
		else if (kernel_next_deadline_ns(sim->kernel) != UINT64_MAX)
			to_next_deadline(sim);
		else
			some_harm(sim);
	}
}

static void
calm(struct sim *sim)
{
	const uint32_t limit = sim->step + SIM_CALM_STEPS + 200 * sim->task_count;

	phase(sim, SIM_CALM);
	for (;;) {
		if (sim->ready_count > 0)
			run_one(sim);
		else if (kernel_next_deadline_ns(sim->kernel) != UINT64_MAX)
			to_next_deadline(sim);
		else
			break;
		sim_must(sim, sim->step < limit, "after %u steps it has not come to an end",
			 SIM_CALM_STEPS);
	}
	kernel_audit(sim->kernel);
	if (sim->scenario->settled)
		sim->scenario->settled(sim);
}

static void
end(struct sim *sim)
{
	struct sim_heap *heap = &sim->heap;
	uint32_t left = sim->task_count;
	struct sim_task **order = sim_alloc(sim, (left + 1) * sizeof(struct sim_task *));

	phase(sim, SIM_END);
	memcpy(order, sim->tasks, left * sizeof(struct sim_task *));
	while (left > 0) {
		const uint32_t i = sim_pick(sim, left);
		struct sim_task *task = order[i];

		order[i] = order[--left];
		if (task->task)
			sim_task_die(task);
	}
	free(order);
	sim->kernel = kernel_free(sim->kernel);
	for (uint32_t i = 0; i < sim->task_count; i++)
		sim_lane_task_gone(sim->tasks[i]);
	sim_must(sim, sim->lane_memory.count == 0, "memory of lanes is left");
	sim_must(sim, heap->live_count == 0 && heap->live_bytes == 0,
		 "%llu pieces of the kernel's memory are left",
		 (unsigned long long)heap->live_count);
	sim_must(sim, sim->live_segments == 0, "%u segments are left", sim->live_segments);
}

uint64_t
sim_run(const struct sim_scenario *scenario, uint64_t seed, const struct sim_options *options)
{
	static const struct kernel_host_facts facts = { .memory_bytes = 1u << 30,
							.page_bytes = 4096,
							.cpu_count = 1,
							.cpu_max = 1,
							.core_count = 1,
							.core_max = 1,
							.quantum_ms = 10,
							.version = "A simulated kernel" };
	struct sim sim = { .scenario = scenario,
			   .report = options->report,
			   .failed = options->failed,
			   .text = options->text,
			   .lose_a_wakeup = options->lose_a_wakeup,
			   .lanes = options->lanes,
			   .seed = seed,
			   .random = seed * 0x2545f4914f6cdd1du,
			   .hash = 0x73696d,
			   .now_ns = 1000000000 };

	sim.report->seed = seed;
	sim.report->step = 0;
	sim.report->record_count = 0;
	sim.report->kill_task = options->kill_task;
	sim.report->kill_at = options->kill_at;
	sim.report->kill_later = sim.report->killed = false;
	snprintf(sim.report->scenario, sizeof sim.report->scenario, "%s", scenario->name);
	sim_heap_init(&sim);
	sim_is_running(&sim);
	sim.model = sim_alloc(&sim, scenario->model_bytes);
	sim.kernel = kernel_new(&(struct kernel_config){
	    .heap = sim_heap_of(&sim), .random_seed = seed | 1, .facts = facts });
	sim_must(&sim, sim.kernel, "no kernel, though there is memory");
	scenario->start(&sim);
	temper(&sim);
	storm(&sim);
	calm(&sim);
	end(&sim);
	if (scenario->model_free)
		scenario->model_free(&sim);
	free(sim.model);
	sim_tasks_free(&sim);
	sim_is_running(NULL);
	return sim.hash;
}
