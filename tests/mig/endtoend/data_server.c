/*
 * Checks what comes by the seed that came with it, and gives the values of seed + 1.
 */
#include "mig_server.h"

#include "dataServer.h"

const struct served served = {
	.demux = data_server,
	.max_size = 4096,
};

static int told_a;
static name_t told_b;
static int32_t told_c[8];
static mach_msg_type_number_t told_c_count;
static int told_nothing;

kern_return_t
data_nothing(mach_port_t server)
{
	expect(server != MACH_PORT_NULL);
	return KERN_SUCCESS;
}

kern_return_t
data_scalars(mach_port_t server, int seed, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e,
	     uint32_t f, int64_t g, uint64_t h, char i, boolean_t j, float k, double l, short m,
	     enum_color_t n, int8_t *oa, uint8_t *ob, int16_t *oc, uint16_t *od, int32_t *oe,
	     uint32_t *of_, int64_t *og, uint64_t *oh, char *oi, boolean_t *oj, float *ok,
	     double *ol, short *om, enum_color_t *on)
{
	uint64_t s = (uint64_t)seed;

	expect_equal(a, (int8_t)value_of(s, 0));
	expect_equal(b, (uint8_t)value_of(s, 1));
	expect_equal(c, (int16_t)value_of(s, 2));
	expect_equal(d, (uint16_t)value_of(s, 3));
	expect_equal(e, (int32_t)value_of(s, 4));
	expect_equal(f, (uint32_t)value_of(s, 5));
	expect_equal(g, (int64_t)value_of(s, 6));
	expect_equal(h, value_of(s, 7));
	expect_equal(i, (char)value_of(s, 8));
	expect_equal(j, (boolean_t)value_of(s, 9));
	expect(k == (float)seed + 0.25f);
	expect(l == (double)seed - 0.125);
	expect_equal(m, (short)value_of(s, 10));
	expect_equal(n, COLOR_GREEN);
	s++;
	*oa = (int8_t)value_of(s, 0);
	*ob = (uint8_t)value_of(s, 1);
	*oc = (int16_t)value_of(s, 2);
	*od = (uint16_t)value_of(s, 3);
	*oe = (int32_t)value_of(s, 4);
	*of_ = (uint32_t)value_of(s, 5);
	*og = (int64_t)value_of(s, 6);
	*oh = value_of(s, 7);
	*oi = (char)value_of(s, 8);
	*oj = (boolean_t)value_of(s, 9);
	*ok = -k;
	*ol = -l;
	*om = (short)value_of(s, 10);
	*on = COLOR_RED;
	return KERN_SUCCESS;
}

kern_return_t
data_inout(mach_port_t server, int8_t *a, int16_t *b, int64_t *c, double *d, point_t *e,
	   seven_bytes_t f, label_t g)
{
	*a = (int8_t)(*a + 1);
	*b = (int16_t)(*b + 1);
	*c += 1;
	*d *= 2;
	*e = (point_t){ e->z, e->x, e->y };
	for (int i = 0; i < 7; i++)
		f[i] ^= 0x55;
	for (char *p = g; *p != '\0'; p++)
		*p ^= 0x20;
	return KERN_SUCCESS;
}

kern_return_t
data_fixed(mach_port_t server, int seed, point_t a, odd_t b, four_ints_t c, const seven_bytes_t d,
	   grid_t e, wide_t f, point_t *oa, odd_t *ob, four_ints_t oc, seven_bytes_t od, grid_t oe,
	   wide_t *of_)
{
	uint64_t s = (uint64_t)seed * 100;

	expect(values_match(&a, sizeof(a), s));
	expect(values_match(&b, sizeof(b), s + 1));
	expect(values_match(c, sizeof(four_ints_t), s + 2));
	expect(values_match(d, sizeof(seven_bytes_t), s + 3));
	expect(values_match(e, sizeof(grid_t), s + 4));
	expect(values_match(&f, sizeof(f), s + 5));
	s += 50;
	values_fill(oa, sizeof(*oa), s);
	values_fill(ob, sizeof(*ob), s + 1);
	values_fill(oc, sizeof(four_ints_t), s + 2);
	values_fill(od, sizeof(seven_bytes_t), s + 3);
	values_fill(oe, sizeof(grid_t), s + 4);
	values_fill(of_, sizeof(*of_), s + 5);
	return KERN_SUCCESS;
}

kern_return_t
data_arrays(mach_port_t server, int seed, const bytes_t a, mach_msg_type_number_t aCnt, ints_t b,
	    mach_msg_type_number_t bCnt, int64_t x, shorts_t c, mach_msg_type_number_t cCnt,
	    longs_t d, mach_msg_type_number_t dCnt, points_t e, mach_msg_type_number_t eCnt,
	    odds_t f, mach_msg_type_number_t fCnt, int8_t y, bytes_t oa,
	    mach_msg_type_number_t *oaCnt, ints_t ob, mach_msg_type_number_t *obCnt, int64_t *ox,
	    shorts_t oc, mach_msg_type_number_t *ocCnt, longs_t od, mach_msg_type_number_t *odCnt,
	    points_t oe, mach_msg_type_number_t *oeCnt, odds_t of_, mach_msg_type_number_t *of_Cnt,
	    int8_t *oy)
{
	uint64_t s = (uint64_t)seed * 100;

	expect(values_match(a, aCnt, s));
	expect(values_match(b, bCnt * sizeof(*b), s + 1));
	expect_equal(x, (int64_t)value_of(s, 2));
	expect(values_match(c, cCnt * sizeof(*c), s + 3));
	expect(values_match(d, dCnt * sizeof(*d), s + 4));
	expect(values_match(e, eCnt * sizeof(*e), s + 5));
	expect(values_match(f, fCnt * sizeof(*f), s + 6));
	expect_equal(y, (int8_t)value_of(s, 7));
	/* what there is room for is told */
	expect_equal(*oaCnt, 10);
	expect_equal(*obCnt, 8);
	expect_equal(*ocCnt, 9);
	expect_equal(*odCnt, 5);
	expect_equal(*oeCnt, 6);
	expect_equal(*of_Cnt, 7);
	s += 50;
	values_fill(oa, *oaCnt = aCnt, s);
	values_fill(ob, (*obCnt = bCnt) * sizeof(*ob), s + 1);
	*ox = (int64_t)value_of(s, 2);
	values_fill(oc, (*ocCnt = cCnt) * sizeof(*oc), s + 3);
	values_fill(od, (*odCnt = dCnt) * sizeof(*od), s + 4);
	values_fill(oe, (*oeCnt = eCnt) * sizeof(*oe), s + 5);
	values_fill(of_, (*of_Cnt = fCnt) * sizeof(*of_), s + 6);
	*oy = (int8_t)value_of(s, 7);
	return KERN_SUCCESS;
}

kern_return_t
data_overfull(mach_port_t server, uint32_t count, bytes_t a, mach_msg_type_number_t *aCnt)
{
	values_fill(a, 10, 77);
	*aCnt = count;
	return KERN_SUCCESS;
}

kern_return_t
data_strings(mach_port_t server, name_t a, const label_t b, int32_t x, const name_t c, letter_t d,
	     name_t oa, label_t ob, int32_t *ox, name_t oc, letter_t od)
{
	expect_equal(x, (int)(strlen(a) * 1000 + strlen(b) * 100 + strlen(c)));
	strcpy(oa, c);
	strcpy(ob, b);
	*ox = x + 1;
	strcpy(oc, a);
	expect_equal(d[0], '\0');
	od[0] = '\0';
	return KERN_SUCCESS;
}

kern_return_t
data_countinout(mach_port_t server, uint32_t have, int32_t before, ints_t a,
		mach_msg_type_number_t *aCnt, bytes_t b, mach_msg_type_number_t *bCnt,
		int32_t *after, uint32_t *a_room, uint32_t *b_room)
{
	expect_equal(before, 1234567);
	*a_room = *aCnt;
	*b_room = *bCnt;
	values_fill(a, have * sizeof(*a), 5);
	values_fill(b, have, 6);
	*aCnt = *bCnt = have;
	*after = 7654321;
	return KERN_SUCCESS;
}

kern_return_t
data_samecount(mach_port_t server, ints_t a, mach_msg_type_number_t aCnt, bytes_t b, longs_t c,
	       ints_t oa, mach_msg_type_number_t *oaCnt, bytes_t ob)
{
	expect(values_match(a, aCnt * sizeof(*a), 1));
	expect(values_match(b, aCnt, 2));
	expect(values_match(c, aCnt * sizeof(*c), 3));
	expect_equal(*oaCnt, 8);
	*oaCnt = aCnt;
	values_fill(oa, aCnt * sizeof(*oa), 4);
	values_fill(ob, aCnt, 5);
	return KERN_SUCCESS;
}

kern_return_t
data_tell(mach_port_t server, int a, name_t b, ints_t c, mach_msg_type_number_t cCnt)
{
	told_a = a;
	strcpy(told_b, b);
	memcpy(told_c, c, cCnt * sizeof(*c));
	told_c_count = cCnt;
	return KERN_FAILURE; /* nobody hears of it */
}

kern_return_t
data_tell_nothing(mach_port_t server)
{
	told_nothing++;
	return KERN_SUCCESS;
}

kern_return_t
data_told(mach_port_t server, int *a, name_t b, ints_t c, mach_msg_type_number_t *cCnt,
	  int *nothing)
{
	*a = told_a;
	strcpy(b, told_b);
	memcpy(c, told_c, told_c_count * sizeof(*c));
	*cCnt = told_c_count;
	*nothing = told_nothing;
	return KERN_SUCCESS;
}

kern_return_t
data_fail(mach_port_t server, int code, ints_t a, mach_msg_type_number_t *aCnt)
{
	*aCnt = 3;
	return code;
}
