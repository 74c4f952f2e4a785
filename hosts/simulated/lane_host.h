/*
 * A host's part of lanes: memory that tasks share, and the traps by which their libraries come to
 * it.  For hosts without threads: the player of the model, the simulator.
 */
#ifndef HOSTS_LANE_HOST_H
#define HOSTS_LANE_HOST_H

#include "kernel/kernel.h"

#include "hosts/simulated/lane_steps.h"

/* All memory for lanes that a host has made and not had back. */
struct lane_memory {
	struct lane_segment *first;
	uint32_t count;
};

enum lane_segment_kind { LANE_SEGMENT_TABLE, LANE_SEGMENT_GATES, LANE_SEGMENT_LANE };

enum lane_segment_kind lane_memory_kind(const struct kernel_shared *shared);

/* What a trap about lanes brings. */
struct lane_trap {
	kern_return_t code;
	uint64_t values[3];
	struct kernel_shared *shared; /* one reference, or NULL */
};

/* Makes trap @number of the task that @context says, at once. */
typedef struct lane_trap lane_trap_function(void *context, uint32_t number, uint64_t arg0,
					    uint64_t arg1);

/* What the host brings along for the frame of a trap about lanes; and gives up after it. */
void lane_memory_provide(struct lane_memory *memory, struct trap_frame *frame);
void lane_memory_drop(struct lane_memory *memory, const struct trap_frame *frame);
/* Of an effect: without references it ends. */
void lane_memory_told(struct lane_memory *memory, struct kernel_shared *shared);
void lane_memory_unref(struct lane_memory *memory, struct kernel_shared *shared);
/* Whatever there is, of a kernel that stopped. */
void lane_memory_free(struct lane_memory *memory);

/* The task begins with lanes, if it has not.  False: it cannot. */
bool lane_task_begin(struct lane_task *task, lane_trap_function *trap, void *context);
/* A lane for the send right @name, which the receiver has yet to accept: MACH_LANE_MAX: none. */
uint32_t lane_task_open(struct lane_task *task, struct lane_memory *memory, mach_port_name_t name,
			lane_trap_function *trap, void *context);
/* All lanes that are offered to the task. */
void lane_task_accept(struct lane_task *task, struct lane_memory *memory, lane_trap_function *trap,
		      void *context);
/* Answers to requests by @lane may go to @name.  False: they cannot. */
bool lane_task_bind(struct lane_task *task, uint32_t lane, mach_port_name_t name,
		    lane_trap_function *trap, void *context);
/* The task is gone; it may be in the middle of something. */
void lane_task_end(struct lane_task *task, struct lane_memory *memory);

#endif
