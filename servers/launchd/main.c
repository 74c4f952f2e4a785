/*
 * The loop: messages, notifications, signals, time, paths.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <berth/kernel_connection.h>
#include <berth/port_fd.h>

#include "launchd.h"
#include "server.h"

/* What epoll tells: one of these, or the address of an anonymous job. */
enum source {
	SOURCE_REQUESTS = 1,
	SOURCE_DEMAND,
	SOURCE_NOTIFICATIONS,
	SOURCE_SIGNALS,
	SOURCE_TIMER,
	SOURCE_PATHS,
	SOURCE_COUNT
};

#define NS_PER_S 1000000000u

uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

bool
is_privileged(const struct launchd *l, const audit_token_t *token)
{
	return token->val[1] == 0 || token->val[1] == l->owner_uid;
}

void
receive_failed(struct launchd *l, kern_return_t kr)
{
	if (!l->kernel_lost)
		log_debug("the kernel is gone: %s", mach_error_string(kr));
	l->kernel_lost = true;
}

/* ---- start ----------------------------------------------------------------------------- */

static int
source_add(struct launchd *l, int fd, uint64_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .u64 = what } };

	if (fd < 0)
		return -errno;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int
watch_process(struct launchd *l, struct job *job)
{
	return source_add(l, job->pid_fd, (uint64_t)(uintptr_t)job);
}

static kern_return_t
open_ports(struct launchd *l)
{
	kern_return_t kr =
	    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &l->request_set);

	/* of a name server within another's reach: where names that it does not know go */
	if (kr == KERN_SUCCESS)
		kr = task_get_bootstrap_port(mach_task_self(), &l->parent_port);
	if (kr == KERN_SUCCESS)
		kr = demand_open(l);
	if (kr == KERN_SUCCESS)
		kr = notify_open(l);
	if (kr != KERN_SUCCESS)
		return kr;
	l->root = context_new(l, NULL, CONTEXT_ROOT, 0);
	return l->root ? context_open(l->root) : KERN_RESOURCE_SHORTAGE;
}

/* Everything is ready: from here on tasks inherit the root's port. */
static kern_return_t
publish_root(struct launchd *l)
{
	mach_port_t port = port_held(&l->root->port);
	kern_return_t kr =
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);

	if (kr != KERN_SUCCESS)
		return kr;
	return task_set_bootstrap_port(mach_task_self(), port);
}

static int
open_sources(struct launchd *l)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll_fd < 0)
		return -errno;
	int error = paths_open(l);
	if (!error)
		error = source_add(l, l->inotify_fd, SOURCE_PATHS);
	if (!error)
		error = source_add(l, l->signal_fd, SOURCE_SIGNALS);
	if (!error)
		error = source_add(l, l->timer_fd, SOURCE_TIMER);
	const mach_port_t ports[] = { l->request_set, l->demand_set, l->notify_port };
	const enum source sources[] = { SOURCE_REQUESTS, SOURCE_DEMAND, SOURCE_NOTIFICATIONS };
	for (size_t i = 0; !error && i < sizeof(ports) / sizeof(ports[0]); i++) {
		l->port_fds[i] = berth_port_fd(ports[i]);
		error = source_add(l, l->port_fds[i], sources[i]);
	}
	return error;
}

/* ---- processes ------------------------------------------------------------------------- */

static void
process_ended(struct launchd *l, pid_t pid)
{
	struct job *job = job_find_pid(l, pid);
	int status = 0;

	/* before its number is free again */
	if (job && !job->config->abandon_process_group)
		kill(-pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid)
		return;
	if (pid == l->main_pid) {
		l->main_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		l->main_pid = 0;
		l->stopping = true;
	}
	if (job && l->stopping)
		job->pid = 0;
	else if (job)
		job_exited(job, status);
}

static void
processes_look(struct launchd *l)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
			return;
		process_ended(l, info.si_pid);
	}
}

static void
stop_begin(struct launchd *l)
{
	struct job *job;

	l->stopping = true;
	l->stop_at_ns = now_ns() + STOPPING_MAX_NS;
	LIST_FOREACH(job, &l->jobs, in_all)
	job_stop(job);
}

static bool
any_job_runs(struct launchd *l)
{
	struct job *job;

	LIST_FOREACH(job, &l->jobs, in_all)
	{
		if (job->pid != 0)
			return true;
	}
	return false;
}

/* What does not end by itself is ended; nothing of ours stays behind. */
static void
stop_end(struct launchd *l)
{
	struct job *job;

	LIST_FOREACH(job, &l->jobs, in_all)
	{
		if (job->pid != 0 && kill(-job->pid, SIGKILL) != 0)
			kill(job->pid, SIGKILL);
	}
	if (l->main_pid)
		kill(l->main_pid, SIGTERM);
}

static void
signals_serve(struct launchd *l)
{
	struct signalfd_siginfo info;

	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			l->stopping = true;
	}
	processes_look(l);
}

/* ---- time ------------------------------------------------------------------------------ */

static void
timer_set(struct launchd *l)
{
	uint64_t next = l->stop_at_ns ? l->stop_at_ns : UINT64_MAX;
	struct itimerspec when = { .it_value = { 0 } };
	struct job *job;

	LIST_FOREACH(job, &l->jobs, in_all)
	{
		uint64_t due = job_next_ns(job);
		if (due < next)
			next = due;
	}
	if (next != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(next / NS_PER_S);
		when.it_value.tv_nsec = (long)(next % NS_PER_S);
	}
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
timer_serve(struct launchd *l)
{
	uint64_t expirations;
	uint64_t now = now_ns();
	struct job *job, *next;

	if (read(l->timer_fd, &expirations, sizeof(expirations)) < 0)
		return; /* set anew in the meantime */
	for (job = LIST_FIRST(&l->jobs); job; job = next) {
		next = LIST_NEXT(job, in_all);
		if (!l->stopping && job_next_ns(job) <= now)
			job_tick(job, now);
	}
}

/* ---- the loop -------------------------------------------------------------------------- */

static void
serve(struct launchd *l, const struct epoll_event *event)
{
	switch (event->data.u64) {
	case SOURCE_REQUESTS:
		request_serve(l);
		break;
	case SOURCE_DEMAND:
		notify_serve(l);
		demand_serve(l);
		break;
	case SOURCE_NOTIFICATIONS:
		notify_serve(l);
		break;
	case SOURCE_SIGNALS:
		signals_serve(l);
		break;
	case SOURCE_TIMER:
		timer_serve(l);
		break;
	case SOURCE_PATHS:
		paths_changed(l);
		break;
	default:
		if (l->stopping) {
			epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL,
				  ((struct job *)(uintptr_t)event->data.u64)->pid_fd, NULL);
			break;
		}
		job_anonymous_exited((struct job *)(uintptr_t)event->data.u64);
		break;
	}
}

/* One event at a time: what one does away with, the next cannot name. */
static void
run(struct launchd *l)
{
	struct epoll_event event;

	while (!l->kernel_lost) {
		if (l->stopping && !l->stop_at_ns)
			stop_begin(l);
		if (l->stopping && (!any_job_runs(l) || now_ns() >= l->stop_at_ns))
			break;
		timer_set(l);
		if (epoll_wait(l->epoll_fd, &event, 1, -1) == 1)
			serve(l, &event);
	}
	stop_end(l);
}

/* `berth-launchd -- command`: a name server for one command, below the one that it has. */
static int
start_main(struct launchd *l, char **arguments)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		execvp(arguments[0], arguments);
		log_error("cannot execute %s: %s", arguments[0], strerror(errno));
		_exit(127);
	}
	l->main_pid = pid;
	return 0;
}

int
main(int argc, char **argv)
{
	static struct launchd l; /* all that it knows lives as long as the process */

	berth_lanes_off(); /* services want to know who sent what came before they did */
	l.owner_uid = geteuid();

	/* started by berthd: without it there is nobody to serve, however it went */
	if (getenv("BERTH_TASK_FD"))
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	log_open();
	LIST_INIT(&l.jobs);
	int error = launchd_options_parse(&l, argc, argv);
	if (error)
		return error > 0 ? 0 : 2;
	kern_return_t kr = open_ports(&l);
	if (kr != KERN_SUCCESS) {
		log_error("cannot make ports: %s", mach_error_string(kr));
		return 1;
	}
	error = open_sources(&l);
	if (error) {
		log_error("cannot wait for events: %s", strerror(-error));
		return 1;
	}
	kr = publish_root(&l);
	if (kr != KERN_SUCCESS) {
		log_error("cannot set the bootstrap port: %s", mach_error_string(kr));
		return 1;
	}
	if (optind < argc) {
		error = start_main(&l, argv + optind);
		if (error) {
			log_error("cannot start %s: %s", argv[optind], strerror(-error));
			return 1;
		}
	}
	launchd_confine();
	run(&l);
	return optind < argc ? l.main_status : 0;
}
