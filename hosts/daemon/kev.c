/*
 * Event sockets: the kernel's ends, and deliveries to them.
 *
 * A program makes a pair and shows both ends: we keep ours, and remember the other by its inode,
 * so that whoever holds it can set its filter, after dup, fork and exec, too.  Nothing is ever
 * read from ours.  It ends when Linux says that nobody has the other end any more.
 *
 * We send as ourselves; so the other end must be what it says, a socket with the name of an
 * event socket, and not any service that the program is connected to.
 *
 * What is not read is counted to the byte; what does not fit is dropped, for that socket only.
 *
 * Source: kernel-event.md §3.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/kext.h"
#include "wire/lane.h"
#include "wire/record_queue.h"

struct event_socket {
	struct source source; /* our end */
	TAILQ_ENTRY(event_socket) link;
	LIST_ENTRY(event_socket) bucket_link;
	struct kernel_kev_socket *core; /* NULL: gone */
	uint64_t id;
	dev_t device; /* of the program's end */
	ino_t inode;
	pid_t pid; /* who made it */
	uid_t uid;
	struct record_queue queue;
	uint64_t limit_bytes, dropped;
};

/* ---- life -------------------------------------------------------------------------- */

static struct event_socket_bucket *
bucket_of(struct host *host, ino_t inode)
{
	return &host->events.by_inode[inode % EVENT_BUCKETS];
}

void
event_sockets_init(struct host *host)
{
	TAILQ_INIT(&host->events.all);
	TAILQ_INIT(&host->events.gone);
	for (uint32_t i = 0; i < EVENT_BUCKETS; i++)
		LIST_INIT(&host->events.by_inode[i]);
}

static void
event_socket_end(struct event_socket *socket)
{
	struct host *host = socket->source.host;

	if (socket->core == NULL)
		return;
	kernel_kev_socket_free(host->kernel, socket->core);
	socket->core = NULL;
	record_queue_deinit(&socket->queue);
	source_close(&socket->source);
	LIST_REMOVE(socket, bucket_link);
	TAILQ_REMOVE(&host->events.all, socket, link);
	TAILQ_INSERT_TAIL(&host->events.gone, socket, link);
}

void
event_sockets_free_gone(struct host *host)
{
	struct event_socket *socket;

	while ((socket = TAILQ_FIRST(&host->events.gone)) != NULL) {
		TAILQ_REMOVE(&host->events.gone, socket, link);
		free(socket);
	}
}

void
event_sockets_end(struct host *host)
{
	struct event_socket *socket;

	while ((socket = TAILQ_FIRST(&host->events.all)) != NULL)
		event_socket_end(socket);
	event_sockets_free_gone(host);
}

/* ---- opening ----------------------------------------------------------------------- */

/* Looks at sockets only: asking a file may mean to wait for whoever serves its file system. */
static bool
is_seqpacket(int fd)
{
	int domain, type;
	socklen_t domain_size = sizeof(domain), type_size = sizeof(type);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && domain == AF_UNIX &&
	       type == SOCK_SEQPACKET;
}

/* Has @theirs the name of an event socket, and is it the other end of @ours? */
static bool
is_event_pair(int ours, int theirs)
{
	static const char prefix[] = SYSTEM_SOCKET_EVENT;
	struct sockaddr_un peer = { 0 }, own = { 0 };
	socklen_t peer_size = sizeof(peer), own_size = sizeof(own);

	if (getpeername(ours, (struct sockaddr *)&peer, &peer_size) != 0 ||
	    getsockname(theirs, (struct sockaddr *)&own, &own_size) != 0)
		return false;
	return own_size == peer_size && memcmp(&own, &peer, sizeof(own)) == 0 &&
	       own_size >= offsetof(struct sockaddr_un, sun_path) + sizeof(prefix) &&
	       own.sun_path[0] == '\0' && memcmp(own.sun_path + 1, prefix, sizeof(prefix) - 1) == 0;
}

/* The event socket whose program's end is @fd; NULL: that is none. */
static struct event_socket *
find_shown(struct host *host, int fd)
{
	struct event_socket *socket;
	struct stat status;

	if (!is_seqpacket(fd) || fstat(fd, &status) != 0)
		return NULL;
	LIST_FOREACH(socket, bucket_of(host, status.st_ino), bucket_link)
	{
		if (socket->device == status.st_dev && socket->inode == status.st_ino)
			return socket;
	}
	return NULL;
}

/* May @uid have @bytes more of unread events?  One user must not take all descriptors either. */
static bool
has_room_for(struct host *host, uid_t uid, uint64_t bytes)
{
	const struct event_socket *socket;
	uint64_t sizes = bytes;
	uint32_t count = 0;

	TAILQ_FOREACH(socket, &host->events.all, link)
	{
		if (socket->uid != uid)
			continue;
		sizes += socket->limit_bytes;
		count++;
	}
	return sizes <= EVENT_SIZES_PER_USER_MAX && count < host->descriptor_limit / 8;
}

/* Consumes @ours on success. */
static int
event_socket_new(struct peer *task, int ours, int theirs)
{
	struct host *host = task->host;
	struct event_socket *socket;
	struct stat status;

	if (!is_seqpacket(ours) || !is_seqpacket(theirs) || !is_event_pair(ours, theirs) ||
	    find_shown(host, theirs) != NULL || fstat(theirs, &status) != 0)
		return EINVAL;
	if (!has_room_for(host, task->euid, EVENT_SIZE_DEFAULT))
		return ENOBUFS;
	socket = calloc(1, sizeof(*socket));
	if (socket == NULL)
		return ENOBUFS;
	source_init(&socket->source, SOURCE_EVENT, host, NULL);
	socket->core = kernel_kev_socket_new(host->kernel, socket);
	if (socket->core == NULL || source_open(&socket->source, ours, 0) != 0) {
		kernel_kev_socket_free(host->kernel, socket->core);
		free(socket);
		return ENOBUFS;
	}
	socket->id = ++host->events.last_id;
	socket->device = status.st_dev;
	socket->inode = status.st_ino;
	socket->pid = task->pid;
	socket->uid = task->euid;
	socket->limit_bytes = EVENT_SIZE_DEFAULT;
	record_queue_init(&socket->queue, ours, false, status.st_ino);
	record_queue_reserve(&socket->queue, socket->limit_bytes);
	LIST_INSERT_HEAD(bucket_of(host, status.st_ino), socket, bucket_link);
	TAILQ_INSERT_TAIL(&host->events.all, socket, link);
	return 0;
}

static int
open_message(struct peer *task, struct received *received)
{
	int ours = received_take(received, 0), error;

	if (received->descriptors_lost)
		error = ENOBUFS;
	else if (received->descriptor_count != 2)
		error = EINVAL;
	else
		error = event_socket_new(task, ours, received->descriptors[1]);
	if (error != 0 && ours >= 0)
		peer_close(task, ours);
	return error; /* the program's end is closed with the message */
}

/* ---- what programs ask ------------------------------------------------------------- */

static int
set_size(struct event_socket *socket, uint32_t size)
{
	uint64_t wanted = size > EVENT_SIZE_MAX ? EVENT_SIZE_MAX : size;

	if (size == 0)
		return EINVAL;
	if (wanted > socket->limit_bytes &&
	    !has_room_for(socket->source.host, socket->uid, wanted - socket->limit_bytes))
		return ENOBUFS;
	socket->limit_bytes = wanted;
	record_queue_reserve(&socket->queue, wanted);
	return 0;
}

int
event_socket_message(struct peer *task, struct received *received, uint32_t *number,
		     uint32_t filter[3])
{
	const struct wire_system *message =
	    (const struct wire_system *)(const void *)received->bytes;
	struct event_socket *socket;
	int error = 0;

	if (message->operation == WIRE_SYSTEM_EVENT_OPEN)
		return open_message(task, received);
	if (message->operation < WIRE_SYSTEM_EVENT_FILTER ||
	    message->operation > WIRE_SYSTEM_EVENT_SIZE)
		return EINVAL;
	if (received->descriptor_count != 1)
		return received->descriptors_lost ? ENOBUFS : EBADF;
	socket = find_shown(task->host, received->descriptors[0]);
	if (socket == NULL)
		return EBADF;
	if (message->operation == WIRE_SYSTEM_EVENT_FILTER)
		kernel_kev_socket_set_filter(socket->core, message->filter);
	else if (message->operation == WIRE_SYSTEM_EVENT_SIZE)
		error = set_size(socket, message->number);
	*number = (uint32_t)socket->limit_bytes;
	kernel_kev_socket_filter(socket->core, filter);
	return error;
}

/* ---- delivering -------------------------------------------------------------------- */

static bool
has_room(struct event_socket *socket, uint32_t size_bytes)
{
	struct record_queue *queue = &socket->queue;
	uint64_t records_max = socket->limit_bytes / EVENT_BYTES_PER_RECORD;

	/* what was sent is more than what is unread: look closer only if that would be too much */
	if (queue->sent_count + queue->backlog_count >= records_max &&
	    record_queue_count(queue) >= records_max)
		return false;
	return record_queue_has_room(queue, socket->limit_bytes, size_bytes);
}

static void
want_to_flush(struct event_socket *socket)
{
	source_want(&socket->source, record_queue_has_backlog(&socket->queue) ? EPOLLOUT : 0);
}

void
event_deliver(struct host *host, const struct kernel_kev_delivery *delivery)
{
	struct event_socket *socket = kernel_kev_socket_host(delivery->socket);
	struct iovec part = { .iov_base = (void *)(uintptr_t)delivery->bytes,
			      .iov_len = delivery->size_bytes };
	int error = -ENOBUFS;

	if (has_room(socket, delivery->size_bytes))
		error = record_queue_send(&socket->queue, &part, 1, false);
	if (error == -EPIPE) {
		event_socket_end(socket);
		return;
	}
	if (error != 0)
		socket->dropped++;
	kernel_kev_delivered(host->kernel, delivery->socket, error != 0);
	want_to_flush(socket);
}

void
event_socket_handle(struct source *source, uint32_t events)
{
	struct event_socket *socket =
	    (struct event_socket *)(void *)((char *)source - offsetof(struct event_socket, source));

	if ((events & (EPOLLHUP | EPOLLERR)) != 0 || record_queue_flush(&socket->queue) != 0)
		event_socket_end(socket);
	else
		want_to_flush(socket);
}

/* ---- looking ----------------------------------------------------------------------- */

bool
event_socket_next(struct host *host, uint64_t *id, struct event_socket_row *row)
{
	struct event_socket *socket;

	TAILQ_FOREACH(socket, &host->events.all, link)
	{
		if (socket->id <= *id)
			continue;
		*id = socket->id;
		*row = (struct event_socket_row){
			.id = socket->id,
			.pid = socket->pid,
			.uid = socket->uid,
			.unread_bytes = record_queue_bytes(&socket->queue),
			.dropped = socket->dropped,
		};
		kernel_kev_socket_filter(socket->core, row->filter);
		return true;
	}
	return false;
}
