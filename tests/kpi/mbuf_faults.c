/*
 * Mbufs without memory, and with threads: each allocation of each call fails once, and nothing
 * that a thread had stays behind it.
 */
#include "tests/kpi/mbuf_support.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define HOW MBUF_WAITOK

/* Runs the block with allocation 0, 1, 2 ... failing, until one run meets no failure. */
#define FOR_EACH_FAILURE(number)                                                                   \
	for (int64_t number = 0; failure_begins(number);)                                          \
		for (bool once = true; once; failure_ends(&number), once = false)

static bool failures_done;

static bool
failure_begins(int64_t number)
{
	if (failures_done) {
		failures_done = false;
		return false;
	}
	mbuf_cache_empty(); /* else it would help out */
	atomic_store(&memory_failures, 0);
	memory_fails_once = true;
	(void)number;
	return true;
}

/* From here on in the block. */
static void
failure_armed(int64_t number)
{
	mbuf_cache_empty();
	atomic_store(&memory_fails_after, number);
}

static bool
failure_hit(void)
{
	atomic_store(&memory_fails_after, -1);
	return atomic_load(&memory_failures) > 0;
}

static void
failure_ends(int64_t *number)
{
	failures_done = !failure_hit();
	assert_int_equal(mbuf_live_count(), 0);
	mbuf_cache_empty();
	assert_int_equal(atomic_load(&memory_in_use), 0);
	++*number;
}

/* Four pieces, of which two are clusters; with a tag. */
static mbuf_t
packet_sample(uint8_t *bytes)
{
	mbuf_t pieces[] = { piece_new(224, 0, 100, 0), piece_new(2048, 9, 500, 100),
			    piece_new(224, 0, 100, 600), piece_new(4096, 0, 300, 700) };
	mbuf_t packet = packet_of(4, pieces);
	mbuf_tag_id_t id;
	void *data;

	assert_int_equal(mbuf_tag_id_find("com.example.tag", &id), 0);
	assert_int_equal(mbuf_tag_allocate(packet, id, 7, 32, HOW, &data), 0);
	bytes_fill(bytes, 1000, 0);
	return packet;
}

static void
getting_without_memory_gives_nothing(void **state)
{
	(void)state;
	FOR_EACH_FAILURE (number) {
		mbuf_t a = (mbuf_t)&number, b = a, c = a, d = a, e;
		errno_t errors[4];

		failure_armed(number);
		errors[0] = mbuf_get(HOW, MBUF_TYPE_DATA, &a);
		errors[1] = mbuf_gethdr(HOW, MBUF_TYPE_DATA, &b);
		errors[2] = mbuf_getpacket(HOW, &c);
		errors[3] = mbuf_allocpacket(HOW, 50000, NULL, &d);
		e = mbuf_packet_new("x", 1, false);
		assert_int_equal(errors[0], a ? 0 : ENOMEM);
		assert_int_equal(errors[1], b ? 0 : ENOMEM);
		assert_int_equal(errors[2], c ? 0 : ENOMEM);
		assert_int_equal(errors[3], d ? 0 : ENOMEM);
		assert_int_equal(failure_hit(), !a || !b || !c || !d || !e);
		mbuf_freem(a);
		mbuf_freem(b);
		mbuf_freem(c);
		mbuf_freem(d);
		mbuf_freem(e);
	}
}

static void
copies_that_fail_leave_nothing(void **state)
{
	uint8_t bytes[1000];

	(void)state;
	for (int deep = 0; deep < 2; deep++)
		FOR_EACH_FAILURE (number) {
			mbuf_t packet = packet_sample(bytes), copy = packet;
			errno_t error;

			failure_armed(number);
			error = deep ? mbuf_dup(packet, HOW, &copy)
				     : mbuf_copym(packet, 0, MBUF_COPYALL, HOW, &copy);
			assert_int_equal(error, failure_hit() ? ENOMEM : 0);
			assert_packet(packet, bytes, 1000);
			if (error)
				assert_null(copy);
			else
				assert_packet(copy, bytes, 1000);
			if (error)
				assert_int_equal(mbuf_live_count(), 5);
			mbuf_freem(packet);
			mbuf_freem(copy);
		}
}

static void
a_split_that_fails_changes_nothing(void **state)
{
	uint8_t bytes[1000];

	(void)state;
	for (size_t offset = 0; offset <= 1000; offset += 50)
		FOR_EACH_FAILURE (number) {
			mbuf_t packet = packet_sample(bytes), rest = packet;
			errno_t error;

			failure_armed(number);
			error = mbuf_split(packet, offset, HOW, &rest);
			assert_int_equal(error, failure_hit() ? ENOMEM : 0);
			if (error) {
				assert_null(rest);
				assert_packet(packet, bytes, 1000);
			} else {
				assert_packet(packet, bytes, offset);
				assert_packet(rest, bytes + offset, 1000 - offset);
			}
			mbuf_freem(packet);
			mbuf_freem(rest);
		}
}

static void
prepend_and_pullup_that_fail_free_the_packet(void **state)
{
	uint8_t bytes[1000];

	(void)state;
	for (int pullup = 0; pullup < 2; pullup++)
		FOR_EACH_FAILURE (number) {
			mbuf_t packet = packet_sample(bytes);
			errno_t error;

			failure_armed(number);
			error =
			    pullup ? mbuf_pullup(&packet, 900) : mbuf_prepend(&packet, 900, HOW);
			assert_int_equal(error, failure_hit() ? ENOMEM : 0);
			if (error) {
				assert_null(packet);
				assert_int_equal(mbuf_live_count(), 0);
			}
			mbuf_freem(packet);
		}
}

static void
a_write_that_fails_keeps_what_was_written(void **state)
{
	static uint8_t bytes[60000], more[50000];
	uint64_t runs = 0;

	(void)state;
	bytes_fill(more, sizeof(more), 5);
	FOR_EACH_FAILURE (number) {
		mbuf_t packet = packet_sample(bytes);
		size_t size;
		errno_t error;

		memset(bytes + 1000, 0, 9000);
		memcpy(bytes + 10000, more, 50000);
		failure_armed(number);
		error = mbuf_copyback(packet, 10000, 50000, more, HOW);
		assert_int_equal(error, failure_hit() ? ENOBUFS : 0);
		size = mbuf_pkthdr_len(packet);
		assert_true(error ? size >= 1000 && size < 60000 : size == 60000);
		assert_packet(packet, bytes, size);
		mbuf_freem(packet);
		runs++;
	}
	assert_true(runs > 3);
}

static void
a_tag_without_memory_is_not_there(void **state)
{
	uint8_t bytes[1000];
	mbuf_t packet = packet_sample(bytes);
	mbuf_tag_id_t id;
	size_t length;
	void *data;

	(void)state;
	assert_int_equal(mbuf_tag_id_find("com.example.tag", &id), 0);
	memory_fails_once = true;
	failure_armed(0);
	assert_int_equal(mbuf_tag_allocate(packet, id, 8, 10, HOW, &data), ENOMEM);
	assert_null(data);
	assert_int_equal(mbuf_tag_find(packet, id, 8, &length, &data), ENOENT);
	mbuf_freem(packet);
}

/* ---- threads ------------------------------------------------------------------------------------
 */

static void *
thread_makes_and_frees(void *argument)
{
	mbuf_t *out = argument;

	for (int i = 0; i < 100; i++)
		out[i] = mbuf_packet_new("abc", 3, false);
	for (int i = 50; i < 100; i++)
		mbuf_freem(out[i]);
	assert_int_equal(mbuf_cache_count(), 50);
	return NULL;
}

static void
a_thread_takes_its_cache_with_it(void **state)
{
	mbuf_t made[100];
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, thread_makes_and_frees, made), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(mbuf_live_count(), 50);
	assert_int_equal(atomic_load(&memory_in_use), 50);
	for (int i = 0; i < 50; i++)
		mbuf_freem(made[i]);
	assert_int_equal(mbuf_live_count(), 0);
	assert_true(mbuf_cache_count() > 0);
}

static void
a_cache_is_bounded_and_serves_again(void **state)
{
	mbuf_t made[500], again;

	(void)state;
	for (int i = 0; i < 500; i++)
		assert_int_equal(mbuf_gethdr(HOW, MBUF_TYPE_DATA, &made[i]), 0);
	for (int i = 0; i < 500; i++)
		mbuf_freem(made[i]);
	assert_true(mbuf_cache_count() < 100);
	assert_int_equal(atomic_load(&memory_in_use), mbuf_cache_count());
	memory_fails_once = true;
	atomic_store(&memory_fails_after, 0);
	assert_int_equal(mbuf_getpacket(HOW, &again), ENOMEM); /* a cluster is not cached */
	atomic_store(&memory_fails_after, 0);
	again = mbuf_packet_new("abc", 3, false);
	assert_non_null(again);
	assert_packet(again, (const uint8_t *)"abc", 3);
	atomic_store(&memory_fails_after, -1);
	mbuf_freem(again);
}

#define THREADS 4
#define EXCHANGES 4000

static pthread_mutex_t exchange_lock = PTHREAD_MUTEX_INITIALIZER;
static mbuf_t exchanged[16];

/* Puts copies of a shared cluster where others find them, and frees what it finds there. */
static void *
thread_exchanges(void *argument)
{
	mbuf_t shared = argument;

	for (int i = 0; i < EXCHANGES; i++) {
		mbuf_t copy = NULL, found;

		if (i % 3)
			assert_int_equal(mbuf_copym(shared, 0, MBUF_COPYALL, HOW, &copy), 0);
		else
			copy = mbuf_packet_new("abc", 3, false);
		pthread_mutex_lock(&exchange_lock);
		found = exchanged[i % 16];
		exchanged[i % 16] = copy;
		pthread_mutex_unlock(&exchange_lock);
		(void)mbuf_live_count();
		mbuf_freem(found);
	}
	mbuf_freem(shared);
	return NULL;
}

static void
threads_share_clusters_and_lose_none(void **state)
{
	static uint8_t bytes[5000];
	pthread_t threads[THREADS];
	mbuf_t packet = mbuf_packet_new(bytes, sizeof(bytes), false), copy;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(mbuf_copym(packet, 0, MBUF_COPYALL, HOW, &copy), 0);
		assert_int_equal(pthread_create(&threads[i], NULL, thread_exchanges, copy), 0);
	}
	mbuf_freem(packet);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 16; i++) {
		mbuf_freem(exchanged[i]);
		exchanged[i] = NULL;
	}
	assert_int_equal(mbuf_live_count(), 0);
}

int
main(void)
{
#define MBUF_TEST(name) cmocka_unit_test_setup_teardown(name, memory_setup, memory_teardown)
	const struct CMUnitTest tests[] = {
		MBUF_TEST(getting_without_memory_gives_nothing),
		MBUF_TEST(copies_that_fail_leave_nothing),
		MBUF_TEST(a_split_that_fails_changes_nothing),
		MBUF_TEST(prepend_and_pullup_that_fail_free_the_packet),
		MBUF_TEST(a_write_that_fails_keeps_what_was_written),
		MBUF_TEST(a_tag_without_memory_is_not_there),
		MBUF_TEST(a_thread_takes_its_cache_with_it),
		MBUF_TEST(a_cache_is_bounded_and_serves_again),
		MBUF_TEST(threads_share_clusters_and_lose_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
