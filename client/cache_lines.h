/*
 * Hints to the processor about memory that one core writes and another one reads.
 *
 * A line that was given away lies in the cache that both cores share, where the reader finds it
 * sooner than in its writer's own; one that was claimed is the writer's own when it comes to write
 * it, and not the reader's, who has to be asked for it.  Both go on while the caller does something
 * else, and change nothing but the time that the next step takes.
 */
#ifndef BERTH_CLIENT_CACHE_LINES_H
#define BERTH_CLIENT_CACHE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define CACHE_LINE_BYTES 64u

/* Can lines be given away here?  Asked once: a virtual machine's host may have to answer. */
static inline bool
cache_lines_can_be_given(void)
{
#if defined(__x86_64__)
	uint32_t eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 25 & 1) != 0;
#else
	return false;
#endif
}

/* Only where they can be. */
static inline void
cache_lines_give(const void *memory, size_t size_bytes)
{
#if defined(__x86_64__)
	const uint8_t *line = memory;

	for (size_t at = 0; at < size_bytes; at += CACHE_LINE_BYTES)
		__asm__ volatile("cldemote %0" : : "m"(line[at]));
#else
	(void)memory, (void)size_bytes;
#endif
}

static inline void
cache_lines_claim(const void *memory, size_t size_bytes)
{
	const uint8_t *line = memory;

	for (size_t at = 0; at < size_bytes; at += CACHE_LINE_BYTES)
#if defined(__x86_64__)
		/* __builtin_prefetch() says so only to processors that are newer than the oldest */
		__asm__ volatile("prefetchw %0" : : "m"(line[at]));
#else
		__builtin_prefetch(&line[at], 1, 3);
#endif
}

/* To be read soon. */
static inline void
cache_lines_fetch(const void *memory, size_t size_bytes)
{
	const uint8_t *line = memory;

	for (size_t at = 0; at < size_bytes; at += CACHE_LINE_BYTES)
		__builtin_prefetch(&line[at], 0, 3);
}

#endif
