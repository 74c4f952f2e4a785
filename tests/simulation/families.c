/*
 * Tasks that fork, exec and die at every point of what they do.  A child starts with nothing but
 * its parent's special ports: it finds the family's server by the bootstrap port, calls it, and
 * gets its answer, or hears what became of the server.
 */
#include "tests/simulation/scenarios.h"

struct family_model {
	struct ledger ledger; /* first */
	uint32_t server;      /* the channel */
	bool server_gone;     /* a thread of it: rights may be held for ever, or have died */
	uint32_t excuses;
};

struct server {
	mach_port_name_t port, remote;
	uint32_t arg;
};

struct member {
	mach_port_name_t reply;
	uint32_t calls, to_go;
	bool sent;
};

static struct family_model *
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
		if (!was_received(self))
			continue;
		me->remote = mail_of(self).remote;
		me->arg = mail_of(self).arg;
		if (!mail_of(self).letter || mail_of(self).bare || !MACH_PORT_VALID(me->remote))
			continue;
		draft_to(self, me->remote, MOVE_ONCE);
		ASK(self, ask_send(self, 0, 0, me->arg, 0, 0));
		if (!went_well(self)) {
			model_of(self)->excuses++;
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      me->remote, 0, 0));
			expect(self, KERN_SUCCESS);
		}
	}
	END(self);
}

static void
check_answer(struct sim_thread *self)
{
	struct member *me = self->state;
	const struct mail mail = mail_of(self);

	if (!mail.letter)
		sim_must(self->sim,
			 mail.id == MACH_NOTIFY_SEND_ONCE &&
			     (model_of(self)->excuses > 0 || self->result.shortage),
			 "message %d is no answer", mail.id);
	else
		sim_must(self->sim, mail.bare || mail.arg == (self->number << 8 | me->calls),
			 "the answer to another call");
}

/* Some calls, and more while the storm lasts. */
static void
member(struct sim_thread *self)
{
	struct member *me = self->state;

	BEGIN(self);
	for (me->to_go = 1 + sim_pick(self->sim, 4); me->to_go > 0; me->to_go--) {
		while (!me->reply) {
			ASK(self, ask(self, BERTH_TRAP_REPLY_PORT, 0, 0, 0, 0));
			me->reply = (mach_port_name_t)self->result.values[0];
		}
		me->calls++;
		draft_to(self, BERTH_NAME_BOOTSTRAP, COPY);
		draft_reply(self, me->reply, MAKE_ONCE);
		ASK(self, ask_call(self, model_of(self)->server, 0, self->number << 8 | me->calls,
				   me->reply, 0, 0));
		me->sent = self->result.values[BERTH_MSG_SENT] != 0;
		if (self->result.code == MACH_SEND_INVALID_DEST)
			break; /* the ledger checks that the server is dead */
		while (me->sent && !was_received(self))
			ASK(self, ask_receive(self, me->reply, 0, 0));
		if (me->sent)
			check_answer(self);
	}
	END(self);
}

/* A server that had no room for the reply right: it went with it, and its client may be told before
 * the server runs. */
static void
completed(struct sim_thread *t)
{
	ledger_completed(t);
	if (t->program == server && was_received(t) && mail_of(t).bare)
		model_of(t)->excuses++;
}

static void
populate(struct sim_task *task)
{
	for (uint32_t i = 1 + sim_pick(task->sim, 2); i > 0; i--)
		sim_thread_new(task, member, sizeof(struct member));
	if (!task->threads || !task->threads->thread) /* no memory: it never began */
		sim_task_die(task);
}

static void
born(struct sim_task *child, struct sim_task *parent)
{
	const mach_port_name_t name = kernel_task_bootstrap_name(child->task);

	(void)parent;
	sim_must(
	    child->sim,
	    name == BERTH_NAME_BOOTSTRAP ||
		channel_of(child->sim, ((struct family_model *)child->sim->model)->server)->dead,
	    "task %u has no bootstrap port", child->index);
	populate(child);
}

static void
start(struct sim *sim)
{
	struct family_model *model = sim->model;
	struct sim_task *task, *root;
	struct sim_thread *t, *first;
	struct server *me;
	mach_port_name_t name;

	setup_task(sim, NULL);
	task = setup_task(sim, sim->tasks[0]);
	task->mortal = sim_chance(sim, 30);
	t = sim_thread_new(task, server, sizeof(struct server));
	me = t->state;
	me->port = setup_port(t, true);
	model->server = channel_open(task, me->port);
	setup_trap(t, BERTH_TRAP_TASK_SET_SPECIAL_PORT, BERTH_NAME_TASK_SELF, 4, me->port, 0);
	root = setup_task(sim, sim->tasks[0]);
	first = sim_thread_new(root, NULL, 0);
	name = setup_give(t, me->port, COPY, first);
	setup_trap(first, BERTH_TRAP_TASK_SET_SPECIAL_PORT, BERTH_NAME_TASK_SELF, 4, name, 0);
	for (uint32_t i = 1 + sim_pick(sim, 3); i > 0; i--) {
		task = setup_task(sim, root);
		task->mortal = true;
		populate(task);
	}
}

static void
thread_gone(struct sim_thread *t)
{
	ledger_thread_gone(t);
	if (t->program == server) {
		model_of(t)->server_gone = true;
		model_of(t)->excuses++;
	}
}

static void
settled(struct sim *sim)
{
	const struct family_model *model = sim->model;

	ledger_settled(sim);
	for (uint32_t i = 0; i < sim->live_count; i++)
		sim_must(sim,
			 sim->live[i]->program != member || sim->live[i]->done ||
			     model->server_gone,
			 "member %u waits for an answer", sim->live[i]->number);
}

const struct sim_scenario scenario_families = {
	.name = "families",
	.storm_steps = 200,
	.share = 120,
	.deaths = 24,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct family_model),
	.start = start,
	.completed = completed,
	.thread_gone = thread_gone,
	.task_gone = ledger_task_gone,
	.born = born,
	.settled = settled,
	.model_free = ledger_free,
};
