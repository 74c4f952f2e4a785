/* What one process may make a kexthost hold, and that another's share stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "kexts/host/program.h"
#include "wire/lane.h"

/* As much as fits of @what, one by one at first; how much that was. */
static uint64_t
fill(struct program *program, enum program_charge what)
{
	uint64_t held = 0;

	for (uint64_t amount = 1u << 28; amount > 0; amount /= 2)
		while (program_charge(program, what, amount) == 0)
			held += amount;
	return held;
}

static void
one_process_fills_its_own_share_only(void **state)
{
	(void)state;
	for (enum program_charge what = 0; what < PROGRAM_CHARGE_COUNT; what++) {
		struct program *greedy = program_ref(1), *other = program_ref(65); /* one bucket */

		assert_ptr_not_equal(greedy, other);
		uint64_t held = fill(greedy, what);
		assert_true(held > 0);
		assert_int_equal(program_charge(greedy, what, 1), -ENOBUFS);
		assert_int_equal(program_charge(greedy, what, UINT64_MAX), -ENOBUFS);
		assert_int_equal(program_charge(other, what, held), 0);
		/* what is given back can be had again */
		program_release(greedy, what, 1);
		assert_int_equal(program_charge(greedy, what, 1), 0);
		program_release(greedy, what, held);
		program_release(other, what, held);
		program_unref(greedy);
		program_unref(other);
	}
}

static void
the_largest_call_fits_alone(void **state)
{
	struct program *program = program_ref(7);

	(void)state;
	assert_int_equal(program_charge(program, PROGRAM_BYTES, 4ull * LANE_DATA_MAX), 0);
	assert_int_equal(program_charge(program, PROGRAM_BYTES, 1), -ENOBUFS);
	program_release(program, PROGRAM_BYTES, 4ull * LANE_DATA_MAX);
	program_unref(program);
}

static void
an_account_is_one_as_long_as_it_is_held(void **state)
{
	struct program *first = program_ref(9), *second = program_ref(9);

	(void)state;
	assert_ptr_equal(first, second);
	assert_int_equal(program_charge(first, PROGRAM_LANES, PROGRAM_LANES_MAX), 0);
	assert_int_equal(program_charge(second, PROGRAM_LANES, 1), -ENOBUFS);
	program_release(second, PROGRAM_LANES, PROGRAM_LANES_MAX);
	assert_null(program_unref(first));
	assert_null(program_unref(second));
	assert_null(program_unref(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_fills_its_own_share_only),
		cmocka_unit_test(the_largest_call_fits_alone),
		cmocka_unit_test(an_account_is_one_as_long_as_it_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
