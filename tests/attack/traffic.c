/* Traffic through the library: see traffic.h. */
#include "tests/attack/traffic.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGE_BYTES 40000 /* does not fit into a slot */
#define BULK_BYTES 100000 /* goes in a memfd */

struct traffic_message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	mach_msg_ool_descriptor_t memory;
	uint8_t bytes[LARGE_BYTES];
	mach_msg_max_trailer_t trailer;
};

struct traffic_number {
	mach_msg_header_t header;
	int number;
	mach_msg_max_trailer_t trailer;
};

#define PLAIN_SIZE ((mach_msg_size_t)offsetof(struct traffic_message, bytes) + 64)
#define LARGE_SIZE ((mach_msg_size_t)offsetof(struct traffic_message, trailer))
#define NUMBER_SIZE ((mach_msg_size_t)offsetof(struct traffic_number, trailer))

uint32_t
traffic_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

mach_port_t
traffic_port(void)
{
	mach_port_t port;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND) !=
		KERN_SUCCESS ||
	    task_set_bootstrap_port(mach_task_self(), port) != KERN_SUCCESS)
		abort();
	return port;
}

mach_port_t
traffic_server(void)
{
	mach_port_t port;

	if (task_get_bootstrap_port(mach_task_self(), &port) != KERN_SUCCESS)
		abort();
	return port;
}

/* ---- calls --------------------------------------------------------------------------- */

static void *
attach_thread(void *context)
{
	mach_port_deallocate(mach_task_self(), mach_thread_self());
	return NULL;
}

mach_msg_return_t
traffic_call(mach_port_t server, uint64_t *seed)
{
	static uint8_t memory[BULK_BYTES];
	static _Thread_local struct traffic_message message;
	uint32_t kind = traffic_random(seed);
	mach_port_t reply = mig_get_reply_port(), right;
	mach_msg_return_t code;
	pthread_t thread;

	if (kind % 8 == 0 && pthread_create(&thread, NULL, attach_thread, NULL) == 0)
		pthread_join(thread, NULL);
	code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &right);
	if (code != KERN_SUCCESS)
		return code;
	message.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_COMPLEX |
			     MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
		.msgh_remote_port = server,
		.msgh_local_port = reply,
		.msgh_id = 100,
	};
	message.body.msgh_descriptor_count = 2;
	message.right = (mach_msg_port_descriptor_t){
		.name = right,
		.disposition = kind % 2 ? MACH_MSG_TYPE_MAKE_SEND : MACH_MSG_TYPE_MOVE_RECEIVE,
		.type = MACH_MSG_PORT_DESCRIPTOR,
	};
	message.memory = (mach_msg_ool_descriptor_t){
		.address = memory,
		.size = kind % 3 == 0   ? BULK_BYTES
			: kind % 3 == 1 ? 2000
					: 0,
		.copy = MACH_MSG_VIRTUAL_COPY,
		.type = MACH_MSG_OOL_DESCRIPTOR,
	};
	code = mach_msg(&message.header, MACH_SEND_MSG | MACH_RCV_MSG,
			kind % 5 == 0 ? LARGE_SIZE : PLAIN_SIZE, sizeof(message), reply, 0,
			MACH_PORT_NULL);
	if (kind % 2)
		mach_port_mod_refs(mach_task_self(), right, MACH_PORT_RIGHT_RECEIVE, -1);
	return code;
}

mach_msg_return_t
traffic_serve(mach_port_t port, unsigned ms)
{
	static struct traffic_message message;
	mach_msg_header_t reply = { 0 };
	mach_msg_return_t code = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					  sizeof(message), port, ms, MACH_PORT_NULL);

	if (code != MACH_MSG_SUCCESS)
		return code;
	reply.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(message.header.msgh_bits), 0);
	reply.msgh_size = sizeof(reply);
	reply.msgh_remote_port = message.header.msgh_remote_port;
	reply.msgh_id = message.header.msgh_id + 100;
	message.header.msgh_remote_port = MACH_PORT_NULL;
	mach_msg_destroy(&message.header);
	if (reply.msgh_remote_port != MACH_PORT_NULL &&
	    mach_msg(&reply, MACH_SEND_MSG, sizeof(reply), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) !=
		MACH_MSG_SUCCESS)
		mach_msg_destroy(&reply);
	return MACH_MSG_SUCCESS;
}

mach_msg_return_t
traffic_send_number(mach_port_t port, int number, mach_msg_option_t options, unsigned ms)
{
	struct traffic_number message = { .number = number };

	message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
	message.header.msgh_remote_port = port;
	return mach_msg(&message.header, MACH_SEND_MSG | options, NUMBER_SIZE, 0, MACH_PORT_NULL,
			ms, MACH_PORT_NULL);
}

int
traffic_receive_number(mach_port_t port, unsigned ms)
{
	struct traffic_number message;
	mach_msg_return_t code = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					  sizeof(message), port, ms, MACH_PORT_NULL);

	return code == MACH_MSG_SUCCESS ? message.number : -code;
}

/* ---- processes ----------------------------------------------------------------------- */

char
traffic_process_state(int pid)
{
	char path[64], text[512], state = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");

	if (file == NULL)
		return '?';
	if (fgets(text, sizeof(text), file) != NULL && strrchr(text, ')') != NULL)
		state = strrchr(text, ')')[2];
	fclose(file);
	return state;
}

bool
traffic_await_state(int pid, char state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < TRAFFIC_HANG_MS; i++) {
		if (traffic_process_state(pid) == state)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}
