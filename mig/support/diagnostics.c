/*
 * Diagnostics: see diagnostics.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "mig/support/diagnostics.h"
#include "mig/support/text.h"

/* Of a longer line only what is around the place is shown. */
#define SHOWN_BEFORE 100u
#define SHOWN_AFTER 100u

static bool
is_line_end(char c)
{
	return c == '\n' || c == '\0';
}

/* A continuation byte of UTF-8 takes no column of its own. */
static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* What could steer a terminal is not passed on. */
static void
put_harmless(FILE *out, char c)
{
	unsigned char byte = (unsigned char)c;

	putc((byte < ' ' && byte != '\t') || byte == 0x7f ? '?' : c, out);
}

static void
show_line(FILE *out, const struct source_place *place)
{
	const char *at = place->line_text + place->column - 1;
	const char *start = place->line_text;
	uint32_t length = place->length ? place->length : 1;

	/* a NUL in the middle of a line ends what can be shown of it */
	for (const char *c = start; c < at; c++) {
		if (is_line_end(*c))
			return;
	}
	if (at - start > (ptrdiff_t)SHOWN_BEFORE) {
		start = at - SHOWN_BEFORE;
		while (start < at && is_continuation(*start))
			start++;
	}
	const char *end = at;
	while (!is_line_end(*end) && end < at + SHOWN_AFTER)
		end++;
	if (end > start && end[-1] == '\r')
		end--;

	if (end == start)
		return; /* a NUL */
	for (const char *c = start; c < end; c++)
		put_harmless(out, *c);
	putc('\n', out);
	for (const char *c = start; c < at; c++) {
		if (!is_continuation(*c))
			putc(*c == '\t' ? '\t' : ' ', out);
	}
	putc('^', out);
	for (const char *c = at + 1; c < end && c < at + length; c++) {
		if (!is_continuation(*c))
			putc('~', out);
	}
	putc('\n', out);
}

__attribute__((format(printf, 4, 0))) static void
say(FILE *out, const char *kind, const struct source_place *place, const char *format, va_list args)
{
	struct text text = { 0 };

	if (!out)
		return;
	text_printf(&text, "%s:", place && place->file ? place->file : "mig");
	if (place && place->line) {
		text_printf(&text, "%u:", place->line);
		if (place->column)
			text_printf(&text, "%u:", place->column);
	}
	text_printf(&text, " %s: ", kind);
	text_vprintf(&text, format, args);
	for (size_t i = 0; i < text.size; i++)
		put_harmless(out, text.bytes[i]);
	putc('\n', out);
	text_deinit(&text);
	if (place && place->line && place->column && place->line_text)
		show_line(out, place);
}

void
diagnostics_verror(struct diagnostics *diagnostics, const struct source_place *place,
		   const char *format, va_list args)
{
	diagnostics->was_dropped = diagnostics_is_full(diagnostics);
	if (diagnostics->was_dropped)
		return;
	diagnostics->error_count++;
	say(diagnostics->out, "error", place, format, args);
	if (diagnostics_is_full(diagnostics) && diagnostics->out)
		fprintf(diagnostics->out, "mig: %d errors: the rest is not looked at\n",
			DIAGNOSTICS_ERRORS_MAX);
}

void
diagnostics_error(struct diagnostics *diagnostics, const struct source_place *place,
		  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diagnostics_verror(diagnostics, place, format, args);
	va_end(args);
}

void
diagnostics_warn(struct diagnostics *diagnostics, const struct source_place *place,
		 const char *format, ...)
{
	va_list args;

	diagnostics->was_dropped = diagnostics->no_warnings || diagnostics_is_full(diagnostics);
	if (diagnostics->was_dropped)
		return;
	diagnostics->warning_count++;
	va_start(args, format);
	say(diagnostics->out, "warning", place, format, args);
	va_end(args);
}

void
diagnostics_note(struct diagnostics *diagnostics, const struct source_place *place,
		 const char *format, ...)
{
	va_list args;

	if (diagnostics->was_dropped)
		return;
	va_start(args, format);
	say(diagnostics->out, "note", place, format, args);
	va_end(args);
}
