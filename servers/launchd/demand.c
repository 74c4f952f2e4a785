/*
 * Demand: the set of ports of jobs that do not run.  A message in one of them starts its
 * job, and stays where it is.
 */
#include <stddef.h>

#include "launchd.h"

kern_return_t
demand_open(struct launchd *l)
{
	return mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &l->demand_set);
}

/*
 * The name of a port of the set in which a message waits; MACH_PORT_NULL: none.  Asking to
 * receive what cannot fit tells the port and leaves the message, at a cost that does not
 * depend on the number of ports.
 */
static mach_port_t
demand_port(struct launchd *l)
{
	mach_msg_header_t head = { .msgh_bits = 0 };
	kern_return_t kr;

	do {
		kr = mach_msg(&head,
			      MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_LARGE |
				  MACH_RCV_LARGE_IDENTITY,
			      0, sizeof(head), l->demand_set, 0, MACH_PORT_NULL);
	} while (kr == MACH_RCV_INTERRUPTED);
	if (kr == MACH_RCV_TOO_LARGE)
		return head.msgh_local_port;
	if (kr != MACH_RCV_TIMED_OUT)
		receive_failed(l, kr);
	return MACH_PORT_NULL;
}

/* The service that holds the receive right of the port @name. */
static struct service *
find_watched(struct launchd *l, mach_port_t name)
{
	struct port_record *record = port_find(l, name);
	struct port_holder *holder;

	if (!record)
		return NULL;
	LIST_FOREACH(holder, &record->holders, link)
	{
		struct service *service = holder->owner;
		if (holder->role == PORT_ROLE_SERVICE && service->watched)
			return service;
	}
	return NULL;
}

void
demand_serve(struct launchd *l)
{
	mach_port_t port;

	while ((port = demand_port(l)) != MACH_PORT_NULL) {
		struct service *service = find_watched(l, port);
		if (!service) {
			log_error("a message waits in a port that no service has");
			mach_port_extract_member(mach_task_self(), port, l->demand_set);
			continue;
		}
		log_debug("%s: a message waits", service->name);
		/* takes all ports of the job out of the set, whether it can start or not */
		job_demand(service->job);
		service_watch(service, false);
	}
}
