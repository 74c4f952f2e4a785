/*
 * The C types of late.defs.
 */
#ifndef LATE_TYPES_H
#define LATE_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef int32_t *ints_t;
typedef char name_t[16];
typedef uint8_t *memory_t;

#endif
