/*
 * Starting the user's kernel on demand.
 *
 * The program that starts it may be anything: its SIGCHLD handlers and its wait() must not
 * see a child that it does not know of, and the kernel must not hold its descriptors.  So
 * the kernel is a grandchild, made by a child that has no exit signal and that only we wait
 * for; raw clone(2), so that the program's atfork handlers don't run either.
 */
#include "client/find.h"

#include <berth/kernel_connection.h>

#include "wire/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PATIENCE_NS 15000000000u /* for a loaded machine; normally a few ms */
#define START_LOOK_MS 20               /* how often to try while the kernel starts */

extern char **environ;

/* As fork(), but without atfork handlers, and nobody is told when the child ends. */
static pid_t
clone_quietly(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

/* What this program allows itself is not for the kernel, which serves others, too. */
static void
raise_limits(void)
{
	static const int resources[] = { RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE };
	struct rlimit limit;

	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
		if (getrlimit((__rlimit_resource_t)resources[i], &limit) != 0)
			continue;
		limit.rlim_cur = limit.rlim_max;
		setrlimit((__rlimit_resource_t)resources[i], &limit);
	}
}

/* In the grandchild: become the kernel.  Only async-signal-safe calls from here on. */
static _Noreturn void
become_kernel(const char *program, int report_fd)
{
	char *arguments[] = { (char *)program, (char *)"--user", (char *)"--daemon", NULL };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise_limits();
	setsid();
	int null_fd = open("/dev/null", O_RDONLY);
	if (null_fd >= 0)
		dup2(null_fd, STDIN_FILENO);
	/* whatever it says until it runs on its own is the reason why it doesn't */
	dup2(report_fd, STDOUT_FILENO);
	dup2(report_fd, STDERR_FILENO);
	syscall(SYS_close_range, 3u, ~0u, 0u);
	if (chdir("/") == 0)
		execve(program, arguments, environ);

	static const char text[] = "it cannot be executed";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)written;
	_exit(127);
}

/* Start @program.  The read end of a pipe that ends when the kernel runs on its own or has
 * failed; what comes out of it is why.  Or -errno. */
static int
spawn_kernel(const char *program)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return -errno;
	/* stdin, stdout, stderr may be closed in this program: keep out of their way */
	int report_fd = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, 3);
	int error = report_fd < 0 ? errno : 0;
	close(pipe_fds[1]);
	pid_t child = error == 0 ? clone_quietly() : -1;
	if (child == 0) {
		pid_t grandchild = clone_quietly();
		if (grandchild == 0)
			become_kernel(program, report_fd);
		_exit(grandchild < 0 ? 1 : 0);
	}
	if (error == 0 && child < 0)
		error = errno;
	if (report_fd >= 0)
		close(report_fd);
	if (error == 0) {
		int status = 0;
		while (waitpid(child, &status, __WCLONE) < 0 && errno == EINTR)
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			error = EAGAIN;
	}
	if (error != 0) {
		close(pipe_fds[0]);
		return -error;
	}
	return pipe_fds[0];
}

/* Wait until @path answers.  A socket, or -errno and words in @why. */
static int
await_kernel(const char *path, int report_fd, char *why, size_t why_size)
{
	uint64_t give_up_ns = wait_now_ns() + START_PATIENCE_NS;
	char said[400];
	size_t said_size = 0;
	int is_over = 0;

	for (;;) {
		struct pollfd report = { .fd = is_over ? -1 : report_fd, .events = POLLIN };

		poll(&report, 1, START_LOOK_MS);
		if (report.revents != 0) {
			ssize_t size =
			    read(report_fd, said + said_size, sizeof(said) - 1 - said_size);
			if (size > 0)
				said_size += (size_t)size;
			else if (size == 0 || errno != EINTR)
				is_over++;
			if (said_size == sizeof(said) - 1)
				is_over++;
		}
		int fd = kernel_socket_connect(path);
		if (fd >= 0)
			return fd;
		/* one more look after the end: it may have begun to listen just before */
		if (is_over > 0 && ++is_over > 3) {
			said[said_size] = '\0';
			for (size_t i = 0; i < said_size; i++)
				if (said[i] == '\n')
					said[i] = i + 1 == said_size ? '\0' : ' ';
			snprintf(why, why_size, "%s",
				 said_size > 0 ? said : "it ended without a word");
			return fd;
		}
		if (wait_now_ns() > give_up_ns) {
			snprintf(why, why_size, "it does not listen after %u seconds",
				 (unsigned int)(START_PATIENCE_NS / 1000000000u));
			return -ETIMEDOUT;
		}
	}
}

int
user_kernel_start(const char *socket_path, char *why, size_t why_size)
{
	char lock_path[KERNEL_PATH_MAX + 8];
	char program[4096];
	char problem[512] = "";

	snprintf(lock_path, sizeof(lock_path), "%s.lock", socket_path);
	int lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0) {
		int error = errno;
		snprintf(why, why_size, "your kernel cannot be started: %s: %s", lock_path,
			 strerror(error));
		return -error;
	}
	while (flock(lock_fd, LOCK_EX) != 0 && errno == EINTR)
		continue;

	/* somebody else may have started it while we waited for the lock */
	int fd = kernel_socket_connect(socket_path);
	if (fd < 0 && fd != -ENOENT && fd != -ECONNREFUSED)
		snprintf(problem, sizeof(problem), "%s: %s", socket_path, strerror(-fd));
	if (fd == -ENOENT || fd == -ECONNREFUSED) {
		int error = berth_find_program("berthd", program, sizeof(program));
		if (error != 0) {
			snprintf(
			    problem, sizeof(problem),
			    "the program berthd was not found; set BERTH_LIBEXECDIR to its folder");
			fd = error;
		} else {
			int report_fd = spawn_kernel(program);
			if (report_fd < 0) {
				snprintf(problem, sizeof(problem), "%.400s: %s", program,
					 strerror(-report_fd));
				fd = report_fd;
			} else {
				char reason[420];
				fd = await_kernel(socket_path, report_fd, reason, sizeof(reason));
				if (fd < 0)
					snprintf(problem, sizeof(problem), "%.90s: %s", program,
						 reason);
				close(report_fd);
			}
		}
	}
	close(lock_fd); /* and with it the lock */
	if (fd < 0)
		snprintf(why, why_size,
			 "your kernel at %s cannot be started: %s; `berth run -- PROGRAM` starts a "
			 "program with a kernel of its own",
			 socket_path, problem);
	return fd;
}
