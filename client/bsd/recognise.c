/*
 * Is a descriptor that this process did not make a system socket?  Its name says so
 * (wire/lane.h).  Asked of what the process was started with, and of what comes in messages.
 */
#include "client/bsd/system_socket.h"

#include "client/bsd/control.h"
#include "client/bsd/next.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define STANDARD_FDS 3
#define LOW_FDS 256 /* looked at where there is no /proc */

static const struct {
	const char *prefix;
	enum system_kind kind;
} names[] = {
	{ SYSTEM_SOCKET_DGRAM, SYSTEM_DGRAM },
	{ SYSTEM_SOCKET_STREAM, SYSTEM_STREAM },
	{ SYSTEM_SOCKET_EVENT, SYSTEM_EVENT },
};

/* False: it is not even open. */
static bool
recognise(int fd)
{
	struct sockaddr_un address;
	socklen_t size = sizeof(address);

	if (NEXT(getsockname)(fd, (struct sockaddr *)&address, &size) != 0)
		return errno != EBADF;
	if (address.sun_family == AF_UNIX && size > offsetof(struct sockaddr_un, sun_path) + 1 &&
	    address.sun_path[0] == '\0') {
		size_t length = size - offsetof(struct sockaddr_un, sun_path) - 1;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			size_t prefix = strlen(names[i].prefix);

			if (length > prefix &&
			    memcmp(address.sun_path + 1, names[i].prefix, prefix) == 0)
				system_add(fd, names[i].kind,
					   names[i].kind == SYSTEM_EVENT ? SYSTEM_CONNECTED
									 : SYSTEM_UNKNOWN);
		}
	}
	return true;
}

void
system_recognise(int fd)
{
	int saved_errno = errno;

	recognise(fd);
	errno = saved_errno;
}

void
system_recognise_passed(const struct msghdr *message)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(message);

	for (; part != NULL; part = CMSG_NXTHDR((struct msghdr *)message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		const unsigned char *at = CMSG_DATA(part);
		const unsigned char *end = (const unsigned char *)part + part->cmsg_len;
		for (; at + sizeof(int) <= end; at += sizeof(int)) {
			int fd;

			memcpy(&fd, at, sizeof(fd));
			/* the number was free a moment ago: an entry there is stale */
			if (system_entry(fd) != NULL)
				system_closed(system_remove(fd));
			system_recognise(fd);
		}
	}
}

/* ---- what the process was started with --------------------------------------------------- */

struct directory_entry { /* as getdents64(2) gives it */
	uint64_t inode;
	int64_t next;
	unsigned short size;
	unsigned char type;
	char name[];
};

/* All others; without opendir(), which allocates. */
static void
recognise_all(void)
{
	_Alignas(struct directory_entry) char buffer[4096];
	int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long size;

	for (int fd = STANDARD_FDS; folder < 0 && fd < LOW_FDS; fd++)
		recognise(fd);
	if (folder < 0)
		return;
	while ((size = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < size;) {
			const struct directory_entry *entry = (const void *)(buffer + at);
			char *end;
			long fd = strtol(entry->name, &end, 10);

			if (end != entry->name && *end == '\0' && fd >= STANDARD_FDS &&
			    fd != folder)
				recognise((int)fd);
			at += entry->size;
		}
	}
	NEXT(close)(folder);
}

/* Most programs start with three descriptors, and are to pay for a look at them at most: Linux,
 * from 6.2 on, tells how many there are as that folder's size. */
__attribute__((constructor)) static void
recognise_start(void)
{
	int saved_errno = errno;
	struct stat status;
	int count = 0;

	for (int fd = 0; fd < STANDARD_FDS; fd++)
		count += recognise(fd);
	if (stat("/proc/self/fd", &status) != 0 || status.st_size != count)
		recognise_all();
	errno = saved_errno;
}
