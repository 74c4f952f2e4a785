/*
 * Vouchers of few contents, made over and over, copied, dropped, and sent to other tasks in the
 * headers of messages.  What a task has of one content is one name with as many references as it
 * was given, whichever way they came; a message that is not sent gives back what it took.
 */
#include <string.h>

#include <mach/mach_voucher_types.h>

#include "tests/simulation/scenarios.h"

#define CONTENTS 4u
#define FRIENDS 3u

enum { BARE, CARRIES };

struct keeper {
	mach_port_name_t host, port, friends[FRIENDS];
	uint32_t channel, channels[FRIENDS], friend_count;
	mach_port_name_t names[CONTENTS];
	uint32_t urefs[CONTENTS];
	uint32_t content, moves, kind;
	bool wants;
};

/* ---- what the task has --------------------------------------------------------------------- */

static void
gained(struct sim_thread *t, uint32_t content, mach_port_name_t name)
{
	struct keeper *me = t->state;

	sim_must(t->sim, MACH_PORT_VALID(name), "a voucher has the name %#x", name);
	for (uint32_t i = 0; i < CONTENTS; i++)
		sim_must(t->sim, !me->urefs[i] || (me->names[i] == name) == (i == content),
			 "content %u has the name %#x, content %u %#x", content, name, i,
			 me->names[i]);
	me->names[content] = name;
	me->urefs[content]++;
}

static void
letter_came(struct sim_thread *t)
{
	const struct keeper *me = t->state;
	const struct mail mail = mail_of(t);

	if (!mail.letter || mail.bare || t->result.code != MACH_MSG_SUCCESS)
		return;
	if (mail.kind == CARRIES && me->wants) {
		sim_must(t->sim, mail.voucher_type == MACH_MSG_TYPE_PORT_SEND,
			 "a voucher comes as %u", mail.voucher_type);
		gained(t, mail.arg, mail.voucher);
	} else {
		sim_must(t->sim, !mail.voucher && !mail.voucher_type,
			 "a voucher comes to who wants none, or out of nothing");
	}
}

static void
letter_went(struct sim_thread *t)
{
	struct keeper *me = t->state;

	if (me->kind != CARRIES || me->moves != MOVE)
		return;
	if (t->result.values[BERTH_MSG_SENT] || came_back(t))
		me->urefs[me->content]--;
	if (came_back(t) && (!t->result.shortage || MACH_PORT_VALID(mail_of(t).voucher)))
		gained(t, me->content, mail_of(t).voucher);
}

static void
completed(struct sim_thread *t)
{
	struct keeper *me = t->state;
	const uint32_t letter = t->letter;

	ledger_completed(t);
	if (t->sim->phase == SIM_SETUP || !me)
		return;
	switch (t->frame.number) {
	case BERTH_TRAP_MSG:
		if (was_received(t))
			letter_came(t);
		else if (letter)
			letter_went(t);
		break;
	case BERTH_TRAP_HOST_CREATE_MACH_VOUCHER:
		if (went_well(t))
			gained(t, me->content, (mach_port_name_t)t->result.values[0]);
		break;
	case BERTH_TRAP_PORT_DEALLOCATE:
		expect(t, KERN_SUCCESS);
		if (t->frame.args[1] == me->names[me->content])
			me->urefs[me->content]--;
		break;
	}
}

/* ---- asking -------------------------------------------------------------------------------- */

static void
ask_create(struct sim_thread *self, uint32_t key, uint32_t command, mach_port_name_t previous,
	   bool stores)
{
	const struct keeper *me = self->state;
	const uint32_t recipe[] = { key, command, previous, stores ? 4 : 0, 0x1000 + me->content };

	ask(self, BERTH_TRAP_HOST_CREATE_MACH_VOUCHER, me->host, 0, 0, 0);
	self->out_size = stores ? sizeof recipe : sizeof recipe - 4;
	memcpy(self->out, recipe, self->out_size);
}

static void
ask_letter(struct sim_thread *self)
{
	struct keeper *me = self->state;
	const uint32_t to = sim_pick(self->sim, me->friend_count);

	me->kind = me->urefs[me->content] && sim_chance(self->sim, 85) ? CARRIES : BARE;
	me->moves = sim_chance(self->sim, 50) ? MOVE : COPY;
	draft_to(self, me->friends[to], COPY);
	if (me->kind == CARRIES)
		draft_voucher(self, me->names[me->content], me->moves);
	/* two who wait for room at each other would wait for ever */
	ask_send(self, me->channels[to], me->kind, me->content, MACH_SEND_TIMEOUT,
		 sim_pick(self->sim, 4));
}

static void
ask_mail(struct sim_thread *self, int32_t option)
{
	struct keeper *me = self->state;

	me->wants = sim_chance(self->sim, 75);
	ask_receive(self, me->port, option | (me->wants ? MACH_RCV_VOUCHER : 0),
		    sim_pick(self->sim, 4));
}

/* What was put in is in it, byte for byte. */
static void
check_recipe(struct sim_thread *self)
{
	const struct keeper *me = self->state;
	const uint32_t recipe[] = { MACH_VOUCHER_ATTR_KEY_USER_DATA,
				    MACH_VOUCHER_ATTR_USER_DATA_STORE, 0, 4, 0x1000 + me->content };

	if (went_well(self))
		sim_must(self->sim,
			 self->result.bytes_size == sizeof recipe &&
			     memcmp(self->result.bytes, recipe, sizeof recipe) == 0,
			 "a voucher has another content");
}

static void
keeper(struct sim_thread *self)
{
	struct keeper *me = self->state;
	uint32_t what;

	BEGIN(self);
	while (!CALM(self)) {
		me->content = sim_pick(self->sim, CONTENTS);
		what = sim_pick(self->sim, 100);
		if (what < 20) {
			ASK(self, ask_create(self, MACH_VOUCHER_ATTR_KEY_USER_DATA,
					     MACH_VOUCHER_ATTR_USER_DATA_STORE, 0, true));
		} else if (what < 55) {
			ASK(self, ask_mail(self, MACH_RCV_TIMEOUT));
		} else if (what < 75) {
			ASK(self, ask_letter(self));
			if (came_back(self) && MACH_PORT_VALID(mail_of(self).remote)) {
				ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE,
					      BERTH_NAME_TASK_SELF, mail_of(self).remote, 0, 0));
			}
		} else if (me->urefs[me->content] == 0) {
			continue;
		} else if (what < 82) {
			ASK(self,
			    ask_create(self, MACH_VOUCHER_ATTR_KEY_ALL, MACH_VOUCHER_ATTR_COPY,
				       me->names[me->content], false));
		} else if (what < 90) {
			ASK(self,
			    ask(self, BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE,
				me->names[me->content], MACH_VOUCHER_ATTR_KEY_USER_DATA, 100, 0));
			check_recipe(self);
		} else {
			ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
				      me->names[me->content], 0, 0));
		}
	}
	for (me->content = 0; me->content < CONTENTS; me->content++) {
		if (me->urefs[me->content] == 0)
			continue;
		ASK(self, ask(self, BERTH_TRAP_PORT_GET_REFS, BERTH_NAME_TASK_SELF,
			      me->names[me->content], MACH_PORT_RIGHT_SEND, 0));
		expect(self, KERN_SUCCESS);
		sim_must(self->sim, self->result.values[0] == me->urefs[me->content],
			 "content %u has %u references, not %u", me->content,
			 (unsigned)self->result.values[0], me->urefs[me->content]);
	}
	for (;;)
		ASK(self, ask_mail(self, 0));
	END(self);
}

static void
start(struct sim *sim)
{
	struct sim_thread *all[FRIENDS + 1];
	const uint32_t count = 2 + sim_pick(sim, FRIENDS);

	setup_task(sim, NULL);
	for (uint32_t i = 0; i < count; i++) {
		struct sim_task *task = setup_task(sim, sim->tasks[0]);
		struct keeper *me;

		task->mortal = true;
		all[i] = sim_thread_new(task, keeper, sizeof(struct keeper));
		me = all[i]->state;
		setup_trap(all[i], BERTH_TRAP_HOST_SELF, 0, 0, 0, 0);
		me->host = (mach_port_name_t)all[i]->result.values[0];
		me->port = setup_port(all[i], true);
		me->channel = channel_open(task, me->port);
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < count; j++) {
			struct keeper *me = all[i]->state, *other = all[j]->state;

			if (i == j)
				continue;
			me->channels[me->friend_count] = other->channel;
			me->friends[me->friend_count++] =
			    setup_give(all[j], other->port, COPY, all[i]);
		}
}

const struct sim_scenario scenario_vouchers = {
	.name = "vouchers",
	.storm_steps = 200,
	.share = 100,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct ledger),
	.start = start,
	.completed = completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = ledger_task_gone,
	.settled = ledger_settled,
	.model_free = ledger_free,
};
