/*
 * Versions: see kext_version.h.
 */
#include "kexts/bundle/kext_version.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
	PART_DIGITS = 4,
	PART_LIMIT = 10000, /* one more than the greatest part */
	LEVEL_DIGITS = 3,
	LEVEL_LIMIT = 256,
	STAGE_RELEASE = 4,
	STAGE_LIMIT = 5
};

/* Up to @digits digits at *@at, which moves behind them; -1: none, or more. */
static int
take_number(const char **at, int digits)
{
	int number = 0, count = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		if (++count > digits)
			return -1;
		number = number * 10 + (**at - '0');
	}
	return count == 0 ? -1 : number;
}

static int
take_stage(const char **at)
{
	static const struct {
		const char *word;
		int stage;
	} stages[] = { { "d", 0 }, { "a", 1 }, { "b", 2 }, { "fc", 3 }, { "f", 3 } };

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		size_t length = strlen(stages[i].word);

		if (strncmp(*at, stages[i].word, length) == 0) {
			*at += length;
			return stages[i].stage;
		}
	}
	return -1;
}

uint64_t
kext_version_parse(const char *text)
{
	uint64_t number = 0;
	int stage = STAGE_RELEASE, level = 0;
	bool more = true;

	for (int i = 0; i < 3; i++) {
		int part = 0;

		if (more) {
			part = take_number(&text, PART_DIGITS);
			if (part < 0)
				return 0;
			more = i < 2 && *text == '.';
			text += more;
		}
		number = number * PART_LIMIT + (uint64_t)part;
	}
	if (*text != '\0') {
		stage = take_stage(&text);
		level = take_number(&text, LEVEL_DIGITS);
		if (stage < 0 || level < 1 || level >= LEVEL_LIMIT || *text != '\0')
			return 0;
	}
	/* 0 means none, so that version "0" is 1 and more */
	return (number * STAGE_LIMIT + (uint64_t)stage) * LEVEL_LIMIT + (uint64_t)level + 1;
}
