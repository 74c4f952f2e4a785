/*
 * Bounds and small macros: the C library's, and those of kernel extensions.
 *
 * Source: kext.md §5.4.
 */
#ifndef BERTH_SYS_PARAM_H
#define BERTH_SYS_PARAM_H

#include_next <sys/param.h>

#ifdef KERNEL

#include <sys/errno.h>
#include <sys/types.h>

#ifndef MAXCOMLEN
#define MAXCOMLEN 16 /* characters of a process's short name */
#endif

/* priorities of a sleep, and what may stand beside them */
#define PRIMASK 0x0ff
#define PSWP 0
#define PVM 4
#define PINOD 8
#define PRIBIO 16
#define PVFS 20
#define PZERO 22
#define PSOCK 24
#define PWAIT 32
#define PLOCK 36
#define PPAUSE 40
#define PUSER 50
#define MAXPRI 127
#define PCATCH 0x100 /* comes back with EINTR when the program that called is interrupted */
#define PTTYBLOCK 0x200
#define PDROP 0x400 /* comes back without the mutex */
#define PSPIN 0x800 /* takes the mutex as a spin lock would be */

#endif /* KERNEL */

#endif
