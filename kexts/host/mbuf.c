/*
 * Mbufs: getting them, and looking at one of them.
 *
 * Source: kext.md §5.9.
 */
#include "kexts/host/mbuf_memory.h"

#include <errno.h>

static errno_t
mbuf_get_with(size_t bytes_size, mbuf_flags_t flags, mbuf_type_t type, mbuf_t *out)
{
	struct __mbuf *mbuf;

	if (!out || !type)
		return EINVAL;
	mbuf = mbuf_block_new(bytes_size);
	*out = mbuf;
	if (!mbuf)
		return ENOMEM;
	mbuf->flags |= flags;
	mbuf->type = type;
	return 0;
}

KPI_EXPORT errno_t
mbuf_get(mbuf_how_t how, mbuf_type_t type, mbuf_t *mbuf)
{
	(void)how;
	return mbuf_get_with(MBUF_SMALL_BYTES, 0, type, mbuf);
}

KPI_EXPORT errno_t
mbuf_gethdr(mbuf_how_t how, mbuf_type_t type, mbuf_t *mbuf)
{
	(void)how;
	return mbuf_get_with(MBUF_SMALL_BYTES, MBUF_PKTHDR, type, mbuf);
}

KPI_EXPORT errno_t
mbuf_getpacket(mbuf_how_t how, mbuf_t *mbuf)
{
	(void)how;
	return mbuf_get_with(MBUF_CLUSTER_BYTES, MBUF_PKTHDR, MBUF_TYPE_DATA, mbuf);
}

KPI_EXPORT errno_t
mbuf_allocpacket(mbuf_how_t how, size_t len, unsigned int *maxchunks, mbuf_t *mbuf)
{
	struct __mbuf *first = NULL, **link = &first;
	size_t chunk_count;

	(void)how;
	if (!mbuf || !len)
		return EINVAL;
	*mbuf = NULL;
	/* all but the last are the largest that there are */
	chunk_count = len / MBUF_CLUSTER_16K_BYTES + (len % MBUF_CLUSTER_16K_BYTES != 0);
	if (maxchunks && *maxchunks && chunk_count > *maxchunks)
		return ENOBUFS;
	if (len > MBUF_PACKET_MAX)
		return ENOMEM;
	for (size_t room; len; len -= room < len ? room : len) {
		room = mbuf_bytes_for(len);
		*link = mbuf_block_new(room);
		if (!*link) {
			mbuf_freem(first);
			return ENOMEM;
		}
		link = &(*link)->next;
	}
	first->flags |= MBUF_PKTHDR;
	if (maxchunks)
		*maxchunks = (unsigned int)chunk_count;
	*mbuf = first;
	return 0;
}

/* ---- one mbuf --------------------------------------------------------------------------- */

KPI_EXPORT void *
mbuf_data(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_data");
	return mbuf->data;
}

KPI_EXPORT void *
mbuf_datastart(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_datastart");
	return mbuf->storage->bytes;
}

KPI_EXPORT size_t
mbuf_len(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_len");
	return mbuf->len;
}

KPI_EXPORT size_t
mbuf_maxlen(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_maxlen");
	return mbuf->storage->bytes_size;
}

KPI_EXPORT void
mbuf_setlen(mbuf_t mbuf, size_t len)
{
	mbuf_check(mbuf, "mbuf_setlen");
	mbuf->len = len;
}

KPI_EXPORT errno_t
mbuf_setdata(mbuf_t mbuf, void *data, size_t len)
{
	uintptr_t start, where = (uintptr_t)data;

	mbuf_check(mbuf, "mbuf_setdata");
	start = (uintptr_t)mbuf->storage->bytes;
	if (where < start || where - start > mbuf->storage->bytes_size ||
	    len > mbuf->storage->bytes_size - (where - start))
		return EINVAL;
	mbuf->data = data;
	mbuf->len = len;
	return 0;
}

KPI_EXPORT size_t
mbuf_leadingspace(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_leadingspace");
	return mbuf_space_before(mbuf);
}

KPI_EXPORT size_t
mbuf_trailingspace(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_trailingspace");
	return mbuf_space_behind(mbuf);
}

KPI_EXPORT mbuf_flags_t
mbuf_flags(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_flags");
	return mbuf->flags;
}

KPI_EXPORT errno_t
mbuf_setflags_mask(mbuf_t mbuf, mbuf_flags_t flags, mbuf_flags_t mask)
{
	mbuf_check(mbuf, "mbuf_setflags_mask");
	if (mask & ~(mbuf_flags_t)MBUF_SETTABLE_FLAGS)
		return EINVAL;
	mbuf->flags = (mbuf->flags & ~mask) | (flags & mask);
	return 0;
}

KPI_EXPORT errno_t
mbuf_setflags(mbuf_t mbuf, mbuf_flags_t flags)
{
	mbuf_check(mbuf, "mbuf_setflags");
	if (flags & ~(mbuf_flags_t)MBUF_SETTABLE_FLAGS)
		return EINVAL;
	return mbuf_setflags_mask(mbuf, flags, MBUF_SETTABLE_FLAGS);
}

KPI_EXPORT mbuf_type_t
mbuf_type(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_type");
	return mbuf->type;
}

KPI_EXPORT errno_t
mbuf_settype(mbuf_t mbuf, mbuf_type_t new_type)
{
	mbuf_check(mbuf, "mbuf_settype");
	if (!new_type)
		return EINVAL; /* a free one's */
	mbuf->type = new_type;
	return 0;
}

/* ---- chains and lists --------------------------------------------------------------------- */

KPI_EXPORT mbuf_t
mbuf_next(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_next");
	return mbuf->next;
}

KPI_EXPORT errno_t
mbuf_setnext(mbuf_t mbuf, mbuf_t next)
{
	mbuf_check(mbuf, "mbuf_setnext");
	if (next) {
		mbuf_check(next, "mbuf_setnext");
		if (next == mbuf || next->next_packet)
			return EINVAL;
	}
	mbuf->next = next;
	return 0;
}

KPI_EXPORT mbuf_t
mbuf_nextpkt(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_nextpkt");
	return mbuf->next_packet;
}

KPI_EXPORT void
mbuf_setnextpkt(mbuf_t mbuf, mbuf_t nextpkt)
{
	mbuf_check(mbuf, "mbuf_setnextpkt");
	mbuf->next_packet = nextpkt;
}

/* ---- the header of a packet --------------------------------------------------------- */

KPI_EXPORT size_t
mbuf_pkthdr_len(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_pkthdr_len");
	return mbuf->packet_len; /* 0 without MBUF_PKTHDR */
}

KPI_EXPORT void
mbuf_pkthdr_setlen(mbuf_t mbuf, size_t len)
{
	mbuf_check(mbuf, "mbuf_pkthdr_setlen");
	if (mbuf->flags & MBUF_PKTHDR)
		mbuf->packet_len = len;
}

KPI_EXPORT void
mbuf_pkthdr_adjustlen(mbuf_t mbuf, int amount)
{
	mbuf_check(mbuf, "mbuf_pkthdr_adjustlen");
	if (mbuf->flags & MBUF_PKTHDR)
		mbuf->packet_len += (size_t)(ptrdiff_t)amount;
}

KPI_EXPORT ifnet_t
mbuf_pkthdr_rcvif(mbuf_t mbuf)
{
	mbuf_check(mbuf, "mbuf_pkthdr_rcvif");
	return mbuf->receive_interface;
}

KPI_EXPORT errno_t
mbuf_pkthdr_setrcvif(mbuf_t mbuf, ifnet_t ifp)
{
	mbuf_check(mbuf, "mbuf_pkthdr_setrcvif");
	if (!(mbuf->flags & MBUF_PKTHDR))
		return EINVAL;
	mbuf->receive_interface = ifp;
	return 0;
}

void
mbuf_header_move(struct __mbuf *to, struct __mbuf *from)
{
	const mbuf_flags_t moved = MBUF_PKTHDR | MBUF_SETTABLE_FLAGS;

	to->type = from->type;
	to->flags |= from->flags & moved;
	to->packet_len = from->packet_len;
	to->receive_interface = from->receive_interface;
	to->tags = from->tags;
	to->next_packet = from->next_packet;
	from->flags &= ~(mbuf_flags_t)MBUF_PKTHDR;
	from->packet_len = 0;
	from->receive_interface = NULL;
	from->tags = NULL;
	from->next_packet = NULL;
}

bool
mbuf_header_copy(struct __mbuf *to, const struct __mbuf *from, size_t packet_len)
{
	if (!mbuf_tags_copy(to, from))
		return false;
	to->flags |= MBUF_PKTHDR;
	to->packet_len = packet_len;
	to->receive_interface = from->receive_interface;
	return true;
}
