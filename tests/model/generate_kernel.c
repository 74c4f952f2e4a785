/*
 * What is asked of tasks, threads and the host about the rights that the kernel holds, about
 * suspensions and registers, and fileports: see generate.h.
 */
#include <mach/exception_types.h>
#include <mach/thread_status.h>

#include "tests/model/choose.h"

static bool
is_task(const struct m_port *port)
{
	return port->kernel == M_OWNER_TASK || port->kernel == M_OWNER_TASK_NAME;
}

static bool
is_thread(const struct m_port *port)
{
	return port->kernel == M_OWNER_THREAD;
}

static bool
is_host(const struct m_port *port)
{
	return port->kernel == M_OWNER_HOST || port->kernel == M_OWNER_HOST_PRIV;
}

static bool
is_token(const struct m_port *port)
{
	return port->kernel == M_OWNER_TOKEN;
}

static bool
is_fileport(const struct m_port *port)
{
	return port->kernel == M_OWNER_FILEPORT;
}

/* The caller's own task, mostly; or another one that it knows. */
static struct arg
some_task(struct generator *g, const struct m_task *task)
{
	struct arg name = number(BERTH_NAME_TASK_SELF);

	if (chance(g, 30))
		(void)some_object(g, task, SEND, is_task, &name);
	return name;
}

/* A right to be given to the kernel, or what is none; often the same one in many places. */
static struct arg
right_to_keep(struct generator *g, const struct m_task *task)
{
	if (chance(g, 35)) {
		M_EACH(const struct m_entry, entry, &task->entries)
		if ((entry->type & SEND) && entry->name != BERTH_NAME_TASK_SELF)
			return arg_of_entry(entry);
	}
	return chance(g, 85) ? some_name(g, task, SEND) : number(chance(g, 70) ? 0 : 0xffffffff);
}

static void
add_right(struct generator *g, const struct m_task *task, struct step *step)
{
	struct step_descriptor *d = &step->descriptors[step->descriptor_count++];

	d->type = MACH_MSG_PORT_DESCRIPTOR;
	d->names[0] = right_to_keep(g, task);
	d->disposition = chance(g, 60) ? MACH_MSG_TYPE_COPY_SEND : MACH_MSG_TYPE_MOVE_SEND;
	if (chance(g, 20))
		d->names[0] = some_right(g, task, true, &d->disposition);
	if (chance(g, 15)) {
		d->names[0] = some_name(g, task, RECEIVE);
		d->disposition = MACH_MSG_TYPE_MAKE_SEND;
	}
}

static void
add_word(struct step *step, uint32_t word)
{
	step->words[step->word_count++] = word;
}

/* A word or a descriptor too many or too few, seldom. */
static void
spoil(struct generator *g, struct step *step)
{
	if (!chance(g, 4))
		return;
	switch (choose(g, 3)) {
	case 0:
		step->word_count -= step->word_count > 0;
		break;
	case 1:
		step->data_size += 4;
		break;
	default:
		step->complex = true;
		break;
	}
}

/* ---- special and registered ports --------------------------------------------------------------
 */

static uint32_t
some_special(struct generator *g)
{
	static const uint32_t numbers[] = { 4, 4, 4, 9, 10, 10, 11, 1, 2, 3 };

	return chance(g, 94) ? CHOOSE_OF(g, numbers) : choose(g, 14);
}

static void
special(struct generator *g, const struct m_task *task, struct step *step)
{
	const bool by_message = chance(g, 40), sets = chance(g, 50);

	if (by_message) {
		ask(g, task, step, some_task(g, task), sets ? 3410 : 3409);
		if (sets)
			add_right(g, task, step);
		add_word(step, some_special(g));
		spoil(g, step);
		return;
	}
	trap_of(step, sets ? BERTH_TRAP_TASK_SET_SPECIAL_PORT : BERTH_TRAP_TASK_GET_SPECIAL_PORT,
		sets ? 2 : 1);
	step->args[0] = chance(g, 95) ? some_task(g, task) : some_name(g, task, ANY);
	step->args[1] = number(some_special(g));
	if (sets)
		step->args[2] = right_to_keep(g, task);
}

static void
registered(struct generator *g, const struct m_task *task, struct step *step)
{
	const bool by_message = chance(g, 40), sets = chance(g, 50);
	const uint32_t count = chance(g, 95) ? choose(g, 4) : 4;
	struct step_descriptor *d = &step->descriptors[0];

	if (by_message) {
		ask(g, task, step, some_task(g, task), sets ? 3403 : 3404);
		if (sets) {
			step->descriptor_count = 1;
			d->type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
			d->disposition =
			    chance(g, 90) ? MACH_MSG_TYPE_COPY_SEND : 16 + choose(g, 6);
			d->count = count;
			for (uint32_t i = 0; i < count; i++)
				d->names[i] = right_to_keep(g, task);
			add_word(step, chance(g, 97) ? count : choose(g, 4));
		}
		spoil(g, step);
		return;
	}
	trap_of(step, sets ? BERTH_TRAP_PORTS_REGISTER : BERTH_TRAP_PORTS_LOOKUP, sets ? 4 : 0);
	step->args[0] = chance(g, 95) ? some_task(g, task) : some_name(g, task, ANY);
	if (!sets)
		return;
	step->args[1] = number(count);
	for (uint32_t i = 0; i < 3; i++)
		step->args[2 + i] = right_to_keep(g, task);
}

static void
of_host(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t numbers[] = { 1, 2, 2, 8, 8, 35, 35 };
	const uint32_t which = chance(g, 94) ? CHOOSE_OF(g, numbers) : choose(g, 40);
	const bool sets = chance(g, 40);
	struct arg host;

	if (!some_object(g, task, SEND, is_host, &host)) {
		trap_of(step, BERTH_TRAP_HOST_SELF, 0);
		step->arg_count = 0;
		return;
	}
	ask(g, task, step, host, sets ? 413 : 412);
	if (sets)
		add_right(g, task, step);
	else
		add_word(step, UINT32_MAX);
	add_word(step, which);
	spoil(g, step);
}

/* ---- threads: their own port and voucher -------------------------------------------------------
 */

/* A thread's port that the task has; false: @step gets one. */
static bool
some_thread_port(struct generator *g, const struct m_task *task, struct step *step,
		 struct arg *name)
{
	if (some_object(g, task, SEND, is_thread, name) && !chance(g, 5))
		return true;
	trap_of(step, BERTH_TRAP_THREAD_SELF, 0);
	step->arg_count = 0;
	return false;
}

static void
of_thread(struct generator *g, const struct m_task *task, struct step *step)
{
	static const int32_t ids[] = { 3610, 3611, 3625, 3625, 3626, 3626, 3626 };
	const int32_t id = CHOOSE_OF(g, ids);
	struct arg thread;

	if (!some_thread_port(g, task, step, &thread))
		return;
	ask(g, task, step, thread, id);
	if (id == 3611 || id == 3626)
		add_right(g, task, step);
	if (id == 3626 && chance(g, 80))
		(void)some_object(g, task, SEND, is_voucher, &step->descriptors[0].names[0]);
	if (id == 3610 || id == 3611)
		add_word(step, chance(g, 80) ? 1 : choose(g, 5));
	else if (id == 3625)
		add_word(step, 0);
	spoil(g, step);
}

/* ---- exceptions
 * ---------------------------------------------------------------------------------- */

static uint32_t
some_mask(struct generator *g)
{
	static const uint32_t masks[] = { EXC_MASK_BAD_ACCESS,
					  EXC_MASK_BAD_ACCESS | EXC_MASK_ARITHMETIC,
					  EXC_MASK_ALL,
					  EXC_MASK_CRASH,
					  EXC_MASK_ALL | EXC_MASK_CRASH,
					  EXC_MASK_GUARD | EXC_MASK_BREAKPOINT,
					  M_EXC_MASK_VALID };

	if (chance(g, 90))
		return CHOOSE_OF(g, masks);
	return chance(g, 60) ? 2 * choose(g, 1u << 13) : choose(g, 1u << 16);
}

static void
exception_ports(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t behaviors[] = { 1, 1, 1, 2, 3, 0x80000001, 0x80000001, 0x80000003 };
	static const uint32_t odd_behaviors[] = { 0,          4,          6,         0x80000004,
						  0x20000001, 0xa0000001, 0xc0000002 };
	static const uint32_t flavors[] = { 0, 0, 4, 4, 7, 13 };
	static const int32_t bases[] = { 3413, 3413, 3613, 3613, 414 };
	const int32_t base = CHOOSE_OF(g, bases), kind = (int32_t)choose(g, 3);
	struct arg object = some_task(g, task);

	if (base == 3613 && !some_thread_port(g, task, step, &object))
		return;
	if (base == 414 && !some_object(g, task, SEND, is_host, &object)) {
		of_host(g, task, step);
		return;
	}
	ask(g, task, step, object, base + kind);
	if (kind != 1)
		add_right(g, task, step);
	add_word(step, some_mask(g));
	if (kind != 1) {
		add_word(step,
			 chance(g, 92) ? CHOOSE_OF(g, behaviors) : CHOOSE_OF(g, odd_behaviors));
		add_word(step, chance(g, 95) ? CHOOSE_OF(g, flavors) : 99);
	}
	spoil(g, step);
}

/*
 * What the library sends for a thread that ran into something, and an answer to it: whether a
 * handler handled it is between the two, and here it is a message as others are.
 */
static void
raise_or_answer(struct generator *g, const struct m_task *task, struct step *step)
{
	struct step_descriptor *d = step->descriptors;
	const struct m_entry *once = find_entry(g, task, ONCE);

	if (once && chance(g, 50)) {
		step->kind = STEP_MSG;
		step->option = MACH_SEND_MSG;
		step->dest = arg_of_entry(once);
		step->dest_disposition = MACH_MSG_TYPE_MOVE_SEND_ONCE;
		step->msgh_id = 2505;
		add_word(step, chance(g, 60) ? 0 : 5);
		return;
	}
	if (!some_thread_port(g, task, step, &d->names[0]))
		return;
	ask(g, task, step, some_name(g, task, SEND), 2405);
	step->descriptor_count = 2;
	d[1].names[0] = number(BERTH_NAME_TASK_SELF);
	d[0].disposition = d[1].disposition = MACH_MSG_TYPE_COPY_SEND;
	step->timeout = choose(g, 3) * 10;
	add_word(step, 1);
	add_word(step, 0);
}

static void
registers(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t flavors[] = { 4, 4, 7, 7, 6, 9, 77 };
	static const uint32_t counts[] = { 42, 42, 44, 44, 4, 6, 48 };
	const uint32_t which = choose(g, sizeof flavors / sizeof flavors[0]);
	const uint32_t flavor = flavors[which];
	uint32_t count = counts[which];
	struct arg thread;

	switch (choose(g, 10)) {
	case 8:
	case 9:
		raise_or_answer(g, task, step);
		return;
	case 0:
	case 1:
		object_trap(step, BERTH_TRAP_THREAD_STATE_OFFER, 2);
		step->args[0] = number(choose(g, 256));
		step->args[1] = number(chance(g, 95) ? 0 : 1 + choose(g, M_REGISTERS - 1));
		return;
	case 2:
		object_trap(step, BERTH_TRAP_THREAD_STATE_WITHDRAW, 0);
		return;
	case 3:
		object_trap(step, BERTH_TRAP_HOST_EXCEPTION_PORT, 1);
		step->args[0] = number(choose(g, 15));
		return;
	default:
		break;
	}
	if (!some_thread_port(g, task, step, &thread))
		return;
	if (chance(g, 10))
		count += chance(g, 50) ? 1 : UINT32_MAX;
	if (chance(g, 50)) {
		ask(g, task, step, thread, 3603);
		add_word(step, flavor);
		add_word(step, count);
	} else {
		ask(g, task, step, thread, 3604);
		add_word(step, flavor);
		add_word(step, chance(g, 95) ? count : choose(g, 50));
		if (flavor == 7 && chance(g, 95)) { /* the head that names the width */
			add_word(step, chance(g, 95) ? 4 : 1);
			add_word(step, chance(g, 95) ? 42 : 41);
			count -= 2;
		}
		step->data_size = 4 * count;
	}
	spoil(g, step);
}

/* ---- suspensions, fileports --------------------------------------------------------------------
 */

static void
suspension(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t calls[] = { BERTH_TRAP_TASK_SUSPEND2, BERTH_TRAP_TASK_SUSPEND2,
					  BERTH_TRAP_TASK_SUSPEND,  BERTH_TRAP_TASK_RESUME,
					  BERTH_TRAP_TASK_PROCESS,  BERTH_TRAP_TASK_PROCESS,
					  BERTH_TRAP_TASK_IS_SELF,  BERTH_TRAP_PID_FOR_TASK };
	struct arg token;

	if (chance(g, 40) && some_object(g, task, ONCE, is_token, &token)) {
		ask(g, task, step, token, chance(g, 90) ? 3437 : 3999);
		step->dest_disposition = MACH_MSG_TYPE_MOVE_SEND_ONCE;
		spoil(g, step);
		return;
	}
	trap_of(step, CHOOSE_OF(g, calls), 0);
	step->args[0] = chance(g, 90) ? some_task(g, task) : some_name(g, task, ANY);
}

static void
fileport(struct generator *g, const struct m_task *task, struct step *step)
{
	struct arg name;

	if (chance(g, 40) || !some_object(g, task, SEND, is_fileport, &name)) {
		object_trap(step, BERTH_TRAP_FILEPORT_MAKE, chance(g, 4));
		return;
	}
	object_trap(step, BERTH_TRAP_FILEPORT_OPEN, 1);
	step->args[0] = name;
}

void
generate_kernel_call(struct generator *g, const struct m_task *task, struct step *step)
{
	static void (*const calls[])(struct generator *, const struct m_task *, struct step *) = {
		special,         registered, of_host,    of_thread,  exception_ports,
		exception_ports, registers,  suspension, suspension, fileport
	};

	if (task->entries.count >= ENTRIES_MANY && chance(g, 50))
		generate_call(g, task, step);
	else
		CHOOSE_OF(g, calls)(g, task, step);
}
