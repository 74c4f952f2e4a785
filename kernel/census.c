/*
 * Looking: rights and tasks, row by row, for the tools.
 */
#include "ipc/ipc_lane.h"
#include "ipc/ipc_kobject.h"
#include "ipc/ipc_right.h"
#include "kern/semaphore.h"

static uint32_t
count_links(const struct list *head)
{
	uint32_t count = 0;

	for (const struct list *at = head->next; at != head; at = at->next)
		count++;
	return count;
}

static struct task *
task_after(const struct kernel *k, uint64_t id)
{
	LIST_FOR_EACH (task, &k->tasks, struct task, link)
		if (task->id > id)
			return task;
	return NULL;
}

/* Whose object it is, and who waits at it. */
static void
row_of_kobject(struct kernel_right_row *row, const struct ipc_port *port)
{
	const struct semaphore *semaphore = port->kobject;
	const struct thread *thread = port->kobject;

	switch (port->object.kobject) {
	case IKOT_TASK:
	case IKOT_TASK_NAME:
		row->kobject_pid = kernel_task_pid(port->kobject);
		break;
	case IKOT_THREAD:
		row->kobject_pid = kernel_task_pid(thread->task);
		break;
	case IKOT_SEMAPHORE:
		row->kobject_pid = semaphore->owner ? kernel_task_pid(semaphore->owner) : 0;
		row->waiting_receivers = count_links(&semaphore->waiters);
		break;
	default:
		break;
	}
}

struct task *
kernel_receiver_of(const struct task *task, mach_port_name_t name)
{
	const struct ipc_entry *entry = ipc_space_find_raw(&task->space, name);

	if (!entry || !(ie_type(entry) & MACH_PORT_TYPE_PORT_RIGHTS) || !ip_valid(entry->port) ||
	    entry->port->object.place != PORT_IN_SPACE)
		return NULL;
	return entry->port->receiver->task;
}

static void
row_of_port(struct kernel_right_row *row, const struct ipc_port *port)
{
	const struct list *first = list_first(&port->messages);

	row->port_id = port->id;
	row->kobject = ipc_kobject_kind_name(port->object.kobject);
	row->port_alive = ip_active(port);
	row->msgcount = port->msgcount;
	row->qlimit = port->qlimit;
	row->seqno = port->seqno;
	row->srights = port->srights;
	row->sorights = port->sorights;
	row->mscount = port->mscount;
	row->set_count = count_links(&port->sets);
	row->waiting_receivers = count_links(&port->receivers);
	row->waiting_senders = count_links(&port->senders);
	row->no_senders_request = port->no_senders != NULL;
	row->port_destroyed_request = port->port_destroyed != NULL;
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port)
		row->waiting_receivers += count_links(&link->pset->receivers);
	if (port->object.place == PORT_IN_SPACE) {
		row->receiver_pid = kernel_task_pid(port->receiver->task);
		row->receiver_label = port->receiver->task->label;
		row->receiver_name = port->receiver_name;
	}
	if (port->object.place == PORT_KERNEL && port->kobject)
		row_of_kobject(row, port);
	if (first)
		row->oldest_sender_pid = list_entry(first, struct ipc_kmsg, link)->sender_pid;
}

static void
row_of_entry(struct kernel_right_row *row, struct task *task, const struct ipc_entry *entry)
{
	*row = (struct kernel_right_row){
		.task = task,
		.task_pid = kernel_task_pid(task),
		.task_label = task->label,
		.name = ie_name(&task->space, entry),
		.type = ipc_right_type(&task->space, entry) & MACH_PORT_TYPE_ALL_RIGHTS,
		.urefs = ie_urefs(entry),
		.dead_name_request = entry->request != 0,
		.kept_by_library = (entry->bits & IE_KEPT) != 0,
	};
	if (ie_type(entry) == MACH_PORT_TYPE_PORT_SET) {
		row->set_count = entry->pset->member_count;
		row->waiting_receivers = count_links(&entry->pset->receivers);
	} else if (row->type != MACH_PORT_TYPE_DEAD_NAME) {
		row_of_port(row, entry->port);
	}
}

bool
kernel_census_next(struct kernel *k, struct kernel_census *at, struct kernel_right_row *row)
{
	struct task *task = task_after(k, at->task_id ? at->task_id - 1 : 0);

	for (; task; task = task_after(k, task->id)) {
		if (task->id != at->task_id) {
			at->task_id = task->id;
			at->entry_index = 0;
		}
		while (++at->entry_index < task->space.table_size) {
			const struct ipc_entry *entry = &task->space.table[at->entry_index];

			if (!task->space.active || ie_type(entry) == MACH_PORT_TYPE_NONE)
				continue;
			row_of_entry(row, task, entry);
			return true;
		}
		at->entry_index = UINT32_MAX - 1; /* this task is done, whatever it grows now */
	}
	return false;
}

bool
kernel_task_next(struct kernel *k, uint64_t *task_id, struct kernel_task_row *row)
{
	struct task *task = task_after(k, *task_id);

	if (!task)
		return false;
	*task_id = task->id;
	task_lanes_count(task);
	*row = (struct kernel_task_row){
		.task = task,
		.task_id = task->id,
		.pid = kernel_task_pid(task),
		.label = task->label,
		.token = task->token,
		.thread_count = task->thread_count,
		.parked_count = task->parked_count,
		.right_count =
		    task->space.table_size - 1 - task->space.free_count - task->space.lane_count,
		.port_count = task->space.port_count,
		.messages_sent = task->messages_sent,
		.messages_received = task->messages_received,
		.queued_bytes = task->account->queued_bytes,
		.is_first = task == k->first_task,
	};
	return true;
}

void
kernel_counts(const struct kernel *k, struct kernel_counts *counts)
{
	*counts = (struct kernel_counts){
		.tasks = k->task_count,
		.threads = k->thread_count,
		.ports = k->port_count,
		.port_sets = k->port_set_count,
		.messages = k->kmsg_count,
		.segments = k->segment_count,
		.notifications = k->notify_reserved_count,
		.watches = k->watch_count,
		.fileports = k->fileport_count,
		.memory_entries = k->memory_entry_count,
		.lanes = k->lane_count,
		.kext_hosts = k->kext.host_count,
		.kexts = k->kext.count,
		.controls = k->ctl.count,
		.kev_sockets = k->kev.socket_count,
		.bytes = k->heap_bytes,
	};
}
