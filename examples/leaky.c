/*
 * A program that forgets what it holds, so that `berth run --leaks` has something to tell.
 *
 * In one process the kernel cleans up when it ends.  A server that forgets a right with
 * each request grows until its table is full; the report finds the first one.
 */
#include <mach/mach.h>

#include "must.h"

int
main(void)
{
	mach_port_t kept, forgotten;

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &kept));
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &forgotten));
	must(mach_port_insert_right(mach_task_self(), forgotten, forgotten,
				    MACH_MSG_TYPE_MAKE_SEND));
	must(mach_port_mod_refs(mach_task_self(), kept, MACH_PORT_RIGHT_RECEIVE, -1));
	printf("one port was given back, one (0x%x) was not\n", forgotten);
	return 0;
}
