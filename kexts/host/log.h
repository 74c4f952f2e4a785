/*
 * Printing, by the names that the linker knows: kext headers call them printf and log.
 */
#ifndef BERTH_KEXTS_HOST_LOG_H
#define BERTH_KEXTS_HOST_LOG_H

#include "kexts/host/kpi.h"

#include <stdarg.h>
#include <stddef.h>

__attribute__((format(printf, 1, 2))) int kpi_printf(const char *format, ...);
__attribute__((format(printf, 2, 3))) void kpi_log(int level, const char *format, ...);

/* os_log's format into @text, always with a NUL; cut where it is full.  How many bytes. */
size_t os_log_format(char *text, size_t size, const char *format, va_list arguments);

#endif
