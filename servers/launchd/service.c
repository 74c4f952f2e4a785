/*
 * Services: from declaring a name to taking it away.  The states are in launchd.h.
 */
#include <stdlib.h>
#include <string.h>

#include "launchd.h"

#define DRAIN_BUFFER_SIZE 4096u

/* A service of @job under @name, entered everywhere, with @port.  NULL: no memory, or
 * enough services. */
static struct service *
service_new(struct job *job, const char *name, pid_t pid, mach_port_t port)
{
	struct launchd *l = job->launchd;

	if (!context_has_room(job->context, l->usage.services, job->context->domain->usage.services,
			      SERVICES_MAX))
		return NULL;
	if (job->anonymous && job->service_count >= SERVICES_PER_ANONYMOUS_MAX)
		return NULL;
	struct service *service = calloc(1, sizeof(*service));
	if (!service)
		return NULL;
	service->job = job;
	service->pid = pid;
	strcpy(service->name, name);
	if (port_hold(l, &service->port, port, PORT_ROLE_SERVICE, service)) {
		free(service);
		return NULL;
	}
	if (context_add_service(job->context, service)) {
		port_unhold(l, &service->port);
		free(service);
		return NULL;
	}
	LIST_INSERT_HEAD(&job->services, service, in_job);
	job->service_count++;
	return service;
}

/* Forget @service, without a look at its rights. */
static void
service_free(struct service *service)
{
	struct job *job = service->job;

	context_remove_service(service);
	port_unhold(job->launchd, &service->port);
	LIST_REMOVE(service, in_job);
	job->service_count--;
	free(service);
	job_collect(job);
}

kern_return_t
service_declare(struct job *job, const struct job_service_config *config, struct service **service)
{
	mach_port_t port;

	if (port_new_for_service(&port) != KERN_SUCCESS)
		return BOOTSTRAP_NO_MEMORY;
	*service = service_new(job, config->name, 0, port);
	if (!*service) {
		port_drop_receive(port);
		port_drop_send(port);
		return BOOTSTRAP_NO_MEMORY;
	}
	(*service)->declared = true;
	(*service)->reset_at_close = config->reset_at_close;
	(*service)->hide_until_check_in = config->hide_until_check_in;
	(*service)->drain = config->drain;
	return KERN_SUCCESS;
}

kern_return_t
service_make(struct job *job, const char *name, pid_t pid, struct service **service)
{
	mach_port_t port;

	if (port_new_for_service(&port) != KERN_SUCCESS)
		return BOOTSTRAP_NO_MEMORY;
	if (port_watch_death(job->launchd, port) == KERN_SUCCESS) {
		*service = service_new(job, name, pid, port);
		if (*service) {
			(*service)->active = true;
			return KERN_SUCCESS;
		}
	}
	port_drop_receive(port);
	port_drop_send(port);
	return BOOTSTRAP_NO_MEMORY;
}

kern_return_t
service_publish(struct job *job, const char *name, pid_t pid, mach_port_t port,
		struct service **service)
{
	if (port_watch_death(job->launchd, port) != KERN_SUCCESS)
		return BOOTSTRAP_NO_MEMORY;
	*service = service_new(job, name, pid, port);
	if (!*service)
		return BOOTSTRAP_NO_MEMORY;
	(*service)->active = true;
	return KERN_SUCCESS;
}

kern_return_t
service_check_in(struct service *service)
{
	kern_return_t kr = port_ask_back(service->job->launchd, port_held(&service->port));

	/* KERN_FAILURE: it has been asked for, by a check-in whose reply never left */
	if (kr != KERN_SUCCESS && kr != KERN_FAILURE)
		return BOOTSTRAP_NO_MEMORY;
	service->active = true;
	service->watched = false; /* a receive right that moves leaves its sets */
	service->drain_pending = false;
	return KERN_SUCCESS;
}

/*
 * Put a new port under the name.  Senders of the old one get dead names.  False: there is
 * no port to be had, and the service is gone.
 */
static bool
service_reset(struct service *service)
{
	struct launchd *l = service->job->launchd;
	mach_port_t old = port_held(&service->port);
	mach_port_t port;

	if (port_new_for_service(&port) != KERN_SUCCESS) {
		log_error("%s: no port to reset it with", service->name);
		service_remove(service);
		return false;
	}
	if (port_hold_instead(l, &service->port, port)) {
		log_error("%s: no memory to reset it", service->name);
		port_drop_receive(port);
		port_drop_send(port);
		service_remove(service);
		return false;
	}
	service->watched = false;
	port_drop_receive(old);
	port_drop_send(old);
	return true;
}

void
service_returned(struct service *service)
{
	struct job *job = service->job;

	service->active = false;
	if (service->reset_at_close && !service_reset(service))
		return;
	if (service->drain != JOB_DRAIN_NONE) {
		/* the end of the server and its port come back in either order */
		if (job->pid != 0)
			service->drain_pending = true;
		else
			service_drain(service, job_crashed(job));
	}
	job_service_returned(job);
}

void
service_drain(struct service *service, bool crashed)
{
	_Alignas(8) char buffer[DRAIN_BUFFER_SIZE];
	mach_msg_header_t *message = (mach_msg_header_t *)(void *)buffer;

	service->drain_pending = false;
	if (!crashed)
		return;
	do {
		kern_return_t kr =
		    mach_msg(message, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(buffer),
			     port_held(&service->port), 0, MACH_PORT_NULL);
		if (kr == MACH_MSG_SUCCESS)
			mach_msg_destroy(message);
		else if (kr != MACH_RCV_TOO_LARGE) /* then the kernel has destroyed it */
			break;
	} while (service->drain == JOB_DRAIN_ALL);
}

void
service_remove(struct service *service)
{
	mach_port_t port = port_held(&service->port);
	bool receives = service->declared && !service->active;

	service_free(service);
	if (receives)
		port_drop_receive(port);
	port_drop_send(port);
}

void
service_watch(struct service *service, bool watch)
{
	struct launchd *l = service->job->launchd;
	mach_port_t port = port_held(&service->port);

	if (service->watched == watch || !service->declared || service->active)
		return;
	kern_return_t kr = watch ? mach_port_insert_member(mach_task_self(), port, l->demand_set)
				 : mach_port_extract_member(mach_task_self(), port, l->demand_set);
	if (kr == KERN_SUCCESS)
		service->watched = watch;
	else
		log_error("%s: cannot %s its port: %s", service->name, watch ? "watch" : "leave",
			  mach_error_string(kr));
}
