/* Who holds rights in the notifications' scenario: see notices.c. */
#include "tests/simulation/notices.h"

/* ---- what it believes --------------------------------------------------------------------- */

static struct held *
held_named(struct holder *me, mach_port_name_t name)
{
	for (uint32_t i = 0; i < HELD; i++)
		if (me->held[i].name == name)
			return &me->held[i];
	return NULL;
}

static bool
is_dead(const struct sim_thread *self, const struct held *held)
{
	return channel_of(self->sim, held->channel)->dead;
}

/* It is freed: what was asked for will be told, of a name that is no more. */
static void
held_freed(struct sim_thread *self, struct held *held)
{
	struct holder *me = self->state;
	uint32_t i = 0;

	if (held->watched) {
		while (i < LATE && me->late[i].name)
			i++;
		sim_must(self->sim, i < LATE, "%u notifications are late", LATE);
		me->late[i].name = held->name;
		me->late[i].id =
		    is_dead(self, held) ? MACH_NOTIFY_DEAD_NAME : MACH_NOTIFY_PORT_DELETED;
	}
	*held = (struct held){ 0 };
}

static bool
was_late(struct holder *me, mach_port_name_t name, int32_t id)
{
	for (uint32_t i = 0; i < LATE; i++)
		if (me->late[i].name == name && me->late[i].id == id) {
			me->late[i].name = MACH_PORT_NULL;
			return true;
		}
	return false;
}

/* The registration's own reference: there as soon as somebody looks at the dead name. */
static void
held_noticed(struct sim_thread *self, struct held *held)
{
	if (held->watched && !held->counted && is_dead(self, held)) {
		held->urefs++;
		held->counted = true;
	}
}

/* ---- what it does ------------------------------------------------------------------------- */

/* A right has come; true: there is room for it. */
static bool
keep_gift(struct sim_thread *self)
{
	struct holder *me = self->state;
	const mach_port_name_t name = me->mail.ports[0];
	struct held *held = held_named(me, name);

	if (!held && !(held = held_named(me, MACH_PORT_NULL)))
		return false;
	if (held->name)
		sim_must(self->sim, held->channel == me->mail.arg, "one name for two ports");
	*held = (struct held){ .name = name,
			       .channel = me->mail.arg,
			       .urefs = held->urefs + 1,
			       .watched = held->watched,
			       .counted = held->counted };
	return true;
}

static void
take_notice(struct sim_thread *self)
{
	struct holder *me = self->state;
	const mach_port_name_t name = me->mail.data[2];
	struct held *held = held_named(me, name);

	switch (me->mail.id) {
	case MACH_NOTIFY_SEND_ONCE: /* of a registration that was replaced or failed */
		return;
	case MACH_NOTIFY_PORT_DELETED:
		sim_must(self->sim, was_late(me, name, MACH_NOTIFY_PORT_DELETED),
			 "%#x is reported deleted", name);
		return;
	case MACH_NOTIFY_DEAD_NAME:
		if (was_late(me, name, MACH_NOTIFY_DEAD_NAME))
			return;
		sim_must(self->sim, held && held->watched && is_dead(self, held),
			 "%#x is reported dead, once more or wrongly", name);
		held_noticed(self, held);
		held->watched = held->counted = false;
		return;
	}
	sim_fail(self->sim, "notification %d comes to who holds rights", me->mail.id);
}

static void
ask_deallocate(struct sim_thread *self, struct held *held)
{
	ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF, held->name, 0, 0);
	held_noticed(self, held);
	if (--held->urefs == 0)
		held_freed(self, held);
}

static void
ask_destroy(struct sim_thread *self, struct held *held)
{
	ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF, held->name, 0, 0);
	held_freed(self, held);
}

static struct held *
some_held(struct sim_thread *self)
{
	struct holder *me = self->state;

	me->at = sim_pick(self->sim, HELD);
	return me->held[me->at].name ? &me->held[me->at] : NULL;
}

static void
watch_ended(struct sim_thread *self, struct held *held)
{
	if (self->result.code == KERN_INVALID_ARGUMENT) {
		sim_must(self->sim, is_dead(self, held), "a living port is a dead name");
		held_noticed(self, held); /* a request that had not been told of */
	} else if (went_well(self)) {
		held->watched = true;
		held->counted = false;
	}
}

void
notices_holder(struct sim_thread *self)
{
	struct holder *me = self->state;
	struct held *held;

	BEGIN(self);
	for (;;) {
		held = some_held(self);
		if (CALM(self)) {
			for (me->at = 0; me->at < HELD; me->at++) {
				if (!me->held[me->at].name)
					continue;
				ASK(self, ask_destroy(self, &me->held[me->at]));
				expect(self, KERN_SUCCESS);
			}
		} else if (held && sim_chance(self->sim, 60)) {
			if (sim_chance(self->sim, 30)) {
				ASK(self, ask_deallocate(self, held));
				expect(self, KERN_SUCCESS);
			} else if (sim_chance(self->sim, 50)) {
				ASK(self, ask6(self, BERTH_TRAP_PORT_REQUEST_NOTIFICATION,
					       BERTH_NAME_TASK_SELF, held->name,
					       MACH_NOTIFY_DEAD_NAME, 0, me->notices, MAKE_ONCE));
				watch_ended(self, &me->held[me->at]);
				if (self->result.code == KERN_SUCCESS && self->result.values[0]) {
					ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE,
						      BERTH_NAME_TASK_SELF, self->result.values[0],
						      0, 0));
					expect(self, KERN_SUCCESS);
				}
			} else {
				draft_to(self, held->name, COPY);
				ASK(self, ask_send(self, held->channel, BY_SEND, 0,
						   MACH_SEND_TIMEOUT, 0));
				if (came_back(self) && MACH_PORT_VALID(mail_of(self).remote))
					me->held[me->at].urefs++; /* it stays */
			}
			continue;
		}
		ASK(self, ask_receive(self, me->set, CALM(self) ? 0 : MACH_RCV_TIMEOUT,
				      sim_pick(self->sim, 3)));
		if (!notices_heard(self))
			continue;
		me->mail = mail_of(self);
		if (!me->mail.letter) {
			take_notice(self);
			continue;
		}
		if (me->mail.bare || !me->mail.port_count || !MACH_PORT_VALID(me->mail.ports[0]))
			continue;
		if (me->mail.kind == GIFT_SEND && keep_gift(self))
			continue;
		if (me->mail.kind == GIFT_ONCE && sim_chance(self->sim, 60)) {
			draft_to(self, me->mail.ports[0], MOVE_ONCE);
			ASK(self, ask_send(self, me->mail.arg, BY_ONCE, 0, 0, 0));
			if (went_well(self))
				continue;
		}
		ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE, BERTH_NAME_TASK_SELF,
			      me->mail.ports[0], 0, 0));
		expect(self, KERN_SUCCESS);
	}
	END(self);
}
