/*
 * Mach's basic numbers: natural_t and integer_t are 32 bits wide everywhere, vm_* are as
 * wide as a pointer, mach_vm_* are always 64 bits wide.
 */
#ifndef _MACH_VM_TYPES_H_
#define _MACH_VM_TYPES_H_

#include <stdint.h>

typedef uint32_t __darwin_natural_t;
typedef __darwin_natural_t natural_t;
typedef int32_t integer_t;

typedef uintptr_t vm_offset_t;
typedef uintptr_t vm_size_t;
typedef uintptr_t vm_address_t;
typedef uintptr_t pointer_t;

typedef uint64_t mach_vm_address_t;
typedef uint64_t mach_vm_offset_t;
typedef uint64_t mach_vm_size_t;

typedef uint64_t vm_map_offset_t;
typedef uint64_t vm_map_address_t;
typedef uint64_t vm_map_size_t;

typedef uint64_t memory_object_offset_t;
typedef uint64_t memory_object_size_t;

#endif
