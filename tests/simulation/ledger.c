/* The ledger: see programs.h. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/programs.h"
#include "tests/simulation/ledger.h"

struct ledger *
ledger_of(struct sim *sim)
{
	return sim->model;
}

struct letter *
ledger_letter(struct sim *sim, uint32_t letter)
{
	struct ledger *ledger = ledger_of(sim);

	sim_must(sim, letter > 0 && letter <= ledger->letter_count, "letter %u was never written",
		 letter);
	return &ledger->letters[letter];
}

struct channel *
channel_of(struct sim *sim, uint32_t channel)
{
	struct ledger *ledger = ledger_of(sim);

	sim_must(sim, channel > 0 && channel <= ledger->channel_count, "no channel %u", channel);
	return &ledger->channels[channel];
}

/* Room for one more, from 1; zeroed. */
static void *
grow(struct sim *sim, void *array, uint32_t count, uint32_t *room, size_t size_bytes)
{
	const uint32_t old = *room;

	if (count + 1 < old)
		return array;
	*room = old ? old * 2 : 128;
	array = realloc(array, *room * size_bytes);
	sim_must(sim, array, "the simulator itself has no memory");
	memset((uint8_t *)array + old * size_bytes, 0, (*room - old) * size_bytes);
	return array;
}

void
ledger_free(struct sim *sim)
{
	free(ledger_of(sim)->letters);
	free(ledger_of(sim)->channels);
}

/* ---- channels ----------------------------------------------------------------------------- */

uint32_t
channel_open(struct sim_task *task, mach_port_name_t name)
{
	struct ledger *ledger = ledger_of(task->sim);

	ledger->channels = grow(task->sim, ledger->channels, ledger->channel_count,
				&ledger->channel_room, sizeof *ledger->channels);
	ledger->channels[++ledger->channel_count] =
	    (struct channel){ .holder = task, .name = name };
	return ledger->channel_count;
}

uint32_t
channel_find(const struct sim_task *task, mach_port_name_t name)
{
	const struct ledger *ledger = ledger_of(task->sim);

	for (uint32_t i = 1; i <= ledger->channel_count; i++)
		if (ledger->channels[i].holder == task && ledger->channels[i].name == name)
			return i;
	return 0;
}

struct sim_task *
channel_holder(struct sim *sim, uint32_t channel)
{
	const struct channel *c = channel_of(sim, channel);

	while (!c->holder && c->carried_by)
		c = channel_of(sim, ledger_letter(sim, c->carried_by)->channel);
	return c->dead ? NULL : c->holder;
}

static void
letter_lost(struct sim *sim, struct letter *letter)
{
	letter->state = LETTER_LOST;
	if (letter->carries)
		channel_die(sim, letter->carries);
}

/* It goes into a message of the kernel's to its heir, with all that is queued. */
static void
channel_inherited(struct sim *sim, uint32_t channel)
{
	struct ledger *ledger = ledger_of(sim);
	struct channel *c = channel_of(sim, channel);
	const uint32_t number = ++ledger->letter_count;

	ledger->letters =
	    grow(sim, ledger->letters, number, &ledger->letter_room, sizeof *ledger->letters);
	ledger->letters[number] = (struct letter){ .channel = c->heir,
						   .carries = channel,
						   .state = LETTER_ACCEPTED,
						   .is_inheritance = true };
	*c = (struct channel){ .carried_by = number };
}

void
channel_die(struct sim *sim, uint32_t channel)
{
	struct ledger *ledger = ledger_of(sim);
	struct channel *c = channel_of(sim, channel);

	if (c->dead)
		return;
	if (c->heir && !channel_of(sim, c->heir)->dead) {
		channel_inherited(sim, channel);
		return;
	}
	*c = (struct channel){ .dead = true };
	for (uint32_t i = 1; i <= ledger->letter_count; i++) {
		struct letter *letter = &ledger->letters[i];

		if (letter->channel == channel &&
		    (letter->state == LETTER_ACCEPTED || letter->state == LETTER_UNSURE))
			letter_lost(sim, letter);
	}
}

static void
channel_arrives(struct sim_thread *t, uint32_t channel, mach_port_name_t name)
{
	struct channel *c = channel_of(t->sim, channel);

	if (!MACH_PORT_VALID(name)) {
		channel_die(t->sim, channel);
		return;
	}
	sim_must(t->sim, !c->dead, "the receive right of channel %u comes from the dead", channel);
	*c = (struct channel){ .holder = t->task, .name = name, .heir = c->heir };
}

/* Does the receive right of @moved travel, in the end, to its own port? */
static bool
goes_in_a_circle(struct sim *sim, uint32_t moved, uint32_t to)
{
	while (to != moved && channel_of(sim, to)->carried_by)
		to = ledger_letter(sim, channel_of(sim, to)->carried_by)->channel;
	return to == moved;
}

/* ---- letters ------------------------------------------------------------------------------ */

static uint32_t *
last_of(struct sim *sim, uint32_t sender, uint32_t channel)
{
	struct ledger *ledger = ledger_of(sim);
	uint32_t at = (sender * 2654435761u ^ channel * 40503u) % LEDGER_LAST;

	for (uint32_t tries = 0; tries < LEDGER_LAST; tries++, at = (at + 1) % LEDGER_LAST) {
		if (ledger->last[at].sender == 0) {
			ledger->last[at].sender = sender;
			ledger->last[at].channel = channel;
		}
		if (ledger->last[at].sender == sender && ledger->last[at].channel == channel)
			return &ledger->last[at].letter;
	}
	sim_fail(sim, "more senders and channels than the ledger has room for");
}

uint32_t
ledger_write(struct sim_thread *t, struct letter letter)
{
	struct sim *sim = t->sim;
	struct ledger *ledger = ledger_of(sim);
	const uint32_t number = ++ledger->letter_count;

	ledger->letters =
	    grow(sim, ledger->letters, number, &ledger->letter_room, sizeof *ledger->letters);
	letter.sender = t->number;
	letter.state = LETTER_SENDING;
	if (letter.channel) {
		uint32_t *last = last_of(sim, t->number, letter.channel);

		letter.previous = *last;
		*last = number;
	}
	if (letter.carries) {
		struct channel *c = channel_of(sim, letter.carries);

		sim_must(sim, c->holder == t->task, "a right is moved that is not here");
		c->holder = NULL;
		c->carried_by = number;
	}
	ledger->letters[number] = letter;
	return number;
}

/* What was sent before by the same thread has come before, or will never come. */
static void
check_order(struct sim *sim, uint32_t number)
{
	for (uint32_t p = ledger_letter(sim, number)->previous; p;) {
		const struct letter *letter = ledger_letter(sim, p);

		sim_must(sim, letter->state != LETTER_ACCEPTED && letter->state != LETTER_SENDING,
			 "letter %u overtakes letter %u of thread %u to channel %u", number, p,
			 letter->sender, letter->channel);
		if (letter->state == LETTER_RECEIVED)
			return;
		p = letter->previous;
	}
}

static void
receive_letter(struct sim_thread *t, const struct mail *mail, uint32_t at_channel)
{
	struct sim *sim = t->sim;
	struct letter *letter = ledger_letter(sim, mail->letter);
	bool carried = false;

	sim_must(sim,
		 letter->state == LETTER_SENDING || letter->state == LETTER_ACCEPTED ||
		     letter->state == LETTER_UNSURE,
		 "letter %u is received that was %s", mail->letter,
		 letter->state == LETTER_RECEIVED ? "received before" : "never accepted, or lost");
	sim_must(sim, !letter->channel || letter->channel == at_channel,
		 "letter %u for channel %u comes out of channel %u", mail->letter, letter->channel,
		 at_channel);
	check_order(sim, mail->letter);
	if (mail->bare) {
		sim_must(sim, t->result.shortage, "letter %u is lost", mail->letter);
		letter_lost(sim, letter);
		return;
	}
	sim_must(sim,
		 mail->data[0] == letter->channel && mail->data[1] == letter->sender &&
		     mail->kind == letter->kind && mail->arg == letter->arg,
		 "letter %u is not what was written", mail->letter);
	letter->state = LETTER_RECEIVED;
	for (uint32_t i = 0; i < t->result.piece_count; i++)
		for (uint32_t j = 0; j < t->result.piece_sizes[i]; j++)
			sim_must(sim, t->result.pieces[i][j] == (uint8_t)letter->arg,
				 "letter %u comes with memory of another", mail->letter);
	for (uint32_t i = 0; letter->carries && i < mail->port_count; i++)
		if (mail->port_types[i] == MACH_MSG_TYPE_PORT_RECEIVE) {
			channel_arrives(t, letter->carries, mail->ports[i]);
			carried = true;
		}
	sim_must(sim, !letter->carries || carried, "letter %u comes without its receive right",
		 mail->letter);
}

/* A port whose task has gone; ports come in the order in which they went. */
static void
receive_inheritance(struct sim_thread *t, const struct mail *mail, uint32_t at_channel)
{
	struct ledger *ledger = ledger_of(t->sim);

	for (uint32_t i = 1; i <= ledger->letter_count; i++) {
		struct letter *letter = &ledger->letters[i];

		if (!letter->is_inheritance || letter->channel != at_channel ||
		    letter->state != LETTER_ACCEPTED)
			continue;
		letter->state = LETTER_RECEIVED;
		channel_arrives(t, letter->carries, mail->ports[0]);
		return;
	}
	sim_fail(t->sim, "a port is inherited that nobody left");
}

static void
receive_any(struct sim_thread *t)
{
	const struct mail mail = mail_of(t);
	const uint32_t channel = channel_find(t->task, mail.local);

	if (channel) {
		struct channel *c = channel_of(t->sim, channel);

		sim_must(t->sim, mail.seqno == c->next_seqno,
			 "channel %u: number %u comes where %u is next", channel, mail.seqno,
			 c->next_seqno);
		c->next_seqno++;
	}
	if (mail.letter)
		receive_letter(t, &mail, channel);
	else if (mail.id == MACH_NOTIFY_PORT_DESTROYED && channel)
		receive_inheritance(t, &mail, channel);
}

/* ---- how a send ended --------------------------------------------------------------------- */

static void
sent(struct sim *sim, uint32_t number)
{
	struct letter *letter = ledger_letter(sim, number);

	if (letter->state == LETTER_RECEIVED || letter->state == LETTER_LOST)
		return; /* its receiver was told first */
	sim_must(sim, letter->state == LETTER_SENDING, "letter %u is accepted twice", number);
	letter->state = LETTER_ACCEPTED;
	if (letter->channel &&
	    (channel_of(sim, letter->channel)->dead ||
	     (letter->carries && goes_in_a_circle(sim, letter->carries, letter->channel))))
		letter_lost(sim, letter);
}

static void
not_sent(struct sim_thread *t, uint32_t number)
{
	struct sim *sim = t->sim;
	struct letter *letter = ledger_letter(sim, number);
	const kern_return_t code = t->result.code;
	struct mail mail;

	sim_must(sim, letter->state == LETTER_SENDING,
		 "letter %u is delivered and its sender hears %#x", number, (unsigned)code);
	if (came_back(t)) {
		letter->state = LETTER_RETURNED;
		if (!letter->carries)
			return;
		mail = mail_of(t);
		for (uint32_t i = 0; i < mail.port_count; i++)
			if (mail.port_types[i] == MACH_MSG_TYPE_PORT_RECEIVE)
				channel_arrives(t, letter->carries, mail.ports[i]);
		return;
	}
	letter->state = LETTER_REFUSED;
	if (letter->carries) { /* nothing was taken: ports come alone in their letters */
		struct channel *c = channel_of(sim, letter->carries);

		c->holder = t->task;
		c->carried_by = 0;
	}
	if (code == MACH_SEND_INVALID_DEST)
		sim_must(sim, letter->channel && channel_of(sim, letter->channel)->dead,
			 "channel %u lives, and the sender of letter %u hears that it is dead",
			 letter->channel, number);
	else
		sim_must(sim, sim_is_shortage(code), "letter %u is refused: %#x", number,
			 (unsigned)code);
}

/* ---- hooks -------------------------------------------------------------------------------- */

void
ledger_completed(struct sim_thread *t)
{
	const uint32_t number = t->letter;

	t->letter = 0;
	if (t->frame.number != BERTH_TRAP_MSG)
		return;
	if (number && t->result.values[BERTH_MSG_SENT])
		sent(t->sim, number);
	else if (number)
		not_sent(t, number);
	if (was_received(t))
		receive_any(t);
}

void
ledger_thread_gone(struct sim_thread *t)
{
	struct letter *letter;

	if (!t->letter || !t->trapping)
		return;
	letter = ledger_letter(t->sim, t->letter);
	t->letter = 0;
	if (letter->state != LETTER_SENDING)
		return;
	letter->state = letter->is_call ? LETTER_UNSURE : LETTER_ABANDONED;
	if (letter->carries)
		channel_die(t->sim, letter->carries);
}

void
ledger_task_gone(struct sim_task *task)
{
	struct ledger *ledger = ledger_of(task->sim);

	for (uint32_t i = 1; i <= ledger->channel_count; i++)
		if (ledger->channels[i].holder == task)
			channel_die(task->sim, i);
}

void
ledger_settled(struct sim *sim)
{
	const struct ledger *ledger = ledger_of(sim);

	for (uint32_t i = 1; i <= ledger->letter_count; i++) {
		const struct letter *letter = &ledger->letters[i];
		const struct sim_task *holder;

		if (!letter->channel ||
		    (letter->state != LETTER_ACCEPTED && letter->state != LETTER_SENDING))
			continue;
		holder = channel_holder(sim, letter->channel);
		sim_must(sim, holder, "letter %u waits in channel %u, which is dead", i,
			 letter->channel);
		if (!holder->crippled)
			sim_fail(sim, "letter %u of thread %u to channel %u %s", i, letter->sender,
				 letter->channel,
				 letter->state == LETTER_ACCEPTED
				     ? "was accepted and never received"
				     : "blocks its sender though its receiver waits");
	}
}
