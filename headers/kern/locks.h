/*
 * Locks of kernel extensions: mutexes, read-write locks, spin locks, and their groups.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * A lock that was never initialised, or is destroyed, a mutex taken twice by one thread or
 * released by one that does not hold it, a lock freed while held: each is a panic that names
 * the lock's group and the places in the code.
 *
 * Source: kext.md §5.1.
 */
#ifndef BERTH_KERN_LOCKS_H
#define BERTH_KERN_LOCKS_H

#ifdef KERNEL

#include <stdint.h>

#include <kern/kern_types.h>
#include <mach/boolean.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- groups and attributes ------------------------------------------------------------- */

typedef unsigned int lck_sleep_action_t;
#define LCK_SLEEP_DEFAULT 0x00   /* take the lock again, as it was held */
#define LCK_SLEEP_UNLOCK 0x01    /* come back without it */
#define LCK_SLEEP_SHARED 0x02    /* read-write locks: take it shared */
#define LCK_SLEEP_EXCLUSIVE 0x04 /* read-write locks: take it exclusive */
#define LCK_SLEEP_SPIN 0x08      /* mutexes: take it as a spin lock would be */
#define LCK_SLEEP_PROMOTED_PRI 0x10
#define LCK_SLEEP_MASK 0x3f

#define LCK_GRP_NAME_MAX 64 /* bytes, with the NUL */

/* The contents of these is the host's; they are here so that locks can be static. */
typedef struct __lck_grp_attr__ {
	uint32_t lck_magic;
	uint32_t lck_flags;
} lck_grp_attr_t;

typedef struct __lck_attr__ {
	uint32_t lck_magic;
	uint32_t lck_flags;
} lck_attr_t;

typedef struct __lck_grp__ {
	uint32_t lck_magic;
	uint32_t lck_refs; /* 0: static, not counted */
	char lck_grp_name[LCK_GRP_NAME_MAX];
} lck_grp_t;

#define LCK_GRP_ATTR_NULL ((lck_grp_attr_t *)0)
#define LCK_ATTR_NULL ((lck_attr_t *)0)
#define LCK_GRP_NULL ((lck_grp_t *)0)

#define LCK_GRP_MAGIC_ 0x6c677270u
#define LCK_MTX_MAGIC_ 0x6c6d7478u
#define LCK_RW_MAGIC_ 0x6c727721u
#define LCK_SPIN_MAGIC_ 0x6c73706eu

/* Attributes change nothing here; NULL does wherever one is asked for.  NULL: no memory. */
lck_grp_attr_t *lck_grp_attr_alloc_init(void);
void lck_grp_attr_setdefault(lck_grp_attr_t *attr);
void lck_grp_attr_setstat(lck_grp_attr_t *attr);
void lck_grp_attr_free(lck_grp_attr_t *attr);

lck_attr_t *lck_attr_alloc_init(void);
void lck_attr_setdefault(lck_attr_t *attr);
void lck_attr_setdebug(lck_attr_t *attr);
void lck_attr_free(lck_attr_t *attr);

/* A group, named for people (cut to 63 bytes).  It lives on while locks are in it.  NULL: no
 * memory. */
lck_grp_t *lck_grp_alloc_init(const char *grp_name, lck_grp_attr_t *attr);
void lck_grp_init(lck_grp_t *grp, const char *grp_name, lck_grp_attr_t *attr);
void lck_grp_free(lck_grp_t *grp);

/* ---- mutexes: may sleep, not recursive ---------------------------------------------------- */

typedef struct __lck_mtx_t__ {
	uint32_t lck_magic;
	uint32_t lck_pad;
	lck_grp_t *lck_grp;
	uint64_t lck_opaque[10];
} lck_mtx_t;

/* NULL: no memory */
lck_mtx_t *lck_mtx_alloc_init(lck_grp_t *grp, lck_attr_t *attr);
void lck_mtx_init(lck_mtx_t *lck, lck_grp_t *grp, lck_attr_t *attr);
void lck_mtx_destroy(lck_mtx_t *lck, lck_grp_t *grp);
void lck_mtx_free(lck_mtx_t *lck, lck_grp_t *grp);

void lck_mtx_lock(lck_mtx_t *lck);
void lck_mtx_unlock(lck_mtx_t *lck);
/* TRUE: taken.  FALSE: somebody holds it, perhaps this thread. */
boolean_t lck_mtx_try_lock(lck_mtx_t *lck);
/* The same here: a mutex that is held for long lets its waiters sleep. */
void lck_mtx_lock_spin(lck_mtx_t *lck);
void lck_mtx_lock_spin_always(lck_mtx_t *lck);
boolean_t lck_mtx_try_lock_spin(lck_mtx_t *lck);
boolean_t lck_mtx_try_lock_spin_always(lck_mtx_t *lck);
void lck_mtx_convert_spin(lck_mtx_t *lck);

/*
 * Wait for @event with @lck, which the caller holds, dropped.  A wake-up that comes after the
 * mutex was dropped is not lost.  @lck_sleep_action: LCK_SLEEP_*; @deadline: in the units of
 * mach_absolute_time(), 0: none.
 *
 * THREAD_AWAKENED, THREAD_TIMED_OUT, THREAD_INTERRUPTED (@interruptible only), or what the
 * waker gave.
 */
wait_result_t lck_mtx_sleep(lck_mtx_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
			    wait_interrupt_t interruptible);
wait_result_t lck_mtx_sleep_deadline(lck_mtx_t *lck, lck_sleep_action_t lck_sleep_action,
				     event_t event, wait_interrupt_t interruptible,
				     uint64_t deadline);

#define LCK_ASSERT_OWNED 1
#define LCK_ASSERT_NOTOWNED 2
#define LCK_MTX_ASSERT_OWNED LCK_ASSERT_OWNED
#define LCK_MTX_ASSERT_NOTOWNED LCK_ASSERT_NOTOWNED
/* Panics if it is not so. */
void lck_mtx_assert(lck_mtx_t *lck, unsigned int type);
#define LCK_MTX_ASSERT(lck, type) lck_mtx_assert((lck), (type))

/* ---- read-write locks -------------------------------------------------------------------- */

typedef unsigned int lck_rw_type_t;
#define LCK_RW_TYPE_SHARED 0x01
#define LCK_RW_TYPE_EXCLUSIVE 0x02

typedef struct __lck_rw_t__ {
	uint32_t lck_magic;
	uint32_t lck_pad;
	lck_grp_t *lck_grp;
	uint64_t lck_opaque[30];
} lck_rw_t;

/* NULL: no memory */
lck_rw_t *lck_rw_alloc_init(lck_grp_t *grp, lck_attr_t *attr);
void lck_rw_init(lck_rw_t *lck, lck_grp_t *grp, lck_attr_t *attr);
void lck_rw_destroy(lck_rw_t *lck, lck_grp_t *grp);
void lck_rw_free(lck_rw_t *lck, lck_grp_t *grp);

void lck_rw_lock(lck_rw_t *lck, lck_rw_type_t lck_rw_type);
void lck_rw_unlock(lck_rw_t *lck, lck_rw_type_t lck_rw_type);
void lck_rw_lock_shared(lck_rw_t *lck);
void lck_rw_unlock_shared(lck_rw_t *lck);
void lck_rw_lock_exclusive(lck_rw_t *lck);
void lck_rw_unlock_exclusive(lck_rw_t *lck);
boolean_t lck_rw_try_lock(lck_rw_t *lck, lck_rw_type_t lck_rw_type);
boolean_t lck_rw_try_lock_shared(lck_rw_t *lck);
boolean_t lck_rw_try_lock_exclusive(lck_rw_t *lck);
/*
 * Shared to exclusive, waiting for the other readers to go; writers do not get in between.
 *
 * TRUE: held exclusive.  FALSE: another reader was first, and *the lock is no longer held*.
 */
boolean_t lck_rw_lock_shared_to_exclusive(lck_rw_t *lck);
/* Cannot fail. */
void lck_rw_lock_exclusive_to_shared(lck_rw_t *lck);
/* Release it however it is held, and say how it was. */
lck_rw_type_t lck_rw_done(lck_rw_t *lck);
/* As lck_mtx_sleep(). */
wait_result_t lck_rw_sleep(lck_rw_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
			   wait_interrupt_t interruptible);
wait_result_t lck_rw_sleep_deadline(lck_rw_t *lck, lck_sleep_action_t lck_sleep_action,
				    event_t event, wait_interrupt_t interruptible,
				    uint64_t deadline);

#define LCK_RW_ASSERT_SHARED 0x01
#define LCK_RW_ASSERT_EXCLUSIVE 0x02
#define LCK_RW_ASSERT_HELD 0x03
#define LCK_RW_ASSERT_NOTHELD 0x04
/* Panics if it is not so.  Who holds it shared is not known: somebody does. */
void lck_rw_assert(lck_rw_t *lck, unsigned int type);
#define LCK_RW_ASSERT(lck, type) lck_rw_assert((lck), (type))

/* ---- spin locks: whoever holds one does not sleep ------------------------------------------- */

typedef struct __lck_spin_t__ {
	uint32_t lck_magic;
	uint32_t lck_pad;
	lck_grp_t *lck_grp;
	uint64_t lck_opaque[10];
} lck_spin_t;

/* NULL: no memory */
lck_spin_t *lck_spin_alloc_init(lck_grp_t *grp, lck_attr_t *attr);
void lck_spin_init(lck_spin_t *lck, lck_grp_t *grp, lck_attr_t *attr);
void lck_spin_destroy(lck_spin_t *lck, lck_grp_t *grp);
void lck_spin_free(lck_spin_t *lck, lck_grp_t *grp);
void lck_spin_lock(lck_spin_t *lck);
void lck_spin_unlock(lck_spin_t *lck);
boolean_t lck_spin_try_lock(lck_spin_t *lck);
wait_result_t lck_spin_sleep(lck_spin_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
			     wait_interrupt_t interruptible);
wait_result_t lck_spin_sleep_deadline(lck_spin_t *lck, lck_sleep_action_t lck_sleep_action,
				      event_t event, wait_interrupt_t interruptible,
				      uint64_t deadline);
void lck_spin_assert(lck_spin_t *lck, unsigned int type);
#define LCK_SPIN_ASSERT(lck, type) lck_spin_assert((lck), (type))

/* ---- static ones: `static LCK_GRP_DECLARE(group, "name"); LCK_MTX_DECLARE(lock, &group);` --- */

#define LCK_GRP_DECLARE(var, name) lck_grp_t var = { LCK_GRP_MAGIC_, 0, name }
#define LCK_GRP_DECLARE_ATTR(var, name, attr) LCK_GRP_DECLARE(var, name)
#define LCK_ATTR_DECLARE(var, set_flags, clear_flags) lck_attr_t var = { 0, 0 }
#define LCK_MTX_DECLARE(var, grp) lck_mtx_t var = { LCK_MTX_MAGIC_, 0, (grp), { 0 } }
#define LCK_MTX_DECLARE_ATTR(var, grp, attr) LCK_MTX_DECLARE(var, grp)
#define LCK_RW_DECLARE(var, grp) lck_rw_t var = { LCK_RW_MAGIC_, 0, (grp), { 0 } }
#define LCK_RW_DECLARE_ATTR(var, grp, attr) LCK_RW_DECLARE(var, grp)
#define LCK_SPIN_DECLARE(var, grp) lck_spin_t var = { LCK_SPIN_MAGIC_, 0, (grp), { 0 } }
#define LCK_SPIN_DECLARE_ATTR(var, grp, attr) LCK_SPIN_DECLARE(var, grp)

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
