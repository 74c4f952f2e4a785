/*
 * Where something stands in a .defs file or in what it includes, and how to say what is
 * wrong there.
 */
#ifndef MIG_SUPPORT_SOURCE_H
#define MIG_SUPPORT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct source_place {
	const char *file;
	uint32_t line;   /* from 1; 0: no place */
	uint32_t column; /* from 1, in bytes of the preprocessed line; 0: the line as a whole */
	uint32_t length; /* bytes that are meant, for the caret; 0 as 1 */
	/* The start of that line in the preprocessed text, which ends with a newline or a NUL
	 * and lives as long as the place; NULL: not known. */
	const char *line_text;
};

#endif
