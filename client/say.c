/*
 * What the library tells people on stderr.
 */
#include "client/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
say(const char *format, ...)
{
	static const char start[] = "libberth: ";
	int error = errno;
	char line[1200];
	size_t size = sizeof(start) - 1;
	va_list arguments;

	memcpy(line, start, size);
	va_start(arguments, format);
	int more = vsnprintf(line + size, sizeof(line) - size - 1, format, arguments);
	va_end(arguments);
	if (more < 0)
		more = 0;
	size += (size_t)more;
	if (size > sizeof(line) - 2) /* cut: the room is for the text, its NUL and a newline */
		size = sizeof(line) - 2;
	line[size++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, size);
	(void)written; /* nobody is left to tell */
	errno = error;
}
