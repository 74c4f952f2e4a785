/*
 * What a step is to be: see generate.h.
 *
 * The first steps of each run make the tasks known to each other.  After that a step picks a
 * thread, a call, and for each name one that fits the call, nine times in ten.
 */
#include "tests/model/choose.h"

/* ---- messages -------------------------------------------------------------------------------- */

static void
some_descriptor(struct generator *g, const struct m_task *task, struct step_descriptor *d)
{
	uint32_t kind = choose(g, 100);

	if (kind < 60) {
		d->type = MACH_MSG_PORT_DESCRIPTOR;
		d->names[0] = some_right(g, task, true, &d->disposition);
	} else if (kind < 78) {
		d->type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
		d->count = choose(g, M_RIGHTS + 1);
		d->disposition = 16 + choose(g, 6);
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
		d->flags = chance(g, 95) ? 1 + choose(g, 3) : choose(g, 8);
		d->context = (d->flags & 2) && chance(g, 90) ? 0 : some_context(g);
	} else if (kind < 98) {
		d->type =
		    chance(g, 80) ? MACH_MSG_OOL_DESCRIPTOR : MACH_MSG_OOL_VOLATILE_DESCRIPTOR;
		d->count = chance(g, 80) ? choose(g, 33) : 0;
		d->copy = chance(g, 96) ? choose(g, 2) : choose(g, 5);
		d->deallocate = choose(g, 2);
		d->unreadable = d->count && chance(g, 4);
	} else {
		d->type = MACH_MSG_DESCRIPTOR_MAX + 1 + choose(g, 9);
	}
}

/* In one message of four, if there is one. */
static void
some_voucher(struct generator *g, const struct m_task *task, struct step *step)
{
	const struct m_entry *entry = chance(g, 25) ? find_object(g, task, SEND, is_voucher) : NULL;

	if (!entry)
		return;
	step->voucher = chance(g, 95) ? arg_of_entry(entry) : some_name(g, task, ANY);
	step->voucher_disposition =
	    chance(g, 60) ? MACH_MSG_TYPE_COPY_SEND : MACH_MSG_TYPE_MOVE_SEND;
	if (chance(g, 5))
		step->dest = step->voucher;
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
		step->reply_disposition = choose(g, 32);
	step->msgh_id = 5000 + (int32_t)choose(g, 100);
	step->data_size = 4 * choose(g, 6);
	if (chance(g, 8))
		step->voucher = number(1 + choose(g, 5000));
	if (chance(g, 2))
		step->voucher_disposition = choose(g, 32);
	some_voucher(g, task, step);
	if (chance(g, 60))
		for (uint32_t n = 1 + choose(g, 100) / 45; step->descriptor_count < n;)
			some_descriptor(g, task, &step->descriptors[step->descriptor_count++]);
	else
		step->complex = chance(g, 4);
	if (chance(g, 2))
		step->size_error = CHOOSE_OF(g, errors);
	if (chance(g, 1))
		step->count_error = 1u << choose(g, 31);
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
	if (chance(g, 30))
		step->option |= MACH_RCV_VOUCHER;
	if (chance(g, 2))
		step->option |= MACH_RCV_SYNC_WAIT;
	step->option |= MACH_RCV_TRAILER_ELEMENTS(choose(g, 9));
	step->rcv_name = some_queue(g, task);
	step->rcv_size = chance(g, 85) ? 1000 : 4 * choose(g, 40);
	step->rcv_buffer = 0x1000 * (uint64_t)(1 + choose(g, 3));
	if (chance(g, 3))
		step->sync_name = some_name(g, task, SEND);
}

static void
some_message(struct generator *g, const struct m_task *task, struct step *step)
{
	static const uint32_t timeouts[] = { 0, 0, 0, 0, 5, 10, 10, 50 };
	uint32_t kind = choose(g, 100);

	step->kind = STEP_MSG;
	if (kind < 45)
		send_half(g, task, step);
	if (kind >= 40)
		receive_half(g, task, step);
	step->timeout = CHOOSE_OF(g, timeouts);
}

/* ---- events
 * ---------------------------------------------------------------------------------------- */

static bool
some_thread(struct generator *g, bool parked, struct step *step)
{
	const struct model *m = g->model;
	uint32_t count = 0, at;

	for (int pass = 0; pass < 2; pass++) {
		at = pass ? choose(g, count) : 0;
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
	uint32_t kind = choose(g, 100);

	step->kind = STEP_ADVANCE;
	step->ms = 1 + choose(g, 12);
	if (kind < 30 && some_thread(g, true, step)) {
		step->kind = STEP_INTERRUPT;
	} else if (kind < 55) {
		step->kind = STEP_THREAD;
		step->task = choose(g, g->model->task_count);
		step->thread = choose(g, 3);
	} else if (kind < 65 && some_thread(g, chance(g, 70), step)) {
		step->kind = STEP_EXIT;
	} else if (kind >= 67 && kind < 77 && chance(g, 30)) {
		step->kind = chance(g, 70) ? STEP_FORK : STEP_EXEC;
		step->task = choose(g, g->model->task_count);
		step->thread = chance(g, 20);
	} else if (kind == 66 && chance(g, 25)) {
		step->kind = STEP_DIE;
		step->task = choose(g, g->model->task_count);
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
		trap_of(step, BERTH_TRAP_PORT_ALLOCATE, 1);
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
	if (g->talk_percent && chance(g, g->talk_percent) && generate_talk(g, task, step))
		return;
	if (chance(g, 40))
		some_message(g, task, step);
	else if (chance(g, g->kernel_percent))
		generate_kernel_call(g, task, step);
	else if (chance(g, 25))
		generate_object_call(g, task, step);
	else
		generate_call(g, task, step);
}
