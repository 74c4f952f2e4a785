/* A request with a right, memory and an array of rights; a reply on a reply port. */
#include "check.h"

#include <pthread.h>
#include <string.h>

#define BYTES (1u << 20)

typedef struct {
	mach_msg_header_t Head;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t port;
	mach_msg_ool_descriptor_t memory;
	mach_msg_ool_ports_descriptor_t ports;
} Request;

typedef struct {
	Request request;
	mach_msg_max_trailer_t trailer;
} ReceivedRequest;

typedef struct {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	unsigned int sum;
} Reply;

static mach_port_t service;

static void *
serve_once(void *arg)
{
	ReceivedRequest in;
	Reply reply;
	unsigned int sum = 0;

	CHECK(mach_msg(&in.request.Head, MACH_RCV_MSG, 0, sizeof(in), service,
		       MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	REQUIRE(in.request.Head.msgh_bits & MACH_MSGH_BITS_COMPLEX);
	REQUIRE(in.request.body.msgh_descriptor_count == 3);
	REQUIRE(in.request.port.type == MACH_MSG_PORT_DESCRIPTOR);
	REQUIRE(in.request.port.disposition == MACH_MSG_TYPE_PORT_SEND);
	REQUIRE(in.request.memory.type == MACH_MSG_OOL_DESCRIPTOR);
	REQUIRE(in.request.memory.size == BYTES);
	REQUIRE(in.request.ports.type == MACH_MSG_OOL_PORTS_DESCRIPTOR);
	REQUIRE(in.request.ports.count == 3);
	for (unsigned int i = 0; i < BYTES; i++)
		sum += ((unsigned char *)in.request.memory.address)[i];

	memset(&reply, 0, sizeof(reply));
	reply.Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(in.request.Head.msgh_bits), 0);
	reply.Head.msgh_remote_port = in.request.Head.msgh_remote_port;
	reply.Head.msgh_size = sizeof(reply);
	reply.Head.msgh_id = in.request.Head.msgh_id + 100;
	reply.NDR = NDR_record;
	reply.sum = sum;
	CHECK(mach_msg(&reply.Head, MACH_SEND_MSG, sizeof(reply), 0, MACH_PORT_NULL,
		       MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));

	/* the rights and the memory are ours now; the reply right went with the reply */
	in.request.Head.msgh_remote_port = MACH_PORT_NULL;
	mach_msg_destroy(&in.request.Head);
	return arg;
}

int
main(void)
{
	union {
		Request request;
		struct {
			Reply reply;
			mach_msg_trailer_t trailer;
		} in;
	} message;
	mach_port_t task = mach_task_self();
	mach_port_t extra[3], reply_port;
	vm_address_t memory = 0;
	pthread_t server;

	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &service));
	CHECK(mach_port_insert_right(task, service, service, MACH_MSG_TYPE_MAKE_SEND));
	for (int i = 0; i < 3; i++)
		CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &extra[i]));
	REQUIRE(pthread_create(&server, NULL, serve_once, NULL) == 0);

	CHECK(vm_allocate(task, &memory, BYTES, VM_FLAGS_ANYWHERE));
	memset((void *)memory, 3, BYTES);
	memset(&message, 0, sizeof(message));
	reply_port = mig_get_reply_port();
	message.request.Head.msgh_bits =
	    MACH_MSGH_BITS_COMPLEX |
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message.request.Head.msgh_remote_port = service;
	message.request.Head.msgh_local_port = reply_port;
	message.request.Head.msgh_size = sizeof(message.request);
	message.request.Head.msgh_id = 500;
	message.request.body.msgh_descriptor_count = 3;
	message.request.port.name = extra[0];
	message.request.port.disposition = MACH_MSG_TYPE_MAKE_SEND;
	message.request.port.type = MACH_MSG_PORT_DESCRIPTOR;
	message.request.memory.address = (void *)memory;
	message.request.memory.size = BYTES;
	message.request.memory.deallocate = TRUE;
	message.request.memory.copy = MACH_MSG_VIRTUAL_COPY;
	message.request.memory.type = MACH_MSG_OOL_DESCRIPTOR;
	message.request.ports.address = extra;
	message.request.ports.count = 3;
	message.request.ports.disposition = MACH_MSG_TYPE_MAKE_SEND;
	message.request.ports.type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
	CHECK(mach_msg(&message.request.Head, MACH_SEND_MSG | MACH_RCV_MSG, sizeof(message.request),
		       sizeof(message), reply_port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	REQUIRE(message.in.reply.Head.msgh_id == 600);
	REQUIRE(message.in.reply.sum == 3 * BYTES);

	REQUIRE(pthread_join(server, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		mach_port_status_t status;
		mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;
		CHECK(mach_port_get_attributes(task, extra[i], MACH_PORT_RECEIVE_STATUS,
					       (mach_port_info_t)&status, &count));
		REQUIRE(!status.mps_srights); /* the receiver has given all back */
		CHECK(mach_port_destroy(task, extra[i]));
	}
	CHECK(mach_port_destroy(task, service));
	puts("complex: done");
	return 0;
}
