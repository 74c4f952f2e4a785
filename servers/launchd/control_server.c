/*
 * The routines of the launch protocol: what `berth launch` steers jobs with, and three for
 * the library and for started jobs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launchServer.h"
#include "launch_replyUser.h"
#include "report.h"
#include "server.h"

/* ---- for the library ------------------------------------------------------------------- */

/* The name server holds the port; whoever declared it may check it in. */
kern_return_t
serve_launch_create_service(mach_port_t bp, const name_t name, mach_port_t *service_port)
{
	struct request *request = request_current();
	struct job_service_config config = { .drain = JOB_DRAIN_NONE };
	struct context *context;
	struct job *job;

	if (name[0] == '\0')
		return BOOTSTRAP_UNKNOWN_SERVICE;
	kern_return_t kr = request_own_context(request, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	struct service *service = context_find_service(context, name, 0);
	if (service && !request_is_from(request, service->job))
		return BOOTSTRAP_NOT_PRIVILEGED;
	if (service && service->active)
		return BOOTSTRAP_SERVICE_ACTIVE;
	if (!service) {
		kr = request_own_job(request, &job);
		if (kr != KERN_SUCCESS)
			return kr;
		strcpy(config.name, name);
		kr = service_declare(job, &config, &service);
		if (kr != KERN_SUCCESS) {
			job_collect(job);
			return kr;
		}
		job_update(job);
	}
	*service_port = port_held(&service->port);
	return KERN_SUCCESS;
}

/*
 * What the calls of Darwin's library would find out by looking the service up and trying to
 * check it in, without the traces that this leaves.
 */
kern_return_t
serve_launch_status(mach_port_t bp, const name_t name, bootstrap_status_t *status)
{
	struct request *request = request_current();
	struct service *service = context_look_up(request->context, name, 0, false);

	if (!service)
		return BOOTSTRAP_UNKNOWN_SERVICE;
	bool could_check_in = !service->active && service->context == request->context &&
			      request_is_from(request, service->job);
	*status = could_check_in ? BOOTSTRAP_STATUS_ON_DEMAND : BOOTSTRAP_STATUS_ACTIVE;
	return KERN_SUCCESS;
}

/* Only the process itself, and only once: the port is what makes it the job. */
kern_return_t
serve_launch_claim_port(mach_port_t bp, mach_port_t *job_port)
{
	struct request *request = request_current();
	struct job *job = job_find_pid(request->launchd, (pid_t)request->token.val[5]);

	if (!job || !job->claimable)
		return BOOTSTRAP_NOT_PRIVILEGED;
	job->claimable = false;
	*job_port = port_held(&job->port);
	return KERN_SUCCESS;
}

/* ---- answers --------------------------------------------------------------------------- */

/* What a request to steer asks, and where its answer goes. */
struct steering {
	struct request *request;
	mach_port_t reply_port;
	const char *data;
	size_t data_size;
	uint32_t flags;
	const char *argument;
	launch_text_t *answer;
	mach_msg_type_number_t *answer_size;
	integer_t *status;
};

/* Answer with @status and @text. */
static kern_return_t
answer_with(struct steering *steering, int status, const char *text, size_t size_bytes)
{
	void *memory;
	kern_return_t kr = reply_memory(size_bytes, &memory);

	if (kr != KERN_SUCCESS)
		return kr;
	if (size_bytes > 0)
		memcpy(memory, text, size_bytes);
	*steering->answer = memory;
	*steering->answer_size = (mach_msg_type_number_t)size_bytes;
	*steering->status = status;
	return KERN_SUCCESS;
}

static kern_return_t
answer_with_nothing(struct steering *steering)
{
	return answer_with(steering, 0, NULL, 0);
}

static kern_return_t
answer_with_error(struct steering *steering, int error, const char *text)
{
	return answer_with(steering, error, text, strlen(text));
}

/* @xml is malloc()ed, and released here; NULL: there was no memory. */
static kern_return_t
answer_with_report(struct steering *steering, char *xml)
{
	if (!xml)
		return answer_with_error(steering, ENOMEM, "out of memory");
	kern_return_t kr = answer_with(steering, 0, xml, strlen(xml));
	free(xml);
	return kr;
}

/* The text of an answer that is given later: the stub only reads it. */
static launch_text_t
later_text(const char *text)
{
	return (launch_text_t)(uintptr_t)text;
}

void
answer_kick(struct job *job, int error, const char *text)
{
	char *xml = error ? NULL : report_pid(job);
	const char *data = error ? text : xml;
	mach_port_t reply = job->kick_reply;

	job->kick_reply = MACH_PORT_NULL;
	if (reply != MACH_PORT_NULL)
		berth_launch_kickstart_reply(reply, KERN_SUCCESS, later_text(data),
					     data ? (mach_msg_type_number_t)strlen(data) : 0, error,
					     0);
	free(xml);
}

void
answer_removal(struct job *job)
{
	mach_port_t reply = job->remove_reply;

	job->remove_reply = MACH_PORT_NULL;
	if (reply != MACH_PORT_NULL)
		berth_launch_remove_reply(reply, KERN_SUCCESS, NULL, 0, 0, 0);
}

/* ---- who may steer --------------------------------------------------------------------- */

/* The user context that @context is or lies in; NULL: it is the root's. */
static const struct context *
context_user(const struct context *context)
{
	for (; context; context = context->parent) {
		if (context->kind == CONTEXT_USER)
			return context;
	}
	return NULL;
}

static bool
may_steer(const struct request *request, const struct context *context)
{
	const struct context *user = context_user(context);

	if (is_privileged(request->launchd, &request->token))
		return true;
	return user && user->uid == request->token.val[1];
}

/* The job that the request names.  NULL: there is none, or it is not the caller's to
 * steer; *@answered is what to return. */
static struct job *
find_job(struct steering *steering, kern_return_t *answered)
{
	struct job *job = job_find(steering->request->context, steering->argument);

	if (!job || job->removing) {
		*answered = answer_with_error(steering, ESRCH, "no job has that label");
		return NULL;
	}
	if (!may_steer(steering->request, job->context)) {
		*answered = answer_with_error(steering, EPERM, "the job is not yours");
		return NULL;
	}
	return job;
}

/* ---- load ------------------------------------------------------------------------------ */

/* Who the job may run as is a matter of where it is loaded. */
static void
restrict_user(const struct launchd *l, const struct context *context, struct job_config *config,
	      const char *path, FILE *messages)
{
	if (!config->user_name && !config->group_name)
		return;
	if (geteuid() == 0 && !context_user(context))
		return;
	fprintf(messages,
		"%s: UserName, GroupName: only root's jobs can be another user's, ignored\n", path);
	free(config->user_name);
	free(config->group_name);
	config->user_name = config->group_name = NULL;
}

static int
load_job(const struct steering *steering, struct context *context, FILE *messages)
{
	const struct context *user = context_user(context);
	struct job_config *config;
	struct job *job;

	int error = job_config_parse(steering->data, steering->data_size, steering->argument,
				     messages, &config);
	if (error)
		return -error;
	if (config->disabled && !(steering->flags & LAUNCH_LOAD_ENABLED)) {
		fprintf(messages, "%s: %s is disabled\n", steering->argument, config->label);
		job_config_free(config);
		return ECANCELED;
	}
	restrict_user(steering->request->launchd, context, config, steering->argument, messages);
	kern_return_t kr = job_new(context, config, user ? user->uid : geteuid(), &job);
	if (kr != KERN_SUCCESS) {
		const char *why = kr == BOOTSTRAP_SERVICE_ACTIVE ? "a job of that label is loaded"
				  : kr == BOOTSTRAP_NAME_IN_USE
				      ? "one of its MachServices is another job's"
				      : "no room for it";
		fprintf(messages, "%s: %s: %s\n", steering->argument, config->label, why);
		job_config_free(config);
		return kr == BOOTSTRAP_NO_MEMORY ? ENOMEM : EEXIST;
	}
	job->start_wanted = config->run_at_load;
	job_update(job);
	job_update_dependents(steering->request->launchd);
	return 0;
}

static kern_return_t
steer_load(struct steering *steering)
{
	struct context *context;
	char *text = NULL;
	size_t size_bytes = 0;

	if (request_own_context(steering->request, &context) != KERN_SUCCESS)
		return answer_with_error(steering, ENOMEM, "out of memory");
	if (!may_steer(steering->request, context))
		return answer_with_error(steering, EPERM,
					 "only the owner of this kernel may load jobs");
	if (steering->data_size == 0 || steering->data_size > LAUNCH_PLIST_MAX)
		return answer_with_error(steering, EFBIG, "the property list is empty or too long");
	FILE *messages = open_memstream(&text, &size_bytes);
	if (!messages)
		return answer_with_error(steering, ENOMEM, "out of memory");
	int error = load_job(steering, context, messages);
	if (fclose(messages) != 0) {
		free(text);
		text = NULL;
		size_bytes = 0;
	}
	kern_return_t kr = answer_with(steering, error, text, size_bytes);
	free(text);
	return kr;
}

static kern_return_t
steer_remove(struct steering *steering)
{
	kern_return_t answered;
	struct job *job = find_job(steering, &answered);

	if (!job)
		return answered;
	kern_return_t kr = request_check_reply(steering->request);
	if (kr != KERN_SUCCESS)
		return kr;
	job->remove_reply = steering->reply_port;
	job_remove(job);
	return MIG_NO_REPLY;
}

/* ---- start and stop -------------------------------------------------------------------- */

static kern_return_t
steer_start(struct steering *steering)
{
	kern_return_t answered;
	struct job *job = find_job(steering, &answered);

	if (!job)
		return answered;
	if (job->pid == 0) {
		job->start_wanted = job->start_at_once = true;
		job_update(job);
	}
	return answer_with_nothing(steering);
}

static kern_return_t
steer_stop(struct steering *steering)
{
	kern_return_t answered;
	struct job *job = find_job(steering, &answered);

	if (!job)
		return answered;
	if (job->pid == 0)
		return answer_with_error(steering, ESRCH, "it does not run");
	job_stop(job);
	return answer_with_nothing(steering);
}

static kern_return_t
steer_kickstart(struct steering *steering)
{
	kern_return_t answered;
	struct job *job = find_job(steering, &answered);

	if (!job)
		return answered;
	if (job->pid != 0 && !(steering->flags & LAUNCH_KICKSTART_KILL))
		return answer_with_report(steering, report_pid(job));
	if (job->config->launch_only_once && job->started)
		return answer_with_error(steering, EALREADY, "it may run only once, and has");
	if (job->kick_reply != MACH_PORT_NULL)
		return answer_with_error(steering, EBUSY, "somebody else is starting it");
	kern_return_t kr = request_check_reply(steering->request);
	if (kr != KERN_SUCCESS)
		return kr;
	job->kick_reply = steering->reply_port;
	job->start_wanted = job->start_at_once = true;
	job_stop(job);
	job_update(job);
	return MIG_NO_REPLY;
}

/* ---- looking --------------------------------------------------------------------------- */

static kern_return_t
steer_list(struct steering *steering)
{
	return answer_with_report(steering, report_jobs(steering->request->context));
}

static kern_return_t
steer_print(struct steering *steering)
{
	struct job *job = job_find(steering->request->context, steering->argument);

	if (!job)
		return answer_with_error(steering, ESRCH, "no job has that label");
	return answer_with_report(steering, report_job(job));
}

/* ---------------------------------------------------------------------------------------- */

#define STEERING(name, serve)                                                                      \
	kern_return_t name(mach_port_t bp, mach_port_t reply_port, launch_data_t data,             \
			   mach_msg_type_number_t dataCnt, uint32_t flags,                         \
			   const launch_argument_t argument, launch_text_t *answer,                \
			   mach_msg_type_number_t *answerCnt, integer_t *status)                   \
	{                                                                                          \
		struct steering steering = { .request = request_current(),                         \
					     .reply_port = reply_port,                             \
					     .data = data,                                         \
					     .data_size = dataCnt,                                 \
					     .flags = flags,                                       \
					     .argument = argument,                                 \
					     .answer = answer,                                     \
					     .answer_size = answerCnt,                             \
					     .status = status };                                   \
                                                                                                   \
		return serve(&steering);                                                           \
	}

STEERING(serve_launch_load, steer_load)
STEERING(serve_launch_remove, steer_remove)
STEERING(serve_launch_list, steer_list)
STEERING(serve_launch_print, steer_print)
STEERING(serve_launch_kickstart, steer_kickstart)
STEERING(serve_launch_start, steer_start)
STEERING(serve_launch_stop, steer_stop)
