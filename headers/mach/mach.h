/*
 * Everything of Mach that programs mostly want.
 */
#ifndef _MACH_H_
#define _MACH_H_

#include <mach/mach_init.h>
#include <mach/mach_port.h>
#include <mach/mach_types.h>
#include <mach/mig.h>
#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <mach/std_types.h>

#endif
