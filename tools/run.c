/*
 * berth run: a program on a kernel of its own, which ends with the program.
 *
 * Life of a run: find berthd; lock a folder and listen in it; start berthd; (with --trace)
 * subscribe; start the program at once: what it asks waits until berthd looks.  Then one
 * loop takes signals, the ends of children and trace text, until the program has ended;
 * after that the leak report is fetched, the kernel is told to end, and the folder goes.
 *
 * All signals that are handled stay blocked from beginning to end and are read from a
 * signalfd, so nothing here runs in a signal handler and no signal comes at a bad time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <berth/kernel_connection.h>

#include "tools/answer.h"
#include "tools/command.h"
#include "tools/leaks.h"
#include "tools/private_kernel.h"
#include "tools/run_options.h"
#include "tools/trace_text.h"
#include "wire/sites.h"
#include "wire/socket.h"

/* A kernel that takes longer than this to report, or to end, is ended by force. */
#define REPORT_MS 30000
#define KERNEL_END_MS 10000

/* Sent to `berth run` they are meant for the program. */
static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM };

struct run {
	struct run_options options;
	struct private_kernel kernel;
	char sites[PATH_MAX]; /* the folder of what programs note, with leak_sites */
	int signal_fd;
	sigset_t old_mask;
	struct sigaction old_child_action;
	struct trace_text trace;

	pid_t program; /* 0: not started, or ended */
	bool program_started;
	int program_status; /* from wait, once it has ended */
	int passed_signal;  /* the last one passed on to it */
	bool kernel_failed; /* and it was said */
	bool kernel_ending; /* its end is what we wait for */
	bool interrupted;   /* by a signal that no program was there to take */
};

/* ---- being root ---------------------------------------------------------------------- */

/* Write @text to a file of this process's own.  0 or -errno. */
static int
write_own(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/*
 * Enter a user namespace in which this user is root; kernel and program come along.  One who
 * is root already stays where he is.  0 or -errno.
 */
static int
become_root(void)
{
	unsigned long uid = geteuid(), gid = getegid();
	char uids[64], gids[64];

	if (uid == 0)
		return 0;
	snprintf(uids, sizeof(uids), "0 %lu 1\n", uid);
	snprintf(gids, sizeof(gids), "0 %lu 1\n", gid);
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	/* Linux wants this before a group is mapped by one who has no right to drop groups */
	int err = write_own("/proc/self/setgroups", "deny");
	if (err == 0)
		err = write_own("/proc/self/uid_map", uids);
	if (err == 0)
		err = write_own("/proc/self/gid_map", gids);
	return err;
}

/* ---- signals ------------------------------------------------------------------------ */

static int
signals_take_over(struct run *run)
{
	struct sigaction child_action = { .sa_handler = SIG_DFL };
	sigset_t blocked, watched;

	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&watched, passed_on[i]);
	blocked = watched;
	sigaddset(&blocked, SIGPIPE); /* a reader of the trace that went away is no reason to die */
	/* whoever ignores SIGCHLD is not told of ends: not we, but the program as it came */
	if (sigprocmask(SIG_BLOCK, &blocked, &run->old_mask) < 0 ||
	    sigaction(SIGCHLD, &child_action, &run->old_child_action) < 0)
		return -errno;
	run->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? -errno : 0;
}

static void
kernel_ended(struct run *run, int status)
{
	pid_t pid = run->kernel.pid;

	run->kernel.pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && run->kernel_ending)
		return;
	if (run->kernel_failed)
		return; /* it was killed from here, and that was said */
	run->kernel_failed = true;

	const char *when = run->program ? " before the program: every port is dead" : "";
	if (WIFSIGNALED(status))
		command_failed("run", "the kernel (berthd, pid %d) was killed by signal %d (%s)%s",
			       pid, WTERMSIG(status), strsignal(WTERMSIG(status)), when);
	else
		command_failed("run", "the kernel (berthd, pid %d) ended with status %d%s", pid,
			       WEXITSTATUS(status), when);
}

/* Take in every child that has ended: also orphans of the program, whose parent we became. */
static void
reap(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run->program) {
			run->program = 0;
			run->program_status = status;
		} else if (pid == run->kernel.pid) {
			kernel_ended(run, status);
		}
	}
}

static void
take_signal(struct run *run, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (number == SIGCHLD) {
		reap(run);
		return;
	}
	/* the terminal, and so the kernel of Linux, tells the whole foreground group itself */
	if (info->ssi_code == SI_KERNEL && run->program)
		return;
	if (run->program) {
		run->passed_signal = number;
		kill(run->program, number);
		return;
	}
	run->interrupted = true;
	if (!run->program_started)
		run->passed_signal = number;
}

/* ---- the loop ----------------------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Sleep until something happens and take it in.  True: @extra_fd (-1: none) is readable.
 * Returns at @deadline_ms at the latest, if that is not -1.
 */
static bool
step(struct run *run, int extra_fd, int64_t deadline_ms)
{
	struct pollfd fds[] = {
		{ .fd = run->signal_fd, .events = POLLIN },
		{ .fd = run->trace.pipe_fd, .events = POLLIN },
		{ .fd = extra_fd, .events = POLLIN },
	};
	int timeout_ms = -1;

	if (deadline_ms >= 0) {
		int64_t left_ms = deadline_ms - now_ms();

		timeout_ms = left_ms > 0 ? (int)left_ms : 0;
	}
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) <= 0)
		return false;
	if (fds[1].revents)
		trace_text_copy(&run->trace);
	if (fds[0].revents) {
		struct signalfd_siginfo info;

		while (read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			take_signal(run, &info);
	}
	return fds[2].revents != 0;
}

/* ---- the program -------------------------------------------------------------------- */

/* In the child of vfork. */
static void
become_program(const struct run *run, volatile int *err)
{
	if (sigaction(SIGCHLD, &run->old_child_action, NULL) == 0 &&
	    sigprocmask(SIG_SETMASK, &run->old_mask, NULL) == 0)
		execvp(run->options.argv[0], run->options.argv);
	*err = errno;
	_exit(COMMAND_NOT_FOUND);
}

/* 0, or the exit code that says why not, after saying it. */
static int
program_start(struct run *run)
{
	volatile int err = 0;
	pid_t pid = vfork();

	if (pid == 0)
		become_program(run, &err);
	if (pid < 0)
		return command_failed("run", "cannot start a process: %s", strerror(errno));
	run->program_started = true;
	if (err != 0) {
		/* of a script Linux says that about the program that is to read it */
		bool is_there = err == ENOENT && strchr(run->options.argv[0], '/') &&
				access(run->options.argv[0], F_OK) == 0;

		command_failed("run", "cannot run '%s': %s%s", run->options.argv[0],
			       is_there ? "its interpreter or loader: " : "", strerror(err));
		return err == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE;
	}
	run->program = pid;
	return 0;
}

/* The exit code that passes on how the program ended. */
static int
program_exit_code(const struct run *run)
{
	int status = run->program_status;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	int number = WTERMSIG(status);

	/* a shell does not see how it ended, so this is said here; not what was wished */
	if (number != run->passed_signal && number != SIGINT && number != SIGPIPE)
		command_failed("run", "'%s' was killed by signal %d (%s%s)", run->options.argv[0],
			       number, strsignal(number), WCOREDUMP(status) ? ", core dumped" : "");
	return 128 + number;
}

/* ---- the kernel --------------------------------------------------------------------- */

static int
kernel_start(struct run *run)
{
	char berthd[PATH_MAX];
	char *tried;

	if (berth_find_program("berthd", berthd, sizeof(berthd)) < 0) {
		const char *folder = getenv("BERTH_LIBEXECDIR");

		return command_failed("run",
				      "berthd is nowhere to be found: not in $BERTH_LIBEXECDIR "
				      "(%s), beside this program, in ../libexec/berth from "
				      "there or in %s",
				      folder ? folder : "not set", BERTH_LIBEXECDIR);
	}
	if (private_kernel_place(&run->kernel, &tried) < 0) {
		command_failed("run",
			       "no folder for the kernel's socket; tried\n%sSet TMPDIR to a "
			       "folder that will do.",
			       tried ? tried : "");
		free(tried);
		return COMMAND_FAILED;
	}
	int err = private_kernel_start(&run->kernel, berthd, run->options.leaks);
	if (err < 0)
		return command_failed("run", "cannot start the kernel '%s': %s", berthd,
				      strerror(-err));
	return 0;
}

/* Ask for the trace, and wait until the kernel has heard: nothing is missed. */
static int
trace_start(struct run *run)
{
	struct answer answer = { 0 };
	int step_result = ANSWER_MORE;
	int fd = private_kernel_connect(&run->kernel);

	if (fd < 0)
		return command_failed("run", "cannot reach the kernel at %s: %s",
				      run->kernel.address.sun_path, strerror(-fd));
	int err = trace_text_ask(&run->trace, fd, 0);
	while (err == 0 && step_result == ANSWER_MORE && !run->interrupted && run->kernel.pid) {
		if (step(run, fd, -1))
			step_result = answer_take(fd, stderr, &answer);
	}
	if (err == 0 && step_result == ANSWER_END)
		err = answer.status;
	else if (err == 0 && step_result < 0)
		err = step_result;
	run->trace.connection_fd = fd;
	if (run->interrupted)
		return 128 + run->passed_signal;
	if (run->kernel_failed)
		return COMMAND_FAILED; /* said by kernel_ended() */
	if (answer.why[0] != '\0')
		return command_failed("run", "the kernel gives no trace: %s", answer.why);
	if (err < 0)
		return command_failed("run", "the kernel gives no trace: %s", strerror(-err));
	return 0;
}

/* Take the report of what was left behind to @out.  The number of leaks, or -1: not known, which
 * is said. */
static int64_t
take_report(struct run *run, FILE *out)
{
	struct answer answer = { 0 };
	int64_t deadline_ms = now_ms() + REPORT_MS;
	int result = ANSWER_MORE;

	if (!run->kernel.pid) {
		command_failed("run", "nobody knows what was left behind: the kernel is gone");
		return -1;
	}
	int err = private_kernel_ask_report(&run->kernel);
	while (err == 0 && result == ANSWER_MORE && !run->interrupted) {
		if (step(run, run->kernel.control_fd, deadline_ms))
			result = answer_take(run->kernel.control_fd, out, &answer);
		else if (now_ms() >= deadline_ms)
			err = -ETIMEDOUT;
	}
	if (err == 0)
		err = result == ANSWER_END ? answer.status : result;
	if (err < 0 || run->interrupted) {
		command_failed("run", "nobody knows what was left behind: %s",
			       run->interrupted        ? "interrupted"
			       : answer.why[0] != '\0' ? answer.why
						       : strerror(-err));
		return -1;
	}
	return answer.count;
}

/* Print what was left behind.  As take_report(). */
static int64_t
report_leaks(struct run *run)
{
	char *text = NULL;
	size_t size;

	if (!run->options.leak_sites)
		return take_report(run, stderr);
	FILE *report = open_memstream(&text, &size);
	if (!report) {
		command_failed("run", "nobody knows what was left behind: %s", strerror(errno));
		return -1;
	}
	int64_t count = take_report(run, report);
	if (fclose(report) == 0)
		leaks_print(text, run->sites, stderr);
	free(text);
	return count;
}

static void
kernel_kill(struct run *run, const char *why)
{
	command_failed("run", "the kernel (berthd, pid %d) is killed: %s", run->kernel.pid, why);
	run->kernel_failed = true;
	kill(run->kernel.pid, SIGKILL);
}

/* End the kernel, take the rest of the trace and remove the folder, whatever happened before. */
static void
kernel_finish(struct run *run)
{
	int64_t deadline_ms = now_ms() + KERNEL_END_MS;

	run->kernel_ending = true;
	run->interrupted = false;
	private_kernel_end(&run->kernel);
	while (run->kernel.pid) {
		step(run, -1, deadline_ms);
		if (!run->kernel.pid || run->kernel_failed)
			continue;
		if (run->interrupted)
			kernel_kill(run, "a second signal came before it had ended");
		else if (now_ms() >= deadline_ms)
			kernel_kill(run, "it did not end within 10 seconds");
		if (run->kernel_failed)
			deadline_ms = -1;
	}
	private_kernel_remove(&run->kernel);
	trace_text_finish(&run->trace);
}

/* ---- all of it ---------------------------------------------------------------------- */

/* Start everything and wait for the program.  The exit code; what was started stays. */
static int
run_program(struct run *run)
{
	/* of an outer run; and the kernel's own programs make no notes */
	unsetenv(SITES_VARIABLE);

	int code = kernel_start(run);
	if (code == 0 && run->options.traced)
		code = trace_start(run);
	if (code == 0 && run->options.leak_sites) {
		int err = private_kernel_sites_make(&run->kernel, run->sites, sizeof(run->sites));

		if (err < 0)
			code = command_failed("run", "cannot make a folder for sites in %s: %s",
					      run->kernel.folder, strerror(-err));
	}
	if (code != 0)
		return code;
	if (setenv("BERTH_KERNEL", run->kernel.address.sun_path, 1) < 0)
		return command_failed("run", "cannot set BERTH_KERNEL: %s", strerror(errno));
	unsetenv("BERTH_TASK_FD"); /* belongs to whoever it was made for */
	if (run->options.leak_sites && setenv(SITES_VARIABLE, run->sites, 1) < 0)
		return command_failed("run", "cannot set " SITES_VARIABLE ": %s", strerror(errno));

	code = program_start(run);
	if (code != 0)
		return code;
	private_kernel_sweep(&run->kernel);
	while (run->program)
		step(run, -1, -1);
	code = program_exit_code(run);

	bool succeeded = code == 0;
	if (run->options.leaks && report_leaks(run) != 0 && succeeded)
		code = COMMAND_FAILED;
	return code;
}

int
berth_run_main(int argc, char **argv)
{
	struct run run = { .signal_fd = -1 };
	int code = run_options_parse(&run.options, argc, argv);

	if (code >= 0)
		return code;
	int root_err = run.options.root ? become_root() : 0;
	if (root_err < 0)
		return command_failed(
		    "run",
		    "--root: Linux permits no user namespace here (%s); run it as "
		    "root, or have an administrator permit unprivileged user "
		    "namespaces (sysctl kernel.unprivileged_userns_clone, "
		    "user.max_user_namespaces)",
		    strerror(-root_err));
	private_kernel_init(&run.kernel);
	run.kernel.strict = run.options.strict;
	trace_text_init(&run.trace);
	int err = signals_take_over(&run);
	if (err < 0)
		return command_failed("run", "cannot take signals: %s", strerror(-err));
	/* orphans of the program stay below us, so that the kernel still sees whose they are */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return command_failed("run", "cannot become a subreaper: %s", strerror(errno));
	if (run.options.traced) {
		err = trace_text_open(&run.trace, run.options.trace_file);
		if (err < 0)
			return command_failed("run", "cannot write the trace to %s: %s",
					      run.options.trace_file ? run.options.trace_file
								     : "stderr",
					      strerror(-err));
	}

	code = run_program(&run);
	kernel_finish(&run);
	if (code == 0 && (run.kernel_failed || run.trace.err < 0))
		code = COMMAND_FAILED;
	close(run.signal_fd);
	return code;
}
