/*
 * Each allocation of the registry fails once: of kexthosts, kexts, controls, codes, sockets,
 * events and traps.  A call that found no memory says so and has done nothing; going away needs
 * none.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/support/calls.h"
#include "tests/support/registry.h"

/* Goes on if it went well; a call that failed must have met the failure. */
static bool
went_well(const struct fault *fault, int error)
{
	if (error == 0)
		return true;
	assert_int_equal(error, ENOMEM);
	assert_true(fault->hit);
	return false;
}

/* Everything once, with what could be had. */
static void
scenario(struct world *w, struct actor *a)
{
	struct fault *fault = w->fault;
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct listener *listener = listener_new(w, 0, 0, 0);
	struct kernel_ctl ctl = ctl_named("com.example.control"), more = ctl_named("m");
	uint32_t vendor = 0, tag = 0, user = 0, id;
	uint64_t ref = 0, asked;
	char *before;

	assert_true((host && listener) || fault->hit);
	before = world_dump(w);
	if (went_well(fault, kev_vendor(w, "com.example", &vendor))) {
		int error = kev_post(w, vendor, 1, 2, 3, "data", 4);

		/* its number is taken, whoever misses it */
		went_well(fault, error);
		assert_int_equal(ask_kev_id(a), 1);
		assert_int_equal(listener ? listener->count : 0, error == 0 && listener);
		free(before);
	} else {
		world_same(before, world_dump(w), __FILE__, __LINE__);
	}
	if (host) {
		if (went_well(fault, kext_load(w, host, "library", NULL, 0, &tag)))
			went_well(fault, kext_load(w, host, "user", &tag, 1, &user));
		before = world_dump(w);
		if (went_well(fault, ctl_add(w, host, tag, &ctl, &ref, &id))) {
			free(before);
			assert_int_equal(ask_ctl_info(a, ctl.name, 96, &id), 0);
		} else {
			world_same(before, world_dump(w), __FILE__, __LINE__);
		}
		for (char c = 'a'; c < 'a' + 20; c++) { /* the table grows */
			more.name[0] = c;
			went_well(fault, ctl_add(w, host, user, &more, NULL, NULL));
		}
	}
	if (trap(a, BERTH_TRAP_SYSTEM_STATISTICS, 0, 0, 0, 0, 0, 0) != 0)
		went_well(fault, a->outcome.code);

	asked = fault->asked;
	if (ref != 0)
		assert_int_equal(ctl_remove(w, host, ref), 0);
	if (user != 0)
		assert_int_equal(kext_go(w, host, user), 0);
	if (host)
		kext_host_die(w, host);
	listener_free(w, listener);
	assert_int_equal(fault->asked, asked);
	assert_int_equal(ask_ctl_count(a), 0);
}

TEST(every_allocation_of_the_registry_may_fail)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 1);

		assert_non_null(w);
		fault_arm(&fault);
		scenario(w, world_actor(w, 0));
		fault.armed = false;
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}
