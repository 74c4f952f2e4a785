/*
 * Options: see options.h.
 *
 * Every option is a word of its own; -I, -D and -U alone may have their value in the same word.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mig/options.h"
#include "mig/support/memory.h"

const char options_help[] =
    "usage: mig [option ...] file.defs ...\n"
    "\n"
    "Makes C from descriptions of Mach interfaces: for each file the user's side in\n"
    "<subsystem>User.c, the server's in <subsystem>Server.c, and <subsystem>.h.  Without a\n"
    "file, or with `-`, preprocessed text is read from standard input.\n"
    "\n"
    "  -user FILE, -server FILE, -header FILE\n"
    "                     other names for these; /dev/null: leave it out\n"
    "  -sheader FILE      a header for the server, too\n"
    "  -iheader FILE      a header for inside the server, too\n"
    "  -dheader FILE      a header with the routines' numbers, too\n"
    "  -i PREFIX          one C file for each user routine, PREFIX<routine>.c\n"
    "  -split             headers include nothing, the C files do\n"
    "  -maxonstack N      messages of more than N bytes are not on the stack\n"
    "  -novouchers        no voucher is taken along\n"
    "  -R                 send and receive are two calls (-r: one)\n"
    "  -s                 a table of symbols in the server file (-S: none)\n"
    "  -L                 calls of the event logger (-l: none)\n"
    "  -n                 conversion of numbers (-N: none)\n"
    "  -b                 bounds in the prototypes (-B: none)\n"
    "  -q, -Q             without, with warnings\n"
    "  -v, -V             tell, do not tell what is done\n"
    "  -I, -D, -U, -isysroot, -include, -f..., -m..., -std=..., -MD, -target, -arch ...\n"
    "                     for the preprocessor\n"
    "  -cc COMPILER       whose preprocessor is used; else $MIGCC, else cc\n"
    "  --json             print the interface as JSON, write no file\n"
    "  --help, --version\n";

static int
fail(const char *format, const char *option)
{
	fputs("mig: error: ", stderr);
	fprintf(stderr, format, option);
	fputs("; `mig --help` lists the options\n", stderr);
	return -1;
}

/* ---- tables -------------------------------------------------------------------------- */

/* Options without a value that set something. */
struct switch_option {
	const char *name;
	size_t offset; /* of a bool in the settings */
	bool value;
};

#define SETTING(field) offsetof(struct settings, field)

static const struct switch_option switches[] = {
	{ "-split", SETTING(split_headers), true },
	{ "-novouchers", SETTING(use_vouchers), false },
	{ "-q", SETTING(quiet), true },
	{ "-Q", SETTING(quiet), false },
	{ "-v", SETTING(verbose), true },
	{ "-V", SETTING(verbose), false },
	{ "-r", SETTING(two_calls), false },
	{ "-R", SETTING(two_calls), true },
	{ "-s", SETTING(symbol_table), true },
	{ "-S", SETTING(symbol_table), false },
	{ "-l", SETTING(event_logger), false },
	{ "-L", SETTING(event_logger), true },
	{ "-n", SETTING(ndr_convert), true },
	{ "-N", SETTING(ndr_convert), false },
	{ "-b", SETTING(bounds), true },
	{ "-B", SETTING(bounds), false },
	{ "--json", SETTING(json), true },
};

/* Options whose value is the name of an output. */
static const struct {
	const char *name;
	size_t offset;
} outputs[] = {
	{ "-user", SETTING(user_file) },
	{ "-server", SETTING(server_file) },
	{ "-header", SETTING(header_file) },
	{ "-sheader", SETTING(server_header_file) },
	{ "-iheader", SETTING(internal_header_file) },
	{ "-dheader", SETTING(defines_file) },
	{ "-i", SETTING(user_prefix_files) },
};

/* Nothing to do: the default, or of tools that are one program here. */
static const char *const ignored[] = { "-k", "-t", "-X" };
static const char *const ignored_with_value[] = { "-migcom", "-cpp", "-max_descrs",
						  "-max_reply_descrs" };

static const char *const unsupported[] = { "-x", "-K", "-T", "-mach_msg2" };

/* For the preprocessor, as they stand. */
static const char *const passed_with_value[] = {
	"-I",  "-D",  "-U",  "-isystem",  "-iquote", "-idirafter", "-include",     "-imacros",
	"-MF", "-MT", "-MQ", "-isysroot", "-target", "-iprefix",   "-iwithprefix", NULL,
};
static const char *const passed_starts[] = { "-I", "-D", "-U", "-f", "-m", "-std=", "-W", NULL };
static const char *const passed_alone[] = { "-MD",       "-MMD",     "-MP", "-undef",
					    "-nostdinc", "-pthread", "-w",  "-ansi",
					    "-pipe",     "-g",       NULL };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_one_of(const char *option, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count && list[i]; i++) {
		if (strcmp(option, list[i]) == 0)
			return true;
	}
	return false;
}

/* ---- reading ------------------------------------------------------------------------- */

/* The arguments, and the next one to look at. */
struct reader {
	struct options *options;
	char **arguments;
	int count;
	int next;
};

static void
pass(struct options *options, char *argument)
{
	options->preprocessor[options->preprocessor_count++] = argument;
}

/* The value of @option, which is the next argument. */
static int
read_value(struct reader *reader, const char *option, char **value)
{
	if (reader->next == reader->count)
		return fail("`%s` needs a value behind it", option);
	*value = reader->arguments[reader->next++];
	return 0;
}

static int
read_number(struct reader *reader, const char *option, uint32_t *number)
{
	char *value;

	if (read_value(reader, option, &value) < 0)
		return -1;
	uint64_t read = 0;
	const char *c = value;
	for (; *c >= '0' && *c <= '9' && read <= INT32_MAX; c++)
		read = read * 10 + (uint64_t)(*c - '0');
	if (c == value || *c || read > INT32_MAX) {
		fprintf(stderr, "mig: error: `%s %s`: expected a number up to %d\n", option, value,
			INT32_MAX);
		return -1;
	}
	*number = (uint32_t)read;
	return 0;
}

/* 1: it was one of these, 0: it was not, -1: told. */
static int
read_setting(struct reader *reader, const char *option)
{
	struct settings *settings = &reader->options->settings;
	char *value;

	for (size_t i = 0; i < COUNT(switches); i++) {
		if (strcmp(option, switches[i].name) == 0) {
			*(bool *)((char *)settings + switches[i].offset) = switches[i].value;
			return 1;
		}
	}
	for (size_t i = 0; i < COUNT(outputs); i++) {
		if (strcmp(option, outputs[i].name) == 0) {
			if (read_value(reader, option, &value) < 0)
				return -1;
			if (!*value)
				return fail("the value of `%s` is empty", option);
			*(const char **)((char *)settings + outputs[i].offset) = value;
			reader->options->names_outputs = true;
			return 1;
		}
	}
	if (strcmp(option, "-maxonstack") == 0)
		return read_number(reader, option, &settings->stack_limit) < 0 ? -1 : 1;
	return 0;
}

/* As read_setting. */
static int
read_for_preprocessor(struct reader *reader, char *option)
{
	char *value;

	if (is_one_of(option, passed_with_value, COUNT(passed_with_value))) {
		if (read_value(reader, option, &value) < 0)
			return -1;
		pass(reader->options, option);
		pass(reader->options, value);
		return 1;
	}
	if (strcmp(option, "-arch") == 0) {
		/* compilers on Linux have one architecture, and do not know the option */
		return read_value(reader, option, &value) < 0 ? -1 : 1;
	}
	bool is_passed = is_one_of(option, passed_alone, COUNT(passed_alone));
	for (size_t i = 0; passed_starts[i] && !is_passed; i++) {
		size_t size = strlen(passed_starts[i]);

		is_passed = strncmp(option, passed_starts[i], size) == 0 && option[size];
	}
	if (is_passed)
		pass(reader->options, option);
	return is_passed;
}

static int
read_option(struct reader *reader, char *option)
{
	struct options *options = reader->options;
	char *value;

	int done = read_setting(reader, option);
	if (done)
		return done < 0 ? -1 : 0;
	if (strcmp(option, "--help") == 0 || strcmp(option, "-help") == 0) {
		options->action = OPTIONS_HELP;
		return 0;
	}
	if (strcmp(option, "--version") == 0 || strcmp(option, "-version") == 0) {
		options->action = OPTIONS_VERSION;
		return 0;
	}
	if (strcmp(option, "-cc") == 0) {
		if (read_value(reader, option, &value) < 0)
			return -1;
		options->compiler = value;
		return 0;
	}
	if (is_one_of(option, ignored, COUNT(ignored)))
		return 0;
	if (is_one_of(option, ignored_with_value, COUNT(ignored_with_value)))
		return read_value(reader, option, &value);
	if (is_one_of(option, unsupported, COUNT(unsupported)))
		return fail("option `%s` is not supported", option);
	done = read_for_preprocessor(reader, option);
	if (done)
		return done < 0 ? -1 : 0;
	return fail("option `%s` is not known", option);
}

int
options_read(struct options *options, int count, char **arguments)
{
	struct reader reader = { options, arguments, count, 1 };

	*options = (struct options){ .settings.use_vouchers = true };
	options->files = memory_grow(NULL, sizeof(char *) * (size_t)(count + 1), true);
	options->preprocessor = memory_grow(NULL, sizeof(char *) * (size_t)(count + 1), true);
	while (reader.next < count) {
		char *argument = arguments[reader.next++];

		if (argument[0] == '-' && argument[1]) {
			if (read_option(&reader, argument) < 0)
				return -1;
			if (options->action != OPTIONS_COMPILE)
				return 0;
		} else {
			options->files[options->file_count++] = argument;
		}
	}
	if (options->file_count > 1 && options->names_outputs) {
		fputs(
		    "mig: error: the outputs of several files cannot have one name: give one file "
		    "at a time\n",
		    stderr);
		return -1;
	}
	return 0;
}

void
options_deinit(struct options *options)
{
	free(options->files);
	free(options->preprocessor);
	options->files = options->preprocessor = NULL;
}
