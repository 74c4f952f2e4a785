/*
 * Tasks that talk to each other as programs do: short messages to ports of others, soon received
 * and mostly answered.  That is what lanes carry.
 */
#include "tests/model/choose.h"

static bool
is_plain(const struct m_port *port)
{
	return !port->kernel && !port->timer && port->alive;
}

/* For answers alone: nobody was ever given a send right to it. */
static bool
is_reply_port(const struct m_port *port)
{
	return is_plain(port) && port->mscount == 0;
}

static bool
is_full_of_mail(const struct m_port *port)
{
	return is_plain(port) && port->queue.count > 0;
}

static void
words(struct generator *g, struct step *step)
{
	step->option |= MACH_SEND_MSG;
	if (chance(g, 75))
		step->option |= MACH_SEND_TIMEOUT;
	step->msgh_id = 5000 + (int32_t)choose(g, 100);
	step->data_size = 4 * choose(g, 6);
	if (chance(g, 8))
		step->voucher = number(1 + choose(g, 5000)); /* 32 bits that pass */
}

static bool
answer(struct generator *g, const struct m_task *task, struct step *step)
{
	const struct m_entry *entry = find_object(g, task, ONCE, is_plain);

	if (chance(g, 75)) /* who asked last */
		M_EACH(const struct m_entry, other, &task->entries)
	if ((other->type & ONCE) && is_plain(other->port))
		entry = other;
	if (!entry)
		return false;
	words(g, step);
	step->dest = arg_of_entry(entry);
	step->dest_disposition = MACH_MSG_TYPE_MOVE_SEND_ONCE;
	return true;
}

/* A one-way message or a request; @reply, where an answer is to go, or NULL. */
static bool
say(struct generator *g, const struct m_task *task, const struct m_entry *reply, struct step *step)
{
	const struct m_entry *entry = NULL;

	for (int tries = 0; tries < 3 && (!entry || (entry->type & RECEIVE)); tries++)
		entry = find_object(g, task, SEND, is_plain);
	if (!entry)
		return false;
	words(g, step);
	step->dest = arg_of_entry(entry);
	step->dest_disposition = MACH_MSG_TYPE_COPY_SEND;
	if (reply) {
		step->reply = arg_of_entry(reply);
		step->reply_disposition = MACH_MSG_TYPE_MAKE_SEND_ONCE;
	}
	return true;
}

static void
listen(struct generator *g, const struct m_entry *entry, struct step *step)
{
	step->option |= MACH_RCV_MSG | MACH_RCV_TRAILER_ELEMENTS(choose(g, 9));
	if (chance(g, 95))
		step->option |= MACH_RCV_TIMEOUT;
	step->rcv_name = arg_of_entry(entry);
	step->rcv_size = chance(g, 95) ? 1000 : 60;
	step->rcv_buffer = 0x1000;
}

bool
generate_talk(struct generator *g, const struct m_task *task, struct step *step)
{
	const struct m_entry *mail = find_object(g, task, RECEIVE, is_full_of_mail);
	const struct m_entry *own =
	    find_object(g, task, RECEIVE, chance(g, 80) ? is_reply_port : is_plain);

	if (!find_object(g, task, RECEIVE, is_reply_port) && chance(g, 30)) {
		trap_of(step, BERTH_TRAP_PORT_ALLOCATE, 1);
		step->args[1] = number(MACH_PORT_RIGHT_RECEIVE);
		return true;
	}
	step->kind = STEP_MSG;
	if (mail && chance(g, 75))
		listen(g, mail, step);
	else if (!chance(g, 80) || !answer(g, task, step)) {
		if (!say(g, task, chance(g, 70) ? own : NULL, step))
			return false;
		if (own && chance(g, 10))
			listen(g, own, step); /* a call */
	}
	return true;
}
