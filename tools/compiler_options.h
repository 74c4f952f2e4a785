/*
 * Compiler options: what a command line for gcc or clang amounts to.
 *
 * It is only looked at: what is handed to the compiler is the command line as it came.
 */
#ifndef BERTH_TOOLS_COMPILER_OPTIONS_H
#define BERTH_TOOLS_COMPILER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What kinds of input there are; a set of these. */
enum compiler_input {
	INPUT_C = 1,
	INPUT_CXX = 2,
	INPUT_OBJC = 4,
	INPUT_OBJCXX = 8,
	INPUT_ASSEMBLER = 16, /* not preprocessed */
	INPUT_LINKER = 32,    /* objects, libraries, -l */
	INPUT_OTHER = 64      /* a language of which we know nothing: Fortran, Go … */
};

struct compiler_options {
	uint32_t inputs;          /* enum compiler_input */
	bool no_link;             /* -c, -S, -E, -M, -fsyntax-only … */
	bool no_link_but_objects; /* -c, and nothing that stops earlier */
	bool no_libs;             /* -nostdlib, -nodefaultlibs, -r */
	bool is_static;           /* -static, -static-pie */
};

/*
 * Look at @argc arguments, without the compiler's name.  @files (`@file`) are opened and
 * looked at, too; one that cannot be read is an input file, as it is for the compiler.
 *
 * 0 or -ENOMEM
 */
int compiler_options_read(struct compiler_options *options, int argc, char **argv);

/* Does @option take the next argument as its own? */
bool compiler_option_takes_next(const char *option);

#endif
