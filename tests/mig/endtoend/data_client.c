/*
 * Sends the values of a seed and checks that those of the next come back.
 */
#include "mig_client.h"

#include "data.h"

#include <mach/mig_errors.h>

static void
scalars(mach_port_t server, int seed)
{
	uint64_t s = (uint64_t)seed;
	int8_t oa;
	uint8_t ob;
	int16_t oc;
	uint16_t od;
	int32_t oe;
	uint32_t of_;
	int64_t og;
	uint64_t oh;
	char oi;
	boolean_t oj;
	float ok;
	double ol;
	short om;
	enum_color_t on;

	expect_equal(data_scalars(server, seed, (int8_t)value_of(s, 0), (uint8_t)value_of(s, 1),
				  (int16_t)value_of(s, 2), (uint16_t)value_of(s, 3),
				  (int32_t)value_of(s, 4), (uint32_t)value_of(s, 5),
				  (int64_t)value_of(s, 6), value_of(s, 7), (char)value_of(s, 8),
				  (boolean_t)value_of(s, 9), (float)seed + 0.25f,
				  (double)seed - 0.125, (short)value_of(s, 10), COLOR_GREEN, &oa,
				  &ob, &oc, &od, &oe, &of_, &og, &oh, &oi, &oj, &ok, &ol, &om, &on),
		     KERN_SUCCESS);
	s++;
	expect_equal(oa, (int8_t)value_of(s, 0));
	expect_equal(ob, (uint8_t)value_of(s, 1));
	expect_equal(oc, (int16_t)value_of(s, 2));
	expect_equal(od, (uint16_t)value_of(s, 3));
	expect_equal(oe, (int32_t)value_of(s, 4));
	expect_equal(of_, (uint32_t)value_of(s, 5));
	expect_equal(og, (int64_t)value_of(s, 6));
	expect_equal(oh, value_of(s, 7));
	expect_equal(oi, (char)value_of(s, 8));
	expect_equal(oj, (boolean_t)value_of(s, 9));
	expect(ok == -((float)seed + 0.25f));
	expect(ol == -((double)seed - 0.125));
	expect_equal(om, (short)value_of(s, 10));
	expect_equal(on, COLOR_RED);
}

static void
inout(mach_port_t server)
{
	int8_t a = -1;
	int16_t b = 0x7fff;
	int64_t c = -1;
	double d = 1.5;
	point_t e = { 1, 2, 3 };
	seven_bytes_t f = { 0, 1, 2, 3, 4, 5, 6 };
	label_t g = "MixedCase";

	expect_equal(data_inout(server, &a, &b, &c, &d, &e, f, g), KERN_SUCCESS);
	expect_equal(a, 0);
	expect_equal(b, -0x8000);
	expect_equal(c, 0);
	expect(d == 3.0);
	expect(e.x == 3 && e.y == 1 && e.z == 2);
	for (int i = 0; i < 7; i++)
		expect_equal(f[i], i ^ 0x55);
	expect(strcmp(g, "mIXEDcASE") == 0);
}

static void
fixed(mach_port_t server, int seed)
{
	uint64_t s = (uint64_t)seed * 100;
	point_t a;
	odd_t b;
	four_ints_t c;
	seven_bytes_t d;
	grid_t e;
	wide_t f;

	values_fill(&a, sizeof(a), s);
	values_fill(&b, sizeof(b), s + 1);
	values_fill(c, sizeof(c), s + 2);
	values_fill(d, sizeof(d), s + 3);
	values_fill(e, sizeof(e), s + 4);
	values_fill(&f, sizeof(f), s + 5);
	expect_equal(data_fixed(server, seed, a, b, c, d, e, f, &a, &b, c, d, e, &f), KERN_SUCCESS);
	s += 50;
	expect(values_match(&a, sizeof(a), s));
	expect(values_match(&b, sizeof(b), s + 1));
	expect(values_match(c, sizeof(c), s + 2));
	expect(values_match(d, sizeof(d), s + 3));
	expect(values_match(e, sizeof(e), s + 4));
	expect(values_match(&f, sizeof(f), s + 5));
}

/* With so many elements of each array; what follows in the message must not be disturbed. */
static void
arrays(mach_port_t server, int seed, const unsigned counts[6])
{
	uint64_t s = (uint64_t)seed * 100;
	bytes_t a, oa;
	int32_t b[8], ob[8];
	int16_t c[9], oc[9];
	longs_t d, od;
	point_t e[6], oe[6];
	odds_t f, of_;
	int64_t ox;
	int8_t oy;
	mach_msg_type_number_t got[6] = { 10, 8, 9, 5, 6, 7 };

	values_fill(a, counts[0], s);
	values_fill(b, counts[1] * sizeof(*b), s + 1);
	values_fill(c, counts[2] * sizeof(*c), s + 3);
	values_fill(d, counts[3] * sizeof(*d), s + 4);
	values_fill(e, counts[4] * sizeof(*e), s + 5);
	values_fill(f, counts[5] * sizeof(*f), s + 6);
	expect_equal(data_arrays(server, seed, a, counts[0], b, counts[1], (int64_t)value_of(s, 2),
				 c, counts[2], d, counts[3], e, counts[4], f, counts[5],
				 (int8_t)value_of(s, 7), oa, &got[0], ob, &got[1], &ox, oc, &got[2],
				 od, &got[3], oe, &got[4], of_, &got[5], &oy),
		     KERN_SUCCESS);
	for (int i = 0; i < 6; i++)
		expect_equal(got[i], counts[i]);
	s += 50;
	expect(values_match(oa, counts[0], s));
	expect(values_match(ob, counts[1] * sizeof(*b), s + 1));
	expect_equal(ox, (int64_t)value_of(s, 2));
	expect(values_match(oc, counts[2] * sizeof(*c), s + 3));
	expect(values_match(od, counts[3] * sizeof(*d), s + 4));
	expect(values_match(oe, counts[4] * sizeof(*e), s + 5));
	expect(values_match(of_, counts[5] * sizeof(*f), s + 6));
	expect_equal(oy, (int8_t)value_of(s, 7));
}

static void
arrays_of_all_lengths(mach_port_t server)
{
	static const unsigned most[6] = { 10, 8, 9, 5, 6, 7 };
	unsigned counts[6];

	/* each of them empty, of one element, nearly full or full, beside the others */
	for (int seed = 0; seed < 4 * 4 * 4 * 4; seed++) {
		for (int i = 0; i < 6; i++) {
			int choice = (seed >> (2 * (i % 4))) + (i >= 4 ? seed / 7 : 0);
			counts[i] = (const unsigned[]){ 0, 1, most[i] - 1, most[i] }[choice & 3];
		}
		arrays(server, seed, counts);
	}
}

/* Too many elements to send are refused before anything is sent. */
static void
arrays_too_long(mach_port_t server)
{
	bytes_t out;
	int32_t ints[9] = { 0 };
	bytes_t bytes = { 0 };
	longs_t longs = { 0 };
	mach_msg_type_number_t out_count = 10;

	expect_equal(data_tell(server, 1, (char[16]){ "never" }, ints, 9), MIG_ARRAY_TOO_LARGE);
	expect_equal(data_tell(server, 1, (char[16]){ "never" }, ints, 0xffffffff),
		     MIG_ARRAY_TOO_LARGE);
	expect_equal(data_tell(server, 1, (char[16]){ "never" }, ints, 0x40000000),
		     MIG_ARRAY_TOO_LARGE);
	/* where the count is shared, the smallest array decides */
	int32_t out_ints[8];
	expect_equal(data_samecount(server, ints, 6, bytes, longs, out_ints, &out_count, out),
		     MIG_ARRAY_TOO_LARGE);
}

/* Whatever the server function claims, what reaches the client is bounded. */
static void
arrays_overfull(mach_port_t server)
{
	static const uint32_t counts[] = { 11, 12, 4096, 0xfffffff0, 0xffffffff };
	struct {
		bytes_t bytes;
		uint8_t guard[64];
	} a;

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		mach_msg_type_number_t count = 10;
		memset(&a, 0xa5, sizeof(a));
		kern_return_t code = data_overfull(server, counts[i], a.bytes, &count);
		expect(code == KERN_SUCCESS ? count <= 10 : code < 0);
		for (size_t j = 0; j < sizeof(a.guard); j++)
			expect_equal(a.guard[j], 0xa5);
	}
}

/* What of @from fits into @size bytes with its NUL. */
static void
cut(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

static void
strings(mach_port_t server, const char *a, const char *b, const char *c)
{
	/* what does not fit is cut; the message holds no more than the type says */
	char a_cut[16], b_cut[12], c_cut[16];
	name_t oa, oc;
	label_t ob;
	letter_t od;
	int32_t x, ox;
	char long_letter[] = "long";

	cut(a_cut, a, sizeof(a_cut));
	cut(b_cut, b, sizeof(b_cut));
	cut(c_cut, c, sizeof(c_cut));
	memset(oa, 'x', sizeof(oa));
	memset(ob, 'x', sizeof(ob));
	memset(oc, 'x', sizeof(oc));
	x = (int)(strlen(a_cut) * 1000 + strlen(b_cut) * 100 + strlen(c_cut));
	expect_equal(data_strings(server, (char *)a, b, x, c, long_letter, oa, ob, &ox, oc, od),
		     KERN_SUCCESS);
	expect(strcmp(oa, c_cut) == 0);
	expect(strcmp(ob, b_cut) == 0);
	expect_equal(ox, x + 1);
	expect(strcmp(oc, a_cut) == 0);
	expect_equal(od[0], '\0');
}

static void
strings_of_all_lengths(mach_port_t server)
{
	static const size_t lengths[] = { 0, 1, 3, 10, 11, 12, 14, 15, 16, 17, 40 };
	size_t count = sizeof(lengths) / sizeof(*lengths);
	char a[64], b[64], c[64];

	for (size_t i = 0; i < count * count; i++) {
		memset(a, 'a', sizeof(a));
		memset(b, 'b', sizeof(b));
		memset(c, 'c', sizeof(c));
		a[lengths[i % count]] = '\0';
		b[lengths[(i / count) % count]] = '\0';
		c[lengths[(i * 3 + 1) % count]] = '\0';
		strings(server, a, b, c);
	}
}

static void
countinout(mach_port_t server, uint32_t have, mach_msg_type_number_t a_room,
	   mach_msg_type_number_t b_room)
{
	int32_t a[20];
	uint8_t b[20];
	mach_msg_type_number_t a_count = a_room, b_count = b_room;
	int32_t after = 0;
	uint32_t a_told = 99, b_told = 99;

	memset(a, 0x5a, sizeof(a));
	memset(b, 0x5a, sizeof(b));
	kern_return_t code = data_countinout(server, have, 1234567, a, &a_count, b, &b_count,
					     &after, &a_told, &b_told);
	/* what does not fit is not written, and its count is told */
	mach_msg_type_number_t a_got = have < a_room ? have : a_room;
	expect(values_match(a, a_got * sizeof(*a), 5));
	for (size_t i = a_got; i < 20; i++)
		expect_equal(a[i], 0x5a5a5a5a);
	if (have > a_room) {
		expect_equal(code, MIG_ARRAY_TOO_LARGE);
		expect_equal(a_count, have);
		return;
	}
	expect_equal(a_count, have);
	mach_msg_type_number_t b_got = have < b_room ? have : b_room;
	expect(values_match(b, b_got, 6));
	for (size_t i = b_got; i < 20; i++)
		expect_equal(b[i], 0x5a);
	expect_equal(b_count, have);
	if (have > b_room) {
		expect_equal(code, MIG_ARRAY_TOO_LARGE);
		return;
	}
	expect_equal(code, KERN_SUCCESS);
	expect_equal(after, 7654321);
	/* the server is told no more than the type allows */
	expect_equal(a_told, a_room < 8 ? a_room : 8);
	expect_equal(b_told, b_room < 10 ? b_room : 10);
}

static void
countinout_of_all_rooms(mach_port_t server)
{
	static const mach_msg_type_number_t rooms[] = { 0, 1, 4, 5, 6, 8, 10, 20 };
	static const uint32_t have[] = { 0, 1, 5, 8 };

	for (size_t i = 0; i < 8; i++)
		for (size_t j = 0; j < 8; j++)
			for (size_t k = 0; k < 4; k++)
				countinout(server, have[k], rooms[i], rooms[j]);
}

static void
samecount(mach_port_t server, mach_msg_type_number_t count)
{
	int32_t a[8], oa[8];
	bytes_t b, ob;
	longs_t c;
	mach_msg_type_number_t got = 8;

	values_fill(a, count * sizeof(*a), 1);
	values_fill(b, count, 2);
	values_fill(c, count * sizeof(*c), 3);
	expect_equal(data_samecount(server, a, count, b, c, oa, &got, ob), KERN_SUCCESS);
	expect_equal(got, count);
	expect(values_match(oa, count * sizeof(*oa), 4));
	expect(values_match(ob, count, 5));
}

static void
simple(mach_port_t server)
{
	int a, nothing;
	name_t b;
	int32_t c[8], oc[8];
	mach_msg_type_number_t count = 8;

	values_fill(c, sizeof(c), 9);
	for (unsigned i = 0; i <= 8; i++) {
		expect_equal(data_tell(server, (int)i, (char[16]){ "told" }, c, i),
			     MACH_MSG_SUCCESS);
		expect_equal(data_tell_nothing(server), MACH_MSG_SUCCESS);
		expect_equal(data_told(server, &a, b, oc, &count, &nothing), KERN_SUCCESS);
		expect_equal(a, i);
		expect(strcmp(b, "told") == 0);
		expect_equal(count, i);
		expect(memcmp(c, oc, i * sizeof(*c)) == 0);
		expect_equal(nothing, i + 1);
	}
}

static void
failures(mach_port_t server)
{
	static const int codes[] = { KERN_FAILURE, 1, -1, -300, -304, -306, 0x7fffffff };
	int32_t a[8] = { 0 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		mach_msg_type_number_t count = 8;
		expect_equal(data_fail(server, codes[i], a, &count), codes[i]);
	}
	expect_equal(data_nothing(MACH_PORT_NULL), MACH_SEND_INVALID_DEST);
}

void
client(mach_port_t server)
{
	expect_equal(data_nothing(server), KERN_SUCCESS);
	for (int seed = 0; seed < 20; seed++)
		scalars(server, seed);
	inout(server);
	for (int seed = 0; seed < 5; seed++)
		fixed(server, seed);
	arrays_of_all_lengths(server);
	arrays_too_long(server);
	arrays_overfull(server);
	strings_of_all_lengths(server);
	countinout_of_all_rooms(server);
	for (unsigned count = 0; count <= 5; count++)
		samecount(server, count);
	simple(server);
	failures(server);
	expect_equal(data_MSG_COUNT, 15);
}
