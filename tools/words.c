/*
 * Words: see words.h.
 */
#include "tools/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
	free(words->word);
	*words = (struct words){ 0 };
}

void
words_take(struct words *words, char *word)
{
	if (words->count + 1 >= words->capacity) {
		size_t capacity = words->capacity * 2 + 32;
		char **more = realloc(words->word, capacity * sizeof(*more));

		if (!more) {
			words->no_memory = true;
			free(word);
			return;
		}
		words->word = more;
		words->capacity = capacity;
	}
	if (!word) {
		words->no_memory = true;
		return;
	}
	words->word[words->count++] = word;
	words->word[words->count] = NULL;
}

void
words_add(struct words *words, const char *word)
{
	words_take(words, strdup(word));
}

void
words_add_text(struct words *words, const char *format, ...)
{
	va_list args;
	char *word;

	va_start(args, format);
	int length = vasprintf(&word, format, args);
	va_end(args);
	words_take(words, length < 0 ? NULL : word);
}

void
words_add_split(struct words *words, const char *text)
{
	static const char blanks[] = " \t\n";

	for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);

		words_take(words, strndup(text, length));
		text += length;
	}
}
