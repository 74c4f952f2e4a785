/*
 * berth kext: what its subcommands are.
 */
#ifndef BERTH_TOOLS_KEXT_H
#define BERTH_TOOLS_KEXT_H

/* argv[0] is the subcommand's name.  Each gives the exit code of the process. */
int kext_load_main(int argc, char **argv);
int kext_unload_main(int argc, char **argv);
int kext_list_main(int argc, char **argv);
int kext_log_main(int argc, char **argv);

/* The same with the names and options that they have on macOS. */
int berth_kextload_main(int argc, char **argv);
int berth_kextunload_main(int argc, char **argv);
int berth_kextstat_main(int argc, char **argv);

#endif
