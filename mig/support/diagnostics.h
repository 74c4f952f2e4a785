/*
 * Diagnostics: says what is wrong and where, and counts it.
 *
 *   FILE:LINE:COLUMN: error: what
 *   the line of the preprocessed text
 *        ^~~~
 *
 * All errors are told, up to a bound: then the diagnostics are full, and whoever loops over
 * input ends.
 */
#ifndef MIG_SUPPORT_DIAGNOSTICS_H
#define MIG_SUPPORT_DIAGNOSTICS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "mig/support/source.h"

#define DIAGNOSTICS_ERRORS_MAX 50

struct diagnostics {
	FILE *out; /* borrowed; NULL: only counts */
	bool no_warnings;
	bool was_dropped; /* the last one: so its notes are dropped, too */
	uint32_t error_count;
	uint32_t warning_count;
};

/* An error or a warning at @place; NULL, or line 0: of the file as a whole. */
void diagnostics_error(struct diagnostics *diagnostics, const struct source_place *place,
		       const char *format, ...) __attribute__((format(printf, 3, 4)));
void diagnostics_verror(struct diagnostics *diagnostics, const struct source_place *place,
			const char *format, va_list args) __attribute__((format(printf, 3, 0)));
void diagnostics_warn(struct diagnostics *diagnostics, const struct source_place *place,
		      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds to the error or warning before it. */
void diagnostics_note(struct diagnostics *diagnostics, const struct source_place *place,
		      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Enough errors: nobody reads more. */
static inline bool
diagnostics_is_full(const struct diagnostics *diagnostics)
{
	return diagnostics->error_count >= DIAGNOSTICS_ERRORS_MAX;
}

#endif
