/*
 * Bulk memory that a task handed over: a memfd sealed against everything, so that what the
 * receiver maps can neither change nor shrink under it; or a carrier (carrier.c).
 *
 * Each holds a descriptor of ours until its message is received or destroyed; a task may
 * hold only so many at a time.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NEEDED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct bulk {
	struct kernel_segment segment; /* first: the core's border knows only this */
	int fd;                        /* -1: the carrier's */
	struct carrier *carrier;
	struct peer *peer; /* who pays with its count; NULL: gone */
	LIST_ENTRY(bulk) link;
};

/* Has @peer room for one more?  0, -EDQUOT, -ENOMEM */
static int
make(struct peer *peer, uint64_t size_bytes, struct bulk **made)
{
	uint32_t limit = peer->host->descriptor_limit / 16;
	struct bulk *bulk;

	if (limit < BULK_SEGMENTS_PER_TASK_MIN)
		limit = BULK_SEGMENTS_PER_TASK_MIN;
	if (peer->bulk_count >= limit)
		return -EDQUOT;
	bulk = calloc(1, sizeof(*bulk));
	if (bulk == NULL)
		return -ENOMEM;
	bulk->segment.size_bytes = size_bytes;
	bulk->segment.ref_count = 1;
	bulk->fd = -1;
	bulk->peer = peer;
	LIST_INSERT_HEAD(&peer->bulks, bulk, link);
	peer->bulk_count++;
	*made = bulk;
	return 0;
}

int
bulk_check(int fd, int needed_seals, uint64_t *size_bytes)
{
	struct statfs filesystem;
	struct stat status;
	int seals;

	/* asked first, because it never waits: what knows seals is a memfd, and the rest is quick
	 */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & needed_seals) != needed_seals)
		return -EINVAL;
	/* huge pages could not be mapped in pieces */
	if (fstatfs(fd, &filesystem) != 0 || filesystem.f_type != TMPFS_MAGIC)
		return -EINVAL;
	if (fstat(fd, &status) != 0 || status.st_size < 0)
		return -EINVAL;
	*size_bytes = (uint64_t)status.st_size;
	return 0;
}

int
bulk_new(struct peer *peer, int fd, struct kernel_segment **segment)
{
	struct bulk *bulk;
	uint64_t size_bytes;
	int error = bulk_check(fd, NEEDED_SEALS, &size_bytes);

	if (error == 0)
		error = make(peer, size_bytes, &bulk);
	if (error != 0)
		return error;
	bulk->fd = fd;
	*segment = &bulk->segment;
	return 0;
}

int
bulk_carried(struct peer *peer, uint32_t number, int fd, struct kernel_segment **segment)
{
	struct bulk *bulk;
	int error = make(peer, 0, &bulk);

	if (error != 0) {
		carrier_refuse(peer, number);
		return error;
	}
	error = carrier_take(peer, number, fd, &bulk->carrier);
	if (error != 0) {
		bulk_free(&bulk->segment);
		return error;
	}
	bulk->segment.size_bytes = carrier_size_bytes(bulk->carrier);
	*segment = &bulk->segment;
	return 0;
}

struct carrier *
bulk_carrier(const struct kernel_segment *segment)
{
	return ((const struct bulk *)(const void *)segment)->carrier;
}

int
bulk_fd(const struct kernel_segment *segment)
{
	const struct bulk *bulk = (const struct bulk *)(const void *)segment;

	return bulk->carrier != NULL ? carrier_fd(bulk->carrier) : bulk->fd;
}

void
bulk_free(struct kernel_segment *segment)
{
	struct bulk *bulk = (struct bulk *)(void *)segment;

	if (bulk->peer != NULL) {
		bulk->peer->bulk_count--;
		LIST_REMOVE(bulk, link);
	}
	if (bulk->carrier != NULL)
		carrier_release(bulk->carrier);
	else if (bulk->fd >= 0)
		close(bulk->fd);
	free(bulk);
}

void
bulks_forget_peer(struct peer *peer)
{
	struct bulk *bulk;

	while ((bulk = LIST_FIRST(&peer->bulks)) != NULL) {
		LIST_REMOVE(bulk, link);
		bulk->peer = NULL;
	}
	peer->bulk_count = 0;
}
