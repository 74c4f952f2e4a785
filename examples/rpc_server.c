/*
 * A server that a client finds by name (the client is rpc_client.c).
 *
 * It checks in with the name server for the receive right of its service, answers one
 * simple request and one that carries a port right and a megabyte of memory, and ends.
 * Who asked stands in the trailer of each message; the kernel wrote it, so no client can
 * say that it is somebody else.
 */
#include <bsm/libbsm.h>
#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <string.h>

#include "must.h"
#include "rpc.h"

union request {
	mach_msg_header_t header;
	struct rpc_greet greet;
	struct rpc_count count;
	char room[sizeof(struct rpc_count) + sizeof(struct rpc_greet) + MAX_TRAILER_SIZE];
};

static const audit_token_t *
sender_of(const union request *request)
{
	size_t end = round_msg(request->header.msgh_size);

	return &((const mach_msg_audit_trailer_t *)((const char *)request + end))->msgh_audit;
}

/* Answer with bytes, over the send-once right that came with the request. */
static void
greet(const union request *request)
{
	audit_token_t sender = *sender_of(request);
	struct rpc_greet_reply reply = {
		.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
		.header.msgh_remote_port = request->header.msgh_remote_port,
		.header.msgh_id = RPC_GREET + RPC_REPLY,
	};

	snprintf(reply.text, sizeof(reply.text), "hello %.63s, you are pid %d with euid %u",
		 request->greet.name, audit_token_to_pid(sender), audit_token_to_euid(sender));
	printf("server: a simple message from pid %d, euid %u: \"%.63s\"\n",
	       audit_token_to_pid(sender), audit_token_to_euid(sender), request->greet.name);
	must(mach_msg(&reply.header, MACH_SEND_MSG, sizeof(reply), 0, MACH_PORT_NULL,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
}

/* Look at the memory, answer over the port that came with it, and let go of both. */
static void
count(union request *request)
{
	audit_token_t sender = *sender_of(request);
	const unsigned char *bytes = request->count.memory.address;
	struct rpc_count_answer answer = {
		.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
		.header.msgh_remote_port = request->count.answer_to.name,
		.header.msgh_id = RPC_COUNT + RPC_REPLY,
		.size_bytes = request->count.memory.size,
	};

	for (size_t i = 0; i < answer.size_bytes; i++)
		answer.sum += bytes[i];
	printf("server: a port right (0x%x) and %u bytes of memory from pid %d, euid %u\n",
	       request->count.answer_to.name, request->count.memory.size,
	       audit_token_to_pid(sender), audit_token_to_euid(sender));
	must(mach_msg(&answer.header, MACH_SEND_MSG, sizeof(answer), 0, MACH_PORT_NULL,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));

	/* releases the send right; the memory is ours to release in any case */
	must(vm_deallocate(mach_task_self(), (vm_address_t)bytes, answer.size_bytes));
	request->count.memory.size = 0;
	mach_msg_destroy(&request->header);
}

int
main(void)
{
	mach_port_t port;

	setvbuf(stdout, NULL, _IOLBF, 0);
	must(bootstrap_check_in(bootstrap_port, RPC_SERVICE, &port));
	printf("server: checked in as %s\n", RPC_SERVICE);

	for (int served = 0; served < 2; served++) {
		union request request;

		must(mach_msg(&request.header,
			      MACH_RCV_MSG | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
				  MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
			      0, sizeof(request), port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
		/* A right type and size are the least to check before looking inside. */
		if (request.header.msgh_id == RPC_GREET &&
		    request.header.msgh_size == sizeof(struct rpc_greet) &&
		    !MACH_MSGH_BITS_IS_COMPLEX(request.header.msgh_bits))
			greet(&request);
		else if (request.header.msgh_id == RPC_COUNT &&
			 request.header.msgh_size == sizeof(struct rpc_count) &&
			 MACH_MSGH_BITS_IS_COMPLEX(request.header.msgh_bits) &&
			 request.count.body.msgh_descriptor_count == 2 &&
			 request.count.answer_to.type == MACH_MSG_PORT_DESCRIPTOR &&
			 request.count.memory.type == MACH_MSG_OOL_DESCRIPTOR)
			count(&request);
		else
			mach_msg_destroy(&request.header);
	}

	must(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	printf("server: done\n");
	return 0;
}
