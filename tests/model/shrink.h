/* The shortest sequence that still differs. */
#ifndef TESTS_MODEL_SHRINK_H
#define TESTS_MODEL_SHRINK_H

#include "tests/model/play.h"

/*
 * Drops from @s what is not needed for a difference, any difference.  The last play of @p is
 * then that of the result.  False: @s does not differ.
 */
bool sequence_shrink(struct play *p, struct sequence *s);

#endif
