/*
 * The routines of the job protocol: who may do what, in the order of bootstrap.md §3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"
#include "words.h"

#define REQUEST(type) ((struct type *)(void *)request->in)

/* ---- check in, register ---------------------------------------------------------------- */

static pid_t
service_pid(const struct request *request, uint64_t flags)
{
	return flags & BOOTSTRAP_PER_PID_SERVICE ? (pid_t)request->token.val[5] : 0;
}

/* The service that a check-in gets, declared or made for it. */
static kern_return_t
check_in_service(struct request *request, const char *name, uint64_t flags,
		 struct service **service)
{
	struct context *context;
	struct job *job;
	pid_t pid = service_pid(request, flags);

	if (name[0] == '\0')
		return BOOTSTRAP_UNKNOWN_SERVICE;
	kern_return_t kr = request_own_context(request, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	*service = context_find_service(context, name, pid);
	if (*service) {
		if (!request_is_from(request, (*service)->job))
			return BOOTSTRAP_NOT_PRIVILEGED;
		return (*service)->active ? BOOTSTRAP_SERVICE_ACTIVE : service_check_in(*service);
	}
	if (flags & BOOTSTRAP_STRICT_CHECKIN)
		return BOOTSTRAP_UNKNOWN_SERVICE;
	kr = request_own_job(request, &job);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = service_make(job, name, pid, service);
	if (kr != KERN_SUCCESS)
		job_collect(job);
	return kr;
}

static kern_return_t
serve_check_in(struct request *request)
{
	const struct job_check_in_request *in = REQUEST(job_check_in_request);
	struct job_check_in_reply *out = (void *)request->out;
	struct service *service;

	kern_return_t kr = check_in_service(request, in->name, in->flags, &service);
	if (kr != KERN_SUCCESS)
		return kr;
	reply_with_port(request, port_held(&service->port), MACH_MSG_TYPE_MOVE_RECEIVE);
	out->Head.msgh_size = sizeof(*out);
	out->NDR = NDR_record;
	memset(out->uuid, 0, sizeof(out->uuid)); /* no instances: each is the only one */
	return KERN_SUCCESS;
}

static kern_return_t
register_check(const struct request *request, const struct service *old, mach_port_t port)
{
	if (!request_is_from(request, old->job))
		return BOOTSTRAP_NOT_PRIVILEGED;
	/* a dynamic service may be withdrawn while it is served, or there were no way to */
	if (old->active && (old->declared || port != MACH_PORT_NULL))
		return BOOTSTRAP_SERVICE_ACTIVE;
	if (old->declared && port != MACH_PORT_NULL)
		return BOOTSTRAP_NOT_PRIVILEGED;
	return KERN_SUCCESS;
}

static kern_return_t
serve_register(struct request *request)
{
	struct job_register_request *in = REQUEST(job_register_request);
	pid_t pid = service_pid(request, in->flags);
	mach_port_t port = in->port.name;
	struct context *context;
	struct service *service;
	struct job *job;

	if (in->name[0] == '\0')
		return BOOTSTRAP_UNKNOWN_SERVICE;
	kern_return_t kr = request_own_context(request, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	struct service *old = context_find_service(context, in->name, pid);
	if (old) {
		kr = register_check(request, old, port);
		if (kr != KERN_SUCCESS)
			return kr;
		service_remove(old);
	}
	if (port == MACH_PORT_NULL) {
		reply_with_code(request, KERN_SUCCESS);
		return KERN_SUCCESS;
	}
	if (port == MACH_PORT_DEAD)
		return BOOTSTRAP_NO_MEMORY;
	kr = request_own_job(request, &job);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = service_publish(job, in->name, pid, port, &service);
	if (kr != KERN_SUCCESS) {
		job_collect(job);
		return kr;
	}
	in->port.name = MACH_PORT_NULL; /* the service has it */
	reply_with_code(request, KERN_SUCCESS);
	return KERN_SUCCESS;
}

/* ---- look up --------------------------------------------------------------------------- */

/*
 * Pass the request on to the name server above, with the client's own reply right: the
 * answer then carries the token of who gave it.
 */
static kern_return_t
forward_look_up(struct request *request)
{
	struct job_look_up_request forward = *REQUEST(job_look_up_request);
	mach_msg_type_name_t disposition;
	mach_port_t reply;

	request_keep_reply(request, &reply, &disposition);
	forward.Head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, disposition);
	forward.Head.msgh_remote_port = request->launchd->parent_port;
	forward.Head.msgh_local_port = reply;
	forward.Head.msgh_voucher_port = MACH_PORT_NULL;
	kern_return_t kr = mach_msg(&forward.Head, MACH_SEND_MSG | MACH_SEND_TIMEOUT,
				    sizeof(forward), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
	if (kr == MACH_MSG_SUCCESS)
		return MIG_NO_REPLY;

	/* the reply right is back where it was, or, if the queue was full, in `forward` */
	if (kr == MACH_SEND_TIMED_OUT) {
		reply = forward.Head.msgh_local_port;
		disposition = MACH_MSGH_BITS_LOCAL(forward.Head.msgh_bits);
		mach_msg_destroy(&forward.Head);
	}
	request->in->msgh_remote_port = reply;
	request->in->msgh_bits =
	    MACH_MSGH_BITS(disposition, MACH_MSGH_BITS_LOCAL(request->in->msgh_bits));
	return kr == MACH_SEND_TIMED_OUT ? BOOTSTRAP_NO_MEMORY : BOOTSTRAP_UNKNOWN_SERVICE;
}

static kern_return_t
serve_look_up(struct request *request)
{
	const struct job_look_up_request *in = REQUEST(job_look_up_request);
	bool local = in->flags & (BOOTSTRAP_FORCE_LOCAL | BOOTSTRAP_STRICT_LOOKUP);
	struct context *context = request->context;
	struct service *service = NULL;

	if (in->flags & BOOTSTRAP_PRIVILEGED_SERVER)
		context = request->launchd->root; /* what a user publishes is not to be trusted */
	/* there are no jobs of several instances */
	if (!(in->flags & BOOTSTRAP_SPECIFIC_INSTANCE)) {
		pid_t pid = in->flags & BOOTSTRAP_PER_PID_SERVICE ? in->pid : 0;
		if (pid != 0 || !(in->flags & BOOTSTRAP_PER_PID_SERVICE))
			service = context_look_up(context, in->name, pid, local);
	}
	if (service) {
		reply_with_port(request, port_held(&service->port), MACH_MSG_TYPE_COPY_SEND);
		return KERN_SUCCESS;
	}
	if (request->launchd->parent_port != MACH_PORT_NULL && !local)
		return forward_look_up(request);
	return BOOTSTRAP_UNKNOWN_SERVICE;
}

/* ---- contexts -------------------------------------------------------------------------- */

static kern_return_t
reply_with_context(struct request *request, const struct context *context)
{
	reply_with_port(request, port_held(&context->port), MACH_MSG_TYPE_MAKE_SEND);
	return KERN_SUCCESS;
}

static kern_return_t
serve_parent(struct request *request)
{
	struct context *context = request->context;

	if (!is_privileged(request->launchd, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	return reply_with_context(request, context->parent ? context->parent : context);
}

static kern_return_t
serve_get_root(struct request *request)
{
	return reply_with_context(request, request->launchd->root);
}

static kern_return_t
serve_subset(struct request *request)
{
	struct job_subset_request *in = REQUEST(job_subset_request);
	struct launchd *l = request->launchd;
	mach_port_t requestor = in->requestor.name;
	struct context *parent, *subset;

	if (!MACH_PORT_VALID(requestor))
		return BOOTSTRAP_NOT_PRIVILEGED;
	kern_return_t kr = request_own_context(request, &parent);
	if (kr != KERN_SUCCESS)
		return kr;
	if (parent->depth >= CONTEXT_DEPTH_MAX ||
	    !context_has_room(parent, l->usage.contexts, parent->domain->usage.contexts,
			      CONTEXTS_MAX))
		return BOOTSTRAP_NO_MEMORY;
	if (port_watch_death(l, requestor) != KERN_SUCCESS)
		return BOOTSTRAP_NOT_PRIVILEGED; /* it has died on its way */
	subset = context_new(l, parent, CONTEXT_SUBSET, 0);
	if (!subset)
		return BOOTSTRAP_NO_MEMORY;
	if (context_open(subset) != KERN_SUCCESS ||
	    port_hold(l, &subset->requestor, requestor, PORT_ROLE_REQUESTOR, subset)) {
		context_shut_down(subset);
		return BOOTSTRAP_NO_MEMORY;
	}
	in->requestor.name = MACH_PORT_NULL; /* the subset has it */
	return reply_with_context(request, subset);
}

static kern_return_t
serve_per_user_context(struct request *request)
{
	struct launchd *l = request->launchd;
	uid_t euid = request->token.val[1];
	uid_t uid = REQUEST(job_per_user_request)->uid;
	struct context *context;

	if (uid == 0)
		uid = euid;
	if (uid != euid && !is_privileged(l, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	if (!l->is_system || uid == 0 || uid == l->owner_uid)
		return reply_with_context(request, l->root);
	kern_return_t kr = context_get_user(l, uid, &context);
	return kr == KERN_SUCCESS ? reply_with_context(request, context) : kr;
}

static bootstrap_property_t
context_property(const struct context *context)
{
	return context->kind == CONTEXT_USER ? BOOTSTRAP_PROPERTY_PERUSER
					     : BOOTSTRAP_PROPERTY_EXPLICITSUBSET;
}

static kern_return_t
serve_lookup_children(struct request *request)
{
	struct job_children_reply *out = (void *)request->out;
	struct context *child;
	unsigned count = 0, i = 0;

	if (!is_privileged(request->launchd, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	LIST_FOREACH(child, &request->context->children, sibling)
	count += !child->closing;
	if (count == 0)
		return BOOTSTRAP_NO_CHILDREN;

	mach_port_t *ports = calloc(count, sizeof(*ports));
	name_t *names = calloc(count, sizeof(*names));
	bootstrap_property_t *properties = calloc(count, sizeof(*properties));
	if (!ports || !names || !properties) {
		free(ports);
		free(names);
		free(properties);
		return BOOTSTRAP_NO_MEMORY;
	}
	LIST_FOREACH(child, &request->context->children, sibling)
	{
		if (child->closing)
			continue;
		ports[i] = port_held(&child->port);
		strcpy(names[i], child->name);
		properties[i++] = context_property(child);
	}
	reply_complex(request, sizeof(*out), 3);
	out->ports.address = ports;
	out->ports.count = count;
	out->ports.copy = MACH_MSG_VIRTUAL_COPY;
	out->ports.disposition = MACH_MSG_TYPE_MAKE_SEND;
	out->ports.type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
	request->out_memory[0] = ports;
	reply_put_memory(request, &out->names, 1, names, count * sizeof(*names));
	reply_put_memory(request, &out->properties, 2, properties, count * sizeof(*properties));
	out->NDR = NDR_record;
	out->portsCnt = out->namesCnt = out->propertiesCnt = count;
	return KERN_SUCCESS;
}

/* ---- info ------------------------------------------------------------------------------ */

struct info {
	unsigned count;
	name_t *names, *jobs;
	bootstrap_status_t *statuses;
};

static bootstrap_status_t
service_status(const struct service *service)
{
	if (service->active)
		return BOOTSTRAP_STATUS_ACTIVE;
	/* nothing starts the process that another one declared it for */
	return service->job->anonymous ? BOOTSTRAP_STATUS_INACTIVE : BOOTSTRAP_STATUS_ON_DEMAND;
}

/* Count the services that a look-up from @context could see; with memory in @info, tell. */
static unsigned
info_collect(struct context *context, bool local, struct info *info)
{
	struct service *service;
	char label[JOB_NAME_SIZE];
	unsigned count = 0;

	for (; context; context = local ? NULL : context->parent) {
		LIST_FOREACH(service, &context->service_list, in_context)
		{
			if (service->pid || !service_is_visible(service))
				continue;
			if (info->names) {
				strcpy(info->names[count], service->name);
				snprintf(info->jobs[count], sizeof(name_t), "%s",
					 job_label(service->job, label, sizeof(label)));
				info->statuses[count] = service_status(service);
			}
			count++;
		}
	}
	return count;
}

static kern_return_t
serve_info(struct request *request)
{
	struct job_info_reply *out = (void *)request->out;
	bool local = REQUEST(job_info_request)->flags & BOOTSTRAP_FORCE_LOCAL;
	struct info info = { .count = 0 };

	info.count = info_collect(request->context, local, &info);
	size_t room = info.count ? info.count : 1;
	info.names = calloc(room, sizeof(*info.names));
	info.jobs = calloc(room, sizeof(*info.jobs));
	info.statuses = calloc(room, sizeof(*info.statuses));
	if (!info.names || !info.jobs || !info.statuses) {
		free(info.names);
		free(info.jobs);
		free(info.statuses);
		return BOOTSTRAP_NO_MEMORY;
	}
	info_collect(request->context, local, &info);
	reply_complex(request, sizeof(*out), 3);
	reply_put_memory(request, &out->names, 0, info.names, info.count * sizeof(*info.names));
	reply_put_memory(request, &out->jobs, 1, info.jobs, info.count * sizeof(*info.jobs));
	reply_put_memory(request, &out->statuses, 2, info.statuses,
			 info.count * sizeof(*info.statuses));
	out->NDR = NDR_record;
	out->namesCnt = out->jobsCnt = out->statusesCnt = info.count;
	return KERN_SUCCESS;
}

/* ---- create_server --------------------------------------------------------------------- */

static kern_return_t
command_config(struct launchd *l, const struct job_create_server_request *in,
	       struct job_config **config)
{
	char **words;
	size_t word_count;

	if (words_split(in->command, &words, &word_count))
		return BOOTSTRAP_NO_MEMORY; /* the protocol has no better word for it */
	*config = job_config_new();
	char *label = NULL;
	if (!*config || asprintf(&label, "mach_init.%u.%.64s", ++l->legacy_serial, words[0]) < 0) {
		job_config_free(*config);
		words_free(words);
		return BOOTSTRAP_NO_MEMORY;
	}
	(*config)->label = label;
	(*config)->arguments.items = words;
	(*config)->arguments.count = word_count;
	if (!in->on_demand)
		(*config)->keep_alive = JOB_KEEP_ALIVE_ALWAYS;
	return KERN_SUCCESS;
}

static kern_return_t
serve_create_server(struct request *request)
{
	const struct job_create_server_request *in = REQUEST(job_create_server_request);
	struct launchd *l = request->launchd;
	struct job_config *config;
	struct context *context;
	struct job *job;

	if (in->uid != request->token.val[1] && !is_privileged(l, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	if (in->uid != geteuid() && geteuid() != 0)
		return BOOTSTRAP_NOT_PRIVILEGED; /* we cannot become somebody else either */
	kern_return_t kr = request_own_context(request, &context);
	if (kr == KERN_SUCCESS)
		kr = command_config(l, in, &config);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = job_new(context, config, in->uid, &job);
	if (kr != KERN_SUCCESS) {
		job_config_free(config);
		return BOOTSTRAP_NO_MEMORY;
	}
	job->legacy = true;
	reply_with_port(request, port_held(&job->port), MACH_MSG_TYPE_MAKE_SEND);
	port_watch_senders(port_held(&job->port), 1);
	job_update(job);
	return KERN_SUCCESS;
}

/* ---------------------------------------------------------------------------------------- */

#define TEXT(type, field) offsetof(struct type, field), sizeof(((const struct type *)0)->field)
#define SIZE(type) sizeof(struct type)

const struct routine job_routines[] = {
	{ JOB_CREATE_SERVER, SIZE(job_create_server_request), BODY_SIMPLE,
	  TEXT(job_create_server_request, command), serve_create_server },
	{ JOB_CHECK_IN, SIZE(job_check_in_request), BODY_SIMPLE, TEXT(job_check_in_request, name),
	  serve_check_in },
	{ JOB_REGISTER, SIZE(job_register_request), BODY_PORT, TEXT(job_register_request, name),
	  serve_register },
	{ JOB_LOOK_UP, SIZE(job_look_up_request), BODY_SIMPLE, TEXT(job_look_up_request, name),
	  serve_look_up },
	{ JOB_PARENT, SIZE(job_empty_request), BODY_SIMPLE, 0, 0, serve_parent },
	{ JOB_INFO, SIZE(job_info_request), BODY_SIMPLE, 0, 0, serve_info },
	{ JOB_SUBSET, SIZE(job_subset_request), BODY_PORT, 0, 0, serve_subset },
	{ JOB_LOOKUP_PER_USER_CONTEXT, SIZE(job_per_user_request), BODY_SIMPLE, 0, 0,
	  serve_per_user_context },
	{ JOB_LOOKUP_CHILDREN, SIZE(job_empty_request), BODY_SIMPLE, 0, 0, serve_lookup_children },
	{ JOB_GET_ROOT_BOOTSTRAP, SIZE(job_empty_request), BODY_SIMPLE, 0, 0, serve_get_root },
	{ 0, 0, BODY_SIMPLE, 0, 0, NULL },
};
