/*
 * The first task: the name server, whose bootstrap port all others inherit.
 *
 * It is an ordinary task but that the kernel starts it, over a connection made beforehand,
 * and starts it again when it dies, after a pause that grows as long as it dies at once.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "berth-launchd"
#define PAUSE_FIRST_NS 100000000u
#define PAUSE_MAX_NS 30000000000u
#define LIVED_NS 10000000000u /* so long, and its death is a new one */
#define STOP_MS 500           /* for one that is dying: its connection is closed */

/* Again, after a pause that doubles with each death in a row. */
static void
start_later(struct host *host)
{
	uint64_t pause_ns = PAUSE_FIRST_NS;

	for (uint32_t i = 0; i < host->first.deaths && pause_ns < PAUSE_MAX_NS; i++)
		pause_ns *= 2;
	host->first.deaths++;
	host->first.again_ns = wait_now_ns() + pause_ns;
}

/* The connection and the process.  0, -errno. */
static int
start(struct host *host)
{
	int ends[2], on = 1, pidfd, error;
	struct peer *peer;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	peer = peer_new(host, ends[0]);
	if (peer == NULL) {
		close(ends[0]);
		close(ends[1]);
		return -ENOMEM;
	}
	peer->is_first = true;
	slice_sleeps(host);
	error = starter_run(host, ends[1], &host->first.pid);
	close(ends[1]);
	if (error != 0) {
		peer_doom(peer);
		return error;
	}
	host->first.peer = peer;
	peer->pid = host->first.pid;
	/* a child that nobody has waited for keeps its pid: no race */
	pidfd = (int)syscall(SYS_pidfd_open, host->first.pid, 0);
	if (pidfd >= 0 && source_open(&peer->process, pidfd, EPOLLIN) != 0)
		close(pidfd);
	return 0;
}

void
first_task_start(struct host *host)
{
	int error;

	host->first.again_ns = UINT64_MAX;
	host->first.ready = false;
	host->first.since_ns = wait_now_ns();
	if (!host->first.wanted || host->ending)
		return;
	error = start(host);
	if (error != 0) {
		snprintf(host->first.why, sizeof(host->first.why), "%s", strerror(-error));
		log_line("cannot start " PROGRAM ", the name server: %s", host->first.why);
		start_later(host);
	}
}

/* Waits for the process, which is dead or dying; kills it if it does not end. */
static void
reap(struct host *host, int *status)
{
	uint64_t limit_ns = wait_now_ns() + STOP_MS * 1000000ull;
	pid_t pid = host->first.pid;
	pid_t result;

	*status = 0;
	host->first.pid = 0;
	if (pid <= 0)
		return;
	while ((result = waitpid(pid, status, WNOHANG)) == 0 && wait_now_ns() < limit_ns)
		poll(NULL, 0, 5);
	if (result == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, status, 0);
	}
}

void
first_task_ended(struct host *host)
{
	bool lived = wait_now_ns() - host->first.since_ns > LIVED_NS;
	int status;

	host->first.peer = NULL;
	host->first.ready = false;
	if (host->ending)
		return; /* first_task_stop() waits for it */
	/* its connection is closed: if the process lives, it serves nobody any more */
	if (host->first.pid > 0)
		kill(host->first.pid, SIGKILL);
	reap(host, &status);
	if (lived)
		host->first.deaths = 0;
	start_later(host);
	if (WIFSIGNALED(status))
		snprintf(host->first.why, sizeof(host->first.why), "it died of signal %d",
			 WTERMSIG(status));
	else
		snprintf(host->first.why, sizeof(host->first.why), "it ended with status %d",
			 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		log_line(PROGRAM ", the name server, died of signal %d (%s); starting it again",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_line(PROGRAM ", the name server, is gone (status %d); starting it again",
			 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

void
first_task_look(struct host *host)
{
	struct peer *peer = host->first.peer;

	if (host->first.ready || peer == NULL || peer->task == NULL ||
	    !kernel_task_has_bootstrap(peer->task))
		return;
	host->first.ready = true;
	greeting_release(host);
}

bool
first_task_settled(const struct host *host)
{
	return !host->first.wanted || host->first.ready;
}

void
first_task_ask_to_stop(struct host *host)
{
	if (host->first.pid > 0)
		kill(host->first.pid, SIGTERM);
}

void
first_task_stop(struct host *host)
{
	int status;

	reap(host, &status);
}
