/*
 * One request and one reply of 64 bytes between two processes, over Berth or a peer.
 *
 *	rpc PEER PLACE PAUSE_US CALLS
 *
 *   PEER   seqpacket  a Unix SEQPACKET socket, nobody in between
 *          relay      the same, passed on by a third process: the floor of any broker
 *          berth      mach_msg through berthd; the program runs under `berth run`
 *          mig        the same through stubs of MIG and mach_msg_server()
 *   PLACE  free       Linux puts the processes where it likes
 *          one        all on one CPU: run the whole under `taskset -c 0`
 *          two        client and server pinned apart; who is in between is free
 *
 * Prints the nine deciles of the calls' times in ns: the fifth is the median.
 */
#include <mach/mach.h>
#include <servers/bootstrap.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/process.h"
#include "echoServer.h"
#include "echoUser.h"

#define SERVICE "berth.bench.rpc"

/* A child that ends with its parent. */
static pid_t
child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* ---- sockets --------------------------------------------------------------------------- */

static void
echo_forever(int fd)
{
	char message[64];

	while (recv(fd, message, sizeof(message), 0) == sizeof(message))
		if (send(fd, message, sizeof(message), 0) != sizeof(message))
			break;
	exit(0);
}

static void
relay_forever(int client, int server)
{
	char message[64];

	while (recv(client, message, sizeof(message), 0) == sizeof(message)) {
		if (send(server, message, sizeof(message), 0) < 0 ||
		    recv(server, message, sizeof(message), 0) < 0 ||
		    send(client, message, sizeof(message), 0) < 0)
			break;
	}
	exit(0);
}

static int socket_fd;

static void
call_socket(void)
{
	char message[64] = { 0 };

	if (send(socket_fd, message, sizeof(message), 0) < 0 ||
	    recv(socket_fd, message, sizeof(message), 0) < 0)
		die("socket");
}

static void
start_sockets(bool relayed, bool apart)
{
	int front[2];
	int back[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, front) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, back) < 0)
		die("socketpair");
	if (relayed && child() == 0)
		relay_forever(front[1], back[0]);
	if (child() == 0) {
		if (apart)
			pin(1);
		echo_forever(relayed ? back[1] : front[1]);
	}
	socket_fd = front[0];
}

/* ---- Mach ------------------------------------------------------------------------------ */

struct message {
	mach_msg_header_t header;
	char body[40];
	mach_msg_max_trailer_t trailer;
};

#define MESSAGE_SIZE 64u

static void
must(kern_return_t kr, const char *what)
{
	if (kr == KERN_SUCCESS)
		return;
	mach_error(what, kr);
	exit(1);
}

static void
serve_forever(void)
{
	struct message m;
	mach_port_t port;

	must(bootstrap_check_in(bootstrap_port, SERVICE, &port), "bootstrap_check_in");
	must(mach_msg(&m.header, MACH_RCV_MSG, 0, sizeof(m), port, MACH_MSG_TIMEOUT_NONE,
		      MACH_PORT_NULL),
	     "receive");
	for (;;) {
		m.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
		m.header.msgh_local_port = MACH_PORT_NULL;
		must(mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, MESSAGE_SIZE, sizeof(m),
			      port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL),
		     "reply and receive");
	}
}

static mach_port_t service;
static mach_port_t reply_port;

static void
call_mach(void)
{
	struct message m = { .header = {
				 .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
							     MACH_MSG_TYPE_MAKE_SEND_ONCE),
				 .msgh_remote_port = service,
				 .msgh_local_port = reply_port,
			     } };

	must(mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, MESSAGE_SIZE, sizeof(m), reply_port,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL),
	     "call");
}

static void
start_mach(bool apart, void (*serve)(void))
{
	if (child() == 0) {
		if (apart)
			pin(1);
		serve();
	}
	while (bootstrap_look_up(bootstrap_port, SERVICE, &service) != KERN_SUCCESS)
		sched_yield();
	reply_port = mach_reply_port();
}

/* ---- the same through stubs of MIG --------------------------------------------------------- */

static void
serve_interface(void)
{
	mach_port_t port;

	must(bootstrap_check_in(bootstrap_port, SERVICE, &port), "bootstrap_check_in");
	must(mach_msg_server(bench_echo_server,
			     sizeof(union __RequestUnion__serve_bench_echo_subsystem), port,
			     MACH_MSG_OPTION_NONE),
	     "mach_msg_server");
}

kern_return_t
serve_echo(mach_port_t server, echo_request_t request, echo_reply_t *reply)
{
	(void)server;
	memcpy(reply, &request, sizeof(*reply));
	return KERN_SUCCESS;
}

static void
call_interface(void)
{
	static echo_request_t request;
	echo_reply_t reply;

	must(echo(service, request, &reply), "echo");
}

/* ---- measuring -------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr,
			"usage: rpc seqpacket|relay|berth|mig free|one|two PAUSE_US CALLS\n");
		return 2;
	}

	const char *peer = argv[1];
	const bool apart = strcmp(argv[2], "two") == 0;
	const struct timespec pause = { 0, strtol(argv[3], NULL, 10) * 1000 };
	const unsigned long calls = strtoul(argv[4], NULL, 10);
	void (*call)(void) = call_socket;

	if (strcmp(peer, "berth") == 0) {
		start_mach(apart, serve_forever);
		call = call_mach;
	} else if (strcmp(peer, "mig") == 0) {
		start_mach(apart, serve_interface);
		call = call_interface;
	} else {
		start_sockets(strcmp(peer, "relay") == 0, apart);
	}
	if (apart)
		pin(0);
	for (unsigned long i = 0; i < calls / 4 + 1; i++)
		call();

	double *times = calloc(calls, sizeof(*times));

	if (calls == 0 || times == NULL)
		die("calls");
	for (unsigned long i = 0; i < calls; i++) {
		if (pause.tv_nsec)
			nanosleep(&pause, NULL);

		uint64_t start = now_ns();

		call();
		times[i] = (double)(now_ns() - start);
	}
	qsort(times, calls, sizeof(times[0]), compare);
	for (unsigned long tenth = 1; tenth <= 9; tenth++)
		printf("%.0f%s", times[calls * tenth / 10], tenth < 9 ? " " : "\n");
	free(times);
	return 0;
}
