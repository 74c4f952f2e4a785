/*
 * Timers, alone and in a set: a message comes for each time that was set and not taken back, not
 * before it, and never two at once.  What is still to come when a timer is cancelled is told.
 */
#include "tests/simulation/scenarios.h"

#define TIMERS 3u
#define MS_NS 1000000u

/*
 * What its thread knows of a timer.  Time passes with each trap, and what has become due goes off
 * a little later: between the two it is not known whether a message is there.
 */
struct timer {
	mach_port_name_t name;
	uint64_t due_ns; /* 0: not armed */
	bool queued;     /* a message is there */
	bool perhaps;    /* there may be one */
	bool stale;      /* `due_ns` may have gone off while another message waited */
};

struct ringer {
	struct timer timers[TIMERS];
	mach_port_name_t set, from;
	uint32_t which;
	uint64_t asked_ns;
};

static bool
is_due(const struct sim_thread *t, const struct timer *timer)
{
	return timer->due_ns && timer->due_ns <= t->sim->now_ns;
}

static void
armed(struct sim_thread *t, struct timer *timer, uint64_t when_ns)
{
	timer->perhaps |= is_due(t, timer);
	timer->stale = false;
	timer->due_ns = when_ns;
	if (when_ns <= t->sim->now_ns) {
		timer->due_ns = 0;
		timer->queued = true;
	}
}

static void
cancelled(struct sim_thread *t, struct timer *timer, uint64_t told_ns)
{
	if (told_ns)
		sim_must(t->sim, told_ns == timer->due_ns, "a timer was set to %llu, it says",
			 (unsigned long long)told_ns);
	else if (timer->due_ns)
		sim_must(t->sim, is_due(t, timer), "a timer that is armed says that it is not");
	timer->queued |= !told_ns && timer->due_ns && !timer->stale;
	timer->perhaps |= timer->stale;
	timer->due_ns = 0;
	timer->stale = false;
}

static void
rang(struct sim_thread *t)
{
	struct ringer *me = t->state;
	const struct mail mail = mail_of(t);
	struct timer *timer = me->timers;

	while (timer < me->timers + TIMERS && timer->name != mail.local)
		timer++;
	sim_must(t->sim, timer < me->timers + TIMERS, "a message of no timer");
	sim_must(t->sim, t->result.bytes_size == 48 && mail.id == 0 && !mail.remote,
		 "a timer's message is another");
	sim_must(t->sim, timer->queued || timer->perhaps || is_due(t, timer),
		 "a timer goes off before its time, or once more");
	/* a message that waited may have kept what is due now from being told */
	if (is_due(t, timer))
		timer->stale = timer->queued || timer->perhaps;
	if (is_due(t, timer) && !timer->stale)
		timer->due_ns = 0;
	timer->queued = timer->perhaps = false;
}

/* Nothing came in time: so nothing was there. */
static void
silent(struct sim_thread *t)
{
	struct ringer *me = t->state;

	for (uint32_t i = 0; i < TIMERS; i++) {
		if (me->from != me->set && me->from != me->timers[i].name)
			continue;
		sim_must(t->sim, !me->timers[i].queued, "a timer's message is lost");
		me->timers[i].perhaps = false;
	}
}

static void
completed(struct sim_thread *t)
{
	struct ringer *me = t->state;
	struct timer *timer;

	ledger_completed(t);
	if (t->sim->phase == SIM_SETUP || !me)
		return;
	timer = &me->timers[me->which];
	switch (t->frame.number) {
	case BERTH_TRAP_MSG:
		if (was_received(t))
			rang(t);
		else if (t->result.code == MACH_RCV_TIMED_OUT)
			silent(t);
		else
			sim_must(t->sim, is_interrupted(t->result.code), "who waits hears %#x",
				 (unsigned)t->result.code);
		break;
	case BERTH_TRAP_MK_TIMER_ARM:
	case BERTH_TRAP_MK_TIMER_ARM_LEEWAY:
		expect(t, KERN_SUCCESS);
		armed(t, timer, me->asked_ns);
		break;
	case BERTH_TRAP_MK_TIMER_CANCEL:
		expect(t, KERN_SUCCESS);
		cancelled(t, timer, t->result.values[0]);
		break;
	case BERTH_TRAP_MK_TIMER_DESTROY:
	case BERTH_TRAP_PORT_MOD_REFS:
		expect(t, KERN_SUCCESS);
		*timer = (struct timer){ 0 };
		break;
	}
}

/* Is there something to wait for, however long? */
static bool
will_ring(const struct ringer *me)
{
	for (uint32_t i = 0; i < TIMERS; i++)
		if ((me->from == me->set || me->from == me->timers[i].name) &&
		    ((me->timers[i].due_ns && !me->timers[i].stale && !me->timers[i].perhaps) ||
		     me->timers[i].queued))
			return true;
	return false;
}

static void
ask_arm(struct sim_thread *self)
{
	struct ringer *me = self->state;

	me->asked_ns = self->sim->now_ns + sim_pick(self->sim, 6) * MS_NS;
	if (sim_chance(self->sim, 10))
		me->asked_ns = sim_pick(self->sim, 2);
	if (sim_chance(self->sim, 70))
		ask(self, BERTH_TRAP_MK_TIMER_ARM, me->timers[me->which].name, me->asked_ns, 0, 0);
	else
		ask(self, BERTH_TRAP_MK_TIMER_ARM_LEEWAY, me->timers[me->which].name, 0,
		    me->asked_ns, 500);
}

static void
ask_ring(struct sim_thread *self)
{
	struct ringer *me = self->state;
	int32_t option = MACH_RCV_TIMEOUT;

	me->from = sim_chance(self->sim, 60) ? me->set : me->timers[me->which].name;
	if (will_ring(me) && sim_chance(self->sim, 60))
		option = 0;
	ask_receive(self, me->from, option, sim_pick(self->sim, 4));
}

static void
ask_end(struct sim_thread *self)
{
	const struct ringer *me = self->state;
	const mach_port_name_t name = me->timers[me->which].name;

	if (sim_chance(self->sim, 50))
		ask(self, BERTH_TRAP_MK_TIMER_DESTROY, name, 0, 0, 0);
	else
		ask6(self, BERTH_TRAP_PORT_MOD_REFS, BERTH_NAME_TASK_SELF, name,
		     MACH_PORT_RIGHT_RECEIVE, (uint64_t)-1, 0, 0);
}

static void
ringer(struct sim_thread *self)
{
	struct ringer *me = self->state;
	uint32_t what;

	BEGIN(self);
	while (!CALM(self)) {
		me->which = sim_pick(self->sim, TIMERS);
		what = sim_pick(self->sim, 100);
		if (what < 45) {
			ASK(self, ask_arm(self));
		} else if (what < 60) {
			ASK(self, ask(self, BERTH_TRAP_MK_TIMER_CANCEL, me->timers[me->which].name,
				      0, 0, 0));
		} else if (what < 64) {
			ASK(self, ask_end(self));
			do {
				ASK(self, ask(self, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0));
			} while (!went_well(self));
			me->timers[me->which].name = (mach_port_name_t)self->result.values[0];
			do {
				ASK(self,
				    ask(self, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF,
					me->timers[me->which].name, me->set, 0));
			} while (!went_well(self));
		} else {
			ASK(self, ask_ring(self));
		}
	}
	/* each goes off once more */
	for (me->which = 0; me->which < TIMERS; me->which++) {
		me->from = me->timers[me->which].name;
		ASK(self, ask_arm(self));
		while ((me->timers[me->which].due_ns && !me->timers[me->which].stale) ||
		       me->timers[me->which].queued)
			ASK(self, ask_receive(self, me->from, 0, 0));
	}
	END(self);
}

static void
start(struct sim *sim)
{
	setup_task(sim, NULL);
	for (uint32_t i = 1 + sim_pick(sim, 3); i > 0; i--) {
		struct sim_task *task = setup_task(sim, sim->tasks[0]);

		task->mortal = true;
		for (uint32_t j = 1 + sim_pick(sim, 3); j > 0; j--) {
			struct sim_thread *t = sim_thread_new(task, ringer, sizeof(struct ringer));
			struct ringer *me = t->state;

			me->set = setup_set(t);
			for (uint32_t n = 0; n < TIMERS; n++) {
				setup_trap(t, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0);
				me->timers[n].name = (mach_port_name_t)t->result.values[0];
				setup_trap(t, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF,
					   me->timers[n].name, me->set, 0);
			}
		}
	}
}

static void
settled(struct sim *sim)
{
	programs_done(sim, ringer, "a timer");
}

const struct sim_scenario scenario_timers = {
	.name = "timers",
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
