/* What the files of the simulated host share. */
#ifndef HOSTS_SIMULATED_STEP_H
#define HOSTS_SIMULATED_STEP_H

#include "hosts/simulated/simulated.h"

/* One event: the kernel's step, its effects, the audit. */
void sim_step(struct sim *sim, struct kernel_event event);
void sim_effects(struct sim *sim, struct kernel_effects *effects, enum kernel_event_kind kind);
/* Whose schedule it is that a failed check of the core ends; NULL: nobody's. */
void sim_is_running(struct sim *sim);

void sim_heap_init(struct sim *sim);
struct kernel_heap sim_heap_of(struct sim *sim);

void sim_trace(struct sim *sim, struct sim_record record);
void sim_trace_bytes(struct sim *sim, const void *bytes, size_t size_bytes);
void sim_record_print(const struct sim_record *record, FILE *to);

/* The thread can run, or cannot. */
void sim_ready(struct sim_thread *thread);
void sim_unready(struct sim_thread *thread);
void sim_tasks_free(struct sim *sim);

/* ---- lanes (lanes.c) ------------------------------------------------------------------------- */

/* @thread is about to trap.  True: it does without the kernel, or will come to it later. */
bool sim_lane_trap(struct sim_thread *thread);
/* It goes on where it is. */
void sim_lane_go(struct sim_thread *thread);
/* The trap of @thread in the kernel was one about lanes.  True: nobody else is to hear of it. */
bool sim_lane_completed(struct sim_thread *thread, const struct trap_result *result);
void sim_lane_told(struct sim *sim, struct kernel_shared *shared, uint64_t wakes);
/* Somebody comes and looks whether there is something. */
void sim_lane_wake(struct sim_thread *thread);
void sim_lane_thread_gone(struct sim_thread *thread);
void sim_lane_task_gone(struct sim_task *task);

/* The rest of a trap, or all of it, by the kernel. */
bool sim_trap_kernel(struct sim_thread *thread);
/* A trap has ended: its program hears of it. */
void sim_completed(struct sim_thread *thread, enum kernel_event_kind kind);

/* Zeroed memory of the simulator itself; there is always some. */
void *sim_alloc(struct sim *sim, size_t size_bytes);

#endif
