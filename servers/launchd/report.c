#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <plist/plist.h>

/* The text of @plist, which is released. */
static char *
report_text(plist_t plist)
{
	char *xml = NULL, *copy = NULL;
	uint32_t size = 0;

	if (!plist)
		return NULL;
	plist_to_xml(plist, &xml, &size);
	plist_free(plist);
	if (xml)
		copy = strndup(xml, size);
	plist_to_xml_free(xml);
	return copy;
}

/* As a shell has it, but a signal is negative. */
static int
exit_number(const struct job *job)
{
	return WIFSIGNALED(job->exit_status) ? -WTERMSIG(job->exit_status)
					     : WEXITSTATUS(job->exit_status);
}

static void
put_number(plist_t dict, const char *key, int64_t number)
{
	plist_dict_set_item(dict, key, plist_new_uint((uint64_t)number));
}

static plist_t
job_row(const struct job *job)
{
	plist_t row = plist_new_dict();

	plist_dict_set_item(row, "Label", plist_new_string(job->config->label));
	if (job->pid)
		put_number(row, "PID", job->pid);
	if (job->exited) /* text: property lists of some readers know no negative numbers */
	{
		char text[16];
		snprintf(text, sizeof(text), "%d", exit_number(job));
		plist_dict_set_item(row, "LastExitStatus", plist_new_string(text));
	}
	return row;
}

char *
report_jobs(struct context *context)
{
	plist_t rows = plist_new_array();
	struct job *job;

	LIST_FOREACH(job, &context->launchd->jobs, in_all)
	{
		if (job_find(context, job->config->label) == job)
			plist_array_append_item(rows, job_row(job));
	}
	return report_text(rows);
}

static const char *
job_state(const struct job *job)
{
	if (job->removing)
		return "being removed";
	if (job->pid)
		return job->stopping ? "stopping" : "running";
	if (job->start_at_ns)
		return "throttled";
	if (job->settle_ns)
		return "ending";
	return "waiting";
}

static const char *
service_state(const struct service *service)
{
	if (service->active)
		return "active";
	return service->hide_until_check_in ? "hidden" : "on demand";
}

char *
report_job(struct job *job)
{
	plist_t dict = job_row(job);
	plist_t services = plist_new_dict();
	plist_t arguments = plist_new_array();
	const struct job_config *config = job->config;
	struct service *service;

	plist_dict_set_item(dict, "State", plist_new_string(job_state(job)));
	plist_dict_set_item(dict, "Context", plist_new_string(job->context->name));
	plist_dict_set_item(dict, "OnDemand",
			    plist_new_bool(config->keep_alive == JOB_KEEP_ALIVE_NEVER));
	put_number(dict, "ThrottleInterval", config->throttle_s);
	put_number(dict, "ExitTimeOut", config->exit_timeout_s);
	if (config->program)
		plist_dict_set_item(dict, "Program", plist_new_string(config->program));
	for (size_t i = 0; i < config->arguments.count; i++)
		plist_array_append_item(arguments, plist_new_string(config->arguments.items[i]));
	plist_dict_set_item(dict, "ProgramArguments", arguments);
	LIST_FOREACH(service, &job->services, in_job)
	plist_dict_set_item(services, service->name, plist_new_string(service_state(service)));
	plist_dict_set_item(dict, "MachServices", services);
	return report_text(dict);
}

char *
report_pid(const struct job *job)
{
	plist_t dict = plist_new_dict();

	put_number(dict, "PID", job->pid);
	return report_text(dict);
}
