/*
 * berth: the command for people.  Finds the subcommand and runs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/berth_config.h"
#include "tools/command.h"
#include "tools/kext.h"
#include "tools/launch.h"

struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *summary; /* NULL: not shown, for those who work on Berth itself */
};

static const struct command commands[] = {
	{ "run", berth_run_main, "run a program on a kernel of its own" },
	{ "cc", berth_cc_main, "compile and link a program written for Darwin" },
	{ "c++", berth_cc_main, "the same, with the C++ compiler" },
	{ "ps", berth_ps_main, "list the tasks of the kernel" },
	{ "ports", berth_ports_main, "list the port rights of each task" },
	{ "trace", berth_trace_main, "show every trap, message and right as it happens" },
	{ "launch", berth_launch_main, "run jobs as launchd does" },
	{ "kext", berth_kext_main, "load, unload and list kernel extensions" },
	{ "kctl", berth_kctl_main, "show kernel controls and who is connected to them" },
	{ "events", berth_events_main, "show kernel events as they come" },
	{ "dump", berth_dump_main, NULL },
};

/* What has the names that people know from macOS. */
static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} familiar_names[] = {
	{ "lsmp", berth_lsmp_main },
	{ "kextload", berth_kextload_main },
	{ "kextunload", berth_kextunload_main },
	{ "kextstat", berth_kextstat_main },
};

static const size_t command_count = sizeof(commands) / sizeof(commands[0]);

/* ---- what all subcommands say in the same words ------------------------------------- */

int
command_usage(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "berth %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'berth %s --help'.\n", command);
	return COMMAND_USAGE;
}

int
command_failed(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "berth %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return COMMAND_FAILED;
}

int
command_help(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) != 0)
		return COMMAND_FAILED;
	return COMMAND_OK;
}

/* ---- finding the command ------------------------------------------------------------ */

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static size_t
smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * How many letters must be put in, taken out, changed or swapped with the next to turn @a
 * into @b.  Both are cut to 31 letters.
 */
static size_t
typing_distance(const char *a, const char *b)
{
	enum { LETTERS_MAX = 31 };
	size_t rows[3][LETTERS_MAX + 1];
	size_t a_length = strnlen(a, LETTERS_MAX), b_length = strnlen(b, LETTERS_MAX);
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

/* The command that was probably meant, or NULL. */
static const struct command *
command_nearest(const char *name)
{
	const struct command *nearest = NULL;
	size_t least = 3; /* further away it is a guess */

	for (size_t i = 0; i < command_count; i++) {
		size_t distance = typing_distance(name, commands[i].name);

		if (commands[i].summary && distance < least &&
		    distance < strlen(commands[i].name)) {
			nearest = &commands[i];
			least = distance;
		}
	}
	return nearest;
}

static int
help(void)
{
	printf("Usage: berth COMMAND [ARGUMENTS]\n"
	       "       berth --help | --version\n"
	       "\n"
	       "Darwin's IPC on Linux: Mach ports, messages and kernel extensions in user space.\n"
	       "\n"
	       "Commands:\n");
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i].summary)
			printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	}
	return command_help(
	    "\n"
	    "'berth COMMAND --help' tells about one of them.\n"
	    "\n"
	    "Environment:\n"
	    "  BERTH_KERNEL      which kernel: a socket's path, 'user' or 'system'\n"
	    "  BERTH_LIBEXECDIR  the folder of berthd and berth-launchd\n");
}

static int
unknown_command(const char *name)
{
	const struct command *nearest = command_nearest(name);

	if (name[0] == '-')
		fprintf(stderr, "berth: unknown option '%s'\n", name);
	else if (nearest)
		fprintf(stderr, "berth: no command '%s'; did you mean 'berth %s'?\n", name,
			nearest->name);
	else
		fprintf(stderr, "berth: no command '%s'\n", name);
	fputs("Try 'berth --help'.\n", stderr);
	return COMMAND_USAGE;
}

/*
 * Occupy those of the standard streams that are closed: else the next socket or file would
 * get their number, and what is meant for people would be written into it.  Opened the
 * wrong way round, so that reading or writing still fails; programs that we start find them
 * closed, as we did.
 */
static void
occupy_closed_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* opens the lowest free number, which is this one */
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC) < 0)
			return;
	}
}

int
main(int argc, char **argv)
{
	const char *called_as = argc > 0 ? strrchr(argv[0], '/') : NULL;

	occupy_closed_streams();
	called_as = called_as ? called_as + 1 : argc > 0 ? argv[0] : "berth";
	for (size_t i = 0; i < sizeof(familiar_names) / sizeof(familiar_names[0]); i++) {
		if (strcmp(called_as, familiar_names[i].name) == 0)
			return familiar_names[i].main(argc, argv);
	}

	if (argc < 2) {
		fputs("Usage: berth COMMAND [ARGUMENTS]\nTry 'berth --help'.\n", stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0)
		return command_help("berth " BERTH_VERSION "\n");
	if (strcmp(argv[1], "help") == 0) {
		if (argc < 3)
			return help();
		const struct command *about = command_find(argv[2]);
		char help_option[] = "--help";
		char *help_argv[] = { argv[2], help_option, NULL };

		return about ? about->main(2, help_argv) : unknown_command(argv[2]);
	}

	const struct command *command = command_find(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return command->main(argc - 1, argv + 1);
}
