/*
 * Attaching: finding a kernel, the greeting, and what comes with the welcome.
 */
#include "client/connection_parts.h"

#include "client/say.h"

#include <berth/kernel_connection.h>
#include <berth/syscall_sw.h>
#include <mach/mach_init.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WELCOME_PATIENCE_MS 30000 /* the name server may be starting on a loaded machine */
#define ATTACH_TRIES 3            /* a kernel that nobody uses may end between connect and hello */

/* The socket that berthd handed to its first task, or -1. */
static int
inherited_socket(void)
{
	const char *number = secure_getenv("BERTH_TASK_FD");
	char *end;

	if (number == NULL)
		return -1;
	long fd = strtol(number, &end, 10);
	bool is_number = end != number && *end == '\0' && fd >= 0 && fd <= INT_MAX;
	struct stat status;
	unsetenv("BERTH_TASK_FD"); /* children are not the first task */
	if (!is_number || fstat((int)fd, &status) != 0 || !S_ISSOCK(status.st_mode))
		return -1;
	return (int)fd;
}

/* Wait for the answer to our first message and map what comes with it.
 * 0, -EAGAIN (the kernel ended: try another), or -errno and @why. */
static int
be_welcomed(char *why, size_t why_size)
{
	union incoming answer;
	struct pollfd readable = { .fd = connection.socket_fd, .events = POLLIN };
	int fds[3];
	uint32_t fd_count;
	int ready;

	do
		ready = poll(&readable, 1, WELCOME_PATIENCE_MS);
	while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		snprintf(why, why_size, "the kernel does not answer; is its name server stuck?");
		return -ETIMEDOUT;
	}
	ssize_t size = connection_message_receive(connection.socket_fd, &answer, sizeof(answer),
						  fds, &fd_count);
	if (size == 0) {
		snprintf(why, why_size, "the kernel ended while this process attached");
		return -EAGAIN;
	}
	int error = size < 0 ? (int)size : 0;
	if (error == 0 && answer.head.kind == WIRE_REFUSED && size == sizeof(answer.refused)) {
		answer.refused.why[sizeof(answer.refused.why) - 1] = '\0';
		snprintf(why, why_size, "the kernel refused this process: %s", answer.refused.why);
		connection_fds_close(fds, fd_count);
		return -EACCES;
	}
	if (error == 0 && (answer.head.kind != WIRE_WELCOME || size != sizeof(answer.welcome) ||
			   fd_count != 3 || answer.welcome.version != WIRE_VERSION ||
			   answer.welcome.slot_index >= TRAP_SEGMENT_SLOTS))
		error = -EPROTO;
	if (error == 0 && !connection_segment_map(0, fds[0]))
		error = -errno;
	if (error == 0) {
		size_t page_size = sizeof(struct kernel_page);
		void *page = connection_memory_is_there(fds[1], page_size)
				 ? mmap(NULL, page_size, PROT_READ, MAP_SHARED, fds[1], 0)
				 : MAP_FAILED;
		if (page == MAP_FAILED)
			error = -errno;
		else
			connection.kernel_page = page;
	}
	if (error != 0) {
		snprintf(why, why_size, "attaching to the kernel: %s",
			 error == -EPROTO ? "it and this library are of different versions"
					  : strerror(-error));
		connection_fds_close(fds, fd_count);
		return error;
	}
	madvise((void *)connection.kernel_page, sizeof(struct kernel_page), MADV_DONTFORK);
	close(fds[0]);
	close(fds[1]);
	connection.event_fd = connection_fd_move_high(fds[2]);
	connection.first_slot = answer.welcome.slot_index;
	/* programs may have changed them already */
	if (answer.welcome.task_self != BERTH_NAME_TASK_SELF &&
	    mach_task_self_ == BERTH_NAME_TASK_SELF)
		mach_task_self_ = answer.welcome.task_self;
	if (answer.welcome.bootstrap_port != BERTH_NAME_BOOTSTRAP &&
	    bootstrap_port == BERTH_NAME_BOOTSTRAP)
		bootstrap_port = answer.welcome.bootstrap_port;
	return 0;
}

/* Drop a half-made connection. */
static void
connection_drop(void)
{
	close(connection.socket_fd);
	connection.socket_fd = -1;
	if (connection.doorbell != NULL) {
		munmap(connection.doorbell, sizeof(struct doorbell) + SEGMENT_SIZE);
		munmap(connection.mail[0], TRAP_SEGMENT_SLOTS * sizeof(struct slot_mail));
		connection.doorbell = NULL;
		connection.segments[0] = NULL;
		connection.mail[0] = NULL;
	}
}

/* Connect and say hello, under the lock.  0, or -errno and @why. */
static int
attach_locked(char *why, size_t why_size)
{
	bool is_child = connection.state == CONNECTION_CHILD;
	int error;

	if (is_child) {
		error = be_welcomed(why, why_size); /* said hello right after the fork */
		if (error != 0)
			connection_drop();
		return error;
	}
	for (int attempt = 1;; attempt++) {
		int fd = inherited_socket();
		connection.is_first_task = fd >= 0;
		if (fd < 0)
			fd = berth_kernel_connect(BERTH_KERNEL_START, why, why_size);
		if (fd < 0)
			return fd;
		connection.socket_fd = connection_fd_move_high(fd);
		struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
		if (connection_send(&hello.head, NULL, 0, false)) {
			error = be_welcomed(why, why_size);
		} else {
			snprintf(why, why_size, "the kernel ended while this process attached");
			error = -EAGAIN;
		}
		if (error == 0)
			return 0;
		connection_drop();
		if (error != -EAGAIN || attempt == ATTACH_TRIES)
			return error;
	}
}

bool
connection_open(void)
{
	static _Atomic uint32_t said;
	sigset_t signals;
	char why[1024] = "";
	int saved_errno = errno;

	uint32_t state = atomic_load(&connection.state);
	if (state == CONNECTION_FAILED || state == CONNECTION_DEAD)
		return false;
	connection_lock(&signals);
	state = atomic_load(&connection.state);
	if (state == CONNECTION_NONE || state == CONNECTION_CHILD) {
		if (attach_locked(why, sizeof(why)) == 0) {
			state = CONNECTION_READY;
		} else {
			state = CONNECTION_FAILED;
			SAY_ONCE(&said, "no Mach kernel for this process (pid %ld): %s",
				 (long)getpid(), why);
		}
		atomic_store(&connection.state, state);
	}
	connection_unlock(&signals);
	errno = saved_errno;
	return state == CONNECTION_READY;
}
