/*
 * Growth: which rights tasks hold now that they did not hold at an earlier look.
 */
#ifndef BERTH_TOOLS_GROWTH_H
#define BERTH_TOOLS_GROWTH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct growth_look; /* what `berth ports --json` said once */

/*
 * Read the rows in @text, which is written to; only those of the task @pid unless that is 0.
 *
 * 0         *@look is there; the caller frees it
 * -EINVAL   @text is no such document
 * -ENOMEM
 */
int growth_look_new(char *text, int32_t pid, struct growth_look **look);
struct growth_look *growth_look_free(struct growth_look *look);

/* Print, for each task and kind of right, what is different @now from @before.  0 or -errno. */
int growth_print(const struct growth_look *before, const struct growth_look *now, bool json,
		 FILE *out);

#endif
