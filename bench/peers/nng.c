/*
 * nng over its Unix sockets: REQ and REP, or PUSH and PULL.
 */
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

#define QUEUE_LENGTH 1024

static char address[64];
static nng_socket own;

static void
must(int error, const char *what)
{
	if (error != 0)
		die_saying("%s: %s", what, nng_strerror(error));
}

static void
listen_nng(void)
{
	/* an abstract name: no file is left */
	snprintf(address, sizeof(address), "abstract://berth-bench-%d", (int)getpid());
}

static void
serve(void)
{
	struct words *request = malloc(shape.request_bytes);
	struct words *reply = calloc(1, shape.reply_bytes);
	nng_socket socket;

	if (request == NULL || reply == NULL)
		die("malloc");
	must(shape.oneway ? nng_pull0_open(&socket) : nng_rep0_open(&socket), "nng_open");
	must(nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, 0), "NNG_OPT_RECVMAXSZ");
	must(nng_listen(socket, address, NULL, 0), "nng_listen");
	serving();
	for (;;) {
		size_t size = shape.request_bytes;

		must(nng_recv(socket, request, &size, 0), "nng_recv");
		if (shape.oneway) {
			absorb(request);
			continue;
		}
		answer(request, reply);
		must(nng_send(socket, reply, shape.reply_bytes, 0), "nng_send");
	}
}

static void
connect_nng(void)
{
	must(shape.oneway ? nng_push0_open(&own) : nng_req0_open(&own), "nng_open");
	if (shape.oneway)
		must(nng_socket_set_int(own, NNG_OPT_SENDBUF, QUEUE_LENGTH), "NNG_OPT_SENDBUF");
	must(nng_dial(own, address, NULL, 0), "nng_dial");
}

static void
send_nng(const void *message)
{
	/* nng takes no constant data, and does not change it */
	must(nng_send(own, (void *)(uintptr_t)message, shape.request_bytes, 0), "nng_send");
}

static void
call(const void *request, void *reply)
{
	size_t size = shape.reply_bytes;

	send_nng(request);
	must(nng_recv(own, reply, &size, 0), "nng_recv");
}

static const struct peer peer_nng = {
	.system = "nng",
	.listen = listen_nng,
	.serve = serve,
	.connect = connect_nng,
	.call = call,
	.send = send_nng,
};

const struct peer *const peers_here[] = { &peer_nng, NULL };
