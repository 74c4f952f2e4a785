/*
 * Requests that are wrong in one way each: the reply is the 36 bytes that carry a code, no
 * server function is called, and what the request held is given up, once.
 */
#include "mig_client.h"
#include "raw.h"

#include "shapes.h"

#include <mach/mig_errors.h>

enum { /* ids */
       FIXED = 43000,
       NOTHING,
       SKIPPED,
       VARIABLE,
       PORTS,
       MEMORY,
       POLY,
       BOTH,
       RIGHTS,
       TELL,
       TOKEN,
       MANAGED,
       LONGS,
       END = 43000 + 24,
       LAST_SKIP = END - 1
};

#define BIG (64 * 1024)

static mach_port_t server;
static mach_port_t held; /* both sides have a send right to it: one given up too often shows */
static uint8_t *memory_block;
static mach_port_t held_names[64];

/* What @raw, of @what, gets in return: a code in the only form that has one. */
static void
expect_refused(const char *what, struct raw raw, kern_return_t code)
{
	mach_port_t reply_port = mig_get_reply_port();
	mach_msg_id_t id = raw.header.msgh_id;
	int count = -1;

	raw_send(&raw, server, reply_port);
	struct raw reply = raw_receive(reply_port);
	mig_reply_error_t *error = (mig_reply_error_t *)&reply.header;
	if (error->Head.msgh_size != 36 || error->RetCode != code)
		fprintf(stderr, "%s:\n", what);
	expect_equal(reply.size, 36);
	expect_equal(error->RetCode, code);
	expect_equal(error->Head.msgh_id, id + 100);
	expect_equal(error->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX, 0);
	expect(memcmp(&error->NDR, &NDR_record, sizeof(NDR_record)) == 0);
	expect_equal(calls(server, &count), KERN_SUCCESS);
	expect_equal(count, 0);
}

/* @raw is served: it shows that what the tests vary is right. */
static struct raw
expect_served(const char *what, struct raw raw, kern_return_t code)
{
	mach_port_t reply_port = mig_get_reply_port();
	int count = -1;

	raw_send(&raw, server, reply_port);
	struct raw reply = raw_receive(reply_port);
	if (((mig_reply_error_t *)&reply.header)->RetCode != code)
		fprintf(stderr, "%s:\n", what);
	expect_equal(((mig_reply_error_t *)&reply.header)->RetCode, code);
	expect_equal(calls(server, &count), KERN_SUCCESS);
	expect_equal(count, 1);
	return reply;
}

/* ---- ids ----------------------------------------------------------------------------- */

static void
wrong_ids(void)
{
	static const mach_msg_id_t ids[] = {
		SKIPPED, LAST_SKIP, END,         END + 1,    FIXED - 1,
		0,       -1,        FIXED + 100, 0x7fffff00, (mach_msg_id_t)0x80000000
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct raw raw = raw_new(ids[i]);
		expect_refused("a wrong id", raw, MIG_BAD_ID);
		raw_body(&raw);
		raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
		raw_ool(&raw, memory_block, BIG, false);
		raw_ool_ports(&raw, held_names, 8, MACH_MSG_TYPE_MAKE_SEND);
		expect_refused("a wrong id with rights", raw, MIG_BAD_ID);
	}
}

/* ---- sizes and shapes ------------------------------------------------------------------ */

static struct raw
fixed_request(void)
{
	struct raw raw = raw_new(FIXED);

	raw_ndr(&raw);
	raw_u32(&raw, 5);
	return raw;
}

static void
wrong_sizes(void)
{
	struct raw right = fixed_request();

	expect_served("a number", right, KERN_SUCCESS);
	for (size_t size = 24; size <= 60; size += 4) {
		struct raw raw = right;
		raw.size = size;
		if (size != right.size)
			expect_refused("a wrong size", raw, MIG_BAD_ARGUMENTS);
	}
	struct raw raw = raw_new(NOTHING);
	expect_served("nothing", raw, KERN_SUCCESS);
	raw_u32(&raw, 0);
	expect_refused("bytes where there are none", raw, MIG_BAD_ARGUMENTS);
}

static void
complex_for_simple(void)
{
	struct raw raw = raw_new(FIXED);

	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_MAKE_SEND);
	expect_refused("a port where there is none", raw, MIG_BAD_ARGUMENTS);
	raw_ndr(&raw);
	raw_u32(&raw, 5);
	expect_refused("a port before what is right", raw, MIG_BAD_ARGUMENTS);
	/* the right size, but complex: no descriptor, 8 more bytes */
	raw = raw_new(FIXED);
	raw_body(&raw);
	raw_ndr(&raw);
	expect_refused("complex of the right size", raw, MIG_BAD_ARGUMENTS);
	raw = raw_new(NOTHING);
	raw_body(&raw);
	raw_ool(&raw, memory_block, BIG, false);
	expect_refused("memory where there is nothing", raw, MIG_BAD_ARGUMENTS);
}

/* ---- descriptors ----------------------------------------------------------------------- */

/* Descriptors of a request for PORTS; @n is the one to be wrong, in this @way. */
enum way { RIGHT, AS_ONCE, AS_RECEIVE, AS_OOL, AS_OOL_PORTS, LEFT_OUT, DOUBLED, WAYS };

static void
any_descriptor(struct raw *raw, enum way way)
{
	switch (way) {
	case AS_ONCE:
		raw_port(raw, held, MACH_MSG_TYPE_MAKE_SEND_ONCE);
		break;
	case AS_RECEIVE:
		raw_port(raw, receive_right_new(), MACH_MSG_TYPE_MOVE_RECEIVE);
		break;
	case AS_OOL:
		raw_ool(raw, memory_block, BIG, false);
		break;
	case AS_OOL_PORTS:
		raw_ool_ports(raw, held_names, 3, MACH_MSG_TYPE_COPY_SEND);
		break;
	case DOUBLED:
		raw_port(raw, held, MACH_MSG_TYPE_COPY_SEND);
		raw_port(raw, held, MACH_MSG_TYPE_COPY_SEND);
		break;
	case LEFT_OUT:
		break;
	default:
		raw_port(raw, held, MACH_MSG_TYPE_COPY_SEND);
		break;
	}
}

static struct raw
ports_request(int wrong, enum way way, uint32_t count)
{
	struct raw raw = raw_new(PORTS);

	raw_body(&raw);
	for (int i = 0; i < 7; i++) {
		/* a, four of b, two of c: b has nothing behind what is counted */
		bool is_rest = i >= 1 && i < 5 && (uint32_t)i > count;
		if (is_rest && i != wrong)
			raw_port(&raw, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND);
		else
			any_descriptor(&raw, i == wrong ? way : RIGHT);
	}
	raw_ndr(&raw);
	raw_u32(&raw, count);
	return raw;
}

static void
wrong_ports(void)
{
	expect_served("a full row", ports_request(-1, RIGHT, 4), KERN_FAILURE);
	expect_served("an empty row", ports_request(-1, RIGHT, 0), KERN_FAILURE);
	for (int i = 0; i < 7; i++)
		for (enum way way = AS_ONCE; way < WAYS; way++) {
			struct raw raw = ports_request(i, way, 4);
			/* an OOL descriptor is larger: the size is looked at first */
			kern_return_t code = way == AS_ONCE || way == AS_RECEIVE
						 ? MIG_TYPE_ERROR
						 : MIG_BAD_ARGUMENTS;
			expect_refused("a wrong descriptor in a row", raw, code);
		}
	expect_refused("a right behind the last", ports_request(4, RIGHT, 3), MIG_TYPE_ERROR);
	/* the right size and number, but one is larger and bytes are missing */
	struct raw raw = ports_request(3, AS_OOL, 4);
	raw.size -= 4;
	expect_refused("a wrong type at the right size", raw, MIG_TYPE_ERROR);
	expect_refused("more than the row has", ports_request(-1, RIGHT, 5), MIG_BAD_ARGUMENTS);
	expect_refused("far more", ports_request(-1, RIGHT, 0xffffffff), MIG_BAD_ARGUMENTS);
	raw = ports_request(-1, RIGHT, 2);
	raw.size -= 4;
	expect_refused("no count", raw, MIG_BAD_ARGUMENTS);
	raw = raw_new(PORTS);
	expect_refused("simple and empty", raw, MIG_BAD_ARGUMENTS);
	raw = ports_request(-1, RIGHT, 2);
	raw.header.msgh_bits = 0;
	raw.descriptor_count = 0;
	expect_refused("simple of the right size", raw, MIG_BAD_ARGUMENTS);
}

static void
wrong_rights(void)
{
	static const mach_msg_type_name_t ways[] = { MACH_MSG_TYPE_MAKE_SEND,
						     MACH_MSG_TYPE_MAKE_SEND_ONCE,
						     MACH_MSG_TYPE_MOVE_RECEIVE };

	/* each right as each of the three: one way is right */
	for (int i = 0; i < 27; i++) {
		int way[3] = { i % 3, i / 3 % 3, i / 9 };
		struct raw raw = raw_new(RIGHTS);
		raw_body(&raw);
		for (int j = 0; j < 3; j++)
			raw_port(&raw, way[j] == 2 ? receive_right_new() : held, ways[way[j]]);
		if (way[0] == 0 && way[1] == 1 && way[2] == 2)
			expect_served("the rights of that kind", raw, KERN_FAILURE);
		else
			expect_refused("another right", raw, MIG_TYPE_ERROR);
	}
	/* the other routine takes any of them, but no memory */
	struct raw raw = raw_new(POLY);
	raw_body(&raw);
	raw_ool_ports(&raw, held_names, 3, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	raw_ndr(&raw);
	expect_refused("an array for a polymorphic right", raw, MIG_TYPE_ERROR);
	raw = raw_new(POLY);
	raw_body(&raw);
	raw_ool(&raw, memory_block, BIG, false);
	raw_ndr(&raw);
	expect_refused("memory for a polymorphic right", raw, MIG_TYPE_ERROR);
}

/* ---- memory ---------------------------------------------------------------------------- */

struct memory_request {
	size_t a_size, b_size, c_size;
	uint32_t f_count, a_told, b_told, f_told;
	enum way f_way;
	mach_msg_type_name_t f_disposition;
};

static struct raw
memory_request(struct memory_request m)
{
	struct raw raw = raw_new(MEMORY);

	raw_body(&raw);
	raw_ool(&raw, memory_block, m.a_size, false);
	raw_ool(&raw, memory_block, m.b_size, false);
	raw_ool(&raw, memory_block, m.c_size, false);
	if (m.f_way == RIGHT)
		raw_ool_ports(&raw, held_names, m.f_count, m.f_disposition);
	else
		any_descriptor(&raw, m.f_way);
	raw_ndr(&raw);
	raw_u32(&raw, m.a_told);
	raw_u32(&raw, m.b_told);
	raw_u32(&raw, m.f_told);
	return raw;
}

static void
wrong_memory(void)
{
	const struct memory_request right = { BIG, 64,    64,
					      3,   BIG,   16,
					      3,   RIGHT, MACH_MSG_TYPE_COPY_SEND };
	struct memory_request m;

	expect_served("memory", memory_request(right), KERN_FAILURE);
	m = right, m.a_size = m.a_told = 0, m.b_size = m.b_told = 0, m.f_count = m.f_told = 0;
	expect_served("no memory", memory_request(m), KERN_FAILURE);

	static const uint32_t lies[] = {
		0, 1, BIG - 1, BIG + 1, 0x7fffffff, 0x80000000, 0xffffffff
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		m = right, m.a_told = lies[i];
		expect_refused("another size than told", memory_request(m), MIG_TYPE_ERROR);
		m = right, m.f_told = lies[i];
		expect_refused("another number of rights", memory_request(m), MIG_TYPE_ERROR);
		m = right, m.b_told = lies[i];
		expect_refused("another number of ints", memory_request(m), MIG_TYPE_ERROR);
	}
	for (uint32_t size = 61; size < 64; size++) {
		m = right, m.b_size = size, m.b_told = 15;
		expect_refused("a part of an int", memory_request(m), MIG_TYPE_ERROR);
	}
	m = right, m.b_size = 68, m.b_told = 17;
	expect_refused("more than the most", memory_request(m), MIG_TYPE_ERROR);
	m = right, m.b_told = 0x40000000 + 16; /* times 4 is 64 in 32 bits */
	expect_refused("a number that wraps", memory_request(m), MIG_TYPE_ERROR);
	m = right, m.c_size = 60;
	expect_refused("too little of a fixed size", memory_request(m), MIG_TYPE_ERROR);
	m = right, m.c_size = 68;
	expect_refused("too much of a fixed size", memory_request(m), MIG_TYPE_ERROR);
	m = right, m.f_disposition = MACH_MSG_TYPE_MAKE_SEND_ONCE;
	expect_refused("an array of other rights", memory_request(m), MIG_TYPE_ERROR);
	m = right, m.f_way = AS_OOL, m.f_told = BIG;
	expect_refused("memory for rights", memory_request(m), MIG_TYPE_ERROR);
	m = right, m.f_way = RIGHT;
	struct raw raw = memory_request(m);
	raw.size -= 4;
	expect_refused("a count left out", raw, MIG_BAD_ARGUMENTS);

	raw = raw_new(MEMORY); /* rights for memory */
	raw_body(&raw);
	raw_ool_ports(&raw, held_names, 3, MACH_MSG_TYPE_COPY_SEND);
	raw_ool(&raw, memory_block, 64, false);
	raw_ool(&raw, memory_block, 64, false);
	raw_ool_ports(&raw, held_names, 3, MACH_MSG_TYPE_COPY_SEND);
	raw_ndr(&raw);
	raw_u32(&raw, 3), raw_u32(&raw, 16), raw_u32(&raw, 3);
	expect_refused("rights for memory", raw, MIG_TYPE_ERROR);
}

static void
wrong_managed(void)
{
	struct raw raw = raw_new(MANAGED);

	raw_body(&raw);
	raw_ool(&raw, memory_block, BIG, false);
	raw_ndr(&raw);
	struct raw lie = raw;
	raw_u32(&raw, BIG);
	expect_served("managed memory", raw, KERN_FAILURE);
	raw_u32(&lie, BIG / 2);
	expect_refused("managed memory of another size", lie, MIG_TYPE_ERROR);
}

static struct raw
longs_request(size_t size, uint32_t told, uint32_t names)
{
	struct raw raw = raw_new(LONGS);

	raw_body(&raw);
	raw_ool(&raw, memory_block, size, false);
	raw_ool_ports(&raw, held_names, names, MACH_MSG_TYPE_COPY_SEND);
	raw_ndr(&raw);
	raw_u32(&raw, told);
	return raw;
}

static void
wrong_longs(void)
{
	expect_served("longs", longs_request(64, 8, 4), KERN_FAILURE);
	expect_refused("too few rights", longs_request(64, 8, 3), MIG_TYPE_ERROR);
	expect_refused("too many rights", longs_request(64, 8, 5), MIG_TYPE_ERROR);
	expect_refused("no rights", longs_request(64, 8, 0), MIG_TYPE_ERROR);
	expect_refused("a number that wraps", longs_request(64, 0x20000008, 4), MIG_TYPE_ERROR);
	expect_refused("a number that wraps twice", longs_request(64, 0x80000008, 4),
		       MIG_TYPE_ERROR);
	expect_refused("a part of a long", longs_request(68, 8, 4), MIG_TYPE_ERROR);
}

/* ---- variable data ----------------------------------------------------------------------- */

struct variable_request {
	uint32_t a, s_offset, s, b, ob;   /* counts as told */
	size_t a_bytes, s_bytes, b_bytes; /* as sent */
	bool s_ends, f_ends;
};

static struct raw
variable_request(struct variable_request v)
{
	struct raw raw = raw_new(VARIABLE);
	char letters[256];

	memset(letters, 'l', sizeof(letters));
	raw_ndr(&raw);
	raw_u32(&raw, v.a);
	raw_bytes(&raw, letters, v.a_bytes);
	raw_u32(&raw, 'x');
	raw_u32(&raw, v.s_offset);
	raw_u32(&raw, v.s);
	if (v.s_ends)
		letters[v.s_bytes - 1] = '\0';
	raw_bytes(&raw, letters, v.s_bytes);
	memset(letters, 'f', sizeof(letters));
	if (v.f_ends)
		letters[63] = '\0';
	raw_bytes(&raw, letters, 64);
	raw_u32(&raw, v.b);
	raw_bytes(&raw, letters, v.b_bytes);
	raw_u32(&raw, 'y');
	raw_u32(&raw, v.ob);
	return raw;
}

static struct variable_request
variable_right(uint32_t a, uint32_t s, uint32_t b)
{
	return (struct variable_request){ .a = a,
					  .s = s,
					  .b = b,
					  .ob = 5,
					  .a_bytes = a,
					  .s_bytes = s,
					  .b_bytes = b * 4,
					  .s_ends = true,
					  .f_ends = true };
}

/* The result of the golden layout: 140 bytes with these three. */
static void
right_variables(void)
{
	struct variable_request v = variable_right(3, 3, 2);

	expect_equal(variable_request(v).size, 140);
	expect_equal(variable_request(variable_right(10, 128, 5)).size, 284);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t a = (const uint32_t[]){ 0, 1, 9, 10 }[i % 4];
		uint32_t s = (const uint32_t[]){ 1, 2, 127, 128 }[i / 4 % 4];
		uint32_t b = (const uint32_t[]){ 0, 1, 4, 5 }[i / 16];
		struct raw reply =
		    expect_served("variables", variable_request(variable_right(a, s, b)), 0);
		int32_t *ob = (int32_t *)(reply.bytes + 40);
		expect_equal(reply.size, 56);
		expect_equal(ob[-1], 4);
		expect_equal(ob[0], a);
		expect_equal(ob[1], s - 1);
		expect_equal(ob[2], 63);
		expect_equal(ob[3], b);
	}
}

static void
wrong_variables(void)
{
	static const uint32_t lies[] = { 11, 12, 0x7ffffffc, 0x80000000, 0xfffffff8, 0xffffffff };
	const struct variable_request right = variable_right(8, 8, 2);
	struct variable_request v;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		v = right, v.a = lies[i];
		expect_refused("too many bytes told", variable_request(v), MIG_BAD_ARGUMENTS);
		v = right, v.b = lies[i];
		expect_refused("too many ints told", variable_request(v), MIG_BAD_ARGUMENTS);
		v = right, v.s = 118 + lies[i];
		expect_refused("too long a string told", variable_request(v), MIG_BAD_ARGUMENTS);
	}
	/* counts within bounds, but not the bytes that are there */
	for (uint32_t a = 0; a <= 10; a++)
		if ((a + 3) / 4 != 2) {
			v = right, v.a = a;
			expect_refused("another number of bytes", variable_request(v),
				       MIG_BAD_ARGUMENTS);
		}
	for (uint32_t s = 0; s <= 128; s += 4)
		if (s != 8) {
			v = right, v.s = s;
			expect_refused("another length", variable_request(v), MIG_BAD_ARGUMENTS);
		}
	for (uint32_t b = 0; b <= 5; b++)
		if (b != 2) {
			v = right, v.b = b;
			expect_refused("another number of ints", variable_request(v),
				       MIG_BAD_ARGUMENTS);
		}
	v = right, v.s_ends = false;
	expect_refused("a string that does not end", variable_request(v), MIG_BAD_ARGUMENTS);
	v = right, v.f_ends = false;
	expect_refused("a field that does not end", variable_request(v), MIG_BAD_ARGUMENTS);
	v = variable_right(8, 128, 5), v.s_ends = false;
	expect_refused("a full string that does not end", variable_request(v), MIG_BAD_ARGUMENTS);
	/* the end of the message, anywhere */
	struct raw whole = variable_request(variable_right(10, 128, 5));
	for (size_t size = 24; size < whole.size; size += 4) {
		struct raw raw = whole;
		raw.size = size;
		expect_refused("cut", raw, MIG_BAD_ARGUMENTS);
	}
	whole.size += 4;
	expect_refused("more than the most", whole, MIG_BAD_ARGUMENTS);
	struct raw longer = variable_request(right);
	longer.size += 4;
	expect_refused("bytes behind", longer, MIG_BAD_ARGUMENTS);
}

/* ---- others ------------------------------------------------------------------------------ */

static struct raw
both_request(uint32_t told, mach_msg_type_name_t disposition)
{
	struct raw raw = raw_new(BOTH);

	raw_body(&raw);
	raw_port(&raw, held, disposition);
	raw_ool(&raw, memory_block, BIG, false);
	raw_ndr(&raw);
	raw_u32(&raw, 1);
	raw_u32(&raw, told);
	raw_bytes(&raw, "abc", 3);
	return raw;
}

static void
wrong_both(void)
{
	expect_served("one both ways", both_request(BIG, MACH_MSG_TYPE_COPY_SEND), KERN_FAILURE);
	expect_refused("a lie of a size", both_request(BIG - 1, MACH_MSG_TYPE_COPY_SEND),
		       MIG_TYPE_ERROR);
	expect_refused("another right", both_request(BIG, MACH_MSG_TYPE_MAKE_SEND_ONCE),
		       MIG_TYPE_ERROR);
}

/* A server that does not ask who sends must not be told. */
static void
no_trailer(void)
{
	struct raw raw = raw_new(TOKEN);

	raw_ndr(&raw);
	raw_u32(&raw, 1);
	expect_refused("no audit trailer", raw, MIG_TRAILER_ERROR);
}

/* A one-way message has no reply, but its rights are given up like others. */
static void
wrong_tell(mach_port_t port)
{
	int count = -1;

	for (int way = 0; way < 3; way++) {
		struct raw raw = raw_new(TELL);
		raw_body(&raw);
		raw_port(&raw, held,
			 way == 0 ? MACH_MSG_TYPE_MAKE_SEND_ONCE : MACH_MSG_TYPE_COPY_SEND);
		raw_ndr(&raw);
		raw_u32(&raw, 1);
		if (way == 1)
			raw_u32(&raw, 2);
		raw_send(&raw, port, MACH_PORT_NULL);
		expect_equal(calls(port, &count), KERN_SUCCESS);
		expect_equal(count, way == 2);
	}
	/* asked for an answer all the same, it says how it went */
	struct raw raw = raw_new(TELL);
	raw_ndr(&raw);
	expect_refused("a simple one-way message", raw, MIG_BAD_ARGUMENTS);
}

/* A reply right that is a send right serves as well. */
static void
reply_by_send_right(void)
{
	struct raw raw = raw_new(SKIPPED);

	raw.header.msgh_local_port = mig_get_reply_port();
	raw.header.msgh_bits = MACH_MSGH_BITS(0, MACH_MSG_TYPE_MAKE_SEND);
	expect_refused("with a send right", raw, MIG_BAD_ID);
}

/* Take what came of the send-once rights that were given up: one notice each. */
static unsigned
notices(void)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} notice;
	unsigned count = 0;

	while (mach_msg(&notice.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(notice), held, 0,
			MACH_PORT_NULL) == MACH_MSG_SUCCESS) {
		expect_equal(notice.header.msgh_id, 71);
		count++;
	}
	return count;
}

static void
everything(mach_port_t port)
{
	wrong_ids();
	wrong_sizes();
	complex_for_simple();
	wrong_ports();
	wrong_rights();
	wrong_memory();
	wrong_managed();
	wrong_longs();
	right_variables();
	wrong_variables();
	wrong_both();
	no_trailer();
	wrong_tell(port);
	reply_by_send_right();
	notices();
}

void
client(mach_port_t port)
{
	server = port;
	held = port_new();
	memory_block = memory_new(BIG + 4096);
	for (size_t i = 0; i < sizeof(held_names) / sizeof(*held_names); i++)
		held_names[i] = held;
	expect_equal(hold(server, held), KERN_SUCCESS);

	/* one at a time, exactly */
	struct holdings theirs = server_state(server).holdings;
	struct holdings ours = holdings_now();
	everything(port);
	holdings_expect_equal(server_state(server).holdings, theirs);
	holdings_expect_equal(holdings_now(), ours);
	/* and their memory: 60 requests or so with 64 KiB each */
	repeat_and_count(server, 10, 30 * BIG, everything);

	memory_end(memory_block, BIG + 4096);
	expect_equal(let_go(server), KERN_SUCCESS);
	port_end(held);
}
