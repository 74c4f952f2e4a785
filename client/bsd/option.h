/*
 * Options at level SOL_SOCKET that all system sockets have in common.
 *
 * Functions give 0 or -errno.  Source: kernel-control.md §6, kernel-event.md §3.4.
 */
#ifndef BERTH_CLIENT_BSD_OPTION_H
#define BERTH_CLIENT_BSD_OPTION_H

#include "client/bsd/system_socket.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Options of Linux's that Darwin does not have and that would break what is built on it. */
bool option_is_refused(int option);

/* The number that a program passes.  -EINVAL: too short; -EFAULT. */
int option_int(const void *value, socklen_t size, int *number);

/* A number for the program.  -EFAULT. */
int option_give_int(void *value, socklen_t *size, int number);

/* Set the options that are a flag here, or that cannot be set.  1: it is another option. */
int option_set_flag(const struct system_hold *hold, int option, const void *value, socklen_t size);

/* Get such a flag, or whatever Linux says. */
int option_get_other(const struct system_hold *hold, int option, void *value, socklen_t *size);

/* Requests of ioctl that are any socket's.  -ENOTSUP: another. */
int option_ioctl(const struct system_hold *hold, unsigned long request, void *argument);

#endif
