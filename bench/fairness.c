/*
 * What a pair of victims keeps beside others: calls of 64 bytes and their latency, alone and
 * beside tasks that flood or attack the same kernel.
 *
 *	bench-fairness PEER PLACEMENT ATTACK COUNT MS
 *
 *   PEER    berth    mach_msg through berthd, without lanes; the program runs under `berth run`
 *           relay    a third process passes on what comes over Unix sockets, by poll
 *   PLACEMENT  free, same, cross; attackers are free, or on the one CPU
 *   ATTACK  none     nobody
 *           flood    valid messages to itself, its queue full again and again
 *           fail     traps that fail (relay: messages to nobody)
 *           garbage  messages of random bytes for a port that there is (relay: oversized ones)
 *           connect  processes that connect, say a word and die
 *           memory   out-of-line memory of 7 MiB, sent to itself (relay: 64 KiB packets)
 *           ports    ports made to the limit, and given up
 *           spin     no calls at all: what a busy loop takes from the victims
 *   COUNT   attackers
 *   MS      how long it is measured
 *
 * Reports calls a second and their 99th percentile.
 */
#include "bench/peers/mach.h"

#include <berth/kernel_connection.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/process.h"

#define SERVICE "berth.bench.fairness"
#define SIZE 64u
#define OOL_SIZE (7u << 20)
#define PAIRS_MAX 64

struct message {
	mach_msg_header_t header;
	char body[40];
	mach_msg_max_trailer_t trailer;
};

/* ---- victims over Berth ---------------------------------------------------------------- */

static mach_port_t service, reply_port;

static void
serve(void)
{
	struct message m;
	mach_port_t port;

	must(bootstrap_check_in(bootstrap_port, SERVICE, &port), "bootstrap_check_in");
	must(mach_msg(&m.header, MACH_RCV_MSG, 0, sizeof(m), port, 0, MACH_PORT_NULL), "receive");
	for (;;) {
		m.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
		m.header.msgh_local_port = MACH_PORT_NULL;
		must(mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, SIZE, sizeof(m), port, 0,
			      MACH_PORT_NULL),
		     "reply and receive");
	}
}

static void
call_mach(void)
{
	struct message m = { .header = {
				 .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
							     MACH_MSG_TYPE_MAKE_SEND_ONCE),
				 .msgh_remote_port = service,
				 .msgh_local_port = reply_port,
			     } };

	must(mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, SIZE, sizeof(m), reply_port, 0,
		      MACH_PORT_NULL),
	     "call");
}

/* ---- attackers of berthd --------------------------------------------------------------- */

static mach_port_t
port_with_send_right(void)
{
	mach_port_t port = port_new();

	must(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND),
	     "right");
	return port;
}

static void
attack_flood(void)
{
	mach_port_t port = port_with_send_right();
	struct message m;

	for (;;) {
		m.header =
		    (mach_msg_header_t){ .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
					 .msgh_remote_port = port };
		if (mach_msg(&m.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, SIZE, 0, 0, 0, 0) ==
		    KERN_SUCCESS)
			continue;
		while (mach_msg(&m.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(m), port, 0,
				0) == KERN_SUCCESS)
			continue;
	}
}

static void
attack_fail(void)
{
	for (uint32_t i = 0;; i++)
		mach_port_deallocate(mach_task_self(), 0x70000000u + i);
}

static void
attack_garbage(void)
{
	static union {
		mach_msg_header_t header;
		uint32_t words[1024];
	} m;
	mach_port_t port = port_with_send_right();
	uint32_t state = 1;

	for (;;) {
		for (uint32_t i = 0; i < 1024; i++)
			m.words[i] = state = state * 1664525u + 1013904223u;
		m.header.msgh_remote_port = port;
		mach_msg(&m.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, state % 4096 & ~3u, 0, 0, 0,
			 0);
		while (mach_msg(&m.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(m), port, 0,
				0) == KERN_SUCCESS)
			continue;
	}
}

static void
attack_connect(void)
{
	for (;;) {
		pid_t pid = child();

		if (pid == 0) {
			mach_port_t port = port_with_send_right();

			_exit(port == MACH_PORT_NULL);
		}
		waitpid(pid, NULL, 0);
	}
}

static void
attack_memory(void)
{
	mach_port_t port = port_with_send_right();
	char *memory = calloc(1, OOL_SIZE);
	struct {
		mach_msg_header_t header;
		mach_msg_body_t body;
		mach_msg_ool_descriptor_t ool;
		mach_msg_max_trailer_t trailer;
	} m;

	if (memory == NULL)
		die("memory");
	for (;;) {
		memset(&m, 0, sizeof(m));
		m.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
		m.header.msgh_remote_port = port;
		m.body.msgh_descriptor_count = 1;
		m.ool.address = memory;
		m.ool.size = OOL_SIZE;
		m.ool.copy = MACH_MSG_VIRTUAL_COPY;
		m.ool.type = MACH_MSG_OOL_DESCRIPTOR;
		if (mach_msg(&m.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT,
			     sizeof(m) - sizeof(m.trailer), 0, 0, 0, 0) == KERN_SUCCESS &&
		    mach_msg(&m.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(m), port, 0,
			     0) == KERN_SUCCESS)
			mach_msg_destroy(&m.header);
	}
}

static void
attack_ports(void)
{
	for (;;) {
		static mach_port_t ports[400000];
		uint32_t count = 0;

		while (count < 400000 &&
		       mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE,
					  &ports[count]) == KERN_SUCCESS)
			count++;
		while (count > 0)
			mach_port_mod_refs(mach_task_self(), ports[--count],
					   MACH_PORT_RIGHT_RECEIVE, -1);
	}
}

static void
attack_spin(void)
{
	for (volatile uint64_t i = 0;; i++)
		continue;
}

/* ---- the relay: who is in between without shared memory -------------------------------------- */

static int pairs[PAIRS_MAX][2]; /* [0]: its user's end, [1]: the relay's */
static int listener = -1;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int pair_count;

/* The first two are client and server; of all others, what they send comes back to them. */
static void
relay(void)
{
	struct pollfd fds[PAIRS_MAX + 1];
	static char bytes[65536];

	for (int i = 0; i < pair_count; i++)
		fds[i] = (struct pollfd){ .fd = pairs[i][1], .events = POLLIN };
	for (;;) {
		fds[pair_count] = (struct pollfd){ .fd = listener, .events = POLLIN };
		if (poll(fds, (nfds_t)pair_count + 1, -1) < 0)
			die("poll");
		for (int i = 0; i < pair_count; i++) {
			if ((fds[i].revents & POLLIN) == 0)
				continue;
			ssize_t size = recv(fds[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT);

			if (size > 0)
				send(fds[i < 2 ? !i : i].fd, bytes, (size_t)size,
				     MSG_DONTWAIT | MSG_NOSIGNAL);
		}
		if (fds[pair_count].revents & POLLIN)
			close(accept(listener, NULL, NULL));
	}
}

static void
call_relay(void)
{
	char bytes[SIZE] = { 0 };

	if (send(pairs[0][0], bytes, SIZE, 0) < 0 || recv(pairs[0][0], bytes, SIZE, 0) < 0)
		die("relay");
}

static void
serve_relay(void)
{
	char bytes[SIZE];

	while (recv(pairs[1][0], bytes, SIZE, 0) > 0)
		if (send(pairs[1][0], bytes, SIZE, 0) < 0)
			break;
	exit(0);
}

static void
attack_relay(const char *attack, int fd)
{
	static char bytes[65536];
	size_t size = strcmp(attack, "memory") == 0    ? sizeof(bytes)
		      : strcmp(attack, "garbage") == 0 ? 4096
						       : SIZE;

	for (;;) {
		if (strcmp(attack, "connect") == 0) {
			int own = socket(AF_UNIX, SOCK_SEQPACKET, 0);

			if (connect(own, (struct sockaddr *)&address, sizeof(address)) != 0)
				sched_yield();
			close(own);
			continue;
		}
		if (send(fd, bytes, size, MSG_DONTWAIT) < 0 && errno != EAGAIN)
			exit(1);
		while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			continue;
	}
}

static void
relay_begin(int attackers)
{
	pair_count = 2 + attackers;
	for (int i = 0; i < pair_count; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]) != 0)
			die("socketpair");
	/* a name of Linux's own choice */
	socklen_t size = sizeof(sa_family_t);

	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0)
		die("listen");
	size = sizeof(address);
	getsockname(listener, (struct sockaddr *)&address, &size);
	if (child() == 0)
		relay();
}

/* ---- measuring ------------------------------------------------------------------------- */

static void
attack_begin(bool is_berth, const char *attack, int index)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} attacks[] = { { "flood", attack_flood },     { "fail", attack_fail },
			{ "garbage", attack_garbage }, { "connect", attack_connect },
			{ "memory", attack_memory },   { "ports", attack_ports },
			{ "spin", attack_spin } };

	if (child() != 0)
		return;
	if (!is_berth && strcmp(attack, "spin") != 0)
		attack_relay(attack, pairs[2 + index][0]);
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (strcmp(attacks[i].name, attack) == 0)
			attacks[i].run();
	fprintf(stderr, "fairness: there is no attack '%s'\n", attack);
	exit(2);
}

int
main(int argc, char **argv)
{
	struct samples samples;

	if (argc != 6) {
		fprintf(stderr, "usage: %s berth|relay PLACEMENT ATTACK COUNT MS\n", argv[0]);
		return 2;
	}

	const bool is_berth = strcmp(argv[1], "berth") == 0;
	const enum placement placement = placement_parse(argv[2]);
	const char *attack = argv[3];
	const int attackers = strcmp(attack, "none") == 0 ? 0 : atoi(argv[4]);
	const uint64_t span_ns = strtoull(argv[5], NULL, 10) * 1000000u;

	end_with_parent();
	samples_init(&samples);
	if (attackers < 0 || attackers > PAIRS_MAX - 2 || span_ns == 0)
		die_saying("fairness: COUNT or MS out of range");
	if (is_berth)
		berth_lanes_off(); /* the kernel is what is shared out here */
	else
		relay_begin(attackers);
	if (child() == 0) {
		place(placement, ROLE_SERVER);
		if (is_berth)
			serve();
		serve_relay();
	}
	if (is_berth) {
		while (bootstrap_look_up(bootstrap_port, SERVICE, &service) != KERN_SUCCESS)
			sched_yield();
		reply_port = mach_reply_port();
	}
	for (int i = 0; i < attackers; i++)
		attack_begin(is_berth, attack, i);
	place(placement, ROLE_CLIENT);

	void (*call)(void) = is_berth ? call_mach : call_relay;
	uint64_t warm_ns = now_ns() + span_ns / 4, start_ns, before_ns, after_ns;

	while (now_ns() < warm_ns)
		call();
	start_ns = after_ns = now_ns();
	while (after_ns - start_ns < span_ns && samples.count < SAMPLES_MAX) {
		before_ns = after_ns;
		call();
		after_ns = now_ns();
		samples_add(&samples, after_ns - before_ns);
	}
	report("fairness", "calls/s", (double)samples.count * 1e9 / (double)(after_ns - start_ns));
	report("fairness-p99", "ns", samples_percentile(&samples, 99));
	samples_deinit(&samples);
	return 0;
}
