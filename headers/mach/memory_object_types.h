/*
 * Types around memory objects, as far as calls of tasks name them.
 */
#ifndef _MACH_MEMORY_OBJECT_TYPES_H_
#define _MACH_MEMORY_OBJECT_TYPES_H_

#include <mach/port.h>
#include <mach/vm_prot.h>
#include <mach/vm_types.h>

typedef mach_port_t memory_object_t;
typedef mach_port_t memory_object_control_t;
typedef mach_port_t memory_object_default_t;
typedef mach_port_t memory_object_name_t;
typedef memory_object_t *memory_object_array_t;

typedef natural_t memory_object_cluster_size_t;
typedef int memory_object_copy_strategy_t;
typedef int memory_object_flavor_t;
typedef int memory_object_return_t;
typedef int *memory_object_info_t;

#define MEMORY_OBJECT_NULL ((memory_object_t)0)
#define MEMORY_OBJECT_CONTROL_NULL ((memory_object_control_t)0)
#define MEMORY_OBJECT_NAME_NULL ((memory_object_name_t)0)

#endif
