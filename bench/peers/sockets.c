/*
 * Unix sockets: what berthd itself is built on, and what a program would use without it.
 *
 *   stream              SOCK_STREAM
 *   seqpacket           SOCK_SEQPACKET
 *   seqpacket-creds     each request comes with its sender's credentials
 *   seqpacket-fd        a descriptor in each request, always the same
 *   seqpacket-fd-fresh  one end of a pair made for the request
 *   seqpacket-broker    a third process passes everything on: the floor of any broker
 *
 * Where descriptors travel, bulk data does so in a memfd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/peers/channels.h"
#include "bench/peers/peer.h"
#include "bench/process.h"

#define PACKET_MAX (64u << 10) /* bytes; below what a socket's buffer holds */

static struct kind {
	int type;
	bool creds;
	bool fd;
	bool fresh;
	bool broker;
} kind;

struct address {
	struct sockaddr_un un;
	socklen_t size;
};

static struct address front, back; /* where clients come; where the server is */
static int listener;
static struct channel own;
static int kept_fd = -1; /* what travels with each request, unless it is fresh */

/* ---- one message ----------------------------------------------------------------------------- */

static bool
is_bulk(void)
{
	return kind.fd && shape.request_bytes > PACKET_MAX;
}

union control {
	char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static void
send_with_fd(int socket, const void *data, size_t size_bytes, int fd)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size_bytes };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) < 0)
		die("sendmsg");
}

/* What came beside the bytes must be there: gives the descriptor, or -1. */
static ssize_t
receive_with(int socket, void *data, size_t size_bytes, int *fd)
{
	union control control;
	struct iovec part = { .iov_base = data, .iov_len = size_bytes };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	bool has_creds = false;

	*fd = -1;
	for (struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL; header != NULL;
	     header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(header), sizeof(*fd));
		has_creds |= header->cmsg_type == SCM_CREDENTIALS;
	}
	if (got > 0 && ((kind.fd && *fd < 0) || (kind.creds && !has_creds)))
		die_saying("something is missing beside a message");
	return got;
}

static const void *
get_packets(const struct channel *channel, void *data, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes;) {
		ssize_t got = recv(channel->in, (char *)data + at, size_bytes - at, 0);

		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return NULL;
		if (got < 0)
			die("recv");
		at += (size_t)got;
	}
	return data;
}

static void
put_packets(const struct channel *channel, const void *data, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes;) {
		size_t part = size_bytes - at < PACKET_MAX ? size_bytes - at : PACKET_MAX;

		if (send(channel->out, (const char *)data + at, part, 0) < 0)
			die("send");
		at += part;
	}
}

/* ---- the server ------------------------------------------------------------------------------ */

/* What was moved here: let go when that was said, as freeing it costs more than all the rest. */
static struct {
	int fd;
	void *region;
} moved = { .fd = -1 };

static void
release_moved(void)
{
	if (moved.fd < 0)
		return;
	munmap(moved.region, shape.region_bytes);
	close(moved.fd);
	moved.fd = -1;
}

/* Whoever moved it may write no more. */
static void
look_at_region(int fd, struct words *words)
{
	size_t size_bytes = shape.region_bytes;
	uint64_t *region = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (region == MAP_FAILED)
		die("mmap");
	words->sum = region[0] + region[size_bytes / sizeof(region[0]) - 1];
	moved.fd = fd;
	moved.region = region;
}

static const void *
get_beside(const struct channel *channel, void *data, size_t size_bytes)
{
	static void *bulk;
	const void *request = data;
	int fd;

	release_moved();
	ssize_t got = receive_with(channel->in, data, size_bytes, &fd);

	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return NULL;
	if (got < 0)
		die("recvmsg");
	if (bulk != NULL)
		munmap(bulk, size_bytes);
	bulk = NULL;
	if (fd >= 0 && is_bulk()) {
		bulk = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
		if (bulk == MAP_FAILED)
			die("mmap");
		request = bulk;
	} else if (fd >= 0 && shape.region_bytes > 0) {
		look_at_region(fd, data);
		return request;
	}
	if (fd >= 0)
		close(fd);
	return request;
}

static void
want_creds(int fd)
{
	const int on = 1;

	if (kind.creds && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
		die("SO_PASSCRED");
}

static void
serve_sockets(void)
{
	channel_get *get = kind.creds || kind.fd      ? get_beside
			   : kind.type == SOCK_STREAM ? channel_read
						      : get_packets;

	channels_serve(NULL, 0, listener, want_creds, get,
		       kind.type == SOCK_STREAM ? channel_write : put_packets);
}

static int
listen_at(struct address *address)
{
	int fd = socket(AF_UNIX, kind.type | SOCK_CLOEXEC, 0);

	address->un.sun_family = AF_UNIX;
	address->size = sizeof(sa_family_t); /* Linux chooses a name */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address->un, address->size) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		die("listen");
	address->size = sizeof(address->un);
	if (getsockname(fd, (struct sockaddr *)&address->un, &address->size) != 0)
		die("getsockname");
	return fd;
}

static int
connect_to(const struct address *address)
{
	int fd = socket(AF_UNIX, kind.type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address->un, address->size) != 0)
		die("connect");
	return fd;
}

/* ---- who is in between ----------------------------------------------------------------------- */

/* One packet; at the end of one side the other gets to see it, and false is given. */
static bool
pass_on(int from, int to)
{
	static char bytes[PACKET_MAX];
	ssize_t got = recv(from, bytes, sizeof(bytes), 0);

	if (got > 0 && send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got)
		return true;
	shutdown(to, SHUT_RDWR);
	return false;
}

/* One client: what comes is known, so nothing need be asked but the message. */
static void
broker_of_one(int client, int server)
{
	bool both = true;

	while (both) {
		for (size_t at = 0; at < shape.request_bytes; at += PACKET_MAX)
			both = both && pass_on(client, server);
		both = both && (shape.oneway || pass_on(server, client));
	}
	exit(0);
}

static void
broker_of_many(int at)
{
	static int other[1 << 16];
	int poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = at };

	if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, at, &event) != 0)
		die("epoll");
	for (;;) {
		if (epoll_wait(poller, &event, 1, -1) != 1)
			die("epoll_wait");
		if (event.data.fd != at) {
			/* both at once: the other's number may be a new client's by the time that
			 * its own end is seen */
			if (!pass_on(event.data.fd, other[event.data.fd])) {
				close(other[event.data.fd]);
				close(event.data.fd);
			}
			continue;
		}

		int ends[2] = { accept(at, NULL, NULL), connect_to(&back) };

		for (int i = 0; i < 2; i++) {
			if (ends[i] < 0 || ends[i] >= (int)(sizeof(other) / sizeof(other[0])))
				die("accept");
			other[ends[i]] = ends[!i];
			event = (struct epoll_event){ .events = EPOLLIN, .data.fd = ends[i] };
			if (epoll_ctl(poller, EPOLL_CTL_ADD, ends[i], &event) != 0)
				die("epoll_ctl");
		}
	}
}

static void
broker_start(void)
{
	int at = listen_at(&front);

	if (child() != 0) {
		close(at);
		return;
	}
	close(listener);
	if (shape.clients > 1)
		broker_of_many(at);

	int client = accept(at, NULL, NULL);

	if (client < 0)
		die("accept");
	broker_of_one(client, connect_to(&back));
}

/* ---- a client -------------------------------------------------------------------------------- */

static void
connect_sockets(void)
{
	int fd = connect_to(&front);

	own = (struct channel){ fd, fd };
}

static int
memfd_new(size_t size_bytes)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size_bytes) != 0)
		die("memfd_create");
	return fd;
}

static void
get_reply(void *reply)
{
	const void *got = kind.type == SOCK_STREAM ? channel_read(&own, reply, shape.reply_bytes)
						   : get_packets(&own, reply, shape.reply_bytes);

	if (got == NULL)
		die_saying("the server has ended");
}

static void
call_plain(const void *request, void *reply)
{
	if (kind.type == SOCK_STREAM)
		channel_write(&own, request, shape.request_bytes);
	else
		put_packets(&own, request, shape.request_bytes);
	get_reply(reply);
}

static void
call_with_bulk(const void *request, void *reply)
{
	int fd = kept_fd >= 0 ? kept_fd : memfd_new(shape.request_bytes);

	if (pwrite(fd, request, shape.request_bytes, 0) != (ssize_t)shape.request_bytes)
		die("pwrite");
	send_with_fd(own.out, request, sizeof(struct words), fd);
	get_reply(reply);
	if (kind.fresh)
		close(fd);
	else
		kept_fd = fd;
}

static void
call_with_fd(const void *request, void *reply)
{
	int ends[2] = { kept_fd, -1 };

	if (is_bulk()) {
		call_with_bulk(request, reply);
		return;
	}
	if (kept_fd < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		die("socketpair");
	send_with_fd(own.out, request, shape.request_bytes, ends[0]);
	if (kind.fresh)
		close(ends[0]);
	else
		kept_fd = ends[0];
	get_reply(reply);
	if (kind.fresh)
		close(ends[1]);
}

static void
send_plain(const void *message)
{
	if (kind.type == SOCK_STREAM)
		channel_write(&own, message, shape.request_bytes);
	else
		put_packets(&own, message, shape.request_bytes);
}

static void
make_pair(int type)
{
	int ends[2];

	if (socketpair(AF_UNIX, type, 0, ends) != 0)
		die("socketpair");
	close(ends[0]);
	close(ends[1]);
}

static void
make_stream(void)
{
	make_pair(SOCK_STREAM);
}

static void
make_seqpacket(void)
{
	make_pair(SOCK_SEQPACKET);
}

static uint64_t
move_region(void)
{
	size_t last = shape.region_bytes / sizeof(uint64_t) - 1;
	int fd = memfd_new(shape.region_bytes);
	uint64_t *region =
	    mmap(NULL, shape.region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct words words[4] = { 0 };

	if (region == MAP_FAILED)
		die("mmap");
	memset(region, 1, shape.region_bytes);
	region[0] = 40;
	region[last] = 2;

	uint64_t start_ns = now_ns();

	munmap(region, shape.region_bytes);
	send_with_fd(own.out, words, sizeof(words), fd);
	close(fd);
	get_reply(words);
	if (words[0].sum != 42)
		die_saying("the region was not what it had been");
	return now_ns() - start_ns;
}

/* ---- the systems ----------------------------------------------------------------------------- */

static void
listen_sockets(void)
{
	listener = listen_at(&back);
	front = back;
	if (kind.broker)
		broker_start();
}

#define SYSTEM(function, ...)                                                                      \
	static void listen_##function(void)                                                        \
	{                                                                                          \
		kind = (struct kind){ __VA_ARGS__ };                                               \
		listen_sockets();                                                                  \
	}

SYSTEM(stream, .type = SOCK_STREAM)
SYSTEM(seqpacket, .type = SOCK_SEQPACKET)
SYSTEM(creds, .type = SOCK_SEQPACKET, .creds = true)
SYSTEM(fd, .type = SOCK_SEQPACKET, .fd = true)
SYSTEM(fresh, .type = SOCK_SEQPACKET, .fd = true, .fresh = true)
SYSTEM(broker, .type = SOCK_SEQPACKET, .broker = true)

#define COMMON .serve = serve_sockets, .connect = connect_sockets

static const struct peer peer_stream = { .system = "stream",
					 .listen = listen_stream,
					 COMMON,
					 .call = call_plain,
					 .send = send_plain,
					 .make = make_stream };
static const struct peer peer_seqpacket = { .system = "seqpacket",
					    .listen = listen_seqpacket,
					    COMMON,
					    .call = call_plain,
					    .send = send_plain,
					    .make = make_seqpacket };
static const struct peer peer_creds = { .system = "seqpacket-creds",
					.size_max = PACKET_MAX,
					.listen = listen_creds,
					COMMON,
					.call = call_plain,
					.send = send_plain };
static const struct peer peer_fd = { .system = "seqpacket-fd",
				     .carries_rights = true,
				     .listen = listen_fd,
				     COMMON,
				     .call = call_with_fd };
static const struct peer peer_fresh = { .system = "seqpacket-fd-fresh",
					.carries_rights = true,
					.listen = listen_fresh,
					COMMON,
					.call = call_with_fd,
					.move = move_region };
static const struct peer peer_broker = { .system = "seqpacket-broker",
					 .listen = listen_broker,
					 COMMON,
					 .call = call_plain,
					 .send = send_plain };

const struct peer *const peers_here[] = {
	&peer_stream, &peer_seqpacket, &peer_creds, &peer_fd, &peer_fresh, &peer_broker, NULL,
};
