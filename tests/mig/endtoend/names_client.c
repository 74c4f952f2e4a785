/*
 * The user's side of names.defs.
 */
#include "mig_client.h"

#include "names.h"

#include <mach/mig_errors.h>

#ifdef NAMES_SERVER
#error "the user's header imports what is the server's"
#endif
#ifndef NAMES_USER
#error "the user's header does not import what is its own"
#endif

static void
translations(mach_port_t server)
{
	celsius_t b = 0, c = 0;

	expect_equal(second_degrees(server, 100, &b, &c), KERN_SUCCESS);
	expect_equal(b, 10);
	expect_equal(c, -40);

	for (int fail = 0; fail < 2; fail++) {
		mach_port_t port = port_new(), got = MACH_PORT_NULL;
		expect_equal(second_objects(server, port, port, fail, &got),
			     fail ? KERN_FAILURE : KERN_SUCCESS);
		if (!fail) {
			expect_equal(number_receive(port) + number_receive(port), 3);
			expect_equal(right_type(got), MACH_PORT_TYPE_SEND);
			expect_equal(mach_port_deallocate(mach_task_self(), got), 0);
		}
		port_end(port);
	}
}

static void
types(mach_port_t server)
{
	four_letters_t letters;
	in_place_t numbers = { 1, 2, 3, 4, 5, 6, 7 };
	native_pair_t a = { 1, 'a' }, b = { 2, 'b' }, c = { 0, 0 }, d = { 9, 'x' };
	int sum = 0;

	expect_equal(second_letters(server, (char[4]){ 'a', 'b', 'c', 'd' }, letters),
		     KERN_SUCCESS);
	expect(memcmp(letters, "dcba", 4) == 0);
	expect_equal(second_in_place(server, numbers, 7, &sum), KERN_SUCCESS);
	expect_equal(sum, 28);
	expect_equal(second_in_place(server, numbers, 8, &sum), MIG_ARRAY_TOO_LARGE);
	expect_equal(second_native(server, &a, b, &c, &d, NULL), KERN_SUCCESS);
	expect(c.a == 9 && c.b == 'c' && d.a == 3 && d.b == 'd');
	expect_equal(second_native(server, &a, b, &c, &d, &b), KERN_SUCCESS);
	expect(c.a == 3 && d.a == 5);
}

static void
pieces(mach_port_t server)
{
	pieces_t all;
	few_pieces_t few;
	mach_msg_type_number_t subs[4] = { 5000, 0, 3, 7 };
	int total;

	for (int i = 0; i < 3; i++) {
		all[i] = subs[i] > 0 ? memory_new(subs[i]) : NULL;
		values_fill(all[i], subs[i], (uint64_t)i);
	}
	expect_equal(second_pieces(server, all, subs, &total), KERN_SUCCESS);
	expect_equal(total, 5003);
	for (int i = 0; i < 3; i++)
		if (subs[i] > 0)
			memory_end(all[i], subs[i]);
	for (int i = 0; i < 4; i++) {
		few[i] = subs[i] > 0 ? memory_new(subs[i] * 4) : NULL;
		values_fill(few[i], subs[i] * 4, (uint64_t)i);
	}
	for (mach_msg_type_number_t count = 0; count <= 4; count++) {
		static const int totals[] = { 0, 5000, 5000, 5003, 5010 };
		expect_equal(second_few_pieces(server, few, count, subs, &total), KERN_SUCCESS);
		expect_equal(total, totals[count]);
	}
	for (uint32_t have = 0; have <= 4; have++) {
		few_pieces_t back = { NULL };
		mach_msg_type_number_t count = 4, sizes[4];
		expect_equal(second_pieces_back(server, have, back, &count, sizes), KERN_SUCCESS);
		expect_equal(count, have);
		for (uint32_t i = 0; i < have; i++) {
			expect_equal(sizes[i], i * 20);
			expect(values_match(back[i], i * 80, 8));
			if (i > 0)
				memory_end(back[i], i * 80);
		}
	}
	expect_equal(second_few_pieces(server, few, 5, subs, &total), MIG_ARRAY_TOO_LARGE);
	for (int i = 0; i < 4; i++)
		if (subs[i] > 0)
			memory_end(few[i], subs[i] * 4);
}

void
client(mach_port_t server)
{
	int a = 0;

	expect_equal(first_names_a(server, &a), KERN_SUCCESS);
	expect_equal(a, 1);
	expect_equal(second_names_b(server, &a), KERN_SUCCESS);
	expect_equal(a, 2);
	translations(server);
	types(server);
	pieces(server);
	repeat_and_count(server, 50, 4096, translations);
	repeat_and_count(server, 50, 8192, pieces);
}
