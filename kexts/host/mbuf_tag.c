/*
 * Tags on packets: what a kext wants to find again on a packet that went through other hands.
 *
 * The ids are the kernel's: one string has one number in all kexts.
 *
 * Source: kext.md §5.9; kernel-event.md §4.1.
 */
#include "kexts/host/kernel_link.h"
#include "kexts/host/mbuf_memory.h"

#include <errno.h>
#include <string.h>

#define TAG_STRING_MAX 200u /* bytes, with the NUL */
#define TAG_ID_FIRST 1000u

static _Atomic uint32_t highest_id; /* of those that were found */

KPI_EXPORT errno_t
mbuf_tag_id_find(const char *string, mbuf_tag_id_t *id)
{
	const uint64_t args[5] = { WIRE_VENDOR_MBUF_TAG };
	uint64_t values[2] = { 0, 0 };
	uint32_t found, highest;
	size_t length;
	int error;

	if (!string || !id)
		return EINVAL;
	length = strnlen(string, TAG_STRING_MAX);
	if (length == TAG_STRING_MAX)
		return EINVAL;
	error = kernel_link_request(WIRE_KEV_VENDOR, args, string, length, values, NULL, 0);
	if (error)
		return error;
	found = (uint32_t)values[0];
	highest = atomic_load(&highest_id);
	while (highest < found && !atomic_compare_exchange_weak(&highest_id, &highest, found)) {
	}
	*id = found;
	return 0;
}

/* Where the tag is linked, or the end of the list. */
static struct mbuf_tag **
tag_link(struct __mbuf *mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type)
{
	struct mbuf_tag **link = &mbuf->tags;

	while (*link && ((*link)->id != id || (*link)->type != type))
		link = &(*link)->next;
	return link;
}

static bool
tag_is_possible(const struct __mbuf *mbuf, mbuf_tag_id_t id, const char *where)
{
	if (!mbuf)
		return false;
	mbuf_check(mbuf, where);
	return (mbuf->flags & MBUF_PKTHDR) && id >= TAG_ID_FIRST && id <= atomic_load(&highest_id);
}

/* A tag with contents of no certain value. */
static struct mbuf_tag *
tag_new(mbuf_tag_id_t id, mbuf_tag_type_t type, size_t size_bytes)
{
	struct mbuf_tag *tag;

	if (size_bytes > MBUF_PACKET_MAX)
		return NULL;
	tag = mbuf_allocator.allocate(sizeof(*tag) + size_bytes);
	if (!tag)
		return NULL;
	tag->next = NULL;
	tag->id = id;
	tag->type = type;
	tag->size_bytes = size_bytes;
	return tag;
}

KPI_EXPORT errno_t
mbuf_tag_allocate(mbuf_t mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type, size_t length,
		  mbuf_how_t how, void **data_p)
{
	struct mbuf_tag **link;

	(void)how;
	if (!data_p)
		return EINVAL;
	*data_p = NULL;
	if (!tag_is_possible(mbuf, id, "mbuf_tag_allocate"))
		return EINVAL;
	link = tag_link(mbuf, id, type);
	if (*link)
		return EEXIST;
	*link = tag_new(id, type, length);
	if (!*link)
		return ENOMEM;
	memset((*link)->bytes, 0, length);
	*data_p = (*link)->bytes;
	return 0;
}

KPI_EXPORT errno_t
mbuf_tag_find(mbuf_t mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type, size_t *length, void **data_p)
{
	const struct mbuf_tag *tag;

	if (!length || !data_p)
		return EINVAL;
	*length = 0;
	*data_p = NULL;
	if (!tag_is_possible(mbuf, id, "mbuf_tag_find"))
		return EINVAL;
	tag = *tag_link(mbuf, id, type);
	if (!tag)
		return ENOENT;
	*length = tag->size_bytes;
	*data_p = (void *)tag->bytes;
	return 0;
}

KPI_EXPORT void
mbuf_tag_free(mbuf_t mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type)
{
	struct mbuf_tag **link, *tag;

	if (!tag_is_possible(mbuf, id, "mbuf_tag_free"))
		return;
	link = tag_link(mbuf, id, type);
	tag = *link;
	if (!tag)
		return;
	*link = tag->next;
	mbuf_allocator.release(tag);
}

void
mbuf_tags_free(struct __mbuf *mbuf)
{
	struct mbuf_tag *tag = mbuf->tags;

	mbuf->tags = NULL;
	while (tag) {
		struct mbuf_tag *next = tag->next;

		mbuf_allocator.release(tag);
		tag = next;
	}
}

bool
mbuf_tags_copy(struct __mbuf *to, const struct __mbuf *from)
{
	struct mbuf_tag **link = &to->tags;

	for (const struct mbuf_tag *tag = from->tags; tag; tag = tag->next) {
		*link = tag_new(tag->id, tag->type, tag->size_bytes);
		if (!*link) {
			mbuf_tags_free(to);
			return false;
		}
		memcpy((*link)->bytes, tag->bytes, tag->size_bytes);
		link = &(*link)->next;
	}
	return true;
}
