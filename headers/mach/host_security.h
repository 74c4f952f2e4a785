/*
 * The calls on the host's security port: types only.
 */
#ifndef _MACH_HOST_SECURITY_H_
#define _MACH_HOST_SECURITY_H_

#include <mach/mach_types.h>

#endif
