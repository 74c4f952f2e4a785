#include "bench/peers/channels.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

const void *
channel_read(const struct channel *channel, void *data, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes;) {
		ssize_t got = read(channel->in, (char *)data + at, size_bytes - at);

		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return NULL;
		if (got < 0)
			die("read");
		at += (size_t)got;
	}
	return data;
}

void
channel_write(const struct channel *channel, const void *data, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes;) {
		ssize_t put = write(channel->out, (const char *)data + at, size_bytes - at);

		if (put < 0)
			die("write");
		at += (size_t)put;
	}
}

struct service {
	channel_get *get;
	channel_put *put;
	void *request;
	void *reply;
};

static bool
serve_one(const struct service *service, const struct channel *channel)
{
	const void *request = service->get(channel, service->request, shape.request_bytes);

	if (request == NULL)
		return false;
	if (shape.oneway) {
		absorb(request);
		return true;
	}
	answer(request, service->reply);
	service->put(channel, service->reply, shape.reply_bytes);
	return true;
}

static struct channel
channel_accept(int listener, void (*accepted)(int fd))
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die("accept");
	if (accepted != NULL)
		accepted(fd);
	return (struct channel){ fd, fd };
}

static void
watch(int poller, struct channel channel)
{
	struct channel *kept = malloc(sizeof(*kept));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = kept };

	if (kept == NULL)
		die("malloc");
	*kept = channel;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, channel.in, &event) != 0)
		die("epoll_ctl");
}

static void
serve_many(const struct service *service, const struct channel *channels, unsigned count,
	   int listener, void (*accepted)(int fd))
{
	int poller = epoll_create1(EPOLL_CLOEXEC);

	if (poller < 0)
		die("epoll_create1");
	for (unsigned i = 0; i < count; i++)
		watch(poller, channels[i]);
	if (listener >= 0)
		watch(poller, (struct channel){ listener, -1 });
	serving();
	for (;;) {
		struct epoll_event events[64];
		int ready = epoll_wait(poller, events, 64, -1);

		if (ready < 0)
			die("epoll_wait");
		for (int i = 0; i < ready; i++) {
			struct channel *channel = events[i].data.ptr;

			if (channel->in == listener) {
				watch(poller, channel_accept(listener, accepted));
			} else if (!serve_one(service, channel)) {
				close(channel->in);
				free(channel);
			}
		}
	}
}

void
channels_serve(const struct channel *channels, unsigned count, int listener,
	       void (*accepted)(int fd), channel_get *get, channel_put *put)
{
	struct service service = { get, put, malloc(shape.request_bytes),
				   calloc(1, shape.reply_bytes) };
	struct channel channel;

	if (service.request == NULL || service.reply == NULL)
		die("malloc");
	if (shape.clients > 1)
		serve_many(&service, channels, count, listener, accepted);
	serving();
	channel = listener >= 0 ? channel_accept(listener, accepted) : channels[0];
	while (serve_one(&service, &channel))
		continue;
	exit(0);
}
