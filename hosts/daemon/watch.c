/*
 * Watches: a port or set that a task waits for in an event loop of its own, as a readable
 * descriptor.  The core says when it is ready; the descriptor says it to whoever polls.
 *
 * It is one end of a pair of sockets, of which we keep both: a byte sent from ours makes the
 * task's readable, and what was sent is taken back from the task's end itself.  Why not an
 * eventfd: its flags and its counter are the task's as well as ours, so that a task could
 * make us wait in read or write; on sockets each call says for itself that it must not wait.
 * And when berthd is killed the pair's other end is gone, which a poll tells at once.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct watch_pair {
	int ours;                    /* nobody else has it */
	int tasks;                   /* the task has a copy */
	bool is_unshown;             /* ready, but Linux had no memory to show it */
	LIST_ENTRY(watch_pair) link; /* … of which the host has a list */
};

static void
set_unshown(struct host *host, struct watch_pair *pair, bool is_unshown)
{
	if (is_unshown)
		host_retry_soon(host);
	if (is_unshown == pair->is_unshown)
		return;
	pair->is_unshown = is_unshown;
	if (is_unshown)
		LIST_INSERT_HEAD(&host->unshown, pair, link);
	else
		LIST_REMOVE(pair, link);
}

static void
pair_free(struct host *host, struct watch_pair *pair)
{
	set_unshown(host, pair, false);
	close(pair->ours);
	close(pair->tasks);
	free(pair);
}

static struct watch_pair *
pair_new(void)
{
	struct watch_pair *pair = malloc(sizeof(*pair));
	int ends[2];

	if (pair == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
		free(pair);
		return NULL;
	}
	pair->is_unshown = false;
	pair->ours = ends[0];
	pair->tasks = ends[1];
	shutdown(pair->ours, SHUT_RD); /* the task has nothing to say there */
	return pair;
}

static void
show(struct host *host, struct watch_pair *pair, bool ready)
{
	char bytes[64];
	ssize_t n = 0;

	if (ready) {
		/* whoever polls cannot tell one byte from two: so one is enough */
		if (recv(pair->tasks, bytes, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			n = send(pair->ours, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		n = recv(pair->tasks, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	/* what else fails has been shut down by the task, which is its own loss */
	set_unshown(host, pair, ready && n < 0 && (errno == ENOBUFS || errno == ENOMEM));
}

int
watch_descriptor(struct host *host, struct kernel_watch *watch)
{
	struct watch_pair *pair = watch->host;

	if (pair == NULL) {
		pair = pair_new();
		if (pair == NULL)
			return -errno;
		watch->host = pair;
		if (watch->ready)
			show(host, pair, true);
	}
	return pair->tasks;
}

void
watch_changed(struct host *host, struct kernel_watch *watch)
{
	struct watch_pair *pair = watch->host;

	if (pair != NULL && !watch->closed)
		show(host, pair, watch->ready);
	if (!watch->closed)
		return;
	/* a pair without our end is readable for ever, as it is to be */
	if (pair != NULL)
		pair_free(host, pair);
	watch->host = NULL;
	kernel_watch_free(host->kernel, watch);
}

void
watches_retry(struct host *host)
{
	struct watch_pair *pair = LIST_FIRST(&host->unshown);

	while (pair != NULL) {
		struct watch_pair *next = LIST_NEXT(pair, link);

		show(host, pair, true);
		pair = next;
	}
}
