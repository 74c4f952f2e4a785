/*
 * Everything about exceptions.  Ports for them: <mach/task.h>, <mach/thread_act.h>.
 */
#ifndef _MACH_EXCEPTION_H_
#define _MACH_EXCEPTION_H_

#include <mach/exception_types.h>
#include <mach/kern_return.h>
#include <mach/mach_types.h>
#include <mach/message.h>
#include <mach/thread_status.h>

#endif
