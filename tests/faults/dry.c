/* Memory that is at its end: see dry.h. */
#include "tests/faults/dry.h"

static void *(*alloc)(void *context, size_t size_bytes);

static void *
alloc_before_the_end(void *context, size_t size_bytes)
{
	const struct fault *fault = context;

	return fault->armed && fault->hit ? NULL : alloc(context, size_bytes);
}

void
fault_dry(struct fault *fault)
{
	alloc = fault->heap.alloc;
	fault->heap.alloc = alloc_before_the_end;
}
