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

#include "tools/cc_options.h"
#include "tools/command.h"

/*
 * Set for the compiler that is run.  `make CC='berth cc'` puts that into the environment,
 * and so $CC may lead back here: then everything has been added already, and $CC is no help.
 */
#define RUNNING_VARIABLE "BERTH_CC_RUNNING"

/* ---- what is added -------------------------------------------------------------------- */

#define INPUT_SOURCES (INPUT_C | INPUT_CXX | INPUT_OBJC | INPUT_OBJCXX)

static bool
compiles(const struct cc_driver *driver)
{
	return (driver->options.inputs & (INPUT_SOURCES | INPUT_OTHER)) != 0;
}

static bool
links(const struct cc_driver *driver)
{
	return driver->options.inputs != 0 && !driver->options.no_link && !driver->options.no_libs;
}

/*
 * C++'s driver takes .c files for C++.  So where both are given C's drives, and gets C++'s
 * library to link with.
 */
static bool
wants_cxx(const struct cc_driver *driver)
{
	uint32_t sources = driver->options.inputs & INPUT_SOURCES;

	if (driver->is_cxx)
		return true;
	return (sources & (INPUT_CXX | INPUT_OBJCXX)) && !(sources & (INPUT_C | INPUT_OBJC));
}

static void
add_cflags(struct words *words, const struct cc_driver *driver)
{
	uint32_t sources = driver->options.inputs & INPUT_SOURCES;

	words_add(words, "-isystem");
	words_add(words, driver->toolchain.headers);
	if (driver->toolchain.libbsd[0] != '\0') {
		words_add(words, "-isystem");
		words_add(words, driver->toolchain.libbsd);
		words_add(words, "-DLIBBSD_OVERLAY");
	}
	stubs_add_folders(&driver->stubs, words);
	words_add(words, "-D__BERTH__=1");
	words_add(words, "-D__MACH__=1");
	if (driver->is_apple)
		words_add(words, "-D__APPLE__=1");
	if (driver->kext.is_kext)
		cc_kext_add_cflags(words);
	words_add(words, "-pthread");
	/* on Darwin @try needs no option; gcc warns if C sees this one */
	if (sources != 0 && !(sources & (INPUT_C | INPUT_CXX)))
		words_add(words, "-fobjc-exceptions");
}

static void
add_libs(struct words *words, const struct cc_driver *driver)
{
	const struct toolchain *toolchain = &driver->toolchain;
	uint32_t sources = driver->options.inputs & INPUT_SOURCES;
	bool is_static = driver->options.is_static;

	if (driver->stubs.folder)
		words_add_text(words, "%s/" STUBS_ARCHIVE, driver->stubs.folder);
	if (driver->kext.is_kext)
		cc_kext_add_link_flags(&driver->kext, words);
	words_add_text(words, "-L%s", toolchain->libdir);
	words_add(words, driver->kext.is_kext ? "-lberth-kpi" : "-lberth");
	if (toolchain->needs_rpath && !is_static) {
		/* not -Wl,: a comma in the folder's name would cut it */
		words_add(words, "-Xlinker");
		words_add(words, "-rpath");
		words_add(words, "-Xlinker");
		words_add(words, toolchain->libdir);
	}
	if (sources & (INPUT_OBJC | INPUT_OBJCXX))
		words_add(words, "-lobjc");
	if ((sources & (INPUT_CXX | INPUT_OBJCXX)) && !wants_cxx(driver)) {
		words_add(words, "-lstdc++");
		words_add(words, "-lm");
	}
	if (toolchain->libbsd[0] != '\0') {
		/* only if the program uses it */
		words_add(words, "-Wl,--push-state,--as-needed");
		words_add(words, "-lbsd");
		if (is_static)
			words_add(words, "-lmd");
		words_add(words, "-Wl,--pop-state");
	}
	if (is_static)
		words_add(words, "-ldl");
	words_add(words, "-pthread");
}

/* ---- the command ------------------------------------------------------------------------- */

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
print_flags(const struct cc_driver *driver)
{
	struct words words = { 0 };

	if (strcmp(driver->print_flags, "cflags") == 0)
		add_cflags(&words, driver);
	else
		add_libs(&words, driver);
	if (words.no_memory) {
		words_free(&words);
		return command_failed("cc", "out of memory");
	}
	for (size_t i = 0; i < words.count; i++) {
		if (i > 0)
			putchar(' ');
		print_word(words.word[i]);
	}
	words_free(&words);
	putchar('\n');
	return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

static void
add_compiler(struct words *words, const struct cc_driver *driver, bool is_cxx)
{
	const char *compiler = getenv(is_cxx ? "CXX" : "CC");

	if (compiler && !driver->is_inner)
		words_add_split(words, compiler);
	if (words->count == 0)
		words_add(words, is_cxx ? "c++" : "cc");
}

void
cc_add_command(struct words *words, const struct cc_driver *driver)
{
	add_compiler(words, driver, wants_cxx(driver));
	if (compiles(driver) && !driver->is_inner)
		add_cflags(words, driver);
	for (size_t i = 0; i < driver->given.count; i++)
		words_add(words, driver->given.word[i]);
	if (links(driver) && !driver->is_inner)
		add_libs(words, driver);
}

/* Returns only if it failed: the exit code. */
static int
run_compiler(const struct cc_driver *driver, const char *command)
{
	struct words words = { 0 };
	int code;

	cc_add_command(&words, driver);
	if (words.no_memory || setenv(RUNNING_VARIABLE, "1", 1) < 0) {
		code = command_failed(command, "out of memory");
	} else {
		execvp(words.word[0], words.word);
		code = command_failed(command, "cannot run the compiler '%s': %s", words.word[0],
				      strerror(errno));
	}
	words_free(&words);
	return code;
}

/* The compiler, and where a bundle is to be made that, around it.  The exit code. */
static int
run_for_kext(struct cc_driver *driver, const char *command)
{
	struct words words = { 0 };
	bool is_linked = links(driver);
	int code =
	    cc_kext_prepare(&driver->kext, &driver->given, is_linked, driver->options.is_static);

	if (code != 0)
		return code;
	if (setenv(RUNNING_VARIABLE, "1", 1) < 0)
		return command_failed(command, "out of memory");
	cc_add_command(&words, driver);
	code = stubs_run(&driver->stubs, &words);
	words_free(&words);
	if (code == 0 && is_linked)
		code = cc_kext_finish(&driver->kext);
	return code;
}

/* ---- interfaces ------------------------------------------------------------------------ */

/* Is there anything else to compile or link? */
static bool
has_more(const struct cc_driver *driver)
{
	return driver->options.inputs != 0;
}

/* mig, the compiler for the stubs, the compiler for the rest.  The exit code. */
static int
run_with_stubs(struct cc_driver *driver, const char *command)
{
	struct words compiler = { 0 }, words = { 0 };
	bool only_stubs = !has_more(driver);
	bool compiles_stubs = !driver->options.no_link || driver->options.no_link_but_objects;

	if (driver->options.no_link_but_objects && driver->has_output)
		return command_usage(command,
				     "-c with -o, and an interface: it becomes two objects");
	if (only_stubs && !compiles_stubs)
		return command_usage(command, "stubs are compiled, with -c, or linked: for their "
					      "text run mig");
	int code = stubs_make(&driver->stubs);
	if (code == 0 && compiles_stubs) {
		add_compiler(&compiler, driver, false);
		add_cflags(&compiler, driver);
		if (compiler.no_memory || setenv(RUNNING_VARIABLE, "1", 1) < 0)
			code = command_failed(command, "out of memory");
		else
			code = stubs_compile(&driver->stubs, &compiler,
					     driver->options.no_link_but_objects ? "." : NULL);
	}
	if (only_stubs && !driver->options.no_link)
		driver->options.inputs = INPUT_LINKER; /* whose `main` is in a library */
	if (code == 0 && has_more(driver)) {
		cc_add_command(&words, driver);
		code = stubs_run(&driver->stubs, &words);
	}
	words_free(&compiler);
	words_free(&words);
	return code;
}

/* Find headers and library.  0, or the exit code after saying why not. */
static int
find_toolchain(struct cc_driver *driver, const char *command)
{
	char *tried;
	int err = toolchain_find(&driver->toolchain, &tried);

	if (err == -ENOENT)
		command_failed(command,
			       "Darwin's headers or libberth are nowhere to be found; tried\n%s"
			       "Install Berth's development files.",
			       tried ? tried : "");
	else if (err < 0)
		command_failed(command, "cannot tell where this program is: %s", strerror(-err));
	free(tried);
	return err < 0 ? COMMAND_FAILED : 0;
}

int
berth_cc_main(int argc, char **argv)
{
	struct cc_driver driver = {
		.is_cxx = strcmp(argv[0], "c++") == 0,
		.is_inner = getenv(RUNNING_VARIABLE) != NULL,
		.stubs = { .command = argv[0] },
	};
	int code = cc_options_parse(&driver, argc, argv);

	if (code < 0) {
		code = 0;
		if (driver.given.no_memory ||
		    compiler_options_read(&driver.options, (int)driver.given.count,
					  driver.given.word) < 0)
			code = command_failed(argv[0], "out of memory");
		else if (driver.print_flags || driver.stubs.interfaces.count > 0 ||
			 (driver.options.inputs != 0 && !driver.is_inner))
			code = find_toolchain(&driver, argv[0]);
		if (code == 0 && driver.print_flags)
			code = print_flags(&driver);
		else if (code == 0 && driver.stubs.interfaces.count > 0)
			code = run_with_stubs(&driver, argv[0]);
		else if (code == 0 && driver.kext.is_kext && !driver.is_inner)
			code = run_for_kext(&driver, argv[0]);
		else if (code == 0)
			code = run_compiler(&driver, argv[0]);
	}
	cc_kext_free(&driver.kext);
	stubs_free(&driver.stubs);
	words_free(&driver.given);
	return code;
}
