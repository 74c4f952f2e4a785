/*
 * Ports: what each name means, and the few calls on rights that the server makes.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "launchd.h"

/* ---- names ----------------------------------------------------------------------------- */

static int
record_compare(const void *a, const void *b)
{
	const struct port_record *left = a, *right = b;

	return (left->name > right->name) - (left->name < right->name);
}

struct port_record *
port_find(struct launchd *l, mach_port_t name)
{
	struct port_record key = { .name = name };
	struct port_record **found = tfind(&key, &l->ports, record_compare);

	return found ? *found : NULL;
}

void *
port_find_owner(struct launchd *l, mach_port_t name, enum port_role role)
{
	struct port_record *record = port_find(l, name);
	struct port_holder *holder;

	if (!record)
		return NULL;
	LIST_FOREACH(holder, &record->holders, link)
	{
		if (holder->role == role)
			return holder->owner;
	}
	return NULL;
}

static struct port_record *
record_get(struct launchd *l, mach_port_t name)
{
	struct port_record *record = port_find(l, name);

	if (record)
		return record;
	record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	record->name = name;
	LIST_INIT(&record->holders);
	if (!tsearch(record, &l->ports, record_compare)) {
		free(record);
		return NULL;
	}
	return record;
}

int
port_hold(struct launchd *l, struct port_holder *holder, mach_port_t name, enum port_role role,
	  void *owner)
{
	struct port_record *record = record_get(l, name);

	if (!record)
		return -ENOMEM;
	*holder = (struct port_holder){ .record = record, .role = role, .owner = owner };
	LIST_INSERT_HEAD(&record->holders, holder, link);
	return 0;
}

void
port_unhold(struct launchd *l, struct port_holder *holder)
{
	struct port_record *record = holder->record;

	if (!record)
		return;
	LIST_REMOVE(holder, link);
	holder->record = NULL;
	if (LIST_EMPTY(&record->holders)) {
		tdelete(record, &l->ports, record_compare);
		free(record);
	}
}

int
port_hold_instead(struct launchd *l, struct port_holder *holder, mach_port_t name)
{
	enum port_role role = holder->role;
	void *owner = holder->owner;
	struct port_record *record = record_get(l, name);

	if (!record)
		return -ENOMEM;
	port_unhold(l, holder);
	*holder = (struct port_holder){ .record = record, .role = role, .owner = owner };
	LIST_INSERT_HEAD(&record->holders, holder, link);
	return 0;
}

mach_port_t
port_held(const struct port_holder *holder)
{
	return holder->record ? holder->record->name : MACH_PORT_NULL;
}

/* ---- rights ---------------------------------------------------------------------------- */

kern_return_t
port_new_for_requests(struct launchd *l, mach_port_t *name)
{
	/* clients must not wait for each other's requests to be served */
	mach_port_options_t options = { .flags = MPO_QLIMIT,
					.mpl = { .mpl_qlimit = MACH_PORT_QLIMIT_LARGE } };
	kern_return_t kr = mach_port_construct(mach_task_self(), &options, 0, name);

	if (kr != KERN_SUCCESS)
		return kr;
	kr = mach_port_insert_member(mach_task_self(), *name, l->request_set);
	if (kr != KERN_SUCCESS)
		port_drop_receive(*name);
	return kr;
}

kern_return_t
port_new_for_service(mach_port_t *name)
{
	mach_port_options_t options = { .flags = MPO_INSERT_SEND_RIGHT };

	return mach_port_construct(mach_task_self(), &options, 0, name);
}

/* A registration that is replaced gives its send-once right back; using it up is all that
 * is left to do with it. */
static kern_return_t
request_notification(mach_port_t name, mach_msg_id_t id, mach_port_mscount_t sync,
		     mach_port_t notify)
{
	mach_port_t previous = MACH_PORT_NULL;
	kern_return_t kr = mach_port_request_notification(mach_task_self(), name, id, sync, notify,
							  MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);

	if (kr == KERN_SUCCESS && MACH_PORT_VALID(previous))
		mach_port_deallocate(mach_task_self(), previous);
	return kr;
}

kern_return_t
port_watch_death(struct launchd *l, mach_port_t name)
{
	return request_notification(name, MACH_NOTIFY_DEAD_NAME, 0, l->notify_port);
}

kern_return_t
port_ask_back(struct launchd *l, mach_port_t name)
{
	return request_notification(name, MACH_NOTIFY_PORT_DESTROYED, 0, l->notify_port);
}

kern_return_t
port_watch_senders(mach_port_t name, mach_port_mscount_t mscount)
{
	/* it names no port: sent to the port itself, where it arrives tells */
	return request_notification(name, MACH_NOTIFY_NO_SENDERS, mscount, name);
}

void
port_drop_receive(mach_port_t name)
{
	mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_RECEIVE, -1);
}

void
port_drop_send(mach_port_t name)
{
	mach_port_deallocate(mach_task_self(), name);
}
