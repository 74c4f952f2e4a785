/*
 * berth kext load and unload, kextload and kextunload.
 */
#include "tools/kext.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <berth/kernel_connection.h>

#include "tools/command.h"
#include "tools/kernel_ask.h"
#include "tools/kext_host.h"
#include "tools/kext_plan.h"
#include "tools/kext_table.h"
#include "wire/kext.h"

#define EXIT_POLICY 27      /* refused by the system's policy, as kextload has it */
#define FORCE_PATIENCE_S 10 /* a kexthost that is stopped (SIGSTOP) answers nothing */

static const char load_help[] =
    "Usage: berth kext load [-d FOLDER]... [--memory=SIZE] [--exec-events=FOLDER]...\n"
    "                       [--kernel KERNEL] KEXT...\n"
    "\n"
    "Load kernel extensions, each a bundle NAME.kext, a shared object, or the identifier of\n"
    "one that is installed; and first what they are linked against.  Returns when the start\n"
    "routines have run.  What is loaded already stays as it is, and is fine.\n"
    "\n"
    "  -d, --dependency FOLDER\n"
    "                   look for dependencies there, too: a folder of bundles, or a bundle\n"
    "  --memory=SIZE    how much memory the kexts' process may have, as 512M or 2G; 0: as\n"
    "                   much as it wants (1G)\n"
    "  --exec-events=FOLDER\n"
    "                   kexts that listen to executions (kauth) are asked about programs in\n"
    "                   this folder, not in folders of it; Linux lets only root do that\n"
    "  --kernel KERNEL  load into this kernel: a socket's path, 'user' or 'system'; else\n"
    "                   into the one that programs started here would use, and your own is\n"
    "                   started if it does not run\n"
    "\n"
    "Exit status: 0; 64 wrong usage; 65 no valid kernel extension; 66 not found; 71 it\n"
    "failed to load or to start; 77 you may not load it.\n";

static const char unload_help[] =
    "Usage: berth kext unload [--force] [--kernel KERNEL] IDENTIFIER|PATH...\n"
    "\n"
    "Stop and unload kernel extensions.  One whose stop routine fails stays loaded.\n"
    "\n"
    "  --force          one that does not stop is ended with its process, and with all\n"
    "                   other kexts in that\n" KERNEL_HELP "\n"
    "Exit status: 0; 1 not found; 2 you may not unload it; 3 it, or some of them, could not\n"
    "be unloaded; 64 wrong usage.\n";

static const char kextload_help[] =
    "Usage: kextload [-q | -v [LEVEL]] [-d BUNDLE]... [-r FOLDER]... [-b IDENTIFIER]... KEXT...\n"
    "\n"
    "Load kernel extensions, as 'berth kext load' does, with the options that the command of\n"
    "this name has on macOS.\n"
    "\n"
    "  -b IDENTIFIER  load the one with this identifier\n"
    "  -d BUNDLE      look at this bundle for dependencies\n"
    "  -r FOLDER      look in this folder for dependencies\n"
    "  -q             say nothing but errors\n"
    "  -v [LEVEL]     more words; there are none\n"
    "  -h             this text\n";

static const char kextunload_help[] =
    "Usage: kextunload [-q | -v [LEVEL]] [-b IDENTIFIER]... KEXT...\n"
    "\n"
    "Unload kernel extensions, as 'berth kext unload' does, with the options that the command\n"
    "of this name has on macOS.\n"
    "\n"
    "  -b IDENTIFIER  unload the one with this identifier\n"
    "  -q             say nothing but errors\n"
    "  -v [LEVEL]     more words; there are none\n"
    "  -h             this text\n";

struct request {
	const char *command; /* "kext" */
	const char *kernel;
	bool is_quiet, is_forced, has_exec_events;
	struct words host_options; /* for a new kexthost */
	struct words folders;      /* of dependencies */
	struct words names;
};

static void
request_free(struct request *request)
{
	words_free(&request->folders);
	words_free(&request->names);
	words_free(&request->host_options);
}

/* How @outcome is said, of load and unload. */
static void
say_failure(const char *name, const char *what, const struct kext_outcome *outcome)
{
	const char *words = os_return_words(outcome->result, NULL);

	fprintf(stderr, "%s failed to %s - (libkern/kext) %s; %s\n", name, what,
		words ? words : "unknown error", outcome->why);
}

/* ---- loading ------------------------------------------------------------------------------- */

static int
load_exit_code(int32_t result)
{
	switch (result) {
	case 0:
		return EX_OK;
	case kOSKextReturnNotFound:
		return EX_NOINPUT;
	case kOSKextReturnNotPrivileged:
	case kOSKextReturnAuthentication:
		return EX_NOPERM;
	case kOSKextReturnBadData:
	case kOSKextReturnValidation:
	case kOSKextReturnNotAKext:
	case kOSKextReturnArchNotFound:
	case kOSKextReturnNotLoadable:
		return EX_DATAERR;
	case kOSKextReturnSystemPolicy:
		return EXIT_POLICY;
	default:
		return EX_OSERR;
	}
}

/* @outcome says how it went. */
static void
load_one(const struct request *request, const char *name, struct kext_outcome *outcome)
{
	struct kext_table table;
	struct kext_plan plan;

	int code = kext_table_read(&table, request->command, request->kernel);

	if (code != 0) {
		kext_fails(outcome,
			   code == COMMAND_REFUSED ? kOSKextReturnNotPrivileged
						   : kOSKextReturnInternalError,
			   "which kexts are loaded is not known");
		return;
	}
	if (kext_plan_make(&plan, name, &request->folders, &table, outcome) == 0 &&
	    plan.paths.count > 0) {
		if (plan.host_id == 0)
			kext_host_start(request->command, &plan.paths, &request->host_options,
					plan.sanitizer, outcome);
		else if (request->has_exec_events)
			kext_fails(outcome, kOSKextReturnInUse,
				   "--exec-events: what it is linked against is loaded, and its "
				   "process watches what it was told to then");
		else
			kext_host_load(request->command, plan.host_id, &plan.paths, outcome);
	}
	kext_plan_deinit(&plan);
	kext_table_deinit(&table);
}

static int
load_all(const struct request *request)
{
	int code = EX_OK;

	if (request->names.no_memory || request->folders.no_memory ||
	    request->host_options.no_memory)
		return command_failed(request->command, "out of memory");
	/* the user's kernel is started, if that is to be the one */
	int fd = kernel_ask_connect(request->command, request->kernel, BERTH_KERNEL_START);
	if (fd < 0)
		return EX_UNAVAILABLE;
	close(fd);
	for (size_t i = 0; i < request->names.count; i++) {
		const char *name = request->names.word[i];
		struct kext_outcome outcome = { 0 };

		load_one(request, name, &outcome);
		if (outcome.result != 0) {
			say_failure(name, "load", &outcome);
			code = load_exit_code(outcome.result);
			continue;
		}
		if (outcome.why[0] != '\0')
			fprintf(stderr, "%s: %s\n", name, outcome.why);
		if (!request->is_quiet)
			printf("%s loaded successfully (or already loaded).\n", name);
	}
	if (fflush(stdout) != 0 && code == EX_OK)
		code = EX_IOERR;
	return code;
}

/* ---- unloading ----------------------------------------------------------------------------- */

enum unload_exit {
	UNLOADED = 0,
	UNLOAD_NOT_FOUND = 1,
	UNLOAD_NOT_PRIVILEGED = 2,
	UNLOAD_FAILED = 3
};

/* The loaded kext that @name means: an identifier, the path it was loaded from, or a bundle with
 * its identifier. */
static const struct kext_row *
find_loaded(const struct kext_table *table, const char *name)
{
	const struct kext_row *row = kext_table_find(table, name);
	struct kext_outcome outcome = { 0 };
	struct kext_bundle bundle;
	char *path = row ? NULL : realpath(name, NULL);

	if (path && !row)
		row = kext_table_find_path(table, path);
	if (path && !row) {
		kext_bundle_read(&bundle, path, &outcome);
		row = kext_table_find(table, bundle.identifier);
		kext_bundle_deinit(&bundle);
	}
	free(path);
	return row;
}

static void
unload_row(const struct request *request, const struct kext_row *row, struct kext_outcome *outcome)
{
	uint64_t args[2] = { row->tag, request->is_forced };
	int err = kext_host_command(request->command, row->host_id, WIRE_COMMAND_UNLOAD, args, NULL,
				    0, request->is_forced ? FORCE_PATIENCE_S : 0, NULL, outcome);

	if (err == -ETIMEDOUT && request->is_forced) {
		if (kill(row->pid, SIGKILL) == 0)
			err = 0;
		else
			kext_fails(outcome, kOSKextReturnTimeout,
				   "its process, %d, does not answer, and cannot be killed: %s",
				   row->pid, strerror(errno));
	}
	if (err == -EPIPE && !request->is_forced)
		kext_fails(outcome, kOSKextReturnStartStopError,
			   "%s: its process has died meanwhile; see 'berth kext log'",
			   row->identifier);
	else if (err == COMMAND_FAILED)
		kext_fails(outcome, kOSKextReturnInternalError, "the kernel was not reached");
}

static int
unload_one(const struct request *request, const char *name)
{
	struct kext_outcome outcome = { 0 };
	struct kext_table table;

	int code = kext_table_read(&table, request->command, request->kernel);

	if (code != 0)
		return code == COMMAND_REFUSED ? UNLOAD_NOT_PRIVILEGED : UNLOAD_FAILED;
	const struct kext_row *row = find_loaded(&table, name);

	if (row)
		unload_row(request, row, &outcome);
	else
		kext_fails(&outcome, kOSKextReturnNotFound, "no such kext is loaded");
	kext_table_deinit(&table);
	if (outcome.result != 0)
		say_failure(name, "unload", &outcome);
	else if (!request->is_quiet)
		printf("%s unloaded.\n", name);
	switch (outcome.result) {
	case 0:
		return UNLOADED;
	case kOSKextReturnNotFound:
		return UNLOAD_NOT_FOUND;
	case kOSKextReturnNotPrivileged:
		return UNLOAD_NOT_PRIVILEGED;
	default:
		return UNLOAD_FAILED;
	}
}

static int
unload_all(const struct request *request)
{
	int code = UNLOADED;

	if (request->names.no_memory)
		return command_failed(request->command, "out of memory");
	for (size_t i = 0; i < request->names.count; i++) {
		int one = unload_one(request, request->names.word[i]);

		/* some went, some did not: that is a part, whatever the reason */
		if (i > 0 && one != code)
			one = UNLOAD_FAILED;
		code = one;
	}
	if (fflush(stdout) != 0 && code == UNLOADED)
		code = UNLOAD_FAILED;
	return code;
}

/* ---- options of berth kext ------------------------------------------------------------------- */

/* A number with K, M or G behind it, in bytes. */
static bool
read_size(const char *text, struct request *request)
{
	static const char units[] = "KMG";
	char *end;

	errno = 0;
	unsigned long long size = strtoull(text, &end, 10);
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;

	if (errno != 0 || text[0] < '0' || text[0] > '9' || (*end != '\0' && (!unit || end[1])) ||
	    size > (UINT64_MAX >> shift))
		return false;
	words_add_text(&request->host_options, "--memory=%llu", size << shift);
	return true;
}

/* 0; COMMAND_FAILED, after saying why. */
static int
add_exec_folder(struct request *request, const char *folder)
{
	struct stat status;
	char *absolute = realpath(folder, NULL);
	int code = COMMAND_OK;

	if (!absolute || stat(absolute, &status) < 0)
		code = command_failed(request->command, "--exec-events=%s: %s", folder,
				      strerror(errno));
	else if (!S_ISDIR(status.st_mode) || strcmp(absolute, "/") == 0)
		code = command_failed(request->command,
				      "--exec-events=%s: that must be a folder, and not the root",
				      folder);
	else
		words_add_text(&request->host_options, "--exec-events=%s", absolute);
	request->has_exec_events = true;
	free(absolute);
	return code;
}

/* As command_usage(), with the exit code of sysexits.h. */
#define USAGE(command, ...) (command_usage(command, __VA_ARGS__), EX_USAGE)

/* -1: go on; else the exit code. */
static int
parse(struct request *request, bool is_load, const char *help, int argc, char **argv)
{
	bool only_names = false;

	for (int i = 1; i < argc; i++) {
		const char *value, *option = argv[i];

		if (only_names || option[0] != '-') {
			words_add(&request->names, option);
		} else if (strcmp(option, "--") == 0) {
			only_names = true;
		} else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
			return command_help(help);
		} else if (!is_load && strcmp(option, "--force") == 0) {
			request->is_forced = true;
		} else if ((value = option_value("--kernel", argc, argv, &i)) != NULL) {
			if (value[0] == '\0')
				return USAGE("kext",
					     "--kernel wants a socket's path, 'user' or 'system'");
			request->kernel = value;
		} else if (is_load && ((value = option_value("--dependency", argc, argv, &i)) ||
				       (value = option_value("-d", argc, argv, &i)))) {
			if (value[0] == '\0')
				return USAGE("kext", "%s wants a folder", option);
			words_add(&request->folders, value);
		} else if (is_load && (value = option_value("--memory", argc, argv, &i))) {
			if (!read_size(value, request))
				return USAGE("kext", "--memory wants a size as 512M, not '%s'",
					     value);
		} else if (is_load && (value = option_value("--exec-events", argc, argv, &i))) {
			if (add_exec_folder(request, value) != 0)
				return EX_NOINPUT;
		} else {
			return USAGE("kext", "unknown option '%s'", option);
		}
	}
	if (request->names.count == 0)
		return USAGE("kext", "which kernel extension?");
	return -1;
}

int
kext_load_main(int argc, char **argv)
{
	struct request request = { .command = "kext" };
	int code = parse(&request, true, load_help, argc, argv);

	if (code < 0)
		code = load_all(&request);
	request_free(&request);
	return code;
}

int
kext_unload_main(int argc, char **argv)
{
	struct request request = { .command = "kext" };
	int code = parse(&request, false, unload_help, argc, argv);

	if (code < 0)
		code = unload_all(&request);
	request_free(&request);
	return code;
}

/* ---- options of kextload and kextunload -------------------------------------------------------
 */

static bool
is_level(const char *word)
{
	return word && word[0] >= '0' && word[0] <= '6' && word[1] == '\0';
}

/* -1: go on; else the exit code. */
static int
parse_familiar(struct request *request, bool is_load, const char *help, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "bundle-id", required_argument, NULL, 'b' },
		{ "dependency", required_argument, NULL, 'd' },
		{ "repository", required_argument, NULL, 'r' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *name = is_load ? "kextload" : "kextunload";
	int option;

	/* -bundle-id is an option with one dash here */
	while ((option = getopt_long_only(argc, argv, is_load ? "b:d:r:qvh" : "b:qvh", long_options,
					  NULL)) != -1) {
		if (!is_load && (option == 'd' || option == 'r'))
			option = '?';
		switch (option) {
		case 'b':
			words_add(&request->names, optarg);
			break;
		case 'd':
		case 'r':
			words_add(&request->folders, optarg);
			break;
		case 'q':
			request->is_quiet = true;
			break;
		case 'v':
			optind += is_level(argv[optind]);
			break;
		case 'h':
			return command_help(help);
		default:
			fprintf(stderr, "Try '%s -h'.\n", name);
			return EX_USAGE;
		}
	}
	for (; optind < argc; optind++)
		words_add(&request->names, argv[optind]);
	if (request->names.count > 0)
		return -1;
	fprintf(stderr, "%s: which kernel extension?\nTry '%s -h'.\n", name, name);
	return EX_USAGE;
}

int
berth_kextload_main(int argc, char **argv)
{
	struct request request = { .command = "kext" };
	int code = parse_familiar(&request, true, kextload_help, argc, argv);

	if (code < 0)
		code = load_all(&request);
	request_free(&request);
	return code;
}

int
berth_kextunload_main(int argc, char **argv)
{
	struct request request = { .command = "kext" };
	int code = parse_familiar(&request, false, kextunload_help, argc, argv);

	if (code < 0)
		code = unload_all(&request);
	request_free(&request);
	return code;
}
