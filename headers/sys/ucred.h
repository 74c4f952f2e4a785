/*
 * Who somebody is: see <sys/kauth.h>.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 */
#ifndef BERTH_SYS_UCRED_H
#define BERTH_SYS_UCRED_H

#ifdef KERNEL

#include <sys/kauth.h>
#include <sys/kernel_types.h>

#define NOCRED ((kauth_cred_t)0)
#define FSCRED ((kauth_cred_t)-1)
#define IS_VALID_CRED(cr) ((cr) != NOCRED && (cr) != FSCRED)

#endif /* KERNEL */

#endif
