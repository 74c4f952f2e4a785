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

/* Zeroed memory of the simulator itself; there is always some. */
void *sim_alloc(struct sim *sim, size_t size_bytes);

#endif
