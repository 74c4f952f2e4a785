/*
 * The memory that kext code takes: every block is known, with its tag, its size and who took it.
 */
#ifndef BERTH_KEXTS_HOST_MEMORY_H
#define BERTH_KEXTS_HOST_MEMORY_H

#include "kexts/host/kpi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a block was got, and so how it must be freed. */
enum memory_kind {
	MEMORY_OSMALLOC,
	MEMORY_IOMALLOC,
	MEMORY_ALIGNED,
	MEMORY_PAGEABLE,
	MEMORY_DATA,
	MEMORY_BSD, /* _MALLOC: its size is not said again */
	MEMORY_KIND_COUNT
};

#define MEMORY_NO_SIZE SIZE_MAX /* memory_put(): the caller does not know */

struct memory_tag;

/* @alignment: a power of two, or 0.  @tag: NULL: one of the kind.  NULL: no memory, or size 0. */
void *memory_get(enum memory_kind kind, size_t size, size_t alignment, bool zero,
		 struct memory_tag *tag, const void *caller);

/* Panics if @address is no such block, or another size or tag was given when it was got.  @call
 * is the function's name, for that.  NULL is nothing. */
void memory_put(enum memory_kind kind, void *address, size_t size, struct memory_tag *tag,
		const char *call, const void *caller);

/* The size of a block; panics if it is none. */
size_t memory_size(enum memory_kind kind, const void *address, const char *call,
		   const void *caller);

/* ---- what is left ------------------------------------------------------------------------ */

/* Blocks of one tag that one place in the code has taken. */
struct memory_left {
	char tag[64];
	const void *place;
	uint64_t block_count, size_bytes;
};

/*
 * What has not been freed, by tag and place; of code for which @mine says so, or of all if it is
 * NULL.  At most @max rows into @left.  How many rows.
 */
size_t memory_left_behind(bool (*mine)(const void *place, void *context), void *context,
			  struct memory_left *left, size_t max);

/* The same, into the log: "<identifier>: left behind: 3 blocks, 96 bytes, tag X, taken in f+0x1c".
 * How many blocks. */
uint64_t memory_log_left_behind(const char *identifier,
				bool (*mine)(const void *place, void *context), void *context);

#endif
