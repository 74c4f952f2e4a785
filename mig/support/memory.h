/*
 * Memory that cannot be refused: without it the program ends, with a message.
 */
#ifndef MIG_SUPPORT_MEMORY_H
#define MIG_SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * realloc(@old, @size); with @zeroed and no @old, filled with zeros.  The caller frees it.
 */
void *memory_grow(void *old, size_t size, bool zeroed);

/* Say that there is no memory, and exit with 1. */
_Noreturn void memory_ran_out(void);

#endif
