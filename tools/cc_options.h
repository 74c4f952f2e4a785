/*
 * What was asked of `berth cc`.
 */
#ifndef BERTH_TOOLS_CC_OPTIONS_H
#define BERTH_TOOLS_CC_OPTIONS_H

#include <stdbool.h>

#include "tools/cc_kext.h"
#include "tools/compiler_options.h"
#include "tools/stubs.h"
#include "tools/toolchain.h"
#include "tools/words.h"

/* Single strings are those of the command line. */
struct cc_driver {
	bool is_cxx;     /* called as `berth c++` */
	bool is_apple;   /* --apple */
	bool is_inner;   /* $CC led back here: nothing is added */
	bool has_output; /* -o */
	struct cc_kext kext;
	const char *print_flags;
	struct words given; /* without what is ours, and without interfaces */
	struct stubs stubs; /* of the interfaces */
	struct compiler_options options;
	struct toolchain toolchain;
};

/*
 * Read the command line, whose first word is the command's name, into zeroed @driver.  What it
 * holds afterwards is the caller's to free, whatever came of it.
 *
 * -1: go on; else the exit code, after a word on stderr or the help on stdout
 */
int cc_options_parse(struct cc_driver *driver, int argc, char **argv);

/* Add the compiler, the command line as it came, and what is added to it: cc.c. */
void cc_add_command(struct words *words, const struct cc_driver *driver);

#endif
