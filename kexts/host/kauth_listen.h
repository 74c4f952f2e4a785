/*
 * Asking the listeners of a scope.
 */
#ifndef BERTH_KEXTS_HOST_KAUTH_LISTEN_H
#define BERTH_KEXTS_HOST_KAUTH_LISTEN_H

#include "kexts/host/kpi.h"

#include <sys/kauth.h>

#include <stdbool.h>

/*
 * Ask all who listen to @scope, on this thread, each once; none is asked that has stopped
 * listening before this call.
 *
 * KAUTH_RESULT_DENY   somebody denies
 * KAUTH_RESULT_ALLOW  nobody denies, somebody allows
 * KAUTH_RESULT_DEFER  nobody has a say, or it is KAUTH_SCOPE_FILEOP, where nobody may
 */
int kauth_authorize(const char *scope, kauth_cred_t cred, kauth_action_t action, uintptr_t arg0,
		    uintptr_t arg1, uintptr_t arg2, uintptr_t arg3);

/* Does anybody listen?  For a source of events that costs something. */
bool kauth_scope_has_listeners(const char *scope);

/* Call @hook each time somebody begins to listen to a scope, before he is told so; one for all. */
void kauth_on_listen(void (*hook)(const char *scope));

#endif
