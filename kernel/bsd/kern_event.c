#include "bsd/kern_event.h"

#include <errno.h>
#include <string.h>

#include "kern/state.h"

_Static_assert(sizeof(struct kev_header) == 24, "KEV_MSG_HEADER_SIZE");
_Static_assert(offsetof(struct kev_event, data) ==
		   offsetof(struct kev_event, header) + sizeof(struct kev_header),
	       "header and data are one run of bytes");

/* ---- life ------------------------------------------------------------------------------- */

void
kev_init(struct kernel *k)
{
	list_init(&k->kev.sockets);
	list_init(&k->kev.events);
	for (uint32_t i = 0; i < KEV_BUCKETS; i++)
		list_init(&k->kev.codes[i]);
}

void
kev_deinit(struct kernel *k)
{
	check(list_is_empty(&k->kev.sockets) && k->kev.socket_count == 0);
	check(list_is_empty(&k->kev.events));
	for (uint32_t i = 0; i < KEV_BUCKETS; i++) {
		LIST_FOR_EACH_SAFE (code, &k->kev.codes[i], struct kev_code, link) {
			list_remove(&code->link);
			k->kev.code_count--;
			kernel_memory_free(k, code, sizeof(*code) + code->size_bytes);
		}
	}
	check(k->kev.code_count == 0);
}

/* ---- vendor codes ------------------------------------------------------------------------ */

static uint32_t
bucket_of(const char *text, size_t size_bytes)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < size_bytes; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash % KEV_BUCKETS;
}

static struct kev_code *
code_find(const struct kernel *k, const char *text, size_t size_bytes)
{
	const struct list *bucket = &k->kev.codes[bucket_of(text, size_bytes)];

	LIST_FOR_EACH (code, bucket, struct kev_code, link)
		if (code->size_bytes == size_bytes && memcmp(code->text, text, size_bytes) == 0)
			return code;
	return NULL;
}

int
kev_vendor_find(const struct kernel *k, const char *text, size_t size_bytes, uint32_t *code)
{
	const struct kev_code *found = code_find(k, text, size_bytes);

	if (!found || !(found->purposes & (1u << KERNEL_VENDOR_EVENT)))
		return ENOENT;
	*code = found->code;
	return 0;
}

int
kernel_kev_vendor(struct kernel *k, const char *text, size_t size_bytes,
		  enum kernel_vendor_purpose purpose, uint32_t *code)
{
	struct kev_code *found;

	if (size_bytes >= KEV_VENDOR_TEXT_MAX ||
	    (purpose != KERNEL_VENDOR_EVENT && purpose != KERNEL_VENDOR_MBUF_TAG))
		return EINVAL;
	for (size_t i = 0; i < size_bytes; i++)
		if (text[i] == '\0')
			return EINVAL;
	found = code_find(k, text, size_bytes);
	if (!found) {
		if (k->kev.code_count >= KEV_CODE_COUNT_MAX)
			return ENOMEM;
		found = kernel_memory_alloc(k, sizeof(*found) + size_bytes);
		if (!found)
			return ENOMEM;
		found->code = KEV_VENDOR_FIRST + k->kev.code_count++;
		found->size_bytes = (uint32_t)size_bytes;
		if (size_bytes > 0)
			memcpy(found->text, text, size_bytes);
		list_append(&k->kev.codes[bucket_of(text, size_bytes)], &found->link);
	}
	found->purposes |= 1u << purpose;
	if (purpose == KERNEL_VENDOR_EVENT && found->code > k->kev.vendor_max)
		k->kev.vendor_max = found->code;
	*code = found->code;
	return 0;
}

/* ---- sockets ------------------------------------------------------------------------------ */

struct kernel_kev_socket *
kernel_kev_socket_new(struct kernel *k, void *host)
{
	struct kernel_kev_socket *socket;

	if (k->kev.socket_count >= KEV_SOCKET_COUNT_MAX)
		return NULL;
	socket = kernel_memory_alloc(k, sizeof(*socket));
	if (!socket)
		return NULL;
	socket->id = ++k->kev.last_socket_id;
	socket->filter[0] = KEV_VENDOR_NONE;
	socket->host = host;
	list_append(&k->kev.sockets, &socket->link);
	k->kev.socket_count++;
	k->kev.gencnt++;
	return socket;
}

void *
kernel_kev_socket_host(const struct kernel_kev_socket *socket)
{
	return socket->host;
}

void
kernel_kev_socket_free(struct kernel *k, struct kernel_kev_socket *socket)
{
	if (!socket)
		return;
	/* it may go while events are taken, which then pass it over */
	LIST_FOR_EACH (event, &k->kev.events, struct kev_event, link)
		if (event->at == &socket->link)
			event->at = socket->link.next;
	list_remove(&socket->link);
	k->kev.socket_count--;
	k->kev.gencnt++;
	kernel_memory_free(k, socket, sizeof(*socket));
}

void
kernel_kev_socket_set_filter(struct kernel_kev_socket *socket, const uint32_t filter[3])
{
	memcpy(socket->filter, filter, sizeof(socket->filter));
}

void
kernel_kev_socket_filter(const struct kernel_kev_socket *socket, uint32_t filter[3])
{
	memcpy(filter, socket->filter, sizeof(socket->filter));
}

/* Vendor first: a class means something within its vendor only, and a subclass in its class. */
static bool
wants(const struct kernel_kev_socket *socket, const struct kev_header *header)
{
	const uint32_t *filter = socket->filter;

	if (filter[0] == KEV_ANY)
		return true;
	if (filter[0] != header->vendor_code)
		return false;
	if (filter[1] == KEV_ANY)
		return true;
	if (filter[1] != header->kev_class)
		return false;
	return filter[2] == KEV_ANY || filter[2] == header->kev_subclass;
}

/* ---- events ------------------------------------------------------------------------------- */

struct kev_event *
kev_event_new(struct kernel *k, uint32_t data_size)
{
	struct kev_event *event = kernel_memory_alloc(k, sizeof(*event) + data_size);

	if (!event)
		return NULL;
	list_init(&event->link);
	event->data_size = data_size;
	return event;
}

void
kev_event_free(struct kernel *k, struct kev_event *event)
{
	if (!event)
		return;
	list_remove(&event->link);
	kernel_memory_free(k, event, sizeof(*event) + event->data_size);
}

static bool
somebody_wants(const struct kernel *k, const struct kev_header *header)
{
	LIST_FOR_EACH (socket, &k->kev.sockets, struct kernel_kev_socket, link)
		if (wants(socket, header))
			return true;
	return false;
}

/* @event, which has its id, gets on its way. */
static void
event_send(struct kernel *k, struct kev_event *event, struct kernel_effects *effects)
{
	event->header.total_size = (uint32_t)sizeof(event->header) + event->data_size;
	event->at = k->kev.sockets.next;
	event->newest_socket_id = k->kev.last_socket_id;
	list_append(&k->kev.events, &event->link);
	effects->kernel_events = &k->kev;
}

void
kev_event_post(struct kernel *k, struct kev_event *event, struct kernel_effects *effects)
{
	event->header.id = ++k->kev.last_id;
	if (somebody_wants(k, &event->header))
		event_send(k, event, effects);
	else
		kev_event_free(k, event);
}

int
kernel_kev_post(struct kernel *k, const uint32_t vendor_class_subclass_code[4], const void *data,
		uint32_t size_bytes, bool is_kernel, struct kernel_effects *effects)
{
	const struct kev_header header = {
		.vendor_code = vendor_class_subclass_code[0],
		.kev_class = vendor_class_subclass_code[1],
		.kev_subclass = vendor_class_subclass_code[2],
		.event_code = vendor_class_subclass_code[3],
	};
	struct kev_event *event;
	uint32_t id;

	if (!is_kernel &&
	    (header.vendor_code < KEV_VENDOR_FIRST || header.vendor_code > k->kev.vendor_max)) {
		k->kev.badvendor++;
		return EINVAL;
	}
	if (size_bytes > KEV_DATA_MAX) {
		k->kev.toobig++;
		return EMSGSIZE;
	}
	/* from here on the event has its number: one that is lost leaves a gap */
	id = ++k->kev.last_id;
	if (!somebody_wants(k, &header))
		return 0;
	event = kev_event_new(k, size_bytes);
	if (!event) {
		k->kev.nomem++;
		return ENOMEM;
	}
	event->header = header;
	event->header.id = id;
	if (size_bytes > 0)
		memcpy(event->data, data, size_bytes);
	event_send(k, event, effects);
	return 0;
}

/* ---- deliveries ----------------------------------------------------------------------------- */

/* The next socket that wants @event; NULL: it has been everywhere. */
static struct kernel_kev_socket *
next_listener(const struct kernel *k, struct kev_event *event)
{
	while (event->at != &k->kev.sockets) {
		struct kernel_kev_socket *socket = (struct kernel_kev_socket *)list_entry(
		    event->at, struct kernel_kev_socket, link);

		event->at = socket->link.next;
		if (socket->id <= event->newest_socket_id && wants(socket, &event->header))
			return socket;
	}
	return NULL;
}

bool
kernel_effects_kev(struct kernel *k, struct kernel_effects *effects,
		   struct kernel_kev_delivery *delivery)
{
	struct list *first;

	if (!effects->kernel_events)
		return false;
	while ((first = list_first(&k->kev.events)) != NULL) {
		struct kev_event *event = list_entry(first, struct kev_event, link);
		struct kernel_kev_socket *socket = next_listener(k, event);

		if (socket) {
			*delivery = (struct kernel_kev_delivery){
				.socket = socket,
				.bytes = &event->header,
				.size_bytes = event->header.total_size,
			};
			return true;
		}
		kev_event_free(k, event);
	}
	effects->kernel_events = NULL;
	return false;
}

void
kernel_kev_delivered(struct kernel *k, struct kernel_kev_socket *socket, bool was_full)
{
	if (was_full)
		k->kev.fullsock++;
	else
		k->kev.posted++;
}

void
kernel_kev_statistics(const struct kernel *k, uint64_t statistics[7])
{
	const struct kev_state *kev = &k->kev;
	const uint64_t values[7] = { kev->socket_count, kev->gencnt,   kev->badvendor, kev->toobig,
				     kev->nomem,        kev->fullsock, kev->posted };

	memcpy(statistics, values, sizeof(values));
}
