/*
 * The routines of the job protocol: who may do what, in the order of bootstrap.md §3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobServer.h"
#include "job_forwardUser.h"
#include "server.h"
#include "words.h"

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

kern_return_t
job_mig_check_in2(mach_port_t bp, const name_t name, mach_port_t *service_port,
		  bootstrap_uuid_t instance, uint64_t flags)
{
	struct service *service;

	kern_return_t kr = check_in_service(request_current(), name, flags, &service);
	if (kr != KERN_SUCCESS)
		return kr;
	*service_port = port_held(&service->port);
	memset(instance, 0, sizeof(bootstrap_uuid_t)); /* no instances: each is the only one */
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

kern_return_t
job_mig_register2(mach_port_t bp, const name_t name, mach_port_t service_port, uint64_t flags)
{
	struct request *request = request_current();
	pid_t pid = service_pid(request, flags);
	struct context *context;
	struct service *service;
	struct job *job;

	if (name[0] == '\0')
		return BOOTSTRAP_UNKNOWN_SERVICE;
	kern_return_t kr = request_own_context(request, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	struct service *old = context_find_service(context, name, pid);
	if (old) {
		kr = register_check(request, old, service_port);
		if (kr != KERN_SUCCESS)
			return kr;
		service_remove(old);
	}
	if (service_port == MACH_PORT_NULL)
		return KERN_SUCCESS;
	if (service_port == MACH_PORT_DEAD)
		return BOOTSTRAP_NO_MEMORY;
	kr = request_own_job(request, &job);
	if (kr != KERN_SUCCESS)
		return kr;
	/* on success the service has the right */
	kr = service_publish(job, name, pid, service_port, &service);
	if (kr != KERN_SUCCESS)
		job_collect(job);
	return kr;
}

/* ---- look up --------------------------------------------------------------------------- */

/*
 * Pass the request on to the name server above, with the client's own reply right: the
 * answer then carries the token of who gave it.
 */
static kern_return_t
forward_look_up(struct request *request, mach_port_t reply_port, const char *name, pid_t pid,
		const unsigned char *instance, uint64_t flags)
{
	kern_return_t kr = request_check_reply(request);

	if (kr != KERN_SUCCESS)
		return kr;
	kr = job_mig_look_up2_forward(request->launchd->parent_port, reply_port, name, pid,
				      instance, flags, 0);
	/* there was no room: the client learns that nobody will answer */
	if (kr == MACH_MSG_SUCCESS || kr == MACH_SEND_TIMED_OUT)
		return MIG_NO_REPLY;
	return BOOTSTRAP_UNKNOWN_SERVICE;
}

kern_return_t
job_mig_look_up2(mach_port_t bp, mach_port_t reply_port, const name_t name,
		 mach_port_t *service_port, pid_t pid, const bootstrap_uuid_t instance,
		 uint64_t flags)
{
	struct request *request = request_current();
	bool local = flags & (BOOTSTRAP_FORCE_LOCAL | BOOTSTRAP_STRICT_LOOKUP);
	bool per_pid = flags & BOOTSTRAP_PER_PID_SERVICE;
	struct context *context = request->context;
	struct service *service = NULL;

	if (flags & BOOTSTRAP_PRIVILEGED_SERVER)
		context = request->launchd->root; /* what a user publishes is not to be trusted */
	/* there are no jobs of several instances */
	if (!(flags & BOOTSTRAP_SPECIFIC_INSTANCE) && (pid != 0 || !per_pid))
		service = context_look_up(context, name, per_pid ? pid : 0, local);
	if (service) {
		*service_port = port_held(&service->port);
		return KERN_SUCCESS;
	}
	if (request->launchd->parent_port != MACH_PORT_NULL && !local)
		return forward_look_up(request, reply_port, name, pid, instance, flags);
	return BOOTSTRAP_UNKNOWN_SERVICE;
}

/* ---- contexts -------------------------------------------------------------------------- */

kern_return_t
job_mig_parent(mach_port_t bp, mach_port_t *parent_port)
{
	struct request *request = request_current();
	struct context *context = request->context;

	if (!is_privileged(request->launchd, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	*parent_port = port_held(context->parent ? &context->parent->port : &context->port);
	return KERN_SUCCESS;
}

kern_return_t
job_mig_get_root_bootstrap(mach_port_t bp, mach_port_t *root_port)
{
	*root_port = port_held(&request_current()->launchd->root->port);
	return KERN_SUCCESS;
}

kern_return_t
job_mig_subset(mach_port_t bp, mach_port_t requestor, mach_port_t *subset_port)
{
	struct request *request = request_current();
	struct launchd *l = request->launchd;
	struct context *parent, *subset;

	if (!MACH_PORT_VALID(requestor))
		return BOOTSTRAP_NOT_PRIVILEGED;
	kern_return_t kr = request_own_context(request, &parent);
	if (kr != KERN_SUCCESS)
		return kr;
	if (parent->depth >= CONTEXT_DEPTH_MAX ||
	    !context_has_room(parent, l->usage.contexts, parent->domain->usage.contexts,
			      CONTEXTS_MAX) ||
	    context_count_subsets(l->root, request->token.val[7]) >= SUBSETS_PER_PROCESS_MAX)
		return BOOTSTRAP_NO_MEMORY;
	if (port_watch_death(l, requestor) != KERN_SUCCESS)
		return BOOTSTRAP_NOT_PRIVILEGED; /* it has died on its way */
	subset = context_new(l, parent, CONTEXT_SUBSET, 0);
	if (!subset)
		return BOOTSTRAP_NO_MEMORY;
	subset->made_by = request->token.val[7];
	/* on success the subset has @requestor */
	if (context_open(subset) != KERN_SUCCESS ||
	    port_hold(l, &subset->requestor, requestor, PORT_ROLE_REQUESTOR, subset)) {
		context_shut_down(subset);
		return BOOTSTRAP_NO_MEMORY;
	}
	*subset_port = port_held(&subset->port);
	return KERN_SUCCESS;
}

kern_return_t
job_mig_lookup_per_user_context(mach_port_t bp, uid_t uid, mach_port_t *context_port)
{
	struct request *request = request_current();
	struct launchd *l = request->launchd;
	uid_t euid = request->token.val[1];
	struct context *context = l->root;

	if (uid == 0)
		uid = euid;
	if (uid != euid && !is_privileged(l, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	if (l->is_system && uid != 0 && uid != l->owner_uid) {
		kern_return_t kr = context_get_user(l, uid, &context);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	*context_port = port_held(&context->port);
	return KERN_SUCCESS;
}

static bootstrap_property_t
context_property(const struct context *context)
{
	return context->kind == CONTEXT_USER ? BOOTSTRAP_PROPERTY_PERUSER
					     : BOOTSTRAP_PROPERTY_EXPLICITSUBSET;
}

/* Arrays of equal length, which go away with the reply. */
struct columns {
	size_t count;
	void *memory[3];
	size_t size_bytes[3];
};

static void
columns_free(struct columns *columns)
{
	for (unsigned i = 0; i < 3; i++)
		mig_deallocate((vm_address_t)columns->memory[i], columns->size_bytes[i]);
}

/* BOOTSTRAP_NO_MEMORY, and there are none. */
static kern_return_t
columns_new(struct columns *columns, size_t count, const size_t element_sizes[3])
{
	*columns = (struct columns){ .count = count };
	for (unsigned i = 0; i < 3; i++) {
		kern_return_t kr = reply_memory(count * element_sizes[i], &columns->memory[i]);
		if (kr != KERN_SUCCESS) {
			columns_free(columns);
			return kr;
		}
		columns->size_bytes[i] = count * element_sizes[i];
	}
	return KERN_SUCCESS;
}

kern_return_t
job_mig_lookup_children(mach_port_t bp, mach_port_array_t *children,
			mach_msg_type_number_t *childrenCnt, name_array_t *names,
			mach_msg_type_number_t *namesCnt, bootstrap_property_array_t *properties,
			mach_msg_type_number_t *propertiesCnt)
{
	static const size_t sizes[] = { sizeof(mach_port_t), sizeof(name_t),
					sizeof(bootstrap_property_t) };
	struct request *request = request_current();
	struct columns columns;
	struct context *child;
	unsigned count = 0, i = 0;

	if (!is_privileged(request->launchd, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	LIST_FOREACH(child, &request->context->children, sibling)
	count += !child->closing;
	if (count == 0)
		return BOOTSTRAP_NO_CHILDREN;
	kern_return_t kr = columns_new(&columns, count, sizes);
	if (kr != KERN_SUCCESS)
		return kr;
	*children = columns.memory[0];
	*names = columns.memory[1];
	*properties = columns.memory[2];
	*childrenCnt = *namesCnt = *propertiesCnt = count;
	LIST_FOREACH(child, &request->context->children, sibling)
	{
		if (child->closing)
			continue;
		(*children)[i] = port_held(&child->port);
		strcpy((*names)[i], child->name);
		(*properties)[i++] = context_property(child);
	}
	return KERN_SUCCESS;
}

/* ---- info ------------------------------------------------------------------------------ */

struct info {
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
	name_t label;
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

kern_return_t
job_mig_info(mach_port_t bp, name_array_t *names, mach_msg_type_number_t *namesCnt,
	     name_array_t *jobs, mach_msg_type_number_t *jobsCnt,
	     bootstrap_status_array_t *statuses, mach_msg_type_number_t *statusesCnt,
	     uint64_t flags)
{
	static const size_t sizes[] = { sizeof(name_t), sizeof(name_t),
					sizeof(bootstrap_status_t) };
	struct context *context = request_current()->context;
	bool local = flags & BOOTSTRAP_FORCE_LOCAL;
	struct info info = { .names = NULL };
	struct columns columns;

	unsigned count = info_collect(context, local, &info);
	kern_return_t kr = columns_new(&columns, count, sizes);
	if (kr != KERN_SUCCESS)
		return kr;
	*names = info.names = columns.memory[0];
	*jobs = info.jobs = columns.memory[1];
	*statuses = info.statuses = columns.memory[2];
	*namesCnt = *jobsCnt = *statusesCnt = count;
	info_collect(context, local, &info);
	return KERN_SUCCESS;
}

/* ---- create_server --------------------------------------------------------------------- */

static kern_return_t
command_config(struct launchd *l, const char *command, bool on_demand, struct job_config **config)
{
	char **words;
	size_t word_count;

	if (words_split(command, &words, &word_count))
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
	if (!on_demand)
		(*config)->keep_alive = JOB_KEEP_ALIVE_ALWAYS;
	return KERN_SUCCESS;
}

kern_return_t
job_mig_create_server(mach_port_t bp, const cmd_t command, uid_t uid, boolean_t on_demand,
		      mach_port_t *server_port)
{
	struct request *request = request_current();
	struct launchd *l = request->launchd;
	struct job_config *config;
	struct context *context;
	struct job *job;

	if (uid != request->token.val[1] && !is_privileged(l, &request->token))
		return BOOTSTRAP_NOT_PRIVILEGED;
	if (uid != geteuid() && geteuid() != 0)
		return BOOTSTRAP_NOT_PRIVILEGED; /* we cannot become somebody else either */
	kern_return_t kr = request_own_context(request, &context);
	if (kr == KERN_SUCCESS)
		kr = command_config(l, command, on_demand, &config);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = job_new(context, config, uid, &job);
	if (kr != KERN_SUCCESS) {
		job_config_free(config);
		return BOOTSTRAP_NO_MEMORY;
	}
	job->legacy = true;
	*server_port = port_held(&job->port);
	port_watch_senders(*server_port, 1);
	job_update(job);
	return KERN_SUCCESS;
}
