/*
 * Ports in event loops.
 */
#include <berth/port_fd.h>

#include "client/export.h"
#include "client/trap.h"

#include <mach/mach_init.h>
#include <mach/mach_port.h>
#include <mach/message.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Which errno says what @code says. */
static int
errno_of(kern_return_t code)
{
	switch (code) {
	case KERN_INVALID_NAME:
		return ENOENT;
	case KERN_RESOURCE_SHORTAGE:
	case KERN_NO_SPACE:
		return ENOMEM;
	case MACH_SEND_INVALID_DEST:
		return ENOTCONN;
	default:
		return ENOTSUP; /* not a right that can be received on, or a special reply port */
	}
}

BERTH_EXPORT int
berth_port_fd(mach_port_t name)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_PORT_WATCH);

	if (outcome != TRAP_OK) {
		errno = outcome == TRAP_SHORTAGE ? ENOMEM : ENOTCONN;
		return -1;
	}
	trap.slot->request.args[0] = name;
	outcome = trap_run(&trap, TRAP_PATIENT);
	int fd = -1;
	int error = 0;
	if (outcome == TRAP_SHORTAGE)
		error = EMFILE;
	else if (outcome != TRAP_OK)
		error = ENOTCONN;
	else if (trap.slot->reply.code != KERN_SUCCESS)
		error = errno_of(trap.slot->reply.code);
	else if (trap.event_fd < 0)
		error = EIO;
	if (error == 0) {
		/* already close-on-exec and this process's own */
		fd = trap.event_fd;
		trap.event_fd = -1;
	}
	trap_end(&trap);
	/* the kernel tells only that nothing can be received there */
	mach_port_type_t type;
	if (error == ENOENT && mach_port_type(mach_task_self_, name, &type) == KERN_SUCCESS)
		error = ENOTSUP;
	if (error != 0)
		errno = error;
	return fd;
}
