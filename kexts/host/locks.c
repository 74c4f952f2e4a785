/*
 * Groups, mutexes and spin locks.
 *
 * Both kinds of lock are a POSIX mutex with an owner.  A spin lock is one as well: the host is
 * an ordinary process, and whoever spins there would spin against a thread that does not run.
 * What may not be done while one is held is checked all the same.
 */
#include "kexts/host/locks.h"

#include "kexts/host/panic.h"
#include "kexts/host/sleep.h"

#include <kern/debug.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEAD_MAGIC 0x64656164u
#define ATTR_MAGIC 0x61747472u

struct mutex {
	uint32_t magic, pad;
	lck_grp_t *group;
	pthread_mutex_t lock;
	_Atomic uint64_t owner;
	_Atomic(const void *) place; /* where it was taken */
};

_Static_assert(sizeof(struct mutex) <= sizeof(lck_mtx_t), "a mutex fits into the public one");
_Static_assert(sizeof(struct mutex) <= sizeof(lck_spin_t), "and into a spin lock");
_Static_assert(offsetof(struct mutex, group) == offsetof(lck_mtx_t, lck_grp), "as headers say");

static __thread uint32_t spins_held;

/* ---- attributes and groups ---------------------------------------------------------- */

KPI_EXPORT lck_grp_attr_t *
lck_grp_attr_alloc_init(void)
{
	lck_grp_attr_t *attr = calloc(1, sizeof(*attr));

	if (attr != NULL)
		attr->lck_magic = ATTR_MAGIC;
	return attr;
}

KPI_EXPORT void
lck_grp_attr_setdefault(lck_grp_attr_t *attr)
{
	attr->lck_flags = 0;
}

KPI_EXPORT void
lck_grp_attr_setstat(lck_grp_attr_t *attr)
{
	attr->lck_flags |= 1;
}

KPI_EXPORT void
lck_grp_attr_free(lck_grp_attr_t *attr)
{
	free(attr);
}

KPI_EXPORT lck_attr_t *
lck_attr_alloc_init(void)
{
	lck_attr_t *attr = calloc(1, sizeof(*attr));

	if (attr != NULL)
		attr->lck_magic = ATTR_MAGIC;
	return attr;
}

KPI_EXPORT void
lck_attr_setdefault(lck_attr_t *attr)
{
	attr->lck_flags = 0;
}

KPI_EXPORT void
lck_attr_setdebug(lck_attr_t *attr)
{
	attr->lck_flags |= 1;
}

KPI_EXPORT void
lck_attr_free(lck_attr_t *attr)
{
	free(attr);
}

KPI_EXPORT void
lck_grp_init(lck_grp_t *grp, const char *grp_name, lck_grp_attr_t *attr)
{
	memset(grp, 0, sizeof(*grp));
	grp->lck_magic = LCK_GRP_MAGIC_;
	snprintf(grp->lck_grp_name, sizeof(grp->lck_grp_name), "%s",
		 grp_name != NULL ? grp_name : "");
}

KPI_EXPORT lck_grp_t *
lck_grp_alloc_init(const char *grp_name, lck_grp_attr_t *attr)
{
	lck_grp_t *grp = malloc(sizeof(*grp));

	if (grp == NULL)
		return NULL;
	lck_grp_init(grp, grp_name, attr);
	grp->lck_refs = 1;
	return grp;
}

static bool
group_is_counted(const lck_grp_t *group)
{
	return group != NULL && group->lck_magic == LCK_GRP_MAGIC_ &&
	       __atomic_load_n(&group->lck_refs, __ATOMIC_RELAXED) > 0;
}

lck_grp_t *
group_ref(lck_grp_t *group)
{
	if (group_is_counted(group))
		__atomic_add_fetch(&group->lck_refs, 1, __ATOMIC_RELAXED);
	return group;
}

void
group_unref(lck_grp_t *group)
{
	if (!group_is_counted(group))
		return;
	if (__atomic_sub_fetch(&group->lck_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	group->lck_magic = DEAD_MAGIC;
	free(group);
}

KPI_EXPORT void
lck_grp_free(lck_grp_t *grp)
{
	if (grp == NULL)
		return;
	if (!group_is_counted(grp))
		panic("lck_grp_free: %p is not from lck_grp_alloc_init(); called from %s",
		      (void *)grp, place_of(CALLED_FROM).text);
	group_unref(grp);
}

const char *
group_name(const lck_grp_t *group)
{
	return group != NULL && group->lck_magic == LCK_GRP_MAGIC_ ? group->lck_grp_name : "?";
}

/* ---- both kinds -------------------------------------------------------------------------- */

void
lock_check(const char *call, const void *lock, uint32_t magic, uint32_t expected,
	   const void *caller)
{
	if (__builtin_expect(magic == expected, 1))
		return;
	panic("%s: %p is no such lock: %s; called from %s", call, lock,
	      magic == DEAD_MAGIC ? "it was destroyed" : "it was not initialised, or overwritten",
	      place_of(caller).text);
}

void
spin_check_none_held(const char *does)
{
	if (spins_held > 0)
		panic("a thread that holds %u spin lock(s) %s", spins_held, does);
}

static void
mutex_init(struct mutex *mutex, uint32_t magic, lck_grp_t *group)
{
	memset(mutex, 0, sizeof(*mutex));
	mutex->magic = magic;
	mutex->group = group_ref(group);
	pthread_mutex_init(&mutex->lock, NULL);
}

static bool
mutex_is_own(struct mutex *mutex)
{
	return atomic_load_explicit(&mutex->owner, memory_order_relaxed) == thread_self_id();
}

static void
mutex_taken(struct mutex *mutex, const void *caller)
{
	atomic_store_explicit(&mutex->owner, thread_self_id(), memory_order_relaxed);
	atomic_store_explicit(&mutex->place, caller, memory_order_relaxed);
}

static void
mutex_lock(struct mutex *mutex, const char *call, const void *caller)
{
	if (__builtin_expect(mutex_is_own(mutex), 0))
		panic("%s: lock %p of group \"%s\" is held by this thread already: taken in %s, "
		      "again in %s",
		      call, (void *)mutex, group_name(mutex->group),
		      place_of(atomic_load(&mutex->place)).text, place_of(caller).text);
	pthread_mutex_lock(&mutex->lock);
	mutex_taken(mutex, caller);
}

static bool
mutex_try_lock(struct mutex *mutex, const void *caller)
{
	/* POSIX leaves open what a second try of the owner does */
	if (mutex_is_own(mutex) || pthread_mutex_trylock(&mutex->lock) != 0)
		return false;
	mutex_taken(mutex, caller);
	return true;
}

static void
mutex_unlock(struct mutex *mutex, const char *call, const void *caller)
{
	if (__builtin_expect(!mutex_is_own(mutex), 0))
		panic("%s: lock %p of group \"%s\" is not held by this thread but by %s; called "
		      "from %s",
		      call, (void *)mutex, group_name(mutex->group),
		      atomic_load(&mutex->owner) != 0 ? "another" : "nobody",
		      place_of(caller).text);
	atomic_store_explicit(&mutex->owner, 0, memory_order_relaxed);
	pthread_mutex_unlock(&mutex->lock);
}

static void
mutex_destroy(struct mutex *mutex, const char *call, const void *caller)
{
	if (atomic_load(&mutex->owner) != 0)
		panic("%s: lock %p of group \"%s\" is held, taken in %s; called from %s", call,
		      (void *)mutex, group_name(mutex->group),
		      place_of(atomic_load(&mutex->place)).text, place_of(caller).text);
	pthread_mutex_destroy(&mutex->lock);
	mutex->magic = DEAD_MAGIC;
	group_unref(mutex->group);
}

static void
mutex_assert(struct mutex *mutex, unsigned int type, const char *call, const void *caller)
{
	bool own = mutex_is_own(mutex);

	if (type != LCK_ASSERT_OWNED && type != LCK_ASSERT_NOTOWNED)
		panic("%s: there is no assertion %u; called from %s", call, type,
		      place_of(caller).text);
	if (own != (type == LCK_ASSERT_OWNED))
		panic("%s: lock %p of group \"%s\" is %s this thread; called from %s", call,
		      (void *)mutex, group_name(mutex->group), own ? "held by" : "not held by",
		      place_of(caller).text);
}

/* ---- mutexes --------------------------------------------------------------------------- */

static struct mutex *
mutex_of(lck_mtx_t *lck, const char *call, const void *caller)
{
	lock_check(call, lck, lck != NULL ? lck->lck_magic : 0, LCK_MTX_MAGIC_, caller);
	return (struct mutex *)(void *)lck;
}

KPI_EXPORT void
lck_mtx_init(lck_mtx_t *lck, lck_grp_t *grp, lck_attr_t *attr)
{
	mutex_init((struct mutex *)(void *)lck, LCK_MTX_MAGIC_, grp);
}

KPI_EXPORT lck_mtx_t *
lck_mtx_alloc_init(lck_grp_t *grp, lck_attr_t *attr)
{
	lck_mtx_t *lck = malloc(sizeof(*lck));

	if (lck != NULL)
		lck_mtx_init(lck, grp, attr);
	return lck;
}

KPI_EXPORT void
lck_mtx_destroy(lck_mtx_t *lck, lck_grp_t *grp)
{
	mutex_destroy(mutex_of(lck, "lck_mtx_destroy", CALLED_FROM), "lck_mtx_destroy",
		      CALLED_FROM);
}

KPI_EXPORT void
lck_mtx_free(lck_mtx_t *lck, lck_grp_t *grp)
{
	if (lck == NULL)
		return;
	mutex_destroy(mutex_of(lck, "lck_mtx_free", CALLED_FROM), "lck_mtx_free", CALLED_FROM);
	free(lck);
}

void
mutex_lock_from(lck_mtx_t *lck, const void *caller)
{
	mutex_lock(mutex_of(lck, "lck_mtx_lock", caller), "lck_mtx_lock", caller);
}

void
mutex_unlock_from(lck_mtx_t *lck, const void *caller)
{
	mutex_unlock(mutex_of(lck, "lck_mtx_unlock", caller), "lck_mtx_unlock", caller);
}

boolean_t
mutex_try_lock_from(lck_mtx_t *lck, const void *caller)
{
	return mutex_try_lock(mutex_of(lck, "lck_mtx_try_lock", caller), caller);
}

KPI_EXPORT void
lck_mtx_lock(lck_mtx_t *lck)
{
	mutex_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT void
lck_mtx_unlock(lck_mtx_t *lck)
{
	mutex_unlock_from(lck, CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_mtx_try_lock(lck_mtx_t *lck)
{
	return mutex_try_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT void
lck_mtx_lock_spin(lck_mtx_t *lck)
{
	mutex_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT void
lck_mtx_lock_spin_always(lck_mtx_t *lck)
{
	mutex_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_mtx_try_lock_spin(lck_mtx_t *lck)
{
	return mutex_try_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_mtx_try_lock_spin_always(lck_mtx_t *lck)
{
	return mutex_try_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT void
lck_mtx_convert_spin(lck_mtx_t *lck)
{
	mutex_assert(mutex_of(lck, "lck_mtx_convert_spin", CALLED_FROM), LCK_ASSERT_OWNED,
		     "lck_mtx_convert_spin", CALLED_FROM);
}

KPI_EXPORT void
lck_mtx_assert(lck_mtx_t *lck, unsigned int type)
{
	mutex_assert(mutex_of(lck, "lck_mtx_assert", CALLED_FROM), type, "lck_mtx_assert",
		     CALLED_FROM);
}

wait_result_t
mutex_sleep_from(lck_mtx_t *lck, lck_sleep_action_t action, event_t event,
		 wait_interrupt_t interruptible, uint64_t deadline, const void *caller)
{
	if ((action & ~LCK_SLEEP_MASK) != 0)
		panic("lck_mtx_sleep: there is no action %#x; called from %s", action,
		      place_of(caller).text);
	(void)sleep_begin(event, interruptible != THREAD_UNINT, deadline);
	mutex_unlock_from(lck, caller);
	wait_result_t result = sleep_finish();
	if ((action & LCK_SLEEP_UNLOCK) == 0)
		mutex_lock_from(lck, caller);
	return result;
}

KPI_EXPORT wait_result_t
lck_mtx_sleep(lck_mtx_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
	      wait_interrupt_t interruptible)
{
	return mutex_sleep_from(lck, lck_sleep_action, event, interruptible, 0, CALLED_FROM);
}

KPI_EXPORT wait_result_t
lck_mtx_sleep_deadline(lck_mtx_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
		       wait_interrupt_t interruptible, uint64_t deadline)
{
	return mutex_sleep_from(lck, lck_sleep_action, event, interruptible, deadline, CALLED_FROM);
}

/* ---- spin locks -------------------------------------------------------------------------- */

static struct mutex *
spin_of(lck_spin_t *lck, const char *call, const void *caller)
{
	lock_check(call, lck, lck != NULL ? lck->lck_magic : 0, LCK_SPIN_MAGIC_, caller);
	return (struct mutex *)(void *)lck;
}

KPI_EXPORT void
lck_spin_init(lck_spin_t *lck, lck_grp_t *grp, lck_attr_t *attr)
{
	mutex_init((struct mutex *)(void *)lck, LCK_SPIN_MAGIC_, grp);
}

KPI_EXPORT lck_spin_t *
lck_spin_alloc_init(lck_grp_t *grp, lck_attr_t *attr)
{
	lck_spin_t *lck = malloc(sizeof(*lck));

	if (lck != NULL)
		lck_spin_init(lck, grp, attr);
	return lck;
}

KPI_EXPORT void
lck_spin_destroy(lck_spin_t *lck, lck_grp_t *grp)
{
	mutex_destroy(spin_of(lck, "lck_spin_destroy", CALLED_FROM), "lck_spin_destroy",
		      CALLED_FROM);
}

KPI_EXPORT void
lck_spin_free(lck_spin_t *lck, lck_grp_t *grp)
{
	if (lck == NULL)
		return;
	mutex_destroy(spin_of(lck, "lck_spin_free", CALLED_FROM), "lck_spin_free", CALLED_FROM);
	free(lck);
}

static void
spin_lock_from(lck_spin_t *lck, const void *caller)
{
	mutex_lock(spin_of(lck, "lck_spin_lock", caller), "lck_spin_lock", caller);
	spins_held++;
}

static void
spin_unlock_from(lck_spin_t *lck, const void *caller)
{
	mutex_unlock(spin_of(lck, "lck_spin_unlock", caller), "lck_spin_unlock", caller);
	spins_held--;
}

KPI_EXPORT void
lck_spin_lock(lck_spin_t *lck)
{
	spin_lock_from(lck, CALLED_FROM);
}

KPI_EXPORT void
lck_spin_unlock(lck_spin_t *lck)
{
	spin_unlock_from(lck, CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_spin_try_lock(lck_spin_t *lck)
{
	bool taken = mutex_try_lock(spin_of(lck, "lck_spin_try_lock", CALLED_FROM), CALLED_FROM);

	spins_held += taken;
	return taken;
}

KPI_EXPORT void
lck_spin_assert(lck_spin_t *lck, unsigned int type)
{
	mutex_assert(spin_of(lck, "lck_spin_assert", CALLED_FROM), type, "lck_spin_assert",
		     CALLED_FROM);
}

static wait_result_t
spin_sleep_from(lck_spin_t *lck, lck_sleep_action_t action, event_t event,
		wait_interrupt_t interruptible, uint64_t deadline, const void *caller)
{
	(void)sleep_begin(event, interruptible != THREAD_UNINT, deadline);
	spin_unlock_from(lck, caller);
	wait_result_t result = sleep_finish();
	if ((action & LCK_SLEEP_UNLOCK) == 0)
		spin_lock_from(lck, caller);
	return result;
}

KPI_EXPORT wait_result_t
lck_spin_sleep(lck_spin_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
	       wait_interrupt_t interruptible)
{
	return spin_sleep_from(lck, lck_sleep_action, event, interruptible, 0, CALLED_FROM);
}

KPI_EXPORT wait_result_t
lck_spin_sleep_deadline(lck_spin_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
			wait_interrupt_t interruptible, uint64_t deadline)
{
	return spin_sleep_from(lck, lck_sleep_action, event, interruptible, deadline, CALLED_FROM);
}
