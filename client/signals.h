/*
 * Which signals the calling thread lets in.
 *
 * A program that blocks all signals still lets in the one by which threads are stopped
 * (thread_hold.h): pthread_sigmask() and sigprocmask() leave it alone.  The library itself, which
 * must not be stopped while it holds a lock, blocks it, too, by this.
 */
#ifndef BERTH_CLIENT_SIGNALS_H
#define BERTH_CLIENT_SIGNALS_H

#include <signal.h>

/* As pthread_sigmask(), for all signals. */
void signals_set(int how, const sigset_t *set, sigset_t *before);

#endif
