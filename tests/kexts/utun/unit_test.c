/*
 * utun beside a control server of the test's own: units, options, packets both ways, what
 * waits where.  builtin-controls.md §2.
 */
#include "tests/kexts/utun/fakes.h"
#include "tests/kexts/utun/network.h"

#include <net/if_utun.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kexts/host/mbuf_host.h"

#include <cmocka.h>

extern kmod_info_t kmod_info;

static int
kext_begin(void **state)
{
	(void)state;
	fake_log_clear();
	fake_is_root = true;
	return kmod_info.start(&kmod_info, NULL) != KERN_SUCCESS;
}

static int
kext_end(void **state)
{
	(void)state;
	fake_close_all();
	if (kmod_info.stop(&kmod_info, NULL) != KERN_SUCCESS)
		return -1;
	if (fake_objects() || mbuf_live_count())
		print_error("left behind: %d objects, %d mbufs\n", fake_objects(),
			    (int)mbuf_live_count());
	return fake_objects() || mbuf_live_count();
}

/* ---- the control ------------------------------------------------------------------------------
 */

static void
the_control_is_as_programs_expect(void **state)
{
	(void)state;
	assert_string_equal(kmod_info.name, "org.berth.utun");
	assert_string_equal(fake_registered->ctl_name, "com.apple.net.utun_control");
	assert_int_equal(fake_registered->ctl_flags,
			 CTL_FLAG_PRIVILEGED | CTL_FLAG_REG_SETUP | CTL_FLAG_REG_EXTENDED);
	assert_int_equal(fake_registered->ctl_sendsize, 512 * 1024);
	assert_int_equal(fake_registered->ctl_recvsize, 512 * 1024);
}

static void
a_kext_in_use_does_not_stop(void **state)
{
	struct fake_client *a;

	(void)state;
	fake_deregister_is_busy = true;
	assert_int_not_equal(kmod_info.stop(&kmod_info, NULL), KERN_SUCCESS);
	fake_deregister_is_busy = false;
	assert_int_equal(fake_bind(0, &a), 0); /* and works on */
	fake_close(a);
}

/* ---- units ------------------------------------------------------------------------------------
 */

static void
units_are_the_lowest_free_or_as_asked(void **state)
{
	struct fake_client *a, *b, *c, *d, *e;

	(void)state;
	assert_int_equal(fake_bind(0, &a), 0);
	assert_int_equal(a->unit, 1);
	assert_int_equal(fake_bind(3, &b), 0);
	assert_int_equal(b->unit, 3);
	assert_int_equal(fake_bind(0, &c), 0);
	assert_int_equal(c->unit, 2);
	assert_int_equal(fake_bind(0, &d), 0);
	assert_int_equal(d->unit, 4);
	assert_int_equal(fake_bind(3, &e), EBUSY);
	assert_int_equal(fake_bind(0xffffffff, &e), 0);
	assert_int_equal(e->unit, 0xffffffff);
	fake_close(e);
	fake_close(c);
	assert_int_equal(fake_bind(0, &c), 0);
	assert_int_equal(c->unit, 2);
	fake_close(b);
	assert_int_equal(fake_bind(3, &b), 0);
	fake_close(a);
	fake_close(b);
	fake_close(c);
	fake_close(d);
}

static void
a_unit_is_an_interface_while_it_is_connected(void **state)
{
	struct fake_client *a, *b;
	char name[20] = "";
	size_t size = sizeof(name);

	(void)state;
	assert_int_equal(fake_bind(5, &a), 0);
	assert_int_equal(network_flags("utun4"), -1);
	assert_int_equal(fake_connect_bound(a), 0);
	assert_int_equal(network_flags("utun4") & (IFF_UP | IFF_POINTOPOINT | IFF_MULTICAST |
						   IFF_RUNNING | IFF_BROADCAST),
			 IFF_UP | IFF_POINTOPOINT | IFF_MULTICAST | IFF_RUNNING);
	assert_int_equal(network_mtu("utun4"), 1500);
	network_set_mtu("utun4", 1280);
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, name, &size), 0);
	assert_string_equal(name, "utun4");
	assert_int_equal(size, 6);
	assert_int_equal(fake_connect(5, &b), EBUSY);
	fake_close(a);
	assert_int_equal(network_flags("utun4"), -1);
	assert_int_equal(fake_connect(5, &b), 0); /* and again */
	assert_int_equal(network_mtu("utun4"), 1500);
	fake_close(b);
}

static void
a_name_that_others_have_is_busy(void **state)
{
	int fd = network_tap("utun0");
	struct fake_client *a;

	(void)state;
	assert_int_equal(fake_connect(1, &a), EBUSY);
	assert_int_equal(fake_connect(0, &a), 0); /* who does not care gets another */
	assert_int_equal(a->unit, 2);
	fake_close(a);
	close(fd);
	assert_true(network_is_gone("utun0"));
	assert_int_equal(fake_connect(1, &a), 0); /* the failure has left nothing */
	fake_close(a);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static void
numbers_have_their_range_and_their_time(void **state)
{
	enum { ANY, BEFORE, AFTER };
	static const struct {
		int option;
		int time;
		bool root;
		uint32_t start, good, bad; /* bad 1: none is */
	} rows[] = {
		{ UTUN_OPT_FLAGS, BEFORE, true, 0, UTUN_FLAGS_NO_INPUT, 1 },
		{ UTUN_OPT_EXT_IFDATA_STATS, AFTER, true, 0, 1, 1 },
		{ UTUN_OPT_MAX_PENDING_PACKETS, ANY, false, 1, 77, 0 },
		{ UTUN_OPT_ENABLE_CHANNEL, AFTER, false, 0, 0, 1 },
		{ UTUN_OPT_ENABLE_FLOWSWITCH, AFTER, false, 0, 0, 1 },
		{ UTUN_OPT_ENABLE_NETIF, BEFORE, false, 0, 1, 1 },
		{ UTUN_OPT_SLOT_SIZE, BEFORE, false, 2048, 32768, 32769 },
		{ UTUN_OPT_SLOT_SIZE, BEFORE, false, 32768, 1024, 1023 },
		{ UTUN_OPT_NETIF_RING_SIZE, BEFORE, false, 64, 8, 7 },
		{ UTUN_OPT_TX_FSW_RING_SIZE, BEFORE, false, 64, 1024, 1025 },
		{ UTUN_OPT_RX_FSW_RING_SIZE, BEFORE, false, 128, 8, 0xffffffff },
		{ UTUN_OPT_KPIPE_TX_RING_SIZE, BEFORE, false, 0, 9, 0 },
		{ UTUN_OPT_KPIPE_RX_RING_SIZE, BEFORE, false, 0, 9, 0 },
	};
	uint32_t value, wide[2] = { 1, 0 };
	struct fake_client *a;
	size_t size;

	(void)state;
	assert_int_equal(fake_bind(0, &a), 0);
	for (int connected = 0; connected < 2; connected++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			bool in_time = rows[i].time == ANY || (rows[i].time == AFTER) == connected;
			bool was_set = connected && rows[i].time != AFTER;

			/* root, length, time, value: in this order */
			fake_is_root = false;
			value = rows[i].good;
			assert_int_equal(fake_setopt(a, rows[i].option, &value, 3),
					 rows[i].root ? EPERM : EMSGSIZE);
			fake_is_root = true;
			assert_int_equal(fake_setopt(a, rows[i].option, wide, 8), EMSGSIZE);
			assert_int_equal(fake_setopt(a, rows[i].option, NULL, 0), EMSGSIZE);
			value = rows[i].bad;
			if (value != 1)
				assert_int_equal(fake_setopt(a, rows[i].option, &value, 4), EINVAL);

			size = 4;
			assert_int_equal(fake_getopt(a, rows[i].option, &value, &size), 0);
			assert_int_equal(size, 4);
			if (!was_set)
				assert_int_equal(value, rows[i].start);
			value = rows[i].good;
			assert_int_equal(fake_setopt(a, rows[i].option, &value, 4),
					 in_time ? 0 : EINVAL);
			if (in_time) {
				value = 0x5555;
				assert_int_equal(fake_getopt(a, rows[i].option, &value, &size), 0);
				assert_int_equal(value, rows[i].good);
			}
			/* no size query, no other length */
			size = 0;
			assert_int_equal(fake_getopt(a, rows[i].option, NULL, &size), EMSGSIZE);
			size = 8;
			assert_int_equal(fake_getopt(a, rows[i].option, wide, &size), EMSGSIZE);
		}
		if (!connected)
			assert_int_equal(fake_connect_bound(a), 0);
	}
	value = 1;
	assert_int_equal(fake_setopt(a, UTUN_OPT_ENABLE_CHANNEL, &value, 4), ENOTSUP);
	assert_int_equal(fake_setopt(a, UTUN_OPT_ENABLE_FLOWSWITCH, &value, 4), ENOTSUP);
	fake_close(a);
}

static void
options_that_are_none_are_refused(void **state)
{
	static const int set_only[] = { UTUN_OPT_INC_IFDATA_STATS_IN, UTUN_OPT_INC_IFDATA_STATS_OUT,
					UTUN_OPT_SET_DELEGATE_INTERFACE,
					UTUN_OPT_ATTACH_FLOWSWITCH };
	static const int get_only[] = { UTUN_OPT_IFNAME, UTUN_OPT_GET_CHANNEL_UUID };
	static const int unknown[] = { 0, 6, 14, 28, -1, 1000000 };
	struct fake_client *a;
	uint8_t value[64] = { 1 };
	size_t size = 4;

	(void)state;
	assert_int_equal(fake_bind(0, &a), 0);
	for (size_t i = 0; i < sizeof(set_only) / sizeof(set_only[0]); i++)
		assert_int_equal(fake_getopt(a, set_only[i], value, &size), ENOPROTOOPT);
	for (size_t i = 0; i < sizeof(get_only) / sizeof(get_only[0]); i++)
		assert_int_equal(fake_setopt(a, get_only[i], value, 4), ENOPROTOOPT);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_int_equal(fake_getopt(a, unknown[i], value, &size), ENOPROTOOPT);
		assert_int_equal(fake_setopt(a, unknown[i], value, 4), ENOPROTOOPT);
	}
	assert_int_equal(fake_setopt(a, UTUN_OPT_ATTACH_FLOWSWITCH, value, 4), 0);
	size = 16;
	assert_int_equal(fake_getopt(a, UTUN_OPT_GET_CHANNEL_UUID, value, &size), ENXIO);
	size = 15;
	assert_int_equal(fake_getopt(a, UTUN_OPT_GET_CHANNEL_UUID, value, &size), EMSGSIZE);
	fake_close(a);
}

static void
a_name_needs_an_interface_and_room(void **state)
{
	char name[8] = "";
	struct fake_client *a;
	size_t size = 8;

	(void)state;
	assert_int_equal(fake_bind(11, &a), 0);
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, name, &size), EINVAL);
	size = 1;
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, name, &size), EINVAL);
	size = 0;
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, NULL, &size), EMSGSIZE);
	assert_int_equal(fake_connect_bound(a), 0);
	size = 6;
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, name, &size), EMSGSIZE);
	size = 0;
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, NULL, &size), EMSGSIZE);
	size = 7;
	assert_int_equal(fake_getopt(a, UTUN_OPT_IFNAME, name, &size), 0);
	assert_int_equal(size, 7);
	assert_string_equal(name, "utun10");
	fake_close(a);
}

static void
a_delegate_is_an_interface(void **state)
{
	struct fake_client *a;

	(void)state;
	assert_int_equal(fake_bind(0, &a), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, "lo", 2), EINVAL);
	assert_int_equal(fake_connect_bound(a), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, "lo", 2), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, "lo", 3), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, "nosuch0", 7), ENXIO);
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, "sixteen-letters-", 16),
			 EMSGSIZE);
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, NULL, 0), 0);
	fake_is_root = false;
	assert_int_equal(fake_setopt(a, UTUN_OPT_SET_DELEGATE_INTERFACE, "sixteen-letters-", 16),
			 EPERM);
	fake_close(a);
}

static void
a_program_may_count_itself(void **state)
{
	struct utun_stats_param more = { .utsp_packets = 1000,
					 .utsp_bytes = 77000,
					 .utsp_errors = 3 };
	struct fake_client *a;
	int on = 1;

	(void)state;
	assert_int_equal(fake_connect(0, &a), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_INC_IFDATA_STATS_IN, NULL, 0), EINVAL);
	assert_int_equal(fake_setopt(a, UTUN_OPT_INC_IFDATA_STATS_IN, &more, 23), EINVAL);
	assert_int_equal(fake_setopt(a, UTUN_OPT_INC_IFDATA_STATS_IN, &more, 24), EINVAL);
	assert_int_equal(fake_setopt(a, UTUN_OPT_EXT_IFDATA_STATS, &on, sizeof(on)), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_INC_IFDATA_STATS_IN, &more, 24), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_INC_IFDATA_STATS_OUT, &more, 24), 0);
	assert_int_equal(fake_setopt(a, UTUN_OPT_INC_IFDATA_STATS_OUT, &more, 24), 0);
	/* what we see does not count any more */
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, "x", 1, 100), 0);
	fake_close(a);
	assert_true(fake_logged("utun0: gone; in 1000 packets, 77000 bytes, 3 errors; "
				"out 2000 packets, 154000 bytes, 6 errors\n"));
}

/* ---- packets to the program -------------------------------------------------------------------
 */

/* An interface with addresses, whose packets come to *@client. */
static int
connect_with_addresses(struct fake_client **client)
{
	assert_int_equal(fake_connect(1, client), 0);
	network_address("utun0", "10.9.0.1", "10.9.0.2");
	return socket_udp(7000);
}

static void
expect_packet(const uint8_t *packet, size_t size, char first)
{
	assert_true(size >= 29);
	assert_int_equal(packet[0], 0x45);
	assert_memory_equal(packet + 12, "\x0a\x09\x00\x01\x0a\x09\x00\x02", 8);
	assert_int_equal(packet[28], first);
}

static void
packets_of_the_interface_are_records(void **state)
{
	struct fake_client *a;
	uint8_t record[2048];
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	socket_udp_send(udp, "10.9.0.2", 9, "hello", 5);
	assert_int_equal(fake_receive(a, record, sizeof(record), false), 4 + 33);
	assert_memory_equal(record, "\0\0\0\2", 4);
	expect_packet(record + 4, 33, 'h');

	network_address6("utun0", "fd00:9::1");
	socket_udp_send(udp, "fd00:9::2", 9, "hello", 5);
	do { /* Linux says who it is first */
		assert_true(fake_receive(a, record, sizeof(record), false) > 44);
	} while (record[4 + 6] != IPPROTO_UDP);
	assert_memory_equal(record, "\0\0\0", 3);
	assert_int_equal(record[3], AF_INET6);
	assert_int_equal(record[4] >> 4, 6);
	close(udp);
	fake_close(a);
}

static void
a_new_interface_is_silent(void **state)
{
	struct fake_client *a;
	uint8_t record[2048];
	int udp;

	(void)state;
	/* no announcements of IPv6 before what somebody has sent */
	udp = connect_with_addresses(&a);
	usleep(50000);
	socket_udp_send(udp, "10.9.0.2", 9, "1", 1);
	assert_int_equal(fake_receive(a, record, sizeof(record), false), 4 + 29);
	expect_packet(record + 4, 29, '1');
	close(udp);
	fake_close(a);
}

static void
packets_wait_in_the_interface(void **state)
{
	struct fake_client *a;
	uint8_t record[2048];
	uint32_t pending = 10;
	char text = 'a';
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	for (text = 'a'; text <= 'z'; text++)
		socket_udp_send(udp, "10.9.0.2", 9, &text, 1);
	for (text = 'a'; text <= 'z'; text++) {
		fake_expect(a, 1);
		usleep(1000);
		assert_int_equal(a->count, 1); /* never more than one */
		assert_int_equal(fake_receive(a, record, sizeof(record), false), 33);
		expect_packet(record + 4, 29, text);
	}
	assert_int_equal(fake_setopt(a, UTUN_OPT_MAX_PENDING_PACKETS, &pending, 4), 0);
	for (text = 'a'; text <= 'z'; text++)
		socket_udp_send(udp, "10.9.0.2", 9, &text, 1);
	fake_expect(a, 10);
	usleep(20000);
	assert_int_equal(a->count, 10);
	pending = 15; /* goes on at once */
	assert_int_equal(fake_setopt(a, UTUN_OPT_MAX_PENDING_PACKETS, &pending, 4), 0);
	fake_expect(a, 15);
	for (text = 'a'; text <= 'z'; text++) {
		fake_receive(a, record, sizeof(record), false);
		expect_packet(record + 4, 29, text);
	}
	close(udp);
	fake_close(a);
}

static void
fewer_bytes_than_the_low_water_mark_do_not_pause(void **state)
{
	struct fake_client *a;
	uint8_t record[2048];
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	a->lowat = 5 * 33;
	for (char text = 'a'; text <= 'z'; text++)
		socket_udp_send(udp, "10.9.0.2", 9, &text, 1);
	fake_expect(a, 5);
	usleep(20000);
	assert_int_equal(a->count, 5);
	for (char text = 'a'; text <= 'z'; text++) {
		fake_receive(a, record, sizeof(record), false);
		expect_packet(record + 4, 29, text);
	}
	close(udp);
	fake_close(a);
}

static void
a_socket_without_room_loses_nothing(void **state)
{
	struct fake_client *a;
	uint8_t record[2048];
	uint32_t pending = 100;
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	assert_int_equal(fake_setopt(a, UTUN_OPT_MAX_PENDING_PACKETS, &pending, 4), 0);
	a->room = 80; /* two records */
	for (char text = 'a'; text <= 'z'; text++)
		socket_udp_send(udp, "10.9.0.2", 9, &text, 1);
	for (char text = 'a'; text <= 'z'; text++) {
		/* a bare system call tells nobody that it has read; it goes on all the same */
		fake_receive(a, record, sizeof(record), text == 'c');
		expect_packet(record + 4, 29, text);
	}
	close(udp);
	fake_close(a);
	assert_true(fake_logged("out 26 packets, 754 bytes, 0 errors"));
}

static void
what_the_socket_can_never_take_is_dropped(void **state)
{
	struct fake_client *a;
	uint8_t record[2048];
	static const uint8_t large[500];
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	a->room = 100;
	socket_udp_send(udp, "10.9.0.2", 9, large, sizeof(large));
	socket_udp_send(udp, "10.9.0.2", 9, "b", 1);
	assert_int_equal(fake_receive(a, record, sizeof(record), false), 33);
	expect_packet(record + 4, 29, 'b');
	close(udp);
	fake_close(a);
	assert_true(fake_logged("out 1 packets, 29 bytes, 1 errors"));
}

static void
an_end_comes_in_any_moment(void **state)
{
	struct fake_client *a;
	int udp;

	(void)state;
	/* while it waits for packets */
	udp = connect_with_addresses(&a);
	fake_close(a);
	close(udp);
	/* while it waits for its turn; while it holds a packet */
	for (int i = 0; i < 2; i++) {
		uint32_t pending = i ? 100 : 1;

		udp = connect_with_addresses(&a);
		assert_int_equal(fake_setopt(a, UTUN_OPT_MAX_PENDING_PACKETS, &pending, 4), 0);
		a->room = 40;
		for (char text = 'a'; text <= 'z'; text++)
			socket_udp_send(udp, "10.9.0.2", 9, &text, 1);
		fake_expect(a, 1);
		usleep(5000);
		fake_close(a);
		close(udp);
		assert_int_equal(network_flags("utun0"), -1);
	}
}

static void
an_interface_may_be_taken_away(void **state)
{
	struct fake_client *a;

	(void)state;
	assert_int_equal(fake_connect(1, &a), 0);
	network_delete("utun0");
	assert_true(network_is_gone("utun0"));
	for (int i = 0; i < 2000 && !fake_logged("utun0: its interface was taken away"); i++)
		usleep(10000);
	assert_true(fake_logged("utun0: its interface was taken away"));
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, "\x45xxx", 4, 100), 0);
	fake_close(a);
	assert_int_equal(fake_connect(1, &a), 0);
	fake_close(a);
}

/* ---- packets from the program -------------------------------------------------------------------
 */

static void
records_are_packets_of_the_interface(void **state)
{
	static const size_t pieces[] = { 200, 100, 13, 3, 1 };
	uint8_t packet[2048], got[2048];
	static uint8_t data[900];
	struct fake_client *a;
	size_t size;
	int udp;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	udp = connect_with_addresses(&a);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		data[0] = (uint8_t)i;
		size = packet_udp(packet, "10.9.0.2", "10.9.0.1", 7000, data, sizeof(data));
		assert_int_equal(fake_send(a, "\0\0\0\2", 4, packet, size, pieces[i]), 0);
		assert_int_equal(recv(udp, got, sizeof(got), 0), sizeof(data));
		assert_memory_equal(got, data, sizeof(data));
	}
	close(udp);
	fake_close(a);
}

static void
ip6_has_either_number(void **state)
{
	uint8_t packet[2048], got[2048];
	struct fake_client *a;
	size_t size;
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	network_address6("utun0", "fd00:9::1");
	for (int i = 0; i < 2; i++) {
		size = packet_udp6(packet, "fd00:9::2", "fd00:9::1", 7000, i ? "b" : "a", 1);
		/* Linux looks whether an address is another's before it uses it */
		for (int tries = 0; tries < 2000; tries++) {
			assert_int_equal(
			    fake_send(a, i ? "\0\0\0\x1e" : "\0\0\0\x0a", 4, packet, size, 100), 0);
			if (recv(udp, got, sizeof(got), MSG_DONTWAIT) == 1 &&
			    got[0] == (i ? 'b' : 'a'))
				break;
			usleep(10000);
		}
		assert_int_equal(got[0], i ? 'b' : 'a');
	}
	close(udp);
	fake_close(a);
}

static void
what_is_no_packet_is_dropped_silently(void **state)
{
	uint8_t packet[2048], got[16];
	static const uint8_t huge[70000] = { 0x45 };
	struct fake_client *a;
	size_t size;
	int udp;

	(void)state;
	udp = connect_with_addresses(&a);
	size = packet_udp(packet, "10.9.0.2", "10.9.0.1", 7000, "a", 1);
	assert_int_equal(fake_send(a, "\0\0\0\7", 4, packet, size, 100), 0); /* what family? */
	assert_int_equal(fake_send(a, "\2\0\0\0", 4, packet, size, 100), 0);
	assert_int_equal(fake_send(a, "", 0, "", 0, 100), 0);
	assert_int_equal(fake_send(a, "\0\0\0", 3, "", 0, 100), 0);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, "", 0, 100), 0);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, "\x45", 1, 100), 0);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, "garbage", 7, 100), 0);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, huge, sizeof(huge), 200), 0);
	size = packet_udp(packet, "10.9.0.2", "10.9.0.1", 7000, "b", 1);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, packet, size, 100), 0);
	assert_int_equal(recv(udp, got, sizeof(got), 0), 1);
	assert_int_equal(got[0], 'b');
	assert_true(fake_logged("utun0: a record of 0 bytes was written"));
	assert_false(fake_logged("utun0: a record of 3 bytes")); /* once is enough */
	close(udp);
	fake_close(a);
}

/* ---- flags --------------------------------------------------------------------------------------
 */

static int
connect_with_flags(uint32_t flags, struct fake_client **client)
{
	assert_int_equal(fake_bind(1, client), 0);
	assert_int_equal(fake_setopt(*client, UTUN_OPT_FLAGS, &flags, sizeof(flags)), 0);
	assert_int_equal(fake_connect_bound(*client), 0);
	network_address("utun0", "10.9.0.1", "10.9.0.2");
	return socket_udp(7000);
}

static void
flags_stop_either_way(void **state)
{
	uint8_t packet[2048], got[16];
	struct fake_client *a;
	size_t size;
	int udp;

	(void)state;
	size = packet_udp(packet, "10.9.0.2", "10.9.0.1", 7000, "a", 1);
	udp = connect_with_flags(UTUN_FLAGS_NO_OUTPUT, &a);
	socket_udp_send(udp, "10.9.0.2", 9, "x", 1);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, packet, size, 100), 0);
	assert_int_equal(recv(udp, got, sizeof(got), 0), 1);
	usleep(20000);
	assert_int_equal(a->count, 0);
	close(udp);
	fake_close(a);

	udp = connect_with_flags(UTUN_FLAGS_NO_INPUT, &a);
	assert_int_equal(fake_send(a, "\0\0\0\2", 4, packet, size, 100), 0);
	socket_udp_send(udp, "10.9.0.2", 9, "x", 1);
	assert_int_equal(fake_receive(a, packet, sizeof(packet), false), 33);
	usleep(20000);
	assert_int_equal(recv(udp, got, sizeof(got), MSG_DONTWAIT), -1);
	close(udp);
	fake_close(a);
}

static void
a_uuid_follows_the_family_if_asked_for(void **state)
{
	static const uint8_t zeros[16];
	uint8_t packet[2048], got[16], header[20] = { 0, 0, 0, 2, 0xab, 0xcd };
	struct fake_client *a;
	size_t size;
	int udp;

	(void)state;
	udp = connect_with_flags(UTUN_FLAGS_ENABLE_PROC_UUID, &a);
	socket_udp_send(udp, "10.9.0.2", 9, "x", 1);
	assert_int_equal(fake_receive(a, packet, sizeof(packet), false), 20 + 29);
	assert_memory_equal(packet, "\0\0\0\2", 4);
	assert_memory_equal(packet + 4, zeros, 16);
	expect_packet(packet + 20, 29, 'x');
	size = packet_udp(packet, "10.9.0.2", "10.9.0.1", 7000, "a", 1);
	assert_int_equal(fake_send(a, header, 19, "", 0, 100), 0);
	assert_int_equal(fake_send(a, header, 20, packet, size, 100), 0);
	assert_int_equal(recv(udp, got, sizeof(got), 0), 1);
	close(udp);
	fake_close(a);
}

int
main(void)
{
#define UTUN_TEST(name) cmocka_unit_test_setup_teardown(name, kext_begin, kext_end)
	const struct CMUnitTest tests[] = {
		UTUN_TEST(the_control_is_as_programs_expect),
		UTUN_TEST(a_kext_in_use_does_not_stop),
		UTUN_TEST(units_are_the_lowest_free_or_as_asked),
		UTUN_TEST(a_unit_is_an_interface_while_it_is_connected),
		UTUN_TEST(a_name_that_others_have_is_busy),
		UTUN_TEST(numbers_have_their_range_and_their_time),
		UTUN_TEST(options_that_are_none_are_refused),
		UTUN_TEST(a_name_needs_an_interface_and_room),
		UTUN_TEST(a_delegate_is_an_interface),
		UTUN_TEST(a_program_may_count_itself),
		UTUN_TEST(packets_of_the_interface_are_records),
		UTUN_TEST(a_new_interface_is_silent),
		UTUN_TEST(packets_wait_in_the_interface),
		UTUN_TEST(fewer_bytes_than_the_low_water_mark_do_not_pause),
		UTUN_TEST(a_socket_without_room_loses_nothing),
		UTUN_TEST(what_the_socket_can_never_take_is_dropped),
		UTUN_TEST(an_end_comes_in_any_moment),
		UTUN_TEST(an_interface_may_be_taken_away),
		UTUN_TEST(records_are_packets_of_the_interface),
		UTUN_TEST(ip6_has_either_number),
		UTUN_TEST(what_is_no_packet_is_dropped_silently),
		UTUN_TEST(flags_stop_either_way),
		UTUN_TEST(a_uuid_follows_the_family_if_asked_for),
	};

	if (!network_enter())
		return MESON_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
