/*
 * Outputs: files in memory, put down all together or not at all.
 */
#ifndef MIG_OUTPUTS_H
#define MIG_OUTPUTS_H

#include <stdbool.h>
#include <stdio.h>

#include "mig/generate/generator.h"

struct outputs *outputs_new(void);
struct outputs *outputs_free(struct outputs *outputs);

/*
 * Write every file: first each beside its place, then all of them into it, so that a full disk
 * leaves the old ones.  What is no regular file is written directly, "-" is standard output,
 * "/dev/null" is left alone.
 *
 * 0, or -1: which file it was and why has been told to @errors, and no new file is left.
 */
int outputs_put(struct outputs *outputs, FILE *errors);

/* Read what has been filled so far: @path and @text, in order; false: there is no @index. */
bool outputs_get(const struct outputs *outputs, size_t index, const char **path,
		 const struct text **text);

#endif
