/*
 * The subcommands of `berth`: each has a main of its own and its own --help.
 *
 * Exit codes: 0, COMMAND_FAILED for failures, COMMAND_USAGE for what was typed wrongly; a
 * command that runs a program for the user ends as that program did.
 */
#ifndef BERTH_TOOLS_COMMAND_H
#define BERTH_TOOLS_COMMAND_H

enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2,
	COMMAND_NOT_EXECUTABLE = 126, /* as env(1) and the shells say it */
	COMMAND_NOT_FOUND = 127
};

/* argv[0] is the subcommand's name.  Each gives the exit code of the process. */
int berth_run_main(int argc, char **argv);
int berth_cc_main(int argc, char **argv);
int berth_ps_main(int argc, char **argv);
int berth_ports_main(int argc, char **argv);
int berth_trace_main(int argc, char **argv);
int berth_dump_main(int argc, char **argv);
int berth_kext_main(int argc, char **argv);
int berth_kctl_main(int argc, char **argv);
int berth_events_main(int argc, char **argv);

/* `berth ports`, with the options that lsmp has on macOS. */
int berth_lsmp_main(int argc, char **argv);

/*
 * Say on stderr what was typed wrongly, as "berth COMMAND: …", and where the help is.
 * Gives COMMAND_USAGE.
 */
__attribute__((format(printf, 2, 3))) int command_usage(const char *command, const char *format,
							...);

/* Say on stderr what went wrong, as "berth COMMAND: …".  Gives COMMAND_FAILED. */
__attribute__((format(printf, 2, 3))) int command_failed(const char *command, const char *format,
							 ...);

/* Print a help text and give COMMAND_OK, or COMMAND_FAILED if stdout took it not. */
int command_help(const char *text);

#endif
