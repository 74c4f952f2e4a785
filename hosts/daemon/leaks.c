/*
 * Leaks: which rights a task still held when it ended.
 *
 * On Darwin they die with the task and nobody hears of it; in a test they are what the
 * program forgot to give back.  What the library keeps for itself is none of it.
 */
#include "hosts/daemon/inspect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct leak {
	uint32_t pid;
	char label[32];
	mach_port_name_t name;
	mach_port_type_t type;
	uint32_t urefs, msgcount;
	uint64_t port_id;
	char target[64]; /* what the right was to */
};

static void
describe_target(const struct kernel_right_row *row, char *text, size_t size)
{
	if (row->type & MACH_PORT_TYPE_DEAD_NAME)
		snprintf(text, size, "nothing any more");
	else if (row->type & MACH_PORT_TYPE_PORT_SET)
		snprintf(text, size, "%u member%s", row->set_count, row->set_count == 1 ? "" : "s");
	else if (row->kobject != NULL && row->kobject_pid != 0)
		snprintf(text, size, "%s of %u", row->kobject, row->kobject_pid);
	else if (row->kobject != NULL)
		snprintf(text, size, "%s", row->kobject);
	else if (row->receiver_pid == row->task_pid)
		snprintf(text, size, "its own port");
	else if (row->receiver_pid != 0)
		snprintf(text, size, "a port of %u(%s)", row->receiver_pid,
			 row->receiver_label != NULL ? row->receiver_label : "?");
	else
		snprintf(text, size, "a port in transit");
}

static void
remember(struct host *host, const struct kernel_right_row *row)
{
	if (host->leaks_kept == host->leaks_capacity) {
		uint32_t capacity = host->leaks_capacity == 0 ? 64 : host->leaks_capacity * 2;
		struct leak *leaks = capacity <= LEAKS_MAX
					 ? realloc(host->leaks, capacity * sizeof(leaks[0]))
					 : NULL;

		if (leaks == NULL) {
			host->leaks_lost++;
			return;
		}
		host->leaks = leaks;
		host->leaks_capacity = capacity;
	}
	struct leak *leak = &host->leaks[host->leaks_kept++];

	*leak = (struct leak){ .pid = row->task_pid,
			       .name = row->name,
			       .type = row->type,
			       .urefs = row->urefs,
			       .msgcount = row->msgcount,
			       .port_id = row->port_id };
	snprintf(leak->label, sizeof(leak->label), "%s", row->task_label);
	describe_target(row, leak->target, sizeof(leak->target));
}

void
leaks_census(struct peer *peer)
{
	struct host *host = peer->host;
	struct kernel_census at = { .task_id = peer->task_id };
	struct kernel_right_row row;

	/* once: after an exec there is nothing left to count; an embryo has not begun */
	if (!host->leaks_on || peer->is_first || peer->censused || peer->kind == PEER_EMBRYO ||
	    host->ending)
		return;
	peer->censused = true;
	host_look(host);
	while (kernel_census_next(host->kernel, &at, &row) && row.task == peer->task) {
		if (!row.kept_by_library)
			remember(host, &row);
	}
}

void
leaks_free(struct host *host)
{
	free(host->leaks);
	host->leaks = NULL;
	host->leaks_kept = host->leaks_capacity = host->leaks_lost = 0;
}

static void write_line(kernel_write *write, void *context, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
write_line(kernel_write *write, void *context, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		write(context, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void
write_leak(const struct leak *leak, kernel_write *write, void *context)
{
	char type[32], queued[48] = "";

	if ((leak->type & MACH_PORT_TYPE_RECEIVE) && leak->msgcount > 0)
		snprintf(queued, sizeof(queued), ", %u message%s queued", leak->msgcount,
			 leak->msgcount == 1 ? "" : "s");
	write_line(write, context,
		   "leak: %u(%s) ended with %s right 0x%x to %s (%u reference%s%s)\n", leak->pid,
		   leak->label, name_of_type(leak->type, type, sizeof(type)), leak->name,
		   leak->target, leak->urefs, leak->urefs == 1 ? "" : "s", queued);
}

uint32_t
leaks_write(struct host *host, kernel_write *write, void *context)
{
	struct kernel_task_row row;
	uint64_t task_id = 0;

	for (uint32_t i = 0; i < host->leaks_kept; i++)
		write_leak(&host->leaks[i], write, context);
	if (host->leaks_lost > 0)
		write_line(write, context, "leak: and %u more\n", host->leaks_lost);
	while (kernel_task_next(host->kernel, &task_id, &row)) {
		/* no peer: what a process keeps over its exec; it runs, too */
		const struct peer *peer = kernel_task_host(row.task);

		if (peer == NULL || !peer->is_first)
			write_line(write, context, "still running: %u %s\n", row.pid, row.label);
	}
	return host->leaks_kept + host->leaks_lost;
}
