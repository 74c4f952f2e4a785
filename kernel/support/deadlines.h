/*
 * Deadlines: a binary heap of what is due, by time.
 *
 * Room for each is made when what it is for is made, so adding never fails.
 */
#ifndef KERNEL_DEADLINES_H
#define KERNEL_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	uint64_t when_ns;
	uint32_t slot; /* index in the heap + 1; 0: not in it */
	uint32_t kind; /* of what it is for: means nothing here */
};

struct deadlines {
	struct deadline **slots;
	uint32_t count;
	uint32_t capacity;
};

/* Puts @d in, due at @when_ns; the caller made room. */
void deadlines_add(struct deadlines *all, struct deadline *d, uint64_t when_ns);

/* Takes @d out, if it is in. */
void deadlines_remove(struct deadlines *all, struct deadline *d);

/* The earliest, or NULL. */
struct deadline *deadlines_first(const struct deadlines *all);

#endif
