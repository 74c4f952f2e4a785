#include "tests/kpi/mbuf_support.h"

#include "kexts/host/kernel_link.h"

#include <errno.h>
#include <stdlib.h>

_Atomic int64_t memory_in_use;
_Atomic int64_t memory_fails_after = -1;
bool memory_fails_once;
uint32_t memory_fails_one_in;
_Atomic uint64_t memory_failures;
int kernel_error;
uint64_t random_state = 1;

static jmp_buf panic_return;
static bool panic_is_expected;
static char panic_text[256];

uint32_t
random_below(uint32_t bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % bound;
}

static void *
memory_allocate(size_t size)
{
	int64_t left = atomic_load(&memory_fails_after);
	void *memory;

	if (left == 0) {
		if (memory_fails_once)
			atomic_store(&memory_fails_after, -1);
		atomic_fetch_add(&memory_failures, 1);
		return NULL;
	}
	if (left > 0)
		atomic_store(&memory_fails_after, left - 1);
	if (memory_fails_one_in && random_below(memory_fails_one_in) == 0) {
		atomic_fetch_add(&memory_failures, 1);
		return NULL;
	}
	memory = malloc(size);
	if (memory) {
		memset(memory, 0xa5, size); /* nothing may rest on what malloc left there */
		atomic_fetch_add(&memory_in_use, 1);
	}
	return memory;
}

static void
memory_release(void *memory)
{
	atomic_fetch_sub(&memory_in_use, 1);
	free(memory);
}

int
memory_setup(void **state)
{
	(void)state;
	mbuf_cache_empty();
	mbuf_allocator = (struct mbuf_allocator){ memory_allocate, memory_release };
	atomic_store(&memory_in_use, 0);
	atomic_store(&memory_fails_after, -1);
	atomic_store(&memory_failures, 0);
	memory_fails_once = false;
	memory_fails_one_in = 0;
	kernel_error = 0;
	return mbuf_live_count() != 0;
}

int
memory_teardown(void **state)
{
	(void)state;
	mbuf_cache_empty();
	if (mbuf_live_count() || atomic_load(&memory_in_use)) {
		print_error("left behind: %llu mbufs, %lld blocks\n",
			    (unsigned long long)mbuf_live_count(),
			    (long long)atomic_load(&memory_in_use));
		return -1;
	}
	return 0;
}

/* ---- what mbufs need of the rest of the kexthost ----------------------------------------------
 */

jmp_buf *
panic_expect(void)
{
	panic_is_expected = true;
	return &panic_return;
}

const char *
panic_words(void)
{
	return panic_text;
}

void
panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(panic_text, sizeof(panic_text), format, arguments);
	va_end(arguments);
	if (!panic_is_expected) {
		fprintf(stderr, "panic: %s\n", panic_text);
		abort();
	}
	panic_is_expected = false;
	longjmp(panic_return, 1);
}

/* Vendors' codes as berthd gives them: 1000, 1001 ... */
int
kernel_link_request(uint32_t operation, const uint64_t args[5], const void *payload,
		    size_t payload_size, uint64_t values[2], void *out, size_t out_size)
{
	static char strings[8][200];
	static uint32_t count;
	uint32_t index;

	assert_int_equal(operation, WIRE_KEV_VENDOR);
	assert_int_equal(args[0], WIRE_VENDOR_MBUF_TAG);
	assert_null(out);
	assert_int_equal(out_size, 0);
	assert_true(payload_size < sizeof(strings[0]));
	if (kernel_error)
		return kernel_error;
	for (index = 0; index < count; index++)
		if (strlen(strings[index]) == payload_size &&
		    memcmp(strings[index], payload, payload_size) == 0)
			break;
	assert_true(index < 8);
	if (index == count)
		memcpy(strings[count++], payload, payload_size);
	values[0] = 1000 + index;
	return 0;
}

/* ---- packets ------------------------------------------------------------------------------------
 */

void
bytes_fill(uint8_t *bytes, size_t size, uint32_t start)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((start + i) * 167 >> 3);
}

mbuf_t
piece_new(size_t room, size_t leading, size_t len, uint32_t start)
{
	mbuf_t piece = mbuf_block_new(room);

	assert_non_null(piece);
	assert_true(leading + len <= room);
	assert_int_equal(mbuf_setdata(piece, (uint8_t *)mbuf_datastart(piece) + leading, len), 0);
	bytes_fill(mbuf_data(piece), len, start);
	return piece;
}

mbuf_t
packet_of(size_t count, mbuf_t *pieces)
{
	mbuf_t header;
	size_t size = 0;

	assert_int_equal(mbuf_gethdr(MBUF_WAITOK, MBUF_TYPE_DATA, &header), 0);
	for (size_t i = 0; i < count; i++) {
		size += mbuf_len(pieces[i]);
		assert_int_equal(mbuf_setnext(i ? pieces[i - 1] : header, pieces[i]), 0);
	}
	mbuf_pkthdr_setlen(header, size);
	return header;
}

void
assert_packet(mbuf_t packet, const uint8_t *bytes, size_t size)
{
	size_t at = 0;

	assert_non_null(packet);
	assert_true(mbuf_flags(packet) & MBUF_PKTHDR);
	assert_int_equal(mbuf_pkthdr_len(packet), size);
	for (mbuf_t m = packet; m; m = mbuf_next(m)) {
		uint8_t *start = mbuf_datastart(m), *data = mbuf_data(m);

		assert_true(data >= start && data + mbuf_len(m) <= start + mbuf_maxlen(m));
		if (m != packet) {
			assert_false(mbuf_flags(m) & MBUF_PKTHDR);
			assert_null(mbuf_nextpkt(m));
		}
		assert_true(mbuf_len(m) <= size - at);
		if (mbuf_len(m))
			assert_memory_equal(data, bytes + at, mbuf_len(m));
		at += mbuf_len(m);
	}
	assert_int_equal(at, size);
}

uint32_t
chain_count(mbuf_t packet)
{
	uint32_t count = 0;

	for (; packet; packet = mbuf_next(packet))
		count++;
	return count;
}
