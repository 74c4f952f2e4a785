/*
 * Sends memory of every kind, checks what comes back, and counts what stays.
 */
#include "mig_client.h"

#include "memory.h"

#include <mach/mig_errors.h>

#define BIG (64 * 1024)

/* New memory with the values of @seed; NULL if @size is 0. */
static void *
filled(size_t size, uint64_t seed)
{
	void *memory = size > 0 ? memory_new(size) : NULL;

	values_fill(memory, size, seed);
	return memory;
}

static void
give_up(const void *memory, size_t size)
{
	if (size > 0)
		memory_end(memory, size);
}

/* @memory came back turned over; give it up. */
static void
expect_turned(void *memory, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		expect_equal(((uint8_t *)memory)[size - 1 - i], (uint8_t)value_of(seed, i));
	give_up(memory, size);
}

static void
echo(mach_port_t server, mach_msg_type_number_t a_count, mach_msg_type_number_t b_count,
     mach_msg_type_number_t c_count)
{
	managed_t a = filled(a_count, 1), oa;
	owned_t b = filled(b_count, 2), ob;
	bounded_t c = filled(c_count * sizeof(*c), 3), oc;
	int32_t d[1000];
	record_ptr_t e = filled(24, 5), oe;
	int64_t f;
	int64_t g[3];
	int16_t h[7];
	fixed_t od;
	number_ptr_t of_;
	mach_msg_type_number_t oa_count = 1, ob_count = 2, oc_count = 3;
	int64_t sum = 0;

	/* it may lie anywhere, on the stack too */
	values_fill(d, sizeof(d), 4);
	values_fill(&f, sizeof(f), 6);
	values_fill(g, sizeof(g), 7);
	values_fill(h, sizeof(h), 8);
	expect_equal(memory_echo(server, 11, a, a_count, b, b_count, c, c_count, d, e, &f, g, 3, h,
				 7, 22, &oa, &oa_count, &ob, &ob_count, &oc, &oc_count, &od, &oe,
				 &of_, &sum),
		     KERN_SUCCESS);
	expect_equal(oa_count, a_count);
	expect_equal(ob_count, b_count);
	expect_equal(oc_count, c_count);
	expect_equal(sum, f);
	expect_turned(oa, a_count, 1);
	expect_turned(ob, b_count, 2);
	expect_turned(oc, c_count * sizeof(*c), 3);
	expect_turned(od, 4000, 4);
	expect_turned(oe, 24, 5);
	expect_turned(of_, 8, 6);
	/* nothing said that it moves */
	expect(values_match(a, a_count, 1));
	give_up(a, a_count);
	give_up(b, b_count);
	give_up(c, c_count * sizeof(*c));
	give_up(e, 24);
}

static void
echo_many(mach_port_t server)
{
	static const mach_msg_type_number_t sizes[] = { 0, 1, 4095, 4096, 4097, 3 * BIG };

	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < 6; j++)
			echo(server, sizes[i], sizes[j], (mach_msg_type_number_t)(i * 20));
	int32_t none[101] = { 0 };
	managed_t oa;
	owned_t ob;
	bounded_t oc;
	fixed_t od;
	record_ptr_t oe;
	number_ptr_t of_;
	mach_msg_type_number_t oa_count, ob_count, oc_count;
	int64_t sum;
	kern_return_t code =
	    memory_echo(server, 11, NULL, 0, NULL, 0, none, 101, none, (record_ptr_t)(void *)none,
			(number_ptr_t)(void *)none, NULL, 0, NULL, 0, 22, &oa, &oa_count, &ob,
			&ob_count, &oc, &oc_count, &od, &oe, &of_, &sum);
	expect_equal(code, MIG_ARRAY_TOO_LARGE);
}

static void
echo_once(mach_port_t server)
{
	echo(server, BIG, BIG, 100);
}

static void
peek(mach_port_t server)
{
	owned_t a, b;
	mach_msg_type_number_t a_count, b_count;

	expect_equal(memory_peek(server, BIG, &a, &a_count, &b, &b_count), KERN_SUCCESS);
	expect_equal(a_count, BIG);
	expect_equal(b_count, BIG / 2);
	expect(values_match(a, a_count, 3));
	expect(values_match(b, b_count, 3));
	memset(a, 0, a_count); /* a copy: the server's is not written */
	give_up(a, a_count);
	give_up(b, b_count);
}

static void
managed(mach_port_t server)
{
	uint8_t *a = filled(BIG, 1);

	expect_equal(memory_managed(server, a, BIG, FALSE), KERN_SUCCESS);
	expect_equal(memory_managed(server, a, BIG, TRUE), KERN_FAILURE);
	expect_equal(memory_auto(server, a, BIG, FALSE), KERN_SUCCESS);
	expect_equal(memory_auto(server, a, BIG, TRUE), KERN_FAILURE);
	expect_equal(memory_physical(server, a, BIG), KERN_SUCCESS);
	give_up(a, BIG);
}

static void
owned(mach_port_t server)
{
	uint8_t *a = filled(BIG, 1);

	expect_equal(memory_owned(server, a, BIG, FALSE), KERN_SUCCESS);
	expect_equal(memory_owned(server, a, BIG, TRUE), KERN_FAILURE);
	give_up(a, BIG);
}

/* What moves is gone once it was sent, whatever the server says. */
static void
moved(mach_port_t server)
{
	for (int fail = 0; fail < 2; fail++) {
		uint8_t *a = filled(BIG, 1);
		expect_equal(memory_moved(server, a, BIG, fail), fail ? KERN_FAILURE : 0);
		expect(!memory_is_mapped(a));
	}
	uint8_t *a = filled(BIG, 1);
	expect_equal(memory_moved(MACH_PORT_NULL, a, BIG, FALSE), MACH_SEND_INVALID_DEST);
	expect(values_match(a, BIG, 1));
	give_up(a, BIG);
}

static void
perhaps_moved(mach_port_t server)
{
	for (int choice = 0; choice < 8; choice++) {
		boolean_t move_a = choice & 1, move_b = (choice & 2) != 0, fail = choice >> 2;
		uint8_t *a = filled(BIG, 1);
		uint8_t *b = filled(BIG, 2);
		expect_equal(memory_perhaps_moved(server, a, BIG, move_a, b, BIG, move_b, fail),
			     fail ? KERN_FAILURE : 0);
		expect_equal(memory_is_mapped(a), !move_a);
		expect_equal(memory_is_mapped(b), !move_b);
		if (!move_a)
			give_up(a, BIG);
		if (!move_b)
			give_up(b, BIG);
	}
}

static void
given_perhaps(mach_port_t server)
{
	for (int move = 0; move < 2; move++) {
		owned_t a;
		mach_msg_type_number_t count;
		expect_equal(memory_given_perhaps(server, move, &a, &count), KERN_SUCCESS);
		expect(values_match(a, count, move ? 4 : 3));
		give_up(a, count);
	}
}

static void
inout(mach_port_t server)
{
	uint8_t *mine = filled(BIG, 1);
	owned_t a = mine;
	mach_msg_type_number_t count = BIG;

	expect_equal(memory_inout(server, &a, &count), KERN_SUCCESS);
	expect_equal(count, BIG + 5);
	expect(a != mine);
	expect(values_match(a, count, 3));
	expect(values_match(mine, BIG, 1));
	give_up(mine, BIG);
	give_up(a, count);
}

static void
same_count(mach_port_t server)
{
	uint8_t a[100];
	int64_t b[50], c[50];

	values_fill(a, sizeof(a), 1);
	values_fill(b, sizeof(b), 2);
	values_fill(c, sizeof(c), 3);
	expect_equal(memory_same_count(server, a, 100, b, 50, c), KERN_SUCCESS);
	expect_equal(memory_same_count(server, NULL, 0, NULL, 0, NULL), KERN_SUCCESS);
}

static void
simple(mach_port_t server)
{
	uint8_t *a = filled(BIG, 1);
	uint8_t *b = filled(BIG, 2);

	expect_equal(memory_tell(server, a, BIG, b, BIG), MACH_MSG_SUCCESS);
	give_up(a, BIG);
	give_up(b, BIG);
}

/* A server function that fails has given nothing. */
static void
nothing_out_of_failure(mach_port_t server)
{
	owned_t a = (owned_t)1;
	mach_msg_type_number_t count = 7;

	expect_equal(memory_out_of_failure(server, &a, &count), KERN_FAILURE);
	expect(a == (owned_t)1);
}

/* More than the type allows does not get through. */
static void
claim(mach_port_t server)
{
	bounded_t a = NULL;
	mach_msg_type_number_t count = 0;

	if (memory_claim(server, &a, &count) == KERN_SUCCESS) {
		expect(count <= 100);
		give_up(a, count * sizeof(*a));
	} else {
		expect(a == NULL);
	}
}

static void
overwrite(mach_port_t server)
{
	uint8_t *place = memory_new(BIG);
	owned_t a = place;
	mach_msg_type_number_t count = BIG;

	/* Where it comes to is the kernel's choice, or the caller's where the kernel knows of
	 * scatter lists: the same to look at. */
	expect_equal(memory_overwrite(server, 1000, &a, &count), KERN_SUCCESS);
	expect_equal(count, 1000);
	expect(values_match(a, count, 3));
	if (a != place)
		give_up(a, count);
	give_up(place, BIG);
}

void
client(mach_port_t server)
{
	static void (*const all[])(mach_port_t server) = {
		echo_once,
		peek,
		managed,
		owned,
		moved,
		simple,
		perhaps_moved,
		given_perhaps,
		inout,
		same_count,
		nothing_out_of_failure,
		claim,
		overwrite,
	};

	echo_many(server);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		repeat_and_count(server, 100, BIG, all[i]);
}
