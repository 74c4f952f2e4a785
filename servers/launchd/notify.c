/*
 * The kernel's notifications: ports that came back, names that died.
 *
 * Anybody could send here what looks like one, if he had a right to the port: nobody has,
 * all that ever left are send-once rights that the kernel holds.  Its token is checked all
 * the same.
 */
#include "launchd.h"

#include <stdlib.h>
#include <string.h>

#define RECEIVE_OPTIONS                                                                            \
	(MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |      \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

union notification {
	mach_msg_header_t head;
	mach_port_destroyed_notification_t destroyed;
	mach_dead_name_notification_t dead;
	char room[256];
};

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
is_from_kernel(const union notification *message)
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

static void
notify_handle(struct launchd *l, union notification *message)
{
	switch (message->head.msgh_id) {
	case MACH_NOTIFY_PORT_DESTROYED:
		port_came_back(l, message->destroyed.not_port.name);
		break;
	case MACH_NOTIFY_DEAD_NAME:
		name_died(l, message->dead.not_port);
		break;
	default:
		break; /* PORT_DELETED, SEND_ONCE: what we gave up ourselves */
	}
}

void
notify_serve(struct launchd *l)
{
	union notification message;

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
			notify_handle(l, &message);
		else
			mach_msg_destroy(&message.head);
	}
}
