/*
 * Trace text: see trace_text.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/answer.h"
#include "tools/trace_text.h"
#include "wire/socket.h"

/* Room for a burst of lines while the reader is held up; more than an unprivileged user may
 * have is refused, and then the pipe stays as it was. */
#define PIPE_BYTES (1 << 20)

void
trace_text_init(struct trace_text *trace)
{
	*trace = (struct trace_text){
		.pipe_fd = -1,
		.kernel_fd = -1,
		.connection_fd = -1,
		.out_fd = -1,
	};
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
trace_text_open_fd(struct trace_text *trace, int out_fd)
{
	int ends[2];
	int out_flags = fcntl(out_fd, F_GETFL);

	/* else it would show only with the first event, which may never come */
	if (out_flags < 0 || (out_flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	trace->pipe_fd = ends[0];
	trace->kernel_fd = ends[1];
	trace->out_fd = out_fd;
	(void)fcntl(trace->pipe_fd, F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

int
trace_text_open(struct trace_text *trace, const char *file)
{
	int out_fd = STDERR_FILENO;

	if (file)
		out_fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out_fd < 0)
		return -errno;
	int err = trace_text_open_fd(trace, out_fd);
	if (err < 0 && file)
		close(out_fd);
	return err;
}

int
trace_text_ask(struct trace_text *trace, int fd, int32_t pid)
{
	struct wire_inspect request = {
		.head = { WIRE_TRACE, sizeof(request) },
		.pid = pid,
	};
	int err = request_send(fd, &request, sizeof(request), trace->kernel_fd);

	/* once the kernel alone has that end, its end is the end of the text */
	close_fd(&trace->kernel_fd);
	return err;
}

/* Write all of it, also to a descriptor that somebody made non-blocking. */
static int
write_all(int fd, const char *text, size_t size_bytes)
{
	while (size_bytes > 0) {
		ssize_t written = write(fd, text, size_bytes);

		if (written >= 0) {
			text += written;
			size_bytes -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };

			(void)poll(&room, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

void
trace_text_copy(struct trace_text *trace)
{
	static char text[65536];
	ssize_t size;

	if (trace->pipe_fd < 0)
		return;
	do
		size = read(trace->pipe_fd, text, sizeof(text));
	while (size < 0 && errno == EINTR);
	if (size <= 0) {
		if (size == 0 || errno != EAGAIN)
			close_fd(&trace->pipe_fd);
		return;
	}
	if (trace->err < 0)
		return;
	trace->err = write_all(trace->out_fd, text, (size_t)size);
	if (trace->err < 0)
		fprintf(stderr, "berth: the trace is cut here: %s\n", strerror(-trace->err));
}

void
trace_text_finish(struct trace_text *trace)
{
	struct pollfd more = { .fd = trace->pipe_fd, .events = POLLIN };

	close_fd(&trace->kernel_fd);
	/* what is in the pipe now is all: nobody writes any more, even if somebody holds it */
	while (trace->pipe_fd >= 0 && poll(&more, 1, 0) > 0)
		trace_text_copy(trace);
	close_fd(&trace->pipe_fd);
	close_fd(&trace->connection_fd);
	if (trace->out_fd > STDERR_FILENO && close(trace->out_fd) < 0 && trace->err == 0) {
		trace->err = -errno;
		fprintf(stderr, "berth: the trace could not be written: %s\n", strerror(errno));
	}
	trace->out_fd = -1;
}
