/*
 * The first task: the name server, whose bootstrap port all others inherit.
 *
 * It is an ordinary task but that the kernel starts it, over a connection made beforehand,
 * and starts it again when it dies, after a pause that grows as long as it dies at once.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "berth-launchd"
#define PAUSE_FIRST_NS 100000000u
#define PAUSE_MAX_NS 30000000000u
#define LIVED_NS 10000000000u /* so long, and its death is a new one */
#define STOP_MS 500           /* for one that is dying: its connection is closed */

extern char **environ;

/* @folder/PROGRAM, if it can be run. */
static bool
found_in(const char *folder, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/" PROGRAM, folder);

	return n > 0 && (size_t)n < size && access(path, X_OK) == 0;
}

static bool
find_program(char *path, size_t size)
{
	static const char *const beside[] = { "", "/../libexec/berth", "/../../libexec/berth" };
	const char *named = getenv("BERTH_LIBEXECDIR");
	char self[PATH_MAX], folder[PATH_MAX + 32];
	ssize_t n;

	if (named != NULL && named[0] == '/' && found_in(named, path, size))
		return true;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
			snprintf(folder, sizeof(folder), "%s%s", self, beside[i]);
			if (found_in(folder, path, size))
				return true;
		}
	}
#ifdef BERTH_LIBEXECDIR
	if (found_in(BERTH_LIBEXECDIR, path, size))
		return true;
#endif
	return false;
}

/* "BERTH_KERNEL=" and the path that we listen at, so that the jobs which the name server
 * starts find this kernel.  False: it has no path. */
static bool
kernel_variable(struct host *host, char *text, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof(address);
	int n;

	if (getsockname(host->listener.fd, (struct sockaddr *)&address, &length) != 0 ||
	    address.sun_family != AF_UNIX || length <= offsetof(struct sockaddr_un, sun_path) ||
	    address.sun_path[0] != '/')
		return false;
	n = snprintf(text, size, "BERTH_KERNEL=%.*s", (int)sizeof(address.sun_path),
		     address.sun_path);
	return n > 0 && (size_t)n < size;
}

static bool
is_variable(const char *text, const char *name)
{
	return strncmp(text, name, strlen(name)) == 0;
}

/* Our environment, BERTH_TASK_FD and BERTH_KERNEL.  NULL: no memory; one allocation. */
static char **
environment_new(struct host *host, int fd)
{
	enum { TEXT_SIZE = 32, PATH_SIZE = 160 };
	size_t count = 0, used = 0;
	bool has_path;
	char **all;
	char *text, *path;

	while (environ[count] != NULL)
		count++;
	all = calloc(1, (count + 3) * sizeof(all[0]) + TEXT_SIZE + PATH_SIZE);
	if (all == NULL)
		return NULL;
	text = (char *)(all + count + 3);
	path = text + TEXT_SIZE;
	has_path = kernel_variable(host, path, PATH_SIZE);
	for (size_t i = 0; i < count; i++)
		if (!is_variable(environ[i], "BERTH_TASK_FD=") &&
		    !(has_path && is_variable(environ[i], "BERTH_KERNEL=")))
			all[used++] = environ[i];
	snprintf(text, TEXT_SIZE, "BERTH_TASK_FD=%d", fd);
	all[used++] = text;
	if (has_path)
		all[used++] = path;
	return all;
}

/* Runs @path with the connection @fd.  0, -errno. */
static int
spawn(struct host *host, const char *path, int fd, pid_t *pid)
{
	char owner[32];
	char *argv[] = { (char *)(uintptr_t)PROGRAM, owner, NULL, NULL };
	char **environment = environment_new(host, fd);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int error;

	if (environment == NULL)
		return -ENOMEM;
	snprintf(owner, sizeof(owner), "--owner-uid=%u", (unsigned)host->options.owner_uid);
	if (host->options.mode == MODE_SYSTEM)
		argv[2] = (char *)(uintptr_t) "--system";
	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGHUP);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawn_file_actions_init(&actions);
	error = posix_spawn_file_actions_adddup2(&actions, fd, fd); /* clears close-on-exec */
	if (error == 0)
		error = posix_spawn(pid, path, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(environment);
	return -error;
}

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
start(struct host *host, const char *path)
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
	error = spawn(host, path, ends[1], &host->first.pid);
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
	char path[PATH_MAX];
	int error;

	host->first.again_ns = UINT64_MAX;
	host->first.ready = false;
	host->first.since_ns = wait_now_ns();
	if (!host->first.wanted || host->ending)
		return;
	if (!find_program(path, sizeof(path))) {
		log_line("cannot find " PROGRAM ", the name server, beside berthd nor in "
			 "BERTH_LIBEXECDIR: tasks have no bootstrap port");
		host->first.wanted = false;
		greeting_release(host);
		return;
	}
	error = start(host, path);
	if (error != 0) {
		snprintf(host->first.why, sizeof(host->first.why), "%s", strerror(-error));
		log_line("cannot start %s: %s", path, host->first.why);
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
