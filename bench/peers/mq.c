/*
 * POSIX message queues: one for requests, one for the replies of each client.
 *
 * A queue's name goes at once: whoever is to use it inherits it, and nothing is left behind.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

#define SIZE_MAX_BYTES 8192 /* what Linux allows everybody */
#define LENGTH 1024

static mqd_t requests, *replies;
static unsigned own;

static mqd_t
queue_new(long length, size_t size_bytes)
{
	struct mq_attr attributes = { .mq_maxmsg = length, .mq_msgsize = (long)size_bytes };
	char name[64];

	snprintf(name, sizeof(name), "/berth-bench-%d", (int)getpid());

	mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);

	if (queue == (mqd_t)-1)
		return queue;
	mq_unlink(name);
	return queue;
}

/* Of messages without a reply 1024 at a time, where the system allows it. */
static void
listen_queues(void)
{
	const size_t size = shape.request_bytes + sizeof(unsigned);

	replies = calloc(shape.clients, sizeof(replies[0]));
	if (replies == NULL)
		die("calloc");
	requests = queue_new(shape.oneway ? LENGTH : 10, size);
	if (requests == (mqd_t)-1)
		requests = queue_new(10, size);
	if (requests == (mqd_t)-1)
		die("mq_open");
	for (unsigned i = 0; i < shape.clients; i++) {
		replies[i] = queue_new(1, shape.reply_bytes);
		if (replies[i] == (mqd_t)-1)
			die("mq_open");
	}
}

/* The client's number comes behind the request. */
static void
put_request(const void *request)
{
	char bytes[SIZE_MAX_BYTES];

	memcpy(bytes, request, shape.request_bytes);
	memcpy(bytes + shape.request_bytes, &own, sizeof(own));
	if (mq_send(requests, bytes, shape.request_bytes + sizeof(own), 0) != 0)
		die("mq_send");
}

static void
serve(void)
{
	static _Alignas(8) char bytes[SIZE_MAX_BYTES], reply[SIZE_MAX_BYTES];
	unsigned client;

	serving();
	for (;;) {
		if (mq_receive(requests, bytes, shape.request_bytes + sizeof(client), NULL) < 0)
			die("mq_receive");
		if (shape.oneway) {
			absorb(bytes);
			continue;
		}
		memcpy(&client, bytes + shape.request_bytes, sizeof(client));
		answer(bytes, reply);
		if (mq_send(replies[client], reply, shape.reply_bytes, 0) != 0)
			die("mq_send");
	}
}

static void
choose(unsigned client)
{
	own = client;
}

static void
call(const void *request, void *reply)
{
	put_request(request);
	if (mq_receive(replies[own], reply, shape.reply_bytes, NULL) < 0)
		die("mq_receive");
}

static void
make(void)
{
	mqd_t queue = queue_new(10, 64);

	if (queue == (mqd_t)-1)
		die("mq_open");
	mq_close(queue);
}

static const struct peer peer_mq = {
	.system = "mq",
	.size_max = SIZE_MAX_BYTES - sizeof(unsigned),
	.listen = listen_queues,
	.serve = serve,
	.choose = choose,
	.call = call,
	.send = put_request,
	.make = make,
};

const struct peer *const peers_here[] = { &peer_mq, NULL };
