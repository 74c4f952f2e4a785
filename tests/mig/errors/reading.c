/*
 * Reading: see reading.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mig/outputs.h"
#include "tests/mig/errors/reading.h"

/* One line, so that tests count theirs from the second. */
const char reading_prelude[] =
    "subsystem test 1000; "
    "type int = MACH_MSG_TYPE_INTEGER_32; type int64 = MACH_MSG_TYPE_INTEGER_64; "
    "type byte = MACH_MSG_TYPE_BYTE; type port = MACH_MSG_TYPE_COPY_SEND; "
    "type once = MACH_MSG_TYPE_MAKE_SEND_ONCE; type poly = polymorphic; "
    "type few = array[*:4] of int; type data = array[] of byte; type memory = ^array[] of byte; "
    "type ports = ^array[] of port; type pair = struct[2] of int; type text = c_string[*:32]; "
    "type sec = struct[2] of int; type audit = struct[8] of int;\n";

struct reading *
reading_of_bytes(const char *bytes, size_t size)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	size_t said_size;

	if (!reading)
		abort();
	/* of its own size exactly, for the address sanitizer */
	reading->text = malloc(size + 1);
	if (!reading->text)
		abort();
	memcpy(reading->text, bytes, size);
	reading->text[size] = '\0';
	reading->size = size;
	reading->settings.use_vouchers = true;
	reading->diagnostics.out = open_memstream(&reading->said, &said_size);
	if (!reading->diagnostics.out)
		abort();
	reading->arena = arena_new();
	reading->interface = compile_read(reading->arena, &reading->diagnostics, &reading->settings,
					  "test.defs", reading->text, size);
	fclose(reading->diagnostics.out);
	reading->diagnostics.out = NULL;
	return reading;
}

struct reading *
reading_of(const char *definition)
{
	char *text;

	if (asprintf(&text, "%s%s", reading_prelude, definition) < 0)
		abort();
	struct reading *reading = reading_of_bytes(text, strlen(text));
	free(text);
	return reading;
}

size_t
reading_generate(struct reading *reading)
{
	const struct text *text;
	const char *path;
	size_t size = 0;

	if (!reading->interface)
		return 0;
	struct outputs *outputs = outputs_new();
	compile_generate(reading->arena, reading->interface, &reading->settings, outputs);
	for (size_t i = 0; outputs_get(outputs, i, &path, &text); i++)
		size += text->size;
	outputs = outputs_free(outputs);
	return size;
}

struct reading *
reading_free(struct reading *reading)
{
	if (!reading)
		return NULL;
	arena_free(reading->arena);
	free(reading->said);
	free(reading->text);
	free(reading);
	return NULL;
}

char *
read_file(const char *file, size_t *size)
{
	FILE *stream = fopen(file, "re");
	char *bytes = NULL;
	size_t room;

	if (!stream) {
		perror(file);
		abort();
	}
	FILE *copy = open_memstream(&bytes, &room);
	if (!copy)
		abort();
	for (int c = getc(stream); c != EOF; c = getc(stream))
		putc(c, copy);
	fclose(copy);
	fclose(stream);
	*size = room;
	return bytes;
}
