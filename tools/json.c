/*
 * JSON: see json.h.
 */
#include "tools/json.h"

#include <stdlib.h>
#include <string.h>

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* Behind the string that begins at @at, with its quotes; NULL: it does not end. */
static const char *
skip_string(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
	}
	return at + 1;
}

/* Behind the value that begins at @at; NULL: it does not end. */
static const char *
skip_value(const char *at)
{
	unsigned depth = 0;

	do {
		at = skip_blanks(at);
		if (*at == '\0')
			return NULL;
		if (*at == '"') {
			at = skip_string(at);
			if (!at)
				return NULL;
		} else if (strchr("{[", *at)) {
			depth++;
			at++;
		} else if (strchr("}]", *at)) {
			depth--;
			at++;
		} else {
			at += strchr(",:", *at) ? 1 : strcspn(at, " \t\r\n\",:{}[]");
		}
	} while (depth > 0 && depth < UINT32_MAX);
	return at;
}

/* The value of @key, or NULL. */
static const char *
find(const char *line, const char *key)
{
	const char *at = skip_blanks(line);
	size_t length = strlen(key);

	if (*at != '{')
		return NULL;
	for (at = skip_blanks(at + 1); *at == '"'; at = skip_blanks(at + 1)) {
		const char *name = at + 1;

		at = skip_string(at);
		if (!at)
			return NULL;
		bool is_it = (size_t)(at - 1 - name) == length && memcmp(name, key, length) == 0;

		at = skip_blanks(at);
		if (*at != ':')
			return NULL;
		at = skip_blanks(at + 1);
		if (is_it)
			return at;
		at = skip_value(at);
		if (!at)
			return NULL;
		at = skip_blanks(at);
		if (*at != ',')
			return NULL;
	}
	return NULL;
}

/* One character of a string; what is above ASCII is written as it was only by others. */
static char
take_escape(const char **at)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	const char *which = strchr(from, **at);
	char hex[5] = "";

	if (**at != 'u')
		return which && **at != '\0' ? to[which - from] : **at;
	for (size_t i = 0; i < 4 && (*at)[1] != '\0'; i++)
		hex[i] = *++*at;
	unsigned long code = strtoul(hex, NULL, 16);
	return code > 0 && code < 128 ? (char)code : '?';
}

bool
json_string(const char *line, const char *key, char *out, size_t size)
{
	const char *at = find(line, key);
	size_t length = 0;

	out[0] = '\0';
	if (!at || *at != '"' || !skip_string(at))
		return false;
	for (at++; *at != '"' && length + 1 < size; at++) {
		if (*at == '\\') {
			at++;
			out[length++] = take_escape(&at);
		} else {
			out[length++] = *at;
		}
	}
	out[length] = '\0';
	return true;
}

uint64_t
json_number(const char *line, const char *key)
{
	const char *at = find(line, key);

	return at && *at >= '0' && *at <= '9' ? strtoull(at, NULL, 10) : 0;
}

bool
json_true(const char *line, const char *key)
{
	const char *at = find(line, key);

	return at && strncmp(at, "true", 4) == 0;
}

size_t
json_numbers(const char *line, const char *key, uint32_t *numbers, size_t max)
{
	const char *at = find(line, key);
	size_t count = 0;

	if (!at || *at != '[')
		return 0;
	for (at = skip_blanks(at + 1); *at >= '0' && *at <= '9' && count < max;
	     at = skip_blanks(at + 1)) {
		char *end;

		numbers[count++] = (uint32_t)strtoul(at, &end, 10);
		at = skip_blanks(end);
		if (*at != ',')
			break;
	}
	return count;
}

char *
json_line(char **text)
{
	char *line = *text;

	if (!line || *line == '\0')
		return NULL;
	char *end = strchr(line, '\n');

	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}
