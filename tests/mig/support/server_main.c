/*
 * The main function of every server: mach_msg_server() around the demultiplexer.
 *
 * A message MIG_TEST_STOP ends it; it holds then what it held when it began.
 * MIG_TEST_COUNT, an RPC, answers with the bytes mapped and what it holds.
 */
#include "mig_server.h"

#include <mach/mig_errors.h>
#include <servers/bootstrap.h>

#include "mig_count.h"

static mach_port_t server_port;
static struct holdings at_start;

/* The head of a reply with a code, whatever the request. */
static void
answer(const mach_msg_header_t *request, mach_msg_header_t *reply, kern_return_t code)
{
	mig_reply_error_t *error = (mig_reply_error_t *)reply;

	*error = (mig_reply_error_t){
		.Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->msgh_bits), 0),
		.Head.msgh_size = sizeof(*error),
		.Head.msgh_remote_port = request->msgh_remote_port,
		.Head.msgh_id = request->msgh_id + 100,
		.NDR = NDR_record,
		.RetCode = code,
	};
}

static void
count(mach_msg_header_t *request, mach_msg_header_t *reply_header)
{
	struct count_reply *reply = (struct count_reply *)reply_header;

	answer(request, reply_header, KERN_SUCCESS);
	reply->header.msgh_size = sizeof(*reply);
	reply->mapped = memory_mapped();
	reply->holdings = holdings_now();
}

static boolean_t
demux(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	mach_msg_id_t id = request->msgh_id;

	if (id != MIG_TEST_STOP && id != MIG_TEST_COUNT)
		return served.demux(request, reply);
	if (id == MIG_TEST_COUNT) {
		count(request, reply);
		return TRUE;
	}
	answer(request, reply, MIG_NO_REPLY);
	if (served.end != NULL)
		served.end();
	holdings_expect_equal(holdings_now(), at_start);
	receive_right_end(server_port);
	return TRUE;
}

int
main(void)
{
	expect_equal(bootstrap_check_in(bootstrap_port, MIG_TEST_SERVICE, &server_port), 0);
	at_start = holdings_now();
	if (served.begin != NULL)
		served.begin(server_port);
	mach_msg_size_t size = served.max_size > 1024 ? served.max_size : 1024;
	expect_equal(mach_msg_server(demux, size, server_port, served.options),
		     MACH_RCV_INVALID_NAME);
	return 0;
}
