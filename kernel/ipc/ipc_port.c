/*
 * Ports: making, counting rights, dying.
 */
#include "ipc/ipc_port.h"

#include <string.h>

#include "ipc/ipc_kobject.h"
#include "ipc/ipc_lane.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_watch.h"
#include "kern/clock.h"
#include "kern/mk_timer.h"

#define QLIMIT_DEFAULT 5

struct ipc_port *
ipc_port_new(struct kernel *k, struct account *payer)
{
	struct ipc_port *port = kernel_memory_alloc(k, sizeof(*port));

	if (!port)
		return NULL;
	port->object.kind = IPC_OBJECT_PORT;
	port->object.place = PORT_IN_LIMBO;
	port->object.ref_count = 1;
	port->id = k->next_port_id++;
	port->qlimit = QLIMIT_DEFAULT;
	list_init(&port->messages);
	list_init(&port->receivers);
	list_init(&port->senders);
	list_init(&port->sets);
	list_init(&port->alarms);
	list_append(&k->ports, &port->link);
	k->port_count++;
	if (payer) {
		port->payer = account_ref(payer);
		payer->port_count++;
	}
	return port;
}

struct ipc_port *
ipc_port_new_kernel(struct kernel *k, enum ipc_kobject_kind kind, void *kobject)
{
	struct ipc_port *port = ipc_port_new(k, NULL);

	if (port) {
		port->object.place = PORT_KERNEL;
		port->object.kobject = (uint8_t)kind;
		port->kobject = kobject;
		port->qlimit = QLIMIT_KERNEL;
	}
	return port;
}

struct ipc_port *
ipc_port_ref(struct ipc_port *port)
{
	check(port->object.ref_count > 0 && port->object.ref_count < UINT32_MAX);
	port->object.ref_count++;
	return port;
}

struct ipc_port *
ipc_port_unref(struct kernel *k, struct ipc_port *port)
{
	if (!port)
		return NULL;
	check(port->object.ref_count > 0);
	if (--port->object.ref_count > 0)
		return NULL;
	check(port->object.place == PORT_DEAD);
	check(list_is_empty(&port->messages) && list_is_empty(&port->receivers));
	check(list_is_empty(&port->senders) && list_is_empty(&port->sets));
	check(port->request_used_count == 0 && !port->no_senders && !port->port_destroyed);
	check(!port->gate);
	check(!port->watch && !port->destination && list_is_empty(&port->alarms));
	kernel_memory_free(k, port->requests, port->request_count * sizeof(*port->requests));
	list_remove(&port->link);
	k->port_count--;
	if (port->payer) {
		port->payer->port_count--;
		account_unref(port->payer);
	}
	kernel_memory_free(k, port, sizeof(*port));
	return NULL;
}

/* ---- rights ------------------------------------------------------------------------- */

struct ipc_port *
ipc_port_make_send(struct ipc_port *port)
{
	check(ip_active(port));
	port->mscount++;
	port->srights++;
	return ipc_port_ref(port);
}

struct ipc_port *
ipc_port_copy_send(struct ipc_port *port)
{
	if (!ip_valid(port))
		return port;
	if (!ip_active(port))
		return IP_DEAD;
	check(port->srights > 0);
	port->srights++;
	return ipc_port_ref(port);
}

struct ipc_port *
ipc_port_make_send_once(struct kernel *k, struct ipc_port *port)
{
	check(ip_active(port));
	ipc_notify_commit(k);
	port->sorights++;
	return ipc_port_ref(port);
}

void
ipc_port_check_no_senders(struct kernel *k, struct ipc_port *port)
{
	struct ipc_port *notify = port->no_senders;

	if (!ip_active(port) || port->srights > 0 || !notify)
		return;
	port->no_senders = NULL;
	ipc_notify_no_senders(k, notify, port->mscount);
}

void
ipc_port_release_send(struct kernel *k, struct ipc_port *port)
{
	if (!ip_valid(port))
		return;
	if (ip_active(port)) {
		check(port->srights > 0);
		if (--port->srights == 0) {
			if (port->object.place == PORT_KERNEL)
				ipc_kobject_no_senders(k, port);
			else
				ipc_port_check_no_senders(k, port);
		}
	}
	ipc_port_unref(k, port);
}

void
ipc_port_use_send_once(struct kernel *k, struct ipc_port *port)
{
	if (!ip_valid(port))
		return;
	if (ip_active(port)) {
		check(port->sorights > 0);
		port->sorights--;
		ipc_notify_uncommit(k, 1);
		if (port->object.place == PORT_KERNEL)
			ipc_kobject_send_once_ended(k, port);
	}
	ipc_port_unref(k, port);
}

void
ipc_port_release_send_once(struct kernel *k, struct ipc_port *port)
{
	if (!ip_valid(port))
		return;
	if (ip_active(port) && port->object.place != PORT_KERNEL)
		ipc_notify_send_once(k, port);
	else
		ipc_port_use_send_once(k, port);
}

void
ipc_port_release_right(struct kernel *k, struct ipc_port *port, mach_msg_type_name_t type)
{
	if (!ip_valid(port))
		return;
	switch (type) {
	case MACH_MSG_TYPE_PORT_SEND:
		ipc_port_release_send(k, port);
		return;
	case MACH_MSG_TYPE_PORT_SEND_ONCE:
		ipc_port_release_send_once(k, port);
		return;
	case MACH_MSG_TYPE_PORT_RECEIVE:
		ipc_port_release_receive(k, port);
		return;
	default:
		check(!"a right of a known kind");
	}
}

void
ipc_port_clear_receiver(struct kernel *k, struct ipc_port *port)
{
	ipc_pset_remove_from_all(k, port, NULL);
	ipc_mqueue_changed(k, &port->receivers);
	ipc_watch_close(k, &port->watch);
	port->mscount = 0;
	port->seqno = 0;
	port->context = 0;
	port->object.flags &=
	    (uint8_t) ~(IPC_PORT_GUARDED | IPC_PORT_STRICT_GUARD | IPC_PORT_IMMOVABLE);
}

void
ipc_port_leave_transit(struct kernel *k, struct ipc_port *port)
{
	struct ipc_port *destination = port->destination;

	if (port->object.place != PORT_IN_TRANSIT)
		return;
	port->destination = NULL;
	port->object.place = PORT_IN_LIMBO;
	ipc_port_unref(k, destination);
}

void
ipc_port_release_receive(struct kernel *k, struct ipc_port *port)
{
	struct ipc_port *backup = port->port_destroyed;

	ipc_port_leave_transit(k, port);
	check(port->object.place == PORT_IN_LIMBO);
	if (!backup) {
		ipc_port_destroy(k, port);
		return;
	}
	ipc_port_clear_receiver(k, port);
	port->port_destroyed = NULL;
	if (!ip_active(backup) || backup->object.place == PORT_KERNEL ||
	    ipc_port_would_circle(port, backup)) {
		ipc_port_release_send_once(k, backup);
		ipc_port_destroy(k, port);
		return;
	}
	ipc_notify_port_destroyed(k, backup, port);
}

bool
ipc_port_would_circle(const struct ipc_port *port, const struct ipc_port *dest)
{
	for (const struct ipc_port *at = dest; at; at = at->destination) {
		if (at == port)
			return true;
		if (at->object.place != PORT_IN_TRANSIT)
			return false;
	}
	return false;
}

/* ---- requests ----------------------------------------------------------------------- */

/* Sizes of the request table: 2, 5, then doubling. */
static kern_return_t
request_table_grow(struct kernel *k, struct ipc_port *port)
{
	uint32_t count = port->request_count == 0   ? 2
			 : port->request_count == 2 ? 5
						    : port->request_count * 2;

	if (port->request_count >= PORT_REQUEST_MAX)
		return KERN_RESOURCE_SHORTAGE;
	if (count > PORT_REQUEST_MAX)
		count = PORT_REQUEST_MAX;

	struct ipc_port_request *requests = kernel_memory_alloc(k, count * sizeof(*requests));

	if (!requests)
		return KERN_RESOURCE_SHORTAGE;
	if (port->requests)
		memcpy(requests, port->requests, port->request_count * sizeof(*requests));
	kernel_memory_free(k, port->requests, port->request_count * sizeof(*requests));
	port->requests = requests;
	port->request_count = count;
	return KERN_SUCCESS;
}

/* The first free slot.  There is one. */
static uint32_t
request_table_take(struct ipc_port *port)
{
	uint32_t slot = port->request_first_free;

	while (port->requests[slot].state != IPC_REQUEST_FREE)
		slot++;
	port->request_first_free = slot + 1;
	return slot;
}

kern_return_t
ipc_port_request_add(struct kernel *k, struct ipc_port *port, struct account *payer,
		     mach_port_name_t name, struct ipc_port *notify, enum ipc_request_state state,
		     uint32_t *slot)
{
	if (payer->request_count >= TASK_REQUEST_MAX)
		return KERN_RESOURCE_SHORTAGE;
	if (port->request_used_count == port->request_count) {
		kern_return_t kr = request_table_grow(k, port);

		if (kr != KERN_SUCCESS)
			return kr;
	}
	*slot = request_table_take(port);
	port->requests[*slot] = (struct ipc_port_request){
		.notify = notify,
		.payer = account_ref(payer),
		.name = name,
		.state = IPC_REQUEST_DEAD_NAME,
	};
	payer->request_count++;
	port->request_used_count++;
	ipc_port_request_set_state(k, port, *slot, state);
	return KERN_SUCCESS;
}

void
ipc_port_request_set_state(struct kernel *k, struct ipc_port *port, uint32_t slot,
			   enum ipc_request_state state)
{
	struct ipc_port_request *request = &port->requests[slot];

	if (port->gate)
		ipc_gate_touch(k, port->gate);
	if (request->state == IPC_REQUEST_ARMED)
		port->request_armed_count--;
	if (state == IPC_REQUEST_ARMED)
		port->request_armed_count++;
	request->state = state;
}

struct ipc_port *
ipc_port_request_cancel(struct kernel *k, struct ipc_port *port, uint32_t slot)
{
	struct ipc_port_request *request = &port->requests[slot];
	struct ipc_port *notify = request->notify;

	check(request->state != IPC_REQUEST_FREE);
	ipc_port_request_set_state(k, port, slot, IPC_REQUEST_FREE);
	request->notify = NULL;
	request->name = 0;
	request->payer->request_count--;
	request->payer = account_unref(request->payer);
	port->request_used_count--;
	if (slot < port->request_first_free)
		port->request_first_free = slot;
	return notify;
}

void
ipc_port_fire_send_possible(struct kernel *k, struct ipc_port *port)
{
	for (uint32_t slot = 0; port->request_armed_count > 0 && slot < port->request_count;
	     slot++) {
		struct ipc_port_request *request = &port->requests[slot];

		if (request->state != IPC_REQUEST_ARMED)
			continue;

		struct ipc_port *notify = request->notify;

		request->notify = NULL;
		ipc_port_request_set_state(k, port, slot, IPC_REQUEST_USED);
		ipc_notify_send_possible(k, notify, request->name);
	}
}

/* ---- death -------------------------------------------------------------------------- */

static void
port_fire_dead_names(struct kernel *k, struct ipc_port *port)
{
	for (uint32_t slot = 0; slot < port->request_count; slot++) {
		struct ipc_port_request *request = &port->requests[slot];
		struct ipc_port *notify = request->notify;

		if (!notify)
			continue;
		request->notify = NULL;
		ipc_port_request_set_state(k, port, slot, IPC_REQUEST_DIED);
		ipc_notify_dead_name(k, notify, request->name);
	}
}

/* Steps as in mach-ports.md §8. */
static void
port_destroy_now(struct kernel *k, struct ipc_port *port)
{
	KERNEL_TRACE(k, .kind = TRACE_IPC_PORT_DESTROY, .port_id = port->id,
		     .count = port->msgcount);
	ipc_port_leave_transit(k, port);
	ipc_port_clear_receiver(k, port);
	port->object.place = PORT_DEAD;
	port->receiver = NULL;
	port->receiver_name = MACH_PORT_NULL;
	ipc_notify_uncommit(k, port->sorights);
	port->sorights = 0;
	port->srights = 0;

	ipc_mqueue_destroy(k, port);
	clock_alarms_port_died(k, port);

	struct ipc_port *notify = port->no_senders;

	port->no_senders = NULL;
	ipc_port_release_send_once(k, notify);
	notify = port->port_destroyed;
	port->port_destroyed = NULL;
	ipc_port_release_send_once(k, notify);
	port_fire_dead_names(k, port);
	if (port->object.kobject == IKOT_TIMER)
		mk_timer_port_died(k, port);
	ipc_port_unref(k, port);
}

void
ipc_port_destroy_kernel(struct kernel *k, struct ipc_port *port)
{
	check(port->object.place == PORT_KERNEL);
	port->kobject = NULL;
	port->object.place = PORT_IN_LIMBO;
	ipc_port_destroy(k, port);
}

void
ipc_port_destroy(struct kernel *k, struct ipc_port *port)
{
	list_remove(&port->link);
	list_append(&k->dying_ports, &port->link);
	if (k->destroying)
		return; /* one after the other: a chain of ports in messages must not recurse */

	k->destroying = true;
	for (struct list *first; (first = list_first(&k->dying_ports)) != NULL;) {
		struct ipc_port *dying = list_entry(first, struct ipc_port, link);

		list_remove(first);
		list_append(&k->ports, first);
		port_destroy_now(k, dying);
	}
	k->destroying = false;
}
