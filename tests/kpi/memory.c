/*
 * Memory: sizes are checked, and what is left behind is known.
 */
#include "tests/kpi/support.h"

#include "kexts/host/memory.h"

#include <IOKit/IOLib.h>
#include <libkern/OSMalloc.h>
#include <sys/malloc.h>

#include <string.h>

static OSMallocTag tag;

static uint64_t
left_blocks(void)
{
	struct memory_left left[64];
	size_t count = memory_left_behind(NULL, NULL, left, COUNT_OF(left));
	uint64_t blocks = 0;

	for (size_t i = 0; i < count; i++)
		blocks += left[i].block_count;
	return blocks;
}

/* ---- what is given -------------------------------------------------------------------------- */

static void
every_kind_gives_memory_and_takes_it_back(void **state)
{
	for (size_t size = 1; size < 300000; size = size * 3 + 1) {
		char *blocks[] = {
			OSMalloc((uint32_t)size, tag),
			OSMalloc_nowait((uint32_t)size, tag),
			OSMalloc_noblock((uint32_t)size, tag),
			IOMalloc(size),
			IOMallocZero(size),
			IOMallocAligned(size, 256),
			IOMallocPageable(size, 1),
			IOMallocData(size),
			IOMallocZeroData(size),
			_MALLOC(size, M_TEMP, M_WAITOK | M_ZERO),
			_MALLOC_ZONE(size, M_TEMP, M_WAITOK),
		};

		for (size_t i = 0; i < COUNT_OF(blocks); i++) {
			assert_non_null(blocks[i]);
			assert_int_equal((uintptr_t)blocks[i] % 16, 0);
			memset(blocks[i], 0xa5, size);
		}
		assert_int_equal(left_blocks(), COUNT_OF(blocks));
		for (size_t i = 0; i < 3; i++)
			OSFree(blocks[i], (uint32_t)size, tag);
		IOFree(blocks[3], size);
		IOFree(blocks[4], size);
		IOFreeAligned(blocks[5], size);
		IOFreePageable(blocks[6], size);
		IOFreeData(blocks[7], size);
		IOFreeData(blocks[8], size);
		_FREE(blocks[9], M_TEMP);
		_FREE_ZONE(blocks[10], size, M_TEMP);
		assert_int_equal(left_blocks(), 0);
	}
}

static bool
is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

static void
zeroed_memory_is_zero(void **state)
{
	for (int i = 0; i < 50; i++) {
		char *dirty = IOMalloc(1000);
		memset(dirty, 0xff, 1000);
		IOFree(dirty, 1000);

		char *zero = IOMallocZero(1000), *data = IOMallocZeroData(1000);
		char *bsd;
		MALLOC(bsd, char *, 1000, M_TEMP, M_ZERO);
		assert_true(is_zero(zero, 1000) && is_zero(data, 1000) && is_zero(bsd, 1000));
		FREE(bsd, M_TEMP);
		IOFreeData(data, 1000);
		IOFree(zero, 1000);
	}
}

static void
alignment_is_as_asked(void **state)
{
	for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2) {
		void *block = IOMallocAligned(100, alignment);

		assert_int_equal((uintptr_t)block % alignment, 0);
		IOFreeAligned(block, 100);
	}
	void *page = IOMallocPageable(1, 1);
	assert_int_equal((uintptr_t)page % 4096, 0);
	IOFreePageable(page, 1);
}

static void
what_cannot_be_is_NULL(void **state)
{
	/* volatile: compilers know that no object is so large */
	volatile size_t huge = SIZE_MAX - 10;

	assert_null(OSMalloc(0, tag));
	assert_null(IOMalloc(0));
	assert_null(_MALLOC(0, M_TEMP, 0));
	assert_null(IOMalloc(huge));
	assert_null(_MALLOC(huge, M_TEMP, M_NOWAIT));
	assert_null(IOMallocAligned(100, 3));
	assert_null(IOMallocAligned(huge, 4096));
	OSFree(NULL, 5, tag);
	IOFree(NULL, 5);
	_FREE(NULL, M_TEMP);
	assert_int_equal(left_blocks(), 0);
}

static void
macros_and_realloc_work(void **state)
{
	struct thing {
		int numbers[10];
	} *one = IOMallocType(struct thing), *many = IONewZero(struct thing, 7);

	assert_int_equal(one->numbers[9], 0);
	assert_int_equal(many[6].numbers[9], 0);
	IOFreeType(one, struct thing);
	IODelete(many, struct thing, 7);

	char *text = _MALLOC(6, M_TEMP, M_WAITOK);
	memcpy(text, "hello", 6);
	REALLOC(text, char *, text, 10000, M_TEMP, M_WAITOK);
	assert_string_equal(text, "hello");
	text = _REALLOC(text, 3, M_TEMP, M_WAITOK);
	assert_memory_equal(text, "hel", 3);
	assert_null(_REALLOC(text, 0, M_TEMP, M_WAITOK));
	text = _REALLOC(NULL, 3, M_TEMP, M_WAITOK);
	assert_non_null(text);
	_FREE(text, M_TEMP);
	assert_int_equal(left_blocks(), 0);
}

/* ---- what is given back wrongly -------------------------------------------------------------- */

static void
osfree_other_size(void)
{
	OSFree(OSMalloc(32, tag), 48, tag);
}

static void
iofree_other_size(void)
{
	IOFree(IOMalloc(100), 10);
}

static void
free_zone_other_size(void)
{
	_FREE_ZONE(_MALLOC_ZONE(100, M_TEMP, 0), 10, M_TEMP);
}

static void
osfree_other_tag(void)
{
	OSFree(OSMalloc(32, tag), 32, OSMalloc_Tagalloc("another", OSMT_DEFAULT));
}

static void
free_of_another_kind(void)
{
	IOFreeAligned(IOMalloc(64), 64);
}

static void
free_a_local(void)
{
	_Alignas(16) char memory[512] = { 0 };

	IOFree(memory + 256, 64);
}

static void
free_amid_a_block(void)
{
	IOFree((char *)IOMalloc(64) + 1, 64);
}

static void
use_a_freed_tag(void)
{
	static uint64_t no_tag[32];

	(void)OSMalloc(10, (OSMallocTag)(void *)no_tag);
}

static void
freeing_wrongly_is_a_panic_that_says_both(void **state)
{
	assert_panics(osfree_other_size, "has 32 bytes and is freed with 48");
	assert_panics(osfree_other_size, "with tag \"the tag\"");
	assert_panics(osfree_other_size, "OSFree: block");
	assert_panics(iofree_other_size, "has 100 bytes and is freed with 10");
	assert_panics(free_zone_other_size, "has 100 bytes and is freed with 10");
	assert_panics(osfree_other_tag, "has tag \"the tag\" and is freed with \"another\"");
	assert_panics(free_of_another_kind, "IOFreeAligned: block");
	assert_panics(free_of_another_kind, "is of IOMalloc");
	assert_panics(free_a_local, "is no block");
	assert_panics(free_amid_a_block, "is no block");
	assert_panics(use_a_freed_tag, "is no tag");
}

/* ---- what is left ------------------------------------------------------------------------ */

__attribute__((noinline)) static void *
take_32(void)
{
	void *block = OSMalloc(32, tag);

	__asm__ volatile("" : : "r"(block) : "memory"); /* no tail call: this is the place */
	return block;
}

static bool
is_this(const void *place, void *context)
{
	return place == context;
}

static void
what_is_left_behind_is_told_by_tag_and_place(void **state)
{
	struct memory_left left[8];
	void *blocks[3], *other = IOMalloc(100);

	for (int i = 0; i < 3; i++)
		blocks[i] = take_32();
	assert_int_equal(memory_left_behind(NULL, NULL, left, COUNT_OF(left)), 2);
	size_t at = strcmp(left[0].tag, "the tag") == 0 ? 0 : 1;
	assert_string_equal(left[at].tag, "the tag");
	assert_int_equal(left[at].block_count, 3);
	assert_int_equal(left[at].size_bytes, 96);
	assert_string_equal(left[!at].tag, "IOMalloc");
	assert_int_equal(left[!at].size_bytes, 100);
	assert_int_equal(memory_left_behind(NULL, NULL, left, 1), 1);

	/* of one piece of code only */
	void *place = (void *)(uintptr_t)left[0].place;
	assert_int_equal(memory_left_behind(is_this, place, left, COUNT_OF(left)), 1);

	log_take();
	assert_int_equal(memory_log_left_behind("com.example.k", NULL, NULL), 4);
	const char *text = log_taken();
	assert_non_null(strstr(text, "com.example.k: left behind: 3 blocks, 96 bytes, tag the tag, "
				     "taken in test-kpi-memory+0x"));
	assert_non_null(strstr(text, "left behind: 1 block, 100 bytes, tag IOMalloc, "));

	for (int i = 0; i < 3; i++)
		OSFree(blocks[i], 32, tag);
	IOFree(other, 100);
	assert_int_equal(memory_left_behind(NULL, NULL, left, COUNT_OF(left)), 0);
}

static void
a_tag_lives_on_while_blocks_have_it(void **state)
{
	OSMallocTag mine = OSMalloc_Tagalloc("a name of a tag that is much too long: it has far "
					     "more than sixty-three bytes",
					     OSMT_PAGEABLE);
	void *block = OSMalloc(10, mine);
	struct memory_left left;

	OSMalloc_Tagfree(mine);
	assert_int_equal(memory_left_behind(NULL, NULL, &left, 1), 1);
	assert_int_equal(strlen(left.tag), 63);
	OSFree(block, 10, mine);
	assert_int_equal(left_blocks(), 0);
}

static void
take_and_free(void *unused)
{
	for (size_t i = 1; i < 3000; i++) {
		void *block = OSMalloc((uint32_t)(i % 300 + 1), tag);

		memset(block, 1, i % 300 + 1);
		OSFree(block, (uint32_t)(i % 300 + 1), tag);
	}
}

static void
many_threads_take_and_free(void **state)
{
	run_many(4, take_and_free, NULL);
	assert_int_equal(left_blocks(), 0);
}

static int
tag_make(void **state)
{
	tag = OSMalloc_Tagalloc("the tag", OSMT_DEFAULT);
	return tag == NULL;
}

static int
tag_end(void **state)
{
	OSMalloc_Tagfree(tag);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_gives_memory_and_takes_it_back),
		cmocka_unit_test(zeroed_memory_is_zero),
		cmocka_unit_test(alignment_is_as_asked),
		cmocka_unit_test(what_cannot_be_is_NULL),
		cmocka_unit_test(macros_and_realloc_work),
		cmocka_unit_test(freeing_wrongly_is_a_panic_that_says_both),
		cmocka_unit_test(what_is_left_behind_is_told_by_tag_and_place),
		cmocka_unit_test(a_tag_lives_on_while_blocks_have_it),
		cmocka_unit_test(many_threads_take_and_free),
	};

	return cmocka_run_group_tests_name("memory", tests, tag_make, tag_end);
}
