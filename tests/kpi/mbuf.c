/*
 * Mbufs, call by call: what each does, and how it fails.  kext.md §5.9.
 */
#include "tests/kpi/mbuf_support.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOW MBUF_DONTWAIT

static mbuf_t
packet_with(size_t size, uint8_t *bytes)
{
	mbuf_t packet;

	bytes_fill(bytes, size, 3);
	packet = mbuf_packet_new(bytes, size, false);
	assert_non_null(packet);
	return packet;
}

/* ---- getting ------------------------------------------------------------------------------ */

static void
a_new_packet_has_room_but_no_length(void **state)
{
	static const size_t sizes[] = { 1,    224,   225,   2048,  2049,  4096,
					4097, 16384, 16385, 18433, 65536, 1000000 };
	uint8_t bytes[256];

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned int chunks = 0;
		size_t room = 0;
		mbuf_t packet = NULL;

		assert_int_equal(mbuf_allocpacket(MBUF_WAITOK, sizes[i], &chunks, &packet), 0);
		assert_int_equal(mbuf_type(packet), MBUF_TYPE_DATA);
		assert_true(mbuf_flags(packet) & MBUF_PKTHDR);
		assert_int_equal(mbuf_pkthdr_len(packet), 0);
		assert_int_equal(chain_count(packet), chunks);
		for (mbuf_t m = packet; m; m = mbuf_next(m)) {
			size_t max = mbuf_maxlen(m);

			assert_int_equal(mbuf_len(m), 0);
			assert_true(max == 224 || max == 2048 || max == 4096 || max == 16384);
			assert_int_equal((mbuf_flags(m) & MBUF_EXT) != 0, max > 224);
			room += max;
		}
		assert_true(room >= sizes[i]);
		assert_true(room - sizes[i] < 16384);
		mbuf_freem(packet);
	}
}

static void
a_packet_of_too_many_chunks_is_refused(void **state)
{
	unsigned int chunks = 1;
	mbuf_t packet = (mbuf_t)&chunks;

	(void)state;
	assert_int_equal(mbuf_allocpacket(HOW, 16385, &chunks, &packet), ENOBUFS);
	assert_null(packet);
	assert_int_equal(chunks, 1);
	assert_int_equal(mbuf_allocpacket(HOW, 16384, &chunks, &packet), 0);
	assert_int_equal(chunks, 1);
	mbuf_freem(packet);
	chunks = 3;
	assert_int_equal(mbuf_allocpacket(HOW, 16385, &chunks, &packet), 0);
	assert_int_equal(chunks, 2);
	mbuf_freem(packet);
	assert_int_equal(mbuf_allocpacket(HOW, 100000, NULL, &packet), 0);
	assert_int_equal(chain_count(packet), 7);
	mbuf_freem(packet);
}

static void
a_packet_of_nothing_is_refused(void **state)
{
	mbuf_t packet;

	(void)state;
	assert_int_equal(mbuf_allocpacket(HOW, 0, NULL, &packet), EINVAL);
	assert_int_equal(mbuf_allocpacket(HOW, 1, NULL, NULL), EINVAL);
	assert_int_equal(mbuf_allocpacket(HOW, SIZE_MAX, NULL, &packet), ENOMEM);
	assert_int_equal(mbuf_gethdr(HOW, MBUF_TYPE_DATA, NULL), EINVAL);
	assert_int_equal(mbuf_get(HOW, 0, &packet), EINVAL);
	assert_int_equal(mbuf_getpacket(HOW, NULL), EINVAL);
}

static void
single_mbufs_are_as_asked(void **state)
{
	mbuf_t m;

	(void)state;
	assert_int_equal(mbuf_get(HOW, MBUF_TYPE_CONTROL, &m), 0);
	assert_int_equal(mbuf_type(m), MBUF_TYPE_CONTROL);
	assert_int_equal(mbuf_flags(m), 0);
	assert_int_equal(mbuf_maxlen(m), 224);
	mbuf_freem(m);
	assert_int_equal(mbuf_gethdr(HOW, MBUF_TYPE_SONAME, &m), 0);
	assert_int_equal(mbuf_type(m), MBUF_TYPE_SONAME);
	assert_int_equal(mbuf_flags(m), MBUF_PKTHDR);
	assert_int_equal(mbuf_maxlen(m), 224);
	mbuf_freem(m);
	assert_int_equal(mbuf_getpacket(HOW, &m), 0);
	assert_int_equal(mbuf_type(m), MBUF_TYPE_DATA);
	assert_int_equal(mbuf_flags(m), MBUF_PKTHDR | MBUF_EXT);
	assert_int_equal(mbuf_maxlen(m), 2048);
	assert_int_equal(mbuf_trailingspace(m), 2048);
	assert_int_equal((uintptr_t)mbuf_data(m) % 16, 0);
	mbuf_freem(m);
}

static void
a_packet_from_bytes_is_one_mbuf(void **state)
{
	static const size_t sizes[] = { 0, 1, 64, 224, 225, 5000, 65536, 600000 };
	uint8_t *bytes = malloc(600000);

	(void)state;
	bytes_fill(bytes, 600000, 9);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		mbuf_t packet = mbuf_packet_new(bytes, sizes[i], i % 2);

		assert_packet(packet, bytes, sizes[i]);
		assert_null(mbuf_next(packet));
		assert_int_equal((mbuf_flags(packet) & MBUF_EOR) != 0, i % 2);
		mbuf_freem(packet);
	}
	assert_null(mbuf_packet_new(bytes, SIZE_MAX - 8, false));
	free(bytes);
}

/* ---- one mbuf ------------------------------------------------------------------------------ */

static void
a_window_stays_in_the_storage(void **state)
{
	uint8_t *start;
	mbuf_t m;

	(void)state;
	assert_int_equal(mbuf_getpacket(HOW, &m), 0);
	start = mbuf_datastart(m);
	assert_int_equal(mbuf_setdata(m, start + 48, 2000), 0);
	assert_ptr_equal(mbuf_data(m), start + 48);
	assert_int_equal(mbuf_len(m), 2000);
	assert_int_equal(mbuf_leadingspace(m), 48);
	assert_int_equal(mbuf_trailingspace(m), 0);
	assert_int_equal(mbuf_setdata(m, start + 48, 2001), EINVAL);
	assert_int_equal(mbuf_setdata(m, start - 1, 1), EINVAL);
	assert_int_equal(mbuf_setdata(m, start + 2049, 0), EINVAL);
	assert_int_equal(mbuf_setdata(m, start + 1, SIZE_MAX), EINVAL);
	assert_int_equal(mbuf_setdata(m, NULL, 0), EINVAL);
	assert_ptr_equal(mbuf_data(m), start + 48);
	assert_int_equal(mbuf_len(m), 2000);
	assert_int_equal(mbuf_setdata(m, start + 2048, 0), 0);
	assert_int_equal(mbuf_leadingspace(m), 2048);

	/* a length is believed */
	mbuf_setlen(m, 5000);
	assert_int_equal(mbuf_len(m), 5000);
	assert_int_equal(mbuf_trailingspace(m), 0);
	mbuf_freem(m);
}

static void
protected_flags_stay(void **state)
{
	mbuf_t m;

	(void)state;
	assert_int_equal(mbuf_getpacket(HOW, &m), 0);
	assert_int_equal(mbuf_setflags(m, MBUF_EOR | MBUF_MCAST), 0);
	assert_int_equal(mbuf_flags(m), MBUF_EXT | MBUF_PKTHDR | MBUF_EOR | MBUF_MCAST);
	assert_int_equal(mbuf_setflags(m, MBUF_BCAST), 0);
	assert_int_equal(mbuf_flags(m), MBUF_EXT | MBUF_PKTHDR | MBUF_BCAST);
	assert_int_equal(mbuf_setflags(m, MBUF_EOR | MBUF_PKTHDR), EINVAL);
	assert_int_equal(mbuf_setflags(m, MBUF_EXT), EINVAL);
	assert_int_equal(mbuf_setflags(m, 0x80000000), EINVAL);
	assert_int_equal(mbuf_setflags_mask(m, 0, MBUF_PKTHDR), EINVAL);
	assert_int_equal(mbuf_setflags_mask(m, MBUF_EXT, MBUF_EXT | MBUF_EOR), EINVAL);
	assert_int_equal(mbuf_flags(m), MBUF_EXT | MBUF_PKTHDR | MBUF_BCAST);
	assert_int_equal(mbuf_setflags_mask(m, MBUF_LOOP | MBUF_EXT, MBUF_LOOP), 0);
	assert_int_equal(mbuf_flags(m), MBUF_EXT | MBUF_PKTHDR | MBUF_BCAST | MBUF_LOOP);
	assert_int_equal(mbuf_setflags_mask(m, 0, MBUF_BCAST | MBUF_LOOP), 0);
	assert_int_equal(mbuf_flags(m), MBUF_EXT | MBUF_PKTHDR);
	assert_int_equal(mbuf_settype(m, MBUF_TYPE_OOBDATA), 0);
	assert_int_equal(mbuf_settype(m, 0), EINVAL);
	assert_int_equal(mbuf_type(m), MBUF_TYPE_OOBDATA);
	mbuf_freem(m);
}

static void
only_a_header_knows_of_the_packet(void **state)
{
	ifnet_t interface = (ifnet_t)(uintptr_t)0x40;
	mbuf_t header, plain;

	(void)state;
	mbuf_gethdr(HOW, MBUF_TYPE_DATA, &header);
	mbuf_get(HOW, MBUF_TYPE_DATA, &plain);
	mbuf_pkthdr_setlen(header, 100);
	mbuf_pkthdr_adjustlen(header, -30);
	assert_int_equal(mbuf_pkthdr_len(header), 70);
	mbuf_pkthdr_adjustlen(header, 5);
	assert_int_equal(mbuf_pkthdr_len(header), 75);
	assert_null(mbuf_pkthdr_rcvif(header));
	assert_int_equal(mbuf_pkthdr_setrcvif(header, interface), 0);
	assert_ptr_equal(mbuf_pkthdr_rcvif(header), interface);

	mbuf_pkthdr_setlen(plain, 100);
	mbuf_pkthdr_adjustlen(plain, 10);
	assert_int_equal(mbuf_pkthdr_len(plain), 0);
	assert_int_equal(mbuf_pkthdr_setrcvif(plain, interface), EINVAL);
	assert_null(mbuf_pkthdr_rcvif(plain));
	mbuf_freem(header);
	mbuf_freem(plain);
}

static void
chains_and_lists_are_linked_and_freed(void **state)
{
	mbuf_t a, b, c, d;

	(void)state;
	mbuf_gethdr(HOW, MBUF_TYPE_DATA, &a);
	mbuf_get(HOW, MBUF_TYPE_DATA, &b);
	mbuf_gethdr(HOW, MBUF_TYPE_DATA, &c);
	mbuf_gethdr(HOW, MBUF_TYPE_DATA, &d);
	assert_int_equal(mbuf_setnext(a, b), 0);
	assert_ptr_equal(mbuf_next(a), b);
	mbuf_setnextpkt(a, c);
	mbuf_setnextpkt(c, d);
	assert_ptr_equal(mbuf_nextpkt(a), c);
	assert_int_equal(mbuf_setnext(b, a), EINVAL);
	assert_int_equal(mbuf_setnext(b, b), EINVAL);
	assert_null(mbuf_next(b));
	assert_int_equal(mbuf_live_count(), 4);
	assert_int_equal(mbuf_freem_list(a), 3);
	assert_int_equal(mbuf_live_count(), 0);
	assert_int_equal(mbuf_freem_list(NULL), 0);
	mbuf_freem(NULL);

	mbuf_gethdr(HOW, MBUF_TYPE_DATA, &a);
	mbuf_get(HOW, MBUF_TYPE_DATA, &b);
	assert_int_equal(mbuf_setnext(a, b), 0);
	assert_ptr_equal(mbuf_free(a), b);
	assert_int_equal(mbuf_setnext(b, NULL), 0);
	assert_null(mbuf_free(b));
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void
copydata_copies_all_or_nothing(void **state)
{
	mbuf_t pieces[] = { piece_new(224, 0, 100, 0), piece_new(224, 10, 0, 0),
			    piece_new(2048, 100, 300, 100) };
	mbuf_t packet = packet_of(3, pieces);
	uint8_t bytes[400], out[401];

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	for (size_t offset = 0; offset <= 400; offset += 25)
		for (size_t len = 0; len <= 400 - offset; len += 20) {
			memset(out, 0x77, sizeof(out));
			assert_int_equal(mbuf_copydata(packet, offset, len, out), 0);
			assert_memory_equal(out, bytes + offset, len);
			assert_int_equal(out[len], 0x77);
		}
	memset(out, 0x77, sizeof(out));
	assert_int_equal(mbuf_copydata(packet, 0, 401, out), EINVAL);
	assert_int_equal(mbuf_copydata(packet, 400, 1, out), EINVAL);
	assert_int_equal(mbuf_copydata(packet, 401, 0, out), EINVAL);
	assert_int_equal(mbuf_copydata(packet, 399, SIZE_MAX, out), EINVAL);
	assert_int_equal(mbuf_copydata(packet, 0, 1, NULL), EINVAL);
	assert_int_equal(mbuf_copydata(NULL, 0, 1, out), EINVAL);
	assert_int_equal(out[0], 0x77);
	mbuf_freem(packet);
}

static void
copyback_writes_over_and_beyond(void **state)
{
	uint8_t bytes[40000], more[40000];
	unsigned int chunks = 0;
	mbuf_t packet;

	(void)state;
	bytes_fill(more, sizeof(more), 7);
	assert_int_equal(mbuf_allocpacket(HOW, 40000, &chunks, &packet), 0);
	bytes_fill(bytes, sizeof(bytes), 0);
	assert_int_equal(mbuf_copyback(packet, 0, 40000, bytes, HOW), 0);
	assert_packet(packet, bytes, 40000);
	assert_int_equal(chain_count(packet), chunks); /* the room was used */
	memcpy(bytes + 16000, more, 1000);
	assert_int_equal(mbuf_copyback(packet, 16000, 1000, more, HOW), 0);
	assert_packet(packet, bytes, 40000);
	mbuf_freem(packet);

	/* over the end, and behind it */
	packet = mbuf_packet_new(bytes, 100, false);
	memcpy(bytes + 90, more, 300);
	assert_int_equal(mbuf_copyback(packet, 90, 300, more, HOW), 0);
	assert_packet(packet, bytes, 390);
	memset(bytes + 390, 0, 5000 - 390);
	memcpy(bytes + 5000, more, 20000);
	assert_int_equal(mbuf_copyback(packet, 5000, 20000, more, HOW), 0);
	assert_packet(packet, bytes, 25000);
	mbuf_freem(packet);

	/* no header, no length */
	packet = piece_new(224, 0, 10, 0);
	assert_int_equal(mbuf_copyback(packet, 10, 300, more, HOW), 0);
	assert_int_equal(mbuf_pkthdr_len(packet), 0);
	assert_int_equal(mbuf_copydata(packet, 10, 300, bytes), 0);
	assert_memory_equal(bytes, more, 300);
	mbuf_freem(packet);
}

static void
copyback_refuses_what_makes_no_sense(void **state)
{
	uint8_t bytes[8];
	mbuf_t packet = packet_with(8, bytes);

	(void)state;
	assert_int_equal(mbuf_copyback(NULL, 0, 1, bytes, HOW), EINVAL);
	assert_int_equal(mbuf_copyback(packet, 0, 0, bytes, HOW), EINVAL);
	assert_int_equal(mbuf_copyback(packet, 0, 1, NULL, HOW), EINVAL);
	assert_int_equal(mbuf_copyback(packet, INT_MAX, 1, bytes, HOW), EINVAL);
	assert_int_equal(mbuf_copyback(packet, SIZE_MAX, 2, bytes, HOW), EINVAL);
	assert_packet(packet, bytes, 8);
	mbuf_freem(packet);
}

static void
adj_trims_either_end(void **state)
{
	uint8_t bytes[400];

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	for (int len = -410; len <= 410; len += 5) {
		mbuf_t pieces[] = { piece_new(224, 0, 100, 0), piece_new(2048, 7, 200, 100),
				    piece_new(224, 0, 100, 300) };
		mbuf_t packet = packet_of(3, pieces);
		size_t cut = (size_t)(abs(len) < 400 ? abs(len) : 400);

		mbuf_adj(packet, len);
		assert_packet(packet, bytes + (len > 0 ? cut : 0), 400 - cut);
		mbuf_adj(packet, 0);
		assert_int_equal(mbuf_pkthdr_len(packet), 400 - cut);
		mbuf_adj(packet, INT_MIN);
		assert_packet(packet, bytes, 0);
		mbuf_freem(packet);
	}
	mbuf_adj(NULL, 5);
}

static void
a_copy_shares_clusters(void **state)
{
	uint8_t bytes[5000];
	mbuf_t packet = packet_with(5000, bytes), copy, part;

	(void)state;
	assert_int_equal(mbuf_copym(packet, 0, MBUF_COPYALL, HOW, &copy), 0);
	assert_packet(copy, bytes, 5000);
	assert_ptr_equal(mbuf_data(copy), mbuf_data(packet));
	assert_true(mbuf_flags(copy) & MBUF_EXT);
	assert_int_equal(mbuf_copym(packet, 1000, 2000, HOW, &part), 0);
	assert_false(mbuf_flags(part) & MBUF_PKTHDR);
	assert_int_equal(mbuf_len(part), 2000);
	assert_ptr_equal(mbuf_data(part), (uint8_t *)mbuf_data(packet) + 1000);

	/* nobody has room in what is shared, and whoever is last frees it */
	assert_int_equal(mbuf_trailingspace(packet), 0);
	assert_int_equal(mbuf_leadingspace(part), 0);
	mbuf_freem(packet);
	assert_packet(copy, bytes, 5000);
	mbuf_freem(copy);
	assert_memory_equal(mbuf_data(part), bytes + 1000, 2000);
	assert_int_equal(mbuf_leadingspace(part), 1000);
	assert_int_equal(mbuf_trailingspace(part), 2000);
	assert_int_equal(mbuf_live_count(), 1);
	mbuf_freem(part);

	/* small storage is copied */
	packet = packet_with(100, bytes);
	assert_int_equal(mbuf_copym(packet, 0, 60, HOW, &copy), 0);
	assert_packet(copy, bytes, 60);
	assert_ptr_not_equal(mbuf_data(copy), mbuf_data(packet));
	mbuf_freem(copy);

	assert_int_equal(mbuf_copym(packet, 0, 101, HOW, &copy), ENOMEM);
	assert_null(copy);
	assert_int_equal(mbuf_copym(packet, 101, MBUF_COPYALL, HOW, &copy), ENOMEM);
	assert_int_equal(mbuf_copym(NULL, 0, 1, HOW, &copy), EINVAL);
	assert_int_equal(mbuf_copym(packet, 0, 1, HOW, NULL), EINVAL);
	assert_int_equal(mbuf_copym(packet, 100, 0, HOW, &copy), 0);
	assert_int_equal(mbuf_len(copy), 0);
	mbuf_freem(copy);
	mbuf_freem(packet);
}

static void
a_duplicate_is_deep(void **state)
{
	mbuf_t pieces[] = { piece_new(20000, 100, 19000, 0), piece_new(224, 0, 0, 0),
			    piece_new(224, 24, 200, 19000) };
	mbuf_t packet = packet_of(3, pieces), copy, shared;
	uint8_t bytes[19200];

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	mbuf_setflags(packet, MBUF_EOR | MBUF_BCAST);
	mbuf_settype(packet, MBUF_TYPE_CONTROL);
	mbuf_pkthdr_setrcvif(packet, (ifnet_t)(uintptr_t)0x40);
	mbuf_setnextpkt(packet, packet);
	assert_int_equal(mbuf_dup(packet, HOW, &copy), 0);
	mbuf_setnextpkt(packet, NULL);
	assert_null(mbuf_nextpkt(copy));
	assert_int_equal(mbuf_flags(copy) & (MBUF_EOR | MBUF_BCAST), MBUF_EOR | MBUF_BCAST);
	assert_int_equal(mbuf_type(copy), MBUF_TYPE_CONTROL);
	assert_ptr_equal(mbuf_pkthdr_rcvif(copy), (void *)(uintptr_t)0x40);
	assert_packet(copy, bytes, sizeof(bytes));
	assert_int_equal(mbuf_copym(packet, 0, MBUF_COPYALL, HOW, &shared), 0);
	memset(mbuf_data(pieces[0]), 0, 19000);
	assert_packet(copy, bytes, sizeof(bytes));
	mbuf_freem(packet);
	assert_packet(copy, bytes, sizeof(bytes));
	mbuf_freem(copy);
	mbuf_freem(shared);
	assert_int_equal(mbuf_dup(NULL, HOW, &copy), EINVAL);
}

static void
prepend_uses_space_or_a_new_front(void **state)
{
	uint8_t bytes[6000];
	mbuf_t packet, old, copy;

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	assert_int_equal(mbuf_getpacket(HOW, &packet), 0);
	mbuf_setdata(packet, (uint8_t *)mbuf_data(packet) + 64, 100);
	mbuf_pkthdr_setlen(packet, 100);
	memcpy(mbuf_data(packet), bytes + 4, 100);
	old = packet;
	assert_int_equal(mbuf_prepend(&packet, 4, HOW), 0);
	assert_ptr_equal(packet, old);
	memcpy(mbuf_data(packet), bytes, 4);
	assert_packet(packet, bytes, 104);

	/* not enough: the header moves to a new front */
	mbuf_setflags(packet, MBUF_EOR);
	mbuf_settype(packet, MBUF_TYPE_CONTROL);
	mbuf_setnextpkt(packet, packet);
	assert_int_equal(mbuf_prepend(&packet, 61, HOW), 0);
	assert_ptr_not_equal(packet, old);
	assert_ptr_equal(mbuf_next(packet), old);
	assert_ptr_equal(mbuf_nextpkt(packet), old);
	mbuf_setnextpkt(packet, NULL);
	assert_int_equal(mbuf_len(packet), 61);
	assert_int_equal(mbuf_pkthdr_len(packet), 165);
	assert_int_equal(mbuf_pkthdr_len(old), 0);
	assert_int_equal(mbuf_flags(packet), MBUF_PKTHDR | MBUF_EOR);
	assert_int_equal(mbuf_type(packet), MBUF_TYPE_CONTROL);
	assert_int_equal(mbuf_leadingspace(packet), 224 - 61); /* room for more */
	old = packet;
	assert_int_equal(mbuf_prepend(&packet, 5000, HOW), 0);
	assert_int_equal(mbuf_pkthdr_len(packet), 5165);
	assert_int_equal(mbuf_len(packet), 5000);
	assert_int_equal(mbuf_prepend(&packet, 20000, HOW), 0);
	assert_int_equal(mbuf_len(packet), 20000);
	assert_int_equal(mbuf_prepend(&packet, 0, HOW), 0);
	mbuf_freem(packet);

	/* shared storage has no space */
	packet = packet_with(3000, bytes);
	mbuf_adj(packet, 100);
	assert_int_equal(mbuf_copym(packet, 0, MBUF_COPYALL, HOW, &copy), 0);
	assert_int_equal(mbuf_prepend(&copy, 100, HOW), 0);
	memset(mbuf_data(copy), 0xff, 100);
	assert_packet(packet, bytes + 100, 2900);
	mbuf_freem(packet);
	mbuf_freem(copy);
	packet = NULL;
	assert_int_equal(mbuf_prepend(&packet, 4, HOW), EINVAL);
	assert_int_equal(mbuf_prepend(NULL, 4, HOW), EINVAL);
}

static void
pullup_makes_the_front_contiguous(void **state)
{
	uint8_t bytes[1000];

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	for (size_t len = 0; len <= 1000; len += 10) {
		mbuf_t pieces[] = { piece_new(224, 0, 100, 0), piece_new(224, 0, 0, 0),
				    piece_new(2048, 300, 900, 100) };
		mbuf_t packet = packet_of(3, pieces);

		mbuf_setflags(packet, MBUF_EOR);
		mbuf_setnextpkt(packet, pieces[2]);
		assert_int_equal(mbuf_pullup(&packet, len), 0);
		assert_true(mbuf_len(packet) >= len);
		assert_true(mbuf_flags(packet) & MBUF_EOR);
		assert_non_null(mbuf_nextpkt(packet));
		assert_packet(packet, bytes, 1000);
		mbuf_freem(packet);
	}
}

static void
pullup_of_too_much_frees(void **state)
{
	uint8_t bytes[100];
	mbuf_t packet = packet_with(100, bytes);

	(void)state;
	assert_int_equal(mbuf_pullup(&packet, 101), ENOMEM);
	assert_null(packet);
	assert_int_equal(mbuf_live_count(), 0);
	assert_int_equal(mbuf_pullup(&packet, 1), EINVAL);
	assert_int_equal(mbuf_pullup(NULL, 1), EINVAL);
}

static void
split_gives_two_packets(void **state)
{
	uint8_t bytes[600];
	mbuf_t packet, rest;

	(void)state;
	bytes_fill(bytes, sizeof(bytes), 0);
	for (size_t offset = 0; offset <= 600; offset += 10) {
		mbuf_t pieces[] = { piece_new(224, 0, 200, 0), piece_new(224, 0, 0, 0),
				    piece_new(2048, 9, 300, 200), piece_new(224, 0, 100, 500) };

		packet = packet_of(4, pieces);
		mbuf_pkthdr_setrcvif(packet, (ifnet_t)(uintptr_t)0x40);
		assert_int_equal(mbuf_split(packet, offset, HOW, &rest), 0);
		assert_packet(packet, bytes, offset);
		assert_packet(rest, bytes + offset, 600 - offset);
		assert_ptr_equal(mbuf_pkthdr_rcvif(rest), (void *)(uintptr_t)0x40);
		mbuf_freem(packet);
		assert_packet(rest, bytes + offset, 600 - offset);
		mbuf_freem(rest);
	}
	packet = packet_with(600, bytes);
	assert_int_equal(mbuf_split(packet, 601, HOW, &rest), ENOMEM);
	assert_null(rest);
	assert_packet(packet, bytes, 600);
	assert_int_equal(mbuf_split(packet, 0, HOW, NULL), EINVAL);
	assert_int_equal(mbuf_split(NULL, 0, HOW, &rest), EINVAL);
	mbuf_freem(packet);

	packet = piece_new(224, 0, 100, 0); /* no packet: neither is the rest */
	assert_int_equal(mbuf_split(packet, 40, HOW, &rest), 0);
	assert_int_equal(mbuf_flags(rest), 0);
	assert_int_equal(mbuf_len(packet), 40);
	assert_int_equal(mbuf_len(rest), 60);
	mbuf_freem(packet);
	mbuf_freem(rest);
}

static void
a_vector_leaves_empty_mbufs_out(void **state)
{
	mbuf_t pieces[] = { piece_new(224, 0, 100, 0), piece_new(224, 0, 0, 0),
			    piece_new(224, 4, 50, 0) };
	mbuf_t packet = packet_of(3, pieces);
	struct iovec vector[2];

	(void)state;
	assert_int_equal(mbuf_packet_vector(packet, vector, 2), 2);
	assert_ptr_equal(vector[0].iov_base, mbuf_data(pieces[0]));
	assert_int_equal(vector[0].iov_len, 100);
	assert_ptr_equal(vector[1].iov_base, mbuf_data(pieces[2]));
	assert_int_equal(vector[1].iov_len, 50);
	assert_int_equal(mbuf_packet_vector(packet, vector, 1), -1);
	mbuf_freem(packet);
	packet = mbuf_packet_new(NULL, 0, true);
	assert_int_equal(mbuf_packet_vector(packet, vector, 0), 0);
	mbuf_freem(packet);
}

/* ---- tags -------------------------------------------------------------------------------------
 */

static void
tags_belong_to_a_packet(void **state)
{
	char long_string[201];
	mbuf_tag_id_t id, other, again;
	mbuf_t packet, copy, plain;
	size_t length;
	void *data, *found;

	(void)state;
	assert_int_equal(mbuf_gethdr(HOW, MBUF_TYPE_DATA, &packet), 0);
	assert_int_equal(mbuf_tag_allocate(packet, 1000, 1, 8, HOW, &data), EINVAL); /* whose? */

	memset(long_string, 'x', 200);
	long_string[200] = 0;
	assert_int_equal(mbuf_tag_id_find(NULL, &id), EINVAL);
	assert_int_equal(mbuf_tag_id_find("com.example.a", NULL), EINVAL);
	assert_int_equal(mbuf_tag_id_find(long_string, &id), EINVAL);
	assert_int_equal(mbuf_tag_id_find(long_string + 1, &other), 0);
	assert_int_equal(mbuf_tag_id_find("com.example.a", &id), 0);
	assert_int_equal(mbuf_tag_id_find("com.example.a", &again), 0);
	assert_int_equal(id, again);
	assert_int_not_equal(id, other);
	kernel_error = ENOMEM;
	assert_int_equal(mbuf_tag_id_find("com.example.b", &again), ENOMEM);
	kernel_error = 0;

	assert_int_equal(mbuf_tag_find(packet, id, 1, &length, &found), ENOENT);
	assert_int_equal(mbuf_tag_allocate(packet, id, 1, 40, HOW, &data), 0);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(((uint8_t *)data)[i], 0);
	memset(data, 0x5a, 40);
	assert_int_equal(mbuf_tag_allocate(packet, id, 1, 40, HOW, &found), EEXIST);
	assert_int_equal(mbuf_tag_allocate(packet, id, 2, 0, HOW, &found), 0);
	assert_int_equal(mbuf_tag_allocate(packet, other, 1, 7, HOW, &found), 0);
	assert_int_equal(mbuf_tag_find(packet, id, 1, &length, &found), 0);
	assert_ptr_equal(found, data);
	assert_int_equal(length, 40);
	assert_int_equal(mbuf_tag_find(packet, id, 2, &length, &found), 0);
	assert_int_equal(length, 0);

	/* copies have their own; a new front takes them along */
	assert_int_equal(mbuf_copym(packet, 0, 0, HOW, &copy), 0);
	assert_int_equal(mbuf_tag_find(copy, id, 1, &length, &found), 0);
	assert_ptr_not_equal(found, data);
	assert_int_equal(((uint8_t *)found)[39], 0x5a);
	assert_int_equal(mbuf_prepend(&copy, 100, HOW), 0);
	assert_int_equal(mbuf_tag_find(copy, id, 1, &length, &data), 0);
	assert_ptr_equal(found, data);
	mbuf_tag_free(copy, id, 1);
	mbuf_tag_free(copy, id, 1);
	assert_int_equal(mbuf_tag_find(copy, id, 1, &length, &data), ENOENT);
	assert_int_equal(mbuf_tag_find(copy, other, 1, &length, &data), 0);
	mbuf_freem(copy);

	assert_int_equal(mbuf_get(HOW, MBUF_TYPE_DATA, &plain), 0);
	assert_int_equal(mbuf_tag_allocate(plain, id, 1, 8, HOW, &data), EINVAL);
	assert_int_equal(mbuf_tag_find(plain, id, 1, &length, &data), EINVAL);
	mbuf_tag_free(plain, id, 1);
	assert_int_equal(mbuf_tag_allocate(NULL, id, 1, 8, HOW, &data), EINVAL);
	assert_int_equal(mbuf_tag_allocate(packet, 999, 1, 8, HOW, &data), EINVAL);
	assert_int_equal(mbuf_tag_allocate(packet, id + 100, 1, 8, HOW, &data), EINVAL);
	assert_int_equal(mbuf_tag_allocate(packet, id, 9, SIZE_MAX, HOW, &data), ENOMEM);
	assert_int_equal(mbuf_tag_allocate(packet, id, 9, 8, HOW, NULL), EINVAL);
	assert_int_equal(mbuf_tag_find(packet, id, 1, NULL, &data), EINVAL);
	mbuf_freem(plain);
	mbuf_freem(packet);
}

/* ---- what must not happen ----------------------------------------------------------------------
 */

static void
a_freed_or_foreign_mbuf_is_a_panic(void **state)
{
	_Alignas(16) uint8_t foreign[sizeof(struct __mbuf)] = { 0 };
	mbuf_t small, copy, big;
	uint8_t bytes[3000];

	(void)state;
	small = packet_with(10, bytes);
	mbuf_freem(small);
	assert_panics(mbuf_freem(small), "mbuf_free: mbuf");
	assert_panics(mbuf_freem(small), "was freed before");
	assert_panics((void)mbuf_len(small), "was freed before");
	assert_panics(mbuf_freem((mbuf_t)foreign), "is no mbuf");
	assert_panics(mbuf_freem_list((mbuf_t)foreign), "is no mbuf");
	assert_panics(mbuf_copydata((mbuf_t)foreign, 0, 1, bytes), "mbuf_copydata");

	/* its bytes live on in the copy, it does not */
	big = packet_with(3000, bytes);
	assert_int_equal(mbuf_copym(big, 0, MBUF_COPYALL, HOW, &copy), 0);
	mbuf_freem(big);
	assert_panics(mbuf_freem(big), "was freed before");
	assert_packet(copy, bytes, 3000);
	mbuf_freem(copy);
}

static void
a_large_mbuf_freed_twice_is_noticed(void **state)
{
	uint8_t bytes[3000];
	mbuf_t big = packet_with(3000, bytes);
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		/* by us, or by a sanitizer or the C library first */
		if (setjmp(*panic_expect()))
			_exit(3);
		mbuf_freem(big);
		mbuf_freem(big);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	mbuf_freem(big);
}

int
main(void)
{
#define MBUF_TEST(name) cmocka_unit_test_setup_teardown(name, memory_setup, memory_teardown)
	const struct CMUnitTest tests[] = {
		MBUF_TEST(a_new_packet_has_room_but_no_length),
		MBUF_TEST(a_packet_of_too_many_chunks_is_refused),
		MBUF_TEST(a_packet_of_nothing_is_refused),
		MBUF_TEST(single_mbufs_are_as_asked),
		MBUF_TEST(a_packet_from_bytes_is_one_mbuf),
		MBUF_TEST(a_window_stays_in_the_storage),
		MBUF_TEST(protected_flags_stay),
		MBUF_TEST(only_a_header_knows_of_the_packet),
		MBUF_TEST(chains_and_lists_are_linked_and_freed),
		MBUF_TEST(copydata_copies_all_or_nothing),
		MBUF_TEST(copyback_writes_over_and_beyond),
		MBUF_TEST(copyback_refuses_what_makes_no_sense),
		MBUF_TEST(adj_trims_either_end),
		MBUF_TEST(a_copy_shares_clusters),
		MBUF_TEST(a_duplicate_is_deep),
		MBUF_TEST(prepend_uses_space_or_a_new_front),
		MBUF_TEST(pullup_makes_the_front_contiguous),
		MBUF_TEST(pullup_of_too_much_frees),
		MBUF_TEST(split_gives_two_packets),
		MBUF_TEST(a_vector_leaves_empty_mbufs_out),
		MBUF_TEST(tags_belong_to_a_packet),
		MBUF_TEST(a_freed_or_foreign_mbuf_is_a_panic),
		MBUF_TEST(a_large_mbuf_freed_twice_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
