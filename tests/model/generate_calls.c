/*
 * Traps on names and rights: see generate.h.
 */
#include "tests/model/choose.h"

static const uint32_t rights_to_make[] = { MACH_PORT_RIGHT_RECEIVE,  MACH_PORT_RIGHT_RECEIVE,
					   MACH_PORT_RIGHT_RECEIVE,  MACH_PORT_RIGHT_RECEIVE,
					   MACH_PORT_RIGHT_PORT_SET, MACH_PORT_RIGHT_PORT_SET,
					   MACH_PORT_RIGHT_DEAD_NAME };

/* A name that may be free. */
static struct arg
wanted_name(struct generator *g)
{
	if (chance(g, 85))
		return number((int64_t)((2 + choose(g, 60)) << 8 | (choose(g, 64) << 2) | 3));
	return nonsense_name(g);
}

static void
make(struct generator *g, struct step *step)
{
	static const uint32_t flags[] = { 1, 2, 0x10, 0x20, 0x80, 0x1000, 0x4000 };

	switch (choose(g, 10)) {
	case 0:
		trap_of(step, BERTH_TRAP_PORT_ALLOCATE_NAME, 2);
		step->args[1] = number(chance(g, 60)   ? MACH_PORT_RIGHT_RECEIVE
				       : chance(g, 90) ? MACH_PORT_RIGHT_PORT_SET
						       : 7);
		step->args[2] = wanted_name(g);
		break;
	case 1:
		trap_of(step, BERTH_TRAP_PORT_ALLOCATE_FULL, 4);
		step->args[1] = number(chance(g, 95) ? CHOOSE_OF(g, rights_to_make) : choose(g, 8));
		step->args[2] = wanted_name(g);
		step->args[3] = number(choose(g, 4));
		break;
	case 2:
	case 3:
	case 4:
		trap_of(step, BERTH_TRAP_PORT_CONSTRUCT, 3);
		for (uint32_t n = choose(g, 4); n > 0; n--)
			step->args[1].number |= CHOOSE_OF(g, flags);
		step->args[2] = number(chance(g, 95) ? choose(g, 4) : 1024 + choose(g, 2));
		step->args[3] = number((int64_t)some_context(g));
		break;
	case 5:
		trap_of(step,
			chance(g, 70) ? BERTH_TRAP_REPLY_PORT : BERTH_TRAP_GET_SPECIAL_REPLY_PORT,
			0);
		step->args[0] = number(0);
		break;
	default:
		trap_of(step, BERTH_TRAP_PORT_ALLOCATE, 1);
		step->args[1] = number(chance(g, 96) ? CHOOSE_OF(g, rights_to_make) : choose(g, 8));
		break;
	}
}

/* How many user references to add or take. */
static int32_t
some_delta(struct generator *g, uint32_t urefs)
{
	static const int32_t deltas[] = { -65536, -65535, -65534, 65533, 65534, 65535, 65536 };

	switch (choose(g, 10)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return 1 + (int32_t)choose(g, 3);
	case 3:
	case 4:
		return -(int32_t)urefs;
	case 5:
		return -(int32_t)urefs - 1;
	case 6:
		return CHOOSE_OF(g, deltas);
	default:
		return -1;
	}
}

static void
modify(struct generator *g, const struct m_task *task, struct step *step)
{
	const struct m_entry *entry = find_entry(g, task, ANY);
	uint32_t right = MACH_PORT_RIGHT_SEND;

	trap_of(step, BERTH_TRAP_PORT_MOD_REFS, 3);
	if (!entry || chance(g, 5)) {
		step->args[1] = nonsense_name(g);
		step->args[2] = number(choose(g, 8));
		step->args[3] = number(some_delta(g, 1));
		return;
	}
	while (!(entry->type & MACH_PORT_TYPE(right)))
		right++;
	if ((entry->type & RECEIVE) && chance(g, 40))
		right = MACH_PORT_RIGHT_RECEIVE;
	if (chance(g, 5))
		right = choose(g, 7);
	step->args[1] = arg_of_entry(entry);
	step->args[2] = number(right);
	step->args[3] = number(right == MACH_PORT_RIGHT_RECEIVE || right == MACH_PORT_RIGHT_PORT_SET
				   ? (chance(g, 80) ? -1 : some_delta(g, 1))
				   : some_delta(g, entry->urefs));
}

static void
drop(struct generator *g, const struct m_task *task, struct step *step)
{
	switch (choose(g, 10)) {
	case 0:
	case 1:
		trap_of(step, BERTH_TRAP_PORT_DESTROY, 1);
		step->args[1] = some_name(g, task, ANY);
		break;
	case 2:
		trap_of(step, BERTH_TRAP_PORT_DESTRUCT, 3);
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
		trap_of(step, BERTH_TRAP_PORT_DEALLOCATE, 1);
		step->args[1] = some_name(g, task, SEND | ONCE | DEAD);
		break;
	}
}

static void
transfer(struct generator *g, const struct m_task *task, struct step *step)
{
	uint32_t disposition;

	switch (choose(g, 5)) {
	case 0:
	case 1: /* one more user reference */
		trap_of(step, BERTH_TRAP_PORT_INSERT_RIGHT, 3);
		step->args[1] = step->args[2] = some_right(g, task, true, &disposition);
		step->args[3] = number(disposition);
		break;
	case 2:
		trap_of(step, BERTH_TRAP_PORT_INSERT_RIGHT, 3);
		step->args[1] = chance(g, 70) ? wanted_name(g) : some_name(g, task, ANY);
		step->args[2] = some_right(g, task, true, &disposition);
		step->args[3] = number(disposition);
		break;
	default:
		trap_of(step, BERTH_TRAP_PORT_EXTRACT_RIGHT, 2);
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
	uint32_t call = CHOOSE_OF(g, calls);

	trap_of(step, call, call == BERTH_TRAP_PORT_GET_SET_STATUS ? 1 : 2);
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
	int32_t id = chance(g, 97) ? CHOOSE_OF(g, ids) : 64 + (int32_t)choose(g, 14);
	bool once = chance(g, 20);

	trap_of(step, BERTH_TRAP_PORT_REQUEST_NOTIFICATION, 5);
	step->args[1] = some_name(g, task,
				  id == MACH_NOTIFY_PORT_DESTROYED || id == MACH_NOTIFY_NO_SENDERS
				      ? RECEIVE
				      : ANY & ~SET);
	step->args[2] = number(id);
	step->args[3] = number(chance(g, 65) ? 0 : choose(g, 4));
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
	uint32_t kind = choose(g, 10);

	if (kind < 5) {
		trap_of(step, BERTH_TRAP_PORT_SET_ATTRIBUTES, 4);
		step->args[2] = number(chance(g, 97) ? MACH_PORT_LIMITS_INFO : 20);
		step->args[3] = number(chance(g, 97));
		step->args[4] = number(chance(g, 95) ? choose(g, 5) : 1024 + choose(g, 2));
	} else if (kind < 9) {
		trap_of(step, BERTH_TRAP_PORT_GET_ATTRIBUTES, 3);
		step->args[2] = number(chance(g, 60)   ? MACH_PORT_RECEIVE_STATUS
				       : chance(g, 50) ? MACH_PORT_LIMITS_INFO
				       : chance(g, 90) ? MACH_PORT_INFO_EXT
						       : 21);
		step->args[3] = number(chance(g, 95) ? 17 : choose(g, 17));
	} else {
		trap_of(step, BERTH_TRAP_PORT_ASSERT_ATTRIBUTES, 4);
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
	uint32_t call = CHOOSE_OF(g, calls);

	trap_of(step, call, 3);
	step->args[1] = some_name(g, task, RECEIVE);
	if (call == BERTH_TRAP_PORT_SET_MSCOUNT || call == BERTH_TRAP_PORT_SET_SEQNO)
		step->args[2] = number(choose(g, 5));
	else if (call != BERTH_TRAP_PORT_GET_CONTEXT)
		step->args[2] = number((int64_t)some_context(g));
	if (call == BERTH_TRAP_PORT_GUARD)
		step->args[3] = number(choose(g, 4));
	else if (call == BERTH_TRAP_PORT_SWAP_GUARD)
		step->args[3] = number((int64_t)some_context(g));
}

static void
look(struct generator *g, const struct m_task *task, struct step *step)
{
	switch (choose(g, 10)) {
	case 0:
		trap_of(step, BERTH_TRAP_PORT_NAMES, 0);
		break;
	case 1:
		trap_of(step, BERTH_TRAP_PORT_GET_SRIGHTS, 1);
		step->args[1] = some_name(g, task, RECEIVE);
		break;
	case 2:
	case 3:
		trap_of(step, BERTH_TRAP_PORT_GET_REFS, 2);
		step->args[1] = some_name(g, task, ANY);
		step->args[2] = number(choose(g, 7));
		break;
	case 4:
		trap_of(step,
			chance(g, 40)   ? BERTH_TRAP_THREAD_SELF
			: chance(g, 50) ? BERTH_TRAP_TASK_SELF
					: BERTH_TRAP_HOST_SELF,
			0);
		step->arg_count = 0;
		break;
	default:
		trap_of(step, BERTH_TRAP_PORT_TYPE, 1);
		step->args[1] = some_name(g, task, ANY);
		break;
	}
}

void
generate_call(struct generator *g, const struct m_task *task, struct step *step)
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
		CHOOSE_OF(g, calls)(g, task, step);
}
