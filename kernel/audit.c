/*
 * The proof: walks the whole kernel and checks every invariant of docs/kernel.md.
 *
 * Rights are counted afresh from all who hold them, without a byte of the heap: an audit
 * must work when there is no memory left.
 */
#include <string.h>

#include "bsd/registry.h"
#include "ipc/ipc_kmsg.h"
#include "ipc/ipc_lane.h"
#include "kern/clock.h"
#include "kern/exception.h"
#include "kern/fileport.h"
#include "kern/memory_entry.h"
#include "kern/mk_timer.h"
#include "kern/semaphore.h"
#include "kern/thread_control.h"
#include "kern/voucher.h"

/*
 * What the walk finds for each port is added up in these, outside of the port, hashed by its
 * number: several ports may share a slot, and then their sums must agree together.  With the
 * table as large as it is a wrong count goes unseen only if another one cancels it out.
 */
#define AUDIT_SLOTS 4096u
#define AUDIT_SLOTS_MIN 64u /* a small kernel is audited often, and needs no large table */

struct audit_sums {
	uint64_t refs, srights, sorights;
};

struct audit {
	const struct kernel *k;
	uint64_t sorights_live;
	uint64_t lane_calls; /* armed: a notification is kept for each */
	uint64_t notifications_in_flight;
	uint64_t kmsgs;
	uint64_t set_links;
	uint64_t requests;
	uint64_t semaphores_active;
	uint64_t semaphore_waiters;
	uint64_t alarms;
	uint64_t timers, timers_paid;
	uint64_t vouchers;
	uint64_t fileports;
	uint64_t memory_entries;
	uint32_t slot_count;                  /* a power of 2 */
	struct audit_sums found[AUDIT_SLOTS]; /* last: only so many are used, and zeroed */
};

static struct audit_sums *
sums_of(struct audit *a, const struct ipc_port *port)
{
	return &a->found[port->id & (a->slot_count - 1)];
}

static void
found_ref(struct audit *a, const struct ipc_port *port)
{
	sums_of(a, port)->refs++;
}

static void
found_right(struct audit *a, const struct ipc_port *port, mach_msg_type_name_t type)
{
	if (!ip_valid(port))
		return;
	found_ref(a, port);
	if (!ip_active(port))
		return;
	if (type == MACH_MSG_TYPE_PORT_SEND)
		sums_of(a, port)->srights++;
	else if (type == MACH_MSG_TYPE_PORT_SEND_ONCE)
		sums_of(a, port)->sorights++;
	else
		check(type == MACH_MSG_TYPE_PORT_RECEIVE);
}

static void
audit_carried(struct audit *a, const struct ipc_kmsg *kmsg, const struct ipc_port *port,
	      mach_msg_type_name_t type)
{
	found_right(a, port, type);
	if (!ip_valid(port) || type != MACH_MSG_TYPE_PORT_RECEIVE)
		return;
	check(port->object.place == PORT_IN_TRANSIT);
	check(port->destination == kmsg->dest);
}

static void
audit_kmsg(struct audit *a, const struct ipc_kmsg *kmsg)
{
	a->kmsgs++;
	a->notifications_in_flight += kmsg->is_notification;
	check(kmsg->dest && ip_active(kmsg->dest));
	found_right(a, kmsg->dest, kmsg->dest_type);
	found_right(a, kmsg->reply, kmsg->reply_type);
	found_right(a, kmsg->voucher, MACH_MSG_TYPE_PORT_SEND);
	check(!kmsg->voucher || convert_port_to_voucher(kmsg->voucher));
	check(kmsg->descriptors_taken == kmsg->descriptor_count);
	for (uint32_t i = 0; i < kmsg->descriptors_taken; i++) {
		const struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];

		for (uint32_t j = 0; d->ports && j < d->count; j++)
			audit_carried(a, kmsg, d->ports[j], d->disposition);
		audit_carried(a, kmsg, d->port, d->disposition);
	}
}

static void
audit_entry(struct audit *a, const struct ipc_space *space, const struct ipc_entry *entry)
{
	const mach_port_type_t type = ie_type(entry);
	const struct ipc_port *port = entry->port;
	const uint32_t urefs = ie_urefs(entry);

	switch (type) {
	case MACH_PORT_TYPE_DEAD_NAME:
		check(!entry->object && urefs > 0 && !entry->request);
		return;
	case MACH_PORT_TYPE_PORT_SET:
		check(urefs == 0 && !entry->request);
		check(entry->pset->space == space && entry->pset->name == ie_name(space, entry));
		check(entry->pset->object.place == PORT_IN_SPACE);
		check(entry->pset->object.ref_count == 1);
		return;
	case MACH_PORT_TYPE_SEND:
		check(urefs > 0 && ipc_space_find_port(space, port) == entry);
		found_right(a, port, MACH_MSG_TYPE_PORT_SEND);
		break;
	case MACH_PORT_TYPE_SEND_ONCE:
		check(urefs == 1);
		found_right(a, port, MACH_MSG_TYPE_PORT_SEND_ONCE);
		break;
	case MACH_PORT_TYPE_RECEIVE:
	case MACH_PORT_TYPE_SEND_RECEIVE:
		check((urefs > 0) == (type == MACH_PORT_TYPE_SEND_RECEIVE));
		check(port->object.place == PORT_IN_SPACE && port->receiver == space);
		check(port->receiver_name == ie_name(space, entry));
		found_ref(a, port);
		if (type == MACH_PORT_TYPE_SEND_RECEIVE)
			sums_of(a, port)->srights++;
		break;
	default:
		check(!"an entry of a known type");
	}
	if (entry->request) {
		check(entry->request <= port->request_count);
		check(port->requests[entry->request - 1].state != IPC_REQUEST_FREE);
		check(port->requests[entry->request - 1].name == ie_name(space, entry));
		a->requests++;
	}
}

static void
audit_space(struct audit *a, const struct ipc_space *space)
{
	uint32_t free_count = 0;
	uint32_t used_count = 0;
	uint32_t receive_count = 0;

	for (uint32_t i = space->free_head; i; i = space->table[i].next) {
		check(i < space->table_size && free_count < space->table_size);
		check(ie_type(&space->table[i]) == MACH_PORT_TYPE_NONE && !space->table[i].object);
		check(space->table[i].next || space->free_tail == i);
		free_count++;
	}
	for (uint32_t i = 1; i < space->table_size; i++) {
		const struct ipc_entry *entry = &space->table[i];

		if (ie_type(entry) == MACH_PORT_TYPE_NONE)
			continue;
		used_count++;
		receive_count += (ie_type(entry) & MACH_PORT_TYPE_RECEIVE) != 0;
		audit_entry(a, space, entry);
	}
	check(free_count == space->free_count);
	check(used_count + free_count + space->lane_count == space->table_size - 1);
	check(receive_count == space->port_count);
}

static void
audit_thread(struct audit *a, const struct thread *thread)
{
	if (thread->self_port)
		found_ref(a, thread->self_port);
	if (thread->special_reply_port)
		found_ref(a, thread->special_reply_port);
	found_right(a, thread->voucher, MACH_MSG_TYPE_PORT_SEND);
	check(!thread->voucher || convert_port_to_voucher(thread->voucher));
	switch (thread->state) {
	case THREAD_IDLE:
		check(!thread->kmsg && !thread->output);
		break;
	case THREAD_PARKED_SEND:
		check(thread->kmsg && thread->wait_port == thread->kmsg->dest);
		check(thread->wait_port->msgcount >= thread->wait_port->qlimit);
		found_ref(a, thread->wait_port);
		audit_kmsg(a, thread->kmsg);
		break;
	case THREAD_PARKED_SEMAPHORE:
		check(!thread->kmsg && convert_port_to_semaphore(thread->wait_port));
		found_ref(a, thread->wait_port);
		a->semaphore_waiters++; /* each is found at its semaphore, too */
		break;
	case THREAD_PARKED_HELD: {
		const struct thread *owner = thread->alias_of ? thread->alias_of : thread;

		check(!thread->kmsg && owner->suspend_count > 0 && !owner->is_terminated);
		break;
	}
	case THREAD_PARKED_STOP:
		check(!thread->kmsg && thread->deadline.slot > 0);
		break;
	case THREAD_COMPLETED:
		a->kmsgs += thread->kmsg != NULL;
		break;
	default:
		check(thread->state == THREAD_PARKED_RECEIVE);
		check(!thread->kmsg);
	}
	check(list_is_empty(&thread->stop_waiters) ||
	      (thread->suspend_count > 0 && !thread->is_terminated && !thread_waits(thread)));
	check(list_is_linked(&thread->wait) == kernel_thread_is_parked(thread));
	check(kernel_thread_is_parked(thread) || thread->deadline.slot == 0);
}

static void
audit_alarms(struct audit *a, const struct task *task)
{
	uint32_t alarms = 0;

	LIST_FOR_EACH (alarm, &task->alarms, struct clock_alarm, in_task) {
		check(alarm->task == task && alarm->deadline.slot > 0);
		check(alarm->deadline.kind == DEADLINE_ALARM && list_is_linked(&alarm->in_port));
		check(ip_active(alarm->port)); /* else it would have been cancelled */
		found_right(a, alarm->port, MACH_MSG_TYPE_PORT_SEND_ONCE);
		alarms++;
	}
	check(alarms == task->account->alarm_count);
	a->alarms += alarms;
	a->timers_paid += task->account->timer_count;
}

static void
audit_exceptions(struct audit *a, const struct exception_actions *actions)
{
	for (uint32_t type = 0; actions && type < EXC_TYPES_COUNT; type++)
		found_right(a, actions->of[type].port, MACH_MSG_TYPE_PORT_SEND);
}

static void
audit_task(struct audit *a, const struct task *task)
{
	uint32_t threads = 0;
	uint32_t parked = 0;
	uint32_t semaphores = 0;

	if (task->self_port)
		found_ref(a, task->self_port);
	if (task->name_port)
		found_ref(a, task->name_port);
	if (task->resume_port) {
		found_ref(a, task->resume_port);
		check(task->resume_port->sorights <= task->suspend_count);
	}
	check(!task->is_resumed);
	check(task->remnant == !task->space.active);
	audit_space(a, &task->space);
	for (uint32_t i = 0; i < TASK_SPECIAL_PORT_COUNT; i++)
		found_right(a, task->special[i], MACH_MSG_TYPE_PORT_SEND);
	for (uint32_t i = 0; i < TASK_REGISTERED_COUNT; i++)
		found_right(a, task->registered[i], MACH_MSG_TYPE_PORT_SEND);
	audit_exceptions(a, task->exceptions);
	LIST_FOR_EACH (thread, &task->threads, struct thread, link) {
		audit_thread(a, thread);
		audit_exceptions(a, thread->exceptions);
		threads++;
		parked += kernel_thread_is_parked(thread);
	}
	check(threads == task->thread_count && parked == task->parked_count);
	LIST_FOR_EACH (semaphore, &task->semaphores, struct semaphore, link) {
		check(semaphore->owner == task && semaphore->payer == task->account);
		semaphores++;
	}
	a->semaphores_active += semaphores;
	audit_alarms(a, task);
	check(semaphores <= task->account->semaphore_count);
	check(!task->remnant || semaphores == 0);
}

/* Nobody waits who could be served. */
static void
audit_waiters(const struct ipc_port *port)
{
	check(list_is_empty(&port->receivers) || list_is_empty(&port->messages));
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port) {
		check(link->pset->space == port->receiver);
		check(list_is_linked(&link->in_ready) == !list_is_empty(&port->messages));
		check(list_is_empty(&link->pset->receivers) || list_is_empty(&port->messages));
	}
	check(list_is_empty(&port->senders) || port->msgcount >= port->qlimit);
}

static void
audit_requests(struct audit *a, const struct ipc_port *port)
{
	uint32_t used = 0;
	uint32_t armed = 0;

	for (uint32_t slot = 0; slot < port->request_count; slot++) {
		const struct ipc_port_request *request = &port->requests[slot];

		used += request->state != IPC_REQUEST_FREE;
		check(request->state != IPC_REQUEST_FREE || slot >= port->request_first_free);
		armed += request->state == IPC_REQUEST_ARMED;
		check(!request->notify || request->state == IPC_REQUEST_DEAD_NAME ||
		      request->state == IPC_REQUEST_SEND_POSSIBLE ||
		      request->state == IPC_REQUEST_ARMED);
		check(ip_active(port) || !request->notify);
		found_right(a, request->notify, MACH_MSG_TYPE_PORT_SEND_ONCE);
	}
	check(used == port->request_used_count && armed == port->request_armed_count);
	a->requests -= used; /* each has its entry */
}

static void
audit_semaphore(struct audit *a, const struct ipc_port *port)
{
	const struct semaphore *semaphore = port->kobject;

	check(semaphore->port == port && port->srights > 0);
	found_ref(a, port);
	check(semaphore->count >= 0);
	check(list_is_linked(&semaphore->link) == (semaphore->owner != NULL));
	check(list_is_empty(&semaphore->waiters) || (semaphore->owner && semaphore->count == 0));
	LIST_FOR_EACH (thread, &semaphore->waiters, struct thread, wait) {
		check(thread->state == THREAD_PARKED_SEMAPHORE && thread->wait_port == port);
		a->semaphore_waiters--;
	}
	a->semaphores_active -= semaphore->owner != NULL;
}

static void
audit_voucher(struct audit *a, const struct ipc_port *port)
{
	const struct voucher *voucher = port->kobject;
	uint32_t found = 0;

	check(voucher->port == port && port->srights > 0 && voucher->payer->voucher_bytes > 0);
	found_ref(a, port);
	check(voucher_is_whole(voucher));
	/* it is found by its contents, and no other has the same */
	LIST_FOR_EACH (other, &a->k->vouchers[voucher->hash & (a->k->voucher_bucket_count - 1)],
		       struct voucher, link)
		found += other->size_bytes == voucher->size_bytes &&
			 memcmp(other->recipes, voucher->recipes, voucher->size_bytes) == 0;
	check(found == 1);
	a->vouchers++;
}

static void
audit_timer(struct audit *a, const struct ipc_port *port)
{
	const struct mk_timer *timer = port->kobject;
	const struct ipc_kmsg *kmsg = timer->kmsg;
	const uint32_t slot = timer->deadline.slot;

	check(port->object.kobject == IKOT_TIMER && timer->port == port);
	check(port->receiver->task->account == port->payer);
	found_right(a, port, MACH_MSG_TYPE_PORT_SEND);
	check(kmsg->timer == timer && !kmsg->payer);
	check(list_is_linked(&kmsg->link) == (kmsg->dest != NULL));
	check(!kmsg->dest || kmsg->dest == port);
	check(timer->deadline.kind == DEADLINE_TIMER);
	check(slot == 0 || a->k->deadlines.slots[slot - 1] == &timer->deadline);
	a->timers++;
}

static void
audit_fileport(struct audit *a, const struct ipc_port *port)
{
	const struct kernel_file *file = port->kobject;
	const struct account *payer = file->payer;

	check(file->port == port && file->ref_count > 0 && port->srights > 0);
	check(payer->fileport_count > 0 && payer->fileport_count <= TASK_FILEPORT_MAX);
	found_ref(a, port);
	a->fileports++;
}

static void
audit_memory_entry(struct audit *a, const struct ipc_port *port)
{
	const struct memory_entry *entry = port->kobject;
	const struct kernel_file *file = entry->file;
	const struct account *payer = file->payer;

	check(file->port == port && file->ref_count > 0 && port->srights > 0);
	check(entry->size_bytes > 0 && entry->data_bytes < entry->size_bytes);
	check(entry->offset_bytes + entry->size_bytes > entry->offset_bytes);
	check(entry->offset_bytes + entry->size_bytes <= file->memory_bytes);
	check(payer->memory_entry_count > 0 && payer->memory_entry_count <= TASK_MEMORY_ENTRY_MAX);
	found_ref(a, port);
	a->memory_entries++;
}

static void
audit_port(struct audit *a, const struct ipc_port *port)
{
	uint32_t messages = 0;

	LIST_FOR_EACH (kmsg, &port->messages, struct ipc_kmsg, link) {
		check(kmsg->dest == port);
		audit_kmsg(a, kmsg);
		messages++;
	}
	check(messages == port->msgcount && messages <= QLIMIT_KERNEL);
	audit_requests(a, port);
	found_right(a, port->no_senders, MACH_MSG_TYPE_PORT_SEND_ONCE);
	found_right(a, port->port_destroyed, MACH_MSG_TYPE_PORT_SEND_ONCE);
	switch (port->object.place) {
	case PORT_IN_SPACE:
		check(port->receiver && port->receiver->active);
		audit_waiters(port);
		if (ip_is_received_kobject(port))
			audit_timer(a, port);
		break;
	case PORT_IN_TRANSIT:
		check(list_is_empty(&port->sets) && list_is_empty(&port->receivers));
		check(!ipc_port_would_circle(port, port->destination));
		check(ip_active(port->destination));
		found_ref(a, port->destination);
		break;
	case PORT_KERNEL:
		check(messages == 0 && list_is_empty(&port->sets));
		if (port->object.kobject == IKOT_SEMAPHORE)
			audit_semaphore(a, port);
		if (port->object.kobject == IKOT_VOUCHER)
			audit_voucher(a, port);
		if (port->object.kobject == IKOT_FILEPORT)
			audit_fileport(a, port);
		if (port->object.kobject == IKOT_NAMED_ENTRY)
			audit_memory_entry(a, port);
		break;
	default:
		check(port->object.place == PORT_DEAD); /* no limbo between two steps */
		check(messages == 0 && list_is_empty(&port->sets) && !port->kobject);
		check(list_is_empty(&port->receivers) && list_is_empty(&port->senders));
		check(port->srights == 0 && port->sorights == 0 && !port->no_senders);
		break;
	}
	if (ip_active(port))
		a->sorights_live += port->sorights;
}

static void
audit_sets(const struct kernel *k)
{
	uint32_t sets = 0;

	LIST_FOR_EACH (pset, &k->port_sets, struct ipc_pset, link) {
		uint32_t members = 0;

		LIST_FOR_EACH (link, &pset->members, struct ipc_pset_link, in_set) {
			check(link->pset == pset && link->port->object.place == PORT_IN_SPACE);
			check(ipc_pset_find_member(pset, link->port) == link);
			members++;
		}
		check(members == pset->member_count);
		sets++;
	}
	check(sets == k->port_set_count);
}

/* Each is for a right that is there, and nobody else's. */
static void
audit_promises(const struct kernel *k)
{
	uint32_t count = 0;

	LIST_FOR_EACH (promise, &k->promises, struct ipc_promise, link) {
		const struct ipc_space *space = &promise->thread->task->space;
		const struct ipc_entry *entry = ipc_space_find_raw(space, promise->name);

		check(promise == &promise->thread->promise && promise->word);
		check(entry && (ie_type(entry) & MACH_PORT_TYPE_SEND) && ie_urefs(entry) > 0);
		LIST_FOR_EACH (other, &k->promises, struct ipc_promise, link)
			check(other == promise || other->name != promise->name ||
			      &other->thread->task->space != space);
		count++;
	}
	check(count == k->promise_count);
}

static void
audit_lane(struct audit *a, const struct ipc_gate *gate, const struct ipc_lane *lane)
{
	const struct ipc_space *space = &gate->task->space;

	check(lane->gate == gate && gate->task->lanes->lanes[lane->receiver_number] == lane);
	if (lane->sender) {
		const struct ipc_entry *entry =
		    ipc_space_find_raw(&lane->sender->space, lane->name);

		check(entry && entry->port == gate->port && ie_type(entry) == MACH_PORT_TYPE_SEND);
		check(entry->lane == (IE_LANE_SEND | lane->sender_number << IE_LANE_NUMBER_SHIFT));
		check(lane->sender->lanes->lanes[lane->sender_number] == lane);
	}
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		const struct ipc_entry *entry = &space->table[lane->kept[i]];

		if (lane->kept[i] == 0)
			continue;
		check(ie_type(entry) == MACH_PORT_TYPE_NONE && !entry->object);
		check(entry->lane == (IE_LANE_KEPT | lane->receiver_number << IE_LANE_NUMBER_SHIFT |
				      i << IE_LANE_CALL_SHIFT));
		a->lane_calls++;
	}
	for (uint32_t i = 0; i < MACH_LANE_BINDINGS; i++)
		check(!lane->bindings[i].gate || list_is_linked(&lane->bindings[i].in_gate));
}

/* Lanes are used only where nobody in the kernel could tell. */
static void
audit_gates(struct audit *a)
{
	uint32_t lanes = 0;

	check(list_is_empty(&a->k->touched_gates));
	LIST_FOR_EACH (gate, &a->k->gates, struct ipc_gate, link) {
		const struct ipc_port *port = gate->port;

		check(port->gate == gate && port->object.place == PORT_IN_SPACE);
		check(port->receiver == &gate->task->space);
		check(gate->task->lanes->gates[gate->number] == gate && !gate->taken);
		check(!gate->open || (list_is_empty(&port->receivers) && !port->watch &&
				      list_is_empty(&port->senders) && list_is_empty(&port->sets)));
		check(!list_is_empty(&gate->lanes) || !list_is_empty(&gate->bindings));
		LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate) {
			audit_lane(a, gate, lane);
			lanes++;
		}
	}
	check(lanes == a->k->lane_count);
}

void
kernel_audit(const struct kernel *k)
{
	static const struct audit_sums zero;
	struct audit a;
	uint32_t ports = 0;
	uint32_t tasks = 0;

	memset(&a, 0, offsetof(struct audit, found));
	a.k = k;
	for (a.slot_count = AUDIT_SLOTS_MIN; a.slot_count < AUDIT_SLOTS;)
		if ((a.slot_count *= 2) >= 4 * (uint64_t)k->port_count)
			break;
	memset(a.found, 0, a.slot_count * sizeof(a.found[0]));
	check(!k->effects && !k->destroying && list_is_empty(&k->dying_ports));
	LIST_FOR_EACH (task, &k->tasks, struct task, link) {
		audit_task(&a, task);
		tasks++;
	}
	check(tasks == k->task_count);
	found_ref(&a, k->host_port);
	if (k->host_priv_port)
		found_ref(&a, k->host_priv_port);
	for (int which = 0; which <= HOST_MAX_SPECIAL_PORT; which++)
		found_right(&a, k->host_special[which], MACH_MSG_TYPE_PORT_SEND);
	audit_exceptions(&a, k->exceptions);
	for (int id = 0; id < CLOCK_COUNT; id++) {
		found_ref(&a, k->clocks[id].port);
		if (k->clocks[id].control)
			found_ref(&a, k->clocks[id].control);
	}
	LIST_FOR_EACH (port, &k->ports, struct ipc_port, link) {
		audit_port(&a, port);
		ports++;
	}
	check(ports == k->port_count);
	audit_sets(k);
	check(a.fileports == k->fileport_count && a.memory_entries == k->memory_entry_count);
	check(a.alarms == k->alarm_count && k->deadlines.count <= k->deadlines.capacity);
	check(a.vouchers == k->voucher_count);
	check(a.timers == k->timer_count && a.timers_paid == k->timer_count);
	check(a.requests == 0 && a.semaphores_active == 0 && a.semaphore_waiters == 0);

	/* what was found is what is counted */
	LIST_FOR_EACH (port, &k->ports, struct ipc_port, link) {
		struct audit_sums *sums = sums_of(&a, port);

		sums->refs -= port->object.ref_count;
		sums->srights -= port->srights;
		sums->sorights -= port->sorights;
	}
	for (uint32_t i = 0; i < a.slot_count; i++)
		check(memcmp(&a.found[i], &zero, sizeof(zero)) == 0);
	audit_gates(&a);
	audit_promises(k);
	check(a.sorights_live + a.lane_calls == k->notify_reserved_count);
	check(a.notifications_in_flight == k->notify_in_flight_count);
	check(k->notify_pool_count + k->notify_in_flight_count >= k->notify_reserved_count);
	check(a.kmsgs == k->kmsg_count);
	registry_audit(k);
}
