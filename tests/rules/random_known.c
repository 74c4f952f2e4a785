/* What the tasks of a random run know, and what is drawn: see random.h. */
#include <string.h>

#include "tests/rules/random.h"

uint64_t random_state;

static struct known known[WORLD_TASKS_MAX];
struct known timers[WORLD_TASKS_MAX];
static struct known semaphores[WORLD_TASKS_MAX]; /* of these, those that it made */

uint32_t
pick(uint32_t bound)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 33) % bound;
}

bool
chance(uint32_t percent)
{
	return pick(100) < percent;
}

void
learn(struct party *party, mach_port_name_t name)
{
	struct known *k = &known[party->index];

	if (MACH_PORT_VALID(name))
		k->names[k->next++ % KNOWN_MAX] = name;
}

void
learn_semaphore(struct party *party, mach_port_name_t name)
{
	struct known *k = &semaphores[party->index];

	k->names[k->next++ % 4] = name; /* few, so that waiters meet */
	learn(party, name);
}

mach_port_name_t
some_name(struct party *party)
{
	mach_port_name_t name = known[party->index].names[pick(KNOWN_MAX)];

	if (chance(94))
		return name;
	switch (pick(5)) {
	case 0:
		return MACH_PORT_NULL;
	case 1:
		return MACH_PORT_DEAD;
	case 2:
		return name + 4;
	case 3:
		return pick(64) << 8 | 3;
	default:
		return (mach_port_name_t)random_state;
	}
}

uint32_t
some_disposition(void)
{
	return chance(97) ? 16 + pick(6) : pick(32);
}

static const uint64_t interesting[] = { 0, 1, 2, 3, 5, 9, 16, 24, 0xffff, 0x10000, 0xffffffff };

uint64_t
some_number(void)
{
	return interesting[pick(sizeof interesting / sizeof interesting[0])];
}

static struct known vouchers[WORLD_TASKS_MAX]; /* of the names, those that are vouchers */

void
learn_voucher(struct party *party, mach_port_name_t name)
{
	struct known *k = &vouchers[party->index];

	if (!MACH_PORT_VALID(name))
		return;
	k->names[k->next++ % 4] = name;
	learn(party, name);
}

mach_port_name_t
some_voucher(struct party *party)
{
	mach_port_name_t name = vouchers[party->index].names[pick(4)];

	return name && chance(90) ? name : some_name(party);
}

/* A semaphore that the task has, if it has seen one. */
mach_port_name_t
some_semaphore(struct party *party)
{
	mach_port_name_t name = semaphores[party->index].names[pick(4)];

	return name && chance(90) ? name : some_name(party);
}

void
forget_all(void)
{
	memset(known, 0, sizeof known);
	memset(semaphores, 0, sizeof semaphores);
	memset(vouchers, 0, sizeof vouchers);
	memset(timers, 0, sizeof timers);
}
