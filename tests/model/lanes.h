/*
 * Lanes, of which the model knows nothing: what a step sends or receives goes by them where they
 * can take it, as a program's library does it, and the model hears of it as if by a trap.
 *
 *   off       every message goes by the kernel
 *   forced    a right to a port of another task has a lane from its first message on, and what
 *             fits goes by it
 *   flapping  who begins with lanes, what gets one, what goes by it, when one is closed, and
 *             whether the kernel comes between the two halves of a step, is chosen by the
 *             sequence's seed and the step's id: the same, whatever other steps are left out
 */
#ifndef TESTS_MODEL_LANES_H
#define TESTS_MODEL_LANES_H

#include "tests/model/sequence.h"
#include "hosts/simulated/lane_host.h"

struct play;

/* How often what went by lanes. */
struct play_lane_counts {
	uint64_t requests, taken, answers, answers_taken; /* messages */
	uint64_t failed;                                  /* the kernel came between */
};

struct play_lanes {
	struct play *play;
	enum sequence_lanes mode;
	uint64_t seed;
	struct lane_memory memory;
	struct lane_task tasks[M_TASKS];
	bool sent[M_TASKS][M_THREADS]; /* by lane: what the trap under way receives for */
	struct play_lane_counts counts;
};

void play_lanes_start(struct play_lanes *l, struct play *p, const struct sequence *s);
/* What the step does not say: lanes are closed, the kernel looks at everything. */
void play_lanes_before(struct play_lanes *l, const struct step *step);
/*
 * What lanes can do of @call, a message of @thread: what is left is to be asked of the kernel.
 * True: nothing is left, and the thread's `actual` says how it ended.
 */
bool play_lanes_try(struct play_lanes *l, const struct step *step, struct m_thread *thread,
		    struct m_call *call);
/* A trap of @thread has completed: it tells of what was sent before it, too. */
void play_lanes_completed(struct play_lanes *l, struct m_thread *thread);
/* After @step all state is compared, which ends what is in lanes. */
bool play_lanes_look(const struct play_lanes *l, const struct step *step);
void play_lanes_task_new(struct play_lanes *l, uint32_t task);
void play_lanes_task_gone(struct play_lanes *l, uint32_t task);

/* ---- of the player (play.c) ------------------------------------------------------------------ */

/* A trap of a thread of task @index that the model does not know of. */
struct lane_trap play_aside(struct play *p, uint32_t index, uint32_t number, uint64_t arg0,
			    uint64_t arg1);
/* The kernel takes over all that is in lanes. */
void play_take_over(struct play *p);
/* NULL: it has died. */
struct task *play_task(struct play *p, uint32_t index);

#endif
