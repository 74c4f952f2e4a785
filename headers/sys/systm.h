/*
 * The kernel's odds and ends.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.
 */
#ifndef BERTH_SYS_SYSTM_H
#define BERTH_SYS_SYSTM_H

#ifdef KERNEL

#include <stdarg.h>
#include <stddef.h>
#include <sys/kernel_types.h>
#include <sys/proc.h>
#include <sys/time.h>
#include <sys/types.h>

#include <kern/debug.h>
#include <kern/locks.h>
#include <kern/thread.h>
#include <libkern/libkern.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * To and from the memory of the program that called.  0; EFAULT: it is not there, or must not
 * be touched, or no program called (some of it may have been copied).
 */
int copyin(const user_addr_t uaddr, void *kaddr, size_t len);
int copyout(const void *kaddr, user_addr_t udaddr, size_t len);
/* A string with its NUL, at most @len bytes; *@done is how many.  ENAMETOOLONG: no NUL there. */
int copyinstr(const user_addr_t uaddr, void *kaddr, size_t len, size_t *done);

/* Call @f(@arg) after @ts (NULL: at once), on a thread of the system; take that back, if it has
 * not begun. */
void bsd_timeout(void (*f)(void *), void *arg, struct timespec *ts);
void bsd_untimeout(void (*f)(void *), void *arg);

/* 0: @cred is root's; *@acflag, unless NULL, notes that it was asked.  Else EPERM */
int suser(kauth_cred_t cred, u_short *acflag);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
