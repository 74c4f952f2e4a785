/*
 * Crashes: what is said when kext code dies of a signal.
 *
 * A handler, on a stack of its own, says which signal, where, and what the kext was called
 * for; then the process dies of that signal, as it would have.  With a sanitizer in the process
 * those of memory are the sanitizer's.
 */
#ifndef BERTH_KEXTS_HOST_CRASH_H
#define BERTH_KEXTS_HOST_CRASH_H

#include <stdbool.h>

/* Once, at the start of the process: the handlers, and this thread's stack. */
void crash_watch(void);

/* Is the address or thread sanitizer in this process? */
bool crash_has_sanitizer(void);

#endif
