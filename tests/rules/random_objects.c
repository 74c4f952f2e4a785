/* Semaphores, alarms, timers and vouchers of a random run: see random.h. */
#include "tests/rules/random.h"
#include "tests/support/calls.h"
#include "tests/support/rpc.h"
#include "tests/support/semaphores.h"

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

void
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

/* ---- alarms ------------------------------------------------------------------------------ */

static mach_port_name_t clocks[WORLD_TASKS_MAX]; /* the system's, as each task names it */

void
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

void
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

void
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

void
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
