/*
 * Scopes of authorization, and who listens to them.
 *
 * A scope is there when somebody registered it or listens to it.  Listeners are asked from a
 * copy, without the lock: so they may sleep, listen and stop listening meanwhile; one that
 * stopped may be asked once more by a question that was under way.
 */
#include "kexts/host/kauth_listen.h"

#include "kexts/host/host_log.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/panic.h"

#include <kern/debug.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define LISTENERS_MAX 16u /* of one scope */

struct kauth_listener {
	struct kauth_scope *scope;
	kauth_scope_callback_t callback;
	void *idata;
};

struct kauth_scope {
	LIST_ENTRY(kauth_scope) link;
	char *identifier;
	bool is_registered; /* kauth_register_scope(), and then this is asked first: */
	struct kauth_listener owner;
	uint32_t listener_count;
	struct kauth_listener *listeners[LISTENERS_MAX]; /* in the order they came */
};

static pthread_mutex_t scopes_lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of it */
static LIST_HEAD(, kauth_scope) scopes = LIST_HEAD_INITIALIZER(scopes);
static void (*_Atomic listen_hook)(const char *scope);

static struct kauth_scope *
scope_find_locked(const char *identifier)
{
	struct kauth_scope *scope;

	LIST_FOREACH(scope, &scopes, link)
	{
		if (strcmp(scope->identifier, identifier) == 0)
			break;
	}
	return scope;
}

/* It, or a new one; NULL: no memory. */
static struct kauth_scope *
scope_get_locked(const char *identifier)
{
	struct kauth_scope *scope = scope_find_locked(identifier);

	if (scope != NULL)
		return scope;
	scope = calloc(1, sizeof(*scope));
	if (scope == NULL || (scope->identifier = strdup(identifier)) == NULL) {
		free(scope);
		return NULL;
	}
	LIST_INSERT_HEAD(&scopes, scope, link);
	return scope;
}

/* Gone when nobody registered it and nobody listens. */
static void
scope_drop_locked(struct kauth_scope *scope)
{
	if (scope->is_registered || scope->listener_count > 0)
		return;
	LIST_REMOVE(scope, link);
	free(scope->identifier);
	free(scope);
}

/* ---- listening --------------------------------------------------------------------------- */

KPI_EXPORT kauth_listener_t
kauth_listen_scope(const char *identifier, kauth_scope_callback_t callback, void *idata)
{
	struct kauth_listener *listener;

	if (identifier == NULL || callback == NULL ||
	    (listener = calloc(1, sizeof(*listener))) == NULL)
		return NULL;
	pthread_mutex_lock(&scopes_lock);
	struct kauth_scope *scope = scope_get_locked(identifier);
	bool full = scope != NULL && scope->listener_count == LISTENERS_MAX;
	if (scope != NULL && !full) {
		listener->scope = scope;
		listener->callback = callback;
		listener->idata = idata;
		scope->listeners[scope->listener_count++] = listener;
	}
	pthread_mutex_unlock(&scopes_lock);
	if (scope == NULL || full) {
		if (full)
			host_log("scope %s has %u listeners, and takes no more", identifier,
				 LISTENERS_MAX);
		free(listener);
		return NULL;
	}
	void (*hook)(const char *scope) = atomic_load(&listen_hook);
	if (hook != NULL)
		hook(identifier);
	return listener;
}

void
kauth_on_listen(void (*hook)(const char *scope))
{
	atomic_store(&listen_hook, hook);
}

static bool
listener_remove_locked(struct kauth_listener *listener)
{
	struct kauth_scope *scope;

	LIST_FOREACH(scope, &scopes, link)
	{
		for (uint32_t i = 0; i < scope->listener_count; i++) {
			if (scope->listeners[i] != listener)
				continue;
			scope->listener_count--;
			memmove(&scope->listeners[i], &scope->listeners[i + 1],
				(scope->listener_count - i) * sizeof(scope->listeners[0]));
			scope_drop_locked(scope);
			return true;
		}
	}
	return false;
}

KPI_EXPORT void
kauth_unlisten_scope(kauth_listener_t listener)
{
	if (listener == NULL)
		return;
	pthread_mutex_lock(&scopes_lock);
	bool found = listener_remove_locked(listener);
	pthread_mutex_unlock(&scopes_lock);
	if (!found)
		panic("kauth_unlisten_scope: %p listens to nothing; called from %s",
		      (void *)listener, place_of(CALLED_FROM).text);
	free(listener);
}

/* ---- asking ------------------------------------------------------------------------------ */

/* The callbacks to ask; how many. */
static uint32_t
listeners_copy_locked(const struct kauth_scope *scope,
		      struct kauth_listener copies[LISTENERS_MAX + 1])
{
	uint32_t count = 0;

	if (scope == NULL)
		return 0;
	if (scope->is_registered && scope->owner.callback != NULL)
		copies[count++] = scope->owner;
	for (uint32_t i = 0; i < scope->listener_count; i++)
		copies[count++] = *scope->listeners[i];
	return count;
}

static int
ask(const struct kauth_listener *listeners, uint32_t count, kauth_cred_t cred,
    kauth_action_t action, const uintptr_t args[4])
{
	int result = KAUTH_RESULT_DEFER;

	/* all are asked: they watch, too */
	for (uint32_t i = 0; i < count; i++) {
		struct kext_activity before = kext_activity_begin(
		    "kauth listener", 0,
		    loader_tag_of_address((const void *)(uintptr_t)listeners[i].callback));
		int said = listeners[i].callback(cred, listeners[i].idata, action, args[0], args[1],
						 args[2], args[3]);
		kext_activity_end(before);

		if (said == KAUTH_RESULT_DENY ||
		    (said == KAUTH_RESULT_ALLOW && result == KAUTH_RESULT_DEFER))
			result = said;
	}
	return result;
}

int
kauth_authorize(const char *scope, kauth_cred_t cred, kauth_action_t action, uintptr_t arg0,
		uintptr_t arg1, uintptr_t arg2, uintptr_t arg3)
{
	struct kauth_listener listeners[LISTENERS_MAX + 1];
	const uintptr_t args[4] = { arg0, arg1, arg2, arg3 };

	pthread_mutex_lock(&scopes_lock);
	uint32_t count = listeners_copy_locked(scope_find_locked(scope), listeners);
	pthread_mutex_unlock(&scopes_lock);
	int result = ask(listeners, count, cred, action, args);
	return strcmp(scope, KAUTH_SCOPE_FILEOP) == 0 ? KAUTH_RESULT_DEFER : result;
}

bool
kauth_scope_has_listeners(const char *scope)
{
	struct kauth_listener listeners[LISTENERS_MAX + 1];

	pthread_mutex_lock(&scopes_lock);
	uint32_t count = listeners_copy_locked(scope_find_locked(scope), listeners);
	pthread_mutex_unlock(&scopes_lock);
	return count > 0;
}

/* ---- scopes of kexts --------------------------------------------------------------------- */

KPI_EXPORT kauth_scope_t
kauth_register_scope(const char *identifier, kauth_scope_callback_t callback, void *idata)
{
	if (identifier == NULL)
		return NULL;
	pthread_mutex_lock(&scopes_lock);
	struct kauth_scope *scope = scope_get_locked(identifier);
	if (scope != NULL && scope->is_registered) {
		scope = NULL;
	} else if (scope != NULL) {
		scope->is_registered = true;
		scope->owner = (struct kauth_listener){ scope, callback, idata };
	}
	pthread_mutex_unlock(&scopes_lock);
	return scope;
}

KPI_EXPORT void
kauth_deregister_scope(kauth_scope_t scope)
{
	if (scope == NULL)
		return;
	pthread_mutex_lock(&scopes_lock);
	scope->is_registered = false;
	scope_drop_locked(scope);
	pthread_mutex_unlock(&scopes_lock);
}

KPI_EXPORT int
kauth_authorize_action(kauth_scope_t scope, kauth_cred_t credential, kauth_action_t action,
		       uintptr_t arg0, uintptr_t arg1, uintptr_t arg2, uintptr_t arg3)
{
	struct kauth_listener listeners[LISTENERS_MAX + 1];
	const uintptr_t args[4] = { arg0, arg1, arg2, arg3 };

	pthread_mutex_lock(&scopes_lock);
	uint32_t count = listeners_copy_locked(scope, listeners);
	pthread_mutex_unlock(&scopes_lock);
	return ask(listeners, count, credential, action, args) == KAUTH_RESULT_ALLOW ? 0 : EPERM;
}
