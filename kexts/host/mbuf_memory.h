/*
 * What an mbuf is made of.  For the files kexts/host/mbuf_*.c only.
 *
 * An mbuf is one block: its head, and behind it bytes for data.  Its storage is those bytes
 * or, after mbuf_copym() or mbuf_split(), those of another mbuf's block.  A block counts the
 * mbufs whose storage it is, and goes with the last of them, which need not be the mbuf that
 * began it.
 *
 * Invariants: mbuf->storage->refs counts @mbuf.  Only blocks with MBUF_EXT are shared.  An mbuf
 * with tags has MBUF_PKTHDR.
 */
#ifndef BERTH_KEXTS_HOST_MBUF_MEMORY_H
#define BERTH_KEXTS_HOST_MBUF_MEMORY_H

#include "kexts/host/export.h"
#include "kexts/host/mbuf_host.h"

#include <kern/debug.h>

#include <limits.h>
#include <stdalign.h>
#include <stdatomic.h>

/* Bytes of storage: what a kext may notice. */
#define MBUF_SMALL_BYTES 224u
#define MBUF_CLUSTER_BYTES 2048u
#define MBUF_CLUSTER_4K_BYTES 4096u
#define MBUF_CLUSTER_16K_BYTES 16384u

#define MBUF_PACKET_MAX ((size_t)INT_MAX) /* bytes that a packet's length can say */

#define MBUF_SETTABLE_FLAGS (MBUF_EOR | MBUF_LOOP | MBUF_BCAST | MBUF_MCAST)

#define MBUF_MAGIC_LIVE UINT64_C(0x6d6275662d6c6976)
#define MBUF_MAGIC_FREED UINT64_C(0x6d6275662d667265)

struct mbuf_tag {
	struct mbuf_tag *next;
	mbuf_tag_id_t id;
	mbuf_tag_type_t type;
	size_t size_bytes;
	alignas(16) uint8_t bytes[];
};

struct __mbuf {
	struct __mbuf *next; /* also links the blocks of a cache */
	struct __mbuf *next_packet;
	uint8_t *data;
	size_t len;
	uint64_t magic; /* behind what malloc writes into a freed block */
	uint32_t flags;
	uint32_t type;
	/* MBUF_PKTHDR only */
	size_t packet_len;
	ifnet_t receive_interface;
	struct mbuf_tag *tags;
	/* the storage, and the block */
	struct __mbuf *storage; /* whose bytes; often this one's own */
	size_t bytes_size;
	_Atomic uint32_t refs; /* mbufs whose storage this is */
	alignas(16) uint8_t bytes[];
};

/* Where blocks and tags come from; tests make it fail. */
struct mbuf_allocator {
	void *(*allocate)(size_t size);
	void (*release)(void *memory);
};
extern struct mbuf_allocator mbuf_allocator;

/*
 * A plain mbuf of type MBUF_TYPE_DATA and no data, with @bytes_size bytes of its own, MBUF_EXT if
 * they are more than small ones.  NULL: no memory.
 */
struct __mbuf *mbuf_block_new(size_t bytes_size);

/* The storage size, of those that there are, for @wanted bytes; the largest if none is enough. */
size_t mbuf_bytes_for(size_t wanted);

/* An mbuf whose storage is @lender's.  NULL: no memory. */
struct __mbuf *mbuf_block_share(struct __mbuf *lender);

/* Gives back what this thread's cache holds. */
void mbuf_cache_empty(void);

/* Blocks in this thread's cache. */
uint32_t mbuf_cache_count(void);

/* Does not return: @mbuf is freed, or none. */
_Noreturn void mbuf_refuse(const struct __mbuf *mbuf, const char *where);

/* Stops the host unless @mbuf is one that lives. */
static inline void
mbuf_check(const struct __mbuf *mbuf, const char *where)
{
	if (__builtin_expect(mbuf->magic != MBUF_MAGIC_LIVE, 0))
		mbuf_refuse(mbuf, where);
}

static inline uint8_t *
mbuf_bytes_end(const struct __mbuf *mbuf)
{
	return mbuf->storage->bytes + mbuf->storage->bytes_size;
}

static inline bool
mbuf_is_shared(const struct __mbuf *mbuf)
{
	return atomic_load_explicit(&mbuf->storage->refs, memory_order_acquire) > 1;
}

/* Free bytes of the storage; 0 while it is shared. */
static inline size_t
mbuf_space_before(const struct __mbuf *mbuf)
{
	return mbuf_is_shared(mbuf) ? 0 : (size_t)(mbuf->data - mbuf->storage->bytes);
}

static inline size_t
mbuf_space_behind(const struct __mbuf *mbuf)
{
	size_t room = (size_t)(mbuf_bytes_end(mbuf) - mbuf->data);

	/* a kext may have set any length */
	return mbuf_is_shared(mbuf) || mbuf->len >= room ? 0 : room - mbuf->len;
}

/* Makes @to, a fresh mbuf, the beginning of @from's packet instead of @from. */
void mbuf_header_move(struct __mbuf *to, struct __mbuf *from);

/* Gives @to, a fresh mbuf, a copy of @from's header with a length of @packet_len.  False: no
 * memory. */
bool mbuf_header_copy(struct __mbuf *to, const struct __mbuf *from, size_t packet_len);

/* Frees all tags of @mbuf. */
void mbuf_tags_free(struct __mbuf *mbuf);

/* Gives @to, which has none, copies of @from's tags.  False: no memory, and it has none. */
bool mbuf_tags_copy(struct __mbuf *to, const struct __mbuf *from);

#endif
