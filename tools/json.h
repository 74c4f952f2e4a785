/*
 * JSON as kernels write it: an object a line, looked into by key.
 *
 * What is no object, or has no such key, is as if the key were not there: rows come from the
 * kernel, and newer ones may know more than we do.
 */
#ifndef BERTH_TOOLS_JSON_H
#define BERTH_TOOLS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The next line of *@text, which moves behind it; its newline becomes a NUL.  NULL: no more.
 */
char *json_line(char **text);

/* The string that is the value of @key, cut to @size bytes with its NUL.  False: "". */
bool json_string(const char *line, const char *key, char *out, size_t size);

/* The number that is the value of @key, or 0. */
uint64_t json_number(const char *line, const char *key);

/* Is the value of @key `true`? */
bool json_true(const char *line, const char *key);

/* Up to @max of the numbers in the array that is the value of @key. */
size_t json_numbers(const char *line, const char *key, uint32_t *numbers, size_t max);

#endif
