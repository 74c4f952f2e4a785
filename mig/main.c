/*
 * mig: makes C from descriptions of Mach interfaces.
 *
 * Each file is preprocessed, read, checked, turned into text by the generators, and only then
 * are files written.  Called `migcom`, or without a file, it reads preprocessed text.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mig/compile.h"
#include "mig/options.h"
#include "mig/outputs.h"
#include "mig/preprocess.h"
#include "tools/berth_config.h"

#define STANDARD_INPUT "<stdin>"

static int
compile_text(const struct options *options, const char *source, const struct text *text)
{
	struct diagnostics diagnostics = { .out = stderr, .no_warnings = options->settings.quiet };
	struct arena *arena = arena_new();
	struct interface *interface =
	    compile_read(arena, &diagnostics, &options->settings, source, text->bytes, text->size);
	int result = -1;

	if (interface) {
		struct outputs *outputs = outputs_new();

		compile_generate(arena, interface, &options->settings, outputs);
		result = outputs_put(outputs, stderr);
		outputs = outputs_free(outputs);
	}
	arena = arena_free(arena);
	return result;
}

static int
compile_file(const struct options *options, const char *file)
{
	struct text text = { 0 };
	bool is_preprocessed = strcmp(file, "-") == 0;
	int result = is_preprocessed ? preprocess_read(STDIN_FILENO, "standard input", &text)
				     : preprocess_file(options, file, &text);

	if (result == 0)
		result = compile_text(options, is_preprocessed ? STANDARD_INPUT : file, &text);
	text_deinit(&text);
	return result;
}

static bool
is_called(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, name) == 0;
}

static int
run(const struct options *options, const char *program)
{
	int result = 0;

	switch (options->action) {
	case OPTIONS_HELP:
		fputs(options_help, stdout);
		return 0;
	case OPTIONS_VERSION:
		printf("mig of Berth %s\n", BERTH_VERSION);
		return 0;
	default:
		break;
	}
	if (is_called(program, "migcom") && options->file_count > 0) {
		fputs(
		    "mig: error: migcom reads preprocessed text from standard input, and no file\n",
		    stderr);
		return -1;
	}
	if (options->file_count == 0) {
		if (isatty(STDIN_FILENO)) {
			fputs("mig: error: no file; `mig --help` tells more\n", stderr);
			return -1;
		}
		return compile_file(options, "-");
	}
	for (size_t i = 0; i < options->file_count; i++) {
		if (compile_file(options, options->files[i]) < 0)
			result = -1;
	}
	return result;
}

int
main(int argc, char **argv)
{
	struct options options = { 0 };
	int result = options_read(&options, argc, argv);

	if (result == 0)
		result = run(&options, argc > 0 ? argv[0] : "mig");
	options_deinit(&options);
	if (fflush(stdout) != 0 && result == 0) {
		perror("mig: error: cannot write standard output");
		result = -1;
	}
	return result < 0 ? 1 : 0;
}
