/*
 * What the tests of the KPI share: panics that are expected, what is in the log, threads.
 */
#ifndef BERTH_TESTS_KPI_SUPPORT_H
#define BERTH_TESTS_KPI_SUPPORT_H

#ifndef KERNEL
#define KERNEL 1
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <kern/thread.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* @function panics, in a process of its own, and the log has @words. */
void assert_panics(void (*function)(void), const char *words);

/* What is logged from now on, up to log_taken(), which gives it: valid until the next. */
void log_take(void);
const char *log_taken(void);

/* The thread sleeps, or is about to: a wake-up finds it. */
void until_waits(thread_t thread);

/* A kernel thread that runs @function(@argument); for thread_join(). */
struct running *thread_run_kpi(void (*function)(void *argument), void *argument);
thread_t thread_of(struct running *running);
void thread_join(struct running *running);

/* Each of @count at once, and wait for them. */
void run_many(unsigned count, void (*function)(void *argument), void *argument);

#endif
