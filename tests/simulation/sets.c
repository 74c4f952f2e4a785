/*
 * Ports that come into sets and leave them, while many receive: on sets, on members, with
 * buffers that are too small.  Each letter comes out of its own port, once, in order, whichever
 * way it was received.
 */
#include <stdlib.h>

#include "tests/simulation/scenarios.h"

#define PORTS 4u
#define SETS 2u

/* What the threads of the receiving task share. */
struct place {
	mach_port_name_t ports[PORTS], sets[SETS];
	uint32_t port_count;
};

struct sender {
	mach_port_name_t to[PORTS];
	uint32_t channels[PORTS], count, port_count;
};

struct arranger {
	uint32_t at;
};

static mach_port_name_t
some_port(struct sim_thread *self)
{
	const struct place *place = self->task->model;

	return place->ports[sim_pick(self->sim, place->port_count)];
}

static mach_port_name_t
some_set(struct sim_thread *self)
{
	const struct place *place = self->task->model;

	return place->sets[sim_pick(self->sim, SETS)];
}

static void
sender(struct sim_thread *self)
{
	struct sender *me = self->state;
	uint32_t to;
	int32_t option;

	BEGIN(self);
	while (!CALM(self)) {
		to = sim_pick(self->sim, me->port_count);
		option = sim_chance(self->sim, 50) ? MACH_SEND_TIMEOUT : 0;
		draft_to(self, me->to[to], COPY);
		me->count++;
		ASK(self,
		    ask_send(self, me->channels[to], 0, me->count, option, sim_pick(self->sim, 3)));
		if (came_back(self) && MACH_PORT_VALID(mail_of(self).remote)) {
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      mail_of(self).remote, 0, 0));
			expect(self, KERN_SUCCESS);
		} else if (self->result.code == MACH_SEND_INVALID_DEST) {
			break; /* they all live in one task */
		}
	}
	END(self);
}

static void
ask_some_receive(struct sim_thread *self)
{
	const mach_port_name_t name = sim_chance(self->sim, 60) ? some_set(self) : some_port(self);
	int32_t option = sim_chance(self->sim, 70) ? MACH_RCV_TIMEOUT : 0;

	if (sim_chance(self->sim, 20))
		option |= MACH_RCV_LARGE | MACH_RCV_LARGE_IDENTITY;

	ask_receive(self, name, option, sim_pick(self->sim, 4));
	if (option & MACH_RCV_LARGE)
		self->frame.args[2] = 24 + sim_pick(self->sim, 40);
}

static void
check_receive(struct sim_thread *self)
{
	const kern_return_t code = self->result.code;

	if (was_received(self) || is_interrupted(code))
		return;
	switch (code) {
	case MACH_RCV_TIMED_OUT:
	case MACH_RCV_PORT_CHANGED: /* its set is gone */
	case MACH_RCV_INVALID_NAME: /* it was gone before */
		return;
	case MACH_RCV_TOO_LARGE:
		sim_must(self->sim, self->result.values[BERTH_MSG_BUFFER] == BERTH_MSG_BUFFER_LARGE,
			 "a letter is cut");
		return;
	}
	sim_fail(self->sim, "a receiver hears %#x", (unsigned)code);
}

static void
receiver(struct sim_thread *self)
{
	BEGIN(self);
	while (!CALM(self)) {
		ASK(self, ask_some_receive(self));
		check_receive(self);
	}
	END(self);
}

static void
ask_some_change(struct sim_thread *self)
{
	const uint32_t what = sim_pick(self->sim, 10);
	const mach_port_name_t port = some_port(self), set = some_set(self);

	ask(self,
	    what < 5   ? BERTH_TRAP_PORT_INSERT_MEMBER
	    : what < 7 ? BERTH_TRAP_PORT_EXTRACT_MEMBER
		       : BERTH_TRAP_PORT_MOVE_MEMBER,
	    BERTH_NAME_TASK_SELF, port, what == 9 ? MACH_PORT_NULL : set, 0);
}

static void
check_change(struct sim_thread *self)
{
	switch (self->result.code) {
	case KERN_SUCCESS:
	case KERN_ALREADY_IN_SET:
	case KERN_NOT_IN_SET:
		return;
	default:
		went_well(self);
	}
}

static void
arranger(struct sim_thread *self)
{
	struct arranger *me = self->state;
	struct place *place = self->task->model;

	BEGIN(self);
	while (!CALM(self)) {
		if (sim_chance(self->sim, 10)) {
			me->at = sim_pick(self->sim, SETS);
			ASK(self, ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF,
				      place->sets[me->at], 0, 0));
			expect(self, KERN_SUCCESS);
			do {
				ASK(self, ask(self, BERTH_TRAP_PORT_ALLOCATE, BERTH_NAME_TASK_SELF,
					      MACH_PORT_RIGHT_PORT_SET, 0, 0));
			} while (!went_well(self));
			place->sets[me->at] = (mach_port_name_t)self->result.values[0];
			continue;
		}
		ASK(self, ask_some_change(self));
		check_change(self);
		if (sim_chance(self->sim, 40)) {
			ASK(self, ask_receive(self, some_set(self), MACH_RCV_TIMEOUT, 1));
			check_receive(self);
		}
	}
	/* all that is left comes here; who still waits elsewhere may stay there */
	for (me->at = 0; me->at < place->port_count; me->at++) {
		ASK(self, ask(self, BERTH_TRAP_PORT_MOVE_MEMBER, BERTH_NAME_TASK_SELF,
			      place->ports[me->at], place->sets[0], 0));
		expect(self, KERN_SUCCESS);
	}
	for (;;) {
		ASK(self, ask_receive(self, place->sets[0], 0, 0));
		check_receive(self);
	}
	END(self);
}

static void
start(struct sim *sim)
{
	struct sim_task *home;
	struct sim_thread *first, *t;
	struct place *place = calloc(1, sizeof *place);
	struct sender state = { 0 };

	sim_must(sim, place, "the simulator itself has no memory");
	setup_task(sim, NULL);
	home = setup_task(sim, sim->tasks[0]);
	home->mortal = true;
	home->model = place;
	first = sim_thread_new(home, arranger, sizeof(struct arranger));
	place->port_count = state.port_count = 1 + sim_pick(sim, PORTS);
	for (uint32_t i = 0; i < SETS; i++)
		place->sets[i] = setup_set(first);
	for (uint32_t i = 0; i < place->port_count; i++) {
		place->ports[i] = setup_port(first, true);
		state.channels[i] = channel_open(home, place->ports[i]);
	}
	for (uint32_t i = 1 + sim_pick(sim, 5); i > 0; i--)
		sim_thread_new(home, receiver, 0);
	for (uint32_t i = 1 + sim_pick(sim, 3); i > 0; i--) {
		struct sim_task *task = setup_task(sim, sim->tasks[0]);

		task->mortal = true;
		t = sim_thread_new(task, sender, sizeof state);
		for (uint32_t j = 0; j < state.port_count; j++)
			state.to[j] = setup_give(first, place->ports[j], COPY, t);
		*(struct sender *)t->state = state;
		if (sim_chance(sim, 50))
			*(struct sender *)sim_thread_new(task, sender, sizeof state)->state = state;
	}
}

const struct sim_scenario scenario_sets = {
	.name = "sets",
	.storm_steps = 200,
	.share = 120,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct ledger),
	.start = start,
	.completed = ledger_completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = ledger_task_gone,
	.settled = ledger_settled,
	.model_free = ledger_free,
};
