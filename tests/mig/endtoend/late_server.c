/*
 * Answers through the stubs of late_reply.defs.
 */
#include "mig_server.h"

#include <mach/mig_errors.h>

#include "lateServer.h"
#include "late_forward.h"
#include "late_reply.h"

static mach_port_t service;

static void
begin(mach_port_t port)
{
	service = port;
}

const struct served served = { .demux = late_server, .max_size = 1024, .begin = begin };

kern_return_t
do_late_at_once(mach_port_t server)
{
	return KERN_SUCCESS;
}

kern_return_t
do_late_simple(mach_port_t server, mach_port_t reply, int code, int *a, ints_t b,
	       mach_msg_type_number_t *bCnt, name_t c)
{
	int32_t ints[8];

	values_fill(ints, sizeof(ints), 3);
	/* the reply right is used up by the answer */
	expect_equal(answer_late_simple_is(reply, code, 17, ints, 5, (char[16]){ "later" }),
		     MACH_MSG_SUCCESS);
	return MIG_NO_REPLY;
}

kern_return_t
do_late_complex(mach_port_t server, mach_port_t reply, int code, mach_port_t *a, memory_t *b,
		mach_msg_type_number_t *bCnt, int *c)
{
	mach_port_t port = port_new();
	memory_t memory = memory_new(5000);

	values_fill(memory, 5000, 4);
	expect_equal(answer_late_complex_is(reply, code, port, memory, 5000, 19), MACH_MSG_SUCCESS);
	if (code != KERN_SUCCESS) {
		/* only the code was sent */
		expect(values_match(memory, 5000, 4));
		memory_end(memory, 5000);
		expect_equal(mach_port_deallocate(mach_task_self(), port), 0);
	}
	receive_right_end(port);
	return MIG_NO_REPLY;
}

kern_return_t
do_late_bare(mach_port_t server, mach_port_t reply, int code)
{
	expect_equal(answer_late_bare_is(reply, code), MACH_MSG_SUCCESS);
	return MIG_NO_REPLY;
}

/* Twice around, with the client's own reply right. */
kern_return_t
do_late_ask(mach_port_t server, mach_port_t reply, int a, mach_port_t b, int *c)
{
	if (a < 2000) {
		expect_equal(mach_port_insert_right(mach_task_self(), service, service,
						    MACH_MSG_TYPE_MAKE_SEND),
			     0);
		expect_equal(forward_late_ask_on(service, reply, a + 1000, b), MACH_MSG_SUCCESS);
		expect_equal(mach_port_deallocate(mach_task_self(), service), 0);
		return MIG_NO_REPLY;
	}
	number_send(b, MACH_MSG_TYPE_MOVE_SEND, a);
	*c = a;
	return KERN_SUCCESS;
}
