/*
 * A server that ends in the middle of a request: the caller is told at once.
 */
#include "mig_client.h"

#include "shapes.h"

#include <mach/mig_errors.h>

void
client(mach_port_t server)
{
	mach_port_t port = port_new();
	struct holdings before = holdings_now();

	expect_equal(die(server, port), MIG_SERVER_DIED);
	expect_equal(die(server, port), MACH_SEND_INVALID_DEST);
	expect_equal(right_type(server), MACH_PORT_TYPE_DEAD_NAME);
	before.urefs[MACH_PORT_RIGHT_SEND]--;
	before.urefs[MACH_PORT_RIGHT_DEAD_NAME]++;
	holdings_expect_equal(holdings_now(), before);
	port_end(port);
	expect_equal(mach_port_deallocate(mach_task_self(), server), 0);
	puts("done");
	exit(0);
}
