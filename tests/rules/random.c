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
#include <string.h>
#include <time.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/rpc.h"
#include "tests/support/semaphores.h"

#define TASKS 3
#define THREADS 2
#define KNOWN_MAX 48     /* names that a task remembers */
#define OBJECTS_MANY 250 /* ports: from here on more is destroyed than made */
#define STEPS_DEFAULT 60000

static uint64_t random_state;

/* The names that a task has seen: some are good, some were. */
struct known {
	mach_port_name_t names[KNOWN_MAX];
	uint32_t next;
};

static struct known known[WORLD_TASKS_MAX];
static struct known semaphores[WORLD_TASKS_MAX]; /* of these, those that it made */
static uint32_t alive[TASKS];                    /* indices of parties */

static uint32_t
pick(uint32_t bound)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 33) % bound;
}

static bool
chance(uint32_t percent)
{
	return pick(100) < percent;
}

static void
learn(struct party *party, mach_port_name_t name)
{
	struct known *k = &known[party->index];

	if (MACH_PORT_VALID(name))
		k->names[k->next++ % KNOWN_MAX] = name;
}

static void
learn_semaphore(struct party *party, mach_port_name_t name)
{
	struct known *k = &semaphores[party->index];

	k->names[k->next++ % 4] = name; /* few, so that waiters meet */
	learn(party, name);
}

static mach_port_name_t
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

static uint32_t
some_disposition(void)
{
	return chance(97) ? 16 + pick(6) : pick(32);
}

static const uint64_t interesting[] = { 0, 1, 2, 3, 5, 9, 16, 24, 0xffff, 0x10000, 0xffffffff };

static uint64_t
some_number(void)
{
	return interesting[pick(sizeof interesting / sizeof interesting[0])];
}

static struct known vouchers[WORLD_TASKS_MAX]; /* of the names, those that are vouchers */

static void
learn_voucher(struct party *party, mach_port_name_t name)
{
	struct known *k = &vouchers[party->index];

	if (!MACH_PORT_VALID(name))
		return;
	k->names[k->next++ % 4] = name;
	learn(party, name);
}

static mach_port_name_t
some_voucher(struct party *party)
{
	mach_port_name_t name = vouchers[party->index].names[pick(4)];

	return name && chance(90) ? name : some_name(party);
}

/* ---- messages -----------------------------------------------------------------------------------
 */

static void
some_descriptor(struct world *w, struct party *party, struct message *m, struct segment **segment)
{
	static const char bytes[64] = "some bytes out of line";
	mach_port_name_t names[4];
	uint32_t count;

	switch (pick(8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		message_add_port(m, some_name(party), some_disposition());
		return;
	case 4:
		message_add_ool(m, bytes, pick(sizeof bytes), pick(2), pick(2));
		return;
	case 5:
		count = pick(5);
		for (uint32_t i = 0; i < count; i++)
			names[i] = some_name(party);
		/* the names live in the message's own unused end until it is sent */
		memcpy(m->bytes + MESSAGE_MAX - 256 + 16 * (m->descriptor_count % 16), names,
		       sizeof names);
		message_add_ool_ports(m,
				      (mach_port_name_t *)(void *)(m->bytes + MESSAGE_MAX - 256 +
								   16 * (m->descriptor_count % 16)),
				      count, some_disposition());
		return;
	case 6:
		if (!*segment)
			*segment = segment_new(w, bytes, sizeof bytes);
		message_add_ool_segment(m, *segment, pick(8), 1 + pick(32));
		return;
	default:
		message_add_guarded(m, some_name(party), some_number(), 1 + pick(2),
				    MACH_MSG_TYPE_MOVE_RECEIVE);
	}
}

/* What a finished message trap tells its task. */
static void
learn_received(struct actor *t)
{
	uint64_t buffer = t->outcome.values[BERTH_MSG_BUFFER];

	if (buffer == BERTH_MSG_BUFFER_NONE)
		return;
	received_parse(t, &got);
	learn(t->party, got.header.msgh_remote_port);
	learn(t->party, got.header.msgh_local_port);
	if (MACH_MSGH_BITS_HAS_VOUCHER(got.header.msgh_bits))
		learn_voucher(t->party, got.header.msgh_voucher_port);
	for (uint32_t i = 0; i < got.descriptor_count; i++) {
		struct descriptor *d = &got.descriptors[i];

		learn(t->party, d->name);
		for (uint32_t j = 0; d->names && j < d->size; j++)
			learn(t->party, d->names[j]);
	}
}

static void
some_message(struct world *w, struct actor *t)
{
	struct party *party = t->party;
	struct message m = message_to(some_name(party), some_disposition());
	struct segment *segment = NULL;
	int32_t option = 0;
	uint32_t timeout_ms = chance(60) ? 0 : pick(50);
	kern_return_t code;

	if (chance(30))
		message_reply(&m, some_name(party), some_disposition());
	if (chance(20)) {
		message_header(&m)->msgh_bits |=
		    MACH_MSGH_BITS_SET_PORTS(0, 0, chance(90) ? 17 + 2 * pick(2) : pick(32));
		message_header(&m)->msgh_voucher_port = some_voucher(party);
	}
	if (chance(40))
		for (uint32_t n = pick(5); n > 0; n--)
			some_descriptor(w, party, &m, &segment);
	if (chance(30))
		message_add_data(&m, "12345678abcdefgh", 4 * pick(5));
	message_id(&m, (int32_t)pick(100));
	if (chance(90))
		option |= MACH_SEND_TIMEOUT;
	if (chance(20))
		option |= MACH_SEND_NOTIFY;
	if (chance(15))
		code = msg_send_receive(t, &m, option | MACH_RCV_TIMEOUT,
					chance(90) ? ANY_SIZE : pick(80), some_name(party),
					timeout_ms, NULL);
	else
		code = msg_send(t, &m, option, timeout_ms);
	if (code != BLOCKED)
		learn_received(t);
	if (segment)
		segment_drop(segment);
}

static void
some_receive(struct actor *t)
{
	int32_t option = MACH_RCV_TRAILER_ELEMENTS(pick(16));

	if (chance(90))
		option |= MACH_RCV_TIMEOUT;
	if (chance(30))
		option |= MACH_RCV_LARGE;
	if (chance(30))
		option |= MACH_RCV_LARGE_IDENTITY;
	if (chance(50))
		option |= MACH_RCV_GUARDED_DESC;
	if (chance(30))
		option |= MACH_RCV_VOUCHER;
	if (msg_receive(t, some_name(t->party), option, chance(85) ? ANY_SIZE : pick(100),
			chance(70) ? 0 : pick(50), NULL) != BLOCKED)
		learn_received(t);
}

/* ---- other calls
 * ----------------------------------------------------------------------------------- */

/* Any trap but mach_msg, with any arguments; it may block. */
static void
any_trap(struct actor *t, mach_port_name_t first, mach_port_name_t second, mach_port_name_t fifth)
{
	struct trap_frame frame = { .number = 2 + pick(BERTH_TRAP_LIMIT),
				    .args = { chance(50) ? first : second, second, some_number(),
					      some_number(), fifth, some_number() } };

	world_trap(t, &frame);
}

/* ---- semaphores ---------------------------------------------------------------------------- */

/* What the contract knows; BLOCKED has no code yet. */
static void
check_semaphore_code(kern_return_t code)
{
	switch (code) {
	case KERN_SUCCESS:
	case KERN_INVALID_ARGUMENT:
	case KERN_INVALID_VALUE:
	case KERN_INVALID_NAME:
	case KERN_INVALID_RIGHT:
	case KERN_INVALID_CAPABILITY:
	case KERN_NOT_WAITING:
	case KERN_OPERATION_TIMED_OUT:
	case KERN_ABORTED:
	case KERN_TERMINATED:
	case BLOCKED:
		return;
	default:
		fail_msg("a semaphore says %s", code_name(code));
	}
}

/* A semaphore that the task has, if it has seen one. */
static mach_port_name_t
some_semaphore(struct party *party)
{
	mach_port_name_t name = semaphores[party->index].names[pick(4)];

	return name && chance(90) ? name : some_name(party);
}

/* semaphore_create or semaphore_destroy, of whatever the name of the own task means by now. */
static void
ask_own_task(struct actor *t, struct message *m, int32_t id)
{
	mach_port_name_t reply = reply_port(t);

	message_reply(m, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message_id(m, id);
	msg_send_receive(t, m, MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT, ANY_SIZE, reply, 0, &got);
	if (got.descriptor_count == 1)
		learn_semaphore(t->party, got.descriptors[0].name);
	port_mod_refs(t, reply, MACH_PORT_RIGHT_RECEIVE, -1);
}

static void
make_semaphore(struct actor *t)
{
	struct message m = message_to(BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND);
	const uint32_t data[4] = { 0, 1, pick(4) * 2, pick(3) }; /* NDR, policy, value */

	message_add_data(&m, data, sizeof data);
	ask_own_task(t, &m, 3418);
}

static void
destroy_semaphore(struct actor *t, mach_port_name_t semaphore)
{
	struct message m = message_to(BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, semaphore, MACH_MSG_TYPE_MOVE_SEND);
	ask_own_task(t, &m, 3419);
}

/* ---- alarms ------------------------------------------------------------------------------ */

static mach_port_name_t clocks[WORLD_TASKS_MAX]; /* the system's, as each task names it */

static void
learn_clock(struct party *party)
{
	struct actor *t = &party->actors[0];
	struct rpc r = rpc_to(206);

	rpc_u32(&r, 0);
	t->target = host_self(t);
	assert_ok(rpc_call(t, reply_port(t), &r));
	t->target = BERTH_NAME_TASK_SELF;
	clocks[party->index] = got.descriptors[0].name;
	learn(party, clocks[party->index]);
}

static void
some_alarm(struct actor *t)
{
	mach_port_name_t clock = clocks[t->party->index];
	struct message m = message_to(clock, MACH_MSG_TYPE_COPY_SEND);
	/* NDR, type, time */
	const uint32_t data[5] = { 0, 1, chance(90), 0, pick(60) * 1000000u };

	message_add_port(&m, some_name(t->party),
			 chance(80) ? MACH_MSG_TYPE_MAKE_SEND_ONCE : some_disposition());
	message_add_data(&m, data, sizeof data);
	message_id(&m, 1002);
	msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
}

/* ---- timers ------------------------------------------------------------------------------ */

static struct known timers[WORLD_TASKS_MAX]; /* of the names, those that are timers */

static void
check_timer_code(kern_return_t code)
{
	switch (code) {
	case KERN_SUCCESS:
	case KERN_INVALID_NAME:
	case KERN_INVALID_RIGHT:
	case KERN_INVALID_ARGUMENT:
		return;
	default:
		fail_msg("a timer says %s", code_name(code));
	}
}

static void
some_timer_call(struct actor *t)
{
	struct known *k = &timers[t->party->index];
	mach_port_name_t timer = k->names[pick(4)];
	uint64_t time = chance(90) ? t->world->now_ns + pick(60) * 1000000u : some_number();

	if (!timer || chance(10))
		timer = some_name(t->party);
	switch (pick(10)) {
	case 0:
		assert_ok(trap(t, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0));
		k->names[k->next++ % 4] = (mach_port_name_t)t->outcome.values[0];
		learn(t->party, (mach_port_name_t)t->outcome.values[0]);
		return;
	case 1:
		if (chance(30))
			check_timer_code(
			    trap(t, BERTH_TRAP_MK_TIMER_DESTROY, timer, 0, 0, 0, 0, 0));
		return;
	case 2:
		check_timer_code(trap(t, BERTH_TRAP_MK_TIMER_CANCEL, timer, 0, 0, 0, 0, 0));
		return;
	case 3:
		check_timer_code(
		    trap(t, BERTH_TRAP_MK_TIMER_ARM_LEEWAY, timer, pick(3), time, 5, 0, 0));
		return;
	case 4:
	case 5:
		if (msg_receive(t, timer, MACH_RCV_TIMEOUT, ANY_SIZE, pick(50), NULL) != BLOCKED)
			learn_received(t);
		return;
	default:
		check_timer_code(trap(t, BERTH_TRAP_MK_TIMER_ARM, timer, time, 0, 0, 0, 0));
		return;
	}
}

/* ---- vouchers ----------------------------------------------------------------------------- */

/* Few contents, so that many are the same. */
static void
some_recipe(struct actor *t)
{
	static const uint32_t commands[] = { 0, 1, 2, 3, 4, 5, 10, 200, 211, 610 };
	uint32_t bytes[3 * 5], size = 0;
	struct trap_frame frame = { .number = BERTH_TRAP_HOST_CREATE_MACH_VOUCHER, .bytes = bytes };

	for (uint32_t count = 1 + pick(3); count > 0; count--) {
		uint32_t command = commands[pick(10)];

		bytes[size++] = chance(20) ? UINT32_MAX : pick(10);
		bytes[size++] = command;
		bytes[size++] = chance(50) ? 0 : some_voucher(t->party);
		bytes[size++] = command > 10 && chance(70) ? 4 : 0;
		if (bytes[size - 1] > 0)
			bytes[size++] = pick(3);
	}
	frame.bytes_size = 4 * size - (chance(5) ? 1 : 0);
	frame.args[0] = host_self(t);
	assert_true(world_trap(t, &frame));
	switch (t->outcome.code) {
	case KERN_SUCCESS:
		learn_voucher(t->party, (mach_port_name_t)t->outcome.values[0]);
		break;
	case KERN_INVALID_ARGUMENT:
	case KERN_INVALID_CAPABILITY:
		break;
	default:
		fail_msg("a recipe says %s", code_name(t->outcome.code));
	}
	/* if that name is still the task's */
	trap(t, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF, frame.args[0], 0, 0, 0, 0);
}

static void
some_voucher_call(struct actor *t)
{
	struct message m;

	switch (pick(6)) {
	case 0:
		trap(t, BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE, some_voucher(t->party),
		     pick(10), some_number(), 0, 0, 0);
		return;
	case 1:
		/* thread_set_mach_voucher, of whatever thread it is */
		m = message_to(chance(80) ? thread_self(t) : some_name(t->party), 19);
		message_add_port(&m, some_voucher(t->party), chance(80) ? 19 : 17);
		message_id(&m, 3626);
		msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
		return;
	case 2:
		trap(t, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF, some_voucher(t->party), 0,
		     0, 0, 0);
		return;
	default:
		some_recipe(t);
		return;
	}
}

static void
some_semaphore_call(struct actor *t)
{
	struct party *party = t->party;
	mach_port_name_t sem = some_semaphore(party), other = some_semaphore(party);
	uint32_t sec = chance(80) ? 0 : (uint32_t)some_number();
	uint32_t nsec = chance(40) ? 0 : pick(40) * 1000000u;

	switch (pick(12)) {
	case 0:
		make_semaphore(t);
		return;
	case 1:
		if (chance(30))
			destroy_semaphore(t, sem);
		return;
	case 2:
	case 3:
	case 4:
		check_semaphore_code(sem_signal(t, sem));
		return;
	case 5:
		check_semaphore_code(sem_signal_all(t, sem));
		return;
	case 6:
		check_semaphore_code(sem_signal_thread(t, sem, chance(50) ? 0 : some_name(party)));
		return;
	case 7:
	case 8:
		check_semaphore_code(sem_wait(t, sem));
		return;
	case 9:
		check_semaphore_code(sem_timedwait(t, sem, sec, nsec));
		return;
	case 10:
		check_semaphore_code(sem_wait_signal(t, sem, other));
		return;
	default:
		check_semaphore_code(sem_timedwait_signal(t, sem, other, sec, nsec));
		return;
	}
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
	memset(known, 0, sizeof known);
	memset(semaphores, 0, sizeof semaphores);
	memset(timers, 0, sizeof timers);
	memset(vouchers, 0, sizeof vouchers);
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
