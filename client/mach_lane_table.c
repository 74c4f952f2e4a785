/*
 * Lanes: beginning, opening, accepting, and the memory of each.
 */
#include <berth/kernel_connection.h>

#include "client/export.h"
#include "client/mach_lane_parts.h"
#include "client/memory.h"
#include "client/site.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOT_DEFAULT 64u       /* messages until a right gets a lane */
#define HOT_DOUBLINGS_MAX 10u /* a right that gets no lane is tried ever more seldom */
#define RIGHTS 256u           /* that are counted, by name; a newer one takes the place */

_Atomic uint32_t mach_lanes_state;
struct lanes lanes;

/* A right that messages go to: its name below, and above it how often, or its lane. */
static _Atomic uint64_t rights[RIGHTS];
#define RIGHT_COUNT_SHIFT 32
#define RIGHT_COUNT_MASK 0xfffffu
#define RIGHT_TRIES_SHIFT 52
#define RIGHT_TRIES_MASK 0xfu
#define RIGHT_HAS_LANE (1ull << 63)

/* Names of answers, hashed: the name below, then lane and call. */
static _Atomic uint64_t answers[RIGHTS];

__attribute__((constructor)) static void
mach_lanes_choose(void)
{
	const char *wanted = secure_getenv("BERTH_LANES");
	uint32_t hot = HOT_DEFAULT;

	if (wanted != NULL && strncmp(wanted, "flap", 4) == 0) {
		uint32_t seed = wanted[4] == ':' ? (uint32_t)strtoul(wanted + 5, NULL, 10) : 0;

		atomic_store(&lanes.chance, seed * 2654435761u | 1);
		hot = 1;
	} else if (wanted != NULL) {
		hot = (uint32_t)strtoul(wanted, NULL, 10);
	}
	lanes.hot = hot;
	atomic_store(&mach_lanes_state, hot > 0 ? MACH_LANES_COUNTING : MACH_LANES_OFF);
}

/* ---- traps that hand out memory ------------------------------------------------------------- */

/* A trap whose answer has memory of @size_bytes: mapped, or NULL and the kernel's code. */
static void *
memory_trap(uint32_t number, uint64_t arg, size_t size_bytes, uint64_t values[TRAP_VALUE_COUNT],
	    kern_return_t *code)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, number);
	void *memory = MAP_FAILED;

	*code = KERN_RESOURCE_SHORTAGE;
	if (outcome != TRAP_OK)
		return NULL;
	trap.slot->request.args[0] = arg;
	outcome = trap_run(&trap, TRAP_PATIENT);
	if (outcome == TRAP_OK || outcome == TRAP_SHORTAGE) {
		*code = trap.slot->reply.code;
		memcpy(values, trap.slot->reply.values, sizeof(trap.slot->reply.values));
	}
	if (outcome == TRAP_OK && *code == KERN_SUCCESS && trap.file_fd >= 0) {
		memory =
		    mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, trap.file_fd, 0);
		if (memory != MAP_FAILED)
			madvise(memory, size_bytes, MADV_DONTFORK);
	}
	trap_end(&trap);
	return memory == MAP_FAILED ? NULL : memory;
}

/* ---- beginning ------------------------------------------------------------------------------ */

/* Without it whoever waits for several lanes could not sleep. */
static bool
linux_has_waitv(void)
{
	return syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) >= 0 || errno == EINVAL;
}

static void
turn_off(void)
{
	atomic_store(&mach_lanes_state, MACH_LANES_OFF);
}

BERTH_EXPORT void
berth_lanes_off(void)
{
	turn_off();
}

/* Under the lock.  False: not now. */
static bool
begin(void)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code;
	uint32_t generation = atomic_load(&connection.generation);

	if (lanes.table != NULL && lanes.generation == generation)
		return true;
	if (!linux_has_waitv()) {
		turn_off();
		return false;
	}
	lanes.table = memory_trap(BERTH_TRAP_LANE_BEGIN, 0, sizeof(*lanes.table), values, &code);
	if (lanes.table == NULL)
		return false;
	lanes.gates =
	    memory_trap(BERTH_TRAP_LANE_GATES, BERTH_LANE_OWN, sizeof(*lanes.gates), values, &code);
	if (lanes.gates == NULL) {
		munmap(lanes.table, sizeof(*lanes.table));
		lanes.table = NULL;
		return false;
	}
	lanes.generation = generation;
	lanes.gives_lines = cache_lines_can_be_given();
	atomic_fetch_or(&mach_lanes_state, MACH_LANES_READY);
	return true;
}

/* ---- the memory of one lane ----------------------------------------------------------------- */

/* Nobody is in the middle of it: true, and nobody comes in until lane_leave(). */
static bool
lane_enter_alone(uint32_t number)
{
	struct lane *lane = &lanes.lanes[number];

	if (!lane_try_lock(&lane->lock))
		return false;
	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX; i++) {
		if (lane_try_lock(&lanes.ports[i].lock))
			continue;
		while (i-- > 0)
			lane_unlock(&lanes.ports[i].lock);
		lane_unlock(&lane->lock);
		return false;
	}
	return true;
}

static void
lane_leave(uint32_t number)
{
	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX; i++)
		lane_unlock(&lanes.ports[i].lock);
	lane_unlock(&lanes.lanes[number].lock);
}

static void
lane_unmap(struct lane *lane)
{
	if (lane->shared != NULL)
		munmap(lane->shared, sizeof(*lane->shared));
	if (lane->gates != NULL && lane->gates != lanes.gates)
		munmap(lane->gates, sizeof(*lane->gates));
	lane->shared = NULL;
	lane->gates = NULL;
}

/* Lane @number is @shared from now on; consumes the mappings.  False: it is still in use. */
static bool
lane_map(uint32_t number, struct mach_lane *shared, struct mach_lane_gates *gates)
{
	const struct mach_lane_entry *row = &lanes.table->entries[number];
	struct lane *lane = &lanes.lanes[number];

	if (shared == NULL || gates == NULL || row->gate >= MACH_LANE_GATE_MAX ||
	    !lane_enter_alone(number)) {
		if (shared != NULL)
			munmap(shared, sizeof(*shared));
		if (gates != NULL && gates != lanes.gates)
			munmap(gates, sizeof(*gates));
		return false;
	}
	lane_unmap(lane);
	lane->shared = shared;
	lane->gates = gates;
	lane->gate = &gates->gates[row->gate];
	lane->generation = atomic_load(&row->generation);
	memset(lane->bindings, 0, sizeof(lane->bindings));
	lane->known_head = 0;
	lane->known_tail = 0;
	lane->waiting_at = 0;
	lane->missed = 0;
	lane_leave(number);
	return true;
}

/* ---- rights --------------------------------------------------------------------------------- */

static _Atomic uint64_t *
right_of(mach_port_name_t name)
{
	return &rights[((name >> 8) * 5 + (name >> 2)) % RIGHTS];
}

uint32_t
lane_of_right(mach_port_name_t name)
{
	uint64_t right = atomic_load_explicit(right_of(name), memory_order_relaxed);
	uint32_t number = (uint32_t)(right >> RIGHT_COUNT_SHIFT) & RIGHT_COUNT_MASK;

	if ((uint32_t)right != name || (right & RIGHT_HAS_LANE) == 0)
		return MACH_LANE_MAX;
	if (!lane_is_live(number, MACH_LANE_SENDER) || lanes.table->entries[number].name != name) {
		atomic_store_explicit(right_of(name), 0, memory_order_relaxed);
		return MACH_LANE_MAX;
	}
	return number;
}

static uint32_t
lane_that_is(mach_port_name_t name)
{
	uint32_t number = 0;

	while (number < MACH_LANE_MAX && (!lane_is_live(number, MACH_LANE_SENDER) ||
					  lanes.table->entries[number].name != name))
		number++;
	return number;
}

/* The right's lane, or MACH_LANE_MAX. */
static uint32_t
open_lane(mach_port_name_t name)
{
	uint64_t values[TRAP_VALUE_COUNT], ignored[TRAP_VALUE_COUNT];
	struct mach_lane_gates *gates;
	struct mach_lane *shared;
	kern_return_t code;

	shared = memory_trap(BERTH_TRAP_LANE_OPEN, name, sizeof(*shared), values, &code);
	if (code == KERN_NAME_EXISTS)
		return lane_that_is(name); /* its place here was taken by another right */
	if (code != KERN_SUCCESS)
		return MACH_LANE_MAX;
	uint32_t number = (uint32_t)values[0];
	gates = memory_trap(BERTH_TRAP_LANE_GATES, number, sizeof(*gates), ignored, &code);
	if (number < MACH_LANE_MAX && lane_map(number, shared, gates))
		return number;
	TRAP_CALL(BERTH_TRAP_LANE_CLOSE, NULL, number);
	return MACH_LANE_MAX;
}

void
lane_count(mach_port_name_t name)
{
	_Atomic uint64_t *place = right_of(name);
	uint64_t right = atomic_load_explicit(place, memory_order_relaxed);
	uint32_t number;

	if ((uint32_t)right != name)
		right = name; /* another one's place: it begins anew */
	else if ((right & RIGHT_HAS_LANE) != 0)
		return; /* shut at the moment */
	uint64_t tries = right >> RIGHT_TRIES_SHIFT & RIGHT_TRIES_MASK;
	uint64_t count = (right >> RIGHT_COUNT_SHIFT & RIGHT_COUNT_MASK) + 1;
	if (count < (uint64_t)lanes.hot << tries && count < RIGHT_COUNT_MASK) {
		atomic_store_explicit(
		    place, name | count << RIGHT_COUNT_SHIFT | tries << RIGHT_TRIES_SHIFT,
		    memory_order_relaxed);
		return;
	}
	if (!lane_try_lock(&lanes.lock))
		return;
	number = begin() ? open_lane(name) : MACH_LANE_MAX;
	lane_unlock(&lanes.lock);
	if (number < MACH_LANE_MAX) {
		atomic_store(place, name | (uint64_t)number << RIGHT_COUNT_SHIFT | RIGHT_HAS_LANE);
		return;
	}
	if (tries < HOT_DOUBLINGS_MAX)
		tries++;
	atomic_store(place, name | tries << RIGHT_TRIES_SHIFT);
}

void
lane_give_up(uint32_t number)
{
	mach_port_name_t name = lanes.table->entries[number].name;

	TRAP_CALL(BERTH_TRAP_LANE_CLOSE, NULL, number);
	uint64_t tries = atomic_load(&lanes.chance) != 0 ? 0 : HOT_DOUBLINGS_MAX / 2;
	atomic_store(right_of(name), name | tries << RIGHT_TRIES_SHIFT);
}

/* ---- ports ---------------------------------------------------------------------------------- */

static _Atomic uint32_t *
port_place(mach_port_name_t name)
{
	return &lanes.port_names[(name >> 8) % LANE_PORT_PLACES];
}

uint32_t
lane_port_of(mach_port_name_t name)
{
	uint32_t number = atomic_load_explicit(port_place(name), memory_order_relaxed);

	if (number == 0 || atomic_load_explicit(&lanes.table->ports[number - 1].name,
						memory_order_acquire) != name)
		return MACH_LANE_GATE_MAX;
	return number - 1;
}

void
lane_port_update(uint32_t number)
{
	struct lane_port *port = &lanes.ports[number];
	uint32_t generation = atomic_load(&lanes.table->ports[number].generation);
	uint32_t changes = atomic_load(&port->changes);

	if (port->generation == generation + 1 && port->listed_changes == changes)
		return;
	port->lane_count = 0;
	port->bound_count = 0;
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		if (lane_is_live(i, MACH_LANE_RECEIVER) && lanes.table->entries[i].gate == number)
			port->lanes[port->lane_count++] = (uint8_t)i;
		if (!lane_is_live(i, MACH_LANE_SENDER))
			continue;
		for (uint32_t j = 0; j < MACH_LANE_BINDINGS; j++) {
			const struct lane_binding *binding = &lanes.lanes[i].bindings[j];

			if (binding->name == 0 || binding->port != number)
				continue;
			port->bound[port->bound_count++] = (uint8_t)i;
			break;
		}
	}
	port->last = port->lanes[0];
	memset(port->after, port->lanes[0], sizeof(port->after));
	port->generation = generation + 1; /* 0: never listed */
	port->listed_changes = changes;
}

bool
lane_bind(uint32_t number, mach_port_name_t name, uint32_t *binding, uint32_t *port)
{
	struct lane *lane = &lanes.lanes[number];
	uint64_t values[TRAP_VALUE_COUNT];

	for (*binding = 0; *binding < MACH_LANE_BINDINGS; ++*binding) {
		*port = lane->bindings[*binding].port;
		if (lane->bindings[*binding].name == name &&
		    lane_binding_is_live(&lane->bindings[*binding]))
			return true;
	}
	if (TRAP_CALL(BERTH_TRAP_LANE_BIND, values, number, name) != KERN_SUCCESS ||
	    values[0] >= MACH_LANE_BINDINGS || values[1] >= MACH_LANE_GATE_MAX)
		return false;
	*binding = (uint32_t)values[0];
	*port = (uint32_t)values[1];
	atomic_store(&lane->bindings[*binding].name, 0);
	atomic_store(&lane->bindings[*binding].port, *port);
	atomic_store(&lane->bindings[*binding].incarnation, (uint32_t)values[2]);
	atomic_store(&lane->bindings[*binding].name, name);
	atomic_store(port_place(name), *port + 1);
	lane_port_changed(*port);
	return true;
}

/* ---- answers -------------------------------------------------------------------------------- */

void
lane_answer_remember(mach_port_name_t name, uint32_t number, uint32_t call)
{
	atomic_store_explicit(&answers[(name >> 8) % RIGHTS],
			      name | (uint64_t)(number << 8 | call) << 32, memory_order_relaxed);
}

bool
lane_answer_find(mach_port_name_t name, uint32_t *number, uint32_t *call)
{
	uint64_t answer =
	    atomic_load_explicit(&answers[(name >> 8) % RIGHTS], memory_order_relaxed);

	if ((uint32_t)answer != name)
		return false;
	*number = (uint32_t)(answer >> 40) & 0xff;
	*call = (uint32_t)(answer >> 32) & 0xff;
	return *number < MACH_LANE_MAX && *call < MACH_LANE_CALLS;
}

/* ---- offers --------------------------------------------------------------------------------- */

void
mach_lanes_offer_seen(void)
{
	if (mach_lanes_are_on())
		atomic_fetch_or_explicit(&mach_lanes_state, MACH_LANES_OFFERED,
					 memory_order_relaxed);
}

void
mach_lanes_accept(void)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = KERN_SUCCESS;

	if (site_is_on() || !lane_try_lock(&lanes.lock))
		return;
	atomic_fetch_and(&mach_lanes_state, ~(uint32_t)MACH_LANES_OFFERED);
	for (uint32_t i = 0; begin() && code == KERN_SUCCESS; i++) {
		if (i == LANE_ACCEPTS_MAX) {
			atomic_fetch_or(&mach_lanes_state, MACH_LANES_OFFERED);
			break;
		}
		struct mach_lane *shared =
		    memory_trap(BERTH_TRAP_LANE_ACCEPT, 0, sizeof(*shared), values, &code);
		if (code != KERN_SUCCESS)
			break;
		uint32_t number = (uint32_t)values[0];
		if (number >= MACH_LANE_MAX || !lane_map(number, shared, lanes.gates)) {
			TRAP_CALL(BERTH_TRAP_LANE_CLOSE, NULL, number);
			continue;
		}
		const struct mach_lane_entry *row = &lanes.table->entries[number];
		atomic_store(port_place(row->name), row->gate + 1);
	}
	lane_unlock(&lanes.lock);
}

/* ---- sleeping, forking ---------------------------------------------------------------------- */

int
lane_sleep(const struct wait_word *words, uint32_t count, uint64_t deadline_ns)
{
	struct futex_waitv waiters[LANE_WORDS_MAX];
	struct {
		int64_t seconds;
		int64_t nanoseconds;
	} deadline = { (int64_t)(deadline_ns / 1000000000u), (int64_t)(deadline_ns % 1000000000u) };

	for (uint32_t i = 0; i < count; i++)
		waiters[i] = (struct futex_waitv){ .val = words[i].value,
						   .uaddr = (uintptr_t)words[i].word,
						   .flags = FUTEX_32 };
	return syscall(SYS_futex_waitv, waiters, count, 0,
		       deadline_ns == WAIT_FOREVER ? NULL : &deadline, CLOCK_MONOTONIC) < 0
		   ? -errno
		   : 0;
}

void
mach_lanes_dropped(void)
{
	struct mach_lane_table *table = lanes.table;

	for (uint32_t i = 0; table != NULL && i < MACH_LANE_GATE_MAX; i++) {
		if (atomic_load(&table->ports[i].task_sleeps) == 0)
			continue;
		atomic_fetch_or(&table->ports[i].word, MACH_LANE_IS_SHUT);
		wait_wake(&table->ports[i].word, INT_MAX);
	}
}

/* Zeroes in place of what a child does not inherit, for code that a handler interrupted. */
static void
replace(void *memory, size_t size)
{
	void *got = memory == NULL ? NULL
				   : mmap(memory, size, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)got; /* it is there, or was inherited all the same */
}

/* Of lane @number nothing is left but where it was: for code that a handler interrupted there. */
static void
lane_forget(struct lane *lane)
{
	struct mach_lane *shared = lane->shared;
	struct mach_lane_gate *gate = lane->gate;

	replace(shared, sizeof(*shared));
	if (lane->gates != lanes.gates)
		replace(lane->gates, sizeof(*lane->gates));
	memset((void *)lane, 0, sizeof(*lane));
	lane->shared = shared;
	lane->gate = gate;
}

void
mach_lanes_forked(void)
{
	uint32_t hot = lanes.hot, chance = atomic_load(&lanes.chance);
	bool is_off = !mach_lanes_are_on();
	struct mach_lane_table *table = lanes.table;

	/* all that is zero means that there is no lane: whoever was in one goes to the kernel */
	for (uint32_t i = 0; i < MACH_LANE_MAX; i++)
		lane_forget(&lanes.lanes[i]);
	replace(table, sizeof(*table));
	replace(lanes.gates, sizeof(*lanes.gates));
	memset((void *)rights, 0, sizeof(rights));
	memset((void *)answers, 0, sizeof(answers));
	memset((void *)lanes.ports, 0, sizeof(lanes.ports));
	memset((void *)lanes.port_names, 0, sizeof(lanes.port_names));
	atomic_store(&lanes.lock, 0);
	lanes.gates = NULL;
	lanes.table = table;
	lanes.generation = 0; /* of no connection: the table is made anew */
	lanes.hot = hot;
	atomic_store(&lanes.chance, chance);
	atomic_store(&mach_lanes_state, is_off ? MACH_LANES_OFF : MACH_LANES_COUNTING);
}
