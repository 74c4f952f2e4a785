/*
 * Mbufs: reading, writing, copying and cutting the bytes of a packet.
 *
 * Where nothing else is said a call that fails has changed nothing.
 *
 * Source: kext.md §5.9.
 */
#include "kexts/host/mbuf_memory.h"

#include <errno.h>
#include <string.h>

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
chain_length(const struct __mbuf *mbuf, const char *where)
{
	size_t length = 0;

	for (; mbuf; mbuf = mbuf->next) {
		mbuf_check(mbuf, where);
		length += mbuf->len;
	}
	return length;
}

/* Reads @len bytes that are there, @offset bytes into the chain. */
static void
chain_read(const struct __mbuf *mbuf, size_t offset, size_t len, uint8_t *to)
{
	while (len && offset >= mbuf->len) {
		offset -= mbuf->len;
		mbuf = mbuf->next;
	}
	for (; len; mbuf = mbuf->next) {
		size_t part = least(mbuf->len - offset, len);

		if (part)
			memcpy(to, mbuf->data + offset, part);
		to += part;
		len -= part;
		offset = 0;
	}
}

KPI_EXPORT errno_t
mbuf_copydata(mbuf_t mbuf, size_t offset, size_t len, void *out_data)
{
	size_t there = chain_length(mbuf, "mbuf_copydata");

	if (offset > there || len > there - offset || (len && !out_data))
		return EINVAL;
	chain_read(mbuf, offset, len, out_data);
	return 0;
}

/* ---- writing ------------------------------------------------------------------------ */

/* Writes over up to @len bytes that are there, @offset into the chain.  How many. */
static size_t
chain_overwrite(struct __mbuf *mbuf, size_t offset, size_t len, const uint8_t *from)
{
	size_t done = 0;

	for (; mbuf && done < len; mbuf = mbuf->next) {
		size_t part;

		if (offset >= mbuf->len) {
			offset -= mbuf->len;
			continue;
		}
		part = least(mbuf->len - offset, len - done);
		memcpy(mbuf->data + offset, from + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

/*
 * Appends @len bytes, zeros if @from is NULL.  *@last is an mbuf with nothing but empty ones
 * behind it; so it is after the call.  How many bytes found memory.
 */
static size_t
chain_append(struct __mbuf **last, size_t len, const uint8_t *from)
{
	struct __mbuf *mbuf = *last;
	size_t done = 0;

	for (;;) {
		size_t part = least(mbuf_space_behind(mbuf), len - done);

		if (part) {
			if (from)
				memcpy(mbuf->data + mbuf->len, from + done, part);
			else
				memset(mbuf->data + mbuf->len, 0, part);
			mbuf->len += part;
			done += part;
		}
		if (done == len)
			break;
		if (!mbuf->next) {
			mbuf->next = mbuf_block_new(mbuf_bytes_for(len - done));
			if (!mbuf->next)
				break;
			mbuf->next->type = mbuf->type;
		}
		mbuf = mbuf->next;
	}
	*last = mbuf;
	return done;
}

KPI_EXPORT errno_t
mbuf_copyback(mbuf_t mbuf, size_t offset, size_t len, const void *data, mbuf_how_t how)
{
	const uint8_t *from = data;
	struct __mbuf *last = mbuf;
	size_t there, done;

	(void)how;
	if (!mbuf || !len || !data || offset > MBUF_PACKET_MAX || len > MBUF_PACKET_MAX - offset)
		return EINVAL;
	there = chain_length(mbuf, "mbuf_copyback");
	done = chain_overwrite(mbuf, offset, len, from);
	if (done < len) {
		for (struct __mbuf *m = mbuf; m; m = m->next)
			if (m->len)
				last = m;
		if (there < offset)
			there += chain_append(&last, offset - there, NULL);
		if (there >= offset)
			done += chain_append(&last, len - done, from + done);
	}
	if (done)
		there = offset + done; /* else the zeros, if any, are all that was written */
	if ((mbuf->flags & MBUF_PKTHDR) && mbuf->packet_len < there)
		mbuf->packet_len = there;
	return done == len ? 0 : ENOBUFS;
}

KPI_EXPORT void
mbuf_adj(mbuf_t mbuf, int len)
{
	size_t there, cut, left;

	if (!mbuf)
		return;
	there = chain_length(mbuf, "mbuf_adj");
	cut = least(there, (size_t)(len < 0 ? -(int64_t)len : len));
	if (mbuf->flags & MBUF_PKTHDR)
		mbuf->packet_len -= least(mbuf->packet_len, cut);
	if (len >= 0) {
		for (struct __mbuf *m = mbuf; cut; m = m->next) {
			size_t part = least(m->len, cut);

			m->data += part;
			m->len -= part;
			cut -= part;
		}
		return;
	}
	left = there - cut;
	for (struct __mbuf *m = mbuf; m; m = m->next) {
		m->len = least(m->len, left);
		left -= m->len;
	}
}

/* ---- copying -----------------------------------------------------------------------------------
 */

/* A copy of @len bytes of one mbuf from @offset; it shares a cluster if @may_share.  NULL: no
 * memory. */
static struct __mbuf *
mbuf_copy_part(struct __mbuf *from, size_t offset, size_t len, bool may_share)
{
	struct __mbuf *to;

	if (may_share && (from->flags & MBUF_EXT) && len) {
		to = mbuf_block_share(from);
		if (!to)
			return NULL;
		to->data = from->data + offset;
	} else {
		size_t room = mbuf_bytes_for(len);

		to = mbuf_block_new(len > room ? len : room);
		if (!to)
			return NULL;
		if (len)
			memcpy(to->data, from->data + offset, len);
	}
	to->len = len;
	to->type = from->type;
	to->flags |= from->flags & MBUF_SETTABLE_FLAGS;
	return to;
}

/* Copies @len bytes that are there.  NULL: no memory. */
static struct __mbuf *
chain_copy(struct __mbuf *from, size_t offset, size_t len, bool may_share)
{
	struct __mbuf *first = NULL, **link = &first, *head = from;
	size_t total = len;
	bool whole = offset == 0;

	while (!whole && from->next && offset >= from->len) {
		offset -= from->len;
		from = from->next;
	}
	do {
		size_t part = least(from->len - offset, len);

		if (part || !first) {
			*link = mbuf_copy_part(from, offset, part, may_share);
			if (!*link)
				goto no_memory;
			link = &(*link)->next;
		}
		len -= part;
		offset = 0;
		from = from->next;
	} while (len);
	if (whole && (head->flags & MBUF_PKTHDR) && !mbuf_header_copy(first, head, total))
		goto no_memory;
	return first;

no_memory:
	mbuf_freem(first);
	return NULL;
}

KPI_EXPORT errno_t
mbuf_copym(mbuf_t src, size_t offset, size_t len, mbuf_how_t how, mbuf_t *new_mbuf)
{
	size_t there;

	(void)how;
	if (!src || !new_mbuf)
		return EINVAL;
	*new_mbuf = NULL;
	there = chain_length(src, "mbuf_copym");
	if (offset > there)
		return ENOMEM;
	if (len == MBUF_COPYALL)
		len = there - offset;
	if (len > there - offset)
		return ENOMEM;
	*new_mbuf = chain_copy(src, offset, len, true);
	return *new_mbuf ? 0 : ENOMEM;
}

KPI_EXPORT errno_t
mbuf_dup(mbuf_t src, mbuf_how_t how, mbuf_t *new_mbuf)
{
	(void)how;
	if (!src || !new_mbuf)
		return EINVAL;
	*new_mbuf = chain_copy(src, 0, chain_length(src, "mbuf_dup"), false);
	return *new_mbuf ? 0 : ENOMEM;
}

/* ---- shape -------------------------------------------------------------------------- */

KPI_EXPORT errno_t
mbuf_prepend(mbuf_t *orig, size_t len, mbuf_how_t how)
{
	struct __mbuf *mbuf, *front;
	size_t room = mbuf_bytes_for(len);

	(void)how;
	if (!orig || !*orig)
		return EINVAL;
	mbuf = *orig;
	mbuf_check(mbuf, "mbuf_prepend");
	if (mbuf_space_before(mbuf) < len) {
		front = len > MBUF_PACKET_MAX ? NULL : mbuf_block_new(len > room ? len : room);
		if (!front) {
			mbuf_freem(mbuf);
			*orig = NULL;
			return ENOMEM;
		}
		mbuf_header_move(front, mbuf);
		front->data = mbuf_bytes_end(front); /* more may come before it */
		front->next = mbuf;
		mbuf = front;
		*orig = front;
	}
	mbuf->data -= len;
	mbuf->len += len;
	if (mbuf->flags & MBUF_PKTHDR)
		mbuf->packet_len += len;
	return 0;
}

KPI_EXPORT errno_t
mbuf_pullup(mbuf_t *mbuf, size_t len)
{
	struct __mbuf *first, *next;
	size_t room = mbuf_bytes_for(len), missing;

	if (!mbuf || !*mbuf)
		return EINVAL;
	first = *mbuf;
	mbuf_check(first, "mbuf_pullup");
	if (first->len >= len)
		return 0;
	if (chain_length(first, "mbuf_pullup") < len)
		goto failed;
	next = first;
	if (mbuf_space_behind(first) < len - first->len) {
		first = mbuf_block_new(len > room ? len : room);
		if (!first)
			goto failed;
		mbuf_header_move(first, next);
	} else {
		next = first->next;
	}
	missing = len - first->len;
	chain_read(next, 0, missing, first->data + first->len);
	first->len = len;
	for (;;) {
		size_t part = least(next->len, missing);

		next->data += part;
		next->len -= part;
		missing -= part;
		if (!missing && next->len)
			break;
		next = mbuf_free(next); /* empty now */
		if (!missing)
			break;
	}
	first->next = next;
	*mbuf = first;
	return 0;

failed:
	mbuf_freem(*mbuf);
	*mbuf = NULL;
	return ENOMEM;
}

KPI_EXPORT errno_t
mbuf_split(mbuf_t src, size_t offset, mbuf_how_t how, mbuf_t *new_mbuf)
{
	struct __mbuf *cut, *rest;
	size_t there, keep = offset;

	(void)how;
	if (!src || !new_mbuf)
		return EINVAL;
	*new_mbuf = NULL;
	there = chain_length(src, "mbuf_split");
	if (offset > there)
		return ENOMEM;

	/* the mbuf with the last byte that stays, or the first if none does */
	for (cut = src; keep > cut->len; cut = cut->next)
		keep -= cut->len;
	if (keep == cut->len && cut->next) {
		rest = cut->next;
	} else {
		rest = mbuf_copy_part(cut, keep, cut->len - keep, true);
		if (!rest)
			return ENOMEM;
		rest->next = cut->next;
		cut->len = keep;
	}
	cut->next = NULL;
	if (src->flags & MBUF_PKTHDR) {
		rest->flags |= MBUF_PKTHDR;
		rest->packet_len = there - offset;
		rest->receive_interface = src->receive_interface;
		src->packet_len = offset;
	}
	*new_mbuf = rest;
	return 0;
}
