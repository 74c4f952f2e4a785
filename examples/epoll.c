/*
 * A port in an event loop: berth_port_fd() gives a descriptor that is readable while a
 * message waits, so epoll (or poll, select, any loop) watches it beside everything else.
 *
 * Here a thread sends three messages, and the loop waits for them and for a timer.
 */
#include <berth/port_fd.h>
#include <mach/mach.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "must.h"

#define MESSAGE_COUNT 3

struct tick {
	mach_msg_header_t header;
	int number;
};

static void *
send_ticks(void *argument)
{
	mach_port_t port = *(mach_port_t *)argument;

	for (int i = 0; i < MESSAGE_COUNT; i++) {
		struct tick tick = {
			.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
			.header.msgh_remote_port = port,
			.number = i,
		};

		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
		must(mach_msg(&tick.header, MACH_SEND_MSG, sizeof(tick), 0, MACH_PORT_NULL,
			      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	}
	return NULL;
}

/* Take all that waits; a receive with time-out 0 never blocks the loop. */
static int
receive_ticks(mach_port_t port)
{
	struct {
		struct tick message;
		mach_msg_trailer_t trailer;
	} tick;
	kern_return_t kr;
	int count = 0;

	while ((kr = mach_msg(&tick.message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
			      sizeof(tick), port, 0, MACH_PORT_NULL)) == MACH_MSG_SUCCESS) {
		printf("epoll: message %d\n", tick.message.number);
		count++;
	}
	if (kr != MACH_RCV_TIMED_OUT)
		must(kr);
	return count;
}

static int
watch(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int
main(void)
{
	const struct itimerspec limit = { .it_value.tv_sec = 10 };
	mach_port_t port;
	pthread_t thread;
	int received = 0;

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	int port_fd = berth_port_fd(port);
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (port_fd < 0 || timer_fd < 0 || epoll_fd < 0 ||
	    timerfd_settime(timer_fd, 0, &limit, NULL) < 0 || watch(epoll_fd, port_fd) < 0 ||
	    watch(epoll_fd, timer_fd) < 0) {
		perror("epoll");
		return 1;
	}
	if (pthread_create(&thread, NULL, send_ticks, &port) != 0) {
		fprintf(stderr, "epoll: no thread\n");
		return 1;
	}

	while (received < MESSAGE_COUNT) {
		struct epoll_event event;

		if (epoll_wait(epoll_fd, &event, 1, -1) < 1)
			continue;
		if (event.data.fd == timer_fd) {
			fprintf(stderr, "epoll: no message came in time\n");
			return 1;
		}
		received += receive_ticks(port);
	}

	pthread_join(thread, NULL);
	close(port_fd);
	close(timer_fd);
	close(epoll_fd);
	must(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	return 0;
}
