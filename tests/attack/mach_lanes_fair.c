/*
 * Attacks on lanes that would keep others waiting: a sender that claims to be older than all, that
 * says that the queue is full, or that takes the wake-ups meant for others.
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"

#define WORST_MS 5000
#define ROUNDS 200u

/* A client of a server makes its way beside @hostile. */
static void
beside(scene_part *hostile)
{
	struct scene_child server = scene_start_server(scene_serve_patiently);
	struct scene_child client = scene_start(scene_client, server.port);
	struct scene_child attacker;

	scene_await_rounds(&client, 100);
	attacker = scene_start(hostile, server.port);
	scene_await_steps(&attacker, 1);
	scene_await_rounds(&client, ROUNDS);
	scene_kill(&attacker);
	scene_end_by_lanes(&client, WORST_MS);
	scene_kill(&server);
}

/* ---- tickets -------------------------------------------------------------------------------- */

/* Its ring is never empty, and whatever is in it is older than what anybody else has sent. */
static void
forge_tickets(mach_port_t server, struct scene_notes *notes)
{
	struct scene_message message = { .operation = SCENE_LIE };

	for (;;) {
		struct scene_lane lane = scene_lane_to(server, notes);
		uint32_t refused = 0;

		while (refused < 1000) {
			uint32_t oldest =
			    (uint32_t)(atomic_load(&lane.gate->count) >> 32) - 0x40000000u;

			if (scene_put(&lane, &message, SCENE_SIZE, MACH_LANE_NO_CALL, oldest)) {
				refused = 0;
				scene_wake(&lane);
				atomic_fetch_add(&notes->steps, 1);
			} else if (mach_lane_is_shut(atomic_load(&lane.shared->tail))) {
				refused++;
			}
		}
		scene_lane_forget(&lane);
	}
}

static void
forging_tickets(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside(forge_tickets);
}

static void
who_claims_to_be_the_oldest_is_not_always_first(void **state)
{
	(void)state;
	scene_attack(forging_tickets);
}

/* ---- counts --------------------------------------------------------------------------------- */

/* Sends nothing, and says that there is no room: by the count, or by the limit. */
static void
say_full(mach_port_t server, struct scene_notes *notes)
{
	struct scene_lane lane = scene_lane_to(server, notes);

	for (uint32_t i = 0;; i++) {
		uint64_t count = atomic_load(&lane.gate->count);
		uint32_t limit = atomic_load(&lane.gate->limit);

		if (i % 200 < 100 && (uint32_t)count < limit)
			atomic_compare_exchange_strong(&lane.gate->count, &count,
						       (count & ~(uint64_t)UINT32_MAX) | limit);
		else if (i % 200 >= 100)
			atomic_store(&lane.gate->limit, 0);
		poll(NULL, 0, 1); /* or who waits would see it change */
		atomic_fetch_add(&notes->steps, 1);
	}
}

static void
saying_full(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside(say_full);
}

static void
who_says_that_the_queue_is_full_keeps_nobody_waiting(void **state)
{
	(void)state;
	scene_attack(saying_full);
}

/* ---- wake-ups ------------------------------------------------------------------------------- */

#define SWALLOWERS 16u

struct swallower {
	struct scene_lane lane;
	struct scene_notes *notes;
};

/* Waits where those wait who want to send, and does nothing when it is woken. */
static void *
swallow(void *context)
{
	struct swallower *swallower = context;
	uint32_t *word = (uint32_t *)(void *)&swallower->lane.gate->count;

	for (;;)
		syscall(SYS_futex, word, FUTEX_WAIT, *(volatile uint32_t *)word, NULL, NULL, 0);
	return NULL;
}

/* Keeps the queue as full as may be, and takes the wake-ups. */
static void
take_wakes(mach_port_t server, struct scene_notes *notes)
{
	struct scene_message message = { .operation = SCENE_LIE };
	struct swallower swallower = { scene_lane_to(server, notes), notes };
	struct mach_lane_gate *gate = swallower.lane.gate;
	pthread_t thread;

	for (uint32_t i = 0; i < SWALLOWERS; i++)
		if (pthread_create(&thread, NULL, swallow, &swallower) != 0)
			scene_wrong(notes, "no thread");
	for (;;) {
		uint64_t count = atomic_load(&gate->count);

		if ((uint32_t)count < atomic_load(&gate->limit) &&
		    atomic_compare_exchange_strong(&gate->count, &count,
						   count + (1ull << 32) + 1)) {
			scene_put(&swallower.lane, &message, SCENE_SIZE, MACH_LANE_NO_CALL,
				  (uint32_t)(count >> 32));
			scene_wake(&swallower.lane);
		}
		atomic_fetch_add(&notes->steps, 1);
	}
}

static void
taking_wakes(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside(take_wakes);
}

static void
who_takes_the_wake_ups_of_others_keeps_nobody_waiting(void **state)
{
	(void)state;
	scene_attack(taking_wakes);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_claims_to_be_the_oldest_is_not_always_first),
		cmocka_unit_test(who_says_that_the_queue_is_full_keeps_nobody_waiting),
		cmocka_unit_test(who_takes_the_wake_ups_of_others_keeps_nobody_waiting),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
