/*
 * What jobs do: when they start, and what their end means.
 *
 *            ┌─ wanted, may start ──────────► runs ──┐
 *   waits ───┤                                       │ ended: job_exited()
 *     ▲      └─ wanted, too early: throttled ─┘      │
 *     └──── all rights are back, or time is over ◄── settles
 *
 * Every move is made by job_update(); what happens only changes what it looks at.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "launchd.h"
#include "server.h"

#define NEVER UINT64_MAX

/* ---- looking --------------------------------------------------------------------------- */

bool
job_crashed(const struct job *job)
{
	if (!job->exited || !WIFSIGNALED(job->exit_status))
		return false;
	switch (WTERMSIG(job->exit_status)) {
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGFPE:
	case SIGBUS:
	case SIGSEGV:
	case SIGSYS:
		return true;
	default:
		return false; /* somebody wanted it to end */
	}
}

static bool
other_jobs_hold(const struct job *job)
{
	const struct job_condition_list *others = &job->config->other_job_enabled;

	for (size_t i = 0; i < others->count; i++) {
		if ((job_find(job->context, others->items[i].name) != NULL) ==
		    others->items[i].wanted)
			return true;
	}
	return false;
}

/* The conditions of a KeepAlive dictionary: any of them will do. */
static bool
conditions_hold(const struct job *job)
{
	const struct job_config *config = job->config;
	bool success =
	    job->exited && WIFEXITED(job->exit_status) && WEXITSTATUS(job->exit_status) == 0;
	bool any = false;

	if (config->after_initial_demand && !job->demanded)
		return false;
	if (config->successful_exit != JOB_CHOICE_NONE) {
		any = true;
		/* it takes one run to know */
		if (!job->started)
			return true;
		if (job->exited && success == (config->successful_exit == JOB_CHOICE_TRUE))
			return true;
	}
	if (config->crashed != JOB_CHOICE_NONE) {
		any = true;
		if (job->exited && job_crashed(job) == (config->crashed == JOB_CHOICE_TRUE))
			return true;
	}
	if (config->path_state.count > 0) {
		any = true;
		if (paths_state_holds(job))
			return true;
	}
	if (config->other_job_enabled.count > 0) {
		any = true;
		if (other_jobs_hold(job))
			return true;
	}
	return !any && config->after_initial_demand;
}

static bool
job_should_run(const struct job *job)
{
	if (job->launchd->stopping)
		return false;
	if (job->config->launch_only_once && job->started)
		return false;
	if (job->start_wanted || paths_queue_is_filled(job))
		return true;
	switch (job->config->keep_alive) {
	case JOB_KEEP_ALIVE_ALWAYS:
		return true;
	case JOB_KEEP_ALIVE_CONDITIONS:
		return conditions_hold(job);
	case JOB_KEEP_ALIVE_NEVER:
		break;
	}
	return false;
}

static bool
has_rights_out(const struct job *job)
{
	struct service *service;

	LIST_FOREACH(service, &job->services, in_job)
	{
		if (service->declared && service->active)
			return true;
	}
	return false;
}

/* ---- moving ---------------------------------------------------------------------------- */

static void
watch_services(struct job *job, bool watch)
{
	struct service *service;

	LIST_FOREACH(service, &job->services, in_job)
	service_watch(service, watch);
}

static void
job_start(struct job *job)
{
	uint64_t now = now_ns();

	job->start_at_ns = 0;
	pid_t pid = start_job(job);
	if (pid < 0) {
		log_error("%s: cannot start a process: %s", job->config->label,
			  strerrordesc_np((int)-pid));
		answer_kick(job, (int)-pid, "cannot start a process");
		job->start_wanted = true;
		job->start_at_ns = now + START_RETRY_NS;
		return;
	}
	log_debug("%s: started as %d", job->config->label, (int)pid);
	job->pid = pid;
	job->claimable = true;
	job->started = true;
	job->start_wanted = job->start_at_once = false;
	job->stopping = false;
	job->last_start_ns = now;
	answer_kick(job, 0, NULL);
}

void
job_update(struct job *job)
{
	uint64_t now = now_ns();

	if (job->anonymous)
		return;
	if (job->pid != 0 || job->removing) {
		watch_services(job, false);
		return;
	}
	if (job->settle_ns != 0 && has_rights_out(job) && now < job->settle_ns)
		return;
	job->settle_ns = 0;
	if (!job_should_run(job)) {
		job->start_at_ns = 0;
		watch_services(job, !job->launchd->stopping &&
					!(job->config->launch_only_once && job->started));
		return;
	}
	watch_services(job, false);
	uint64_t until = job_throttle_until_ns(job->last_start_ns, job->config->throttle_s);
	if (job->start_at_ns > until)
		until = job->start_at_ns;
	if (now < until && !job->start_at_once) {
		job->start_at_ns = until;
		return;
	}
	job_start(job);
}

void
job_update_dependents(struct launchd *l)
{
	struct job *job;

	LIST_FOREACH(job, &l->jobs, in_all)
	{
		if (job->config->other_job_enabled.count > 0)
			job_update(job);
	}
}

void
job_demand(struct job *job)
{
	job->demanded = true;
	job->start_wanted = true;
	job_update(job);
}

uint64_t
job_next_ns(const struct job *job)
{
	uint64_t next = NEVER;
	const uint64_t due[] = { job->start_at_ns, job->settle_ns, job->kill_at_ns,
				 job->interval_ns };

	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++) {
		if (due[i] != 0 && due[i] < next)
			next = due[i];
	}
	return next;
}

void
job_tick(struct job *job, uint64_t now)
{
	if (job->kill_at_ns != 0 && now >= job->kill_at_ns) {
		job->kill_at_ns = 0;
		log_warning("%s: did not end in time: killed", job->config->label);
		kill(job->pid, SIGKILL);
	}
	if (job->interval_ns != 0 && now >= job->interval_ns) {
		/* intervals missed meanwhile count once */
		job->interval_ns = now + job->config->start_interval_s * 1000000000ull;
		job->start_wanted = job->pid == 0;
	}
	if (job->start_at_ns != 0 && now >= job->start_at_ns)
		job->start_at_ns = 0;
	job_update(job);
}

/* ---- ends ------------------------------------------------------------------------------ */

void
job_stop(struct job *job)
{
	if (job->pid == 0 || job->stopping)
		return;
	job->stopping = true;
	kill(job->pid, SIGTERM);
	if (job->config->exit_timeout_s != 0)
		job->kill_at_ns = now_ns() + job->config->exit_timeout_s * 1000000000ull;
}

void
job_remove(struct job *job)
{
	struct launchd *l = job->launchd;

	if (job->removing)
		return;
	job->removing = true;
	while (!LIST_EMPTY(&job->services))
		service_remove(LIST_FIRST(&job->services));
	if (job->pid != 0) {
		job_stop(job);
		return;
	}
	job_free(job);
	job_update_dependents(l);
}

static void
forget_per_pid_services(struct job *job, pid_t pid)
{
	struct service *service, *next;

	for (service = LIST_FIRST(&job->services); service; service = next) {
		next = LIST_NEXT(service, in_job);
		if (service->pid == pid)
			service_remove(service);
	}
}

static void
drain_services(struct job *job)
{
	struct service *service;

	LIST_FOREACH(service, &job->services, in_job)
	{
		if (service->drain_pending)
			service_drain(service, job_crashed(job));
	}
}

static void
log_exit(const struct job *job)
{
	if (WIFSIGNALED(job->exit_status) && !job->stopping)
		log_warning("%s: process %d was ended by signal %d (%s)", job->config->label,
			    (int)job->pid, WTERMSIG(job->exit_status),
			    sigdescr_np(WTERMSIG(job->exit_status)));
	else if (WIFEXITED(job->exit_status) && WEXITSTATUS(job->exit_status) != 0)
		log_debug("%s: process %d ended with %d", job->config->label, (int)job->pid,
			  WEXITSTATUS(job->exit_status));
}

void
job_exited(struct job *job, int status)
{
	struct launchd *l = job->launchd;
	pid_t pid = job->pid;

	job->exit_status = status;
	job->exited = true;
	log_exit(job);
	job->pid = 0;
	job->claimable = false;
	job->kill_at_ns = 0;
	if (job->removing) {
		job_free(job);
		job_update_dependents(l);
		return;
	}
	forget_per_pid_services(job, pid);
	drain_services(job);
	/* a successor must not find its services still taken */
	job->settle_ns = has_rights_out(job) ? now_ns() + SETTLE_NS : 0;
	job_update(job);
	if (job->legacy)
		job_senders_gone(job);
}

void
job_service_returned(struct job *job)
{
	job_update(job);
}

/*
 * A job made by create_server is steered by nothing but its port: it goes when nobody can
 * ask for it, it does not run and nothing would start it.
 */
void
job_senders_gone(struct job *job)
{
	mach_port_status_t status;
	mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;

	if (!job->legacy || job->removing || job->pid != 0 || job->start_at_ns != 0)
		return;
	if (mach_port_get_attributes(mach_task_self(), port_held(&job->port),
				     MACH_PORT_RECEIVE_STATUS, (mach_port_info_t)&status,
				     &count) != KERN_SUCCESS)
		return;
	if (status.mps_srights) {
		if (!status.mps_nsrequest)
			port_watch_senders(port_held(&job->port), status.mps_mscount);
		return;
	}
	if (LIST_EMPTY(&job->services) && !job_should_run(job))
		job_remove(job);
}
