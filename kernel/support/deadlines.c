#include "deadlines.h"

#include <stddef.h>

#include "check.h"

static void
place(struct deadlines *all, uint32_t index, struct deadline *d)
{
	all->slots[index] = d;
	d->slot = index + 1;
}

static void
sift_up(struct deadlines *all, uint32_t index, struct deadline *d)
{
	while (index > 0) {
		uint32_t parent = (index - 1) / 2;

		if (all->slots[parent]->when_ns <= d->when_ns)
			break;
		place(all, index, all->slots[parent]);
		index = parent;
	}
	place(all, index, d);
}

static void
sift_down(struct deadlines *all, uint32_t index, struct deadline *d)
{
	for (;;) {
		uint32_t child = 2 * index + 1;

		if (child >= all->count)
			break;
		if (child + 1 < all->count &&
		    all->slots[child + 1]->when_ns < all->slots[child]->when_ns)
			child++;
		if (d->when_ns <= all->slots[child]->when_ns)
			break;
		place(all, index, all->slots[child]);
		index = child;
	}
	place(all, index, d);
}

void
deadlines_add(struct deadlines *all, struct deadline *d, uint64_t when_ns)
{
	check(d->slot == 0 && all->count < all->capacity);
	d->when_ns = when_ns;
	sift_up(all, all->count++, d);
}

void
deadlines_remove(struct deadlines *all, struct deadline *d)
{
	if (d->slot == 0)
		return;

	uint32_t index = d->slot - 1;
	struct deadline *last = all->slots[--all->count];

	check(all->slots[index] == d || last == d);
	d->slot = 0;
	if (last == d)
		return;
	if (index > 0 && last->when_ns < all->slots[(index - 1) / 2]->when_ns)
		sift_up(all, index, last);
	else
		sift_down(all, index, last);
}

struct deadline *
deadlines_first(const struct deadlines *all)
{
	return all->count ? all->slots[0] : NULL;
}
