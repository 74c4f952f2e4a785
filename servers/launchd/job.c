/*
 * Jobs: the records.  What they do is in job_run.c.
 */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launchd.h"
#include "server.h"

static void
job_init(struct job *job, struct context *context)
{
	job->launchd = context->launchd;
	job->context = context;
	job->pid_fd = -1;
	LIST_INIT(&job->services);
}

/* ---- anonymous jobs -------------------------------------------------------------------- */

static int
anonymous_compare(const void *a, const void *b)
{
	const struct job *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->pid_version != right->pid_version)
		return left->pid_version < right->pid_version ? -1 : 1;
	return (left->context > right->context) - (left->context < right->context);
}

struct job *
job_find_process(struct context *context, const audit_token_t *token)
{
	struct job key = { .context = context,
			   .pid = (pid_t)token->val[5],
			   .pid_version = token->val[7] };
	struct job *job;

	LIST_FOREACH(job, &context->jobs, in_context)
	{
		if (!job->anonymous && job->pid == key.pid && key.pid != 0)
			return job;
	}
	struct job **found = tfind(&key, &context->launchd->anonymous, anonymous_compare);
	return found ? *found : NULL;
}

kern_return_t
job_get_process(struct context *context, const audit_token_t *token, struct job **job)
{
	struct launchd *l = context->launchd;

	*job = job_find_process(context, token);
	if (*job)
		return KERN_SUCCESS;
	*job = calloc(1, sizeof(**job));
	if (!*job)
		return BOOTSTRAP_NO_MEMORY;
	job_init(*job, context);
	(*job)->anonymous = true;
	(*job)->pid = (pid_t)token->val[5];
	(*job)->pid_version = token->val[7];
	if (!tsearch(*job, &l->anonymous, anonymous_compare)) {
		free(*job);
		*job = NULL;
		return BOOTSTRAP_NO_MEMORY;
	}
	/* a process that has just ended has no descriptor; what it owns goes with its ports */
	(*job)->pid_fd = (int)syscall(SYS_pidfd_open, (*job)->pid, 0u);
	if ((*job)->pid_fd >= 0 && watch_process(l, *job)) {
		close((*job)->pid_fd);
		(*job)->pid_fd = -1;
	}
	LIST_INSERT_HEAD(&context->anonymous, *job, in_context);
	return KERN_SUCCESS;
}

void
job_collect(struct job *job)
{
	struct context *context = job->context;

	if (!job->anonymous || !LIST_EMPTY(&job->services) || job->pin_count > 0)
		return;
	tdelete(job, &job->launchd->anonymous, anonymous_compare);
	LIST_REMOVE(job, in_context);
	if (job->pid_fd >= 0)
		close(job->pid_fd);
	free(job);
	context_collect(context);
}

void
job_anonymous_exited(struct job *job)
{
	struct service *service, *next;

	close(job->pid_fd);
	job->pid_fd = -1;
	job->pin_count++;
	/* a dynamic service lives as long as its port, which may have moved on */
	for (service = LIST_FIRST(&job->services); service; service = next) {
		next = LIST_NEXT(service, in_job);
		if (service->declared || service->pid)
			service_remove(service);
	}
	job->pin_count--;
	job_collect(job);
}

/* ---- managed jobs ---------------------------------------------------------------------- */

/* Labels are unique in a domain: that of a user, or all the rest. */
static bool
same_domain(const struct context *a, const struct context *b)
{
	for (; a->parent && a->kind != CONTEXT_USER; a = a->parent)
		continue;
	for (; b->parent && b->kind != CONTEXT_USER; b = b->parent)
		continue;
	return a == b;
}

struct job *
job_find(struct context *context, const char *label)
{
	struct job *job;

	LIST_FOREACH(job, &context->launchd->jobs, in_all)
	{
		if (strcmp(job->config->label, label) == 0 && same_domain(job->context, context))
			return job;
	}
	return NULL;
}

struct job *
job_find_pid(struct launchd *l, pid_t pid)
{
	struct job *job;

	LIST_FOREACH(job, &l->jobs, in_all)
	{
		if (job->pid == pid)
			return job;
	}
	return NULL;
}

const char *
job_label(const struct job *job, char *buffer, size_t size)
{
	if (!job->anonymous)
		return job->config->label;
	snprintf(buffer, size, "anonymous.%d", (int)job->pid);
	return buffer;
}

static kern_return_t
job_open_port(struct job *job)
{
	mach_port_t port;
	kern_return_t kr = port_new_for_requests(job->launchd, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port_hold(job->launchd, &job->port, port, PORT_ROLE_JOB, job)) {
		port_drop_receive(port);
		return KERN_RESOURCE_SHORTAGE;
	}
	return KERN_SUCCESS;
}

static kern_return_t
job_declare_services(struct job *job)
{
	struct service *service;

	for (size_t i = 0; i < job->config->service_count; i++) {
		const struct job_service_config *wanted = &job->config->services[i];
		if (context_find_service(job->context, wanted->name, 0))
			return BOOTSTRAP_NAME_IN_USE;
		kern_return_t kr = service_declare(job, wanted, &service);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	return KERN_SUCCESS;
}

kern_return_t
job_new(struct context *context, struct job_config *config, uid_t uid, struct job **job)
{
	struct launchd *l = context->launchd;

	if (job_find(context, config->label))
		return BOOTSTRAP_SERVICE_ACTIVE;
	if (!context_has_room(context, l->usage.jobs, context->domain->usage.jobs, JOBS_MAX))
		return BOOTSTRAP_NO_MEMORY;
	struct job *new = calloc(1, sizeof(*new));
	if (!new)
		return BOOTSTRAP_NO_MEMORY;
	job_init(new, context);
	new->config = config;
	new->uid = uid;
	LIST_INSERT_HEAD(&context->jobs, new, in_context);
	LIST_INSERT_HEAD(&l->jobs, new, in_all);
	l->usage.jobs++;
	context->domain->usage.jobs++;

	kern_return_t kr = job_open_port(new);
	if (kr == KERN_SUCCESS)
		kr = job_declare_services(new);
	if (kr == KERN_SUCCESS && paths_watch(new))
		kr = BOOTSTRAP_NO_MEMORY;
	if (kr != KERN_SUCCESS) {
		new->config = NULL; /* still the caller's */
		job_free(new);
		return kr == BOOTSTRAP_NAME_IN_USE ? kr : BOOTSTRAP_NO_MEMORY;
	}
	if (config->start_interval_s)
		new->interval_ns = now_ns() + config->start_interval_s * 1000000000ull;
	*job = new;
	return KERN_SUCCESS;
}

void
job_free(struct job *job)
{
	struct launchd *l = job->launchd;
	struct context *context = job->context;
	mach_port_t port = port_held(&job->port);

	while (!LIST_EMPTY(&job->services))
		service_remove(LIST_FIRST(&job->services));
	paths_unwatch(job);
	port_unhold(l, &job->port);
	if (port != MACH_PORT_NULL)
		port_drop_receive(port);
	LIST_REMOVE(job, in_context);
	LIST_REMOVE(job, in_all);
	l->usage.jobs--;
	context->domain->usage.jobs--;
	answer_kick(job, ECANCELED, "the job was removed");
	answer_removal(job);
	job_config_free(job->config);
	free(job);
	context_collect(context);
}
