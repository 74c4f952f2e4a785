/*
 * Replies that are wrong in one way each, to stubs of shapes.defs: the code says how, the
 * reply is given up, and the caller's variables are as they were.
 *
 * One task is both sides: the reply waits in the reply port when the stub is called, the
 * request goes to a port of our own.
 */
#include "raw.h"

#include "shapes.h"

#include <mach/mig_errors.h>

enum { /* ids of replies */
       FIXED = 43100,
       NOTHING,
       VARIABLE = 43103,
       GIVES_PORT = 43113,
       GIVES_VARIABLE,
       GIVES_COMPLEX,
       GIVES_POLY
};

#define BIG (64 * 1024)
#define UNTOUCHED 0x5a5a5a5a

static mach_port_t service; /* where requests go */
static mach_port_t held;    /* what replies carry rights to */
static mach_port_t held_names[8];
static uint8_t *memory_block;
static struct holdings at_rest; /* between calls */

/* ---- calls ------------------------------------------------------------------------------- */

struct outcome {
	kern_return_t code;
	int64_t b;
	mach_port_t p, ports[4];
	mach_msg_type_name_t poly;
	uint8_t bytes[16];
	int x, ints[8];
	char string[128];
	void *c, *d, *e, *f, *g;
	mach_msg_type_number_t counts[5];
	audit_token_t audit;
};

static kern_return_t
call(mach_msg_id_t id, struct outcome *o)
{
	switch (id) {
	case FIXED:
		return fixed(service, 1, &o->b);
	case NOTHING:
		return nothing(service);
	case VARIABLE:
		return variable(service, o->bytes, 3, 1, (char[128]){ "s" }, (char[64]){ "f" },
				o->ints, 2, 1, o->ints, &o->counts[0]);
	case GIVES_PORT:
		return gives_port(service, &o->p);
	case GIVES_VARIABLE:
		return gives_variable(service, o->bytes, &o->counts[0], &o->x, o->string, o->ints,
				      &o->counts[1]);
	case GIVES_COMPLEX:
		return gives_complex(
		    service, &o->p, o->ports, &o->counts[0], (ool_bytes_t *)(void *)&o->c,
		    &o->counts[1], (ool_ints16_t *)(void *)&o->d, &o->counts[2],
		    (ool_16ints_t *)(void *)&o->e, (ool_ports_t *)(void *)&o->f, &o->counts[3],
		    (ool_4ports_t *)(void *)&o->g, &o->x, o->bytes, &o->counts[4]);
	case GIVES_POLY:
		return gives_poly(service, &o->p, &o->poly, &o->audit);
	default:
		expect(!"an id of these");
		return KERN_FAILURE;
	}
}

/* What waits at @port, given up. */
static void
drain(mach_port_t port)
{
	struct {
		mach_msg_header_t header;
		uint8_t more[4096];
	} message;

	while (mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message), port,
			0, MACH_PORT_NULL) == MACH_MSG_SUCCESS)
		mach_msg_destroy(&message.header);
}

/* Call the stub that @reply answers. */
static struct outcome
answered_as(mach_msg_id_t id, struct raw reply)
{
	struct outcome o;
	mach_port_t reply_port = mig_get_reply_port();

	memset(&o, 0x5a, sizeof(o));
	for (int i = 0; i < 5; i++)
		o.counts[i] = i == 0 ? 4 : 10;
	raw_send(&reply, reply_port, MACH_PORT_NULL);
	o.code = call(id, &o);
	drain(service);
	drain(mig_get_reply_port()); /* the request's own reply right was given up: a notice */
	return o;
}

/* Bytes that the stub is ready for; the kernel does not deliver more. */
static size_t
room(mach_msg_id_t id)
{
	switch (id) {
	case FIXED:
		return sizeof(__Reply__fixed_t);
	case NOTHING:
		return sizeof(__Reply__nothing_t);
	case VARIABLE:
		return sizeof(__Reply__variable_t);
	case GIVES_PORT:
		return sizeof(__Reply__gives_port_t);
	case GIVES_VARIABLE:
		return sizeof(__Reply__gives_variable_t);
	case GIVES_COMPLEX:
		return sizeof(__Reply__gives_complex_t);
	default:
		return sizeof(__Reply__gives_poly_t);
	}
}

static void
expect_given_up(const char *what, mach_msg_id_t id, struct raw reply, kern_return_t code)
{
	struct outcome o = answered_as(id, reply);

	if (o.code == MACH_RCV_TOO_LARGE && reply.size > room(id))
		o.code = code;
	if (o.code != code)
		fprintf(stderr, "%s (%u bytes, id %d):\n", what, (unsigned)reply.size, id);
	expect_equal(o.code, code);
	expect_equal(o.p, UNTOUCHED);
	expect((uintptr_t)o.c == 0x5a5a5a5a5a5a5a5a);
	drain(held);
	holdings_expect_equal(holdings_now(), at_rest);
}

static void
expect_code(const char *what, struct raw reply, kern_return_t code)
{
	expect_given_up(what, reply.header.msgh_id, reply, code);
}

/* ---- replies ----------------------------------------------------------------------------- */

static struct raw
error_reply(mach_msg_id_t id, kern_return_t code)
{
	struct raw raw = raw_new(id);

	raw_ndr(&raw);
	raw_u32(&raw, (uint32_t)code);
	return raw;
}

static struct raw
fixed_reply(mach_msg_id_t id)
{
	struct raw raw = error_reply(id, KERN_SUCCESS);

	raw_u32(&raw, 0x11223344);
	raw_u32(&raw, 0x55667788);
	return raw;
}

/* With a right, memory and an array of rights. */
static struct raw
laden_reply(mach_msg_id_t id)
{
	struct raw raw = raw_new(id);

	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_MAKE_SEND);
	raw_ool(&raw, memory_block, BIG, false);
	raw_ool_ports(&raw, held_names, 8, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	raw_port(&raw, held, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	raw_port(&raw, receive_right_new(), MACH_MSG_TYPE_MOVE_RECEIVE);
	return raw;
}

static const mach_msg_id_t all[] = { FIXED,          NOTHING,       VARIABLE,  GIVES_PORT,
				     GIVES_VARIABLE, GIVES_COMPLEX, GIVES_POLY };

static void
wrong_ids(void)
{
	static const mach_msg_id_t wrong[] = { 0, -1, 43000, 43099, 43200, 70, 72, 0x7fffffff };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (size_t j = 0; j < sizeof(wrong) / sizeof(*wrong); j++) {
			expect_given_up("a wrong id", all[i], fixed_reply(wrong[j]),
					MIG_REPLY_MISMATCH);
			expect_given_up("a wrong id with a code", all[i], error_reply(wrong[j], 5),
					MIG_REPLY_MISMATCH);
			expect_given_up("a wrong id with rights", all[i], laden_reply(wrong[j]),
					MIG_REPLY_MISMATCH);
		}
}

/* The kernel's notice that a send-once right was given up unused. */
static void
server_died(void)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		mach_port_t name;
		mach_msg_type_name_t type;
		struct outcome o = { 0 };

		o.counts[0] = 4;
		expect_equal(mach_port_extract_right(mach_task_self(), mig_get_reply_port(),
						     MACH_MSG_TYPE_MAKE_SEND_ONCE, &name, &type),
			     0);
		expect_equal(mach_port_deallocate(mach_task_self(), name), 0);
		expect_equal(call(all[i], &o), MIG_SERVER_DIED);
		drain(service);
		drain(mig_get_reply_port());
		holdings_expect_equal(holdings_now(), at_rest);
	}
}

static void
codes(void)
{
	static const kern_return_t some[] = { 5, -1, MIG_BAD_ID, MIG_TYPE_ERROR, 0x7fffffff };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		for (size_t j = 0; j < sizeof(some) / sizeof(*some); j++)
			expect_code("a code", error_reply(all[i], some[j]), some[j]);
		if (all[i] != NOTHING)
			expect_code("no code, and nothing else", error_reply(all[i], 0),
				    MIG_TYPE_ERROR);
		/* whatever its size and kind, with a right to answer to there is something wrong */
		for (int way = 0; way < 2; way++) {
			struct raw raw = way == 0 ? error_reply(all[i], 5) : laden_reply(all[i]);
			raw.header.msgh_bits |= MACH_MSGH_BITS(0, MACH_MSG_TYPE_MAKE_SEND_ONCE);
			raw.header.msgh_local_port = held;
			expect_code("a reply that wants a reply", raw, MIG_TYPE_ERROR);
		}
		expect_code("laden", laden_reply(all[i]), MIG_TYPE_ERROR);
		struct raw raw = raw_new(all[i]);
		expect_code("a header", raw, MIG_TYPE_ERROR);
		raw_u32(&raw, 0);
		expect_code("a header and a bit", raw, MIG_TYPE_ERROR);
		raw_u32(&raw, 1);
		expect_code("no room for a code", raw, MIG_TYPE_ERROR);
	}
}

static void
wrong_fixed(void)
{
	struct raw right = fixed_reply(FIXED);
	struct outcome o = answered_as(FIXED, right);

	expect_equal(o.code, KERN_SUCCESS);
	expect_equal(o.b, 0x5566778811223344);
	expect_equal(answered_as(NOTHING, error_reply(NOTHING, 0)).code, KERN_SUCCESS);
	for (size_t size = 24; size <= 60; size += 4) {
		struct raw raw = right;
		raw.size = size;
		if (size != 44)
			expect_code("another size", raw, MIG_TYPE_ERROR);
	}
	struct raw raw = right;
	memcpy(raw.bytes + 32, &(int){ 8 }, 4);
	expect_code("a code in a whole reply", raw, 8);
	raw = right;
	raw.header.msgh_bits |= MACH_MSGH_BITS(0, MACH_MSG_TYPE_MAKE_SEND);
	raw.header.msgh_local_port = held;
	expect_code("whole, but it wants a reply", raw, MIG_TYPE_ERROR);
	/* complex, of the size of the whole one and of the other */
	raw = raw_new(FIXED);
	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
	raw_u32(&raw, 0);
	expect_code("complex of the right size", raw, MIG_TYPE_ERROR);
	raw = raw_new(FIXED);
	raw_body(&raw);
	raw_u32(&raw, 0), raw_u32(&raw, 1);
	expect_code("complex of 36 bytes", raw, MIG_TYPE_ERROR);
	/* larger than any: the kernel does not deliver it */
	raw = right;
	raw.size = 1000;
	o = answered_as(FIXED, raw);
	expect_equal(o.code, MACH_RCV_TOO_LARGE);
	holdings_expect_equal(holdings_now(), at_rest);
}

/* ---- one port ---------------------------------------------------------------------------- */

static void
wrong_port(void)
{
	static const mach_msg_type_name_t wrong[] = { MACH_MSG_TYPE_MAKE_SEND_ONCE,
						      MACH_MSG_TYPE_MOVE_RECEIVE };
	struct raw raw = raw_new(GIVES_PORT);

	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
	struct outcome o = answered_as(GIVES_PORT, raw);
	expect_equal(o.code, KERN_SUCCESS);
	expect_equal(o.p, held);
	expect_equal(mach_port_deallocate(mach_task_self(), held), 0);

	raw_u32(&raw, 0);
	expect_code("more bytes", raw, MIG_TYPE_ERROR);
	for (int i = 0; i < 2; i++) {
		raw = raw_new(GIVES_PORT);
		raw_body(&raw);
		raw_port(&raw, i == 0 ? held : receive_right_new(), wrong[i]);
		expect_code("another right", raw, MIG_TYPE_ERROR);
	}
	raw = raw_new(GIVES_PORT);
	raw_body(&raw);
	raw_ool_ports(&raw, held_names, 8, MACH_MSG_TYPE_COPY_SEND);
	expect_code("an array", raw, MIG_TYPE_ERROR);
	raw = raw_new(GIVES_PORT);
	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
	raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
	expect_code("two ports", raw, MIG_TYPE_ERROR);
	raw = raw_new(GIVES_PORT);
	raw_body(&raw);
	raw_bytes(&raw, memory_block, 12);
	expect_code("no port, but its bytes", raw, MIG_TYPE_ERROR);

	raw = raw_new(GIVES_POLY);
	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	o = answered_as(GIVES_POLY, raw);
	expect_equal(o.code, KERN_SUCCESS);
	expect_equal(o.poly, MACH_MSG_TYPE_PORT_SEND_ONCE);
	expect_equal(right_type(o.p), MACH_PORT_TYPE_SEND_ONCE);
	expect_equal(mach_port_deallocate(mach_task_self(), o.p), 0);
	drain(held);
	raw = raw_new(GIVES_POLY);
	raw_body(&raw);
	raw_ool(&raw, memory_block, BIG, false);
	expect_code("memory for a port", raw, MIG_TYPE_ERROR);
}

/* ---- variable data ----------------------------------------------------------------------- */

struct variable_reply {
	uint32_t a, s, b;
	size_t a_bytes, s_bytes, b_bytes;
};

static struct raw
variable_reply(struct variable_reply v)
{
	struct raw raw = error_reply(GIVES_VARIABLE, 0);
	char letters[256];

	memset(letters, 'l', sizeof(letters));
	raw_u32(&raw, v.a);
	raw_bytes(&raw, letters, v.a_bytes);
	raw_u32(&raw, 'x');
	raw_u32(&raw, 0);
	raw_u32(&raw, v.s);
	if (v.s_bytes > 0)
		letters[v.s_bytes - 1] = '\0';
	raw_bytes(&raw, letters, v.s_bytes);
	raw_u32(&raw, v.b);
	raw_bytes(&raw, letters, v.b_bytes);
	return raw;
}

static struct variable_reply
variable_right(uint32_t a, uint32_t s, uint32_t b)
{
	return (struct variable_reply){ a, s, b, a, s, b * 4 };
}

static void
wrong_variables(void)
{
	static const uint32_t lies[] = { 11, 12, 0x7ffffffc, 0x80000000, 0xfffffff8, 0xffffffff };
	struct variable_reply v;

	for (uint32_t i = 0; i < 4 * 4 * 4; i++) {
		uint32_t a = (const uint32_t[]){ 0, 1, 9, 10 }[i % 4];
		uint32_t s = (const uint32_t[]){ 1, 2, 127, 128 }[i / 4 % 4];
		uint32_t b = (const uint32_t[]){ 0, 1, 4, 5 }[i / 16];
		struct outcome o =
		    answered_as(GIVES_VARIABLE, variable_reply(variable_right(a, s, b)));
		expect_equal(o.code, KERN_SUCCESS);
		expect_equal(o.counts[0], a);
		expect_equal(o.counts[1], b);
		expect_equal(o.x, 'x');
		expect_equal(strlen(o.string), s - 1);
		expect_equal(o.bytes[a], 0x5a);
		expect_equal(o.ints[b], UNTOUCHED);
	}
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		v = variable_right(8, 8, 2), v.a = lies[i];
		expect_code("too many bytes told", variable_reply(v), MIG_TYPE_ERROR);
		v = variable_right(8, 8, 2), v.b = lies[i];
		expect_code("too many ints told", variable_reply(v), MIG_TYPE_ERROR);
		v = variable_right(8, 8, 2), v.s = 118 + lies[i];
		expect_code("too long a string told", variable_reply(v), MIG_TYPE_ERROR);
	}
	for (uint32_t n = 0; n <= 10; n++) {
		v = variable_right(8, 8, 2), v.a = n;
		if ((n + 3) / 4 != 2)
			expect_code("another number of bytes", variable_reply(v), MIG_TYPE_ERROR);
		v = variable_right(8, 8, 2), v.b = n;
		if (n != 2)
			expect_code("another number of ints", variable_reply(v), MIG_TYPE_ERROR);
	}
	struct raw whole = variable_reply(variable_right(10, 128, 5));
	for (size_t size = 24; size < whole.size; size += 4) {
		struct raw raw = whole;
		raw.size = size;
		expect_code("cut", raw, MIG_TYPE_ERROR);
	}
	struct raw longer = variable_reply(variable_right(8, 8, 2));
	longer.size += 4;
	expect_code("bytes behind", longer, MIG_TYPE_ERROR);
}

/* A string without its NUL does not run over: the caller's is ended. */
static void
endless_string(void)
{
	struct raw raw = variable_reply(variable_right(0, 128, 0));

	raw.bytes[36 + 4 + 4 + 8 + 127] = 'l';
	struct outcome o = answered_as(GIVES_VARIABLE, raw);
	expect(o.code == MIG_TYPE_ERROR || strnlen(o.string, 128) == 127);
}

/* ---- everything beside the message --------------------------------------------------------- */

struct complex_reply {
	size_t c_size, d_size, e_size;
	uint32_t f_count, g_count;
	uint32_t b, c, d, f, y; /* counts as told */
	mach_msg_type_name_t f_disposition, b_disposition;
};

static struct raw
complex_reply(struct complex_reply r)
{
	struct raw raw = raw_new(GIVES_COMPLEX);

	raw_body(&raw);
	raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
	raw_port(&raw, held, MACH_MSG_TYPE_COPY_SEND);
	raw_port(&raw, held, r.b_disposition);
	raw_port(&raw, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND);
	raw_port(&raw, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND);
	raw_ool(&raw, memory_block, r.c_size, false);
	raw_ool(&raw, memory_block, r.d_size, false);
	raw_ool(&raw, memory_block, r.e_size, false);
	raw_ool_ports(&raw, held_names, r.f_count, r.f_disposition);
	raw_ool_ports(&raw, held_names, r.g_count, MACH_MSG_TYPE_COPY_SEND);
	raw_ndr(&raw);
	raw_u32(&raw, r.b);
	raw_u32(&raw, r.c);
	raw_u32(&raw, r.d);
	raw_u32(&raw, r.f);
	raw_u32(&raw, 'x');
	raw_u32(&raw, r.y);
	raw_bytes(&raw, "0123456789", r.y <= 10 ? r.y : 10);
	return raw;
}

static void
give_up(struct outcome *o)
{
	unsigned rights = 1 + o->counts[0] + o->counts[3] + 4;

	expect_equal(mach_port_mod_refs(mach_task_self(), held, MACH_PORT_RIGHT_SEND, -(int)rights),
		     0);
	memory_end(o->c, o->counts[1]);
	memory_end(o->d, o->counts[2] * 4);
	memory_end(o->e, 64);
	memory_end(o->f, o->counts[3] * 4);
	memory_end(o->g, 16);
}

static void
wrong_complex(void)
{
	static const uint32_t lies[] = { 0, 1, 17, 65, 0x40000010, 0x7fffffff, 0xffffffff };
	const struct complex_reply right = { BIG,
					     64,
					     64,
					     3,
					     4,
					     2,
					     BIG,
					     16,
					     3,
					     7,
					     MACH_MSG_TYPE_COPY_SEND,
					     MACH_MSG_TYPE_COPY_SEND };
	struct complex_reply r = right;
	struct outcome o = answered_as(GIVES_COMPLEX, complex_reply(right));

	expect_equal(o.code, KERN_SUCCESS);
	expect(o.p == held && o.ports[0] == held && o.ports[1] == held);
	expect(o.counts[0] == 2 && o.counts[1] == BIG && o.counts[2] == 16 && o.counts[3] == 3 &&
	       o.counts[4] == 7);
	expect(o.x == 'x' && memcmp(o.bytes, "0123456", 7) == 0 && o.bytes[7] == 0x5a);
	expect(values_match(o.c, BIG, 1) && values_match(o.d, 64, 1) && values_match(o.e, 64, 1));
	give_up(&o);
	holdings_expect_equal(holdings_now(), at_rest);

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		r = right, r.c = lies[i];
		expect_code("another size told", complex_reply(r), MIG_TYPE_ERROR);
		r = right, r.d = lies[i];
		expect_code("another number of ints told", complex_reply(r), MIG_TYPE_ERROR);
		r = right, r.f = lies[i];
		expect_code("another number of rights told", complex_reply(r), MIG_TYPE_ERROR);
		r = right, r.d_size = 68, r.d = 17;
		expect_code("more ints than the most", complex_reply(r), MIG_TYPE_ERROR);
		r = right, r.y = lies[i] + 11 < 11 ? 12 : lies[i] + 11;
		expect_code("more bytes than the most", complex_reply(r), MIG_TYPE_ERROR);
	}
	r = right, r.e_size = 60;
	expect_code("too little of a fixed size", complex_reply(r), MIG_TYPE_ERROR);
	r = right, r.g_count = 3;
	expect_code("too few of a fixed number", complex_reply(r), MIG_TYPE_ERROR);
	r = right, r.g_count = 5;
	expect_code("too many of a fixed number", complex_reply(r), MIG_TYPE_ERROR);
	r = right, r.f_disposition = MACH_MSG_TYPE_MAKE_SEND_ONCE;
	expect_code("other rights", complex_reply(r), MIG_TYPE_ERROR);
	r = right, r.b_disposition = MACH_MSG_TYPE_MAKE_SEND_ONCE;
	expect_code("another right in a row", complex_reply(r), MIG_TYPE_ERROR);
	struct raw raw = complex_reply(right);
	raw.size -= 4;
	expect_code("cut", raw, MIG_TYPE_ERROR);
	raw = complex_reply(right);
	raw.size += 4;
	expect_code("bytes behind", raw, MIG_TYPE_ERROR);
}

/* More rights in the row than it has: a code, and none is kept. */
static void
too_many_in_a_row(void)
{
	const struct complex_reply r = {
		16, 16, 64, 1, 4, 5, 16, 4, 1, 0, MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_COPY_SEND
	};
	struct outcome o = answered_as(GIVES_COMPLEX, complex_reply(r));

	expect(o.code == MIG_TYPE_ERROR || o.code == MIG_ARRAY_TOO_LARGE);
	holdings_expect_equal(holdings_now(), at_rest);
}

static void
everything(void)
{
	wrong_ids();
	server_died();
	codes();
	wrong_fixed();
	wrong_port();
	wrong_variables();
	endless_string();
	wrong_complex();
	too_many_in_a_row();
}

int
main(void)
{
	service = port_new();
	held = port_new();
	for (int i = 0; i < 8; i++)
		held_names[i] = held;
	memory_block = memory_new(BIG + 4096);
	values_fill(memory_block, BIG + 4096, 1);
	mig_get_reply_port();
	at_rest = holdings_now();

	everything();
	uint64_t mapped = memory_mapped();
	for (int i = 0; i < 4; i++)
		everything();
	/* some hundred replies with 64 KiB each */
	expect(memory_mapped() < mapped + 100 * BIG);
	memory_end(memory_block, BIG + 4096);
	port_end(service);
	port_end(held);
	puts("done");
	return 0;
}
