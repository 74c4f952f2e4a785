/*
 * IOKit's names for locks, and the recursive mutex.
 */
#include "kexts/host/locks.h"

#include "kexts/host/panic.h"
#include "kexts/host/sleep.h"

#include <IOKit/IOLocks.h>
#include <kern/debug.h>
#include <kern/sched_prim.h>

#include <stdlib.h>

static LCK_GRP_DECLARE(iolock_group, "IOLock");

/* ---- mutexes --------------------------------------------------------------------------- */

KPI_EXPORT IOLock *
IOLockAlloc(void)
{
	return lck_mtx_alloc_init(&iolock_group, LCK_ATTR_NULL);
}

KPI_EXPORT void
IOLockFree(IOLock *lock)
{
	lck_mtx_free(lock, &iolock_group);
}

KPI_EXPORT lck_mtx_t *
IOLockGetMachLock(IOLock *lock)
{
	return lock;
}

KPI_EXPORT void
IOLockLock(IOLock *lock)
{
	mutex_lock_from(lock, CALLED_FROM);
}

KPI_EXPORT void
IOLockUnlock(IOLock *lock)
{
	mutex_unlock_from(lock, CALLED_FROM);
}

KPI_EXPORT boolean_t
IOLockTryLock(IOLock *lock)
{
	return mutex_try_lock_from(lock, CALLED_FROM);
}

KPI_EXPORT int
IOLockSleep(IOLock *lock, void *event, UInt32 interType)
{
	return mutex_sleep_from(lock, LCK_SLEEP_DEFAULT, event, (wait_interrupt_t)interType, 0,
				CALLED_FROM);
}

KPI_EXPORT int
IOLockSleepDeadline(IOLock *lock, void *event, AbsoluteTime deadline, UInt32 interType)
{
	return mutex_sleep_from(lock, LCK_SLEEP_DEFAULT, event, (wait_interrupt_t)interType,
				deadline, CALLED_FROM);
}

KPI_EXPORT void
IOLockWakeup(IOLock *lock, void *event, bool oneThread)
{
	(void)thread_wakeup_prim(event, oneThread, THREAD_AWAKENED);
}

KPI_EXPORT void
IOLockAssert(IOLock *lock, IOLockAssertState type)
{
	lck_mtx_assert(lock, type);
}

/* ---- recursive mutexes ------------------------------------------------------------------- */

struct _IORecursiveLock {
	lck_mtx_t mutex;
	_Atomic uint64_t owner; /* thread_self_id() */
	uint32_t depth;         /* of the owner, and touched by it only */
};

KPI_EXPORT IORecursiveLock *
IORecursiveLockAlloc(void)
{
	IORecursiveLock *lock = calloc(1, sizeof(*lock));

	if (lock != NULL)
		lck_mtx_init(&lock->mutex, &iolock_group, LCK_ATTR_NULL);
	return lock;
}

KPI_EXPORT void
IORecursiveLockFree(IORecursiveLock *lock)
{
	if (lock == NULL)
		return;
	lck_mtx_destroy(&lock->mutex, &iolock_group);
	free(lock);
}

KPI_EXPORT lck_mtx_t *
IORecursiveLockGetMachLock(IORecursiveLock *lock)
{
	return &lock->mutex;
}

KPI_EXPORT boolean_t
IORecursiveLockHaveLock(const IORecursiveLock *lock)
{
	return atomic_load_explicit(&((IORecursiveLock *)(uintptr_t)lock)->owner,
				    memory_order_relaxed) == thread_self_id();
}

KPI_EXPORT void
IORecursiveLockLock(IORecursiveLock *lock)
{
	if (!IORecursiveLockHaveLock(lock)) {
		mutex_lock_from(&lock->mutex, CALLED_FROM);
		atomic_store_explicit(&lock->owner, thread_self_id(), memory_order_relaxed);
	}
	lock->depth++;
}

KPI_EXPORT boolean_t
IORecursiveLockTryLock(IORecursiveLock *lock)
{
	if (!IORecursiveLockHaveLock(lock)) {
		if (!mutex_try_lock_from(&lock->mutex, CALLED_FROM))
			return FALSE;
		atomic_store_explicit(&lock->owner, thread_self_id(), memory_order_relaxed);
	}
	lock->depth++;
	return TRUE;
}

static void
recursive_check_own(IORecursiveLock *lock, const char *call, const void *caller)
{
	if (!IORecursiveLockHaveLock(lock))
		panic("%s: lock %p is not held by this thread; called from %s", call, (void *)lock,
		      place_of(caller).text);
}

KPI_EXPORT void
IORecursiveLockUnlock(IORecursiveLock *lock)
{
	recursive_check_own(lock, "IORecursiveLockUnlock", CALLED_FROM);
	if (--lock->depth > 0)
		return;
	atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
	mutex_unlock_from(&lock->mutex, CALLED_FROM);
}

static int
recursive_sleep(IORecursiveLock *lock, void *event, UInt32 type, uint64_t deadline,
		const void *caller)
{
	recursive_check_own(lock, "IORecursiveLockSleep", caller);
	uint32_t depth = lock->depth;

	lock->depth = 0;
	atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
	int result = mutex_sleep_from(&lock->mutex, LCK_SLEEP_DEFAULT, event,
				      (wait_interrupt_t)type, deadline, caller);
	atomic_store_explicit(&lock->owner, thread_self_id(), memory_order_relaxed);
	lock->depth = depth;
	return result;
}

KPI_EXPORT int
IORecursiveLockSleep(IORecursiveLock *lock, void *event, UInt32 interType)
{
	return recursive_sleep(lock, event, interType, 0, CALLED_FROM);
}

KPI_EXPORT int
IORecursiveLockSleepDeadline(IORecursiveLock *lock, void *event, AbsoluteTime deadline,
			     UInt32 interType)
{
	return recursive_sleep(lock, event, interType, deadline, CALLED_FROM);
}

KPI_EXPORT void
IORecursiveLockWakeup(IORecursiveLock *lock, void *event, bool oneThread)
{
	(void)thread_wakeup_prim(event, oneThread, THREAD_AWAKENED);
}

/* ---- read-write locks -------------------------------------------------------------------- */

KPI_EXPORT IORWLock *
IORWLockAlloc(void)
{
	return lck_rw_alloc_init(&iolock_group, LCK_ATTR_NULL);
}

KPI_EXPORT void
IORWLockFree(IORWLock *lock)
{
	lck_rw_free(lock, &iolock_group);
}

KPI_EXPORT lck_rw_t *
IORWLockGetMachLock(IORWLock *lock)
{
	return lock;
}

KPI_EXPORT void
IORWLockRead(IORWLock *lock)
{
	lck_rw_lock_shared(lock);
}

KPI_EXPORT void
IORWLockWrite(IORWLock *lock)
{
	lck_rw_lock_exclusive(lock);
}

KPI_EXPORT void
IORWLockUnlock(IORWLock *lock)
{
	(void)lck_rw_done(lock);
}

/* ---- spin locks -------------------------------------------------------------------------- */

KPI_EXPORT void
IOSimpleLockInit(IOSimpleLock *lock)
{
	lck_spin_init(lock, &iolock_group, LCK_ATTR_NULL);
}

KPI_EXPORT IOSimpleLock *
IOSimpleLockAlloc(void)
{
	return lck_spin_alloc_init(&iolock_group, LCK_ATTR_NULL);
}

KPI_EXPORT void
IOSimpleLockDestroy(IOSimpleLock *lock)
{
	lck_spin_destroy(lock, &iolock_group);
}

KPI_EXPORT void
IOSimpleLockFree(IOSimpleLock *lock)
{
	lck_spin_free(lock, &iolock_group);
}

KPI_EXPORT lck_spin_t *
IOSimpleLockGetMachLock(IOSimpleLock *lock)
{
	return lock;
}

KPI_EXPORT void
IOSimpleLockLock(IOSimpleLock *lock)
{
	lck_spin_lock(lock);
}

KPI_EXPORT boolean_t
IOSimpleLockTryLock(IOSimpleLock *lock)
{
	return lck_spin_try_lock(lock);
}

KPI_EXPORT void
IOSimpleLockUnlock(IOSimpleLock *lock)
{
	lck_spin_unlock(lock);
}

KPI_EXPORT IOInterruptState
IOSimpleLockLockDisableInterrupt(IOSimpleLock *lock)
{
	lck_spin_lock(lock);
	return FALSE;
}

KPI_EXPORT void
IOSimpleLockUnlockEnableInterrupt(IOSimpleLock *lock, IOInterruptState state)
{
	lck_spin_unlock(lock);
}
