/*
 * A process beside the test, a task of its own, that does what it is told by a byte.
 */
#ifndef TESTS_CLIENT_OTHER_PROCESS_H
#define TESTS_CLIENT_OTHER_PROCESS_H

#include "kernel_test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct other {
	pid_t pid;
	int fd; /* to it and from it */
};

/* What the process does with each byte, after which it answers with the result. */
typedef uint8_t other_function(uint8_t byte);

static inline struct other
other_start(other_function *function)
{
	struct other other;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0) {
		uint8_t byte = 0;

		close(fds[0]);
		/* where Linux would let nobody but an ancestor look */
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		mach_port_deallocate(mach_task_self(), mach_thread_self());
		do {
			if (write(fds[1], &byte, 1) != 1 || read(fds[1], &byte, 1) != 1)
				_exit(0);
			byte = function != NULL ? function(byte) : byte;
		} while (true);
	}
	close(fds[1]);
	other.fd = fds[0];
	uint8_t ready;
	assert_int_equal(read(other.fd, &ready, 1), 1);
	return other;
}

/* Has it do what @byte says; its result. */
static inline uint8_t
other_does(const struct other *other, uint8_t byte)
{
	uint8_t result = 0xff;

	assert_int_equal(write(other->fd, &byte, 1), 1);
	assert_int_equal(read(other->fd, &result, 1), 1);
	return result;
}

/* Ends it; it is gone when this returns. */
static inline void
other_end(struct other *other)
{
	kill(other->pid, SIGKILL);
	assert_int_equal(waitpid(other->pid, NULL, 0), other->pid);
	close(other->fd);
}

static inline mach_port_t
other_task(const struct other *other)
{
	mach_port_t task;

	assert_int_equal(task_for_pid(mach_task_self(), other->pid, &task), KERN_SUCCESS);
	return task;
}

/* Waits until the kernel has seen the end of the task behind @task. */
static inline void
task_is_dead(mach_port_t task)
{
	mach_port_type_t type = 0;

	for (int i = 0; i < 2000 && (type & MACH_PORT_TYPE_DEAD_NAME) == 0; i++) {
		assert_int_equal(mach_port_type(mach_task_self(), task, &type), KERN_SUCCESS);
		usleep(10000);
	}
	assert_true((type & MACH_PORT_TYPE_DEAD_NAME) != 0);
}

static inline void
right_end(mach_port_t name)
{
	assert_int_equal(mach_port_deallocate(mach_task_self(), name), KERN_SUCCESS);
}

#endif
