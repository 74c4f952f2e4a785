#include "client/signals.h"

#include "client/export.h"
#include "client/thread_hold.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux's, of which the first bytes of sigset_t are one */
#define KERNEL_SIGSET_BYTES 8

/* The call under way is the library's own.  It goes by the plain name all the same, so that a
 * sanitizer sees it. */
static __thread bool is_own __attribute__((tls_model("initial-exec")));

void
signals_set(int how, const sigset_t *set, sigset_t *before)
{
	is_own = true;
	pthread_sigmask(how, set, before);
	is_own = false;
}

/* A sanitizer may call these before it can take a report of a call. */
#define BEFORE_SANITIZER __attribute__((no_sanitize("thread")))

/* 0 or an errno.  Without a kernel the program's wish is Linux's. */
static BEFORE_SANITIZER int
mask_set(int how, const sigset_t *set, sigset_t *before)
{
	sigset_t wanted;
	int saved_errno = errno, error = 0;

	if (set != NULL) {
		wanted = *set;
		sigdelset(&wanted, 32); /* glibc's own, as it does: ends of threads, and setuid() */
		sigdelset(&wanted, 33);
		if (how != SIG_UNBLOCK && !is_own && thread_hold_has_signal(THREAD_HOLD_SIGNAL))
			sigdelset(&wanted, THREAD_HOLD_SIGNAL);
	}
	if (before != NULL)
		sigemptyset(before);
	if (syscall(SYS_rt_sigprocmask, how, set != NULL ? &wanted : NULL, before,
		    KERNEL_SIGSET_BYTES) != 0)
		error = errno;
	errno = saved_errno;
	return error;
}

BERTH_EXPORT BEFORE_SANITIZER int
pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
	return mask_set(how, set, before);
}

BERTH_EXPORT BEFORE_SANITIZER int
sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
	int error = mask_set(how, set, before);

	if (error == 0)
		return 0;
	errno = error;
	return -1;
}
