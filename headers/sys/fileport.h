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
 * A new port that stands for the open file behind @fd, which stays open.  Gives one send right
 * in *@port.  0, or -1 with errno:
 *
 * EBADF   @fd is not open
 * EINVAL  a kind of file that cannot be sent, or no room for the name
 * EAGAIN  no memory
 * EFAULT  @port cannot be written
 */
extern int fileport_makeport(int fd, fileport_t *port);

/*
 * A new descriptor, close-on-exec, of the same open file; the caller closes it.  @port stays.
 * Or -1 with errno:
 *
 * EINVAL  @port is no send right to a fileport
 * EMFILE  too many open files
 */
extern int fileport_makefd(fileport_t port);

#ifdef __cplusplus
}
#endif

#endif
