/* See choose.h. */
#include "tests/model/choose.h"

void
generator_init(struct generator *g, uint64_t seed, const struct model *model)
{
	/* neighbouring seeds are to have nothing in common */
	uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	*g = (struct generator){ .state = (z ^ z >> 31) | 1,
				 .model = model,
				 .next_id = 1,
				 .kernel_percent = seed % 4 ? 12 : 50 };
}

uint32_t
choose(struct generator *g, uint32_t bound)
{
	g->state ^= g->state >> 12;
	g->state ^= g->state << 25;
	g->state ^= g->state >> 27;
	return (uint32_t)((((g->state * 0x2545f4914f6cdd1d) >> 32) * bound) >> 32);
}

bool
chance(struct generator *g, uint32_t percent)
{
	return choose(g, 100) < percent;
}

/* ---- names --------------------------------------------------------------------------------- */

struct arg
arg_of_entry(const struct m_entry *entry)
{
	if (entry->name == BERTH_NAME_TASK_SELF)
		return number(BERTH_NAME_TASK_SELF);
	return (struct arg){ .is_label = true,
			     .step = entry->label_step,
			     .ordinal = entry->label_ordinal };
}

struct arg
nonsense_name(struct generator *g)
{
	const struct m_task *task;

	switch (choose(g, 6)) {
	case 0:
		return number(0);
	case 1:
		return number(MACH_PORT_DEAD);
	case 2: /* somebody else's, or one that was */
		return (struct arg){ .is_label = true,
				     .step = choose(g, g->next_id),
				     .ordinal = choose(g, 2) };
	case 3:
		task = &g->model->tasks[choose(g, g->model->task_count)];
		if (task->entries.count == 0)
			return number(0);
		return arg_of_entry(task->entries.items[choose(g, task->entries.count)]);
	case 4:
		return number((int64_t)(choose(g, 40) << 8 | 3));
	default: /* a far index makes a large table, which is slow to look through */
		return number(
		    (int64_t)(choose(g, chance(g, 1) ? 1u << 19 : 100) << 8 | choose(g, 256)));
	}
}

static bool
is_choice(const struct m_entry *entry, mach_port_type_t types,
	  bool (*is_kind)(const struct m_port *port))
{
	if (!(entry->type & types) || entry->name == BERTH_NAME_TASK_SELF)
		return false;
	return !is_kind || (entry->port && is_kind(entry->port));
}

const struct m_entry *
find_object(struct generator *g, const struct m_task *task, mach_port_type_t types,
	    bool (*is_kind)(const struct m_port *port))
{
	uint32_t count = 0, at;

	M_EACH(const struct m_entry, entry, &task->entries)
	count += is_choice(entry, types, is_kind);
	if (count == 0)
		return NULL;
	at = choose(g, count);
	M_EACH(const struct m_entry, entry, &task->entries)
	if (is_choice(entry, types, is_kind) && at-- == 0)
		return entry;
	return NULL;
}

const struct m_entry *
find_entry(struct generator *g, const struct m_task *task, mach_port_type_t types)
{
	return find_object(g, task, types, NULL);
}

struct arg
some_name(struct generator *g, const struct m_task *task, mach_port_type_t types)
{
	const struct m_entry *entry = NULL;

	if (chance(g, 6))
		return nonsense_name(g);
	if (!chance(g, 10))
		entry = find_entry(g, task, types);
	if (!entry)
		entry = find_entry(g, task, MACH_PORT_TYPE_ALL_RIGHTS);
	return entry ? arg_of_entry(entry) : nonsense_name(g);
}

struct arg
some_right(struct generator *g, const struct m_task *task, bool body, uint32_t *disposition)
{
	static const uint32_t of_receive[] = { MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_MAKE_SEND,
					       MACH_MSG_TYPE_MAKE_SEND_ONCE,
					       MACH_MSG_TYPE_MAKE_SEND_ONCE,
					       MACH_MSG_TYPE_MOVE_RECEIVE };
	static const uint32_t of_send[] = { MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_COPY_SEND,
					    MACH_MSG_TYPE_MOVE_SEND };
	const struct m_entry *entry;

	if (chance(g, 4)) {
		*disposition = choose(g, 32);
		return nonsense_name(g);
	}
	entry = find_entry(g, task, ANY & ~SET);
	if (!entry) {
		*disposition = 16 + choose(g, 6);
		return nonsense_name(g);
	}
	if (chance(g, 4))
		*disposition = 16 + choose(g, 6);
	else if ((entry->type & RECEIVE) && (!(entry->type & SEND) || chance(g, 50)))
		*disposition = of_receive[choose(g, body ? 5 : 4)];
	else if (entry->type & ONCE)
		*disposition = MACH_MSG_TYPE_MOVE_SEND_ONCE;
	else
		*disposition = CHOOSE_OF(g, of_send);
	return arg_of_entry(entry);
}

uint64_t
some_context(struct generator *g)
{
	static const uint64_t contexts[] = { 0, 1, 2, 2, 0x123456789 };

	return CHOOSE_OF(g, contexts);
}

void
trap_of(struct step *step, uint32_t number_, uint32_t arg_count)
{
	step->kind = STEP_TRAP;
	step->trap = number_;
	step->arg_count = arg_count + 1;
	step->args[0] = number(BERTH_NAME_TASK_SELF);
}
