/*
 * Who somebody is, and may he: credentials, scopes, listeners.
 *
 * For kernel extensions (KERNEL is defined); programs find the names of scopes and actions.
 *
 * Source: kext.md §5.8.
 */
#ifndef BERTH_SYS_KAUTH_H
#define BERTH_SYS_KAUTH_H

#include <stdint.h>
#include <sys/types.h>

typedef int kauth_action_t;

#define KAUTH_SCOPE_GENERIC "com.apple.kauth.generic"
#define KAUTH_SCOPE_PROCESS "com.apple.kauth.process"
#define KAUTH_SCOPE_VNODE "com.apple.kauth.vnode"
#define KAUTH_SCOPE_FILEOP "com.apple.kauth.fileop"

/* what a listener says; any DENY wins, and of KAUTH_SCOPE_FILEOP nothing counts */
#define KAUTH_RESULT_ALLOW 1
#define KAUTH_RESULT_DENY 2
#define KAUTH_RESULT_DEFER 3

/* actions of KAUTH_SCOPE_GENERIC */
#define KAUTH_GENERIC_ISSUSER 1

/* actions of KAUTH_SCOPE_PROCESS */
#define KAUTH_PROCESS_CANSIGNAL 1
#define KAUTH_PROCESS_CANTRACE 2

/* actions of KAUTH_SCOPE_FILEOP */
#define KAUTH_FILEOP_OPEN 1
#define KAUTH_FILEOP_CLOSE 2
#define KAUTH_FILEOP_RENAME 3
#define KAUTH_FILEOP_EXCHANGE 4
#define KAUTH_FILEOP_LINK 5
#define KAUTH_FILEOP_EXEC 6
#define KAUTH_FILEOP_DELETE 7
#define KAUTH_FILEOP_WILL_RENAME 8

#define KAUTH_FILEOP_CLOSE_MODIFIED (1 << 1) /* in the third argument of a CLOSE */

/* actions of KAUTH_SCOPE_VNODE: bits; of a folder some have another meaning */
#define KAUTH_VNODE_READ_DATA (1U << 1)
#define KAUTH_VNODE_LIST_DIRECTORY KAUTH_VNODE_READ_DATA
#define KAUTH_VNODE_WRITE_DATA (1U << 2)
#define KAUTH_VNODE_ADD_FILE KAUTH_VNODE_WRITE_DATA
#define KAUTH_VNODE_EXECUTE (1U << 3)
#define KAUTH_VNODE_SEARCH KAUTH_VNODE_EXECUTE
#define KAUTH_VNODE_DELETE (1U << 4)
#define KAUTH_VNODE_APPEND_DATA (1U << 5)
#define KAUTH_VNODE_ADD_SUBDIRECTORY KAUTH_VNODE_APPEND_DATA
#define KAUTH_VNODE_ACCESS (1U << 31) /* somebody only wants to know, as by access() */

#ifdef KERNEL

#include <sys/kernel_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- credentials ----------------------------------------------------------------------- */

/* Of whom this thread runs for: a program in a callback, else the kernel, which is root.  Not
 * counted; good until the callback returns. */
kauth_cred_t kauth_cred_get(void);
/* Give one reference, for kauth_cred_unref(). */
kauth_cred_t kauth_cred_get_with_ref(void);
kauth_cred_t kauth_cred_proc_ref(proc_t procp);
void kauth_cred_ref(kauth_cred_t cred);
/* And *@credp is NULL after it. */
void kauth_cred_unref(kauth_cred_t *credp);

uid_t kauth_cred_getuid(kauth_cred_t cred); /* effective */
uid_t kauth_cred_getruid(kauth_cred_t cred);
uid_t kauth_cred_getsvuid(kauth_cred_t cred);
gid_t kauth_cred_getgid(kauth_cred_t cred); /* effective */
gid_t kauth_cred_getrgid(kauth_cred_t cred);
gid_t kauth_cred_getsvgid(kauth_cred_t cred);
/* Not 0: its effective user is root. */
int kauth_cred_issuser(kauth_cred_t cred);
/* 0, and *@resultp says whether it is in the group. */
int kauth_cred_ismember_gid(kauth_cred_t cred, gid_t gid, int *resultp);

/* Of whom this thread runs for. */
uid_t kauth_getuid(void);
uid_t kauth_getruid(void);
gid_t kauth_getgid(void);
gid_t kauth_getrgid(void);

/* ---- scopes and listeners ------------------------------------------------------------------ */

typedef int (*kauth_scope_callback_t)(kauth_cred_t credential, void *idata, kauth_action_t action,
				      uintptr_t arg0, uintptr_t arg1, uintptr_t arg2,
				      uintptr_t arg3);

/* Listen to what is asked in a scope, which need not be there yet.  NULL: no memory, or too many
 * listeners. */
kauth_listener_t kauth_listen_scope(const char *identifier, kauth_scope_callback_t callback,
				    void *idata);
/* Callbacks may still run when this returns. */
void kauth_unlisten_scope(kauth_listener_t listener);

/* A scope of one's own, whose @callback is asked first.  NULL: no memory, or it is there. */
kauth_scope_t kauth_register_scope(const char *identifier, kauth_scope_callback_t callback,
				   void *idata);
void kauth_deregister_scope(kauth_scope_t scope);
/* 0: somebody allows it and nobody denies it; else EPERM */
int kauth_authorize_action(kauth_scope_t scope, kauth_cred_t credential, kauth_action_t action,
			   uintptr_t arg0, uintptr_t arg1, uintptr_t arg2, uintptr_t arg3);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
