/*
 * Preprocess: from a .defs file to text without directives, by the C compiler.
 */
#ifndef MIG_PREPROCESS_H
#define MIG_PREPROCESS_H

#include "mig/options.h"
#include "mig/support/text.h"

/* More text than this is refused. */
#define PREPROCESS_BYTES_MAX (256u * 1024 * 1024)

/*
 * Append what the preprocessor makes of @file to @text.
 *
 * 0, or -1: the preprocessor has told what is wrong on standard error, or this function has.
 */
int preprocess_file(const struct options *options, const char *file, struct text *text);

/* Append all that can be read from @fd, called @name, to @text; 0, or -1: told. */
int preprocess_read(int fd, const char *name, struct text *text);

#endif
