/*
 * Guarded ports, special reply ports and exception ports of tasks whose memory fails: each call
 * has the one outcome that the contract knows for what was done before, or finds no memory and
 * changes nothing; and the kernel keeps as many send rights to a handler as exceptions go to it.
 */
#include "tests/simulation/scenarios.h"

#define PORTS 3u
#define TYPES 14u /* of exceptions, from 1 */
#define TASK_SET_EXCEPTION_PORTS 3413
#define THREAD_SET_EXCEPTION_PORTS 3613

enum { GUARD, UNGUARD, SWAP, CONTEXT, DROP, DESTRUCT, DESTROY, MOVE_OUT, OPERATIONS };

struct guarded_port {
	mach_port_name_t name;
	uint64_t context;
	bool guarded, strict, immovable;
};

struct guardian {
	struct guarded_port ports[PORTS];
	mach_port_name_t handler, reply, thread, special, last_special;
	bool of_task[TYPES], of_thread[TYPES];
	uint32_t which, operation, mask, level;
	uint64_t value, other;
	kern_return_t expected;
	bool clears;
};

/* ---- guards -------------------------------------------------------------------------------- */

static kern_return_t
expected_of(const struct guardian *me, const struct guarded_port *port)
{
	const bool fits = port->guarded && port->context == me->value;

	switch (me->operation) {
	case GUARD:
		return port->context ? KERN_INVALID_ARGUMENT : KERN_SUCCESS;
	case UNGUARD:
		return fits ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
	case SWAP:
		return fits && !port->strict ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
	case DROP:
	case DESTROY:
		return port->guarded ? KERN_INVALID_RIGHT : KERN_SUCCESS;
	case DESTRUCT:
		return fits || !port->guarded ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
	case MOVE_OUT:
		return port->immovable ? KERN_INVALID_CAPABILITY : KERN_SUCCESS;
	default:
		return KERN_SUCCESS;
	}
}

static void
ask_operation(struct sim_thread *self)
{
	static const uint32_t traps[] = {
		[GUARD] = BERTH_TRAP_PORT_GUARD,     [UNGUARD] = BERTH_TRAP_PORT_UNGUARD,
		[SWAP] = BERTH_TRAP_PORT_SWAP_GUARD, [CONTEXT] = BERTH_TRAP_PORT_GET_CONTEXT,
		[DROP] = BERTH_TRAP_PORT_MOD_REFS,   [DESTRUCT] = BERTH_TRAP_PORT_DESTRUCT,
		[DESTROY] = BERTH_TRAP_PORT_DESTROY, [MOVE_OUT] = BERTH_TRAP_PORT_EXTRACT_RIGHT,
	};
	struct guardian *me = self->state;
	const struct guarded_port *port;

	me->which = sim_pick(self->sim, PORTS);
	port = &me->ports[me->which];
	me->operation = sim_pick(self->sim, OPERATIONS);
	me->value = 1 + sim_pick(self->sim, 2);
	me->other = me->operation == GUARD ? sim_pick(self->sim, 4) : 1 + sim_pick(self->sim, 2);
	me->expected = expected_of(me, port);
	if (me->operation == DROP)
		ask6(self, traps[DROP], BERTH_NAME_TASK_SELF, port->name, MACH_PORT_RIGHT_RECEIVE,
		     (uint64_t)-1, 0, 0);
	else if (me->operation == DESTRUCT)
		ask(self, traps[DESTRUCT], BERTH_NAME_TASK_SELF, port->name, 0, me->value);
	else if (me->operation == MOVE_OUT)
		ask(self, traps[MOVE_OUT], BERTH_NAME_TASK_SELF, port->name, MOVE_RECEIVE, 0);
	else
		ask(self, traps[me->operation], BERTH_NAME_TASK_SELF, port->name, me->value,
		    me->other);
}

/* True: the port is gone, and another is needed. */
static bool
operation_done(struct sim_thread *self)
{
	struct guardian *me = self->state;
	struct guarded_port *port = &me->ports[me->which];

	/* the right goes out only when there is room for its new name */
	if (me->operation == MOVE_OUT && sim_is_shortage(self->result.code))
		return false;
	if (me->operation == MOVE_OUT && me->expected == KERN_SUCCESS) {
		expect(self, KERN_SUCCESS);
		*port = (struct guarded_port){ .name = (mach_port_name_t)self->result.values[0] };
		return false;
	}
	expect(self, me->expected);
	if (me->expected != KERN_SUCCESS)
		return false;
	switch (me->operation) {
	case GUARD:
		port->guarded = true;
		port->context = me->value;
		port->strict |= (me->other & MPG_STRICT) != 0;
		port->immovable |= (me->other & MPG_IMMOVABLE_RECEIVE) != 0;
		return false;
	case UNGUARD:
		port->guarded = port->strict = false;
		port->context = 0;
		return false;
	case SWAP:
		port->context = me->other;
		return false;
	case CONTEXT:
		sim_must(self->sim, self->result.values[0] == (port->strict ? 0 : port->context),
			 "a context is %llu", (unsigned long long)self->result.values[0]);
		return false;
	default:
		return true;
	}
}

/* ---- exception ports ------------------------------------------------------------------------- */

static void
ask_handler(struct sim_thread *self)
{
	struct guardian *me = self->state;
	const mach_port_name_t object = me->level ? me->thread : BERTH_NAME_TASK_SELF;

	draft_to(self, object, COPY);
	draft_port(self, me->clears ? MACH_PORT_NULL : me->handler, MAKE);
	ask_kernel(self, object, me->level ? THREAD_SET_EXCEPTION_PORTS : TASK_SET_EXCEPTION_PORTS,
		   (uint32_t[]){ me->mask, 1 /* EXCEPTION_DEFAULT */, 0 }, 3, me->reply);
}

/* Without memory for an answer nothing is done, and the reply right dies. */
static void
handler_is_set(struct sim_thread *self)
{
	struct guardian *me = self->state;
	struct mail mail;

	if (!was_received(self)) {
		went_well(self);
		return;
	}
	mail = mail_of(self);
	if (mail.id == MACH_NOTIFY_SEND_ONCE || mail.data[2] != KERN_SUCCESS) {
		sim_must(self->sim, self->result.shortage, "a handler is refused: %#x",
			 mail.data[2]);
		return;
	}
	for (uint32_t type = 1; type < TYPES; type++)
		if (me->mask & 1u << type)
			(me->level ? me->of_thread : me->of_task)[type] = !me->clears;
}

static void
check_handler(struct sim_thread *self)
{
	const struct guardian *me = self->state;
	uint32_t count = 0;

	for (uint32_t type = 1; type < TYPES; type++)
		count += me->of_task[type] + me->of_thread[type];
	expect(self, KERN_SUCCESS);
	sim_must(self->sim, self->result.values[0] == count,
		 "%u exceptions go to a handler that has %u send rights", count,
		 (unsigned)self->result.values[0]);
}

/* ---- special reply ports -----------------------------------------------------------------------
 */

/* Of the last one and the one before: may it be waited on as a special one, may it move? */
static void
check_special(struct sim_thread *self, bool is_last)
{
	const kern_return_t code = self->result.code;

	if (self->frame.number == BERTH_TRAP_MSG)
		sim_must(self->sim,
			 code == (is_last ? MACH_RCV_TIMED_OUT : MACH_RCV_INVALID_NOTIFY),
			 "who waits for an answer hears %#x", (unsigned)code);
	else if (self->frame.number == BERTH_TRAP_PORT_REQUEST_NOTIFICATION)
		sim_must(self->sim, is_last == (code == KERN_INVALID_RIGHT),
			 "a special reply port has a backup: %#x", (unsigned)code);
	else
		sim_must(self->sim, is_last == (code == KERN_INVALID_CAPABILITY),
			 "a special reply port moves, or another does not: %#x", (unsigned)code);
}

static void
ask_special(struct sim_thread *self, mach_port_name_t name)
{
	switch (sim_pick(self->sim, 3)) {
	case 0:
		ask_receive(self, name, MACH_RCV_TIMEOUT | MACH_RCV_SYNC_WAIT, 0);
		self->frame.args[7] = BERTH_NAME_TASK_SELF; /* to whom the request went */
		return;
	case 1:
		ask(self, BERTH_TRAP_PORT_EXTRACT_RIGHT, BERTH_NAME_TASK_SELF, name, MOVE_RECEIVE,
		    0);
		return;
	default:
		ask6(self, BERTH_TRAP_PORT_REQUEST_NOTIFICATION, BERTH_NAME_TASK_SELF, name,
		     MACH_NOTIFY_PORT_DESTROYED, 0, ((struct guardian *)self->state)->handler,
		     MAKE_ONCE);
		return;
	}
}

/* ---- the program -------------------------------------------------------------------------------
 */

static void
guardian(struct sim_thread *self)
{
	struct guardian *me = self->state;
	uint32_t what;

	BEGIN(self);
	while (!CALM(self)) {
		what = sim_pick(self->sim, 100);
		if (what < 50) {
			ASK(self, ask_operation(self));
			if (!operation_done(self))
				continue;
			do {
				ASK(self, ask(self, BERTH_TRAP_REPLY_PORT, 0, 0, 0, 0));
			} while (!self->result.values[0]);
			me->ports[me->which] =
			    (struct guarded_port){ .name =
						       (mach_port_name_t)self->result.values[0] };
		} else if (what < 75) {
			me->mask = sim_pick(self->sim, 0x1ffe) & 0x1ffe;
			me->level = sim_pick(self->sim, 2);
			me->clears = sim_chance(self->sim, 30);
			ASK(self, ask_handler(self));
			handler_is_set(self);
			ASK(self, ask(self, BERTH_TRAP_PORT_GET_SRIGHTS, BERTH_NAME_TASK_SELF,
				      me->handler, 0, 0));
			check_handler(self);
		} else if (what < 85) {
			ASK(self, ask(self, BERTH_TRAP_GET_SPECIAL_REPLY_PORT, 0, 0, 0, 0));
			if (!self->result.values[0])
				continue;
			me->last_special = me->special;
			me->special = (mach_port_name_t)self->result.values[0];
			if (!me->last_special)
				continue;
			/* it is like any other now, and ends */
			ASK(self, ask_receive(self, me->last_special,
					      MACH_RCV_TIMEOUT | MACH_RCV_SYNC_WAIT, 0));
			sim_must(self->sim, self->result.code == MACH_RCV_TIMED_OUT,
				 "a wait without a link hears %#x", (unsigned)self->result.code);
			ASK(self, ask_special(self, me->last_special));
			if (!sim_is_shortage(self->result.code))
				check_special(self, false);
			if (self->frame.number == BERTH_TRAP_PORT_EXTRACT_RIGHT)
				me->last_special = (mach_port_name_t)self->result.values[0];
			if (self->result.code != KERN_SUCCESS &&
			    self->frame.number == BERTH_TRAP_PORT_EXTRACT_RIGHT)
				continue;
			ASK(self, ask(self, BERTH_TRAP_PORT_DESTROY, BERTH_NAME_TASK_SELF,
				      me->last_special, 0, 0));
			expect(self, KERN_SUCCESS);
		} else if (me->special) {
			ASK(self, ask_special(self, me->special));
			if (!sim_is_shortage(self->result.code))
				check_special(self, true);
		}
	}
	/* nothing goes to the handler any more: no right to it is left */
	me->mask = 0x3ffe;
	me->clears = true;
	for (me->level = 0; me->level < 2; me->level++) {
		ASK(self, ask_handler(self));
		handler_is_set(self);
	}
	ASK(self, ask(self, BERTH_TRAP_PORT_GET_SRIGHTS, BERTH_NAME_TASK_SELF, me->handler, 0, 0));
	check_handler(self);
	END(self);
}

static void
start(struct sim *sim)
{
	setup_task(sim, NULL);
	for (uint32_t i = 1 + sim_pick(sim, 3); i > 0; i--) {
		struct sim_task *task = setup_task(sim, sim->tasks[0]);
		struct sim_thread *t = sim_thread_new(task, guardian, sizeof(struct guardian));
		struct guardian *me = t->state;

		task->mortal = true;
		for (uint32_t n = 0; n < PORTS; n++)
			me->ports[n].name = setup_port(t, false);
		me->handler = setup_port(t, false);
		me->reply = setup_port(t, false);
		setup_trap(t, BERTH_TRAP_THREAD_SELF, 0, 0, 0, 0);
		me->thread = (mach_port_name_t)t->result.values[0];
	}
}

static void
settled(struct sim *sim)
{
	programs_done(sim, guardian, "nothing");
}

const struct sim_scenario scenario_guards = {
	.name = "guards",
	.storm_steps = 160,
	.share = 80,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct ledger),
	.start = start,
	.completed = ledger_completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = ledger_task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
