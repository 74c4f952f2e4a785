/*
 * A storm of notifications.  Owners give send and send-once rights away and ask to hear when no
 * sender is left; holders ask to hear of deaths, use their rights and drop them; posters wait for
 * room in a queue; an heir gets the ports of owners that die.
 *
 * Each registration comes to one end: it is told once, or replaced, or goes with its name, which
 * is told, too.  Each send-once right has one outcome.  At the end no request is left whose time
 * has come.
 */
#include <string.h>

#include "tests/simulation/notices.h"
#include "tests/simulation/scenarios.h"

static struct notices_model *
model_of(const struct sim_thread *self)
{
	return self->sim->model;
}

bool
notices_heard(struct sim_thread *self)
{
	if (was_received(self))
		return true;
	sim_must(self->sim,
		 is_interrupted(self->result.code) || self->result.code == MACH_RCV_TIMED_OUT,
		 "a receiver hears %#x", (unsigned)self->result.code);
	return false;
}

/* ---- owners ------------------------------------------------------------------------------- */

static void
ask_gift(struct sim_thread *self, bool once)
{
	const struct notices_model *model = model_of(self);
	struct owner *me = self->state;

	me->to = sim_pick(self->sim, model->holder_count);
	draft_to(self, me->inboxes[me->to], COPY);
	draft_port(self, me->port, once ? MAKE_ONCE : MAKE);
	ask_send(self, model->holders[me->to], once ? GIFT_ONCE : GIFT_SEND, me->channel,
		 MACH_SEND_TIMEOUT, sim_pick(self->sim, 2));
}

/* What came back of a gift is dropped: a right that was made counts, wherever it went. */
static void
gift_ended(struct sim_thread *self, bool once)
{
	struct owner *me = self->state;

	me->drop[0] = me->drop[1] = MACH_PORT_NULL;
	if (!self->result.values[BERTH_MSG_SENT] && !came_back(self))
		return;
	if (once)
		me->given++;
	else
		me->makes++;
	if (!came_back(self))
		return;
	if (mail_of(self).port_count)
		me->drop[0] = mail_of(self).ports[0];
	me->drop[1] = mail_of(self).remote;
}

static void
owner_hears(struct sim_thread *self)
{
	struct owner *me = self->state;
	struct mail mail;

	if (!notices_heard(self))
		return;
	mail = mail_of(self);
	if (mail.local == me->port) {
		me->used += mail.id == MACH_NOTIFY_SEND_ONCE || mail.kind == BY_ONCE;
		return;
	}
	if (mail.id != MACH_NOTIFY_NO_SENDERS) {
		sim_must(self->sim, mail.id == MACH_NOTIFY_SEND_ONCE, "notification %d comes",
			 mail.id);
		return; /* of a registration that was replaced or failed */
	}
	sim_must(self->sim, me->armed > 0, "no senders, though nobody asked");
	me->armed--;
	sim_must(self->sim, mail.data[2] <= me->makes, "no senders of %u rights, %u were made",
		 mail.data[2], me->makes);
}

void
notices_owner(struct sim_thread *self)
{
	struct owner *me = self->state;
	uint32_t what;

	BEGIN(self);
	if (me->heir_once && sim_chance(self->sim, 60)) {
		ASK(self, ask6(self, BERTH_TRAP_PORT_REQUEST_NOTIFICATION, BERTH_NAME_TASK_SELF,
			       me->port, MACH_NOTIFY_PORT_DESTROYED, 0, me->heir_once, MOVE_ONCE));
		if (self->result.code == KERN_INVALID_CAPABILITY)
			sim_must(self->sim, channel_of(self->sim, model_of(self)->heir)->dead,
				 "the right to a living heir is dead");
		else
			went_well(self);
	}
	while (!CALM(self)) {
		what = sim_pick(self->sim, 100);
		if (what < 35) {
			ASK(self, ask_gift(self, false));
			gift_ended(self, false);
		} else if (what < 55) {
			ASK(self, ask_gift(self, true));
			gift_ended(self, true);
		} else if (what < 75) {
			ASK(self, ask6(self, BERTH_TRAP_PORT_REQUEST_NOTIFICATION,
				       BERTH_NAME_TASK_SELF, me->port, MACH_NOTIFY_NO_SENDERS,
				       me->makes, me->notices, MAKE_ONCE));
			me->drop[0] = me->drop[1] = MACH_PORT_NULL;
			if (went_well(self)) {
				me->drop[0] = (mach_port_name_t)self->result.values[0];
				me->armed += !me->drop[0]; /* else in the place of another */
			}
		} else {
			ASK(self,
			    ask_receive(self, me->set, MACH_RCV_TIMEOUT, sim_pick(self->sim, 3)));
			owner_hears(self);
			continue;
		}
		for (me->to = 0; me->to < 2; me->to++) {
			if (!MACH_PORT_VALID(me->drop[me->to]))
				continue;
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      me->drop[me->to], 0, 0));
			expect(self, KERN_SUCCESS);
		}
	}
	for (;;) {
		ASK(self, ask_receive(self, me->set, 0, 0));
		owner_hears(self);
	}
	END(self);
}

/* ---- posters ------------------------------------------------------------------------------ */

void
notices_poster(struct sim_thread *self)
{
	struct poster *me = self->state;

	BEGIN(self);
	while (!CALM(self)) {
		if (!me->watched) {
			ASK(self,
			    ask6(self, BERTH_TRAP_PORT_REQUEST_NOTIFICATION, BERTH_NAME_TASK_SELF,
				 me->to, MACH_NOTIFY_SEND_POSSIBLE, 0, me->notices, MAKE_ONCE));
			me->watched = went_well(self);
			continue;
		}
		draft_to(self, me->to, COPY);
		ASK(self, ask_send(self, me->channel, BY_SEND, ++me->count,
				   MACH_SEND_NOTIFY | MACH_SEND_TIMEOUT, 0));
		if (self->result.code == MACH_SEND_INVALID_DEST)
			break;
		if (!came_back(self))
			continue;
		/* the queue is full, and the request is armed: somebody will tell */
		if (MACH_PORT_VALID(mail_of(self).remote)) {
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      mail_of(self).remote, 0, 0));
			expect(self, KERN_SUCCESS);
		}
		do {
			ASK(self, ask_receive(self, me->notices, 0, 0));
		} while (!notices_heard(self) || mail_of(self).id == MACH_NOTIFY_SEND_ONCE);
		if (mail_of(self).id == MACH_NOTIFY_DEAD_NAME)
			break;
		sim_must(self->sim,
			 mail_of(self).id == MACH_NOTIFY_SEND_POSSIBLE &&
			     mail_of(self).data[2] == me->to,
			 "notification %d comes to who waits for room", mail_of(self).id);
		me->watched = false;
	}
	ASK(self, ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF, me->to, 0, 0));
	expect(self, KERN_SUCCESS);
	END(self);
}

/* ---- the heir ----------------------------------------------------------------------------- */

void
notices_heir(struct sim_thread *self)
{
	struct heir *me = self->state;

	BEGIN(self);
	for (;;) {
		ASK(self, ask_receive(self, me->set, 0, 0));
		if (!notices_heard(self) || mail_of(self).id != MACH_NOTIFY_PORT_DESTROYED)
			continue;
		me->mail = mail_of(self);
		if (!MACH_PORT_VALID(me->mail.ports[0]))
			continue;
		do {
			ASK(self, ask(self, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF,
				      me->mail.ports[0], me->set, 0));
		} while (!went_well(self));
	}
	END(self);
}

/* ---- the scenario ------------------------------------------------------------------------- */

static struct sim_thread *
program_new(struct sim *sim, sim_program *program, size_t state_bytes)
{
	struct sim_task *task = setup_task(sim, sim->tasks[0]);

	task->mortal = true;
	return sim_thread_new(task, program, state_bytes);
}

static mach_port_name_t
set_of(struct sim_thread *t, mach_port_name_t one, mach_port_name_t other)
{
	const mach_port_name_t set = setup_set(t);

	setup_trap(t, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF, one, set, 0);
	if (other)
		setup_trap(t, BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_NAME_TASK_SELF, other, set, 0);
	return set;
}

static void
start(struct sim *sim)
{
	struct notices_model *model = sim->model;
	struct sim_thread *holders[HOLDERS], *heir, *t;

	model->owner_count = 1 + sim_pick(sim, OWNERS);
	model->holder_count = 1 + sim_pick(sim, HOLDERS);
	setup_task(sim, NULL);
	heir = program_new(sim, notices_heir, sizeof(struct heir));
	((struct heir *)heir->state)->port = setup_port(heir, false);
	((struct heir *)heir->state)->set =
	    set_of(heir, ((struct heir *)heir->state)->port, MACH_PORT_NULL);
	model->heir = channel_open(heir->task, ((struct heir *)heir->state)->port);
	for (uint32_t i = 0; i < model->holder_count; i++) {
		struct holder *me;

		holders[i] = program_new(sim, notices_holder, sizeof(struct holder));
		me = holders[i]->state;
		me->inbox = setup_port(holders[i], true);
		me->notices = setup_port(holders[i], false);
		me->set = set_of(holders[i], me->inbox, me->notices);
		model->holders[i] = channel_open(holders[i]->task, me->inbox);
	}
	for (uint32_t i = 0; i < model->owner_count; i++) {
		struct sim_thread *o = program_new(sim, notices_owner, sizeof(struct owner));
		struct owner *me = o->state;

		me->port = setup_port(o, false);
		me->notices = setup_port(o, false);
		me->set = set_of(o, me->port, me->notices);
		me->channel = model->owners[i] = channel_open(o->task, me->port);
		me->heir_once = setup_give(heir, ((struct heir *)heir->state)->port, MAKE_ONCE, o);
		for (uint32_t j = 0; j < model->holder_count; j++)
			me->inboxes[j] = setup_give(
			    holders[j], ((struct holder *)holders[j]->state)->inbox, COPY, o);
		for (uint32_t j = sim_pick(sim, 3); j > 0; j--) {
			struct poster *poster;

			t = program_new(sim, notices_poster, sizeof(struct poster));
			poster = t->state;
			poster->notices = setup_port(t, false);
			poster->to = setup_give(o, me->port, MAKE, t);
			poster->channel = me->channel;
			me->makes++;
		}
	}
}

/* Its heir gets a port even of an owner who dies before it hears that it has one. */
static void
completed(struct sim_thread *t)
{
	const struct owner *me = t->state;

	ledger_completed(t);
	if (t->program == notices_owner && t->result.code == KERN_SUCCESS &&
	    t->frame.number == BERTH_TRAP_PORT_REQUEST_NOTIFICATION &&
	    t->frame.args[2] == MACH_NOTIFY_PORT_DESTROYED)
		channel_of(t->sim, me->channel)->heir = model_of(t)->heir;
}

static void
thread_gone(struct sim_thread *t)
{
	ledger_thread_gone(t);
	if (t->sim->phase < SIM_END)
		model_of(t)->lossy = true;
}

/* Nobody waits to hear of no senders where there are none: the kernel's own tables say so. */
static void
check_requests(struct sim *sim)
{
	struct kernel_census at = { 0 };
	struct kernel_right_row row;

	while (kernel_census_next(sim->kernel, &at, &row)) {
		sim_must(sim, !row.no_senders_request || row.srights > 0,
			 "pid %u, name %#x: no senders, and nobody was told", row.task_pid,
			 row.name);
	}
}

static void
settled(struct sim *sim)
{
	const struct notices_model *model = sim->model;

	ledger_settled(sim);
	check_requests(sim);
	for (uint32_t i = 0; i < sim->live_count; i++) {
		const struct sim_thread *t = sim->live[i];
		const struct owner *o = t->state;
		const struct poster *p = t->state;
		const struct holder *h = t->state;

		if (t->program == notices_owner && !model->lossy)
			sim_must(sim, o->given == o->used,
				 "owner %u: of %u send-once rights %u had an outcome", t->number,
				 o->given, o->used);
		if (t->program == notices_poster && t->parked) {
			const struct sim_task *holder = channel_holder(sim, p->channel);

			sim_must(sim, holder && holder->crippled,
				 "poster %u waits for room, and nobody tells", t->number);
		}
		for (uint32_t j = 0; t->program == notices_holder && j < LATE; j++)
			sim_must(sim, !h->late[j].name,
				 "holder %u: notification %d of %#x never came", t->number,
				 h->late[j].id, h->late[j].name);
	}
}

const struct sim_scenario scenario_notices = {
	.name = "notices",
	.storm_steps = 240,
	.share = 150,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct notices_model),
	.start = start,
	.completed = completed,
	.thread_gone = thread_gone,
	.task_gone = ledger_task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
