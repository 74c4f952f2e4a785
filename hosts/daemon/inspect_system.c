/*
 * Kexts, controls and event sockets as JSON, an object a line.
 */
#include "hosts/daemon/inspect.h"

#include <inttypes.h>

bool
rows_next_kext(struct peer *peer, struct inspection *inspection)
{
	struct kernel_kext_row row;

	if (!kernel_kext_next(peer->host->kernel, &inspection->tag, &row))
		return false;
	text_add(inspection, "{\"tag\": %u, \"refs\": %u, \"address\": %" PRIu64, row.tag,
		 row.reference_count, credentials_sees_all(peer) ? row.kext->address : 0);
	text_add(inspection, ", \"size\": %" PRIu64 ", \"identifier\": ", row.kext->size_bytes);
	text_add_json_string(inspection, row.kext->identifier);
	text_add(inspection, ", \"version\": ");
	text_add_json_string(inspection, row.kext->version);
	text_add(inspection, ", \"path\": ");
	text_add_json_string(inspection, row.kext->path);
	text_add(inspection, ", \"host_id\": %u, \"pid\": %u, \"started\": %s, \"dependencies\": [",
		 row.host_id, row.host_pid, row.started ? "true" : "false");
	for (uint32_t i = 0; i < row.kext->dependency_count; i++)
		text_add(inspection, "%s%u", i > 0 ? ", " : "", row.kext->dependencies[i]);
	text_add(inspection, "]}\n");
	inspection->count++;
	return true;
}

/* The identifier of a kext, ""; if there is none. */
static void
add_kext_of_tag(struct kernel *kernel, struct inspection *inspection, uint32_t tag)
{
	struct kernel_kext_row row;
	uint32_t at = tag - 1;
	bool found = tag != 0 && kernel_kext_next(kernel, &at, &row) && row.tag == tag;

	text_add_json_string(inspection, found ? row.kext->identifier : "");
}

bool
rows_next_control(struct peer *peer, struct inspection *inspection)
{
	struct kernel *kernel = peer->host->kernel;
	struct kernel_ctl_row row;

	if (!kernel_ctl_next(kernel, &inspection->slot, &row))
		return false;
	text_add(inspection, "{\"id\": %u, \"unit\": %u, \"flags\": %u, \"name\": ", row.ctl->id,
		 row.ctl->unit, row.ctl->flags);
	text_add_json_string(inspection, row.ctl->name);
	text_add(inspection,
		 ", \"sendsize\": %u, \"recvsize\": %u, \"ref\": %" PRIu64
		 ", \"host_id\": %u, \"pid\": %u, \"kext\": ",
		 row.ctl->sendsize, row.ctl->recvsize, row.ref, row.host_id, row.host_pid);
	add_kext_of_tag(kernel, inspection, row.kext_tag);
	text_add(inspection, ", \"tag\": %u}\n", row.kext_tag);
	inspection->count++;
	return true;
}

/* struct kevtstat, then a row for each socket that the asker may see. */
bool
rows_next_event_socket(struct peer *peer, struct inspection *inspection)
{
	struct event_socket_row row;
	uint64_t stats[7];

	if (!inspection->statistics_told) {
		inspection->statistics_told = true;
		kernel_kev_statistics(peer->host->kernel, stats);
		text_add(inspection,
			 "{\"kes_pcbcount\": %" PRIu64 ", \"kes_gencnt\": %" PRIu64
			 ", \"kes_badvendor\": %" PRIu64 ", \"kes_toobig\": %" PRIu64
			 ", \"kes_nomem\": %" PRIu64 ", \"kes_fullsock\": %" PRIu64
			 ", \"kes_posted\": %" PRIu64 "}\n",
			 stats[0], stats[1], stats[2], stats[3], stats[4], stats[5], stats[6]);
	}
	if (!event_socket_next(peer->host, &inspection->event_socket, &row))
		return false;
	if (!credentials_sees(peer, row.uid))
		return true;
	text_add(inspection,
		 "{\"pid\": %d, \"vendor\": %u, \"class\": %u, \"subclass\": %u, "
		 "\"unread_bytes\": %" PRIu64 ", \"dropped\": %" PRIu64 "}\n",
		 (int)row.pid, row.filter[0], row.filter[1], row.filter[2], row.unread_bytes,
		 row.dropped);
	inspection->count++;
	return true;
}
