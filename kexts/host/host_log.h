/*
 * The log of a kexthost: whole lines on stderr, which the supervisor passes on to the kernel.
 */
#ifndef BERTH_KEXTS_HOST_HOST_LOG_H
#define BERTH_KEXTS_HOST_HOST_LOG_H

#include <stdarg.h>

/* What the kexthost itself has to say, a line without newline. */
__attribute__((format(printf, 1, 2))) void host_log(const char *format, ...);

/* What kext code prints, as it comes: lines are written when they are whole, and a line of
 * one thread is never torn by another's.  Never blocks for long, never allocates. */
__attribute__((format(printf, 1, 0))) int host_log_print(const char *format, va_list arguments);

/* What this thread has printed of a line not yet whole: written now, as a line.  For where kext
 * code gives the thread back, or sleeps. */
void host_log_flush(void);

/* A line as it is, after whatever this thread has begun; cut to some 4,000 bytes. */
void host_log_raw(const char *prefix, const char *text);

#endif
