/*
 * What the functions that stand before the C library's have in common.
 */
#ifndef BERTH_CLIENT_BSD_INTERPOSE_H
#define BERTH_CLIENT_BSD_INTERPOSE_H

#include "client/bsd/next.h"
#include "client/bsd/system_socket.h"
#include "client/export.h"

#include <errno.h>

/*
 * Somebody must ask for the files of these functions by another name: a program that is linked with
 * the static library finds the functions elsewhere first, in a sanitizer's library for example.
 */
extern const char interpose_is_here, interpose_io_is_here;

/* What a call gives: -errno, or a result. */
static inline int
system_result(int result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

/* The same at the end of a call on a system socket. */
static inline int
system_leave(struct system_hold *hold, int result)
{
	system_let_go(hold);
	return system_result(result);
}

#endif
