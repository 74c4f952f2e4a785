/* A worker of the stress test: see stress.h. */
#include "stress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_MAX 8 /* messages taken between two that are sent */

/* A stream that this thread sends. */
struct stream {
	mach_port_t inbox;    /* NULL: not looked up, or dead */
	uint32_t incarnation; /* that sequence counts for */
	uint64_t sequence;    /* of the last message sent */
};

struct worker_thread {
	struct sender self;
	mach_port_t hub, inbox, reply;
	struct dice dice;
	struct stream streams[SLOTS][THREADS];
	uint64_t *received; /* by sending thread: the last number */
	uint32_t fin_from[SLOTS][THREADS];
	struct {
		mach_port_t name;
		mach_msg_type_name_t type;
	} hoard[HOARD_MAX];
	uint32_t hoard_count, hoard_next;
	mach_port_t watched[WATCHED_MAX];
	uint32_t watched_count;
	uint64_t made, came; /* send-once rights to the inbox; messages to such */
	enum message_id stopped;
	uint32_t living[SLOTS];
	struct draft draft;
	_Alignas(8) uint8_t buffer[BUFFER_SIZE];
};

/* ---- the coordinator ------------------------------------------------------------------ */

static void
tell(struct worker_thread *t, enum message_id id)
{
	struct note note = {
		.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_remote_port = t->hub,
			    .msgh_id = (mach_msg_id_t)id },
		.slot = t->self.slot,
		.thread = t->self.thread,
		.incarnation = t->self.incarnation,
	};

	MUST(mach_msg(&note.header, MACH_SEND_MSG, sizeof(note), 0, 0, 0, 0));
}

/* Ask where @slot's inboxes are now; there may be none. */
static void
look_up(struct worker_thread *t, uint32_t slot)
{
	union {
		mach_msg_header_t header;
		struct note question;
		struct inboxes_note answer;
		uint8_t room[sizeof(struct inboxes_note) + MAX_TRAILER_SIZE];
	} message = { .question = { .header = {
					.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
								    MACH_MSG_TYPE_MAKE_SEND_ONCE),
					.msgh_remote_port = t->hub,
					.msgh_local_port = t->reply,
					.msgh_id = ID_LOOK_UP,
				    },
				    .slot = slot } };

	MUST(mach_msg(&message.header, MACH_SEND_MSG | MACH_RCV_MSG, sizeof(message.question),
		      sizeof(message), t->reply, 0, 0));
	if (message.header.msgh_id != ID_LOCATION)
		fail("the coordinator answered with a message %d", message.header.msgh_id);
	for (uint32_t i = 0; i < THREADS; i++) {
		struct stream *stream = &t->streams[slot][i];
		mach_port_t inbox = message.answer.inboxes[i].name;

		stream->inbox = MACH_PORT_VALID(inbox) ? inbox : MACH_PORT_NULL;
		if (stream->incarnation != message.answer.incarnation)
			stream->sequence = 0;
		stream->incarnation = message.answer.incarnation;
	}
}

static void
forget(struct worker_thread *t, uint32_t slot)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		struct stream *stream = &t->streams[slot][i];

		if (stream->inbox != MACH_PORT_NULL)
			MUST(mach_port_deallocate(mach_task_self(), stream->inbox));
		stream->inbox = MACH_PORT_NULL;
	}
}

/* ---- rights that came ----------------------------------------------------------------- */

/* Use a send-once right or give it up; either way its maker hears of it once. */
static void
send_once_end(struct worker_thread *t, mach_port_t name, bool use)
{
	mach_msg_header_t answer = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
				     .msgh_remote_port = name,
				     .msgh_id = ID_ANSWER };
	kern_return_t kr = MACH_SEND_INVALID_DEST;

	if (use)
		kr = mach_msg(&answer, MACH_SEND_MSG, sizeof(answer), 0, 0, 0, 0);
	if (kr == MACH_SEND_INVALID_DEST) /* or the maker died: a dead name */
		kr = mach_port_deallocate(mach_task_self(), name);
	MUST(kr);
}

static void
hoard_end(struct worker_thread *t, uint32_t i)
{
	if (t->hoard[i].type == MACH_MSG_TYPE_MOVE_SEND_ONCE)
		send_once_end(t, t->hoard[i].name, dice_roll(&t->dice, 2));
	else
		MUST(mach_port_deallocate(mach_task_self(), t->hoard[i].name));
}

/* Keep @name for a while in the place of another right. */
static void
hoard_put(struct worker_thread *t, mach_port_t name, mach_msg_type_name_t type)
{
	uint32_t i = t->hoard_next++ % HOARD_MAX;

	if (t->hoard_count == HOARD_MAX)
		hoard_end(t, i);
	else
		t->hoard_count++;
	t->hoard[i].name = name;
	t->hoard[i].type = type;
}

/* A receive right has come: @count messages are in its queue, in order. */
static void
receive_right_came(struct worker_thread *t, mach_port_t port, uint32_t count, uint64_t pattern)
{
	struct {
		struct note note;
		mach_msg_max_trailer_t trailer;
	} message;
	mach_port_t set = MACH_PORT_NULL;

	if (dice_roll(&t->dice, 4) == 0) {
		MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set));
		MUST(mach_port_insert_member(mach_task_self(), port, set));
	}
	if (dice_roll(&t->dice, 4) == 0)
		count = 0; /* they die with the port */
	for (uint32_t i = 0; i < count; i++) {
		MUST(mach_msg(&message.note.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
			      sizeof(message), set != MACH_PORT_NULL ? set : port, 0, 0));
		if (message.note.header.msgh_id != ID_QUEUED || message.note.slot != i ||
		    message.note.incarnation != (uint32_t)pattern)
			fail("message %u of a port that travelled is %u", i, message.note.slot);
		if (message.note.header.msgh_remote_port != MACH_PORT_NULL)
			hoard_put(t, message.note.header.msgh_remote_port,
				  MACH_MSG_TYPE_MOVE_SEND_ONCE);
		atomic_fetch_add(&plan->queued, 1);
	}
	receive_right_drop(port);
	if (set != MACH_PORT_NULL)
		MUST(mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1));
	atomic_fetch_add(&plan->receives, 1);
}

static void
right_came(struct worker_thread *t, mach_port_t name, mach_msg_type_name_t type,
	   const struct reader *reader)
{
	if (!MACH_PORT_VALID(name)) {
		atomic_fetch_add(&plan->dead_rights, name == MACH_PORT_DEAD);
		return;
	}
	if (type == MACH_MSG_TYPE_MOVE_RECEIVE)
		receive_right_came(t, name, reader->payload.queued[reader->index - 1],
				   reader->payload.pattern);
	else
		hoard_put(t, name, type);
	atomic_fetch_add(&plan->rights, 1);
}

static void
array_came(struct worker_thread *t, const mach_msg_ool_ports_descriptor_t *array,
	   const struct reader *reader)
{
	if (array->count != reader->payload.array_count[reader->index - 1])
		fail("%u rights came as %u", reader->payload.array_count[reader->index - 1],
		     array->count);
	for (uint32_t i = 0; i < array->count; i++)
		right_came(t, ((mach_port_t *)array->address)[i], array->disposition, reader);
	if (array->count > 0)
		MUST(vm_deallocate(mach_task_self(), (vm_address_t)array->address,
				   array->count * sizeof(mach_port_t)));
	atomic_fetch_add(&plan->arrays, 1);
}

/* ---- messages that came --------------------------------------------------------------- */

/* The next of its stream, neither later nor again. */
static void
data_came(struct worker_thread *t, mach_msg_header_t *header)
{
	struct reader reader;
	union descriptor *descriptor;

	reader_init(&reader, header);
	const struct sender *from = &reader.payload.sender;
	if (from->incarnation >= INCARNATIONS_MAX || from->thread >= THREADS)
		fail("a message names a sender that cannot be");
	uint64_t *last = &t->received[from->incarnation * THREADS + from->thread];
	if (reader.payload.sequence != *last + 1)
		fail("message %llu of a stream came after %llu",
		     (unsigned long long)reader.payload.sequence, (unsigned long long)*last);
	*last = reader.payload.sequence;
	if (header->msgh_remote_port != MACH_PORT_NULL)
		right_came(t, header->msgh_remote_port, MACH_MSG_TYPE_MOVE_SEND_ONCE, &reader);
	while ((descriptor = reader_next(&reader)) != NULL) {
		if (descriptor->any.type == MACH_MSG_PORT_DESCRIPTOR)
			right_came(t, descriptor->port.name, descriptor->port.disposition, &reader);
		else if (descriptor->any.type == MACH_MSG_OOL_PORTS_DESCRIPTOR)
			array_came(t, &descriptor->array, &reader);
		else
			reader_memory(&reader, &descriptor->memory);
	}
	atomic_fetch_add(&plan->received, 1);
}

/* The end of a stream: it says how many there were. */
static void
fin_came(struct worker_thread *t, const struct note *note)
{
	uint64_t last = t->received[note->incarnation * THREADS + note->thread];

	if ((uint32_t)last != note->pad)
		fail("a stream of %u messages ended after %llu", note->pad,
		     (unsigned long long)last);
	t->fin_from[note->slot][note->thread] = note->incarnation;
}

/* A port died that we had asked about: the name has one more reference for it. */
static void
dead_name_came(struct worker_thread *t, mach_port_name_t name)
{
	MUST(mach_port_deallocate(mach_task_self(), name));
	for (uint32_t i = 0; i < t->watched_count; i++) {
		if (t->watched[i] == name) {
			t->watched[i] = t->watched[--t->watched_count];
			MUST(mach_port_deallocate(mach_task_self(), name));
			break;
		}
	}
	atomic_fetch_add(&plan->dead_names, 1);
}

static void
notification_came(struct worker_thread *t, mach_msg_header_t *header)
{
	t->came++;
	switch (header->msgh_id) {
	case ID_ANSWER:
		atomic_fetch_add(&plan->answers, 1);
		break;
	case MACH_NOTIFY_SEND_ONCE:
		atomic_fetch_add(&plan->unused, 1);
		break;
	case MACH_NOTIFY_NO_SENDERS:
		atomic_fetch_add(&plan->no_senders, 1);
		break;
	case MACH_NOTIFY_PORT_DELETED:
		atomic_fetch_add(&plan->deleted, 1);
		break;
	case MACH_NOTIFY_DEAD_NAME:
		dead_name_came(t, ((mach_dead_name_notification_t *)header)->not_port);
		break;
	default:
		fail("a message %d came, which nobody sends", header->msgh_id);
	}
}

/* Take one message.  False: none came within @timeout_ms. */
static bool
take(struct worker_thread *t, mach_msg_option_t option, mach_msg_timeout_t timeout_ms)
{
	mach_msg_header_t *header = (mach_msg_header_t *)t->buffer;
	const struct note *note = (const struct note *)header;
	kern_return_t kr =
	    mach_msg(header, MACH_RCV_MSG | option, 0, sizeof(t->buffer), t->inbox, timeout_ms, 0);

	if (kr == MACH_RCV_TIMED_OUT && (option & MACH_RCV_TIMEOUT) != 0)
		return false;
	MUST(kr);
	switch (header->msgh_id) {
	case ID_DATA:
		data_came(t, header);
		break;
	case ID_FIN:
		fin_came(t, note);
		break;
	case ID_STOP_1:
		memcpy(t->living, note->incarnations, sizeof(t->living));
		t->stopped = ID_STOP_1;
		break;
	case ID_STOP_2:
		t->stopped = ID_STOP_2;
		break;
	default:
		notification_came(t, header);
		break;
	}
	return true;
}

/* ---- sending -------------------------------------------------------------------------- */

/* Its receive right is on the way: what becomes of the send right? */
static void
kept_begin(struct worker_thread *t, const struct kept *kept)
{
	if (kept->how == KEEP_DEAD_NAME && t->watched_count < WATCHED_MAX)
		t->watched[t->watched_count++] = kept->name;
	else
		MUST(mach_port_deallocate(mach_task_self(), kept->name));
}

/*
 * Send @header, taking what comes while the queue is full, so that no two threads wait for
 * each other.  False: the receiver is dead, and the message is not sent.
 */
static bool
send_patiently(struct worker_thread *t, mach_msg_header_t *header, bool *came_back)
{
	mach_msg_timeout_t timeout_ms = 0;

	*came_back = false;
	for (;;) {
		kern_return_t kr = mach_msg(header, MACH_SEND_MSG | MACH_SEND_TIMEOUT,
					    header->msgh_size, 0, 0, timeout_ms, 0);
		if (kr == MACH_MSG_SUCCESS)
			return true;
		if (kr == MACH_SEND_INVALID_DEST)
			return false;
		if (kr != MACH_SEND_TIMED_OUT)
			MUST(kr);
		*came_back = true;
		atomic_fetch_add(&plan->full, 1);
		if (header == (mach_msg_header_t *)t->draft.buffer)
			draft_again(&t->draft);
		/* nothing to do here: block for a moment, which is a path of its own */
		timeout_ms = take(t, MACH_RCV_TIMEOUT, 0) ? 0 : 10;
		while (take(t, MACH_RCV_TIMEOUT, 0))
			;
	}
}

static void
send_data(struct worker_thread *t)
{
	uint32_t slot = dice_roll(&t->dice, SLOTS), thread = dice_roll(&t->dice, THREADS);
	struct stream *stream = &t->streams[slot][thread];
	bool came_back;

	if (dice_roll(&t->dice, 512) == 0)
		forget(t, slot);
	while (stream->inbox == MACH_PORT_NULL) {
		look_up(t, slot);
		if (stream->inbox == MACH_PORT_NULL) {
			/* it is being replaced: somebody else is there, if only we ourselves */
			slot = (slot + 1) % SLOTS;
			stream = &t->streams[slot][thread];
			take(t, MACH_RCV_TIMEOUT, 0);
		}
	}
	draft_make(&t->draft, &t->dice, stream->inbox, t->inbox, &t->self, stream->sequence + 1);
	t->made += t->draft.made_early;
	bool is_sent = send_patiently(t, (mach_msg_header_t *)t->draft.buffer, &came_back);
	if (is_sent || came_back)
		t->made += t->draft.made;
	if (is_sent)
		stream->sequence++;
	else
		draft_undo(&t->draft);
	for (uint32_t i = 0; i < t->draft.kept_count; i++)
		kept_begin(t, &t->draft.kept[i]);
	if (!is_sent)
		forget(t, slot);
	atomic_fetch_add(&plan->data, is_sent);
}

static void
send_fin(struct worker_thread *t, uint32_t slot, uint32_t thread)
{
	const struct stream *stream = &t->streams[slot][thread];
	struct note fin = {
		.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_size = sizeof(fin),
			    .msgh_remote_port = stream->inbox,
			    .msgh_id = ID_FIN },
		.slot = t->self.slot,
		.thread = t->self.thread,
		.incarnation = t->self.incarnation,
		.pad = (uint32_t)stream->sequence,
	};
	bool came_back;

	if (send_patiently(t, &fin.header, &came_back))
		atomic_store(&plan->fins[t->self.slot][t->self.thread][slot][thread],
			     (uint64_t)t->self.incarnation << 32 | stream->incarnation);
	else if (came_back && MACH_PORT_VALID(fin.header.msgh_remote_port))
		/* a queue that was full gave it back with one more reference */
		MUST(mach_port_deallocate(mach_task_self(), fin.header.msgh_remote_port));
}

/* ---- the life of a thread ------------------------------------------------------------- */

static void
stream_out(struct worker_thread *t)
{
	int64_t left;

	while ((left = atomic_fetch_sub(&plan->remaining, 1)) > 0) {
		if (atomic_load_explicit(&plan->leave[t->self.slot], memory_order_relaxed) ==
		    t->self.incarnation)
			_exit(0); /* with all that it has */
		if (left % plan->tick_every == 0)
			tell(t, ID_TICK);
		send_data(t);
		for (int i = 0; i < DRAIN_MAX && take(t, MACH_RCV_TIMEOUT, 0); i++)
			;
	}
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (uint32_t thread = 0; thread < THREADS; thread++) {
			/* it may be looked up no more, but there was a stream */
			if (t->streams[slot][thread].sequence > 0 &&
			    t->streams[slot][thread].inbox == MACH_PORT_NULL)
				look_up(t, slot);
			if (t->streams[slot][thread].sequence > 0 &&
			    t->streams[slot][thread].inbox != MACH_PORT_NULL)
				send_fin(t, slot, thread);
		}
}

/* Every stream from who lives has come to its end; nothing is lost. */
static void
check_streams(struct worker_thread *t)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		for (uint32_t thread = 0; thread < THREADS; thread++) {
			uint32_t from = t->living[slot];
			uint64_t promised =
			    atomic_load(&plan->fins[slot][thread][t->self.slot][t->self.thread]);
			bool has_fin = t->fin_from[slot][thread] == from;

			if (promised == ((uint64_t)from << 32 | t->self.incarnation) && !has_fin)
				fail("the end of a stream from slot %u is lost", slot);
			if (t->received[from * THREADS + thread] > 0 && !has_fin)
				fail("a stream from slot %u has no end", slot);
		}
	}
}

static void *
thread_main(void *argument)
{
	struct worker_thread *t = argument;

	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &t->reply));
	stream_out(t);
	tell(t, ID_DONE_1);
	while (t->stopped != ID_STOP_1)
		take(t, 0, 0);
	check_streams(t);
	for (uint32_t i = 0; i < t->hoard_count; i++)
		hoard_end(t, i);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		forget(t, slot);
	tell(t, ID_DONE_2);
	while (t->stopped != ID_STOP_2)
		take(t, 0, 0);
	if (take(t, MACH_RCV_TIMEOUT, 0))
		fail("something came after the last message");
	if (t->made != t->came)
		fail("%llu send-once rights were made, and %llu messages came to them",
		     (unsigned long long)t->made, (unsigned long long)t->came);
	if (t->watched_count > 0)
		fail("%u ports never died", t->watched_count);
	receive_right_drop(t->inbox);
	receive_right_drop(t->reply);
	free(t->received);
	free(t);
	return NULL;
}

/* ---- the life of a task --------------------------------------------------------------- */

/* Give the coordinator send rights to all inboxes. */
static void
announce(struct worker_thread *threads[THREADS])
{
	struct inboxes_note note = {
		.header = { .msgh_bits =
				MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
			    .msgh_remote_port = threads[0]->hub,
			    .msgh_id = ID_REGISTER },
		.body.msgh_descriptor_count = THREADS,
		.slot = threads[0]->self.slot,
		.incarnation = threads[0]->self.incarnation,
	};

	for (uint32_t i = 0; i < THREADS; i++)
		note.inboxes[i] =
		    (mach_msg_port_descriptor_t){ .name = threads[i]->inbox,
						  .disposition = MACH_MSG_TYPE_MAKE_SEND,
						  .type = MACH_MSG_PORT_DESCRIPTOR };
	MUST(mach_msg(&note.header, MACH_SEND_MSG, sizeof(note), 0, 0, 0, 0));
}

/* The coordinator's port, which is registered for all its children. */
static mach_port_t
find_hub(void)
{
	mach_port_array_t ports;
	mach_msg_type_number_t count;

	MUST(mach_ports_lookup(mach_task_self(), &ports, &count));
	mach_port_t hub = ports[0];
	MUST(vm_deallocate(mach_task_self(), (vm_address_t)ports, count * sizeof(ports[0])));
	if (!MACH_PORT_VALID(hub))
		fail("a child has not inherited the registered port");
	return hub;
}

_Noreturn void
worker_run(uint32_t slot, uint32_t incarnation)
{
	struct worker_thread *threads[THREADS];
	pthread_t ids[THREADS];
	struct holdings before;

	holdings_take(&before);
	mach_port_t hub = find_hub();
	for (uint32_t i = 0; i < THREADS; i++) {
		struct worker_thread *t = calloc(1, sizeof(*t));

		threads[i] = t;
		t->received = calloc(INCARNATIONS_MAX * THREADS, sizeof(t->received[0]));
		t->self = (struct sender){ slot, i, incarnation };
		t->hub = hub;
		t->inbox = port_with_qlimit(16);
		t->dice.state = plan->seed * 1000003 + incarnation * THREADS + i + 1;
	}
	announce(threads);
	for (uint32_t i = 0; i < THREADS; i++)
		if (pthread_create(&ids[i], NULL, thread_main, threads[i]) != 0)
			fail("no thread");
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	MUST(mach_port_deallocate(mach_task_self(), hub));
	holdings_check(&before, "a worker");
	holdings_free(&before);
	exit(0);
}
