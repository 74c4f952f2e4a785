/*
 * Options: the command line of mig.
 *
 * Source: mig-codegen.md §12.
 */
#ifndef MIG_OPTIONS_H
#define MIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "mig/settings.h"

struct options {
	struct settings settings;
	enum { OPTIONS_COMPILE, OPTIONS_HELP, OPTIONS_VERSION } action;
	const char *compiler; /* -cc; NULL: as the environment says */
	char **files;         /* file_count of them, in the arguments given */
	size_t file_count;
	char **preprocessor; /* options for it, in their order */
	size_t preprocessor_count;
	bool names_outputs; /* one at least */
};

/*
 * Read the @count arguments, of which the first is the program's name and is passed over.  They
 * are referred to.  Filled or not, @options is to be given to options_deinit.
 *
 * 0, or -1: what is wrong has been told on standard error.
 */
int options_read(struct options *options, int count, char **arguments);
void options_deinit(struct options *options);

/* What --help prints. */
extern const char options_help[];

#endif
