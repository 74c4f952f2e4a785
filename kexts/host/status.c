/*
 * The control server as a whole: its start, and what it tells of itself.
 */
#include "kexts/host/control.h"

#include "kexts/host/kernel_link.h"
#include "kexts/host/kext_host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
control_server_start(uint32_t host_id, const char *folder)
{
	int error = listener_start(host_id, folder);

	record_queues_prepare();
	return error != 0 ? error : server_start();
}

/* A name within JSON. */
static void
print_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void
print_connection(FILE *out, struct connection *connection)
{
	const struct control *control = connection->control;

	pthread_mutex_lock(&connection->lock);
	bool is_connected = connection->state == CONNECTION_CONNECTED;
	uint32_t sendsize = connection->sendsize;
	pthread_mutex_unlock(&connection->lock);
	pthread_mutex_lock(&connection->out_lock);
	uint64_t bytes = record_queue_bytes(&connection->out);
	uint32_t records = record_queue_count(&connection->out);
	uint32_t recvsize = connection->recvsize;
	pthread_mutex_unlock(&connection->out_lock);
	fprintf(out,
		"{\"kind\":\"connection\",\"id\":%u,\"unit\":%u,\"pid\":%ld,\"uid\":%lu,\"type\":"
		"\"%s\","
		"\"state\":\"%s\",\"queued_bytes\":%" PRIu64
		",\"queued_records\":%u,\"recvsize\":%u,\"sendsize\":%u}\n",
		control->reg.ctl_id, connection->unit, (long)connection->caller.pid,
		(unsigned long)connection->caller.euid,
		control_is_stream(control) ? "stream" : "dgram",
		is_connected ? "connected" : "bound", bytes, records, recvsize, sendsize);
}

/* All clients of a control: counted under its lock, looked at without it. */
static void
print_connections(FILE *out, struct control *control)
{
	struct connection *connection, **all;
	uint32_t count = 0;

	pthread_mutex_lock(&control->lock);
	all = calloc(control->attached_count + 1, sizeof(struct connection *));
	LIST_FOREACH(connection, &control->connections, control_link)
	{
		if (all == NULL)
			break;
		connection_ref(connection);
		all[count++] = connection;
	}
	pthread_mutex_unlock(&control->lock);
	for (uint32_t i = 0; i < count; i++) {
		print_connection(out, all[i]);
		connection_unref(all[i]);
	}
	free(all);
}

static void
print_control(FILE *out, struct control *control)
{
	const struct kern_ctl_reg *reg = &control->reg;

	pthread_mutex_lock(&control->lock);
	uint32_t attached = control->attached_count;
	pthread_mutex_unlock(&control->lock);
	fprintf(out,
		"{\"kind\":\"control\",\"id\":%u,\"unit\":%u,\"flags\":%u,\"sendsize\":%u,"
		"\"recvsize\":%u,\"pcbcount\":%u,\"kext\":%u,\"name\":",
		reg->ctl_id, reg->ctl_unit, reg->ctl_flags, reg->ctl_sendsize, reg->ctl_recvsize,
		attached, control->kext_tag);
	print_text(out, reg->ctl_name);
	fputs("}\n", out);
}

static void
print_statistics(FILE *out)
{
	fprintf(out,
		"{\"kind\":\"statistics\",\"reg_total\":0,\"pcbcount\":%" PRIu64
		",\"gencnt\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"conn_fail\":%" PRIu64
		",\"send_fail\":%" PRIu64 ",\"send_list_fail\":%" PRIu64
		",\"enqueue_fail\":%" PRIu64 ",\"enqueue_fullsock\":%" PRIu64
		",\"bad_kctlref\":%" PRIu64
		",\"tbl_size_too_big\":0,\"enqdata_mb_alloc_fail\":%" PRIu64
		",\"enqdata_sbappend_fail\":%" PRIu64 "}\n",
		statistics.pcbcount, statistics.gencnt, statistics.connections,
		statistics.conn_fail, statistics.send_fail, statistics.send_list_fail,
		statistics.enqueue_fail, statistics.enqueue_fullsock, statistics.bad_kctlref,
		statistics.enqdata_mb_alloc_fail, statistics.enqdata_sbappend_fail);
}

void
control_server_status(uint32_t sequence)
{
	char *text = NULL;
	size_t size = 0;
	uint32_t slot = 0;
	struct control *control;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL) {
		kernel_link_done(sequence, -ENOMEM, "no memory");
		return;
	}
	while ((control = control_next(&slot)) != NULL) {
		print_control(out, control);
		print_connections(out, control);
		control_unref(control);
	}
	print_statistics(out);
	if (fclose(out) != 0) {
		free(text);
		kernel_link_done(sequence, -ENOMEM, "no memory");
		return;
	}
	kernel_link_says(sequence, text, size);
	free(text);
	kernel_link_done(sequence, 0, NULL);
}
