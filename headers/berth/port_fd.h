/*
 * Ports in event loops.  On Darwin kqueue waits for ports; on Linux loops wait for
 * descriptors, so Berth gives one for a port.
 */
#ifndef BERTH_PORT_FD_H
#define BERTH_PORT_FD_H

#include <mach/port.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A descriptor that is readable while a message waits at @name, a receive right or port set
 * of the caller, and when a receive would tell that the right is gone.
 *
 * It is for poll, epoll and the like, not to be read or written, close-on-exec, and the
 * caller's to close.  -1 with errno:
 *
 * ENOENT    @name means nothing
 * ENOTSUP   it is no receive right or set
 * ENOMEM    the kernel has no room for it
 * EMFILE    too many open files
 * ENOTCONN  there is no kernel
 */
extern int berth_port_fd(mach_port_t name);

#ifdef __cplusplus
}
#endif

#endif
