/*
 * A program and a kext, over a kernel control; or two programs, over a Unix socket.
 *
 *	bench-controls PEER TYPE PLACEMENT WORK COUNT
 *
 *   PEER   raw      a Unix socket: SOCK_SEQPACKET or SOCK_STREAM
 *          control  a kernel control; the program runs under `berth run`, the kext is loaded
 *   TYPE   dgram, stream
 *   PLACEMENT  free, same, cross; `cross` pins this process and its peer apart (a kexthost is
 *          pinned by whoever loads the kext)
 *   WORK   flood-SIZE  the other side sends COUNT messages of SIZE bytes: ns each
 *          send        a message of 64 bytes, and the answer that it was taken: median, ns
 *          echo        the same, and the message comes back: median, ns
 *          connect     socket, connect, close; connected means that the other side has agreed:
 *                      median, ns
 *          many        COUNT connections at once, each used: ns each
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/controls/bench.h"
#include "bench/measure.h"
#include "bench/process.h"

#define MESSAGE 64

/* A Unix socket of the usual size holds so many messages unread, however small; so shall a
 * control, whose kext allows for BENCH_RECVSIZE bytes */
#define MESSAGES_MAX 277

static bool is_raw, is_stream;
static enum placement placement;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;
static struct sockaddr_ctl control_address;

/* ---- the other side of a raw socket ---------------------------------------------------------- */

static void
receive_all(int fd, void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = recv(fd, (char *)data + at, size - at, 0);

		if (got < 0)
			die("recv");
		if (got == 0)
			exit(0);
		at += (size_t)got;
	}
}

/* Flood, if that is the first word, or answer each message. */
static void
serve(int fd)
{
	struct bench_flood order;
	char message[MESSAGE];

	if (recv(fd, &order, sizeof(order), 0) != (ssize_t)sizeof(order))
		exit(0);
	char *data = calloc(1, order.size_bytes);
	for (uint64_t i = 0; i < order.count; i++)
		if (send(fd, data, order.size_bytes, 0) < 0)
			die("send");
	for (;;) {
		receive_all(fd, message, sizeof(message));
		if (send(fd, message, sizeof(message), 0) < 0)
			die("send");
	}
}

/* One process: takes connections; the first byte that it sends says that it has. */
static void
serve_connections(int listener, bool one)
{
	static int kept[20000];

	for (int i = 0;; i++) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			die("accept");
		if (send(fd, "", 1, 0) < 0)
			die("send");
		if (one)
			serve(fd);
		/* a client that has gone is let go a little later */
		int *place = &kept[i % 20000];
		if (*place > 0)
			close(*place);
		*place = fd;
	}
}

static void
raw_start(bool one)
{
	int listener = socket(AF_UNIX, is_stream ? SOCK_STREAM : SOCK_SEQPACKET, 0);

	address_size = sizeof(sa_family_t); /* Linux chooses a name */
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, address_size) < 0 ||
	    listen(listener, 4096) < 0)
		die("listen");
	address_size = sizeof(address);
	if (getsockname(listener, (struct sockaddr *)&address, &address_size) < 0)
		die("getsockname");
	if (child() == 0) {
		place(placement, ROLE_SERVER);
		serve_connections(listener, one);
	}
	close(listener);
}

/* ---- this side ------------------------------------------------------------------------------- */

static int
join(void)
{
	if (!is_raw) {
		int fd = socket(PF_SYSTEM, is_stream ? SOCK_STREAM : SOCK_DGRAM, SYSPROTO_CONTROL);

		if (fd < 0)
			die("socket");
		if (connect(fd, (struct sockaddr *)&control_address, sizeof(control_address)) < 0)
			die("connect");
		return fd;
	}
	int fd = socket(AF_UNIX, is_stream ? SOCK_STREAM : SOCK_SEQPACKET, 0);
	char agreed;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_size) < 0 ||
	    recv(fd, &agreed, 1, 0) != 1)
		die("connect");
	return fd;
}

static void
control_find(void)
{
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);
	struct ctl_info info = { 0 };

	snprintf(info.ctl_name, sizeof(info.ctl_name), "%s",
		 is_stream ? BENCH_STREAM : BENCH_DGRAM);
	if (fd < 0 || ioctl(fd, CTLIOCGINFO, &info) < 0)
		die(info.ctl_name);
	close(fd);
	control_address = (struct sockaddr_ctl){ .sc_len = sizeof(control_address),
						 .sc_family = AF_SYSTEM,
						 .ss_sysaddr = AF_SYS_CONTROL,
						 .sc_id = info.ctl_id };
}

static uint64_t
flood(uint32_t size, uint64_t count)
{
	struct bench_flood order = { size, count };
	char *data = malloc(size);
	int fd = join();
	int room = size * MESSAGES_MAX < BENCH_RECVSIZE ? (int)size * MESSAGES_MAX : BENCH_RECVSIZE;

	if (!is_raw && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0)
		die("SO_RCVBUF");
	uint64_t begin = now_ns();
	if (is_raw
		? send(fd, &order, sizeof(order), 0) < 0
		: setsockopt(fd, SYSPROTO_CONTROL, BENCH_OPTION_FLOOD, &order, sizeof(order)) < 0)
		die("flood");
	uint64_t left = (uint64_t)size * count;
	while (left > 0) {
		ssize_t got = recv(fd, data, size, 0);

		if (got <= 0)
			die("recv");
		if (!is_stream && got != (ssize_t)size) {
			fprintf(stderr, "a message of %zd bytes came, %u were sent\n", got, size);
			exit(1);
		}
		left -= (uint64_t)got;
	}

	uint64_t each = (now_ns() - begin) / count;

	free(data);
	close(fd);
	return each;
}

static uint64_t
calls(char kind, uint64_t count)
{
	char message[MESSAGE] = { kind };
	struct bench_flood nothing = { 0, 0 };
	struct samples samples;
	int fd = join();

	samples_init(&samples);

	if (is_raw && send(fd, &nothing, sizeof(nothing), 0) < 0)
		die("send");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t begin = now_ns();

		if (send(fd, message, sizeof(message), 0) != (ssize_t)sizeof(message))
			die("send");
		if (is_raw || kind == BENCH_ECHO)
			receive_all(fd, message, sizeof(message));
		samples_add(&samples, now_ns() - begin);
	}

	uint64_t median = samples_percentile(&samples, 50);

	samples_deinit(&samples);
	return median;
}

static uint64_t
connects(uint64_t count)
{
	struct samples samples;

	samples_init(&samples);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t begin = now_ns();
		int fd = join();

		samples_add(&samples, now_ns() - begin);
		close(fd);
	}

	uint64_t median = samples_percentile(&samples, 50);

	samples_deinit(&samples);
	return median;
}

static uint64_t
many(uint64_t count)
{
	int *fds = calloc(count, sizeof(fds[0]));

	raise_descriptors();
	uint64_t begin = now_ns();
	for (uint64_t i = 0; i < count; i++)
		fds[i] = join();
	uint64_t each = (now_ns() - begin) / count;
	for (uint64_t i = 0; i < count && !is_raw; i++) {
		char message[MESSAGE] = { BENCH_ECHO };

		if (send(fds[i], message, sizeof(message), 0) < 0)
			die("send");
		receive_all(fds[i], message, sizeof(message));
	}
	free(fds);
	return each;
}

int
main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: %s raw|control dgram|stream PLACEMENT WORK COUNT\n",
			argv[0]);
		return 2;
	}
	const char *work = argv[4];
	uint64_t count = strtoull(argv[5], NULL, 10);

	is_raw = strcmp(argv[1], "raw") == 0;
	is_stream = strcmp(argv[2], "stream") == 0;
	placement = placement_parse(argv[3]);
	end_with_parent();
	if (is_raw)
		raw_start(strcmp(work, "connect") != 0 && strcmp(work, "many") != 0);
	else
		control_find();
	place(placement, ROLE_CLIENT);

	uint64_t result = 0;
	if (strncmp(work, "flood-", 6) == 0)
		result = flood((uint32_t)strtoul(work + 6, NULL, 10), count);
	else if (strcmp(work, "send") == 0)
		result = calls(BENCH_SWALLOW, count);
	else if (strcmp(work, "echo") == 0)
		result = calls(BENCH_ECHO, count);
	else if (strcmp(work, "connect") == 0)
		result = connects(count);
	else if (strcmp(work, "many") == 0)
		result = many(count);
	report(work, "ns", (double)result);
	return 0;
}
