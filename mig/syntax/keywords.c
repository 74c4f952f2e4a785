/*
 * Keywords: see keywords.h.
 */
#include <string.h>
#include <strings.h>

#include "mig/syntax/keywords.h"

static const char *const texts[] = {
#define X(name, text) text,
	KEYWORDS(X)
#undef X
};

enum keyword
keyword_find(const char *text, size_t size)
{
	size_t low = 0, high = sizeof(texts) / sizeof(texts[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strncasecmp(text, texts[middle], size);

		if (order == 0 && texts[middle][size] == '\0')
			return (enum keyword)(middle + 1);
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return KEYWORD_NONE;
}

const char *
keyword_text(enum keyword keyword)
{
	return keyword == KEYWORD_NONE ? "" : texts[keyword - 1];
}
