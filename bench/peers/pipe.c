/*
 * Pipes, two a client; the server reads and writes what it inherited.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bench/peers/channels.h"
#include "bench/peers/peer.h"
#include "bench/process.h"

static struct channel *server_ends, *client_ends, own;

static void
listen_pipes(void)
{
	server_ends = calloc(shape.clients, sizeof(server_ends[0]));
	client_ends = calloc(shape.clients, sizeof(client_ends[0]));
	if (server_ends == NULL || client_ends == NULL)
		die("calloc");
	for (unsigned i = 0; i < shape.clients; i++) {
		int requests[2], replies[2];

		if (pipe(requests) != 0 || pipe(replies) != 0)
			die("pipe");
		server_ends[i] = (struct channel){ .in = requests[0], .out = replies[1] };
		client_ends[i] = (struct channel){ .in = replies[0], .out = requests[1] };
	}
	own = client_ends[0];
}

static void
serve_pipes(void)
{
	channels_serve(server_ends, shape.clients, -1, NULL, channel_read, channel_write);
}

static void
choose(unsigned client)
{
	own = client_ends[client];
}

static void
call(const void *request, void *reply)
{
	channel_write(&own, request, shape.request_bytes);
	if (channel_read(&own, reply, shape.reply_bytes) == NULL)
		die_saying("pipe: the server has ended");
}

static void
send_pipe(const void *message)
{
	channel_write(&own, message, shape.request_bytes);
}

static void
make(void)
{
	int ends[2];

	if (pipe(ends) != 0)
		die("pipe");
	close(ends[0]);
	close(ends[1]);
}

static const struct peer peer_pipe = {
	.system = "pipe",
	.listen = listen_pipes,
	.serve = serve_pipes,
	.choose = choose,
	.call = call,
	.send = send_pipe,
	.make = make,
};

const struct peer *const peers_here[] = { &peer_pipe, NULL };
