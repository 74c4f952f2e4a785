/*
 * Audit tokens: who sent a message.
 */
#include <bsm/libbsm.h>

#include "client/export.h"

#include <string.h>

/* What each number of a token is, mach-types.md §4.4. */
enum {
	TOKEN_AUID,
	TOKEN_EUID,
	TOKEN_EGID,
	TOKEN_RUID,
	TOKEN_RGID,
	TOKEN_PID,
	TOKEN_ASID,
	TOKEN_PIDVERSION
};

BERTH_EXPORT uid_t
audit_token_to_auid(audit_token_t token)
{
	return (uid_t)token.val[TOKEN_AUID];
}

BERTH_EXPORT uid_t
audit_token_to_euid(audit_token_t token)
{
	return (uid_t)token.val[TOKEN_EUID];
}

BERTH_EXPORT gid_t
audit_token_to_egid(audit_token_t token)
{
	return (gid_t)token.val[TOKEN_EGID];
}

BERTH_EXPORT uid_t
audit_token_to_ruid(audit_token_t token)
{
	return (uid_t)token.val[TOKEN_RUID];
}

BERTH_EXPORT gid_t
audit_token_to_rgid(audit_token_t token)
{
	return (gid_t)token.val[TOKEN_RGID];
}

BERTH_EXPORT pid_t
audit_token_to_pid(audit_token_t token)
{
	return (pid_t)token.val[TOKEN_PID];
}

BERTH_EXPORT au_asid_t
audit_token_to_asid(audit_token_t token)
{
	return (au_asid_t)token.val[TOKEN_ASID];
}

BERTH_EXPORT int
audit_token_to_pidversion(audit_token_t token)
{
	return (int)token.val[TOKEN_PIDVERSION];
}

BERTH_EXPORT void
audit_token_to_au32(audit_token_t token, uid_t *auid, uid_t *euid, gid_t *egid, uid_t *ruid,
		    gid_t *rgid, pid_t *pid, au_asid_t *asid, au_tid_t *tid)
{
	if (auid != NULL)
		*auid = audit_token_to_auid(token);
	if (euid != NULL)
		*euid = audit_token_to_euid(token);
	if (egid != NULL)
		*egid = audit_token_to_egid(token);
	if (ruid != NULL)
		*ruid = audit_token_to_ruid(token);
	if (rgid != NULL)
		*rgid = audit_token_to_rgid(token);
	if (pid != NULL)
		*pid = audit_token_to_pid(token);
	if (asid != NULL)
		*asid = audit_token_to_asid(token);
	if (tid != NULL)
		memset(tid, 0, sizeof(*tid)); /* a terminal: a token does not hold one */
}
