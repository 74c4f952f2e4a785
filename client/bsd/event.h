/*
 * Event sockets: what the kernel broadcasts.  Source: kernel-event.md §3.
 *
 * A pair of Unix sockets, whose other end the kernel has.  Reading needs no help at all; filters
 * are set by showing the descriptor to the kernel.  Functions give -errno or what the call of
 * that name gives.
 */
#ifndef BERTH_CLIENT_BSD_EVENT_H
#define BERTH_CLIENT_BSD_EVENT_H

#include "client/bsd/system_socket.h"

#include <sys/socket.h>

/* socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT): a descriptor.  -ENOBUFS; -ENOTCONN: there is no
 * kernel, which is said. */
int event_socket(int type_flags);

int event_ioctl(const struct system_hold *hold, unsigned long request, void *argument);
int event_getsockopt(const struct system_hold *hold, int level, int option, void *value,
		     socklen_t *size);
int event_setsockopt(const struct system_hold *hold, int level, int option, const void *value,
		     socklen_t size);

#endif
