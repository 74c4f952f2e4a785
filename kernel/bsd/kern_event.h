/*
 * Kernel events: vendor codes, the sockets that listen, and events on their way to them.
 *
 * An event is one piece of memory whatever the number of its listeners: who gets it is found
 * while the host takes the deliveries, which it does before it calls in again.  Events of the
 * system itself have their memory beforehand, so that a death needs none.
 *
 * Source: kernel-event.md.
 */
#ifndef KERNEL_KERN_EVENT_H
#define KERNEL_KERN_EVENT_H

#include "kernel.h"
#include "support/check.h"
#include "support/list.h"

#define KEV_ANY 0u /* of a filter: vendor, class, subclass */
#define KEV_VENDOR_APPLE 1u
#define KEV_SYSTEM_CLASS 3u
#define KEV_VENDOR_FIRST 1000u      /* the first code that is handed out */
#define KEV_VENDOR_NONE 0xffffffffu /* the filter of a new socket: no event has it */
#define KEV_BUCKETS 64u

/* struct kern_event_msg without its data */
struct kev_header {
	uint32_t total_size, vendor_code, kev_class, kev_subclass, id, event_code;
};

/* One event until its last delivery is taken. */
struct kev_event {
	struct list link;          /* kev_state.events; or of none yet */
	const struct list *at;     /* the next socket to be asked whether it wants it */
	uint64_t newest_socket_id; /* at the post: later ones see nothing of it */
	uint32_t data_size;
	struct kev_header header; /* the data follows at once */
	uint8_t data[];
};

struct kernel_kev_socket {
	struct list link; /* kev_state.sockets, oldest first */
	uint64_t id;
	uint32_t filter[3];
	void *host;
};

/* A string that has a code. */
struct kev_code {
	struct list link; /* kev_state.codes: its bucket */
	uint32_t code;
	uint32_t purposes; /* bits of enum kernel_vendor_purpose */
	uint32_t size_bytes;
	char text[];
};

struct kev_state {
	struct list sockets, events;
	uint32_t socket_count;
	uint64_t last_socket_id;
	uint32_t last_id; /* of an event; 0: none yet */

	struct list codes[KEV_BUCKETS];
	uint32_t code_count;
	uint32_t vendor_max; /* the highest code that is a vendor's; 0: none is */

	/* struct kevtstat */
	uint64_t gencnt, badvendor, toobig, nomem, fullsock, posted;
};

void kev_init(struct kernel *k);
/* The codes, which nobody gives back.  Every socket is gone, every delivery was taken. */
void kev_deinit(struct kernel *k);

/* Memory for an event with @data_size bytes of data, to be posted or freed; NULL: none. */
mustuse struct kev_event *kev_event_new(struct kernel *k, uint32_t data_size);
void kev_event_free(struct kernel *k, struct kev_event *event);
/* Sends @event, whose header but id and size is filled in, to all who want it.  Consumes it. */
void kev_event_post(struct kernel *k, struct kev_event *event, struct kernel_effects *effects);

/* The code of a string if it is a vendor's; ENOENT. */
mustuse int kev_vendor_find(const struct kernel *k, const char *text, size_t size_bytes,
			    uint32_t *code);

#endif
