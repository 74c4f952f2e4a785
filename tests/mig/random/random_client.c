/*
 * Calls every routine of a random interface, several times.
 */
#include "mig_client.h"
#include "random_side.h"

#include "random.h"

#define TURNS 6

mach_port_t own;

/* Send-once rights that were given up have left a notice each. */
static void
drain(void)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} notice;

	while (mach_msg(&notice.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(notice), own, 0,
			MACH_PORT_NULL) == MACH_MSG_SUCCESS)
		expect_equal(notice.header.msgh_id, 71);
}

void
client(mach_port_t server)
{
	uint32_t count = 0;

	own = port_new();
	for (uint32_t v = 0; v < TURNS; v++)
		for (unsigned i = 0; i < call_count; i++) {
			calls[i](server, v);
			drain();
		}
	expect_equal(routine_count(server, &count), KERN_SUCCESS);
	expect_equal(count, TURNS * call_count);
	expect_equal(right_urefs(own, MACH_PORT_RIGHT_SEND), 1);
	drain();
	port_end(own);
}
