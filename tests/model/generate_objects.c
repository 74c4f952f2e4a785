/*
 * Calls on timers, semaphores and vouchers, and looks at what is there: see generate.h.
 *
 * No two things fall due in one nanosecond: the last digits of each time are the step's number,
 * and what waits for messages waits for whole milliseconds.
 */
#include "tests/model/choose.h"

#define MS_NS 1000000u

static bool
is_timer(const struct m_port *port)
{
	return port->timer != NULL;
}

static bool
is_semaphore(const struct m_port *port)
{
	return port->semaphore != NULL;
}

bool
is_voucher(const struct m_port *port)
{
	return port->voucher != NULL;
}

static bool
is_host(const struct m_port *port)
{
	return port->kernel == M_OWNER_HOST;
}

static bool
is_thread(const struct m_port *port)
{
	return port->kernel == M_OWNER_THREAD;
}

bool
some_object(struct generator *g, const struct m_task *task, mach_port_type_t types,
	    bool (*is_kind)(const struct m_port *port), struct arg *name)
{
	const struct m_entry *entry = find_object(g, task, types, is_kind);

	if (!entry)
		return false;
	*name = chance(g, 95) ? arg_of_entry(entry) : some_name(g, task, ANY);
	return true;
}

void
object_trap(struct step *step, uint32_t trap, uint32_t arg_count)
{
	trap_of(step, trap, arg_count - 1);
	step->args[0] = number(0);
	step->arg_count = arg_count;
}

/* ---- timers -------------------------------------------------------------------------------- */

static struct arg
some_time(struct generator *g, const struct step *step)
{
	const uint64_t now = g->model->now_ns;

	if (chance(g, 8))
		return number(chance(g, 50) ? 0 : (int64_t)now - choose(g, 5));
	return number((int64_t)(now + choose(g, 12) * (uint64_t)MS_NS + step->id));
}

static void
timer_call(struct generator *g, const struct m_task *task, struct step *step)
{
	struct arg name;
	uint32_t kind = choose(g, 100);

	if (!some_object(g, task, RECEIVE, is_timer, &name)) {
		object_trap(step, BERTH_TRAP_MK_TIMER_CREATE, 1);
		return;
	}
	if (kind < 55) {
		object_trap(step, BERTH_TRAP_MK_TIMER_ARM, 2);
		step->args[1] = some_time(g, step);
	} else if (kind < 70) {
		object_trap(step, BERTH_TRAP_MK_TIMER_ARM_LEEWAY, 4);
		step->args[1] = number(choose(g, 3));
		step->args[2] = some_time(g, step);
		step->args[3] = number(choose(g, 3) * 1000);
	} else if (kind < 85) {
		object_trap(step, BERTH_TRAP_MK_TIMER_CANCEL, 1);
	} else if (kind < 91) {
		object_trap(step, BERTH_TRAP_MK_TIMER_DESTROY, 1);
	} else {
		object_trap(step, BERTH_TRAP_MK_TIMER_CREATE, 1);
		return;
	}
	step->args[0] = name;
}

/* ---- semaphores ---------------------------------------------------------------------------- */

void
ask(struct generator *g, const struct m_task *task, struct step *step, struct arg dest, int32_t id)
{
	step->kind = STEP_MSG;
	step->option = MACH_SEND_MSG | MACH_SEND_TIMEOUT;
	step->dest = chance(g, 94) ? dest : some_name(g, task, SEND);
	step->dest_disposition = MACH_MSG_TYPE_COPY_SEND;
	step->reply = some_name(g, task, RECEIVE);
	step->reply_disposition =
	    chance(g, 90) ? MACH_MSG_TYPE_MAKE_SEND_ONCE : MACH_MSG_TYPE_MAKE_SEND;
	step->msgh_id = id;
	if (chance(g, 60)) { /* and the answer is taken at once */
		step->option |= MACH_RCV_MSG | MACH_RCV_TIMEOUT;
		step->rcv_name = step->reply;
		step->rcv_size = 1000;
	}
}

static void
make_semaphore(struct generator *g, const struct m_task *task, struct step *step)
{
	static const int32_t policies[] = { 0, 0, 2, 2, 4, 6, 1 };

	ask(g, task, step, number(BERTH_NAME_TASK_SELF), 3418);
	step->word_count = chance(g, 97) ? 2 : 1;
	step->words[0] = (uint32_t)CHOOSE_OF(g, policies);
	step->words[1] = chance(g, 95) ? choose(g, 3) : UINT32_MAX;
	if (chance(g, 3))
		step->complex = true;
}

static void
destroy_semaphore(struct generator *g, const struct m_task *task, struct step *step,
		  struct arg name)
{
	struct step_descriptor *d = &step->descriptors[0];

	ask(g, task, step, number(BERTH_NAME_TASK_SELF), 3419);
	step->descriptor_count = 1;
	d->type = MACH_MSG_PORT_DESCRIPTOR;
	d->names[0] = name;
	d->disposition = chance(g, 60) ? MACH_MSG_TYPE_COPY_SEND : MACH_MSG_TYPE_MOVE_SEND;
	if (chance(g, 5))
		d->names[0] = some_right(g, task, true, &d->disposition);
	if (chance(g, 3))
		step->data_size = 4;
}

static void
semaphore_call(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t calls[] = {
		BERTH_TRAP_SEMAPHORE_SIGNAL,
		BERTH_TRAP_SEMAPHORE_SIGNAL,
		BERTH_TRAP_SEMAPHORE_SIGNAL_ALL,
		BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD,
		BERTH_TRAP_SEMAPHORE_WAIT,
		BERTH_TRAP_SEMAPHORE_TIMEDWAIT,
		BERTH_TRAP_SEMAPHORE_TIMEDWAIT,
		BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL,
		BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL,
	};
	uint32_t call = CHOOSE_OF(g, calls), time_at;
	struct arg name;

	if (!some_object(g, task, SEND, is_semaphore, &name) || chance(g, 6)) {
		make_semaphore(g, task, step);
		return;
	}
	if (chance(g, 5)) {
		destroy_semaphore(g, task, step, name);
		return;
	}
	object_trap(step, call, 4);
	step->args[0] = name;
	time_at = call == BERTH_TRAP_SEMAPHORE_TIMEDWAIT ? 1 : 2;
	if (call == BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL ||
	    call == BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL)
		(void)some_object(g, task, SEND, is_semaphore, &step->args[1]);
	if (call == BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD && chance(g, 60))
		(void)some_object(g, task, SEND, is_thread, &step->args[1]);
	if (call == BERTH_TRAP_SEMAPHORE_TIMEDWAIT ||
	    call == BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL) {
		if (chance(g, 75))
			step->args[time_at + 1] = number(choose(g, 12) * MS_NS + step->id);
		else if (chance(g, 20))
			step->args[time_at + 1] = number(999999999 + choose(g, 2));
	}
}

/* ---- vouchers ------------------------------------------------------------------------------ */

static void
make_voucher(struct generator *g, const struct m_task *task, struct step *step, struct arg host)
{
	static const uint32_t keys[] = { 7, 7, 7, 8, 8, 1, 2, 4, UINT32_MAX };
	static const uint32_t commands[] = { 211, 211, 211, 211, 1, 1, 2, 4, 5, 10, 0 };
	const uint32_t count = chance(g, 95) ? 1 + choose(g, STEP_RECIPES) : 0;

	object_trap(step, BERTH_TRAP_HOST_CREATE_MACH_VOUCHER, 1 + 4 * count);
	step->args[0] = host;
	for (uint32_t i = 0; i < count; i++) {
		struct arg *recipe = &step->args[1 + 4 * i];
		const uint32_t key = chance(g, 94) ? CHOOSE_OF(g, keys) : choose(g, 10);
		uint32_t command =
		    chance(g, 94) ? CHOOSE_OF(g, commands) : CHOOSE_OF(g, keys) + choose(g, 5);

		if (command == 211 && key == 2 && chance(g, 80))
			command = 200;
		if (command == 211 && (key == 1 || key == 4) && chance(g, 80))
			command = 11 + choose(g, 2);
		recipe[0] = number(key);
		recipe[1] = number(command);
		if (command > 10 ? chance(g, 4) : chance(g, 85))
			(void)some_object(g, task, SEND, is_voucher, &recipe[2]);
		if (command > 10 || chance(g, 2))
			recipe[3] = number(choose(g, 3) * 4 + (choose(g, 2) << 8));
		if (chance(g, 2))
			recipe[3].number |= 0x10000;
	}
	if (count < STEP_RECIPES && chance(g, 1))
		step->arg_count++; /* four bytes that are no recipe */
}

static void
voucher_call(struct generator *g, const struct m_task *task, struct step *step)
{
	struct arg name, host;

	if (chance(g, 35) && some_object(g, task, SEND, is_voucher, &name)) {
		object_trap(step, BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE, 3);
		step->args[0] = chance(g, 97) ? name : number(0);
		step->args[1] = number(chance(g, 70) ? 7 + choose(g, 2) : choose(g, 11));
		step->args[2] = number(chance(g, 85) ? 100 : choose(g, 30));
	} else if (some_object(g, task, SEND, is_host, &host)) {
		make_voucher(g, task, step, host);
	} else {
		trap_of(step, BERTH_TRAP_HOST_SELF, 0);
		step->arg_count = 0;
	}
}

/* ---- looking --------------------------------------------------------------------------------- */

static void
look_call(struct generator *g, const struct m_task *task, struct step *step)
{
	switch (choose(g, 4)) {
	case 0:
		trap_of(step, BERTH_TRAP_PORT_SPACE_INFO, 0);
		break;
	case 1:
		trap_of(step, BERTH_TRAP_PORT_KOBJECT, 1);
		step->args[1] = some_name(g, task, ANY);
		break;
	case 2:
		trap_of(step, BERTH_TRAP_PORT_DNREQUEST_INFO, 1);
		step->args[1] = some_name(g, task, RECEIVE);
		break;
	default:
		trap_of(step, BERTH_TRAP_PORT_PEEK, 4);
		step->args[1] = some_name(g, task, RECEIVE);
		step->args[2] = number(MACH_RCV_TRAILER_ELEMENTS(choose(g, chance(g, 90) ? 4 : 9)));
		step->args[3] = number(chance(g, 60) ? 0 : choose(g, 6));
		step->args[4] = number(chance(g, 90) ? 68 : 4 * choose(g, 17));
		break;
	}
}

void
generate_object_call(struct generator *g, const struct m_task *task, struct step *step)
{
	static void (*const calls[])(struct generator *, const struct m_task *, struct step *) = {
		timer_call,     timer_call,   semaphore_call, semaphore_call,
		semaphore_call, voucher_call, voucher_call,   look_call
	};

	CHOOSE_OF(g, calls)(g, task, step);
}
