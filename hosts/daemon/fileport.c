/*
 * Files that tasks handed over as fileports or memory entries: a descriptor of ours each, for as
 * long as there is a right to the port.
 *
 * What is not asked of such a descriptor is anything that the server of its file system would
 * have to answer, and it is closed by the closer: both may wait for a hostile task.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct file {
	struct kernel_file core; /* first: the core's border knows only this */
	int fd;
	struct file_owner *owner;
};

/* A user whose tasks made files of which some are left. */
struct file_owner {
	uid_t uid;
	uint32_t file_count;
	LIST_ENTRY(file_owner) link;
};

/* Is it an end of a connection between a program and us?  Held here it would never hang up, and
 * neither lanes nor wakers are the program's to hand on. */
static bool
is_ours(const struct host *host, int fd)
{
	struct sockaddr_un peer, listener;
	socklen_t peer_size = sizeof(peer), listener_size = sizeof(listener);
	struct ucred maker;
	socklen_t maker_size = sizeof(maker);
	int domain;
	socklen_t domain_size = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0 || domain != AF_UNIX)
		return false;
	/* of a pair, the maker is at both ends */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &maker_size) == 0 &&
	    maker.pid == getpid())
		return true;
	return getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
	       getsockname(host->listener.fd, (struct sockaddr *)&listener, &listener_size) == 0 &&
	       peer_size == listener_size && memcmp(&peer, &listener, peer_size) == 0;
}

/*
 * May it be sent?  What macOS knows may: files, folders, devices, pipes, sockets, shared memory.
 * Not what Linux has besides, which belongs to who made it, as a kqueue does there: epoll,
 * inotify, signalfd and their like, and a path that is not open.
 */
static bool
is_sendable(const struct host *host, int fd)
{
	struct statx status;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_PATH) != 0)
		return false;
	/* what Linux knows by itself, without asking the server of the file system */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) != 0)
		return false;
	switch (status.stx_mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		return true;
	case S_IFSOCK:
		return !is_ours(host, fd);
	default:
		return false;
	}
}

/* Of memory that was sealed against becoming shorter, how long it is; 0: of any other file.  Only
 * such memory is mapped without the fear of what its maker does: Linux does the asking alone. */
static uint64_t
memory_size(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &status) != 0)
		return 0;
	return status.st_size > 0 ? (uint64_t)status.st_size : 0;
}

/* Made if need be; NULL: no memory. */
static struct file_owner *
owner_of(struct host *host, uid_t uid)
{
	struct file_owner *owner;

	LIST_FOREACH(owner, &host->file_owners, link)
	{
		if (owner->uid == uid)
			return owner;
	}
	owner = calloc(1, sizeof(*owner));
	if (owner != NULL) {
		owner->uid = uid;
		LIST_INSERT_HEAD(&host->file_owners, owner, link);
	}
	return owner;
}

static void
owner_free_unless_used(struct file_owner *owner)
{
	if (owner->file_count > 0)
		return;
	LIST_REMOVE(owner, link);
	free(owner);
}

/* Half of our descriptors may be files; of one user's of a system's kernel, an eighth. */
static bool
has_room(struct host *host, const struct file_owner *owner)
{
	if (host->file_count >= host->descriptor_limit / 2 ||
	    closer_is_stuck(&host->closer, owner->uid))
		return false;
	return host->options.mode != MODE_SYSTEM || owner->uid == 0 ||
	       owner->file_count < host->descriptor_limit / 8;
}

int
file_new(struct peer *peer, int fd, struct kernel_file **made)
{
	struct host *host = peer->host;
	struct file_owner *owner;
	struct file *file;

	if (!is_sendable(host, fd))
		return -EINVAL;
	owner = owner_of(host, peer->euid);
	if (owner == NULL)
		return -ENOMEM;
	file = has_room(host, owner) ? calloc(1, sizeof(*file)) : NULL;
	if (file == NULL) {
		owner_free_unless_used(owner);
		return -EDQUOT;
	}
	file->core.ref_count = 1;
	file->core.memory_bytes = memory_size(fd);
	file->fd = fd;
	file->owner = owner;
	owner->file_count++;
	host->file_count++;
	*made = &file->core;
	return 0;
}

int
file_fd(const struct kernel_file *core)
{
	return ((const struct file *)(const void *)core)->fd;
}

void
file_free(struct host *host, struct kernel_file *core)
{
	struct file *file = (struct file *)(void *)core;

	closer_close(&host->closer, file->fd, file->owner->uid);
	host->file_count--;
	file->owner->file_count--;
	owner_free_unless_used(file->owner);
	free(file);
}
