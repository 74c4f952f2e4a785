/*
 * Mbufs: the memory that packets are kept in, for kernel extensions.
 *
 * An mbuf has storage, and a window on it: its data.  Mbufs linked by mbuf_next() hold the bytes
 * of one packet; the first of them has MBUF_PKTHDR and knows the length of the whole.  Packets
 * linked by mbuf_nextpkt() are a list.
 *
 * The storage of mbufs with MBUF_EXT may be shared after mbuf_copym() and mbuf_split(): what
 * is written into one is then seen in the other, and neither has space before or behind its
 * data.  Small storage is never shared.
 *
 * @how is ignored where memory is concerned: nobody is waited for.  An mbuf that was freed
 * before, or a pointer to none, is a panic.
 *
 * Source: kext.md §5.9.
 */
#ifndef BERTH_SYS_KPI_MBUF_H
#define BERTH_SYS_KPI_MBUF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One mbuf, or the packet or list of packets that it begins. */
typedef struct __mbuf *mbuf_t;

/* A network interface; opaque. */
struct ifnet;
typedef struct ifnet *ifnet_t;

typedef u_int32_t mbuf_how_t;
enum { MBUF_WAITOK = 0, MBUF_DONTWAIT = 1 };

typedef u_int32_t mbuf_type_t;
enum {
	MBUF_TYPE_DATA = 1,
	MBUF_TYPE_HEADER = 2,
	MBUF_TYPE_SONAME = 8,
	MBUF_TYPE_CONTROL = 14,
	MBUF_TYPE_OOBDATA = 15
};

typedef u_int32_t mbuf_flags_t;
enum {
	MBUF_EXT = 0x1,    /* the storage is a cluster */
	MBUF_PKTHDR = 0x2, /* begins a packet */
	MBUF_EOR = 0x4,    /* ends a record */
	MBUF_LOOP = 0x40,
	MBUF_BCAST = 0x100,
	MBUF_MCAST = 0x200
};

/* As a length: all that is there. */
#define MBUF_COPYALL 1000000000

/* Whose a tag is, by mbuf_tag_id_find(); and its owner's kinds of tags. */
typedef u_int32_t mbuf_tag_id_t;
typedef u_int16_t mbuf_tag_type_t;

/* ---- getting and freeing ------------------------------------------------------------ */

/*
 * A packet with room for @len bytes, of type MBUF_TYPE_DATA.  All lengths in it are 0: write the
 * data, then mbuf_setlen() and mbuf_pkthdr_setlen(), or use mbuf_copyback().
 *
 * @maxchunks: in: mbufs in the chain at most, 0: any number; out: how many there are.  May be
 * NULL.
 *
 * 0          gives the packet in @mbuf
 * EINVAL     @len is 0, or no @mbuf
 * ENOBUFS    more mbufs would be needed than @maxchunks
 * ENOMEM     no memory
 */
errno_t mbuf_allocpacket(mbuf_how_t how, size_t len, unsigned int *maxchunks, mbuf_t *mbuf);

/*
 * One mbuf: mbuf_get() a plain one, mbuf_gethdr() the beginning of a packet, both with small
 * storage (224 bytes); mbuf_getpacket() the beginning of a packet with a cluster (2048 bytes).
 *
 * 0; EINVAL: no @mbuf, or @type is 0; ENOMEM: no memory.
 */
errno_t mbuf_get(mbuf_how_t how, mbuf_type_t type, mbuf_t *mbuf);
errno_t mbuf_gethdr(mbuf_how_t how, mbuf_type_t type, mbuf_t *mbuf);
errno_t mbuf_getpacket(mbuf_how_t how, mbuf_t *mbuf);

/* Frees one mbuf, with its tags.  The next of its chain, or NULL. */
mbuf_t mbuf_free(mbuf_t mbuf);

/* Frees one packet.  NULL: nothing. */
void mbuf_freem(mbuf_t mbuf);

/* Frees all packets of a list.  How many they were. */
int mbuf_freem_list(mbuf_t mbuf);

/* ---- one mbuf ----------------------------------------------------------------------- */

/* Where the data begins, and where the storage does. */
void *mbuf_data(mbuf_t mbuf);
void *mbuf_datastart(mbuf_t mbuf);

/* Bytes of data, and of storage. */
size_t mbuf_len(mbuf_t mbuf);
size_t mbuf_maxlen(mbuf_t mbuf);

/* Sets the bytes of data.  Nothing is checked. */
void mbuf_setlen(mbuf_t mbuf, size_t len);

/* Sets beginning and length of the data.  EINVAL: it would be outside the storage. */
errno_t mbuf_setdata(mbuf_t mbuf, void *data, size_t len);

/* Free bytes of the storage before and behind the data; 0 while it is shared. */
size_t mbuf_leadingspace(mbuf_t mbuf);
size_t mbuf_trailingspace(mbuf_t mbuf);

mbuf_flags_t mbuf_flags(mbuf_t mbuf);

/*
 * Sets all flags, or those in @mask.  MBUF_EXT and MBUF_PKTHDR stay as they are.
 * EINVAL: a flag in @flags, or in @mask, is none of MBUF_EOR, MBUF_LOOP, MBUF_BCAST, MBUF_MCAST.
 */
errno_t mbuf_setflags(mbuf_t mbuf, mbuf_flags_t flags);
errno_t mbuf_setflags_mask(mbuf_t mbuf, mbuf_flags_t flags, mbuf_flags_t mask);

mbuf_type_t mbuf_type(mbuf_t mbuf);

/* EINVAL: @new_type is 0. */
errno_t mbuf_settype(mbuf_t mbuf, mbuf_type_t new_type);

/* ---- chains and lists ---------------------------------------------------------------- */

mbuf_t mbuf_next(mbuf_t mbuf);

/* Makes @next, or nothing, the next of the chain.  EINVAL: @next is @mbuf, or is in a list. */
errno_t mbuf_setnext(mbuf_t mbuf, mbuf_t next);

mbuf_t mbuf_nextpkt(mbuf_t mbuf);
void mbuf_setnextpkt(mbuf_t mbuf, mbuf_t nextpkt);

/* ---- the header of a packet ----------------------------------------------------------- */

/* On an mbuf without MBUF_PKTHDR these give 0 or NULL, and set nothing. */
size_t mbuf_pkthdr_len(mbuf_t mbuf);
void mbuf_pkthdr_setlen(mbuf_t mbuf, size_t len);
void mbuf_pkthdr_adjustlen(mbuf_t mbuf, int amount);

/* The interface that a packet came in by.  EINVAL: no header. */
ifnet_t mbuf_pkthdr_rcvif(mbuf_t mbuf);
errno_t mbuf_pkthdr_setrcvif(mbuf_t mbuf, ifnet_t ifp);

/* ---- bytes of a packet ------------------------------------------------------------------ */

/*
 * Copies @len bytes, @offset bytes into the chain, to @out_data.
 * EINVAL: the chain is shorter; nothing was copied.
 */
errno_t mbuf_copydata(mbuf_t mbuf, size_t offset, size_t len, void *out_data);

/*
 * Writes @len bytes from @data, @offset bytes into the chain, over what is there and on beyond
 * the end.  Space in the storage is used first, then mbufs are added; where @offset is behind the
 * end, zeros fill the gap.  The packet's length grows as needed.
 *
 * 0          written
 * EINVAL     no @mbuf, no @data, @len is 0, or it would end beyond INT_MAX bytes
 * ENOBUFS    no memory; what was written until then stays
 */
errno_t mbuf_copyback(mbuf_t mbuf, size_t offset, size_t len, const void *data, mbuf_how_t how);

/*
 * Gives in @new_mbuf a copy of @len bytes (MBUF_COPYALL: all), @offset bytes into the chain.
 * Clusters are shared with it.  It begins a packet if @src does and @offset is 0; tags are copied
 * then.  ENOMEM: no memory, or the chain is shorter; EINVAL: no @src or no @new_mbuf.
 */
errno_t mbuf_copym(mbuf_t src, size_t offset, size_t len, mbuf_how_t how, mbuf_t *new_mbuf);

/* The same of the whole chain, with storage of its own. */
errno_t mbuf_dup(mbuf_t src, mbuf_how_t how, mbuf_t *new_mbuf);

/*
 * Puts @len bytes, of no certain value, before the data of the packet *@orig, which may become
 * another mbuf.  EINVAL: no packet; ENOMEM: no memory, the packet is freed and *@orig NULL.
 */
errno_t mbuf_prepend(mbuf_t *orig, size_t len, mbuf_how_t how);

/*
 * Makes the first @len bytes of the packet *@mbuf lie in its first mbuf, which may become
 * another.  EINVAL: no packet; ENOMEM: no memory, or the packet is shorter: it is freed and
 * *@mbuf NULL.
 */
errno_t mbuf_pullup(mbuf_t *mbuf, size_t len);

/*
 * Cuts the packet @src after @offset bytes; gives the rest in @new_mbuf, a packet if @src is
 * one.  ENOMEM: no memory, or the chain is shorter; nothing has changed, and *@new_mbuf is NULL.
 * EINVAL: no @src or no @new_mbuf.
 */
errno_t mbuf_split(mbuf_t src, size_t offset, mbuf_how_t how, mbuf_t *new_mbuf);

/* Takes @len bytes from the front of the packet, or -@len from its end; at most all. */
void mbuf_adj(mbuf_t mbuf, int len);

/* ---- tags --------------------------------------------------------------------------------- */

/*
 * The id of @string (up to 199 bytes), made if it is new; vendors' codes are of the same pool.
 * 0; EINVAL: the string is missing or too long, or no @id; ENOMEM.
 * Source: kernel-event.md §4.1.
 */
errno_t mbuf_tag_id_find(const char *string, mbuf_tag_id_t *id);

/*
 * Puts a tag on a packet: @length bytes of zeros at *@data_p, which are the packet's and are
 * freed with it.
 *
 * 0; EINVAL: no packet, no @data_p, or @id was never given out; EEXIST: there is one of that id
 * and type; ENOMEM.
 */
errno_t mbuf_tag_allocate(mbuf_t mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type, size_t length,
			  mbuf_how_t how, void **data_p);

/* Finds one.  EINVAL: as above, or no @length; ENOENT: there is none. */
errno_t mbuf_tag_find(mbuf_t mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type, size_t *length,
		      void **data_p);

/* Frees one, if it is there. */
void mbuf_tag_free(mbuf_t mbuf, mbuf_tag_id_t id, mbuf_tag_type_t type);

#ifdef __cplusplus
}
#endif

#endif
