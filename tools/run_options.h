/*
 * What was asked of `berth run`.
 */
#ifndef BERTH_TOOLS_RUN_OPTIONS_H
#define BERTH_TOOLS_RUN_OPTIONS_H

#include <stdbool.h>

/* Strings are those of the command line. */
struct run_options {
	bool leaks;
	bool leak_sites; /* with the places where they were got */
	bool traced;
	bool root;
	bool strict;
	const char *trace_file; /* NULL: stderr */
	char **argv;            /* of the program; at least one */
};

/*
 * Read the command line, whose first word is the command's name, into zeroed @options.
 *
 * -1: go on; else the exit code, after a word on stderr or the help on stdout
 */
int run_options_parse(struct run_options *options, int argc, char **argv);

#endif
