/*
 * Contexts: the tree, and the names in each.
 */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launchd.h"

/* ---- names in a context ---------------------------------------------------------------- */

static int
service_compare(const void *a, const void *b)
{
	const struct service *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void **
context_table(struct context *context, pid_t pid)
{
	return pid ? &context->per_pid_services : &context->services;
}

struct service *
context_find_service(struct context *context, const char *name, pid_t pid)
{
	struct service key = { .pid = pid };

	strcpy(key.name, name);
	struct service **found = tfind(&key, context_table(context, pid), service_compare);
	return found ? *found : NULL;
}

struct service *
context_look_up(struct context *context, const char *name, pid_t pid, bool local)
{
	for (; context; context = local ? NULL : context->parent) {
		struct service *service = context_find_service(context, name, pid);
		if (service && service_is_visible(service))
			return service;
	}
	return NULL;
}

int
context_add_service(struct context *context, struct service *service)
{
	if (!tsearch(service, context_table(context, service->pid), service_compare))
		return -ENOMEM;
	service->context = context;
	LIST_INSERT_HEAD(&context->service_list, service, in_context);
	context->launchd->usage.services++;
	context->domain->usage.services++;
	return 0;
}

void
context_remove_service(struct service *service)
{
	struct context *context = service->context;

	tdelete(service, context_table(context, service->pid), service_compare);
	LIST_REMOVE(service, in_context);
	context->launchd->usage.services--;
	context->domain->usage.services--;
}

bool
service_is_visible(const struct service *service)
{
	return service->active || !service->hide_until_check_in;
}

/* ---- the tree -------------------------------------------------------------------------- */

static void
context_set_name(struct context *context)
{
	switch (context->kind) {
	case CONTEXT_ROOT:
		snprintf(context->name, sizeof(context->name), "system");
		break;
	case CONTEXT_USER:
		snprintf(context->name, sizeof(context->name), "user/%u", (unsigned)context->uid);
		break;
	case CONTEXT_SUBSET:
		snprintf(context->name, sizeof(context->name), "subset/%u",
			 ++context->launchd->subset_serial);
		break;
	}
}

struct context *
context_new(struct launchd *l, struct context *parent, enum context_kind kind, uid_t uid)
{
	struct context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	context->launchd = l;
	context->parent = parent;
	context->kind = kind;
	context->domain = kind == CONTEXT_SUBSET ? parent->domain : context;
	context->uid = uid;
	context->depth = parent ? parent->depth + 1 : 0;
	context_set_name(context);
	LIST_INIT(&context->service_list);
	LIST_INIT(&context->children);
	LIST_INIT(&context->jobs);
	LIST_INIT(&context->anonymous);
	if (parent)
		LIST_INSERT_HEAD(&parent->children, context, sibling);
	l->usage.contexts++;
	context->domain->usage.contexts++;
	return context;
}

/* One user must not take away from the others what there is. */
bool
context_has_room(const struct context *context, unsigned all, unsigned count, unsigned max)
{
	return all < max && (context->domain->kind == CONTEXT_ROOT || count < max / USER_SHARE);
}

unsigned
context_count_subsets(const struct context *context, uint32_t made_by)
{
	const struct context *child;
	unsigned count = context->kind == CONTEXT_SUBSET && context->made_by == made_by;

	/* CONTEXT_DEPTH_MAX says how deep this goes */
	LIST_FOREACH(child, &context->children, sibling)
	count += context_count_subsets(child, made_by);
	return count;
}

kern_return_t
context_open(struct context *context)
{
	mach_port_t port;
	kern_return_t kr = port_new_for_requests(context->launchd, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port_hold(context->launchd, &context->port, port, PORT_ROLE_CONTEXT, context)) {
		port_drop_receive(port);
		return KERN_RESOURCE_SHORTAGE;
	}
	return KERN_SUCCESS;
}

/* Close the ports: from here on nobody reaches the context. */
static void
context_close(struct context *context)
{
	struct launchd *l = context->launchd;
	mach_port_t port = port_held(&context->port);
	mach_port_t requestor = port_held(&context->requestor);

	port_unhold(l, &context->port);
	port_unhold(l, &context->requestor);
	if (port != MACH_PORT_NULL)
		port_drop_receive(port);
	if (requestor != MACH_PORT_NULL)
		port_drop_send(requestor);
}

void
context_shut_down(struct context *context)
{
	struct context *child, *next_child;
	struct job *job, *next_job;

	if (context->closing)
		return;
	context->closing = true;
	context->pin_count++; /* what ends below must not take us with it */
	context_close(context);
	for (child = LIST_FIRST(&context->children); child; child = next_child) {
		next_child = LIST_NEXT(child, sibling);
		context_shut_down(child);
	}
	while (!LIST_EMPTY(&context->service_list))
		service_remove(LIST_FIRST(&context->service_list));
	for (job = LIST_FIRST(&context->jobs); job; job = next_job) {
		next_job = LIST_NEXT(job, in_context);
		job_remove(job);
	}
	context->pin_count--;
	context_collect(context);
}

void
context_collect(struct context *context)
{
	struct context *parent = context->parent;

	if (!context->closing || context->pin_count > 0 || !LIST_EMPTY(&context->jobs) ||
	    !LIST_EMPTY(&context->anonymous) || !LIST_EMPTY(&context->children))
		return;
	if (parent)
		LIST_REMOVE(context, sibling);
	context->launchd->usage.contexts--;
	context->domain->usage.contexts--;
	free(context);
	if (parent)
		context_collect(parent);
}

struct context *
context_find_user(struct launchd *l, uid_t uid)
{
	struct context *context;

	LIST_FOREACH(context, &l->root->children, sibling)
	{
		if (context->kind == CONTEXT_USER && context->uid == uid)
			return context;
	}
	return NULL;
}

kern_return_t
context_get_user(struct launchd *l, uid_t uid, struct context **context)
{
	*context = context_find_user(l, uid);
	if (*context)
		return KERN_SUCCESS;
	if (l->usage.contexts >= CONTEXTS_MAX)
		return BOOTSTRAP_NO_MEMORY;
	*context = context_new(l, l->root, CONTEXT_USER, uid);
	if (!*context)
		return BOOTSTRAP_NO_MEMORY;
	if (context_open(*context) != KERN_SUCCESS) {
		context_shut_down(*context);
		*context = NULL;
		return BOOTSTRAP_NO_MEMORY;
	}
	return KERN_SUCCESS;
}
