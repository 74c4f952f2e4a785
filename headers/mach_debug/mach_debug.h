/*
 * Everything that looks into a task.  The calls themselves are in <mach/mach_port.h>.
 */
#ifndef _MACH_DEBUG_MACH_DEBUG_H_
#define _MACH_DEBUG_MACH_DEBUG_H_

#include <mach/mach_port.h>
#include <mach_debug/mach_debug_types.h>

#endif
