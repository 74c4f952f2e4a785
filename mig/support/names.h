/*
 * Names: from a name to what it stands for.  A hash table in an arena.
 */
#ifndef MIG_SUPPORT_NAMES_H
#define MIG_SUPPORT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "mig/support/arena.h"

struct names {
	struct arena *arena;
	struct names_entry *entries;
	uint32_t room; /* a power of two, or 0 */
	uint32_t count;
};

/* What @name stands for, or NULL. */
void *names_find(const struct names *names, const char *name);

/* Let @name, which is kept, stand for @value, whatever it stood for before.  No NULL. */
void names_set(struct names *names, const char *name, void *value);

#endif
