/*
 * Words: a command line to be run, put together piece by piece.
 */
#ifndef BERTH_TOOLS_WORDS_H
#define BERTH_TOOLS_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * All of them are the list's own, and `word` ends with NULL once there is one.  What fails for
 * want of memory is remembered, so that it need be asked about only once, before running.
 */
struct words {
	char **word;
	size_t count, capacity;
	bool no_memory;
};

void words_free(struct words *words);

/* Consumes @word; NULL, or no room for it, is remembered as no_memory. */
void words_take(struct words *words, char *word);

/* Add a copy of @word. */
void words_add(struct words *words, const char *word);

/* Add one word made of parts, as printf does. */
__attribute__((format(printf, 2, 3))) void words_add_text(struct words *words, const char *format,
							  ...);

/* Add the words of @text, cut apart at blanks: $CC may say more than a name, "ccache gcc". */
void words_add_split(struct words *words, const char *text);

#endif
