/* Files handed over by hand: see raw_file.h. */
#include "tests/daemon/raw_file.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

kern_return_t
raw_file_make_with(struct raw_task *task, uint32_t flags, const int *fds, unsigned fd_count,
		   mach_port_name_t *port)
{
	struct trap_slot *slot = raw_slot(task, 0);

	raw_fill(slot, BERTH_TRAP_FILEPORT_MAKE, NULL, 0);
	slot->request.flags = flags;
	raw_publish(slot);
	raw_ring_with(task, 0, fds, fd_count);
	assert_true(raw_await(slot, RAW_ANSWER_MS));
	if (port != NULL)
		*port = (mach_port_name_t)slot->reply.values[0];
	return slot->reply.code;
}

mach_port_name_t
raw_file_make(struct raw_task *task, int fd)
{
	mach_port_name_t port;

	assert_int_equal(raw_file_make_with(task, TRAP_HAS_FILE, &fd, 1, &port), KERN_SUCCESS);
	close(fd);
	return port;
}

int
raw_file_open(struct raw_task *task, mach_port_name_t port)
{
	kern_return_t code;
	int fds[8];

	/* Linux counts what all programs of a user have under way: when it is too much, and the
	 * kernel has no room to send it later, the task is told to ask again */
	while ((code = raw_trap(task, 0, BERTH_TRAP_FILEPORT_OPEN, 1, (uint64_t)port)) ==
	       KERN_RESOURCE_SHORTAGE)
		usleep(10000);
	assert_int_equal(code, KERN_SUCCESS);
	assert_int_equal(raw_slot(task, 0)->reply.flags, TRAP_HAS_FILE);
	assert_int_equal(raw_descriptors(task, fds), 1);
	return fds[0];
}

void
raw_file_drop(struct raw_task *task, mach_port_name_t port)
{
	assert_int_equal(raw_trap(task, 0, BERTH_TRAP_PORT_DEALLOCATE, 2,
				  (uint64_t)BERTH_NAME_TASK_SELF, (uint64_t)port),
			 KERN_SUCCESS);
}

bool
raw_file_hangs_up(int fd)
{
	struct pollfd look = { .fd = fd };

	return poll(&look, 1, RAW_ANSWER_MS) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

void
raw_pipe_new(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}
