/*
 * Random calls on packets, beside plain arrays of bytes that say what must be in them; with
 * memory, and with an allocator that often has none.
 *
 * BERTH_TEST_SEED and BERTH_TEST_STEPS repeat or lengthen a run; the seed is printed.
 */
#include "tests/kpi/mbuf_support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define PACKETS 12
#define SIZE_TOP 70000 /* bytes of a packet */
#define STEPS_DEFAULT 30000

struct model {
	mbuf_t packet; /* NULL: none here */
	bool shared;   /* writing over its bytes may show elsewhere */
	size_t size;
	uint8_t bytes[SIZE_TOP * 2];
};

static struct model models[PACKETS];
static uint8_t scratch[SIZE_TOP * 2];

/* Mostly small, often beside a limit. */
static size_t
random_size(size_t bound)
{
	static const size_t edges[] = { 1, 224, 2048, 4096, 16384 };
	size_t size;

	switch (random_below(4)) {
	case 0:
		size = edges[random_below(5)] + random_below(3) - 1;
		break;
	case 1:
		size = random_below(SIZE_TOP);
		break;
	default:
		size = random_below(600);
	}
	return size < bound ? size : bound;
}

static void
model_check(const struct model *m)
{
	assert_packet(m->packet, m->bytes, m->size);
}

static void
model_drop(struct model *m)
{
	mbuf_freem(m->packet);
	m->packet = NULL;
}

/* mbufs of any storage and window, empty ones among them */
static mbuf_t
random_chain(struct model *m)
{
	static const size_t rooms[] = { 224, 224, 2048, 4096, 16384, 30000 };
	uint32_t count = random_below(6);
	mbuf_t first = NULL, last;

	if (mbuf_gethdr(MBUF_WAITOK, MBUF_TYPE_DATA, &first))
		return NULL;
	last = first;
	while (count--) {
		size_t room = rooms[random_below(6)], leading = random_below((uint32_t)room + 1);
		mbuf_t piece = mbuf_block_new(room);
		size_t len = random_below(4) ? random_size(room - leading) : 0;

		if (!piece) {
			mbuf_freem(first);
			return NULL;
		}
		if (m->size + len > SIZE_TOP)
			len = 0;
		mbuf_setdata(piece, (uint8_t *)mbuf_datastart(piece) + leading, len);
		memcpy(mbuf_data(piece), m->bytes + m->size, len);
		m->size += len;
		assert_int_equal(mbuf_setnext(last, piece), 0);
		last = piece;
	}
	mbuf_pkthdr_setlen(first, m->size);
	return first;
}

static void
model_new(struct model *m)
{
	size_t size = random_size(SIZE_TOP);

	m->shared = false;
	m->size = 0;
	bytes_fill(m->bytes, SIZE_TOP, random_below(1000));
	switch (random_below(4)) {
	case 0:
		m->packet = random_chain(m);
		return;
	case 1:
		m->packet = mbuf_packet_new(m->bytes, size, false);
		m->size = size;
		return;
	case 2:
		if (mbuf_getpacket(MBUF_WAITOK, &m->packet))
			m->packet = NULL;
		return;
	default:
		if (mbuf_allocpacket(MBUF_WAITOK, size + 1, NULL, &m->packet)) {
			assert_null(m->packet);
			return;
		}
		if (size && mbuf_copyback(m->packet, 0, size, m->bytes, MBUF_WAITOK))
			fail_msg("there was room for all");
		m->size = size;
	}
}

static void
step_copyback(struct model *m)
{
	/* what others may see is only written behind */
	size_t offset = random_size(m->size + (random_below(4) ? 0 : 3000));
	size_t len = 1 + random_size(SIZE_TOP / 4), old = m->size;
	errno_t error;

	if (m->shared && offset < m->size)
		offset = m->size;
	if (offset + len > SIZE_TOP)
		return;
	bytes_fill(scratch, len, random_below(1000));
	error = mbuf_copyback(m->packet, offset, len, scratch, MBUF_DONTWAIT);
	if (offset > old)
		memset(m->bytes + old, 0, offset - old);
	memcpy(m->bytes + offset, scratch, len);
	if (offset + len > m->size)
		m->size = offset + len;
	if (error) {
		/* a part of it was written; at least what was there before is */
		assert_int_equal(error, ENOBUFS);
		assert_true(mbuf_pkthdr_len(m->packet) >= old);
		assert_true(mbuf_pkthdr_len(m->packet) < m->size);
		m->size = mbuf_pkthdr_len(m->packet);
	}
}

static void
step_copy(struct model *m, struct model *to)
{
	bool deep = random_below(2);
	size_t len = deep || random_below(2) ? m->size : random_size(m->size);
	errno_t error;

	if (deep)
		error = mbuf_dup(m->packet, MBUF_WAITOK, &to->packet);
	else
		error = mbuf_copym(m->packet, 0, len == m->size ? MBUF_COPYALL : len, MBUF_WAITOK,
				   &to->packet);
	if (error) {
		assert_int_equal(error, ENOMEM);
		assert_null(to->packet);
		return;
	}
	to->size = len;
	memcpy(to->bytes, m->bytes, len);
	to->shared = !deep;
	if (!deep)
		m->shared = true;
}

static void
step_copy_part(struct model *m)
{
	size_t offset = random_size(m->size), len = random_size(m->size - offset), at = 0;
	mbuf_t part;

	if (mbuf_copym(m->packet, offset, len, MBUF_WAITOK, &part)) {
		assert_null(part);
		return;
	}
	for (mbuf_t p = part; p; p = mbuf_next(p)) {
		if (mbuf_len(p))
			assert_memory_equal(mbuf_data(p), m->bytes + offset + at, mbuf_len(p));
		at += mbuf_len(p);
	}
	assert_int_equal(at, len);
	mbuf_freem(part);
}

static void
step_prepend(struct model *m)
{
	size_t len = random_size(3000);

	if (m->size + len > SIZE_TOP)
		return;
	if (mbuf_prepend(&m->packet, len, MBUF_WAITOK)) {
		assert_null(m->packet);
		return;
	}
	memmove(m->bytes + len, m->bytes, m->size);
	bytes_fill(m->bytes, len, random_below(1000));
	assert_true(mbuf_len(m->packet) >= len);
	memcpy(mbuf_data(m->packet), m->bytes, len);
	m->size += len;
}

static void
step_pullup(struct model *m)
{
	size_t len = random_size(m->size + (random_below(20) == 0));

	if (mbuf_pullup(&m->packet, len)) {
		assert_null(m->packet);
		return;
	}
	assert_true(len <= m->size);
	assert_true(mbuf_len(m->packet) >= len);
}

static void
step_split(struct model *m, struct model *to)
{
	size_t offset = random_size(m->size);

	if (mbuf_split(m->packet, offset, MBUF_WAITOK, &to->packet)) {
		assert_null(to->packet);
		return;
	}
	to->size = m->size - offset;
	memcpy(to->bytes, m->bytes + offset, to->size);
	m->size = offset;
	/* nothing is in both, so writing over either is safe unless it was not before */
	to->shared = m->shared;
}

static void
step_adj(struct model *m)
{
	size_t len = random_size(m->size + 10), cut = len < m->size ? len : m->size;

	if (random_below(2)) {
		mbuf_adj(m->packet, (int)len);
		memmove(m->bytes, m->bytes + cut, m->size - cut);
	} else {
		mbuf_adj(m->packet, -(int)len);
	}
	m->size -= cut;
}

static void
step_read(struct model *m)
{
	size_t offset = random_size(m->size + 2), len = random_size(m->size + 2);
	bool there = offset <= m->size && len <= m->size - offset;

	assert_int_equal(mbuf_copydata(m->packet, offset, len, scratch), there ? 0 : EINVAL);
	if (there && len)
		assert_memory_equal(scratch, m->bytes + offset, len);
}

static void
step(void)
{
	struct model *m = &models[random_below(PACKETS)], *other = &models[random_below(PACKETS)];

	if (!m->packet) {
		model_new(m);
	} else {
		switch (random_below(10)) {
		case 0:
		case 1:
			step_copyback(m);
			break;
		case 2:
			if (!other->packet)
				step_copy(m, other);
			break;
		case 3:
			step_copy_part(m);
			break;
		case 4:
			step_prepend(m);
			break;
		case 5:
			step_pullup(m);
			break;
		case 6:
			if (!other->packet)
				step_split(m, other);
			break;
		case 7:
			step_adj(m);
			break;
		case 8:
			step_read(m);
			break;
		default:
			if (random_below(3) == 0)
				model_drop(m);
		}
	}
	if (m->packet)
		model_check(m);
	if (other->packet)
		model_check(other);
}

static void
run(uint64_t seed, uint64_t steps, uint32_t fails_one_in)
{
	print_message("BERTH_TEST_SEED=%" PRIu64 " BERTH_TEST_STEPS=%" PRIu64 "\n", seed, steps);
	random_state = seed;
	memory_fails_one_in = fails_one_in;
	for (uint64_t i = 0; i < steps; i++) {
		step();
		if (i % 64 == 0)
			for (int k = 0; k < PACKETS; k++)
				if (models[k].packet)
					model_check(&models[k]);
	}
	for (int k = 0; k < PACKETS; k++)
		model_drop(&models[k]);
}

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t
seed_of_today(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return number_from("BERTH_TEST_SEED",
			   (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec);
}

static void
known_runs_agree_with_plain_bytes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run(seed, number_from("BERTH_TEST_STEPS", STEPS_DEFAULT) / 4, 0);
}

static void
a_new_run_agrees_with_plain_bytes(void **state)
{
	(void)state;
	run(seed_of_today(), number_from("BERTH_TEST_STEPS", STEPS_DEFAULT), 0);
}

static void
a_run_without_much_memory_agrees_with_plain_bytes(void **state)
{
	(void)state;
	run(seed_of_today(), number_from("BERTH_TEST_STEPS", STEPS_DEFAULT), 6);
	assert_true(atomic_load(&memory_failures) > 100);
}

int
main(void)
{
#define MBUF_TEST(name) cmocka_unit_test_setup_teardown(name, memory_setup, memory_teardown)
	const struct CMUnitTest tests[] = {
		MBUF_TEST(known_runs_agree_with_plain_bytes),
		MBUF_TEST(a_new_run_agrees_with_plain_bytes),
		MBUF_TEST(a_run_without_much_memory_agrees_with_plain_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
