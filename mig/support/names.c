/*
 * Names: see names.h.  Open addressing; at most half of the room is used.
 */
#include <string.h>

#include "mig/support/names.h"

struct names_entry {
	const char *name; /* NULL: free */
	void *value;
};

static uint32_t
hash(const char *name)
{
	uint32_t value = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		value = (value ^ (unsigned char)*name) * 16777619u;
	return value;
}

/* The entry of @name, or the free one where it belongs. */
static struct names_entry *
entry_of(const struct names *names, const char *name)
{
	uint32_t mask = names->room - 1;
	uint32_t index = hash(name) & mask;

	while (names->entries[index].name && strcmp(names->entries[index].name, name) != 0)
		index = (index + 1) & mask;
	return &names->entries[index];
}

static void
names_grow(struct names *names)
{
	struct names old = *names;

	names->room = old.room ? old.room * 2 : 64;
	names->entries = ARENA_ARRAY(names->arena, struct names_entry, names->room);
	for (uint32_t i = 0; i < old.room; i++) {
		if (old.entries[i].name)
			*entry_of(names, old.entries[i].name) = old.entries[i];
	}
}

void *
names_find(const struct names *names, const char *name)
{
	return names->room ? entry_of(names, name)->value : NULL;
}

void
names_set(struct names *names, const char *name, void *value)
{
	if (names->count >= names->room / 2)
		names_grow(names);
	struct names_entry *entry = entry_of(names, name);

	if (!entry->name) {
		entry->name = name;
		names->count++;
	}
	entry->value = value;
}
