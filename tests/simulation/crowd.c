/*
 * A thousand tasks.  Each calls one server, which hands it the port of the task that came before
 * it, and writes to that; each but the last hears from its successor.
 */
#include "tests/simulation/scenarios.h"

#define TASKS 1000u

enum { JOIN = 1, WELCOME, GREETING };

struct crowd_model {
	struct ledger ledger; /* first */
	uint32_t server;
	uint32_t joined, greeted;
	bool lossy; /* somebody died: not all need have come */
};

struct server {
	mach_port_name_t port;
	mach_port_name_t before, newest; /* send rights to members */
	uint32_t before_channel, channel;
	mach_port_name_t remote;
};

struct member {
	mach_port_name_t own, reply, neighbour;
	uint32_t channel, neighbour_channel;
	bool sent;
};

static struct crowd_model *
model_of(const struct sim_thread *self)
{
	return self->sim->model;
}

static void
server(struct sim_thread *self)
{
	struct server *me = self->state;

	BEGIN(self);
	for (;;) {
		ASK(self, ask_receive(self, me->port, 0, 0));
		if (!was_received(self) || mail_of(self).kind != JOIN)
			continue;
		me->remote = mail_of(self).remote;
		me->newest = mail_of(self).ports[0];
		me->channel = mail_of(self).arg;
		if (MACH_PORT_VALID(me->remote)) {
			draft_to(self, me->remote, MOVE_ONCE);
			if (me->before)
				draft_port(self, me->before, MOVE);
			ASK(self,
			    ask_send(self, 0, WELCOME, me->before ? me->before_channel : 0, 0, 0));
			expect(self, MACH_MSG_SUCCESS);
			model_of(self)->joined++;
		} else if (me->before) {
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      me->before, 0, 0));
		}
		me->before = MACH_PORT_VALID(me->newest) ? me->newest : MACH_PORT_NULL;
		me->before_channel = me->channel;
	}
	END(self);
}

static void
member(struct sim_thread *self)
{
	struct member *me = self->state;

	BEGIN(self);
	ASK(self, ask(self, BERTH_TRAP_PORT_ALLOCATE, BERTH_NAME_TASK_SELF, MACH_PORT_RIGHT_RECEIVE,
		      0, 0));
	expect(self, KERN_SUCCESS);
	me->own = (mach_port_name_t)self->result.values[0];
	me->channel = channel_open(self->task, me->own);
	ASK(self, ask(self, BERTH_TRAP_REPLY_PORT, 0, 0, 0, 0));
	me->reply = (mach_port_name_t)self->result.values[0];
	do {
		draft_to(self, BERTH_NAME_BOOTSTRAP, COPY);
		draft_reply(self, me->reply, MAKE_ONCE);
		draft_port(self, me->own, MAKE);
		ASK(self,
		    ask_call(self, model_of(self)->server, JOIN, me->channel, me->reply, 0, 0));
		me->sent = self->result.values[BERTH_MSG_SENT] != 0;
	} while (!me->sent); /* interrupted before the queue */
	while (!was_received(self))
		ASK(self, ask_receive(self, me->reply, 0, 0));
	if (mail_of(self).port_count && MACH_PORT_VALID(mail_of(self).ports[0])) {
		me->neighbour = mail_of(self).ports[0];
		me->neighbour_channel = mail_of(self).arg;
		draft_to(self, me->neighbour, MOVE);
		ASK(self, ask_send(self, me->neighbour_channel, GREETING, 0, 0, 0));
		if (self->result.code == MACH_SEND_INTERRUPTED)
			model_of(self)->lossy = true;
	}
	for (;;) {
		ASK(self, ask_receive(self, me->own, 0, 0));
		if (was_received(self) && mail_of(self).kind == GREETING)
			model_of(self)->greeted++;
	}
	END(self);
}

static void
start(struct sim *sim)
{
	struct crowd_model *model = sim->model;
	struct sim_thread *t, *first;
	struct sim_task *task, *root;
	struct server *me;
	mach_port_name_t name;

	setup_task(sim, NULL);
	task = setup_task(sim, sim->tasks[0]);
	t = sim_thread_new(task, server, sizeof(struct server));
	me = t->state;
	me->port = setup_port(t, true);
	model->server = channel_open(task, me->port);
	root = setup_task(sim, sim->tasks[0]);
	first = sim_thread_new(root, NULL, 0);
	name = setup_give(t, me->port, COPY, first);
	setup_trap(first, BERTH_TRAP_TASK_SET_SPECIAL_PORT, BERTH_NAME_TASK_SELF, 4, name, 0);
	for (uint32_t i = 0; i < TASKS; i++) {
		task = setup_task(sim, root);
		task->mortal = true;
		sim_thread_new(task, member, sizeof(struct member));
	}
}

static void
task_gone(struct sim_task *task)
{
	if (task->sim->phase < SIM_END)
		((struct crowd_model *)task->sim->model)->lossy = true;
	ledger_task_gone(task);
}

static void
settled(struct sim *sim)
{
	const struct crowd_model *model = sim->model;

	ledger_settled(sim);
	for (uint32_t i = 0; i < sim->live_count; i++)
		sim_must(sim, sim->live[i]->parked || !sim->live[i]->program,
			 "thread %u of the crowd has gone", sim->live[i]->number);
	sim_must(sim, model->lossy || (model->joined == TASKS && model->greeted == TASKS - 1),
		 "%u have joined and %u were greeted", model->joined, model->greeted);
}

const struct sim_scenario scenario_crowd = {
	.name = "crowd",
	.storm_steps = 4000,
	.share = 1,
	.audit_every = 500,
	.tasks_die = true,
	.model_bytes = sizeof(struct crowd_model),
	.start = start,
	.completed = ledger_completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
