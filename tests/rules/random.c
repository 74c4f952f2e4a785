/*
 * Long random runs: three tasks of two threads and whatever calls come, with names that
 * mean something, most of the time.  The kernel proves itself after each step (audit), each
 * trap completes once and with a code that the contract knows, and nothing is left at the end.
 *
 * BERTH_TEST_SEED and BERTH_TEST_STEPS repeat or lengthen a run; the seed is printed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/rules/random.h"
#include "tests/support/calls.h"

#define TASKS 3
#define THREADS 2
#define OBJECTS_MANY 250 /* ports: from here on more is destroyed than made */
#define STEPS_DEFAULT 60000

static uint32_t alive[TASKS]; /* indices of parties */

/* ---- calls ------------------------------------------------------------------------------ */

/* Any trap but mach_msg, with any arguments; it may block. */
static void
any_trap(struct actor *t, mach_port_name_t first, mach_port_name_t second, mach_port_name_t fifth)
{
	struct trap_frame frame = { .number = 2 + pick(BERTH_TRAP_LIMIT),
				    .args = { chance(50) ? first : second, second, some_number(),
					      some_number(), fifth, some_number() } };

	world_trap(t, &frame);
}

static void
some_call(struct actor *t)
{
	struct party *party = t->party;
	mach_port_name_t name = some_name(party), other = some_name(party), result = 0;
	mach_port_limits_t limits = { pick(8) };
	uint32_t info[20], count = 1 + pick(17), type;
	uint64_t context;
	const mach_port_name_t *members;

	t->target = chance(95) ? BERTH_NAME_TASK_SELF : some_name(party);
	switch (pick(34)) {
	case 0:
	case 1:
	case 2:
		port_allocate(t, chance(80) ? MACH_PORT_RIGHT_RECEIVE : pick(6), &result);
		break;
	case 3:
		port_allocate_name(t, pick(5), pick(200) << 8 | 3);
		break;
	case 4:
		port_construct(t, (uint32_t)pick(0x100), pick(8), some_number(), &result);
		break;
	case 5:
		port_destruct(t, name, -(int32_t)pick(3), some_number());
		break;
	case 6:
		port_destroy(t, name);
		break;
	case 7:
	case 8:
		port_deallocate(t, name);
		break;
	case 9:
		port_get_refs(t, name, pick(7), &type);
		break;
	case 10:
	case 11:
		port_mod_refs(t, name, pick(6),
			      chance(90) ? (int32_t)pick(5) - 2 : (int32_t)pick(140000) - 70000);
		break;
	case 12:
	case 13:
	case 14:
		port_insert_right(t, name, name, chance(70) ? 20 : some_disposition());
		break;
	case 15:
		port_insert_right(t, chance(50) ? pick(200) << 8 | 3 : other, name,
				  some_disposition());
		break;
	case 16:
	case 17:
		port_extract_right(t, name, some_disposition(), &result, &type);
		break;
	case 18:
	case 19:
		port_insert_member(t, name, other);
		break;
	case 20:
		port_extract_member(t, name, other);
		break;
	case 21:
		port_move_member(t, name, chance(70) ? other : 0);
		break;
	case 22:
		port_get_set_status(t, name, &members, &count);
		break;
	case 23:
	case 24:
	case 25:
	case 26: {
		static const int32_t ids[] = { 66, 69, 70, 72, 65, 71 };

		port_request_notification(t, name, ids[chance(95) ? pick(4) : pick(6)], pick(3),
					  chance(80) ? other : 0, chance(80) ? 21 : 18, &result);
		break;
	}
	case 27:
		port_get_attributes(t, name, (int)pick(10), info, &count);
		break;
	case 28:
		port_set_attributes(t, name, MACH_PORT_LIMITS_INFO, &limits, 1);
		break;
	case 29:
		if (chance(50))
			port_get_context(t, name, &context);
		else
			port_set_context(t, name, some_number());
		break;
	case 30:
		if (chance(30))
			port_guard(t, name, some_number(), pick(4));
		else if (chance(70))
			port_unguard(t, name, some_number());
		else
			port_swap_guard(t, name, some_number(), some_number());
		break;
	case 31:
		if (chance(50))
			port_set_mscount(t, name, (uint32_t)some_number());
		else
			port_set_seqno(t, name, (uint32_t)some_number());
		break;
	case 32:
		if (chance(50))
			set_special_port(t, (int)pick(12), name);
		else if (chance(50))
			get_special_port(t, (int)pick(12), &result);
		else
			ports_register(t, pick(5), name, other, 0);
		break;
	default:
		switch (pick(6)) {
		case 0:
			result = reply_port(t);
			break;
		case 1:
			result = thread_self(t);
			break;
		case 2:
			result = special_reply_port(t);
			break;
		case 3:
			trap(t, BERTH_TRAP_PORT_WATCH, name, 0, 0, 0, 0, 0);
			break;
		case 4:
			trap(t, BERTH_TRAP_PORT_NAMES + pick(5), t->target, name, 0, 0, 0, 0);
			break;
		default:
			any_trap(t, t->target, name, other);
			break;
		}
	}
	learn(party, result);
	t->target = BERTH_NAME_TASK_SELF;
}

/* ---- tasks and time
 * ---------------------------------------------------------------------------------- */

static struct party *
newcomer(struct world *w, struct party *parent)
{
	struct party *party = world_task_new(w, parent);

	for (int i = 1; i < THREADS; i++)
		world_thread_new(party);
	learn_clock(party);
	for (int i = 0; i < KNOWN_MAX; i++)
		learn(party, i % 2 ? BERTH_NAME_TASK_SELF : BERTH_NAME_BOOTSTRAP);
	return party;
}

/* Everybody knows a port of everybody, and everybody's task. */
static void
start(struct world *w)
{
	for (uint32_t i = 0; i < TASKS; i++) {
		struct party *party = &w->parties[i];

		alive[i] = i;
		for (int j = 1; j < THREADS; j++)
			world_thread_new(party);
		for (int j = 0; j < KNOWN_MAX; j++)
			learn(party, party->mailbox_of[(uint32_t)j % TASKS]);
		learn_clock(party);
		learn(party, BERTH_NAME_TASK_SELF);
		for (uint32_t j = 0; j < TASKS; j++)
			if (j != i)
				learn(&w->parties[j],
				      give(&party->actors[0], BERTH_NAME_TASK_SELF,
					   MACH_MSG_TYPE_COPY_SEND, &w->parties[j].actors[0]));
	}
}

static void
a_task_ends(struct world *w)
{
	uint32_t slot = pick(TASKS);
	struct party *party = &w->parties[alive[slot]];
	struct party *next;

	if (w->party_count + 1 >= WORLD_TASKS_MAX)
		return;
	if (chance(30)) {
		world_task_exec(party);
		next = newcomer(w, party);
		world_task_die(party);
	} else {
		world_task_die(party);
		next = newcomer(w, chance(50) ? &w->parties[alive[(slot + 1) % TASKS]] : NULL);
	}
	alive[slot] = next->index;
}

/* A thread that can trap; NULL: all are parked. */
static struct actor *
some_actor(struct world *w)
{
	for (int tries = 0; tries < 20; tries++) {
		struct actor *t = &w->parties[alive[pick(TASKS)]].actors[pick(THREADS)];

		if (t->thread && !t->parked)
			return t;
	}
	return NULL;
}

static void
look_at_completed(struct world *w)
{
	for (uint32_t i = 0; i < TASKS; i++)
		for (uint32_t j = 0; j < THREADS; j++) {
			struct actor *t = &w->parties[alive[i]].actors[j];

			if (t->done) {
				world_completed(t);
				learn_received(t);
			}
		}
}

static void
clear_away(struct world *w, struct actor *t)
{
	if (world_counts(w).ports > OBJECTS_MANY || chance(1)) {
		mach_port_name_t name = some_name(t->party);

		if (name != t->party->mailbox && name != BERTH_NAME_TASK_SELF)
			port_destroy(t, name);
	}
}

static void
one_step(struct world *w)
{
	struct actor *t = some_actor(w);
	uint32_t what = pick(1000);

	if (!t || what < 10)
		world_advance_ms(w, pick(30));
	else if (what < 20)
		world_interrupt(&w->parties[alive[pick(TASKS)]].actors[pick(THREADS)]);
	else if (what < 21)
		a_task_ends(w);
	else if (what < 350)
		some_message(w, t);
	else if (what < 550)
		some_receive(t);
	else if (what < 650)
		some_semaphore_call(t);
	else if (what < 680)
		some_alarm(t);
	else if (what < 720)
		some_timer_call(t);
	else if (what < 760)
		some_voucher_call(t);
	else
		some_call(t);
	if (!t)
		for (uint32_t i = 0; i < TASKS; i++)
			world_interrupt(&w->parties[alive[i]].actors[0]);
	look_at_completed(w);
	t = some_actor(w);
	if (t)
		clear_away(w, t);
	look_at_completed(w);
}

static uint64_t
number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void
run(uint64_t seed, uint64_t steps)
{
	struct world *w = world_new(TASKS);

	print_message("BERTH_TEST_SEED=%" PRIu64 " BERTH_TEST_STEPS=%" PRIu64 "\n", seed, steps);
	random_state = seed * 2 + 1;
	forget_all();
	start(w);
	for (uint64_t i = 0; i < steps; i++)
		one_step(w);
	world_free(w);
}

TEST(a_run_that_is_always_the_same_keeps_every_invariant)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		run(seed, number_from("BERTH_TEST_STEPS", STEPS_DEFAULT) / 6);
}

TEST(a_run_that_is_never_the_same_keeps_every_invariant)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	run(number_from("BERTH_TEST_SEED", (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec),
	    number_from("BERTH_TEST_STEPS", STEPS_DEFAULT) / 2);
}
