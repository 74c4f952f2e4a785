/*
 * How a task and its kernel wait for each other: look for a little while, then sleep.
 *
 * Waking a process on another core costs 30 to 60 µs, a cache line handed over a tenth of
 * one: so whoever expects an answer soon looks for it before it sleeps.  How it looks
 * depends on where the peer runs, which both sides publish (doorbell->kernel_cpu,
 * slot->task_cpu; both are hints that a hostile peer may forge, so everything is bounded):
 *
 *   peer on another CPU      spin with the pause instruction: 0.3 µs a round trip; but only
 *                            for a microsecond or two, then
 *   peer here, or asleep     sched_yield: it can only run when we don't; 4 µs a round
 *                            trip where a spin of 20 µs would cost 48
 *
 * A kernel on another CPU may itself need an answer of a third process, which may be waiting
 * for this CPU: with three processes on two cores, spinning on took 40 to 70 µs a round trip
 * through both, yielding after the first microseconds 13 to 20.  A yield that nobody takes
 * costs a quarter of a microsecond.
 *
 * Yielding beside a process that never sleeps (a hog) gives away a whole scheduler slice,
 * 4 ms, where a futex would be woken in microseconds.  So yields that took longer than
 * WAIT_HOG_NS, not just one (Linux has something to do itself now and then, and so has the
 * host of a virtual machine), stop yielding for a number of waits, which doubles with each
 * such find: until then the waiter sleeps after those first microseconds.  (Spinning on instead
 * was better beside one hog on two cores, 30 µs for 36, and far worse beside two, 280 µs for 100.)
 * That limit is far from what peers take, also where the one who is waited for runs elsewhere: with
 * one of 10 µs there, which two peers that looked for a kernel on the other core reached by chance,
 * both slept from then on, and each wake of the core that idled so cost 30 µs.
 *
 * Where each process has a session of its own, Linux shares the CPU out among sessions first, and a
 * yield gives way within its own: most come back at once, and beside a hog in a third session
 * all of them, until the window is over: 390 us a round trip where a futex took 5.  So
 * WAIT_UNTAKEN_MAX that nobody took end the looking, half of them the next time, and waits that
 * mostly end so do not yield for a while.  One and a sleep costs little: a kernel that waits for a
 * client of its session and a server of another by turns yields to the one, and sleeps for the
 * other.  But a peer that runs elsewhere is looked for all the same, as nobody wants this
 * CPU: else a crowd, where that is found by chance, slept at each message from then on, and woke
 * an idle core for the next.
 *
 * Beside a hog the times without yields grow, until trying costs nothing.  Where there is none, a
 * yield that nobody takes means only that the peers sleep, and their core idles; and who goes on
 * sleeping for long keeps them so.  With a port right in each message, which three processes on two
 * cores hand on, one run in six took 75 us a round trip for a second and more, where the others
 * took 6.  A hog shows in the slices that it takes: waits of milliseconds, dozens in a second.
 *
 * Spinning that brings nothing eight times in a row is tried in every sixteenth wait: in a
 * crowd all wait for each other, for far longer than a spin.
 *
 * How long to look is learnt from sleeps: two in a row that turned out short mean that
 * looking longer would have saved wake-ups; a long one means that the time was wasted, and
 * that the next wait need not look at all.  One between the two, as in a crowd, halves the time:
 * 64 clients of a server yielded 400,000 times a second, and slept all the same.
 *
 * Both sides must be willing to look about twice as long as a wake-up takes, or one that sleeps
 * drags the other into sleeping too: hence WAIT_WINDOW_MAX_NS.
 *
 * Where calls are sparse nobody must look, the caller neither: Linux takes a process that
 * looks for one that works, and wakes the next on another core, which sleeps deeply.  With
 * a millisecond between calls a round trip through the kernel took 110 µs so; where all
 * sleep at once they gather on one core and it takes 40.  So who finds its kernel asleep
 * and wakes it goes to sleep at once, see wait_sleeps().  The kernel alone looks for a little
 * (floor_ns), so that a server on its core that answers at once need not wake it.
 *
 * Use, with the wait_state of the thread:
 *
 *	wait_begin(&w);
 *	while (!there(x)) {
 *		if (wait_look(&w, peer_cpu))
 *			continue;
 *		wait_sleeps(&w);
 *		say "I sleep"; look at x once more;
 *		wait_futex(…);
 *		say "I am awake";
 *		wait_woken(&w);
 *	}
 *	wait_end(&w);
 *
 * A wait that is met at once or by spinning for less than about a microsecond reads no
 * clock and makes no system call, and one that is met by the first yield reads no clock either:
 * a counter of the processor says whether that yield was so long that it should be measured.
 */
#ifndef BERTH_WIRE_WAIT_H
#define BERTH_WIRE_WAIT_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_WINDOW_MIN_NS 10000u   /* if at all: a kernel object answers in less */
#define WAIT_WINDOW_MAX_NS 200000u  /* more than twice a wake-up of a sleeping core */
#define WAIT_WINDOW_FIRST_NS 60000u /* before anything is known */
#define WAIT_SHORT_SLEEP_NS 250000u /* looking longer would have been better */
#define WAIT_LONG_SLEEP_NS 500000u  /* looking was a waste */
#define WAIT_HOG_NS 500000u         /* a yield among peers takes microseconds, beside a hog 4 ms */
#define WAIT_HOG_YIELDS 2u          /* so many of them without a row of good ones: it is a hog */
#define WAIT_GOOD_YIELDS 64u        /* a row */
#define WAIT_UNTAKEN_NS 500u        /* a yield that nobody took is shorter, one that was is not */
#define WAIT_UNTAKEN_MAX 8u         /* such yields: it is not about to run here */
#define WAIT_FRUITLESS_MAX 128u     /* points; see wait_was_fruitless() */
#define WAIT_FRUITLESS_LEAST 4u     /* of them, for a wait that made only a yield or two */
#define WAIT_HOG_PENALTY_MIN 256u   /* waits without yielding after the first find of a hog … */
#define WAIT_HOG_PENALTY_MAX 16384u /* … and at most: 4 ms in 16,384 waits is 0.25 µs each */
#define WAIT_CALM_YIELDS 4096u      /* so many good yields in a row halve the penalty */
#define WAIT_CLOCKED_WAITS 64u      /* are measured after a first yield that was long */
#define WAIT_SPINS_FIRST 64u        /* pauses, 1 to 3 µs, before the clock is read and we yield */
#define WAIT_SLICE_NS 1500000u      /* a sleep so long: a hog had a slice of 3 to 4 ms, maybe … */
#define WAIT_NO_HOG_NS 100000000u   /* … and there is none, so long after it */
#define WAIT_VAIN_MAX 8u            /* waits in a row that spun for nothing: … */
#define WAIT_VAIN_AGAIN 16u         /* … only every sixteenth does */

/* What one thread has learnt about waiting.  All zero is the beginning; never shared. */
struct wait_state {
	uint64_t window_ns;  /* how long to look */
	uint64_t floor_ns;   /* the least of it, set by the user */
	uint64_t begun_ns;   /* of this wait: when it began; 0: the clock was not read yet */
	uint64_t last_ns;    /* the last reading of the clock */
	uint64_t slice_ns;   /* the end of the last sleep in which a hog may have had a slice */
	uint64_t yield_end;  /* in ticks: of the last yield that was a wait's first */
	uint32_t spins;      /* pauses in this wait */
	uint32_t yields_off; /* waits to come that must not yield */
	uint32_t penalty;    /* yields_off for the next hog */
	uint32_t calm;       /* good yields in a row */
	uint32_t long_ones;  /* yields that were not, since the last row of good ones */
	uint32_t clocked;    /* waits to come that measure their first yield, too */
	uint32_t untaken;    /* yields of this wait that nobody took … */
	uint32_t patience;   /* … of which so many end it */
	uint32_t fruitless;  /* points for waits that ended so */
	uint32_t vain;       /* waits in a row that spun for nothing */
	uint32_t unspun;     /* waits since, which need not have spun */
	bool has_begun;      /* window_ns is set */
	bool has_yielded;    /* in this wait, before its clock was read */
	bool was_short;      /* the last sleep */
	bool is_taken;       /* yields_off: by a hog, so looking takes the CPU from it */
};

/* The monotonic clock, in ns.  Read in the vdso: no system call. */
static inline uint64_t
wait_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The CPU that the caller runs on, plus 1: what both sides publish, where 0 means "asleep".
 * libc reads it from the thread's rseq area: about a nanosecond.  0: not known. */
static inline uint32_t
wait_cpu(void)
{
	return (uint32_t)(sched_getcpu() + 1);
}

/* Tell the core that this is a spin loop. */
static inline void
wait_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory"); /* `yield` does nothing on most cores */
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* A counter that runs evenly and is cheaper to read than the clock; and how far it runs in about so
 * many ns, give or take a factor of two. */
static inline uint64_t
wait_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return wait_now_ns();
#endif
}

static inline uint64_t
wait_ticks_of(uint64_t ns)
{
#if defined(__x86_64__) || defined(__i386__)
	return ns * 5 / 2; /* 1.2 to 5 GHz */
#elif defined(__aarch64__)
	uint64_t frequency;

	__asm__ __volatile__("mrs %0, cntfrq_el0" : "=r"(frequency));
	return frequency * ns / 1000000000u;
#else
	return ns;
#endif
}

/* A new wait begins. */
static inline void
wait_begin(struct wait_state *wait)
{
	wait->begun_ns = 0;
	wait->spins = wait->vain < WAIT_VAIN_MAX || ++wait->unspun % WAIT_VAIN_AGAIN == 0
			  ? 0
			  : WAIT_SPINS_FIRST;
	wait->has_yielded = false;
	wait->untaken = 0;
	if (wait->yields_off > 0)
		wait->yields_off--;
	if (wait->clocked > 0)
		wait->clocked--;
	if (!wait->has_begun) {
		wait->window_ns = WAIT_WINDOW_FIRST_NS;
		wait->patience = WAIT_UNTAKEN_MAX;
	}
	wait->has_begun = true;
}

/* A yield took no longer than among peers. */
static inline void
wait_was_calm(struct wait_state *wait)
{
	wait->calm++;
	if (wait->calm == WAIT_GOOD_YIELDS)
		wait->long_ones = 0;
	if (wait->calm >= WAIT_CALM_YIELDS) {
		wait->penalty /= 2;
		wait->calm = 0;
	}
}

/* Yielding costs more than it brings: not for a number of waits. */
static inline void
wait_stop_yielding(struct wait_state *wait)
{
	if (wait->penalty < WAIT_HOG_PENALTY_MIN)
		wait->penalty = WAIT_HOG_PENALTY_MIN;
	wait->yields_off = wait->penalty;
	if (wait->penalty < WAIT_HOG_PENALTY_MAX)
		wait->penalty *= 2;
}

/* The first one of a wait, not timed unless there was a long one lately: it was none if little time
 * has passed since the one before. */
static inline void
wait_first_yield(struct wait_state *wait)
{
	uint64_t before_ticks = wait->yield_end;

	sched_yield();
	wait->has_yielded = true;
	wait->yield_end = wait_ticks();
	if (wait->yield_end - before_ticks > wait_ticks_of(WAIT_HOG_NS / 2))
		wait->clocked = WAIT_CLOCKED_WAITS;
	else
		wait_was_calm(wait);
}

/* One sched_yield, timed; finds hogs. */
static inline void
wait_yield(struct wait_state *wait)
{
	uint64_t before_ns = wait->last_ns, ticks = wait_ticks();

	sched_yield();
	if (wait_ticks() - ticks < wait_ticks_of(WAIT_UNTAKEN_NS))
		wait->untaken++;
	wait->last_ns = wait_now_ns();
	if (wait->last_ns - before_ns <= WAIT_HOG_NS) {
		wait_was_calm(wait);
		return;
	}
	wait->calm = 0;
	if (++wait->long_ones >= WAIT_HOG_YIELDS) {
		wait_stop_yielding(wait);
		wait->is_taken = true;
	}
}

/*
 * Nobody took our yields, and the peer is not elsewhere.  Where waits that yield so for nothing
 * cost more than the others save, it is cheaper to sleep at once.
 */
static inline void
wait_was_fruitless(struct wait_state *wait)
{
	wait->fruitless += 2 * wait->patience + WAIT_FRUITLESS_LEAST;
	wait->patience = (wait->patience + 1) / 2;
	if (wait->fruitless < WAIT_FRUITLESS_MAX)
		return;
	wait->fruitless = 0;
	if (wait_now_ns() - wait->slice_ns > WAIT_NO_HOG_NS)
		wait->penalty = 0;
	wait_stop_yielding(wait);
	wait->is_taken = false;
}

/*
 * Pass a moment of looking.  @peer_cpu is what the peer publishes: its wait_cpu(), or 0
 * while it sleeps.
 *
 * True: look at the word again, then call again.  False: time to sleep.
 */
static inline bool
wait_look(struct wait_state *wait, uint32_t peer_cpu)
{
	bool apart = peer_cpu != 0 && peer_cpu != wait_cpu();

	if (apart && wait->spins < WAIT_SPINS_FIRST) {
		if (++wait->spins == WAIT_SPINS_FIRST && wait->vain < WAIT_VAIN_MAX)
			wait->vain++;
		wait_pause();
		return true;
	}
	if (wait->window_ns == 0 || (wait->yields_off > 0 && (wait->is_taken || !apart)))
		return false;
	if (!apart && wait->untaken >= wait->patience) {
		wait_was_fruitless(wait);
		return false;
	}
	if (wait->begun_ns == 0 && wait->clocked == 0 && !wait->has_yielded) {
		wait_first_yield(wait);
		return true;
	}
	if (wait->begun_ns == 0) {
		wait->begun_ns = wait->last_ns = wait_now_ns();
		wait->untaken += wait->has_yielded; /* or by somebody else: who knows */
	}
	wait_yield(wait);
	return wait->last_ns - wait->begun_ns < wait->window_ns;
}

/* What the caller waits for was there, without a sleep since wait_begin() or wait_woken(). */
static inline void
wait_end(struct wait_state *wait)
{
	if (wait->spins > 0 && wait->spins < WAIT_SPINS_FIRST)
		wait->vain = 0;
	if (wait->has_yielded || wait->begun_ns != 0) {
		wait->fruitless -=
		    wait->fruitless < WAIT_UNTAKEN_MAX ? wait->fruitless : WAIT_UNTAKEN_MAX;
		if (wait->untaken > 0 && wait->patience < WAIT_UNTAKEN_MAX)
			wait->patience *= 2;
	}
	/* close to the limit: the next one may be just beyond it */
	if (wait->begun_ns != 0 && (wait->last_ns - wait->begun_ns) * 2 > wait->window_ns) {
		wait->window_ns *= 2;
		if (wait->window_ns > WAIT_WINDOW_MAX_NS)
			wait->window_ns = WAIT_WINDOW_MAX_NS;
	}
}

/* The caller is about to sleep: wait_look() said so, or the peer itself slept till now. */
static inline void
wait_sleeps(struct wait_state *wait)
{
	wait->last_ns = wait_now_ns();
}

/* The caller has slept.  Learns, and begins a new wait. */
static inline void
wait_woken(struct wait_state *wait)
{
	uint64_t now_ns = wait_now_ns(), slept_ns = now_ns - wait->last_ns;
	bool is_short = slept_ns < WAIT_SHORT_SLEEP_NS;

	if (is_short && wait->was_short) {
		wait->window_ns = wait->window_ns == 0 ? WAIT_WINDOW_MIN_NS : wait->window_ns * 4;
		if (wait->window_ns > WAIT_WINDOW_MAX_NS)
			wait->window_ns = WAIT_WINDOW_MAX_NS;
	} else if (slept_ns > WAIT_LONG_SLEEP_NS) {
		wait->window_ns = wait->floor_ns;
	} else if (!is_short) {
		wait->window_ns /= 2;
		if (wait->window_ns < WAIT_WINDOW_MIN_NS)
			wait->window_ns = wait->floor_ns;
	}
	if (slept_ns > WAIT_SLICE_NS)
		wait->slice_ns = now_ns;
	wait->was_short = is_short;
	wait_begin(wait);
}

/* ---- sleeping ---------------------------------------------------------------------- */

#define WAIT_FOREVER UINT64_MAX

/*
 * Sleep until *@word, in memory shared between processes, is not @value, somebody wakes
 * it, or the monotonic clock reads @deadline_ns.
 *
 * 0           woken, perhaps for nothing: look again
 * -EAGAIN     the word was something else already
 * -EINTR      a signal handler ran
 * -ETIMEDOUT  the deadline has passed
 */
static inline int
wait_futex(const _Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
	struct timespec deadline = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
				     .tv_nsec = (long)(deadline_ns % 1000000000u) };
	long result =
	    syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value,
		    deadline_ns == WAIT_FOREVER ? NULL : &deadline, NULL, FUTEX_BITSET_MATCH_ANY);

	return result < 0 ? -errno : 0;
}

/* A word, and what it must be for the sleep to go on. */
struct wait_word {
	const _Atomic uint32_t *word;
	uint32_t value;
};

#define WAIT_WORDS_MAX 3u

/*
 * The same on up to WAIT_WORDS_MAX words at once; each may be in a read-only mapping.
 *
 * Results as of wait_futex().  Where Linux or a seccomp filter does not know futex_waitv it
 * sleeps on the first word only, for at most a quarter of a second, and then says 0: the
 * caller, who looks again anyway, sees the other words that much later.
 */
static inline int
wait_futex_any(const struct wait_word *words, uint32_t word_count, uint64_t deadline_ns)
{
	struct futex_waitv waiters[WAIT_WORDS_MAX] = { 0 };
	/* the kernel's own layout, with 64-bit seconds everywhere */
	struct {
		int64_t seconds;
		int64_t nanoseconds;
	} deadline = { (int64_t)(deadline_ns / 1000000000u), (int64_t)(deadline_ns % 1000000000u) };

	if (word_count > WAIT_WORDS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < word_count; i++)
		waiters[i] = (struct futex_waitv){ .val = words[i].value,
						   .uaddr = (uintptr_t)words[i].word,
						   .flags = FUTEX_32 };
	long result = syscall(SYS_futex_waitv, waiters, word_count, 0,
			      deadline_ns == WAIT_FOREVER ? NULL : &deadline, CLOCK_MONOTONIC);

	if (result >= 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;

	uint64_t soon_ns = wait_now_ns() + 250000000u;
	int error = wait_futex(words[0].word, words[0].value,
			       soon_ns < deadline_ns ? soon_ns : deadline_ns);

	return error == -ETIMEDOUT && soon_ns < deadline_ns ? 0 : error;
}

/* The same on two words. */
static inline int
wait_futex_either(const _Atomic uint32_t *word, uint32_t value, const _Atomic uint32_t *other,
		  uint32_t other_value, uint64_t deadline_ns)
{
	const struct wait_word words[] = { { word, value }, { other, other_value } };

	return wait_futex_any(words, 2, deadline_ns);
}

/* Wake up to @count sleepers on @word, in whatever process; and how many were.  0.4 µs even if
 * nobody sleeps: ask before. */
static inline uint32_t
wait_wake(const _Atomic uint32_t *word, int count)
{
	long woken = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);

	return woken > 0 ? (uint32_t)woken : 0;
}

#endif
