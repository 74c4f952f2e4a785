/*
 * The rows of an inspection, as text in columns and as JSON.
 */
#include "hosts/daemon/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
rows_begin(struct inspection *inspection)
{
	if (inspection->kind != INSPECTION_TASKS && inspection->kind != INSPECTION_PORTS)
		return; /* an object a line */
	if (inspection->json) {
		text_add(inspection, "[");
	} else if (inspection->kind == INSPECTION_TASKS) {
		text_add(inspection, "%7s %-16s %6s %8s %7s %7s %10s %10s %10s\n", "PID", "TASK",
			 "UID", "THREADS", "RIGHTS", "PORTS", "QUEUED", "SENT", "RECEIVED");
	} else if (inspection->queued) {
		text_add(inspection, "%7s %-16s %10s %8s %6s %6s %7s %-20s %s\n", "PID", "TASK",
			 "NAME", "PORT", "QUEUED", "LIMIT", "BLOCKED", "OLDEST FROM", "WHY");
	} else {
		text_add(inspection, "%7s %-16s %10s %-14s %5s %8s %6s %6s %6s %5s %5s %-3s %s\n",
			 "PID", "TASK", "NAME", "RIGHT", "UREFS", "PORT", "QUEUED", "LIMIT",
			 "SEQNO", "SEND", "ONCE", "REQ", "RECEIVER OR OBJECT");
	}
}

void
rows_end(struct inspection *inspection)
{
	if (inspection->json &&
	    (inspection->kind == INSPECTION_TASKS || inspection->kind == INSPECTION_PORTS))
		text_add(inspection, inspection->count == 0 ? "]\n" : "\n]\n");
}

static void
next_json_row(struct inspection *inspection)
{
	text_add(inspection, inspection->count == 0 ? "\n  {" : ",\n  {");
}

/* ---- tasks ------------------------------------------------------------------------- */

bool
rows_next_task(struct peer *peer, struct inspection *inspection)
{
	struct kernel_task_row row;
	const struct peer *holder;

	if (!kernel_task_next(peer->host->kernel, &inspection->task_id, &row))
		return false;
	holder = kernel_task_host(row.task);
	if (!credentials_sees(peer, row.token.val[1]) ||
	    (inspection->pid != 0 && row.pid != (uint32_t)inspection->pid))
		return true;
	inspection->pid_seen = true;
	if (inspection->json) {
		next_json_row(inspection);
		text_add(inspection, "\"pid\": %u, \"label\": ", row.pid);
		text_add_json_string(inspection, row.label);
		text_add(inspection,
			 ", \"uid\": %u, \"gid\": %u, \"threads\": %u, \"blocked_threads\": %u, "
			 "\"rights\": %u, \"ports\": %u, \"queued_bytes\": %" PRIu64
			 ", \"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"name_server\": %s}",
			 row.token.val[1], row.token.val[2], row.thread_count, row.parked_count,
			 row.right_count, row.port_count, row.queued_bytes, row.messages_sent,
			 row.messages_received,
			 holder != NULL && holder->is_first ? "true" : "false");
	} else {
		text_add(inspection,
			 "%7u %-16s %6u %8u %7u %7u %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
			 row.pid, row.label, row.token.val[1], row.thread_count, row.right_count,
			 row.port_count, row.queued_bytes, row.messages_sent,
			 row.messages_received);
	}
	inspection->count++;
	return true;
}

/* ---- rights ------------------------------------------------------------------------ */

/* Whose the port is: "pid(label) 0xname", "task 12", "3 members" … */
static const char *
describe_object(const struct kernel_right_row *row, char *text, size_t size)
{
	if (row->type & MACH_PORT_TYPE_DEAD_NAME)
		snprintf(text, size, "dead");
	else if (row->type & MACH_PORT_TYPE_PORT_SET)
		snprintf(text, size, "%u member%s", row->set_count, row->set_count == 1 ? "" : "s");
	else if (row->kobject != NULL && row->kobject_pid != 0)
		snprintf(text, size, "%s of %u", row->kobject, row->kobject_pid);
	else if (row->kobject != NULL)
		snprintf(text, size, "%s", row->kobject);
	else if (row->receiver_pid == 0)
		snprintf(text, size, "in transit");
	else if (row->type & MACH_PORT_TYPE_RECEIVE)
		snprintf(text, size, "%u waiting", row->waiting_receivers);
	else
		snprintf(text, size, "%u(%s) 0x%x", row->receiver_pid,
			 row->receiver_label != NULL ? row->receiver_label : "?",
			 row->receiver_name);
	return text;
}

/* Which notifications were asked for: dead name, no senders, port destroyed. */
static const char *
describe_requests(const struct kernel_right_row *row, char text[4])
{
	text[0] = row->dead_name_request ? 'D' : '-';
	text[1] = row->no_senders_request ? 'N' : '-';
	text[2] = row->port_destroyed_request ? 'P' : '-';
	text[3] = '\0';
	return text;
}

static void
text_of_right(struct inspection *inspection, const struct kernel_right_row *row)
{
	char type[32], object[128], requests[4];

	text_add(inspection, "%7u %-16s %#10x %-14s %5u %8" PRIu64 " %6u %6u %6u %5u %5u %-3s %s\n",
		 row->task_pid, row->task_label, row->name,
		 name_of_type(row->type, type, sizeof(type)), row->urefs, row->port_id,
		 row->msgcount, row->qlimit, row->seqno, row->srights, row->sorights,
		 describe_requests(row, requests), describe_object(row, object, sizeof(object)));
}

/* The label of a task that still lives. */
static const char *
label_of_pid(struct host *host, uint32_t pid)
{
	struct peer *peer = peer_of_pid(host, (pid_t)pid, false);

	return peer != NULL ? peer->label : "ended";
}

static void
text_of_queued(struct host *host, struct inspection *inspection, const struct kernel_right_row *row)
{
	char oldest[64] = "the kernel";
	char why[128];

	if (row->oldest_sender_pid != 0)
		snprintf(oldest, sizeof(oldest), "%u(%s)", row->oldest_sender_pid,
			 label_of_pid(host, row->oldest_sender_pid));
	snprintf(why, sizeof(why), "%u(%s) holds the receive right and %s", row->task_pid,
		 row->task_label,
		 row->waiting_receivers == 0 ? "does not receive" : "is about to receive");
	text_add(inspection, "%7u %-16s %#10x %8" PRIu64 " %6u %6u %7u %-20s %s\n", row->task_pid,
		 row->task_label, row->name, row->port_id, row->msgcount, row->qlimit,
		 row->waiting_senders, oldest, why);
}

static void
json_of_right(struct inspection *inspection, const struct kernel_right_row *row)
{
	char type[32];

	next_json_row(inspection);
	text_add(inspection, "\"pid\": %u, \"label\": ", row->task_pid);
	text_add_json_string(inspection, row->task_label);
	text_add(
	    inspection,
	    ", \"name\": %u, \"right\": \"%s\", \"type\": %u, \"urefs\": %u, \"port\": %" PRIu64
	    ", \"alive\": %s",
	    row->name, name_of_type(row->type, type, sizeof(type)), row->type, row->urefs,
	    row->port_id, row->port_alive ? "true" : "false");
	if (row->kobject != NULL) {
		text_add(inspection, ", \"object\": ");
		text_add_json_string(inspection, row->kobject);
		text_add(inspection, ", \"object_pid\": %u", row->kobject_pid);
	}
	if (row->receiver_pid != 0) {
		text_add(inspection,
			 ", \"receiver_pid\": %u, \"receiver_name\": %u, \"receiver_label\": ",
			 row->receiver_pid, row->receiver_name);
		text_add_json_string(inspection,
				     row->receiver_label != NULL ? row->receiver_label : "");
	}
	text_add(inspection,
		 ", \"queued\": %u, \"limit\": %u, \"seqno\": %u, \"send_rights\": %u, "
		 "\"send_once_rights\": %u, \"make_send_count\": %u, \"sets\": %u, "
		 "\"waiting_receivers\": %u, \"waiting_senders\": %u, \"oldest_sender_pid\": %u, "
		 "\"dead_name_request\": %s, \"no_senders_request\": %s, "
		 "\"port_destroyed_request\": %s, \"kept_by_library\": %s}",
		 row->msgcount, row->qlimit, row->seqno, row->srights, row->sorights, row->mscount,
		 row->set_count, row->waiting_receivers, row->waiting_senders,
		 row->oldest_sender_pid, row->dead_name_request ? "true" : "false",
		 row->no_senders_request ? "true" : "false",
		 row->port_destroyed_request ? "true" : "false",
		 row->kept_by_library ? "true" : "false");
}

bool
rows_next_right(struct peer *peer, struct inspection *inspection)
{
	struct host *host = peer->host;
	struct kernel_right_row row;
	const struct peer *holder;

	if (!kernel_census_next(host->kernel, &inspection->census, &row))
		return false;
	holder = kernel_task_host(row.task);
	if (holder == NULL || !credentials_sees(peer, holder->euid) ||
	    (inspection->pid != 0 && row.task_pid != (uint32_t)inspection->pid))
		return true;
	inspection->pid_seen = true;
	if (inspection->queued && ((row.type & MACH_PORT_TYPE_RECEIVE) == 0 || row.msgcount == 0))
		return true;
	if (inspection->json)
		json_of_right(inspection, &row);
	else if (inspection->queued)
		text_of_queued(host, inspection, &row);
	else
		text_of_right(inspection, &row);
	inspection->count++;
	return true;
}
