/*
 * Who sees the trace.
 *
 * Each subscriber has a buffer between the kernel and his pipe.  The kernel never waits for
 * him: what the buffer has no room for is dropped and counted, and the count is told where
 * the lines would have been.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512u
#define FLUSH_MAX_BYTES (256u << 10) /* to one subscriber in one round */

struct subscriber {
	struct peer *peer;
	struct source pipe;
	int32_t pid; /* only this task; 0: all */
	uint64_t since_ns;
	uint64_t lost_count;
	/* a ring: `used` bytes from `start` on */
	size_t start, used;
	char *buffer;
};

/* ---- the ring ---------------------------------------------------------------------- */

static void
ring_put(struct subscriber *subscriber, const char *text, size_t size)
{
	size_t end = (subscriber->start + subscriber->used) % TRACE_BUFFER_BYTES;
	size_t first = TRACE_BUFFER_BYTES - end < size ? TRACE_BUFFER_BYTES - end : size;

	memcpy(subscriber->buffer + end, text, first);
	memcpy(subscriber->buffer, text + first, size - first);
	subscriber->used += size;
}

static void
subscriber_line(struct subscriber *subscriber, const char *text, size_t size)
{
	char lost[64];

	if (subscriber->lost_count > 0) {
		int n = snprintf(lost, sizeof(lost), "%llu lines lost\n",
				 (unsigned long long)subscriber->lost_count);

		if (subscriber->used + (size_t)n + size > TRACE_BUFFER_BYTES / 2) {
			subscriber->lost_count++; /* not before there is room for a good deal */
			return;
		}
		ring_put(subscriber, lost, (size_t)n);
		subscriber->lost_count = 0;
	}
	if (subscriber->used + size > TRACE_BUFFER_BYTES)
		subscriber->lost_count++;
	else
		ring_put(subscriber, text, size);
}

/* ---- the core's sink --------------------------------------------------------------- */

/* May the subscriber see what this task does?  What nobody in particular does, only those
 * who see everything. */
static bool
is_for(const struct subscriber *subscriber, const struct kernel_trace *trace,
       const struct peer *subject)
{
	if (subscriber->pid != 0 && trace->task_pid != (uint32_t)subscriber->pid)
		return false;
	if (credentials_sees_all(subscriber->peer))
		return true;
	return subject != NULL && credentials_sees(subscriber->peer, subject->euid);
}

static void
sink(void *context, const struct kernel_trace *trace)
{
	struct host *host = context;
	struct peer *subject = peer_of_pid(host, (pid_t)trace->task_pid, true);
	char what[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 128];

	what[0] = '\0';
	for (uint32_t i = 0; i < host->subscriber_count; i++) {
		struct subscriber *subscriber = host->subscribers[i];
		uint64_t since_ns =
		    trace->now_ns > subscriber->since_ns ? trace->now_ns - subscriber->since_ns : 0;
		int n;

		if (!is_for(subscriber, trace, subject))
			continue;
		/* who watches his own tasks costs those of others nothing */
		if (what[0] == '\0')
			trace_format(trace, what, sizeof(what));
		if (trace->task_pid == 0)
			n = snprintf(line, sizeof(line), "%5llu.%06llu kernel %s\n",
				     (unsigned long long)(since_ns / 1000000000u),
				     (unsigned long long)(since_ns / 1000 % 1000000), what);
		else
			n = snprintf(line, sizeof(line), "%5llu.%06llu %u(%s) t%u %s\n",
				     (unsigned long long)(since_ns / 1000000000u),
				     (unsigned long long)(since_ns / 1000 % 1000000),
				     trace->task_pid, subject != NULL ? subject->label : "?",
				     trace->thread_id, what);
		if (n > 0)
			subscriber_line(subscriber, line, (size_t)n);
	}
}

/* ---- subscribers ------------------------------------------------------------------- */

/*
 * An end of the pipe that never waits, whatever its owner does to his: a file description of
 * our own.  Where Linux does not let us open it, as root's pipe from a user's kernel, the
 * one passed is used if root passed it.
 *
 * Consumes @fd.  The descriptor, -errno.
 */
static int
own_pipe_end(struct peer *peer, int fd)
{
	char path[64];
	int flags, own;

	if (fcntl(fd, F_GETPIPE_SZ) < 0) {
		peer_close(peer, fd);
		return -EINVAL; /* asking waits for nobody: only a pipe has a size */
	}
	flags = fcntl(fd, F_GETFL);
	if ((flags & O_ACCMODE) == O_RDONLY) {
		close(fd);
		return -EBADF;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (own >= 0 || peer->euid != 0) {
		int error = own >= 0 ? own : -errno;

		close(fd);
		return error;
	}
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return fd;
}

/* Straight from Linux and back: the allocator might keep so much for later. */
static bool
buffer_new(struct subscriber *subscriber)
{
	void *memory = mmap(NULL, TRACE_BUFFER_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	subscriber->buffer = memory == MAP_FAILED ? NULL : memory;
	return subscriber->buffer != NULL;
}

static void
buffer_free(struct subscriber *subscriber)
{
	if (subscriber->buffer != NULL)
		munmap(subscriber->buffer, TRACE_BUFFER_BYTES);
	subscriber->buffer = NULL;
}

static void
subscriber_free(struct subscriber *subscriber)
{
	source_close(&subscriber->pipe);
	buffer_free(subscriber);
	free(subscriber);
}

/* 0, -errno.  Consumes @pipe_fd. */
static int
subscriber_new(struct peer *peer, int32_t pid, int pipe_fd, struct subscriber **out)
{
	struct subscriber *subscriber = calloc(1, sizeof(*subscriber));
	int fd = own_pipe_end(peer, pipe_fd), error;

	if (subscriber == NULL || fd < 0) {
		free(subscriber);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	subscriber->peer = peer;
	subscriber->pid = pid;
	subscriber->since_ns = wait_now_ns();
	source_init(&subscriber->pipe, SOURCE_PIPE, peer->host, peer);
	error = !buffer_new(subscriber) ? -ENOMEM : source_open(&subscriber->pipe, fd, 0);
	if (error != 0) {
		close(fd);
		subscriber_free(subscriber);
		return error;
	}
	*out = subscriber;
	return 0;
}

/* May @peer's user see one more trace?  Root finds a place that no number of users can take. */
static bool
has_room_for(const struct host *host, const struct peer *peer)
{
	uint32_t count = 0, taken = 0;

	for (uint32_t i = 0; i < host->subscriber_count; i++) {
		if (host->subscribers[i]->peer->euid == peer->euid)
			count++;
		taken += host->subscribers[i]->peer->euid != 0;
	}
	return count < TRACE_SUBSCRIBERS_PER_USER_MAX &&
	       (peer->euid == 0 || taken < TRACE_SUBSCRIBERS_MAX - TRACE_SUBSCRIBERS_PER_USER_MAX);
}

void
trace_subscribe(struct peer *peer, const struct wire_inspect *request, int pipe_fd)
{
	struct wire_end end = { .head = { .kind = WIRE_END, .size_bytes = sizeof(end) } };
	struct host *host = peer->host;

	if (pipe_fd < 0 || peer->subscriber != NULL || peer->old_subscriber != NULL ||
	    !has_room_for(host, peer)) {
		end.status = pipe_fd < 0 ? -EBADF : !has_room_for(host, peer) ? -EBUSY : -EALREADY;
		if (pipe_fd >= 0)
			peer_close(peer, pipe_fd);
	} else {
		end.status = subscriber_new(peer, request->pid, pipe_fd, &peer->subscriber);
	}
	if (end.status == 0) {
		host->subscribers[host->subscriber_count++] = peer->subscriber;
		kernel_trace_to(host->kernel, sink, host);
		host_look(host); /* from now on nothing goes by lanes */
	}
	if (socket_send(peer, &end, sizeof(end), NULL, 0, NULL) < 0)
		peer_doom(peer);
}

/* The rest is written as far as the pipe has room. */
static bool
flush(struct subscriber *subscriber)
{
	size_t written = 0;

	while (subscriber->used > 0 && written < FLUSH_MAX_BYTES) {
		size_t size = TRACE_BUFFER_BYTES - subscriber->start;

		if (size > subscriber->used)
			size = subscriber->used;
		ssize_t n =
		    write(subscriber->pipe.fd, subscriber->buffer + subscriber->start, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		subscriber->start = (subscriber->start + (size_t)n) % TRACE_BUFFER_BYTES;
		subscriber->used -= (size_t)n;
		written += (size_t)n;
	}
	source_want(&subscriber->pipe, subscriber->used > 0 ? EPOLLOUT : 0);
	return true;
}

void
trace_unsubscribe(struct peer *peer)
{
	struct subscriber *subscriber = peer->subscriber;
	struct host *host = peer->host;

	if (subscriber == NULL)
		return;
	peer->subscriber = NULL;
	for (uint32_t i = 0; i < host->subscriber_count; i++) {
		if (host->subscribers[i] == subscriber) {
			host->subscribers[i] = host->subscribers[--host->subscriber_count];
			break;
		}
	}
	if (host->subscriber_count == 0 && host->kernel != NULL)
		kernel_trace_to(host->kernel, NULL, NULL);
	if (subscriber->used > 0)
		flush(subscriber);
	/* its source may still be pointed at in this round: freed with the peer's memory */
	source_close(&subscriber->pipe);
	buffer_free(subscriber);
	peer->old_subscriber = subscriber;
}

void
trace_flush(struct host *host)
{
	for (uint32_t i = host->subscriber_count; i-- > 0;) {
		struct peer *peer = host->subscribers[i]->peer;

		if (host->subscribers[i]->used > 0 && !flush(host->subscribers[i])) {
			trace_unsubscribe(peer);
			peer_doom(peer);
		}
	}
}
