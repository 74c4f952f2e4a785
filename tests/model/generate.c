/*
 * What a step is to be: see generate.h.
 *
 * The first steps of each run make the tasks known to each other.  After that a step picks a
 * thread, a call, and for each name one that fits the call, nine times in ten.
 */
#include "tests/model/generate.h"

#define ENTRIES_MANY 14u /* of one task: from here on more is dropped than made */

void
generator_init(struct generator *g, uint64_t seed, const struct model *model)
{
	/* neighbouring seeds are to have nothing in common */
	uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	*g = (struct generator){ .state = (z ^ z >> 31) | 1, .model = model, .next_id = 1 };
}

static uint32_t
pick(struct generator *g, uint32_t bound)
{
	g->state ^= g->state >> 12;
	g->state ^= g->state << 25;
	g->state ^= g->state >> 27;
	return (uint32_t)((((g->state * 0x2545f4914f6cdd1d) >> 32) * bound) >> 32);
}

static bool
chance(struct generator *g, uint32_t percent)
{
	return pick(g, 100) < percent;
}

#define PICK_OF(g, array) (array)[pick(g, sizeof(array) / sizeof(array)[0])]

static struct arg
number(int64_t value)
{
	return (struct arg){ .number = value };
}

/* ---- names --------------------------------------------------------------------------------- */

static struct arg
arg_of_entry(const struct m_entry *entry)
{
	if (entry->name == BERTH_NAME_TASK_SELF)
		return number(BERTH_NAME_TASK_SELF);
	return (struct arg){ .is_label = true,
			     .step = entry->label_step,
			     .ordinal = entry->label_ordinal };
}

static struct arg
nonsense_name(struct generator *g)
{
	const struct m_task *task;

	switch (pick(g, 6)) {
	case 0:
		return number(0);
	case 1:
		return number(MACH_PORT_DEAD);
	case 2: /* somebody else's, or one that was */
		return (struct arg){ .is_label = true,
				     .step = pick(g, g->next_id),
				     .ordinal = pick(g, 2) };
	case 3:
		task = &g->model->tasks[pick(g, g->model->task_count)];
		if (task->entries.count == 0)
			return number(0);
		return arg_of_entry(task->entries.items[pick(g, task->entries.count)]);
	case 4:
		return number((int64_t)(pick(g, 40) << 8 | 3));
	default: /* a far index makes a large table, which is slow to look through */
		return number(
		    (int64_t)(pick(g, chance(g, 1) ? 1u << 19 : 100) << 8 | pick(g, 256)));
	}
}

static const struct m_entry *
find_entry(struct generator *g, const struct m_task *task, mach_port_type_t types)
{
	uint32_t count = 0, at;

	M_EACH(const struct m_entry, entry, &task->entries)
	count += (entry->type & types) != 0 && entry->name != BERTH_NAME_TASK_SELF;
	if (count == 0)
		return NULL;
	at = pick(g, count);
	M_EACH(const struct m_entry, entry, &task->entries)
	if ((entry->type & types) != 0 && entry->name != BERTH_NAME_TASK_SELF && at-- == 0)
		return entry;
	return NULL;
}

static struct arg
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

#define SEND MACH_PORT_TYPE_SEND
#define RECEIVE MACH_PORT_TYPE_RECEIVE
#define ONCE MACH_PORT_TYPE_SEND_ONCE
#define SET MACH_PORT_TYPE_PORT_SET
#define DEAD MACH_PORT_TYPE_DEAD_NAME
#define ANY MACH_PORT_TYPE_ALL_RIGHTS

/* A right and a disposition that goes with it, mostly. */
static struct arg
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
		*disposition = pick(g, 32);
		return nonsense_name(g);
	}
	entry = find_entry(g, task, ANY & ~SET);
	if (!entry) {
		*disposition = 16 + pick(g, 6);
		return nonsense_name(g);
	}
	if (chance(g, 4))
		*disposition = 16 + pick(g, 6);
	else if ((entry->type & RECEIVE) && (!(entry->type & SEND) || chance(g, 50)))
		*disposition = of_receive[pick(g, body ? 5 : 4)];
	else if (entry->type & ONCE)
		*disposition = MACH_MSG_TYPE_MOVE_SEND_ONCE;
	else
		*disposition = PICK_OF(g, of_send);
	return arg_of_entry(entry);
}

/* ---- messages -------------------------------------------------------------------------------- */

static uint64_t
some_context(struct generator *g)
{
	static const uint64_t contexts[] = { 0, 1, 2, 2, 0x123456789 };

	return PICK_OF(g, contexts);
}

static void
some_descriptor(struct generator *g, const struct m_task *task, struct step_descriptor *d)
{
	uint32_t kind = pick(g, 100);

	if (kind < 60) {
		d->type = MACH_MSG_PORT_DESCRIPTOR;
		d->names[0] = some_right(g, task, true, &d->disposition);
	} else if (kind < 78) {
		d->type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
		d->count = pick(g, M_RIGHTS + 1);
		d->disposition = 16 + pick(g, 6);
		d->unreadable = chance(g, 3);
		for (uint32_t i = 0; i < d->count; i++) {
			if (i == 0 || chance(g, 30))
				d->names[i] = some_right(g, task, true, &d->disposition);
			else
				d->names[i] = chance(g, 50)
						  ? d->names[0]
						  : number(chance(g, 50) ? 0 : 0xffffffff);
		}
	} else if (kind < 88) {
		d->type = MACH_MSG_GUARDED_PORT_DESCRIPTOR;
		d->names[0] = some_name(g, task, RECEIVE);
		d->disposition =
		    chance(g, 97) ? MACH_MSG_TYPE_MOVE_RECEIVE : MACH_MSG_TYPE_MAKE_SEND;
		d->flags = chance(g, 95) ? 1 + pick(g, 3) : pick(g, 8);
		d->context = (d->flags & 2) && chance(g, 90) ? 0 : some_context(g);
	} else if (kind < 98) {
		d->type =
		    chance(g, 80) ? MACH_MSG_OOL_DESCRIPTOR : MACH_MSG_OOL_VOLATILE_DESCRIPTOR;
		d->count = chance(g, 80) ? pick(g, 33) : 0;
		d->copy = chance(g, 96) ? pick(g, 2) : pick(g, 5);
		d->deallocate = pick(g, 2);
		d->unreadable = d->count && chance(g, 4);
	} else {
		d->type = MACH_MSG_DESCRIPTOR_MAX + 1 + pick(g, 9);
	}
}

static void
send_half(struct generator *g, const struct m_task *task, struct step *step)
{
	static const int32_t errors[] = { -1, -4, -8, -24, 1, 4, 8, 50331648 };

	step->option |= MACH_SEND_MSG;
	if (chance(g, 75))
		step->option |= MACH_SEND_TIMEOUT;
	if (chance(g, 12))
		step->option |= MACH_SEND_NOTIFY;
	step->dest = some_right(g, task, false, &step->dest_disposition);
	if (chance(g, 55))
		step->reply = some_right(g, task, false, &step->reply_disposition);
	else if (chance(g, 5))
		step->reply = number(chance(g, 50) ? 0xffffffff : 0);
	if (chance(g, 2))
		step->reply = step->dest;
	if (chance(g, 3))
		step->reply_disposition = pick(g, 32);
	step->msgh_id = 5000 + (int32_t)pick(g, 100);
	step->data_size = 4 * pick(g, 6);
	if (chance(g, 10))
		step->voucher = 1 + pick(g, 5000);
	if (chance(g, 2))
		step->voucher_disposition = pick(g, 32);
	if (chance(g, 60))
		for (uint32_t n = 1 + pick(g, 100) / 45; step->descriptor_count < n;)
			some_descriptor(g, task, &step->descriptors[step->descriptor_count++]);
	else
		step->complex = chance(g, 4);
	if (chance(g, 2))
		step->size_error = PICK_OF(g, errors);
	if (chance(g, 1))
		step->count_error = 1u << pick(g, 31);
}

/* A port or set, rather one with messages. */
static struct arg
some_queue(struct generator *g, const struct m_task *task)
{
	for (int tries = 0; tries < 3 && !chance(g, 15); tries++) {
		const struct m_entry *entry = find_entry(g, task, RECEIVE | SET);

		if (entry && (entry->set ? entry->set->ready.count : entry->port->queue.count) > 0)
			return arg_of_entry(entry);
	}
	return some_name(g, task, RECEIVE | SET);
}

static void
receive_half(struct generator *g, const struct m_task *task, struct step *step)
{
	step->option |= MACH_RCV_MSG;
	if (chance(g, 80))
		step->option |= MACH_RCV_TIMEOUT;
	if (chance(g, 20))
		step->option |= MACH_RCV_LARGE;
	if (chance(g, 10))
		step->option |= MACH_RCV_LARGE_IDENTITY;
	if (chance(g, 60))
		step->option |= MACH_RCV_GUARDED_DESC;
	if (chance(g, 5))
		step->option |= MACH_RCV_VOUCHER;
	if (chance(g, 2))
		step->option |= MACH_RCV_SYNC_WAIT;
	step->option |= MACH_RCV_TRAILER_ELEMENTS(pick(g, 9));
	step->rcv_name = some_queue(g, task);
	step->rcv_size = chance(g, 85) ? 1000 : 4 * pick(g, 40);
	step->rcv_buffer = 0x1000 * (uint64_t)(1 + pick(g, 3));
	if (chance(g, 3))
		step->sync_name = some_name(g, task, SEND);
}

static void
some_message(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t timeouts[] = { 0, 0, 0, 0, 5, 10, 10, 50 };
	uint32_t kind = pick(g, 100);

	step->kind = STEP_MSG;
	if (kind < 45)
		send_half(g, task, step);
	if (kind >= 40)
		receive_half(g, task, step);
	step->timeout = PICK_OF(g, timeouts);
}

/* ---- traps -------------------------------------------------------------------------------------
 */

static void
trap(struct step *step, uint32_t number_, uint32_t arg_count)
{
	step->kind = STEP_TRAP;
	step->trap = number_;
	step->arg_count = arg_count + 1;
	step->args[0] = number(BERTH_NAME_TASK_SELF);
}

static const uint32_t rights_to_make[] = { MACH_PORT_RIGHT_RECEIVE,  MACH_PORT_RIGHT_RECEIVE,
					   MACH_PORT_RIGHT_RECEIVE,  MACH_PORT_RIGHT_RECEIVE,
					   MACH_PORT_RIGHT_PORT_SET, MACH_PORT_RIGHT_PORT_SET,
					   MACH_PORT_RIGHT_DEAD_NAME };

/* A name that may be free. */
static struct arg
wanted_name(struct generator *g)
{
	if (chance(g, 85))
		return number((int64_t)((2 + pick(g, 60)) << 8 | (pick(g, 64) << 2) | 3));
	return nonsense_name(g);
}

static void
make(struct generator *g, struct step *step)
{
	static const uint32_t flags[] = { 1, 2, 0x10, 0x20, 0x80, 0x1000, 0x4000 };

	switch (pick(g, 10)) {
	case 0:
		trap(step, BERTH_TRAP_PORT_ALLOCATE_NAME, 2);
		step->args[1] = number(chance(g, 60)   ? MACH_PORT_RIGHT_RECEIVE
				       : chance(g, 90) ? MACH_PORT_RIGHT_PORT_SET
						       : 7);
		step->args[2] = wanted_name(g);
		break;
	case 1:
		trap(step, BERTH_TRAP_PORT_ALLOCATE_FULL, 4);
		step->args[1] = number(chance(g, 95) ? PICK_OF(g, rights_to_make) : pick(g, 8));
		step->args[2] = wanted_name(g);
		step->args[3] = number(pick(g, 4));
		break;
	case 2:
	case 3:
	case 4:
		trap(step, BERTH_TRAP_PORT_CONSTRUCT, 3);
		for (uint32_t n = pick(g, 4); n > 0; n--)
			step->args[1].number |= PICK_OF(g, flags);
		step->args[2] = number(chance(g, 95) ? pick(g, 4) : 1024 + pick(g, 2));
		step->args[3] = number((int64_t)some_context(g));
		break;
	case 5:
		trap(step,
		     chance(g, 70) ? BERTH_TRAP_REPLY_PORT : BERTH_TRAP_GET_SPECIAL_REPLY_PORT, 0);
		step->args[0] = number(0);
		break;
	default:
		trap(step, BERTH_TRAP_PORT_ALLOCATE, 1);
		step->args[1] = number(chance(g, 96) ? PICK_OF(g, rights_to_make) : pick(g, 8));
		break;
	}
}

/* How many user references to add or take. */
static int32_t
some_delta(struct generator *g, uint32_t urefs)
{
	static const int32_t deltas[] = { -65536, -65535, -65534, 65533, 65534, 65535, 65536 };

	switch (pick(g, 10)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return 1 + (int32_t)pick(g, 3);
	case 3:
	case 4:
		return -(int32_t)urefs;
	case 5:
		return -(int32_t)urefs - 1;
	case 6:
		return PICK_OF(g, deltas);
	default:
		return -1;
	}
}

static void
modify(struct generator *g, const struct m_task *task, struct step *step)
{
	const struct m_entry *entry = find_entry(g, task, ANY);
	uint32_t right = MACH_PORT_RIGHT_SEND;

	trap(step, BERTH_TRAP_PORT_MOD_REFS, 3);
	if (!entry || chance(g, 5)) {
		step->args[1] = nonsense_name(g);
		step->args[2] = number(pick(g, 8));
		step->args[3] = number(some_delta(g, 1));
		return;
	}
	while (!(entry->type & MACH_PORT_TYPE(right)))
		right++;
	if ((entry->type & RECEIVE) && chance(g, 40))
		right = MACH_PORT_RIGHT_RECEIVE;
	if (chance(g, 5))
		right = pick(g, 7);
	step->args[1] = arg_of_entry(entry);
	step->args[2] = number(right);
	step->args[3] = number(right == MACH_PORT_RIGHT_RECEIVE || right == MACH_PORT_RIGHT_PORT_SET
				   ? (chance(g, 80) ? -1 : some_delta(g, 1))
				   : some_delta(g, entry->urefs));
}

static void
drop(struct generator *g, const struct m_task *task, struct step *step)
{
	switch (pick(g, 10)) {
	case 0:
	case 1:
		trap(step, BERTH_TRAP_PORT_DESTROY, 1);
		step->args[1] = some_name(g, task, ANY);
		break;
	case 2:
		trap(step, BERTH_TRAP_PORT_DESTRUCT, 3);
		step->args[1] = some_name(g, task, RECEIVE);
		step->args[2] = number(chance(g, 50) ? -1 : chance(g, 80) ? 0 : some_delta(g, 2));
		step->args[3] = number((int64_t)some_context(g));
		break;
	case 3:
	case 4:
	case 5:
		modify(g, task, step);
		break;
	default:
		trap(step, BERTH_TRAP_PORT_DEALLOCATE, 1);
		step->args[1] = some_name(g, task, SEND | ONCE | DEAD);
		break;
	}
}

static void
transfer(struct generator *g, const struct m_task *task, struct step *step)
{
	uint32_t disposition;

	switch (pick(g, 5)) {
	case 0:
	case 1: /* one more user reference */
		trap(step, BERTH_TRAP_PORT_INSERT_RIGHT, 3);
		step->args[1] = step->args[2] = some_right(g, task, true, &disposition);
		step->args[3] = number(disposition);
		break;
	case 2:
		trap(step, BERTH_TRAP_PORT_INSERT_RIGHT, 3);
		step->args[1] = chance(g, 70) ? wanted_name(g) : some_name(g, task, ANY);
		step->args[2] = some_right(g, task, true, &disposition);
		step->args[3] = number(disposition);
		break;
	default:
		trap(step, BERTH_TRAP_PORT_EXTRACT_RIGHT, 2);
		step->args[1] = some_right(g, task, true, &disposition);
		step->args[2] = number(disposition);
		break;
	}
}

static void
sets(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t calls[] = {
		BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_TRAP_PORT_INSERT_MEMBER,
		BERTH_TRAP_PORT_INSERT_MEMBER, BERTH_TRAP_PORT_EXTRACT_MEMBER,
		BERTH_TRAP_PORT_MOVE_MEMBER,   BERTH_TRAP_PORT_GET_SET_STATUS
	};
	uint32_t call = PICK_OF(g, calls);

	trap(step, call, call == BERTH_TRAP_PORT_GET_SET_STATUS ? 1 : 2);
	step->args[1] = some_name(g, task, call == BERTH_TRAP_PORT_GET_SET_STATUS ? SET : RECEIVE);
	if (call != BERTH_TRAP_PORT_GET_SET_STATUS)
		step->args[2] = some_name(g, task, SET);
	if (call == BERTH_TRAP_PORT_MOVE_MEMBER && chance(g, 25))
		step->args[2] = number(0);
}

static void
request(struct generator *g, const struct m_task *task, struct step *step)
{
	static const int32_t ids[] = { MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_NO_SENDERS,
				       MACH_NOTIFY_NO_SENDERS,     MACH_NOTIFY_DEAD_NAME,
				       MACH_NOTIFY_DEAD_NAME,      MACH_NOTIFY_SEND_POSSIBLE,
				       MACH_NOTIFY_SEND_POSSIBLE };
	int32_t id = chance(g, 97) ? PICK_OF(g, ids) : 64 + (int32_t)pick(g, 14);
	bool once = chance(g, 20);

	trap(step, BERTH_TRAP_PORT_REQUEST_NOTIFICATION, 5);
	step->args[1] = some_name(g, task,
				  id == MACH_NOTIFY_PORT_DESTROYED || id == MACH_NOTIFY_NO_SENDERS
				      ? RECEIVE
				      : ANY & ~SET);
	step->args[2] = number(id);
	step->args[3] = number(chance(g, 65) ? 0 : pick(g, 4));
	step->args[4] = chance(g, 88) ? some_name(g, task, once ? ONCE : RECEIVE) : number(0);
	step->args[5] = number(
	    chance(g, 98) ? (once ? MACH_MSG_TYPE_MOVE_SEND_ONCE : MACH_MSG_TYPE_MAKE_SEND_ONCE)
			  : MACH_MSG_TYPE_MAKE_SEND);
	if (chance(g, 2))
		step->args[5] = number(MACH_MSG_TYPE_MOVE_SEND_ONCE);
}

static void
attributes(struct generator *g, const struct m_task *task, struct step *step)
{
	uint32_t kind = pick(g, 10);

	if (kind < 5) {
		trap(step, BERTH_TRAP_PORT_SET_ATTRIBUTES, 4);
		step->args[2] = number(chance(g, 97) ? MACH_PORT_LIMITS_INFO : 20);
		step->args[3] = number(chance(g, 97));
		step->args[4] = number(chance(g, 95) ? pick(g, 5) : 1024 + pick(g, 2));
	} else if (kind < 9) {
		trap(step, BERTH_TRAP_PORT_GET_ATTRIBUTES, 3);
		step->args[2] = number(chance(g, 60)   ? MACH_PORT_RECEIVE_STATUS
				       : chance(g, 50) ? MACH_PORT_LIMITS_INFO
				       : chance(g, 90) ? MACH_PORT_INFO_EXT
						       : 21);
		step->args[3] = number(chance(g, 95) ? 17 : pick(g, 17));
	} else {
		trap(step, BERTH_TRAP_PORT_ASSERT_ATTRIBUTES, 4);
		step->args[2] = number(chance(g, 95) ? MACH_PORT_GUARD_INFO : 1);
		step->args[3] = number(chance(g, 95) ? 2 : 1);
		step->args[4] = number((int64_t)some_context(g));
	}
	step->args[1] = some_name(g, task, RECEIVE);
}

static void
values(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t calls[] = {
		BERTH_TRAP_PORT_GET_CONTEXT, BERTH_TRAP_PORT_SET_CONTEXT,
		BERTH_TRAP_PORT_GUARD,       BERTH_TRAP_PORT_UNGUARD,
		BERTH_TRAP_PORT_UNGUARD,     BERTH_TRAP_PORT_SWAP_GUARD,
		BERTH_TRAP_PORT_SET_MSCOUNT, BERTH_TRAP_PORT_SET_SEQNO,
	};
	uint32_t call = PICK_OF(g, calls);

	trap(step, call, 3);
	step->args[1] = some_name(g, task, RECEIVE);
	if (call == BERTH_TRAP_PORT_SET_MSCOUNT || call == BERTH_TRAP_PORT_SET_SEQNO)
		step->args[2] = number(pick(g, 5));
	else if (call != BERTH_TRAP_PORT_GET_CONTEXT)
		step->args[2] = number((int64_t)some_context(g));
	if (call == BERTH_TRAP_PORT_GUARD)
		step->args[3] = number(pick(g, 4));
	else if (call == BERTH_TRAP_PORT_SWAP_GUARD)
		step->args[3] = number((int64_t)some_context(g));
}

static void
look(struct generator *g, const struct m_task *task, struct step *step)
{
	switch (pick(g, 10)) {
	case 0:
		trap(step, BERTH_TRAP_PORT_NAMES, 0);
		break;
	case 1:
		trap(step, BERTH_TRAP_PORT_GET_SRIGHTS, 1);
		step->args[1] = some_name(g, task, RECEIVE);
		break;
	case 2:
	case 3:
		trap(step, BERTH_TRAP_PORT_GET_REFS, 2);
		step->args[1] = some_name(g, task, ANY);
		step->args[2] = number(pick(g, 7));
		break;
	case 4:
		trap(step,
		     chance(g, 40)   ? BERTH_TRAP_THREAD_SELF
		     : chance(g, 50) ? BERTH_TRAP_TASK_SELF
				     : BERTH_TRAP_HOST_SELF,
		     0);
		step->arg_count = 0;
		break;
	default:
		trap(step, BERTH_TRAP_PORT_TYPE, 1);
		step->args[1] = some_name(g, task, ANY);
		break;
	}
}

static void
some_call(struct generator *g, const struct m_task *task, struct step *step)
{
	static void (*const calls[])(struct generator *, const struct m_task *, struct step *) = {
		drop,    drop,    transfer, transfer,   transfer, sets, sets,
		request, request, request,  attributes, values,   look
	};

	if (task->entries.count < ENTRIES_MANY ? chance(g, 14) : chance(g, 2))
		make(g, step);
	else if (task->entries.count >= ENTRIES_MANY && chance(g, 30))
		drop(g, task, step);
	else
		PICK_OF(g, calls)(g, task, step);
}

/* ---- events
 * ---------------------------------------------------------------------------------------- */

static bool
some_thread(struct generator *g, bool parked, struct step *step)
{
	const struct model *m = g->model;
	uint32_t count = 0, at;

	for (int pass = 0; pass < 2; pass++) {
		at = pass ? pick(g, count) : 0;
		for (uint32_t i = 0; i < m->task_count; i++) {
			for (uint32_t j = 0; j < M_THREADS; j++) {
				const struct m_thread *t = &m->tasks[i].threads[j];

				if (!m->tasks[i].alive || !t->alive ||
				    (t->state != M_RUNNING) != parked)
					continue;
				if (!pass) {
					count++;
				} else if (at-- == 0) {
					step->task = i;
					step->thread = j;
					return true;
				}
			}
		}
		if (count == 0)
			return false;
	}
	return false;
}

static void
some_event(struct generator *g, struct step *step)
{
	uint32_t kind = pick(g, 100);

	step->kind = STEP_ADVANCE;
	step->ms = 1 + pick(g, 12);
	if (kind < 30 && some_thread(g, true, step)) {
		step->kind = STEP_INTERRUPT;
	} else if (kind < 55) {
		step->kind = STEP_THREAD;
		step->task = pick(g, g->model->task_count);
		step->thread = pick(g, 3);
	} else if (kind < 65 && some_thread(g, chance(g, 70), step)) {
		step->kind = STEP_EXIT;
	} else if (kind == 66 && chance(g, 25)) {
		step->kind = STEP_DIE;
		step->task = pick(g, g->model->task_count);
	}
}

/* ---- the start
 * -------------------------------------------------------------------------------------- */

/*
 * Each task but the first makes a port and sends two rights to it to the hub; the first task
 * receives these and hands the second on to the next task.
 */
static bool
introduce(struct generator *g, struct step *step)
{
	const uint32_t at = step->id - 1, others = g->model->task_count - 1;
	const uint32_t round = at % 5, who = 1 + at / 5;

	if (at >= others * 5)
		return false;
	step->kind = STEP_MSG;
	step->task = round == 2 || round == 3 ? 0 : who;
	switch (round) {
	case 0:
		trap(step, BERTH_TRAP_PORT_ALLOCATE, 1);
		step->args[1] = number(MACH_PORT_RIGHT_RECEIVE);
		break;
	case 1:
		step->option = MACH_SEND_MSG | MACH_SEND_TIMEOUT;
		step->dest = (struct arg){ .is_label = true, .ordinal = who };
		step->dest_disposition = MACH_MSG_TYPE_COPY_SEND;
		step->descriptor_count = 1;
		step->descriptors[0] = (struct step_descriptor){
			.names = { { .is_label = true, .step = step->id - 1 } },
			.disposition = MACH_MSG_TYPE_MAKE_SEND
		};
		break;
	case 2:
		step->option = MACH_RCV_MSG | MACH_RCV_TIMEOUT;
		step->rcv_name = (struct arg){ .is_label = true };
		step->rcv_size = 1000;
		break;
	case 3: /* to this one, a right to the one before, or to the hub */
		step->option = MACH_SEND_MSG | MACH_SEND_TIMEOUT;
		step->dest = (struct arg){ .is_label = true, .step = step->id - 1 };
		step->dest_disposition = MACH_MSG_TYPE_COPY_SEND;
		step->descriptor_count = 1;
		step->descriptors[0] = (struct step_descriptor){
			.names = { { .is_label = true, .step = who > 1 ? step->id - 6 : 0 } },
			.disposition = MACH_MSG_TYPE_COPY_SEND
		};
		break;
	default:
		step->option = MACH_RCV_MSG | MACH_RCV_TIMEOUT;
		step->rcv_name = (struct arg){ .is_label = true, .step = step->id - 4 };
		step->rcv_size = 1000;
		break;
	}
	return true;
}

void
generate_step(struct generator *g, struct step *step)
{
	const struct m_task *task;

	*step = (struct step){ .id = g->next_id++ };
	if (introduce(g, step))
		return;
	if (chance(g, 6) || !some_thread(g, false, step)) {
		some_event(g, step);
		return;
	}
	task = &g->model->tasks[step->task];
	if (chance(g, 45))
		some_message(g, task, step);
	else
		some_call(g, task, step);
}
