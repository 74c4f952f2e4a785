/*
 * Notifications, and the messages kept in reserve for them.
 */
#include "ipc/ipc_notify.h"

#include <mach/ndr.h>
#include <mach/notify.h>

#include <string.h>

#include "ipc/ipc_mqueue.h"

static const NDR_record_t ndr_record = {
	.int_rep = NDR_INT_LITTLE_ENDIAN,
};

/* ---- the reserve -------------------------------------------------------------------- */

bool
ipc_notify_reserve(struct kernel *k, uint32_t count)
{
	while (k->notify_pool_count + k->notify_in_flight_count <
	       k->notify_reserved_count + count) {
		struct ipc_kmsg *kmsg =
		    ipc_kmsg_new_kernel(k, sizeof(mach_port_destroyed_notification_t) -
					       sizeof(mach_msg_format_0_trailer_t));

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

/*
 * A message of @size bytes for @notify, whose right it takes over; NULL if nobody can get
 * it: the port is dead, or the kernel's own.
 */
static struct ipc_kmsg *
notify_begin(struct kernel *k, struct ipc_port *notify, mach_msg_id_t msgid, uint32_t size)
{
	if (!ip_valid(notify))
		return NULL;
	if (!ip_active(notify) || notify->object.place == PORT_KERNEL) {
		ipc_port_use_send_once(k, notify);
		return NULL;
	}

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
	kmsg->size = size;
	kmsg->bytes_size = size;
	memset(kmsg->bytes, 0, size);
	ikm_header(kmsg)->msgh_id = msgid;
	return kmsg;
}

static void
notify_post(struct kernel *k, struct ipc_kmsg *kmsg, uint32_t value)
{
	KERNEL_TRACE(k, .kind = TRACE_IPC_NOTIFY, .port_id = kmsg->dest->id,
		     .msgh_id = ikm_header(kmsg)->msgh_id, .name = value);
	ipc_mqueue_send_always(k, kmsg);
}

/* The four notifications that carry one number: all have the layout of dead-name's. */
static void
notify_number(struct kernel *k, struct ipc_port *notify, mach_msg_id_t msgid, uint32_t value)
{
	const uint32_t size =
	    sizeof(mach_dead_name_notification_t) - sizeof(mach_msg_format_0_trailer_t);
	struct ipc_kmsg *kmsg = notify_begin(k, notify, msgid, size);

	if (!kmsg)
		return;

	mach_dead_name_notification_t *n = (mach_dead_name_notification_t *)(void *)kmsg->bytes;

	n->NDR = ndr_record;
	n->not_port = value;
	notify_post(k, kmsg, value);
}

void
ipc_notify_port_deleted(struct kernel *k, struct ipc_port *notify, mach_port_name_t name)
{
	notify_number(k, notify, MACH_NOTIFY_PORT_DELETED, name);
}

void
ipc_notify_send_possible(struct kernel *k, struct ipc_port *notify, mach_port_name_t name)
{
	notify_number(k, notify, MACH_NOTIFY_SEND_POSSIBLE, name);
}

void
ipc_notify_dead_name(struct kernel *k, struct ipc_port *notify, mach_port_name_t name)
{
	notify_number(k, notify, MACH_NOTIFY_DEAD_NAME, name);
}

void
ipc_notify_no_senders(struct kernel *k, struct ipc_port *notify, mach_port_mscount_t mscount)
{
	notify_number(k, notify, MACH_NOTIFY_NO_SENDERS, mscount);
}

void
ipc_notify_send_once(struct kernel *k, struct ipc_port *notify)
{
	struct ipc_kmsg *kmsg =
	    notify_begin(k, notify, MACH_NOTIFY_SEND_ONCE, sizeof(mach_msg_header_t));

	if (kmsg)
		notify_post(k, kmsg, 0);
}

void
ipc_notify_port_destroyed(struct kernel *k, struct ipc_port *notify, struct ipc_port *port)
{
	struct ipc_kmsg *kmsg = notify_begin(k, notify, MACH_NOTIFY_PORT_DESTROYED,
					     sizeof(mach_port_destroyed_notification_t) -
						 sizeof(mach_msg_format_0_trailer_t));

	check(kmsg != NULL); /* the caller saw that the backup lives */

	mach_port_destroyed_notification_t *n = (void *)kmsg->bytes;

	n->not_header.msgh_bits = MACH_MSGH_BITS_COMPLEX;
	n->not_body.msgh_descriptor_count = 1;
	n->not_port.type = MACH_MSG_PORT_DESCRIPTOR;
	kmsg->descriptor_count = 1;
	kmsg->descriptors_taken = 1;
	kmsg->descriptors[0] = (struct ipc_kmsg_descriptor){
		.offset = offsetof(mach_port_destroyed_notification_t, not_port),
		.type = MACH_MSG_PORT_DESCRIPTOR,
		.disposition = MACH_MSG_TYPE_PORT_RECEIVE,
		.port = port,
	};
	port->object.place = PORT_IN_TRANSIT;
	port->destination = ipc_port_ref(notify);
	notify_post(k, kmsg, (uint32_t)port->id);
}
