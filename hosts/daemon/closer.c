/*
 * Closing descriptors that came from others.
 *
 * Whoever closes a file may have to wait: for the server of its file system, which is asked to
 * flush; for what a socket that lingers has not sent; for a line that drains.  That server, that
 * socket and that line may be a hostile task's.  So the loop closes only what never waits, and
 * hands everything else to threads made for nothing but that.  They touch no other state of
 * berthd.
 *
 * One user's descriptors occupy at most THREADS_PER_USER of them; a user for whom all these are
 * stuck, and for whom many more wait, is stuck (closer_is_stuck): until that has passed nothing
 * more is taken from him, and his tasks that hand over more all the same are dropped.
 */
#include "hosts/daemon/berthd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 16u
#define THREADS_PER_USER 4u
#define WAITING_MAX 64u          /* of a user that is stuck */
#define STUCK_NS 1000000000u     /* a close that takes longer waits for somebody */
#define THREAD_STACK_BYTES 65536 /* nothing but close() runs there */

struct closing {
	TAILQ_ENTRY(closing) link;
	int fd;
	uid_t uid;
	uint64_t since_ns; /* of its close */
};

/* Neither memory nor a pipe waits for anybody when it is closed. */
static bool
is_quick(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0 || fcntl(fd, F_GETPIPE_SZ) >= 0;
}

static uint32_t
count_of(const struct closing_list *list, uid_t uid)
{
	const struct closing *closing;
	uint32_t count = 0;

	TAILQ_FOREACH(closing, list, link)
	{
		count += closing->uid == uid;
	}
	return count;
}

/* The first whose user has a thread left; NULL: none. */
static struct closing *
next_locked(struct closer *closer)
{
	struct closing *closing;

	TAILQ_FOREACH(closing, &closer->waiting, link)
	{
		if (count_of(&closer->running, closing->uid) < THREADS_PER_USER)
			return closing;
	}
	return NULL;
}

static void *
run(void *argument)
{
	struct closer *closer = argument;

	pthread_mutex_lock(&closer->lock);
	for (;;) {
		struct closing *closing = next_locked(closer);

		if (closing == NULL) {
			closer->idle_count++;
			pthread_cond_wait(&closer->more, &closer->lock);
			closer->idle_count--;
			continue;
		}
		TAILQ_REMOVE(&closer->waiting, closing, link);
		closer->waiting_count--;
		TAILQ_INSERT_TAIL(&closer->running, closing, link);
		closing->since_ns = wait_now_ns();
		pthread_mutex_unlock(&closer->lock);
		close(closing->fd);
		pthread_mutex_lock(&closer->lock);
		TAILQ_REMOVE(&closer->running, closing, link);
		free(closing);
	}
	return NULL;
}

/* One more thread, if there may be one. */
static void
start_locked(struct closer *closer)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;

	if (closer->thread_count == THREADS_MAX || pthread_attr_init(&attributes) != 0)
		return;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* refused where a sanitizer needs more: the usual size then */
	pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, &attributes, run, closer) == 0)
		closer->thread_count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

void
closer_init(struct closer *closer)
{
	pthread_mutex_init(&closer->lock, NULL);
	pthread_cond_init(&closer->more, NULL);
	TAILQ_INIT(&closer->waiting);
	TAILQ_INIT(&closer->running);
}

bool
closer_close(struct closer *closer, int fd, uid_t uid)
{
	struct closing *closing = is_quick(fd) ? NULL : malloc(sizeof(*closing));
	bool is_taken = false;

	if (closing != NULL) {
		*closing = (struct closing){ .fd = fd, .uid = uid };
		pthread_mutex_lock(&closer->lock);
		if (closer->waiting_count >= closer->idle_count)
			start_locked(closer);
		is_taken = closer->thread_count > 0;
		if (is_taken) {
			TAILQ_INSERT_TAIL(&closer->waiting, closing, link);
			closer->waiting_count++;
			pthread_cond_signal(&closer->more);
		}
		pthread_mutex_unlock(&closer->lock);
	}
	if (is_taken)
		return true;
	/* quick; or no memory or thread is to be had, and a descriptor kept would be lost */
	free(closing);
	close(fd);
	return false;
}

void
peer_close(struct peer *peer, int fd)
{
	struct closer *closer = &peer->host->closer;

	if (closer_close(closer, fd, peer->euid) && closer_is_stuck(closer, peer->euid))
		peer_violation(peer, "more of the files that do not get closed");
}

bool
closer_is_stuck(struct closer *closer, uid_t uid)
{
	uint64_t now_ns = wait_now_ns();
	const struct closing *closing;
	uint32_t stuck = 0, waiting;

	pthread_mutex_lock(&closer->lock);
	waiting = closer->waiting_count >= WAITING_MAX ? count_of(&closer->waiting, uid) : 0;
	TAILQ_FOREACH(closing, &closer->running, link)
	{
		stuck += closing->uid == uid && now_ns > closing->since_ns + STUCK_NS;
	}
	pthread_mutex_unlock(&closer->lock);
	return waiting >= WAITING_MAX && stuck == THREADS_PER_USER;
}
