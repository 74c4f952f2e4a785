/*
 * Compile: the phases, one behind the other.
 */
#ifndef MIG_COMPILE_H
#define MIG_COMPILE_H

#include <stddef.h>

#include "mig/generate/generator.h"
#include "mig/interface.h"
#include "mig/settings.h"
#include "mig/support/arena.h"
#include "mig/support/diagnostics.h"

/*
 * Read @size bytes of preprocessed @text, of which @text[@size] is a NUL, from @source.  The
 * text must live as long as @arena, where the interface is.  NULL: there were errors, told to
 * @diagnostics.
 */
struct interface *compile_read(struct arena *arena, struct diagnostics *diagnostics,
			       const struct settings *settings, const char *source,
			       const char *text, size_t size);

/* Run all generators.  Outputs that @settings leave NULL get the names that follow from the
 * subsystem's, in @arena; with JSON there are no other outputs. */
void compile_generate(struct arena *arena, const struct interface *interface,
		      const struct settings *settings, struct outputs *outputs);

#endif
