/*
 * Preprocess: see preprocess.h.
 *
 * Source: mig-language.md §1.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mig/preprocess.h"
#include "mig/support/arena.h"
#include "tools/toolchain.h"

extern char **environ;

/* Words that come beside the compiler's own and the user's. */
#define OWN_WORDS_MAX 20

/* The command that is run. */
struct command {
	struct arena *arena;
	char **words;
	size_t count;
};

static void
add(struct command *command, const char *word)
{
	command->words[command->count++] = (char *)word;
}

/* The compiler, which may have options of its own: "gcc -m32". */
static void
add_compiler(struct command *command, const char *compiler)
{
	char *words = arena_strdup(command->arena, compiler);
	char *rest;

	for (char *word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		add(command, word);
}

/* The folder of the file, where its own includes may be. */
static const char *
folder_of(struct arena *arena, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (!slash)
		return ".";
	return slash == file ? "/" : arena_strndup(arena, file, (size_t)(slash - file));
}

/*
 * Our own .defs, and the headers: one folder where Berth is installed, two neighbours in its
 * source tree.
 */
static void
add_own_folders(struct command *command)
{
	struct toolchain toolchain;
	char *tried = NULL;

	/* without them a file that needs none of ours can still be read */
	if (toolchain_find(&toolchain, &tried) == 0) {
		const char *interfaces = arena_printf(command->arena, "%s/interfaces",
						      folder_of(command->arena, toolchain.headers));

		if (access(interfaces, R_OK | X_OK) == 0) {
			add(command, "-I");
			add(command, interfaces);
		}
		add(command, "-I");
		add(command, arena_strdup(command->arena, toolchain.headers));
	}
	free(tried);
}

static const char *
compiler_of(const struct options *options)
{
	if (options->compiler)
		return options->compiler;
	const char *compiler = getenv("MIGCC");

	return compiler && compiler[strspn(compiler, " \t")] ? compiler : "cc";
}

static void
build_command(struct command *command, const struct options *options, const char *file)
{
	const char *compiler = compiler_of(options);
	/* no more words than every other byte of the compiler begins one */
	size_t room = strlen(compiler) / 2 + 1 + OWN_WORDS_MAX + options->preprocessor_count;

	command->words = ARENA_ARRAY(command->arena, char *, room);
	add_compiler(command, compiler);
	add(command, "-E");
	add(command, "-x");
	add(command, "c");
	add(command, "-D__MACH30__");
	/* words that would change under way: import <linux/...> */
	add(command, "-Ulinux");
	add(command, "-Uunix");
	for (size_t i = 0; i < options->preprocessor_count; i++)
		add(command, options->preprocessor[i]);
	add(command, "-I");
	add(command, folder_of(command->arena, file));
	add_own_folders(command);
	/* a file is no option, whatever it is called */
	add(command, file[0] == '-' ? arena_printf(command->arena, "./%s", file) : file);
	add(command, NULL);
	if (options->settings.verbose) {
		for (size_t i = 0; command->words[i]; i++)
			fprintf(stderr, "%s%s", i ? " " : "", command->words[i]);
		putc('\n', stderr);
	}
}

int
preprocess_read(int fd, const char *name, struct text *text)
{
	char bytes[65536];

	for (;;) {
		ssize_t size = read(fd, bytes, sizeof(bytes));

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0) {
			fprintf(stderr, "mig: error: cannot read %s: %s\n", name, strerror(errno));
			return -1;
		}
		text_add(text, bytes, (size_t)size); /* with no bytes: the text ends with a NUL */
		if (size == 0)
			return 0;
		if (text->size > PREPROCESS_BYTES_MAX) {
			fprintf(stderr, "mig: error: %s has more than %u bytes\n", name,
				PREPROCESS_BYTES_MAX);
			return -1;
		}
	}
}

/* Start @command; its standard output can be read from @fd.  0 or an errno, negative. */
static int
start(const struct command *command, int *fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int err = posix_spawn_file_actions_init(&actions);
	if (err == 0) {
		err = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		if (err == 0)
			err = posix_spawnp(pid, command->words[0], &actions, NULL, command->words,
					   environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(ends[1]);
	if (err == 0)
		*fd = ends[0];
	else
		close(ends[0]);
	return -err;
}

/* Wait for the preprocessor; -1: it failed, and if it did not say so itself it is told. */
static int
finish(pid_t pid, const char *name)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		fprintf(stderr, "mig: error: cannot wait for %s: %s\n", name, strerror(errno));
		return -1;
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "mig: error: %s was ended by signal %d\n", name, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int
preprocess_file(const struct options *options, const char *file, struct text *text)
{
	struct command command = { .arena = arena_new() };
	int fd = -1, result = -1;
	pid_t pid = -1;

	build_command(&command, options, file);
	const char *name = command.words[0];
	int err = access(file, R_OK) < 0 ? -errno : 0;
	if (err < 0) {
		fprintf(stderr, "mig: error: cannot read %s: %s\n", file, strerror(-err));
	} else if ((err = start(&command, &fd, &pid)) < 0) {
		fprintf(stderr, "mig: error: cannot run the preprocessor %s: %s\n", name,
			strerror(-err));
	} else {
		result = preprocess_read(fd, file, text);
		close(fd); /* before the wait: it may still write */
		if (finish(pid, name) < 0)
			result = -1;
	}
	arena_free(command.arena);
	return result;
}
