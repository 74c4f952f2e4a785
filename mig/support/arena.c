/*
 * Arena: a list of blocks, the newest first.  Small pieces share a block, a large one has its
 * own.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mig/support/arena.h"
#include "mig/support/memory.h"

#define BLOCK_BYTES 65536u
#define ALIGNMENT _Alignof(max_align_t)

struct block {
	struct block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *blocks;
};

struct arena *
arena_new(void)
{
	return memory_grow(NULL, sizeof(struct arena), true);
}

struct arena *
arena_free(struct arena *arena)
{
	if (!arena)
		return NULL;
	for (struct block *block = arena->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	free(arena);
	return NULL;
}

static struct block *
block_new(size_t size)
{
	if (size > SIZE_MAX - sizeof(struct block))
		memory_ran_out();
	struct block *block = memory_grow(NULL, sizeof(*block) + size, true);

	block->size = size;
	return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		memory_ran_out();
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	struct block *block = arena->blocks;
	if (size > BLOCK_BYTES / 4) {
		struct block *own = block_new(size);

		own->used = size;
		/* behind the first, whose room is still good */
		own->next = block ? block->next : NULL;
		*(block ? &block->next : &arena->blocks) = own;
		return own->bytes;
	}
	if (!block || block->size - block->used < size) {
		block = block_new(BLOCK_BYTES);
		block->next = arena->blocks;
		arena->blocks = block;
	}
	void *bytes = block->bytes + block->used;
	block->used += size;
	return bytes;
}

char *
arena_strndup(struct arena *arena, const char *string, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	memcpy(copy, string, size);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *string)
{
	return arena_strndup(arena, string, strlen(string));
}

char *
arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	char *made;
	int size = vasprintf(&made, format, args);

	if (size < 0)
		memory_ran_out();
	char *string = arena_strndup(arena, made, (size_t)size);
	free(made);
	return string;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *string = arena_vprintf(arena, format, args);
	va_end(args);
	return string;
}
