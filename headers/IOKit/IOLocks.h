/*
 * IOKit's names for the locks of <kern/locks.h>, and a recursive one.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.1.
 */
#ifndef BERTH_IOKIT_IOLOCKS_H
#define BERTH_IOKIT_IOLOCKS_H

#ifdef KERNEL

#include <stdbool.h>

#include <IOKit/IOTypes.h>
#include <kern/locks.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- mutexes --------------------------------------------------------------------------- */

typedef lck_mtx_t IOLock;

typedef enum {
	kIOLockAssertOwned = LCK_ASSERT_OWNED,
	kIOLockAssertNotOwned = LCK_ASSERT_NOTOWNED
} IOLockAssertState;

/* NULL: no memory */
IOLock *IOLockAlloc(void);
void IOLockFree(IOLock *lock);
lck_mtx_t *IOLockGetMachLock(IOLock *lock);
void IOLockLock(IOLock *lock);
void IOLockUnlock(IOLock *lock);
boolean_t IOLockTryLock(IOLock *lock);
/* Wait for @event with the lock dropped, then take it again.  THREAD_AWAKENED, THREAD_TIMED_OUT,
 * THREAD_INTERRUPTED. */
int IOLockSleep(IOLock *lock, void *event, UInt32 interType);
int IOLockSleepDeadline(IOLock *lock, void *event, AbsoluteTime deadline, UInt32 interType);
void IOLockWakeup(IOLock *lock, void *event, bool oneThread);
void IOLockAssert(IOLock *lock, IOLockAssertState type);

#define IOTakeLock(lock) IOLockLock(lock)
#define IOTryLock(lock) IOLockTryLock(lock)
#define IOUnlock(lock) IOLockUnlock(lock)

/* ---- recursive mutexes ------------------------------------------------------------------- */

typedef struct _IORecursiveLock IORecursiveLock;

/* NULL: no memory */
IORecursiveLock *IORecursiveLockAlloc(void);
void IORecursiveLockFree(IORecursiveLock *lock);
lck_mtx_t *IORecursiveLockGetMachLock(IORecursiveLock *lock);
void IORecursiveLockLock(IORecursiveLock *lock);
boolean_t IORecursiveLockTryLock(IORecursiveLock *lock);
void IORecursiveLockUnlock(IORecursiveLock *lock);
/* TRUE: this thread holds it. */
boolean_t IORecursiveLockHaveLock(const IORecursiveLock *lock);
/* Drops all levels, and takes them all again. */
int IORecursiveLockSleep(IORecursiveLock *lock, void *event, UInt32 interType);
int IORecursiveLockSleepDeadline(IORecursiveLock *lock, void *event, AbsoluteTime deadline,
				 UInt32 interType);
void IORecursiveLockWakeup(IORecursiveLock *lock, void *event, bool oneThread);

/* ---- read-write locks -------------------------------------------------------------------- */

typedef lck_rw_t IORWLock;

/* NULL: no memory */
IORWLock *IORWLockAlloc(void);
void IORWLockFree(IORWLock *lock);
lck_rw_t *IORWLockGetMachLock(IORWLock *lock);
void IORWLockRead(IORWLock *lock);
void IORWLockWrite(IORWLock *lock);
void IORWLockUnlock(IORWLock *lock);

/* ---- spin locks -------------------------------------------------------------------------- */

typedef lck_spin_t IOSimpleLock;
typedef boolean_t IOInterruptState;

/* NULL: no memory */
IOSimpleLock *IOSimpleLockAlloc(void);
void IOSimpleLockInit(IOSimpleLock *lock);
void IOSimpleLockDestroy(IOSimpleLock *lock);
void IOSimpleLockFree(IOSimpleLock *lock);
lck_spin_t *IOSimpleLockGetMachLock(IOSimpleLock *lock);
void IOSimpleLockLock(IOSimpleLock *lock);
boolean_t IOSimpleLockTryLock(IOSimpleLock *lock);
void IOSimpleLockUnlock(IOSimpleLock *lock);
/* There are no interrupts here. */
IOInterruptState IOSimpleLockLockDisableInterrupt(IOSimpleLock *lock);
void IOSimpleLockUnlockEnableInterrupt(IOSimpleLock *lock, IOInterruptState state);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
