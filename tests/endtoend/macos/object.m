// A class around a port.
#include <mach/mach.h>
#include <stdio.h>

__attribute__((objc_root_class))
@interface Port
+ (kern_return_t)makeAndDestroy;
@end

@implementation Port
+ (kern_return_t)makeAndDestroy
{
	mach_port_t port;
	kern_return_t kr = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	return mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
}
@end

int
main(void)
{
	kern_return_t kr = [Port makeAndDestroy];

	printf("object: %s\n", kr == KERN_SUCCESS ? "done" : mach_error_string(kr));
	return kr;
}
