/*
 * berth kext: load, unload, list and follow kernel extensions.
 */
#include "tools/kext.h"

#include <stdio.h>
#include <string.h>

#include "tools/command.h"

static const char help_text[] =
    "Usage: berth kext load|unload|list|log [ARGUMENTS]\n"
    "\n"
    "Kernel extensions: shared objects that serve kernel controls and post kernel events, as\n"
    "kexts do on macOS, each in a process of its own.\n"
    "\n"
    "  load    load and start some\n"
    "  unload  stop and unload some\n"
    "  list    show which are loaded\n"
    "  log     show what they have said\n"
    "\n"
    "'berth kext load --help' tells about one of them.  To build one: 'berth cc --kext'.\n";

int
berth_kext_main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*main)(int argc, char **argv);
	} commands[] = {
		{ "load", kext_load_main },
		{ "unload", kext_unload_main },
		{ "list", kext_list_main },
		{ "log", kext_log_main },
	};

	if (argc < 2)
		return command_usage("kext", "what? 'load', 'unload', 'list' or 'log'");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return command_help(help_text);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].main(argc - 1, argv + 1);
	}
	return command_usage("kext", "no command '%s'; there are 'load', 'unload', 'list', 'log'",
			     argv[1]);
}
