/* Makes a port and gives it back: leaves nothing.  Exits with its argument. */
#include <mach/mach.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	mach_port_t port;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) != KERN_SUCCESS)
		return 99;
	return argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
}
