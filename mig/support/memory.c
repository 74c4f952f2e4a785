/*
 * Memory: see memory.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mig/support/memory.h"

_Noreturn void
memory_ran_out(void)
{
	fputs("mig: error: out of memory\n", stderr);
	exit(1);
}

void *
memory_grow(void *old, size_t size, bool zeroed)
{
	void *memory = zeroed && !old ? calloc(1, size) : realloc(old, size);

	if (!memory)
		memory_ran_out();
	return memory;
}
