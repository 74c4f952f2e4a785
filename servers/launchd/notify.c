/*
 * The kernel's notifications: ports that came back, names that died, ports without senders.
 *
 * Anybody could send here what looks like one, if he had a right to the port: nobody has,
 * all that ever left are send-once rights that the kernel holds.  Its token is checked all
 * the same.  notify_server(), which mig made, calls the functions do_mach_notify_X().
 */
#include "launchd.h"

#include <stdlib.h>
#include <string.h>

#include "notifyServer.h"

#define RECEIVE_OPTIONS                                                                            \
	(MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |      \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

/* With the largest trailer. */
struct notification {
	union {
		mach_msg_header_t head;
		union __RequestUnion__do_notify_subsystem request;
	};
	mach_msg_max_trailer_t trailer;
};

/* Whose notification is being served. */
static struct launchd *serving;

kern_return_t
notify_open(struct launchd *l)
{
	return mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &l->notify_port);
}

bool
is_kernel(const audit_token_t *token)
{
	static const audit_token_t kernel; /* all zeroes */

	return memcmp(token, &kernel, sizeof(kernel)) == 0;
}

static bool
is_from_kernel(const struct notification *message)
{
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)((const char *)message + round_msg(message->head.msgh_size));

	return trailer->msgh_trailer_type == MACH_MSG_TRAILER_FORMAT_0 &&
	       trailer->msgh_trailer_size >= sizeof(*trailer) && is_kernel(&trailer->msgh_audit);
}

/* The service that misses the receive right of the port @name. */
static struct service *
find_owner(struct launchd *l, mach_port_t name)
{
	struct port_record *record = port_find(l, name);
	struct port_holder *holder;

	if (!record)
		return NULL;
	LIST_FOREACH(holder, &record->holders, link)
	{
		struct service *service = holder->owner;
		if (holder->role == PORT_ROLE_SERVICE && service->declared && service->active)
			return service;
	}
	return NULL;
}

static void
port_came_back(struct launchd *l, mach_port_t name)
{
	if (!MACH_PORT_VALID(name))
		return;
	struct service *service = find_owner(l, name);
	if (service)
		service_returned(service);
	else /* of a service that was removed meanwhile */
		port_drop_receive(name);
}

/* Take away one thing that lived from @record's port; false: nothing did. */
static bool
mourn(struct port_record *record)
{
	struct port_holder *holder;

	LIST_FOREACH(holder, &record->holders, link)
	{
		switch (holder->role) {
		case PORT_ROLE_SERVICE:
			service_remove(holder->owner);
			return true;
		case PORT_ROLE_REQUESTOR:
			context_shut_down(holder->owner);
			return true;
		case PORT_ROLE_CONTEXT:
		case PORT_ROLE_JOB:
			break; /* only we can destroy those */
		}
	}
	return false;
}

static void
name_died(struct launchd *l, mach_port_t name)
{
	struct port_record *record;

	do {
		record = port_find(l, name);
	} while (record && mourn(record));
	port_drop_send(name); /* the reference that came with the notification */
}

/* ---- what mig's stubs call ------------------------------------------------------------- */

kern_return_t
do_mach_notify_port_destroyed(mach_port_t notify, mach_port_t rights)
{
	port_came_back(serving, rights);
	return KERN_SUCCESS;
}

kern_return_t
do_mach_notify_dead_name(mach_port_t notify, mach_port_name_t name)
{
	name_died(serving, name);
	return KERN_SUCCESS;
}

/* Only ports of jobs ask for it, and it comes to them. */
kern_return_t
do_mach_notify_no_senders(mach_port_t notify, mach_port_mscount_t mscount)
{
	struct job *job = port_find_owner(serving, notify, PORT_ROLE_JOB);

	if (job)
		job_senders_gone(job);
	return KERN_SUCCESS;
}

/* The other two tell of what we gave up ourselves. */

kern_return_t
do_mach_notify_port_deleted(mach_port_t notify, mach_port_name_t name)
{
	return KERN_SUCCESS;
}

kern_return_t
do_mach_notify_send_once(mach_port_t notify)
{
	return KERN_SUCCESS;
}

/* ---- receiving ------------------------------------------------------------------------- */

void
notify_take(struct launchd *l, mach_msg_header_t *message)
{
	union {
		mach_msg_header_t head;
		mig_reply_error_t error;
	} reply; /* for nobody */

	serving = l;
	notify_server(message, &reply.head);
	serving = NULL;
	if (reply.error.RetCode != KERN_SUCCESS)
		mach_msg_destroy(message);
}

void
notify_serve(struct launchd *l)
{
	struct notification message;

	for (;;) {
		kern_return_t kr = mach_msg(&message.head, RECEIVE_OPTIONS, 0, sizeof(message),
					    l->notify_port, 0, MACH_PORT_NULL);
		if (kr == MACH_RCV_INTERRUPTED)
			continue;
		if (kr != MACH_MSG_SUCCESS) {
			if (kr != MACH_RCV_TIMED_OUT)
				receive_failed(l, kr);
			return;
		}
		if (is_from_kernel(&message))
			notify_take(l, &message.head);
		else
			mach_msg_destroy(&message.head);
	}
}
