/*
 * Types of the calls that look into a task.
 */
#ifndef _MACH_DEBUG_MACH_DEBUG_TYPES_H_
#define _MACH_DEBUG_MACH_DEBUG_TYPES_H_

#include <mach_debug/ipc_info.h>

typedef char symtab_name_t[32];

typedef char kobject_description_t[512];
#define KOBJECT_DESCRIPTION_LENGTH 512

#endif
