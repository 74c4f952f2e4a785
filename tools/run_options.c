/*
 * The command line of `berth run`.
 */
#include "tools/run_options.h"

#include <string.h>

#include "tools/command.h"

static const char help_text[] =
    "Usage: berth run [--trace[=FILE]] [--leaks[=sites]] [--strict] [--root] [--] PROGRAM\n"
    "                 [ARGUMENTS]\n"
    "\n"
    "Run PROGRAM, and whatever it starts, on a new kernel of their own.  No other\n"
    "program sees its ports; the kernel ends when PROGRAM does.\n"
    "\n"
    "  --trace[=FILE]  write every trap, message and right to FILE (else to stderr)\n"
    "  --leaks         tell what rights programs left behind; if there were any and\n"
    "                  PROGRAM succeeded, exit with 1\n"
    "  --leaks=sites   the same, with the functions and lines that got each of them\n"
    "  --strict        stop a program at the first call that misuses a right as newer\n"
    "                  macOS does not forgive, and tell what was wrong\n"
    "  --root          be root, of this kernel and in a user namespace of Linux: what\n"
    "                  macOS gives to root only (privileged kernel controls) is there,\n"
    "                  files and other processes are as before\n"
    "\n"
    "Exit status: PROGRAM's own; 128 + n if signal n killed it; 127 if it was not found,\n"
    "126 if it could not be executed; 1 if the kernel failed, 2 for wrong usage.\n";

int
run_options_parse(struct run_options *options, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return command_help(help_text);
		if (strcmp(argv[i], "--leaks") == 0) {
			options->leaks = true;
		} else if (strcmp(argv[i], "--strict") == 0) {
			options->strict = true;
		} else if (strncmp(argv[i], "--leaks=", 8) == 0) {
			if (strcmp(argv[i] + 8, "sites") != 0)
				return command_usage("run", "--leaks= wants 'sites', not '%s'",
						     argv[i] + 8);
			options->leaks = options->leak_sites = true;
		} else if (strcmp(argv[i], "--root") == 0) {
			options->root = true;
		} else if (strcmp(argv[i], "--trace") == 0) {
			options->traced = true;
		} else if (strncmp(argv[i], "--trace=", 8) == 0) {
			options->traced = true;
			options->trace_file = argv[i] + 8;
			if (options->trace_file[0] == '\0')
				return command_usage("run", "--trace= names no file");
		} else {
			return command_usage("run", "unknown option '%s'", argv[i]);
		}
	}
	if (i >= argc)
		return command_usage("run", "no program given");
	options->argv = &argv[i];
	return -1;
}
