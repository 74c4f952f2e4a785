/*
 * Looking: tasks, rights, the whole kernel as text, what it holds.
 *
 * An answer is made slice by slice, one when the asker's socket has room and a round of the
 * loop for each, so that the tasks hardly notice.  What changes in between is seen or not.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"
#include "hosts/daemon/inspect.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text_message {
	struct wire_head head;
	char text[WIRE_TEXT_MAX];
};

void
text_add(struct inspection *inspection, const char *format, ...)
{
	size_t room = sizeof(inspection->text) - inspection->text_size;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(inspection->text + inspection->text_size, room, format, args);
	va_end(args);
	/* a slice ends long before it is full: this is for what nobody thought of */
	if (n > 0)
		inspection->text_size += (size_t)n < room ? (size_t)n : room - 1;
}

void
text_append(struct inspection *inspection, const char *bytes, size_t size)
{
	size_t room = sizeof(inspection->text) - inspection->text_size;

	if (size > room)
		size = room;
	memcpy(inspection->text + inspection->text_size, bytes, size);
	inspection->text_size += size;
}

void
text_add_json_string(struct inspection *inspection, const char *string)
{
	text_add(inspection, "\"");
	for (const unsigned char *c = (const unsigned char *)string; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			text_add(inspection, "\\%c", *c);
		else if (*c < ' ' || *c >= 127)
			text_add(inspection, "\\u%04x", *c);
		else
			text_add(inspection, "%c", *c);
	}
	text_add(inspection, "\"");
}

/* ---- what is asked ----------------------------------------------------------------- */

static struct inspection *
inspection_new(enum inspection_kind kind, const struct wire_inspect *request)
{
	struct inspection *inspection = calloc(1, sizeof(*inspection));

	if (inspection == NULL)
		return NULL;
	inspection->kind = kind;
	if (request != NULL) {
		inspection->pid = request->pid;
		inspection->json = (request->flags & WIRE_INSPECT_JSON) != 0;
		inspection->queued = (request->flags & WIRE_INSPECT_QUEUED) != 0;
		inspection->follow = (request->flags & WIRE_INSPECT_FOLLOW) != 0;
	}
	return inspection;
}

void
inspect_free(struct inspection *inspection)
{
	if (inspection == NULL)
		return;
	free(inspection->whole);
	free(inspection);
}

/* A callback of the core: more of its text. */
static void
keep_text(void *context, const char *text, size_t size_bytes)
{
	struct inspection *inspection = context;

	if (inspection->status != 0)
		return;
	if (inspection->whole_size + size_bytes > inspection->whole_capacity) {
		size_t capacity = (inspection->whole_capacity + size_bytes) * 2;
		char *whole =
		    capacity <= DUMP_MAX_BYTES ? realloc(inspection->whole, capacity) : NULL;

		if (whole == NULL) {
			inspection->status = -ENOMEM;
			return;
		}
		inspection->whole = whole;
		inspection->whole_capacity = capacity;
	}
	memcpy(inspection->whole + inspection->whole_size, text, size_bytes);
	inspection->whole_size += size_bytes;
}

static void
keep_format(struct inspection *inspection, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		keep_text(inspection, text,
			  (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void
keep_counts(struct host *host, struct inspection *inspection)
{
	struct kernel_counts counts;

	kernel_counts(host->kernel, &counts);
	keep_format(
	    inspection,
	    inspection->json
		? "{\"tasks\": %u, \"threads\": %u, \"ports\": %u, \"port_sets\": %u, "
		  "\"messages\": %u, \"segments\": %u, \"notifications\": %u, \"watches\": %u, "
		  "\"fileports\": %u, \"memory_entries\": %u, \"lanes\": %u, "
		  "\"kext_hosts\": %u, \"kexts\": %u, \"controls\": %u, \"event_sockets\": %u, "
		  "\"bytes\": %llu}\n"
		: "tasks %u\nthreads %u\nports %u\nport_sets %u\nmessages %u\nsegments %u\n"
		  "notifications %u\nwatches %u\nfileports %u\nmemory_entries %u\nlanes "
		  "%u\nkext_hosts "
		  "%u\nkexts %u\ncontrols "
		  "%u\n"
		  "event_sockets %u\nbytes %llu\n",
	    counts.tasks, counts.threads, counts.ports, counts.port_sets, counts.messages,
	    counts.segments, counts.notifications, counts.watches, counts.fileports,
	    counts.memory_entries, counts.lanes, counts.kext_hosts, counts.kexts, counts.controls,
	    counts.kev_sockets, (unsigned long long)counts.bytes);
}

/* A report was asked for by other means: leaks.c fills it. */
struct inspection *
leaks_report_new(struct host *host)
{
	struct inspection *inspection = inspection_new(INSPECTION_WHOLE, NULL);

	if (inspection != NULL)
		inspection->count = leaks_write(host, keep_text, inspection);
	return inspection;
}

/*
 * Is there room for one more answer to this user?  What is not read is kept, so askers who
 * don't read must not be many; and of those who keep the whole kernel as text one is enough.
 */
static bool
has_room(const struct peer *asker, bool whole)
{
	const struct peer *other;
	uint32_t count = 0, whole_count = 0;

	TAILQ_FOREACH(other, &asker->host->peers, link)
	{
		if (other == asker || other->inspection == NULL || other->euid != asker->euid)
			continue;
		count++;
		if (other->inspection->whole_capacity > WIRE_TEXT_MAX)
			whole_count++;
	}
	return count < INSPECTIONS_PER_USER_MAX && (!whole || whole_count == 0);
}

void
inspect_begin(struct peer *peer, const struct wire_inspect *request)
{
	struct host *host = peer->host;
	static const enum inspection_kind kinds[] = {
		[WIRE_INSPECT_TASKS] = INSPECTION_TASKS,
		[WIRE_INSPECT_PORTS] = INSPECTION_PORTS,
		[WIRE_INSPECT_DUMP] = INSPECTION_WHOLE,
		[WIRE_INSPECT_COUNTS] = INSPECTION_WHOLE,
		[WIRE_INSPECT_KEXTS] = INSPECTION_KEXTS,
		[WIRE_INSPECT_CONTROLS] = INSPECTION_CONTROLS,
		[WIRE_INSPECT_EVENTS] = INSPECTION_EVENTS,
		[WIRE_INSPECT_LOG] = INSPECTION_LOG,
	};
	enum inspection_kind kind;

	if (request->what < WIRE_INSPECT_TASKS || request->what > WIRE_INSPECT_LOG) {
		peer_violation(peer, "a question of an unknown kind");
		return;
	}
	kind = kinds[request->what];
	peer->inspection = inspection_new(kind, request);
	if (peer->inspection == NULL) {
		peer_refuse(peer, "the kernel has no memory for an answer");
		return;
	}
	if ((kind == INSPECTION_WHOLE || kind == INSPECTION_LOG) && !credentials_sees_all(peer)) {
		peer->inspection->kind = INSPECTION_WHOLE; /* of nothing but its status */
		peer->inspection->status = -EPERM;
	} else if (!has_room(peer, request->what == WIRE_INSPECT_DUMP)) {
		peer->inspection->kind = INSPECTION_WHOLE; /* of nothing but its status */
		peer->inspection->status = -EBUSY;
	} else if (request->what == WIRE_INSPECT_DUMP) {
		/* whoever reads all of it wants to know that it is true */
		host_look(host);
		kernel_audit(host->kernel);
		kernel_dump(host->kernel, keep_text, peer->inspection);
	} else if (request->what == WIRE_INSPECT_COUNTS) {
		host_look(host);
		keep_counts(host, peer->inspection);
	}
	socket_update(peer);
}

/* ---- the next slice ---------------------------------------------------------------- */

/* Of text that is there already. */
static bool
slice_of_whole(struct inspection *inspection)
{
	size_t left = inspection->whole_size - inspection->whole_sent;
	size_t size = left < sizeof(inspection->text) ? left : sizeof(inspection->text);

	if (inspection->status == 0) {
		if (size > 0) /* there may be no text at all */
			memcpy(inspection->text, inspection->whole + inspection->whole_sent, size);
		inspection->text_size = size;
		inspection->whole_sent += size;
	}
	return inspection->status == 0 && inspection->whole_sent < inspection->whole_size;
}

static bool
next_row(struct peer *peer, struct inspection *inspection)
{
	switch (inspection->kind) {
	case INSPECTION_TASKS:
		return rows_next_task(peer, inspection);
	case INSPECTION_PORTS:
		return rows_next_right(peer, inspection);
	case INSPECTION_KEXTS:
		return rows_next_kext(peer, inspection);
	case INSPECTION_CONTROLS:
		return rows_next_control(peer, inspection);
	case INSPECTION_EVENTS:
		return rows_next_event_socket(peer, inspection);
	case INSPECTION_LOG:
	case INSPECTION_WHOLE:
		break; /* no rows */
	}
	return false;
}

/* Rows for as long as the slice has room; false: these were the last. */
static bool
slice_of_rows(struct peer *peer, struct inspection *inspection)
{
	if (!inspection->begun) {
		inspection->begun = true;
		rows_begin(inspection);
	}
	for (uint32_t i = 0; i < ROWS_PER_ROUND; i++) {
		if (!next_row(peer, inspection)) {
			rows_end(inspection);
			if ((inspection->kind == INSPECTION_TASKS ||
			     inspection->kind == INSPECTION_PORTS) &&
			    inspection->pid != 0 && !inspection->pid_seen)
				inspection->status = -ESRCH;
			return false;
		}
	}
	return true;
}

/* Of the log; who follows it waits at its end. */
static bool
slice_of_log(struct peer *peer, struct inspection *inspection)
{
	bool more = kext_log_slice(peer->host, inspection);

	inspection->waits = !more && inspection->follow;
	peer->host->log.somebody_waits |= inspection->waits;
	return more || inspection->follow;
}

bool
inspect_waits(const struct inspection *inspection)
{
	return inspection->waits;
}

static void
send_text(struct peer *peer, struct inspection *inspection)
{
	struct text_message message = { .head = { .kind = WIRE_TEXT } };

	if (inspection->text_size == 0)
		return;
	message.head.size_bytes = (uint32_t)(sizeof(message.head) + inspection->text_size);
	memcpy(message.text, inspection->text, inspection->text_size);
	inspection->text_size = 0;
	if (socket_send(peer, &message, message.head.size_bytes, NULL, 0, NULL) < 0)
		peer_doom(peer);
}

void
inspect_go_on(struct peer *peer)
{
	struct inspection *inspection = peer->inspection;
	struct wire_end end = { .head = { .kind = WIRE_END, .size_bytes = sizeof(end) } };

	host_look(peer->host);

	bool more = inspection->kind == INSPECTION_WHOLE ? slice_of_whole(inspection)
		    : inspection->kind == INSPECTION_LOG ? slice_of_log(peer, inspection)
							 : slice_of_rows(peer, inspection);

	/* a table about a task that is none would be a heading over nothing */
	if (inspection->status == 0)
		send_text(peer, inspection);
	if (more) {
		if (inspection->waits)
			socket_update(peer);
		return;
	}
	end.status = inspection->status;
	end.count = inspection->count;
	peer->inspection = NULL;
	inspect_free(inspection);
	if (socket_send(peer, &end, sizeof(end), NULL, 0, NULL) < 0)
		peer_doom(peer);
	socket_update(peer);
}
