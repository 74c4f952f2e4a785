/*
 * os_log: a line a call.
 *
 * Its formats are printf's with more: annotations in braces after the %, which say who may see
 * the value and how a viewer should show it; %m; and %P, bytes by length and address.  Each
 * conversion is therefore taken apart here, and printed by itself.
 */
#include "kexts/host/log.h"

#include "kexts/host/host_log.h"

#include <os/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define LINE_MAX_BYTES 2048

struct os_log_s {
	struct os_log_s *next;
	char subsystem[NAME_MAX_BYTES], category[NAME_MAX_BYTES];
};

KPI_EXPORT struct os_log_s _os_log_default;
KPI_EXPORT struct os_log_s _os_log_disabled;

static pthread_mutex_t logs_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct os_log_s *logs;

/* ---- formats ----------------------------------------------------------------------------- */

struct out {
	char *text;
	size_t size, used; /* one byte is kept for the NUL */
};

static void
out_bytes(struct out *out, const char *bytes, size_t size)
{
	size_t room = out->size - 1 - out->used;

	if (size > room)
		size = room;
	memcpy(out->text + out->used, bytes, size);
	out->used += size;
}

__attribute__((format(printf, 2, 3))) static void
out_print(struct out *out, const char *format, ...)
{
	size_t room = out->size - out->used;
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(out->text + out->used, room, format, arguments);
	va_end(arguments);
	if (length > 0)
		out->used += (size_t)length < room ? (size_t)length : room - 1;
}

struct conversion {
	char flags[8];
	int width, precision; /* -1: none */
	char length[3];       /* "", "hh", "h", "l", "ll", "q", "j", "z", "t", "L" */
	char letter;
};

/* Digits, or a star whose number is the next argument. */
static const char *
number_parse(const char *at, int *number, va_list *arguments)
{
	if (*at == '*') {
		*number = va_arg(*arguments, int);
		return at + 1;
	}
	*number = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (*number < 100000)
			*number = *number * 10 + (*at - '0');
	}
	return at;
}

/* After the %.  Where it ends; NULL: the format ends before. */
static const char *
conversion_parse(const char *at, struct conversion *conversion, va_list *arguments)
{
	size_t flag_count = 0, length_count = 0;

	*conversion = (struct conversion){ .width = -1, .precision = -1 };
	if (*at == '{') {
		at = strchr(at, '}');
		if (at == NULL)
			return NULL;
		at++;
	}
	for (; *at != '\0' && strchr("-+ #0'", *at) != NULL; at++) {
		if (flag_count < sizeof(conversion->flags) - 1 &&
		    strchr(conversion->flags, *at) == NULL)
			conversion->flags[flag_count++] = *at;
	}
	if (*at == '*' || (*at >= '1' && *at <= '9')) {
		at = number_parse(at, &conversion->width, arguments);
		if (conversion->width < 0) {
			/* as printf has it: a negative width is a minus, and a width */
			if (strchr(conversion->flags, '-') == NULL)
				conversion->flags[flag_count++] = '-';
			conversion->width =
			    conversion->width < -100000 ? 100000 : -conversion->width;
		}
	}
	if (*at == '.')
		at = number_parse(at + 1, &conversion->precision, arguments);
	for (; *at != '\0' && strchr("hlqjztL", *at) != NULL; at++) {
		if (length_count < sizeof(conversion->length) - 1)
			conversion->length[length_count++] = *at;
	}
	conversion->letter = *at;
	return *at != '\0' ? at + 1 : NULL;
}

static bool
is_long_long(const struct conversion *conversion)
{
	const char *length = conversion->length;

	return length[0] == 'q' || (length[0] == 'l' && length[1] == 'l');
}

static intmax_t
signed_argument(const struct conversion *conversion, va_list *arguments)
{
	const char *length = conversion->length;

	if (is_long_long(conversion))
		return va_arg(*arguments, long long);
	switch (length[0]) {
	case 'l':
		return va_arg(*arguments, long);
	case 'j':
		return va_arg(*arguments, intmax_t);
	case 'z':
		return (intmax_t)va_arg(*arguments, ssize_t);
	case 't':
		return va_arg(*arguments, ptrdiff_t);
	case 'h':
		return length[1] == 'h' ? (signed char)va_arg(*arguments, int)
					: (short)va_arg(*arguments, int);
	default:
		return va_arg(*arguments, int);
	}
}

static uintmax_t
unsigned_argument(const struct conversion *conversion, va_list *arguments)
{
	const char *length = conversion->length;

	if (is_long_long(conversion))
		return va_arg(*arguments, unsigned long long);
	switch (length[0]) {
	case 'l':
		return va_arg(*arguments, unsigned long);
	case 'j':
		return va_arg(*arguments, uintmax_t);
	case 'z':
		return va_arg(*arguments, size_t);
	case 't':
		return (uintmax_t)va_arg(*arguments, ptrdiff_t);
	case 'h':
		return length[1] == 'h' ? (unsigned char)va_arg(*arguments, unsigned)
					: (unsigned short)va_arg(*arguments, unsigned);
	default:
		return va_arg(*arguments, unsigned);
	}
}

/* "%-08.3jd" and the like, for printf. */
static void
rebuild(char *text, size_t size, const struct conversion *conversion, const char *ending)
{
	char width[16] = "", precision[16] = "";

	if (conversion->width >= 0)
		snprintf(width, sizeof(width), "%d", conversion->width);
	if (conversion->precision >= 0)
		snprintf(precision, sizeof(precision), ".%d", conversion->precision);
	snprintf(text, size, "%%%s%s%s%s", conversion->flags, width, precision, ending);
}

static void
out_hex(struct out *out, const uint8_t *bytes, int size)
{
	if (bytes == NULL || size < 0)
		size = 0;
	for (int i = 0; i < size && out->used < out->size - 1; i++)
		out_print(out, "%02x", bytes[i]);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void
conversion_print(struct out *out, const struct conversion *conversion, va_list *arguments,
		 int saved_errno)
{
	char format[48];
	char ending[3] = { 'j', conversion->letter, '\0' };

	switch (conversion->letter) {
	case 'd':
	case 'i':
		rebuild(format, sizeof(format), conversion, ending);
		out_print(out, format, signed_argument(conversion, arguments));
		break;
	case 'D':
	case 'U':
	case 'O':
		/* longs, in the old way */
		ending[0] = 'l';
		ending[1] = (char)(conversion->letter + ('a' - 'A'));
		rebuild(format, sizeof(format), conversion, ending);
		out_print(out, format, va_arg(*arguments, long));
		break;
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		rebuild(format, sizeof(format), conversion, ending);
		out_print(out, format, unsigned_argument(conversion, arguments));
		break;
	case 'c':
	case 'C':
		rebuild(format, sizeof(format), conversion, "c");
		out_print(out, format, va_arg(*arguments, int));
		break;
	case 's':
		rebuild(format, sizeof(format), conversion, "s");
		const char *string = va_arg(*arguments, const char *);
		out_print(out, format, string != NULL ? string : "(null)");
		break;
	case 'p':
		rebuild(format, sizeof(format), conversion, "p");
		out_print(out, format, va_arg(*arguments, void *));
		break;
	case 'a':
	case 'A':
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
		if (conversion->length[0] == 'L') {
			ending[0] = 'L';
			rebuild(format, sizeof(format), conversion, ending);
			out_print(out, format, va_arg(*arguments, long double));
		} else {
			rebuild(format, sizeof(format), conversion, ending + 1);
			out_print(out, format, va_arg(*arguments, double));
		}
		break;
	case 'm':
		rebuild(format, sizeof(format), conversion, "s");
		out_print(out, format, strerror(saved_errno));
		break;
	case 'P':
		/* the precision is its length */
		out_hex(out, va_arg(*arguments, const uint8_t *), conversion->precision);
		break;
	case '%':
		out_bytes(out, "%", 1);
		break;
	default:
		/* what it takes is not known: shown as it stands */
		out_bytes(out, "%", 1);
		out_bytes(out, &conversion->letter, 1);
	}
}

#pragma GCC diagnostic pop

size_t
os_log_format(char *text, size_t size, const char *format, va_list arguments)
{
	struct out out = { .text = text, .size = size };
	int saved_errno = errno;
	va_list copy;

	va_copy(copy, arguments);
	while (*format != '\0') {
		struct conversion conversion;
		size_t plain = strcspn(format, "%");

		out_bytes(&out, format, plain);
		format += plain;
		if (*format == '\0')
			break;
		const char *after = conversion_parse(format + 1, &conversion, &copy);
		if (after == NULL) {
			out_bytes(&out, format, strlen(format)); /* no conversion: an odd % */
			break;
		}
		conversion_print(&out, &conversion, &copy, saved_errno);
		format = after;
	}
	va_end(copy);
	out.text[out.used] = '\0';
	return out.used;
}

/* ---- logs ------------------------------------------------------------------------------ */

KPI_EXPORT os_log_t
os_log_create(const char *subsystem, const char *category)
{
	char subsystem_cut[NAME_MAX_BYTES], category_cut[NAME_MAX_BYTES];
	struct os_log_s *log;

	snprintf(subsystem_cut, sizeof(subsystem_cut), "%s", subsystem != NULL ? subsystem : "");
	snprintf(category_cut, sizeof(category_cut), "%s", category != NULL ? category : "");
	pthread_mutex_lock(&logs_lock);
	for (log = logs; log != NULL; log = log->next) {
		if (strcmp(log->subsystem, subsystem_cut) == 0 &&
		    strcmp(log->category, category_cut) == 0)
			break;
	}
	if (log == NULL && (log = calloc(1, sizeof(*log))) != NULL) {
		memcpy(log->subsystem, subsystem_cut, sizeof(subsystem_cut));
		memcpy(log->category, category_cut, sizeof(category_cut));
		log->next = logs;
		logs = log;
	}
	pthread_mutex_unlock(&logs_lock);
	return log != NULL ? log : &_os_log_default;
}

KPI_EXPORT bool
os_log_type_enabled(os_log_t log, os_log_type_t type)
{
	return log != &_os_log_disabled;
}

static const char *
type_word(os_log_type_t type)
{
	switch (type) {
	case OS_LOG_TYPE_INFO:
		return "info: ";
	case OS_LOG_TYPE_DEBUG:
		return "debug: ";
	case OS_LOG_TYPE_ERROR:
		return "error: ";
	case OS_LOG_TYPE_FAULT:
		return "fault: ";
	default:
		return "";
	}
}

KPI_EXPORT void
_os_log_internal(os_log_t log, os_log_type_t type, const char *format, ...)
{
	char prefix[2 * NAME_MAX_BYTES + 16], text[LINE_MAX_BYTES];
	int saved_errno = errno;
	va_list arguments;

	if (!os_log_type_enabled(log, type))
		return;
	va_start(arguments, format);
	size_t size = os_log_format(text, sizeof(text), format, arguments);
	va_end(arguments);
	while (size > 0 && text[size - 1] == '\n')
		text[--size] = '\0';
	if (log == NULL || log->subsystem[0] == '\0')
		snprintf(prefix, sizeof(prefix), "%s", type_word(type));
	else
		snprintf(prefix, sizeof(prefix), "[%s:%s] %s", log->subsystem, log->category,
			 type_word(type));
	host_log_raw(prefix, text);
	errno = saved_errno;
}
