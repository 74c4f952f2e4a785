/*
 * What the other headers of libkern stand on.
 */
#ifndef BERTH_LIBKERN_OSBASE_H
#define BERTH_LIBKERN_OSBASE_H

#include <sys/cdefs.h>

#include <libkern/OSTypes.h>

#ifndef OS_INLINE
#define OS_INLINE static inline
#endif

#endif
