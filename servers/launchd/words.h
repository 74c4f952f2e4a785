/*
 * Words: a command line split as bootstrap_create_server() splits it.
 */
#ifndef LAUNCHD_WORDS_H
#define LAUNCHD_WORDS_H

#include <stddef.h>

#define WORDS_MAX 100           /* words in a command */
#define WORDS_COMMAND_MAX 1000u /* bytes of a command */

/*
 * Split @command at blanks.  `"` quotes blanks, `\` takes the next byte as it is.
 *
 * Gives in @words an array that ends with NULL, to be released with words_free().
 *
 * 0
 * -EINVAL  no word, an open quote or nothing behind a backslash
 * -E2BIG   too many words or bytes
 * -ENOMEM
 *
 * Source: bootstrap.md §2.
 */
int words_split(const char *command, char ***words, size_t *word_count);

/* NULL is fine. */
void words_free(char **words);

#endif
