/*
 * Notifications, and the messages kept in reserve for them.  They are written by the stubs that
 * MIG makes of notify.defs.
 */
#include "ipc/ipc_kobject_stubs.h"

#include "ipc/ipc_notify.h"

#include <mach/notify.h>

#include "generated/clock_reply_user.h"
#include "generated/notify_user.h"
#include "ipc/ipc_kmsg_memory.h"

#define NOTIFICATION_SIZE_MAX 48u /* bytes, as a task sees it: an alarm */
#define ALARM_ID 3125107          /* clock_reply.defs */

/* ---- the reserve -------------------------------------------------------------------- */

bool
ipc_notify_reserve(struct kernel *k, uint32_t count)
{
	while (k->notify_pool_count + k->notify_in_flight_count <
	       k->notify_reserved_count + count) {
		struct ipc_kmsg *kmsg = ipc_kmsg_alloc(k, NOTIFICATION_SIZE_MAX, 1);

		if (!kmsg)
			return false;
		kmsg->is_notification = true;
		k->kmsg_count--; /* carries nothing yet */
		list_append(&k->notify_pool, &kmsg->link);
		k->notify_pool_count++;
	}
	return true;
}

static void
pool_free_one(struct kernel *k)
{
	struct ipc_kmsg *kmsg = list_entry(list_first(&k->notify_pool), struct ipc_kmsg, link);

	list_remove(&kmsg->link);
	k->notify_pool_count--;
	kernel_memory_free(k, kmsg, kmsg->alloc_size);
}

void
ipc_notify_commit(struct kernel *k)
{
	k->notify_reserved_count++;
	check(k->notify_pool_count + k->notify_in_flight_count >= k->notify_reserved_count);
}

void
ipc_notify_uncommit(struct kernel *k, uint32_t count)
{
	check(k->notify_reserved_count >= count);
	k->notify_reserved_count -= count;
	while (k->notify_pool_count > k->notify_reserved_count + NOTIFY_POOL_SLACK)
		pool_free_one(k);
}

void
ipc_notify_pool_free(struct kernel *k)
{
	check(k->notify_reserved_count == 0 && k->notify_in_flight_count == 0);
	while (k->notify_pool_count > 0)
		pool_free_one(k);
}

/* ---- the messages ------------------------------------------------------------------- */

struct ipc_kmsg *
ipc_notify_take(struct ipc_port *notify)
{
	struct kernel *k = notify->payer->kernel; /* a task's port: somebody pays for it */
	struct ipc_kmsg *kmsg = list_entry(list_first(&k->notify_pool), struct ipc_kmsg, link);

	check(k->notify_pool_count > 0);
	list_remove(&kmsg->link);
	k->notify_pool_count--;
	k->kmsg_count++;
	/* the right lives on in the message, until somebody takes that: so does its reservation */
	k->notify_in_flight_count++;
	check(notify->sorights > 0);
	kmsg->dest = notify;
	kmsg->dest_type = MACH_MSG_TYPE_PORT_SEND_ONCE;
	return kmsg;
}

/* Can anybody get it?  Not if the port is dead, or the kernel's own: then @notify is gone. */
static bool
notify_begin(struct kernel *k, struct ipc_port *notify, mach_msg_id_t msgid, uint32_t value)
{
	if (!ip_valid(notify))
		return false;
	if (!ip_active(notify) || notify->object.place == PORT_KERNEL) {
		ipc_port_use_send_once(k, notify);
		return false;
	}
	KERNEL_TRACE(k, .kind = TRACE_IPC_NOTIFY, .port_id = notify->id, .msgh_id = msgid,
		     .name = value);
	return true;
}

/* The stubs send by mach_msg_send_from_kernel(), which does not fail. */

void
ipc_notify_port_deleted(struct kernel *k, struct ipc_port *notify, mach_port_name_t name)
{
	if (notify_begin(k, notify, MACH_NOTIFY_PORT_DELETED, name))
		check(mach_notify_port_deleted(notify, name) == MACH_MSG_SUCCESS);
}

void
ipc_notify_send_possible(struct kernel *k, struct ipc_port *notify, mach_port_name_t name)
{
	if (notify_begin(k, notify, MACH_NOTIFY_SEND_POSSIBLE, name))
		check(mach_notify_send_possible(notify, name) == MACH_MSG_SUCCESS);
}

void
ipc_notify_dead_name(struct kernel *k, struct ipc_port *notify, mach_port_name_t name)
{
	if (notify_begin(k, notify, MACH_NOTIFY_DEAD_NAME, name))
		check(mach_notify_dead_name(notify, name) == MACH_MSG_SUCCESS);
}

void
ipc_notify_no_senders(struct kernel *k, struct ipc_port *notify, mach_port_mscount_t mscount)
{
	if (notify_begin(k, notify, MACH_NOTIFY_NO_SENDERS, mscount))
		check(mach_notify_no_senders(notify, mscount) == MACH_MSG_SUCCESS);
}

void
ipc_notify_send_once(struct kernel *k, struct ipc_port *notify)
{
	if (notify_begin(k, notify, MACH_NOTIFY_SEND_ONCE, 0))
		check(mach_notify_send_once(notify) == MACH_MSG_SUCCESS);
}

void
ipc_notify_alarm(struct kernel *k, struct ipc_port *notify, kern_return_t code, alarm_type_t type,
		 mach_timespec_t time)
{
	if (notify_begin(k, notify, ALARM_ID, (uint32_t)code))
		check(clock_alarm_reply(notify, code, type, time) == MACH_MSG_SUCCESS);
}

void
ipc_notify_port_destroyed(struct kernel *k, struct ipc_port *notify, struct ipc_port *port)
{
	/* the caller saw that the backup lives */
	check(notify_begin(k, notify, MACH_NOTIFY_PORT_DESTROYED, (uint32_t)port->id));
	check(mach_notify_port_destroyed(notify, port) == MACH_MSG_SUCCESS);
}
