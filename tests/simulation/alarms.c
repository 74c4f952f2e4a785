/*
 * Alarms of the system clock beside time-outs of their own kind: each alarm comes once, not
 * before its time and in the order of their times, unless its port or who asked for it dies.
 */
#include "tests/simulation/scenarios.h"

#define ALARMS 8u /* of one thread at once */
#define GET_CLOCK 206
#define ALARM 1002
#define ALARM_COMES 3125107

struct sleeper {
	mach_port_name_t clock, reply, port;
	uint64_t due_ns[ALARMS];            /* of those that are outstanding; 0: free */
	uint32_t asked_ns[ALARMS], asked;   /* what tells them apart */
	uint32_t slot, outstanding, unused; /* rights that may have died unused */
	uint64_t last_due_ns;
};

/* Which of the outstanding ones the message speaks of; fails if of none. */
static uint32_t
alarm_of(struct sim_thread *t)
{
	struct sleeper *me = t->state;
	uint32_t nsec;

	/* code, type and time follow header and NDR record */
	sim_must(t->sim, t->result.bytes_size == 48, "an alarm of %u bytes", t->result.bytes_size);
	for (uint32_t i = 0; i < ALARMS; i++) {
		__builtin_memcpy(&nsec, t->result.bytes + 44, 4);
		if (me->due_ns[i] && me->asked_ns[i] == nsec)
			return i;
	}
	sim_fail(t->sim, "an alarm comes that was not set, or once more");
}

static void
alarm_comes(struct sim_thread *t)
{
	struct sleeper *me = t->state;
	const uint32_t slot = alarm_of(t);

	sim_must(t->sim, mail_of(t).data[2] == KERN_SUCCESS, "an alarm says %#x",
		 mail_of(t).data[2]);
	sim_must(t->sim, t->sim->now_ns >= me->due_ns[slot], "an alarm comes %llu ns early",
		 (unsigned long long)(me->due_ns[slot] - t->sim->now_ns));
	sim_must(t->sim, me->due_ns[slot] >= me->last_due_ns, "alarms come in the wrong order");
	me->last_due_ns = me->due_ns[slot];
	me->due_ns[slot] = 0;
	me->outstanding--;
}

/* In the step in which the clock took it: its time counts from here. */
static void
alarm_is_set(struct sim_thread *t)
{
	struct sleeper *me = t->state;

	me->due_ns[me->slot] = t->sim->now_ns + me->asked_ns[me->slot];
	me->outstanding++;
	me->unused -= 2;
}

static void
completed(struct sim_thread *t)
{
	struct sleeper *me = t->state;
	struct mail mail;

	ledger_completed(t);
	if (t->sim->phase == SIM_SETUP || !was_received(t))
		return;
	mail = mail_of(t);
	if (mail.id == ALARM_COMES) {
		alarm_comes(t);
	} else if (mail.id == ALARM + 100 && mail.data[2] == KERN_SUCCESS) {
		alarm_is_set(t);
	} else {
		sim_must(t->sim, mail.id == ALARM + 100 || mail.id == MACH_NOTIFY_SEND_ONCE,
			 "message %d comes to who sleeps", mail.id);
		if (mail.id == ALARM + 100)
			sim_must(t->sim, sim_is_shortage((kern_return_t)mail.data[2]),
				 "an alarm is refused: %#x", mail.data[2]);
		if (mail.id == MACH_NOTIFY_SEND_ONCE)
			sim_must(t->sim, me->unused-- > 0,
				 "a right dies unused that nobody dropped");
	}
}

static void
ask_alarm(struct sim_thread *self)
{
	struct sleeper *me = self->state;

	for (me->slot = 0; me->due_ns[me->slot]; me->slot++)
		;
	/* no two alike: the last digits count */
	me->asked_ns[me->slot] = 1 + sim_pick(self->sim, 6) * 1000000u + ++me->asked;
	me->unused += 2; /* the port's, and the reply's, until the alarm is set */
	draft_to(self, me->clock, COPY);
	draft_port(self, me->port, MAKE_ONCE);
	ask_kernel(self, me->clock, ALARM,
		   (uint32_t[]){ 1 /* TIME_RELATIVE */, 0, me->asked_ns[me->slot] }, 3, me->reply);
}

static void
sleeper(struct sim_thread *self)
{
	struct sleeper *me = self->state;
	int32_t option;

	BEGIN(self);
	while (!CALM(self)) {
		if (me->outstanding < ALARMS && sim_chance(self->sim, 50)) {
			ASK(self, ask_alarm(self));
			if (!was_received(self))
				went_well(self);
		} else if (sim_chance(self->sim, 4)) {
			ASK(self, ask(self, BERTH_TRAP_PORT_MOD_REFS, BERTH_NAME_TASK_SELF,
				      me->port, MACH_PORT_RIGHT_RECEIVE, (uint64_t)-1));
			expect(self, KERN_SUCCESS);
			for (uint32_t i = 0; i < ALARMS; i++)
				me->due_ns[i] = 0; /* cancelled */
			me->outstanding = 0;
			me->last_due_ns = 0;
			do {
				ASK(self, ask(self, BERTH_TRAP_REPLY_PORT, 0, 0, 0, 0));
				me->port = (mach_port_name_t)self->result.values[0];
			} while (!me->port);
		} else {
			option =
			    me->outstanding && sim_chance(self->sim, 50) ? 0 : MACH_RCV_TIMEOUT;
			ASK(self, ask_receive(self, me->port, option, sim_pick(self->sim, 4)));
			if (!was_received(self))
				sim_must(self->sim,
					 self->result.code == MACH_RCV_TIMED_OUT ||
					     is_interrupted(self->result.code),
					 "who sleeps hears %#x", (unsigned)self->result.code);
		}
	}
	while (me->outstanding > 0)
		ASK(self, ask_receive(self, me->port, 0, 0));
	END(self);
}

static void
start(struct sim *sim)
{
	setup_task(sim, NULL);
	for (uint32_t i = 1 + sim_pick(sim, 3); i > 0; i--) {
		struct sim_task *task = setup_task(sim, sim->tasks[0]);
		mach_port_name_t clock = MACH_PORT_NULL;

		task->mortal = true;
		for (uint32_t j = 1 + sim_pick(sim, 3); j > 0; j--) {
			struct sim_thread *t =
			    sim_thread_new(task, sleeper, sizeof(struct sleeper));
			struct sleeper *me = t->state;

			me->port = setup_port(t, false);
			me->reply = setup_port(t, false);
			if (!clock) {
				setup_trap(t, BERTH_TRAP_HOST_SELF, 0, 0, 0, 0);
				clock = (mach_port_name_t)t->result.values[0];
				draft_to(t, clock, COPY);
				ask_kernel(t, clock, GET_CLOCK, (uint32_t[]){ 0 }, 1, me->reply);
				sim_must(sim, sim_trap(t) && was_received(t), "no clock");
				clock = mail_of(t).ports[0];
			}
			me->clock = clock;
		}
	}
}

static void
settled(struct sim *sim)
{
	programs_done(sim, sleeper, "an alarm");
}

const struct sim_scenario scenario_alarms = {
	.name = "alarms",
	.storm_steps = 160,
	.share = 100,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct ledger),
	.start = start,
	.completed = completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = ledger_task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
