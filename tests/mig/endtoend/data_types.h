/*
 * The C types of data.defs.
 */
#ifndef DATA_TYPES_H
#define DATA_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef struct {
	int32_t x, y, z;
} point_t;

typedef struct {
	uint8_t bytes[5];
} odd_t;

typedef struct {
	int64_t low, high;
} wide_t;

typedef enum { COLOR_RED = 1, COLOR_GREEN = 70000 } enum_color_t;

typedef int32_t four_ints_t[4];
typedef uint8_t seven_bytes_t[7];
typedef four_ints_t grid_t[2];
/* a bounded array may be declared either way */
typedef int32_t *ints_t;
typedef uint8_t bytes_t[10];
typedef int16_t *shorts_t;
typedef int64_t longs_t[5];
typedef point_t *points_t;
typedef odd_t odds_t[7];
typedef char name_t[16];
typedef char label_t[12];
typedef char letter_t[1];

#endif
