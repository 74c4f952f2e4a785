/*
 * Playing: one step on the kernel core and on the model, and what differs then.
 *
 * After each step every result is compared: who completed, codes, values, messages and trailers
 * byte for byte, the names chosen.  A full look compares all that can be seen of the state
 * (every entry of every task, every count of every port, who waits, the next deadline) and has
 * the kernel prove itself (kernel_audit).
 */
#ifndef TESTS_MODEL_PLAY_H
#define TESTS_MODEL_PLAY_H

#include "kernel/kernel.h"

#include "tests/model/lanes.h"
#include "tests/model/sequence.h"

struct play;

struct play *play_new(void);
struct play *play_free(struct play *p);

/* A kernel and a model of the tasks of @s with one thread each, whose messages go as @s says. */
void play_start(struct play *p, const struct sequence *s);
/* One step; false: they differ, and play_difference() says how.  A step that cannot be made
 * (its thread is blocked or gone) does nothing. */
bool play_step(struct play *p, const struct step *step);
/* Everything that can be seen is the same, and the kernel is whole. */
bool play_look(struct play *p);
/* The same after some steps, which is @due now.  What is in lanes would not stay there, so with
 * them @step says when all is looked at, and what is due is that the kernel is whole. */
bool play_look_after(struct play *p, const struct step *step, bool is_due);
/* All tasks die, and nothing is left. */
bool play_end(struct play *p);

const char *play_difference(const struct play *p);
struct model *play_model(struct play *p);
/* What went by lanes since the player was made. */
const struct play_lane_counts *play_lane_counts(const struct play *p);

/* A whole sequence from the start, a look after every @look_every steps; false: they differ. */
bool play_sequence(struct play *p, const struct sequence *s, uint32_t look_every);

/* A number, or the name that a label stands for; 0: that was never made. */
uint64_t play_arg(const struct play *p, const struct arg *arg);
/* frames.c */
void call_build(const struct play *p, const struct step *step, struct m_call *call);

/* compare.c: what differs goes into @difference. */
bool compare_results(const struct m_thread *thread, char *difference, size_t size);
bool compare_state(struct kernel *k, struct model *m, struct task *const *tasks, char *difference,
		   size_t size);

#endif
