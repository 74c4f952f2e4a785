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

/*
 * mach_make_memory_entry(), beside VM_PROT_*: where the memory comes from.  Nothing: it is the
 * caller's, shared with who maps the entry, and the entry may be shorter than asked.
 */
#define MAP_MEM_ONLY 0x010000         /* change how @parent_entry's is cached */
#define MAP_MEM_NAMED_CREATE 0x020000 /* new memory, all zero */
#define MAP_MEM_PURGABLE 0x040000
#define MAP_MEM_NAMED_REUSE 0x080000
#define MAP_MEM_USE_DATA_ADDR 0x100000 /* keep where in its page the range begins */
#define MAP_MEM_VM_COPY 0x200000       /* a copy of the range */
#define MAP_MEM_VM_SHARE 0x400000      /* all of the range */
#define MAP_MEM_4K_DATA_ADDR 0x800000

#endif
