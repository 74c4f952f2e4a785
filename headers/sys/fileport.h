/*
 * Fileports: open files as ports, so that messages carry them.
 *
 * Source: mach-kobjects.md §11.
 */
#ifndef _SYS_FILEPORT_H_
#define _SYS_FILEPORT_H_

#include <mach/port.h>

typedef mach_port_t fileport_t;
#define FILEPORT_NULL ((fileport_t)0)

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A new port that stands for the open file behind @fd, which stays open; offset and flags are
 * shared.  Gives one send right in *@port.  The file is closed when the last right to the port
 * and the last descriptor are gone.  0, or -1 with errno:
 *
 * EBADF     @fd is not open
 * EINVAL    a kind of file that cannot be sent, or no room for the name.  What can be sent:
 *           files, folders, devices, pipes, sockets (kernel controls and event sockets, too),
 *           shared memory.  What cannot: epoll, eventfd, timerfd, signalfd, inotify, io_uring
 *           and their like, O_PATH, and the library's own connections
 * EAGAIN    no memory, or the task or the kernel holds as many as it may
 * EFAULT    @port cannot be written
 * ENOTCONN  there is no kernel
 */
extern int fileport_makeport(int fd, fileport_t *port);

/*
 * A new descriptor, close-on-exec and of the lowest free number, of the same open file; the
 * caller closes it.  @port stays.  Or -1 with errno:
 *
 * EINVAL  @port is no send right to a fileport
 * EMFILE  the process has too many open files
 * ENFILE  the kernel has no resources to send it; try again later
 */
extern int fileport_makefd(fileport_t port);

#ifdef __cplusplus
}
#endif

#endif
