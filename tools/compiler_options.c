/*
 * Compiler options: see compiler_options.h.
 *
 * Source: the manuals of gcc ("Option Summary", "Overall Options") and of clang.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compiler_options.h"

/* A file may name files: as deep as gcc follows is not told, a loop must end. */
#define FILE_DEPTH_MAX 16
#define FILES_MAX 1024 /* a file that names itself twice is two, four, eight … */

struct reader {
	struct compiler_options *options;
	uint32_t language;   /* of -x; 0: told by the file's name */
	bool takes_language; /* the next argument is that of -x */
	bool takes_next;     /* the next argument belongs to an option */
	int file_depth, file_count;
};

/* Options whose value may be the next argument. */
static const char *const with_next[] = {
	"-o",
	"-x",
	"-I",
	"-D",
	"-U",
	"-L",
	"-l",
	"-T",
	"-B",
	"-u",
	"-z",
	"-e",
	"-A",
	"-include",
	"-imacros",
	"-isystem",
	"-idirafter",
	"-iquote",
	"-iprefix",
	"-iwithprefix",
	"-iwithprefixbefore",
	"-iwithsysroot",
	"-isysroot",
	"-imultilib",
	"-iframework",
	"-F",
	"-framework",
	"-arch",
	"-Xlinker",
	"-Xassembler",
	"-Xpreprocessor",
	"-Xclang",
	"-Xopenmp-target",
	"-Xanalyzer",
	"-mllvm",
	"-MF",
	"-MT",
	"-MQ",
	"-MJ",
	"-aux-info",
	"-dumpbase",
	"-dumpdir",
	"-dumpbase-ext",
	"-wrapper",
	"-target",
	"-include-pch",
	"-ivfsoverlay",
	"-gcc-toolchain",
	"-install_name",
	"-rpath",
	"--param",
	"--sysroot",
	"--output",
	"--language",
	"--include",
	"--define-macro",
	"--undefine-macro",
	"--library-directory",
	"--include-directory",
	"--imacros",
	"--assert",
	"--entry",
	"--for-linker",
	"--for-assembler",
	"--config",
	"--prefix",
};

static const char *const stops_before_link[] = {
	"-c",
	"-S",
	"-E",
	"-M",
	"-MM",
	"-fsyntax-only",
	"--compile",
	"--assemble",
	"--preprocess",
	"--dependencies",
	"--user-dependencies",
	"-emit-ast",
	"--analyze",
	"--precompile",
	"-emit-interface-stubs",
};

static bool
is_in(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) == 0)
			return true;
	}
	return false;
}

#define IS_IN(word, words) is_in(word, words, sizeof(words) / sizeof((words)[0]))

bool
compiler_option_takes_next(const char *option)
{
	return IS_IN(option, with_next);
}

struct named_input {
	const char *name;
	uint32_t input;
};

static const struct named_input suffixes[] = {
	{ "c", INPUT_C },         { "i", INPUT_C },       { "h", INPUT_C },
	{ "S", INPUT_C },         { "sx", INPUT_C }, /* preprocessed: takes our headers */
	{ "s", INPUT_ASSEMBLER }, { "cc", INPUT_CXX },    { "cp", INPUT_CXX },
	{ "cxx", INPUT_CXX },     { "cpp", INPUT_CXX },   { "CPP", INPUT_CXX },
	{ "c++", INPUT_CXX },     { "C", INPUT_CXX },     { "ii", INPUT_CXX },
	{ "hh", INPUT_CXX },      { "H", INPUT_CXX },     { "hp", INPUT_CXX },
	{ "hxx", INPUT_CXX },     { "hpp", INPUT_CXX },   { "HPP", INPUT_CXX },
	{ "h++", INPUT_CXX },     { "tcc", INPUT_CXX },   { "cppm", INPUT_CXX },
	{ "ixx", INPUT_CXX },     { "m", INPUT_OBJC },    { "mi", INPUT_OBJC },
	{ "mm", INPUT_OBJCXX },   { "M", INPUT_OBJCXX },  { "mii", INPUT_OBJCXX },
	{ "f", INPUT_OTHER },     { "for", INPUT_OTHER }, { "ftn", INPUT_OTHER },
	{ "F", INPUT_OTHER },     { "FOR", INPUT_OTHER }, { "f90", INPUT_OTHER },
	{ "F90", INPUT_OTHER },   { "f95", INPUT_OTHER }, { "f03", INPUT_OTHER },
	{ "f08", INPUT_OTHER },   { "go", INPUT_OTHER },  { "d", INPUT_OTHER },
	{ "adb", INPUT_OTHER },   { "ads", INPUT_OTHER },
};

static const struct named_input languages[] = {
	{ "none", 0 },
	{ "c", INPUT_C },
	{ "c-header", INPUT_C },
	{ "cpp-output", INPUT_C },
	{ "assembler-with-cpp", INPUT_C },
	{ "assembler", INPUT_ASSEMBLER },
	{ "c++", INPUT_CXX },
	{ "c++-header", INPUT_CXX },
	{ "c++-system-header", INPUT_CXX },
	{ "c++-user-header", INPUT_CXX },
	{ "c++-cpp-output", INPUT_CXX },
	{ "c++-module", INPUT_CXX },
	{ "objective-c", INPUT_OBJC },
	{ "objective-c-header", INPUT_OBJC },
	{ "objective-c-cpp-output", INPUT_OBJC },
	{ "objective-c++", INPUT_OBJCXX },
	{ "objective-c++-header", INPUT_OBJCXX },
	{ "objective-c++-cpp-output", INPUT_OBJCXX },
};

static uint32_t
input_named(const struct named_input *inputs, size_t count, const char *name, uint32_t otherwise)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(inputs[i].name, name) == 0)
			return inputs[i].input;
	}
	return otherwise;
}

#define INPUT_NAMED(inputs, name, otherwise)                                                       \
	input_named(inputs, sizeof(inputs) / sizeof((inputs)[0]), name, otherwise)

static void
read_input(struct reader *reader, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *dot = strrchr(slash ? slash : file, '.');

	if (reader->language != 0)
		reader->options->inputs |= reader->language;
	else if (dot)
		reader->options->inputs |= INPUT_NAMED(suffixes, dot + 1, INPUT_LINKER);
	else if (strcmp(file, "-") == 0) /* with -E */
		reader->options->inputs |= INPUT_C;
	else
		reader->options->inputs |= INPUT_LINKER;
}

static void
read_language(struct reader *reader, const char *language)
{
	reader->language = INPUT_NAMED(languages, language, INPUT_OTHER);
}

static int read_file(struct reader *reader, const char *path);

static int
read_argument(struct reader *reader, const char *argument)
{
	struct compiler_options *options = reader->options;

	if (reader->takes_language) {
		reader->takes_language = false;
		read_language(reader, argument);
	} else if (reader->takes_next) {
		reader->takes_next = false;
	} else if (argument[0] == '@') {
		return read_file(reader, argument);
	} else if (argument[0] != '-' || argument[1] == '\0') {
		read_input(reader, argument);
	} else if (strcmp(argument, "-x") == 0 || strcmp(argument, "--language") == 0) {
		reader->takes_language = true;
	} else if (strncmp(argument, "-x", 2) == 0) {
		read_language(reader, argument + 2);
	} else if (strncmp(argument, "--language=", 11) == 0) {
		read_language(reader, argument + 11);
	} else if (IS_IN(argument, stops_before_link)) {
		options->no_link_but_objects =
		    (!options->no_link || options->no_link_but_objects) &&
		    (strcmp(argument, "-c") == 0 || strcmp(argument, "--compile") == 0);
		options->no_link = true;
	} else if (strcmp(argument, "-nostdlib") == 0 || strcmp(argument, "-nodefaultlibs") == 0 ||
		   strcmp(argument, "-r") == 0) {
		options->no_libs = true;
	} else if (strcmp(argument, "-static") == 0 || strcmp(argument, "--static") == 0 ||
		   strcmp(argument, "-static-pie") == 0) {
		options->is_static = true;
	} else {
		if (strncmp(argument, "-l", 2) == 0)
			options->inputs |= INPUT_LINKER;
		reader->takes_next = compiler_option_takes_next(argument);
	}
	return 0;
}

/*
 * The arguments in @text, cut apart by white space; quotes of both kinds keep it, and a
 * backslash takes what follows as it is.  @text is overwritten.
 */
static int
read_text(struct reader *reader, char *text)
{
	char *from = text;

	for (;;) {
		char *word = from, *to = from;
		char quote = '\0';

		from += strspn(from, " \t\n\v\f\r");
		if (*from == '\0')
			return 0;
		for (; *from != '\0' && (quote != '\0' || !strchr(" \t\n\v\f\r", *from)); from++) {
			if (*from == '\\' && from[1] != '\0')
				*to++ = *++from;
			else if (quote == '\0' && (*from == '"' || *from == '\''))
				quote = *from;
			else if (quote != '\0' && *from == quote)
				quote = '\0';
			else
				*to++ = *from;
		}
		if (*from != '\0')
			from++;
		*to = '\0';
		int err = read_argument(reader, word);
		if (err < 0)
			return err;
	}
}

/* @argument is `@path`. */
static int
read_file(struct reader *reader, const char *argument)
{
	char *text = NULL;
	size_t capacity = 0;
	bool may_open = reader->file_depth < FILE_DEPTH_MAX && reader->file_count++ < FILES_MAX;
	FILE *file = may_open ? fopen(argument + 1, "re") : NULL;

	if (!file) {
		read_input(reader, argument);
		return 0;
	}
	errno = 0;
	ssize_t size = getdelim(&text, &capacity, '\0', file);
	int err = size < 0 && errno != 0 ? -errno : 0;
	fclose(file);
	if (size > 0) {
		reader->file_depth++;
		err = read_text(reader, text);
		reader->file_depth--;
	} else if (err == -EISDIR) {
		read_input(reader, argument);
		err = 0;
	}
	free(text);
	return err;
}

int
compiler_options_read(struct compiler_options *options, int argc, char **argv)
{
	struct reader reader = { .options = options };

	*options = (struct compiler_options){ 0 };
	for (int i = 0; i < argc; i++) {
		int err = read_argument(&reader, argv[i]);

		if (err < 0)
			return err;
	}
	return 0;
}
