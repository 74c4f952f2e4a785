/*
 * OSReturn: how a call about kernel extensions ended.
 *
 * Source: kext.md §3.1.
 */
#ifndef BERTH_LIBKERN_OSRETURN_H
#define BERTH_LIBKERN_OSRETURN_H

#include <mach/error.h>
#include <mach/kern_return.h>

typedef kern_return_t OSReturn;

#ifndef sys_libkern
#define sys_libkern err_system(0x37)
#endif
#define sub_libkern_common err_sub(0)
#define sub_libkern_metaclass err_sub(1)
#define sub_libkern_reserved err_sub(-1)

#define libkern_common_err(return ) (sys_libkern | sub_libkern_common | (return ))
#define libkern_metaclass_err(return ) (sys_libkern | sub_libkern_metaclass | (return ))

#define kOSReturnSuccess KERN_SUCCESS
#define kOSReturnError libkern_common_err(1) /* 0xdc000001 */

#endif
