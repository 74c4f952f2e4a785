/*
 * A service that every kernel may have once, and a client of it.
 *
 * usage: neighbour NUMBER [OTHER]
 *
 * Checks in under a name that all neighbours share and under one of its own; asks itself,
 * from another process and by the shared name, for its number; prints "ready" and does it
 * again for every line of its input.  OTHER is the number of a neighbour who must not be
 * found.  Exits with 0 if all of that went well.
 */
#include <mach/mach.h>
#include <mach/mach_error.h>
#include <servers/bootstrap.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARED_NAME "org.berth.stress.neighbour"

struct call {
	mach_msg_header_t header;
	uint32_t number;
	mach_msg_max_trailer_t trailer;
};

#define CALL_SIZE ((mach_msg_size_t)offsetof(struct call, trailer))

static uint32_t number;

static void
must(kern_return_t kr, const char *what)
{
	if (kr == KERN_SUCCESS)
		return;
	fprintf(stderr, "neighbour %u: %s: 0x%x %s %s\n", number, what, kr, mach_error_string(kr),
		bootstrap_strerror(kr));
	_exit(1);
}

static void
own_name(char *name, size_t size, uint32_t of)
{
	snprintf(name, size, SHARED_NAME ".%u", of);
}

/* In the child: who has the shared name? */
static void
client(void)
{
	struct call call = { .header.msgh_id = 1 };
	mach_port_t reply = mach_reply_port(), server;

	must(bootstrap_look_up(bootstrap_port, SHARED_NAME, &server), "look up");
	call.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	call.header.msgh_remote_port = server;
	call.header.msgh_local_port = reply;
	must(mach_msg(&call.header, MACH_SEND_MSG | MACH_RCV_MSG, CALL_SIZE, sizeof(call), reply, 0,
		      0),
	     "ask");
	if (call.number != number) {
		fprintf(stderr, "neighbour %u: the answer came from %u\n", number, call.number);
		_exit(1);
	}
	_exit(0);
}

static void
serve_one(mach_port_t service)
{
	struct call call;

	must(mach_msg(&call.header, MACH_RCV_MSG, 0, sizeof(call), service, 0, 0), "receive");
	call.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
	call.header.msgh_local_port = MACH_PORT_NULL;
	call.number = number;
	must(mach_msg(&call.header, MACH_SEND_MSG, CALL_SIZE, 0, 0, 0, 0), "answer");
}

static void
ask_from_a_child(mach_port_t service)
{
	int status;
	pid_t pid = fork();

	if (pid < 0) {
		perror("neighbour: fork");
		exit(1);
	}
	if (pid == 0)
		client();
	serve_one(service);
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "neighbour %u: its client failed\n", number);
		exit(1);
	}
}

static void
must_not_find(uint32_t other)
{
	char name[64];
	mach_port_t port;

	own_name(name, sizeof(name), other);
	kern_return_t kr = bootstrap_look_up(bootstrap_port, name, &port);
	if (kr != BOOTSTRAP_UNKNOWN_SERVICE) {
		fprintf(stderr, "neighbour %u: looking for %u gave %d\n", number, other, kr);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	mach_port_t service, own;
	char name[64], line[16];

	if (argc < 2)
		return 2;
	number = (uint32_t)atoi(argv[1]);
	own_name(name, sizeof(name), number);
	must(bootstrap_check_in(bootstrap_port, SHARED_NAME, &service), "check in");
	must(bootstrap_check_in(bootstrap_port, name, &own), "check in");
	ask_from_a_child(service);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (argc > 2)
			must_not_find((uint32_t)atoi(argv[2]));
		ask_from_a_child(service);
		printf("again\n");
		fflush(stdout);
	}
	return 0;
}
