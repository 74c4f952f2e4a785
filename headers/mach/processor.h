/*
 * The calls on processors: types only, Linux rules over them.
 */
#ifndef _MACH_PROCESSOR_H_
#define _MACH_PROCESSOR_H_

#include <mach/mach_types.h>
#include <mach/processor_info.h>

#endif
