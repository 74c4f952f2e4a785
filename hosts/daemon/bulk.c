/*
 * Bulk memory that a task handed over: a memfd sealed against everything, so that what the
 * receiver maps can neither change nor shrink under it.
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
	int fd;
	struct peer *peer; /* who pays with its count; NULL: gone */
	LIST_ENTRY(bulk) link;
};

int
bulk_new(struct peer *peer, int fd, struct kernel_segment **segment)
{
	uint32_t limit = peer->host->descriptor_limit / 16;
	struct statfs filesystem;
	struct stat status;
	struct bulk *bulk;
	int seals;

	/* asked first, because it never waits: what knows seals is a memfd, and the rest is quick
	 */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & NEEDED_SEALS) != NEEDED_SEALS)
		return -EINVAL;
	/* huge pages could not be mapped in pieces */
	if (fstatfs(fd, &filesystem) != 0 || filesystem.f_type != TMPFS_MAGIC)
		return -EINVAL;
	if (fstat(fd, &status) != 0 || status.st_size < 0)
		return -EINVAL;
	if (limit < BULK_SEGMENTS_PER_TASK_MIN)
		limit = BULK_SEGMENTS_PER_TASK_MIN;
	if (peer->bulk_count >= limit)
		return -EDQUOT;
	bulk = calloc(1, sizeof(*bulk));
	if (bulk == NULL)
		return -ENOMEM;
	bulk->segment.size_bytes = (uint64_t)status.st_size;
	bulk->segment.ref_count = 1;
	bulk->fd = fd;
	bulk->peer = peer;
	LIST_INSERT_HEAD(&peer->bulks, bulk, link);
	peer->bulk_count++;
	*segment = &bulk->segment;
	return 0;
}

int
bulk_fd(const struct kernel_segment *segment)
{
	return ((const struct bulk *)(const void *)segment)->fd;
}

void
bulk_free(struct kernel_segment *segment)
{
	struct bulk *bulk = (struct bulk *)(void *)segment;

	if (bulk->peer != NULL) {
		bulk->peer->bulk_count--;
		LIST_REMOVE(bulk, link);
	}
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
