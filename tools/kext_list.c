/*
 * berth kext list and kextstat: which kexts are loaded.
 *
 * Source of kextstat's columns: kext.md §3.3.
 */
#include "tools/kext.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/kernel_ask.h"
#include "tools/kext_table.h"
#include "tools/words.h"
#include "wire/socket.h"

/* ---- berth kext list ------------------------------------------------------------------------- */

static const char list_help[] =
    "Usage: berth kext list [--json] [--kernel KERNEL]\n"
    "\n"
    "Show which kernel extensions are loaded.\n"
    "\n"
    "  --json           an array of JSON objects instead of a table\n" KERNEL_HELP;

static void
print_table(const struct kext_table *table)
{
	printf("%5s %4s %7s %-8s %-40s %s\n", "INDEX", "REFS", "PID", "STATE", "NAME (VERSION)",
	       "PATH");
	for (size_t i = 0; i < table->count; i++) {
		const struct kext_row *row = &table->rows[i];
		char name[2 * KEXT_NAME_MAX + 4];

		snprintf(name, sizeof(name), "%s (%s)", row->identifier, row->version);
		printf("%5u %4u %7d %-8s %-40s %s\n", row->tag, row->refs, row->pid,
		       row->is_started ? "started" : "starting", name, row->path);
	}
}

static int
print_json(const char *kernel)
{
	char *text;
	const char *before = "\n";

	if (kernel_ask_text("kext", kernel, WIRE_INSPECT_KEXTS, &text) != 0)
		return COMMAND_FAILED;
	char *rest = text;

	putchar('[');
	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		printf("%s%s", before, line);
		before = ",\n";
	}
	puts("\n]");
	free(text);
	return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

int
kext_list_main(int argc, char **argv)
{
	struct kext_table table;
	const char *kernel = NULL;
	bool is_json = false;

	for (int i = 1; i < argc; i++) {
		const char *value, *option = argv[i];

		if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
			return command_help(list_help);
		if (strcmp(option, "--json") == 0) {
			is_json = true;
		} else if ((value = option_value("--kernel", argc, argv, &i)) && value[0]) {
			kernel = value;
		} else {
			return command_usage("kext", "'%s' is no option, or lacks its value",
					     option);
		}
	}
	if (is_json)
		return print_json(kernel);
	if (kext_table_read(&table, "kext", kernel) != 0)
		return COMMAND_FAILED;
	print_table(&table);
	kext_table_deinit(&table);
	return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

/* ---- kextstat -------------------------------------------------------------------------------- */

static const char kextstat_help[] =
    "Usage: kextstat [-a] [-k] [-l] [-s] [-b IDENTIFIER]...\n"
    "\n"
    "Show which kernel extensions are loaded, as the command of this name does on macOS.\n"
    "\n"
    "  -a             show the architecture, too\n"
    "  -b IDENTIFIER  show only this one\n"
    "  -k             without parts of the kernel itself; there are none here\n"
    "  -l             without the head line\n"
    "  -s             sort by address\n"
    "  -h             this text\n";

struct stat_options {
	bool with_architecture, without_head, by_address;
	struct words only;
};

static bool
is_wanted(const struct stat_options *options, const struct kext_row *row)
{
	for (size_t i = 0; i < options->only.count; i++) {
		if (strcmp(options->only.word[i], row->identifier) == 0)
			return true;
	}
	return options->only.count == 0;
}

static void
stat_row(const struct stat_options *options, const struct kext_row *row, const char *machine)
{
	printf("%5u %4u %#-18" PRIx64 " %#-10" PRIx64 " %#-10" PRIx64 " ", row->tag, row->refs,
	       row->address, row->size_bytes, row->size_bytes);
	if (options->with_architecture)
		printf("%-12s ", machine);
	printf("%s (%s) no UUID", row->identifier, row->version);
	for (size_t i = 0; i < row->dependency_count; i++)
		printf("%s%u", i == 0 ? " <" : " ", row->dependencies[i]);
	puts(row->dependency_count > 0 ? ">" : "");
}

static int
by_address(const void *a, const void *b)
{
	uint64_t first = ((const struct kext_row *)a)->address;
	uint64_t second = ((const struct kext_row *)b)->address;

	return (first > second) - (first < second);
}

static int
stat_all(const struct stat_options *options)
{
	struct kext_table table;
	struct utsname system = { 0 };

	if (kext_table_read(&table, "kext", NULL) != 0)
		return COMMAND_FAILED;
	uname(&system);
	if (options->by_address && table.count > 1)
		qsort(table.rows, table.count, sizeof(*table.rows), by_address);
	if (!options->without_head)
		printf("Index Refs Address            Size       Wired      %sName (Version) UUID "
		       "<Linked Against>\n",
		       options->with_architecture ? "Architecture " : "");
	for (size_t i = 0; i < table.count; i++) {
		if (is_wanted(options, &table.rows[i]))
			stat_row(options, &table.rows[i], system.machine);
	}
	kext_table_deinit(&table);
	return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

int
berth_kextstat_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "arch", no_argument, NULL, 'a' },
		{ "bundle-id", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ "no-kernel", no_argument, NULL, 'k' },
		{ "list-only", no_argument, NULL, 'l' },
		{ "sort", no_argument, NULL, 's' },
		{ 0 },
	};
	struct stat_options options = { 0 };
	int option, code = -1;

	while (code < 0 &&
	       (option = getopt_long_only(argc, argv, "ab:hkls", long_options, NULL)) != -1) {
		switch (option) {
		case 'a':
			options.with_architecture = true;
			break;
		case 'b':
			words_add(&options.only, optarg);
			break;
		case 'h':
			code = command_help(kextstat_help);
			break;
		case 'k':
			break;
		case 'l':
			options.without_head = true;
			break;
		case 's':
			options.by_address = true;
			break;
		default:
			code = COMMAND_USAGE;
			break;
		}
	}
	if (code < 0 && optind < argc) {
		fprintf(stderr, "kextstat: '%s' is one argument too many\n", argv[optind]);
		code = COMMAND_USAGE;
	}
	if (code == COMMAND_USAGE)
		fputs("Try 'kextstat -h'.\n", stderr);
	if (code < 0)
		code = options.only.no_memory ? command_failed("kext", "out of memory")
					      : stat_all(&options);
	words_free(&options.only);
	return code;
}
