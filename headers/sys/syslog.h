/*
 * Levels of a log: the C library's, and log() of kernel extensions.
 *
 * Source: kext.md §5.3.
 */
#ifndef BERTH_SYS_SYSLOG_H
#define BERTH_SYS_SYSLOG_H

#include_next <sys/syslog.h>

/* A source that wants logarithms has said so by <math.h>. */
#if defined(KERNEL) && !defined(_MATH_H)

#ifdef __cplusplus
extern "C" {
#endif

#undef log
/* To the kernel's log.  No newline is added. */
__attribute__((format(printf, 2, 3))) void log(int level, const char *format,
					       ...) __asm__("kpi_log");

#ifdef __cplusplus
}
#endif

#endif

#endif
