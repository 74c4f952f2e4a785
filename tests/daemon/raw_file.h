/*
 * Files handed over by a task made by hand, beside raw_task.h.
 */
#ifndef TESTS_DAEMON_RAW_FILE_H
#define TESTS_DAEMON_RAW_FILE_H

#include "tests/daemon/raw_task.h"

#define RAW_ANSWER_MS 20000 /* a hang, not a speed */

/* Asks for a port of these descriptors, which the caller keeps.  @port may be NULL. */
kern_return_t raw_file_make_with(struct raw_task *task, uint32_t flags, const int *fds,
				 unsigned fd_count, mach_port_name_t *port);
/* A port of @fd, which is closed. */
mach_port_name_t raw_file_make(struct raw_task *task, int fd);
/* The file behind @port: a descriptor, the caller's to close. */
int raw_file_open(struct raw_task *task, mach_port_name_t port);
/* Gives one right to @port back. */
void raw_file_drop(struct raw_task *task, mach_port_name_t port);

/* Both ends are the caller's to close. */
void raw_pipe_new(int ends[2]);
/* The other end of @fd, a pipe or socket, gets closed everywhere. */
bool raw_file_hangs_up(int fd);

#endif
