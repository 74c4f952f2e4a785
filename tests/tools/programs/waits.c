/* Waits in a receive for a message that never comes; exits with 20 once it is told why. */
#include <mach/mach.h>
#include <mach/mach_error.h>
#include <stdio.h>

int
main(void)
{
	struct {
		mach_msg_header_t header;
		char space[256];
	} message;
	mach_port_t port;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS)
		return 1;
	printf("ready\n");
	fflush(stdout);
	kern_return_t kr = mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), port,
				    MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
	printf("%s\n", mach_error_string(kr));
	return kr == MACH_MSG_SUCCESS ? 0 : 20;
}
