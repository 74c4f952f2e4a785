/*
 * Locks: what their kinds share.
 *
 * The public structures hold a magic word and the group, then room for what is private here.
 * `owner` is thread_self_id() of who holds it, 0: nobody; only that thread finds itself there,
 * so a look without the lock is enough to know whether it is us.
 */
#ifndef BERTH_KEXTS_HOST_LOCKS_H
#define BERTH_KEXTS_HOST_LOCKS_H

#include "kexts/host/kpi.h"

#include <kern/locks.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* A new reference of @group, for a lock in it; the same for a static one, which is not counted. */
lck_grp_t *group_ref(lck_grp_t *group);
void group_unref(lck_grp_t *group);
const char *group_name(const lck_grp_t *group);

/* Panics if @magic is not what it should be. */
void lock_check(const char *call, const void *lock, uint32_t magic, uint32_t expected,
		const void *caller);

/* Panics if this thread holds a spin lock: it @does what must not be done then. */
void spin_check_none_held(const char *does);

/* As lck_mtx_lock(), for callers inside: @caller is what a panic shows. */
void mutex_lock_from(lck_mtx_t *lck, const void *caller);
void mutex_unlock_from(lck_mtx_t *lck, const void *caller);
boolean_t mutex_try_lock_from(lck_mtx_t *lck, const void *caller);
wait_result_t mutex_sleep_from(lck_mtx_t *lck, lck_sleep_action_t action, event_t event,
			       wait_interrupt_t interruptible, uint64_t deadline,
			       const void *caller);

#endif
