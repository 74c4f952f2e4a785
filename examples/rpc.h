/*
 * What rpc_server.c and rpc_client.c say to each other.
 *
 * A message as it is sent, and the same with the trailer that the kernel appends to what
 * is received.
 */
#ifndef EXAMPLES_RPC_H
#define EXAMPLES_RPC_H

#include <mach/mach.h>

#define RPC_SERVICE "org.berth.example.greeter"

enum rpc_id {
	RPC_GREET = 1000, /* a simple message: bytes, answered by bytes */
	RPC_COUNT = 1001, /* a complex one: memory to look at, and a port for the answer */
	RPC_REPLY = 100   /* added to the id of what is answered */
};

struct rpc_greet {
	mach_msg_header_t header;
	char name[64];
};

struct rpc_greet_reply {
	mach_msg_header_t header;
	char text[128];
};

struct rpc_count {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t answer_to;
	mach_msg_ool_descriptor_t memory;
};

struct rpc_count_answer {
	mach_msg_header_t header;
	uint64_t size_bytes;
	uint64_t sum;
};

#endif
