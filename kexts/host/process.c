/*
 * What Linux says of a process, in /proc.
 */
#include "kexts/host/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_MAX 16384 /* a process may be in many groups */

/* The whole of a small file, with a NUL.  False: it is not there. */
static bool
file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (fd < 0)
		return false;
	while (used < size - 1) {
		ssize_t got = read(fd, text + used, size - 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			used = 0;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	close(fd);
	text[used] = '\0';
	return used > 0;
}

/* The value of a line of /proc/PID/status, or NULL. */
static const char *
line_find(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1;
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return NULL;
}

static bool
status_read(pid_t pid, char *text, size_t size)
{
	char path[64];

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return file_read(path, text, size);
}

bool
process_facts_read(pid_t pid, struct process_facts *facts)
{
	char text[STATUS_MAX];

	if (!status_read(pid, text, sizeof(text)))
		return false;
	const char *state = line_find(text, "State");
	const char *tgid = line_find(text, "Tgid");
	const char *ppid = line_find(text, "PPid");
	const char *uids = line_find(text, "Uid");
	const char *gids = line_find(text, "Gid");
	if (state == NULL || tgid == NULL || ppid == NULL || uids == NULL || gids == NULL)
		return false;

	*facts = (struct process_facts){ .pid = pid };
	facts->ppid = (pid_t)strtol(ppid, NULL, 10);
	state += strspn(state, " \t");
	facts->ended = *state == 'Z' || *state == 'X';
	return strtol(tgid, NULL, 10) == pid && /* or it is one of its threads */
	       sscanf(uids, "%u %u %u", &facts->ruid, &facts->euid, &facts->svuid) == 3 &&
	       sscanf(gids, "%u %u %u", &facts->rgid, &facts->egid, &facts->svgid) == 3;
}

bool
process_in_group(pid_t pid, gid_t gid)
{
	char text[STATUS_MAX];

	if (!status_read(pid, text, sizeof(text)))
		return false;
	const char *groups = line_find(text, "Groups");
	while (groups != NULL) {
		char *end;

		groups += strspn(groups, " \t");
		if (*groups < '0' || *groups > '9')
			return false;
		if (strtoul(groups, &end, 10) == gid)
			return true;
		groups = end;
	}
	return false;
}

uint64_t
process_start_ticks(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (pid <= 0 || !file_read(path, text, sizeof(text)))
		return 0;
	/* the name may hold anything, also parentheses; what follows is numbers */
	const char *at = strrchr(text, ')');
	if (at == NULL ||
	    sscanf(at + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%llu",
		   &start) != 1)
		return 0;
	return start;
}

bool
process_name_read(pid_t pid, char name[static 17])
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	name[0] = '\0';
	if (pid <= 0 || !file_read(path, text, sizeof(text)))
		return false;
	text[strcspn(text, "\n")] = '\0';
	snprintf(name, 17, "%.16s", text);
	return true;
}

bool
process_is_64bit(pid_t pid)
{
	char path[64];
	unsigned char head[5];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* not ours to look at */
	bool is_32bit = read(fd, head, sizeof(head)) == sizeof(head) && head[4] == 1;
	close(fd);
	return !is_32bit;
}
