/*
 * The C types of calls.defs.
 */
#ifndef CALLS_TYPES_H
#define CALLS_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef int32_t table_t[2000];
typedef uint8_t *blob_t;

#endif
