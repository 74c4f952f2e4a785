/*
 * Random steps, mostly of a kind that means something in the state that the model is in.
 */
#ifndef TESTS_MODEL_GENERATE_H
#define TESTS_MODEL_GENERATE_H

#include "tests/model/sequence.h"

struct generator {
	uint64_t state; /* of the random numbers; never 0 */
	const struct model *model;
	uint32_t next_id;
	uint32_t kernel_percent; /* of calls: about what the kernel holds; much in some sequences */
	uint32_t talk_percent;   /* of steps: simple messages, soon received and answered */
};

void generator_init(struct generator *g, uint64_t seed, const struct model *model);
/* The next step; its ids count from 1. */
void generate_step(struct generator *g, struct step *step);

#endif
