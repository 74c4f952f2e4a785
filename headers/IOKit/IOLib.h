/*
 * IOKit's small library: memory, printing, threads, time.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.2, §5.3, §5.5.
 */
#ifndef BERTH_IOKIT_IOLIB_H
#define BERTH_IOKIT_IOLIB_H

#ifdef KERNEL

#include <stdarg.h>
#include <stddef.h>

#include <sys/systm.h>

#include <IOKit/IOLocks.h>
#include <IOKit/IOReturn.h>
#include <IOKit/IOTypes.h>
#include <kern/clock.h>
#include <kern/thread.h>
#include <libkern/OSAtomic.h>
#include <libkern/libkern.h>
#include <mach/mach_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- memory: freed with the size it was got with, or that is a panic that says both -------- */

/* NULL: no memory, or @size is 0.  @alignment: a power of two.  Free functions take NULL. */
void *IOMalloc(vm_size_t size) __attribute__((malloc));
void *IOMallocZero(vm_size_t size) __attribute__((malloc));
void IOFree(void *address, vm_size_t size);
void *IOMallocAligned(vm_size_t size, vm_offset_t alignment) __attribute__((malloc));
void IOFreeAligned(void *address, vm_size_t size);
void *IOMallocPageable(vm_size_t size, vm_size_t alignment) __attribute__((malloc));
void IOFreePageable(void *address, vm_size_t size);
void *IOMallocData(vm_size_t size) __attribute__((malloc));
void *IOMallocZeroData(vm_size_t size) __attribute__((malloc));
void IOFreeData(void *address, vm_size_t size);

#define IOMallocType(type) ((type *)IOMallocZero(sizeof(type)))
#define IOFreeType(address, type) IOFree((address), sizeof(type))
#define IONew(type, number) ((type *)IOMalloc(sizeof(type) * (vm_size_t)(number)))
#define IONewZero(type, number) ((type *)IOMallocZero(sizeof(type) * (vm_size_t)(number)))
#define IODelete(ptr, type, number) IOFree((ptr), sizeof(type) * (vm_size_t)(number))

/* ---- printing: to the kernel's log; no newline is added ----------------------------------- */

__attribute__((format(printf, 1, 2))) void IOLog(const char *format, ...);
__attribute__((format(printf, 1, 0))) void IOLogv(const char *format, va_list ap);
__attribute__((format(printf, 1, 2))) void kprintf(const char *format, ...);

/* ---- threads and time --------------------------------------------------------------------- */

typedef thread_t IOThread;
typedef void (*IOThreadFunc)(void *argument);

/* A new thread; nothing is to be given back.  NULL: no memory, or too many. */
IOThread IOCreateThread(IOThreadFunc function, void *argument);
/* End this thread. */
__attribute__((noreturn)) void IOExitThread(void);

void IOSleep(unsigned milliseconds);
void IOSleepWithLeeway(unsigned intervalMilliseconds, unsigned leewayMilliseconds);
/* Burn time. */
void IODelay(unsigned microseconds);
void IOPause(unsigned nanoseconds);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
