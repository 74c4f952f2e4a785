/*
 * The routines of the launch protocol: what `berth launch` steers jobs with, and three for
 * the library and for started jobs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "server.h"

#define REQUEST(type) ((struct type *)(void *)request->in)

/* ---- for the library ------------------------------------------------------------------- */

/* The name server holds the port; whoever declared it may check it in. */
static kern_return_t
serve_create_service(struct request *request)
{
	const struct launch_name_request *in = REQUEST(launch_name_request);
	struct job_service_config config = { .drain = JOB_DRAIN_NONE };
	struct context *context;
	struct job *job;

	if (in->name[0] == '\0')
		return BOOTSTRAP_UNKNOWN_SERVICE;
	kern_return_t kr = request_own_context(request, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	struct service *service = context_find_service(context, in->name, 0);
	if (service && !request_is_from(request, service->job))
		return BOOTSTRAP_NOT_PRIVILEGED;
	if (service && service->active)
		return BOOTSTRAP_SERVICE_ACTIVE;
	if (!service) {
		kr = request_own_job(request, &job);
		if (kr != KERN_SUCCESS)
			return kr;
		memcpy(config.name, in->name, sizeof(config.name));
		kr = service_declare(job, &config, &service);
		if (kr != KERN_SUCCESS) {
			job_collect(job);
			return kr;
		}
		job_update(job);
	}
	reply_with_port(request, port_held(&service->port), MACH_MSG_TYPE_COPY_SEND);
	return KERN_SUCCESS;
}

/*
 * What the calls of Darwin's library would find out by looking the service up and trying to
 * check it in, without the traces that this leaves.
 */
static kern_return_t
serve_status(struct request *request)
{
	const struct launch_name_request *in = REQUEST(launch_name_request);
	struct launch_status_reply *out = (void *)request->out;
	struct service *service = context_look_up(request->context, in->name, 0, false);

	if (!service)
		return BOOTSTRAP_UNKNOWN_SERVICE;
	bool could_check_in = !service->active && service->context == request->context &&
			      request_is_from(request, service->job);
	reply_with_code(request, KERN_SUCCESS);
	out->Head.msgh_size = sizeof(*out);
	out->status = could_check_in ? BOOTSTRAP_STATUS_ON_DEMAND : BOOTSTRAP_STATUS_ACTIVE;
	return KERN_SUCCESS;
}

/* Only the process itself, and only once: the port is what makes it the job. */
static kern_return_t
serve_claim_port(struct request *request)
{
	struct job *job = job_find_pid(request->launchd, (pid_t)request->token.val[5]);

	if (!job || !job->claimable)
		return BOOTSTRAP_NOT_PRIVILEGED;
	job->claimable = false;
	reply_with_port(request, port_held(&job->port), MACH_MSG_TYPE_MAKE_SEND);
	return KERN_SUCCESS;
}

/* ---- answers --------------------------------------------------------------------------- */

/* Answer with @status and @text, malloc()ed (NULL: nothing). */
static kern_return_t
reply_with_data(struct request *request, int status, char *text, size_t size_bytes)
{
	struct launch_reply *out = (void *)request->out;

	reply_complex(request, sizeof(*out), 1);
	reply_put_memory(request, &out->data, 0, text, size_bytes);
	out->NDR = NDR_record;
	out->dataCnt = (mach_msg_type_number_t)size_bytes;
	out->status = status;
	return KERN_SUCCESS;
}

static kern_return_t
reply_with_error(struct request *request, int error, const char *text)
{
	char *copy = strdup(text);

	return reply_with_data(request, error, copy, copy ? strlen(copy) : 0);
}

static kern_return_t
reply_with_report(struct request *request, char *xml)
{
	if (!xml)
		return reply_with_error(request, ENOMEM, "out of memory");
	return reply_with_data(request, 0, xml, strlen(xml));
}

void
launch_answer(mach_port_t reply, mach_msg_type_name_t disposition, mach_msg_id_t request_id,
	      int status, const char *data, size_t size_bytes)
{
	struct launch_reply out = { .NDR = NDR_record, .status = status };

	if (reply == MACH_PORT_NULL)
		return;
	out.Head.msgh_bits = MACH_MSGH_BITS(disposition, 0) | MACH_MSGH_BITS_COMPLEX;
	out.Head.msgh_size = sizeof(out);
	out.Head.msgh_remote_port = reply;
	out.Head.msgh_id = request_id + JOB_REPLY_OFFSET;
	out.msgh_body.msgh_descriptor_count = 1;
	out.data.address = (void *)data;
	out.data.size = (mach_msg_size_t)size_bytes;
	out.data.copy = MACH_MSG_VIRTUAL_COPY;
	out.data.type = MACH_MSG_OOL_DESCRIPTOR;
	out.dataCnt = (mach_msg_type_number_t)size_bytes;
	if (mach_msg(&out.Head, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof(out), 0, MACH_PORT_NULL,
		     0, MACH_PORT_NULL) != MACH_MSG_SUCCESS)
		mach_msg_destroy(&out.Head);
}

void
answer_kick(struct job *job, int error, const char *text)
{
	char *xml = error ? NULL : report_pid(job);
	const char *data = error ? text : xml;
	mach_port_t reply = job->kick_reply;

	job->kick_reply = MACH_PORT_NULL;
	launch_answer(reply, job->kick_disposition, LAUNCH_KICKSTART, error, data,
		      data ? strlen(data) : 0);
	free(xml);
}

void
answer_removal(struct job *job)
{
	mach_port_t reply = job->remove_reply;

	job->remove_reply = MACH_PORT_NULL;
	launch_answer(reply, job->remove_disposition, LAUNCH_REMOVE, 0, NULL, 0);
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
find_job(struct request *request, kern_return_t *answered)
{
	const struct launch_request *in = REQUEST(launch_request);
	struct job *job = job_find(request->context, in->argument);

	if (!job || job->removing) {
		*answered = reply_with_error(request, ESRCH, "no job has that label");
		return NULL;
	}
	if (!may_steer(request, job->context)) {
		*answered = reply_with_error(request, EPERM, "the job is not yours");
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
load_job(struct request *request, struct context *context, FILE *messages)
{
	const struct launch_request *in = REQUEST(launch_request);
	const struct context *user = context_user(context);
	struct job_config *config;
	struct job *job;

	int error =
	    job_config_parse(in->data.address, in->data.size, in->argument, messages, &config);
	if (error)
		return -error;
	if (config->disabled && !(in->flags & LAUNCH_LOAD_ENABLED)) {
		fprintf(messages, "%s: %s is disabled\n", in->argument, config->label);
		job_config_free(config);
		return ECANCELED;
	}
	restrict_user(request->launchd, context, config, in->argument, messages);
	kern_return_t kr = job_new(context, config, user ? user->uid : geteuid(), &job);
	if (kr != KERN_SUCCESS) {
		const char *why = kr == BOOTSTRAP_SERVICE_ACTIVE ? "a job of that label is loaded"
				  : kr == BOOTSTRAP_NAME_IN_USE
				      ? "one of its MachServices is another job's"
				      : "no room for it";
		fprintf(messages, "%s: %s: %s\n", in->argument, config->label, why);
		job_config_free(config);
		return kr == BOOTSTRAP_NO_MEMORY ? ENOMEM : EEXIST;
	}
	job->start_wanted = config->run_at_load;
	job_update(job);
	job_update_dependents(request->launchd);
	return 0;
}

static kern_return_t
serve_load(struct request *request)
{
	const struct launch_request *in = REQUEST(launch_request);
	struct context *context;
	char *text = NULL;
	size_t size_bytes = 0;

	if (request_own_context(request, &context) != KERN_SUCCESS)
		return reply_with_error(request, ENOMEM, "out of memory");
	if (!may_steer(request, context))
		return reply_with_error(request, EPERM,
					"only the owner of this kernel may load jobs");
	if (in->data.size == 0 || in->data.size > LAUNCH_PLIST_MAX)
		return reply_with_error(request, EFBIG, "the property list is empty or too long");
	FILE *messages = open_memstream(&text, &size_bytes);
	if (!messages)
		return reply_with_error(request, ENOMEM, "out of memory");
	int error = load_job(request, context, messages);
	if (fclose(messages) != 0) {
		free(text);
		text = NULL;
		size_bytes = 0;
	}
	return reply_with_data(request, error, text, size_bytes);
}

static kern_return_t
serve_remove(struct request *request)
{
	kern_return_t answered;
	struct job *job = find_job(request, &answered);

	if (!job)
		return answered;
	request_keep_reply(request, &job->remove_reply, &job->remove_disposition);
	job_remove(job);
	return MIG_NO_REPLY;
}

/* ---- start and stop -------------------------------------------------------------------- */

static kern_return_t
serve_start(struct request *request)
{
	kern_return_t answered;
	struct job *job = find_job(request, &answered);

	if (!job)
		return answered;
	if (job->pid == 0) {
		job->start_wanted = job->start_at_once = true;
		job_update(job);
	}
	return reply_with_data(request, 0, NULL, 0);
}

static kern_return_t
serve_stop(struct request *request)
{
	kern_return_t answered;
	struct job *job = find_job(request, &answered);

	if (!job)
		return answered;
	if (job->pid == 0)
		return reply_with_error(request, ESRCH, "it does not run");
	job_stop(job);
	return reply_with_data(request, 0, NULL, 0);
}

static kern_return_t
serve_kickstart(struct request *request)
{
	const struct launch_request *in = REQUEST(launch_request);
	kern_return_t answered;
	struct job *job = find_job(request, &answered);

	if (!job)
		return answered;
	if (job->pid != 0 && !(in->flags & LAUNCH_KICKSTART_KILL))
		return reply_with_report(request, report_pid(job));
	if (job->config->launch_only_once && job->started)
		return reply_with_error(request, EALREADY, "it may run only once, and has");
	if (job->kick_reply != MACH_PORT_NULL)
		return reply_with_error(request, EBUSY, "somebody else is starting it");
	request_keep_reply(request, &job->kick_reply, &job->kick_disposition);
	job->start_wanted = job->start_at_once = true;
	job_stop(job);
	job_update(job);
	return MIG_NO_REPLY;
}

/* ---- looking --------------------------------------------------------------------------- */

static kern_return_t
serve_list(struct request *request)
{
	return reply_with_report(request, report_jobs(request->context));
}

static kern_return_t
serve_print(struct request *request)
{
	struct job *job = job_find(request->context, REQUEST(launch_request)->argument);

	if (!job)
		return reply_with_error(request, ESRCH, "no job has that label");
	return reply_with_report(request, report_job(job));
}

/* ---------------------------------------------------------------------------------------- */

#define STEERING(id, serve)                                                                        \
	{                                                                                          \
		(id), sizeof(struct launch_request), BODY_OOL,                                     \
		    offsetof(struct launch_request, argument), LAUNCH_ARGUMENT_SIZE, (serve)       \
	}
#define NAMING(id, serve)                                                                          \
	{                                                                                          \
		(id), sizeof(struct launch_name_request), BODY_SIMPLE,                             \
		    offsetof(struct launch_name_request, name), JOB_NAME_SIZE, (serve)             \
	}

const struct routine launch_routines[] = {
	STEERING(LAUNCH_LOAD, serve_load),
	STEERING(LAUNCH_REMOVE, serve_remove),
	STEERING(LAUNCH_LIST, serve_list),
	STEERING(LAUNCH_PRINT, serve_print),
	STEERING(LAUNCH_KICKSTART, serve_kickstart),
	STEERING(LAUNCH_START, serve_start),
	STEERING(LAUNCH_STOP, serve_stop),
	{ LAUNCH_CLAIM_PORT, sizeof(struct launch_empty_request), BODY_SIMPLE, 0, 0,
	  serve_claim_port },
	NAMING(LAUNCH_CREATE_SERVICE, serve_create_service),
	NAMING(LAUNCH_STATUS, serve_status),
	{ 0, 0, BODY_SIMPLE, 0, 0, NULL },
};
