/*
 * The tables of MIG's stubs by an old name: they are in <mach/mig.h>.
 */
#ifndef _MACH_RPC_H_
#define _MACH_RPC_H_

#include <mach/boolean.h>
#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/mig.h>
#include <mach/mig_errors.h>
#include <mach/port.h>
#include <mach/vm_types.h>

#endif
