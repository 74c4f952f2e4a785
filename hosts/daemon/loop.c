/*
 * The loop: bells of busy tasks, sockets, timers; then look for a while, then sleep.
 *
 * One round takes each hot task's bells once and, every SOCKET_LOOK_NS, what epoll tells.
 * So nobody waits for more than one round of the others, and a busy system makes no system
 * call per trap but the clock's, which is none.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_PER_LOOK 64
#define SCRATCH_KEPT_BYTES (1u << 20)
#define WALL_FRESH_NS 1000000u /* how old the reading of the time of day may be */
#define SERVER_LOOK_NS 30000u  /* the least we look: a server on this core answers in less */

void
log_line(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "berthd: %s\n", text);
}

void
host_end(struct host *host, const char *why)
{
	if (host->ending)
		return;
	host->ending = true;
	host->why_ending = why;
}

void *
host_scratch(struct host *host, size_t size)
{
	/* what a large message needed is not kept for ever */
	if (size > host->scratch_size ||
	    (host->scratch_size > SCRATCH_KEPT_BYTES && size <= SCRATCH_KEPT_BYTES)) {
		size_t wanted = size < 65536 ? 65536 : size;
		uint8_t *memory = malloc(wanted);

		if (memory == NULL)
			return NULL;
		free(host->scratch);
		host->scratch = memory;
		host->scratch_size = wanted;
	}
	return host->scratch;
}

void
host_retry_soon(struct host *host)
{
	if (host->retry_ns == UINT64_MAX)
		host->retry_ns = wait_now_ns() + RETRY_NS;
}

/* How far the time of day is ahead of our clock.  It changes when somebody sets it, so a reading
 * serves for the steps of a moment. */
static uint64_t
wall_offset_ns(struct host *host)
{
	struct timespec wall;

	if (host->wall_offset_ns != 0 && host->now_ns - host->wall_read_ns < WALL_FRESH_NS)
		return host->wall_offset_ns;
	clock_gettime(CLOCK_REALTIME, &wall);
	host->wall_read_ns = host->now_ns;
	host->wall_offset_ns =
	    (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - wait_now_ns();
	return host->wall_offset_ns;
}

void
host_step(struct host *host, struct kernel_event *event)
{
	struct kernel_effects effects;

	host->now_ns = wait_now_ns();
	event->now_ns = host->now_ns;
	event->wall_offset_ns = wall_offset_ns(host);
	kernel_effects_init(&effects);
	kernel_step(host->kernel, event, &effects);
	effects_work_off(host, &effects);
	host->deadline_ns = kernel_next_deadline_ns(host->kernel);
}

/* ---- sources ----------------------------------------------------------------------- */

void
source_init(struct source *source, enum source_kind kind, struct host *host, struct peer *peer)
{
	*source = (struct source){ .kind = kind, .fd = -1, .host = host, .peer = peer };
}

int
source_open(struct source *source, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	assert(source->fd < 0); /* one that is forgotten stays in the set for ever */
	if (epoll_ctl(source->host->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -errno;
	source->fd = fd;
	source->events = events;
	return 0;
}

void
source_want(struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (source->fd < 0 || source->events == events)
		return;
	/* modifying allocates nothing: it cannot fail for a descriptor that is in the set */
	epoll_ctl(source->host->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
	source->events = events;
}

void
source_close(struct source *source)
{
	if (source->fd < 0)
		return;
	/* a copy of the descriptor elsewhere would keep it in the set: take it out by hand */
	epoll_ctl(source->host->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

static void
handle_signal(struct host *host)
{
	struct signalfd_siginfo info;

	while (read(host->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (host->ending)
			host->stop_ns = 1; /* asked twice: at once */
		host_end(host, "asked to by a signal");
	}
}

static void
handle_socket(struct peer *peer, uint32_t events)
{
	if (events & EPOLLIN)
		socket_read(peer);
	if (peer->kind != PEER_GONE && peer->socket.fd >= 0 && (events & EPOLLOUT)) {
		socket_flush(peer);
		if (peer->inspection != NULL && TAILQ_EMPTY(&peer->outgoing))
			inspect_go_on(peer);
	}
	/* while there is something to read, that comes first: its end is a hang-up, too */
	if (peer->kind != PEER_GONE && peer->socket.fd >= 0 && (events & (EPOLLHUP | EPOLLERR)) &&
	    !(events & EPOLLIN))
		peer_hang_up(peer);
}

static void
handle(struct source *source, uint32_t events)
{
	struct peer *peer = source->peer;

	if (source->fd < 0 || (peer != NULL && peer->kind == PEER_GONE))
		return; /* closed earlier in this round */
	switch (source->kind) {
	case SOURCE_LISTEN:
		greeting_accept(source->host);
		break;
	case SOURCE_SIGNAL:
		handle_signal(source->host);
		break;
	case SOURCE_SOCKET:
		handle_socket(peer, events);
		break;
	case SOURCE_BELL:
		hot_add(peer);
		doorbell_take(peer);
		break;
	case SOURCE_PROCESS:
		peer_process_ended(peer);
		break;
	case SOURCE_EVENT:
		event_socket_handle(source, events);
		break;
	case SOURCE_PIPE:
		if (events & (EPOLLERR | EPOLLHUP))
			trace_unsubscribe(peer);
		else
			trace_flush(source->host);
		break;
	}
}

/* ---- rounds ------------------------------------------------------------------------ */

static void
free_the_gone(struct host *host)
{
	struct peer *peer = TAILQ_FIRST(&host->peers);

	while (host->had_gone && peer != NULL) {
		struct peer *next = TAILQ_NEXT(peer, link);

		if (peer->kind == PEER_GONE)
			peer_free(peer);
		peer = next;
	}
	host->had_gone = false;
}

/* Those that failed where nothing could be ended. */
static void
end_the_doomed(struct host *host)
{
	struct peer *peer;

	host->had_doomed = false;
	/* the list only grows at its end while this runs: nothing is freed before */
	TAILQ_FOREACH(peer, &host->peers, link)
	{
		if (peer->doomed && peer->kind != PEER_GONE)
			peer_end(peer);
	}
}

static int
handle_all(const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++)
		handle(events[i].data.ptr, events[i].events);
	return count;
}

int
host_look_at_sockets(struct host *host)
{
	struct epoll_event events[EVENTS_PER_LOOK];
	int count = epoll_wait(host->epoll_fd, events, EVENTS_PER_LOOK, 0);

	host->looked_ns = wait_now_ns();
	host->now_ns = host->looked_ns;
	return handle_all(events, count);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When something is due that nobody rings for. */
static uint64_t
next_timer_ns(const struct host *host)
{
	uint64_t next = earlier(host->deadline_ns, earlier(host->retry_ns, host->accept_ns));

	next = earlier(next, host->first.again_ns);
	if (host->ending)
		next = earlier(next, host->stop_ns);
	if (host->waiting_count > 0)
		next = earlier(next, host->waiting_since_ns + HELLO_HOLD_NS);
	if (host->idle_since_ns != UINT64_MAX && host->options.idle_exit_seconds >= 0)
		next = earlier(next, host->idle_since_ns +
					 (uint64_t)host->options.idle_exit_seconds * 1000000000u);
	return next;
}

/* Does what is due. */
static void
timers_run(struct host *host)
{
	uint64_t now_ns = wait_now_ns();

	if (now_ns >= host->deadline_ns)
		host_step(host, &(struct kernel_event){ .kind = EVENT_DEADLINE });
	if (now_ns >= host->retry_ns) {
		host->retry_ns = UINT64_MAX;
		effects_retry(host);
	}
	if (now_ns >= host->accept_ns) {
		host->accept_ns = UINT64_MAX;
		source_want(&host->listener, EPOLLIN);
	}
	if (now_ns >= host->first.again_ns)
		first_task_start(host);
	if (host->waiting_count > 0 && now_ns >= host->waiting_since_ns + HELLO_HOLD_NS)
		greeting_release(host);
	if (host->idle_since_ns != UINT64_MAX && host->options.idle_exit_seconds >= 0 &&
	    now_ns - host->idle_since_ns >=
		(uint64_t)host->options.idle_exit_seconds * 1000000000u) {
		/* whoever is just connecting keeps it alive */
		if (host_look_at_sockets(host) == 0 && host->idle_since_ns != UINT64_MAX)
			host_end(host, "nobody uses it");
	}
}

void
host_settle(struct host *host)
{
	while (host->had_doomed)
		end_the_doomed(host);
	first_task_look(host);
	if (host->subscriber_count > 0)
		trace_flush(host);
	if (host->had_gone)
		free_the_gone(host);
	event_sockets_free_gone(host);
	if (host->peer_count > (host->first.peer != NULL ? 1u : 0u))
		host->idle_since_ns = UINT64_MAX;
	else if (host->idle_since_ns == UINT64_MAX)
		host->idle_since_ns = wait_now_ns();
}

/* Sleeps until something happens.  0, -errno. */
static int
sleep_until(struct host *host, uint64_t until_ns)
{
	struct epoll_event events[EVENTS_PER_LOOK];
	struct timespec timeout, *limit = NULL;
	uint64_t now_ns = wait_now_ns();
	int count;

	if (until_ns != UINT64_MAX) {
		uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0;

		timeout = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
					     .tv_nsec = (long)(ns % 1000000000u) };
		limit = &timeout;
	}
	count = epoll_pwait2(host->epoll_fd, events, EVENTS_PER_LOOK, limit, NULL);
	if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
		int ms = -1; /* rounded up: early would mean to go round and round */

		if (limit != NULL)
			ms =
			    limit->tv_sec > 1000000
				? 1000000000
				: (int)(limit->tv_sec * 1000 + (limit->tv_nsec + 999999) / 1000000);
		count = epoll_wait(host->epoll_fd, events, EVENTS_PER_LOOK, ms);
	}
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	host->looked_ns = wait_now_ns();
	host->now_ns = host->looked_ns;
	handle_all(events, count);
	return 0;
}

/* Is there nothing more to serve?  Whoever is asked to end is served until it has. */
static bool
is_over(struct host *host)
{
	if (!host->ending)
		return false;
	if (host->stop_ns == 0) {
		host->stop_ns = wait_now_ns() + STOP_NS;
		source_close(&host->listener);
		address_unlink(host);
		first_task_ask_to_stop(host);
	}
	return host->first.peer == NULL || wait_now_ns() >= host->stop_ns;
}

int
host_run(struct host *host)
{
	int error = 0;

	host->wait.floor_ns = SERVER_LOOK_NS;
	wait_begin(&host->wait);
	while (error == 0 && !is_over(host)) {
		hot_publish_cpu(host);
		bool worked = hot_poll(host);
		/* who goes to sleep now needs no look at the sockets: sleeping is one */
		bool goes_on =
		    worked || (host->hot_count > 0 && wait_look(&host->wait, hot_peer_cpu(host)));

		if (host->wait.last_ns > host->now_ns)
			host->now_ns = host->wait.last_ns;
		if (goes_on && host->now_ns - host->looked_ns > SOCKET_LOOK_NS) {
			worked |= host_look_at_sockets(host) > 0;
			hot_cool(host);
		}
		if (host->now_ns >= next_timer_ns(host)) {
			timers_run(host);
			worked = true;
		}
		host_settle(host);
		if (worked) {
			slice_worked(host);
			wait_end(&host->wait);
			wait_begin(&host->wait);
			continue;
		}
		if (goes_on || !hot_sleep(host))
			continue;
		slice_sleeps(host);
		wait_sleeps(&host->wait);
		error = sleep_until(host, next_timer_ns(host));
		wait_woken(&host->wait);
		host_settle(host);
	}
	return error;
}
