/* Command lines of bootstrap_create_server(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "servers/launchd/words.h"

static void
splits_into(const char *command, size_t count, const char *const *expected)
{
	char **words;
	size_t word_count;

	assert_int_equal(words_split(command, &words, &word_count), 0);
	assert_int_equal(word_count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(words[i], expected[i]);
	assert_null(words[count]);
	words_free(words);
}

#define SPLITS(command, ...)                                                                       \
	do {                                                                                       \
		const char *const expected_[] = { __VA_ARGS__ };                                   \
		splits_into((command), sizeof(expected_) / sizeof(expected_[0]), expected_);       \
	} while (0)

static void
blanks_part_words(void **state)
{
	SPLITS("a", "a");
	SPLITS("  a\tb \n c  ", "a", "b", "c");
}

static void
quotes_keep_blanks_and_make_empty_words(void **state)
{
	SPLITS("a \"b c\" d", "a", "b c", "d");
	SPLITS("a\"b c\"d", "ab cd");
	SPLITS("a \"\" b", "a", "", "b");
}

static void
a_backslash_takes_the_next_byte_as_it_is(void **state)
{
	SPLITS("a\\ b", "a b");
	SPLITS("\\\"a", "\"a");
	SPLITS("\"a\\\"b\"", "a\"b");
	SPLITS("a\\\\b", "a\\b");
}

static void
fails_with(const char *command, int error)
{
	char **words;
	size_t word_count;

	assert_int_equal(words_split(command, &words, &word_count), error);
	assert_int_equal(word_count, 0);
}

static void
what_is_no_command_is_refused(void **state)
{
	fails_with("", -EINVAL);
	fails_with("   ", -EINVAL);
	fails_with("\"a", -EINVAL);
	fails_with("a\\", -EINVAL);
}

static void
a_hundred_words_and_a_thousand_bytes_are_the_most(void **state)
{
	char command[WORDS_COMMAND_MAX + 2];
	char **words;
	size_t word_count;

	for (size_t i = 0; i < WORDS_MAX; i++)
		memcpy(command + 2 * i, "a ", 2);
	command[2 * WORDS_MAX] = '\0';
	assert_int_equal(words_split(command, &words, &word_count), 0);
	assert_int_equal(word_count, WORDS_MAX);
	words_free(words);
	strcat(command, "b");
	fails_with(command, -E2BIG);

	memset(command, 'x', WORDS_COMMAND_MAX);
	command[WORDS_COMMAND_MAX] = '\0';
	assert_int_equal(words_split(command, &words, &word_count), 0);
	words_free(words);
	strcat(command, "x");
	fails_with(command, -E2BIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_part_words),
		cmocka_unit_test(quotes_keep_blanks_and_make_empty_words),
		cmocka_unit_test(a_backslash_takes_the_next_byte_as_it_is),
		cmocka_unit_test(what_is_no_command_is_refused),
		cmocka_unit_test(a_hundred_words_and_a_thousand_bytes_are_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
