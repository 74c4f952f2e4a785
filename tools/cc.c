/*
 * berth cc: the system's compiler, told where Darwin's headers and libberth are.
 *
 * What the user gave is handed on as it came and in its order.  Flags to compile with stand
 * before it, so that it can undo them (-U__MACH__); libraries stand behind it, where a
 * linker wants them.  Nothing is added that would not be used: some compilers warn of it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/compiler_options.h"
#include "tools/toolchain.h"

/*
 * Set for the compiler that is run.  `make CC='berth cc'` puts that into the environment,
 * and so $CC may lead back here: then everything has been added already, and $CC is no help.
 */
#define RUNNING_VARIABLE "BERTH_CC_RUNNING"

static const char help_text[] =
    "Usage: berth cc [--apple] [COMPILER OPTIONS] FILES...\n"
    "       berth c++ [--apple] [COMPILER OPTIONS] FILES...\n"
    "       berth cc --print-flags cflags|libs\n"
    "\n"
    "Compile and link programs written for Darwin with the compiler of this system: $CC\n"
    "(cc), or $CXX (c++) for C++ and when called as 'berth c++'.  Objective-C works, too.\n"
    "All options of the compiler are handed on; Darwin's headers come before the system's,\n"
    "and the program is linked with libberth so that it runs as it is.\n"
    "\n"
    "  --apple              define __APPLE__, for sources that test it.  The headers of\n"
    "                       this system do not expect that and may behave oddly\n"
    "  --print-flags cflags print what is added to compile; 'libs': to link\n"
    "\n"
    "Defined in any case: __BERTH__=1, and __MACH__=1 (-U__MACH__ takes it back).\n"
    "\n"
    "Exit status: the compiler's; 1 if it could not be run, 2 for wrong usage.\n";

/* ---- lists of words ------------------------------------------------------------------ */

/* Words for execvp; what is put in by words_add_copy is the list's own, and never freed:
 * it lives until exec. */
struct words {
	char **word;
	size_t count, capacity;
	bool no_memory;
};

static void
words_add(struct words *words, char *word)
{
	if (!word) {
		words->no_memory = true;
		return;
	}
	if (words->count + 1 >= words->capacity) {
		size_t capacity = words->capacity * 2 + 32;
		char **more = realloc(words->word, capacity * sizeof(*more));

		if (!more) {
			words->no_memory = true;
			return;
		}
		words->word = more;
		words->capacity = capacity;
	}
	words->word[words->count++] = word;
	words->word[words->count] = NULL;
}

static void
words_add_copy(struct words *words, const char *word)
{
	words_add(words, strdup(word));
}

/* One word from two parts: "-L" and a folder. */
static void
words_add_joined(struct words *words, const char *start, const char *rest)
{
	char *word;

	words_add(words, asprintf(&word, "%s%s", start, rest) < 0 ? NULL : word);
}

/* $CC may say more than a name: "ccache gcc -m64". */
static void
words_add_split(struct words *words, const char *text)
{
	static const char blanks[] = " \t\n";

	for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);

		words_add(words, strndup(text, length));
		text += length;
	}
}

/* ---- what is added -------------------------------------------------------------------- */

struct driver {
	bool is_cxx;   /* called as `berth c++` */
	bool is_apple; /* --apple */
	bool is_inner; /* $CC led back here: nothing is added */
	const char *print_flags;
	struct words given; /* without what is ours */
	struct compiler_options options;
	struct toolchain toolchain;
};

#define INPUT_SOURCES (INPUT_C | INPUT_CXX | INPUT_OBJC | INPUT_OBJCXX)

static bool
compiles(const struct driver *driver)
{
	return (driver->options.inputs & (INPUT_SOURCES | INPUT_OTHER)) != 0;
}

static bool
links(const struct driver *driver)
{
	return driver->options.inputs != 0 && !driver->options.no_link && !driver->options.no_libs;
}

/*
 * C++'s driver takes .c files for C++.  So where both are given C's drives, and gets C++'s
 * library to link with.
 */
static bool
wants_cxx(const struct driver *driver)
{
	uint32_t sources = driver->options.inputs & INPUT_SOURCES;

	if (driver->is_cxx)
		return true;
	return (sources & (INPUT_CXX | INPUT_OBJCXX)) && !(sources & (INPUT_C | INPUT_OBJC));
}

static void
add_cflags(struct words *words, const struct driver *driver)
{
	uint32_t sources = driver->options.inputs & INPUT_SOURCES;

	words_add_copy(words, "-isystem");
	words_add_copy(words, driver->toolchain.headers);
	if (driver->toolchain.libbsd[0] != '\0') {
		words_add_copy(words, "-isystem");
		words_add_copy(words, driver->toolchain.libbsd);
		words_add_copy(words, "-DLIBBSD_OVERLAY");
	}
	words_add_copy(words, "-D__BERTH__=1");
	words_add_copy(words, "-D__MACH__=1");
	if (driver->is_apple)
		words_add_copy(words, "-D__APPLE__=1");
	words_add_copy(words, "-pthread");
	/* on Darwin @try needs no option; gcc warns if C sees this one */
	if (sources != 0 && !(sources & (INPUT_C | INPUT_CXX)))
		words_add_copy(words, "-fobjc-exceptions");
}

static void
add_libs(struct words *words, const struct driver *driver)
{
	const struct toolchain *toolchain = &driver->toolchain;
	uint32_t sources = driver->options.inputs & INPUT_SOURCES;
	bool is_static = driver->options.is_static;

	words_add_joined(words, "-L", toolchain->libdir);
	words_add_copy(words, "-lberth");
	if (toolchain->needs_rpath && !is_static) {
		/* not -Wl,: a comma in the folder's name would cut it */
		words_add_copy(words, "-Xlinker");
		words_add_copy(words, "-rpath");
		words_add_copy(words, "-Xlinker");
		words_add_copy(words, toolchain->libdir);
	}
	if (sources & (INPUT_OBJC | INPUT_OBJCXX))
		words_add_copy(words, "-lobjc");
	if ((sources & (INPUT_CXX | INPUT_OBJCXX)) && !wants_cxx(driver)) {
		words_add_copy(words, "-lstdc++");
		words_add_copy(words, "-lm");
	}
	if (toolchain->libbsd[0] != '\0') {
		/* only if the program uses it */
		words_add_copy(words, "-Wl,--push-state,--as-needed");
		words_add_copy(words, "-lbsd");
		if (is_static)
			words_add_copy(words, "-lmd");
		words_add_copy(words, "-Wl,--pop-state");
	}
	if (is_static)
		words_add_copy(words, "-ldl");
	words_add_copy(words, "-pthread");
}

/* ---- the command line ------------------------------------------------------------------ */

/* -1: go on; else the exit code. */
static int
parse(struct driver *driver, int argc, char **argv)
{
	bool is_value = false; /* of the option before */

	for (int i = 1; i < argc; i++) {
		char *argument = argv[i];

		if (is_value || argument[0] != '-') {
			is_value = false;
			words_add(&driver->given, argument);
		} else if (strcmp(argument, "--help") == 0) {
			return command_help(help_text);
		} else if (strcmp(argument, "--apple") == 0) {
			driver->is_apple = true;
		} else if (strcmp(argument, "--print-flags") == 0) {
			if (++i >= argc)
				return command_usage(argv[0],
						     "--print-flags of what? 'cflags' or 'libs'");
			driver->print_flags = argv[i];
		} else if (strncmp(argument, "--print-flags=", 14) == 0) {
			driver->print_flags = argument + 14;
		} else {
			is_value = compiler_option_takes_next(argument);
			words_add(&driver->given, argument);
		}
	}
	if (driver->print_flags && strcmp(driver->print_flags, "cflags") != 0 &&
	    strcmp(driver->print_flags, "libs") != 0)
		return command_usage(argv[0], "no flags '%s'; there are 'cflags' and 'libs'",
				     driver->print_flags);
	if (!driver->print_flags && driver->given.count == 0)
		return command_usage(argv[0], "no input files");
	return -1;
}

/* So that a shell or a makefile takes it as one word. */
static void
print_word(const char *word)
{
	for (; *word != '\0'; word++) {
		if (strchr(" \t\n\\'\"$`&|;<>()*?[]#~!{}", *word))
			putchar('\\');
		putchar(*word);
	}
}

static int
print_flags(const struct driver *driver)
{
	struct words words = { 0 };

	if (strcmp(driver->print_flags, "cflags") == 0)
		add_cflags(&words, driver);
	else
		add_libs(&words, driver);
	if (words.no_memory)
		return command_failed("cc", "out of memory");
	for (size_t i = 0; i < words.count; i++) {
		if (i > 0)
			putchar(' ');
		print_word(words.word[i]);
		free(words.word[i]);
	}
	free(words.word);
	putchar('\n');
	return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

/* Returns only if it failed: the exit code. */
static int
run_compiler(const struct driver *driver, const char *command)
{
	bool is_cxx = wants_cxx(driver);
	const char *compiler = getenv(is_cxx ? "CXX" : "CC");
	struct words words = { 0 };

	if (compiler && !driver->is_inner)
		words_add_split(&words, compiler);
	if (words.count == 0)
		words_add_copy(&words, is_cxx ? "c++" : "cc");
	if (compiles(driver) && !driver->is_inner)
		add_cflags(&words, driver);
	for (size_t i = 0; i < driver->given.count; i++)
		words_add(&words, driver->given.word[i]);
	if (links(driver) && !driver->is_inner)
		add_libs(&words, driver);
	if (words.no_memory || setenv(RUNNING_VARIABLE, "1", 1) < 0)
		return command_failed(command, "out of memory");

	execvp(words.word[0], words.word);
	return command_failed(command, "cannot run the compiler '%s': %s", words.word[0],
			      strerror(errno));
}

int
berth_cc_main(int argc, char **argv)
{
	struct driver driver = {
		.is_cxx = strcmp(argv[0], "c++") == 0,
		.is_inner = getenv(RUNNING_VARIABLE) != NULL,
	};
	char *tried;
	int code = parse(&driver, argc, argv);

	if (code >= 0) {
		free(driver.given.word);
		return code;
	}
	if (driver.given.no_memory ||
	    compiler_options_read(&driver.options, (int)driver.given.count, driver.given.word) < 0)
		return command_failed(argv[0], "out of memory");

	if (driver.print_flags || (driver.options.inputs != 0 && !driver.is_inner)) {
		int err = toolchain_find(&driver.toolchain, &tried);

		if (err == -ENOENT) {
			command_failed(
			    argv[0],
			    "Darwin's headers or libberth are nowhere to be found; tried\n%s"
			    "Install Berth's development files.",
			    tried ? tried : "");
			free(tried);
			return COMMAND_FAILED;
		}
		if (err < 0)
			return command_failed(argv[0], "cannot tell where this program is: %s",
					      strerror(-err));
		free(tried);
	}
	if (driver.print_flags) {
		code = print_flags(&driver);
		free(driver.given.word);
		return code;
	}
	return run_compiler(&driver, argv[0]);
}
