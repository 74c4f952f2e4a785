/*
 * Stubs: see stubs.h.
 */
#include "tools/stubs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/command.h"

#define SUFFIX ".defs"

bool
stubs_is_interface(const char *file)
{
	size_t length = strlen(file);

	return length > strlen(SUFFIX) && strcmp(file + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* ---- options ----------------------------------------------------------------------------- */

static bool
starts_with(const char *word, const char *start)
{
	return strncmp(word, start, strlen(start)) == 0;
}

/*
 * Options that say what becomes of the program or of other files, that make the compiler
 * strict, or that have to do with a language or with other sources: the stubs are C of its
 * own kind.  By their beginnings.
 */
static const char *const not_for_stubs[] = {
	/* outputs, and how far the compiler goes */
	"-o", "--output", "-c", "--compile", "-S", "--assemble", "-E", "--preprocess", "-M",
	"-fsyntax-only", "-emit-", "--analyze", "--precompile", "-save-temps", "-dump", "-aux-info",
	"-wrapper", "-v", "-###",
	/* language and warnings */
	"-x", "--language", "-std=", "-ansi", "-include", "--include", "-imacros", "--imacros",
	"-W", "-pedantic",
	/* linking */
	"-l", "-L", "--library", "-Xlinker", "--for-linker", "-T", "-u", "-z", "-e", "--entry",
	"-r", "-s", "-pie", "-no-pie", "-nostart", "-nodefault", "-nostdlib", "-framework", "-flto",
	"-fuse-ld"
};

static bool
is_for_stubs(const char *option)
{
	if (starts_with(option, "-Wp,") || starts_with(option, "-Wa,"))
		return true;
	for (size_t i = 0; i < sizeof(not_for_stubs) / sizeof(not_for_stubs[0]); i++) {
		if (starts_with(option, not_for_stubs[i]))
			return false;
	}
	return true;
}

static bool
is_for_mig(const char *option)
{
	return starts_with(option, "-I") || starts_with(option, "-D") || starts_with(option, "-U");
}

void
stubs_note_option(struct stubs *stubs, const char *option, const char *value)
{
	if (is_for_mig(option)) {
		words_add_text(&stubs->mig_options, "%s%s", option, value ? value : "");
		words_add_text(&stubs->options, "%s%s", option, value ? value : "");
	} else if (is_for_stubs(option)) {
		words_add(&stubs->options, option);
		if (value)
			words_add(&stubs->options, value);
	}
}

/* ---- running ----------------------------------------------------------------------------- */

static volatile sig_atomic_t running_pid;

static void
pass_on(int number)
{
	int saved = errno;

	if (running_pid > 0)
		kill((pid_t)running_pid, number);
	errno = saved;
}

int
stubs_run(const struct stubs *stubs, const struct words *words)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = pass_on }, before[3];
	sigset_t blocked, old;
	int status;

	if (words->no_memory)
		return command_failed(stubs->command, "out of memory");
	/* no signal between fork and knowing whom to pass it on to */
	sigemptyset(&blocked);
	for (size_t i = 0; i < 3; i++)
		sigaddset(&blocked, numbers[i]);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	pid_t pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		execvp(words->word[0], words->word);
		command_failed(stubs->command, "cannot run '%s': %s", words->word[0],
			       strerror(errno));
		_exit(COMMAND_FAILED);
	}
	int error = errno;
	running_pid = pid;
	for (size_t i = 0; i < 3; i++) {
		sigaction(numbers[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	pid_t ended = -1;
	if (pid > 0) {
		do
			ended = waitpid(pid, &status, 0);
		while (ended < 0 && errno == EINTR);
	}
	running_pid = 0;
	for (size_t i = 0; i < 3; i++)
		sigaction(numbers[i], &before[i], NULL);
	if (pid < 0)
		return command_failed(stubs->command, "cannot run '%s': %s", words->word[0],
				      strerror(error));
	if (ended < 0)
		return COMMAND_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- making ------------------------------------------------------------------------------ */

/* The name of @file without folder and suffix: @length bytes at the result. */
static const char *
stem(const char *file, int *length)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;

	*length = (int)(strlen(name) - strlen(SUFFIX));
	return name;
}

static int
check_names(const struct stubs *stubs)
{
	const struct words *interfaces = &stubs->interfaces;
	int length, other_length;

	for (size_t i = 0; i < interfaces->count; i++) {
		const char *name = stem(interfaces->word[i], &length);

		for (size_t j = 0; j < i; j++) {
			const char *other = stem(interfaces->word[j], &other_length);
			if (length == other_length && strncmp(name, other, (size_t)length) == 0)
				return command_failed(stubs->command,
						      "%s and %s: their stubs would have the same "
						      "name",
						      interfaces->word[j], interfaces->word[i]);
		}
	}
	return 0;
}

static int
make_folder(struct stubs *stubs)
{
	const char *temporary = getenv("TMPDIR");

	if (!temporary || temporary[0] == '\0')
		temporary = "/tmp";
	if (asprintf(&stubs->folder, "%s/berth-cc.XXXXXX", temporary) < 0) {
		stubs->folder = NULL;
		return command_failed(stubs->command, "out of memory");
	}
	if (!mkdtemp(stubs->folder)) {
		int error = errno;

		command_failed(stubs->command, "cannot make a folder in %s: %s", temporary,
			       strerror(error));
		free(stubs->folder);
		stubs->folder = NULL;
		return COMMAND_FAILED;
	}
	return 0;
}

/* Berth's mig lies beside this program; otherwise one is looked for in $PATH. */
static void
add_mig(struct words *words)
{
	char own[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (size > 0) {
		own[size] = '\0';
		char *slash = strrchr(own, '/');
		if (slash && (size_t)(slash - own) + sizeof("/mig") <= sizeof(own)) {
			strcpy(slash, "/mig");
			if (access(own, X_OK) == 0) {
				words_add(words, own);
				return;
			}
		}
	}
	words_add(words, "mig");
}

static int
make_one(const struct stubs *stubs, const char *interface)
{
	struct words words = { 0 };
	int length;
	const char *name = stem(interface, &length);

	add_mig(&words);
	for (size_t i = 0; i < stubs->mig_options.count; i++)
		words_add(&words, stubs->mig_options.word[i]);
	words_add(&words, "-header");
	words_add_text(&words, "%s/%.*s.h", stubs->folder, length, name);
	words_add(&words, "-sheader");
	words_add_text(&words, "%s/%.*sServer.h", stubs->folder, length, name);
	words_add(&words, "-user");
	words_add_text(&words, "%s/%.*sUser.c", stubs->folder, length, name);
	words_add(&words, "-server");
	words_add_text(&words, "%s/%.*sServer.c", stubs->folder, length, name);
	words_add(&words, interface);
	int code = stubs_run(stubs, &words);
	words_free(&words);
	return code;
}

int
stubs_make(struct stubs *stubs)
{
	int code = check_names(stubs);

	if (stubs->interfaces.no_memory || stubs->mig_options.no_memory || stubs->options.no_memory)
		return command_failed(stubs->command, "out of memory");
	if (code == 0)
		code = make_folder(stubs);
	for (size_t i = 0; code == 0 && i < stubs->interfaces.count; i++)
		code = make_one(stubs, stubs->interfaces.word[i]);
	return code;
}

void
stubs_add_folders(const struct stubs *stubs, struct words *words)
{
	if (!stubs->folder)
		return;
	words_add(words, "-isystem");
	words_add(words, stubs->folder);
	for (size_t i = 0; i < stubs->interfaces.count; i++) {
		const char *interface = stubs->interfaces.word[i];
		const char *slash = strrchr(interface, '/');

		words_add(words, "-iquote");
		words_add_text(words, "%.*s", slash ? (int)(slash - interface) + 1 : 1,
			       slash ? interface : ".");
	}
}

/* ---- compiling --------------------------------------------------------------------------- */

static int
compile_one(const struct stubs *stubs, const struct words *compiler, const char *folder,
	    const char *interface, const char *side)
{
	struct words words = { 0 };
	int length;
	const char *name = stem(interface, &length);

	for (size_t i = 0; i < compiler->count; i++)
		words_add(&words, compiler->word[i]);
	for (size_t i = 0; i < stubs->options.count; i++)
		words_add(&words, stubs->options.word[i]);
	/* what the user wants to be told of his own code is not about this */
	words_add(&words, "-std=gnu11");
	words_add(&words, "-w");
	words_add(&words, "-c");
	words_add_text(&words, "%s/%.*s%s.c", stubs->folder, length, name, side);
	words_add(&words, "-o");
	words_add_text(&words, "%s/%.*s%s.o", folder, length, name, side);
	int code = stubs_run(stubs, &words);
	words_free(&words);
	return code;
}

static int
make_archive(const struct stubs *stubs)
{
	const char *archiver = getenv("AR");
	struct words words = { 0 };
	int length;

	if (archiver)
		words_add_split(&words, archiver);
	if (words.count == 0)
		words_add(&words, "ar");
	words_add(&words, "rcs");
	words_add_text(&words, "%s/" STUBS_ARCHIVE, stubs->folder);
	for (size_t i = 0; i < stubs->interfaces.count; i++) {
		const char *name = stem(stubs->interfaces.word[i], &length);

		words_add_text(&words, "%s/%.*sUser.o", stubs->folder, length, name);
		words_add_text(&words, "%s/%.*sServer.o", stubs->folder, length, name);
	}
	int code = stubs_run(stubs, &words);
	words_free(&words);
	return code;
}

int
stubs_compile(struct stubs *stubs, const struct words *compiler, const char *into)
{
	const char *folder = into ? into : stubs->folder;
	int code = 0;

	for (size_t i = 0; code == 0 && i < stubs->interfaces.count; i++) {
		const char *interface = stubs->interfaces.word[i];

		code = compile_one(stubs, compiler, folder, interface, "User");
		if (code == 0)
			code = compile_one(stubs, compiler, folder, interface, "Server");
	}
	return code == 0 && !into ? make_archive(stubs) : code;
}

/* ---- the end ----------------------------------------------------------------------------- */

/* There are only files in it. */
static void
remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder) {
		while ((entry = readdir(folder))) {
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				unlinkat(dirfd(folder), entry->d_name, 0);
		}
		closedir(folder);
	}
	rmdir(path);
}

void
stubs_free(struct stubs *stubs)
{
	if (stubs->folder)
		remove_folder(stubs->folder);
	free(stubs->folder);
	stubs->folder = NULL;
	words_free(&stubs->interfaces);
	words_free(&stubs->mig_options);
	words_free(&stubs->options);
}
