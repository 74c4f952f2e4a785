/*
 * The types of <sys/types.h> that Darwin has and the C library lacks.
 */
#ifndef BERTH_SYS_TYPES_H
#define BERTH_SYS_TYPES_H

#include_next <sys/types.h>

#include <stdint.h>

#ifndef BERTH_ERRNO_T
#define BERTH_ERRNO_T
typedef int errno_t;
#endif

typedef uint64_t user_addr_t;
typedef uint64_t user_size_t;
typedef int64_t user_ssize_t;

#endif
