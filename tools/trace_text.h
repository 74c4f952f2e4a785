/*
 * Trace text: the pipe through which a kernel's trace comes, and where it goes to.
 *
 * The kernel must never wait for whoever reads its trace, so it gets the end of a pipe and
 * not the file itself: a pipe says when it is full.
 */
#ifndef BERTH_TOOLS_TRACE_TEXT_H
#define BERTH_TOOLS_TRACE_TEXT_H

#include <stdint.h>

struct trace_text {
	int pipe_fd;       /* to read from; -1: none, or the kernel has closed it */
	int kernel_fd;     /* the kernel's end, until it has it; then -1 */
	int connection_fd; /* the subscription lasts as long as this; -1: none */
	int out_fd;        /* where it goes to */
	int err;           /* -errno of the first write that failed; the rest is dropped */
};

/* An empty one, on which everything below does nothing. */
void trace_text_init(struct trace_text *trace);

/* Make the pipe; text will go to @file, made anew, or to stderr if that is NULL.  0, -errno. */
int trace_text_open(struct trace_text *trace, const char *file);

/* Make the pipe; text will go to @out_fd, which stays the caller's.  0 or -errno. */
int trace_text_open_fd(struct trace_text *trace, int out_fd);

/*
 * Subscribe over @fd, a fresh connection to the kernel, to the trace of the task @pid, or of
 * all if that is 0.  0 or -errno; the kernel's answer is for the caller to take.
 */
int trace_text_ask(struct trace_text *trace, int fd, int32_t pid);

/* Copy what is there; waits only if nothing is. */
void trace_text_copy(struct trace_text *trace);

/* The kernel is gone: copy the rest, and close everything. */
void trace_text_finish(struct trace_text *trace);

#endif
