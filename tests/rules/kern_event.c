/* Kernel events in the registry: kernel-event.md, with its self-checks (§7) by number. */
#include <errno.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/registry.h"

#define VENDOR "com.example.vendor"
#define DATA_MAX 264u

static uint32_t
vendor_of(struct world *w, const char *text)
{
	uint32_t code;

	assert_int_equal(kev_vendor(w, text, &code), 0);
	return code;
}

static const uint64_t *
statistics(struct world *w)
{
	static uint64_t words[7];

	kernel_kev_statistics(w->kernel, words);
	return words;
}

enum { PCBCOUNT, GENCNT, BADVENDOR, TOOBIG, NOMEM, FULLSOCK, POSTED };

/* ---- vendor codes --------------------------------------------------------------------------- */

TEST_1(codes_begin_at_1000_and_stay)
{
	uint32_t code;

	assert_int_equal(vendor_of(w, VENDOR), 1000);
	assert_int_equal(vendor_of(w, VENDOR ".b"), 1001);
	assert_int_equal(vendor_of(w, VENDOR), 1000);
	assert_int_equal(vendor_of(w, ""), 1002); /* accepted */
	assert_int_equal(vendor_of(w, ""), 1002);
	assert_int_equal(ask_kev_vendor(a, VENDOR, sizeof VENDOR, &code), 0);
	assert_int_equal(code, 1000);
	assert_int_equal(ask_kev_vendor(a, "", 1, &code), 0);
	assert_int_equal(code, 1002);
	assert_int_equal(ask_kev_vendor(a, NULL, 0, &code), 0);
}

/* 7 */
TEST_1(a_vendor_string_has_up_to_199_characters)
{
	char text[201];
	uint32_t code;

	memset(text, 'v', sizeof text);
	assert_int_equal(kernel_kev_vendor(w->kernel, text, 199, KERNEL_VENDOR_EVENT, &code), 0);
	assert_int_equal(kernel_kev_vendor(w->kernel, text, 200, KERNEL_VENDOR_EVENT, &code),
			 EINVAL);
	assert_int_equal(kernel_kev_vendor(w->kernel, "a\0b", 3, KERNEL_VENDOR_EVENT, &code),
			 EINVAL);
	assert_int_equal(kernel_kev_vendor(w->kernel, "a", 1, 0, &code), EINVAL);
	assert_int_equal(kernel_kev_vendor(w->kernel, "a", 1, 3, &code), EINVAL);
	/* who asks has a field of 200 bytes, of which the last is made NUL */
	assert_int_equal(ask_kev_vendor(a, text, 200, &code), 0);
	assert_int_equal(code, 1000);
	assert_int_equal(ask_kev_vendor(a, text, 201, &code), EINVAL);
	assert_int_equal(ask_kev_vendor(a, text, 198, &code), ENOENT);
}

TEST_1(asking_for_a_code_makes_none)
{
	uint32_t code;

	assert_int_equal(ask_kev_vendor(a, VENDOR, sizeof VENDOR, &code), ENOENT);
	assert_int_equal(ask_kev_vendor(a, VENDOR, sizeof VENDOR, &code), ENOENT);
	assert_int_equal(vendor_of(w, "another"), 1000);
}

TEST_1(vendors_and_tags_of_mbufs_share_their_numbers)
{
	uint32_t code;

	assert_int_equal(kernel_kev_vendor(w->kernel, "tag", 3, KERNEL_VENDOR_MBUF_TAG, &code), 0);
	assert_int_equal(code, 1000);
	/* a tag is no vendor: nothing can be posted, and nobody finds it */
	assert_int_equal(kev_post(w, 1000, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(ask_kev_vendor(a, "tag", 4, &code), ENOENT);
	assert_int_equal(vendor_of(w, "vendor"), 1001);
	/* the range is tested, not who owns what */
	assert_int_equal(kev_post(w, 1000, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(kernel_kev_vendor(w->kernel, "tag2", 4, KERNEL_VENDOR_MBUF_TAG, &code), 0);
	assert_int_equal(code, 1002);
	assert_int_equal(kev_post(w, 1002, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(vendor_of(w, "tag2"), 1002); /* now it is both */
	assert_int_equal(kev_post(w, 1002, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(ask_kev_vendor(a, "tag2", 5, &code), 0);
	assert_int_equal(kernel_kev_vendor(w->kernel, "vendor", 6, KERNEL_VENDOR_MBUF_TAG, &code),
			 0);
	assert_int_equal(code, 1001);
}

/* ---- posting -------------------------------------------------------------------------------- */

/* 6 */
TEST_1(only_vendor_codes_that_were_handed_out_can_post)
{
	uint32_t vendor;

	assert_int_equal(kev_post(w, 1000, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(kev_post(w, 0, 1, 1, 1, NULL, 0), EINVAL);
	vendor = vendor_of(w, VENDOR);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(kev_post(w, vendor + 1, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(kev_post(w, vendor - 1, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(kev_post(w, 1, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(kev_post(w, UINT32_MAX, 1, 1, 1, NULL, 0), EINVAL);
	assert_int_equal(statistics(w)[BADVENDOR], 6);
	assert_int_equal(ask_kev_id(a), 1); /* what is refused has no number */
}

TEST_1(the_kernel_itself_posts_as_anybody)
{
	const uint32_t what[4] = { 1, 2, 3, 4 };
	struct listener *listener = listener_new(w, 1, 0, 0);
	struct kernel_effects effects;

	kernel_effects_init(&effects);
	assert_int_equal(kernel_kev_post(w->kernel, what, "abcd", 4, true, &effects), 0);
	registry_settle(w, &effects);
	assert_int_equal(listener->count, 1);
	assert_int_equal(listener->heard[0].total_size, 28);
	assert_int_equal(listener->heard[0].vendor_code, 1);
	assert_int_equal(listener->heard[0].kev_class, 2);
	assert_int_equal(listener->heard[0].kev_subclass, 3);
	assert_int_equal(listener->heard[0].event_code, 4);
	assert_memory_equal(listener->heard[0].data, "abcd", 4);
	assert_int_equal(kernel_kev_post(w->kernel, what, NULL, DATA_MAX + 1, true, &effects),
			 EMSGSIZE);
	listener_free(w, listener);
}

/* 5 */
TEST_1(an_event_carries_up_to_264_bytes)
{
	static const uint8_t zeros[10000];
	uint32_t vendor = vendor_of(w, VENDOR);
	struct listener *listener = listener_new(w, vendor, 0, 0);

	assert_int_equal(kev_post(w, vendor, 1, 1, 1, zeros, 200), 0);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, zeros, DATA_MAX), 0);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, zeros, DATA_MAX + 1), EMSGSIZE);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, zeros, 10000), EMSGSIZE);
	assert_int_equal(ask_kev_id(a), 2);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(listener->count, 3);
	assert_int_equal(listener->heard[1].total_size, 24 + DATA_MAX);
	assert_int_equal(listener->heard[2].total_size, 24);
	assert_int_equal(statistics(w)[TOOBIG], 2);
	listener_free(w, listener);
}

/* 10 */
TEST_1(ids_count_every_event_heard_or_not)
{
	uint32_t vendor = vendor_of(w, VENDOR);
	struct listener *listener;

	assert_int_equal(ask_kev_id(a), 0);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(ask_kev_id(a), 1);
	listener = listener_new(w, vendor, 2, 0);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0); /* filtered out */
	assert_int_equal(kev_post(w, vendor, 2, 1, 1, NULL, 0), 0);
	assert_int_equal(listener->count, 1);
	assert_int_equal(listener->heard[0].id, 3);
	assert_int_equal(ask_kev_id(a), 3);
	listener_free(w, listener);
}

/* ---- filters -------------------------------------------------------------------------------- */

/* 1 */
TEST_1(a_new_socket_hears_nothing_until_it_has_a_filter)
{
	uint32_t vendor = vendor_of(w, VENDOR), filter[3];
	struct listener *listener = listener_new(w, NO_FILTER, 0, 0);

	kernel_kev_socket_filter(listener->socket, filter);
	assert_int_equal(filter[0], 0xffffffff);
	assert_int_equal(filter[1], 0);
	assert_int_equal(filter[2], 0);
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(listener->count, 0);
	listener_filter(listener, 0, 0, 0);
	assert_int_equal(listener->count, 0); /* history is not kept */
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(listener->count, 1);
	listener_filter(listener, 7, 8, 9); /* not looked at, never fails */
	kernel_kev_socket_filter(listener->socket, filter);
	assert_int_equal(filter[0], 7);
	assert_int_equal(filter[2], 9);
	listener_free(w, listener);
}

/* 2, and each combination: the filter of a plain reading of the table in §3.2 */
TEST_1(filters_are_read_vendor_first)
{
	static const uint32_t choices[3][4] = { { 0, 1000, 1001, 7 },
						{ 0, 1, 2, 9 },
						{ 0, 1, 2, 9 } };
	struct listener *listener = listener_new(w, NO_FILTER, 0, 0);

	assert_int_equal(vendor_of(w, "first"), 1000);
	assert_int_equal(vendor_of(w, "second"), 1001);
	for (int choice = 0; choice < 64 * 8; choice++) {
		const uint32_t *v = choices[0], *c = choices[1];
		const uint32_t filter[3] = { v[choice % 4], c[choice / 4 % 4], c[choice / 16 % 4] };
		const uint32_t vendor = 1000 + choice / 64 % 2, class = 1 + choice / 128 % 2,
			       subclass = 1 + choice / 256 % 2;
		bool expected =
		    filter[0] == 0 || (filter[0] == vendor && filter[1] == 0) ||
		    (filter[0] == vendor && filter[1] == class && filter[2] == 0) ||
		    (filter[0] == vendor && filter[1] == class && filter[2] == subclass);

		listener_clear(listener);
		listener_filter(listener, filter[0], filter[1], filter[2]);
		assert_int_equal(kev_post(w, vendor, class, subclass, 5, NULL, 0), 0);
		assert_int_equal(listener->count, expected);
	}
	listener_free(w, listener);
}

/* ---- delivery ------------------------------------------------------------------------------- */

/* 8, the part of the core: what is full loses, and nobody else */
TEST_1(a_full_socket_loses_the_newest_and_others_do_not)
{
	uint32_t vendor = vendor_of(w, VENDOR);
	struct listener *full = listener_new(w, 0, 0, 0), *good = listener_new(w, 0, 0, 0);

	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	full->full = true;
	for (int i = 0; i < 5; i++)
		assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(full->count, 1);
	assert_int_equal(good->count, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(good->heard[i].id, i + 1);
	assert_int_equal(statistics(w)[FULLSOCK], 5);
	assert_int_equal(statistics(w)[POSTED], 7); /* copies */
	assert_int_equal(statistics(w)[PCBCOUNT], 2);
	listener_free(w, full);
	listener_free(w, good);
	assert_int_equal(statistics(w)[PCBCOUNT], 0);
	assert_int_equal(statistics(w)[GENCNT], 4);
}

TEST_1(a_socket_may_go_while_deliveries_are_taken)
{
	uint32_t vendor = vendor_of(w, VENDOR);
	struct listener *first = listener_new(w, 0, 0, 0), *second = listener_new(w, 0, 0, 0),
			*third = listener_new(w, 0, 0, 0);

	first->frees_next = second;
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(first->count, 1);
	assert_int_equal(second->count, 0);
	assert_int_equal(third->count, 1);
	first->frees_next = first; /* even the one that just heard it */
	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_int_equal(third->count, 2);
	listener_free(w, first);
	listener_free(w, second);
	listener_free(w, third);
}

TEST_1(events_of_one_call_come_in_order_to_all)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct listener *one = listener_new(w, 1, 3, 2), *two = listener_new(w, 0, 0, 0);
	uint32_t id;

	for (char name = 'a'; name <= 'j'; name++) {
		struct kernel_ctl ctl = ctl_named((char[]){ name, '\0' });

		assert_int_equal(ctl_add(w, host, 0, &ctl, NULL, &id), 0);
	}
	kext_host_die(w, host);
	assert_int_equal(one->count, 20);
	assert_int_equal(two->count, 20);
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(one->heard[i].id, i + 1);
		assert_memory_equal(&one->heard[i], &two->heard[i], 32);
	}
	listener_free(w, one);
	listener_free(w, two);
}

TEST_1(statistics_are_told_by_trap)
{
	uint32_t vendor = vendor_of(w, VENDOR);
	struct listener *listener = listener_new(w, 0, 0, 0);
	const uint64_t *words;

	assert_int_equal(kev_post(w, vendor, 1, 1, 1, NULL, 0), 0);
	assert_ok(trap(a, BERTH_TRAP_SYSTEM_STATISTICS, 0, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.bytes_size, 168);
	words = (const uint64_t *)(const void *)a->outcome.bytes;
	assert_memory_equal(words, statistics(w), 56);
	assert_int_equal(words[PCBCOUNT], 1);
	assert_int_equal(words[POSTED], 1);
	listener_free(w, listener);
}
