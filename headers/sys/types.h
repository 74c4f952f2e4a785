/*
 * The types of <sys/types.h> that Darwin has and the C library lacks.
 */
#ifndef BERTH_SYS_TYPES_H
#define BERTH_SYS_TYPES_H

#include_next <sys/types.h>

#include <stdint.h>

/* BSD's, which libc hides from strictly standard C */
#ifndef __u_char_defined
typedef unsigned char u_char;
typedef unsigned short u_short;
typedef unsigned int u_int;
typedef unsigned long u_long;
#define __u_char_defined
#endif
#ifndef __daddr_t_defined
typedef int daddr_t;
typedef char *caddr_t;
#define __daddr_t_defined
#endif

#ifndef BERTH_ERRNO_T
#define BERTH_ERRNO_T
typedef int errno_t;
#endif

typedef uint64_t user_addr_t;
typedef uint64_t user_size_t;
typedef int64_t user_ssize_t;

#endif
