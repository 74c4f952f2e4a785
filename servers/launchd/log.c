/*
 * Lines on stderr.  $BERTH_LAUNCHD_DEBUG turns on what is only for those who look for
 * mistakes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "launchd.h"

static bool log_debugging;
static int log_fd = STDERR_FILENO;

void
log_to(int fd)
{
	log_fd = fd;
}

void
log_open(void)
{
	const char *wish = getenv("BERTH_LAUNCHD_DEBUG");

	log_debugging = wish && *wish != '\0' && *wish != '0';
}

/* One write a line, so that lines of several processes don't mix. */
static void
log_line(const char *kind, const char *format, va_list args)
{
	char line[1024];
	int head = snprintf(line, sizeof(line), "berth-launchd: %s", kind);
	int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	size_t size = (size_t)head + (body > 0 ? (size_t)body : 0);

	if (size > sizeof(line) - 2)
		size = sizeof(line) - 2;
	line[size++] = '\n';
	if (write(log_fd, line, size) < 0)
		return; /* there is nobody to tell */
}

void
log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("error: ", format, args);
	va_end(args);
}

void
log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("", format, args);
	va_end(args);
}

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!log_debugging)
		return;
	va_start(args, format);
	log_line("debug: ", format, args);
	va_end(args);
}
