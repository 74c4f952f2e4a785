/*
 * The kernel as text.  The same state gives the same text: what a refused call must not
 * change shows here.
 */
#include <stdarg.h>
#include <string.h>

#include "bsd/registry.h"
#include "ipc/ipc_kobject.h"
#include "ipc/ipc_right.h"
#include "kern/exception.h"
#include "kern/memory_entry.h"
#include "kern/mk_timer.h"
#include "kern/semaphore.h"
#include "kern/voucher.h"

void
dump_text(const struct dump *d, const char *text)
{
	d->write(d->context, text, strlen(text));
}

void
dump_number(const struct dump *d, const char *label, uint64_t value, unsigned base)
{
	char text[24];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	dump_text(d, label);
	dump_text(d, at);
}

static const char *
place_name(const struct ipc_port *port)
{
	switch (port->object.place) {
	case PORT_IN_SPACE:
		return " in-space";
	case PORT_IN_TRANSIT:
		return " in-transit";
	case PORT_IN_LIMBO:
		return " in-limbo";
	case PORT_KERNEL:
		return " kernel";
	default:
		return " dead";
	}
}

static void
dump_kmsg(const struct dump *d, const struct ipc_kmsg *kmsg)
{
	dump_number(d, "    message id ", (uint32_t)ikm_header(kmsg)->msgh_id, 10);
	dump_number(d, " size ", kmsg->size, 10);
	dump_number(d, " dest-type ", kmsg->dest_type, 10);
	dump_number(d, " reply ", ip_valid(kmsg->reply) ? kmsg->reply->id : 0, 10);
	dump_number(d, " sender ", kmsg->sender_pid, 10);
	if (kmsg->voucher)
		dump_number(d, " voucher ", kmsg->voucher->id, 10);
	for (uint32_t i = 0; i < kmsg->descriptors_taken; i++) {
		const struct ipc_kmsg_descriptor *desc = &kmsg->descriptors[i];

		dump_number(d, " [type ", desc->type, 10);
		dump_number(d, " disposition ", desc->disposition, 10);
		dump_number(d, " count ", desc->count, 10);
		dump_number(d, " port ", ip_valid(desc->port) ? desc->port->id : 0, 10);
		dump_text(d, "]");
	}
	dump_text(d, "\n");
}

static void
dump_semaphore(const struct dump *d, const struct semaphore *semaphore)
{
	dump_number(d, " of task ", semaphore->owner ? semaphore->owner->id : 0, 10);
	dump_number(d, " count ", (uint64_t)semaphore->count, 10);
	LIST_FOR_EACH (thread, &semaphore->waiters, struct thread, wait)
		dump_number(d, " waiter ", thread->id, 10);
}

/* What it holds, by its hash. */
static void
dump_voucher(const struct dump *d, const struct voucher *voucher)
{
	dump_number(d, " bytes ", voucher->size_bytes, 10);
	dump_number(d, " hash 0x", voucher->hash, 16);
}

static void
dump_timer(const struct dump *d, const struct mk_timer *timer)
{
	if (timer->deadline.slot > 0)
		dump_number(d, " due ", timer->deadline.when_ns, 10);
}

static void
dump_memory_entry(const struct dump *d, const struct memory_entry *entry)
{
	dump_number(d, " offset ", entry->offset_bytes, 10);
	dump_number(d, " size ", entry->size_bytes, 10);
	dump_number(d, " data ", entry->data_bytes, 10);
	dump_number(d, " protection ", entry->protection, 10);
	dump_number(d, " file refs ", entry->file->ref_count, 10);
}

static void
dump_port(const struct dump *d, const struct ipc_port *port)
{
	dump_number(d, "  port ", port->id, 10);
	dump_text(d, place_name(port));
	if (port->object.kobject) {
		dump_text(d, " ");
		dump_text(d, ipc_kobject_kind_name(port->object.kobject));
	}
	if (port->object.place == PORT_KERNEL && port->object.kobject == IKOT_SEMAPHORE)
		dump_semaphore(d, port->kobject);
	if (port->object.place == PORT_KERNEL && port->object.kobject == IKOT_VOUCHER)
		dump_voucher(d, port->kobject);
	if (port->object.place == PORT_IN_SPACE && port->object.kobject == IKOT_TIMER)
		dump_timer(d, port->kobject);
	if (port->object.place == PORT_KERNEL && port->object.kobject == IKOT_FILEPORT)
		dump_number(d, " file refs ",
			    ((const struct kernel_file *)port->kobject)->ref_count, 10);
	if (port->object.place == PORT_KERNEL && port->object.kobject == IKOT_NAMED_ENTRY)
		dump_memory_entry(d, port->kobject);
	if (port->object.place == PORT_IN_SPACE)
		dump_number(d, " of task ", port->receiver->task->id, 10);
	if (port->object.place == PORT_IN_TRANSIT)
		dump_number(d, " to ", port->destination->id, 10);
	dump_number(d, " name 0x", port->receiver_name, 16);
	dump_number(d, " refs ", port->object.ref_count, 10);
	dump_number(d, " flags ", port->object.flags, 16);
	dump_number(d, " srights ", port->srights, 10);
	dump_number(d, " sorights ", port->sorights, 10);
	dump_number(d, " mscount ", port->mscount, 10);
	dump_number(d, " msgcount ", port->msgcount, 10);
	dump_number(d, " qlimit ", port->qlimit, 10);
	dump_number(d, " seqno ", port->seqno, 10);
	dump_number(d, " context 0x", port->context, 16);
	dump_number(d, " no-senders ", port->no_senders ? port->no_senders->id : 0, 10);
	dump_number(d, " port-destroyed ", port->port_destroyed ? port->port_destroyed->id : 0, 10);
	for (uint32_t slot = 0; slot < port->request_count; slot++) {
		const struct ipc_port_request *request = &port->requests[slot];

		if (request->state == IPC_REQUEST_FREE)
			continue;
		dump_number(d, " [request name 0x", request->name, 16);
		dump_number(d, " state ", request->state, 10);
		dump_number(d, " notify ", request->notify ? request->notify->id : 0, 10);
		dump_text(d, "]");
	}
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port)
		dump_number(d, " in set 0x", link->pset->name, 16);
	dump_text(d, "\n");
	LIST_FOR_EACH (kmsg, &port->messages, struct ipc_kmsg, link)
		dump_kmsg(d, kmsg);
}

static void
dump_task(const struct dump *d, const struct task *task)
{
	const struct ipc_space *space = &task->space;

	dump_number(d, "task ", task->id, 10);
	dump_number(d, " pid ", kernel_task_pid(task), 10);
	if (task->suspend_count > 0)
		dump_number(d, " suspended ", task->suspend_count, 10);
	dump_number(d, " table ", space->table_size, 10);
	dump_number(d, " free ", space->free_count, 10);
	dump_number(d, " ports ", task->account->port_count, 10);
	dump_number(d, " requests ", task->account->request_count, 10);
	dump_number(d, " semaphores ", task->account->semaphore_count, 10);
	dump_number(d, " alarms ", task->account->alarm_count, 10);
	dump_number(d, " timers ", task->account->timer_count, 10);
	dump_number(d, " vouchers ", task->account->voucher_bytes, 10);
	dump_number(d, " fileports ", task->account->fileport_count, 10);
	dump_number(d, " memory entries ", task->account->memory_entry_count, 10);
	dump_number(d, " queued ", task->account->queued_bytes, 10);
	dump_text(d, "\n");
	for (uint32_t i = 1; i < space->table_size; i++) {
		const struct ipc_entry *entry = &space->table[i];

		if (ie_type(entry) == MACH_PORT_TYPE_NONE)
			continue;
		dump_number(d, "  name 0x", ie_name(space, entry), 16);
		dump_number(d, " type 0x", ipc_right_type(space, entry), 16);
		dump_number(d, " urefs ", ie_urefs(entry), 10);
		if (ie_type(entry) == MACH_PORT_TYPE_PORT_SET)
			dump_number(d, " set ", entry->pset->id, 10);
		else if (entry->port)
			dump_number(d, " port ", entry->port->id, 10);
		dump_text(d, "\n");
	}
	LIST_FOR_EACH (thread, &task->threads, struct thread, link) {
		dump_number(d, "  thread ", thread->id, 10);
		dump_number(d, " state ", thread->state, 10);
		if (thread->voucher)
			dump_number(d, " voucher ", thread->voucher->id, 10);
		if (thread->suspend_count > 0)
			dump_number(d, " suspended ", thread->suspend_count, 10);
		if (thread->is_terminated)
			dump_text(d, " terminated");
		if (thread->state == THREAD_PARKED_SEMAPHORE)
			dump_number(d, " waits for port ", thread->wait_port->id, 10);
		else if (thread->state == THREAD_PARKED_HELD)
			dump_text(d, " held");
		else if (thread->state == THREAD_PARKED_STOP)
			dump_text(d, " waits for a stop");
		else if (kernel_thread_is_parked(thread))
			dump_number(d, " waits in 0x", thread->msg.rcv_name, 16);
		dump_text(d, "\n");
	}
	for (uint32_t type = 0; task->exceptions && type < EXC_TYPES_COUNT; type++) {
		if (!ip_valid(task->exceptions->of[type].port))
			continue;
		dump_number(d, "  exception ", type, 10);
		dump_number(d, " port ", task->exceptions->of[type].port->id, 10);
		dump_text(d, "\n");
	}
	for (uint32_t which = 0; which < TASK_SPECIAL_PORT_COUNT; which++) {
		if (!ip_valid(task->special[which]))
			continue;
		dump_number(d, "  special ", which, 10);
		dump_number(d, " port ", task->special[which]->id, 10);
		dump_text(d, "\n");
	}
}

void
kernel_dump(const struct kernel *k, kernel_write *write, void *context)
{
	const struct dump d = { write, context };

	LIST_FOR_EACH (task, &k->tasks, struct task, link)
		dump_task(&d, task);
	dump_text(&d, "ports\n");
	LIST_FOR_EACH (port, &k->ports, struct ipc_port, link)
		dump_port(&d, port);
	registry_dump(&d, k);
}
