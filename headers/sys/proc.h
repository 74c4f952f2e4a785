/*
 * Processes, and BSD's way to sleep and wake.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.4 and §5.8.
 */
#ifndef BERTH_SYS_PROC_H
#define BERTH_SYS_PROC_H

#ifdef KERNEL

#include <stdint.h>
#include <sys/kernel_types.h>
#include <sys/param.h>
#include <sys/time.h>
#include <sys/types.h>

#include <kern/locks.h>
#include <mach/boolean.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- processes ------------------------------------------------------------------------- */

/*
 * "Current" is the program on whose behalf this thread runs, in a callback of a control; else
 * the kernel itself: pid 0.
 */

/* Not counted; good until the callback returns. */
proc_t current_proc(void);
/* Give one reference, for proc_rele().  NULL: there is no such process, or it has ended. */
proc_t proc_self(void);
proc_t proc_find(int pid);
int proc_rele(proc_t p);

int proc_pid(proc_t p);
int proc_ppid(proc_t p);
int proc_selfpid(void);
int proc_selfppid(void);
/* The short name, cut to @size with a NUL; empty if there is no such process. */
void proc_name(int pid, char *buf, int size);
void proc_selfname(char *buf, int size);
/* 0: its effective user is root; else EPERM */
int proc_suser(proc_t p);
int proc_is64bit(proc_t p);
/* It has ended, or is about to. */
int proc_exiting(proc_t p);
/* Its real and its effective ids differ. */
int proc_issetugid(proc_t p);
/* A number that no other process has had. */
uint64_t proc_uniqueid(proc_t p);
/* What the host may not signal, it does not. */
void proc_signal(int pid, int signum);
/* Is @pid1 a descendant of @pid2, or the same? */
int proc_isinferior(int pid1, int pid2);

/* ---- sleep and wake ---------------------------------------------------------------------- */

/*
 * Drop @mtx (which may be NULL), wait until somebody wakes @chan, take it again unless @pri has
 * PDROP.  A wake-up after the drop is not lost; one without a sleeper is.  @ts is how long at
 * most; NULL or zero: no limit.  With @chan NULL nobody can wake: sleeps @ts, and not at all
 * without.
 *
 * 0            woken, perhaps for another reason: look again
 * EWOULDBLOCK  the time is over
 * EINTR        @pri has PCATCH, and the program that called is interrupted, or is gone
 */
int msleep(void *chan, lck_mtx_t *mtx, int pri, const char *wmesg, struct timespec *ts);
/* The same until @abstime, in the units of mach_absolute_time(); 0: no limit. */
int msleep1(void *chan, lck_mtx_t *mtx, int pri, const char *wmesg, uint64_t abstime);
/* The same without a mutex, for @timo ticks of 1/hz second; 0: no limit. */
int tsleep(void *chan, int pri, const char *wmesg, int timo);

/* Wake all who sleep on @chan, or one. */
void wakeup(void *chan);
void wakeup_one(caddr_t chan);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
