/*
 * The command line of `berth cc`: what is ours is taken out, the rest is the compiler's.
 */
#include "tools/cc_options.h"

#include <string.h>

#include "tools/command.h"

static const char help_text[] =
    "Usage: berth cc [--apple] [COMPILER OPTIONS] FILES...\n"
    "       berth c++ [--apple] [COMPILER OPTIONS] FILES...\n"
    "       berth cc --kext [--info-plist=FILE] [COMPILER OPTIONS] FILES... -o NAME.kext\n"
    "       berth cc --print-flags cflags|libs\n"
    "\n"
    "Compile and link programs written for Darwin with the compiler of this system: $CC\n"
    "(cc), or $CXX (c++) for C++ and when called as 'berth c++'.  Objective-C works, too.\n"
    "All options of the compiler are handed on; Darwin's headers come before the system's,\n"
    "and the program is linked with libberth so that it runs as it is.\n"
    "\n"
    "An interface, FILE.defs, is compiled by mig: the program includes \"FILE.h\" or\n"
    "\"FILEServer.h\" and is linked with the stubs of both sides as far as it uses them.\n"
    "\n"
    "A kernel extension is compiled with --kext, with KERNEL defined, and linked with\n"
    "libberth-kpi.  -o NAME.kext makes a bundle, any other name a shared object.\n"
    "\n"
    "  --kext               compile and link a kernel extension\n"
    "  --info-plist=FILE    the Info.plist of the bundle; else it is made of what kmod_info\n"
    "                       says\n"
    "  --apple              define __APPLE__, for sources that test it.  The headers of\n"
    "                       this system do not expect that and may behave oddly\n"
    "  --print-flags cflags print what is added to compile; 'libs': to link\n"
    "\n"
    "Defined in any case: __BERTH__=1, and __MACH__=1 (-U__MACH__ takes it back).\n"
    "\n"
    "Exit status: the compiler's; 1 if it could not be run, 2 for wrong usage.\n";

static void
note_option(struct cc_driver *driver, const char *option, bool *has_language)
{
	if (strncmp(option, "-x", 2) == 0)
		*has_language = strcmp(option, "-xnone") != 0;
	if (strncmp(option, "-o", 2) == 0 || strncmp(option, "--output", 8) == 0) {
		driver->has_output = true;
		if (strncmp(option, "-o", 2) == 0)
			driver->kext.output = option + 2;
		else if (option[8] == '=')
			driver->kext.output = option + 9;
		driver->kext.output_index = driver->given.count;
	}
	if (strncmp(option, "-fsanitize=", 11) == 0)
		driver->kext.sanitizers = option + 11;
	stubs_note_option(&driver->stubs, option, NULL);
}

int
cc_options_parse(struct cc_driver *driver, int argc, char **argv)
{
	const char *option = NULL; /* that takes the next argument */
	bool has_language = false; /* of -x: it says what files are, not their names */

	for (int i = 1; i < argc; i++) {
		char *argument = argv[i];

		if (option) {
			if (strcmp(option, "-o") == 0 || strcmp(option, "--output") == 0) {
				driver->has_output = true;
				driver->kext.output = argument;
				driver->kext.output_index = driver->given.count;
			}
			if (strcmp(option, "-x") == 0)
				has_language = strcmp(argument, "none") != 0;
			stubs_note_option(&driver->stubs, option, argument);
			option = NULL;
			words_add(&driver->given, argument);
		} else if (argument[0] != '-' && stubs_is_interface(argument) && !has_language) {
			words_add(&driver->stubs.interfaces, argument);
		} else if (argument[0] != '-') {
			words_add(&driver->given, argument);
		} else if (strcmp(argument, "--help") == 0) {
			return command_help(help_text);
		} else if (strcmp(argument, "--apple") == 0) {
			driver->is_apple = true;
		} else if (strcmp(argument, "--kext") == 0) {
			driver->kext.is_kext = true;
		} else if (strncmp(argument, "--info-plist=", 13) == 0) {
			driver->kext.info_plist = argument + 13;
		} else if (strcmp(argument, "--print-flags") == 0) {
			if (++i >= argc)
				return command_usage(argv[0],
						     "--print-flags of what? 'cflags' or 'libs'");
			driver->print_flags = argv[i];
		} else if (strncmp(argument, "--print-flags=", 14) == 0) {
			driver->print_flags = argument + 14;
		} else {
			if (compiler_option_takes_next(argument))
				option = argument;
			else
				note_option(driver, argument, &has_language);
			words_add(&driver->given, argument);
		}
	}
	if (driver->print_flags && strcmp(driver->print_flags, "cflags") != 0 &&
	    strcmp(driver->print_flags, "libs") != 0)
		return command_usage(argv[0], "no flags '%s'; there are 'cflags' and 'libs'",
				     driver->print_flags);
	if (driver->kext.info_plist && !driver->kext.is_kext)
		return command_usage(argv[0], "--info-plist goes with --kext");
	if (driver->kext.is_kext && driver->stubs.interfaces.count > 0)
		return command_usage(argv[0],
				     "a kernel extension has no ports: '%s' has no place "
				     "in it",
				     driver->stubs.interfaces.word[0]);
	if (!driver->print_flags && driver->given.count == 0 && driver->stubs.interfaces.count == 0)
		return command_usage(argv[0], "no input files");
	return -1;
}
