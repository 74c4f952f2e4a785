/* Takes and drops rights, a line of input a step, and says "ready" after each. */
#include <mach/mach.h>
#include <stdio.h>

static void
step(void)
{
	puts("ready");
	fflush(stdout);
	getchar();
}

int
main(void)
{
	mach_port_t port, set, other;
	kern_return_t kr;

	kr = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);
	kr |= mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
	kr |= mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set);
	step();
	kr |= mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, 2);
	kr |= mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1);
	for (int i = 0; i < 3; i++)
		kr |= mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &other);
	step();
	return kr != KERN_SUCCESS;
}
