/*
 * The main function of every client.
 */
#include "mig_client.h"
#include "mig_count.h"
#include "mig_server.h"

#include <servers/bootstrap.h>
#include <time.h>

/* A name that nobody has checked in yet is unknown: try again while the server starts. */
static mach_port_t
server_find(void)
{
	mach_port_t server = MACH_PORT_NULL;
	kern_return_t code = BOOTSTRAP_UNKNOWN_SERVICE;

	for (int i = 0; i < 4000 && code == BOOTSTRAP_UNKNOWN_SERVICE; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
		code = bootstrap_look_up(bootstrap_port, MIG_TEST_SERVICE, &server);
	}
	expect_equal(code, 0);
	return server;
}

struct server_state
server_state(mach_port_t server)
{
	struct {
		struct count_reply reply;
		mach_msg_trailer_t trailer;
	} message = {
		.reply.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
		.reply.header.msgh_remote_port = server,
		.reply.header.msgh_local_port = mig_get_reply_port(),
		.reply.header.msgh_id = MIG_TEST_COUNT,
	};

	expect_equal(mach_msg(&message.reply.header, MACH_SEND_MSG | MACH_RCV_MSG,
			      sizeof(mach_msg_header_t), sizeof(message),
			      message.reply.header.msgh_local_port, 0, MACH_PORT_NULL),
		     MACH_MSG_SUCCESS);
	expect_equal(message.reply.header.msgh_id, MIG_TEST_COUNT + 100);
	return (struct server_state){ message.reply.mapped, message.reply.holdings };
}

static void
stop(mach_port_t server)
{
	mach_msg_header_t header = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, 0),
		.msgh_remote_port = server,
		.msgh_id = MIG_TEST_STOP,
	};

	expect_equal(
	    mach_msg(&header, MACH_SEND_MSG, sizeof(header), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL),
	    MACH_MSG_SUCCESS);
}

void
repeat_and_count(mach_port_t server, unsigned count, size_t bytes,
		 void (*again)(mach_port_t server))
{
	for (unsigned i = 0; i < 4; i++) /* what is set up once */
		again(server);
	for (unsigned i = 0; i < 300; i++) /* lanes, too, which are memory */
		(void)server_state(server);
	struct server_state server_before = server_state(server);
	struct holdings before = holdings_now();
	uint64_t mapped = memory_mapped();

	for (unsigned i = 0; i < count; i++)
		again(server);
	holdings_expect_equal(holdings_now(), before);
	uint64_t limit = (uint64_t)count * bytes / 2;
	expect(memory_mapped() < mapped + limit);
	struct server_state server_after = server_state(server);
	holdings_expect_equal(server_after.holdings, server_before.holdings);
	expect(server_after.mapped < server_before.mapped + limit);
}

int
main(void)
{
	mach_port_t server = server_find();

	mig_get_reply_port();
	struct holdings before = holdings_now();
	client(server);
	/* the reply port may be another by now: a name more or less */
	mig_get_reply_port();
	holdings_expect_equal(holdings_now(), before);
	stop(server);
	puts("done");
	return 0;
}
