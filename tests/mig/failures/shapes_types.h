/*
 * The C types of shapes.defs.
 */
#ifndef SHAPES_TYPES_H
#define SHAPES_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef uint8_t bytes10_t[10];
typedef char string128_t[128];
typedef char string64_t[64];
typedef int ints5_t[5];
typedef mach_port_t ports4_t[4];
typedef mach_port_t ports2_t[2];
typedef uint8_t *ool_bytes_t;
typedef int *ool_ints16_t;
typedef int *ool_16ints_t;
typedef int64_t *ool_longs_t;
typedef mach_port_t *ool_ports_t;
typedef mach_port_t *ool_4ports_t;
typedef uint8_t *managed_t;
typedef uint8_t bytes3_t[3];
typedef struct {
	uint8_t bytes[5];
} odd_t;
typedef odd_t odds7_t[7];
typedef int64_t longs7_t[7];
typedef int *rows_t[3];

#endif
