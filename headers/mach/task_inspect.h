/*
 * task_inspect(): types only.
 */
#ifndef _MACH_TASK_INSPECT_H_
#define _MACH_TASK_INSPECT_H_

#include <mach/vm_types.h>

typedef natural_t task_inspect_flavor_t;
typedef integer_t *task_inspect_info_t;

#endif
