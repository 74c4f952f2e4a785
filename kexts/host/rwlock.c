/*
 * Read-write locks.
 *
 *   free ──► shared by n ──► exclusive      shared → exclusive: `upgrading` while it waits for
 *     ▲──────────┴──────────────┘           the other readers to go; nobody gets in before it
 *
 * A writer that waits keeps new readers out, so that it comes to its turn; when one lets go,
 * those readers that wait at that moment have a turn first (`reader_turns`).  Who reads is
 * counted, not known; who writes is known.
 */
#include "kexts/host/locks.h"

#include "kexts/host/panic.h"
#include "kexts/host/sleep.h"

#include <kern/debug.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEAD_MAGIC 0x64656164u

struct rwlock {
	uint32_t magic, pad;
	lck_grp_t *group;
	pthread_mutex_t guard;  /* guards what follows, and is held for moments only */
	pthread_cond_t changed; /* for readers and writers that wait */
	pthread_cond_t alone;   /* for the one that upgrades */
	uint32_t readers, readers_waiting, reader_turns, writers_waiting;
	bool upgrading;
	_Atomic uint64_t owner; /* thread_self_id() of the writer */
	const void *place;      /* where it took the lock */
};

_Static_assert(sizeof(struct rwlock) <= sizeof(lck_rw_t), "it fits into the public one");

static struct rwlock *
rw_of(lck_rw_t *lck, const char *call, const void *caller)
{
	lock_check(call, lck, lck != NULL ? lck->lck_magic : 0, LCK_RW_MAGIC_, caller);
	return (struct rwlock *)(void *)lck;
}

static bool
rw_is_own(struct rwlock *rw)
{
	return atomic_load_explicit(&rw->owner, memory_order_relaxed) == thread_self_id();
}

__attribute__((noreturn, cold)) static void
rw_panic(struct rwlock *rw, const char *call, const char *what, const void *caller)
{
	panic("%s: lock %p of group \"%s\" %s; called from %s", call, (void *)rw,
	      group_name(rw->group), what, place_of(caller).text);
}

/* ---- its life -------------------------------------------------------------------------- */

KPI_EXPORT void
lck_rw_init(lck_rw_t *lck, lck_grp_t *grp, lck_attr_t *attr)
{
	struct rwlock *rw = (struct rwlock *)(void *)lck;

	memset(rw, 0, sizeof(*rw));
	rw->magic = LCK_RW_MAGIC_;
	rw->group = group_ref(grp);
	pthread_mutex_init(&rw->guard, NULL);
	pthread_cond_init(&rw->changed, NULL);
	pthread_cond_init(&rw->alone, NULL);
}

KPI_EXPORT lck_rw_t *
lck_rw_alloc_init(lck_grp_t *grp, lck_attr_t *attr)
{
	lck_rw_t *lck = malloc(sizeof(*lck));

	if (lck != NULL)
		lck_rw_init(lck, grp, attr);
	return lck;
}

static void
rw_destroy(struct rwlock *rw, const char *call, const void *caller)
{
	pthread_mutex_lock(&rw->guard);
	bool held = rw->readers > 0 || atomic_load(&rw->owner) != 0;
	pthread_mutex_unlock(&rw->guard);
	if (held)
		rw_panic(rw, call, "is held", caller);
	pthread_cond_destroy(&rw->changed);
	pthread_cond_destroy(&rw->alone);
	pthread_mutex_destroy(&rw->guard);
	rw->magic = DEAD_MAGIC;
	group_unref(rw->group);
}

KPI_EXPORT void
lck_rw_destroy(lck_rw_t *lck, lck_grp_t *grp)
{
	rw_destroy(rw_of(lck, "lck_rw_destroy", CALLED_FROM), "lck_rw_destroy", CALLED_FROM);
}

KPI_EXPORT void
lck_rw_free(lck_rw_t *lck, lck_grp_t *grp)
{
	if (lck == NULL)
		return;
	rw_destroy(rw_of(lck, "lck_rw_free", CALLED_FROM), "lck_rw_free", CALLED_FROM);
	free(lck);
}

/* ---- taking ------------------------------------------------------------------------------ */

static bool
may_read_locked(const struct rwlock *rw)
{
	return rw->owner == 0 && !rw->upgrading &&
	       (rw->writers_waiting == 0 || rw->reader_turns > 0);
}

static bool
may_write_locked(const struct rwlock *rw)
{
	return rw->owner == 0 && !rw->upgrading && rw->readers == 0 && rw->reader_turns == 0;
}

static void
reader_enter_locked(struct rwlock *rw)
{
	if (rw->reader_turns > 0)
		rw->reader_turns--;
	rw->readers++;
}

static void
rw_lock_shared(struct rwlock *rw, const char *call, const void *caller)
{
	if (rw_is_own(rw))
		rw_panic(rw, call, "is held exclusive by this thread", caller);
	pthread_mutex_lock(&rw->guard);
	if (!may_read_locked(rw)) {
		rw->readers_waiting++;
		do {
			pthread_cond_wait(&rw->changed, &rw->guard);
		} while (!may_read_locked(rw));
		rw->readers_waiting--;
	}
	reader_enter_locked(rw);
	pthread_mutex_unlock(&rw->guard);
}

static void
rw_lock_exclusive(struct rwlock *rw, const char *call, const void *caller)
{
	if (rw_is_own(rw))
		rw_panic(rw, call, "is held exclusive by this thread already", caller);
	pthread_mutex_lock(&rw->guard);
	rw->writers_waiting++;
	while (!may_write_locked(rw))
		pthread_cond_wait(&rw->changed, &rw->guard);
	rw->writers_waiting--;
	atomic_store_explicit(&rw->owner, thread_self_id(), memory_order_relaxed);
	rw->place = caller;
	pthread_mutex_unlock(&rw->guard);
}

static bool
rw_try_lock(struct rwlock *rw, lck_rw_type_t type, const void *caller)
{
	bool taken = false;

	pthread_mutex_lock(&rw->guard);
	if (type == LCK_RW_TYPE_SHARED && may_read_locked(rw)) {
		reader_enter_locked(rw);
		taken = true;
	} else if (type == LCK_RW_TYPE_EXCLUSIVE && may_write_locked(rw)) {
		atomic_store_explicit(&rw->owner, thread_self_id(), memory_order_relaxed);
		rw->place = caller;
		taken = true;
	}
	pthread_mutex_unlock(&rw->guard);
	return taken;
}

/* ---- letting go -------------------------------------------------------------------------- */

static void
reader_leave_locked(struct rwlock *rw)
{
	rw->readers--;
	if (rw->upgrading && rw->readers == 1)
		pthread_cond_signal(&rw->alone);
	else if (rw->readers == 0)
		pthread_cond_broadcast(&rw->changed);
}

static void
rw_unlock_shared(struct rwlock *rw, const char *call, const void *caller)
{
	pthread_mutex_lock(&rw->guard);
	if (rw->readers == 0)
		rw_panic(rw, call, "is not held shared", caller);
	reader_leave_locked(rw);
	pthread_mutex_unlock(&rw->guard);
}

static void
rw_unlock_exclusive(struct rwlock *rw, const char *call, const void *caller)
{
	if (!rw_is_own(rw))
		rw_panic(rw, call, "is not held exclusive by this thread", caller);
	pthread_mutex_lock(&rw->guard);
	atomic_store_explicit(&rw->owner, 0, memory_order_relaxed);
	rw->reader_turns = rw->readers_waiting;
	pthread_cond_broadcast(&rw->changed);
	pthread_mutex_unlock(&rw->guard);
}

static lck_rw_type_t
rw_done(struct rwlock *rw, const char *call, const void *caller)
{
	if (rw_is_own(rw)) {
		rw_unlock_exclusive(rw, call, caller);
		return LCK_RW_TYPE_EXCLUSIVE;
	}
	rw_unlock_shared(rw, call, caller);
	return LCK_RW_TYPE_SHARED;
}

/* ---- what kexts call --------------------------------------------------------------------- */

__attribute__((noreturn, cold)) static void
bad_type(const char *call, unsigned int type, const void *caller)
{
	panic("%s: there is no type %u; called from %s", call, type, place_of(caller).text);
}

KPI_EXPORT void
lck_rw_lock(lck_rw_t *lck, lck_rw_type_t lck_rw_type)
{
	struct rwlock *rw = rw_of(lck, "lck_rw_lock", CALLED_FROM);

	if (lck_rw_type == LCK_RW_TYPE_SHARED)
		rw_lock_shared(rw, "lck_rw_lock", CALLED_FROM);
	else if (lck_rw_type == LCK_RW_TYPE_EXCLUSIVE)
		rw_lock_exclusive(rw, "lck_rw_lock", CALLED_FROM);
	else
		bad_type("lck_rw_lock", lck_rw_type, CALLED_FROM);
}

KPI_EXPORT void
lck_rw_unlock(lck_rw_t *lck, lck_rw_type_t lck_rw_type)
{
	struct rwlock *rw = rw_of(lck, "lck_rw_unlock", CALLED_FROM);

	if (lck_rw_type == LCK_RW_TYPE_SHARED)
		rw_unlock_shared(rw, "lck_rw_unlock", CALLED_FROM);
	else if (lck_rw_type == LCK_RW_TYPE_EXCLUSIVE)
		rw_unlock_exclusive(rw, "lck_rw_unlock", CALLED_FROM);
	else
		bad_type("lck_rw_unlock", lck_rw_type, CALLED_FROM);
}

KPI_EXPORT void
lck_rw_lock_shared(lck_rw_t *lck)
{
	rw_lock_shared(rw_of(lck, "lck_rw_lock_shared", CALLED_FROM), "lck_rw_lock_shared",
		       CALLED_FROM);
}

KPI_EXPORT void
lck_rw_unlock_shared(lck_rw_t *lck)
{
	rw_unlock_shared(rw_of(lck, "lck_rw_unlock_shared", CALLED_FROM), "lck_rw_unlock_shared",
			 CALLED_FROM);
}

KPI_EXPORT void
lck_rw_lock_exclusive(lck_rw_t *lck)
{
	rw_lock_exclusive(rw_of(lck, "lck_rw_lock_exclusive", CALLED_FROM), "lck_rw_lock_exclusive",
			  CALLED_FROM);
}

KPI_EXPORT void
lck_rw_unlock_exclusive(lck_rw_t *lck)
{
	rw_unlock_exclusive(rw_of(lck, "lck_rw_unlock_exclusive", CALLED_FROM),
			    "lck_rw_unlock_exclusive", CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_rw_try_lock(lck_rw_t *lck, lck_rw_type_t lck_rw_type)
{
	struct rwlock *rw = rw_of(lck, "lck_rw_try_lock", CALLED_FROM);

	if (lck_rw_type != LCK_RW_TYPE_SHARED && lck_rw_type != LCK_RW_TYPE_EXCLUSIVE)
		bad_type("lck_rw_try_lock", lck_rw_type, CALLED_FROM);
	return rw_try_lock(rw, lck_rw_type, CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_rw_try_lock_shared(lck_rw_t *lck)
{
	return rw_try_lock(rw_of(lck, "lck_rw_try_lock_shared", CALLED_FROM), LCK_RW_TYPE_SHARED,
			   CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_rw_try_lock_exclusive(lck_rw_t *lck)
{
	return rw_try_lock(rw_of(lck, "lck_rw_try_lock_exclusive", CALLED_FROM),
			   LCK_RW_TYPE_EXCLUSIVE, CALLED_FROM);
}

KPI_EXPORT boolean_t
lck_rw_lock_shared_to_exclusive(lck_rw_t *lck)
{
	static const char call[] = "lck_rw_lock_shared_to_exclusive";
	struct rwlock *rw = rw_of(lck, call, CALLED_FROM);
	bool first;

	pthread_mutex_lock(&rw->guard);
	if (rw->readers == 0)
		rw_panic(rw, call, "is not held shared", CALLED_FROM);
	first = !rw->upgrading;
	if (first) {
		rw->upgrading = true;
		while (rw->readers > 1)
			pthread_cond_wait(&rw->alone, &rw->guard);
		rw->upgrading = false;
		rw->readers = 0;
		atomic_store_explicit(&rw->owner, thread_self_id(), memory_order_relaxed);
		rw->place = CALLED_FROM;
	} else {
		reader_leave_locked(rw); /* two would wait for each other */
	}
	pthread_mutex_unlock(&rw->guard);
	return first;
}

KPI_EXPORT void
lck_rw_lock_exclusive_to_shared(lck_rw_t *lck)
{
	static const char call[] = "lck_rw_lock_exclusive_to_shared";
	struct rwlock *rw = rw_of(lck, call, CALLED_FROM);

	if (!rw_is_own(rw))
		rw_panic(rw, call, "is not held exclusive by this thread", CALLED_FROM);
	pthread_mutex_lock(&rw->guard);
	atomic_store_explicit(&rw->owner, 0, memory_order_relaxed);
	rw->readers = 1;
	rw->reader_turns = rw->readers_waiting;
	pthread_cond_broadcast(&rw->changed);
	pthread_mutex_unlock(&rw->guard);
}

KPI_EXPORT lck_rw_type_t
lck_rw_done(lck_rw_t *lck)
{
	return rw_done(rw_of(lck, "lck_rw_done", CALLED_FROM), "lck_rw_done", CALLED_FROM);
}

KPI_EXPORT void
lck_rw_assert(lck_rw_t *lck, unsigned int type)
{
	static const char call[] = "lck_rw_assert";
	struct rwlock *rw = rw_of(lck, call, CALLED_FROM);
	bool own = rw_is_own(rw);

	pthread_mutex_lock(&rw->guard);
	bool shared = rw->readers > 0;
	pthread_mutex_unlock(&rw->guard);
	switch (type) {
	case LCK_RW_ASSERT_SHARED:
		if (!shared)
			rw_panic(rw, call, "is not held shared", CALLED_FROM);
		break;
	case LCK_RW_ASSERT_EXCLUSIVE:
		if (!own)
			rw_panic(rw, call, "is not held exclusive by this thread", CALLED_FROM);
		break;
	case LCK_RW_ASSERT_HELD:
		if (!own && !shared)
			rw_panic(rw, call, "is not held", CALLED_FROM);
		break;
	case LCK_RW_ASSERT_NOTHELD:
		/* others may read; whether this thread does is not known */
		if (own)
			rw_panic(rw, call, "is held exclusive by this thread", CALLED_FROM);
		break;
	default:
		bad_type(call, type, CALLED_FROM);
	}
}

static wait_result_t
rw_sleep(lck_rw_t *lck, lck_sleep_action_t action, event_t event, wait_interrupt_t interruptible,
	 uint64_t deadline, const void *caller)
{
	static const char call[] = "lck_rw_sleep";
	struct rwlock *rw = rw_of(lck, call, caller);

	if ((action & ~LCK_SLEEP_MASK) != 0)
		panic("%s: there is no action %#x; called from %s", call, action,
		      place_of(caller).text);
	(void)sleep_begin(event, interruptible != THREAD_UNINT, deadline);
	lck_rw_type_t held = rw_done(rw, call, caller);
	wait_result_t result = sleep_finish();
	if ((action & LCK_SLEEP_UNLOCK) != 0)
		return result;
	bool shared = (action & LCK_SLEEP_SHARED) != 0 ||
		      ((action & LCK_SLEEP_EXCLUSIVE) == 0 && held == LCK_RW_TYPE_SHARED);
	if (shared)
		rw_lock_shared(rw, call, caller);
	else
		rw_lock_exclusive(rw, call, caller);
	return result;
}

KPI_EXPORT wait_result_t
lck_rw_sleep(lck_rw_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
	     wait_interrupt_t interruptible)
{
	return rw_sleep(lck, lck_sleep_action, event, interruptible, 0, CALLED_FROM);
}

KPI_EXPORT wait_result_t
lck_rw_sleep_deadline(lck_rw_t *lck, lck_sleep_action_t lck_sleep_action, event_t event,
		      wait_interrupt_t interruptible, uint64_t deadline)
{
	return rw_sleep(lck, lck_sleep_action, event, interruptible, deadline, CALLED_FROM);
}
