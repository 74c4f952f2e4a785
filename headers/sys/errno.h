/*
 * Errors: the C library's, with its numbers, and what is said inside a kernel only.
 */
#ifndef BERTH_SYS_ERRNO_H
#define BERTH_SYS_ERRNO_H

#include_next <sys/errno.h>

#ifdef KERNEL
#include <sys/types.h> /* errno_t */

#ifndef EJUSTRETURN
#define EJUSTRETURN (-2) /* done, and nothing is to be changed in the caller */
#endif
#endif

#endif
