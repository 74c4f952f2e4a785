/*
 * Holds a receive right with two messages that nobody receives, says "ready", and waits
 * until it is killed; with an argument it ends at once and leaves all behind.
 */
#include <mach/mach.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	mach_port_t port;

	(void)argv;
	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS)
		return 1;
	for (int i = 0; i < 2; i++) {
		mach_msg_header_t message = {
			.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
			.msgh_remote_port = port,
			.msgh_id = 4711,
		};

		if (mach_msg(&message, MACH_SEND_MSG, sizeof(message), 0, MACH_PORT_NULL,
			     MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL) != MACH_MSG_SUCCESS)
			return 1;
	}
	printf("ready 0x%x\n", port);
	fflush(stdout);
	while (argc == 1)
		pause();
	return 0;
}
