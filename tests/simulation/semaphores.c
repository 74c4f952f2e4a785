/*
 * Semaphores of one task, shared with others.  No signal is lost and none is made: what was
 * there plus what was signalled is what was waited for plus what is left.  Who waits on a
 * semaphore that dies, dies of its owner's end or is destroyed, hears so; nobody else does.
 */
#include "tests/simulation/scenarios.h"

#define SEMAPHORES 3u
#define CREATE 3418 /* requests to a task */
#define DESTROY 3419

struct semaphore_count {
	int64_t value; /* put in by signals, less what was taken */
	bool dead;
	bool unsure; /* somebody signalled it and waited for a dead one: what came first? */
};

struct semaphore_model {
	struct ledger ledger; /* first; no letters but the set-up's */
	struct semaphore_count counts[SEMAPHORES];
	struct sim_task *owner;
	/* the step under way signals those who wait, and stores nothing */
	uint32_t waking_step, waking_which;
};

struct worker {
	mach_port_name_t names[SEMAPHORES];
	uint32_t count; /* of semaphores */
	uint32_t which, other, trap;
	bool owner;
	mach_port_name_t reply;
};

static struct semaphore_model *
model_of(const struct sim_thread *self)
{
	return self->sim->model;
}

static struct semaphore_count *
count_of(const struct sim_thread *self, uint32_t which)
{
	return &model_of(self)->counts[which];
}

static bool
waits(uint32_t trap)
{
	return trap >= BERTH_TRAP_SEMAPHORE_WAIT && trap <= BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL;
}

static bool
signals(uint32_t trap)
{
	return trap == BERTH_TRAP_SEMAPHORE_SIGNAL || trap == BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL ||
	       trap == BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL;
}

static void
ask_some(struct sim_thread *self)
{
	static const uint32_t traps[] = {
		BERTH_TRAP_SEMAPHORE_SIGNAL,           BERTH_TRAP_SEMAPHORE_SIGNAL,
		BERTH_TRAP_SEMAPHORE_SIGNAL,           BERTH_TRAP_SEMAPHORE_SIGNAL_ALL,
		BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD,    BERTH_TRAP_SEMAPHORE_WAIT,
		BERTH_TRAP_SEMAPHORE_TIMEDWAIT,        BERTH_TRAP_SEMAPHORE_TIMEDWAIT,
		BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL,      BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL,
		BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL,
	};
	struct worker *me = self->state;
	const uint32_t nsec = sim_pick(self->sim, 3) * 2000000;

	me->which = sim_pick(self->sim, me->count);
	me->other = sim_pick(self->sim, me->count);
	me->trap = traps[sim_pick(self->sim, sizeof traps / sizeof traps[0])];
	if (me->trap == BERTH_TRAP_SEMAPHORE_TIMEDWAIT)
		ask(self, me->trap, me->names[me->which], 0, nsec, 0);
	else
		ask(self, me->trap, me->names[me->which], me->names[me->other], 0, nsec);
	if (me->trap == BERTH_TRAP_SEMAPHORE_SIGNAL)
		me->other = me->which;
	if (me->trap == BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD)
		self->frame.args[1] = 0; /* whoever waits */
	if (signals(me->trap) && waits(me->trap) && count_of(self, me->which)->dead)
		count_of(self, me->other)->unsure = true;
	/* booked when asked, in the same step: the thread may die before it hears of success */
	else if (signals(me->trap) && !count_of(self, me->other)->dead)
		count_of(self, me->other)->value++;
	if (me->trap == BERTH_TRAP_SEMAPHORE_SIGNAL_ALL ||
	    me->trap == BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD) {
		model_of(self)->waking_step = self->sim->step + 1;
		model_of(self)->waking_which = me->which;
	}
}

/* What became of it; a wait that succeeded is booked by completed(). */
static void
check_code(struct sim_thread *self)
{
	struct worker *me = self->state;
	const kern_return_t code = self->result.code;
	const bool dead = count_of(self, me->which)->dead ||
			  (signals(me->trap) && count_of(self, me->other)->dead);

	switch (code) {
	case KERN_SUCCESS:
		return;
	case KERN_OPERATION_TIMED_OUT: /* the host checks that it was asked for, and its time */
	case KERN_ABORTED:
		if (waits(me->trap))
			return;
		break;
	case KERN_NOT_WAITING:
		if (me->trap == BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD)
			return;
		break;
	case KERN_TERMINATED:
	case KERN_INVALID_NAME:
		if (dead)
			return;
		break;
	}
	sim_fail(self->sim, "trap %u of a semaphore says %#x", me->trap, (unsigned)code);
}

static void
worker(struct sim_thread *self)
{
	struct worker *me = self->state;

	BEGIN(self);
	while (!CALM(self)) {
		if (me->owner && sim_chance(self->sim, 2)) {
			/* its semaphore goes: by message, with the right that it consumes */
			me->which = sim_pick(self->sim, me->count);
			if (count_of(self, me->which)->dead)
				continue;
			draft_to(self, BERTH_NAME_TASK_SELF, COPY);
			draft_port(self, me->names[me->which], COPY);
			ASK(self,
			    ask_kernel(self, BERTH_NAME_TASK_SELF, DESTROY, NULL, 0, me->reply));
			continue;
		}
		ASK(self, ask_some(self));
		check_code(self);
	}
	/* nobody signals any more: what is left is taken, and must be as many as the model says */
	me->trap = BERTH_TRAP_SEMAPHORE_TIMEDWAIT;
	for (me->which = 0; me->which < me->count; me->which++)
		do {
			ASK(self, ask(self, me->trap, me->names[me->which], 0, 0, 0));
			check_code(self);
		} while (self->result.code == KERN_SUCCESS || self->result.code == KERN_ABORTED);
	END(self);
}

/* In the kernel's order: a signal and the wait that it ends are told in one step. */
static void
completed(struct sim_thread *t)
{
	struct worker *me = t->state;
	struct semaphore_model *model = model_of(t);
	struct semaphore_count *count;

	ledger_completed(t);
	if (t->program != worker || t->sim->phase == SIM_SETUP)
		return;
	if (t->frame.number == BERTH_TRAP_MSG) {
		if (was_received(t) && mail_of(t).id == DESTROY + 100 &&
		    mail_of(t).data[2] == KERN_SUCCESS)
			count_of(t, me->which)->dead = true;
		return;
	}
	if (!waits(t->frame.number) || t->result.code != KERN_SUCCESS)
		return;
	if (model->waking_step == t->sim->step && model->waking_which == me->which)
		return;
	count = count_of(t, me->which);
	count->value--;
	sim_must(t->sim, count->value >= 0 || count->unsure,
		 "semaphore %u: a wait ends that nobody signalled", me->which);
}

static void
start(struct sim *sim)
{
	struct semaphore_model *model = sim->model;
	const uint32_t task_count = 1 + sim_pick(sim, 3);
	struct worker first = { .count = 1 + sim_pick(sim, SEMAPHORES) };
	struct sim_thread *owner, *t;
	struct sim_task *task;

	setup_task(sim, NULL);
	model->owner = task = setup_task(sim, sim->tasks[0]);
	task->mortal = true;
	owner = t = sim_thread_new(task, worker, sizeof(struct worker));
	first.reply = setup_port(t, false);
	for (uint32_t i = 0; i < first.count; i++) {
		const uint32_t value = sim_pick(sim, 3), policy = sim_pick(sim, 2) * 2;

		draft_to(t, BERTH_NAME_TASK_SELF, COPY);
		ask_kernel(t, BERTH_NAME_TASK_SELF, CREATE, (uint32_t[]){ policy, value }, 2,
			   first.reply);
		sim_must(sim, sim_trap(t) && t->result.code == KERN_SUCCESS, "no semaphore");
		first.names[i] = mail_of(t).ports[0];
		model->counts[i].value = value;
	}
	first.owner = true;
	*(struct worker *)t->state = first;
	for (uint32_t i = 0; i < task_count; i++) {
		struct worker other = first;

		if (i > 0) {
			task = setup_task(sim, sim->tasks[0]);
			task->mortal = true;
			t = sim_thread_new(task, worker, sizeof(struct worker));
			for (uint32_t j = 0; j < first.count; j++)
				other.names[j] = setup_give(owner, first.names[j], COPY, t);
			other.owner = false;
			*(struct worker *)t->state = other;
		}
		other.owner = false;
		for (uint32_t j = 1 + sim_pick(sim, 3); j > 0; j--)
			*(struct worker *)sim_thread_new(task, worker, sizeof(struct worker))
			     ->state = other;
	}
}

static void
task_gone(struct sim_task *task)
{
	struct semaphore_model *model = task->sim->model;

	ledger_task_gone(task);
	for (uint32_t i = 0; task == model->owner && i < SEMAPHORES; i++)
		model->counts[i].dead = true;
}

/* Some wait for ever, for a semaphore that has nothing left and lives. */
static void
settled(struct sim *sim)
{
	const struct semaphore_model *model = sim->model;

	for (uint32_t i = 0; i < sim->live_count; i++) {
		const struct sim_thread *t = sim->live[i];
		const struct worker *me = t->state;

		if (t->program == worker && t->parked)
			sim_must(sim, waits(t->frame.number) && !model->counts[me->which].dead,
				 "worker %u waits for what is dead", t->number);
		if (t->program != worker || (!t->parked && !t->done))
			continue;
		for (uint32_t j = 0; j < me->count; j++)
			sim_must(sim,
				 model->counts[j].value == 0 || model->counts[j].dead ||
				     model->counts[j].unsure || (t->parked && me->which != j),
				 "semaphore %u: %lld signals are lost%s", j,
				 (long long)model->counts[j].value,
				 t->parked ? ", and somebody waits" : "");
	}
}

const struct sim_scenario scenario_semaphores = {
	.name = "semaphores",
	.storm_steps = 200,
	.share = 120,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct semaphore_model),
	.start = start,
	.completed = completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
