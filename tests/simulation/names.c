/*
 * A name server.  Services register a right, clients look it up and write to who registered;
 * the server hears of each service's death and forgets it.  What is looked up leads to the right
 * port; at the end the server knows none that is dead.
 */
#include "tests/simulation/scenarios.h"

#define SERVICES 3u

enum { REGISTER = 1, LOOK_UP, DONE, FOUND, NOT_FOUND, GREETING };

struct names_model {
	struct ledger ledger; /* first */
	uint32_t server;      /* the channel */
	uint32_t services[SERVICES], service_count;
	struct sim_thread *server_thread; /* NULL: gone */
	uint32_t excuses;
};

struct server {
	mach_port_name_t requests, notices, set;
	mach_port_name_t known[SERVICES]; /* send rights */
	bool watched[SERVICES];           /* somebody will tell when it dies */
	mach_port_name_t dropped;
	struct mail mail;
	uint32_t i;
};

struct program { /* a service or a client */
	mach_port_name_t server, own, reply, found;
	uint32_t which, count;
	bool sent;
};

static struct names_model *
model_of(const struct sim_thread *self)
{
	return self->sim->model;
}

/* ---- the server --------------------------------------------------------------------------- */

static void
drop_reply(struct sim_thread *self)
{
	struct server *me = self->state;

	model_of(self)->excuses++;
	ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF, me->mail.remote, 0, 0);
}

static void
draft_answer(struct sim_thread *self)
{
	struct server *me = self->state;

	draft_to(self, me->mail.remote, MOVE_ONCE);
	if (me->mail.kind == LOOK_UP && me->known[me->mail.arg])
		draft_port(self, me->known[me->mail.arg], COPY);
}

static void
take_mail(struct sim_thread *self)
{
	struct server *me = self->state;

	me->mail = mail_of(self);
	me->dropped = MACH_PORT_NULL;
	if (me->mail.bare)
		model_of(self)->excuses++; /* its reply right went with it */
	if (me->mail.id != MACH_NOTIFY_DEAD_NAME)
		return;
	for (uint32_t i = 0; i < SERVICES; i++)
		if (me->known[i] == me->mail.data[2]) {
			sim_must(self->sim,
				 channel_of(self->sim, model_of(self)->services[i])->dead,
				 "the living service %u is reported dead", i);
			me->dropped = me->known[i];
			me->known[i] = MACH_PORT_NULL;
		}
}

static void
server(struct sim_thread *self)
{
	struct server *me = self->state;

	BEGIN(self);
	for (;;) {
		ASK(self, ask_receive(self, me->set, 0, 0));
		if (!was_received(self)) {
			sim_must(self->sim, is_interrupted(self->result.code),
				 "the server hears %#x", (unsigned)self->result.code);
			continue;
		}
		take_mail(self);
		if (me->dropped) {
			ASK(self, ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF,
				      me->dropped, 0, 0));
			expect(self, KERN_SUCCESS);
			continue;
		}
		if (!me->mail.letter || me->mail.bare)
			continue;
		me->i = me->mail.arg;
		if (me->mail.kind == REGISTER && me->mail.port_count == 1 &&
		    MACH_PORT_VALID(me->mail.ports[0])) {
			if (me->known[me->i]) /* once more: the same name, one more reference */
				sim_must(self->sim, me->known[me->i] == me->mail.ports[0],
					 "one port has two names");
			me->known[me->i] = me->mail.ports[0];
			ASK(self, ask6(self, BERTH_TRAP_PORT_REQUEST_NOTIFICATION,
				       BERTH_NAME_TASK_SELF, me->known[me->i],
				       MACH_NOTIFY_DEAD_NAME, 0, me->notices, MAKE_ONCE));
			if (self->result.code == KERN_INVALID_ARGUMENT) {
				/* it has died meanwhile */
				sim_must(
				    self->sim,
				    channel_of(self->sim, model_of(self)->services[me->i])->dead,
				    "a living service is a dead name");
				me->dropped = me->known[me->i];
				me->known[me->i] = MACH_PORT_NULL;
				ASK(self, ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF,
					      me->dropped, 0, 0));
				expect(self, KERN_SUCCESS);
			} else if (went_well(self)) {
				me->watched[me->i] = true;
			}
		}
		if (!MACH_PORT_VALID(me->mail.remote))
			continue;
		draft_answer(self);
		ASK(self, ask_send(self, 0,
				   me->mail.kind == REGISTER ? DONE
				   : me->known[me->i]        ? FOUND
							     : NOT_FOUND,
				   me->i, 0, 0));
		if (!went_well(self)) {
			ASK(self, drop_reply(self));
			expect(self, KERN_SUCCESS);
		}
	}
	END(self);
}

/* ---- services and clients ----------------------------------------------------------------- */

static void
ask_server(struct sim_thread *self, uint32_t kind)
{
	struct program *me = self->state;

	draft_to(self, me->server, COPY);
	draft_reply(self, me->reply, MAKE_ONCE);
	if (kind == REGISTER)
		draft_port(self, me->own, MAKE);
	ask_call(self, model_of(self)->server, kind, me->which, me->reply, 0, 0);
}

/* The answer, or that there will be none; true: an answer of this kind. */
static bool
was_told(struct sim_thread *self, uint32_t kind)
{
	struct program *me = self->state;
	struct mail mail;

	if (!was_received(self))
		return false;
	mail = mail_of(self);
	if (mail.id == MACH_NOTIFY_SEND_ONCE) {
		sim_must(self->sim, model_of(self)->excuses > 0, "an answer is dropped");
		return false;
	}
	sim_must(self->sim, mail.bare || mail.arg == me->which, "an answer for another");
	return !mail.bare && mail.kind == kind;
}

static void
service(struct sim_thread *self)
{
	struct program *me = self->state;

	BEGIN(self);
	do {
		ASK(self, ask_server(self, REGISTER));
		me->sent = self->result.values[BERTH_MSG_SENT] != 0;
		while (me->sent && !was_received(self))
			ASK(self, ask_receive(self, me->reply, 0, 0));
	} while (!was_told(self, DONE) && self->result.code != MACH_SEND_INVALID_DEST);
	for (;;)
		ASK(self, ask_receive(self, me->own, 0, 0));
	END(self);
}

static void
client(struct sim_thread *self)
{
	struct program *me = self->state;

	BEGIN(self);
	while (!CALM(self)) {
		me->which = sim_pick(self->sim, model_of(self)->service_count);
		ASK(self, ask_server(self, LOOK_UP));
		me->sent = self->result.values[BERTH_MSG_SENT] != 0;
		while (me->sent && !was_received(self))
			ASK(self, ask_receive(self, me->reply, 0, 0));
		if (self->result.code == MACH_SEND_INVALID_DEST)
			break;
		if (!was_told(self, FOUND))
			continue;
		me->found = mail_of(self).port_count ? mail_of(self).ports[0] : MACH_PORT_NULL;
		if (me->found == MACH_PORT_DEAD)
			sim_must(self->sim,
				 channel_of(self->sim, model_of(self)->services[me->which])->dead,
				 "a living service is found dead");
		if (!MACH_PORT_VALID(me->found))
			continue;
		for (me->count = sim_pick(self->sim, 4); me->count > 0; me->count--) {
			draft_to(self, me->found, COPY);
			ASK(self, ask_send(self, model_of(self)->services[me->which], GREETING, 0,
					   MACH_SEND_TIMEOUT, 3));
			if (came_back(self)) /* the destination's reference, too */
				break;
		}
		ASK(self,
		    ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF, me->found, 0, 0));
		expect(self, KERN_SUCCESS);
	}
	END(self);
}

/* ---- the scenario ------------------------------------------------------------------------- */

static struct sim_thread *
program_new(struct sim *sim, struct sim_thread *server_thread, sim_program *program)
{
	struct sim_task *task = setup_task(sim, sim->tasks[0]);
	struct sim_thread *t = sim_thread_new(task, program, sizeof(struct program));
	struct program *me = t->state;

	task->mortal = true;
	me->reply = setup_port(t, false);
	me->server =
	    setup_give(server_thread, ((struct server *)server_thread->state)->requests, COPY, t);
	return t;
}

static void
start(struct sim *sim)
{
	struct names_model *model = sim->model;
	struct sim_task *task;
	struct sim_thread *t;
	struct server *me;

	setup_task(sim, NULL);
	task = setup_task(sim, sim->tasks[0]);
	task->mortal = sim_chance(sim, 20);
	model->server_thread = t = sim_thread_new(task, server, sizeof(struct server));
	me = t->state;
	me->requests = setup_port(t, true);
	me->notices = setup_port(t, false);
	me->set = setup_set(t);
	setup_trap(t, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF, me->requests, me->set,
		   0);
	setup_trap(t, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF, me->notices, me->set, 0);
	model->server = channel_open(task, me->requests);
	model->service_count = 1 + sim_pick(sim, SERVICES);
	for (uint32_t i = 0; i < model->service_count; i++) {
		struct sim_thread *s = program_new(sim, t, service);
		struct program *its = s->state;

		its->which = i;
		its->own = setup_port(s, false);
		model->services[i] = channel_open(s->task, its->own);
	}
	for (uint32_t i = 1 + sim_pick(sim, 4); i > 0; i--)
		program_new(sim, t, client);
}

static void
thread_gone(struct sim_thread *t)
{
	struct names_model *model = model_of(t);

	ledger_thread_gone(t);
	if (t == model->server_thread) {
		model->server_thread = NULL;
		model->excuses++;
	}
}

static void
settled(struct sim *sim)
{
	const struct names_model *model = sim->model;
	const struct sim_thread *t = model->server_thread;
	const struct server *me = t ? t->state : NULL;

	/* without the server a service may wait for its answer for ever, and serves nobody */
	for (uint32_t i = 0; !t && i < sim->live_count; i++)
		if (sim->live[i]->program == service)
			sim->live[i]->task->crippled = true;
	ledger_settled(sim);
	for (uint32_t i = 0; me && i < model->service_count; i++)
		sim_must(sim,
			 !me->known[i] || !me->watched[i] ||
			     !channel_of(sim, model->services[i])->dead,
			 "the server was never told that service %u is dead", i);
	for (uint32_t i = 0; me && i < sim->live_count; i++)
		sim_must(sim, sim->live[i]->program != client || sim->live[i]->done,
			 "client %u waits for an answer", sim->live[i]->number);
}

const struct sim_scenario scenario_names = {
	.name = "names",
	.storm_steps = 200,
	.share = 120,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct names_model),
	.start = start,
	.completed = ledger_completed,
	.thread_gone = thread_gone,
	.task_gone = ledger_task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
