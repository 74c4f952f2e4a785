/*
 * Serves a random interface.
 */
#include "mig_server.h"
#include "random_side.h"

#include "randomServer.h"

mach_port_t own;
uint32_t called;

static void
begin(mach_port_t port)
{
	(void)port;
	own = port_new();
}

static void
end(void)
{
	expect_equal(right_urefs(own, MACH_PORT_RIGHT_SEND), 1);
	port_end(own);
}

const struct served served = {
	.demux = random_server,
	.max_size = 64 * 1024,
	.begin = begin,
	.end = end,
};

kern_return_t
routine_count(mach_port_t server, uint32_t *count)
{
	*count = called;
	return KERN_SUCCESS;
}
