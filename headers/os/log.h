/*
 * Apple's log, as kernel extensions use it.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.3.
 */
#ifndef BERTH_OS_LOG_H
#define BERTH_OS_LOG_H

#ifdef KERNEL

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct os_log_s *os_log_t;

extern struct os_log_s _os_log_default;
extern struct os_log_s _os_log_disabled;
#define OS_LOG_DEFAULT (&_os_log_default)
#define OS_LOG_DISABLED (&_os_log_disabled)

typedef uint8_t os_log_type_t;
#define OS_LOG_TYPE_DEFAULT 0x00
#define OS_LOG_TYPE_INFO 0x01
#define OS_LOG_TYPE_DEBUG 0x02
#define OS_LOG_TYPE_ERROR 0x10
#define OS_LOG_TYPE_FAULT 0x11

/* A log whose lines say "[subsystem:category]".  The same one for the same words; it is never
 * freed.  OS_LOG_DEFAULT: no memory. */
os_log_t os_log_create(const char *subsystem, const char *category);
bool os_log_type_enabled(os_log_t log, os_log_type_t type);
#define os_log_info_enabled(log) os_log_type_enabled((log), OS_LOG_TYPE_INFO)
#define os_log_debug_enabled(log) os_log_type_enabled((log), OS_LOG_TYPE_DEBUG)

/*
 * One line.  @format as for printf(), and: what stands in braces after a % ("%{public}s") is
 * skipped, "%m" is the text of errno, "%.*P" takes a length and an address and shows bytes.
 */
void _os_log_internal(os_log_t log, os_log_type_t type, const char *format, ...);

#define os_log_with_type(log, type, format, ...)                                                   \
	_os_log_internal((log), (type), format, ##__VA_ARGS__)
#define os_log(log, format, ...) _os_log_internal((log), OS_LOG_TYPE_DEFAULT, format, ##__VA_ARGS__)
#define os_log_info(log, format, ...)                                                              \
	_os_log_internal((log), OS_LOG_TYPE_INFO, format, ##__VA_ARGS__)
#define os_log_debug(log, format, ...)                                                             \
	_os_log_internal((log), OS_LOG_TYPE_DEBUG, format, ##__VA_ARGS__)
#define os_log_error(log, format, ...)                                                             \
	_os_log_internal((log), OS_LOG_TYPE_ERROR, format, ##__VA_ARGS__)
#define os_log_fault(log, format, ...)                                                             \
	_os_log_internal((log), OS_LOG_TYPE_FAULT, format, ##__VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
