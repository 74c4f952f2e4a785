/*
 * What an audit token says.  It comes with the trailer of a message: ask for it with
 * MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT).  The kernel wrote it, not the sender.
 *
 * None of these can fail.  Source: mach-types.md §4.4.
 */
#ifndef _LIBBSM_H_
#define _LIBBSM_H_

#include <sys/types.h>

#include <bsm/audit.h>
#include <mach/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All at once; each pointer may be NULL.  @tidp becomes all zero: a token holds no terminal. */
extern void audit_token_to_au32(audit_token_t atoken, uid_t *auidp, uid_t *euidp, gid_t *egidp,
				uid_t *ruidp, gid_t *rgidp, pid_t *pidp, au_asid_t *asidp,
				au_tid_t *tidp);

extern uid_t audit_token_to_auid(audit_token_t atoken);
extern uid_t audit_token_to_euid(audit_token_t atoken);
extern gid_t audit_token_to_egid(audit_token_t atoken);
extern uid_t audit_token_to_ruid(audit_token_t atoken);
extern gid_t audit_token_to_rgid(audit_token_t atoken);
extern pid_t audit_token_to_pid(audit_token_t atoken);
extern au_asid_t audit_token_to_asid(audit_token_t atoken);

/* Tells a process from a later one with the same pid, and from itself before exec. */
extern int audit_token_to_pidversion(audit_token_t atoken);

#ifdef __cplusplus
}
#endif

#endif
