/*
 * Text that grows.  Memory that runs out ends the program, with a message.
 */
#ifndef MIG_SUPPORT_TEXT_H
#define MIG_SUPPORT_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct text {
	char *bytes; /* ended by a NUL, NULL while empty */
	size_t size;
	size_t room;
};

void text_add(struct text *text, const char *bytes, size_t size);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void text_deinit(struct text *text);

#endif
