/*
 * Which of several lanes is served next, against a look at all of them: with tickets that come in
 * any order, late or never.
 */
#include "client/mach_lane_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define LANES 12u
#define LIMIT 40u
#define SIZE 64u

/* What a sender has drawn a ticket for, and not put in yet. */
static struct draft {
	bool is_there;
	uint64_t tail, counted;
	uint32_t ticket, units;
	struct mach_lane_record *record;
} drafts[LANES];

static struct lane_port *const port = &lanes.ports[0];
static uint32_t messages; /* in the rings */
static uint64_t chance;

static uint32_t
random_below(uint32_t limit)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(chance >> 33) % limit;
}

static void *
pages(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* As the kernel opens a port again, having taken out what was in its lanes. */
static void
opened(void)
{
	struct mach_lane_gate *gate = &lanes.gates->gates[0];
	uint64_t count = atomic_load(&gate->count);
	uint32_t epoch = (uint32_t)(count >> 32) + 1, ticket = ((uint32_t)count >> 16) + 1;

	ticket &= MACH_LANE_TICKET_MASK;
	atomic_store(&lanes.table->ports[0].opened, epoch << 16 | ticket);
	atomic_store(&gate->count, (uint64_t)epoch << 32 | ticket << 16);
	for (uint32_t i = 0; i < LANES; i++) {
		struct mach_lane *shared = lanes.lanes[i].shared;
		uint64_t tail = atomic_load(&shared->tail);
		uint64_t open = ((tail >> 32) + 1) << 32 | mach_lane_passed(tail);

		atomic_store(&shared->head, open);
		atomic_store(&shared->tail, open);
	}
	messages = 0;
}

static int
lanes_begin(void **state)
{
	(void)state;
	chance = 1;
	lanes.table = pages(sizeof(*lanes.table));
	lanes.gates = pages(sizeof(*lanes.gates));
	memset(port, 0, sizeof(*port));
	atomic_store(&lanes.gates->gates[0].count, 0xffu << 24); /* soon they begin anew */
	atomic_store(&lanes.gates->gates[0].limit, LIMIT);
	for (uint32_t i = 0; i < LANES; i++) {
		lanes.lanes[i] = (struct lane){ .shared = pages(sizeof(struct mach_lane)),
						.gate = &lanes.gates->gates[0] };
		atomic_store(&lanes.table->entries[i].role, MACH_LANE_RECEIVER);
		port->lanes[port->lane_count++] = (uint8_t)i;
		drafts[i].is_there = false;
	}
	opened();
	return 0;
}

static int
lanes_end(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LANES; i++) {
		munmap(lanes.lanes[i].shared, sizeof(struct mach_lane));
		lanes.lanes[i] = (struct lane){ 0 };
	}
	munmap(lanes.gates, sizeof(*lanes.gates));
	munmap(lanes.table, sizeof(*lanes.table));
	lanes.table = NULL;
	lanes.gates = NULL;
	return 0;
}

static void
draw(uint32_t number)
{
	struct mach_lane *shared = lanes.lanes[number].shared;
	struct draft *draft = &drafts[number];
	uint64_t head = atomic_load(&shared->head);

	draft->tail = atomic_load(&shared->tail);
	draft->record = mach_lane_room(shared, draft->tail, head, SIZE, &draft->units);
	draft->is_there =
	    draft->record != NULL && mach_lane_count_in(&lanes.gates->gates[0], draft->tail, head,
							&draft->counted, &draft->ticket);
}

/* False: the kernel has come between. */
static bool
put(uint32_t number)
{
	struct draft *draft = &drafts[number];

	draft->is_there = false;
	*draft->record = (struct mach_lane_record){ .size_bytes = SIZE,
						    .ticket = draft->ticket,
						    .call = MACH_LANE_NO_CALL };
	if (!mach_lane_move(&lanes.lanes[number].shared->tail, draft->tail, draft->units)) {
		mach_lane_count_out(&lanes.gates->gates[0], draft->counted);
		return false;
	}
	messages++;
	return true;
}

static uint32_t
first_ticket(uint32_t number)
{
	struct mach_lane *shared = lanes.lanes[number].shared;
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units;

	return mach_lane_first(shared, atomic_load(&shared->tail), atomic_load(&shared->head),
			       &record, &message, &units)
		   ? record.ticket
		   : UINT32_MAX;
}

static uint32_t
oldest(void)
{
	uint32_t best = MACH_LANE_MAX, best_ticket = 0;

	for (uint32_t i = 0; i < LANES; i++) {
		uint32_t ticket = first_ticket(i);

		if (ticket == UINT32_MAX ||
		    (best != MACH_LANE_MAX && !mach_lane_ticket_before(ticket, best_ticket)))
			continue;
		best = i;
		best_ticket = ticket;
	}
	return best;
}

static void
take(uint32_t number)
{
	struct mach_lane *shared = lanes.lanes[number].shared;
	uint64_t head = atomic_load(&shared->head);
	uint64_t counted = atomic_load(&lanes.gates->gates[0].count);
	uint32_t ticket = first_ticket(number);

	assert_true(mach_lane_move(&shared->head, head, mach_lane_units(SIZE)));
	mach_lane_count_out(&lanes.gates->gates[0], counted);
	lane_served(port, number, ticket);
	messages--;
}

/* @steps by chance, in which the kernel comes once in @kernel: always the oldest one is next. */
static void
play(uint32_t steps, uint32_t kernel)
{
	const struct mach_lane_port *row = &lanes.table->ports[0];

	for (uint32_t i = 0; i < steps; i++) {
		uint32_t number = random_below(LANES), first;

		if (random_below(kernel) == 0)
			opened();
		if (!drafts[number].is_there)
			draw(number);
		/* some wait for long until they put in what they have drawn a ticket for */
		if (drafts[number].is_there && random_below(number == 3 ? 200 : 2) == 0)
			put(number);
		if (random_below(3) == 0)
			continue;
		first = lane_first(port, row);
		assert_int_equal(first, oldest());
		if (first != MACH_LANE_MAX)
			take(first);
	}
	for (uint32_t i = 0; i < LANES; i++)
		if (drafts[i].is_there)
			put(i);
	while (messages > 0) {
		uint32_t first = lane_first(port, row);

		assert_int_equal(first, oldest());
		take(first);
	}
	assert_int_equal(lane_first(port, row), MACH_LANE_MAX);
}

static void
the_oldest_one_is_next(void **state)
{
	(void)state;
	play(200000, UINT32_MAX / 2);
}

static void
the_oldest_one_is_next_when_the_kernel_comes_between(void **state)
{
	(void)state;
	play(200000, 50);
}

/* It draws every ticket itself, and puts it in at once: whose ticket is next is next. */
static void
who_lies_is_not_always_first(void **state)
{
	const struct mach_lane_port *row = &lanes.table->ports[0];
	uint32_t honest_ticket, taken = 0, first;

	(void)state;
	draw(1);
	honest_ticket = drafts[1].ticket;
	assert_true(put(1));
	port->order.opened = atomic_load(&row->opened);
	do {
		port->order.next = honest_ticket - 1 - random_below(2);
		draw(0);
		drafts[0].ticket = port->order.next;
		assert_true(put(0));
		first = lane_first(port, row);
		assert_in_range(first, 0, 1);
		take(first);
		taken++;
		assert_true(taken <= LANE_PASSED_OVER_MAX + 2 * LANE_LOOKS_AGAIN);
	} while (first == 0);
}

#define TEST_OF(name_) cmocka_unit_test_setup_teardown(name_, lanes_begin, lanes_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(the_oldest_one_is_next),
		TEST_OF(the_oldest_one_is_next_when_the_kernel_comes_between),
		TEST_OF(who_lies_is_not_always_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
