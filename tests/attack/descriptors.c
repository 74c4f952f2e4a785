/*
 * Attacks with the descriptors that berthd shares with a task.  Flags such as O_NONBLOCK
 * belong to what both descriptors stand for, so a task may change them under berthd's feet.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define WORST_MS 20000 /* of a bystander's round: a hang, not a speed */

/* All that makes reading or writing @fd wait, or wake, or fail. */
static void
spoil(int fd, unsigned how)
{
	uint64_t full = UINT64_MAX - 1, one = 1;
	char bytes[256] = { 0 };
	ssize_t n = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	switch (how % 6) {
	case 0: /* empty */
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			continue;
		break;
	case 1: /* full, if it is a counter */
		n = read(fd, bytes, 8);
		n = write(fd, &full, sizeof(full));
		break;
	case 2: /* full, if it is a queue */
		for (int i = 0; i < 5000 && n >= 0; i++)
			n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 3:
		shutdown(fd, SHUT_RD);
		break;
	case 4:
		shutdown(fd, SHUT_RDWR);
		break;
	default:
		n = write(fd, &one, sizeof(one));
		break;
	}
	(void)n;
	fcntl(fd, F_SETFL, 0);
}

static void
send_to_self(struct raw_task *task, mach_port_name_t port)
{
	struct trap_slot *slot = raw_slot(task, 0);
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = sizeof(header),
				     .msgh_remote_port = port };
	uint64_t args[] = { MACH_SEND_MSG, sizeof(header) };

	memcpy(slot->data, &header, sizeof(header));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = sizeof(header);
	raw_publish(slot);
	raw_ring(task, 0);
	if (!raw_await(slot, WORST_MS))
		abort();
}

/* A new watch's descriptor. */
static int
watch(struct raw_task *task, mach_port_name_t port)
{
	int fds[8];

	if (raw_trap(task, 0, BERTH_TRAP_PORT_WATCH, 1, (uint64_t)port) != KERN_SUCCESS ||
	    raw_descriptors(task, fds) != 1)
		abort();
	return fds[0];
}

static void
spoiled_watches(const struct raw_kernel *kernel, void *context)
{
	struct raw_task task = raw_task_new(kernel);

	for (unsigned before = 0; before < 6; before++) {
		for (unsigned after = 0; after < 6; after++) {
			mach_port_name_t port = raw_port(&task, 0);
			int fd = watch(&task, port);

			/* whenever it changes from one to the other it is spoilt */
			for (int i = 0; i < 4; i++) {
				spoil(fd, before);
				send_to_self(&task, port);
				spoil(fd, after);
				raw_trap(&task, 0, BERTH_TRAP_MSG, 5,
					 (uint64_t)(MACH_RCV_MSG | MACH_RCV_TIMEOUT), (uint64_t)0,
					 (uint64_t)256, (uint64_t)port, (uint64_t)0);
			}
			spoil(fd, before);
			raw_trap(&task, 0, BERTH_TRAP_PORT_DESTROY, 2, SELF, (uint64_t)port);
			close(fd);
		}
	}
}

static void
a_watch_whose_descriptor_is_spoilt_stops_nobody(void **state)
{
	attack(spoiled_watches, NULL, WORST_MS);
}

/* More tasks than are looked at unasked, so that some are made to ring by their bell. */
#define CROWD 200

static void
spoiled_bells(const struct raw_kernel *kernel, void *context)
{
	static struct raw_task tasks[CROWD];

	for (unsigned i = 0; i < CROWD; i++) {
		tasks[i] = raw_task_new(kernel);
		spoil(tasks[i].event_fd, i);
	}
	for (int round = 0; round < 300; round++) {
		for (unsigned i = 0; i < CROWD; i++) {
			struct trap_slot *slot = raw_slot(&tasks[i], 0);

			/* rings for good and without reason, without and with the bell */
			raw_ask(slot, BERTH_TRAP_TASK_SELF, NULL, 0);
			if (doorbell_ring(tasks[i].doorbell, 0) && round % 10 == 0)
				spoil(tasks[i].event_fd, 5);
		}
	}
}

static void
bells_that_are_spoilt_stop_nobody(void **state)
{
	attack(spoiled_bells, NULL, WORST_MS);
}

/* ---- a watch when its kernel dies --------------------------------------------------- */

static bool
readable(int fd, int ms)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	return poll(&look, 1, ms) == 1 && (look.revents & POLLIN) != 0;
}

static void
a_watch_is_readable_once_its_kernel_is_killed(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int fd = watch(&task, raw_port(&task, 0));

	assert_false(readable(fd, 50));
	kill(kernel.pid, SIGKILL);
	assert_true(readable(fd, WORST_MS));
	close(fd);
	waitpid(kernel.pid, NULL, 0);
	close(kernel.control_fd);
	unlink(kernel.path);
	rmdir(kernel.folder);
	raw_task_free(&task);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watch_whose_descriptor_is_spoilt_stops_nobody),
		cmocka_unit_test(bells_that_are_spoilt_stop_nobody),
		cmocka_unit_test(a_watch_is_readable_once_its_kernel_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
