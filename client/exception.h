/*
 * Exceptions of this process: what the processor raises goes to the exception ports first, and
 * becomes a signal of the program's when nobody there handles it.  mach-kobjects.md §9.
 */
#ifndef BERTH_CLIENT_EXCEPTION_H
#define BERTH_CLIENT_EXCEPTION_H

#include <signal.h>
#include <stdbool.h>

/* From now on this process looks for exception ports.  Stays so, over fork, until it executes
 * another program. */
void exception_watch(void);

/* In the child of a fork: nobody else is at work here. */
void exception_forked(void);

/*
 * The program's own way to take @signal, while exceptions are watched for: what sigaction() does
 * then, but that the handler of exceptions stays.  False: the signal is none of those, or
 * nothing is watched; Linux is to be asked.
 */
bool exception_sigaction(int signal, const struct sigaction *action, struct sigaction *old);

#endif
