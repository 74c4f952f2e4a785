/*
 * The C types of memory.defs.
 */
#ifndef MEMORY_TYPES_H
#define MEMORY_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef uint8_t *managed_t;
typedef int64_t *managed_longs_t;
typedef uint8_t *owned_t;
typedef int16_t *owned_shorts_t;
typedef int32_t *bounded_t;
typedef int32_t *fixed_t;
typedef struct {
	int32_t words[6];
} * record_ptr_t;
typedef int64_t *number_ptr_t;

#endif
