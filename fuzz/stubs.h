/*
 * The C types of stubs.defs.
 */
#ifndef FUZZ_STUBS_H
#define FUZZ_STUBS_H

#include <stdint.h>

#include <mach/mach_types.h>

typedef char fuzz_name_t[32];
typedef int32_t fuzz_ints_t[8];
typedef uint8_t fuzz_bytes_t[1024];
typedef uint8_t *fuzz_out_t;
typedef mach_port_t fuzz_ports_t[4];

#endif
