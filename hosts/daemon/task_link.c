/*
 * Peers: how they come, what they are, and how they end.
 *
 *   NEW ──HELLO──► WAITING ──► TASK ──hang-up, process lives──► REMNANT ──► GONE
 *    │                          ▲ └───────── process ended ───────────────────▲
 *    ├── INSPECT … ──► TOOL     │                                             │
 *    ├── KEXT_HOST, KEXT_SUPERVISOR ──► what they say                         │
 *    └ (WIRE_FORK) EMBRYO ──FORKED                    every end is peer_end() ┘
 *
 * A hang-up with a process that lives on is an exec, as far as can be known: the special
 * ports are kept for what the process attaches as next.  A dying process closes its socket
 * a moment before Linux calls it dead, so it is a remnant for that moment, too.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct peer *
peer_new(struct host *host, int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return NULL;
	peer->host = host;
	peer->kind = PEER_NEW;
	peer->hot_index = HOT_MAX;
	peer->since_ns = host->now_ns;
	TAILQ_INIT(&peer->outgoing);
	LIST_INIT(&peer->bulks);
	source_init(&peer->socket, SOURCE_SOCKET, host, peer);
	source_init(&peer->bell, SOURCE_BELL, host, peer);
	source_init(&peer->process, SOURCE_PROCESS, host, peer);
	if (source_open(&peer->socket, fd, EPOLLIN) != 0) {
		free(peer);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&host->peers, peer, link);
	host->peer_count++;
	return peer;
}

/* ---- by pid ------------------------------------------------------------------------ */

static uint32_t
bucket_of(pid_t pid)
{
	return ((uint32_t)pid * 2654435761u) >> 22; /* the upper 10 bits */
}

_Static_assert(PID_BUCKETS == 1u << 10, "bucket_of() gives 10 bits");

void
peer_set_pid(struct peer *peer, pid_t pid)
{
	if (peer->in_bucket)
		TAILQ_REMOVE(&peer->host->by_pid[bucket_of(peer->pid)], peer, bucket_link);
	peer->in_bucket = false;
	peer->pid = pid;
	if (pid > 0 && peer->task != NULL) {
		TAILQ_INSERT_HEAD(&peer->host->by_pid[bucket_of(pid)], peer, bucket_link);
		peer->in_bucket = true;
		kernel_task_set_birth(peer->task, subject_birth(pid));
	}
}

struct peer *
peer_of_pid(struct host *host, pid_t pid, bool remnants)
{
	struct peer *peer, *remnant = NULL;

	if (pid <= 0)
		return NULL;
	TAILQ_FOREACH(peer, &host->by_pid[bucket_of(pid)], bucket_link)
	{
		if (peer->pid != pid)
			continue;
		if (peer->kind == PEER_TASK)
			return peer;
		if (peer->kind == PEER_REMNANT)
			remnant = peer;
	}
	return remnants ? remnant : NULL;
}

/* ---- becoming a task --------------------------------------------------------------- */

int
peer_make_task(struct peer *peer, struct peer *parent)
{
	struct host *host = peer->host;
	struct kernel_task_row row;
	audit_token_t token;
	uint64_t id = host->last_task_id;

	peer->pidversion = ++host->next_pidversion;
	credentials_token(peer, &token);
	peer->task =
	    kernel_task_new(host->kernel, &token, parent != NULL ? parent->task : NULL, peer);
	if (peer->task == NULL)
		return -ENOMEM;
	kernel_task_set_label(peer->task, peer->label);
	kernel_task_set_strict(peer->task, host->options.strict && !peer->is_first);
	/* the newest task is the last of all */
	while (kernel_task_next(host->kernel, &id, &row)) {
		host->last_task_id = row.task_id;
		if (row.task == peer->task)
			peer->task_id = row.task_id;
	}
	if (!peer->is_first)
		host->task_count++;
	peer_set_pid(peer, peer->pid);
	return 0;
}

/* ---- ending ------------------------------------------------------------------------ */

/* What only a connected task has. */
static void
detach(struct peer *peer)
{
	hot_remove(peer);
	carriers_forget_peer(peer);
	source_close(&peer->socket);
	source_close(&peer->bell);
	socket_drop_outgoing(peer);
	slot_segments_free(peer);
	peer->thread_count = 0;
	peer->stuck_count = 0;
}

/* The slots must not be answered any more, whatever the core completes now. */
static void
silence_slots(struct peer *peer)
{
	struct kernel_effects effects;

	kernel_effects_init(&effects);
	for (uint32_t i = 0; i < peer->segment_count; i++) {
		for (uint32_t j = 0; j < TRAP_SEGMENT_SLOTS; j++) {
			struct slot *slot = &peer->segments[i]->slots[j];

			if (slot->state == SLOT_STUCK)
				thread_result_free(slot->thread, &effects);
			slot->state = SLOT_FREE;
		}
	}
	peer->stuck_count = 0;
	effects_work_off(peer->host, &effects);
}

void
peer_doom(struct peer *peer)
{
	peer->doomed = true;
	peer->host->had_doomed = true;
}

void
peer_end(struct peer *peer)
{
	struct host *host = peer->host;

	if (peer->kind == PEER_GONE)
		return;
	if (peer->kind == PEER_WAITING)
		host->waiting_count--;
	if (peer->task != NULL) {
		if (!peer->is_first)
			host->task_count--;
		leaks_census(peer);
		silence_slots(peer);
		struct task *task = peer->task;

		peer->task = NULL;
		peer_set_pid(peer, peer->pid);
		host_step(host, &(struct kernel_event){ .kind = EVENT_TASK_DIED, .task = task });
	}
	kext_host_end(peer); /* while its last words can still be read */
	kext_commands_end(peer);
	peer->kind = PEER_GONE;
	detach(peer);
	source_close(&peer->process);
	bulks_forget_peer(peer);
	inspect_free(peer->inspection);
	peer->inspection = NULL;
	trace_unsubscribe(peer);
	host->had_gone = true;
	host->peer_count--;
	if (peer->owns)
		host_end(host, "its owner is gone");
	if (peer == host->control)
		host->control = NULL;
	if (peer == host->first.peer)
		first_task_ended(host);
}

void
peer_free(struct peer *peer)
{
	TAILQ_REMOVE(&peer->host->peers, peer, link);
	free(peer->old_subscriber);
	free(peer->supervisor);
	free(peer);
}

/* The process lives on without its connection: its task is a remnant from now on. */
static void
become_remnant(struct peer *peer)
{
	struct host *host = peer->host;
	struct peer *older;

	leaks_census(peer);
	silence_slots(peer);
	host_step(host, &(struct kernel_event){ .kind = EVENT_TASK_EXEC, .task = peer->task });
	detach(peer);
	peer->kind = PEER_REMNANT;
	/* the newest is at the front of its bucket; of one process one remnant is enough */
	for (older = TAILQ_NEXT(peer, bucket_link); older != NULL;
	     older = TAILQ_NEXT(older, bucket_link)) {
		if (older->pid == peer->pid && older->kind == PEER_REMNANT) {
			peer_end(older);
			break;
		}
	}
}

void
peer_hang_up(struct peer *peer)
{
	if (peer->kind != PEER_TASK || peer->is_first || peer->process.fd < 0 ||
	    credentials_process_ended(peer->process.fd)) {
		peer_end(peer);
		return;
	}
	become_remnant(peer);
}

void
peer_process_ended(struct peer *peer)
{
	peer_end(peer);
}

void
peers_reap(struct host *host)
{
	struct peer *peer;

	TAILQ_FOREACH(peer, &host->peers, link)
	{
		struct pollfd ends[2] = { { .fd = peer->socket.fd }, { .fd = peer->process.fd } };

		if (peer->kind != PEER_TASK && peer->kind != PEER_REMNANT &&
		    peer->kind != PEER_EMBRYO)
			continue;
		ends[1].events = POLLIN;
		if (poll(ends, 2, 0) <= 0)
			continue;
		if (ends[1].revents != 0)
			peer_process_ended(peer);
		else if (ends[0].revents & (POLLHUP | POLLERR))
			peer_hang_up(peer);
	}
}

/* ---- peers that misbehave ---------------------------------------------------------- */

void
peer_violation(struct peer *peer, const char *what)
{
	if (++peer->violations < VIOLATIONS_MAX && peer->kind != PEER_NEW)
		return;
	/* told, but not so often that it fills a disk */
	if (peer->host->now_ns - peer->host->told_ns >= TELL_INTERVAL_NS) {
		peer->host->told_ns = peer->host->now_ns;
		log_line("pid %d (%s) sends %s: dropped", (int)peer->pid,
			 peer->label[0] != '\0' ? peer->label : "unknown", what);
	}
	peer_doom(peer);
}

void
peer_refuse(struct peer *peer, const char *format, ...)
{
	struct wire_refused refused = { .head = { .kind = WIRE_REFUSED,
						  .size_bytes = sizeof(refused) } };
	va_list args;
	int ignored;

	va_start(args, format);
	vsnprintf(refused.why, sizeof(refused.why), format, args);
	va_end(args);
	ignored = socket_send(peer, &refused, sizeof(refused), NULL, 0, NULL);
	(void)ignored; /* the connection ends, and says it once more */
	peer_doom(peer);
}
