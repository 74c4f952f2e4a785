/*
 * The client of rpc_server.c: looks the server up by name, asks with a simple message and
 * waits for the answer in the same call, then sends a port right and a megabyte of memory.
 */
#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "must.h"
#include "rpc.h"

#define MEMORY_SIZE (1024 * 1024) /* bytes */

/* A name that nobody has checked in yet is unknown: try again while the server starts. */
static mach_port_t
find_server(void)
{
	mach_port_t server;
	kern_return_t kr = BOOTSTRAP_UNKNOWN_SERVICE;

	for (int i = 0; i < 500 && kr == BOOTSTRAP_UNKNOWN_SERVICE; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
		kr = bootstrap_look_up(bootstrap_port, RPC_SERVICE, &server);
	}
	must(kr);
	return server;
}

/* One call sends the request and waits for the reply. */
static void
greet(mach_port_t server)
{
	struct {
		struct rpc_greet_reply message; /* the larger of the two */
		mach_msg_trailer_t trailer;
	} buffer = {
		.message.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
		.message.header.msgh_remote_port = server,
		.message.header.msgh_local_port = mach_reply_port(),
		.message.header.msgh_id = RPC_GREET,
	};
	mach_port_t reply_port = buffer.message.header.msgh_local_port;

	snprintf(buffer.message.text, sizeof(((struct rpc_greet *)0)->name), "client");
	must(mach_msg(&buffer.message.header, MACH_SEND_MSG | MACH_RCV_MSG,
		      sizeof(struct rpc_greet), sizeof(buffer), reply_port, MACH_MSG_TIMEOUT_NONE,
		      MACH_PORT_NULL));
	if (buffer.message.header.msgh_id == MACH_NOTIFY_SEND_ONCE) {
		fprintf(stderr, "client: the server died before it answered\n");
		exit(1);
	}
	printf("client (pid %d, euid %u): the answer is \"%s\"\n", getpid(), geteuid(),
	       buffer.message.text);
	must(mach_port_mod_refs(mach_task_self(), reply_port, MACH_PORT_RIGHT_RECEIVE, -1));
}

/* A message that carries a right and memory; the answer comes over that right. */
static void
count(mach_port_t server)
{
	vm_address_t memory;
	mach_port_t answers;
	uint64_t sum = 0;

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &answers));
	must(vm_allocate(mach_task_self(), &memory, MEMORY_SIZE, VM_FLAGS_ANYWHERE));
	for (size_t i = 0; i < MEMORY_SIZE; i++) {
		((unsigned char *)memory)[i] = (unsigned char)i;
		sum += (unsigned char)i;
	}

	struct rpc_count request = {
		.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
		.header.msgh_remote_port = server,
		.header.msgh_id = RPC_COUNT,
		.body.msgh_descriptor_count = 2,
		.answer_to = {
			.name = answers,
			.disposition = MACH_MSG_TYPE_MAKE_SEND,
			.type = MACH_MSG_PORT_DESCRIPTOR,
		},
		.memory = {
			.address = (void *)memory,
			.size = MEMORY_SIZE,
			.deallocate = TRUE, /* moved, not copied: gone from here after the send */
			.copy = MACH_MSG_VIRTUAL_COPY,
			.type = MACH_MSG_OOL_DESCRIPTOR,
		},
	};
	must(mach_msg(&request.header, MACH_SEND_MSG, sizeof(request), 0, MACH_PORT_NULL,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));

	struct {
		struct rpc_count_answer message;
		mach_msg_trailer_t trailer;
	} answer;
	must(mach_msg(&answer.message.header, MACH_RCV_MSG, 0, sizeof(answer), answers,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	printf("client: the server counted %llu bytes, sum %llu: %s\n",
	       (unsigned long long)answer.message.size_bytes,
	       (unsigned long long)answer.message.sum,
	       answer.message.sum == sum ? "right" : "WRONG");
	must(mach_port_mod_refs(mach_task_self(), answers, MACH_PORT_RIGHT_RECEIVE, -1));
	if (answer.message.sum != sum || answer.message.size_bytes != MEMORY_SIZE)
		exit(1);
}

int
main(void)
{
	mach_port_t server = find_server();

	greet(server);
	count(server);
	must(mach_port_deallocate(mach_task_self(), server));
	return 0;
}
