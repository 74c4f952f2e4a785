/*
 * What must be loaded for one kext, and in which order: its dependencies first.
 *
 * Kexts that are linked against each other share a process.  So what is loaded goes to the
 * kexthost of the loaded ones that it needs, if there are any.
 *
 * Source: kext.md §2, §3.
 */
#ifndef BERTH_TOOLS_KEXT_PLAN_H
#define BERTH_TOOLS_KEXT_PLAN_H

#include "kexts/bundle/bundle.h"
#include "tools/kext_table.h"
#include "tools/words.h"

struct kext_plan {
	struct words paths;       /* in the order to load them; none: it is loaded already */
	uint32_t host_id;         /* 0: a new one */
	char sanitizer[PATH_MAX]; /* what one of them needs from the start, or "" */
};

/*
 * Find @name (a path; or an identifier, in @folders and among the installed ones) and all that
 * it is linked against: beside it, in its PlugIns, in @folders (folders of bundles, or bundles),
 * among the installed ones.  What @table has is not loaded again.  Everything is checked: the
 * rules of Info.plist, who the files belong to, versions.
 *
 * 0, or an OSReturn with words in @outcome; kext_plan_deinit() in any case
 */
int32_t kext_plan_make(struct kext_plan *plan, const char *name, const struct words *folders,
		       const struct kext_table *table, struct kext_outcome *outcome);
void kext_plan_deinit(struct kext_plan *plan);

/* The path of the bundle with this identifier in @folders or among the installed ones, which
 * the caller frees; NULL: none. */
char *kext_plan_find(const char *identifier, const struct words *folders);

#endif
