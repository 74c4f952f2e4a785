/*
 * The log of a kexthost.
 *
 * Text of kext code is collected per thread until its line is whole, so that lines of two
 * threads never mix.  A line goes out by one write() of at most PIPE_BUF bytes, and only when
 * the pipe has room for that: so nobody here blocks in write() however slow the reader is; what
 * finds no room in time is dropped and counted.
 */
#include "kexts/host/host_log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* of one not yet whole */
#define ROOM_WAIT_MS 200

static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER; /* guards stderr, lost_count */
static uint64_t lost_count;                                     /* lines that found no room */

/* What this thread has begun to print. */
static __thread struct {
	size_t used;
	char text[LINE_MAX_BYTES + 1]; /* and a newline */
} line;

static pthread_once_t flush_once = PTHREAD_ONCE_INIT;
static pthread_key_t flush_key; /* its destructor prints what a thread leaves behind */

static void
flush_at_exit(void *unused)
{
	host_log_flush();
}

static void
flush_key_make(void)
{
	(void)pthread_key_create(&flush_key, flush_at_exit);
}

static int
has_room_locked(int timeout_ms)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&out, 1, timeout_ms) != 0; /* an error shows in write() */
}

static int
put_locked(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(STDERR_FILENO, data, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		data += done;
		size -= (size_t)done;
	}
	return 0;
}

/* Whole lines, at most PIPE_BUF bytes. */
static void
output(const char *data, size_t size)
{
	char words[64];

	pthread_mutex_lock(&output_lock);
	if (!has_room_locked(lost_count == 0 ? ROOM_WAIT_MS : 0)) {
		lost_count++;
	} else {
		if (lost_count > 0) {
			int length =
			    snprintf(words, sizeof(words), "kexthost: %llu lines were lost here\n",
				     (unsigned long long)lost_count);
			if (put_locked(words, (size_t)length) == 0)
				lost_count = 0;
		}
		if (!has_room_locked(ROOM_WAIT_MS) || put_locked(data, size) < 0)
			lost_count++;
	}
	pthread_mutex_unlock(&output_lock);
}

void
host_log_flush(void)
{
	if (line.used == 0)
		return;
	int saved = errno;

	line.text[line.used++] = '\n';
	output(line.text, line.used);
	line.used = 0;
	errno = saved;
}

/* A part of a line, without newline. */
static void
append(const char *text, size_t size)
{
	while (size > 0) {
		size_t room = LINE_MAX_BYTES - line.used;
		size_t part = size < room ? size : room;

		memcpy(line.text + line.used, text, part);
		line.used += part;
		text += part;
		size -= part;
		if (line.used == LINE_MAX_BYTES)
			host_log_flush();
	}
}

static void
print(const char *text, size_t size)
{
	const char *last = memrchr(text, '\n', size);
	size_t whole = last != NULL ? (size_t)(last + 1 - text) : 0;

	if (whole > 0 && line.used > 0) {
		/* the first line ends what was begun */
		size_t first = (size_t)((const char *)memchr(text, '\n', whole) - text);

		append(text, first);
		host_log_flush();
		text += first + 1;
		size -= first + 1;
		whole -= first + 1;
	}
	if (whole > 0)
		output(text, whole);
	if (size > whole) {
		pthread_once(&flush_once, flush_key_make);
		(void)pthread_setspecific(flush_key, &line);
		append(text + whole, size - whole);
	}
}

int
host_log_print(const char *format, va_list arguments)
{
	char text[PIPE_BUF];
	int saved = errno;
	int length = vsnprintf(text, sizeof(text), format, arguments);

	if (length < 0) {
		errno = saved;
		return length;
	}
	size_t size = (size_t)length;
	if (size >= sizeof(text)) {
		/* cut, and the line ends there */
		size = sizeof(text) - 1;
		text[size - 1] = '\n';
	}
	print(text, size);
	errno = saved;
	return length;
}

void
host_log_raw(const char *prefix, const char *text)
{
	char whole[PIPE_BUF];
	int saved = errno;
	int length = snprintf(whole, sizeof(whole) - 1, "%s%s", prefix, text);

	host_log_flush();
	if (length > (int)sizeof(whole) - 2)
		length = (int)sizeof(whole) - 2;
	whole[length++] = '\n';
	output(whole, (size_t)length);
	errno = saved;
}

void
host_log(const char *format, ...)
{
	char text[PIPE_BUF];
	int saved = errno;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	host_log_raw("kexthost: ", text);
	errno = saved;
}
