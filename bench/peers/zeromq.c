/*
 * ZeroMQ over its Unix sockets: REQ and REP, or PUSH and PULL.
 */
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

#define QUEUE_LENGTH 1024

static char address[64];
static void *own;

static void
listen_zeromq(void)
{
	/* an abstract name: no file is left */
	snprintf(address, sizeof(address), "ipc://@berth-bench-%d", (int)getpid());
}

/* Each process has a context of its own: its threads do not survive a fork. */
static void *
socket_new(int type)
{
	const int length = QUEUE_LENGTH;
	void *context = zmq_ctx_new();
	void *socket = context ? zmq_socket(context, type) : NULL;

	if (socket == NULL || zmq_setsockopt(socket, ZMQ_SNDHWM, &length, sizeof(length)) != 0 ||
	    zmq_setsockopt(socket, ZMQ_RCVHWM, &length, sizeof(length)) != 0)
		die("zmq_socket");
	return socket;
}

static void
serve(void)
{
	void *socket = socket_new(shape.oneway ? ZMQ_PULL : ZMQ_REP);
	struct words reply[4096 / sizeof(struct words)] = { 0 };
	zmq_msg_t request;

	if (zmq_bind(socket, address) != 0)
		die("zmq_bind");
	serving();
	zmq_msg_init(&request);
	for (;;) {
		if (zmq_msg_recv(&request, socket, 0) != (int)shape.request_bytes)
			die("zmq_msg_recv");
		if (shape.oneway) {
			absorb(zmq_msg_data(&request));
			continue;
		}
		answer(zmq_msg_data(&request), reply);
		if (zmq_send(socket, reply, shape.reply_bytes, 0) < 0)
			die("zmq_send");
	}
}

static void
connect_zeromq(void)
{
	own = socket_new(shape.oneway ? ZMQ_PUSH : ZMQ_REQ);
	if (zmq_connect(own, address) != 0)
		die("zmq_connect");
}

static void
send_zeromq(const void *message)
{
	if (zmq_send(own, message, shape.request_bytes, 0) < 0)
		die("zmq_send");
}

static void
call(const void *request, void *reply)
{
	send_zeromq(request);
	if (zmq_recv(own, reply, shape.reply_bytes, 0) != (int)shape.reply_bytes)
		die("zmq_recv");
}

static const struct peer peer_zeromq = {
	.system = "zeromq",
	.listen = listen_zeromq,
	.serve = serve,
	.connect = connect_zeromq,
	.call = call,
	.send = send_zeromq,
};

const struct peer *const peers_here[] = { &peer_zeromq, NULL };
