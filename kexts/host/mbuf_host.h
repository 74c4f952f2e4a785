/*
 * What the control server needs of mbufs beyond <sys/kpi_mbuf.h>.
 */
#ifndef BERTH_KEXTS_HOST_MBUF_HOST_H
#define BERTH_KEXTS_HOST_MBUF_HOST_H

#ifndef KERNEL
#define KERNEL 1
#endif
#include <sys/kpi_mbuf.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/*
 * A packet with @size bytes from @data, in one mbuf whatever the size, in one allocation;
 * MBUF_EOR is set if @eor.  NULL: no memory.  Small ones come from a cache of this thread.
 */
mbuf_t mbuf_packet_new(const void *data, size_t size, bool eor);

/*
 * The data of packet @m as a vector of at most @max parts, empty ones left out.  How many
 * there are; -1: more than @max.  Borrows.
 */
int mbuf_packet_vector(mbuf_t m, struct iovec *vector, int max);

/* Mbufs that are not freed yet, of all kexts in this host. */
uint64_t mbuf_live_count(void);

#endif
