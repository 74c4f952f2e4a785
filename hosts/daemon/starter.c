/*
 * The starter: a process of berthd's whose one deed is to run the name server.
 *
 * berthd can run no program: its filter of system calls forbids it, and would go over to what it
 * runs, as would the capabilities that it lacks.  So this process is made before.  What to run,
 * with which arguments and environment, is settled then; berthd only says when, and hands over the
 * connection.  Whoever takes berthd over gets nothing from here but one more name server.
 *
 * What it starts is berthd's child, not its own (CLONE_PARENT): berthd waits for it, and is its
 * parent when somebody asks Linux.  It ends when berthd does, whose socket hangs up.
 */
#include "hosts/daemon/berthd.h"

#include "wire/sites.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "berth-launchd"
#define TASK_FD 3    /* of the name server's connection there */
#define OWN_FD_MIN 8 /* ours are out of its way */

extern char **environ;

/* What runs, decided once. */
struct program {
	char path[PATH_MAX];
	char owner[32];
	char *argv[4];
	char **environment;
};

struct outcome {
	int error; /* 0, -errno */
	pid_t pid; /* of a process to be waited for, with an error, too; 0: none */
};

/* ---- what runs ----------------------------------------------------------------------- */

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

/* Our environment, BERTH_TASK_FD and BERTH_KERNEL; the name server makes no notes of its calls,
 * for which it would have to write files.  NULL: no memory; one allocation. */
static char **
environment_new(struct host *host)
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
		    !is_variable(environ[i], SITES_VARIABLE "=") &&
		    !(has_path && is_variable(environ[i], "BERTH_KERNEL=")))
			all[used++] = environ[i];
	snprintf(text, TEXT_SIZE, "BERTH_TASK_FD=%d", TASK_FD);
	all[used++] = text;
	if (has_path)
		all[used++] = path;
	return all;
}

/* ---- the process --------------------------------------------------------------------- */

/* In the new process: becomes the program, or says into @told why not. */
static _Noreturn void
become(const struct program *program, int fd, int told)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;
	int error;

	sigemptyset(&none);
	sigaction(SIGPIPE, &plain, NULL);
	sigaction(SIGHUP, &plain, NULL);
	sigaction(SIGXFSZ, &plain, NULL);
	/* what another descriptor of that number said is nothing that lasts until there */
	if (fd == TASK_FD ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, TASK_FD) >= 0) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(program->path, program->argv, program->environment);
	}
	error = errno;
	_exit(write(told, &error, sizeof(error)) < 0 ? 126 : 127);
}

/* A moved descriptor above those of the program.  Consumes @fd; -errno. */
static int
move_away(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FD_MIN);
	int error = moved < 0 ? -errno : moved;

	close(fd);
	return error;
}

static struct outcome
run_program(const struct program *program, int fd)
{
	struct outcome outcome = { .error = 0 };
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return (struct outcome){ .error = -errno };
	ends[1] = move_away(ends[1]);
	/* not fork(): the new process is berthd's child, as we are */
	outcome.pid =
	    ends[1] < 0 ? -1
			: (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (outcome.pid == 0)
		become(program, fd, ends[1]);
	if (outcome.pid < 0)
		outcome = (struct outcome){ .error = ends[1] < 0 ? ends[1] : -errno };
	if (ends[1] >= 0)
		close(ends[1]);
	if (outcome.pid > 0 && read(ends[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
		outcome.error = -error;
	close(ends[0]);
	return outcome;
}

/* The next request: a byte and a descriptor.  The descriptor; -1: berthd is gone. */
static int
next_request(int socket_fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head;
	ssize_t n;
	int fd;

	do
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	head = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	if (head == NULL || head->cmsg_type != SCM_RIGHTS ||
	    head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static _Noreturn void
serve(const struct program *program, int socket_fd)
{
	int fd;

	prctl(PR_SET_NAME, "berthd-starter", 0, 0, 0);
	socket_fd = move_away(socket_fd);
	if (socket_fd < 0)
		_exit(1);
	/* above all the connections, whose hang-up others wait for */
	syscall(SYS_close_range, 3u, (unsigned)socket_fd - 1, 0u);
	syscall(SYS_close_range, (unsigned)socket_fd + 1, ~0u, 0u);
	while ((fd = next_request(socket_fd)) >= 0) {
		struct outcome outcome = run_program(program, fd);

		close(fd);
		if (send(socket_fd, &outcome, sizeof(outcome), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* ---- berthd's side ------------------------------------------------------------------- */

int
starter_new(struct host *host)
{
	static struct program program; /* until the process is made, which has its own then */
	int ends[2], error = 0;

	host->starter.fd = -1;
	if (!find_program(program.path, sizeof(program.path))) {
		log_line("cannot find " PROGRAM ", the name server, beside berthd nor in "
			 "BERTH_LIBEXECDIR: tasks have no bootstrap port");
		return -ENOENT;
	}
	snprintf(program.owner, sizeof(program.owner), "--owner-uid=%u",
		 (unsigned)host->options.owner_uid);
	program.argv[0] = (char *)(uintptr_t)PROGRAM;
	program.argv[1] = program.owner;
	if (host->options.mode == MODE_SYSTEM)
		program.argv[2] = (char *)(uintptr_t) "--system";
	program.environment = environment_new(host);
	if (program.environment == NULL) {
		error = -ENOMEM;
	} else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		error = -errno;
	} else {
		host->starter.pid = fork();
		if (host->starter.pid == 0)
			serve(&program, ends[1]);
		error = host->starter.pid < 0 ? -errno : 0;
		close(ends[1]);
		if (error == 0)
			host->starter.fd = ends[0];
		else
			close(ends[0]);
	}
	free(program.environment);
	if (error != 0)
		log_line("cannot start " PROGRAM ", the name server: %s", strerror(-error));
	return error;
}

int
starter_run(struct host *host, int fd, pid_t *pid)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	struct outcome outcome;
	ssize_t n;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(host->starter.fd, &message, MSG_NOSIGNAL) < 0)
		return -errno;
	do
		n = recv(host->starter.fd, &outcome, sizeof(outcome), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(outcome))
		return n < 0 ? -errno : -EPIPE; /* somebody killed it */
	if (outcome.error != 0 && outcome.pid > 0)
		waitpid(outcome.pid, NULL, 0);
	*pid = outcome.pid;
	return outcome.error;
}

void
starter_end(struct host *host)
{
	if (host->starter.pid <= 0)
		return;
	close(host->starter.fd);
	waitpid(host->starter.pid, NULL, 0);
	host->starter.pid = 0;
	host->starter.fd = -1;
}
