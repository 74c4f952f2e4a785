/*
 * berth launch: steers the jobs of the name server with the habits of launchctl(1).
 */
#include "tools/launch.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/launch_client.h"
#include "tools/launch_file.h"
#include "tools/launch_print.h"

static const char help_text[] =
    "Usage: berth launch COMMAND [ARGUMENTS]\n"
    "\n"
    "Run jobs as launchd does: on demand, at load, kept alive.\n"
    "\n"
    "  load [-wF] PATH...       load jobs from property lists, or folders of them\n"
    "  unload [-w] PATH...      end and forget those jobs\n"
    "  list [LABEL]             list the jobs, or print one\n"
    "  print LABEL              tell how a job does\n"
    "  start LABEL              start a job now\n"
    "  stop LABEL               end its process; it may start again\n"
    "  kickstart [-kp] LABEL    start a job now; -k end it first, -p print its pid\n"
    "  remove LABEL             end and forget a job\n"
    "  submit -l LABEL [-p PROGRAM] [-o FILE] [-e FILE] -- COMMAND [ARGUMENTS]\n"
    "                           run a command, again if it fails\n"
    "  bslist [-j]              list the names that a look-up finds; -j whose they are\n"
    "  help                     print this\n"
    "\n"
    "  -w  remember that the job is switched on (unload: off)\n"
    "  -F  load it even if it is switched off\n";

/* "system/LABEL", "user/UID/LABEL", "gui/UID/LABEL": the domain is where we are anyway. */
static const char *
bare_label(const char *target)
{
	static const char *const domains[] = { "user/", "gui/", "login/" };

	if (strncmp(target, "system/", 7) == 0)
		return target + 7;
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		size_t length = strlen(domains[i]);
		const char *label = target + length;
		if (strncmp(target, domains[i], length) != 0)
			continue;
		label += strspn(label, "0123456789");
		return *label == '/' && label > target + length ? label + 1 : target;
	}
	return target;
}

/* ---- load and unload ------------------------------------------------------------------- */

struct load_options {
	bool store, force;
};

/* Send @plist; warnings and errors are told. */
static int
load_plist(const char *path, plist_t plist)
{
	struct launch_result result;
	char *xml = NULL;
	uint32_t size = 0;

	plist_to_xml(plist, &xml, &size);
	if (!xml)
		return launch_tell(path, "out of memory");
	int error = launch_ask(berth_launch_load, path, LAUNCH_LOAD_ENABLED, xml, size, &result);
	plist_to_xml_free(xml);
	if (error)
		return -1;
	if (*result.text)
		fputs(result.text, stderr);
	if (result.error && !strchr(result.text, '\n'))
		launch_tell(path, "%s", *result.text ? "not loaded" : strerror(result.error));
	error = result.error;
	free(result.text);
	return error ? -1 : 0;
}

static int
load_file(const char *path, void *context)
{
	const struct load_options *options = context;
	plist_t plist = launch_file_read(path);
	int error = 0;

	if (!plist)
		return -1;
	const char *label = launch_file_label(plist);
	if (options->store && label)
		error = launch_set_enabled(label, 1);
	if (!error && !options->force && !launch_is_enabled(label, plist))
		error =
		    launch_tell(path, "%s is disabled; load -w enables it", label ? label : "it");
	if (!error)
		error = load_plist(path, plist);
	plist_free(plist);
	return error;
}

static int
unload_file(const char *path, void *context)
{
	const struct load_options *options = context;
	plist_t plist = launch_file_read(path);
	int error = -1;

	if (!plist)
		return -1;
	const char *label = launch_file_label(plist);
	if (!label)
		launch_tell(path, "Label: missing");
	else
		error = options->store ? launch_set_enabled(label, 0) : 0;
	if (!error)
		error = launch_order(berth_launch_remove, label, 0);
	plist_free(plist);
	return error;
}

static int
on_files(int argc, char **argv, int (*each)(const char *path, void *context))
{
	struct load_options options = { .store = false };
	int option, result = COMMAND_OK;

	while ((option = getopt(argc, argv, "+wFS:D:")) != -1) {
		switch (option) {
		case 'w':
			options.store = true;
			break;
		case 'F':
			options.force = true;
			break;
		case 'S':
		case 'D':
			break; /* there is one session, and one domain a user */
		default:
			return command_usage("launch", "%s: wrong option", argv[0]);
		}
	}
	if (optind == argc)
		return command_usage("launch", "%s: which file?", argv[0]);
	for (int i = optind; i < argc; i++) {
		if (launch_each_file(argv[i], each, &options))
			result = COMMAND_FAILED;
	}
	return result;
}

static int
command_load(int argc, char **argv)
{
	return on_files(argc, argv, load_file);
}

static int
command_unload(int argc, char **argv)
{
	return on_files(argc, argv, unload_file);
}

/* An absolute path for the name server, which runs elsewhere.  NULL: told. */
static char *
absolute_path(const char *path)
{
	char folder[PATH_MAX], *absolute = NULL;

	if (*path == '/')
		absolute = strdup(path);
	else if (getcwd(folder, sizeof(folder)) && asprintf(&absolute, "%s/%s", folder, path) < 0)
		absolute = NULL;
	if (!absolute)
		launch_tell(path, "%s", strerror(errno));
	return absolute;
}

static int
put_path(plist_t plist, const char *key, const char *path)
{
	char *absolute = absolute_path(path);

	if (!absolute)
		return -1;
	plist_dict_set_item(plist, key, plist_new_string(absolute));
	free(absolute);
	return 0;
}

static int
submit(plist_t plist, const char *label, char **command)
{
	plist_t arguments = plist_new_array();
	plist_t keep_alive = plist_new_dict();

	for (char **word = command; *word; word++)
		plist_array_append_item(arguments, plist_new_string(*word));
	plist_dict_set_item(plist, "Label", plist_new_string(label));
	plist_dict_set_item(plist, "ProgramArguments", arguments);
	plist_dict_set_item(keep_alive, "SuccessfulExit", plist_new_bool(0));
	plist_dict_set_item(plist, "KeepAlive", keep_alive);
	/* a path is meant from here, a word is looked for in PATH */
	if (!plist_dict_get_item(plist, "Program") && strchr(command[0], '/') &&
	    put_path(plist, "Program", command[0]))
		return -1;
	return load_plist(label, plist);
}

static int
command_submit(int argc, char **argv)
{
	const char *label = NULL;
	plist_t plist = plist_new_dict();
	int option, error = 0;

	while (!error && (option = getopt(argc, argv, "+l:p:o:e:")) != -1) {
		switch (option) {
		case 'l':
			label = optarg;
			break;
		case 'p':
			error = put_path(plist, "Program", optarg);
			break;
		case 'o':
			error = put_path(plist, "StandardOutPath", optarg);
			break;
		case 'e':
			error = put_path(plist, "StandardErrorPath", optarg);
			break;
		default:
			plist_free(plist);
			return command_usage("launch", "submit: wrong option");
		}
	}
	if (!error && (!label || optind == argc)) {
		plist_free(plist);
		return command_usage("launch", "submit: -l LABEL and a command are needed");
	}
	if (!error)
		error = submit(plist, label, argv + optind);
	plist_free(plist);
	return error ? COMMAND_FAILED : COMMAND_OK;
}

/* ---- steering -------------------------------------------------------------------------- */

static int
on_label(int argc, char **argv, launch_routine *routine)
{
	if (argc != 2)
		return command_usage("launch", "%s: needs one label", argv[0]);
	return launch_order(routine, bare_label(argv[1]), 0) ? COMMAND_FAILED : COMMAND_OK;
}

static int
command_start(int argc, char **argv)
{
	return on_label(argc, argv, berth_launch_start);
}

static int
command_stop(int argc, char **argv)
{
	return on_label(argc, argv, berth_launch_stop);
}

static int
command_remove(int argc, char **argv)
{
	return on_label(argc, argv, berth_launch_remove);
}

static int
command_kickstart(int argc, char **argv)
{
	bool print = false;
	uint32_t flags = 0;
	int option;

	while ((option = getopt(argc, argv, "+kp")) != -1) {
		switch (option) {
		case 'k':
			flags |= LAUNCH_KICKSTART_KILL;
			break;
		case 'p':
			print = true;
			break;
		default:
			return command_usage("launch", "kickstart: wrong option");
		}
	}
	if (optind + 1 != argc)
		return command_usage("launch", "kickstart: needs one label");
	plist_t answer = launch_ask_plist(berth_launch_kickstart, bare_label(argv[optind]), flags);
	if (!answer)
		return COMMAND_FAILED;
	plist_t pid = plist_dict_get_item(answer, "PID");
	uint64_t number = 0;
	if (print && pid) {
		plist_get_uint_val(pid, &number);
		printf("%" PRIu64 "\n", number);
	}
	plist_free(answer);
	return COMMAND_OK;
}

/* ---- looking --------------------------------------------------------------------------- */

static int
command_list(int argc, char **argv)
{
	if (argc > 2)
		return command_usage("launch", "list: one label at most");
	plist_t answer = argc == 2 ? launch_ask_plist(berth_launch_print, bare_label(argv[1]), 0)
				   : launch_ask_plist(berth_launch_list, "", 0);
	if (!answer)
		return COMMAND_FAILED;
	if (argc == 2)
		launch_print_plist(answer);
	else
		launch_print_table(answer);
	plist_free(answer);
	return COMMAND_OK;
}

static int
command_print(int argc, char **argv)
{
	if (argc != 2)
		return command_usage("launch", "print: needs one label");
	plist_t answer = launch_ask_plist(berth_launch_print, bare_label(argv[1]), 0);
	if (!answer)
		return COMMAND_FAILED;
	launch_print_job(answer);
	plist_free(answer);
	return COMMAND_OK;
}

static int
command_bslist(int argc, char **argv)
{
	bool with_jobs = argc == 2 && strcmp(argv[1], "-j") == 0;

	if (argc > 2 || (argc == 2 && !with_jobs))
		return command_usage("launch", "bslist: wrong arguments");
	return launch_print_names(with_jobs) ? COMMAND_FAILED : COMMAND_OK;
}

static int
command_help_launch(int argc, char **argv)
{
	return command_help(help_text);
}

/* ---------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "load", command_load },           { "unload", command_unload },
	{ "list", command_list },           { "print", command_print },
	{ "start", command_start },         { "stop", command_stop },
	{ "remove", command_remove },       { "submit", command_submit },
	{ "kickstart", command_kickstart }, { "bslist", command_bslist },
	{ "help", command_help_launch },    { "--help", command_help_launch },
	{ "-h", command_help_launch },
};

int
berth_launch_main(int argc, char **argv)
{
	if (argc < 2)
		return command_usage("launch", "what is to be done?");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		optind = 0; /* 0: glibc starts afresh */
		int code = commands[i].main(argc - 1, argv + 1);
		if (fflush(stdout) != 0 || ferror(stdout))
			return command_failed("launch", "cannot write: %s", strerror(errno));
		return code;
	}
	return command_usage("launch", "%s: no such command", argv[1]);
}
