/*
 * Hostile text: whatever stands in a definition, it is read or refused, and nothing else.
 *
 * The address sanitizer's builds see a byte read behind the end; fuzz/mig.c tries mutations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mig/errors/reading.h"
#include "tests/support/runner.h"

/* @count times @part. */
static void
repeat(FILE *out, const char *part, unsigned count)
{
	while (count-- > 0)
		fputs(part, out);
}

/* Read what @fill writes, which must be refused and say @said. */
static void
is_refused(void (*fill)(FILE *), const char *said)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs(reading_prelude, out);
	fill(out);
	fclose(out);
	struct reading *reading = reading_of_bytes(text, size);
	assert_null(reading->interface);
	if (!strstr(reading->said, said))
		fail_msg("%.2000s", reading->said);
	/* what is said is short, however long the text is */
	assert_true(strlen(reading->said) < 100000);
	reading_free(reading);
	free(text);
}

TEST(a_file_cut_off_anywhere_is_read_or_refused)
{
	size_t size, good = 0;
	char *text = read_file(CORPUS "/everything.defs", &size);

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		struct reading *reading = reading_of_bytes(text, cut);

		good += reading->interface != NULL;
		assert_int_equal(reading->interface == NULL, reading->diagnostics.error_count > 0);
		reading_free(reading);
	}
	assert_true(good > 50 && good < size);
	free(text);
}

TEST(a_file_with_any_byte_replaced_is_read_or_refused)
{
	static const char bytes[] = { '\0', '\n', '"', ';', '^', '(', '9', '#', '\x80' };
	size_t size;
	char *text = read_file(CORPUS "/everything.defs", &size);

	(void)state;
	for (size_t at = 0; at < size; at++) {
		char old = text[at];

		text[at] = bytes[at % sizeof(bytes)];
		struct reading *reading = reading_of_bytes(text, size);
		assert_int_equal(reading->interface == NULL, reading->diagnostics.error_count > 0);
		reading_free(reading);
		text[at] = old;
	}
	free(text);
}

static void
deep_pointers(FILE *out)
{
	fputs("type a = ", out);
	repeat(out, "^", 1000000);
	fputs("int;", out);
}

static void
deep_arrays(FILE *out)
{
	fputs("type a = ", out);
	repeat(out, "array[1] of ", 100000);
	fputs("int;", out);
}

static void
deep_numbers(FILE *out)
{
	fputs("type a = array[", out);
	repeat(out, "(", 1000000);
	fputs("1", out);
}

static void
deep_names(FILE *out)
{
	fputs("type a0 = int;", out);
	for (unsigned i = 1; i < 1000; i++)
		fprintf(out, "type a%u = array[1] of a%u;", i, i - 1);
}

static void
wide_product(FILE *out)
{
	fputs("type a = array[1", out);
	repeat(out, "*2", 100000);
	fputs("] of int;", out);
}

static void
huge_number(FILE *out)
{
	fputs("type a = array[", out);
	repeat(out, "9", 1000000);
	fputs("] of int;", out);
}

static void
long_name(FILE *out)
{
	fputs("type ", out);
	repeat(out, "a", 1000000);
	fputs(" = unknown;", out);
}

static void
long_line_of_nothing(FILE *out)
{
	repeat(out, " ", 1000000);
	repeat(out, "?", 1000000);
}

static void
nul_bytes(FILE *out)
{
	for (unsigned i = 0; i < 1000; i++)
		putc('\0', out);
}

static void
many_arguments(FILE *out)
{
	fputs("routine f(p : port", out);
	for (unsigned i = 0; i < 2000; i++)
		fprintf(out, "; a%u : int", i);
	fputs(");", out);
}

static void
many_statements(FILE *out)
{
	repeat(out, "skip;", 200000);
}

TEST(what_is_too_deep_long_or_many_is_refused)
{
	(void)state;
	is_refused(deep_pointers, "nested more than 64 deep");
	is_refused(deep_arrays, "nested more than 64 deep");
	is_refused(deep_numbers, "nested more than 64 deep");
	is_refused(deep_names, "nested more than 64 deep");
	is_refused(wide_product, "does not fit 64 bits");
	is_refused(huge_number, "larger than 2147483647");
	is_refused(long_name, "a name of more than 1024 bytes");
	is_refused(long_line_of_nothing, "'?' means nothing here");
	is_refused(nul_bytes, "a byte 0x00 means nothing here");
	is_refused(many_arguments, "a routine of more than 1000 arguments");
	is_refused(many_statements, "a file of more than 100000 statements");
}

TEST(nesting_up_to_the_bound_is_read)
{
	char text[1024] = "type a = ";

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(text, "array[1] of ");
	strcat(text, "int;");
	struct reading *reading = reading_of(text);
	assert_non_null(reading->interface);
	reading_free(reading);
}
