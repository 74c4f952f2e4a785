/*
 * Parser: text into a tree.
 */
#ifndef MIG_SYNTAX_PARSER_H
#define MIG_SYNTAX_PARSER_H

#include <stddef.h>

#include "mig/support/arena.h"
#include "mig/support/diagnostics.h"
#include "mig/syntax/tree.h"

/*
 * Parse @size bytes of preprocessed @text, of which @text[@size] is a NUL and which live as
 * long as @arena; @file names them.  What is wrong is told to @diagnostics and left out of the
 * tree.
 *
 * Source: mig-language.md §3.
 */
struct tree *parser_parse(struct arena *arena, struct diagnostics *diagnostics, const char *file,
			  const char *text, size_t size);

#endif
