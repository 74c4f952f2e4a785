/*
 * Fuzzing of command lines: any words for `berth run`, `berth cc`, `berth launch`, berthd and
 * berth-launchd, with any values of the variables that they look at.  What they would do then
 * ends here: no program is run, no name server asked.
 *
 * The input is lines: NAME=VALUE for the environment, the command, its words up to an empty line;
 * the rest is what is in the file "job.plist" and what the name server answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <berth/kernel_connection.h>

#include "confine/confine.h"
#include "fuzz/fuzz.h"
#include "hosts/daemon/options.h"
#include "servers/launchd/launchd.h"
#include "tools/cc_options.h"
#include "tools/command.h"
#include "tools/launch.h"
#include "tools/launch_client.h"
#include "tools/run_options.h"

#define WORDS_MAX 64
#define RUNNING_VARIABLE "BERTH_CC_RUNNING"

static _Noreturn void
broken(const char *what, int line)
{
	fprintf(stdout, "fuzz/arguments.c:%d: not so: %s\n", line, what);
	fflush(stdout);
	abort();
}

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

/* ---- what ends here ------------------------------------------------------------------ */

static char folder[] = "/tmp/berth-fuzz-XXXXXX";
static int folder_fd, outside_fd; /* where words name files, and where the fuzzer does */
static const char *answer;
static size_t answer_size;
static FILE *help; /* of commands; what else they print goes to `stderr` and `stdout` */

/* An ordinary user: root's choices of jobs are the machine's. */
uid_t
geteuid(void)
{
	return 1000;
}

/* What is stored lasts for a run. */
int
fsync(int fd)
{
	return 0;
}

bool
confine_is_built(void)
{
	return true;
}

int
command_usage(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	return COMMAND_USAGE;
}

int
command_failed(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	return COMMAND_FAILED;
}

int
command_help(const char *text)
{
	fputs(text, help);
	return COMMAND_OK;
}

/* As launch_client.c has it, with the input for an answer. */
kern_return_t
berth_launch_load(mach_port_t bp, launch_data_t data, mach_msg_type_number_t size, uint32_t flags,
		  const char *argument, launch_text_t *text, mach_msg_type_number_t *text_size,
		  integer_t *status)
{
	uint32_t sum = 0;

	for (mach_msg_type_number_t i = 0; i < size; i++)
		sum += (uint8_t)data[i];
	must(strlen(argument) < LAUNCH_ARGUMENT_SIZE);
	*text = NULL;
	*text_size = 0;
	if (answer_size > 0) {
		vm_address_t memory = 0;

		must(vm_allocate(mach_task_self(), &memory, answer_size, VM_FLAGS_ANYWHERE) ==
		     KERN_SUCCESS);
		memcpy((void *)memory, answer, answer_size);
		*text = (launch_text_t)memory;
		*text_size = (mach_msg_type_number_t)answer_size;
	}
	*status = sum % 8 == 7 ? EPERM : 0;
	return KERN_SUCCESS;
}

#define ANSWERED_LIKE_LOAD(name)                                                                   \
	kern_return_t name(mach_port_t bp, launch_data_t data, mach_msg_type_number_t size,        \
			   uint32_t flags, const char *argument, launch_text_t *text,              \
			   mach_msg_type_number_t *text_size, integer_t *status)                   \
	{                                                                                          \
		return berth_launch_load(bp, data, size, flags, argument, text, text_size,         \
					 status);                                                  \
	}

ANSWERED_LIKE_LOAD(berth_launch_remove)
ANSWERED_LIKE_LOAD(berth_launch_list)
ANSWERED_LIKE_LOAD(berth_launch_print)
ANSWERED_LIKE_LOAD(berth_launch_kickstart)
ANSWERED_LIKE_LOAD(berth_launch_start)
ANSWERED_LIKE_LOAD(berth_launch_stop)

/* ---- each command -------------------------------------------------------------------- */

/* A refusal is told; nothing else is. */
static void
refusal_must_be_told(bool refused)
{
	must((ftell(stderr) > 0) == refused);
}

static void
try_run(int argc, char **argv)
{
	struct run_options options = { 0 };
	int code = run_options_parse(&options, argc, argv);

	must(code == -1 || code == COMMAND_OK || code == COMMAND_USAGE);
	refusal_must_be_told(code == COMMAND_USAGE);
	if (code != -1)
		return;
	must(options.argv > argv && options.argv < argv + argc && *options.argv != NULL);
	must(options.leaks || !options.leak_sites);
	must(options.traced || options.trace_file == NULL);
}

/* The words of the command line are in the compiler's, in their order. */
static void
words_must_be_handed_on(const struct words *words, const struct words *given)
{
	size_t at = 0;

	for (size_t i = 0; i < words->count && at < given->count; i++)
		at += strcmp(words->word[i], given->word[at]) == 0;
	must(at == given->count && words->word[words->count] == NULL);
}

static void
try_cc(int argc, char **argv)
{
	struct cc_driver driver = {
		.is_cxx = strcmp(argv[0], "c++") == 0,
		.is_inner = getenv(RUNNING_VARIABLE) != NULL,
		.stubs = { .command = argv[0] },
	};
	struct words words = { 0 };
	int code = cc_options_parse(&driver, argc, argv);

	must(code == -1 || code == COMMAND_OK || code == COMMAND_USAGE);
	refusal_must_be_told(code == COMMAND_USAGE);
	if (code == -1) {
		must(driver.given.count + driver.stubs.interfaces.count < (size_t)argc);
		must(compiler_options_read(&driver.options, (int)driver.given.count,
					   driver.given.word) == 0);
		strcpy(driver.toolchain.headers, "/headers");
		strcpy(driver.toolchain.libdir, "/lib");
		cc_add_command(&words, &driver);
		must(!words.no_memory && words.count > 0);
		if (driver.given.count > 0)
			words_must_be_handed_on(&words, &driver.given);
	}
	words_free(&words);
	cc_kext_free(&driver.kext);
	stubs_free(&driver.stubs);
	words_free(&driver.given);
}

static void
try_launch(int argc, char **argv)
{
	int code = berth_launch_main(argc, argv);

	must(code == COMMAND_OK || code == COMMAND_FAILED || code == COMMAND_USAGE);
	if (code != COMMAND_OK)
		must(ftell(stderr) > 0);
}

static void
try_berthd(int argc, char **argv)
{
	struct options options;
	int code = options_parse(&options, argc, argv);

	must(code == 0 || code == 1 || code == -EINVAL);
	refusal_must_be_told(code == -EINVAL);
	if (code != 0)
		return;
	must(options.mode == MODE_USER || options.mode == MODE_PRIVATE);
	must((options.mode == MODE_PRIVATE) == (options.listen_fd >= 0));
	must(options.idle_exit_seconds >= -1 && options.owner_uid != (uid_t)-1);
}

static void
try_launchd(int argc, char **argv)
{
	struct launchd l = { .owner_uid = 1000 };
	int code = launchd_options_parse(&l, argc, argv);

	must(code == 0 || code == 1 || code == -EINVAL);
	refusal_must_be_told(code == -EINVAL);
	must(l.owner_uid != (uid_t)-1);
}

/* What all of them look for. */
static void
try_find(void)
{
	char path[PATH_MAX], small[8];
	int error = berth_find_program("berthd", path, sizeof(path));

	must(error == -ENOENT || error == -ENAMETOOLONG || (error == 0 && access(path, X_OK) == 0));
	error = berth_find_program("berthd", small, sizeof(small));
	must(error <= 0);
}

/* ---- a run --------------------------------------------------------------------------- */

static const char *const variables[] = { "CC", "CXX", "BERTH_LIBEXECDIR", RUNNING_VARIABLE };

static const struct {
	const char *name;
	void (*try)(int argc, char **argv);
} commands[] = {
	{ "run", try_run },       { "cc", try_cc },         { "c++", try_cc },
	{ "launch", try_launch }, { "berthd", try_berthd }, { "berth-launchd", try_launchd },
};

static bool
take_variable(const char *line)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		size_t length = strlen(variables[i]);

		if (strncmp(line, variables[i], length) == 0 && line[length] == '=') {
			setenv(variables[i], line + length + 1, 1);
			return true;
		}
	}
	return false;
}

/* Cut @text into lines up to an empty one.  How many; what is behind them is in `answer`. */
static int
split(char *text, size_t size, char **words)
{
	char *end = text + size;
	int count = 0;

	while (text < end && count < WORDS_MAX) {
		char *newline = memchr(text, '\n', (size_t)(end - text));

		if (newline == NULL)
			newline = end;
		*newline = '\0';
		if (newline == text) {
			text++;
			break;
		}
		if (count > 0 || !take_variable(text))
			words[count++] = text;
		text = newline + 1;
	}
	words[count] = NULL;
	answer = text < end ? text : end;
	answer_size = (size_t)(end - answer);
	return count;
}

static void
files_new(void)
{
	int fd = open("job.plist", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, answer, answer_size) == (ssize_t)answer_size);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1), *words[WORDS_MAX + 1], *said = NULL, *printed = NULL;
	size_t said_size, printed_size;
	FILE *standard_error = stderr, *standard_output = stdout;

	must(text != NULL);
	if (size > 0)
		memcpy(text, bytes, size);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	int count = split(text, size, words);
	must(fchdir(folder_fd) == 0);
	files_new();
	stderr = open_memstream(&said, &said_size);
	stdout = help = open_memstream(&printed, &printed_size);
	must(stderr != NULL && stdout != NULL);
	optind = 0; /* glibc: from the start */
	for (size_t i = 0; count > 0 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(words[0], commands[i].name) == 0)
			commands[i].try(count, words);
	try_find();
	fclose(stderr);
	fclose(stdout);
	stderr = standard_error;
	stdout = standard_output;
	free(said);
	free(printed);
	free(text);
	unlink("berth/overrides.plist");
	must(fchdir(outside_fd) == 0);
	return 0;
}

/* ---- start and end ------------------------------------------------------------------- */

static void
files_remove(void)
{
	unlinkat(folder_fd, "job.plist", 0);
	unlinkat(folder_fd, "berth", AT_REMOVEDIR);
	rmdir(folder);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	must(mkdtemp(folder) != NULL);
	atexit(files_remove);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	outside_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(folder_fd >= 0 && outside_fd >= 0);
	setenv("XDG_STATE_HOME", folder, 1);
	setenv("TMPDIR", folder, 1);
	/* nothing is asked of a kernel; what asks all the same finds none */
	setenv("BERTH_KERNEL", "/dev/null/none", 1);
	return 0;
}
