/*
 * On whose behalf kext code runs.
 *
 * On Darwin a callback of a control runs on the thread of the program that called, and kext
 * code asks who that is (proc_selfpid(), kauth_cred_get()).  Here it runs on a thread of the
 * kexthost, which knows the caller from the lane.  A thread that the kext made itself, and
 * start and stop, run for the kernel: pid 0, uid 0.
 */
#ifndef BERTH_KEXTS_HOST_CALL_H
#define BERTH_KEXTS_HOST_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who a program is, as Linux says. */
struct host_caller {
	pid_t pid;
	uid_t ruid, euid;
	gid_t rgid, egid;
};

/* One call of a program, from when it is taken to its reply.  Lives on its thread's stack. */
struct host_call {
	struct host_caller caller;
	_Atomic uint32_t interrupted; /* a signal came for the program's thread, or it is gone */
};

/* The call that this thread runs; NULL: it runs for the kernel. */
struct host_call *host_call_current(void);
void host_call_set_current(struct host_call *call);

/*
 * @call->interrupted was set: whoever sleeps for it with PCATCH, or interruptibly, comes back.
 * Defined where the sleeping is done (sleep.c); called by the lane server from any thread.
 */
void sleep_interrupt(struct host_call *call);

#endif
