/*
 * Packets of utun, both ways.
 *
 * Towards the program packets wait in the interface's queue, not in the socket: the thread
 * takes the next only while fewer records than max_pending wait there, and holds one that
 * does not fit until the program has read.  Each receive says so (utun_rcvd).
 *
 * Source: builtin-controls.md §2.5 and §2.6.
 */
#include "kexts/utun/utun.h"

#include <IOKit/IOLib.h>
#include <sys/errno.h>
#include <sys/kpi_mbuf.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#define AF_INET6_OF_DARWIN 30

/* A program may read with bare system calls, which tell nobody: look again after so long. */
#define LOOK_AGAIN_S 1

static void
count(struct utun *utun, struct utun_stats_param *stats, size_t bytes, boolean_t error)
{
	lck_mtx_lock(utun->lock);
	if (error && !utun->program_counts) {
		stats->utsp_errors++;
	} else if (!utun->program_counts) {
		stats->utsp_packets++;
		stats->utsp_bytes += bytes;
	}
	lck_mtx_unlock(utun->lock);
}

/* ---- to the program ----------------------------------------------------------------------------
 */

/* How many receives there were; FALSE: the end. */
static boolean_t
received(struct utun *utun, u_int32_t *receives)
{
	boolean_t goes_on;

	lck_mtx_lock(utun->lock);
	*receives = utun->received;
	goes_on = !utun->is_ending;
	lck_mtx_unlock(utun->lock);
	return goes_on;
}

/* Sleeps until there were more. */
static void
wait_for_receive(struct utun *utun, u_int32_t receives)
{
	struct timespec limit = { .tv_sec = LOOK_AGAIN_S };

	lck_mtx_lock(utun->lock);
	if (utun->received == receives && !utun->is_ending) {
		utun->is_waiting = TRUE;
		msleep(utun, utun->lock, PWAIT, "utun", &limit);
		utun->is_waiting = FALSE;
	}
	lck_mtx_unlock(utun->lock);
}

void
utun_rcvd(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int flags)
{
	struct utun *utun = unitinfo;

	(void)kctlref;
	(void)unit;
	(void)flags;
	lck_mtx_lock(utun->lock);
	utun->received++;
	if (utun->is_waiting)
		wakeup(utun);
	lck_mtx_unlock(utun->lock);
}

/* May the socket have another record? */
static boolean_t
has_turn(struct utun *utun)
{
	u_int32_t records, missing, max_pending;

	if (ctl_getenqueuepacketcount(utun->control, utun->unit, &records))
		return TRUE; /* it is being closed: what comes is dropped */
	lck_mtx_lock(utun->lock);
	max_pending = utun->max_pending;
	lck_mtx_unlock(utun->lock);
	return records < max_pending ||
	       ctl_getenqueuereadable(utun->control, utun->unit, &missing) || missing > 0;
}

static boolean_t
wait_for_turn(struct utun *utun)
{
	u_int32_t receives;

	while (received(utun, &receives)) {
		if (has_turn(utun))
			return TRUE;
		wait_for_receive(utun, receives);
	}
	return FALSE;
}

/* Waits where it must; drops what can never be taken. */
static void
record_deliver(struct utun *utun, size_t size)
{
	u_int32_t receives, records;
	errno_t error = ECANCELED;

	while (received(utun, &receives)) {
		/* before the try: nobody else adds records, but they may be read at any moment */
		if (ctl_getenqueuepacketcount(utun->control, utun->unit, &records))
			break;
		error =
		    ctl_enqueuedata(utun->control, utun->unit, utun->record, size, CTL_DATA_EOR);
		if (error != ENOBUFS || !records)
			break; /* done; or larger than the socket, or nobody reads any more */
		wait_for_receive(utun, receives);
	}
	count(utun, &utun->out, size - utun->header_size, error != 0);
}

/* AF_INET or AF_INET6 of a packet; 0: neither. */
static u_int32_t
packet_family(const u_int8_t *packet, size_t size)
{
	switch (size ? packet[0] >> 4 : 0) {
	case 4:
		return AF_INET;
	case 6:
		return AF_INET6;
	default:
		return 0;
	}
}

/* Takes a packet, when there is one.  Its size, or -errno: the end. */
static int
packet_take(struct utun *utun, void *packet)
{
	int size, error;

	while ((size = tun_read(&utun->tun, packet, TUN_PACKET_MAX)) == -EAGAIN) {
		error = tun_wait(&utun->tun);
		if (error)
			return error;
	}
	return size;
}

void
utun_output(void *argument)
{
	struct utun *utun = argument;
	u_int8_t *packet = utun->record + utun->header_size;

	while (wait_for_turn(utun)) {
		int size = packet_take(utun, packet);
		u_int32_t family;

		if (size < 0) {
			if (size != -ECANCELED)
				printf("%s: its interface was taken away: error %d\n", utun->name,
				       -size);
			break; /* and the socket stays, silent */
		}
		if (utun->flags & UTUN_FLAGS_NO_OUTPUT)
			continue;
		family = htonl(packet_family(packet, (size_t)size));
		if (!family) {
			count(utun, &utun->out, 0, TRUE);
			continue;
		}
		memcpy(utun->record, &family, sizeof(family));
		/* whose packet it is, Linux does not tell: the UUID is zeros */
		record_deliver(utun, utun->header_size + (size_t)size);
	}
}

/* ---- from the program ---------------------------------------------------------------------------
 */

static boolean_t
family_is_known(u_int32_t family)
{
	return family == AF_INET || family == AF_INET6 || family == AF_INET6_OF_DARWIN;
}

/* Packet @m without its header.  0 or -errno. */
static int
packet_write(struct utun *utun, mbuf_t m)
{
	struct tun_part parts[TUN_PARTS_MAX];
	size_t size = mbuf_pkthdr_len(m);
	void *whole;
	int part_count = 0, error;

	for (mbuf_t piece = m; piece && part_count < TUN_PARTS_MAX; piece = mbuf_next(piece))
		parts[part_count++] = (struct tun_part){ mbuf_data(piece), mbuf_len(piece) };
	if (part_count < TUN_PARTS_MAX)
		return tun_write(&utun->tun, parts, part_count);

	whole = size <= TUN_PACKET_MAX ? IOMalloc(size) : NULL;
	if (!whole)
		return -EMSGSIZE;
	error = -mbuf_copydata(m, 0, size, whole);
	parts[0] = (struct tun_part){ whole, size };
	if (!error)
		error = tun_write(&utun->tun, parts, 1);
	IOFree(whole, size);
	return error;
}

static void
tell_short(struct utun *utun, size_t size)
{
	boolean_t told;

	lck_mtx_lock(utun->lock);
	told = utun->short_told;
	utun->short_told = TRUE;
	lck_mtx_unlock(utun->lock);
	if (!told)
		printf("%s: a record of %zu bytes was written, too short for its header of %zu\n",
		       utun->name, size, utun->header_size);
}

errno_t
utun_send(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	struct utun *utun = unitinfo;
	size_t size = mbuf_pkthdr_len(m);
	u_int32_t family;

	(void)kctlref;
	(void)unit;
	(void)flags;
	if (utun->flags & UTUN_FLAGS_NO_INPUT)
		goto done;
	if (size < utun->header_size || mbuf_copydata(m, 0, sizeof(family), &family)) {
		tell_short(utun, size);
		count(utun, &utun->in, 0, TRUE);
		goto done;
	}
	if (!family_is_known(ntohl(family)))
		goto done; /* no such protocol here */
	mbuf_adj(m, (int)utun->header_size);
	size -= utun->header_size;
	/* which of the two it is, the interface decides by the packet itself */
	count(utun, &utun->in, size, packet_write(utun, m) != 0);
done:
	mbuf_freem(m);
	return 0;
}
