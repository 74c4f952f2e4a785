/*
 * Port sets: membership, and which members have messages.
 */
#include "ipc/ipc_pset.h"

#include "ipc/ipc_lane.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_watch.h"

struct ipc_pset *
ipc_pset_new(struct kernel *k, struct ipc_space *space)
{
	struct ipc_pset *pset = kernel_memory_alloc(k, sizeof(*pset));

	if (!pset)
		return NULL;
	pset->object.kind = IPC_OBJECT_PSET;
	pset->object.place = PORT_IN_SPACE;
	pset->object.ref_count = 1;
	pset->id = k->next_port_id++;
	pset->space = space;
	list_init(&pset->members);
	list_init(&pset->ready);
	list_init(&pset->receivers);
	list_append(&k->port_sets, &pset->link);
	k->port_set_count++;
	return pset;
}

struct ipc_pset *
ipc_pset_unref(struct kernel *k, struct ipc_pset *pset)
{
	if (!pset)
		return NULL;
	check(pset->object.ref_count > 0);
	if (--pset->object.ref_count > 0)
		return NULL;
	check(pset->object.place == PORT_DEAD);
	check(list_is_empty(&pset->members) && list_is_empty(&pset->receivers) && !pset->watch);
	list_remove(&pset->link);
	k->port_set_count--;
	kernel_memory_free(k, pset, sizeof(*pset));
	return NULL;
}

void
ipc_pset_destroy(struct kernel *k, struct ipc_pset *pset)
{
	pset->object.place = PORT_DEAD;
	LIST_FOR_EACH_SAFE (link, &pset->members, struct ipc_pset_link, in_set)
		ipc_pset_remove(k, link);
	ipc_mqueue_changed(k, &pset->receivers);
	ipc_watch_close(k, &pset->watch);
	ipc_pset_unref(k, pset);
}

struct ipc_pset_link *
ipc_pset_find_member(const struct ipc_pset *pset, const struct ipc_port *port)
{
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port)
		if (link->pset == pset)
			return link;
	return NULL;
}

kern_return_t
ipc_pset_add(struct kernel *k, struct ipc_pset *pset, struct ipc_port *port, struct account *payer)
{
	if (ipc_pset_find_member(pset, port))
		return KERN_ALREADY_IN_SET;
	if (payer->set_link_count >= TASK_SET_LINK_MAX)
		return KERN_RESOURCE_SHORTAGE;

	struct ipc_pset_link *link = kernel_memory_alloc(k, sizeof(*link));

	if (!link)
		return KERN_RESOURCE_SHORTAGE;
	link->port = port;
	link->pset = pset;
	link->payer = account_ref(payer);
	payer->set_link_count++;
	list_append(&port->sets, &link->in_port);
	list_append(&pset->members, &link->in_set);
	list_init(&link->in_ready);
	pset->member_count++;
	if (!list_is_empty(&port->messages)) {
		list_append(&pset->ready, &link->in_ready);
		ipc_mqueue_offer(k, port);
		ipc_watch_update(k, pset->watch, !list_is_empty(&pset->ready));
	}
	return KERN_SUCCESS;
}

void
ipc_pset_remove(struct kernel *k, struct ipc_pset_link *link)
{
	struct ipc_pset *pset = link->pset;

	if (link->port->gate)
		ipc_gate_look_again(k, link->port->gate);
	list_remove(&link->in_port);
	list_remove(&link->in_set);
	list_remove(&link->in_ready);
	pset->member_count--;
	ipc_watch_update(k, pset->watch, !list_is_empty(&pset->ready));
	link->payer->set_link_count--;
	account_unref(link->payer);
	kernel_memory_free(k, link, sizeof(*link));
}

uint32_t
ipc_pset_remove_from_all(struct kernel *k, struct ipc_port *port, const struct ipc_pset *keep)
{
	uint32_t count = 0;

	LIST_FOR_EACH_SAFE (link, &port->sets, struct ipc_pset_link, in_port) {
		if (link->pset == keep)
			continue;
		ipc_pset_remove(k, link);
		count++;
	}
	return count;
}

void
ipc_pset_port_has_messages(struct kernel *k, struct ipc_port *port)
{
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port) {
		if (list_is_linked(&link->in_ready))
			continue;
		list_append(&link->pset->ready, &link->in_ready);
		ipc_watch_update(k, link->pset->watch, true);
	}
	ipc_watch_update(k, port->watch, true);
}

void
ipc_pset_port_is_empty(struct kernel *k, struct ipc_port *port)
{
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port) {
		list_remove(&link->in_ready);
		ipc_watch_update(k, link->pset->watch, !list_is_empty(&link->pset->ready));
	}
	ipc_watch_update(k, port->watch, false);
}
