/*
 * Clients and servers.  Every request is answered once, or its client hears what the contract
 * has for what happened: that its reply right died unused (71), that the server's port is dead
 * (MACH_SEND_INVALID_DEST), that its time was up or that it was interrupted.
 *
 * A server may keep a reply right for a while, answer out of order, or drop it.
 */
#include <string.h>

#include "tests/simulation/scenarios.h"

#define SERVER_PORTS 2u
#define HELD 3u

struct rpc_model {
	struct ledger ledger; /* first */
	uint32_t excuses;     /* reply rights that may have died unused */
	bool server_crippled; /* rights are held that nobody will use */
};

struct server {
	mach_port_name_t receive_on; /* a port, or a set with its ports */
	mach_port_name_t held[HELD];
	uint32_t held_args[HELD];
	uint32_t held_count, answering;
};

struct client {
	mach_port_name_t servers[SERVER_PORTS];
	uint32_t channels[SERVER_PORTS], server_count;
	mach_port_name_t reply;
	uint32_t outstanding; /* reply rights of `reply` that have had no outcome */
	uint32_t requests, to, timeout_ms;
	int32_t option;
	bool separately;
};

static struct rpc_model *
model_of(struct sim_thread *self)
{
	return self->sim->model;
}

/* ---- servers ------------------------------------------------------------------------------ */

static void
hold(struct sim_thread *self)
{
	struct server *me = self->state;
	const struct mail mail = mail_of(self);

	if (!mail.letter)
		return; /* a notification: that somebody dropped a right that nobody made */
	if (mail.bare)
		return; /* the reply right went with it */
	if (!MACH_PORT_VALID(mail.remote))
		return; /* its client has gone */
	sim_must(self->sim, mail.remote_type == MACH_MSG_TYPE_PORT_SEND_ONCE,
		 "a reply right of type %u", mail.remote_type);
	me->held[me->held_count] = mail.remote;
	me->held_args[me->held_count++] = mail.arg;
}

static void
answered(struct sim_thread *self)
{
	struct server *me = self->state;

	me->held_count--;
	me->held[me->answering] = me->held[me->held_count];
	me->held_args[me->answering] = me->held_args[me->held_count];
}

static void
server(struct sim_thread *self)
{
	struct server *me = self->state;

	BEGIN(self);
	for (;;) {
		ASK(self,
		    ask_receive(self, me->receive_on, me->held_count ? MACH_RCV_TIMEOUT : 0, 4));
		if (was_received(self))
			hold(self);
		else
			sim_must(self->sim,
				 self->result.code == MACH_RCV_TIMED_OUT ||
				     is_interrupted(self->result.code),
				 "a server hears %#x", (unsigned)self->result.code);
		while (me->held_count == HELD ||
		       (me->held_count > 0 && sim_chance(self->sim, 70))) {
			me->answering = sim_pick(self->sim, me->held_count);
			if (sim_chance(self->sim, 90)) {
				draft_to(self, me->held[me->answering], MOVE_ONCE);
				ASK(self, ask_send(self, 0, 0, me->held_args[me->answering], 0, 0));
				if (self->result.code == MACH_MSG_SUCCESS) {
					answered(self);
					continue;
				}
				if (came_back(self)) /* and the right under another name */
					me->held[me->answering] = mail_of(self).remote;
				else
					went_well(self);
			}
			model_of(self)->excuses++;
			if (!MACH_PORT_VALID(me->held[me->answering])) {
				sim_must(self->sim, self->result.shortage, "a reply right is lost");
				answered(self);
				continue;
			}
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      me->held[me->answering], 0, 0));
			expect(self, KERN_SUCCESS);
			answered(self);
		}
	}
	END(self);
}

/* ---- clients ------------------------------------------------------------------------------ */

/* What the last trap brought; @sends: it sent a request first. */
static void
client_hears(struct sim_thread *self, bool sends)
{
	struct client *me = self->state;
	const kern_return_t code = self->result.code;
	struct mail mail;

	if (sends && self->result.values[BERTH_MSG_SENT])
		me->outstanding++;
	if (!was_received(self)) {
		if (code != MACH_MSG_SUCCESS && !is_send_error(code))
			sim_must(self->sim, code == MACH_RCV_TIMED_OUT || is_interrupted(code),
				 "a client hears %#x", (unsigned)code);
		return;
	}
	mail = mail_of(self);
	sim_must(self->sim, me->outstanding > 0, "an answer to nothing");
	me->outstanding--;
	if (mail.letter)
		sim_must(self->sim, mail.bare || mail.arg >> 16 == self->number,
			 "the answer to another client");
	else
		/* a server that has no room for it is told after its client */
		sim_must(self->sim,
			 mail.id == MACH_NOTIFY_SEND_ONCE &&
			     (model_of(self)->excuses > 0 || self->result.shortage),
			 "message %d comes for a reply", mail.id);
}

static uint32_t
some_timeout(struct sim_thread *self)
{
	return sim_pick(self->sim, 3) * 3;
}

static int32_t
some_option(struct sim_thread *self)
{
	static const int32_t options[] = { 0, 0, MACH_RCV_TIMEOUT, MACH_SEND_TIMEOUT,
					   MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT };

	return options[sim_pick(self->sim, 5)];
}

static void
client(struct sim_thread *self)
{
	struct client *me = self->state;

	BEGIN(self);
	while (!CALM(self)) {
		while (!me->reply) {
			ASK(self, ask(self, BERTH_TRAP_REPLY_PORT, 0, 0, 0, 0));
			me->reply = (mach_port_name_t)self->result.values[0];
			sim_must(self->sim, me->reply || self->result.shortage, "no reply port");
		}
		me->to = sim_pick(self->sim, me->server_count);
		me->separately = sim_chance(self->sim, 30);
		me->option = some_option(self);
		me->timeout_ms = some_timeout(self);
		draft_to(self, me->servers[me->to], COPY);
		draft_reply(self, me->reply, MAKE_ONCE);
		me->requests++;
		if (me->separately)
			ASK(self, ask_send(self, me->channels[me->to], 0,
					   self->number << 16 | me->requests,
					   me->option & MACH_SEND_TIMEOUT, me->timeout_ms));
		else
			ASK(self, ask_call(self, me->channels[me->to], 0,
					   self->number << 16 | me->requests, me->reply, me->option,
					   me->timeout_ms));
		client_hears(self, true);
		if (came_back(self)) {
			/* its reply right is there again, under a name of its own */
			if (MACH_PORT_VALID(mail_of(self).local)) {
				model_of(self)->excuses++;
				me->outstanding++;
				ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE,
					      BERTH_NAME_TASK_SELF, mail_of(self).local, 0, 0));
				expect(self, KERN_SUCCESS);
			} else {
				sim_must(self->sim, self->result.shortage, "a reply right is lost");
				model_of(self)->excuses++;
				me->outstanding++;
			}
		}
		while (me->outstanding > 0 && sim_chance(self->sim, 80)) {
			ASK(self,
			    ask_receive(self, me->reply, MACH_RCV_TIMEOUT, some_timeout(self)));
			client_hears(self, false);
		}
		if (me->outstanding > 0 && sim_chance(self->sim, 30)) {
			ASK(self, ask(self, BERTH_TRAP_PORT_MOD_REFS, BERTH_NAME_TASK_SELF,
				      me->reply, MACH_PORT_RIGHT_RECEIVE, (uint64_t)-1));
			expect(self, KERN_SUCCESS);
			me->outstanding = 0;
			me->reply = MACH_PORT_NULL;
		}
	}
	while (me->outstanding > 0) { /* each right has its outcome */
		ASK(self, ask_receive(self, me->reply, 0, 0));
		client_hears(self, false);
	}
	END(self);
}

/* ---- the scenario ------------------------------------------------------------------------- */

static void
start(struct sim *sim)
{
	struct sim_thread *servers[2], *t;
	mach_port_name_t ports[4], set;
	uint32_t channels[4], port_count = 0;
	uint32_t server_count = 1 + sim_pick(sim, 2), client_count = 1 + sim_pick(sim, 4);
	struct sim_thread *of_port[4];
	struct sim_task *task;

	setup_task(sim, NULL);
	for (uint32_t i = 0; i < server_count; i++) {
		uint32_t own = 1 + sim_pick(sim, SERVER_PORTS / server_count);

		task = setup_task(sim, sim->tasks[0]);
		task->mortal = true;
		servers[i] = sim_thread_new(task, server, sizeof(struct server));
		set = own > 1 ? setup_set(servers[i]) : MACH_PORT_NULL;
		for (uint32_t j = 0; j < own; j++) {
			ports[port_count] = setup_port(servers[i], true);
			channels[port_count] = channel_open(task, ports[port_count]);
			of_port[port_count] = servers[i];
			if (set)
				setup_trap(servers[i], BERTH_TRAP_PORT_INSERT_MEMBER,
					   BERTH_NAME_TASK_SELF, ports[port_count], set, 0);
			port_count++;
		}
		((struct server *)servers[i]->state)->receive_on =
		    set ? set : ports[port_count - 1];
		for (uint32_t j = sim_pick(sim, 3); j > 0; j--) {
			t = sim_thread_new(task, server, sizeof(struct server));
			((struct server *)t->state)->receive_on = set ? set : ports[port_count - 1];
		}
	}
	for (uint32_t i = 0; i < client_count; i++) {
		struct client first = { .server_count = port_count };

		task = setup_task(sim, sim->tasks[0]);
		task->mortal = true;
		t = sim_thread_new(task, client, sizeof(struct client));
		for (uint32_t j = 0; j < port_count; j++) {
			first.servers[j] = setup_give(of_port[j], ports[j], COPY, t);
			first.channels[j] = channels[j];
		}
		*(struct client *)t->state = first;
		if (sim_chance(sim, 30)) {
			t = sim_thread_new(task, client, sizeof(struct client));
			*(struct client *)t->state = first;
		}
	}
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
thread_gone(struct sim_thread *t)
{
	struct rpc_model *model = model_of(t);

	ledger_thread_gone(t);
	if (t->program != server)
		return;
	model->excuses++;
	model->server_crippled = true; /* until its task has gone, too */
}

static void
settled(struct sim *sim)
{
	const struct rpc_model *model = sim->model;

	ledger_settled(sim);
	for (uint32_t i = 0; i < sim->live_count; i++) {
		const struct sim_thread *t = sim->live[i];

		if (t->program == client && !model->server_crippled)
			sim_must(sim, t->done, "client %u waits for an answer", t->number);
		if (t->program == server)
			sim_must(sim, t->parked, "server %u has gone", t->number);
	}
}

const struct sim_scenario scenario_rpc = {
	.name = "rpc",
	.storm_steps = 160,
	.share = 200,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct rpc_model),
	.start = start,
	.completed = completed,
	.thread_gone = thread_gone,
	.task_gone = ledger_task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
