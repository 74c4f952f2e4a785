/*
 * The heap of a simulated kernel: counts, and refuses what the seed says.
 *
 * The size stands in front of each piece, so that one given back with another size than it was
 * asked with is found.  Memory comes from malloc, so that a sanitizer watches over it.
 */
#include <stdlib.h>
#include <string.h>

#include "hosts/simulated/step.h"

#define HEAP_MAGIC ((size_t)0x73696d756c617465)

struct heap_head {
	size_t size_bytes, magic;
};

static void *
heap_alloc(void *context, size_t size_bytes)
{
	struct sim *sim = context;
	struct sim_heap *heap = &sim->heap;
	struct heap_head *head;

	if (heap->armed && heap->fail_one_in) {
		heap->random = heap->random * 6364136223846793005u + 1442695040888963407u;
		if ((heap->random >> 33) % heap->fail_one_in == 0) {
			heap->failed_in_step++;
			return NULL;
		}
	}
	head = malloc(sizeof *head + size_bytes);
	if (!head)
		sim_fail(sim, "the simulator itself has no memory");
	*head = (struct heap_head){ size_bytes, HEAP_MAGIC };
	memset(head + 1, 0xa5, size_bytes); /* nothing is zero unless the core made it so */
	heap->live_count++;
	heap->live_bytes += size_bytes;
	return head + 1;
}

static void
heap_free(void *context, void *memory, size_t size_bytes)
{
	struct sim *sim = context;
	struct heap_head *head;

	if (!memory)
		return;
	head = (struct heap_head *)memory - 1;
	sim_must(sim, head->magic == HEAP_MAGIC && head->size_bytes == size_bytes,
		 "the kernel frees %zu bytes that it did not get so", size_bytes);
	head->magic = 0;
	sim->heap.live_count--;
	sim->heap.live_bytes -= size_bytes;
	memset(memory, 0x5a, size_bytes);
	free(head);
}

void
sim_heap_init(struct sim *sim)
{
	sim->heap = (struct sim_heap){ .random = sim->seed ^ 0x68656170 };
}

struct kernel_heap
sim_heap_of(struct sim *sim)
{
	return (struct kernel_heap){ heap_alloc, heap_free, sim };
}
