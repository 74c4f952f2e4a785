/*
 * Shrinking: pieces of the sequence are left out, halves first, then ever smaller ones, as long
 * as what remains still differs; then single descriptors and options of messages.
 */
#include <string.h>

#include "tests/model/shrink.h"

static bool
still_differs(struct play *p, const struct sequence *s)
{
	return !play_sequence(p, s, 1);
}

/* Without @count steps from @from on, if that differs, too. */
static bool
try_without(struct play *p, struct sequence *s, uint32_t from, uint32_t count)
{
	struct sequence shorter = { .task_count = s->task_count,
				    .lanes = s->lanes,
				    .lane_seed = s->lane_seed };
	bool differs;

	for (uint32_t i = 0; i < s->count; i++)
		if (i < from || i >= from + count)
			sequence_add(&shorter, &s->steps[i]);
	differs = still_differs(p, &shorter);
	if (differs) {
		sequence_deinit(s);
		*s = shorter;
	} else {
		sequence_deinit(&shorter);
	}
	return differs;
}

static bool
drop_steps(struct play *p, struct sequence *s)
{
	bool dropped = false;

	for (uint32_t size = s->count / 2 + 1; size > 0; size /= 2) {
		/* from the end: what is used by nothing later goes first */
		for (uint32_t end = s->count; end > 0;) {
			uint32_t from = end > size ? end - size : 0;

			if (try_without(p, s, from, end - from))
				dropped = true;
			end = from;
		}
	}
	return dropped;
}

/* A simpler step in place of @index, if that differs, too. */
static bool
try_step(struct play *p, struct sequence *s, uint32_t index, const struct step *simpler)
{
	struct step was = s->steps[index];

	if (memcmp(&was, simpler, sizeof was) == 0)
		return false;
	s->steps[index] = *simpler;
	if (still_differs(p, s))
		return true;
	s->steps[index] = was;
	return false;
}

static bool
simplify_message(struct play *p, struct sequence *s, uint32_t index)
{
	bool changed = false;
	struct step step;

	for (uint32_t i = s->steps[index].descriptor_count; i-- > 0;) {
		step = s->steps[index];
		memmove(&step.descriptors[i], &step.descriptors[i + 1],
			(M_DESCRIPTORS - 1 - i) * sizeof step.descriptors[0]);
		step.descriptor_count--;
		changed |= try_step(p, s, index, &step);
	}
	step = s->steps[index];
	step.reply = (struct arg){ 0 };
	step.reply_disposition = 0;
	changed |= try_step(p, s, index, &step);
	step = s->steps[index];
	step.voucher = (struct arg){ 0 };
	step.voucher_disposition = 0;
	changed |= try_step(p, s, index, &step);
	step = s->steps[index];
	step.data_size = 0;
	step.msgh_id = 0;
	changed |= try_step(p, s, index, &step);
	for (uint32_t bit = 4; bit < 1u << 28; bit <<= 1) {
		step = s->steps[index];
		step.option &= ~bit;
		changed |= try_step(p, s, index, &step);
	}
	return changed;
}

bool
sequence_shrink(struct play *p, struct sequence *s)
{
	bool changed = true;

	if (!still_differs(p, s))
		return false;
	while (changed) {
		changed = drop_steps(p, s);
		for (uint32_t i = 0; i < s->count; i++)
			if (s->steps[i].kind == STEP_MSG)
				changed |= simplify_message(p, s, i);
	}
	return still_differs(p, s);
}
