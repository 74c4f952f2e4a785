/*
 * A port in libuv's event loop: a uv_poll_t on the descriptor of berth_port_fd().
 *
 * Needs libuv: berth cc libuv.c -o libuv -luv
 */
#include <berth/port_fd.h>
#include <mach/mach.h>
#include <unistd.h>
#include <uv.h>

#include "must.h"

#define MESSAGE_COUNT 3

struct tick {
	mach_msg_header_t header;
	int number;
};

static mach_port_t port;
static int sent, received;
static uv_timer_t timer;
static uv_poll_t watcher;

static void
send_tick(uv_timer_t *handle)
{
	struct tick tick = {
		.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
		.header.msgh_remote_port = port,
		.number = sent++,
	};

	must(mach_msg(&tick.header, MACH_SEND_MSG, sizeof(tick), 0, MACH_PORT_NULL,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	if (sent == MESSAGE_COUNT)
		uv_close((uv_handle_t *)handle, NULL);
}

static void
port_is_readable(uv_poll_t *handle, int status, int events)
{
	struct {
		struct tick message;
		mach_msg_trailer_t trailer;
	} tick;

	(void)events;
	if (status < 0) {
		fprintf(stderr, "libuv: %s\n", uv_strerror(status));
		exit(1);
	}
	/* one at a time: the descriptor stays readable while more wait */
	kern_return_t kr = mach_msg(&tick.message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				    sizeof(tick), port, 0, MACH_PORT_NULL);
	if (kr == MACH_RCV_TIMED_OUT)
		return;
	must(kr);
	printf("libuv: message %d\n", tick.message.number);
	if (++received == MESSAGE_COUNT)
		uv_close((uv_handle_t *)handle, NULL);
}

int
main(void)
{
	uv_loop_t *loop = uv_default_loop();

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	int fd = berth_port_fd(port);
	if (fd < 0) {
		perror("berth_port_fd");
		return 1;
	}

	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, send_tick, 10, 20);
	uv_poll_init(loop, &watcher, fd);
	uv_poll_start(&watcher, UV_READABLE, port_is_readable);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);

	close(fd);
	must(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	return 0;
}
