/* mach_msg_server with a demultiplexer, as MIG's servers are run. */
#include "check.h"

#include <mach/mig_errors.h>
#include <pthread.h>
#include <servers/bootstrap.h>
#include <string.h>

#define SERVICE "com.example.berth.demux"
#define MSGH_ID_DOUBLE 1000

typedef struct {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	int value;
} Request;

typedef struct {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	kern_return_t RetCode;
	int value;
} Reply;

static boolean_t
demux(mach_msg_header_t *in, mach_msg_header_t *out)
{
	Reply *reply = (Reply *)out;

	out->msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(in->msgh_bits), 0);
	out->msgh_remote_port = in->msgh_remote_port;
	out->msgh_local_port = MACH_PORT_NULL;
	out->msgh_size = sizeof(mig_reply_error_t);
	out->msgh_id = in->msgh_id + 100;
	reply->NDR = NDR_record;
	if (in->msgh_id != MSGH_ID_DOUBLE) {
		reply->RetCode = MIG_BAD_ID;
		return FALSE;
	}
	reply->RetCode = KERN_SUCCESS;
	reply->value = ((Request *)in)->value * 2;
	out->msgh_size = sizeof(*reply);
	return TRUE;
}

static void *
serve(void *port)
{
	kern_return_t *result = malloc(sizeof(*result));

	*result = mach_msg_server(demux, 512, *(mach_port_t *)port, MACH_MSG_OPTION_NONE);
	return result;
}

static kern_return_t
call(mach_port_t port, mach_msg_id_t id, int value, int *doubled)
{
	union {
		Request request;
		struct {
			Reply reply;
			mach_msg_trailer_t trailer;
		} in;
	} message;
	mach_port_t reply_port = mig_get_reply_port();

	memset(&message, 0, sizeof(message));
	message.request.Head.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message.request.Head.msgh_remote_port = port;
	message.request.Head.msgh_local_port = reply_port;
	message.request.Head.msgh_id = id;
	message.request.NDR = NDR_record;
	message.request.value = value;
	CHECK(mach_msg(&message.request.Head, MACH_SEND_MSG | MACH_RCV_MSG, sizeof(message.request),
		       sizeof(message.in), reply_port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	if (message.in.reply.Head.msgh_id != id + 100)
		return MIG_REPLY_MISMATCH;
	*doubled = message.in.reply.value;
	return message.in.reply.RetCode;
}

int
main(void)
{
	mach_port_t receive, send;
	pthread_t server;
	void *result;
	int doubled;

	CHECK(bootstrap_check_in(bootstrap_port, SERVICE, &receive));
	REQUIRE(pthread_create(&server, NULL, serve, &receive) == 0);
	CHECK(bootstrap_look_up(bootstrap_port, SERVICE, &send));
	for (int i = 0; i < 100; i++) {
		CHECK(call(send, MSGH_ID_DOUBLE, i, &doubled));
		REQUIRE(doubled == 2 * i);
	}
	EXPECT(MIG_BAD_ID, call(send, MSGH_ID_DOUBLE + 1, 0, &doubled));
	CHECK(mach_port_deallocate(mach_task_self(), send));
	CHECK(mach_port_mod_refs(mach_task_self(), receive, MACH_PORT_RIGHT_RECEIVE, -1));
	REQUIRE(pthread_join(server, &result) == 0);
	REQUIRE(*(kern_return_t *)result == MACH_RCV_PORT_CHANGED ||
		*(kern_return_t *)result == MACH_RCV_PORT_DIED ||
		*(kern_return_t *)result == MACH_RCV_INVALID_NAME);
	free(result);
	puts("demux: done");
	return 0;
}
