#include "words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void
words_free(char **words)
{
	if (!words)
		return;
	for (char **word = words; *word; word++)
		free(*word);
	free(words);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copy the word that starts at *@at to @out, and move *@at behind it. */
static int
word_take(const char **at, char *out)
{
	bool quoted = false;
	const char *c = *at;

	for (; *c != '\0' && (quoted || !is_blank(*c)); c++) {
		if (*c == '"') {
			quoted = !quoted;
			continue;
		}
		if (*c == '\\') {
			c++;
			if (*c == '\0')
				return -EINVAL;
		}
		*out++ = *c;
	}
	*out = '\0';
	*at = c;
	return quoted ? -EINVAL : 0;
}

static int
words_fill(const char *command, char **words, size_t *word_count)
{
	char word[WORDS_COMMAND_MAX + 1];

	for (;;) {
		while (is_blank(*command))
			command++;
		if (*command == '\0')
			return *word_count ? 0 : -EINVAL;
		if (*word_count == WORDS_MAX)
			return -E2BIG;
		int error = word_take(&command, word);
		if (error)
			return error;
		words[*word_count] = strdup(word);
		if (!words[*word_count])
			return -ENOMEM;
		(*word_count)++;
	}
}

int
words_split(const char *command, char ***words, size_t *word_count)
{
	*word_count = 0;
	if (strlen(command) > WORDS_COMMAND_MAX)
		return -E2BIG;
	*words = calloc(WORDS_MAX + 1, sizeof(**words));
	if (!*words)
		return -ENOMEM;
	int error = words_fill(command, *words, word_count);
	if (error) {
		words_free(*words);
		*words = NULL;
		*word_count = 0;
	}
	return error;
}
