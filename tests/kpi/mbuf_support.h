/*
 * What tests of mbufs stand on: a kernel that knows names of tags, a panic that can be caught,
 * an allocator that can fail and that counts.
 */
#ifndef BERTH_TESTS_KPI_MBUF_SUPPORT_H
#define BERTH_TESTS_KPI_MBUF_SUPPORT_H

#include "kexts/host/mbuf_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Blocks and tags that were allocated and not released. */
extern _Atomic int64_t memory_in_use;

/* How many allocations succeed yet; negative: all.  After a failure all fail, unless
 * memory_fails_once. */
extern _Atomic int64_t memory_fails_after;
extern bool memory_fails_once;
/* One of so many allocations fails, by chance; 0: none. */
extern uint32_t memory_fails_one_in;
extern _Atomic uint64_t memory_failures;

/* The next kernel_link_request() gives this error; 0: it works. */
extern int kernel_error;

/* Runs @statement, which must panic with words that contain @words. */
#define assert_panics(statement, words)                                                            \
	do {                                                                                       \
		if (setjmp(*panic_expect()) == 0) {                                                \
			statement;                                                                 \
			fail_msg("no panic: %s", #statement);                                      \
		}                                                                                  \
		assert_non_null(strstr(panic_words(), words));                                     \
	} while (0)

jmp_buf *panic_expect(void);
const char *panic_words(void);

/* The allocator that counts; empties the cache, and starts from 0. */
int memory_setup(void **state);
/* All mbufs freed, all memory given back. */
int memory_teardown(void **state);

uint32_t random_below(uint32_t bound);
extern uint64_t random_state;

/* Bytes that can be told from each other. */
void bytes_fill(uint8_t *bytes, size_t size, uint32_t start);

/* An mbuf of @room bytes of storage with @len bytes of data, @leading bytes into it. */
mbuf_t piece_new(size_t room, size_t leading, size_t len, uint32_t start);
/* The packet of these pieces. */
mbuf_t packet_of(size_t count, mbuf_t *pieces);

/* The packet is sound, has @size bytes, and they are @bytes. */
void assert_packet(mbuf_t packet, const uint8_t *bytes, size_t size);
uint32_t chain_count(mbuf_t packet);

#endif
