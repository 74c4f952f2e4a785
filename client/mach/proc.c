/*
 * Numbers that Linux tells in /proc.
 */
#include "client/mach/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
proc_read(const char *path, char *text, size_t size)
{
	return proc_read_at(AT_FDCWD, path, text, size);
}

bool
proc_read_at(int folder_fd, const char *path, char *text, size_t size)
{
	size_t used = 0;
	int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while (used < size - 1) {
		ssize_t got = read(fd, text + used, size - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	close(fd);
	text[used] = '\0';
	return used > 0;
}

uint64_t
proc_number(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line != NULL && *line != '\0';) {
		/* in some files a colon ends the key, in others a blank does */
		if (strncmp(line, key, length) == 0 &&
		    (key[length - 1] == ':' || line[length] == ' '))
			return strtoull(line + length, NULL, 10);
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return 0;
}
