/*
 * Types that IOKit's calls share.
 */
#ifndef BERTH_IOKIT_IOTYPES_H
#define BERTH_IOKIT_IOTYPES_H

#include <stdint.h>

#include <IOKit/IOReturn.h>
#include <libkern/OSTypes.h>
#include <mach/boolean.h>
#include <mach/vm_types.h>

typedef UInt32 IOOptionBits;
typedef SInt32 IOFixed;
typedef UInt32 IOVersion;
typedef UInt32 IOItemCount;
typedef UInt32 IOCacheMode;

typedef UInt64 IOByteCount64;
typedef UInt64 IOByteCount;
typedef UInt64 IOPhysicalAddress64;
typedef UInt64 IOPhysicalAddress;
typedef UInt64 IOPhysicalLength;
typedef uintptr_t IOVirtualAddress;
typedef IOVirtualAddress IOLogicalAddress;

#ifdef KERNEL
typedef uint64_t AbsoluteTime;
#endif

/* nanoseconds */
enum {
	kNanosecondScale = 1,
	kMicrosecondScale = 1000,
	kMillisecondScale = 1000 * 1000,
	kSecondScale = 1000 * 1000 * 1000,
	kTickScale = kSecondScale / 100
};

#endif
