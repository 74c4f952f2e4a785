/*
 * Answers, or does not.
 */
#include "mig_server.h"

#include <mach/mig_errors.h>
#include <unistd.h>

#include "callsServer.h"

#define CONTEXT 0x123456789abcull

/* Requests that are not answered: the message's reply right, which a stub does not pass on. */
static mach_port_t kept[64];
static unsigned kept_count;
static mach_port_t reply_right; /* of the request being served */
static uint32_t told_pid;
static mach_port_seqno_t last_number;

static void
begin(mach_port_t port)
{
	expect_equal(mach_port_set_context(mach_task_self(), port, CONTEXT), 0);
}

static void
kept_end(void)
{
	while (kept_count > 0)
		expect_equal(mach_port_deallocate(mach_task_self(), kept[--kept_count]), 0);
}

static boolean_t
demux(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	reply_right = request->msgh_remote_port;
	return calls_demux(request, reply);
}

const struct served served = {
	.demux = demux,
	.max_size = 3 * sizeof(table_t),
	.options = MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
		   MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_CTX),
	.begin = begin,
	.end = kept_end,
};

static kern_return_t
keep(void)
{
	expect(kept_count < sizeof(kept) / sizeof(*kept));
	kept[kept_count++] = reply_right;
	return MIG_NO_REPLY;
}

kern_return_t
do_wait_statement(mach_port_t server)
{
	return keep();
}

kern_return_t
do_wait_argument(mach_port_t server, int a)
{
	return a == 0 ? keep() : KERN_SUCCESS;
}

/* Those that are sent to full queues do not come here. */
kern_return_t
do_send_statement(mach_port_t server, mach_port_t right, blob_t memory,
		  mach_msg_type_number_t memoryCnt)
{
	return KERN_FAILURE;
}

kern_return_t
do_send_argument(mach_port_t server, mach_port_t right, blob_t memory,
		 mach_msg_type_number_t memoryCnt)
{
	return KERN_FAILURE;
}

kern_return_t
do_send_consume_timeout(mach_port_t server, mach_port_t made, mach_port_t moved, blob_t memory,
			mach_msg_type_number_t memoryCnt)
{
	return KERN_FAILURE;
}

kern_return_t
do_send_consume_any(mach_port_t server, mach_port_t made, mach_port_t moved, blob_t memory,
		    mach_msg_type_number_t memoryCnt)
{
	return KERN_FAILURE;
}

kern_return_t
do_send_consume_none(mach_port_t server, mach_port_t moved)
{
	return KERN_FAILURE;
}

kern_return_t
do_option_statement(mach_port_t server)
{
	return KERN_SUCCESS;
}

kern_return_t
do_option_argument(mach_port_t server)
{
	return KERN_SUCCESS;
}

kern_return_t
do_special(mach_port_t server, int a, int *b)
{
	*b = a + 1;
	return a < 0 ? KERN_FAILURE : KERN_SUCCESS;
}

kern_return_t
do_reply_here(mach_port_t server, mach_port_t reply, int a, int *b)
{
	expect_equal(reply, reply_right);
	expect_equal(right_type(reply), MACH_PORT_TYPE_SEND_ONCE);
	*b = a + 2;
	return KERN_SUCCESS;
}

kern_return_t
do_reply_user(mach_port_t server, int *b)
{
	*b = 3;
	return KERN_SUCCESS;
}

kern_return_t
do_reply_server(mach_port_t server, mach_port_t reply, int a)
{
	mig_reply_error_t message = {
		.Head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
		.Head.msgh_remote_port = reply,
		.Head.msgh_id = 40000 + 12 + 100,
		.NDR = NDR_record,
		.RetCode = a,
	};

	expect_equal(mach_msg(&message.Head, MACH_SEND_MSG, sizeof(message), 0, MACH_PORT_NULL, 0,
			      MACH_PORT_NULL),
		     MACH_MSG_SUCCESS);
	return MIG_NO_REPLY;
}

kern_return_t
do_large(mach_port_t server, table_t a, mach_msg_type_number_t aCnt, table_t b,
	 mach_msg_type_number_t *bCnt)
{
	expect(values_match(a, aCnt * sizeof(*a), 1));
	values_fill(b, aCnt * sizeof(*b), 2);
	*bCnt = aCnt;
	return aCnt == 7 ? KERN_FAILURE : KERN_SUCCESS;
}

kern_return_t
do_small(mach_port_t server, int a, int *b)
{
	*b = a;
	return KERN_SUCCESS;
}

kern_return_t
do_request_port_elsewhere(int a, mach_port_t server, int *b)
{
	expect(right_type(server) & MACH_PORT_TYPE_RECEIVE);
	*b = a + 4;
	return KERN_SUCCESS;
}

kern_return_t
do_sequence(mach_port_t server, mach_port_seqno_t number, uint32_t *told)
{
	last_number = number;
	*told = number;
	return KERN_SUCCESS;
}

kern_return_t
do_who_is_server(mach_port_t server, int *pid)
{
	*pid = getpid();
	return KERN_SUCCESS;
}

kern_return_t
do_who_is_user(mach_port_t server, security_token_t sender, audit_token_t audit,
	       mach_port_context_t context, table_t name, mach_msg_type_number_t nameCnt,
	       uint32_t *uid, uint32_t *pid, uint64_t *context_told)
{
	expect(values_match(name, nameCnt * sizeof(*name), 5));
	expect_equal(audit.val[1], sender.val[0]);
	expect_equal(audit.val[2], sender.val[1]);
	*uid = sender.val[0];
	*pid = audit.val[5];
	*context_told = context;
	return KERN_SUCCESS;
}

kern_return_t
do_who_is_each(mach_port_t server, security_token_t sender, audit_token_t audit, mach_port_t *right,
	       table_t name, mach_msg_type_number_t *nameCnt, uint32_t *pid_of_user, int *pid)
{
	expect_equal(audit.val[1], sender.val[0]);
	*right = MACH_PORT_NULL;
	*nameCnt = 3;
	values_fill(name, 12, 6);
	*pid_of_user = audit.val[5];
	*pid = getpid();
	return KERN_SUCCESS;
}

kern_return_t
do_tell_who(mach_port_t server, audit_token_t audit, mach_port_seqno_t number)
{
	told_pid = audit.val[5];
	expect_equal(number, last_number + 1);
	return KERN_SUCCESS;
}

kern_return_t
do_who_told(mach_port_t server, uint32_t *pid)
{
	*pid = told_pid;
	return KERN_SUCCESS;
}

kern_return_t
do_give_up_replies(mach_port_t server)
{
	kept_end();
	return KERN_SUCCESS;
}
