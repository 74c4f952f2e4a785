/*
 * The log: what kexts printed, and how they died.
 *
 * Text comes from supervisors, a message at a time, and is kept as it came, with the time and
 * with the identifiers of what was loaded: it is cut into lines when somebody reads it.  So a
 * kext that floods costs what it sends, and no more.  The oldest goes when there is too much.
 */
#include "hosts/daemon/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/kext.h"

#define PREFIX_MAX (LOG_TAG_MAX + 64u)

struct log_chunk {
	TAILQ_ENTRY(log_chunk) link;
	uint64_t sequence;
	struct timespec time;
	pid_t pid;
	size_t size_bytes; /* of the text */
	const char *tag;   /* behind the text */
	char text[];
};

/* ---- keeping ----------------------------------------------------------------------- */

void
kext_log_init(struct host *host)
{
	TAILQ_INIT(&host->log.chunks);
}

static size_t
chunk_cost(const struct log_chunk *chunk)
{
	return sizeof(*chunk) + chunk->size_bytes + strlen(chunk->tag) + 1;
}

static void
drop_oldest(struct kext_log *log)
{
	struct log_chunk *chunk = TAILQ_FIRST(&log->chunks);

	TAILQ_REMOVE(&log->chunks, chunk, link);
	log->size_bytes -= chunk_cost(chunk);
	free(chunk);
}

void
kext_log_deinit(struct host *host)
{
	while (!TAILQ_EMPTY(&host->log.chunks))
		drop_oldest(&host->log);
}

/* Those who read all there was go on. */
static void
wake_followers(struct host *host)
{
	struct peer *peer;

	if (!host->log.somebody_waits)
		return;
	host->log.somebody_waits = false;
	TAILQ_FOREACH(peer, &host->peers, link)
	{
		if (peer->inspection == NULL || !peer->inspection->waits)
			continue;
		peer->inspection->waits = false;
		socket_update(peer);
	}
}

void
kext_log_message(struct peer *peer, const struct received *received)
{
	const struct wire_kext_log *message =
	    (const struct wire_kext_log *)(const void *)received->bytes;
	struct kext_log *log = &peer->host->log;
	const char *tag = peer->supervisor->tag;
	size_t size = received->size_bytes - sizeof(*message);
	struct log_chunk *chunk;

	if (size == 0)
		return;
	chunk = calloc(1, sizeof(*chunk) + size + strlen(tag) + 1);
	if (chunk == NULL)
		return; /* as if it had been pushed out already */
	chunk->sequence = log->next_sequence++;
	clock_gettime(CLOCK_REALTIME, &chunk->time);
	chunk->pid = peer->supervisor->host_pid;
	chunk->size_bytes = size;
	memcpy(chunk->text, message->text, size);
	strcpy(chunk->text + size, tag);
	chunk->tag = chunk->text + size;
	TAILQ_INSERT_TAIL(&log->chunks, chunk, link);
	log->size_bytes += chunk_cost(chunk);
	while (log->size_bytes > LOG_BYTES_MAX)
		drop_oldest(log);
	wake_followers(peer->host);
}

/* The identifiers of what the kexthost @pid has loaded, with commas; "": nothing. */
static void
identifiers(struct host *host, pid_t pid, char *text, size_t size)
{
	struct kernel_kext_row row;
	uint32_t at = 0;
	size_t used = 0;

	text[0] = '\0';
	while (kernel_kext_next(host->kernel, &at, &row)) {
		if (row.host_pid != (uint32_t)pid || used + 1 >= size)
			continue;
		int n = snprintf(text + used, size - used, "%s%s", used > 0 ? "," : "",
				 row.kext->identifier);

		used += n > 0 && (size_t)n < size - used ? (size_t)n : size - used - 1;
	}
	/* it goes before lines of text, so it must not be several itself */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
}

void
kext_log_retag(struct host *host, pid_t host_pid)
{
	struct peer *peer;
	char tag[LOG_TAG_MAX];

	identifiers(host, host_pid, tag, sizeof(tag));
	TAILQ_FOREACH(peer, &host->peers, link)
	{
		/* what has nothing loaded any more keeps the name that it had */
		if (peer->supervisor != NULL && peer->supervisor->host_pid == host_pid &&
		    tag[0] != '\0')
			memcpy(peer->supervisor->tag, tag, sizeof(tag));
	}
}

/* ---- reading ----------------------------------------------------------------------- */

static void
prefix_write(const struct log_chunk *chunk, char *text, size_t size)
{
	char date[32], zone[16];
	struct tm local;

	if (localtime_r(&chunk->time.tv_sec, &local) == NULL)
		memset(&local, 0, sizeof(local));
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &local);
	strftime(zone, sizeof(zone), "%z", &local);
	snprintf(text, size, "%s.%06ld%s %s[%d]: ", date, chunk->time.tv_nsec / 1000, zone,
		 chunk->tag[0] != '\0' ? chunk->tag : "kexthost", (int)chunk->pid);
}

/* Lines of @chunk from @offset on, which moves.  False: the slice has no room for more. */
static bool
slice_of_chunk(const struct log_chunk *chunk, size_t *offset, struct inspection *inspection)
{
	char prefix[PREFIX_MAX];
	size_t prefix_size;

	prefix_write(chunk, prefix, sizeof(prefix));
	prefix_size = strlen(prefix);
	while (*offset < chunk->size_bytes) {
		const char *line = chunk->text + *offset;
		size_t left = chunk->size_bytes - *offset;
		const char *end = memchr(line, '\n', left);
		size_t size = end != NULL ? (size_t)(end - line) : left;
		size_t room = sizeof(inspection->text) - inspection->text_size;

		if (prefix_size + size + 1 > room && inspection->text_size > 0)
			return false;
		if (prefix_size + size + 1 > room) /* longer than any slice: so it is cut */
			size = room - prefix_size - 1;
		text_append(inspection, prefix, prefix_size);
		text_append(inspection, line, size);
		text_append(inspection, "\n", 1);
		inspection->count++;
		*offset += size + (size < left && line[size] == '\n' ? 1 : 0);
	}
	return true;
}

/* The first chunk that the reader has not read; NULL: none. */
static const struct log_chunk *
chunk_at(const struct kext_log *log, uint64_t sequence)
{
	const struct log_chunk *chunk, *found = NULL;

	/* from the end: who follows is there */
	for (chunk = TAILQ_LAST(&log->chunks, log_chunk_list); chunk != NULL;
	     chunk = TAILQ_PREV(chunk, log_chunk_list, link)) {
		if (chunk->sequence < sequence)
			break;
		found = chunk;
	}
	return found;
}

bool
kext_log_slice(struct host *host, struct inspection *inspection)
{
	struct log_cursor *at = &inspection->log;
	const struct log_chunk *chunk = chunk_at(&host->log, at->sequence);

	if (chunk != NULL && chunk->sequence != at->sequence) {
		if (inspection->begun)
			text_add(inspection, "... some lines were too old to be kept ...\n");
		*at = (struct log_cursor){ .sequence = chunk->sequence };
	}
	inspection->begun = true;
	for (; chunk != NULL; chunk = TAILQ_NEXT(chunk, link)) {
		if (!slice_of_chunk(chunk, &at->offset, inspection))
			return true;
		*at = (struct log_cursor){ .sequence = chunk->sequence + 1 };
	}
	return false;
}
