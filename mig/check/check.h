/*
 * Check: from the tree to the interface that the generators read.
 */
#ifndef MIG_CHECK_CHECK_H
#define MIG_CHECK_CHECK_H

#include "mig/interface.h"
#include "mig/settings.h"
#include "mig/support/arena.h"
#include "mig/support/diagnostics.h"
#include "mig/syntax/tree.h"

/*
 * Make an interface of @tree, in @arena; it refers to the tree and the text.  @source is the
 * file's name as the user gave it.  What is wrong is told to @diagnostics: the interface is
 * only good if no errors were told at all, by the parser or here.
 *
 * Source: mig-language.md §4 to §6, mig-codegen.md §2.
 */
struct interface *check_tree(struct arena *arena, struct diagnostics *diagnostics,
			     const struct settings *settings, const char *source,
			     const struct tree *tree);

#endif
