/*
 * The registers of a thread on the machine that one compiles for.
 */
#ifndef _MACH_MACHINE_THREAD_STATUS_H_
#define _MACH_MACHINE_THREAD_STATUS_H_

#if defined(__x86_64__) || defined(__i386__)
#include <mach/i386/thread_status.h>
#endif

#endif
