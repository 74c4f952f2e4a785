/*
 * The C types of ports.defs.
 */
#ifndef PORTS_TYPES_H
#define PORTS_TYPES_H

#include <mach/mach_types.h>
#include <mach/std_types.h>

typedef mach_port_t *sends_t;
typedef mach_port_t *made_sends_t;
typedef mach_port_t *managed_sends_t;
typedef mach_port_t *receives_t;
typedef mach_port_t *four_sends_t;
typedef mach_port_t *few_sends_t;
typedef mach_port_t *poly_array_t;
typedef mach_port_t pair_t[2];
typedef mach_port_t pair_made_t[2];
typedef mach_port_t row_t[4];

#endif
