/*
 * Error codes in words.
 *
 * Source: mach-types.md §6.4.
 */
#ifndef _MACH_MACH_ERROR_H_
#define _MACH_MACH_ERROR_H_

#include <mach/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What @error_value means: "(ipc/send) ...".  Never NULL, never to be freed or changed. */
extern char *mach_error_string(mach_error_t error_value);

/* Where it comes from: "(os/kern)", "(ipc/rcv)"; "(?/?)" if nobody knows.  As above. */
extern char *mach_error_type(mach_error_t error_value);

/* Print @str and the meaning of @error_value on stderr. */
extern void mach_error(const char *str, mach_error_t error_value);

#ifdef __cplusplus
}
#endif

#endif
