/*
 * Text: see text.h.  The room doubles, so that adding is cheap however long it gets.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mig/support/memory.h"
#include "mig/support/text.h"

/* Make room for @size more bytes and a NUL. */
static void
text_reserve(struct text *text, size_t size)
{
	if (size >= SIZE_MAX / 4 - text->size)
		memory_ran_out();
	size_t needed = text->size + size + 1;
	if (needed <= text->room)
		return;
	size_t room = text->room ? text->room : 256;
	while (room < needed)
		room *= 2;
	text->bytes = memory_grow(text->bytes, room, false);
	text->room = room;
}

void
text_add(struct text *text, const char *bytes, size_t size)
{
	text_reserve(text, size);
	if (size)
		memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

void
text_vprintf(struct text *text, const char *format, va_list args)
{
	char *added;

	int size = vasprintf(&added, format, args);
	if (size < 0)
		memory_ran_out();
	text_add(text, added, (size_t)size);
	free(added);
}

void
text_printf(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(text, format, args);
	va_end(args);
}

void
text_deinit(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ 0 };
}
