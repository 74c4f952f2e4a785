/*
 * What kexts print: all of it goes into one log.
 */
#include "kexts/host/log.h"

#include "kexts/host/host_log.h"

#include <IOKit/IOLib.h>

#include <errno.h>
#include <stdio.h>

KPI_EXPORT int
kpi_printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = host_log_print(format, arguments);
	va_end(arguments);
	return length;
}

KPI_EXPORT void
kpi_log(int level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)host_log_print(format, arguments);
	va_end(arguments);
}

KPI_EXPORT void
IOLogv(const char *format, va_list ap)
{
	(void)host_log_print(format, ap);
}

KPI_EXPORT void
IOLog(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)host_log_print(format, arguments);
	va_end(arguments);
}

KPI_EXPORT void
kprintf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)host_log_print(format, arguments);
	va_end(arguments);
}

/* ---- printing into memory ------------------------------------------------------------------ */

KPI_EXPORT int
vscnprintf(char *buf, size_t size, const char *format, va_list ap)
{
	int length = vsnprintf(buf, size, format, ap);

	if (length < 0 || size == 0)
		return 0;
	return (size_t)length < size ? length : (int)(size - 1);
}

KPI_EXPORT int
scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vscnprintf(buf, size, format, arguments);
	va_end(arguments);
	return length;
}
