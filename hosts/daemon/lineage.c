/*
 * Lineage: whose child a process is, by /proc, so that a new task inherits from the
 * nearest of its ancestors that is a task.
 *
 * A pid in the chain is that of a living process: as long as a child names it as its
 * parent it is not reused.  A task is found by pid only while its process lives.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

pid_t
lineage_parse_stat(const char *text, size_t size)
{
	/* "PID (name) STATE PPID …": the name may hold anything, so the last ')' ends it */
	const char *end = memrchr(text, ')', size);
	const char *limit = text + size;
	long long parent = 0;

	if (end == NULL || limit - end < 6 || end[1] != ' ' || end[2] == ' ' || end[3] != ' ')
		return -EINVAL;
	const char *digit = end + 4;

	if (*digit < '0' || *digit > '9')
		return -EINVAL;
	for (; digit < limit && *digit >= '0' && *digit <= '9'; digit++) {
		parent = parent * 10 + (*digit - '0');
		if (parent > INT_MAX)
			return -EINVAL;
	}
	if (digit == limit || *digit != ' ')
		return -EINVAL; /* cut off */
	return (pid_t)parent;
}

pid_t
lineage_parent(pid_t pid)
{
	char path[64], text[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0)
		return 0;
	pid_t parent = lineage_parse_stat(text, (size_t)n);

	return parent > 0 ? parent : 0;
}

struct peer *
lineage_find(struct host *host, pid_t pid)
{
	for (uint32_t depth = 0; depth < LINEAGE_DEPTH_MAX && pid > 0; depth++) {
		struct peer *peer = peer_of_pid(host, pid, true);

		if (peer != NULL && peer->task != NULL &&
		    (peer->process.fd < 0 || !credentials_process_ended(peer->process.fd)))
			return peer;
		pid = lineage_parent(pid);
	}
	return NULL;
}

bool
lineage_descends(pid_t pid, pid_t ancestor)
{
	for (uint32_t depth = 0; depth < LINEAGE_DEPTH_MAX && pid > 0; depth++) {
		if (pid == ancestor)
			return true;
		pid = lineage_parent(pid);
	}
	return false;
}
