/*
 * The C types of names.defs that both sides see.
 */
#ifndef NAMES_TYPES_H
#define NAMES_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef int32_t celsius_t;
typedef mach_port_t object_t;
typedef mach_port_t server_t;
typedef char four_letters_t[4];
typedef int32_t in_place_t[7];
typedef struct {
	int64_t a;
	char b;
} native_pair_t;
typedef uint8_t *pieces_t[3];
typedef int32_t *few_pieces_t[4];

#endif
