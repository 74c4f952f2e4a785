#include "client/mach/kernelrpc.h"

#include "client/trap.h"

bool
kernelrpc_is_asked(mach_port_t port)
{
	/* a call that needs nothing but its task argument */
	return TRAP_CALL(BERTH_TRAP_PORT_TYPE, NULL, port, MACH_PORT_DEAD) == BERTH_TRAP_BY_MESSAGE;
}
