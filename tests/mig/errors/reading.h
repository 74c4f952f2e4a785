/*
 * Reading: a definition from a string, with what is said about it, for tests.
 */
#ifndef TESTS_MIG_READING_H
#define TESTS_MIG_READING_H

#include <stdbool.h>
#include <stddef.h>

#include "mig/compile.h"

/* On the first line of every text that `reading_of` reads. */
extern const char reading_prelude[];

struct reading {
	struct interface *interface; /* NULL: there were errors */
	char *said;                  /* by the diagnostics */
	struct diagnostics diagnostics;
	struct settings settings;
	char *text;
	size_t size;
	struct arena *arena;
};

/* Read the prelude and @definition, which begins on line 2 of "test.defs". */
struct reading *reading_of(const char *definition);

/* Read @size bytes as they are. */
struct reading *reading_of_bytes(const char *bytes, size_t size);

/* Run all generators over it, if it is good; give how many bytes they made. */
size_t reading_generate(struct reading *reading);

struct reading *reading_free(struct reading *reading);

/* What @file holds, with a NUL behind it; the caller frees it. */
char *read_file(const char *file, size_t *size);

#endif
