/*
 * One message on its way: sent by a task to a port of its own, and received there.
 *
 * Run it with `berth run --trace ./message` to see each stage: the kernel takes the
 * message in (ipc_kmsg_get), turns names in the header and in the body into rights
 * (ipc_kmsg_copyin_header, ipc_kmsg_copyin_body) and puts it into the port's queue
 * (ipc_mqueue_send); the receive finds the queue (ipc_mqueue_copyin), takes the message
 * out (ipc_mqueue_receive), and turns the rights back into names (mach_msg_receive_results).
 */
#include <mach/mach.h>

#include "must.h"

struct message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
};

int
main(void)
{
	mach_port_t port, carried;

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &carried));
	struct {
		struct message message;
		mach_msg_trailer_t trailer;
	} buffer = {
		.message.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
		.message.header.msgh_remote_port = port,
		.message.header.msgh_id = 2023,
		.message.body.msgh_descriptor_count = 1,
		.message.right = {
			.name = carried,
			.disposition = MACH_MSG_TYPE_MAKE_SEND,
			.type = MACH_MSG_PORT_DESCRIPTOR,
		},
	};

	must(mach_msg(&buffer.message.header, MACH_SEND_MSG, sizeof(buffer.message), 0,
		      MACH_PORT_NULL, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	must(mach_msg(&buffer.message.header, MACH_RCV_MSG, 0, sizeof(buffer), port,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	printf("received message %d with a right; its name is 0x%x here\n",
	       buffer.message.header.msgh_id, buffer.message.right.name);

	must(mach_port_deallocate(mach_task_self(), buffer.message.right.name));
	must(mach_port_mod_refs(mach_task_self(), carried, MACH_PORT_RIGHT_RECEIVE, -1));
	must(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	return 0;
}
