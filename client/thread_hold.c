#include "client/thread_hold.h"

#include "client/registers.h"
#include "client/signals.h"
#include "client/trap.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own name: the plain one is ours, and refuses */
int __sigaction(int signal, const struct sigaction *action, struct sigaction *old);

static _Atomic bool is_watching;
static __thread uint32_t holds __attribute__((tls_model("initial-exec")));
static __thread uint32_t aborts __attribute__((tls_model("initial-exec")));

uint32_t
thread_hold_count(void)
{
	return holds;
}

uint32_t
thread_abort_count(void)
{
	return aborts;
}

/* A sanitizer asks before it can take a report of a call. */
__attribute__((no_sanitize("thread"))) bool
thread_hold_has_signal(int number)
{
	return number == THREAD_HOLD_SIGNAL &&
	       atomic_load_explicit(&is_watching, memory_order_relaxed);
}

int
thread_hold_sleep(const struct timespec *until)
{
	uint32_t aborts_before = aborts, holds_before;
	int error;

	do {
		holds_before = holds;
		error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, until, NULL);
	} while (error == EINTR && holds != holds_before && aborts == aborts_before);
	return error;
}

/*
 * As thread_terminate() does it: nothing of the program's runs any more.  The next thread on this
 * stack starts with what glibc keeps for the program beside it, so that goes.
 */
static _Noreturn void
end_thread(void)
{
	trap_thread_ends();
	for (pthread_key_t key = 0; key < PTHREAD_KEYS_MAX; key++)
		pthread_setspecific(key, NULL); /* EINVAL: there is none */
	for (;;)
		syscall(SYS_exit, 0);
}

/* All signals are blocked.  @registers: those of the program, to be looked at and changed
 * meanwhile; NULL: they are the library's. */
static void
hold(struct registers *registers)
{
	const uint64_t none[TRAP_ARG_COUNT] = { 0 };
	uint64_t values[TRAP_VALUE_COUNT];
	uint32_t aborted = 0;
	kern_return_t code;

	do {
		struct registers now;
		uint32_t size = sizeof(now);

		code = trap_call_exchange(BERTH_TRAP_THREAD_HOLD, none, registers,
					  registers != NULL ? sizeof(*registers) : 0, values, &now,
					  &size);
		if (registers != NULL && size == sizeof(now))
			*registers = now;
		aborted |= (uint32_t)values[0];
		if (code == KERN_TERMINATED)
			end_thread();
	} while (code == KERN_ABORTED);
	holds++;
	aborts += aborted;
}

void
thread_hold_here(void)
{
	sigset_t all, before;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, &before);
	hold(NULL);
	signals_set(SIG_SETMASK, &before, NULL);
}

static void
asked_to_hold(int signal, siginfo_t *info, void *context)
{
	struct registers registers;
	int saved_errno = errno;

	/* in the middle of a trap nobody is to send the thread elsewhere */
	if (thread_state()->depth > 0) {
		hold(NULL);
	} else {
		registers_load(&registers, context);
		hold(&registers);
		registers_store(&registers.thread, context);
	}
	errno = saved_errno;
}

void
thread_hold_watch(void)
{
	struct sigaction ours = { .sa_sigaction = asked_to_hold,
				  .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	sigset_t only;

	if (!atomic_exchange(&is_watching, true)) {
		sigfillset(&ours.sa_mask);
		__sigaction(THREAD_HOLD_SIGNAL, &ours, NULL);
	}
	/* what the program has blocked before */
	sigemptyset(&only);
	sigaddset(&only, THREAD_HOLD_SIGNAL);
	signals_set(SIG_UNBLOCK, &only, NULL);
}
