/*
 * One thread serves several ports: their receive rights are members of a port set, and
 * one receive on the set takes the next message of any of them.
 *
 * Three services, three clients in processes of their own.  Messages of one port come in
 * the order in which they were sent; among ports the set takes turns.
 */
#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"

#define PORT_COUNT 3
#define MESSAGE_COUNT 4 /* of each client */

static const char *const service_names[PORT_COUNT] = {
	"org.berth.example.red",
	"org.berth.example.green",
	"org.berth.example.blue",
};

struct tick {
	mach_msg_header_t header;
	int number;
};

/* A client: a forked child is a task of its own, with the same bootstrap port. */
static void
send_ticks(const char *service)
{
	mach_port_t port;

	must(bootstrap_look_up(bootstrap_port, service, &port));
	for (int i = 0; i < MESSAGE_COUNT; i++) {
		struct tick tick = {
			.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			.header.msgh_remote_port = port,
			.number = i,
		};

		must(mach_msg(&tick.header, MACH_SEND_MSG, sizeof(tick), 0, MACH_PORT_NULL,
			      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	}
	must(mach_port_deallocate(mach_task_self(), port));
}

int
main(void)
{
	mach_port_t set, ports[PORT_COUNT];
	int expected[PORT_COUNT] = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set));
	for (int i = 0; i < PORT_COUNT; i++) {
		must(bootstrap_check_in(bootstrap_port, service_names[i], &ports[i]));
		must(mach_port_insert_member(mach_task_self(), ports[i], set));
	}

	for (int i = 0; i < PORT_COUNT; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			send_ticks(service_names[i]);
			_exit(0);
		}
		if (pid < 0) {
			perror("fork");
			return 1;
		}
	}

	for (int received = 0; received < PORT_COUNT * MESSAGE_COUNT; received++) {
		struct {
			struct tick message;
			mach_msg_trailer_t trailer;
		} tick;
		int i = 0;

		must(mach_msg(&tick.message.header, MACH_RCV_MSG, 0, sizeof(tick), set,
			      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
		/* the header says which port of the set it came to */
		while (i < PORT_COUNT && ports[i] != tick.message.header.msgh_local_port)
			i++;
		if (i == PORT_COUNT || tick.message.number != expected[i]++) {
			fprintf(stderr, "message %d is out of order\n", tick.message.number);
			return 1;
		}
		printf("%s: message %d\n", service_names[i], tick.message.number);
	}

	int status, failures = 0;
	while (wait(&status) > 0)
		failures += status != 0;

	for (int i = 0; i < PORT_COUNT; i++)
		must(mach_port_mod_refs(mach_task_self(), ports[i], MACH_PORT_RIGHT_RECEIVE, -1));
	must(mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1));
	printf("%d messages from %d clients over one set\n", PORT_COUNT * MESSAGE_COUNT,
	       PORT_COUNT);
	return failures == 0 ? 0 : 1;
}
