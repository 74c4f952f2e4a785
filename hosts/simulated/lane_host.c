#include "hosts/simulated/lane_host.h"

#include <stdlib.h>
#include <string.h>

#include <berth/syscall_sw.h>

struct lane_segment {
	struct kernel_shared core; /* first: the core hands this back */
	enum lane_segment_kind kind;
	struct lane_segment *next, **at;
};

/* ---- memory --------------------------------------------------------------------------------- */

static struct kernel_shared *
segment_new(struct lane_memory *memory, enum lane_segment_kind kind, size_t size_bytes)
{
	struct lane_segment *segment = calloc(1, sizeof *segment);

	if (!segment || !(segment->core.address = calloc(1, size_bytes)))
		abort();
	segment->core.ref_count = 1;
	segment->kind = kind;
	segment->next = memory->first;
	segment->at = &memory->first;
	if (segment->next)
		segment->next->at = &segment->next;
	memory->first = segment;
	memory->count++;
	return &segment->core;
}

static void
segment_free(struct lane_memory *memory, struct lane_segment *segment)
{
	*segment->at = segment->next;
	if (segment->next)
		segment->next->at = segment->at;
	memory->count--;
	free(segment->core.address);
	free(segment);
}

enum lane_segment_kind
lane_memory_kind(const struct kernel_shared *shared)
{
	return ((const struct lane_segment *)shared)->kind;
}

void
lane_memory_told(struct lane_memory *memory, struct kernel_shared *shared)
{
	if (shared->ref_count == 0)
		segment_free(memory, (struct lane_segment *)shared);
}

void
lane_memory_unref(struct lane_memory *memory, struct kernel_shared *shared)
{
	struct kernel_effects effects;
	uint64_t wakes;

	if (!shared)
		return;
	kernel_effects_init(&effects);
	kernel_shared_unref(shared, &effects);
	while ((shared = kernel_effects_shared(&effects, &wakes)))
		lane_memory_told(memory, shared);
}

void
lane_memory_provide(struct lane_memory *memory, struct trap_frame *frame)
{
	if (frame->number == BERTH_TRAP_LANE_BEGIN) {
		frame->shared[0] =
		    segment_new(memory, LANE_SEGMENT_TABLE, sizeof(struct mach_lane_table));
		frame->shared[1] =
		    segment_new(memory, LANE_SEGMENT_GATES, sizeof(struct mach_lane_gates));
	} else if (frame->number == BERTH_TRAP_LANE_OPEN) {
		frame->shared[0] = segment_new(memory, LANE_SEGMENT_LANE, sizeof(struct mach_lane));
	}
}

void
lane_memory_drop(struct lane_memory *memory, const struct trap_frame *frame)
{
	for (int i = 0; i < 2; i++)
		lane_memory_unref(memory, frame->shared[i]);
}

void
lane_memory_free(struct lane_memory *memory)
{
	struct lane_segment *segment = memory->first;

	while (segment) {
		struct lane_segment *next = segment->next;

		segment_free(memory, segment);
		segment = next;
	}
}

/* ---- the traps ------------------------------------------------------------------------------ */

bool
lane_task_begin(struct lane_task *task, lane_trap_function *trap, void *context)
{
	struct lane_trap got;

	if (task->table)
		return true;
	got = trap(context, BERTH_TRAP_LANE_BEGIN, 0, 0);
	if (got.code != KERN_SUCCESS)
		return false;
	task->table_memory = got.shared;
	got = trap(context, BERTH_TRAP_LANE_GATES, BERTH_LANE_OWN, 0);
	if (got.code != KERN_SUCCESS)
		return false; /* its table is kept: it is the same the next time */
	task->gates_memory = got.shared;
	task->table = task->table_memory->address;
	return true;
}

/* Whoever is in the middle of something there goes by the old memory, as if it was mapped. */
static bool
end_map(struct lane_task *task, struct lane_memory *memory, uint32_t lane,
	struct kernel_shared *shared, struct kernel_shared *gates)
{
	struct lane_end *end = &task->ends[lane];
	bool is_free = !end->locked;

	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX; i++)
		is_free &= !task->port_locked[i];
	if (!is_free || !gates) {
		lane_memory_unref(memory, shared);
		lane_memory_unref(memory, gates);
		return false;
	}
	lane_memory_unref(memory, end->memory);
	lane_memory_unref(memory, end->gates_memory);
	memset(end, 0, sizeof *end);
	end->memory = shared;
	end->gates_memory = gates;
	end->shared = shared->address;
	end->gates = gates->address;
	return true;
}

uint32_t
lane_task_open(struct lane_task *task, struct lane_memory *memory, mach_port_name_t name,
	       lane_trap_function *trap, void *context)
{
	struct lane_trap got = trap(context, BERTH_TRAP_LANE_OPEN, name, 0);
	uint32_t lane = (uint32_t)got.values[0];

	if (got.code != KERN_SUCCESS)
		return MACH_LANE_MAX;
	if (end_map(task, memory, lane, got.shared,
		    trap(context, BERTH_TRAP_LANE_GATES, lane, 0).shared))
		return lane;
	trap(context, BERTH_TRAP_LANE_CLOSE, lane, 0);
	return MACH_LANE_MAX;
}

void
lane_task_accept(struct lane_task *task, struct lane_memory *memory, lane_trap_function *trap,
		 void *context)
{
	while (lane_task_begin(task, trap, context)) {
		struct lane_trap got = trap(context, BERTH_TRAP_LANE_ACCEPT, 0, 0);
		uint32_t lane = (uint32_t)got.values[0];

		if (got.code != KERN_SUCCESS)
			return;
		task->gates_memory->ref_count++;
		if (!end_map(task, memory, lane, got.shared, task->gates_memory))
			trap(context, BERTH_TRAP_LANE_CLOSE, lane, 0);
	}
}

bool
lane_task_bind(struct lane_task *task, uint32_t lane, mach_port_name_t name,
	       lane_trap_function *trap, void *context)
{
	struct lane_trap got;

	if (lane_is_bound(task, lane, name))
		return true;
	got = trap(context, BERTH_TRAP_LANE_BIND, lane, name);
	if (got.code != KERN_SUCCESS)
		return false;
	task->ends[lane].bindings[got.values[0]].name = name;
	task->ends[lane].bindings[got.values[0]].port = (uint32_t)got.values[1];
	task->ends[lane].bindings[got.values[0]].incarnation = (uint32_t)got.values[2];
	return true;
}

void
lane_task_end(struct lane_task *task, struct lane_memory *memory)
{
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		lane_memory_unref(memory, task->ends[i].memory);
		lane_memory_unref(memory, task->ends[i].gates_memory);
	}
	lane_memory_unref(memory, task->table_memory);
	lane_memory_unref(memory, task->gates_memory);
	memset(task, 0, sizeof *task);
}
