/*
 * Receive rights on their way: in letters, through each other's queues, back to who could not
 * send them, into circles, while others send to their ports and block before them.  What is
 * queued goes along; nothing is lost, but with a port that dies.
 *
 * Which port is where the ledger knows; programs ask it.
 */
#include "tests/simulation/scenarios.h"

#define TASKS 4u
#define PORTS 3u
#define QUIET_MS 20u /* longer than anybody sends or listens */

struct mover_model {
	struct ledger ledger; /* first */
	uint32_t port_count, task_count;
	uint32_t ports[PORTS];   /* channels that move */
	uint32_t inboxes[TASKS]; /* channels that stay */
};

struct mover {
	mach_port_name_t ports[PORTS];   /* send rights */
	mach_port_name_t inboxes[TASKS]; /* send rights */
	mach_port_name_t inbox;
	mach_port_name_t set; /* the keeper's, in the calm */
	uint32_t at, count, quiet;
};

static struct mover_model *
model_of(const struct sim_thread *self)
{
	return self->sim->model;
}

/* One of those that the task has; 0: it has none. */
static uint32_t
some_own(struct sim_thread *self)
{
	const struct mover_model *model = model_of(self);
	const uint32_t first = sim_pick(self->sim, model->port_count);

	for (uint32_t i = 0; i < model->port_count; i++) {
		const uint32_t channel = model->ports[(first + i) % model->port_count];

		if (channel_of(self->sim, channel)->holder == self->task)
			return channel;
	}
	return 0;
}

static void
check_receive(struct sim_thread *self)
{
	const kern_return_t code = self->result.code;

	sim_must(self->sim,
		 was_received(self) || is_interrupted(code) || code == MACH_RCV_TIMED_OUT ||
		     code == MACH_RCV_PORT_CHANGED || code == MACH_RCV_INVALID_NAME,
		 "a receiver hears %#x", (unsigned)code);
}

/* A letter to some moving port, or to a task's inbox. */
static uint32_t
draft_to_some(struct sim_thread *self, bool inboxes)
{
	const struct mover_model *model = model_of(self);
	struct mover *me = self->state;
	uint32_t i;

	if (inboxes) {
		i = sim_pick(self->sim, model->task_count);
		draft_to(self, me->inboxes[i], COPY);
		return model->inboxes[i];
	}
	i = sim_pick(self->sim, model->port_count);
	draft_to(self, me->ports[i], COPY);
	return model->ports[i];
}

static void
ask_pass_on(struct sim_thread *self, uint32_t channel)
{
	const uint32_t to = draft_to_some(self, sim_chance(self->sim, 70));

	draft_port(self, channel_of(self->sim, channel)->name, MOVE_RECEIVE);
	draft_carries(self, channel);
	ask_send(self, to, 0, channel, MACH_SEND_TIMEOUT, sim_pick(self->sim, 4));
}

static void
ask_write(struct sim_thread *self)
{
	struct mover *me = self->state;
	const uint32_t to = draft_to_some(self, sim_chance(self->sim, 10));
	const int32_t option = sim_chance(self->sim, 60) ? MACH_SEND_TIMEOUT : 0;

	ask_send(self, to, 0, ++me->count, option, sim_pick(self->sim, 4));
}

/* The user reference that an undelivered letter gave back for its destination. */
static bool
has_returned(const struct sim_thread *self)
{
	return came_back(self) && MACH_PORT_VALID(mail_of(self).remote);
}

static void
writer(struct sim_thread *self)
{
	BEGIN(self);
	while (!CALM(self)) {
		ASK(self, ask_write(self));
		if (has_returned(self)) {
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      mail_of(self).remote, 0, 0));
			expect(self, KERN_SUCCESS);
		}
	}
	END(self);
}

static void
listener(struct sim_thread *self)
{
	BEGIN(self);
	while (!CALM(self)) {
		const uint32_t channel = some_own(self);
		const struct mover *me = self->state;

		ASK(self,
		    ask_receive(self, channel ? channel_of(self->sim, channel)->name : me->inbox,
				MACH_RCV_TIMEOUT, sim_pick(self->sim, 6)));
		check_receive(self);
	}
	END(self);
}

static void
keeper(struct sim_thread *self)
{

	struct mover *me = self->state;
	mach_port_name_t from;
	uint32_t channel;

	BEGIN(self);
	while (!CALM(self)) {
		channel = some_own(self);
		if (channel && sim_chance(self->sim, 50)) {
			ASK(self, ask_pass_on(self, channel));
			if (has_returned(self)) {
				ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE,
					      BERTH_NAME_TASK_SELF, mail_of(self).remote, 0, 0));
				expect(self, KERN_SUCCESS);
			}
			continue;
		}

		from = channel && sim_chance(self->sim, 60) ? channel_of(self->sim, channel)->name
							    : me->inbox;
		ASK(self, ask_receive(self, from, MACH_RCV_TIMEOUT, sim_pick(self->sim, 3)));
		check_receive(self);
	}
	/* from here on rights only come; each joins the set that is served for ever */
	ASK(self,
	    ask(self, BERTH_TRAP_PORT_MOVE_MEMBER, BERTH_NAME_TASK_SELF, me->inbox, me->set, 0));
	expect(self, KERN_SUCCESS);
	while (me->quiet < 3) {
		for (me->at = 0; me->at < model_of(self)->port_count; me->at++) {
			channel = model_of(self)->ports[me->at];
			if (channel_of(self->sim, channel)->holder != self->task)
				continue;
			ASK(self, ask(self, BERTH_TRAP_PORT_MOVE_MEMBER, BERTH_NAME_TASK_SELF,
				      channel_of(self->sim, channel)->name, me->set, 0));
			expect(self, KERN_SUCCESS);
		}
		ASK(self, ask_receive(self, me->set, MACH_RCV_TIMEOUT, QUIET_MS));
		check_receive(self);
		me->quiet = was_received(self) ? 0 : me->quiet + 1;
	}
	END(self);
}

static void
start(struct sim *sim)
{
	struct mover_model *model = sim->model;
	struct sim_thread *keepers[TASKS];
	struct mover states[TASKS] = { 0 };

	model->task_count = 2 + sim_pick(sim, TASKS - 1);
	model->port_count = 1 + sim_pick(sim, PORTS);
	setup_task(sim, NULL);
	for (uint32_t i = 0; i < model->task_count; i++) {
		struct sim_task *task = setup_task(sim, sim->tasks[0]);

		task->mortal = true;
		keepers[i] = sim_thread_new(task, keeper, sizeof(struct mover));
		states[i].inbox = setup_port(keepers[i], true);
		states[i].set = setup_set(keepers[i]);
		model->inboxes[i] = channel_open(task, states[i].inbox);
	}
	for (uint32_t i = 0; i < model->task_count; i++)
		for (uint32_t j = 0; j < model->task_count; j++)
			states[j].inboxes[i] =
			    i == j ? states[i].inbox
				   : setup_give(keepers[i], states[i].inbox, COPY, keepers[j]);
	for (uint32_t i = 0; i < model->port_count; i++) {
		const uint32_t home = sim_pick(sim, model->task_count);
		const mach_port_name_t name = setup_port(keepers[home], true);

		model->ports[i] = channel_open(keepers[home]->task, name);
		setup_qlimit(keepers[home], name, 1 + sim_pick(sim, 5));
		for (uint32_t j = 0; j < model->task_count; j++)
			states[j].ports[i] =
			    j == home ? name : setup_give(keepers[home], name, COPY, keepers[j]);
	}
	for (uint32_t i = 0; i < model->task_count; i++) {
		sim_program *const others[] = { writer, writer, listener };

		*(struct mover *)keepers[i]->state = states[i];
		for (uint32_t j = sim_pick(sim, 4); j > 0; j--)
			*(struct mover *)sim_thread_new(keepers[i]->task, others[j - 1],
							sizeof(struct mover))
			     ->state = states[i];
	}
}

const struct sim_scenario scenario_moving = {
	.name = "moving",
	.storm_steps = 200,
	.share = 150,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct mover_model),
	.start = start,
	.completed = ledger_completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = ledger_task_gone,
	.settled = ledger_settled,
	.model_free = ledger_free,
};
