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

#endif
