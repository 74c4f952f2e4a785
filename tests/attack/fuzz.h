/*
 * A task that asks for nonsense: random trap frames, many of them nearly right, over a dozen
 * slots.  What it asks follows from a seed; what berthd answers may depend on time.
 */
#ifndef TESTS_ATTACK_FUZZ_H
#define TESTS_ATTACK_FUZZ_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/attack/observe.h"

#define FUZZ_SLOTS 12 /* every third is nested in the one before */
#define FUZZ_NAMES 24
#define FUZZ_FDS 12
#define FUZZ_HANG_MS 20000

struct fuzz {
	const struct raw_kernel *kernel;
	uint64_t seed;
	struct raw_task task;
	uint32_t slots[FUZZ_SLOTS];
	mach_port_name_t names[FUZZ_NAMES]; /* what answers named: some are good for something */
	unsigned name_next;
	int fds[FUZZ_FDS]; /* memfds with all kinds of seals, and what is no memfd */
	int spill_fd;
	bool passed[FUZZ_SLOTS]; /* descriptors came with its ring */
	bool needs_bulk;         /* a piece of this frame lies in bulk memory */
	bool honest;             /* this frame lies once at the most */
	uint32_t lie_after;
	/* what came of it: a fuzz that only meets refusals is worth little */
	unsigned frames, answered, succeeded, interrupted, renewed;
};

void fuzz_init(struct fuzz *fuzz, const struct raw_kernel *kernel, uint64_t seed);
/* Connects; then the slots and the first names. */
void fuzz_attach(struct fuzz *fuzz);
void fuzz_detach(struct fuzz *fuzz);
/* A number that is at the edge of something. */
uint64_t fuzz_extreme(struct fuzz *fuzz);

/* Takes and closes whatever berthd passes, so that it is never our reading that it waits for.
 * False: it has hung up. */
bool fuzz_drain(struct fuzz *fuzz);

/* Writes a random request into the slot, which must not be busy.  How to ring is in @fd_count
 * (0: by the bell) and @fds, room for 40. */
void fuzz_ask(struct fuzz *fuzz, unsigned slot, int *fds, unsigned *fd_count);
void fuzz_ring(struct fuzz *fuzz, unsigned slot, const int *fds, unsigned fd_count);
/* Waits for the end of what the slot asks, interrupting it after @patience_ms.  Attaches
 * again if berthd has dropped the task; ends the process if berthd never answers. */
void fuzz_settle(struct fuzz *fuzz, unsigned slot, unsigned patience_ms);

#endif
